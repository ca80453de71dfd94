"""Notices: words of our own for a chat: a turn whose text is known already, queued in the transaction that it is part
of."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.types import Chat, Notice, Outcome, Person, Role, Signal, TurnKind, TurnState
from storage.codec import message_values, turn_values
from storage.database.engine import Tx, insert_into
from storage.tables import chats, messages, turns

__all__ = ["insert", "queue", "save_own_words", "touch"]


def queue(tx: Tx, notice: Notice, *, not_before: int = 0) -> int:
    """Returns its turn."""
    touch(tx, notice.chat, title=notice.title, keep=True, said=True)
    row = turn_values(
        chat=notice.chat.key,
        kind=TurnKind.NOTICE,
        state=TurnState.DELIVERING,
        asker=Person("", language=notice.language),
        created=tx.now,
        not_before=not_before,
        text=notice.text,
        outcome=Outcome.WHOLE,
    )
    turn = insert(tx, turns, row)
    save_own_words(tx, notice.chat, turn, notice.text)
    tx.tell(Signal.WORK, notice.chat.account_key)
    return turn


def touch(tx: Tx, chat: Chat, *, title: str = "", keep: bool = False, said: bool = False) -> None:
    """Make the chat known and lock its row; `keep` the title it has; `said`: it has a new message."""
    row = {"key": chat.key, "platform": chat.platform, "account": chat.account, "title": title}
    fresh = {"last": tx.now if said else None, "present": True, "forgotten": 0, "forgotten_turn": 0}
    tx.conn.execute(_touching(tx.postgres, keep), row | fresh)


@cache
def _touching(postgres: bool, keep: bool) -> sqlite.Insert | postgresql.Insert:
    new, c = insert_into(chats, postgres), chats.c
    # who writes in a chat that was deleted elsewhere has it back
    again = {"deleted": sa.case((new.excluded["last"].is_not(None), None), else_=c.deleted)}
    last = sa.func.coalesce(new.excluded["last"], c.last)
    kept = sa.case((c.title == "", new.excluded["title"]), else_=c.title)
    titled = kept if keep else sa.case((new.excluded["title"] == "", c.title), else_=new.excluded["title"])
    return new.on_conflict_do_update(index_elements=[c.key], set_={"title": titled, "last": last, **again})


def save_own_words(tx: Tx, chat: Chat, turn: int, text: str) -> None:
    row = message_values(chat=chat.key, turn=turn, role=Role.ASSISTANT, author=Person(""), text=text, at=tx.now)
    insert(tx, messages, row)


def insert(tx: Tx, table: sa.Table, row: dict[str, Any]) -> int:
    """Returns the new row's id."""
    return int(tx.conn.execute(_inserting(table), row).scalar_one())


@cache
def _inserting(table: sa.Table) -> sa.Executable:
    return sa.insert(table).returning(table.c.id)
