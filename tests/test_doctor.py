"""The doctor tells a line for each finding, and one bad check stops no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.clock import SystemClock
from bot.errors import NoMoney, SettingError, StoreLocked, Undeliverable, Unreachable, joined
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.client import CapabilityCache, Client
from bot.gateways.profiles import Gateway
from bot.locales import say
from bot.money.recipients import Place, Recipients
from bot.service.config import Settings, Toml
from bot.service.doctor import Check, check_alerts, check_gateway, check_key, examine
from bot.service.variables import unknown_variables
from bot.types import Chat, Finding, Mark, Text
from tests.fakes.clock import SimClock
from tests.fakes.gateway import FakeGateway, Reply, chunk, sse
from tests.fakes.platform import FakePlatform
from tests.test_client import Skipping


async def fine() -> Sequence[Finding]:
    return [Finding(Mark.OK, Text("All is well.")), Finding(Mark.ADVICE, Text("It could be better."))]


async def locked() -> Sequence[Finding]:
    raise StoreLocked(path="data/lock")


async def test_every_check_is_made_and_told() -> None:
    lines: list[str] = []
    assert not await examine([Check("database", locked), Check("page", fine)], lines.append)
    assert lines[0].startswith("NOT  database")
    assert "data/lock" in lines[0]
    assert [line.split()[0] for line in lines] == ["NOT", "ok", "tip"]
    assert await examine([Check("page", fine)], lines.append)


async def ask(gateway: FakeGateway) -> Sequence[Finding]:
    client = Client(Gateway("fake", gateway.url, "sk-1234567"), Catalogue(), SystemClock(), learned=CapabilityCache())
    try:
        return await check_key(client, "qwen-plus", gateway.url)
    finally:
        await client.aclose()


async def test_a_key_that_works_is_told_with_its_balance() -> None:
    answer = sse(chunk("ok", "length"))
    async with FakeGateway(Reply([answer], headers={"X-Account-Balance": "12.5"})) as gateway:
        findings = await ask(gateway)
    assert [mark for mark, _ in findings] == [Mark.OK, Mark.OK]
    assert gateway.requests[0].json["max_tokens"] == 1


async def test_it_is_as_patient_as_the_service() -> None:
    """A local server that loads its model for some minutes."""
    reply = Reply([], end="hang")
    async with FakeGateway(reply) as gateway:
        settings = Settings(chat_api_url=gateway.url, chat_api_key=SecretStr("sk-1234567"), first_text_seconds=300)
        said = ""
        try:
            for _, words in await check_gateway(settings, Toml(), Skipping(reply.said)):
                said += say(words, "en")
        except Unreachable as error:
            said = str(error)
    assert "within 300 seconds" in said


async def test_an_empty_account_is_not_well() -> None:
    answer = sse(chunk("ok", "stop"))
    async with FakeGateway(Reply([answer], headers={"X-Account-Balance": "-0.1"})) as gateway:
        findings = await ask(gateway)
    assert [mark for mark, _ in findings] == [Mark.OK, Mark.WRONG]


async def test_what_the_gateway_says_is_the_finding() -> None:
    error = b'{"error":{"message":"exceeded the current quota","type":"insufficient_quota"}}'
    async with FakeGateway(Reply([error], status=402)) as gateway:
        lines: list[str] = []

        async def look() -> Sequence[Finding]:
            return await ask(gateway)

        assert not await examine([Check("gateway", look)], lines.append)
    assert lines[0].startswith("NOT  gateway")
    assert NoMoney.text in lines[0]


async def test_a_gateway_that_can_not_be_reached_names_the_variable() -> None:
    client = Client(
        Gateway("fake", "http://127.0.0.1:9/v1", "sk-1234567"), Catalogue(), SystemClock(), learned=CapabilityCache()
    )
    try:
        ((mark, words),) = await check_key(client, "qwen-plus", "http://127.0.0.1:9/v1")
    finally:
        await client.aclose()
    assert mark is Mark.WRONG
    said = say(words, "en")
    assert said.startswith("CHAT_API_URL: http://127.0.0.1:9/v1 can't be reached: 127.0.0.1:9: ")
    assert "ssl" not in said


async def test_a_wrong_setting_that_several_checks_read_is_told_once() -> None:
    async def wrong() -> Sequence[Finding]:
        raise joined([SettingError("A", "is odd"), SettingError("B", "is odd")])

    lines: list[str] = []
    assert not await examine([Check("settings", wrong), Check("web", wrong)], lines.append)
    assert [line.split()[2] for line in lines] == ["A:", "B:"]


# ── variables ───────────────────────────────────────────────────────────────────────────────────────────────────────

KNOWN = ("CHAT_API_KEY", "CHAT_API_URL", "WEB", "WEB_PASSWORD", "HTTP_PORT", "SLACK_BOT_TOKEN", "ADMINS", "DATA_DIR")


@pytest.mark.parametrize(
    ("name", "in_file", "meant"),
    [
        ("CHAT_APIKEY", True, "CHAT_API_KEY"),
        ("CHAT_API_KEYS", False, "CHAT_API_KEY"),
        ("chat_api_kye", True, "CHAT_API_KEY"),
        ("WEBB", True, "WEB"),
        ("ADMIN", False, "ADMINS"),
        ("SLACK_TOKEN", True, "SLACK_BOT_TOKEN"),
        ("CHAT_TEMPERATURE", True, ""),
        ("HTTP_PROXY", True, ""),
    ],
)
def test_a_misspelt_variable_is_told_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, in_file: bool, meant: str
) -> None:
    if in_file:
        (tmp_path / ".env").write_text(f"{name}=x\nWEB=on\n", encoding="utf-8")
    else:
        monkeypatch.setenv(name, "x")
    said = [say(words, "en") for words in unknown_variables(KNOWN, tmp_path / ".env")]
    assert len(said) == 1
    assert said[0].startswith(name.upper())
    assert (f"Did you mean {meant}?" in said[0]) if meant else ("mean" not in said[0])


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "HTTPS_PROXY", "XDG_DATA_DIRS", "PATH", "SLACK_WEBHOOK_URL", "CHAT_TEMPERATURE"]
)
def test_variables_of_other_programs_are_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    assert unknown_variables(KNOWN, tmp_path / ".env") == []


# ── alerts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Guarded(FakePlatform):
    """It tells where it may post."""

    async def can_post(self, chat: Chat) -> bool:
        if chat.id == "closed":
            raise Undeliverable("the bot is not in this chat")
        if chat.id == "?":
            raise ValueError
        return chat.id != "who knows"


async def alerts(*places: Place, below: str = "20", own: Mapping[str, str] = {}) -> list[tuple[Mark, str]]:
    recipients = Recipients(places, {"fake": Guarded(SimClock())}, own)
    return [
        (mark, say(words, "en")) for mark, words in await check_alerts(recipients, [Decimal(below)] if below else [])
    ]


async def test_alert_chats_that_can_be_written_to_are_well() -> None:
    found = await alerts(("fake", "ops", None), ("fake", "who knows", "7"))
    assert [mark for mark, _ in found] == [Mark.OK]


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
    assert [mark for mark, _ in found] == [Mark.WRONG]
    assert words in found[0][1]


async def test_a_balance_that_is_watched_for_nobody_is_not_well() -> None:
    assert [mark for mark, _ in await alerts()] == [Mark.WRONG]
    assert [mark for mark, _ in await alerts(below="")] == [Mark.ADVICE, Mark.ADVICE]
    assert [mark for mark, _ in await alerts(own={"fake": "page"})] == [Mark.OK]
