"""Rich-message renderer: document tree -> rich message (Bot API: InputRichMessage.blocks), of which nothing is parsed
by the far side

Its markup forms may hold any HTML, live buttons too; blocks can't. What the platform would count as too much, or take
for a link that it refuses, makes no rich message: text and entities then show the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adapters.telegram.outgoing.render import shown_notes, takes_link
from bot.markdown.formulas.latex import read
from bot.markdown.formulas.linear import linear
from bot.markdown.tree import (
    Block,
    Break,
    Code,
    Emphasis,
    Fence,
    Footnote,
    Heading,
    Inline,
    Item,
    Link,
    List,
    Math,
    MathBlock,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Words,
)
from bot.types import NoteKind, Piece

__all__ = ["gains", "rich"]

MOST_CHARACTERS = 32_768  # code points of a rich message (Bot API: Rich messages), with the sources of formulas
MOST_BLOCKS = 500  # nested ones, items and rows count
MOST_LEVELS = 16
MOST_COLUMNS = 20

Json = dict[str, Any]
RichText = str | Json | list[Any]


def gains(blocks: Sequence[Block]) -> bool:
    """Whether there is something that text with entities can't show well: a table or a formula."""
    return any(_gains(block) for block in blocks)


def rich(piece: Piece) -> Json | None:
    """The fields of an InputRichMessage; None if the piece doesn't fit into one."""
    blocks = [*_reasoning(piece), *_blocks(piece.blocks)]
    if notes := shown_notes(piece.notes):
        blocks.append({"type": "footer", "text": {"type": "italic", "text": notes}})
    if not blocks or not _fits(blocks):
        return None
    return {"blocks": blocks, "skip_entity_detection": True}


def _reasoning(piece: Piece) -> Iterator[Json]:
    for note in piece.notes:
        if note.kind is NoteKind.REASONING and note.text.strip():
            head, _, rest = note.text.strip().partition("\n")
            inner = _paragraph(rest.strip() or head)
            yield {"type": "details", "summary": head if rest.strip() else "…", "blocks": [inner], "is_open": False}


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _blocks(blocks: Sequence[Block]) -> list[Json]:
    return [_block(block) for block in blocks]


def _block(block: Block) -> Json:
    match block:
        case Paragraph(children):
            return _paragraph(_inlines(children))
        case Heading(level, children):
            return {"type": "heading", "text": _inlines(children), "size": min(max(level, 1), 6)}
        case Fence(text, language):
            return {"type": "pre", "text": _travelling(text), **({"language": language[:40]} if language else {})}
        case MathBlock(text):
            if read(text) is None:  # what isn't understood here may not be understood there
                return {"type": "pre", "text": _travelling(text), "language": "latex"}
            return {"type": "mathematical_expression", "expression": _travelling(text)}
        case Quote(children):
            return {"type": "blockquote", "blocks": _blocks(children)}
        case List(items, start):
            return {"type": "list", "items": [_item(item, number) for number, item in _numbered(items, start)]}
        case Table():
            return _table(block)
        case Rule():
            return {"type": "divider"}


def _paragraph(text: RichText) -> Json:
    return {"type": "paragraph", "text": text}


def _numbered(items: Sequence[Item], start: int | None) -> Iterator[tuple[int | None, Item]]:
    for place, item in enumerate(items):
        yield (None if start is None else start + place), item


def _item(item: Item, number: int | None) -> Json:
    made: Json = {"blocks": _blocks(item.children) or [_paragraph(" ")]}
    if item.done is not None:
        made |= {"has_checkbox": True, "is_checked": item.done}
    return made if number is None else made | {"value": number, "type": "1"}


def _table(block: Table) -> Json:
    rows = [
        [_cell(cell, side, is_head=not number) for cell, side in zip(row, block.align, strict=True)]
        for number, row in enumerate((block.head, *block.rows))
    ]
    return {"type": "table", "cells": rows, "is_bordered": True, "is_striped": len(rows) > 4}


