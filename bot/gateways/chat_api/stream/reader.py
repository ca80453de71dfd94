"""Response reader: one successful HTTP answer as Deltas, whatever it is: an event stream, JSON, or no answer at all.

Each byte is a comment, blank, something known that keeps the line open, an end, or a chunk. At anything else the answer
ends there and is a part: it may have been a piece of it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.errors import Blocked, Broken, Unreachable
from bot.gateways.chat_api.call import HttpCall, Late, Timeouts
from bot.gateways.chat_api.errors import is_error, of_choice
from bot.gateways.chat_api.stream.assemble import Assembler
from bot.gateways.chat_api.stream.chunks import Damaged, is_idle, unwrapped
from bot.gateways.chat_api.stream.payloads import Odd, payloads
from bot.gateways.chat_api.stream.sse import Decoder, Event
from bot.types import Delta, Finish, Json, ModelInfo

__all__ = ["TEXT", "NoAnswer", "ResponseReader", "collect"]

log = logging.getLogger(__name__)

TEXT = 2_000_000  # bytes of an answer and its reasoning; 128,000 tokens are 0.6 million
_RAW = 4096  # bytes kept of what is no answer
_BLANK = b"\xef\xbb\xbf \t\r\n"


class NoAnswer(Exception):
    """It is an error or something else; `body` is for `errors.classify`. `status` is the one inside, if it told."""

    def __init__(self, body: bytes | Json, status: int | None = None) -> None:
        super().__init__()
        self.body = body
        self.status = status


class ResponseReader:
    def __init__(self, call: HttpCall, headers: Mapping[str, str], info: ModelInfo, timeouts: Timeouts) -> None:
        self.assembler = Assembler(cumulative=info.cumulative)
        self.streamed = False  # some event was a piece of an answer
        self._call = call
        self._partial = headers.get("x-dashscope-partialresponse", "").lower() == "true"
        self._timeouts = timeouts
        self._decoder = Decoder(content_type=headers.get("content-type", ""))
        self._left = TEXT
        self._shown = False
        self._done = False
        self._broke_off = False
        self._odd = False  # something was not understood
        self._json = b""  # what bare JSON began with
        self._single = False  # one JSON object so far, and one that is no chunk
        self._raw = b""
        self._run: list[str] = []  # plain text of one read, of which each piece would cost the same further on

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """One for each read that brought something. The last has `finish`. Raises NoAnswer; Blocked and Broken if no
        text came; what `Call` raises, unless some text came before: then the last Delta says CUT."""
        late: Late | None = None
        async with aclosing(self._call.pieces()) as pieces, aclosing(self._read(pieces)) as deltas:
            try:
                async for delta in deltas:
                    yield delta
            except (Broken, Unreachable) as error:
                if not self._shown and not self.assembler.ended:
                    raise
                log.warning("an answer broke off: %s", error.detail)
                self._broke_off = True
                self._odd = isinstance(error, Damaged) and not (self.assembler.ended and _is_quiet(error))
                late = error if isinstance(error, Late) and not self.assembler.ended else None
        if not self.streamed:
            raise NoAnswer(self._raw)
        yield self._last()
        if late is not None:
            raise late

    async def _read(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[Delta, None]:
        begin = await _begin(pieces)
        if begin[:1] in (b"{", b"["):
            self._json = begin[:1]
            self._call.expect(self._timeouts.whole)
        for delta in self._feed(begin):
            yield delta
        while not self._over and (piece := await anext(pieces, None)) is not None:
            for delta in self._feed(piece):
                yield delta
        if not self._over:
            for delta in self._bounded(self._events(self._decoder.close())):
                yield delta
        for delta in self._bounded(iter(self.assembler.held())):
            yield delta

    @property
    def _over(self) -> bool:
        return self._done or self._decoder.full or self._left <= 0

    def _feed(self, piece: bytes) -> Iterator[Delta]:
        if not self.streamed:
            self._raw = (self._raw + piece)[:_RAW]
        return self._bounded(self._events(self._decoder.feed(piece)))

    def _events(self, events: Sequence[Event]) -> Iterator[Delta]:
        for event in events:
            yield from self._event(event)
            if self._done:
                break
        if events and self.streamed:
            self._call.expect(self._timeouts.tail if self.assembler.ended else self._timeouts.event)

    def _event(self, event: Event) -> Iterator[Delta]:
        try:
            for payload in payloads(event.data):
                if isinstance(payload, str):
                    self._done = True
                    return
                yield from self._payload(payload, event)
        except Odd as odd:
            if event.name == "error":
                raise NoAnswer(event.data.encode("utf-8", "replace"), event.status) from None
            if self.streamed or odd.telling:
                raise
            self._odd = True  # a page, or a line before the answer: that will show

    def _payload(self, payload: dict[str, Json], event: Event) -> Iterator[Delta]:
        if (text := self.assembler.plain(payload)) is not None:
            self._run.append(text)
            self._single = False
            return
        yield from self._run_ends()
        payload = unwrapped(payload)
        if is_idle(payload):
            return
        if is_error(payload, event=event.name):
            raise NoAnswer(payload, event.status)
        yield from self.assembler.feed(payload)
        self._single = self._json == b"{" and not self.streamed and _is_whole(payload)
        self.streamed = self.streamed or _is_answer(payload)
        if _has_error(payload):
            raise NoAnswer(payload, event.status)

    def _run_ends(self) -> list[Delta]:
        text = "".join(self._run)
        self._run.clear()
        return self.assembler.more(text) if text else []

    def _bounded(self, deltas: Iterator[Delta]) -> Iterator[Delta]:
        """What one read brought, as few Deltas: each costs the same further on, whatever is in it. What is beyond the
        size of an answer is left out."""
        taken: list[Delta] = []
        failure: Exception | None = None
        try:
            for delta in deltas:
                taken.append(delta)
        except (Broken, NoAnswer) as error:
            failure = error
        taken += self._run_ends()
        for delta in _joined(taken):
            if self._left <= 0:
                break
            kept = _cut(delta, self._left)
            self._left -= _size(delta)
            self._shown = self._shown or bool(kept.text or kept.pictures)
            yield kept
        if failure is not None:
            raise failure

    def _last(self) -> Delta:
        """The end. Raises Blocked or Broken if there is nothing in the answer."""
        done = self._done or self._single or (self._json == b"[" and self._decoder.ends_array)
        reasoned = self.assembler.reasoned
        last = self.assembler.end(done=done, clean=not self._broke_off)
        if self._odd or self._partial or self._decoder.garbled or (self._broke_off and self.assembler.resumed):
            last = replace(last, finish=Finish.CUT)
        if self._left <= 0 or self._decoder.full:
            last = replace(last, text="", reasoning="", finish=Finish.LENGTH)
        _worth(self._shown or bool(last.text or last.pictures), reasoned or bool(last.reasoning), last)
        return last


def _worth(text: bool, reasoning: bool, last: Delta) -> None:
    """An answer with nothing in it is none."""
    if text:
        return
    if last.finish is Finish.FILTER:
        raise Blocked(detail="the answer was filtered before any text came")
    if last.finish is Finish.CUT:
        raise Broken(detail="the answer ended before any text came")
    if last.finish is Finish.WHOLE and not reasoning and not (last.usage and last.usage.output):
        raise Damaged("The model gave an empty answer. Please try again.", detail="an empty answer")


def _is_answer(payload: Mapping[str, Json]) -> bool:
    return any(payload.get(name) for name in ("choices", "output", "usage", "message", "delta"))


def _is_whole(payload: Mapping[str, Json]) -> bool:
    """An answer that is not streamed: no reason for its end is no sign of a cut there."""
    choices = payload.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    return bool(payload.get("output")) or (isinstance(first, dict) and not first.get("delta"))


def _has_error(payload: Mapping[str, Json]) -> bool:
    error = payload.get("error") or of_choice(payload)
    if isinstance(error, dict):
        return any(map(error.get, ("message", "code", "type")))
    return isinstance(error, str) and bool(error)


def _is_quiet(error: Broken) -> bool:
    """Behind the reason for the end: half of what tells usage, and no text."""
    return isinstance(error, Odd) and error.quiet


def _joined(deltas: Iterable[Delta]) -> Iterator[Delta]:
    """Neighbours as one, where that is the same."""
    run: list[Delta] = []
    for delta in deltas:
        if run and delta.retract:
            yield _one(run)
            run = []
        run.append(delta)
    if run:
        yield _one(run)


def _one(run: list[Delta]) -> Delta:
    if len(run) == 1:
        return run[0]
    last = run[-1]
    return replace(
        last,
        text="".join(each.text for each in run),
        reasoning="".join(each.reasoning for each in run),
        pictures=tuple(address for each in run for address in each.pictures),
        retract=run[0].retract,
        model=last.model or run[0].model,
    )


def _size(delta: Delta) -> int:
    return sum(len(each.encode("utf-8", "replace")) for each in (delta.text, delta.reasoning))


def _cut(delta: Delta, size: int) -> Delta:
    """As much of it as `size` bytes hold."""
    if _size(delta) <= size:
        return delta
    reasoning = delta.reasoning.encode("utf-8", "replace")[:size]
    text = delta.text.encode("utf-8", "replace")[: size - len(reasoning)]
    return replace(delta, text=text.decode("utf-8", "ignore"), reasoning=reasoning.decode("utf-8", "ignore"))


async def collect(pieces: AsyncIterator[bytes], limit: int, *, partly: bool = False) -> bytes:
    """All bytes, up to `limit`. `partly`: what came before the connection broke is good enough."""
    found = bytearray()
    try:
        async for piece in pieces:
            found += piece
            if len(found) > limit:
                break
    except (Broken, Unreachable):
        if not partly:
            raise
    return bytes(found[:limit])


async def _begin(pieces: AsyncIterator[bytes]) -> bytes:
    """The bytes until the first that is not blank, without what is blank."""
    async for piece in pieces:
        if begin := piece.lstrip(_BLANK):
            return begin
    return b""
