"""A gateway in simulated time, at the transport of our own client: it says byte by byte what a schedule says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

import httpx

from bot.gateways.chat_api.client import Client
from bot.types import Clock, Delta, ModelInfo, ModelRequest
from tests.fakes.gateway import chunk, sse
from tests.faults.schedule import Said

__all__ = ["Asked", "Gateway", "text_of"]

_MUTE = ("blank", "empty", "refuse", "busy", "upstream", "poor", "page", "error")
_JSON = {"Content-Type": "application/json"}
_USAGE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}}
_ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "busy": (429, {**_JSON, "Retry-After": "3"}, b'{"error": {"code": "limit_requests", "message": "slow down"}}'),
    "upstream": (500, _JSON, b'{"error": {"message": "internal error"}}'),
    "poor": (400, _JSON, b'{"error": {"code": "Arrearage", "message": "Access denied: account overdue"}}'),
    "page": (200, {"Content-Type": "text/html"}, b"<html><body>Welcome to the hotel's network</body></html>"),
    "error": (200, _JSON, b'{"error": {"code": "internal_error", "message": "try later"}}'),
}


def words_of(said: Said, letter: str) -> list[str]:
    """The answer's text, chunk by chunk."""
    gap, count, step = "" if said.line else " ", said.count, said.chunk
    if said.end == "cumulative":  # a shorter one could be read either way
        count, step = max(16, count), max(1, count // 16)
    words = [f"{letter}{number}.{gap}" for number in range(0 if said.end in _MUTE else count)]
    return ["".join(words[at : at + step]) for at in range(0, len(words), step)]


def text_of(said: Said, letter: str) -> str:
    """Without white space."""
    return "".join("".join(words_of(said, letter)).split())


class Gateway(httpx.AsyncBaseTransport):
    """Request after request gets what `said` says, the last one again and again. `hears(chunk number)` is called before
    each piece of an answer goes out."""

    def __init__(self, clock: Clock, said: Sequence[Said], hears: Callable[[int], None]) -> None:
        self._clock = clock
        self._said = said
        self._hears = hears
        self.requests = 0
        self.chunks = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        number = min(self.requests, len(self._said) - 1)
        said, letter = self._said[number], "abcdefgh"[number]
        self.requests += 1
        if said.pause:
            await self._clock.sleep(said.pause)
        if said.end == "refuse":
            raise httpx.ConnectError("connection refused")
        if said.end in _ANSWERS:
            status, headers, body = _ANSWERS[said.end]
            return httpx.Response(status, headers=headers, content=body)
        headers = {"Content-Type": "text/event-stream"}
        return httpx.Response(200, headers=headers, stream=_Body(self._body(said, letter)))

    async def _body(self, said: Said, letter: str) -> AsyncIterator[bytes]:
        so_far = ""
        yield sse(chunk(""), done=False)
        for words in words_of(said, letter) + ["  \n"] * (said.end == "blank"):
            if said.pause:
                await self._clock.sleep(said.pause)
            self.chunks += 1
            self._hears(self.chunks)
            so_far += words
            yield sse(chunk(so_far if said.end == "cumulative" else words), done=False)
        match said.end:
            case "cut":
                return
            case "broken":
                raise httpx.ReadError("connection reset")
            case "stall":
                await asyncio.Event().wait()
            case "garbage":
                yield b'data: {"choices": [{"del\n\n'
            case "object":
                yield sse({"error": {"code": "internal_error", "message": "try later"}}, done=False)
            case "length":
                yield sse(chunk("", "length"), _USAGE)
            case "filter":
                yield sse(chunk("", "content_filter"), _USAGE)
            case _:
                yield sse(chunk("", "stop"), _USAGE)


class _Body(httpx.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


class Asked:
    """`ChatModel`: the client, and a count of the answers it was asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.asked = self.closed = 0

    @property
    def gateway(self) -> str:
        return self._client.gateway

    def info(self, model: str) -> ModelInfo:
        return self._client.info(model)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        self.asked += 1
        try:
            async with aclosing(self._client.stream(request)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self.closed += 1
