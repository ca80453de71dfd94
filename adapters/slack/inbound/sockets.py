"""Socket Mode: the platform's events over connections that we open (docs.slack.dev: Using Socket Mode).

There are two, for an event goes to one of those that are open, and a click in a gap between two is lost. When the
platform is about to close one, its successor is open before we let it go. An envelope is acknowledged when what it
brought is stored; what is not acknowledged comes again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType

from adapters.kit.backoff import Backoff
from adapters.kit.connections import words_of
from adapters.kit.tasks import Tasks
from adapters.slack.errors import FAILURES, TOKEN_ERRORS, code, missing_scope, retry_after
from adapters.slack.wire import Wire
from bot.errors import SettingError
from bot.races import cancelled, first_of
from bot.types import Clock

__all__ = ["CONNECTIONS", "Sockets"]

log = logging.getLogger(__name__)

CONNECTIONS = 2
_BEAT = 20.0  # seconds between pings: a connection that is dead is noticed
_BRIEF = 5.0  # seconds: a connection that lived no longer is not made anew at once
_GRACE = 5.0  # seconds that an old connection stays beside its successor
_HELLO = 15.0  # seconds for a new connection's first frame

Json = Mapping[str, Any]
Take = Callable[[Any], Awaitable[tuple[bool, Any]]]  # payload -> is it stored, and what to say to it


class Sockets:
    """`tried` is set once a connection brings events, or none is to be had for now."""

    def __init__(self, wire: Wire, clock: Clock, take: Take, tried: asyncio.Event) -> None:
        self._wire = wire
        self._clock = clock
        self._take = take
        self._tried = tried
        self._behind = Tasks()
        self._open_now = 0
        self._trouble = "no socket is open yet"

    @property
    def trouble(self) -> str:
        """Why nothing comes in; '' while a connection is open."""
        return "" if self._open_now else self._trouble

    async def run(self) -> None:
        """For ever. SettingError if the token is rejected."""
        keeping = [asyncio.create_task(self._keep(), name=f"socket {number + 1}") for number in range(CONNECTIONS)]
        try:
            await asyncio.gather(*keeping)
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
            await self._behind.close()

    async def _keep(self) -> None:
        """One connection after the other, each open before the last is let go."""
        backoff = Backoff(self._clock)
        reading: asyncio.Task[None] | None = None
        try:
            while True:
                socket = await self._open(backoff)
                if socket is None:
                    continue
                if reading is not None:
                    self._behind.start(self._let_go(reading), "an old socket")
                began, leaving = self._clock.monotonic(), asyncio.Event()
                reading = asyncio.create_task(self._read(socket, leaving))
                warned = asyncio.create_task(leaving.wait())
                await first_of(reading, warned)
                warned.cancel()
                if self._clock.monotonic() - began < _BRIEF:
                    await backoff.pause()
                else:
                    backoff.worked()
        finally:
            if reading is not None:
                await cancelled(reading)

    async def _open(self, backoff: Backoff) -> ClientWebSocketResponse | None:
        """None, after a pause, if it did not work out."""
        try:
            answer = await self._wire.call("apps.connections.open", app_token=self._wire.app_token)
            async with self._wire.kept() as session:
                socket = await session.ws_connect(str(answer["url"]), heartbeat=_BEAT, max_msg_size=0)
            await _greeted(socket)
        except (*FAILURES, KeyError) as error:
            least = self._no_socket(error, backoff)
            await backoff.pause(least)
            return None
        return socket

    def _no_socket(self, error: BaseException, backoff: Backoff) -> float:
        """Seconds to wait at least."""
        word = code(error)
        if word in TOKEN_ERRORS:
            raise SettingError(
                self._wire.app_token_is_in,
                "is rejected by the platform. Copy it again: Basic Information, App-Level Tokens.",
            ) from None
        if missing_scope(error):
            raise SettingError(
                self._wire.app_token_is_in, "lacks the scope connections:write: make a new app-level token that has it."
            ) from None
        words = word or words_of(error, self._wire.secrets)[:200]
        self._trouble = f"no socket: {words.partition('?')[0]}"  # an address has a ticket behind its question mark
        backoff.say(self._trouble)
        self._tried.set()
        return retry_after(error) or 0.0

    async def _read(self, socket: ClientWebSocketResponse, leaving: asyncio.Event) -> None:
        """Until it is closed. `leaving` is set when the platform says that it will be."""
        self._open_now += 1
        self._tried.set()
        try:
            async for frame in socket:
                envelope = _envelope(frame)
                if envelope.get("type") == "disconnect":
                    log.debug("a socket is to be closed: %s", envelope.get("reason"))
                    leaving.set()
                elif envelope.get("envelope_id"):
                    self._behind.start(self._answer(socket, envelope), "an event")
        finally:
            self._open_now -= 1
            await socket.close()

    async def _let_go(self, reading: asyncio.Task[None]) -> None:
        """What came over an old connection is still acknowledged there."""
        alarm = asyncio.create_task(self._clock.sleep(_GRACE))
        try:
            await first_of(reading, alarm)
        finally:
            await cancelled(alarm, reading)

    async def _answer(self, socket: ClientWebSocketResponse, envelope: Json) -> None:
        is_stored, payload = await self._take(envelope.get("payload"))
        if not is_stored:
            return
        answer = {"envelope_id": envelope["envelope_id"], **({"payload": payload} if payload else {})}
        try:
            await socket.send_json(answer)
        except (RuntimeError, *FAILURES) as error:
            log.info("an event is not acknowledged, and will come again: %s", type(error).__name__)


def _envelope(frame: WSMessage) -> Json:
    """Empty for what isn't one."""
    if frame.type is not WSMsgType.TEXT:
        return {}
    try:
        envelope = json.loads(frame.data)
    except (ValueError, RecursionError):
        log.error("a frame that can't be read is skipped: %.200s", frame.data)
        return {}
    return envelope if isinstance(envelope, dict) else {}


async def _greeted(socket: ClientWebSocketResponse) -> None:
    """A connection brings events once it has said hello. TimeoutError, ConnectionResetError."""
    try:
        if _envelope(await socket.receive(timeout=_HELLO)).get("type") != "hello":
            raise ConnectionResetError("no hello")
    except BaseException:
        await socket.close()
        raise
