"""Arrivals: what comes in becomes durable, each event in one transaction and once: its key is inserted first.

On PostgreSQL the chat's row is locked next, so that what happens in one chat happens in one order, and turns after it:
who locks in this order never waits in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from bot.types import (
    Accepted,
    Chat,
    Edited,
    Effect,
    IncomingMessage,
    Membership,
    Notice,
    Outcome,
    Person,
    Press,
    Reply,
    Role,
    Signal,
    StopPressed,
    TurnKind,
    TurnState,
)
from storage.codec import message_values, turn_values
from storage.database.engine import Tx, insert_into
from storage.tables import IN_ORDER, OPEN, WAITING_FIRST, chats, inbound, messages, posts, turns
from storage.verbs.effects import apply, begin_anew
from storage.verbs.notices import insert, queue, save_own_words, touch

__all__ = ["accept", "answer", "enter", "membership", "notify", "seen"]

# statements that each message needs are built once: it takes longer to build than to run
_SEEN = sa.select(inbound.c.key).where(inbound.c.key == sa.bindparam("of", type_=inbound.c.key.type))
_WAITING = (
    sa.select(turns.c.id, turns.c.created)
    .where(
        turns.c.chat == sa.bindparam("in_chat", type_=turns.c.chat.type),
        turns.c.lane == sa.bindparam("in_lane", type_=turns.c.lane.type),
        WAITING_FIRST,
    )
    .with_for_update()
)

_LONGEST_WAIT = 5000  # ms from a turn's first message, however many follow


class _Question(NamedTuple):
    id: int
    created: int


def seen(tx: Tx, key: str) -> bool:
    return tx.conn.execute(_SEEN, {"of": key}).first() is not None


def accept(
    tx: Tx, message: IncomingMessage, *, wait: float = 0.0, limit: int = 5, effects: Sequence[Effect] = ()
) -> Accepted:
    if not enter(tx, message.key):
        return Accepted(None, seen=True)
    touch(tx, message.chat, title=message.title, said=True)
    point = tx.conn.begin_nested() if effects else None
    apply(tx, effects, by=message.author.id)
    lane = _lane(message)
    waiting = _waiting(tx, message.chat, lane)
    begun = _begun(tx, message, lane) if waiting is None and message.joins and not effects else None
    if begun is not None and _sending(tx, begun.id):
        tx.conn.execute(sa.delete(inbound).where(inbound.c.key == message.key))
        return Accepted(None, busy=True)
    waiting = waiting or begun
    if waiting is not None and _count(tx, waiting.id) >= limit:
        if point is not None:
            point.rollback()  # what is not taken changes nothing
        tx.conn.execute(sa.delete(inbound).where(inbound.c.key == message.key))  # its refusal can still be answered
        return Accepted(None, full=True, waiting=waiting.id)
    if point is not None:
        point.commit()
    due = tx.now + round(wait * 1000) if wait > 0 else 0
    if waiting is None:
        turn = _new_question(tx, message, lane, due)
    else:
        turn = waiting.id
        changed: dict[str, Any] = {"not_before": min(due, waiting.created + _LONGEST_WAIT)}
        if begun is None:
            changed["reply_to"] = message.post or turns.c.reply_to
        else:
            begin_anew(tx, turn)
        tx.conn.execute(sa.update(turns).where(turns.c.id == turn).values(changed))
    _save_user_message(tx, message, turn, in_context=True)
    tx.tell(Signal.WORK, message.chat.account_key)
    return Accepted(turn, anew=begun is not None)


def answer(tx: Tx, event: IncomingMessage | Press | StopPressed | Edited | Membership, reply: Reply) -> int | None:
    if not enter(tx, event.key):
        return None
    typed = isinstance(event, IncomingMessage | Edited)
    touch(tx, event.chat, title=getattr(event, "title", ""), said=typed or bool(reply.text))
    author = event.author or Person("")
    apply(tx, reply.effects, by=author.id)
    turn = None
    if reply.text:
        notice = turn_values(
            chat=event.chat.key,
            lane=IN_ORDER if reply.in_order else "",
            kind=TurnKind.NOTICE,
            state=TurnState.DELIVERING,
            asker=author,
            created=tx.now,
            group=getattr(event, "group", False),
            title=getattr(event, "title", ""),
            reply_to=event.post if isinstance(event, IncomingMessage | Edited) else None,
            text=reply.text,
            menu=reply.menu,
            outcome=Outcome.FAILED if reply.error else Outcome.WHOLE,
        )
        turn = insert(tx, turns, notice)
    if isinstance(event, IncomingMessage | Edited):
        _save_user_message(tx, event, turn, in_context=False)
    if isinstance(event, Membership):
        _note_presence(tx, event)
    if turn is not None:
        save_own_words(tx, event.chat, turn, reply.text)
        if isinstance(event, Press) and event.post is not None:
            standing = {"turn": turn, "position": 0, "post": event.post, "digest": "", "repeats": 0}
            tx.conn.execute(sa.insert(posts).values(standing))
    tx.tell(Signal.WORK, event.chat.account_key)
    return turn


def notify(tx: Tx, chat: Chat, text: str, *, key: str, language: str = "en", not_before: int = 0) -> int | None:
    if not enter(tx, key):
        return None
    return queue(tx, Notice(chat, text, language), not_before=not_before)


def membership(tx: Tx, event: Membership) -> bool:
    if not enter(tx, event.key):
        return False
    touch(tx, event.chat, title=event.title)
    _note_presence(tx, event)
    return True


def enter(tx: Tx, key: str, *, lasting: bool = False) -> bool:
    """Note an event as taken in. False if it was before."""
    row = {"key": key, "at": tx.now, "lasting": lasting}
    return tx.conn.execute(_entering(tx.postgres), row).first() is not None


@cache
def _entering(postgres: bool) -> sa.Executable:
    return insert_into(inbound, postgres).on_conflict_do_nothing().returning(inbound.c.key)


def _lane(message: IncomingMessage) -> str:
    whose = message.author.id if message.group else ""
    return f"{whose} {message.key}" if message.settings else whose


def _waiting(tx: Tx, chat: Chat, lane: str) -> _Question | None:
    found = tx.conn.execute(_WAITING, {"in_chat": chat.key, "in_lane": lane}).first()
    return _Question(found.id, found.created) if found is not None else None


def _begun(tx: Tx, message: IncomingMessage, lane: str) -> _Question | None:
    """The turn that the author's last words have begun, if that was just now and nobody has stopped it."""
    t = turns.c
    asked = [t.chat == message.chat.key, t.kind == TurnKind.QUESTION]
    tx.conn.execute(sa.select(t.id).where(*asked, OPEN).order_by(t.id).with_for_update())  # as `effects._reopen`
    newest = sa.select(t.id, t.created, t.asker, t.stop).where(*asked, t.lane == lane).order_by(t.id.desc()).limit(1)
    found = tx.conn.execute(newest.with_for_update()).first()
    if found is None or found.asker != message.author.id or found.stop or found.created < tx.now - _LONGEST_WAIT:
        return None
    return _Question(found.id, found.created)


