"""Renderer: document tree -> text and entities (Bot API: MessageEntity), never a markup that the platform would parse.

A table stands in a monospaced font if a telephone shows its lines unbroken, else each row is a list of what is in it; a
formula is Unicode where that can be done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from urllib.parse import urlsplit

from adapters.telegram.outgoing.entities import MOST_ENTITIES, Entity, Fragment, Rendered, Writer, harmless
from bot.markdown import plain, utf16
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
from bot.markdown.units import cells
from bot.types import Note, NoteKind, Piece

__all__ = ["MOST", "MOST_ENTITIES", "SIZE", "Entity", "Rendered", "measure", "render", "shown_notes", "takes_link"]

MOST = 4_096  # UTF-16 units of one message (Bot API: sendMessage, text)
SIZE = 3_584  # of them for the answer; the rest is for notes and the mark of growth
TABLE_CELLS = 42  # in a line of a telephone; a wider table becomes a list

_MARK = "…"
_RULE = "———"
_BOXES = {True: "☑ ", False: "☐ "}
_HIDDEN = frozenset({NoteKind.COST, NoteKind.REASONING})
_COMMAND = re.compile(r"((?<![\w/<>])/[a-z]+\b(?!/))")  # in our own words, that a touch must not send
_WORTHWHILE = 60  # UTF-16 units; less of the reasoning isn't worth its place
_INDENT = "   "
_HOST = re.compile(r"[\w~%-]+(?:\.[\w~%-]+)+\.?")


def render(piece: Piece) -> Rendered:
    """What a piece looks like: the reasoning folded, its blocks, the mark if it is growing, its notes in italics."""
    thoughts = "\n".join(note.text.strip() for note in piece.notes if note.kind is NoteKind.REASONING)
    if thoughts:
        _answer(answer := Writer(), piece)
        thoughts = _fitting(harmless(thoughts), MOST - answer.length - 4)
    writer = Writer()
    if thoughts:
        with writer.span("expandable_blockquote"):
            writer.write(thoughts)
        writer.gap("\n\n")
    _answer(writer, piece)
    rendered = writer.rendered()
    return rendered if rendered.text else Rendered(_MARK)  # an empty text is refused


def _answer(writer: Writer, piece: Piece) -> None:
    _blocks(writer, piece.blocks)
    if piece.growing:
        _grow(writer, piece.blocks)
    _notes(writer, piece.notes)


def _fitting(thoughts: str, room: int) -> str:
    """As much of the reasoning as there is room for; a mark where it is cut."""
    if utf16(thoughts) <= room:
        return thoughts
    room -= utf16(_MARK)
    cut = thoughts.encode("utf-16-le", "replace")[: 2 * max(room, 0)].decode("utf-16-le", "ignore").rstrip()
    return cut + _MARK if room >= _WORTHWHILE else ""


def measure(blocks: Sequence[Block]) -> int:
    """How long the blocks are as text, in UTF-16 units; more than a message holds if they have too many entities."""
    writer = Writer()
    _blocks(writer, blocks)
    most = MOST_ENTITIES - 4  # notes have some, too
    return writer.length if writer.count <= most else max(writer.length, SIZE * writer.count // most)


def _grow(writer: Writer, blocks: Sequence[Block]) -> None:
    inline = blocks and isinstance(blocks[-1], Paragraph | Heading | List)
    writer.write((" " if inline else "\n") + _MARK if writer.length else _MARK)


def shown_notes(notes: Sequence[Note]) -> str:
    """The notes that stand below an answer, a line each."""
    return "\n".join(note.text.strip() for note in notes if note.kind not in _HIDDEN)


def _notes(writer: Writer, notes: Sequence[Note]) -> None:
    text = shown_notes(notes)
    room = MOST - writer.length - 3
    if not text or room < 1:
        return
    if utf16(text) > room:
        text = text.encode("utf-16-le", "replace")[: 2 * (room - 1)].decode("utf-16-le", "ignore") + _MARK
    writer.gap("\n\n")
    most = max(0, (MOST_ENTITIES - writer.count - 1) // 2)
    for number, part in enumerate(_COMMAND.split(text, most) if most else [text]):
        if part:
            with writer.span("code" if number % 2 else "italic"):
                writer.write(part)


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _blocks(writer: Writer, blocks: Sequence[Block], nested: bool = False, gap: str = "\n\n") -> None:
    last = len(blocks) - 1
    for number, block in enumerate(blocks):
        if number:
            writer.gap(gap)
        if nested or number == last:
            _block(writer, block, nested)
        else:
            writer.append(_finished(block))


@lru_cache(maxsize=2048)
def _finished(block: Block) -> Fragment:
    """A block that doesn't grow any more. It is asked for in each frame, to be measured and to be shown."""
    writer = Writer()
    _block(writer, block, False)
    return writer.fragment


