"""Layout: the answer so far -> what should stand in each platform message. Pure but for what the segmenter
remembers."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace

from bot.markdown import Segmenter, plain
from bot.markdown.tree import Block, Paragraph, Words
from bot.types import Answer, Limits, Menu, Note, NoteKind, Piece, PostId

__all__ = ["Layout", "Phrases"]

_AS_IT_IS, _WITHOUT_FORMATTING, _ONLY_AN_APOLOGY = range(3)


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words and buttons that are added to an answer on its way, in the person's language."""

    repeat: str
    unshowable: str
    thought: str = ""  # why another text takes the place of one: see `Piece.correction`
    again: str = ""
    stop: Menu | None = None


class Layout:
    """One turn's answer, cut into pieces that fit."""

    def __init__(self, turn: int, reply_to: PostId | None, limits: Limits, phrases: Phrases) -> None:
        self._turn = turn
        self._reply_to = reply_to
        self._phrases = phrases
        self._limits = limits
        self.restart()

    def restart(self, why: str = "") -> None:
        """What comes now is another answer."""
        self._correction = why
        self._sources: list[str] = []  # of the pieces that are cut off already
        self._segmenter = Segmenter(self._limits.size, self._limits.measure)
        self._plainness: dict[int, int] = {}  # of pieces that were refused
        self._documents: list[tuple[Block, ...]] = []
        self._of = (0, False, 0)  # what `_documents` were made of

    def steps(self, text: str, *, final: bool) -> Iterator[None]:
        """The work that `pieces` would have with a long text, bit by bit."""
        yield from self._segmenter.steps(text, whole=final) if text else ()

    def pieces(
        self,
        text: str,
        answer: Answer | None,
        stands: Callable[[int, Piece], bool],
        repeated: Container[int],
        highest: int = -1,
    ) -> list[Piece]:
        """`text` only ever gets longer; with `answer` it is final. `stands`: has this piece a message already that can
        be read on from the one above? `repeated`: those that may stand there twice. `highest`: of all messages, older
        answers' too.

        A piece looks unfinished until the next one stands below it, the last until no older answer's does: no cut or
        mixed text ever looks whole.
        """
        made_of = (len(text), answer is not None, sum(self._plainness.values()))
        if made_of != self._of:
            self._documents, self._of = self._cut(text, answer is not None), made_of
        last = len(self._documents) - 1
        self._cut_sources(text)
        pieces: list[Piece] = []
        for index in range(last, -1, -1):
            blocks, marks = self._documents[index], self._marks(index in repeated)
            if index == 0 and answer is not None:
                marks += tuple(note for note in answer.notes if note.kind is NoteKind.REASONING)
            if index == last:
                pieces.append(self._last(index, blocks, answer, marks, surplus=highest > last))
            else:
                pieces.append(self._piece(index, blocks, not stands(index + 1, pieces[-1]), marks))
        return pieces[::-1]

    def key(self, index: int) -> str:
        return f"{self._turn}.{index}"

    def emptied(self, index: int) -> Piece:
        """What a message shows that is no part of the answer and can't be deleted."""
        return Piece(self.key(index), (Paragraph((Words("—"),)),))

    @property
    def unshowable(self) -> bool:
        """An apology stands there instead of the answer, or of one of its pieces."""
        return any(plainness >= _ONLY_AN_APOLOGY for plainness in self._plainness.values())

    def plainer(self, index: int) -> bool:
        """The platform refuses the final text of a piece: take its formatting away, then all but an apology. False if
        nothing is left."""
        self._plainness[index] = self._plainness.get(index, _AS_IT_IS) + 1
        return self._plainness[index] <= _ONLY_AN_APOLOGY

    def repeated(self, piece: Piece) -> Piece:
        """The same piece, with the note that it may stand there twice."""
        if any(note.kind is NoteKind.REPEAT for note in piece.notes):
            return piece
        return replace(piece, notes=(*self._marks(True), *piece.notes))

    def _last(
        self, index: int, blocks: tuple[Block, ...], answer: Answer | None, marks: tuple[Note, ...], *, surplus: bool
    ) -> Piece:
        if answer is None:
            return self._piece(index, blocks, True, marks, self._phrases.stop)
        if surplus:
            return self._piece(index, blocks, True, marks)
        notes = tuple(note for note in answer.notes if note.kind is not NoteKind.REASONING)  # it is above the first
        return self._piece(index, blocks, False, marks + notes, answer.menu)

    def _marks(self, repeated: bool) -> tuple[Note, ...]:
        return (Note(NoteKind.REPEAT, self._phrases.repeat),) if repeated else ()

    def _piece(
        self, index: int, blocks: tuple[Block, ...], growing: bool, notes: tuple[Note, ...], menu: Menu | None = None
    ) -> Piece:
        reply_to = self._reply_to if index == 0 else None
        source = self._sources[index]
        return Piece(self.key(index), blocks, growing, menu, (), reply_to, notes, source, self._correction)

    def _cut_sources(self, text: str) -> None:
        """Those of what is cut off stay as they are; that of the last piece is the rest of the text."""
        ends, last = self._segmenter.ends, len(self._documents) - 1
        for number in range(max(len(self._sources) - 1, 0), last + 1):
            begin, end = ends[number - 1] if number else 0, ends[number] if number < last else None
            self._sources[number:] = [text[begin:end]]

    def _cut(self, text: str, whole: bool) -> list[tuple[Block, ...]]:
        documents = list(self._segmenter.update(text, whole=whole)) if text else []
        if not whole:
            return documents
        return [self._form(index, blocks) for index, blocks in enumerate(documents or [()])]

    def _form(self, index: int, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        plainness = self._plainness.get(index, _AS_IT_IS)
        if plainness == _AS_IT_IS or (not blocks and plainness == _WITHOUT_FORMATTING):
            return blocks
        words = plain(blocks) if plainness == _WITHOUT_FORMATTING else self._phrases.unshowable
        return (Paragraph((Words(words),)),)
