"""The rows, as SQLModel classes; the verbs of the store work on their tables.

Ids from outside are text, times are UTC milliseconds, money is whole nano-units with a currency: a Decimal column would
be a float on SQLite. Values that are trees are JSON in text: an integer of 2^64-1 fits in no column, but in JSON.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

__all__ = [
    "ANSWER",
    "FREE",
    "IN_CONTEXT",
    "IN_ORDER",
    "METADATA",
    "OPEN",
    "WAITING_FIRST",
    "alerts",
    "balances",
    "chats",
    "inbound",
    "learned",
    "leases",
    "ledger",
    "messages",
    "posts",
    "processes",
    "settings",
    "turns",
]

_NANO = 10**9
_COUNTED = {"sqlite_autoincrement": True}  # an id is never given twice, not even after its row is gone
_Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers INTEGER only, which has 64 bits there


class Words(TypeDecorator[str]):
    """Text that every database takes: PostgreSQL has no U+0000, and UTF-8 no half of a surrogate pair."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the name is SQLAlchemy's
        if value is None:
            return None
        value = str(value).replace("\x00", "\ufffd")
        return value if value.isascii() else "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)


class JsonText(TypeDecorator[Any]):
    """JSON in a text column; integers of any size come back as they were."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else json.loads(value)


class Nano(TypeDecorator[Decimal]):
    """A Decimal as whole nano-units; what is finer is rounded."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int((value * _NANO).to_integral_value())

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value) / _NANO


class Row(SQLModel, registry=registry()):
    """Base of the rows, with a registry of its own: another SQLModel program in the same process is none of ours."""


def _words(*, default: str = "", **more: Any) -> Any:
    return Field(default=default, sa_type=Words, **more)


def _key(**more: Any) -> Any:
    return Field(sa_type=Words, **more)


def _maybe() -> Any:
    return Field(default=None, sa_type=Words, nullable=True)


def _time(**more: Any) -> Any:
    return Field(sa_type=sa.BigInteger, **more)


def _number() -> Any:
    return Field(default=None, sa_type=sa.BigInteger, nullable=True)


def _id() -> Any:
    return Field(default=None, primary_key=True, sa_type=_Long)


def _json() -> Any:
    return Field(sa_type=JsonText)


class LeaseRow(Row, table=True):
    """Which process holds an account ("platform/account"), until when by the database's own clock; '' if none does."""

    __tablename__ = "leases"
    account: str = _key(primary_key=True)
    owner: str = _words()
    until: int = _time()


class ProcessRow(Row, table=True):
    """A process that holds accounts or stands by for them, until when by the database's own clock."""

    __tablename__ = "processes"
    owner: str = _key(primary_key=True)
    until: int = _time()
    wanted: Any = _json()


class InboundRow(Row, table=True):
    """An event that was taken in. That its key is here is what makes a repetition one. It goes after some days, when no
    platform will repeat it any more, unless it is `lasting`."""

    __tablename__ = "inbound"
    key: str = _key(primary_key=True)
    at: int = _time()
    lasting: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class ChatRow(Row, table=True):
    """`forgotten` is the newest message's id at the last Forget, what came since belongs to `forgotten_turn` or later
    ones, `last` is the time of the newest message, and `deleted` since when it is in no list.
    """

    __tablename__ = "chats"
    __table_args__ = (sa.Index("chats_newest", "platform", "account", "last"),)
    key: str = _key(primary_key=True)
    platform: str = _key()
    account: str = _key()
    title: str = _words()
    present: bool = True
    forgotten: int = _time(default=0)
    forgotten_turn: int = _time(default=0)
    last: int | None = _number()
    deleted: int | None = _number()


class TurnRow(Row, table=True):
    """`account` is whose chat it is, "platform/account". `lane` keeps apart what waits side by side in one chat: '' in
    a private one, the author's id in a group, and the event's key beside it where the turn has settings of its own, for
    nothing may join it. A notice that waits for answers that were stopped before it has the lane
    `IN_ORDER`.

    `owner` is the process that works on it, null while it is for whoever comes.
    """

    __tablename__ = "turns"
    __table_args__ = _COUNTED
    id: int | None = _id()
    chat: str = _key(foreign_key="chats.key")
    account: str = _words(sa_column_kwargs={"server_default": ""})
    lane: str = _words()
    kind: str = _key()
    state: str = _key()
    attempt: int = 0
    owner: str | None = _maybe()
    asker: str = _words()
    asker_name: str = _words()
    asker_language: str = _words(default="en")
    asker_admin: bool = False
    created: int = _time()
    not_before: int = _time(default=0)
    in_group: bool = False
    title: str = _words()
    reply_to: str | None = _maybe()
    stop: bool = False
    text: str = _words()
    reasoning: str = _words()
    notes: Any = _json()
    menu: Any = _json()
    outcome: str | None = _maybe()
    base: str = _words()
    settings: Any = Field(sa_type=JsonText, sa_column_kwargs={"server_default": "{}"})


