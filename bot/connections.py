"""Connection limits of the HTTP server: how many, and how long a request's head and body may take.

Whoever has not shown a password or a signature costs no more than the bytes that we read. uvicorn (0.54) limits neither
the time of a first head nor that of a body; and what it limits in number, it refuses after having read the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from typing import Any, Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["BODY_SECONDS", "HEAD_BYTES", "HEAD_SECONDS", "Connections", "Reluctant", "raise_descriptor_limit"]

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0
HEAD_BYTES = 32_768
HEADROOM = 256  # descriptors for connections of our own, the database and files
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


class _Connection(Protocol):
    """What of uvicorn's protocol is looked at."""

    transport: asyncio.Transport
    cycle: Any


class Connections:
    """Which connections there are, since when each waits for what it waits for, and whose time is over."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most or max(FEWEST, min(MOST, raise_descriptor_limit() - HEADROOM))
        self._since: dict[_Connection, tuple[str, int, float]] = {}

    def made(self, connection: _Connection, now: float) -> None:
        """A new one. Where there are too many, the one that has waited longest for its request has to go."""
        self._since[connection] = ("head", 0, now)
        if len(self._since) > self.most:
            idle = next((each for each in self._since if _state(each)[0] == "head"), connection)
            self._drop(idle)

    def lost(self, connection: _Connection) -> None:
        self._since.pop(connection, None)

    def look(self, now: float) -> None:
        """Close whose head or body takes too long."""
        for connection, (waits, cycle, since) in list(self._since.items()):
            state = _state(connection)
            if state != (waits, cycle):
                self._since[connection] = (*state, now)
            elif now - since >= {"head": HEAD_SECONDS, "body": BODY_SECONDS}.get(waits, float("inf")):
                self._drop(connection)

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK)
            self.look(asyncio.get_running_loop().time())

    def _drop(self, connection: _Connection) -> None:
        self._since.pop(connection, None)
        connection.transport.abort()


def _state(connection: _Connection) -> tuple[str, int]:
    """What a connection waits for, and in which request: its head, its body, or our answer."""
    cycle = connection.cycle
    if cycle is None or (cycle.response_complete and not cycle.more_body):
        return "head", 0 if cycle is None else id(cycle)
    return ("body" if cycle.more_body else "answer"), id(cycle)


class Reluctant(H11Protocol):
    """uvicorn's protocol, whose connections are counted. Nobody hears of a malformed request but who sent it."""

    limits: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.limits.made(self, self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.lost(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        try:
            super().handle_events()
        except ValueError as error:  # a path that isn't ASCII, for one
            log.info("a malformed request: %s", type(error).__name__)
            self.transport.abort()
