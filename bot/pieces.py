"""The answer so far -> what should stand in each platform message. Pure but for what the segmenter remembers."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from bot.markdown import Segmenter, plain
from bot.markdown.tree import Block, Paragraph, Words
from bot.types import Answer, Limits, Menu, Note, NoteKind, Piece, PostId

__all__ = ["Draft", "Phrases"]

_AS_IT_IS, _WITHOUT_FORMATTING, _ONLY_AN_APOLOGY = range(3)


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words and buttons that are added to an answer on its way, in the person's language."""

    repeat: str
    unshowable: str
    stop: Menu | None = None


class Draft:
    """One turn's answer, cut into pieces that fit."""

    def __init__(self, turn: int, reply_to: PostId | None, limits: Limits, phrases: Phrases) -> None:
        self._turn = turn
        self._reply_to = reply_to
        self._phrases = phrases
        self._segmenter = Segmenter(limits.size, limits.measure)
        self._plainness = _AS_IT_IS
        self._documents: list[tuple[Block, ...]] = []
        self._of: tuple[int, bool, int] = (0, False, 0)  # what `_documents` were made of

    def pieces(
        self, text: str, answer: Answer | None, standing: Container[int], repeated: Container[int]
    ) -> list[Piece]:
        """`text` only ever gets longer; with `answer` it is final. `standing`: the pieces that have a message already,
        `repeated`: those that may stand there twice.

        A piece looks unfinished until the next one stands below it: no cut text ever looks whole.
        """
        made_of = (len(text), answer is not None, self._plainness)
        if made_of != self._of:
            self._documents, self._of = self._cut(text, answer is not None), made_of
        last = len(self._documents) - 1
        return [
            self._last(index, blocks, answer, index in repeated)
            if index == last
            else self._piece(index, blocks, index + 1 not in standing, self._marks(index in repeated))
            for index, blocks in enumerate(self._documents)
        ]

    def plainer(self) -> bool:
        """The platform refuses the final text: take its formatting away, then all but an apology. False if nothing is
        left."""
        self._plainness += 1
        return self._plainness <= _ONLY_AN_APOLOGY

    def repeated(self, piece: Piece) -> Piece:
        """The same piece, with the note that it may stand there twice."""
        if any(note.kind is NoteKind.REPEAT for note in piece.notes):
            return piece
        return replace(piece, notes=(*self._marks(True), *piece.notes))

    def _last(self, index: int, blocks: tuple[Block, ...], answer: Answer | None, repeated: bool) -> Piece:
        if answer is None:
            return self._piece(index, blocks, True, self._marks(repeated), self._phrases.stop)
        return self._piece(index, blocks, False, self._marks(repeated) + answer.notes, answer.menu)

    def _marks(self, repeated: bool) -> tuple[Note, ...]:
        return (Note(NoteKind.REPEAT, self._phrases.repeat),) if repeated else ()

    def _piece(
        self, index: int, blocks: tuple[Block, ...], growing: bool, notes: tuple[Note, ...], menu: Menu | None = None
    ) -> Piece:
        reply_to = self._reply_to if index == 0 else None
        return Piece(f"{self._turn}.{index}", blocks, growing, menu, reply_to=reply_to, notes=notes)

    def _cut(self, text: str, whole: bool) -> list[tuple[Block, ...]]:
        if whole and self._plainness == _ONLY_AN_APOLOGY:
            return [(Paragraph((Words(self._phrases.unshowable),)),)]
        documents = list(self._segmenter.update(text, whole=whole)) if text else []
        if whole and self._plainness == _WITHOUT_FORMATTING:
            return [(Paragraph((Words(plain(blocks)),)),) for blocks in documents] or [()]
        return documents or ([()] if whole else [])