def _sending(tx: Tx, turn: int) -> bool:
    query = sa.select(posts.c.position).where(posts.c.turn == turn, posts.c.post.is_(None))
    return tx.conn.execute(query).first() is not None


def _count(tx: Tx, turn: int) -> int:
    query = sa.select(sa.func.count()).where(messages.c.turn == turn)
    return int(tx.conn.execute(query).scalar_one())


def _new_question(tx: Tx, message: IncomingMessage, lane: str, due: int) -> int:
    row = turn_values(
        chat=message.chat.key,
        lane=lane,
        kind=TurnKind.QUESTION,
        state=TurnState.WAITING,
        asker=message.author,
        created=tx.now,
        not_before=min(due, tx.now + _LONGEST_WAIT),
        group=message.group,
        title=message.title,
        reply_to=message.post,
        settings=message.settings,
    )
    return insert(tx, turns, row)


def _save_user_message(tx: Tx, event: IncomingMessage | Edited, turn: int | None, *, in_context: bool) -> None:
    said = event if isinstance(event, IncomingMessage) else None
    row = message_values(
        chat=event.chat.key,
        turn=turn,
        role=Role.USER,
        author=event.author,
        text=event.text,
        at=event.at,
        attachments=said.attachments if said else (),
        quoted=said.quoted if said else "",
        quoted_by=said.quoted_by if said else None,
        forwarded_from=said.forwarded_from if said else None,
        post=event.post,
        in_context=in_context,
    )
    insert(tx, messages, row)


def _note_presence(tx: Tx, event: Membership) -> None:
    tx.conn.execute(sa.update(chats).where(chats.c.key == event.chat.key).values(present=event.present))
