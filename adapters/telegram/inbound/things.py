"""Polls, places, contacts and the like: words in what people send that has no file of its own: polls, places, contacts,
... (Bot API: Poll, Venue, ...)

A sign says what it is, so that nothing of it is in a language of ours, and none of it can be taken for a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["THINGS", "told"]

Raw = Mapping[str, Any]


def told(things: Mapping[str, Any]) -> str:
    """The words of the first thing there is, by its name; '' if there is none, or none that can be read."""
    for name, tell in _TELL.items():
        raw = things.get(name)
        if isinstance(raw, Mapping) and (words := tell(raw)):
            return words
    return ""


def _poll(poll: Raw) -> str:
    votes = _number(poll.get("total_voter_count"))
    lines = [_list_item(_text(option, "text"), option.get("voter_count") if votes else None) for option in _of(poll)]
    return _signed("📊", _text(poll, "question"), *lines, _text(poll, "explanation"))


def _of(poll: Raw) -> Iterator[Raw]:
    options = poll.get("options")
    yield from (option for option in (options if isinstance(options, list) else ()) if isinstance(option, Mapping))


def _list_item(text: str, votes: object) -> str:
    count = _number(votes)
    return f"- {text}" if count is None else f"- {text} ({count:.0f})"


def _place(venue: Raw) -> str:
    where = venue.get("location")
    named = ", ".join(part for part in (_text(venue, "title"), _text(venue, "address")) if part)
    return _signed("📍", named, _point(where) if isinstance(where, Mapping) else "")


def _location(location: Raw) -> str:
    return _signed("📍", _point(location))


def _point(location: Raw) -> str:
    latitude, longitude = _number(location.get("latitude")), _number(location.get("longitude"))
    return "" if latitude is None or longitude is None else f"{latitude:.5f}, {longitude:.5f}"


def _contact(contact: Raw) -> str:
    name = " ".join(part for part in (_text(contact, "first_name"), _text(contact, "last_name")) if part)
    return _signed("👤", ", ".join(part for part in (name, _text(contact, "phone_number")) if part))


def _dice(dice: Raw) -> str:
    value = _number(dice.get("value"))
    return "" if value is None else f"{_text(dice, 'emoji') or '🎲'} {value:.0f}"


def _game(game: Raw) -> str:
    return _signed("🎮", _text(game, "title"), _text(game, "description"))


def _invoice(invoice: Raw) -> str:
    return _signed("🧾", _text(invoice, "title"), _text(invoice, "description"))


def _checklist(checklist: Raw) -> str:
    tasks = checklist.get("tasks")
    lines = [
        f"- [{'x' if _number(task.get('completion_date')) else ' '}] {_text(task, 'text')}"
        for task in (tasks if isinstance(tasks, list) else ())
        if isinstance(task, Mapping)
    ]
    return _signed("☑", _text(checklist, "title"), *lines)


_TELL: Mapping[str, Callable[[Raw], str]] = {  # a venue sets `location` too, so it comes first
    "poll": _poll,
    "venue": _place,
    "location": _location,
    "contact": _contact,
    "dice": _dice,
    "game": _game,
    "invoice": _invoice,
    "checklist": _checklist,
}
THINGS = tuple(_TELL)


def _signed(sign: str, *parts: str) -> str:
    lines = [part for part in parts if part]
    return f"{sign} " + "\n".join(lines) if lines else ""


def _text(raw: Raw, name: str) -> str:
    value = raw.get(name)
    return value.strip() if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
