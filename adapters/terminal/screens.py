"""Screens: where an answer is written as it grows, a terminal or a pipe. What is written for good stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment

from adapters.terminal.drawing import Document
from bot.markdown import Block
from bot.types import Piece

__all__ = ["Page", "Pipe", "Screen", "screen_on"]

_UNFINISHED = 2  # blocks at the end of a growing document that may still become something else
Tell = Callable[[str], None]


class Screen(Protocol):
    """An answer: `show` takes all of its pieces so far, in order; the last time they are `whole`."""

    def show(self, pieces: Sequence[Piece], *, whole: bool) -> None: ...

    def close(self) -> None:
        """Nothing more comes."""


def screen_on(out: TextIO, tell: Tell) -> Screen:
    """`tell` gets what there is to say about what stands on `out`."""
    return Page(Console(file=out), tell) if out.isatty() else Pipe(out, tell)


class Pipe:
    """The answer's Markdown, for a file or another program."""

    def __init__(self, out: TextIO, tell: Tell) -> None:
        self._out, self._tell = out, tell
        self._written = ""
        self._ended = False

    def show(self, pieces: Sequence[Piece], *, whole: bool) -> None:
        text = "".join(piece.source for piece in pieces)
        if not self._goes_on(text, whole):
            self._end_line()
            if correction := pieces[-1].correction:
                self._tell(correction)
            self._written, self._ended = "", False
        self._write(text[len(self._written) :])
        self._written = max(self._written, text, key=len)
        if whole and text:
            self._end_line()

    def close(self) -> None:
        """What stands there is what came."""

    def _goes_on(self, text: str, whole: bool) -> bool:
        """Does the text go on from what is written? (It may also be cut anew, and its rest come in a moment.)"""
        if self._ended:
            return text == self._written
        return text.startswith(self._written) or (not whole and self._written.startswith(text))

    def _end_line(self) -> None:
        if not self._ended and not self._written.endswith("\n"):
            self._write("\n")
        self._ended = True

    def _write(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


class Page:
    """The document, drawn. Finished blocks are printed for good; only the last ones are drawn anew."""

    def __init__(self, console: Console, tell: Tell) -> None:
        self._console, self._tell = console, tell
        self._live: Live | None = None
        self._printed: tuple[Block, ...] = ()

    def show(self, pieces: Sequence[Piece], *, whole: bool) -> None:
        blocks = tuple(block for piece in pieces for block in piece.blocks)
        if blocks[: len(self._printed)] != self._printed:
            self.close()
            if correction := pieces[-1].correction:
                self._tell(correction)
            self._printed = ()
        if whole:
            self.close()
        fresh = blocks[len(self._printed) : len(blocks) if whole else -_UNFINISHED]
        if fresh:
            self._console.print(Document(fresh))
            self._printed += fresh
        if not whole:
            self._draw(blocks[len(self._printed) :])

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self, blocks: Sequence[Block]) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(_End(Document(blocks)), refresh=True)


class _End:
    """The last lines of a document, as many as the terminal has: what was there before can't be drawn anew."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._document, options.update(height=None), pad=False)
        for line in lines[-max(console.size.height - 1, 1) :]:
            yield from line
            yield Segment.line()
