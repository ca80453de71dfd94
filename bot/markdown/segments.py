"""Segmentation: a growing answer, cut into the documents of platform messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.markdown.continuation import Carry, resumed
from bot.markdown.incremental import Document, Growth
from bot.markdown.outline import Cut, Outline
from bot.markdown.parser import clean, read
from bot.markdown.rules import GUARD
from bot.markdown.tree import Block
from bot.markdown.units import splits_grapheme, utf8, utf16

__all__ = ["Segmenter", "utf8", "utf16"]

_FULL = 0.9  # a part that fills this much of the budget is full enough to look for a place to cut
_TRIES = 16
_NEAR = 32  # a part of what fits, as small as this, is not worth another try


class Segmenter:
    """Cuts Markdown into documents of at most `size`, counted by `measure`.

    `measure` should grow with the document. Only the source after the last cut is looked at, and that is kept bounded
    by `size`: a call costs the same however long the answer has become. What is finished of it is not parsed again, and
    is the same objects as in the call before.
    """

    def __init__(self, size: int, measure: Callable[[Sequence[Block]], int]) -> None:
        if size < 1:
            raise ValueError("size must be at least 1")
        self._size = size
        self._measure = measure
        self._most = 8 * size + 4096  # characters of source that may stay open, however little of them is visible
        self._at = 0  # where in the text the open part starts
        self._carry = Carry()
        self._frozen: tuple[tuple[Block, ...], ...] = ()
        self._ends: tuple[int, ...] = ()
        self._open: tuple[Block, ...] = ()
        self._growth = Growth()  # of the open source, with its prefix
        self._least = self._width = size + size // 4 + 64  # characters of source that are looked at
        self._done = (0, False)  # so long a text, whole or not, is cut up already

    def update(self, text: str, *, whole: bool = False) -> tuple[tuple[Block, ...], ...]:
        """The documents of `text`, which starts with the text of the call before; `whole`: nothing will follow.

        All but the last are final, the same objects on every later call. No document is empty; there are never fewer
        than before.
        """
        for _ in self.steps(text, whole=whole):
            pass
        return (*self._frozen, self._open) if self._open else self._frozen

    @property
    def ends(self) -> Sequence[int]:
        """Where in the text each final document ends; what shows nothing belongs to the next one."""
        return self._ends

    def steps(self, text: str, *, whole: bool = False) -> Iterator[None]:
        """Most of the work of the next `update`, bit by bit: each takes no longer than a block needs, or some
        thousand characters. It may be left off at any of them."""
        while self._done != (len(text), whole):
            end = self._at + self._width
            part = text[self._at : end]
            if part.endswith("\r") and text[end : end + 1] == "\n":
                part += "\n"
            ended = self._at + len(part) >= len(text)
            source = self._carry.prefix + clean(part)
            yield from self._growth.steps(source)
            document = None if ended and not whole else self._growth.closed(source)
            blocks = resumed(document.blocks if document else self._growth.read(source), self._carry)
            visible = self._measure(blocks)
            if visible > self._size or len(part) > self._most:
                yield from self._cut(part, source, visible, document or self._growth.closed(source))
                yield
            elif ended:
                self._open = blocks or self._open
                self._done = (len(text), whole)
            else:
                self._width *= 2

    def _cut(self, part: str, source: str, visible: int, document: Document) -> Iterator[None]:
        """Freeze the first part of the open source, of which `visible` can be seen."""
        begin = len(self._carry.prefix)
        high = self._fitting(source, begin, visible, document)
        if high <= begin and self._carry.prefix not in ("", GUARD):
            self._growth, self._width = Growth(), self._least
            self._carry = Carry(GUARD, guarded=True) if self._carry.guarded else Carry()  # too dear here: do without
            return
        yield
        outline = Outline(source, self._carry)
        yield
        while True:
            cut = self._place(outline, begin, high)
            growth = Growth()
            yield from growth.steps(source[: cut.at])
            reading = growth.closed(source[: cut.at], cut.closing)
            blocks = resumed(reading.blocks, self._carry)
            if cut.at <= begin + 1 or high <= begin + 1 or self._measure(blocks) <= self._size:
                break
            high = begin + (min(cut.at, high) - begin) * 7 // 8
        self._growth, self._width = Growth(), self._least
        self._open = ()
        self._at += _raw_length(part, cut.resume - begin)
        if blocks:
            self._frozen, self._ends = (*self._frozen, blocks), (*self._ends, self._at)
        self._carry = self._affordable(cut.carry, reading.opened)

    def _place(self, outline: Outline, begin: int, high: int) -> Cut:
        source = outline.source
        if high > begin:
            cut = outline.best(begin + (high - begin) // 2, high)
            if cut.resume > begin and cut.at > begin:
                return cut
        high = begin + 1  # not even one character fits, or nothing better: one must go, whole if it can
        while splits_grapheme(source, high) and high - begin < self._size:
            high += 1
        return Cut(high, high, Carry(GUARD, guarded=True))

    def _fitting(self, source: str, begin: int, visible: int, document: Document) -> int:
        """A length of source, short of its end, that fits and fills most of the budget."""
        if visible <= self._size:
            return len(source) - 1
        low, low_size, high, high_size = self._whole_blocks(len(source), begin, visible, document)
        for turn in range(_TRIES):
            if (
                high - low <= 1
                or (low > begin and high - low <= (high - begin) // _NEAR)
                or low_size >= self._size * _FULL
            ):
                break
            share = (self._size * (1 + _FULL) / 2 - low_size) / (high_size - low_size) if turn % 3 < 2 else 0.5
            middle = min(max(low + int((high - low) * share), low + 1), high - 1)
            size = self._measured(source[:middle])
            if size > self._size:
                high, high_size = middle, size
                continue
            low, low_size = middle, min(size, self._size - 1)
        return low

    def _whole_blocks(self, end: int, begin: int, visible: int, document: Document) -> tuple[int, int, int, int]:
        """A length that fits and its measure, and a length that doesn't and its: of whole blocks, so that nothing needs
        to be parsed."""
        few, many = 0, len(document.blocks)
        low, low_size, high, high_size = begin, 0, end, visible
        while many - few > 1:
            middle = (few + many) // 2
            size, at = self._measure(resumed(document.blocks[:middle], self._carry)), document.starts[middle]
            if size > self._size:
                many, high, high_size = middle, at, size
            else:
                few, low, low_size = middle, max(at, begin), min(size, self._size - 1)
        return low, low_size, high, high_size

    def _measured(self, source: str) -> int:
        return self._measure(resumed(read(source).blocks, self._carry))

    def _affordable(self, carry: Carry, opened: tuple[str, ...]) -> Carry:
        if carry.head and self._measure(read(carry.head).blocks) > self._size // 2:
            return Carry()
        if not carry.guarded:
            return carry
        return Carry(carry.prefix + "".join(opened), carry.containers, carry.guarded)


def _raw_length(part: str, length: int) -> int:
    """How much of the raw text the first `length` characters of the clean text are: CR LF became one."""
    if "\r\n" not in part:
        return length
    at = 0
    for _ in range(length):
        at += 2 if part.startswith("\r\n", at) else 1
    return at
