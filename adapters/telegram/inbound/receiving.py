"""Update receiver: updates to the core: read, put together with what belongs to them, stored, acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any
from weakref import WeakValueDictionary

from adapters.kit.recent import Recent
from adapters.kit.tasks import Tasks
from adapters.kit.unread import UnknownShape, Unread
from adapters.telegram.inbound.updates import LONG, Me, parse, read
from adapters.telegram.outgoing import menus
from bot.errors import StoreError
from bot.markdown import utf16
from bot.types import Ack, Addressing, Clock, Inbound, IncomingMessage, Intake, Moved, Press, Reader

__all__ = ["Parts", "Receiver"]

TOGETHER = 3_000  # ms between what one person sends in one go; the platform tells whole seconds
_REMEMBERED = 1_000
_PARTS = 20  # of one person, held back until something names us
_AT_ONCE = 32  # chats whose events are being stored

Answer = Callable[[str, Ack], Coroutine[Any, Any, None]]
_ChatShare = tuple[str, str]  # chat's key, person's id
_Part = tuple[IncomingMessage, str]  # and the id of its album


@dataclass(frozen=True, slots=True)
class _Event:
    raw: Mapping[str, Any]
    inbound: Inbound
    album: str = ""
    query: str = ""  # a button's, to be answered


@dataclass(slots=True)
class Parts:
    """What people send in one go: an album, a comment and what it forwards, a text that was cut. Some of it may come a
    little later than the rest, and in another order.

    Groups only name the bot once: the other parts are meant for it too. What comes before the one that names it is held
    back until that tells.
    """

    _last: Recent[_ChatShare, _Part] = field(default_factory=lambda: Recent(_REMEMBERED))
    _held: Recent[_ChatShare, dict[str, _Part]] = field(default_factory=lambda: Recent(_REMEMBERED))

    def join(self, message: IncomingMessage, album: str) -> Iterator[IncomingMessage]:
        """The message as it is meant, after those that it makes meant for us."""
        speaker = (message.chat.key, message.author.id)
        if self._belongs(message, album):
            message = replace(_called(message), joins=True)
        if not message.addressing.calls_us:
            if album or message.forwarded_from is not None:
                held = {**self._held.get(speaker, {}), message.key: (message, album)}
                self._held[speaker] = dict(list(held.items())[-_PARTS:])
        else:
            self._last[speaker] = (message, album)
            for part, its_album in self._held.pop(speaker, {}).values():
                if album == its_album if its_album else _is_together(part, message):
                    yield _called(part)
        yield message

    def _belongs(self, message: IncomingMessage, album: str) -> bool:
        """Is it a part of what the same person has said to us just before?"""
        before, its_album = self._last.get((message.chat.key, message.author.id), (None, ""))
        if before is None or before.text.startswith("/") or message.text.startswith("/"):
            return False
        if before.key == message.key:  # its batch came again
            return before.joins
        if album and album == its_album:
            return True
        parts = _is_part(message) or utf16(before.text) >= LONG
        after_forward = message.addressing.calls_us and before.forwarded_from is not None
        return (parts or after_forward) and _is_together(before, message)


def _called(part: IncomingMessage) -> IncomingMessage:
    """It is said to us with what calls us."""
    return part if part.addressing.calls_us else replace(part, addressing=Addressing.MENTION)


def _is_part(message: IncomingMessage) -> bool:
    """Forwards, and a text as long as clients cut them, may go on with what was said before."""
    return message.forwarded_from is not None or (message.addressing.calls_us and utf16(message.text) >= LONG)


def _is_together(one: IncomingMessage, other: IncomingMessage) -> bool:
    return abs(other.at - one.at) <= TOGETHER


@dataclass(slots=True)
class Receiver:
    """`answer` tells the platform what came of a pressed button; it is not waited for. `heard` is told of moves."""

    me: Me
    intake: Intake
    reader: Reader
    clock: Clock
    unread: Unread
    answer: Answer
    heard: Callable[[Moved], None]
    _parts: Parts = field(default_factory=Parts)
    _lines: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _answering: Tasks = field(default_factory=Tasks)

    async def take(self, batch: Sequence[object]) -> None:
        """Store a batch: what happened in one chat in order, chats side by side. StoreError: not all of it is stored,
        and it must come again."""
        events = [event for raw in batch if (event := await self._read(raw)) is not None]
        lines: dict[str, list[_Event]] = {}
        moves = any(isinstance(event.inbound, Moved) for event in events)  # from one chat to another
        for event in events:
            lines.setdefault("" if moves else event.inbound.chat.room.key, []).append(event)
        done = await asyncio.gather(*(self._line(key, line) for key, line in lines.items()), return_exceptions=True)
        for error in done:
            if error is not None:
                raise error

    async def _line(self, key: str, events: Sequence[_Event]) -> None:
        lock = self._lines.setdefault(key, asyncio.Lock())
        async with lock, self._room:
            for event, following in zip_longest(events, events[1:]):
                await self._accept(event, following)

    async def close(self) -> None:
        """Give up what is not answered yet."""
        await self._answering.close()

    async def _read(self, raw: object) -> _Event | None:
        """None for what is not for us, or can't be read: that is kept and skipped, so that it holds nothing up."""
        try:
            if not isinstance(raw, Mapping):
                raise UnknownShape("not an object")
            update = parse(raw)
            inbound = read(update, self.me, self.clock.now())
        except Exception as error:  # noqa: BLE001 - whatever it stumbles over, what comes behind it must not wait
            await self.unread.skip(raw, error)
            return None
        if inbound is None:
            if update.callback_query is not None:
                self._tell(update.callback_query.id, Ack())
            return None
        message, query = update.message, update.callback_query
        album = (message.media_group_id if message else None) or ""
        return _Event(raw, inbound, album, query.id if query else "")

    async def _accept(self, event: _Event, following: _Event | None) -> None:
        ack = Ack()
        try:
            for inbound in await self._prepared(event, following):
                ack = await self.intake.accept(inbound)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            await self.unread.skip(event.raw, error)
        if event.query:
            self._tell(event.query, ack)

    async def _prepared(self, event: _Event, following: _Event | None) -> Sequence[Inbound]:
        inbound = event.inbound
        match inbound:
            case IncomingMessage():
                if following is not None and _comments_on(inbound, following):
                    inbound = replace(inbound, more=True)
                return list(self._parts.join(inbound, event.album))
            case Press():
                return [replace(inbound, action=await menus.action(inbound.action, self.reader))]
            case Moved():
                self.heard(inbound)
        return [inbound]

    def _tell(self, query: str, ack: Ack) -> None:
        self._answering.start(self.answer(query, ack), f"answer to button {query}")


def _comments_on(message: IncomingMessage, following: _Event) -> bool:
    """Who forwards with a comment sends the comment first, and nothing in it tells that there is more."""
    other = following.inbound
    return (
        isinstance(other, IncomingMessage)
        and other.forwarded_from is not None
        and (other.chat, other.author.id) == (message.chat, message.author.id)
        and other.at - message.at <= TOGETHER
    )
