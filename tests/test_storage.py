"""What is particular to SQLite and to files; what every store promises is in tests/contract."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.dialects import sqlite

from bot.errors import SettingError, StoreError, StoreFull, StoreLocked, StoreNewer
from bot.types import (
    Answer,
    BalanceReading,
    Chat,
    Edited,
    Forget,
    IncomingMessage,
    LedgerEntry,
    Money,
    Outcome,
    Person,
    Reopen,
    Reply,
    SetSetting,
    Stop,
)
from storage import DataLock, SqlStore, open_store
from storage.database import migrate
from storage.database.engine import Database, Tx, parse_url
from storage.tables import METADATA, inbound, learned
from storage.verbs.reading import context_query, history_query
from tests.fakes.accounts import OURS
from tests.fakes.clock import PATIENCE, START, SimClock

HERE = Chat("web", "local", "1")
DROPPED = Answer("", Outcome.STOPPED)
ANN = Person("u1", "Ann")


def said(key: str, text: str = "hello") -> IncomingMessage:
    return IncomingMessage(key, HERE, ANN, text, START, post=key)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "magpie.db"


@pytest.fixture
async def store(path: Path, clock: SimClock) -> AsyncIterator[SqlStore]:
    store = await open_store(f"sqlite:///{path}", owner="test", clock=clock)
    yield store
    await store.close()


def database(url: str, clock: SimClock) -> Database:
    return Database(parse_url(url), owner="test", clock=clock)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://x/y", "DATABASE_URL: must begin with sqlite: or postgresql:, got mysql:"),
        ("magpie.db", "DATABASE_URL: is not an address of a database"),
        ("sqlite:////nowhere/at/all.db", "The database /nowhere/at/all.db can't be opened."),
    ],
)
async def test_an_address_that_leads_nowhere_is_named(url: str, words: str, clock: SimClock) -> None:
    with pytest.raises((SettingError, StoreError)) as caught:
        await open_store(url, owner="test", clock=clock)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_addresses_of_postgresql_get_our_driver(scheme: str) -> None:
    assert str(parse_url(f"{scheme}://h/d")) == "postgresql+psycopg://h/d"


class TestMigrations:
    async def test_from_empty_with_a_word_about_it_and_then_in_silence(self, path: Path, clock: SimClock) -> None:
        told: list[tuple[int, ...]] = []
        for _ in range(2):
            store = await open_store(
                f"sqlite:///{path}", owner="test", clock=clock, progress=lambda *step: told.append(step)
            )
            await store.close()
        assert told == [(number, len(told)) for number in range(1, len(told) + 1)] != []

    @pytest.mark.usefixtures("store")
    async def test_they_make_what_the_tables_say(self, path: Path, tmp_path: Path) -> None:
        plain = sa.create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
        METADATA.create_all(plain)
        migrated = sa.create_engine(f"sqlite:///{path}")
        with plain.connect() as first, migrated.connect() as second:
            assert compare_metadata(MigrationContext.configure(second, opts={"compare_type": True}), METADATA) == []
            assert _schema(first) == _schema(second)
        plain.dispose()
        migrated.dispose()

    async def test_keys_of_an_older_version_that_must_last_do(self, path: Path, clock: SimClock) -> None:
        older = sa.create_engine(f"sqlite:///{path}")
        with older.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(Path(migrate.__file__).parents[1] / "migrations"))
            config.attributes.update(connection=connection, applied=lambda **_: None)
            command.upgrade(config, "0002")
            connection.exec_driver_sql(
                "INSERT INTO inbound VALUES ('older/slack/T1/C1/1.2', 1), ('slack:T1:C1:1.2', 1)"
            )
        older.dispose()
        store = await open_store(f"sqlite:///{path}", owner="test", clock=clock)
        assert await store.forget_keys(before=clock.now()) == 1
        assert await store.seen("older/slack/T1/C1/1.2")
        await store.close()

    async def test_a_newer_database_is_left_alone(self, path: Path, clock: SimClock) -> None:
        with closing(sqlite3.connect(path)) as newer:
            newer.execute("CREATE TABLE alembic_version (version_num TEXT)")
            newer.execute("INSERT INTO alembic_version VALUES ('9999')")
            newer.commit()
        with pytest.raises(StoreNewer) as caught:
            await open_store(f"sqlite:///{path}", owner="test", clock=clock)
        assert caught.value.data == {"revision": "9999"}
        with closing(sqlite3.connect(path)) as newer:
            assert newer.execute("SELECT name FROM sqlite_master").fetchall() == [("alembic_version",)]


def _schema(connection: sa.Connection) -> dict[str, set[str]]:
    """Every index and column as SQLite keeps them, spaces and quotes apart."""
    inspector = sa.inspect(connection)
    found = {
        str(name): {f"{c['name']} {c['type']} {c['nullable']} {c['primary_key']}" for c in inspector.get_columns(name)}
        for name in METADATA.tables
    }
    keys = {name: inspector.get_foreign_keys(name) for name in METADATA.tables}
    for name, foreign in keys.items():
        found[name] |= {f"{key['constrained_columns']} -> {key['referred_table']}" for key in foreign}
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    found |= {name: {sql.replace('"', "")} for name, sql in rows}
    counted = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
    return found | {"counted": {name for (name,) in counted}}


class TestTrouble:
    async def test_no_space_left(self, path: Path, clock: SimClock) -> None:
        url = f"sqlite:///{path}"
        await (await open_store(url, owner="test", clock=clock)).close()
        db = database(url, clock)

        def limit(tx: Tx) -> None:
            tx.conn.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite takes it as: no more than there are

        await db.write(limit)
        with pytest.raises(StoreFull) as caught:
            await db.write(_insert, "k" * 200_000)
        await db.close()
        assert caught.value.data == {"path": str(path)}

    async def test_another_process_writes_and_does_not_end(self, path: Path, clock: SimClock) -> None:
        store = await open_store(f"sqlite:///{path}?timeout=0.02", owner="test", clock=clock)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreLocked) as caught:
                await store.accept(said("k"))
            other.execute("ROLLBACK")
        assert caught.value.data == {"path": str(path)}
        assert (await store.accept(said("k"))).turn is not None
        await store.close()

    @pytest.mark.usefixtures("store")
    async def test_may_not_be_written(self, path: Path, clock: SimClock) -> None:
        with pytest.raises(StoreError, match="can't be written") as caught:
            await open_store(f"sqlite:///file:{path}?mode=ro&uri=true", owner="test", clock=clock)
        assert "readonly" in caught.value.detail

    @pytest.fixture
    def picture(self, path: Path) -> Path:
        path.write_bytes(b"GIF89a" + bytes(5000))
        return path

    async def test_is_something_else(self, picture: Path, clock: SimClock) -> None:
        with pytest.raises(StoreError, match="is not a database of magpie"):
            await open_store(f"sqlite:///{picture}", owner="test", clock=clock)

    @pytest.mark.usefixtures("store")
    async def test_other_errors_keep_their_words_for_the_log(self, path: Path, clock: SimClock) -> None:
        db = database(f"sqlite:///{path}", clock)

        def wrong(tx: Tx) -> None:
            tx.conn.exec_driver_sql("SELECT 1 FROM nowhere")

        with pytest.raises(StoreError) as caught:
            await db.read(wrong)
        await db.close()
        assert caught.value.detail == "OperationalError: no such table: nowhere"
        assert str(caught.value) == StoreError.text


def _insert(tx: Tx, key: str) -> None:
    tx.conn.execute(sa.insert(inbound).values(key=key, at=tx.now))


def _count_up(tx: Tx) -> None:
    """Read, then write what was read and one more."""
    row = tx.conn.execute(sa.select(learned.c.value)).first()
    value = row.value + 1 if row else 1
    new = tx.insert(learned).values(gateway="g", name="n", value=value)
    key = [learned.c.gateway, learned.c.name]
    tx.conn.execute(new.on_conflict_do_update(index_elements=key, set_={"value": value}))


class TestTransactions:
    @pytest.mark.parametrize("doors", [1, 2])
    async def test_no_update_is_lost(self, store: SqlStore, path: Path, clock: SimClock, doors: int) -> None:
        databases = [database(f"sqlite:///{path}", clock) for _ in range(doors)]
        await asyncio.gather(*(databases[n % doors].write(_count_up) for n in range(100)))
        assert await store.learned("g") == {"n": 100}
        for db in databases:
            await db.close()

    async def test_in_memory_neither(self, clock: SimClock) -> None:
        db = database("sqlite://", clock)

        def create(tx: Tx) -> None:
            METADATA.create_all(tx.conn)

        def read(tx: Tx) -> Any:
            return tx.conn.execute(sa.select(learned.c.value)).scalar_one()

        await db.write(create)
        await asyncio.gather(*(db.write(_count_up) for _ in range(100)))
        assert await db.read(read) == 100
        await db.close()

    async def test_half_of_a_transaction_is_nothing(self, store: SqlStore, path: Path, clock: SimClock) -> None:
        db = database(f"sqlite:///{path}", clock)

        def broken(tx: Tx) -> None:
            _insert(tx, "half")
            raise LookupError

        with pytest.raises(LookupError):
            await db.write(broken)
        assert not await store.seen("half")
        await db.close()

    async def test_who_waits_together_shares_a_commit_and_keeps_its_own_errors(
        self, store: SqlStore, path: Path, clock: SimClock
    ) -> None:
        db = database(f"sqlite:///{path}", clock)
        commits: list[str] = []
        sa.event.listen(db.engines[0], "commit", lambda conn: commits.append("commit"))
        let_go = threading.Event()

        def hold(_: Tx) -> None:
            assert let_go.wait(PATIENCE)

        def broken(tx: Tx) -> None:
            _insert(tx, "half")
            raise LookupError

        holding = asyncio.ensure_future(db.write(hold))
        writing = [asyncio.ensure_future(db.write(broken) if n == 7 else db.write(_insert, f"k{n}")) for n in range(20)]
        await asyncio.sleep(0)
        let_go.set()
        found = await asyncio.gather(holding, *writing, return_exceptions=True)
        assert [type(error) for error in found if error is not None] == [LookupError]
        assert len(commits) == 2, "the one that held the others up, and theirs"
        assert [n for n in range(20) if not await store.seen(f"k{n}")] == [7]
        assert not await store.seen("half")
        await db.close()

    async def test_where_the_database_fails_the_others_are_written_all_the_same(
        self, store: SqlStore, path: Path, clock: SimClock
    ) -> None:
        db = database(f"sqlite:///{path}", clock)
        let_go, told = threading.Event(), list[str]()

        def hold(_: Tx) -> None:
            assert let_go.wait(PATIENCE)

        def wrong(tx: Tx) -> None:
            tx.conn.exec_driver_sql("ROLLBACK")  # as SQLite does by itself when the disk is full
            tx.conn.exec_driver_sql("SELECT 1 FROM nowhere")

        def tell(what: str) -> Callable[[asyncio.Future[None]], None]:
            return lambda done: told.append(what if done.exception() is None else f"not {what}")

        writing = [asyncio.ensure_future(work) for work in (db.write(hold), db.write(_insert, "a"), db.write(wrong))]
        writing.append(asyncio.ensure_future(db.write(_insert, "b")))
        for what, work in zip(("hold", "a", "wrong", "b"), writing, strict=True):
            work.add_done_callback(tell(what))
        await asyncio.sleep(0)
        let_go.set()
        await asyncio.gather(*writing, return_exceptions=True)
        assert told == ["hold", "a", "not wrong", "b"]
        assert await store.seen("a")
        assert await store.seen("b")
        await db.close()

    async def test_a_commit_that_fails_as_nobody_thought_keeps_nobody_waiting(
        self, store: SqlStore, path: Path, clock: SimClock
    ) -> None:
        db = database(f"sqlite:///{path}", clock)
        let_go, left = threading.Event(), [None]

        def hold(_: Tx) -> None:
            assert let_go.wait(PATIENCE)
            sa.event.listen(db.engines[0], "savepoint", tight)

        def tight(conn: sa.Connection, name: str) -> None:
            if left:
                left.pop()
                raise MemoryError  # what Python's driver raises where SQLite has no memory left

        writing = [asyncio.ensure_future(db.write(hold)), *(asyncio.ensure_future(db.write(_insert, k)) for k in "abc")]
        await asyncio.sleep(0)
        let_go.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*writing)
        assert [key for key in "abc" if not await store.seen(key)] == []
        await db.close()

    async def test_whatever_ends_a_transaction_ends_that_one_only(
        self, store: SqlStore, path: Path, clock: SimClock
    ) -> None:
        db = database(f"sqlite:///{path}", clock)
        let_go = threading.Event()

        def hold(_: Tx) -> None:
            assert let_go.wait(PATIENCE)

        def broken(tx: Tx) -> None:
            _insert(tx, "half")
            raise asyncio.CancelledError  # no Exception, like what ends a thread or a program

        writing = [asyncio.ensure_future(each) for each in (db.write(hold), db.write(broken), db.write(_insert, "a"))]
        await asyncio.sleep(0)
        let_go.set()
        _, pending = await asyncio.wait(writing, timeout=PATIENCE)
        assert not pending
        with pytest.raises(asyncio.CancelledError):
            await db.write(broken)
        assert await store.seen("a")
        assert not await store.seen("half")
        await db.close()

    async def test_a_closed_database_says_so_each_time(self, path: Path, clock: SimClock) -> None:
        db = database(f"sqlite:///{path}", clock)
        await db.close()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="after shutdown"):
                async with asyncio.timeout(PATIENCE):
                    await asyncio.shield(asyncio.ensure_future(db.write(_insert, "late")))

    async def test_a_database_that_others_hold_is_waited_for_once_by_all_together(
        self, path: Path, clock: SimClock
    ) -> None:
        store = await open_store(f"sqlite:///{path}?timeout=0.05", owner="test", clock=clock)
        db = database(f"sqlite:///{path}?timeout=0.05", clock)
        failed: list[str] = []
        await db.write(_insert, "first")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sa.event.listen(db.engines[0], "handle_error", lambda context: failed.append(context.statement))
            found = await asyncio.gather(*(db.write(_insert, f"k{n}") for n in range(30)), return_exceptions=True)
            other.execute("ROLLBACK")
        assert {type(error) for error in found} == {StoreLocked}
        assert failed[1:] in ([], ["BEGIN IMMEDIATE"], ["BEGIN IMMEDIATE"] * 2), "it was tried more than three times"
        await db.close()
        await store.close()

    async def test_who_reads_does_not_wait_for_who_writes(self, store: SqlStore, path: Path, clock: SimClock) -> None:
        db = database(f"sqlite:///{path}", clock)
        written, go_on = threading.Event(), threading.Event()

        def slow(tx: Tx) -> None:  # in the writer's thread
            _insert(tx, "k")
            written.set()
            assert go_on.wait(PATIENCE)

        task = asyncio.ensure_future(db.write(slow))
        assert await asyncio.to_thread(written.wait, 10)
        assert not await store.seen("k")
        assert db.busy()
        closing_down = asyncio.ensure_future(db.close())
        await asyncio.sleep(0)
        go_on.set()
        await task
        await closing_down
        assert await store.seen("k")

    @pytest.mark.usefixtures("store")
    async def test_who_reads_can_not_write(self, path: Path, clock: SimClock) -> None:
        db = database(f"sqlite:///{path}", clock)
        with pytest.raises(StoreError, match="can't be written"):
            await db.read(_insert, "k")
        await db.close()

    async def test_what_is_committed_is_on_the_disk(self, path: Path, clock: SimClock) -> None:
        db = database(f"sqlite:///{path}", clock)

        def pragmas(tx: Tx) -> list[Any]:
            names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            return [tx.conn.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

        assert await db.write(pragmas) == ["wal", 2, 1, 5000]
        await db.close()


class TestCost:
    """Nothing that is asked often may cost more as the history grows."""

    @pytest.fixture
    async def grown(self, store: SqlStore, path: Path) -> AsyncIterator[Callable[[int], sqlite3.Connection]]:
        """Lets the history grow by so many exchanges."""
        await store.accept(said("k"))
        turn = await store.claim(START, OURS)
        assert turn is not None
        await store.generated(turn, Answer("a", Outcome.WHOLE), {})
        await store.end(turn, Outcome.WHOLE)
        with closing(sqlite3.connect(path)) as db:

            def grow(exchanges: int) -> sqlite3.Connection:
                _copy_exchange(db, exchanges)
                return db

            yield grow

    async def test_history_is_read_from_an_index(self, grown: Callable[[int], sqlite3.Connection]) -> None:
        steps = [
            _steps(grown(100), history_query(HERE, 150, 20)),
            _steps(grown(9_900), history_query(HERE, 15_000, 20)),
        ]
        assert 100 < steps[1] <= steps[0] * 1.1
        plan = _plan(grown(0), history_query(HERE, 15_000, 20))
        assert "SEARCH messages USING INDEX messages_chat (chat=? AND" in plan
        assert "B-TREE" not in plan

    @pytest.mark.parametrize(("few", "many"), [(None, None), ((75, 0), (7_500, 0))], ids=["newest", "before"])
    async def test_context_is_read_from_an_index(
        self, grown: Callable[[int], sqlite3.Connection], few: tuple[int, int] | None, many: tuple[int, int] | None
    ) -> None:
        steps = [_steps(grown(100), context_query(HERE, few, 20)), _steps(grown(9_900), context_query(HERE, many, 20))]
        assert 100 < steps[1] <= steps[0] * 1.1
        plan = _plan(grown(0), context_query(HERE, many, 20))
        assert "SEARCH messages USING INDEX messages_context (chat=? AND" in plan
        assert "B-TREE" not in plan

    async def test_what_is_forgotten_is_not_read(
        self, store: SqlStore, grown: Callable[[int], sqlite3.Connection]
    ) -> None:
        steps = []
        for exchanges in (100, 4_900):
            db = grown(exchanges)
            await store.answer(said(f"new{exchanges}", "/new"), Reply("", effects=(Forget(HERE),)))
            asked = (await store.accept(said(f"k{exchanges}"))).turn
            assert asked is not None
            steps.append(_steps(db, context_query(HERE, None, 20), rows=1))
            await store.answer(said(f"stop{exchanges}", "/stop"), Reply("", effects=(Stop(HERE, asked, DROPPED),)))
            turn = await store.claim(START, OURS)
            assert turn is not None
            await store.end(turn, Outcome.STOPPED)
        assert steps[1] <= steps[0] * 1.1

    async def test_no_verb_reads_a_whole_table(self, store: SqlStore, path: Path) -> None:
        with _statements() as statements:
            await _a_day(store)
        assert len(statements) > 60
        with closing(sqlite3.connect(path)) as db:
            plans = {
                f"{row[3]} ({sql})"
                for sql, parameters in statements
                if sql.startswith(("SELECT", "UPDATE", "DELETE"))
                for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            }
        scans = [plan for plan in plans if plan.startswith("SCAN")]
        assert [plan for plan in scans if "USING INDEX turns_open" not in plan] == []  # small: what has not ended


def _copy_exchange(db: sqlite3.Connection, times: int) -> None:
    """Repeat the first turn and its two messages."""
    turn = db.execute("SELECT * FROM turns WHERE id = 1").fetchone()
    pair = db.execute("SELECT * FROM messages WHERE turn = 1 ORDER BY id").fetchall()
    for _ in range(times):
        id = db.execute(_insert_into("turns", turn), (None, *turn[1:])).lastrowid
        db.executemany(_insert_into("messages", pair[0]), ((None, message[1], id, *message[3:]) for message in pair))
    db.execute("UPDATE messages SET after_turn = turn WHERE turn IS NOT NULL")
    db.commit()


def _insert_into(table: str, row: tuple[Any, ...]) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' for _ in row)})"


def _sql(query: sa.Select[Any]) -> str:
    return str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


def _plan(db: sqlite3.Connection, query: sa.Select[Any]) -> str:
    return " / ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {_sql(query)}"))


def _steps(db: sqlite3.Connection, query: sa.Select[Any], *, rows: int = 20) -> int:
    """How many instructions of SQLite's machine a query takes."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    db.set_progress_handler(step, 1)
    assert len(db.execute(_sql(query)).fetchall()) == rows
    db.set_progress_handler(None, 1)
    return count


