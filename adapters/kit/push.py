"""Pushes: events that the platform brings to us, each as one POST to one path (an ASGI app)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from adapters.kit.transfers import TooLong, collected

__all__ = ["MOST_BYTES", "Answer", "Push"]

MOST_BYTES = 2_000_000  # of one event

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform is told; `kind` is the body's Content-Type."""

    status: int
    body: bytes = b""
    kind: str = ""


class Push(ABC):
    """Nothing of a body is read before `admits` has looked at the headers, and never more than MOST_BYTES of it.

    200 means that the event is stored: what is told anything else the platform brings again.
    """

    @abstractmethod
    def admits(self, headers: Mapping[str, str]) -> int:
        """200 for who may come in, else the status that they get. Names of headers are in lower case."""

    @abstractmethod
    async def take(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The event, stored."""

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1000})  # before it is accepted: HTTP 403
            return
        answer = await self._answer(scope, receive)
        headers = [(b"content-length", str(len(answer.body)).encode()), (b"cache-control", b"no-store")]
        if answer.kind:
            headers.append((b"content-type", answer.kind.encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: _Scope, receive: _Receive) -> Answer:
        if scope["path"].rstrip("/") != scope.get("root_path", "").rstrip("/"):
            return Answer(404)
        if scope["method"] != "POST":
            return Answer(405)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status = self.admits(headers)
        if status != 200:
            return Answer(status)
        try:
            body = await collected(_chunks(receive), MOST_BYTES)
        except (TooLong, _BrokenOff):
            return Answer(413)
        return await self.take(body, headers)


class _BrokenOff(Exception):
    """Whoever sent it went away: nobody reads what is answered."""


async def _chunks(receive: _Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise _BrokenOff
        yield event.get("body", b"")
        more = event.get("more_body", False)
