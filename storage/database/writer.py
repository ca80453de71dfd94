"""Group commit of SQLite's one writer: transactions that wait while another is committed share the next commit."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from storage.database.errors import translated

__all__ = ["Writer"]

_MOST = 64  # transactions that share a commit

Verb = Callable[[sa.Connection], Any]
Outcome = tuple[Any, BaseException | None]


@dataclass(frozen=True, slots=True)
class _Asked:
    verb: Verb
    future: asyncio.Future[Any]


class Writer:
    """Runs transactions in the order of asking, in `threads`, which has one thread. `place` is the database for people.

    A commit waits for the disk, longer than all the rest takes. So what has come meanwhile runs as one, each part in a
    savepoint of its own, and nobody hears of it before all is committed. Where the database itself fails, each is run
    again alone, so that it hears of its own trouble only.
    """

    def __init__(self, engine: sa.Engine, threads: Executor, place: str) -> None:
        self._engine = engine
        self._threads = threads
        self._place = place
        self._waiting: deque[_Asked] = deque()
        self._lock = threading.Lock()
        self._busy = False

    def run(self, verb: Verb) -> asyncio.Future[Any]:
        """What `verb` returns or raises, StoreError for the database's own errors; once it is committed, or undone."""
        loop = asyncio.get_running_loop()
        asked = _Asked(verb, loop.create_future())
        with self._lock:
            self._waiting.append(asked)
            idle, self._busy = not self._busy, True
        if idle:
            try:
                self._threads.submit(self._work, loop)
            except RuntimeError:  # closed: whoever comes next hears so too, and doesn't wait for nobody
                with self._lock:
                    self._waiting.clear()
                    self._busy = False
                raise
        return asked.future

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
        outcomes = self._together(batch) if len(batch) > 1 else None
        outcomes = outcomes or [self._alone(asked.verb) for asked in batch]
        loop.call_soon_threadsafe(_settle, batch, outcomes)
        with self._lock:
            more = self._busy = bool(self._waiting)
        if more:
            self._threads.submit(self._work, loop)

    def _alone(self, verb: Verb) -> Outcome:
        try:
            with translated(self._place), self._engine.begin() as conn:
                result = verb(conn)
        except BaseException as error:  # noqa: BLE001 - whoever asked is told
            return None, error
        return result, None

    def _together(self, batch: list[_Asked]) -> list[Outcome] | None:
        """None if nothing of it has become true, though it had begun."""
        begun = False
        try:
            with translated(self._place), self._engine.begin() as conn:
                begun = True
                outcomes = [self._nested(conn, asked.verb) for asked in batch]
        except BaseException as error:  # noqa: BLE001 - MemoryError, for instance; whoever asked is told
            return None if begun else [(None, error)] * len(batch)
        return outcomes

    def _nested(self, conn: sa.Connection, verb: Verb) -> Outcome:
        """Raises SQLAlchemyError where the database fails: it may have rolled everything back."""
        point = conn.begin_nested()
        try:
            with translated(self._place):
                result = verb(conn)
        except BaseException as error:  # noqa: BLE001 - whoever asked is told
            if isinstance(error.__cause__, SQLAlchemyError):
                raise error.__cause__ from None
            point.rollback()
            return None, error
        point.commit()
        return result, None


def _settle(batch: list[_Asked], outcomes: list[Outcome]) -> None:
    for asked, (result, error) in zip(batch, outcomes, strict=True):
        if asked.future.done():
            continue
        if error is None:
            asked.future.set_result(result)
        else:
            asked.future.set_exception(error)
