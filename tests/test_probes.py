"""Asking gateways for the balance, over a real connection: what they say, and what they had better not say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

import pytest

from bot.errors import BadKey, GatewayError
from bot.gateways.probes import amount
from bot.types import BalanceReading, Json, Money
from tests.fakes.clock import START, SimClock
from tests.fakes.gateway import Reply
from tests.test_client import JSON_TYPE, KEY, serving

CURRENCY = {"total_available_currency": "CNY", "total_available_currency_symbol": "¥"}


def told(body: Json, status: int = 200) -> Reply:
    return Reply([json.dumps(body).encode()], status, JSON_TYPE)


def grants(left: Json, **more: Json) -> Reply:
    data: dict[str, Json] = {"total_available": left, **CURRENCY, **more}
    return told({"status": "success", "error_message": "", "error_code": None, "data": data})


def billing(limit: Json, used: Json) -> tuple[Reply, Reply]:
    subscription = {"object": "billing_subscription", "has_payment_method": True, "hard_limit_usd": limit}
    return told(subscription), told({"object": "list", "total_usage": used})


async def test_grants_are_asked_for_at_the_root_of_the_host() -> None:
    async with serving(grants(200.1024), profile="wcode", clock=SimClock()) as (client, gateway):
        assert await client.balance() == BalanceReading("test", Money(Decimal("200.1024")), START, "probe")
        (request,) = gateway.requests
    assert (request.method, request.path) == ("GET", "/api/account/billing/grants")
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("reply", "money"),
    [
        (grants("12.5"), Money(Decimal("12.5"))),
        (grants(-0.25), Money(Decimal("-0.25"))),
        (grants(0), Money(Decimal(0))),
        (grants(0.00001), Money(Decimal("0.00001"))),
        (grants(3, total_available_currency="USD"), Money(Decimal(3), "USD")),
        (grants(3, total_available_currency=None), Money(Decimal(3))),
        (grants(3, total_available_currency="<b>"), Money(Decimal(3))),
    ],
)
async def test_what_grants_say(reply: Reply, money: Money) -> None:
    async with serving(reply, profile="wcode") as (client, _):
        reading = await client.balance()
    assert reading is not None
    assert reading.money == money


@pytest.mark.parametrize(
    "reply",
    [
        grants(None),
        grants("a lot"),
        grants(True),
        grants([1]),
        grants(1e300),
        told({"status": "success", "data": None}),
        told({"status": "error", "error_message": "no", "error_code": 7, "data": {"total_available": 5}}),
        told([]),
        told({}),
        told(None),
        Reply([b"<html>Welcome</html>"], 200, {"Content-Type": "text/html"}),
        Reply([b'{"data": {"total_available": NaN}}'], 200, JSON_TYPE),
        told({"error": {"message": "Invalid URL"}}, 404),
        Reply(raw=b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_what_is_no_balance_is_an_error_of_the_gateway(reply: Reply) -> None:
    async with serving(reply, profile="wcode") as (client, _):
        with pytest.raises(GatewayError):
            await client.balance()


async def test_billing_is_a_limit_and_hundredths_of_what_is_used() -> None:
    async with serving(*billing(50, 1234.5), profile="chatfire", clock=SimClock()) as (client, gateway):
        assert await client.balance() == BalanceReading("test", Money(Decimal("37.655")), START, "probe")
        paths = [request.path for request in gateway.requests]
    assert paths == ["/v1/dashboard/billing/subscription", "/v1/dashboard/billing/usage"]


async def test_a_key_without_a_limit_has_no_balance_to_watch() -> None:
    async with serving(*billing(100_000_000, 5), profile="chatfire") as (client, gateway):
        assert await client.balance() is None
        assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    "replies",
    [
        (told({"error": {"message": "无效的令牌", "type": "one_api_error"}}),),
        (told({"error": {"message": "无效的令牌", "type": "one_api_error"}}, 401),),
        (billing(50, 1)[0], told({"error": {"message": "无效的令牌", "type": "one_api_error"}})),
    ],
)
async def test_an_error_is_an_error_though_it_comes_with_200(replies: tuple[Reply, ...]) -> None:
    async with serving(*replies, profile="chatfire") as (client, _):
        with pytest.raises(BadKey):
            await client.balance()


async def test_a_gateway_that_only_has_the_header_is_not_asked() -> None:
    async with serving(told({}), profile="generic") as (client, gateway):
        assert await client.balance() is None
        assert gateway.requests == []


def test_numbers_as_gateways_write_them() -> None:
    numbers: Mapping[str, str] = {
        "10": "10",
        " 0.5 ": "0.5",
        "-3.25": "-3.25",
        "+1": "1",
        "9.9999999999": "9.9999999999",
    }
    assert {text: amount(text) for text in numbers} == {text: Decimal(number) for text, number in numbers.items()}
    for text in ("", "-", "1e5", "1,000", "¥3", "NaN", "inf", "1.", ".5", "99999999999", "0x10", "1 2"):
        assert amount(text) is None, text