class MessageRow(Row, table=True):
    """`after_turn` is its own turn, or where it has none, the last one of the chat when it came. `hidden` is an answer
    that is being asked again: its place is kept for the new one. `quoted_by` and `forwarded_from` are ids of people: ''
    for nobody, null where nothing is quoted or forwarded."""

    __tablename__ = "messages"
    __table_args__ = _COUNTED
    id: int | None = _id()
    chat: str = _key(foreign_key="chats.key")
    turn: int | None = Field(default=None, sa_type=sa.BigInteger, foreign_key="turns.id", nullable=True)
    after_turn: int = _time(default=0, sa_column_kwargs={"server_default": "0"})
    role: str = _key()
    author: str = _words()
    author_name: str = _words()
    author_language: str = _words(default="en")
    author_admin: bool = False
    text: str = _words()
    at: int = _time()
    attachments: Any = _json()
    quoted: str = _words()
    quoted_by: str | None = _maybe()
    quoted_name: str | None = _maybe()
    forwarded_from: str | None = _maybe()
    forwarded_name: str | None = _maybe()
    post: str | None = _maybe()
    in_context: bool = True
    hidden: bool = False


class PostRow(Row, table=True):
    """A piece of a turn on its platform: intended while `post` is null."""

    __tablename__ = "posts"
    turn: int = Field(sa_type=sa.BigInteger, primary_key=True, foreign_key="turns.id")
    position: int = Field(primary_key=True)
    post: str | None = _maybe()
    digest: str = _words()
    repeats: int = 0


class SettingsRow(Row, table=True):
    """Append-only: the newest row per (scope, name) holds, and the table is the record of who changed what."""

    __tablename__ = "settings"
    __table_args__ = (sa.Index("settings_newest", "scope", "name", "id"), _COUNTED)
    id: int | None = _id()
    scope: str = _key()
    name: str = _key()
    value: Any = _json()
    by: str = _words()
    at: int = _time()


class LedgerRow(Row, table=True):
    """One call of a chat API. `turn` is null once its chat is gone, `input` while the usage is unknown, and `cost`
    while the cost is."""

    __tablename__ = "ledger"
    __table_args__ = (
        sa.Index("ledger_turn", "turn", "id"),
        sa.Index("ledger_started", "started"),
        _COUNTED,
    )
    id: int | None = _id()
    turn: int | None = Field(default=None, sa_type=sa.BigInteger, foreign_key="turns.id", nullable=True)
    attempt: int
    gateway: str = _key()
    asked: str = _key()
    served: str = _words()
    answer: str = _words()
    started: int = _time()
    first: int | None = _number()
    ended: int | None = _number()
    finish: str = _words()
    input: int | None = _number()
    output: int | None = _number()
    cached: int | None = _number()
    reasoning: int | None = _number()
    video: int | None = _number()
    estimated: bool = False
    cost: Decimal | None = Field(default=None, sa_type=Nano, nullable=True)
    currency: str = _words()


class BalanceRow(Row, table=True):
    __tablename__ = "balances"
    __table_args__ = (sa.Index("balances_newest", "gateway", "at", "id"), _COUNTED)
    id: int | None = _id()
    gateway: str = _key()
    at: int = _time()
    amount: Decimal = Field(sa_type=Nano)
    currency: str = _key()
    source: str = _key()


class AlertRow(Row, table=True):
    """Whether an alert is raised, and since when it is or is not. Only who changes `raised` may tell of it."""

    __tablename__ = "alerts"
    gateway: str = _key(primary_key=True)
    name: str = _key(primary_key=True)
    raised: bool = False
    at: int = _time()


class LearnedRow(Row, table=True):
    __tablename__ = "learned"
    gateway: str = _key(primary_key=True)
    name: str = _key(primary_key=True)
    value: Any = _json()


METADATA = Row.metadata
inbound, chats, turns, messages, posts, settings, ledger, balances, learned, alerts, leases, processes = (
    METADATA.tables[name]
    for name in (
        "inbound",
        "chats",
        "turns",
        "messages",
        "posts",
        "settings",
        "ledger",
        "balances",
        "learned",
        "alerts",
        "leases",
        "processes",
    )
)


def _says(column: sa.ColumnElement[Any], value: str | int) -> sa.ColumnElement[bool]:
    """`column = value`, the value in the text: SQLite takes a partial index only if the query says its condition."""
    return column == sa.literal(value, literal_execute=True)


IN_ORDER = "in order"
LOST = "lost"  # how a call of the ledger ended whose process is gone
OPEN = turns.c.state != sa.literal("ended", literal_execute=True)
FREE = sa.and_(OPEN, turns.c.owner.is_(None))
WAITING_FIRST = sa.and_(_says(turns.c.state, "waiting"), _says(turns.c.attempt, 0))
ANSWER = _says(messages.c.role, "assistant")
IN_CONTEXT = messages.c.in_context.is_(True)


def _partial(name: str, *columns: sa.ColumnElement[Any], where: sa.ColumnElement[bool], unique: bool = False) -> None:
    sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


_partial("turns_waiting", turns.c.chat, turns.c.lane, where=WAITING_FIRST, unique=True)
_partial("turns_open", turns.c.chat, turns.c.id, where=OPEN)
_partial("turns_due", turns.c.account, turns.c.not_before, turns.c.id, where=FREE)
_partial("messages_answer", messages.c.turn, where=ANSWER, unique=True)
_partial("messages_context", messages.c.chat, messages.c.after_turn, messages.c.id, where=IN_CONTEXT)
sa.Index("turns_chat", turns.c.chat, turns.c.id)
sa.Index("messages_chat", messages.c.chat, messages.c.id)
sa.Index("messages_turn", messages.c.turn, messages.c.id)
sa.Index("messages_post", messages.c.chat, messages.c.post)
