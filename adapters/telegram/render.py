"""Document tree -> text and entities (Bot API: MessageEntity), never a markup that the platform would parse.

Offsets and lengths are UTF-16 code units. Entities keep the platform's rules (Bot API: Formatting options): `pre` and
`code` stand alone, so bold, italic, strikethrough and quotes go around a `pre`; in quotes and links, code is words; a
quote holds no other quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from bot.markdown import plain, utf16
from bot.markdown.tree import (
    Block,
    Break,
    Code,
    Emphasis,
    Fence,
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
from bot.types import Note, NoteKind, Piece

__all__ = ["MOST", "SIZE", "Entity", "Rendered", "measure", "render"]

MOST = 4_096  # UTF-16 units of one message (Bot API: sendMessage, text)
SIZE = 3_584  # of them for the answer; the rest is for notes and the mark of growth
MOST_ENTITIES = 100  # of one message; the platform drops further ones without a word

_MARK = "…"
_RULE = "———"
_BOXES = {True: "☑ ", False: "☐ "}
_HIDDEN = frozenset({NoteKind.COST})
_SOLID = ("pre", "code")
_SPLITTABLE = ("blockquote", "bold", "italic", "strikethrough")
_WORTH = {name: rank for rank, name in enumerate(("pre", "text_link", "code", *_SPLITTABLE))}
_INDENT = "   "
_HOST = re.compile(r"[\w~%-]+(?:\.[\w~%-]+)+\.?")


@dataclass(frozen=True, slots=True)
class Entity:
    type: str
    offset: int
    length: int
    language: str = ""  # of pre
    url: str = ""  # of text_link

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str
    entities: tuple[Entity, ...] = ()


def render(piece: Piece) -> Rendered:
    """What a piece looks like: its blocks, then the mark if it is growing, then its notes in italics."""
    writer = _Writer()
    _blocks(writer, piece.blocks)
    if piece.growing:
        _grow(writer, piece.blocks)
    _notes(writer, piece.notes)
    rendered = writer.rendered()
    return rendered if rendered.text else Rendered(_MARK)  # an empty text is refused


def measure(blocks: Sequence[Block]) -> int:
    """How long the blocks are as text, in UTF-16 units."""
    writer = _Writer()
    _blocks(writer, blocks)
    return writer.length


def _grow(writer: _Writer, blocks: Sequence[Block]) -> None:
    inline = blocks and isinstance(blocks[-1], Paragraph | Heading | List)
    writer.write((" " if inline else "\n") + _MARK if writer.length else _MARK)


def _notes(writer: _Writer, notes: Sequence[Note]) -> None:
    text = "\n".join(note.text.strip() for note in notes if note.kind not in _HIDDEN)
    room = MOST - writer.length - 3
    if not text or room < 1:
        return
    if utf16(text) > room:
        text = text.encode("utf-16-le", "replace")[: 2 * (room - 1)].decode("utf-16-le", "ignore") + _MARK
    writer.gap("\n\n")
    with writer.span("italic"):
        writer.write(text)


# ── the text and its entities ───────────────────────────────────────────────────────────────────────────────────────


class _Writer:
    """Text that grows, and the entities over it. A gap is only written when something follows it."""

    def __init__(self) -> None:
        self.length = 0
        self.indent = ""
        self._text: list[str] = []
        self._gap = ""
        self._is_worded = False
        self._entities: list[Entity] = []

    def write(self, text: str) -> None:
        text = text.replace("\0", "")
        if not text:
            return
        if self.indent:
            text = text.replace("\n", "\n" + self.indent)
        self._put(self._gap + text)
        self._gap = ""

    def solid(self, text: str, language: str) -> None:
        """A `pre`: as it is, on lines of its own, without indentation."""
        if self._gap:
            self._gap = self._gap.rstrip(" >")
        indent, self.indent = self.indent, ""
        with self.span("pre", language=language):
            self.write(text)
        self.indent = indent

    def code(self, text: str) -> None:
        if self._is_worded:
            self.write(text)
            return
        with self.span("code"):
            self.write(text)

    @contextmanager
    def worded(self) -> Iterator[None]:
        """Where code can't be marked as such."""
        before, self._is_worded = self._is_worded, True
        yield
        self._is_worded = before

    def _put(self, text: str) -> None:
        self._text.append(text)
        self.length += utf16(text)

    def gap(self, text: str) -> None:
        """Between what is there and what will follow; the first of several counts."""
        if self.length and not self._gap:
            self._gap = text.replace("\n\n", "\n\n" + self.indent) if "\n\n" in text else text + self.indent

    @contextmanager
    def span(self, type: str, *, language: str = "", url: str = "") -> Iterator[None]:
        start = self.length + utf16(self._gap)
        yield
        if self.length > start:
            self._entities.append(Entity(type, start, self.length - start, language, url))

    def rendered(self) -> Rendered:
        whole = "".join(self._text)
        text = whole.rstrip()  # the platform cuts spaces at the end off
        end = self.length - (len(whole) - len(text))
        clipped = (replace(each, length=min(each.end, end) - each.offset) for each in self._entities)
        # half a surrogate pair can't travel as UTF-8; what takes its place is as long
        text = text.encode("utf-8", "replace").decode()
        return Rendered(text, _allowed([each for each in clipped if each.length > 0]))


