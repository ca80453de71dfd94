"""/balance and /alerts: the account at the gateway, and who is told when it runs dry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot.commands import Commands
from bot.gateways.catalogue import Catalogue
from bot.money.alerts import MUTED, Rules
from bot.types import BalanceReading, Chat, ChatSettings, Money, Notice, SetSetting
from storage.store import SqlStore
from tests.fakes.clock import START, SimClock
from tests.test_commands import ANN, DAY, GATEWAY, MEI, Talk, actions

OPS, ROOM = Chat("one", "bot", "ops"), Chat("two", "bot", "-100123")
RULES = Rules("wcode", (Decimal(20), Decimal(5)), lambda: [OPS, ROOM], topup_url="https://example.org/top-up")
HOUR = 3600


@pytest.fixture
def talk(store: SqlStore, clock: SimClock) -> Talk:
    return admin(store, clock)


def admin(store: SqlStore, clock: SimClock, rules: Rules = RULES) -> Talk:
    """A talk of somebody who may."""
    found = Talk(store, clock, author=replace(ANN, admin=True))
    zone = ZoneInfo("Asia/Shanghai")
    found.commands = Commands(store, Catalogue(), lambda _: ChatSettings("qwen-plus"), GATEWAY, zone, rules=rules)
    return found


async def tell(store: SqlStore, amount: str, at: int = START) -> None:
    await store.reading(BalanceReading("wcode", Money(Decimal(amount)), at))


@pytest.mark.parametrize("command", ["/balance", "/alerts", "/alerts mute 2h", "/alerts on", "/alerts test", "/余额"])
async def test_only_admins_may(talk: Talk, command: str) -> None:
    talk.author = ANN
    reply = await talk.say(command)
    assert (reply.text, reply.error, reply.effects) == ("Only an admin of this bot can do that.", True, ())


async def test_the_balance_and_how_long_it_will_do(talk: Talk, store: SqlStore) -> None:
    await talk.answered(cost="1.5")
    await talk.clock.advance(3 * DAY)
    await talk.answered(cost="3")
    await tell(store, "12", talk.clock.now() - 5 * 60_000)
    reply = await talk.say("/balance")
    assert reply.text.splitlines() == [
        "- Gateway: wcode",
        "- Balance: ¥12.00 (5 min ago)",
        "- Spent per day: ≈ ¥1.50 (days looked at: 3)",
        "- Days left at this rate: ≈ 8.0",
        "- Most was spent by: Ann (web) ¥4.50",
    ]
    assert reply.menu is not None
    assert reply.menu.rows[0][0].url == "https://example.org/top-up"


async def test_an_unknown_balance_is_not_made_up(talk: Talk) -> None:
    lines = (await talk.say("/balance")).text.splitlines()
    assert "- Balance: not known" in lines
    assert not [line for line in lines if "Days left" in line]


async def test_alerts_are_listed_with_who_hears_of_them(talk: Talk, store: SqlStore) -> None:
    await store.alert("wcode", "below:20", raised=True)
    await talk.clock.advance(3 * HOUR)
    reply = await talk.say("/alerts")
    assert reply.text.splitlines()[:4] == [
        "- Balance below ¥20.00: told 3 h ago",
        "- Balance below ¥5.00: not triggered",
        "- The quota is gone: not triggered",
        "- The key is rejected: not triggered",
    ]
    assert "`one:ops`, `two:-100123`" in reply.text
    assert actions(reply) == ["/alerts mute 2h", "/alerts test"]


async def test_where_nothing_is_set_up_it_says_how(store: SqlStore, clock: SimClock) -> None:
    talk = admin(store, clock, Rules("wcode"))
    said = (await talk.say("/alerts")).text
    assert "BALANCE_ALERT_BELOW=20,5" in said
    assert "ALERT_CHATS" in said
    test = await talk.say("/alerts test")
    assert test.error
    assert "ALERT_CHATS" in test.text


@pytest.mark.parametrize(
    ("words", "length"),
    [("mute", 2 * HOUR), ("mute 90 min", 1.5 * HOUR), ("off 1d", DAY), ("静音 30m", HOUR / 2), ("mute 30d", 30 * DAY)],
)
async def test_a_mute_lasts_as_long_as_was_said(talk: Talk, words: str, length: float) -> None:
    reply = await talk.say(f"/alerts {words}")
    assert reply.effects == (SetSetting("*", MUTED, START + round(length * 1000)),)
    shown = await talk.say("/alerts")
    assert "Alerts are muted until 2027-01-" in shown.text or "Alerts are muted until 2027-02-" in shown.text
    assert actions(shown) == ["/alerts on", "/alerts test"]
    await talk.clock.advance(length)
    assert "muted" not in (await talk.say("/alerts")).text


async def test_the_time_is_told_in_the_zone_that_is_set(talk: Talk) -> None:
    reply = await talk.say("/alerts mute 2h")  # START is 2027-01-15 08:00 UTC
    assert "2027-01-15 18:00 CST" in reply.text
    assert timedelta(seconds=START / 1000) % timedelta(days=1) == timedelta(hours=8)


@pytest.mark.parametrize("words", ["mute soon", "mute -1h", "mute 0", "mute 31d", "mute nan", "mute inf", "mute 2 h x"])
async def test_a_time_that_is_none_is_refused(talk: Talk, words: str) -> None:
    reply = await talk.say(f"/alerts {words}")
    assert (reply.error, reply.effects) == (True, ())
    assert "/alerts mute 2h" in reply.text


async def test_on_ends_a_mute(talk: Talk) -> None:
    await talk.say("/alerts mute 2h")
    await talk.say("/alerts on")
    assert "muted" not in (await talk.say("/alerts")).text


async def test_a_mute_is_no_setting_of_a_chat(talk: Talk) -> None:
    await talk.say("/alerts mute 2h")
    assert MUTED not in (await talk.say("/settings")).text
    assert "Reset" not in " ".join(actions(await talk.say("/settings")))
    await talk.say("/unset all")
    assert "muted" in (await talk.say("/alerts")).text


async def test_a_test_goes_to_every_chat_that_hears_of_alerts(talk: Talk, store: SqlStore) -> None:
    await tell(store, "12")
    reply = await talk.say("/alerts test")
    told = [each for each in reply.effects if isinstance(each, Notice)]
    assert [each.chat for each in told] == [OPS, ROOM]
    for notice in told:
        assert notice.text.startswith("**This is a test")
        assert "¥12.00" in notice.text
    assert [message.text for message in await store.history(ROOM)] == [told[1].text]


async def test_what_is_no_word_of_alerts_is_refused(talk: Talk) -> None:
    reply = await talk.say("/alerts *loud*")
    assert reply.error
    assert "/alerts test" in reply.text


async def test_in_chinese(talk: Talk, store: SqlStore) -> None:
    talk.author = replace(MEI, admin=True)
    await tell(store, "12")
    await talk.answered(cost="1.5")
    for command in ("/余额", "/提醒", "/提醒 静音 1h", "/提醒 测试", "/alerts on"):
        said = (await talk.say(command)).text
        words = said.replace("wcode", "").replace("ALERT_CHATS", "").replace("CST", "")
        assert not [line for line in words.splitlines() if line.isascii() and line.strip()], said
