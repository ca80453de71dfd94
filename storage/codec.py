"""Codec between rows and the words of `bot.types`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from bot.types import (
    Answer,
    Attachment,
    Chat,
    Choice,
    Json,
    Kind,
    LedgerEntry,
    Menu,
    Message,
    Money,
    Note,
    NoteKind,
    Outcome,
    Person,
    Posted,
    Role,
    Turn,
    TurnKind,
    TurnState,
    Usage,
)

__all__ = [
    "answer_values",
    "entry_from",
    "entry_values",
    "message_from",
    "message_values",
    "turn_from",
    "turn_values",
]

Columns = Mapping[str, Any]


def message_values(
    *,
    chat: str,
    turn: int | None,
    after_turn: int = 0,
    role: Role,
    author: Person,
    text: str,
    at: int,
    attachments: Iterable[Attachment] = (),
    quoted: str = "",
    quoted_by: Person | None = None,
    forwarded_from: Person | None = None,
    post: str | None = None,
    in_context: bool = False,
) -> dict[str, Any]:
    return {
        "chat": chat,
        "turn": turn,
        "after_turn": after_turn if turn is None else turn,
        "role": role,
        "author": author.id,
        "author_name": author.name,
        "author_language": author.language,
        "author_admin": author.admin,
        "text": text,
        "at": at,
        "attachments": [asdict(attachment) for attachment in attachments],
        "quoted": quoted,
        "quoted_by": quoted_by and quoted_by.id,
        "quoted_name": quoted_by and quoted_by.name,
        "forwarded_from": forwarded_from and forwarded_from.id,
        "forwarded_name": forwarded_from and forwarded_from.name,
        "post": post,
        "in_context": in_context,
        "hidden": False,
    }


def message_from(row: Columns) -> Message:
    return Message(
        id=row["id"],
        chat=Chat.parse(row["chat"]),
        turn=row["turn"],
        role=Role(row["role"]),
        author=Person(row["author"], row["author_name"], row["author_language"], row["author_admin"]),
        text=row["text"],
        at=row["at"],
        attachments=tuple(Attachment(**{**one, "kind": Kind(one["kind"])}) for one in row["attachments"]),
        quoted=row["quoted"],
        post=row["post"],
        in_context=row["in_context"],
        quoted_by=_somebody(row["quoted_by"], row["quoted_name"]),
        forwarded_from=_somebody(row["forwarded_from"], row["forwarded_name"]),
        after_turn=row["after_turn"],
    )


def _somebody(id: str | None, name: str | None) -> Person | None:
    return None if id is None else Person(id, name or "")


def account_of(chat: str) -> str:
    """The key of the account that a chat's key begins with."""
    return "/".join(chat.split("/")[:2])


def turn_values(
    *,
    chat: str,
    kind: TurnKind,
    state: TurnState,
    asker: Person,
    created: int,
    lane: str = "",
    not_before: int = 0,
    group: bool = False,
    title: str = "",
    reply_to: str | None = None,
    text: str = "",
    menu: Menu | None = None,
    outcome: Outcome | None = None,
    settings: Mapping[str, Json] | None = None,
) -> dict[str, Any]:
    return {
        "chat": chat,
        "account": account_of(chat),
        "lane": lane,
        "kind": kind,
        "state": state,
        "attempt": 0,
        "owner": None,
        "asker": asker.id,
        "asker_name": asker.name,
        "asker_language": asker.language,
        "asker_admin": asker.admin,
        "created": created,
        "not_before": not_before,
        "in_group": group,
        "title": title,
        "reply_to": reply_to,
        "stop": False,
        "text": text,
        "reasoning": "",
        "notes": [],
        "menu": _menu_json(menu),
        "outcome": outcome,
        "settings": dict(settings or {}),
    }


def turn_from(row: Columns, posts: Iterable[Columns]) -> Turn:
    return Turn(
        id=row["id"],
        chat=Chat.parse(row["chat"]),
        kind=TurnKind(row["kind"]),
        state=TurnState(row["state"]),
        attempt=row["attempt"],
        asker=Person(row["asker"], row["asker_name"], row["asker_language"], row["asker_admin"]),
        created=row["created"],
        not_before=row["not_before"],
        group=row["in_group"],
        title=row["title"],
        reply_to=row["reply_to"],
        stop=row["stop"],
        base=row["base"],
        text=row["text"],
        reasoning=row["reasoning"],
        notes=tuple(Note(NoteKind(note["kind"]), note["text"], note.get("cause", "")) for note in row["notes"]),
        menu=_menu_from(row["menu"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        posts=tuple(Posted(post["position"], post["post"], post["digest"], post["repeats"]) for post in posts),
        settings=row["settings"],
    )


def answer_values(answer: Answer) -> dict[str, Any]:
    """The columns of a turn that hold what is to be delivered."""
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "notes": [asdict(note) for note in answer.notes],
        "menu": _menu_json(answer.menu),
        "outcome": answer.outcome,
    }


def entry_values(entry: LedgerEntry) -> dict[str, Any]:
    """All columns of a ledger's entry but its turn and attempt."""
    usage, cost = entry.usage, entry.cost
    return {
        "gateway": entry.gateway,
        "asked": entry.asked,
        "served": entry.served,
        "answer": entry.answer,
        "started": entry.started,
        "first": entry.first,
        "ended": entry.ended,
        "finish": entry.finish,
        "input": usage and usage.input,
        "output": usage and usage.output,
        "cached": usage and usage.cached,
        "reasoning": usage and usage.reasoning,
        "video": usage and usage.video,
        "estimated": usage is not None and usage.estimated,
        "cost": cost and cost.amount,
        "currency": cost.currency if cost else "",
    }


def entry_from(row: Columns) -> LedgerEntry:
    usage = None
    if row["input"] is not None:
        names = ("input", "output", "cached", "reasoning", "video", "estimated")
        usage = Usage(**{name: row[name] for name in names})
    return LedgerEntry(
        turn=row["turn"],
        attempt=row["attempt"],
        gateway=row["gateway"],
        asked=row["asked"],
        started=row["started"],
        served=row["served"],
        usage=usage,
        cost=None if row["cost"] is None else Money(row["cost"], row["currency"]),
        answer=row["answer"],
        first=row["first"],
        ended=row["ended"],
        finish=row["finish"],
    )


def _menu_json(menu: Menu | None) -> Any:
    return None if menu is None else [[asdict(choice) for choice in row] for row in menu.rows]


def _menu_from(rows: Any) -> Menu | None:
    return None if rows is None else Menu(tuple(tuple(Choice(**choice) for choice in row) for row in rows))
