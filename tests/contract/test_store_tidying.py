"""What is too old to be of use goes: every store forgets the same, and nothing else."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bot.service.retention import KEYS_KEPT, READINGS_KEPT, tidy
from bot.types import BalanceReading, Money, Store
from tests.contract.conftest import Ground
from tests.contract.test_store import HERE, context, said
from tests.fakes.clock import START, SimClock

DAY = 86_400_000
MIDNIGHT = START - START % DAY


async def told(store: Store, *times: int, gateway: str = "g") -> None:
    """A reading at each of the times; the amount is how many came before."""
    for amount, at in enumerate(times):
        await store.reading(BalanceReading(gateway, Money(Decimal(amount), "CNY"), at, "header"))


async def left(store: Store, gateway: str = "g") -> Decimal:
    reading = await store.balance(gateway)
    assert reading is not None
    return reading.money.amount


class TestKeys:
    async def test_only_old_ones_are_forgotten(self, store: Store, clock: SimClock) -> None:
        await store.accept(said(key="old"))
        await clock.advance(10)
        await store.accept(said(key="new"))
        assert await store.forget_keys(before=START + 10_000) == 1
        assert (await store.seen("old"), await store.seen("new")) == (False, True)
        assert await store.forget_keys(before=START + 10_000) == 0
        assert (await store.accept(said(key="new"))).seen

    async def test_what_has_a_forgotten_key_is_new(self, store: Store, clock: SimClock) -> None:
        await store.accept(said("before", key="7"))
        await clock.advance(KEYS_KEPT / 1000 + 1)
        await tidy(store, "g", clock)
        assert (await store.accept(said("by chance of the same number", key="7"))).turn is not None
        assert await context(store) == ["by chance of the same number", "before"]

    async def test_a_few_at_once(self, store: Store) -> None:
        for number in range(5):
            await store.accept(said(key=f"many {number}"), limit=99)
        counts = [await store.forget_keys(before=START + 1, most=2) for _ in range(4)]
        assert counts == [2, 2, 1, 0]

    async def test_what_was_said_before_we_came_is_never_kept_twice(self, store: Store, clock: SimClock) -> None:
        turn = (await store.accept(said("a question"))).turn
        assert turn is not None
        assert await store.adopt(HERE, [], until=START, turn=turn)
        await clock.advance(100 * KEYS_KEPT / 1000)
        await tidy(store, "g", clock)
        assert not await store.adopt(HERE, [], until=START, turn=turn)

    async def test_several_processes_tidy_up_at_once(self, shared_ground: Ground) -> None:
        one, two = await shared_ground.open(), await shared_ground.open()
        for number in range(20):
            await one.accept(said(key=f"together {number}"), limit=99)
        counts = await asyncio.gather(*(store.forget_keys(before=START + 1, most=5) for store in (one, two) * 4))
        assert sum(counts) == 20


class TestReadings:
    async def test_of_an_old_day_the_last_one_stays(self, store: Store) -> None:
        await told(store, MIDNIGHT - 3, MIDNIGHT - 2, MIDNIGHT - 2, MIDNIGHT - 5)
        assert await store.thin_readings("g", before=MIDNIGHT) == 3
        assert await left(store) == 2, "of the same time, the one that came last"
        assert await store.thin_readings("g", before=MIDNIGHT) == 0

    async def test_each_day_is_one_of_its_own(self, store: Store) -> None:
        await told(store, *(MIDNIGHT - number * DAY + edge for number in range(4) for edge in (-1, 0)))
        assert await store.thin_readings("g", before=MIDNIGHT + DAY) == 3, "three days have both their edges here"
        assert await left(store) == 1

    @pytest.mark.parametrize("most", [1, 3])
    async def test_a_few_at_once(self, store: Store, most: int) -> None:
        await told(store, *range(MIDNIGHT, MIDNIGHT + 5))
        counts = [await store.thin_readings("g", before=MIDNIGHT + DAY, most=most) for _ in range(5)]
        assert counts == ([1, 1, 1, 1, 0] if most == 1 else [3, 1, 0, 0, 0])
        assert await left(store) == 4

    async def test_what_is_newer_stays_and_what_other_gateways_told(self, store: Store) -> None:
        await told(store, MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 2)
        await told(store, MIDNIGHT, MIDNIGHT + 1, gateway="other")
        assert await store.thin_readings("g", before=MIDNIGHT + 1) == 1
        assert await store.thin_readings("other", before=MIDNIGHT + 2) == 1
        assert await store.thin_readings("g", before=MIDNIGHT + 2) == 1

    async def test_the_newest_is_never_too_old(self, store: Store, clock: SimClock) -> None:
        await told(store, START, START + 1)
        await clock.advance(2 * READINGS_KEPT / 1000)
        await tidy(store, "g", clock)
        assert await left(store) == 1
        assert await store.thin_readings("g", before=clock.now()) == 0
