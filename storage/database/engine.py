"""Connections and transactions: one writer and some readers on SQLite, a pool on PostgreSQL.

A verb is a plain function over a transaction (`Tx`). It runs in a task of its own. Whoever waits for it may be
cancelled, it is not: SQLAlchemy throws away a connection that was cancelled in the middle.

On SQLite it runs from its beginning to its end in a thread. With a hop to the thread and back for each statement, every
one would wait for its turn on the event loop, and all writers behind it: a busy process would write ten times slower.
Those that write share commits (`storage.database.writer`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from bot.errors import SettingError, StoreError
from bot.types import Clock, Signal
from storage.database.errors import translated
from storage.database.writer import Writer

__all__ = ["CHANNEL", "Database", "Tx", "insert_into", "parse_url"]

P = ParamSpec("P")
T = TypeVar("T")

CHANNEL = "magpie"  # PostgreSQL: on it the processes tell each other: "owner signal about"
_READERS = 3
_BUSY_SECONDS = 5.0
_FROZEN_SECONDS = 10  # PostgreSQL ends a session that has done nothing in its transaction for so long
_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction: its connection, the time it began, and the process it is for."""

    conn: sa.Connection
    now: int
    owner: str

    @property
    def postgres(self) -> bool:
        return self.conn.dialect.name == "postgresql"

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        return insert_into(table, self.postgres)

    def tell(self, signal: Signal, about: str = "") -> None:
        """Tell the other processes, once this is committed."""
        if self.postgres:
            self.conn.execute(sa.select(sa.func.pg_notify(CHANNEL, f"{self.owner} {signal} {about}")))


def insert_into(table: sa.Table, postgres: bool) -> sqlite.Insert | postgresql.Insert:
    """INSERT with ON CONFLICT, which each database has in its own class."""
    return postgresql.insert(table) if postgres else sqlite.insert(table)


_EXAMPLE = "sqlite:///data/magpie.db"


def parse_url(url: str) -> URL:
    """A database's address with our driver in it. SettingError if it is none of ours."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        text = "is not an address of a database. Example: {example}"
        raise SettingError("DATABASE_URL", text, example=_EXAMPLE) from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        text = "must begin with sqlite: or postgresql:, got {got}:. Example: {example}"
        raise SettingError("DATABASE_URL", text, got=parsed.drivername, example=_EXAMPLE)
    return parsed.set(drivername=driver)


class Database:
    """Runs whole transactions. `owner` names this process in them. `threads`: where SQLite's run, instead of threads of
    our own."""

    def __init__(self, url: URL, *, owner: str, clock: Clock, threads: Executor | None = None) -> None:
        self.url = url
        self.owner = owner
        self.postgres = url.get_backend_name() == "postgresql"
        self.memory = not self.postgres and url.database in (None, "", ":memory:")
        self.place = ":memory:" if self.memory else url.render_as_string() if self.postgres else str(url.database)
        self._clock = clock
        self._running: set[asyncio.Future[Any]] = set()
        with translated(self.place):
            self._shared = _postgres(url) if self.postgres else None
        if self._shared is None:
            self.engines = _engines(url, memory=self.memory)
            self._writing = threads or ThreadPoolExecutor(1, "writer")
            self._reading = self._writing if threads or self.memory else ThreadPoolExecutor(_READERS, "reader")
            self._writer = Writer(self.engines[0], self._writing, self.place)

    def busy(self) -> bool:
        """Is a transaction under way?"""
        return bool(self._running)

    async def write(self, verb: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `verb` in one transaction that may write. Raises StoreError."""
        run = self._over(lambda tx: verb(tx, *args, **kwargs))
        if self._shared is not None:
            return await self._whole(self._remote(self._shared, run))
        return await self._whole(self._writer.run(run))

    async def read(self, verb: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `verb` in one transaction that only reads. Raises StoreError."""
        run = self._over(lambda tx: verb(tx, *args, **kwargs))
        if self._shared is not None:
            return await self._whole(self._remote(self._shared, run))
        return await self._whole(asyncio.get_running_loop().run_in_executor(self._reading, self._look, run))

    async def close(self) -> None:
        """Wait for what is under way, then give all connections back."""
        while self._running:
            await asyncio.wait(self._running)
        if self._shared is not None:
            await self._shared.dispose()
            return
        for threads in (self._writing, self._reading):
            threads.shutdown()
        for engine in self.engines:
            engine.dispose()

    def _over(self, verb: Callable[[Tx], T]) -> Callable[[sa.Connection], T]:
        return lambda conn: verb(Tx(conn, self._clock.now(), self.owner))

    async def _remote(self, engine: AsyncEngine, verb: Callable[[sa.Connection], T]) -> T:
        with translated(self.place):
            async with engine.begin() as conn:
                return await conn.run_sync(verb)

    def _look(self, verb: Callable[[sa.Connection], T]) -> T:
        with translated(self.place), self.engines[1].begin() as conn:
            return verb(conn)

    async def _whole(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # nobody is left to hear it
            raise


def _postgres(url: URL) -> AsyncEngine:
    try:
        engine = create_async_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs one more package: pip install 'magpie-bot[postgres]'") from error

    def connected(connection: Any, _: object) -> None:
        """Who is frozen in the middle of a transaction holds up the others, who want its locks, no longer."""
        cursor = connection.cursor()
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{_FROZEN_SECONDS}s'")
        cursor.close()
        connection.commit()

    sa.event.listen(engine.sync_engine, "connect", connected)
    return engine


def _engines(url: URL, *, memory: bool) -> tuple[sa.Engine, sa.Engine]:
    """For who writes, and for who reads."""
    if memory:
        engine = _sqlite(url, "BEGIN IMMEDIATE", poolclass=StaticPool)
        return engine, engine
    writer = _sqlite(url, "BEGIN IMMEDIATE", "journal_mode=WAL", "synchronous=FULL", pool_size=1, max_overflow=0)
    return writer, _sqlite(url, "BEGIN", "query_only=ON", pool_size=_READERS, max_overflow=0)


def _sqlite(url: URL, begin: str, *pragmas: str, **pool: Any) -> sa.Engine:
    """An engine whose transactions begin with `begin`: left alone, Python's driver begins none before the first write,
    and what was read until then may be outdated when it is written back."""
    timeout = float(str(url.query.get("timeout", _BUSY_SECONDS)))
    arguments = {"timeout": timeout, "check_same_thread": False}  # a connection is used by one thread at a time
    engine = sa.create_engine(url, connect_args=arguments, hide_parameters=True, **pool)

    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("foreign_keys=ON", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begun)
    return engine
