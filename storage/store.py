"""The Store of `bot.types` on SQLAlchemy: each verb is one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from bot.types import (
    Accepted,
    Answer,
    BalanceReading,
    Chat,
    ChatSummary,
    Clock,
    Deleted,
    Edited,
    Effect,
    IncomingMessage,
    Json,
    LedgerEntry,
    Membership,
    Message,
    Moved,
    Notice,
    Outcome,
    Outlay,
    PostId,
    Press,
    Reply,
    SettingRow,
    Spending,
    StopPressed,
    Store,
    Turn,
    TurnState,
)
from storage import arrivals, conversations, corrections, learning, moving, overhearing, reading, tidying, turns
from storage.engine import Database, Tx, parse_url
from storage.locks import DataLock
from storage.migrate import upgrade
from storage.peers import FilePeers, NoPeers, Peers

__all__ = ["DataLock", "SqlStore", "open_store"]


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


async def _upgrade(tx: Tx, progress: Callable[[int, int], None] | None) -> None:
    await tx.conn.run_sync(upgrade, progress)


async def _peers(database: Database, clock: Clock) -> Peers:
    if database.memory:
        return NoPeers()
    if not database.postgres:
        return FilePeers(Path(database.place), database.owner)
    from storage.listening import PostgresPeers  # needs psycopg, which only PostgreSQL does

    peers = PostgresPeers(database.url, owner=database.owner, clock=clock)
    await peers.open()
    return peers


class SqlStore(Store):
    """`busy` tells whether a transaction is under way."""

    def __init__(self, database: Database, peers: Peers) -> None:
        self._db = database
        self._peers = peers

    def busy(self) -> bool:
        return self._db.busy()

    async def history(self, chat: Chat, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        return await self._db.read(reading.history, chat, before=before, limit=limit)

    async def context(self, chat: Chat, *, before: tuple[int, int] | None = None, limit: int = 50) -> Sequence[Message]:
        return await self._db.read(reading.context, chat, before=before, limit=limit)

    async def settings(self, chat: Chat) -> Sequence[SettingRow]:
        return await self._db.read(reading.settings_in_force, chat)

    async def chats(
        self, platform: str, account: str, *, after: tuple[int, Chat] | None = None, search: str = "", limit: int = 100
    ) -> Sequence[ChatSummary]:
        read = conversations.conversations
        return await self._db.read(read, platform, account, after=after, search=search, limit=limit)

    async def turn(self, id: int) -> Turn | None:
        return await self._db.read(reading.turn, id)

    async def open_turns(self, chat: Chat) -> Sequence[Turn]:
        return await self._db.read(reading.open_turns, chat)

    async def backlog(self) -> Mapping[TurnState, int]:
        return await self._db.read(reading.backlog)

    async def last_turn(self, chat: Chat) -> Turn | None:
        return await self._db.read(reading.last_turn, chat)

    async def read_until(self, chat: Chat) -> int | None:
        return await self._db.read(overhearing.read_until, chat)

    async def question(self, turn: int) -> Sequence[Message]:
        return await self._db.read(reading.question, turn)

    async def ledger(self, turn: int) -> Sequence[LedgerEntry]:
        return await self._db.read(reading.entries, turn)

    async def spending(self, *, chat: Chat | None = None, since: int = 0) -> Spending:
        return await self._db.read(reading.spending, chat=chat, since=since)

    async def balance(self, gateway: str) -> BalanceReading | None:
        return await self._db.read(reading.balance, gateway)

    async def outlay(self, gateway: str, currency: str, *, since: int, most: int = 3) -> Outlay:
        return await self._db.read(reading.outlay, gateway, currency, since=since, most=most)

    async def alerts(self, gateway: str) -> Mapping[str, int]:
        return await self._db.read(reading.raised, gateway)

    async def learned(self, gateway: str) -> Mapping[str, Json]:
        return await self._db.read(reading.lessons, gateway)

    async def seen(self, key: str) -> bool:
        return await self._db.read(arrivals.seen, key)

    async def next_due(self, now: int) -> int | None:
        return await self._db.read(turns.next_due, now)

    async def accept(
        self, message: IncomingMessage, *, wait: float = 0.0, limit: int = 5, effects: Sequence[Effect] = ()
    ) -> Accepted:
        return await self._db.write(arrivals.accept, message, wait=wait, limit=limit, effects=effects)

    async def answer(
        self, event: IncomingMessage | Press | StopPressed | Edited | Membership, reply: Reply
    ) -> int | None:
        return await self._db.write(arrivals.answer, event, reply)

    async def edit(self, event: Edited) -> bool | None:
        return await self._db.write(corrections.edit, event)

    async def withdraw(self, event: Deleted) -> int | None:
        return await self._db.write(corrections.withdraw, event)

    async def move(self, event: Moved) -> bool:
        return await self._db.write(moving.move, event)

    async def membership(self, event: Membership) -> bool:
        return await self._db.write(arrivals.membership, event)

    async def adopt(self, chat: Chat, messages: Sequence[Message], *, until: int, turn: int) -> bool:
        return await self._db.write(overhearing.adopt, chat, messages, until=until, turn=turn)

    async def notify(self, chat: Chat, text: str, *, key: str, language: str = "en", not_before: int = 0) -> int | None:
        return await self._db.write(arrivals.notify, chat, text, key=key, language=language, not_before=not_before)

    async def claim(self, now: int) -> Turn | None:
        return await self._db.write(turns.claim, now)

    async def recover(self) -> int:
        return await self._db.write(turns.recover, self._peers.alive)

    async def release(self, turn: Turn) -> None:
        await self._db.write(turns.release, turn)

    async def begin(self, turn: Turn, entry: LedgerEntry) -> int:
        return await self._db.write(turns.begin, turn, entry)

    async def generated(self, turn: Turn, answer: Answer, entries: Mapping[int, LedgerEntry]) -> None:
        await self._db.write(turns.generated, turn, answer, entries)

    async def postpone(self, turn: Turn, until: int) -> None:
        await self._db.write(turns.postpone, turn, until)

    async def end(self, turn: Turn, outcome: Outcome) -> None:
        await self._db.write(turns.end, turn, outcome)

    async def intend(self, turn: Turn, index: int, *, repeat: bool = False) -> None:
        await self._db.write(turns.intend, turn, index, repeat=repeat)

    async def posted(self, turn: Turn, index: int, post: PostId, digest: str = "") -> None:
        await self._db.write(turns.posted, turn, index, post, digest)

    async def dropped(self, turn: Turn, index: int) -> None:
        await self._db.write(turns.dropped, turn, index)

    async def rename(self, chat: Chat, title: str) -> bool:
        return await self._db.write(conversations.rename, chat, title)

    async def delete(self, chat: Chat) -> bool:
        return await self._db.write(conversations.delete, chat)

    async def restore(self, chat: Chat) -> bool:
        return await self._db.write(conversations.restore, chat)

    async def erase(self, *, before: int, most: int = 20) -> int:
        return await self._db.write(conversations.erase, before=before, most=most)

    async def reading(self, reading: BalanceReading) -> None:
        await self._db.write(learning.reading, reading)

    async def alert(self, gateway: str, name: str, *, raised: bool, notices: Sequence[Notice] = ()) -> bool:
        return await self._db.write(learning.alert, gateway, name, raised=raised, notices=notices)

    async def learn(self, gateway: str, name: str, value: Json) -> None:
        await self._db.write(learning.learn, gateway, name, value)

    async def forget_keys(self, *, before: int, most: int = 500) -> int:
        return await self._db.write(tidying.forget_keys, before=before, most=most)

    async def thin_readings(self, gateway: str, *, before: int, most: int = 500) -> int:
        return await self._db.write(tidying.thin_readings, gateway, before=before, most=most)

    def watch(self, wake: Callable[[], None]) -> AbstractAsyncContextManager[None]:
        return self._peers.listen(wake)

    async def close(self) -> None:
        await self._peers.leave()
        await self._db.close()
