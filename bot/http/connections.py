"""Connection limits of the HTTP server: how many, and how long a request's head and body may take, or an answer lie
unread.

Whoever has not shown a password or a signature costs no more than the bytes that we read. uvicorn (0.54) limits neither
the time of a first head nor that of a body, nor how long an answer may lie unread; and what it limits in number, it
refuses after having read the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = [
    "BODY_RATE",
    "BODY_SECONDS",
    "HEAD_BYTES",
    "HEAD_SECONDS",
    "UNREAD_SECONDS",
    "Connections",
    "Reluctant",
    "raise_descriptor_limit",
]

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0  # and one more for each BODY_RATE bytes that have come: a photo over a bad line takes long
BODY_RATE = 1_000
UNREAD_SECONDS = 60.0
HEAD_BYTES = 32_768
HEADROOM = 256  # descriptors for connections of our own, the database and files
EACH = 2  # descriptors for a connection: itself, and the file that it is sent
MOST = 4_000  # connections at once
FEWEST = 64
DESCRIPTORS = 16_384  # what the limit is raised to, where it may be
LOOK = 1.0  # seconds between two looks


def raise_descriptor_limit() -> int:
    """As many open files as the system lets us have, within reason. Returns how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower bound of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


class _Waits(Enum):
    """What a connection waits for."""

    HEAD = "the head of a request"
    BODY = "its body"
    REST = "the rest of a body whose request is answered already"
    READER = "that our answer is read"
    ANSWER = "that we answer"


_PATIENCE = {
    _Waits.HEAD: HEAD_SECONDS,
    _Waits.BODY: BODY_SECONDS,
    _Waits.REST: BODY_SECONDS,
    _Waits.READER: UNREAD_SECONDS,
}


class _Connection(Protocol):
    """What of uvicorn's protocol is looked at."""

    transport: asyncio.Transport
    cycle: Any
    flow: Any
    received: int


@dataclass(frozen=True, slots=True)
class _Wait:
    """What a connection waits for, in which request, since when, and how many bytes had come by then."""

    waits: _Waits
    cycle: Any
    since: float
    received: int

    def spent(self, connection: _Connection, now: float) -> float:
        """How much of our patience it has used up; at 1 its time is over."""
        patience = _PATIENCE.get(self.waits, float("inf"))
        if self.waits is _Waits.BODY:
            patience += (connection.received - self.received) / BODY_RATE
        return (now - self.since) / patience


class Connections:
    """Which connections there are, since when each waits for what it waits for, and whose time is over."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most or max(FEWEST, min(MOST, (raise_descriptor_limit() - HEADROOM) // EACH))
        self._all: dict[_Connection, _Wait] = {}

    def made(self, connection: _Connection, now: float) -> None:
        """A new one. Where there are too many, those have to go that have used up most of our patience; who is being
        answered stays."""
        self._all[connection] = _Wait(_Waits.HEAD, connection.cycle, now, 0)
        if len(self._all) > self.most:
            self._make_room(connection, now)

    def lost(self, connection: _Connection) -> None:
        self._all.pop(connection, None)

    def moved(self, connection: _Connection, now: float) -> None:
        """It may wait for something else by now."""
        known, waits = self._all.get(connection), _waits(connection)
        if known is not None and (waits is not known.waits or connection.cycle is not known.cycle):
            self._all[connection] = _Wait(waits, connection.cycle, now, connection.received)

    def look(self, now: float) -> None:
        """Close whose time is over."""
        for connection in list(self._all):
            self.moved(connection, now)
            if self._all[connection].spent(connection, now) >= 1:
                self._drop(connection)

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK)
            self.look(asyncio.get_running_loop().time())

    def _make_room(self, newest: _Connection, now: float) -> None:
        """For several at once, because each look at all of them takes its time. Where all are being answered, some
        more are let in than there should be."""
        spent = {each: wait.spent(each, now) for each, wait in self._all.items() if each is not newest}
        waiting = sorted((each for each in spent if spent[each] > 0), key=spent.__getitem__, reverse=True)
        for connection in waiting[: max(1, self.most // 16)]:
            self._drop(connection)
        if len(self._all) > self.most + self.most // 4:
            self._drop(newest)

    def _drop(self, connection: _Connection) -> None:
        self._all.pop(connection, None)
        connection.transport.abort()


def _waits(connection: _Connection) -> _Waits:
    cycle = connection.cycle
    if connection.flow.write_paused:
        return _Waits.READER
    if cycle is None or (cycle.response_complete and not cycle.more_body):
        return _Waits.HEAD
    if cycle.more_body:
        return _Waits.REST if cycle.response_complete else _Waits.BODY
    return _Waits.ANSWER


class Reluctant(H11Protocol):
    """uvicorn's protocol, whose connections are counted. Nobody hears of a malformed request but who sent it."""

    limits: Connections
    received: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.limits.made(self, self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        super().data_received(data)
        self._moved()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._moved()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._moved()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._moved()

    def _moved(self) -> None:
        self.limits.moved(self, self.loop.time())

    def handle_events(self) -> None:
        try:
            super().handle_events()
        except ValueError as error:  # a path that isn't ASCII, for one
            log.info("a malformed request: %s", type(error).__name__)
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """What is malformed behind an answer gets no other; and whoever is at work on the request need not go on."""
        if _waits(self) is not _Waits.HEAD and self.cycle.response_started:
            self.transport.abort()
            return
        super().send_400_response(msg)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
