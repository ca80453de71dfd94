"""One database in memory for many plays, each from its beginning: the real store on SQLite, without a thread, a file or
anything else that takes longer than what is tried on it.

Nothing here waits on anything but a clock, so what happens once happens again, step by step.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

import sqlalchemy as sa

from bot.types import Clock
from storage.database.engine import Database, Tx, parse_url
from storage.database.migrate import upgrade
from storage.database.peers import NoPeers
from storage.store import SqlStore
from tests.fakes.clock import SimClock

__all__ = ["Ground"]

T = TypeVar("T")


class Ground:
    """`run` runs a coroutine on its event loop; `store` opens the database as one more process."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._now: Clock = SimClock()
        clock = _Passed(lambda: self._now)
        self._database = Database(parse_url("sqlite://"), owner="", clock=clock, threads=_AtOnce())
        self._opened: sqlite3.Connection | None = None
        self._lives = 0
        sa.event.listen(self._database.engines[0], "connect", self._connected)
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

    def _connected(self, connection: Any, _record: Any) -> None:
        self._opened = connection


def _upgraded(tx: Tx) -> None:
    upgrade(tx.conn)


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


class _AtOnce(Executor):
    """Instead of the thread of a transaction: it is done when it is asked for."""

    def submit(self, function: Callable[..., T], /, *args: Any, **more: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(function(*args, **more))
        except Exception as error:  # noqa: BLE001  # it is told, as by a thread
            future.set_exception(error)
        return future
