"""Document tree -> what rich draws on a terminal. A model's control characters don't reach it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule as Line
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table as Grid
from rich.text import Text as Styled

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

__all__ = ["Document"]

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLUMN = 8  # cells that a column needs to be read; where there are fewer, rows become lists
_LONG = 20  # cells of a word that may be broken
_WORD = re.compile(
    "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]|[^\\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]+"
)  # Han breaks anywhere
_BOXES = {True: "☑ ", False: "☐ "}


class Document:
    """Blocks as rich draws them, a line of air after each."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for block in self._blocks:
            yield from _block(block, options.max_width)
            yield Styled("")


class _Prefixed:
    """Something with a mark before its first line, and another before the rest."""

    def __init__(self, inner: RenderableType, first: str, rest: str, style: str = "") -> None:
        self._inner, self._first, self._rest, self._style = inner, first, rest, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - cells(self._first), 1)
        style = Style.parse(self._style)
        lines = console.render_lines(self._inner, options.update(width=width), pad=False)
        for number, line in enumerate(lines or [[]]):
            yield Segment(self._rest if number else self._first, style)
            yield from line
            yield Segment.line()


def _block(block: Block, width: int) -> Iterator[RenderableType]:
    match block:
        case Paragraph(children):
            yield _text(children)
        case Heading(level, children):
            yield _text(children, "bold underline" if level == 1 else "bold")
        case Fence(text, language):
            code = Syntax(
                _calm(text), language or "text", theme="ansi_dark", background_color="default", word_wrap=True
            )
            yield _Prefixed(code, "  ", "  ")
        case MathBlock(text):
            yield _Prefixed(Styled(_calm(linear(text)), style="cyan"), "  ", "  ")
        case Quote(children):
            yield _Prefixed(Group(*_blocks(children, width - 2, loose=True)), "▌ ", "▌ ", "dim")
        case List():
            yield from _list(block, width)
        case Table():
            yield from _table(block, width)
        case Rule():
            yield Line(style="dim")


def _blocks(blocks: Sequence[Block], width: int, *, loose: bool) -> Iterator[RenderableType]:
    for number, block in enumerate(blocks):
        if number and loose:
            yield Styled("")
        yield from _block(block, width)


def _list(block: List, width: int) -> Iterator[RenderableType]:
    for number, item in enumerate(block.items, block.start or 0):
        if number > (block.start or 0) and not block.tight:
            yield Styled("")
        yield _item(item, "• " if block.start is None else f"{number}. ", width, block.tight)


def _item(item: Item, mark: str, width: int, tight: bool) -> RenderableType:
    if item.done is not None:
        mark = (mark if mark != "• " else "") + _BOXES[item.done]
    room = max(width - cells(mark), 1)
    inner = Group(*_blocks(item.children, room, loose=not tight))
    return _Prefixed(inner, mark, " " * cells(mark), "bold")


def _table(block: Table, width: int) -> Iterator[RenderableType]:
    if sum(_least(column) for column in zip(block.head, *block.rows, strict=True)) > width:
        for number, row in enumerate(block.rows or (block.head,)):
            if number:
                yield Styled("")
            for head, cell in zip(block.head, row, strict=True):
                entry = (_text(head, "bold"), ": ") if head and block.rows else ("",)
                yield Styled.assemble(*entry, _text(cell))
        return
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head, side in zip(block.head, block.align, strict=True):
        grid.add_column(_text(head), justify=side or "left", overflow="fold")
    for row in block.rows:
        grid.add_row(*(_text(cell) for cell in row))
    yield grid


def _least(column: Sequence[Sequence[Inline]]) -> int:
    """Cells that a column needs so that no word of it is broken, with the gap beside it; of a word that is longer than
    any column should be (an address), only as much as can be read."""
    words = (cells(word) for cell in column for word in _WORD.findall(_text(cell).plain))
    return max(_COLUMN, min(max(words, default=0), _LONG) + 2)


# ── inside of a line ────────────────────────────────────────────────────────────────────────────────────────────────


def _text(children: Sequence[Inline], style: str = "") -> Styled:
    text = Styled(style=style, overflow="fold")
    for child in children:
        _say(text, child, "")
    return text


def _say(text: Styled, node: Inline, style: str) -> None:
    match node:
        case Words(words):
            text.append(_calm(words), style)
        case Code(words):
            text.append(_calm(words), f"{style} cyan")
        case Math(words):
            text.append(_calm(linear(words)), f"{style} cyan")
        case Break():
            text.append("\n")
        case Footnote(label, defines):
            text.append(f"[{label}] " if defines else f"[{label}]", f"{style} dim")
        case Strong(children):
            _all(text, children, f"{style} bold")
        case Emphasis(children):
            _all(text, children, f"{style} italic")
        case Strike(children):
            _all(text, children, f"{style} strike")
        case Link(url, children):
            start = len(text)
            _all(text, children, f"{style} underline")
            address = _calm(url.removeprefix("mailto:").removeprefix("tel:"))
            if text.plain[start:] not in (url, address):
                text.append(f" ({address})", f"{style} dim")


def _all(text: Styled, children: Sequence[Inline], style: str) -> None:
    for child in children:
        _say(text, child, style)


def _calm(text: str) -> str:
    """Without what would move the cursor, change its colours, or set the clipboard; and what UTF-8 can't say."""
    return _CONTROLS.sub("\ufffd", text).encode("utf-8", "replace").decode()
