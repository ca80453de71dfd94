"""Accounts are held, where processes share a PostgreSQL: each by one of them, and never by two at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.clock import SystemClock
from bot.commands import GatewayFacts
from bot.errors import Superseded
from bot.gateways.catalogue import Catalogue
from bot.intake.access import Access
from bot.media.prepared import MediaStore
from bot.service.core import Core, Wiring
from bot.turns.planning import Options
from bot.types import Adapter, Chat, ChatSettings, IncomingMessage, Outcome, Person, TurnState
from storage import SqlStore, open_store
from tests.contract.conftest import DATABASE
from tests.fakes.clock import PATIENCE
from tests.fakes.model import FakeModel, words
from tests.fakes.platform import FakePlatform
from tests.fakes.postgres import Postgres

ANN = Person("ann", "Ann")
A, B, C = "fake/a", "fake/b", "fake/c"


@pytest.fixture
def url(postgres: Postgres) -> str:
    postgres.empty(DATABASE)
    return postgres.url(DATABASE)


@asynccontextmanager
async def processes(url: str, count: int) -> AsyncIterator[list[SqlStore]]:
    async with AsyncExitStack() as stack:
        found = []
        for number in range(count):
            store = await open_store(url, owner=f"process {number}", clock=SystemClock())
            stack.push_async_callback(store.close)
            found.append(store)
        yield found


def later(url: str, seconds: float, *, of: Collection[SqlStore] = ()) -> None:
    """Time passes for the database; the leases `of` these processes (of all, if none is named) are so much older."""
    owners = [store.database.owner for store in of]
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("leases", "processes"):
            query = f"UPDATE {table} SET until = until - %s WHERE %s OR owner = ANY(%s)"
            connection.execute(query, (round(seconds * 1000), not owners, owners))


def sessions(url: str) -> set[int]:
    """Of the processes that live: each holds a lock by a session of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'").fetchall()
    return {pid for (pid,) in rows}


