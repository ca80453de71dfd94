"""What a process does with its leases: it speaks only while it is sure of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import pytest

from bot.errors import StoreError, Superseded
from bot.service.leases import Leases
from bot.types import Holding, Signal, Store
from tests.fakes.clock import SimClock

A, B = "fake/a", "fake/b"
SECONDS = 6.5


class Shelf:
    """A store, as far as leases go: whose they are is what a test says. `away`: it can't be asked."""

    def __init__(self) -> None:
        self.others: set[str] = set()
        self.spare: set[str] = set()
        self.away = False
        self.seconds = SECONDS
        self.looks: list[bool] = []
        self.let_go_of: list[str] = []
        self.tell: Callable[[Signal, str], None] = lambda signal, about: None

    async def hold(self, wanted: Collection[str], *, taking: bool = True) -> Holding:
        if self.away:
            raise StoreError(detail="away")
        self.looks.append(taking)
        return Holding(dict.fromkeys(set(wanted) - self.others, self.seconds), self.spare)

    async def let_go(self, accounts: Collection[str]) -> None:
        self.let_go_of += accounts
        self.others |= set(accounts)
        self.spare -= set(accounts)

    def watch(self, hear: Callable[[Signal, str], None]) -> AbstractAsyncContextManager[None]:
        self.tell = hear

        @asynccontextmanager
        async def watching() -> AsyncIterator[None]:
            yield

        return watching()


class House:
    def __init__(self, clock: SimClock) -> None:
        self.clock, self.shelf = clock, Shelf()
        self.busy: set[str] = set()
        self.heard: list[tuple[Signal, str]] = []
        self.leases = Leases(
            cast(Store, self.shelf),
            clock,
            busy=lambda account: account in self.busy,
            hear=lambda *told: self.heard.append(told),
        )
        self.leases.want(A)
        self.running = asyncio.create_task(self.leases.run())

    async def says(self, text: list[str], account: str = A) -> None:
        """A call that changes a chat."""
        await self.leases.assured(account)
        text.append("said")


@pytest.fixture
async def house(clock: SimClock) -> AsyncIterator[House]:
    house = House(clock)
    await clock.settle()
    yield house
    house.running.cancel()
    await asyncio.gather(house.running, return_exceptions=True)


async def test_what_is_held_is_renewed_and_new_work_is_looked_for(house: House) -> None:
    assert house.leases.holds(A)
    assert house.heard == [(Signal.WORK, A)]
    await house.clock.advance(60)
    assert house.leases.holds(A)
    assert len(house.shelf.looks) >= 60
    assert house.heard == [(Signal.WORK, A)]


async def test_where_nobody_else_can_be_nobody_looks_again(clock: SimClock) -> None:
    house = House(clock)
    house.shelf.seconds = math.inf
    await clock.settle()
    await clock.advance(86_400)
    assert house.leases.holds(A)
    assert len(house.shelf.looks) == 1
    house.leases.want(B)
    await clock.settle()
    assert house.leases.holds(B)
    house.running.cancel()
    await asyncio.gather(house.running, return_exceptions=True)


async def test_what_cannot_be_renewed_is_over_before_others_may_have_it(house: House) -> None:
    house.shelf.away = True
    await house.clock.advance(SECONDS - 0.1)
    assert house.leases.holds(A)
    await house.clock.advance(0.2)
    assert not house.leases.holds(A)
    assert A not in house.leases.accounts


async def test_what_is_to_be_said_waits_until_it_is_known_whose_it_is(house: House) -> None:
    house.shelf.away, said = True, list[str]()
    await house.clock.advance(20)
    saying = asyncio.create_task(house.says(said))
    await house.clock.advance(20)
    assert not said
    house.shelf.away = False
    await house.clock.advance(2)
    assert said == ["said"]
    await saying


async def test_what_another_process_has_taken_is_not_spoken_for(house: House) -> None:
    """As after a machine was frozen: it wakes up, and its lease is over."""
    house.shelf.away, said = True, list[str]()
    await house.clock.advance(45)
    saying = asyncio.create_task(house.says(said))
    await house.clock.settle()
    house.shelf.away, house.shelf.others = False, {A}
    await house.clock.advance(2)
    with pytest.raises(Superseded):
        await saying
    with pytest.raises(Superseded):
        await house.says(said)
    assert not said
    assert house.leases.stands_by(A)


async def test_who_is_not_seen_by_the_others_is_not_sure_until_it_has_looked(house: House) -> None:
    house.shelf.tell(Signal.LOST, "")
    assert not house.leases.holds(A)
    await house.clock.advance(2)
    assert not house.leases.holds(A), "it has looked, but the others still can't see that it lives"
    house.shelf.looks.clear()
    house.shelf.tell(Signal.BACK, "")
    await house.clock.settle()
    assert house.leases.holds(A)
    assert house.heard[-1] == (Signal.BACK, "")
    await house.clock.advance(2)
    assert not any(house.shelf.looks), "after an outage everybody takes up their own first"
    await house.clock.advance(3)
    assert house.shelf.looks[-1]


async def test_a_lease_that_may_be_free_is_looked_at_at_once(house: House) -> None:
    house.shelf.others = {A}
    await house.clock.advance(1)
    assert not house.leases.holds(A)
    house.shelf.others = set()
    house.shelf.tell(Signal.LEASE, "")
    await house.clock.settle()
    assert house.leases.holds(A)


async def test_what_others_lack_is_let_go_of_when_nothing_runs_there(house: House) -> None:
    house.leases.want(B)
    house.busy, house.shelf.spare = {A}, {A}
    await house.clock.advance(3)
    assert list(house.leases.accounts) == [B], "no new work is begun there"
    assert house.leases.holds(A), "and what runs comes to its end"
    house.busy = set()
    await house.clock.advance(2)
    assert house.shelf.let_go_of == [A]
    assert not house.leases.holds(A)


async def test_work_is_done_while_it_is_held_and_no_longer(house: House) -> None:
    log: list[str] = []

    async def work() -> None:
        log.append("begins")
        try:
            await asyncio.Event().wait()
        finally:
            log.append("ends")

    attending = asyncio.create_task(house.leases.attend(A, work))
    await house.clock.settle()
    assert log == ["begins"]
    house.shelf.others = {A}
    await house.clock.advance(2)
    assert log == ["begins", "ends"]
    house.shelf.others = set()
    await house.clock.advance(2)
    assert log == ["begins", "ends", "begins"]
    attending.cancel()
    await asyncio.gather(attending, return_exceptions=True)
    assert log == ["begins", "ends", "begins", "ends"]


async def test_what_work_raises_is_raised(house: House) -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await house.leases.attend(A, work)


async def test_the_end_lets_go_of_all(house: House) -> None:
    await house.leases.close()
    assert house.shelf.let_go_of == [A]
    house.shelf.others, looks = set(), len(house.shelf.looks)
    await house.clock.advance(5)
    assert not house.leases.holds(A)
    assert len(house.shelf.looks) == looks, "it would take it again"
    assert house.running.done()
