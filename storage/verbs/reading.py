"""Read model: the store's read-only half. Each question is answered from an index; none reads a whole history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from bot.types import (
    Backlog,
    BalanceReading,
    Chat,
    Json,
    LedgerEntry,
    Message,
    Money,
    Outlay,
    Role,
    SettingRow,
    Spender,
    Spending,
    Turn,
    TurnKind,
    TurnState,
)
from storage.codec import entry_from, message_from, turn_from
from storage.database.engine import Tx
from storage.tables import IN_CONTEXT, OPEN, alerts, balances, chats, learned, ledger, messages, posts, settings, turns

__all__ = [
    "balance",
    "context",
    "context_query",
    "entries",
    "history",
    "history_query",
    "last_turn",
    "lessons",
    "open_turns",
    "outlay",
    "question",
    "raised",
    "settings_in_force",
    "spending",
    "turn",
    "turns_of",
]

# built once: it takes longer to build than to run
_QUESTION = (
    sa.select(messages)
    .where(messages.c.turn == sa.bindparam("of", type_=messages.c.turn.type), messages.c.role == Role.USER)
    .order_by(messages.c.id)
)
_NEWEST = (
    sa.select(sa.func.max(settings.c.id))
    .where(settings.c.scope.in_(sa.bindparam("scopes", expanding=True)))
    .group_by(settings.c.scope, settings.c.name)
)
_IN_FORCE = sa.select(settings).where(settings.c.id.in_(_NEWEST)).order_by(settings.c.name)
_END = 2**63 - 1  # no id is beyond it
_CHAT = sa.bindparam("in_chat", type_=messages.c.chat.type)
_BEFORE = sa.bindparam("before", type_=sa.BigInteger())
_MOST = sa.bindparam("most", type_=sa.Integer())
_HISTORY = (
    sa.select(messages)
    .where(messages.c.chat == _CHAT, ~messages.c.hidden, messages.c.id < _BEFORE)
    .order_by(messages.c.id.desc())
    .limit(_MOST)
)


def _context() -> sa.Select[Any]:
    """In the order of turns: an answer stands behind its question, though another question came before it was there;
    and what belongs to no turn behind the one that it came after."""
    m = messages.c
    forgotten, turn = (
        sa.select(column).where(chats.c.key == _CHAT).scalar_subquery()
        for column in (chats.c.forgotten, chats.c.forgotten_turn)
    )
    here = [m.chat == _CHAT, IN_CONTEXT, m.after_turn >= turn - 1, m.id > forgotten, ~m.hidden]
    before = sa.tuple_(m.after_turn, m.id) < sa.tuple_(sa.bindparam("before_turn", type_=sa.BigInteger()), _BEFORE)
    return sa.select(messages).where(*here, before).order_by(m.after_turn.desc(), m.id.desc()).limit(_MOST)


_CONTEXT = _context()
_PIECES = sa.select(posts).where(posts.c.turn.in_(sa.bindparam("ids", expanding=True))).order_by(posts.c.position)


def history_query(chat: Chat, before: int | None, limit: int) -> sa.Select[Any]:
    return _HISTORY.params(_of_history(chat, before, limit))


def history(tx: Tx, chat: Chat, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
    rows = tx.conn.execute(_HISTORY, _of_history(chat, before, limit)).mappings()
    return [message_from(dict(row)) for row in rows]


def context_query(chat: Chat, before: tuple[int, int] | None, limit: int) -> sa.Select[Any]:
    return _CONTEXT.params(_of_context(chat, before, limit))


def context(tx: Tx, chat: Chat, *, before: tuple[int, int] | None = None, limit: int = 50) -> Sequence[Message]:
    rows = tx.conn.execute(_CONTEXT, _of_context(chat, before, limit)).mappings()
    return [message_from(dict(row)) for row in rows]


def _of_history(chat: Chat, before: int | None, limit: int) -> dict[str, Any]:
    return {"in_chat": chat.key, "before": _END if before is None else before, "most": limit}


def _of_context(chat: Chat, before: tuple[int, int] | None, limit: int) -> dict[str, Any]:
    turn, message = before or (_END, _END)
    return {"in_chat": chat.key, "before_turn": turn, "before": message, "most": limit}


def question(tx: Tx, turn: int) -> Sequence[Message]:
    return [message_from(dict(row)) for row in tx.conn.execute(_QUESTION, {"of": turn}).mappings()]


def settings_in_force(tx: Tx, chat: Chat) -> Sequence[SettingRow]:
    scopes = chat.scopes
    rows = tx.conn.execute(_IN_FORCE, {"scopes": scopes}).mappings()
    kept = [SettingRow(row["scope"], row["name"], row["value"], row["by"], row["at"]) for row in rows]
    return sorted((row for row in kept if row.value is not None), key=lambda row: scopes.index(row.scope))


def turns_of(tx: Tx, query: sa.Executable, parameters: Mapping[str, Any] | None = None) -> list[Turn]:
    """The turns whose rows `query` gives, with their posts."""
    rows = tx.conn.execute(query, parameters).mappings().all()
    ids = [row["id"] for row in rows]
    standing: dict[int, list[Mapping[str, Any]]] = {id: [] for id in ids}
    if ids:
        for piece in tx.conn.execute(_PIECES, {"ids": ids}).mappings():
            standing[piece["turn"]].append(dict(piece))
    return [turn_from(dict(row), standing[row["id"]]) for row in rows]


def turn(tx: Tx, id: int) -> Turn | None:
    found = turns_of(tx, sa.select(turns).where(turns.c.id == id))
    return found[0] if found else None


def open_turns(tx: Tx, chat: Chat) -> Sequence[Turn]:
    return turns_of(tx, sa.select(turns).where(turns.c.chat == chat.key, OPEN).order_by(turns.c.id))


def backlog(tx: Tx) -> Sequence[Backlog]:
    t = turns.c
    query = sa.select(t.account, t.state, sa.func.count(), sa.func.min(t.created)).where(OPEN)
    rows = tx.conn.execute(query.group_by(t.account, t.state).order_by(t.account, t.state))
    return [Backlog(account, TurnState(state), count, since) for account, state, count, since in rows]


def last_turn(tx: Tx, chat: Chat) -> Turn | None:
    questions = sa.select(turns).where(turns.c.chat == chat.key, turns.c.kind == TurnKind.QUESTION)
    found = turns_of(tx, questions.order_by(turns.c.id.desc()).limit(1))
    return found[0] if found else None


def entries(tx: Tx, turn: int) -> Sequence[LedgerEntry]:
    query = sa.select(ledger).where(ledger.c.turn == turn).order_by(ledger.c.id)
    return [entry_from(dict(row)) for row in tx.conn.execute(query).mappings()]


def spending(tx: Tx, *, chat: Chat | None = None, since: int = 0) -> Spending:
    e = ledger.c
    query = (
        sa.select(
            e.currency,
            sa.func.count().label("calls"),
            sa.func.count(e.cost).label("priced"),
            sa.func.coalesce(sa.func.sum(e.input), 0).label("input"),
            sa.func.coalesce(sa.func.sum(e.output), 0).label("output"),
            sa.func.sum(sa.case((e.estimated, 1), else_=0)).label("estimated"),
            _sum(e.cost, sa.type_coerce(e.cost, sa.BigInteger)),
        )
        .where(e.started >= since)
        .group_by(e.currency)
        .order_by(e.currency)
    )
    if chat is not None:
        query = query.where(e.turn.in_(sa.select(turns.c.id).where(turns.c.chat == chat.key)))
    rows = tx.conn.execute(query).all()
    return Spending(
        calls=sum(row.calls for row in rows),
        input=int(sum(row.input for row in rows)),
        output=int(sum(row.output for row in rows)),
        costs=tuple(Money(row.cost, row.currency) for row in rows if row.cost is not None),
        unknown=sum(row.calls - row.priced for row in rows),
        estimated=any(row.estimated for row in rows),
    )


def outlay(tx: Tx, gateway: str, currency: str, *, since: int, most: int = 3) -> Outlay:
    """A room's threads count together."""
    e = ledger.c
    query = (
        sa.select(
            chats.c.key,
            chats.c.title,
            sa.func.min(e.started).label("first"),
            sa.func.sum(sa.case((sa.and_(e.input.is_not(None), e.cost.is_(None)), 1), else_=0)).label("unknown"),
            _sum(e.cost, sa.case((e.currency == currency, sa.type_coerce(e.cost, sa.BigInteger)), else_=0)),
        )
        .outerjoin(turns, turns.c.id == e.turn)  # those of a chat that was deleted have none
        .outerjoin(chats, chats.c.key == turns.c.chat)
        .where(e.gateway == gateway, e.started >= since)
        .group_by(chats.c.key, chats.c.title)
        .order_by(chats.c.key)
    )
    rows = tx.conn.execute(query).all()
    costs: dict[Chat, Decimal] = {}
    titles: dict[Chat, str] = {}
    for row in rows:
        if row.key is None:
            continue
        room = Chat.parse(row.key).room
        costs[room] = costs.get(room, Decimal(0)) + (row.cost or 0)
        titles[room] = titles.get(room) or row.title
    spenders = [Spender(room, titles[room], Money(cost, currency)) for room, cost in costs.items() if cost > 0]
    spenders.sort(key=lambda each: -each.cost.amount)
    return Outlay(
        Money(sum((row.cost or Decimal(0) for row in rows), Decimal(0)), currency),
        min((row.first for row in rows), default=None),
        sum(int(row.unknown) for row in rows),
        tuple(spenders[:most]),
    )


def raised(tx: Tx, gateway: str) -> Mapping[str, int]:
    query = sa.select(alerts.c.name, alerts.c.at).where(alerts.c.gateway == gateway, alerts.c.raised.is_(True))
    return {row.name: row.at for row in tx.conn.execute(query.order_by(alerts.c.name))}


def balance(tx: Tx, gateway: str) -> BalanceReading | None:
    b = balances.c
    newest = sa.select(balances).where(b.gateway == gateway).order_by(b.at.desc(), b.id.desc()).limit(1)
    row = tx.conn.execute(newest).first()
    if row is None:
        return None
    return BalanceReading(row.gateway, Money(row.amount, row.currency), row.at, row.source)


def lessons(tx: Tx, gateway: str) -> Mapping[str, Json]:
    query = sa.select(learned.c.name, learned.c.value).where(learned.c.gateway == gateway)
    return {row.name: row.value for row in tx.conn.execute(query)}


def _sum(money: sa.ColumnElement[Any], nano: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The sum of `nano`, as `cost`, which is what `money` is; PostgreSQL's own would be a numeric."""
    return sa.type_coerce(sa.cast(sa.func.sum(nano), sa.BigInteger), money.type).label("cost")