def dies(url: str, session: int) -> None:
    """As after a kill -9."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (session,))


async def held(store: SqlStore, *wanted: str, **more: Any) -> set[str]:
    return set((await store.hold(wanted, **more)).held)


async def test_one_process_holds_all_that_it_wants(url: str) -> None:
    async with processes(url, 1) as [one]:
        assert await held(one, A, B, C) == {A, B, C}
        assert await one.holders() == {A, B, C}
        assert await held(one, A) == {A}
        assert await one.holders() == {A}


async def test_each_account_has_one_holder_and_nobody_is_without(url: str) -> None:
    async with processes(url, 2) as [one, two]:
        assert await held(one, A, B) == {A, B}
        for _ in range(3):
            assert await held(two, A, B) == set()
            assert await held(one, A, B) == {A, B}


async def test_looks_at_the_same_moment_never_give_one_account_to_two(url: str) -> None:
    async with processes(url, 3) as stores:
        for _ in range(10):
            found = await asyncio.gather(*(held(store, A, B, C) for store in stores))
            together = [account for each in found for account in each]
            assert len(together) == len(set(together))
        assert sorted(together) == [A, B, C]


async def test_what_one_has_too_much_of_is_spared_one_by_one(url: str) -> None:
    async with processes(url, 2) as [one, two]:
        await held(one, A, B, C)
        assert not (await one.hold([A, B, C])).spare, "nobody else is there"
        await held(two, A, B, C)
        holding = await one.hold([A, B, C])
        assert list(holding.spare) == [A]
        await one.let_go(holding.spare)
        assert await held(one, A, B, C) == {B, C}, "the other has fewer: it is the other's"
        assert await held(two, A, B, C) == {A}
        assert not (await one.hold([A, B, C])).spare


async def test_a_lease_that_is_not_renewed_runs_out(url: str) -> None:
    async with processes(url, 2) as [one, two]:
        holding = await one.hold([A])
        assert 0 < holding.held[A] < 8, "we stop before others begin"
        later(url, 4)
        assert await held(two, A) == set(), "its session is there, and its time not over"
        later(url, 4.1)
        assert await held(two, A) == {A}
        assert await held(one, A) == set()


async def test_one_that_ran_out_and_that_nobody_took_is_its_holders(url: str) -> None:
    async with processes(url, 1) as [one]:
        await held(one, A)
        later(url, 60)
        assert await held(one, A, taking=False) == {A}


async def test_a_dead_one_is_followed_within_moments(url: str) -> None:
    async with processes(url, 1) as [one]:
        [session] = sessions(url)
        async with processes(url, 1) as [two]:
            await held(one, A)
            dies(url, session)
            later(url, -3)
            assert await held(two, A) == set(), "it has renewed just now: it may be coming back"
            later(url, 3 + 1.3)
            assert await held(two, A, taking=False) == set(), "the database was away: everybody comes back first"
            assert await held(two, A) == {A}


async def test_who_takes_over_goes_on_with_what_was_begun(url: str) -> None:
    async with processes(url, 2) as [one, two]:
        chat = Chat("fake", "a", "1")
        await held(one, A)
        await one.accept(IncomingMessage("k", chat, ANN, "hello", 1))
        turn = await one.claim(2**50, [A])
        assert turn is not None
        later(url, 9)
        await held(two, A)
        again = await two.claim(2**50, [A])
        assert again is not None
        assert (again.id, again.attempt, again.state) == (turn.id, 2, TurnState.RUNNING)
        with pytest.raises(Superseded):
            await one.end(turn, Outcome.WHOLE)
        found = await two.turn(turn.id)
        assert found is not None
        assert found.state is TurnState.RUNNING


async def test_who_leaves_is_followed_at_once(url: str) -> None:
    async with processes(url, 1) as [two]:
        async with processes(url, 1) as [one]:
            await held(one, A)
            assert await held(two, A) == set()
        assert await held(two, A) == {A}


# ── the whole core ──────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def core(url: str, folder: Path, model: FakeModel, *platforms: FakePlatform) -> AsyncIterator[Core]:
    clock = SystemClock()
    store = await open_store(url, owner="core", clock=clock)
    adapters: dict[str, Adapter] = {platform.platform: platform for platform in platforms}
    options = Options(ChatSettings("qwen-plus"), "", "", "")
    access, media = Access(store, everyone=True), MediaStore(folder / "media", clock)
    made = Core(store, model, Catalogue(), adapters, clock, Wiring(options, GatewayFacts("fake"), access, media))
    tasks = [asyncio.create_task(made.work())]
    tasks += [asyncio.create_task(made.attend(adapter)) for adapter in adapters.values()]
    try:
        yield made
    finally:
        await made.turns.drain(0)
        await made.leases.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await media.close()
        await store.close()


async def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - it has no event of its own
            await asyncio.sleep(0.02)


def asked(platform: str, number: int) -> IncomingMessage:
    return IncomingMessage(f"{platform}{number}", Chat(platform, "bot", f"room {number}"), ANN, "hello", 1)


async def test_two_cores_with_different_platforms_answer_all_that_is_put_to_either(url: str, tmp_path: Path) -> None:
    """Once, 8 of 10 were claimed by the one that could not answer them, and kept for ever."""
    clock = SystemClock()
    model = FakeModel(clock, [words("one two three", 0.0)])
    here, there = FakePlatform(clock, platform="here"), FakePlatform(clock, platform="there")
    async with core(url, tmp_path / "1", model, here) as first, core(url, tmp_path / "2", model, there) as second:
        await until(lambda: here.running and there.running)
        async with processes(url, 1) as [anywhere]:
            for number in range(10):
                await anywhere.accept(asked("here", number))
                await anywhere.accept(asked("there", number))
            await until(lambda: len(here.posts) == len(there.posts) == 10)
        await until(lambda: not first.turns.count and not second.turns.count)
    for platform in (here, there):
        for number in range(10):
            assert platform.text(Chat(platform.platform, "bot", f"room {number}")) == "one two three"


async def test_one_platform_is_attended_by_one_process_and_the_other_stands_by(url: str, tmp_path: Path) -> None:
    clock = SystemClock()
    model = FakeModel(clock, [words("one two three", 0.0)])
    one, two = FakePlatform(clock, platform="here"), FakePlatform(clock, platform="here")
    async with core(url, tmp_path / "2", model, two) as second:
        await until(lambda: two.running)
        async with core(url, tmp_path / "1", model, one) as first:
            await until(lambda: first.leases.stands_by("here/bot"))
            assert not one.running
            assert first.trouble() == {"here": ""}
            await first.intake.accept(asked("here", 1))  # a push may arrive anywhere
            await until(lambda: len(two.posts) == 1)
            assert one.made == []
            await second.leases.close()
            await until(lambda: one.running and not two.running)
            await first.intake.accept(asked("here", 2))
            await until(lambda: len(one.posts) == 1)
            assert len(two.posts) == 1


async def test_what_waits_for_a_platform_that_is_off_is_kept_and_told(url: str, tmp_path: Path) -> None:
    clock = SystemClock()
    model = FakeModel(clock, [words("one two three", 0.0)])
    here, off = FakePlatform(clock, platform="here"), FakePlatform(clock, platform="off")
    async with core(url, tmp_path / "1", model, here):
        await until(lambda: here.running)
        async with processes(url, 1) as [store]:
            await store.accept(asked("off", 1))
            await asyncio.sleep(0.3)
            [waiting] = await store.backlog()
            assert (waiting.account, waiting.state, waiting.count) == ("off/bot", TurnState.WAITING, 1)
            assert await store.holders() == {"here/bot"}
        assert model.asked == []
    async with core(url, tmp_path / "1", model, off):
        await until(lambda: len(off.posts) == 1)
