"""What readings and refusals mean for alerts: which are raised, when they are armed again, and what is told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import BadKey, GatewayError, NoMoney, StoreFull, Unreachable
from bot.money.alerts import MUTED, Rules
from bot.money.monitor import BalanceMonitor
from bot.types import (
    Answer,
    BalanceReading,
    Chat,
    IncomingMessage,
    LedgerEntry,
    Money,
    Outcome,
    Person,
    Reply,
    Role,
    SetSetting,
    Usage,
)
from storage.store import SqlStore
from tests.fakes.accounts import OURS
from tests.fakes.clock import SimClock

OPS, MONEY_ROOM = Chat("one", "bot", "ops"), Chat("two", "bot", "money")
ANN, MEI = Person("u1", "Ann"), Person("u2", "Mei", "zh-CN")
RULES = Rules(
    "wcode",
    (Decimal(20), Decimal(5)),
    lambda: [OPS, MONEY_ROOM],
    topup_url="https://example.org/top-up",
    key_url="https://example.org/key",
)
HOUR, DAY = 3600, 86_400


class Owner:
    """The watch, and what there is to be seen of it. `asked` counts the probes, which answer with `says`."""

    def __init__(self, store: SqlStore, clock: SimClock, rules: Rules = RULES, every: float = 600.0) -> None:
        self.store, self.clock = store, clock
        self.says: BalanceReading | GatewayError | None = None
        self.asked = 0
        self.wakes = 0
        self.watch = BalanceMonitor(store, rules, clock, self._probe, every, self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    async def _probe(self) -> BalanceReading | None:
        self.asked += 1
        if isinstance(self.says, GatewayError):
            raise self.says
        return self.says

    async def reads(self, amount: str, seconds: float = 1.0) -> list[str]:
        """Time passes, and an answer tells the balance. Returns what stands in the first chat then."""
        await self.clock.advance(seconds)
        await self.watch.take(self.reading(amount))
        return await self.told()

    def reading(self, amount: str, before: float = 0.0) -> BalanceReading:
        return BalanceReading("wcode", Money(Decimal(amount)), self.clock.now() - round(before * 1000))

    async def told(self, chat: Chat = OPS) -> list[str]:
        """The first lines of what was told there, oldest first."""
        said = [message for message in reversed(await self.store.history(chat)) if message.role is Role.ASSISTANT]
        return [message.text.splitlines()[0].strip("*") for message in said if message.text != "Because."]

    async def spent(self, chat: Chat, cost: str | None, by: Person = ANN, **more: Any) -> None:
        """Somebody has asked, and it took so much."""
        key = f"{chat.key} {self.clock.now()} {cost}"
        await self.store.accept(IncomingMessage(key, chat, by, "Why?", self.clock.now(), **more))
        turn = await self.store.claim(self.clock.now(), OURS)
        assert turn is not None
        assert turn.chat == chat
        entry = LedgerEntry(turn.id, turn.attempt, "wcode", "qwen-plus", self.clock.now())
        number = await self.store.begin(turn, entry)
        done = replace(entry, usage=Usage(10, 5), cost=None if cost is None else Money(Decimal(cost)))
        await self.store.generated(turn, Answer("Because.", Outcome.WHOLE), {number: done})
        await self.store.end(turn, Outcome.WHOLE)


LOW, LOWER = "The balance is low: ¥{}, below ¥20.00.", "The balance is low: ¥{}, below ¥5.00."


@pytest.fixture
def owner(store: SqlStore, clock: SimClock) -> Owner:
    return Owner(store, clock)


async def test_each_threshold_is_told_once_and_armed_again_above_it(owner: Owner) -> None:
    told: list[str] = []
    falls = [("25", ""), ("20", ""), ("19.99", LOW), ("21", ""), ("19", ""), ("22", ""), ("19", "")]
    falls += [("22.01", ""), ("19.5", LOW), ("4.99", LOWER), ("5.5", ""), ("4", ""), ("5.51", ""), ("4", LOWER)]
    for amount, line in falls:
        told += [line.format(owner.reading(amount).money.amount.quantize(Decimal("0.01")))] if line else []
        assert await owner.reads(amount) == told, amount
    assert await owner.told(MONEY_ROOM) == told
    assert owner.wakes == len(told)


async def test_a_fall_below_several_at_once_is_one_message(owner: Owner) -> None:
    assert await owner.reads("-0.25") == [LOWER.format("0.25").replace("¥0.25", "-¥0.25")]
    assert sorted(await owner.store.alerts("wcode")) == ["below:20", "below:5"]
    assert len(await owner.reads("19")) == 1
    assert len(await owner.reads("4")) == 2


async def test_an_older_reading_changes_nothing(owner: Owner) -> None:
    await owner.reads("25", DAY)
    await owner.watch.take(owner.reading("3", before=60))
    assert await owner.told() == []
    await owner.reads("19")
    await owner.watch.take(owner.reading("30", before=60))
    assert await owner.reads("18") == [LOW.format("19.00")]


async def test_without_a_reading_nothing_is_told(owner: Owner) -> None:
    await owner.watch.tick()
    assert await owner.told() == []


async def test_what_an_alert_says(owner: Owner, store: SqlStore) -> None:
    team = Chat("one", "bot", "team")
    await owner.spent(replace(team, thread="7"), "6", title="The *team*")
    await owner.clock.advance(4 * DAY)
    await owner.spent(MONEY_ROOM, "3.5", by=MEI)
    await owner.spent(Chat("two", "bot", "a_b_c"), "1.25", group=True)
    await owner.spent(Chat("two", "bot", "late"), "1.25")
    await owner.spent(team, None)
    await owner.reads("18", DAY)
    (message,) = await store.history(OPS)
    assert message.text.splitlines() == [
        "**The balance is low: ¥18.00, below ¥20.00.**",
        "",
        "- Gateway: wcode",
        "- Spent per day: ≈ ¥2.40 (days looked at: 5)",
        "- Answers whose price is not known: 1",
        "- Days left at this rate: ≈ 7.5",
        "- Most was spent by: The \\*team\\* (one) ¥6.00, Mei (two) ¥3.50, a chat (two) ¥1.25",
        "",
        "Top up: https://example.org/top-up",
    ]
    (chinese, *_) = await store.history(MONEY_ROOM)
    assert chinese.text.startswith("**余额不足")
    assert "https://example.org/top-up" in chinese.text


async def test_a_private_chat_is_called_by_its_person(owner: Owner, store: SqlStore) -> None:
    """As far as the name is known; and where each question has a thread of its own, too."""
    await owner.spent(Chat("one", "bot", "d", "1"), "3", Person("mei", "Mei, as she was called"))
    await owner.clock.advance(60)
    await owner.spent(Chat("one", "bot", "d", "2"), "2", Person("mei", "Mei"))
    await owner.spent(Chat("two", "bot", "nobody"), "1", Person("x"))
    await owner.reads("18")
    (message,) = await store.history(OPS)
    assert "- Most was spent by: Mei (one) ¥5.00, a chat (two) ¥1.00" in message.text


@pytest.mark.parametrize(
    ("amount", "shown"), [("19.99999999", "¥19.99"), ("19.996", "¥19.99"), ("19.99", "¥19.99"), ("19.5", "¥19.50")]
)
async def test_a_low_balance_reads_lower_than_its_threshold(
    owner: Owner, store: SqlStore, amount: str, shown: str
) -> None:
    await owner.reads(amount)
    (message,) = await store.history(OPS)
    assert message.text.startswith(f"**The balance is low: {shown}, below ¥20.00.**")


@pytest.mark.parametrize(
    ("spent", "line"),
    [
        ("0.004945", None),
        ("0.05", "- Days left at this rate: ≈ 360"),
        ("25", "- At this rate it lasts for less than a day"),
    ],
)
async def test_days_left_are_told_where_they_mean_something(
    owner: Owner, store: SqlStore, spent: str, line: str | None
) -> None:
    await owner.spent(Chat("one", "bot", "1ecaf9ebbc88583cec4e1132"), spent, Person("x"))
    await owner.reads("18")
    (message,) = await store.history(OPS)
    found = [each for each in message.text.splitlines() if "rate" in each]
    assert found == ([] if line is None else [line])
    assert "1ecaf9" not in message.text
    assert "a chat (one)" in message.text


async def test_the_first_hour_is_not_taken_for_a_day(owner: Owner, store: SqlStore) -> None:
    await owner.spent(Chat("one", "bot", "team"), "2")
    await owner.reads("18", HOUR)
    (message,) = await store.history(OPS)
    assert "- Spent per day: ≈ ¥2.00 (days looked at: 1)" in message.text
    assert "- Days left at this rate: ≈ 9.0" in message.text


async def test_what_was_spent_longer_ago_does_not_count(owner: Owner, store: SqlStore) -> None:
    await owner.spent(Chat("one", "bot", "team"), "6")
    await owner.reads("18", 8 * DAY)
    (message,) = await store.history(OPS)
    assert "Nothing was spent recently" in message.text
    assert "Days left" not in message.text


async def test_the_chats_own_language_goes_first(owner: Owner, store: SqlStore) -> None:
    event = IncomingMessage("k", MONEY_ROOM, ANN, "/language zh", owner.clock.now())
    await store.answer(event, Reply("", effects=(SetSetting(MONEY_ROOM.key, "language", "zh"),)))
    await owner.reads("18")
    assert (await owner.told(MONEY_ROOM))[0].startswith("余额不足")
    assert (await owner.told())[0].startswith("The balance")


# ── muted, or too early ─────────────────────────────────────────────────────────────────────────────────────────────


async def mute(owner: Owner, seconds: float | None) -> None:
    until = None if seconds is None else owner.clock.now() + round(seconds * 1000)
    event = IncomingMessage(f"mute {until}", OPS, ANN, "/alerts", owner.clock.now())
    await owner.store.answer(event, Reply("", effects=(SetSetting("*", MUTED, until),)))


async def test_what_still_holds_after_a_mute_is_told_then(owner: Owner) -> None:
    await mute(owner, 2 * HOUR)
    assert await owner.reads("19") == []
    await owner.clock.advance(2 * HOUR - 2)
    await owner.watch.tick()
    assert await owner.told() == []
    await owner.clock.advance(2)
    await owner.watch.tick()
    assert await owner.told() == [LOW.format("19.00")]


async def test_what_is_over_before_the_mute_is_never_told(owner: Owner) -> None:
    await owner.reads("19")
    await mute(owner, 2 * HOUR)
    await owner.reads("30")
    await owner.reads("4")
    await owner.reads("30")
    await mute(owner, None)
    assert await owner.reads("29") == [LOW.format("19.00")]
    assert len(await owner.reads("4")) == 2  # the crossing after the mute counts anew


async def test_alerts_wait_for_a_platform_that_is_still_connecting(store: SqlStore, clock: SimClock) -> None:
    waiting = True
    owner = Owner(store, clock, replace(RULES, waiting=lambda: waiting))
    assert await owner.reads("19") == []
    waiting = False
    await owner.watch.tick()
    assert len(await owner.told()) == 1


async def test_but_not_for_ever(store: SqlStore, clock: SimClock) -> None:
    owner = Owner(store, clock, replace(RULES, waiting=lambda: True))
    await owner.reads("19")
    await clock.advance(600)
    await owner.watch.tick()
    assert len(await owner.told()) == 1


# ── asking for the balance ──────────────────────────────────────────────────────────────────────────────────────────


async def test_the_gateway_is_asked_where_no_answer_has_told(owner: Owner) -> None:
    owner.says = owner.reading("19")
    await owner.watch.tick()
    assert await owner.told() == [LOW.format("19.00")]
    for _ in range(12):
        await owner.clock.advance(300)
        owner.says = owner.reading("19")
        await owner.watch.tick()
    assert owner.asked == 7
    for _ in range(12):
        await owner.reads("19", 300)
        await owner.watch.tick()
    assert owner.asked == 7


@pytest.mark.parametrize("says", [None, Unreachable(), BadKey(status=401)])
async def test_a_gateway_that_does_not_tell_is_asked_no_more_often(
    owner: Owner, says: BalanceReading | GatewayError | None
) -> None:
    owner.says = says
    for _ in range(12):
        await owner.watch.tick()
        await owner.clock.advance(300)
    assert owner.asked == 6
    assert await owner.told() == []


async def test_who_does_not_want_it_asked_gets_alerts_all_the_same(store: SqlStore, clock: SimClock) -> None:
    owner = Owner(store, clock, every=0)
    await owner.watch.tick()
    assert len(await owner.reads("19", DAY)) == 1
    assert owner.asked == 0


# ── the key, the quota ──────────────────────────────────────────────────────────────────────────────────────────────

QUOTA = "The quota at the model's service is used up: questions get no answer now."
REJECTED = "The model's service rejects our key: questions get no answer now."


async def test_a_rejected_key_is_told_once_with_what_the_gateway_says(owner: Owner, store: SqlStore) -> None:
    for _ in range(9):
        await owner.watch.refused(BadKey(status=401, detail="Invalid <API-KEY>"))
        await owner.clock.advance(HOUR)
    assert await owner.told() == await owner.told(MONEY_ROOM) == [REJECTED]
    (message,) = await store.history(OPS)
    assert "It says: Invalid \\<API-KEY\\>" in message.text
    assert "https://example.org/key" in message.text


async def test_a_new_process_knows_what_was_told(owner: Owner, store: SqlStore) -> None:
    await owner.watch.refused(NoMoney(status=402))
    again = Owner(store, owner.clock)
    await again.watch.refused(NoMoney(status=402))
    assert await again.told() == [QUOTA]


async def test_answers_arm_it_again_but_not_between_refusals(owner: Owner) -> None:
    for _ in range(5):  # some models work, others are refused
        await owner.watch.refused(NoMoney(status=402))
        await owner.clock.advance(600)
        owner.watch.answered()
        await owner.watch.tick()
        await owner.clock.advance(600)
    assert await owner.told() == [QUOTA]
    await owner.clock.advance(HOUR)
    owner.watch.answered()
    await owner.watch.tick()
    await owner.clock.advance(1)
    await owner.watch.refused(NoMoney(status=402))
    assert await owner.told() == [QUOTA, QUOTA]


async def test_key_and_quota_are_told_apart(owner: Owner) -> None:
    await owner.watch.refused(NoMoney(status=402))
    await owner.watch.refused(BadKey(status=401))
    assert await owner.told() == [QUOTA, REJECTED]


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_store_in_trouble_is_asked_again_by_the_next_tick(
    owner: Owner, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*args: object, **more: object) -> bool:
        raise StoreFull(path="data")

    with monkeypatch.context() as patch:
        patch.setattr(store, "alert", full)
        assert await owner.reads("19") == []
        await owner.watch.refused(NoMoney(status=402))
    await owner.watch.tick()
    assert await owner.told() == [LOW.format("19.00"), QUOTA]


async def test_a_mistake_of_ours_costs_nobody_an_answer(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(owner.watch, "_wake", wrong)
    await owner.watch.take(owner.reading("19"))
    await owner.watch.refused(NoMoney(status=402))
    await owner.watch.tick()
    assert await owner.told() == [LOW.format("19.00"), QUOTA]


async def test_an_alert_that_nobody_wants_any_more_is_laid(owner: Owner, store: SqlStore) -> None:
    await owner.reads("4")
    other = Owner(store, owner.clock, replace(RULES, thresholds=(Decimal(20),)))
    await other.watch.tick()
    assert list(await store.alerts("wcode")) == ["below:20"]


async def test_who_has_nobody_to_tell_knows_it_all_the_same(store: SqlStore, clock: SimClock) -> None:
    owner = Owner(store, clock, Rules("wcode", (Decimal(20),)))
    await owner.reads("19")
    assert list(await store.alerts("wcode")) == ["below:20"]
