"""Event receiver: what the platform brings, to the core: read, put in order, stored, acknowledged."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.kit.unread import UnknownShape, Unread
from adapters.slack.inbound.events import is_of_an_app, read
from adapters.slack.inbound.files import Files
from adapters.slack.inbound.marks import Me, ids
from adapters.slack.inbound.names import Names
from adapters.slack.inbound.people import People
from adapters.slack.outgoing.sessions import Sessions
from adapters.slack.surfaces.interactions import Interactions
from bot.errors import StoreError
from bot.types import Ack, Clock, Deleted, Edited, Inbound, IncomingMessage, Intake, Reader

__all__ = ["Receiver"]

log = logging.getLogger(__name__)

TOGETHER = 0.1  # seconds in which two connections may bring a thread's messages in the wrong order
TWICE = 0.4  # seconds that a mention waits for the same post as a message, which surely tells its files
LATE = 6 * 86_400_000  # ms from a message to a change of it, when the core may have forgotten that it took it in

Answer = tuple[bool, Any]  # is it stored, and what to say to it


@dataclass(slots=True)
class _Line:
    """What waits in one thread, by time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[tuple[int, str, int, Inbound, asyncio.Future[Ack]]] = field(default_factory=list)


@dataclass(slots=True)
class Receiver:
    me: Me
    intake: Intake
    reader: Reader
    clock: Clock
    people: People
    names: Names
    files: Files
    sessions: Sessions
    unread: Unread
    interactions: Interactions
    _lines: dict[str, _Line] = field(default_factory=dict)
    _numbers: Any = field(default_factory=itertools.count)

    async def take(self, body: object) -> Answer:
        """Store what came; only then may the platform be told. Never raises."""
        try:
            if not isinstance(body, Mapping):
                raise UnknownShape("not an object")
            if body.get("type") == "event_callback":
                await self._event(body)
                return True, None
            if body.get("type") == "app_rate_limited":
                log.warning("the platform brings fewer events: there are more than 30,000 in an hour")
                return True, None
            return True, await self.interactions.take(body)
        except StoreError as error:
            log.warning("an event can't be stored and will come again: %s", error.detail or error)
            return False, None
        except Exception as error:  # noqa: BLE001 - the platform gives up on who never acknowledges
            await self.unread.skip(body, error)
            return True, None

    async def _event(self, body: Mapping[str, Any]) -> None:
        event = body.get("event")
        if not isinstance(event, Mapping):
            raise UnknownShape("event: not an object")
        if event.get("type") == "app_home_opened":
            self.interactions.home_opened(event)
            return
        inbound = read(event, self.me, self.names.name_of)
        if isinstance(inbound, IncomingMessage):
            if inbound.addressing.calls_us or inbound.chat.thread != inbound.post:
                self.people.wrote(inbound.chat, inbound.author.id)
            if not await self.intake.wanted(inbound):
                await self.intake.accept(inbound)  # as it is: of what is only overheard nothing is looked up
                return
            if await self._is_told_again(inbound, event):
                return
        if isinstance(inbound, IncomingMessage | Edited) and (named := sorted(ids(event, self.me))):
            await self.names.learn(named)
            inbound = read(event, self.me, self.names.name_of)
        if isinstance(inbound, IncomingMessage):
            inbound = await self._completed(inbound, event)
        elif inbound is None and is_of_an_app(event, self.me):
            log.info("an app's mention in %s is not answered: people are", event.get("channel"))
        if inbound is None:
            return
        ack = await self._in_order(inbound)
        if isinstance(inbound, Deleted) and ack.turn is not None:
            self.sessions.end(inbound.chat, told=False)  # its answer may end without a word

    async def _is_told_again(self, message: IncomingMessage, event: Mapping[str, Any]) -> bool:
        """A mention is told again with each change of its message, and may have been answered long ago."""
        late = event.get("edited") and self.clock.now() - message.at > LATE
        return bool(late) and await self.reader.last_turn(message.chat) is not None

    async def _completed(self, message: IncomingMessage, event: Mapping[str, Any]) -> IncomingMessage:
        """With who it is from and what its files are."""
        files = list(message.attachments)
        for number, found in enumerate(files):
            files[number] = await self.files.looked_up(found)
        if event.get("type") == "app_mention" and not files:
            await self.clock.sleep(TWICE)
        self.people.comes_from(message.author.id, str(event.get("user_team") or ""))
        author = await self.people.person(message.author.id)
        if not message.group:
            self.people.talks(author.id, message.chat.id)
        self.people.heard(message.chat, author)
        return replace(message, author=author, attachments=tuple(files))

    async def _in_order(self, event: Inbound) -> Ack:
        """The oldest first of what came in one thread in the same moment. What begins a thread waits for nothing."""
        key = event.chat.key
        line = self._lines.setdefault(key, _Line())
        done: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        heapq.heappush(line.waiting, (event.at, getattr(event, "post", None) or "", next(self._numbers), event, done))
        try:
            if event.chat.thread != getattr(event, "post", None):
                await self.clock.sleep(TOGETHER)
            async with line.lock:
                while not done.done():
                    await self._accept(line)
            return await done
        finally:
            if not line.waiting and not line.lock.locked():
                self._lines.pop(key, None)

    async def _accept(self, line: _Line) -> None:
        *_, event, done = heapq.heappop(line.waiting)
        try:
            ack = await self.intake.accept(event)
        except Exception as error:  # noqa: BLE001 - whoever brought the event is told
            done.set_exception(error)
        else:
            done.set_result(ack)
