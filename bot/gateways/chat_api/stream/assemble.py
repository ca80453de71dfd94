"""Stream assembler: the chunks of one streamed answer -> Deltas: increments only, reasoning apart, the end only once it
is certain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bot.gateways.chat_api.stream.choices import Choices
from bot.gateways.chat_api.stream.chunks import Damaged, Piece, decode, plain_text
from bot.gateways.chat_api.stream.cumulative import Cumulative
from bot.gateways.chat_api.stream.finish import known
from bot.gateways.chat_api.stream.inline import InlinePictures
from bot.gateways.chat_api.stream.think import Splitter
from bot.types import Delta, Finish, Json

__all__ = ["Assembler"]

_REPEATED = 32  # characters; a chunk that equals all before it, and is as long, repeats it if it is the last text,
_AT_END = 8  # or as long as this if the reason for the end comes with it
_FRAME = 8  # characters; a `message` that begins with as many of the one before repeats it


class Assembler:
    """`cumulative`: the model is known to repeat the whole text in each chunk."""

    def __init__(self, *, cumulative: bool = False) -> None:
        self.finish: Finish | None = None
        self.reasoned = False  # some reasoning was given out
        self.resumed = False  # text came after a reason for the end: it is one in every chunk
        self._choices = Choices()
        self._text = Cumulative(flagged=cumulative)
        self._reasoning = Cumulative(flagged=cumulative)
        self._think = Splitter()
        self._inline = InlinePictures()
        self._halves = (_Halves(), _Halves())
        self._said: list[str] = []  # the text as chunks brought it,
        self._size = 0  # and how long it is
        self._again: Piece | None = None  # it repeats all so far, unless more follows it
        self._thought: list[str] = []
        self._streamed = False  # some text came in a `delta`
        self._refused = ""
        self._pictures: set[int] = set()
        self._tool = False  # the last that came is a call of a tool
        self._unknown = False  # a reason was given that nobody knows
        self._shown = False  # some text was given out
        self._last = Delta()  # usage, model and id, as they become known

    @property
    def promoted(self) -> bool:
        """Has the stream turned out to be cumulative?"""
        return self._text.mode == "cumulative"

    @property
    def usage_known(self) -> bool:
        return self._last.usage is not None

    @property
    def ended(self) -> bool:
        """Has a reason for the end been given?"""
        return self.finish is not None or self._unknown

    def feed(self, chunk: Mapping[str, Json]) -> list[Delta]:
        """What the chunk adds. Raises Broken when it contradicts what was given out, or can't be understood."""
        said, last = decode(chunk), self._last
        if said.usage or (said.model and not last.model) or (said.id and not last.id):
            usage, model, id = said.usage or last.usage, last.model or said.model, last.id or said.id
            self._last = replace(last, usage=usage, model=model, id=id)
        return self._deltas(self._choices.feed(said.pieces))

    def plain(self, chunk: Mapping[str, Json]) -> str | None:
        """The text of a chunk that adds nothing but more of it, as nearly all do: it may be given to `more`, together
        with that of its neighbours. None for any other."""
        if self._again or self.ended or self._text.mode != "incremental":
            return None
        found, last = plain_text(chunk), self._last
        if found is None or not self._choices.is_plain(found[0]) or len(found[1]) >= _REPEATED:
            return None
        is_named = (last.model or not chunk.get("model")) and (last.id or not chunk.get("id"))
        return found[1] if is_named else None

    def more(self, text: str) -> list[Delta]:
        """What `plain` text adds."""
        return [delta for delta in self._piece(Piece(text=text)) if _says(delta)]

    def held(self) -> list[Delta]:
        """The stream is over: what had been taken for other answers, and is of this one."""
        return self._deltas(self._choices.close())

    def end(self, *, done: bool, clean: bool = True) -> Delta:
        """What was held back, in the last Delta, with `finish`. `done`: the stream said that it is over; `clean`: at
        least nothing broke off."""
        finish = self.finish or (Finish.WHOLE if done or (clean and self._unknown) else Finish.CUT)
        if finish is Finish.WHOLE and self._tool:
            finish = Finish.TOOL
        reasoning = self._halves[1].feed(self._reasoning.close()) + self._halves[1].close()
        text, thought = self._think.feed(self._halves[0].feed(self._text.close()) + self._halves[0].close())
        retract = self._retracted()
        more, further = self._think.close(whole=finish is Finish.WHOLE and not self._shown)
        retract = self._retracted() or retract
        words, drawn = self._inline.feed(text + more)
        last = self._delta(words + self._inline.close(), reasoning + thought + further)
        return replace(last, finish=finish, usage=self._last.usage, retract=retract, pictures=("",) * drawn)

    def _deltas(self, pieces: list[Piece]) -> list[Delta]:
        deltas = [delta for piece in pieces for each in self._certain(piece) for delta in self._piece(each)]
        return [delta for delta in deltas if _says(delta)]

    def _certain(self, piece: Piece) -> list[Piece]:
        """A piece that may be a repetition waits for what follows it."""
        waited, says = self._again, bool(piece.text or piece.pictures or piece.tool) and not piece.whole
        if waited is not None and (says or piece.whole):
            self._again = None
            return [waited, piece] if says else [piece]
        if waited is None and not piece.finish and not piece.whole and self._is_repeated(piece, _REPEATED):
            self._again = piece
            return []
        return [piece]

    def _piece(self, piece: Piece) -> list[Delta]:
        self.resumed = self.resumed or (self.ended and bool(piece.text) and not piece.whole)
        if piece.finish:
            # the first reason counts: a late "stop" does not heal a cut; but one in every chunk is none
            found = known(piece.finish)
            self._unknown = self._unknown or found is None
            self.finish = found or self.finish if self.finish in (None, Finish.WHOLE) else self.finish
        repeats = piece.whole or (bool(piece.finish) and self._is_repeated(piece, _AT_END))
        text = self._rest_of(piece) if repeats else self._text.feed(piece.text)
        thoughts = self._further(piece.reasoning) if repeats else self._reasoning.feed(piece.reasoning)
        if not repeats:
            self._streamed = self._streamed or bool(piece.text)
            self._say(piece.text)
            self._thought += [piece.reasoning] if piece.reasoning else []
        reasoning = self._halves[1].feed(thoughts)
        text, thought = self._think.feed(self._halves[0].feed(text))
        retract = self._retracted()
        text, drawn = self._inline.feed(text)
        pictures = self._new_pictures(piece) + ("",) * drawn
        if text or pictures or piece.tool:
            self._tool = piece.tool
        delta = self._delta(text, reasoning + thought)
        deltas = [replace(delta, pictures=pictures, retract=retract) if pictures or retract else delta]
        if piece.refusal:
            deltas.append(self._refusal(piece))
        return deltas

    # ── what repeats ────────────────────────────────────────────────────────────────────────────────────────────────

    def _say(self, text: str) -> None:
        self._said += [text] if text else []
        self._size += len(text)

    def _is_repeated(self, piece: Piece, least: int) -> bool:
        """Some repeat all of it in a last delta."""
        if len(piece.text) < least or len(piece.text) != self._size or self._text.mode != "incremental":
            return False
        return len(self._said) > 1 and piece.text == "".join(self._said)

    def _rest_of(self, piece: Piece) -> str:
        """What a `message` adds: nothing, where it repeats the text or its last part; its rest, where it begins with
        it. Raises Damaged if it is another text: what was given out can't be taken back."""
        message, so_far = piece.text, self._text.repeated or "".join(self._said)
        again = message.startswith(so_far) and bool(so_far) and (bool(piece.finish) or len(so_far) >= _FRAME)
        if not self._streamed and not again:
            self._say(message)
            return self._text.feed(message)  # a stream of messages
        rest = _rest(so_far, message)
        if rest is None:
            rest = _rest(_answer(so_far), _answer(message))
        if rest is None:
            raise Damaged(detail="a frame repeats another text than came")
        self._say(rest)
        return self._text.more(rest)

    def _further(self, reasoning: str) -> str:
        so_far = "".join(self._thought)
        if self.reasoned and not so_far:
            return ""  # it came in the text, between tags
        rest = _rest(so_far, reasoning) or ""
        self._thought.append(rest)
        return self._reasoning.more(rest)

    def _refusal(self, piece: Piece) -> Delta:
        rest = _rest(self._refused, piece.refusal) if piece.whole else piece.refusal
        self._refused += rest or ""
        return self._delta(rest or "", "")

    def _new_pictures(self, piece: Piece) -> tuple[str, ...]:
        """Each once; of one that came along, no more than that it came."""
        new = {hash(address): address for address in piece.pictures if hash(address) not in self._pictures}
        self._pictures.update(new)
        return tuple(address if address.lower().startswith(("http://", "https://")) else "" for address in new.values())

    def _retracted(self) -> bool:
        """Was what has been given out as text the model's reasoning?"""
        retracted, self._think.retracted = self._think.retracted, False
        self._inline = InlinePictures() if retracted else self._inline
        return retracted

    def _delta(self, text: str, reasoning: str) -> Delta:
        self._shown = self._shown or bool(text)
        self.reasoned = self.reasoned or bool(reasoning)
        return Delta(text=text, reasoning=reasoning, model=self._last.model, id=self._last.id)


def _says(delta: Delta) -> bool:
    return bool(delta.text or delta.reasoning or delta.pictures or delta.retract)


def _rest(so_far: str, message: str) -> str | None:
    """What `message` says beyond `so_far`, blanks left aside; None if it is another text."""
    if message.startswith(so_far):
        return message[len(so_far) :]
    if so_far.endswith(message) or so_far.startswith(message):
        return ""
    here, there = "".join(so_far.split()), "".join(message.split())
    if here.endswith(there) or here.startswith(there):
        return ""
    if not there.startswith(here):
        return None
    seen = [at for at, character in enumerate(message) if not character.isspace()]
    return message[seen[len(here) - 1] + 1 :]


def _answer(text: str) -> str:
    splitter = Splitter()
    return splitter.feed(text)[0] + splitter.close()[0]


class _Halves:
    """Joins surrogate halves that came in two chunks; one that stays alone becomes U+FFFD."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        if not text or (not self._held and not _SURROGATE.search(text)):
            return text
        text = self._held + text
        self._held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        whole = text[: len(text) - len(self._held)]
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def close(self) -> str:
        held, self._held = self._held, ""
        return "�" if held else ""


_SURROGATE = re.compile("[\ud800-\udfff]")
