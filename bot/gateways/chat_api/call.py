"""HTTP call: one call and its answer, under limits that a Clock keeps, in one task that ends when its caller does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from types import TracebackType

import httpx

from bot.errors import Broken, GatewayError, Unreachable
from bot.gateways.chat_api.encoding import Inflater
from bot.gateways.chat_api.transport import Flow
from bot.types import Clock, Text

__all__ = ["HttpCall", "Late", "Load", "Timeouts"]

log = logging.getLogger(__name__)

_AHEAD = 256  # pieces read before somebody takes them
_BRISK = 1.0  # seconds in which each piece is taken as it comes,
_BREATH = 0.04  # and then between two reads,
_MORE = 0.004  # so much longer for each call beside this one,
_LONGEST = 0.25  # up to this;
_PLENTY = 1 << 16  # bytes: whoever brings as many at once waits for nothing
_LONG = Text("The answer took too long altogether.")
_NO_BEGIN = Text(
    "The model's service did not begin to answer within {seconds} seconds. Please try again later. "
    "(If it needs longer, the admin can raise FIRST_TEXT_SECONDS.)"
)
_SILENT = Text(
    "The model's service said nothing more for {seconds} seconds. "
    "(If it needs longer, the admin can raise IDLE_SECONDS.)"
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds. `connect` is kept in real time (`transport`)."""

    connect: float = 10.0
    first: float = 60.0  # until the first event
    slow: float = 120.0  # the same with search or reasoning
    whole: float = 200.0  # until a whole answer that is not streamed; DashScope itself stops at 180
    idle: float = 60.0  # without a byte: a comment sent to keep the line open is enough
    event: float = 120.0  # without an event, whatever the comments say
    tail: float = 10.0  # for the usage, once the answer has ended
    total: float = 600.0  # for all tries together
    read: float = 10.0  # for the body of an error

    @classmethod
    def of(cls, first: float, idle: float) -> Timeouts:
        """By the settings FIRST_TEXT_SECONDS and IDLE_SECONDS."""
        slow = 2 * first
        return cls(first=first, slow=slow, whole=max(200.0, first), idle=idle, event=2 * idle, total=480.0 + slow)


@dataclass(slots=True)
class Load:
    """What one client has to do."""

    calls: int = 0  # under way

    @property
    def breath(self) -> float:
        """Seconds between two reads of an answer."""
        return min(_LONGEST, _BREATH + _MORE * (self.calls - 1))


class Late(Unreachable):
    """Nothing came in time. Not tried again: whoever asks has waited long enough."""


class HttpCall:
    """`async with Call(...) as call`: `head()` first, then `pieces()` of the body. Leaving it closes the connection.

    Raises Unreachable (no connection), Late (a limit has passed) and Broken (the connection broke off).
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        request: httpx.Request,
        clock: Clock,
        load: Load,
        *,
        first: float,
        idle: float,
        until: float,
    ) -> None:
        self._http = http
        self._load = load
        self._request = request
        self._clock = clock
        self._idle = idle
        self._until = until  # on the clock's monotonic scale
        self._first = first
        self._event_by = clock.monotonic() + first
        self._expected = 0.0  # seconds for the next event; 0 before the first
        self._heard = clock.monotonic() + first  # by when some byte must have come
        self._late: Late | None = None
        self._items: asyncio.Queue[httpx.Response | bytes | None] = asyncio.Queue(_AHEAD)
        self._pumping: asyncio.Task[None]
        self._watching: asyncio.Task[None]
        self._wakes = self._until

    async def __aenter__(self) -> HttpCall:
        self._load.calls += 1
        self._pumping = asyncio.create_task(self._pump())
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._load.calls -= 1
        self._watching.cancel()
        self._pumping.cancel()
        await asyncio.gather(self._watching, self._pumping, return_exceptions=True)

    async def head(self) -> httpx.Response:
        item = await self._items.get()
        if isinstance(item, httpx.Response):
            return item
        raise await self._failure() or Broken(detail="no answer came")

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes, to its end."""
        while isinstance(item := await self._items.get(), bytes):
            yield item
        if (failure := await self._failure()) is not None:
            raise failure

    def expect(self, seconds: float) -> None:
        """From now on the next event has to come within `seconds`."""
        self._expected = seconds
        self._event_by = self._clock.monotonic() + seconds
        if self._event_by < self._wakes:
            self._watching.cancel()
            self._watching = asyncio.create_task(self._watch())

    @property
    def _deadline(self) -> float:
        return min(self._event_by, self._heard, self._until)

    async def _pump(self) -> None:
        try:
            response = await self._http.send(self._request, stream=True)
            try:
                await self._items.put(response)
                pieces = _inflated(response.aiter_raw(), response.headers.get("content-encoding", ""))
                await self._take(pieces, response.extensions.get("flow"))
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise _translated(error) from error
        finally:
            await self._items.put(None)

    async def _take(self, pieces: AsyncIterator[bytes], flow: Flow | None) -> None:
        """To the end. Most of what a token costs is the waking up for it: so once an answer is well under way there is
        a breath after each read, the longer the more calls are under way, and what has come meanwhile is taken in one
        go."""
        brisk = float("inf")
        while (piece := await anext(pieces, None)) is not None:
            now = self._clock.monotonic()
            self._heard, brisk = now + self._idle, min(brisk, now + _BRISK)
            await self._items.put(piece)
            if now >= brisk and len(piece) < _PLENTY:
                if flow is not None:
                    flow.hold()
                await self._clock.sleep(self._load.breath)
                if flow is not None:
                    flow.go_on()

    async def _watch(self) -> None:
        """What waits in the queue is late by nobody's fault but ours."""
        while (left := self._deadline - self._clock.monotonic()) > 0 or not self._items.empty():
            left = max(left, 1.0)
            self._wakes = self._clock.monotonic() + left
            await self._clock.sleep(left)
        self._late = self._too_late()
        self._pumping.cancel()

    def _too_late(self) -> Late:
        """In the words of what ran out."""
        now = self._clock.monotonic()
        if self._until <= now:
            return Late(_LONG.id, detail="the time for all tries has passed")
        if not self._expected:
            return Late(
                _NO_BEGIN.id,
                detail="nothing came in time: FIRST_TEXT_SECONDS",
                seconds=round(self._first),
            )
        seconds = round(self._idle if self._heard <= now else self._expected)
        return Late(
            _SILENT.id,
            detail="silence in the middle: IDLE_SECONDS",
            seconds=seconds,
        )

    async def _failure(self) -> BaseException | None:
        """What ended the pump, if it did not end well."""
        await asyncio.wait((self._pumping,))
        if self._late is not None:
            return self._late
        return None if self._pumping.cancelled() else self._pumping.exception()


async def _inflated(pieces: AsyncIterator[bytes], encoding: str) -> AsyncGenerator[bytes, None]:
    inflater = Inflater(encoding)
    async for piece in pieces:
        for each in inflater.feed(piece):
            yield each


def _translated(error: httpx.HTTPError) -> GatewayError:
    """httpx's errors in our words; theirs hold no secret, but only their kind is told."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError | httpx.UnsupportedProtocol):
        return Unreachable(detail=f"{type(error).__name__}: {error}")
    return Broken(detail=f"{type(error).__name__}: {error}")
