"""Choices: which of a stream's are the answer. We ask for one; its index is not always 0, and not always one.

Some gateways put the index of a content block there (thinking 0, text 1, more text 2): then all are one answer, in
order. With `n` in a gateway's extra fields they are answers of their own, side by side or each with an end of its own:
then the first is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.gateways.chat_api.stream.chunks import Piece

__all__ = ["Choices"]


class Choices:
    """Pieces in, those of the answer out. What may be another answer is held back until that is known."""

    def __init__(self) -> None:
        self._main: int | None = None
        self._blocks = False  # all are one answer
        self._apart = False  # they are answers of their own
        self._spoke = False  # the main one has text
        self._thought: set[int] = set()
        self._ended: set[int] = set()
        self._held: list[Piece] = []

    def feed(self, pieces: Sequence[Piece]) -> list[Piece]:
        if len(pieces) == 1 and not pieces[0].finish and self.is_plain(pieces[0].index):
            return [pieces[0]]  # as nearly always
        found: list[Piece] = []
        texts: set[int] = set()
        for piece in sorted(pieces, key=lambda each: each.index):
            if _says(piece):
                texts.add(piece.index)
            found += self._one(piece)
        if len(texts) > 1 and not self._blocks:
            self._part()  # in one chunk, so side by side
        return found

    def is_plain(self, index: int) -> bool:
        """Is more text of this choice certain to be the answer's?"""
        return self._main == index and self._spoke and not self._held

    def close(self) -> list[Piece]:
        """The stream has ended: what was held back and is the answer's."""
        held, self._held = self._held, []
        others = {piece.index for piece in held}
        if self._apart or (self._main in self._ended and others & self._ended):
            return []
        return held

    def _one(self, piece: Piece) -> list[Piece]:
        if self._main is None and (_says(piece) or piece.reasoning or piece.finish):
            self._main = piece.index
        if piece.reasoning:
            self._thought.add(piece.index)
        if piece.finish:
            self._ended.add(piece.index)
        if self._blocks or self._main in (None, piece.index):
            return self._of_main(piece)
        if self._apart:
            return []
        if _says(piece) and not self._spoke and self._main not in self._ended and piece.index not in self._thought:
            self._blocks = True  # thoughts there, text here
            held, self._held = self._held, []
            return [*held, piece]
        if _says(piece) or piece.reasoning or piece.finish:
            self._held.append(piece)
        return []

    def _of_main(self, piece: Piece) -> list[Piece]:
        if _says(piece):
            self._spoke = True
            if any(map(_says, self._held)):
                self._part()
        return [piece]

    def _part(self) -> None:
        self._apart = True
        self._held.clear()


def _says(piece: Piece) -> bool:
    return bool(piece.text or piece.refusal or piece.pictures or piece.tool)
