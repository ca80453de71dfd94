"""Chat migration: a chat goes on under another id: its threads, messages, turns and settings go along."""

from __future__ import annotations

import sqlalchemy as sa

from bot.types import Chat, Moved, Signal, TurnState
from storage.codec import account_of
from storage.database.engine import Tx
from storage.tables import WAITING_FIRST, chats, messages, posts, settings, turns
from storage.verbs.arrivals import enter
from storage.verbs.notices import touch

__all__ = ["move"]


def move(tx: Tx, event: Moved) -> bool:
    if not enter(tx, event.key):
        return False
    old, new = event.chat.key, event.to.key
    if old == new:
        return True
    found = tx.conn.execute(sa.select(chats.c.key).where(_under(chats.c.key, old)).order_by(chats.c.key))
    for key in found.scalars().all():
        _move_chat(tx, key, new + key[len(old) :])
    rest = sa.literal(new) + sa.func.substr(settings.c.scope, len(old) + 1)
    tx.conn.execute(sa.update(settings).where(_under(settings.c.scope, old)).values(scope=rest))
    tx.tell(Signal.WORK, event.to.account_key)
    return True


def _under(column: sa.ColumnElement[str], key: str) -> sa.ColumnElement[bool]:
    """The chat itself and its threads. Not LIKE: keys have % in them."""
    return sa.or_(column == key, sa.func.substr(column, 1, len(key) + 1) == key + "/")


def _move_chat(tx: Tx, old: str, new: str) -> None:
    """Under the new key there may be something already: its first message can be quicker than the news of the move."""
    touch(tx, Chat.parse(new))
    keys = sorted((old, new))
    rows = tx.conn.execute(sa.select(chats).where(chats.c.key.in_(keys)).order_by(chats.c.key).with_for_update())
    row = {found["key"]: found for found in rows.mappings()}
    _join_waiting(tx, old, new)
    _forget_posts(tx, old)
    tx.conn.execute(sa.update(messages).where(messages.c.chat == old).values(chat=new, post=None))
    tx.conn.execute(
        sa.update(turns).where(turns.c.chat == old).values(chat=new, account=account_of(new), reply_to=None)
    )
    times = [row[key]["last"] for key in keys if row[key]["last"] is not None]
    merged = {
        "title": row[new]["title"] or row[old]["title"],
        "forgotten": max(row[key]["forgotten"] for key in keys),
        "forgotten_turn": min(row[key]["forgotten_turn"] for key in keys),
        "last": max(times, default=None),
    }
    tx.conn.execute(sa.update(chats).where(chats.c.key == new).values(merged))
    tx.conn.execute(sa.delete(chats).where(chats.c.key == old))


def _forget_posts(tx: Tx, old: str) -> None:
    """In the new chat the same ids are other messages, which must be neither replied to nor changed. (An intent of
    unknown outcome stays: it may stand there.)"""
    here = sa.select(turns.c.id).where(turns.c.chat == old)
    tx.conn.execute(sa.delete(posts).where(posts.c.turn.in_(here), posts.c.post.is_not(None)))


def _join_waiting(tx: Tx, old: str, new: str) -> None:
    """Where a turn waits on both sides, the older one takes the other's messages: only one may wait."""
    t = turns.c
    query = sa.select(t.id, t.lane).where(t.chat.in_((old, new)), WAITING_FIRST).order_by(t.id).with_for_update()
    first: dict[str, int] = {}
    for row in tx.conn.execute(query).all():
        into = first.setdefault(row.lane, row.id)
        if into != row.id:
            tx.conn.execute(sa.update(messages).where(messages.c.turn == row.id).values(turn=into, after_turn=into))
            tx.conn.execute(sa.delete(turns).where(t.id == row.id, t.state == TurnState.WAITING))
