"""The doctor tells a line for each finding, and one bad check stops no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from bot.chat_api.catalogue import Catalogue
from bot.chat_api.client import Client, Learned
from bot.chat_api.profiles import Gateway
from bot.clock import SystemClock
from bot.doctor import Check, Finding, check_alerts, check_key, examine
from bot.errors import Gone, NoMoney, StoreLocked
from bot.locales import say
from bot.money.hearers import Hearers, Place
from bot.types import CanPost, Query, Text
from tests.fakes.clock import SimClock
from tests.fakes.gateway import FakeGateway, Reply, chunk, sse
from tests.fakes.platform import FakePlatform


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


# ── alerts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Guarded(FakePlatform):
    """It tells where it may post."""

    async def ask(self, query: Query) -> Any:
        assert isinstance(query, CanPost)
        if query.chat.id == "closed":
            raise Gone("the bot is not in this chat")
        if query.chat.id == "?":
            raise ValueError
        return None if query.chat.id == "who knows" else True


async def alerts(*places: Place, below: str = "20", own: Mapping[str, str] = {}) -> list[tuple[bool, str]]:
    hearers = Hearers(places, {"fake": Guarded(SimClock())}, own)
    return [(ok, say(words, "en")) for ok, words in await check_alerts(hearers, [Decimal(below)] if below else [])]


async def test_alert_chats_that_can_be_written_to_are_well() -> None:
    found = await alerts(("fake", "ops", None), ("fake", "who knows", "7"))
    assert [ok for ok, _ in found] == [True]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (("other", "C1", None), "ALERT_CHATS: other:C1 hears nothing: other is not switched on."),
        (("fake", "closed", None), "fake:closed can't be written to: The chat or message is gone: the bot is not in"),
        (("fake", "?", "45"), "ALERT_CHATS: fake:?/45 is no chat there."),
    ],
)
async def test_each_alert_chat_that_hears_nothing_is_named(place: Place, words: str) -> None:
    found = await alerts(place, ("fake", "ops", None))
    assert [ok for ok, _ in found] == [False]
    assert words in found[0][1]


async def test_a_balance_that_is_watched_for_nobody_is_not_well() -> None:
    assert [ok for ok, _ in await alerts()] == [False]
    assert [ok for ok, _ in await alerts(below="")] == [True, True]
    assert [ok for ok, _ in await alerts(own={"fake": "page"})] == [True]