@contextmanager
def _statements() -> Iterator[list[tuple[str, Any]]]:
    """What is said to databases meanwhile."""
    heard: list[tuple[str, Any]] = []

    def hear(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        heard.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)


async def _a_day(store: SqlStore) -> None:
    """Every verb that is used while people talk."""
    await store.accept(said("k1"))
    await store.accept(said("k2"))
    await store.edit(Edited("e1", HERE, ANN, "k2", "hello!", START))
    turn = await store.claim(START, OURS)
    assert turn is not None
    id = await store.begin(turn, LedgerEntry(turn.id, 1, "g", "m", START))
    await store.intend(turn, 0)
    await store.posted(turn, 0, "p")
    await store.posted(turn, 1, "p")
    await store.dropped(turn, 1)
    await store.generated(turn, Answer("a", Outcome.WHOLE), {id: LedgerEntry(turn.id, 1, "g", "m", START)})
    await store.postpone(turn, START)
    turn = await store.claim(START, OURS)
    assert turn is not None
    await store.release(turn)
    turn = await store.claim(START, OURS)
    assert turn is not None
    await store.end(turn, Outcome.WHOLE)
    effects = (SetSetting(HERE.key, "x", 1), Forget(HERE), Reopen(HERE, turn.id), Stop(HERE, turn.id, DROPPED))
    await store.answer(said("k3", "/all"), Reply("done", effects=effects))
    await store.notify(HERE, "words", key="n1")
    await store.reading(BalanceReading("g", Money(Decimal(1)), START))
    await store.learn("g", "n", 1)
    reads: list[Awaitable[object]] = [
        store.recover(),
        store.seen("k1"),
        store.next_due(START, OURS),
        store.history(HERE, before=9),
        store.context(HERE, before=(9, 0)),
        store.settings(Chat("web", "local", "1", "2")),
        store.chats("web", "local"),
        store.newest_chat(Chat("web", "local", "1"), besides=HERE, since=START),
        store.turn(1),
        store.open_turns(HERE),
        store.last_turn(HERE),
        store.question(1),
        store.ledger(1),
        store.spending(chat=HERE, since=START),
        store.spending(since=START),
        store.balance("g"),
        store.learned("g"),
    ]
    for read in reads:
        await read


