"""The doctor tells a line for each finding, and one bad check stops no other."""

from __future__ import annotations

from collections.abc import Sequence

from bot.chat_api.catalogue import Catalogue
from bot.chat_api.client import Client, Learned
from bot.chat_api.profiles import Gateway
from bot.clock import SystemClock
from bot.doctor import Check, Finding, check_key, examine
from bot.errors import NoMoney, StoreLocked
from bot.types import Text
from tests.fakes.gateway import FakeGateway, Reply, chunk, sse


async def fine() -> Sequence[Finding]:
    return [(True, Text("All is well.")), (True, Text("Here too."))]


async def locked() -> Sequence[Finding]:
    raise StoreLocked(path="data/lock")


async def test_every_check_is_made_and_told() -> None:
    lines: list[str] = []
    assert not await examine([Check("database", locked), Check("page", fine)], lines.append)
    assert lines[0].startswith("NOT  database")
    assert "data/lock" in lines[0]
    assert [line.split()[0] for line in lines] == ["NOT", "ok", "ok"]
    assert await examine([Check("page", fine)], lines.append)


async def ask(gateway: FakeGateway) -> Sequence[Finding]:
    client = Client(Gateway("fake", gateway.url, "sk-1234567"), Catalogue(), SystemClock(), learned=Learned())
    try:
        return await check_key(client, "qwen-plus")
    finally:
        await client.aclose()


async def test_a_key_that_works_is_told_with_its_balance() -> None:
    answer = sse(chunk("ok", "length"))
    async with FakeGateway(Reply([answer], headers={"X-Account-Balance": "12.5"})) as gateway:
        findings = await ask(gateway)
    assert [ok for ok, _ in findings] == [True, True]
    assert gateway.requests[0].json["max_tokens"] == 1


async def test_an_empty_account_is_not_well() -> None:
    answer = sse(chunk("ok", "stop"))
    async with FakeGateway(Reply([answer], headers={"X-Account-Balance": "-0.1"})) as gateway:
        findings = await ask(gateway)
    assert [ok for ok, _ in findings] == [True, False]


async def test_what_the_gateway_says_is_the_finding() -> None:
    error = b'{"error":{"message":"exceeded the current quota","type":"insufficient_quota"}}'
    async with FakeGateway(Reply([error], status=402)) as gateway:
        lines: list[str] = []

        async def look() -> Sequence[Finding]:
            return await ask(gateway)

        assert not await examine([Check("gateway", look)], lines.append)
    assert lines[0].startswith("NOT  gateway")
    assert NoMoney.text in lines[0]
