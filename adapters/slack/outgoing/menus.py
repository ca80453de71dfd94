"""Menus and notes as blocks (Block Kit: actions, context), and the mark of what is unfinished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.kit.buttons import clipped, is_url, label
from bot.types import Choice, Menu, Note, NoteKind

__all__ = ["ACTION", "UNFINISHED", "buttons", "notes"]

Json = dict[str, Any]

ACTION = "magpie"  # what our buttons' action_id begins with

_LABEL = 75  # characters (Block Kit: button, text)
_VALUE = 2_000  # characters (Block Kit: button, value)
_URL = 3_000  # characters (Block Kit: button, url)
_ROW = 25  # elements (Block Kit: actions)
_ROWS = 20
_CONTEXT = 3_000  # characters
_HIDDEN = frozenset({NoteKind.COST})

UNFINISHED: Json = {"type": "context", "elements": [{"type": "plain_text", "text": "…", "emoji": False}]}


def buttons(menu: Menu | None) -> list[Json]:
    """A row of buttons per row of the menu."""
    rows: list[Json] = []
    for number, choices in enumerate(menu.rows if menu else ()):
        made = (_button(choice, f"{ACTION}:{number}:{column}") for column, choice in enumerate(choices))
        elements = [button for button in made if button is not None]
        rows += [{"type": "actions", "elements": elements[at : at + _ROW]} for at in range(0, len(elements), _ROW)]
    return rows[:_ROWS]


def _button(choice: Choice, id: str) -> Json | None:
    text = {"type": "plain_text", "text": label(choice, _LABEL), "emoji": False}
    if choice.url:
        button = {"type": "button", "action_id": id, "text": text, "url": choice.url}
        return button if is_url(choice.url) and len(choice.url) <= _URL else None
    if not choice.action or len(choice.action) > _VALUE:
        return None
    return {"type": "button", "action_id": id, "text": text, "value": choice.action}


def notes(said: Sequence[Note]) -> list[Json]:
    """What is said about an answer, small and below it; the reasoning apart, so that it takes no other note's room."""
    thoughts = [note for note in said if note.kind is NoteKind.REASONING]
    others = [note for note in said if note.kind is not NoteKind.REASONING and note.kind not in _HIDDEN]
    texts = ("\n".join(note.text.strip() for note in kind).strip() for kind in (thoughts, others))
    return [_context(text) for text in texts if text]


def _context(text: str) -> Json:
    return {"type": "context", "elements": [{"type": "plain_text", "text": clipped(text, _CONTEXT), "emoji": False}]}