def _allowed(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """What may stand together, in order; the less important go where there are too many."""
    solid = sorted((each.offset, each.end) for each in entities if each.type in _SOLID)
    kept = [each for each in entities if each.type not in _SPLITTABLE]
    for type in _SPLITTABLE:
        for start, end in _without(_union(each for each in entities if each.type == type), solid):
            kept.append(Entity(type, start, end - start))
    if len(kept) > MOST_ENTITIES:
        kept = sorted(kept, key=lambda each: _WORTH[each.type])[:MOST_ENTITIES]
    return tuple(sorted(kept, key=lambda each: (each.offset, -each.length, _WORTH[each.type])))


def _union(entities: Iterator[Entity]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for each in sorted(entities, key=lambda each: each.offset):
        if spans and each.offset < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], each.end))
        else:
            spans.append((each.offset, each.end))
    return spans


def _without(spans: Sequence[tuple[int, int]], holes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in spans:
        for hole_start, hole_end in holes:
            if hole_end <= start or hole_start >= end:
                continue
            if hole_start > start:
                yield start, hole_start
            start = hole_end
        if start < end:
            yield start, end


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _blocks(writer: _Writer, blocks: Sequence[Block], nested: bool = False, gap: str = "\n\n") -> None:
    for number, block in enumerate(blocks):
        if number:
            writer.gap(gap)
        _block(writer, block, nested)


def _block(writer: _Writer, block: Block, nested: bool) -> None:
    match block:
        case Paragraph(children):
            _inlines(writer, children)
        case Heading(_, children):
            with writer.span("bold"):
                _inlines(writer, children)
        case Fence(text, language):
            writer.solid(text, language[:40])
        case MathBlock(text):
            writer.solid(text, "latex")
        case Table():
            writer.solid(plain((block,)), "")
        case Quote(children):
            _quote(writer, children, nested)
        case List():
            _list(writer, block)
        case Rule():
            writer.write(_RULE)


def _quote(writer: _Writer, children: Sequence[Block], nested: bool) -> None:
    if not nested:
        with writer.span("blockquote"), writer.worded():
            _blocks(writer, children, True)
        return
    writer.write("> ")
    with _indented(writer, "> "):
        _blocks(writer, children, True)


def _list(writer: _Writer, block: List) -> None:
    for number, item in enumerate(block.items, block.start or 0):
        if number > (block.start or 0):
            writer.gap("\n" if block.tight else "\n\n")
        _item(writer, item, "• " if block.start is None else f"{number}. ", block.tight)


def _item(writer: _Writer, item: Item, mark: str, tight: bool) -> None:
    if item.done is not None:
        mark = (mark if mark != "• " else "") + _BOXES[item.done]
    writer.write(mark)
    with _indented(writer, _INDENT):
        if item.children and isinstance(item.children[0], Fence | MathBlock | Table | List | Quote):
            writer.gap("\n")  # such a block begins with its own line
        _blocks(writer, item.children, True, "\n" if tight else "\n\n")


@contextmanager
def _indented(writer: _Writer, indent: str) -> Iterator[None]:
    before = writer.indent
    writer.indent += indent
    yield
    writer.indent = before


# ── inside of a line ────────────────────────────────────────────────────────────────────────────────────────────────


def _inlines(writer: _Writer, children: Sequence[Inline]) -> None:
    for child in children:
        _inline(writer, child)


def _inline(writer: _Writer, node: Inline) -> None:
    match node:
        case Words(text):
            writer.write(text)
        case Code(text) | Math(text):
            writer.code(text)
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


def _styled(writer: _Writer, type: str, children: Sequence[Inline]) -> None:
    with writer.span(type):
        _inlines(writer, children)


def _link(writer: _Writer, url: str, children: Sequence[Inline]) -> None:
    if _can_be_linked(url):
        with writer.span("text_link", url=url), writer.worded():
            _inlines(writer, children)
        return
    _inlines(writer, children)
    address = url.removeprefix("mailto:").removeprefix("tel:")
    if plain((Paragraph(tuple(children)),)).strip() not in (address, url):
        writer.write(f" ({address})")


def _can_be_linked(url: str) -> bool:
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
