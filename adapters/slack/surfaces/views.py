"""Views: what people see beside messages: the modal of a chat's settings, the one of the shortcut "Translate", and App
Home (docs.slack.dev: Modals, Home tabs). Pure: views as data, and what their fields mean as commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack.outgoing.menus import ACTION
from bot.types import Json, SettingRow, Text

__all__ = [
    "HOME",
    "SETTINGS",
    "TRANSLATE",
    "Current",
    "Say",
    "closed_home",
    "commands_of",
    "current",
    "home",
    "language_of",
    "settings_modal",
    "translate_modal",
]

SETTINGS, TRANSLATE, HOME = f"{ACTION}:settings", f"{ACTION}:translate", f"{ACTION}:home"

_OPTIONS = 100  # of a select
_OPTION = 75  # characters of an option's text and value
_INPUT = 3_000  # characters of an input
_SECTION = 3_000

View = dict[str, Any]
Say = Callable[[Text], str]


@dataclass(frozen=True, slots=True)
class Current:
    """What holds in a room, as people would type it; '' where nothing is set."""

    model: str = ""
    system: str = ""
    temperature: str = ""
    max_tokens: str = ""
    translate: str = ""


def current(defaults: Mapping[str, Json], rows: Sequence[SettingRow]) -> Current:
    """`rows` come widest scope first."""
    values = dict(defaults) | {row.name: row.value for row in rows if row.value is not None}
    translate = values.get("translate")
    languages = (
        [str(translate[key]) for key in ("source", "target") if translate.get(key)]
        if isinstance(translate, dict)
        else []
    )
    return Current(
        model=str(values.get("model") or ""),
        system=str(values.get("system") or ""),
        temperature=_number(values.get("temperature")),
        max_tokens=_number(values.get("max_tokens")),
        translate=(" <-> " if isinstance(translate, dict) and translate.get("both") else " to ").join(languages),
    )


def _number(value: Json) -> str:
    return "" if value is None else f"{value}"


# ── the settings of a room ──────────────────────────────────────────────────────────────────────────────────────────


def settings_modal(room: str, now: Current, models: Sequence[str], say: Say) -> View:
    """`room` is a chat's key, which the view carries."""
    names = list(dict.fromkeys([now.model, *models]))[:_OPTIONS]
    options = [_option(name, name) for name in names if 0 < len(name) <= _OPTION]
    blocks = [
        _input("model", say(Text("Model")), _select(options, now.model)) if options else None,
        _input("system", say(Text("System prompt")), _text(now.system, multiline=True))
        if len(now.system) <= _INPUT
        else None,
        _input("temperature", say(Text("Temperature, 0 to 2")), _text(now.temperature)),
        _input("max_tokens", say(Text("Tokens of an answer at most")), _text(now.max_tokens)),
        _input("translate", say(Text("Translate every message into this language")), _text(now.translate)),
    ]
    return _modal(SETTINGS, room, say(Text("Settings")), say(Text("Save")), say, [block for block in blocks if block])


def commands_of(state: Mapping[str, Any], was: Current) -> Iterator[tuple[str, str]]:
    """(field, command) of each field that was changed (view.state.values)."""
    for field in ("model", "system", "temperature", "max_tokens", "translate"):
        if field not in state:
            continue
        value, before = _value(state, field), getattr(was, field)
        if value == before or (field == "model" and not value):
            continue
        match field:
            case "model":
                yield field, f"/model {value}"
            case "system" | "translate":
                yield field, f"/{field} {value or 'off'}"
            case _:
                yield field, f"/set {field} {value}" if value else f"/unset {field}"


# ── the shortcut ────────────────────────────────────────────────────────────────────────────────────────────────────


def translate_modal(message: Mapping[str, str], languages: Sequence[tuple[str, str]], language: str, say: Say) -> View:
    """`message` says where it stands: channel, ts, thread. `languages`: English name, and what it is called here."""
    initial = "Chinese" if language.lower().startswith("zh") else "English"
    options = [_option(called, name) for name, called in languages]
    field = _input("language", say(Text("Into which language?")), _select(options, initial))
    return _modal(TRANSLATE, json.dumps(message), say(Text("Translate")), say(Text("Translate")), say, [field])


def language_of(state: Mapping[str, Any]) -> str:
    """The English name of the language that was chosen."""
    return _value(state, "language")


# ── App Home ────────────────────────────────────────────────────────────────────────────────────────────────────────


def home(room: str, now: Current, say: Say) -> View:
    nothing = say(Text("not set"))
    fields = [
        (say(Text("Model")), now.model),
        (say(Text("System prompt")), now.system),
        (say(Text("Temperature, 0 to 2")), now.temperature),
        (say(Text("Tokens of an answer at most")), now.max_tokens),
        (say(Text("Translate every message into this language")), now.translate),
    ]
    lines = "\n".join(f"{name}: {value or nothing}" for name, value in fields)
    button = {"type": "button", "action_id": HOME, "text": _plain(say(Text("Change settings")), _OPTION), "value": room}
    return {
        "type": "home",
        "private_metadata": room,
        "blocks": [
            {"type": "header", "text": _plain(say(Text("Settings of our conversation")), 150)},
            {"type": "section", "text": _plain(lines, _SECTION)},
            {"type": "actions", "elements": [button]},
            {
                "type": "context",
                "elements": [_plain(say(Text("Write to me under Messages, or mention me in a channel.")), _SECTION)],
            },
        ],
    }


def closed_home(why: str, say: Say) -> View:
    """For who may not see the settings."""
    return {
        "type": "home",
        "blocks": [
            {"type": "header", "text": _plain(say(Text("Settings of our conversation")), 150)},
            {"type": "section", "text": _plain(why or say(Text("not set")), _SECTION)},
        ],
    }


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _modal(callback: str, metadata: str, title: str, submit: str, say: Say, blocks: list[View]) -> View:
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": metadata,
        "title": _plain(title, 24),
        "submit": _plain(submit, 24),
        "close": _plain(say(Text("Cancel")), 24),
        "blocks": blocks,
    }


def _plain(text: str, most: int) -> View:
    return {"type": "plain_text", "text": text if len(text) <= most else text[: most - 1] + "…", "emoji": False}


def _input(name: str, label: str, element: View) -> View:
    return {
        "type": "input",
        "block_id": name,
        "label": _plain(label, 2_000),
        "optional": True,
        "element": {**element, "action_id": name},
    }


def _text(value: str, *, multiline: bool = False) -> View:
    initial = {"initial_value": value} if value else {}
    return {"type": "plain_text_input", "multiline": multiline, "max_length": _INPUT, **initial}


def _option(label: str, value: str) -> View:
    return {"text": _plain(label, _OPTION), "value": value}


def _select(options: list[View], chosen: str) -> View:
    initial = next((option for option in options if option["value"] == chosen), None)
    return {"type": "static_select", "options": options, **({"initial_option": initial} if initial else {})}


def _value(state: Mapping[str, Any], field: str) -> str:
    given = (state.get(field) or {}).get(field) or {}
    option = given.get("selected_option") or {}
    return str(option.get("value") or given.get("value") or "").strip()
