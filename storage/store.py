"""The Store of `bot.types` on SQLAlchemy: each verb is one transaction."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from bot.errors import StoreError
from bot.types import Clock, Holding, Signal, Store
from storage.database.engine import Database, Tx, parse_url
from storage.database.locks import DataLock
from storage.database.migrate import upgrade
from storage.database.peers import FilePeers, NoPeers, Peers
from storage.verbs import arrivals, conversations, corrections, learning, leases, moving, overhearing, reading
from storage.verbs import queue as turns
from storage.verbs import retention as tidying

__all__ = ["DataLock", "SqlStore", "open_store"]

P = ParamSpec("P")
T = TypeVar("T")


async def open_store(
    url: str, *, owner: str, clock: Clock, progress: Callable[[int, int], None] | None = None
) -> SqlStore:
    """Open the database at `url` and bring it up to date; `progress` hears of each step: its number, of how many.

    `url`: sqlite:// (in memory), sqlite:///path, postgresql://...; `owner` names this process for people.
    Raises SettingError for an address that is none, StoreError for one that leads nowhere.
    """
    parsed = parse_url(url)
    database = Database(parsed, owner=f"{owner}/{secrets.token_hex(8)}", clock=clock)
    try:
        await database.write(_upgrade, progress)
        return SqlStore(database, await _peers(database, clock))
    except BaseException:
        await database.close()
        raise


def _upgrade(tx: Tx, progress: Callable[[int, int], None] | None) -> None:
    upgrade(tx.conn, progress)


async def _peers(database: Database, clock: Clock) -> Peers:
    if database.memory:
        return NoPeers()
    if not database.postgres:
        return FilePeers(Path(database.place), database.owner)
    from storage.database.listening import PostgresPeers  # needs psycopg, which only PostgreSQL does

    peers = PostgresPeers(database.url, owner=database.owner, clock=clock)
    await peers.open()
    return peers


def _read(verb: Callable[Concatenate[Tx, P], T]) -> Callable[Concatenate[SqlStore, P], Coroutine[Any, Any, T]]:
    """A verb that only reads, as a method."""

    async def run(store: SqlStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store.database.read(verb, *args, **kwargs)

    return run


def _write(verb: Callable[Concatenate[Tx, P], T]) -> Callable[Concatenate[SqlStore, P], Coroutine[Any, Any, T]]:
    """A verb that writes, as a method."""

    async def run(store: SqlStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store.database.write(verb, *args, **kwargs)

    return run


class SqlStore(Store):
    """The verbs, each a plain function over a transaction, listed by what they are about. `busy` tells whether a
    transaction is under way."""

    def __init__(self, database: Database, peers: Peers) -> None:
        self.database = database
        self._peers = peers
        self._wanted: frozenset[str] = frozenset()

    # what was said, and what holds
    history = _read(reading.history)
    context = _read(reading.context)
    question = _read(reading.question)
    settings = _read(reading.settings_in_force)
    read_until = _read(overhearing.read_until)
    adopt = _write(overhearing.adopt)

    # conversations
    chats = _read(conversations.conversations)
    newest_chat = _read(conversations.newest)
    rename = _write(conversations.rename)
    delete = _write(conversations.delete)
    restore = _write(conversations.restore)
    erase = _write(conversations.erase)

    # what comes in
    seen = _read(arrivals.seen)
    accept = _write(arrivals.accept)
    answer = _write(arrivals.answer)
    membership = _write(arrivals.membership)
    notify = _write(arrivals.notify)
    edit = _write(corrections.edit)
    withdraw = _write(corrections.withdraw)
    move = _write(moving.move)

    # the queue
    turn = _read(reading.turn)
    open_turns = _read(reading.open_turns)
    last_turn = _read(reading.last_turn)
    backlog = _read(reading.backlog)
    next_due = _read(turns.next_due)
    claim = _write(turns.claim)
    stopped = _read(turns.stopped)
    release = _write(turns.release)
    begin = _write(turns.begin)
    generated = _write(turns.generated)
    postpone = _write(turns.postpone)
    end = _write(turns.end)
    intend = _write(turns.intend)
    posted = _write(turns.posted)
    dropped = _write(turns.dropped)

    # money, and what gateways taught
    ledger = _read(reading.entries)
    spending = _read(reading.spending)
    balance = _read(reading.balance)
    outlay = _read(reading.outlay)
    alerts = _read(reading.raised)
    learned = _read(reading.lessons)
    reading = _write(learning.reading)
    alert = _write(learning.alert)
    learn = _write(learning.learn)

    # what is old
    forget_keys = _write(tidying.forget_keys)
    thin_readings = _write(tidying.thin_readings)

    def busy(self) -> bool:
        return self.database.busy()

    async def recover(self) -> int:
        return await self.database.write(turns.recover, self._peers.alive)

    async def hold(self, wanted: Collection[str], *, taking: bool = True) -> Holding:
        self._wanted = frozenset(wanted)
        if self.database.postgres:
            return await self.database.write(leases.hold, wanted, self._peers.alive, taking=taking)
        return Holding(dict.fromkeys(wanted, math.inf))

    async def let_go(self, accounts: Collection[str]) -> None:
        if self.database.postgres:
            await self.database.write(leases.let_go, accounts)

    async def holders(self) -> Collection[str]:
        if not self.database.postgres:
            return self._wanted  # who has the file has all
        return await self.database.read(leases.holders)

    def watch(self, hear: Callable[[Signal, str], None]) -> AbstractAsyncContextManager[None]:
        return self._peers.listen(hear)

    async def close(self) -> None:
        if self.database.postgres and self._wanted:
            with suppress(StoreError):
                await self.database.write(leases.leave)
        await self._peers.leave()
        await self.database.close()
