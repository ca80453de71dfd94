"""One turn at a time per chat, chats side by side; trouble with one turn stays with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any, cast

import pytest

from bot.errors import StoreError
from bot.turns.queue import TurnQueue
from bot.types import Chat, IncomingMessage, Outcome, Person, Store, Turn
from storage import open_store
from tests.fakes.accounts import OURS
from tests.fakes.clock import SimClock

ANN = Person("ann", "Ann")


@pytest.fixture
async def store(clock: SimClock) -> AsyncIterator[Store]:
    opened = await open_store("sqlite://", owner="test", clock=clock)
    clock.busy = [opened.busy]
    yield opened
    clock.busy = []
    await opened.close()


class Work:
    """Runs turns for `seconds` each, and notes when each began and ended."""

    def __init__(self, store: Store, clock: SimClock, seconds: float = 10.0) -> None:
        self.store, self.clock, self.seconds = store, clock, seconds
        self.log: list[tuple[str, int]] = []
        self.failing: list[Exception] = []
        self.turns = TurnQueue(store, self.run, clock, lambda: ["fake/bot"])
        self.task = asyncio.create_task(self.turns.run())

    async def run(self, turn: Turn, stop: asyncio.Event) -> None:
        self.log.append(("begin", turn.id))
        if self.failing:
            raise self.failing.pop(0)
        await self.clock.sleep(self.seconds)
        await self.store.end(turn, Outcome.STOPPED if stop.is_set() else Outcome.WHOLE)
        self.log.append(("end", turn.id))

    async def ask(self, chat: str, text: str = "hi") -> int:
        key = f"{chat}/{len(self.log)}/{text}"
        message = IncomingMessage(key, Chat("fake", "bot", chat), ANN, text, self.clock.now())
        accepted = await self.clock.run(self.store.accept(message))
        self.turns.wake()
        await self.clock.settle()
        assert accepted.turn is not None
        return accepted.turn

    async def state(self, turn: int) -> Turn:
        found = await self.clock.run(self.store.turn(turn))
        assert found is not None
        return found


@pytest.fixture
async def work(store: Store, clock: SimClock) -> AsyncIterator[Work]:
    running = Work(store, clock)
    yield running
    await clock.run(running.turns.drain(0))
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)


async def test_one_at_a_time_in_a_chat_and_in_order(work: Work) -> None:
    one = await work.ask("a", "one")
    two = await work.ask("a", "two")
    await work.clock.advance(25)
    assert work.log == [("begin", one), ("end", one), ("begin", two), ("end", two)]


async def test_chats_run_side_by_side(work: Work) -> None:
    turns = [await work.ask(f"chat{n}") for n in range(20)]
    await work.clock.advance(11)
    assert work.log == [("begin", turn) for turn in turns] + [("end", turn) for turn in turns]


async def test_an_unthought_of_failure_is_tried_again_and_holds_nobody_up(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.failing = [ValueError("a bug")]
    one = await work.ask("a")
    two = await work.ask("b")
    await work.clock.advance(30)
    assert {(await work.state(turn)).outcome for turn in (one, two)} == {Outcome.WHOLE}
    assert (await work.state(one)).attempt == 2
    assert "a bug" in caplog.text


async def test_what_fails_ten_times_is_given_up(work: Work) -> None:
    work.failing = [ValueError("a bug")] * 50
    turn = await work.ask("a")
    await work.clock.advance(300)
    assert (await work.state(turn)).outcome is Outcome.FAILED
    assert work.log.count(("begin", turn)) == 10
    assert len(work.log) > 10, "nobody was told"


async def test_a_store_that_can_not_write_gives_the_turn_back(work: Work) -> None:
    work.failing = [StoreError(detail="disk full")]
    turn = await work.ask("a")
    await work.clock.advance(20)
    assert (await work.state(turn)).outcome is Outcome.WHOLE


async def test_interrupt_reaches_the_named_turn_only(work: Work) -> None:
    one, two = await work.ask("a"), await work.ask("b")
    work.turns.interrupt(two)
    work.turns.interrupt(999)
    await work.clock.advance(11)
    assert (await work.state(one)).outcome is Outcome.WHOLE
    assert (await work.state(two)).outcome is Outcome.STOPPED


async def test_drain_waits_for_what_runs_and_starts_nothing_new(work: Work) -> None:
    one = await work.ask("a", "one")
    two = await work.ask("a", "two")
    await work.clock.run(work.turns.drain(20))
    assert (await work.state(one)).outcome is Outcome.WHOLE
    assert (await work.state(two)).attempt == 0


async def test_drain_gives_back_what_takes_too_long(work: Work) -> None:
    turn = await work.ask("a")
    began = work.clock.seconds
    await work.clock.run(work.turns.drain(3))
    assert work.clock.seconds - began == pytest.approx(3)
    again = await work.clock.run(work.store.claim(work.clock.now(), OURS))
    assert again is not None
    assert (again.id, again.attempt) == (turn, 2)


async def test_a_turn_that_waits_for_its_time_starts_on_time(work: Work) -> None:
    message = IncomingMessage("k", Chat("fake", "bot", "a"), ANN, "hi", work.clock.now(), more=True)
    await work.clock.run(work.store.accept(message, wait=1.0))
    work.turns.wake()
    await work.clock.advance(0.9)
    assert work.log == []
    await work.clock.advance(0.2)
    assert len(work.log) == 1


class Failing:
    """A store of which every third claim fails, once."""

    def __init__(self, store: Store) -> None:
        self.claims = 0
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def claim(self, now: int, accounts: Collection[str]) -> Turn | None:
        self.claims += 1
        if self.claims == 3:
            raise StoreError(detail="disk full")
        return await self._store.claim(now, accounts)


async def test_many_are_claimed_side_by_side_and_none_is_lost_where_one_claim_fails(
    store: Store, clock: SimClock
) -> None:
    for number in range(40):
        message = IncomingMessage(f"k{number}", Chat("fake", "bot", f"chat{number}"), ANN, "hi", clock.now())
        await clock.run(store.accept(message))
    failing = Failing(store)
    work = Work(cast(Store, failing), clock)
    await clock.advance(1)
    assert 0 < len(work.log) < 40, "it was not to be found out: no claim has failed"
    await clock.advance(20)
    assert sorted(turn for what, turn in work.log if what == "begin") == list(range(1, 41))
    await clock.run(work.turns.drain(0))
    work.task.cancel()
    await asyncio.gather(work.task, return_exceptions=True)


class Overtaking(Failing):
    """A store of which the second claim comes behind the third, as it may where each has a connection of its own."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._third = asyncio.Event()

    async def claim(self, now: int, accounts: Collection[str]) -> Turn | None:
        self.claims += 1
        number = self.claims
        if number == 2:
            await self._third.wait()
        found = await self._store.claim(now, accounts)
        if number == 3:
            self._third.set()
        return found


async def test_what_is_claimed_side_by_side_begins_in_order(store: Store, clock: SimClock) -> None:
    for number in range(3):
        await clock.run(store.notify(Chat("fake", "bot", "a"), f"{number}", key=f"k{number}"))
    work = Work(cast(Store, Overtaking(store)), clock)
    await clock.advance(1)
    assert work.log == [("begin", 1), ("begin", 2), ("begin", 3)]
    await clock.run(work.turns.drain(0))
    work.task.cancel()
    await asyncio.gather(work.task, return_exceptions=True)
