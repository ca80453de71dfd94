"""Rich messages as the server takes them (Bot API: InputRichMessage, InputRichBlock, RichText): known kinds only, with
all that they need, within the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.telegram.entities import check_url
from tests.fakes.telegram.refusals import bad

__all__ = ["check_rich", "rich_text"]

Json = dict[str, Any]

_MOST_CHARACTERS, _MOST_BLOCKS, _MOST_LEVELS, _MOST_COLUMNS = 32_768, 500, 16, 20

# kind -> what it must have, and what it may have; {name: type}
_BLOCKS: dict[str, tuple[Json, Json]] = {
    "paragraph": ({"text": "rich"}, {}),
    "heading": ({"text": "rich", "size": int}, {}),
    "pre": ({"text": "rich"}, {"language": str}),
    "footer": ({"text": "rich"}, {}),
    "divider": ({}, {}),
    "mathematical_expression": ({"expression": str}, {}),
    "blockquote": ({"blocks": "blocks"}, {"credit": "rich"}),
    "details": ({"summary": "rich", "blocks": "blocks"}, {"is_open": bool}),
    "list": ({"items": "items"}, {}),
    "table": ({"cells": "cells"}, {"is_bordered": bool, "is_striped": bool, "is_compact": bool, "caption": "rich"}),
}
_ITEM: tuple[Json, Json] = ({"blocks": "blocks"}, {"has_checkbox": bool, "is_checked": bool, "value": int, "type": str})
_CELL: tuple[Json, Json] = (
    {"align": str, "valign": str},
    {"text": "rich", "is_header": bool, "colspan": int, "rowspan": int},
)
_STYLES = {"bold", "italic", "underline", "strikethrough", "code", "subscript", "superscript", "marked", "spoiler"}


def check_rich(message: Mapping[str, Any]) -> Json:
    """Refuses what sendRichMessage and editMessageText refuse; returns what they keep."""
    forms = [name for name in ("html", "markdown", "blocks") if message.get(name)]
    if len(forms) != 1:
        raise bad("exactly one of html, markdown and blocks must be specified")
    if forms != ["blocks"]:
        raise bad("this fake parses no markup")
    counter = _Counter()
    counter.blocks(message["blocks"], 1)
    if not counter.characters:
        raise bad("message text is empty")
    return {"blocks": message["blocks"]}


class _Counter:
    def __init__(self) -> None:
        self.characters = 0
        self.count = 0

    def blocks(self, blocks: Any, level: int) -> None:
        if not isinstance(blocks, list) or not blocks:
            raise bad("RICH_MESSAGE_BLOCKS_EMPTY")
        for block in blocks:
            self._one(level)
            kind = block.get("type") if isinstance(block, dict) else None
            if kind not in _BLOCKS:
                raise bad(f"can't parse InputRichBlock: unsupported type {kind}")
            self._fields(block, _BLOCKS[kind], level, {"type"})
            if kind == "heading" and not 1 <= block["size"] <= 6:
                raise bad("RICH_MESSAGE_HEADING_SIZE_INVALID")

    def _one(self, level: int) -> None:
        self.count += 1
        if self.count > _MOST_BLOCKS:
            raise bad("RICH_MESSAGE_BLOCKS_TOO_MUCH")
        if level > _MOST_LEVELS:
            raise bad("RICH_MESSAGE_DEPTH_TOO_BIG")

    def _fields(self, thing: Json, shape: tuple[Json, Json], level: int, beside: set[str]) -> None:
        needed, possible = shape
        if missing := needed.keys() - thing.keys():
            raise bad(f"can't parse rich message: field {sorted(missing)[0]} is missing")
        for name, value in thing.items():
            if name in beside:
                continue
            kind = {**needed, **possible}.get(name)
            match kind:
                case None:
                    raise bad(f"can't parse rich message: unexpected field {name}")
                case "rich":
                    self._text(value, 0)
                case "blocks":
                    self.blocks(value, level + 1)
                case "items":
                    self._items(value, level + 1)
                case "cells":
                    self._cells(value, level + 1)
                case _:
                    if type(value) is not kind:
                        raise bad(f"can't parse rich message: field {name} has the wrong type")
        if isinstance(thing.get("expression"), str):
            self._words(thing["expression"])

    def _items(self, items: Any, level: int) -> None:
        if not isinstance(items, list) or not items:
            raise bad("RICH_MESSAGE_LIST_EMPTY")
        for item in items:
            self._one(level)
            self._fields(item, _ITEM, level, set())

    def _cells(self, rows: Any, level: int) -> None:
        if not isinstance(rows, list) or not rows:
            raise bad("RICH_MESSAGE_TABLE_EMPTY")
        for row in rows:
            self._one(level)
            if not 1 <= len(row) <= _MOST_COLUMNS or len(row) != len(rows[0]):
                raise bad("RICH_MESSAGE_TABLE_COLUMNS_INVALID")
            for cell in row:
                self._fields(cell, _CELL, level, set())
                if cell["align"] not in ("left", "center", "right") or cell["valign"] not in (
                    "top",
                    "middle",
                    "bottom",
                ):
                    raise bad("RICH_MESSAGE_TABLE_ALIGN_INVALID")

    def _words(self, text: str) -> None:
        text.encode()
        self.characters += len(text)
        if self.characters > _MOST_CHARACTERS:
            raise bad("RICH_MESSAGE_TEXT_TOO_LONG")

    def _text(self, node: Any, depth: int) -> None:
        if depth > 2 * _MOST_LEVELS + 8:
            raise bad("RICH_MESSAGE_DEPTH_TOO_BIG")
        if isinstance(node, str):
            self._words(node)
            return
        if isinstance(node, list):
            if not node:
                raise bad("RICH_MESSAGE_TEXT_EMPTY")
            for child in node:
                self._text(child, depth + 1)
            return
        kind = node.get("type") if isinstance(node, dict) else None
        if kind in _STYLES and set(node) == {"type", "text"}:
            self._text(node["text"], depth + 1)
        elif kind == "mathematical_expression" and set(node) == {"type", "expression"}:
            self._words(node["expression"])
        elif kind == "url" and set(node) == {"type", "text", "url"}:
            if check_url(node["url"]) or not node["url"].startswith(("http://", "https://", "tg://")):
                raise bad("RICH_MESSAGE_URL_INVALID")
            self._text(node["text"], depth + 1)
        else:
            raise bad(f"can't parse RichText: unsupported type {kind}")


def rich_text(node: Any) -> str:
    """All words of a rich message, in order."""
    return "".join(_words_of(node))


def _words_of(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for child in node:
            yield from _words_of(child)
    elif isinstance(node, Mapping):
        for name in ("summary", "text", "expression", "blocks", "items", "cells"):
            yield from _words_of(node.get(name, ""))
        yield "\n"
