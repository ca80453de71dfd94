"""Corrections: what people change or take back after they have said it."""

from __future__ import annotations

import sqlalchemy as sa

from bot.types import Deleted, Edited, Outcome, Role, Signal, TurnKind, TurnState
from storage.database.engine import Tx
from storage.tables import ANSWER, WAITING_FIRST, inbound, messages, turns
from storage.verbs.arrivals import enter
from storage.verbs.notices import touch

__all__ = ["edit", "withdraw"]

_SAID = messages.c.role != Role.ASSISTANT


def edit(tx: Tx, event: Edited) -> bool | None:
    """What comes too late to be asked so leaves no key here, so that it can still be answered."""
    if not enter(tx, event.key):
        return False
    query = (
        sa.select(messages.c.id)
        .join(turns, turns.c.id == messages.c.turn)
        .where(messages.c.chat == event.chat.key, messages.c.post == event.post, WAITING_FIRST)
        .with_for_update(of=turns)
    )
    waits = tx.conn.execute(query).first() is not None
    if not waits:
        tx.conn.execute(sa.delete(inbound).where(inbound.c.key == event.key))
    here = [messages.c.chat == event.chat.key, messages.c.post == event.post, _SAID]
    now = {"text": event.text, **({} if event.quoted is None else {"quoted": event.quoted})}
    changed = tx.conn.execute(sa.update(messages).where(*here).values(now).returning(messages.c.id))
    return waits if changed.first() is not None else None


def withdraw(tx: Tx, event: Deleted) -> int | None:
    """The chat is locked before the turn, as everywhere."""
    if not enter(tx, event.key):
        return None
    here = [messages.c.chat == event.chat.key, messages.c.post == event.post, _SAID]
    if tx.conn.execute(sa.select(messages.c.id).where(*here)).first() is None:
        if event.message:
            enter(tx, event.message)
        return None
    touch(tx, event.chat)
    gone = tx.conn.execute(sa.delete(messages).where(*here).returning(messages.c.turn)).scalars().all()
    stopped = [turn for turn in gone if turn is not None and _without(tx, turn)]
    for turn in stopped:
        tx.tell(Signal.STOP, str(turn))
    return stopped[0] if stopped else None


def _without(tx: Tx, turn: int) -> bool:
    """What becomes of a turn that has lost one of its messages. True: it is under way, and to be stopped."""
    t = turns.c
    kind = sa.select(t.kind).where(t.id == turn).with_for_update()
    if tx.conn.execute(kind).scalar_one() != TurnKind.QUESTION:
        return False
    asked = sa.select(messages.c.post).where(messages.c.turn == turn, messages.c.role == Role.USER)
    left = tx.conn.execute(asked.order_by(messages.c.id)).scalars().all()
    if not left:
        answer = sa.update(messages).where(messages.c.turn == turn, ANSWER)
        tx.conn.execute(answer.values(in_context=False))
    ended = {"state": TurnState.ENDED, "outcome": Outcome.STOPPED}
    waits = sa.update(turns).where(t.id == turn, WAITING_FIRST).values({"reply_to": left[-1]} if left else ended)
    if tx.conn.execute(waits.returning(t.id)).first() is not None:
        return False
    under_way = sa.update(turns).where(t.id == turn, t.state != TurnState.ENDED).values(stop=True)
    return tx.conn.execute(under_way.returning(t.id)).first() is not None
