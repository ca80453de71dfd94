"""Connections and transactions: one writer and some readers on SQLite, a pool on PostgreSQL.

A transaction runs in a task of its own. Whoever waits for it may be cancelled, it is not: SQLAlchemy throws away a
connection that was cancelled in the middle, and with it a whole database in memory.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from bot.errors import SettingError, StoreError
from bot.types import Clock
from storage.translate import translated

__all__ = ["CHANNEL", "Database", "Tx", "parse_url"]

P = ParamSpec("P")
T = TypeVar("T")

CHANNEL = "magpie"  # PostgreSQL: NOTIFY on it wakes the other processes
_READERS = 3
_BUSY_SECONDS = 5.0
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction: its connection, the time it began, and the process it is for."""

    conn: AsyncConnection
    now: int
    owner: str

    @property
    def postgres(self) -> bool:
        return self.conn.dialect.name == "postgresql"

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """INSERT with ON CONFLICT, which each database has in its own class."""
        return postgresql.insert(table) if self.postgres else sqlite.insert(table)

    async def wake(self) -> None:
        """Tell the other processes, once this is committed, that there may be work."""
        if self.postgres:
            await self.conn.execute(sa.select(sa.func.pg_notify(CHANNEL, self.owner)))


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
    """Runs whole transactions. `owner` names this process in them."""

    def __init__(self, url: URL, *, owner: str, clock: Clock) -> None:
        self.url = url
        self.owner = owner
        self.postgres = url.get_backend_name() == "postgresql"
        self.memory = not self.postgres and url.database in (None, "", ":memory:")
        self.place = ":memory:" if self.memory else url.render_as_string() if self.postgres else str(url.database)
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()
        self._turn = asyncio.Lock()  # SQLite: who writes next, in the order of asking
        with translated(self.place):
            self._writer, self._reader = self._engines()

    async def open(self) -> None:
        """Look whether the file is there or can be: a first connection that fails leaves aiosqlite's thread behind."""
        if not (self.postgres or self.memory or "uri" in self.url.query):
            with translated(self.place, sqlite3.Error):
                await asyncio.to_thread(_touch, self.place)

    def busy(self) -> bool:
        """Is a transaction under way?"""
        return bool(self._running)

    async def write(self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `verb` in one transaction that may write. Raises StoreError."""

        async def run() -> T:
            async with self._begin(self._writer, alone=not self.postgres) as tx:
                return await verb(tx, *args, **kwargs)

        return await self._whole(run())

    async def read(self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `verb` in one transaction that only reads. Raises StoreError."""

        async def run() -> T:
            async with self._begin(self._reader, alone=self.memory) as tx:
                return await verb(tx, *args, **kwargs)

        return await self._whole(run())

    async def close(self) -> None:
        """Wait for what is under way, then give all connections back."""
        while self._running:
            await asyncio.wait(self._running)
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine, *, alone: bool) -> AsyncIterator[Tx]:
        with translated(self.place):
            if not alone:
                async with engine.begin() as conn:
                    yield Tx(conn, self._clock.now(), self.owner)
                return
            async with self._turn, engine.begin() as conn:
                yield Tx(conn, self._clock.now(), self.owner)

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
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

    def _engines(self) -> tuple[AsyncEngine, AsyncEngine]:
        if self.postgres:
            try:
                engine = create_async_engine(
                    self.url, pool_size=8, max_overflow=8, pool_pre_ping=True, hide_parameters=True
                )
            except ModuleNotFoundError as error:
                raise StoreError("PostgreSQL needs one more package: pip install 'magpie-bot[postgres]'") from error
            return engine, engine
        if self.memory:
            engine = _sqlite(self.url, "BEGIN IMMEDIATE", poolclass=StaticPool)
            return engine, engine
        writer = _sqlite(
            self.url, "BEGIN IMMEDIATE", "journal_mode=WAL", "synchronous=FULL", pool_size=1, max_overflow=0
        )
        return writer, _sqlite(self.url, "BEGIN", "query_only=ON", pool_size=_READERS, max_overflow=0)


def _touch(path: str) -> None:
    sqlite3.connect(path).close()


def _sqlite(url: URL, begin: str, *pragmas: str, **pool: Any) -> AsyncEngine:
    """An engine whose transactions begin with `begin`: left alone, Python's driver begins none before the first write,
    and what was read until then may be outdated when it is written back."""
    timeout = float(str(url.query.get("timeout", _BUSY_SECONDS)))
    engine = create_async_engine(url, connect_args={"timeout": timeout}, hide_parameters=True, **pool)

    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("foreign_keys=ON", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    sa.event.listen(engine.sync_engine, "connect", connected)
    sa.event.listen(engine.sync_engine, "begin", begun)
    return engine
