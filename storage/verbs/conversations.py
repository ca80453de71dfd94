"""Conversation list: read page by page and searched; and what is done to one of them as a whole.

A deleted chat is out of every list at once and can be brought back for a while; `erase` then takes it out of the store.
What its answers cost stays in the ledger, which holds no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.types import Chat, ChatSummary, Outcome, Role, Signal, TurnKind, TurnState
from storage.database.engine import Tx
from storage.tables import IN_CONTEXT, OPEN, WAITING_FIRST, chats, ledger, messages, posts, settings, turns

__all__ = ["conversations", "delete", "erase", "newest", "rename", "restore"]

_TITLE = 60  # characters of a first question that stand for a chat's title


def conversations(
    tx: Tx, platform: str, account: str, *, after: tuple[int, Chat] | None = None, search: str = "", limit: int = 100
) -> Sequence[ChatSummary]:
    c = chats.c
    asked = _first_question(IN_CONTEXT).label("asked")
    said = _first_question(sa.true()).label("said")
    query = sa.select(c.key, c.title, c.last, asked, said).where(
        c.platform == platform, c.account == account, c.last.is_not(None), c.deleted.is_(None)
    )
    if after is not None:
        last, key = after[0], after[1].key
        query = query.where(sa.or_(c.last < last, sa.and_(c.last == last, c.key > key)))
    for word in search.split():
        query = query.where(_has(word))
    rows = tx.conn.execute(query.order_by(c.last.desc(), c.key).limit(limit))
    return [ChatSummary(Chat.parse(row.key), row.title or _line(row.asked or row.said or ""), row.last) for row in rows]


def _newest() -> sa.Select[Any]:
    """Of the conversations in one place; behind `:with_threads` stand the keys of its threads."""
    c = chats.c
    room, threads, besides, since, platform, account = (
        sa.bindparam(name, type_=column.type)
        for name, column in (
            ("in_room", c.key),
            ("with_threads", c.key),
            ("besides", c.key),
            ("since", c.last),
            ("on_platform", c.platform),
            ("of_account", c.account),
        )
    )
    inside = sa.or_(c.key == room, sa.func.substr(c.key, 1, sa.func.length(threads)) == threads)
    listed = sa.and_(c.platform == platform, c.account == account, c.last >= since, c.deleted.is_(None))
    return sa.select(c.key).where(listed, inside, c.key != besides).order_by(c.last.desc(), c.key).limit(1)


_NEWEST = _newest()  # built once: it takes longer to build than to run


def newest(tx: Tx, room: Chat, *, besides: Chat | None = None, since: int = 0) -> Chat | None:
    of = {"on_platform": room.platform, "of_account": room.account, "in_room": room.key, "since": since}
    of |= {"with_threads": f"{room.key}/", "besides": besides.key if besides is not None else ""}
    key = tx.conn.execute(_NEWEST, of).scalar_one_or_none()
    return None if key is None else Chat.parse(key)


def _first_question(which: sa.ColumnElement[bool]) -> sa.ScalarSelect[str]:
    """Of what was said the first that asked the model something: a command's words are no title."""
    m = messages.c
    said = sa.select(m.text).join(turns, turns.c.id == m.turn).where(m.chat == chats.c.key, m.role == Role.USER)
    return (
        said.where(turns.c.kind == TurnKind.QUESTION, sa.func.trim(m.text) != "", which)
        .order_by(m.id)
        .limit(1)
        .scalar_subquery()
    )


def _has(word: str) -> sa.ColumnElement[bool]:
    """In the title or in what was said; capitals don't matter, as far as the database knows them (SQLite: A to Z)."""
    m = messages.c
    said = sa.exists().where(
        m.chat == chats.c.key,
        sa.or_(m.role == Role.USER, IN_CONTEXT),
        ~m.hidden,
        m.text.icontains(word, autoescape=True),
    )
    return sa.or_(chats.c.title.icontains(word, autoescape=True), said)


def rename(tx: Tx, chat: Chat, title: str) -> bool:
    return _changed(tx, chat, chats.c.deleted.is_(None), title=title)


def delete(tx: Tx, chat: Chat) -> bool:
    """What waits in it ends; what is being answered is told to."""
    if not _changed(tx, chat, chats.c.deleted.is_(None), deleted=tx.now):
        return False
    here = turns.c.chat == chat.key
    running = sa.update(turns).where(here, OPEN).values(stop=True).returning(turns.c.id)
    for turn in tx.conn.execute(running).scalars().all():
        tx.tell(Signal.STOP, str(turn))
    over = {"state": TurnState.ENDED, "outcome": Outcome.STOPPED}
    tx.conn.execute(sa.update(turns).where(here, WAITING_FIRST).values(over))
    return True


def restore(tx: Tx, chat: Chat) -> bool:
    return _changed(tx, chat, chats.c.deleted.is_not(None), deleted=None)


def _changed(tx: Tx, chat: Chat, which: sa.ColumnElement[bool], **values: str | int | None) -> bool:
    change = sa.update(chats).where(chats.c.key == chat.key, which).values(values)
    return tx.conn.execute(change.returning(chats.c.key)).first() is not None


def erase(tx: Tx, *, before: int, most: int = 20) -> int:
    """One with an answer under way waits for its end."""
    c = chats.c
    at_work = sa.exists().where(turns.c.chat == c.key, OPEN)
    old = sa.select(c.key).where(c.deleted < before, ~at_work).order_by(c.key).limit(most).with_for_update()
    keys = tx.conn.execute(old).scalars().all()
    if not keys:
        return 0
    theirs = sa.select(turns.c.id).where(turns.c.chat.in_(keys))
    tx.conn.execute(sa.update(ledger).where(ledger.c.turn.in_(theirs)).values(turn=None))
    tx.conn.execute(sa.delete(posts).where(posts.c.turn.in_(theirs)))
    tx.conn.execute(sa.delete(messages).where(messages.c.chat.in_(keys)))
    tx.conn.execute(sa.delete(turns).where(turns.c.chat.in_(keys)))
    tx.conn.execute(sa.delete(settings).where(settings.c.scope.in_(keys)))
    tx.conn.execute(sa.delete(chats).where(c.key.in_(keys)))
    return len(keys)


def _line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0].strip()[:_TITLE] if lines else ""
