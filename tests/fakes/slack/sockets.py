"""Socket Mode (docs.slack.dev: Using Socket Mode): envelopes over connections that the app opened."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import WSMsgType, web

from bot.types import Clock
from tests.fakes.slack.deliveries import Delivery, Outcome
from tests.fakes.slack.places import Json

__all__ = ["Socket", "Sockets"]

_MOST = 10  # "Socket Mode allows your app to maintain up to 10 open WebSocket connections at the same time"
_LIFE = 3600  # seconds, what `hello` says of it


@dataclass(eq=False)
class Socket:
    wire: web.WebSocketResponse
    number: int
    sent: list[Json] = field(default_factory=list)  # envelopes that went over it
    leaving: bool = False  # the app was told that it will be closed
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Sockets:
    """`seconds` is how long an acknowledgement may take. `open` are those that said hello and weren't closed."""

    def __init__(self, clock: Clock) -> None:
        self.open: list[Socket] = []
        self.seconds = 3.0
        self.refused = 0  # connections beyond the tenth
        self.most = 0  # that were open together
        self.acks: list[Json] = []
        self._clock = clock
        self._tickets: set[str] = set()
        self._numbers = itertools.count(1)
        self._acknowledged: dict[str, asyncio.Future[Json | None]] = {}
        self._changed = asyncio.Event()

    def ticket(self) -> str:
        """apps.connections.open: an address for one connection."""
        ticket = f"ticket-{next(self._numbers)}"
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        wire = web.WebSocketResponse()
        await wire.prepare(request)
        if len(self.open) >= _MOST:
            self.refused += 1
            await wire.send_json({"type": "disconnect", "reason": "too_many_websockets", **_debug()})
            await wire.close()
            return wire
        await self._talk(Socket(wire, next(self._numbers)))
        return wire

    async def _talk(self, socket: Socket) -> None:
        count = len(self.open) + 1
        info = {"app_id": "A0MAGPIE01"}
        await socket.wire.send_json({"type": "hello", "num_connections": count, "connection_info": info, **_debug()})
        self.open.append(socket)
        self.most = max(self.most, len(self.open))
        self._changed.set()
        try:
            async for frame in socket.wire:
                if frame.type is WSMsgType.TEXT:
                    self._take(json.loads(frame.data))
        finally:
            socket.gone.set()
            self.open.remove(socket)

    def _take(self, ack: Json) -> None:
        """An acknowledgement may come over any of the app's connections."""
        self.acks.append(ack)
        waiting = self._acknowledged.get(str(ack.get("envelope_id")))
        if waiting is not None and not waiting.done():
            payload = ack.get("payload")
            waiting.set_result(payload if isinstance(payload, dict) else None)

    async def bring(self, delivery: Delivery, retry: int, reason: str) -> Outcome:
        """Events wait for a connection; what people do in a gap is lost (bolt-python#1071)."""
        while not (usable := [each for each in self.open if not each.leaving] or self.open):
            if delivery.kind != "events_api":
                return Outcome("no socket", final=True)
            self._changed.clear()
            await self._changed.wait()
        number = next(self._numbers)
        return await self._send(usable[number % len(usable)], f"envelope-{number}", delivery, retry, reason)

    async def _send(self, socket: Socket, id: str, delivery: Delivery, retry: int, reason: str) -> Outcome:
        envelope: Json = {
            "envelope_id": id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": retry, "retry_reason": reason}
        acknowledged = self._acknowledged[id] = asyncio.get_running_loop().create_future()
        socket.sent.append(envelope)
        waits: list[asyncio.Future[object]] = [
            asyncio.ensure_future(self._clock.sleep(self.seconds)),
            asyncio.ensure_future(socket.gone.wait()),
        ]
        try:
            await socket.wire.send_json(envelope)
            await asyncio.wait([acknowledged, *waits], return_when=asyncio.FIRST_COMPLETED)
        except (ConnectionError, RuntimeError):
            return Outcome("connection_failed")
        finally:
            del self._acknowledged[id]
            for wait in waits:
                wait.cancel()
        return Outcome("", acknowledged.result()) if acknowledged.done() else Outcome("timeout")

    async def leave(
        self, socket: Socket, reason: Literal["warning", "refresh_requested", "link_disabled"] = "refresh_requested"
    ) -> None:
        """Tell the app that a connection will be closed ("Disconnecting"); `close` does it."""
        socket.leaving = True
        await socket.wire.send_json({"type": "disconnect", "reason": reason, **_debug()})

    async def close(self, *sockets: Socket) -> None:
        """Close these, or all."""
        for socket in sockets or tuple(self.open):
            await socket.wire.close()
            socket.gone.set()


def _debug() -> Json:
    return {"debug_info": {"host": "applink-1", "build_number": 1, "approximate_connection_time": _LIFE}}
