"""A growing answer, cut into the documents of platform messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.markdown.carry import Carry, resumed
from bot.markdown.growth import Growth
from bot.markdown.outline import Cut, Outline
from bot.markdown.parser import clean, read
from bot.markdown.rules import GUARD
from bot.markdown.tree import Block
from bot.markdown.units import splits_grapheme, utf8, utf16

__all__ = ["Segmenter", "utf8", "utf16"]

_FULL = 0.9  # a part that fills this much of the budget is full enough to look for a place to cut
_TRIES = 16


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
        self._open: tuple[Block, ...] = ()
        self._growth = Growth()  # of the open source, with its prefix
        self._least = self._width = size + size // 4 + 64  # characters of source that are looked at

    def update(self, text: str, *, whole: bool = False) -> tuple[tuple[Block, ...], ...]:
        """The documents of `text`, which starts with the text of the call before; `whole`: nothing will follow.

        All but the last are final, the same objects on every later call. No document is empty; there are never fewer
        than before.
        """
        while True:
            end = self._at + self._width
            part = text[self._at : end]
            if part.endswith("\r") and text[end : end + 1] == "\n":
                part += "\n"
            ended = self._at + len(part) >= len(text)
            source = self._carry.prefix + clean(part)
            if ended and not whole:
                blocks = resumed(self._growth.read(source), self._carry)
            else:
                blocks = resumed(read(source).blocks, self._carry)
            visible = self._measure(blocks)
            if visible > self._size or len(part) > self._most:
                self._cut(part, source, visible)
            elif ended:
                self._open = blocks or self._open
                return (*self._frozen, self._open) if self._open else self._frozen
            else:
                self._width *= 2

    def _cut(self, part: str, source: str, visible: int) -> None:
        """Freeze the first part of the open source, of which `visible` can be seen."""
        self._growth, self._width = Growth(), self._least
        begin = len(self._carry.prefix)
        high = self._fitting(source, begin, visible)
        if high <= begin and self._carry.prefix not in ("", GUARD):
            self._carry = Carry(GUARD, guarded=True) if self._carry.guarded else Carry()  # too dear here: do without
            return
        outline = Outline(source, self._carry)
        while True:
            cut = self._place(outline, begin, high)
            reading = read(source[: cut.at], closing=cut.closing)
            blocks = resumed(reading.blocks, self._carry)
            if cut.at <= begin + 1 or high <= begin + 1 or self._measure(blocks) <= self._size:
                break
            high = begin + (min(cut.at, high) - begin) * 7 // 8
        if blocks:
            self._frozen = (*self._frozen, blocks)
        self._open = ()
        self._at += _raw_length(part, cut.resume - begin)
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

    def _fitting(self, source: str, begin: int, visible: int) -> int:
        """A length of source, short of its end, that fits and fills most of the budget."""
        low, low_size = begin, 0
        high, high_size = len(source), visible
        if high_size <= self._size:
            return high - 1
        for turn in range(_TRIES):
            if high - low <= 1:
                break
            share = (self._size * (1 + _FULL) / 2 - low_size) / (high_size - low_size) if turn % 3 < 2 else 0.5
            middle = min(max(low + int((high - low) * share), low + 1), high - 1)
            size = self._measured(source[:middle])
            if size > self._size:
                high, high_size = middle, size
                continue
            low, low_size = middle, min(size, self._size - 1)
            if size >= self._size * _FULL:
                break
        return low

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