def _block(writer: Writer, block: Block, nested: bool) -> None:
    match block:
        case Paragraph(children):
            _inlines(writer, children)
        case Heading(_, children):
            with writer.span("bold"):
                _inlines(writer, children)
        case Fence(text, language):
            writer.solid(text, language[:40])
        case MathBlock(text):
            line = linear(text)
            writer.solid(line, "latex" if line == text and "\\" in text else "")
        case Table():
            _table(writer, block)
        case Quote(children):
            _quote(writer, children, nested)
        case List():
            _list(writer, block)
        case Rule():
            writer.write(_RULE)


def _quote(writer: Writer, children: Sequence[Block], nested: bool) -> None:
    if not nested:
        with writer.span("blockquote"), writer.worded():
            _blocks(writer, children, True)
        return
    writer.write("> ")
    with _indented(writer, "> "):
        _blocks(writer, children, True)


def _table(writer: Writer, block: Table) -> None:
    lines = plain((block,))
    if max(cells(line) for line in lines.split("\n")) <= TABLE_CELLS or not block.rows:
        writer.solid(lines, "")
        return
    for number, row in enumerate(block.rows):
        if number:
            writer.gap("\n\n")
        for place, (head, cell) in enumerate(zip(block.head, row, strict=True)):
            if place:
                writer.gap("\n")
                writer.write("• ")
            _entry(writer, head, cell, first=not place)


def _entry(writer: Writer, head: Sequence[Inline], cell: Sequence[Inline], *, first: bool) -> None:
    """`header: value`, and the first of a row in bold: it is mostly what the row is about."""
    with writer.span("bold") if first else nullcontext(), _indented(writer, "" if first else _INDENT):
        _inlines(writer, head)
        if head:
            writer.write(": ")
        _inlines(writer, cell)


def _list(writer: Writer, block: List) -> None:
    for number, item in enumerate(block.items, block.start or 0):
        if number > (block.start or 0):
            writer.gap("\n" if block.tight else "\n\n")
        _item(writer, item, "• " if block.start is None else f"{number}. ", block.tight)


def _item(writer: Writer, item: Item, mark: str, tight: bool) -> None:
    if item.done is not None:
        mark = (mark if mark != "• " else "") + _BOXES[item.done]
    writer.write(mark)
    with _indented(writer, _INDENT):
        if item.children and isinstance(item.children[0], Fence | MathBlock | Table | List | Quote):
            writer.gap("\n")  # such a block begins with its own line
        _blocks(writer, item.children, True, "\n" if tight else "\n\n")


@contextmanager
def _indented(writer: Writer, indent: str) -> Iterator[None]:
    before = writer.indent
    writer.indent += indent
    yield
    writer.indent = before


# ── inside of a line ────────────────────────────────────────────────────────────────────────────────────────────────


def _inlines(writer: Writer, children: Sequence[Inline]) -> None:
    for child in children:
        _inline(writer, child)


def _inline(writer: Writer, node: Inline) -> None:
    match node:
        case Words(text):
            writer.words(text)
        case Code(text):
            writer.code(text)
        case Math(text):
            _math(writer, text)
        case Footnote(label, defines):
            writer.write(f"[{label}] " if defines else f"[{label}]")
        case Break():
            writer.write("\n")
        case Strong(children):
            _styled(writer, "bold", children)
        case Emphasis(children):
            _styled(writer, "italic", children)
        case Strike(children):
            _styled(writer, "strikethrough", children)
        case Link(url, children):
            _link(writer, url, children)


def _math(writer: Writer, latex: str) -> None:
    line = linear(latex).replace("\n", "; ")
    if line == latex and "\\" in latex:
        writer.code(latex)
    else:
        writer.words(line)


def _styled(writer: Writer, type: str, children: Sequence[Inline]) -> None:
    with writer.span(type):
        _inlines(writer, children)


def _link(writer: Writer, url: str, children: Sequence[Inline]) -> None:
    if takes_link(url):
        with writer.span("text_link", url=url), writer.worded():
            _inlines(writer, children)
        return
    _inlines(writer, children)
    address = url.removeprefix("mailto:").removeprefix("tel:")
    if plain((Paragraph(tuple(children)),)).strip() not in (address, url):
        writer.write(f" ({address})")


def takes_link(url: str) -> bool:
    """What the platform takes as a link; one that it doesn't would have the whole message refused."""
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    scheme = parts.scheme.lower()
    return scheme == "tg" or (scheme in ("http", "https") and bool(_HOST.fullmatch(host)))
