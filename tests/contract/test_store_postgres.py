"""What is particular to PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy.dialects import postgresql

from bot.errors import StoreError, StoreNewer, Superseded
from bot.types import Answer, Chat, IncomingMessage, Outcome, Person, Reply, SetSetting, Signal, Stop
from storage import SqlStore, open_store
from storage.database.engine import Tx
from storage.tables import METADATA
from storage.verbs import leases
from storage.verbs.reading import context_query, history_query
from tests.contract.conftest import DATABASE
from tests.fakes.accounts import OURS
from tests.fakes.clock import PATIENCE, START, SimClock
from tests.fakes.postgres import Postgres

HERE = Chat("web", "local", "1")
_number = count(1)


def said() -> IncomingMessage:
    return IncomingMessage(f"k{next(_number)}", HERE, Person("u1"), "hello", START)


@pytest.fixture
def url(postgres: Postgres) -> str:
    postgres.empty(DATABASE)
    return postgres.url(DATABASE)


@pytest.fixture
def empty_url(postgres: Postgres) -> Iterator[str]:
    """A database without tables."""
    name = f"empty{next(_number)}"
    yield postgres.create(name)
    postgres.run(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@asynccontextmanager
async def opened(url: str, clock: SimClock) -> AsyncIterator[SqlStore]:
    store = await open_store(url, owner="test", clock=clock)
    try:
        yield store
    finally:
        await store.close()


async def test_who_is_frozen_in_the_middle_of_a_transaction_keeps_nobody_out(url: str, clock: SimClock) -> None:
    """Once, no other could look at the leases for as long as it stood still."""
    begun, go_on = threading.Event(), threading.Event()

    def stands_still(tx: Tx, alive: Callable[[Tx, str], bool]) -> None:
        leases.hold(tx, [HERE.account_key], alive, taking=True)
        begun.set()
        go_on.wait()

    async def frozen() -> None:
        async with opened(url, SimClock()) as store:
            with pytest.raises(StoreError):
                await store.database.write(stands_still, store._peers.alive)

    standing = asyncio.ensure_future(asyncio.to_thread(asyncio.run, frozen()))
    await asyncio.to_thread(begun.wait)
    async with opened(url, clock) as other:
        holding = asyncio.ensure_future(other.hold([HERE.account_key]))
        done, _ = await asyncio.wait([holding], timeout=PATIENCE)
        go_on.set()
        await asyncio.gather(standing, holding)
    assert done, "it waited for the one who stood still"


async def test_migrations_make_what_the_tables_say(url: str, empty_url: str, clock: SimClock) -> None:
    async with opened(url, clock):
        pass
    plain, migrated = (
        sa.create_engine(address.replace("postgresql:", "postgresql+psycopg:")) for address in (empty_url, url)
    )
    METADATA.create_all(plain)
    with plain.connect() as first, migrated.connect() as second:
        assert compare_metadata(MigrationContext.configure(second, opts={"compare_type": True}), METADATA) == []
        assert _schema(first) == _schema(second)
    plain.dispose()
    migrated.dispose()


def _schema(connection: sa.Connection) -> set[tuple[Any, ...]]:
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
    )
    indexes = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    constraints = (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype IN ('f', 'p', 'u') AND connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%%'"
    )
    return {tuple(row) for query in (columns, indexes, constraints) for row in connection.exec_driver_sql(query)}


async def test_several_processes_start_at_once(empty_url: str, clock: SimClock) -> None:
    told: list[tuple[int, ...]] = []
    starts = (
        open_store(empty_url, owner="test", clock=clock, progress=lambda *step: told.append(step)) for _ in range(3)
    )
    stores = await asyncio.gather(*starts)
    assert told == [(number, len(told)) for number in range(1, len(told) + 1)] != []
    for store in stores:
        await store.close()


async def test_a_newer_database_is_left_alone(empty_url: str, clock: SimClock) -> None:
    async with opened(empty_url, clock):
        pass
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreNewer) as caught:
        await open_store(empty_url, owner="test", clock=clock)
    assert caught.value.data == {"revision": "9999"}


async def test_a_server_that_is_not_there(clock: SimClock) -> None:
    with pytest.raises(StoreError, match="can't be reached") as caught:
        await open_store("postgresql://magpie:secret@127.0.0.1:1/magpie", owner="test", clock=clock)
    assert "secret" not in f"{caught.value} {caught.value.detail}"


class Ear:
    """What a process is told of the others."""

    def __init__(self) -> None:
        self.heard: list[tuple[Signal, str]] = []
        self._news = asyncio.Event()

    def hear(self, signal: Signal, about: str) -> None:
        self.heard.append((signal, about))
        self._news.set()

    async def hears(self, *signals: tuple[Signal, str]) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.heard[: len(signals)] != list(signals):
                self._news.clear()
                await self._news.wait()
        self.heard.clear()


class TestWatch:
    async def test_others_hear_for_which_account_and_we_ourselves_do_not(self, url: str, clock: SimClock) -> None:
        one, two, work = Ear(), Ear(), (Signal.WORK, HERE.account_key)
        async with opened(url, clock) as first, opened(url, clock) as second:
            async with first.watch(one.hear), second.watch(two.hear):
                await second.accept(said())
                await one.hears(work)
                await second.answer(said(), Reply("", effects=(SetSetting("*", "x", 1),)))
                await one.hears(work)
            assert two.heard == []
            await second.accept(said())
            await asyncio.sleep(0.05)
            assert one.heard == []

    async def test_what_is_given_back_is_told_and_an_end_is_not(self, url: str, clock: SimClock) -> None:
        """Only who holds the account goes on with it, and did what we did."""
        ear = Ear()
        async with opened(url, clock) as one, opened(url, clock) as two, one.watch(ear.hear):
            await two.accept(said())
            await ear.hears((Signal.WORK, HERE.account_key))
            turn = await two.claim(START, OURS)
            assert turn is not None
            await two.release(turn)
            await ear.hears((Signal.WORK, HERE.account_key))
            turn = await two.claim(START, OURS)
            assert turn is not None
            await two.end(turn, Outcome.GONE)
            await two.notify(HERE, "words", key="n")
            await ear.hears((Signal.WORK, HERE.account_key))

    async def test_a_stop_names_its_turn(self, url: str, clock: SimClock) -> None:
        ear = Ear()
        async with opened(url, clock) as one, opened(url, clock) as two, one.watch(ear.hear):
            turn = (await two.accept(said())).turn
            assert turn is not None
            assert await one.claim(START, OURS) is not None
            await two.answer(said(), Reply("", effects=(Stop(HERE, turn, Answer("", Outcome.STOPPED)),)))
            await ear.hears((Signal.WORK, HERE.account_key), (Signal.STOP, str(turn)), (Signal.WORK, HERE.account_key))
            assert await one.stopped([turn, turn + 1]) == {turn}

    async def test_it_comes_back_after_the_session_is_lost(self, url: str, clock: SimClock) -> None:
        ear = Ear()
        async with opened(url, clock) as one, opened(url, clock) as two:
            await one.accept(said())
            turn = await one.claim(START, OURS)
            assert turn is not None
            async with one.watch(ear.hear):
                assert _end_sessions(url) >= 2
                while (Signal.BACK, "") not in ear.heard:
                    await clock.advance(1)
                    await asyncio.sleep(0.01)
                assert ear.heard == [(Signal.LOST, ""), (Signal.BACK, "")]
                assert await two.recover() == 0  # it says again that it lives
                ear.heard.clear()
                await two.accept(said())
                await ear.hears((Signal.WORK, HERE.account_key))
            await one.end(turn, Outcome.WHOLE)

    async def test_who_is_taken_for_dead_writes_no_more(self, url: str, clock: SimClock) -> None:
        async with opened(url, clock) as one, opened(url, clock) as two:
            await one.accept(said())
            turn = await one.claim(START, OURS)
            assert turn is not None
            _end_sessions(url)
            assert await two.recover() == 1
            again = await two.claim(START, OURS)
            assert again is not None
            assert again.id == turn.id
            with pytest.raises(Superseded):
                await one.posted(turn, 0, "p")


def _end_sessions(url: str) -> int:
    """The server ends the sessions that listen; the pools' come back by themselves."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        return len(connection.execute(query).fetchall())


@pytest.mark.parametrize(
    ("query", "below"), [(history_query, 15_000), (context_query, (15_000, 0))], ids=["history", "context"]
)
async def test_history_is_read_from_an_index(url: str, clock: SimClock, query: Any, below: Any) -> None:
    async with opened(url, clock) as store:
        await store.accept(said())
    statement = query(HERE, below, 20).compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # the copies' turns need not be there
        columns = "chat, role, author, author_name, author_language, author_admin, text, at, attachments, quoted"
        connection.execute(
            f"INSERT INTO messages ({columns}, in_context, hidden, turn)"
            f" SELECT {columns}, in_context, hidden, n FROM messages, generate_series(2, 20000) AS n"
        )
        connection.execute("ANALYZE messages")
        rows = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}").fetchall()
    plan = "\n".join(row[0] for row in rows)
    assert "Index Scan Backward using messages_" in plan
    assert "Seq Scan on messages" not in plan
    assert "Sort" not in plan
    assert "rows=20.00" in plan
