"""Turn queue: the work on turns. Every write says for which attempt it speaks; one that is outdated gets Superseded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.errors import Superseded
from bot.types import Answer, LedgerEntry, Outcome, Person, PostId, Role, Signal, Turn, TurnKind, TurnState
from storage.codec import account_of, answer_values, entry_values, message_values
from storage.database.engine import Tx, insert_into
from storage.tables import ANSWER, FREE, IN_ORDER, LOST, OPEN, chats, ledger, messages, posts, turns
from storage.verbs.notices import insert
from storage.verbs.reading import turns_of

__all__ = [
    "begin",
    "claim",
    "dropped",
    "end",
    "generated",
    "intend",
    "lose",
    "next_due",
    "posted",
    "postpone",
    "recover",
    "release",
    "stopped",
]


_OURS = turns.c.account.in_(sa.bindparam("accounts", expanding=True))


def _free() -> sa.ColumnElement[bool]:
    """Due at `:now`, of one of `:accounts`, nobody's, and the first of its chat with nobody at work there; a notice
    waits for no one, unless it is to stand below the answers that it stopped."""
    t, other = turns.c, turns.alias("other")
    o = other.c
    ahead = sa.exists().where(
        o.chat == t.chat,
        o.kind == TurnKind.QUESTION,
        o.state != sa.literal(TurnState.ENDED.value, literal_execute=True),
        o.id != t.id,
        sa.or_(o.owner.is_not(None), o.id < t.id),
    )
    due = t.not_before <= sa.bindparam("now", type_=t.not_before.type)
    stopped = sa.exists().where(
        o.chat == t.chat,
        o.kind == TurnKind.QUESTION,
        o.state != sa.literal(TurnState.ENDED.value, literal_execute=True),
        o.stop.is_(True),
        o.id < t.id,
    )
    notice = sa.and_(t.kind == TurnKind.NOTICE, sa.or_(t.lane != IN_ORDER, ~stopped))
    return sa.and_(FREE, _OURS, due, sa.or_(notice, sa.and_(t.kind == TurnKind.QUESTION, ~ahead)))


# built once: it takes longer to build than to run. "+ 0", or SQLite walks through all turns from the first on to have
# them in order
_FREE_NOW = _free()
_LOOK = (
    sa.select(turns.c.id).where(_FREE_NOW).order_by(turns.c.id + 0).limit(1).with_for_update(skip_locked=True, of=turns)
)


_NEXT = (
    sa.select(turns.c.not_before)
    .where(FREE, _OURS, turns.c.not_before > sa.bindparam("now", type_=turns.c.not_before.type))
    .order_by(turns.c.not_before)
    .limit(1)
)
_OWNERS = sa.select(turns.c.owner).distinct().where(OPEN, turns.c.owner.is_not(None))
_MINE = sa.and_(
    turns.c.id == sa.bindparam("turn", type_=turns.c.id.type),
    turns.c.attempt == sa.bindparam("of", type_=turns.c.attempt.type),
)
_FENCE = sa.select(turns.c.id).where(_MINE).with_for_update()
_CHANGE = sa.update(turns).where(_MINE).returning(turns.c.id)
_TAKE = (
    sa.update(turns)
    .where(turns.c.id == sa.bindparam("found", type_=turns.c.id.type), _FREE_NOW)
    .values(
        owner=sa.bindparam("by", type_=turns.c.owner.type),
        attempt=turns.c.attempt + 1,
        state=sa.case((turns.c.state == TurnState.WAITING, TurnState.RUNNING.value), else_=turns.c.state),
    )
    .returning(turns)
)
_TURN = sa.bindparam("of", type_=turns.c.id.type)
_HERE = (
    sa.update(chats)
    .where(chats.c.key == sa.select(turns.c.chat).where(turns.c.id == _TURN).scalar_subquery())
    .returning(chats.c.key, chats.c.forgotten)
)
_ASKED = sa.update(messages).where(messages.c.turn == _TURN, messages.c.role == Role.USER).returning(messages.c.id)
_CLOSED = sa.update(ledger).where(ledger.c.id == sa.bindparam("number", type_=ledger.c.id.type), ledger.c.turn == _TURN)
_LOST = sa.update(ledger).where(ledger.c.turn == _TURN, ledger.c.ended.is_(None))


def claim(tx: Tx, now: int, accounts: Collection[str]) -> Turn | None:
    """Looks, locks, and looks again: between a statement's look and its lock, a turn asked again may have come first.

    Other processes' candidates are skipped, not waited for.
    """
    of = {"now": now, "accounts": list(accounts)}
    while (found := tx.conn.execute(_LOOK, of).first()) is not None:
        if claimed := turns_of(tx, _TAKE, {"found": found.id, "by": tx.owner, **of}):
            return claimed[0]
    return None


def next_due(tx: Tx, now: int, accounts: Collection[str]) -> int | None:
    return tx.conn.execute(_NEXT, {"now": now, "accounts": list(accounts)}).scalar_one_or_none()


def recover(tx: Tx, alive: Callable[[Tx, str], bool]) -> int:
    t = turns.c
    owners = tx.conn.execute(_OWNERS).scalars().all()
    dead = [owner for owner in owners if owner != tx.owner and not alive(tx, owner)]
    if not dead:
        return 0
    freed = sa.update(turns).where(OPEN, t.owner.in_(dead)).values(owner=None).returning(t.id)
    ids = tx.conn.execute(freed).scalars().all()
    for id in ids:
        lose(tx, id)
    return len(ids)


_TO_STOP = sa.select(turns.c.id).where(turns.c.stop, turns.c.id.in_(sa.bindparam("ids", expanding=True)))


def stopped(tx: Tx, turns: Collection[int]) -> Collection[int]:
    return set(tx.conn.execute(_TO_STOP, {"ids": list(turns)}).scalars())


def release(tx: Tx, turn: Turn) -> None:
    _fenced(tx, turn, owner=None)
    lose(tx, turn.id)
    tx.tell(Signal.WORK, account_of(turn.chat.key))


def begin(tx: Tx, turn: Turn, entry: LedgerEntry) -> int:
    _fence(tx, turn)
    return insert(tx, ledger, {"turn": turn.id, "attempt": turn.attempt, **entry_values(entry)})


def generated(tx: Tx, turn: Turn, answer: Answer, entries: Mapping[int, LedgerEntry]) -> None:
    # the chat may have moved since the claim; and it is locked before the turn, as everywhere
    here = tx.conn.execute(_HERE, {"of": turn.id, "last": tx.now}).first()
    _fenced(tx, turn, state=TurnState.DELIVERING, **answer_values(answer))
    if here is None:
        raise Superseded
    ids = tx.conn.execute(_ASKED, {"of": turn.id, "in_context": not answer.exclude}).scalars().all()
    row = message_values(
        chat=here.key,
        turn=turn.id,
        role=Role.ASSISTANT,
        author=Person(""),
        text=answer.text,
        at=tx.now,
        in_context=not answer.exclude and max(ids, default=0) > here.forgotten,  # a forgotten question's answer is too
    )
    tx.conn.execute(_answering(tx.postgres), row)
    for id, entry in entries.items():
        tx.conn.execute(_CLOSED, {"number": id, "of": turn.id, **entry_values(entry)})


@cache
def _answering(postgres: bool) -> sqlite.Insert | postgresql.Insert:
    """The answer of an earlier attempt is replaced."""
    new = insert_into(messages, postgres)
    again = {name: new.excluded[name] for name in ("text", "at", "in_context", "hidden")}
    return new.on_conflict_do_update(index_elements=[messages.c.turn], index_where=ANSWER, set_=again)


def postpone(tx: Tx, turn: Turn, until: int) -> None:
    _fenced(tx, turn, owner=None, not_before=until)


def end(tx: Tx, turn: Turn, outcome: Outcome) -> None:
    _fenced(tx, turn, state=TurnState.ENDED, outcome=outcome, owner=None)
    lose(tx, turn.id)


def intend(tx: Tx, turn: Turn, index: int, *, repeat: bool = False) -> None:
    _fence(tx, turn)
    row = {"turn": turn.id, "position": index, "post": None, "digest": "", "repeats": int(repeat)}
    tx.conn.execute(_standing(tx.postgres), row)


def posted(tx: Tx, turn: Turn, index: int, post: PostId, digest: str = "") -> None:
    _fence(tx, turn)
    row = {"turn": turn.id, "position": index, "post": post, "digest": digest, "repeats": 0}
    tx.conn.execute(_standing(tx.postgres), row)


@cache
def _standing(postgres: bool) -> sqlite.Insert | postgresql.Insert:
    """Repeats add up."""
    new, p = insert_into(posts, postgres), posts.c
    fresh = new.excluded
    again = {"post": fresh["post"], "digest": fresh["digest"], "repeats": p.repeats + fresh["repeats"]}
    return new.on_conflict_do_update(index_elements=[p.turn, p.position], set_=again)


def dropped(tx: Tx, turn: Turn, index: int) -> None:
    _fence(tx, turn)
    tx.conn.execute(sa.delete(posts).where(posts.c.turn == turn.id, posts.c.position == index))


def _fence(tx: Tx, turn: Turn) -> None:
    if tx.conn.execute(_FENCE, {"turn": turn.id, "of": turn.attempt}).first() is None:
        raise Superseded


def _fenced(tx: Tx, turn: Turn, **changed: Any) -> None:
    if tx.conn.execute(_CHANGE, {"turn": turn.id, "of": turn.attempt, **changed}).first() is None:
        raise Superseded


def lose(tx: Tx, turn: int) -> None:
    """Nobody will hear how its open calls ended."""
    tx.conn.execute(_LOST, {"of": turn, "ended": tx.now, "finish": LOST})
