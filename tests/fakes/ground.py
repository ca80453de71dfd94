"""One database in memory for many plays, each from its beginning: the real store on SQLite, without a thread, a file or
anything else that takes longer than what is tried on it.

Nothing here waits on anything but a clock, so what happens once happens again, step by step.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiosqlite
import sqlalchemy as sa

from bot.types import Clock
from storage.engine import Database, parse_url
from storage.migrate import upgrade
from storage.peers import NoPeers
from storage.store import SqlStore
from tests.fakes.clock import SimClock

__all__ = ["Ground"]

T = TypeVar("T")


class Ground:
    """`run` runs a coroutine on its event loop; `store` opens the database as one more process."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._now: Clock = SimClock()
        self._database = Database(parse_url("sqlite://"), owner="", clock=_Passed(lambda: self._now))
        self._opened: sqlite3.Connection | None = None
        self._lives = 0
        sa.event.listen(self._database._writer.sync_engine, "do_connect", self._connecting)  # the only way in
        self.run(self._database.write(_upgraded))
        self._fresh = sqlite3.connect(":memory:")
        self._connection.backup(self._fresh)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def begin(self, clock: Clock) -> None:
        """All that was stored is gone."""
        self._now = clock
        self._fresh.backup(self._connection)

    def store(self) -> SqlStore:
        """For the next process: whoever had one before is dead. It need not be closed."""
        self._lives += 1
        self._database.owner = f"life {self._lives}"
        return SqlStore(self._database, NoPeers())

    def close(self) -> None:
        self.run(self._database.close())
        self._fresh.close()
        self._runner.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        assert self._opened is not None
        return self._opened

    def _connecting(self, _dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        async def connected(*args: Any, **more: Any) -> aiosqlite.Connection:
            self._opened = sqlite3.connect(*args, **more)
            return await _Threadless(self._opened)

        options["async_creator_fn"] = connected


async def _upgraded(tx: Any) -> None:
    await tx.conn.run_sync(upgrade)


class _Passed(Clock):
    """The clock of the play that is on."""

    def __init__(self, which: Callable[[], Clock]) -> None:
        self._which = which

    def now(self) -> int:
        return self._which().now()

    def monotonic(self) -> float:
        return self._which().monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._which().sleep(seconds)


class _Threadless(aiosqlite.Connection):
    """aiosqlite's connection, but what it queues for its thread is done at once."""

    def __init__(self, opened: sqlite3.Connection) -> None:
        super().__init__(lambda: opened, 64)
        self._tx: Any = self
        self._thread: Any = self

    def start(self) -> None:
        """For the thread."""

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        """For the queue."""
        future, function = item
        try:
            result = function()
        except Exception as error:
            if future is None:
                raise
            future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)
