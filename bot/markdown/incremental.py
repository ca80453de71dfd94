"""Incremental parser: the source of a document that grows, read frame after frame: what is finished in it is not parsed
again

The dialect lets nothing outside of a block change it, and nothing after it but what follows at once: the last block may
still become anything, and the last but one may take it in (a heading's underline, a lazy line, what seemed to be a
formula). Items of a list and rows of a table are like blocks in this. So all before the last but one is finished.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markdown_it.token import Token

from bot.markdown.parser import Reading, block_tokens, has_paragraph, read, read_open
from bot.markdown.tree import Block, List, Table

__all__ = ["Document", "Growth"]

_STEP = 16_384  # characters that are parsed at once, unless one block is longer
_TAB = 4  # what is less to the right than this is no part of the item before it


@dataclass(frozen=True, slots=True)
class _Begun:
    """The first items or rows of a block, finished; its other ones are parsed behind `head`.

    The head of a list is an item of our own, with a paragraph that tells whether there are blank lines.
    """

    head: str
    block: List | Table  # of a list, `tight` says whether there are none, even if nothing would show them

    def joined(self, rest: Block) -> Block:
        match self.block, rest:
            case List(items, start, tight), List((_, *more), _, tight_too):
                items = (*items, *more)
                return List(items, start, (tight and tight_too) or not has_paragraph(items))
            case Table(head, rows, align), Table(_, more):
                return Table(head, (*rows, *more), align)
        raise AssertionError(rest)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A block, an item of a list or a row of a table: its first line, and what opens the block."""

    line: int
    block: Token


@dataclass(frozen=True, slots=True)
class Document:
    """The blocks of a source, where in it each begins, and the markers that were open at its end: see `Reading`."""

    blocks: tuple[Block, ...]
    starts: Sequence[int]
    opened: tuple[str, ...]


class Growth:
    """Give `read` the clean source as it is now; it begins with the source of the call before."""

    def __init__(self) -> None:
        self._at = 0  # up to there the source is finished:
        self._blocks: tuple[Block, ...] = ()  # these blocks,
        self._starts: list[int] = []  # where they begin,
        self._begun: _Begun | None = None  # and a part of the one that goes on there
        self._begun_at = 0
        self._seen = 0  # characters that were given to `read`

    def steps(self, source: str) -> Iterator[None]:
        """Read it bit by bit, up to a last one, where there is more of it than should be read at once."""
        while (end := self._at + max(_STEP, 2 * (self._seen - self._at))) < len(source):
            self.read(source[:end])
            yield

    def closed(self, source: str, closing: frozenset[str] = frozenset()) -> Document:
        """The same as `parser.read`: nothing follows. What was read before is not parsed again."""
        head = self._begun.head if self._begun else ""
        reading = read(head + source[self._at :], closing=closing)
        starts = [*self._starts, *self._places(head + source[self._at :], reading, len(head))]
        return Document((*self._blocks, *self._joined(reading.blocks)), starts, reading.opened)

    def _joined(self, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        return (self._begun.joined(blocks[0]), *blocks[1:]) if self._begun else blocks

    def _places(self, text: str, reading: Reading, head: int) -> list[int]:
        """Where in the source the blocks of a reading begin."""
        lines = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
        places = [self._at + lines[line] - head for line in reading.starts]
        return [self._begun_at, *places[1:]] if self._begun else places

    def read(self, source: str) -> tuple[Block, ...]:
        """The same as `parse` with `growing`. What is finished is the same objects on every later call."""
        head = self._begun.head if self._begun else ""
        reading = read_open(source, self._at, head)
        self._seen = len(source)
        blocks = self._joined(reading.blocks)
        whole = (*self._blocks, *blocks)
        units = list(_units(reading.tokens))
        if len(units) > 2:
            self._settle(head + source[self._at :], reading, blocks, units)
        return whole

    def _settle(self, text: str, reading: Reading, blocks: tuple[Block, ...], units: Sequence[_Unit]) -> None:
        """What `text`, of which `units` were read, has before the last but one of them is finished."""
        here = units[-2]
        start, at = _line_start(text, _line(here.block)), _line_start(text, here.line)
        known = len(self._begun.head) if self._begun else 0
        if at == known:
            return
        place = bisect_left(reading.starts, _line(here.block))
        before = self._begun if place == 0 else None
        begun = None
        if here.line > _line(here.block):
            count = sum(unit.block is here.block for unit in units[:-2])
            begun = _begun(here.block, blocks[place], count, text[start:at], before)
        places = self._places(text, reading, known)
        self._begun_at = places[place] if begun else 0
        self._at += at - known
        self._blocks += blocks[:place]
        self._starts += places[:place]
        self._begun = begun


def _units(tokens: Sequence[Token]) -> Iterator[_Unit]:
    for token in tokens:
        if token.level == 0 and token.map:
            block = token
        is_item = token.type == "list_item_open" and token.level == 1
        is_row = token.type == "tr_open" and token.level == 2
        is_block = token is block and token.type not in ("bullet_list_open", "ordered_list_open", "table_open")
        if is_item or is_row or is_block:
            yield _Unit(_line(token), block)


def _begun(opener: Token, block: Block, count: int, text: str, before: _Begun | None) -> _Begun:
    """The beginning of a block: what `before` has of it, and the first `count` units of `text`."""
    match block, before.block if before else None:
        case List(items, start), old:
            item = (opener.markup if opener.type[0] == "b" else "1" + opener.markup).ljust(_TAB) + "x\n"
            inner = block_tokens((text if before else item + text) + item)
            tight = inner[2].hidden and (old.tight if isinstance(old, List) else True)
            done = len(old.items) - 1 if isinstance(old, List) else 0
            return _Begun(item, List(items[: done + count], start, tight))
        case Table(head, rows, align), old:
            done = len(old.rows) if isinstance(old, Table) else 0
            lines = before.head if before else text[: _line_start(text, 2)]
            return _Begun(lines, Table(head, rows[: done + count - 1], align))
    raise AssertionError(block)


def _line(token: Token) -> int:
    assert token.map is not None
    return token.map[0]


def _line_start(source: str, line: int) -> int:
    at = 0
    for _ in range(line):
        at = source.index("\n", at) + 1
    return at
