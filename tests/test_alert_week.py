"""Who is told that the account runs dry: once per crossing, on each platform, whatever happens to the process."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.account import Life, Other, Platform, Prepaid, living
from tests.fakes.clock import SimClock

RULES: dict[str, Any] = {"alert_chats": "one:ops,two:-100123", "balance_alert_below": "0.01,0.02"}
QUESTION = "Please write a long answer with 2000 characters."  # ≈ ¥0.0015


@pytest.fixture
def one(clock: SimClock) -> Platform:
    return Platform(clock, size=4000)


@pytest.fixture
def two(clock: SimClock) -> Other:
    return Other(clock, size=4000)


class Week:
    """What the account's owner sees. `below` counts the alerts of each threshold that should have come, in order."""

    def __init__(self, account: Prepaid, one: Platform, two: Other) -> None:
        self.account, self.one, self.two = account, one, two
        self.expected: list[str] = []
        self.questions = 0

    async def spend(self, life: Life, to: str) -> None:
        """Ask, each time in another chat, until the balance is below `to`."""
        while await self.account.balance() >= Decimal(to):
            self.questions += 1
            platform = (self.one, self.two)[self.questions % 2]
            assert "[≈" in await life.says(platform, f"team-{self.questions}", QUESTION)

    def told(self, *more: str) -> None:
        """These alerts came since the last time, on both platforms, and no others."""
        self.expected += more
        for platform, id in ((self.one, "ops"), (self.two, "-100123")):
            heads = [text.splitlines()[0] for text in platform.said(id)]
            assert len(heads) == len(self.expected), heads
            for head, end in zip(heads, self.expected, strict=True):
                assert head.endswith(end)


async def test_a_week_with_restarts_brings_exactly_the_right_alerts(
    clock: SimClock, tmp_path: Path, one: Platform, two: Other
) -> None:
    account = Prepaid(clock, "0.03")
    week = Week(account, one, two)
    people = (clock, tmp_path, account, one, two)

    for _ in range(2):  # monday: nothing to tell, nor after a restart
        async with living(*people, **RULES) as life:
            await week.spend(life, "0.026")
            await life.hours(12)
    week.told()

    async with living(*people, **RULES) as life:  # tuesday: below the first threshold
        await week.spend(life, "0.0195")
        await life.hours(12)
        week.told("below ¥0.02.")
    for _ in range(3):
        async with living(*people, **RULES) as life:
            await life.hours(4)
    week.told()

    async with living(*people, **RULES) as life:  # wednesday: killed between the crossing and its first message
        await week.spend(life, "0.0115")
        life.die_at("alert")
        account.set("0.0095")
        await life.hears(one, "team-0", QUESTION)
    week.told()
    async with living(*people, **RULES) as life:
        await life.hours(24)
    week.told("below ¥0.01.")

    account.set("0.0108")  # thursday: a little is paid in, but not over 1.1 times the threshold
    async with living(*people, **RULES) as life:
        await life.hours(2)
        account.set("0.0095")
        await life.hours(22)
    week.told()

    async with living(*people, **RULES) as life:  # friday: nothing is left
        account.set("0.0008")
        await life.hours(1)
        await life.says(one, "last", QUESTION)
        assert "top it up" in await life.says(two, "late", QUESTION)
        await life.hours(23)
        week.told("used up: questions get no answer now.")

    async with living(*people, **RULES) as life:  # saturday: paid in
        account.set("0.05")
        await life.hours(12)
        assert "[≈" in await life.says(one, "again", QUESTION)
        await life.hours(12)
        week.told()

    account.set("0.0049")  # sunday: down through both at once, while nobody looked
    for _ in range(2):
        async with living(*people, **RULES) as life:
            await life.hours(12)
    week.told("below ¥0.01.")
    assert clock.seconds >= 6 * 86_400