class TestProcesses:
    def test_one_process_per_directory(self, tmp_path: Path) -> None:
        path = tmp_path / "data" / "lock"
        with DataLock(path):
            with pytest.raises(StoreLocked) as caught:
                DataLock(path).acquire()
            assert caught.value.data == {"path": str(path.parent)}
        with DataLock(path):
            pass

    def test_a_killed_process_holds_no_lock(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with _process(f"lock = DataLock(Path({str(path)!r})); lock.acquire()") as other:
            with pytest.raises(StoreLocked):
                DataLock(path).acquire()
            other.send_signal(signal.SIGKILL)
            other.wait()
            with DataLock(path):
                pass

    def test_a_directory_that_can_not_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match=r"can't be used: (File exists|Not a directory)"):
            DataLock(tmp_path / "file" / "lock").acquire()

    async def test_what_a_killed_process_had_is_taken_over(self, store: SqlStore, path: Path) -> None:
        accepted = await store.accept(said("k"))
        with _process(
            f"store = await open_store({f'sqlite:///{path}'!r}, owner='other', clock=SystemClock())",
            f"turn = await store.claim({START}, {OURS})",
            "assert turn is not None",
        ) as other:
            assert await store.recover() == 0
            assert await store.claim(START, OURS) is None
            other.send_signal(signal.SIGKILL)
            other.wait()
        assert len(list(path.parent.glob("*-owner-*"))) == 2
        assert await store.recover() == 1
        turn = await store.claim(START, OURS)
        assert turn is not None
        assert (turn.id, turn.attempt) == (accepted.turn, 2)
        assert len(list(path.parent.glob("*-owner-*"))) == 1

    async def test_nothing_lies_about_after_the_end(self, path: Path, clock: SimClock) -> None:
        store = await open_store(f"sqlite:///{path}", owner="test", clock=clock)
        await store.accept(said("k"))
        await store.close()
        assert [file.name for file in path.parent.iterdir()] == ["magpie.db"]


@contextmanager
def _process(*lines: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has run these lines, and now does nothing."""
    head = "import asyncio, time; from pathlib import Path; from bot.clock import SystemClock; from storage import *"
    body = "\n".join(f"    {line}" for line in (*lines, "print('ready', flush=True)", "time.sleep(600)"))
    program = f"{head}\nasync def main():\n{body}\nasyncio.run(main())"
    root = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
