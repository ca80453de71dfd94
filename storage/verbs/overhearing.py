"""Overheard messages: what people said in a chat that was not said to us: read where the platform can be asked, and
kept as context."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import sqlalchemy as sa

from bot.types import Chat, Message, Role
from storage.codec import message_values
from storage.database.engine import Tx, insert_into
from storage.tables import chats, inbound, messages, turns
from storage.verbs.notices import insert, touch

__all__ = ["adopt", "read_until"]


_UNTIL = sa.select(inbound.c.at).where(inbound.c.key == sa.bindparam("of", type_=inbound.c.key.type))


def read_until(tx: Tx, chat: Chat) -> int | None:
    found: int | None = tx.conn.execute(_UNTIL, {"of": _key(chat)}).scalar_one_or_none()
    return found


def adopt(tx: Tx, chat: Chat, said: Sequence[Message], *, until: int, turn: int) -> bool:
    """They belong to no turn. The first time they came before all that is in context; later ones after the turn before
    this one."""
    is_first = bool(said) and read_until(tx, chat) is None
    if not _mark(tx, chat, until):
        return False
    if not said:
        return True
    touch(tx, chat)
    known = _known(tx, chat, [message.post for message in said if message.post])
    place = _begin(tx, chat) if is_first else _turn_before(tx, chat, turn)
    for message in said:
        if message.post in known or (not is_first and message.role is Role.ASSISTANT):
            continue
        row = message_values(
            chat=chat.key,
            turn=None,
            after_turn=place,
            role=message.role if is_first else Role.OVERHEARD,
            author=message.author,
            text=message.text,
            at=message.at,
            attachments=message.attachments,
            quoted=message.quoted,
            quoted_by=message.quoted_by,
            forwarded_from=message.forwarded_from,
            post=message.post,
            in_context=True,
        )
        insert(tx, messages, row)
    return True


def _key(chat: Chat) -> str:
    return f"older/{chat.key}"


def _mark(tx: Tx, chat: Chat, until: int) -> bool:
    """False if it has been read as far before."""
    row = {"key": _key(chat), "at": until, "lasting": True}
    return tx.conn.execute(_further(tx.postgres), row).first() is not None


@cache
def _further(postgres: bool) -> sa.Executable:
    new = insert_into(inbound, postgres)
    further = new.on_conflict_do_update(
        index_elements=[inbound.c.key], set_={"at": new.excluded["at"]}, where=inbound.c.at < new.excluded["at"]
    )
    return further.returning(inbound.c.key)


def _known(tx: Tx, chat: Chat, posts: Sequence[str]) -> set[str | None]:
    query = sa.select(messages.c.post).where(messages.c.chat == chat.key, messages.c.post.in_(posts))
    return set(tx.conn.execute(query).scalars())


def _begin(tx: Tx, chat: Chat) -> int:
    """A place before all turns that are in context."""
    since = sa.select(chats.c.forgotten_turn).where(chats.c.key == chat.key)
    return max(0, int(tx.conn.execute(since).scalar_one()) - 1)


def _turn_before(tx: Tx, chat: Chat, turn: int) -> int:
    before = sa.select(sa.func.max(turns.c.id)).where(turns.c.chat == chat.key, turns.c.id < turn)
    return int(tx.conn.execute(before).scalar_one() or 0)
