"""Reads one successful HTTP answer as Deltas, whatever it is: an event stream, JSON, or no answer at all."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace

from bot.chat_api.assemble import Assembler
from bot.chat_api.call import Call, Timeouts
from bot.chat_api.errors import is_error
from bot.chat_api.sse import TOTAL, Decoder, Event
from bot.chat_api.wire import decode, loads
from bot.errors import Blocked, Broken, Unreachable
from bot.types import Delta, Finish, Json, ModelInfo

__all__ = ["NoAnswer", "Reader", "collect"]

log = logging.getLogger(__name__)

_RAW = 4096  # bytes kept of what is no answer
_BLANK = b"\xef\xbb\xbf \t\r\n"


class NoAnswer(Exception):
    """It is an error or something else; `body` is for `errors.classify`. `status` is the one inside, if it told."""

    def __init__(self, body: bytes | Json, status: int | None = None) -> None:
        super().__init__()
        self.body = body
        self.status = status


class Reader:
    def __init__(self, call: Call, headers: Mapping[str, str], info: ModelInfo, timeouts: Timeouts) -> None:
        self.assembler = Assembler(cumulative=info.cumulative)
        self.streamed = False  # some event was a piece of an answer
        self._call = call
        self._partial = headers.get("x-dashscope-partialresponse", "").lower() == "true"
        self._timeouts = timeouts
        self._decoder = Decoder(total=4 * TOTAL if info.cumulative else TOTAL)
        self._shown = False
        self._done = False
        self._raw = b""

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """The last has `finish`. Raises NoAnswer; Blocked and Broken if no text came; what `Call` raises, unless some
        text came before: then the last Delta says CUT."""
        async with aclosing(self._call.pieces()) as pieces:
            begin = await _begin(pieces)
            if begin[:1] in (b"{", b"["):
                self._call.expect(self._timeouts.whole)
                begin += await collect(pieces, TOTAL)
                if (value := _parsed(begin)) is not None:
                    for delta in self._whole(value):
                        yield delta
                    return
            async with aclosing(self._stream(begin, pieces)) as deltas:
                async for delta in deltas:
                    yield delta

    def _whole(self, value: Json) -> Iterable[Delta]:
        body = next((each for each in value if isinstance(each, dict)), {}) if isinstance(value, list) else value
        if not isinstance(body, dict) or is_error(body) or not (body.get("choices") or body.get("output")):
            raise NoAnswer(body)
        *deltas, last = decode(body)
        if self._partial:
            last = replace(last, finish=Finish.CUT)
        text = any(delta.text for delta in (*deltas, last))
        _worth(text, bool(last.reasoning), last)
        return (*deltas, last)

    async def _stream(self, begin: bytes, pieces: AsyncIterator[bytes]) -> AsyncGenerator[Delta, None]:
        try:
            for delta in self._feed(begin):
                yield delta
            while not self._over and (piece := await anext(pieces, None)) is not None:
                for delta in self._feed(piece):
                    yield delta
            for delta in self._events(self._decoder.close()):
                yield delta
        except (Broken, Unreachable) as error:
            if not self._shown and self.assembler.finish is None:
                raise
            log.warning("an answer broke off: %s", error.detail)
        if not self.streamed:
            raise NoAnswer(self._raw)
        reasoned = self.assembler.reasoned
        last = self.assembler.end(done=self._done)
        _worth(self._shown or bool(last.text), reasoned or bool(last.reasoning), last)
        yield last

    @property
    def _over(self) -> bool:
        return self._done or self._decoder.full

    def _feed(self, piece: bytes) -> Iterator[Delta]:
        if not self.streamed:
            self._raw = (self._raw + piece)[:_RAW]
        return self._events(self._decoder.feed(piece))

    def _events(self, events: Iterable[Event]) -> Iterator[Delta]:
        for event in events:
            for payload in self._payloads(event):
                if is_error(payload, event=event.name):
                    raise NoAnswer(payload, event.status)
                self.streamed = True
                for delta in self.assembler.feed(payload):
                    self._shown = self._shown or bool(delta.text)
                    yield delta
            ended = self.assembler.finish is not None
            self._call.expect(self._timeouts.tail if ended else self._timeouts.event)
            if self._done:
                return

    def _payloads(self, event: Event) -> list[dict[str, Json]]:
        """The JSON objects of an event: one, or one per line where a gateway forgot the blank lines. Raises Broken if
        one is damaged: a piece of the answer may have been in it."""
        data = event.data.strip()
        if not data.startswith("{") and not data.startswith("[DONE]"):
            return []  # "ping" and the like
        found = _parsed(data.encode("utf-8", "surrogatepass"))
        if isinstance(found, dict):
            return [found]
        payloads: list[dict[str, Json]] = []
        for line in data.split("\n"):
            if line.strip().startswith("[DONE]"):
                self._done = True
                break
            each = _parsed(line.encode("utf-8", "surrogatepass"))
            if not isinstance(each, dict):
                raise Broken(detail="a piece of the stream is damaged")
            payloads.append(each)
        return payloads


def _worth(text: bool, reasoning: bool, last: Delta) -> None:
    """An answer with nothing in it is none."""
    if text:
        return
    if last.finish is Finish.FILTER:
        raise Blocked(detail="the answer was filtered before any text came")
    if last.finish is Finish.CUT:
        raise Broken(detail="the answer ended before any text came")
    if last.finish is Finish.WHOLE and not reasoning and not (last.usage and last.usage.output):
        raise Broken("The model gave an empty answer. Please try again.", detail="an empty answer")


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


def _parsed(data: bytes) -> Json:
    """None if it is no JSON."""
    try:
        return loads(data)
    except ValueError:
        return None
