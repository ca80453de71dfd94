"""Blocks that others have made, as the text that people see in them (docs.slack.dev: Block Kit). What can be pressed or
filled in is not text; of a block that we don't know, whatever is text in it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.slack.inbound import emoji
from adapters.slack.inbound.marks import Marks, Raw, link, mappings

__all__ = ["names_of_emoji", "rich_text_only", "text_of"]

_SILENT = frozenset(
    {"actions", "input", "divider", "context_actions", "button", "overflow", "radio_buttons", "checkboxes"}
    | {"workflow_button", "icon_button", "feedback_buttons"}
)
_ENDS = ("_select", "_input", "picker")  # of the names of all other elements that are filled in
_TEXTS = frozenset({"mrkdwn", "plain_text", "markdown", "raw_text", "raw_number", "text"})
_WORDS = ("title", "subtitle", "text", "body", "description", "fields", "label", "content", "value", "alt_text")
_UNSEEN = frozenset({"accessibility_label", "confirm", "metadata", "option_groups", "options", "placeholder", "style"})
_DEEPEST = 12  # of blocks within blocks


def text_of(blocks: object, marks: Marks) -> str:
    return "\n".join(filter(None, (_block(block, marks) for block in mappings(blocks)))).strip()


def rich_text_only(blocks: object) -> bool:
    """Is it what a person typed, which the message's text has as well?"""
    return all(block.get("type") == "rich_text" for block in mappings(blocks))


def names_of_emoji(raw: object, depth: int = _DEEPEST) -> Iterator[str]:
    """Those that rich text knows to be some."""
    if isinstance(raw, Mapping):
        if raw.get("type") == "emoji":
            yield str(raw.get("name") or "")
        raw = list(raw.values())
    if isinstance(raw, list) and depth:
        for each in raw:
            yield from names_of_emoji(each, depth - 1)


def _block(block: Raw, marks: Marks, depth: int = _DEEPEST) -> str:
    kind = block.get("type")
    if _is_silent(kind) or not depth:
        return ""
    if str(kind).endswith("table"):
        return _table(block, marks)
    match kind:
        case "rich_text":
            return "\n".join(_rich(each, marks) for each in mappings(block.get("elements"))).strip("\n")
        case "context":
            return " ".join(filter(None, (_any(each, marks, depth) for each in mappings(block.get("elements")))))
        case "image":
            title = _any(block.get("title"), marks, depth)
            return f"[{title or marks.plain(str(block.get('alt_text') or '')) or 'image'}]"
        case "call":
            return _any(_named(block, depth), marks, depth)
    return _any(block, marks, depth)


def _is_silent(kind: object) -> bool:
    return kind in _SILENT or (isinstance(kind, str) and kind.endswith(_ENDS))


def _named(call: object, depth: int) -> object:
    """What a call is called, in whatever version of its description."""
    if not isinstance(call, Mapping) or not depth:
        return None
    name = call.get("name")
    return (
        name if isinstance(name, str) else next(filter(None, (_named(each, depth - 1) for each in call.values())), None)
    )


def _any(value: object, marks: Marks, depth: int) -> str:
    """A text object, or whatever is text in something."""
    if not depth:
        return ""
    if isinstance(value, str):
        return marks.plain(value)
    if isinstance(value, list):
        return "\n".join(filter(None, (_any(each, marks, depth - 1) for each in value)))
    if not isinstance(value, Mapping):
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
    kind, text = value.get("type"), value.get("text", value.get("value"))
    if kind in _TEXTS and isinstance(text, str | int | float):
        return marks.plain(str(text)) if kind != "mrkdwn" else marks.read(str(text))
    if kind in ("rich_text", "table", "image", "context", "call") or _is_silent(kind):
        return _block(value, marks, depth - 1)
    parts = [_any(value.get(name), marks, depth - 1) for name in _WORDS]
    inner = [each for name, each in value.items() if name not in _UNSEEN and name not in _WORDS]
    parts += [_any(each, marks, depth - 1) for each in inner if isinstance(each, Mapping | list)]
    return "\n".join(dict.fromkeys(filter(None, parts)))


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(block: Raw, marks: Marks) -> str:
    rows = [[_cell(cell, marks) for cell in row] for row in block.get("rows") or () if isinstance(row, list)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(cell: object, marks: Marks) -> str:
    text = _any(cell, marks, _DEEPEST)
    return " ".join(text.replace("|", "\\|").split())


# ── rich text ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _rich(element: Raw, marks: Marks) -> str:
    parts = list(mappings(element.get("elements")))
    match element.get("type"):
        case "rich_text_list":
            return _list(element, parts, marks)
        case "rich_text_quote":
            return "\n".join(f"> {line}" for line in _line(parts, marks).splitlines())
        case "rich_text_preformatted":
            return f"```\n{_line(parts, marks).strip(chr(10))}\n```"
    return _line(parts, marks)


def _list(element: Raw, parts: list[Raw], marks: Marks) -> str:
    pad, first = "  " * _number(element.get("indent")), _number(element.get("offset")) + 1
    is_ordered = element.get("style") == "ordered"
    return "\n".join(
        f"{pad}{f'{number}.' if is_ordered else '-'} {_rich(part, marks)}" for number, part in enumerate(parts, first)
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 1_000_000 else 0


def _line(parts: list[Raw], marks: Marks) -> str:
    return "".join(_part(part, marks) for part in parts)


def _part(part: Raw, marks: Marks) -> str:
    """docs.slack.dev: rich text, element types. Texts in it are not escaped."""
    text = str(part.get("text") or "")
    match part.get("type"):
        case "text":
            style = part.get("style")
            return f"`{text}`" if isinstance(style, Mapping) and style.get("code") and "`" not in text else text
        case "link":
            return link(str(part.get("url") or ""), text)
        case "emoji":
            return _emoji(part)
        case "user":
            id = str(part.get("user_id") or "")
            return "" if id == marks.me.user else marks.person(id)
        case "channel":
            return marks.channel(str(part.get("channel_id") or ""))
        case "usergroup":
            return marks.group(str(part.get("usergroup_id") or ""))
        case "broadcast":
            return f"@{part.get('range') or 'channel'}"
        case "date":
            return str(part.get("fallback") or part.get("timestamp") or "")
        case "color":
            return str(part.get("value") or "")
    return text or _line(list(mappings(part.get("elements"))), marks)


def _emoji(part: Raw) -> str:
    name, tone = str(part.get("name") or ""), part.get("skin_tone")
    told: Any = part.get("unicode")
    sign = emoji.from_code_points(told) if isinstance(told, str) else ""
    return sign or emoji.emoji(name, tone if isinstance(tone, int) else None) or f":{name}:"
