"""The chunks of one streamed answer -> Deltas: increments only, reasoning apart, the end only once it is certain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bot.chat_api.cumulative import Cumulative
from bot.chat_api.think import Splitter
from bot.chat_api.wire import decode_chunk
from bot.types import Delta, Finish, Json

__all__ = ["Assembler"]


class Assembler:
    """`cumulative`: the model is known to repeat the whole text in each chunk."""

    def __init__(self, *, cumulative: bool = False) -> None:
        self.finish: Finish | None = None
        self._text = Cumulative(flagged=cumulative)
        self._reasoning = Cumulative(flagged=cumulative)
        self._think = Splitter()
        self._halves = (_Halves(), _Halves())
        self._shown = False  # some text was given out
        self.reasoned = False  # some reasoning was
        self._last = Delta()  # usage, model and id, as they become known

    @property
    def promoted(self) -> bool:
        """Has the stream turned out to be cumulative?"""
        return self._text.mode == "cumulative"

    @property
    def usage_known(self) -> bool:
        return self._last.usage is not None

    def feed(self, chunk: Mapping[str, Json]) -> list[Delta]:
        """What the chunk adds. Raises Broken when it contradicts what was given out."""
        deltas = []
        for delta in decode_chunk(chunk):
            # the first reason counts: a late "stop" does not heal a cut
            self.finish = self.finish or delta.finish
            last = self._last
            if delta.usage or (delta.model and not last.model) or (delta.id and not last.id):
                usage, model, id = delta.usage or last.usage, last.model or delta.model, last.id or delta.id
                self._last = replace(last, usage=usage, model=model, id=id)
            if delta.refusal:
                deltas.append(self._delta(delta.text, "", refusal=True))
            else:
                reasoning = self._halves[1].feed(self._reasoning.feed(delta.reasoning))
                text, thought = self._think.feed(self._halves[0].feed(self._text.feed(delta.text)))
                deltas.append(self._delta(text, reasoning + thought))
        return [delta for delta in deltas if delta.text or delta.reasoning]

    def end(self, *, done: bool) -> Delta:
        """The stream is over, by its own word (`done`) or not: what was held back, in the last Delta, with `finish`."""
        finish = self.finish or (Finish.WHOLE if done else Finish.CUT)
        reasoning = self._halves[1].feed(self._reasoning.close()) + self._halves[1].close()
        text, thought = self._think.feed(self._halves[0].feed(self._text.close()) + self._halves[0].close())
        more, further = self._think.close(whole=finish is Finish.WHOLE and not self._shown)
        last = self._delta(text + more, reasoning + thought + further)
        return replace(last, finish=finish, usage=self._last.usage)

    def _delta(self, text: str, reasoning: str, *, refusal: bool = False) -> Delta:
        self._shown = self._shown or bool(text)
        self.reasoned = self.reasoned or bool(reasoning)
        return Delta(text=text, reasoning=reasoning, model=self._last.model, id=self._last.id, refusal=refusal)


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