def _cell(children: Sequence[Inline], side: str | None, *, is_head: bool) -> Json:
    cell: Json = {"align": side or "left", "valign": "top"}
    if children:
        cell["text"] = _inlines(children)
    return cell | {"is_header": True} if is_head else cell


# ── inside of a line ────────────────────────────────────────────────────────────────────────────────────────────────


def _inlines(children: Sequence[Inline]) -> RichText:
    parts = [part for child in children for part in _inline(child)]
    if not parts:
        return ""
    return parts[0] if len(parts) == 1 else parts


def _inline(node: Inline) -> Iterator[RichText]:
    match node:
        case Words(text):
            yield _travelling(text)
        case Code(text):
            yield {"type": "code", "text": _travelling(text)}
        case Math(text):
            yield _math(text)
        case Break():
            yield "\n"
        case Strong(children):
            yield {"type": "bold", "text": _inlines(children)}
        case Emphasis(children):
            yield {"type": "italic", "text": _inlines(children)}
        case Strike(children):
            yield {"type": "strikethrough", "text": _inlines(children)}
        case Link(url, children):
            yield from _link(url, children)
        case Footnote(label, defines):
            yield f"[{label}] " if defines else {"type": "superscript", "text": f"[{label}]"}


def _math(latex: str) -> RichText:
    if read(latex) is None:
        return {"type": "code", "text": _travelling(latex)} if "\\" in latex else _travelling(linear(latex))
    return {"type": "mathematical_expression", "expression": _travelling(latex)}


def _link(url: str, children: Sequence[Inline]) -> Iterator[RichText]:
    text = _inlines(children)
    if takes_link(url):
        yield {"type": "url", "text": text, "url": url}
        return
    yield text
    address = url.removeprefix("mailto:").removeprefix("tel:")
    if text not in (address, url):
        yield f" ({address})"


def _travelling(text: str) -> str:
    """Half a surrogate pair can't be written in UTF-8, and NUL ends a text there."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


# ── what fits ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _gains(block: Block) -> bool:
    match block:
        case Table() | MathBlock():
            return True
        case Paragraph(children) | Heading(_, children):
            return any(_has_math(child) for child in children)
        case Quote(children):
            return gains(children)
        case List(items):
            return any(gains(item.children) for item in items)
    return False


def _has_math(node: Inline) -> bool:
    match node:
        case Math():
            return True
        case Strong(children) | Emphasis(children) | Strike(children) | Link(_, children):
            return any(_has_math(child) for child in children)
    return False


def _fits(blocks: Sequence[Json]) -> bool:
    characters, count, levels = _size(blocks)
    widths = (len(row) for table in _tables(blocks) for row in table["cells"])
    return (
        characters <= MOST_CHARACTERS
        and count <= MOST_BLOCKS
        and levels <= MOST_LEVELS
        and all(width <= MOST_COLUMNS for width in widths)
    )


def _size(node: Any) -> tuple[int, int, int]:
    """Characters, blocks, and levels of what is in a JSON value."""
    if isinstance(node, str):
        return len(node), 0, 0
    if isinstance(node, list):
        sizes = [_size(each) for each in node]
        deepest = max((size[2] for size in sizes), default=0)
        return sum(size[0] for size in sizes), sum(size[1] for size in sizes), deepest
    if not isinstance(node, dict):
        return 0, 0, 0
    named = [node[name] for name in ("text", "expression", "url", "summary", "language") if name in node]
    nested = [node[name] for name in ("blocks", "items", "cells") if name in node]
    characters, count, levels = _size([*named, *nested])
    rows = len(node.get("cells", ()))
    return characters, count + rows + bool(nested or node.get("type") in _LEAVES), levels + 1


_LEAVES = frozenset({"paragraph", "heading", "pre", "mathematical_expression", "divider", "footer"})


def _tables(blocks: Sequence[Json]) -> Iterator[Json]:
    for block in blocks:
        if block.get("type") == "table":
            yield block
        for inner in ("blocks", "items"):
            yield from _tables(block.get(inner, ()))
