"""Effects: what a command's answer changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from bot.types import Effect, Forget, Notice, Reopen, Role, SetSetting, Signal, Stop, TurnKind, TurnState
from storage.codec import answer_values
from storage.database.engine import Tx
from storage.tables import ANSWER, LOST, OPEN, WAITING_FIRST, chats, ledger, messages, posts, settings, turns
from storage.verbs.notices import queue

__all__ = ["apply", "begin_anew"]


def apply(tx: Tx, effects: Iterable[Effect], *, by: str) -> None:
    for effect in effects:
        match effect:
            case SetSetting():
                row = {"scope": effect.scope, "name": effect.name, "value": effect.value, "by": by, "at": tx.now}
                tx.conn.execute(sa.insert(settings).values(row))
            case Forget():
                _forget(tx, effect)
            case Stop():
                _stop(tx, effect)
            case Reopen():
                _reopen(tx, effect)
            case Notice():
                queue(tx, effect)


def _forget(tx: Tx, effect: Forget) -> None:
    """What waits may still get messages: from its turn on, `context` has to look."""
    key = effect.chat.key
    newest = sa.select(sa.func.max(messages.c.id)).where(messages.c.chat == key).scalar_subquery()
    last = sa.select(sa.func.max(turns.c.id)).where(turns.c.chat == key).scalar_subquery()
    first_open = sa.select(sa.func.min(turns.c.id)).where(turns.c.chat == key, OPEN).scalar_subquery()
    marks = {"forgotten": sa.func.coalesce(newest, 0), "forgotten_turn": sa.func.coalesce(first_open, last, 0)}
    tx.conn.execute(sa.update(chats).where(chats.c.key == key).values(marks))


def _stop(tx: Tx, effect: Stop) -> None:
    """What nobody has worked on yet is answered with `instead`, and is no context. The others learn it from their turn;
    one that is asked again has messages, which must say so."""
    t = turns.c
    meant = [t.id == effect.turn, t.chat == effect.chat.key, t.kind == TurnKind.QUESTION, OPEN]
    tx.conn.execute(sa.select(t.id).where(*meant).with_for_update())
    tx.conn.execute(sa.update(turns).where(*meant).values(stop=True))
    tx.tell(Signal.STOP, str(effect.turn))
    answered = {"state": TurnState.DELIVERING, "not_before": tx.now, **answer_values(effect.instead)}
    idle = sa.update(turns).where(*meant, WAITING_FIRST).values(answered).returning(t.id)
    if tx.conn.execute(idle).first() is not None:
        asked = sa.update(messages).where(messages.c.turn == effect.turn, messages.c.role == Role.USER)
        tx.conn.execute(asked.values(in_context=False))


_UNANSWERED: dict[str, Any] = {
    "state": TurnState.WAITING,
    "owner": None,
    "stop": False,
    "base": "",
    "text": "",
    "reasoning": "",
    "notes": [],
    "menu": None,
    "outcome": None,
}


def begin_anew(tx: Tx, turn: int) -> None:
    """Its question has become another one. Whoever answers the old one is overtaken; what stands in the chat is
    replaced in place."""
    tx.conn.execute(sa.update(turns).where(turns.c.id == turn).values(**_UNANSWERED, attempt=turns.c.attempt + 1))
    # the new one stands below all that is asked, and not where the old one stood
    tx.conn.execute(sa.delete(messages).where(messages.c.turn == turn, ANSWER))
    lost = {"ended": tx.now, "finish": LOST}  # nobody will hear how its open calls end
    tx.conn.execute(sa.update(ledger).where(ledger.c.turn == turn, ledger.c.ended.is_(None)).values(lost))


def _reopen(tx: Tx, effect: Reopen) -> None:
    """Locks the chat's open questions: a claim that has looked already ends first, or finds this one before its own."""
    t = turns.c
    in_chat = [t.chat == effect.chat.key, t.kind == TurnKind.QUESTION]
    tx.conn.execute(sa.select(t.id).where(*in_chat, OPEN).order_by(t.id).with_for_update())
    fresh = {
        **_UNANSWERED,
        "attempt": sa.case((t.attempt == 0, 1), else_=t.attempt),  # it is no longer one that messages are attached to
        "not_before": tx.now,  # asked now: old as it may be, it is not stale
        "base": t.text if effect.go_on else "",
    }
    ended = [*in_chat, t.id == effect.turn, t.state == TurnState.ENDED]
    reopened = tx.conn.execute(sa.update(turns).where(*ended).values(fresh).returning(t.id))
    if reopened.first() is not None:
        hide = sa.update(messages).where(messages.c.turn == effect.turn, ANSWER).values(hidden=True)
        tx.conn.execute(hide)
        never_answered = [posts.c.turn == effect.turn, posts.c.post.is_(None)]
        tx.conn.execute(sa.update(posts).where(*never_answered).values(repeats=0))  # it may be sent again, anew
