"""Notifications of PostgreSQL: a session of our own, which says that we live (an advisory lock) and hears what others
queue (LISTEN)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import URL

from bot.errors import StoreError
from bot.types import Clock, Signal
from storage.database.engine import CHANNEL, Tx
from storage.database.errors import translated

__all__ = ["PostgresPeers"]

_AGAIN = 1.0  # seconds between two attempts to come back
_LOOK = 30.0  # seconds after which a lock that was not to be had is tried again


class PostgresPeers:
    """Lose the session, and the others take our turns over; the turns' fences make that safe."""

    def __init__(self, url: URL, *, owner: str, clock: Clock) -> None:
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._place = url.render_as_string()
        self._owner = owner
        self._clock = clock
        self._conn: psycopg.AsyncConnection | None = None
        self._held = False

    async def open(self) -> None:
        with translated(self._place, psycopg.Error):
            self._conn = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
            await self._conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            await self._hold()

    def alive(self, tx: Tx, owner: str) -> bool:
        """A lock that is to be had is a dead one's."""
        taken = sa.func.pg_try_advisory_xact_lock(sa.literal(_number(owner), sa.BigInteger))
        return not tx.conn.execute(sa.select(taken)).scalar_one()

    @asynccontextmanager
    async def listen(self, hear: Callable[[Signal, str], None]) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self._listen(hear))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def leave(self) -> None:
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    async def _listen(self, hear: Callable[[Signal, str], None]) -> None:
        while True:
            try:
                if self._conn is None:
                    await self.open()
                    hear(Signal.BACK, "")
                await self._hear(hear)
            except (psycopg.Error, StoreError):  # the server is away: its turns are in the store, we come back
                hear(Signal.LOST, "")
                await self.leave()
                await self._clock.sleep(_AGAIN)

    async def _hear(self, hear: Callable[[Signal, str], None]) -> None:
        assert self._conn is not None
        while True:
            if not self._held:
                await self._hold()
            async for told in self._conn.notifies(timeout=None if self._held else _LOOK):
                teller, _, told_of = told.payload.rpartition(" ")[0].rpartition(" ")
                if teller != self._owner:
                    hear(Signal(told_of), told.payload.rpartition(" ")[2])

    async def _hold(self) -> None:
        """Not to be had while the server still takes our last session for alive: then that one's lock speaks for us."""
        assert self._conn is not None
        cursor = await self._conn.execute("SELECT pg_try_advisory_lock(%s::bigint)", (_number(self._owner),))
        row = await cursor.fetchone()
        self._held = row is not None and bool(row[0])


def _number(owner: str) -> int:
    """A process's number among the advisory locks."""
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8], signed=True)
