"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _what_came()
    _turns()
    _messages()
    _money()


def _what_came() -> None:
    op.create_table("inbound", _text("key", primary_key=True), _number("at"))
    op.create_table(
        "chats",
        _text("key", primary_key=True),
        _text("platform"),
        _text("account"),
        _text("title"),
        _flag("present"),
        _number("forgotten"),
        _number("forgotten_turn"),
        _number("last", nullable=True),
    )
    op.create_index("chats_newest", "chats", ["platform", "account", "last"])
    op.create_table(
        "settings",
        _id(),
        _text("scope"),
        _text("name"),
        _text("value"),
        _text("by"),
        _number("at"),
        sqlite_autoincrement=True,
    )
    op.create_index("settings_newest", "settings", ["scope", "name", "id"])


def _turns() -> None:
    op.create_table(
        "turns",
        _id(),
        _text("chat"),
        _text("lane"),
        _text("kind"),
        _text("state"),
        _count("attempt"),
        _text("owner", nullable=True),
        _text("asker"),
        _text("asker_name"),
        _text("asker_language"),
        _flag("asker_admin"),
        _number("created"),
        _number("not_before"),
        _flag("in_group"),
        _text("title"),
        _text("reply_to", nullable=True),
        _flag("stop"),
        _text("text"),
        _text("reasoning"),
        _text("notes"),
        _text("menu"),
        _text("outcome", nullable=True),
        _text("base"),
        sa.ForeignKeyConstraint(["chat"], ["chats.key"]),
        sqlite_autoincrement=True,
    )
    op.create_index("turns_chat", "turns", ["chat", "id"])
    op.create_index("turns_due", "turns", ["not_before", "id"], **_where("state != 'ended' AND owner IS NULL"))
    op.create_index("turns_open", "turns", ["chat", "id"], **_where("state != 'ended'"))
    waiting = _where("state = 'waiting' AND attempt = 0")
    op.create_index("turns_waiting", "turns", ["chat", "lane"], unique=True, **waiting)
    op.create_table(
        "posts",
        _number("turn", primary_key=True, autoincrement=False),
        _count("position", primary_key=True, autoincrement=False),
        _text("post", nullable=True),
        _text("digest"),
        _count("repeats"),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"]),
    )


def _messages() -> None:
    op.create_table(
        "messages",
        _id(),
        _text("chat"),
        _number("turn", nullable=True),
        _text("role"),
        _text("author"),
        _text("author_name"),
        _text("author_language"),
        _flag("author_admin"),
        _text("text"),
        _number("at"),
        _text("attachments"),
        _text("quoted"),
        _text("post", nullable=True),
        _flag("in_context"),
        _flag("hidden"),
        sa.ForeignKeyConstraint(["chat"], ["chats.key"]),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("messages_answer", "messages", ["turn"], unique=True, **_where("role = 'assistant'"))
    op.create_index("messages_chat", "messages", ["chat", "id"])
    context = _where("in_context IS 1", "in_context IS true")
    op.create_index("messages_context", "messages", ["chat", "turn", "id"], **context)
    op.create_index("messages_turn", "messages", ["turn", "id"])
    op.create_index("messages_post", "messages", ["chat", "post"])


def _money() -> None:
    op.create_table(
        "ledger",
        _id(),
        _number("turn"),
        _count("attempt"),
        _text("gateway"),
        _text("asked"),
        _text("served"),
        _text("answer"),
        _number("started"),
        _number("first", nullable=True),
        _number("ended", nullable=True),
        _text("finish"),
        _number("input", nullable=True),
        _number("output", nullable=True),
        _number("cached", nullable=True),
        _number("reasoning", nullable=True),
        _number("video", nullable=True),
        _flag("estimated"),
        _number("cost", nullable=True),
        _text("currency"),
        sa.ForeignKeyConstraint(["turn"], ["turns.id"]),
        sqlite_autoincrement=True,
    )
    op.create_index("ledger_turn", "ledger", ["turn", "id"])
    op.create_index("ledger_started", "ledger", ["started"])
    op.create_table(
        "balances",
        _id(),
        _text("gateway"),
        _number("at"),
        _number("amount"),
        _text("currency"),
        _text("source"),
        sqlite_autoincrement=True,
    )
    op.create_index("balances_newest", "balances", ["gateway", "at", "id"])
    op.create_table("learned", _text("gateway", primary_key=True), _text("name", primary_key=True), _text("value"))


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)


def _text(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, **more)


def _number(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, **more)


def _count(name: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, **more)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _where(sqlite: str, postgresql: str | None = None) -> dict[str, Any]:
    """The condition of a partial index, as each database says it."""
    return {"sqlite_where": sa.text(sqlite), "postgresql_where": sa.text(postgresql or sqlite)}
