"""Live updates: what happens in a chat right now: the pieces of answers under way, and the events that the page
follows.

Every event replaces what an earlier one about the same thing said (a piece, a whole turn, ...). So only the newest
of each is kept, and applying one twice does no harm: who comes back after a gap gets those and has missed nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bot.races import sooner
from bot.types import Clock, Json, Piece, PostId

__all__ = ["Event", "Room", "Rooms", "parse_key"]

KEPT_EVENTS = 256
KEPT_TURNS = 64
KEPT_ROOMS = 500
HEARTBEAT = 15.0  # seconds of silence after which the page is told that we are still there


@dataclass(frozen=True, slots=True)
class Event:
    """`id` is "<boot>-<number>": numbers of another life of the room mean nothing to this one."""

    id: str
    number: int
    name: str
    data: Json


def parse_key(key: str) -> tuple[int, int]:
    """ "12.0" -> (12, 0). ValueError if it is something else."""
    turn, _, index = key.partition(".")
    return int(turn), int(index)


@dataclass
class Room:
    """One chat. `live` holds the pieces of a turn by index, as they stand; `replaced` says that a turn's message now
    shows another turn's answer (a button was pressed on it)."""

    boot: str = field(default_factory=lambda: secrets.token_urlsafe(6).replace("-", "_"))
    live: OrderedDict[int, dict[int, Piece]] = field(default_factory=OrderedDict)
    replaced: dict[int, int] = field(default_factory=dict)
    lock: asyncio.Lock = field(
        default_factory=asyncio.Lock
    )  # what is read from the store is told in the order it was read
    number: int = 0
    floor: int = 0  # events up to this number are forgotten
    closed: bool = False
    followers: set[asyncio.Event] = field(default_factory=set)
    _events: OrderedDict[str, Event] = field(default_factory=OrderedDict)

    @property
    def position(self) -> str:
        """The id of the newest event, to go on from."""
        return f"{self.boot}-{self.number}"

    # ── pieces ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def show(self, piece: Piece, at: PostId | None) -> tuple[int, PostId]:
        """A piece stands here now. Returns the turn whose place it takes, and its post."""
        turn, index = parse_key(at or piece.key)
        author, _ = parse_key(piece.key)
        if author != turn:
            self.replaced[turn] = author
        elif self.replaced.get(turn):
            del self.replaced[turn]
        pieces = self.live.setdefault(turn, {})
        self.live.move_to_end(turn)
        pieces[index] = piece
        if piece.growing:
            # what stood behind it belongs to an earlier attempt
            for later in [other for other in pieces if other > index]:
                del pieces[later]
        while len(self.live) > KEPT_TURNS:
            self.live.popitem(last=False)
        return turn, f"{turn}.{index}"

    def remove(self, at: PostId) -> int:
        """The message at `at` is gone. Returns its turn."""
        turn, index = parse_key(at)
        self.live.get(turn, {}).pop(index, None)
        return turn

    def find(self, key: str) -> PostId | None:
        for turn, pieces in self.live.items():
            for index, piece in pieces.items():
                if piece.key == key:
                    return f"{turn}.{index}"
        return None

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, name: str, key: str, data: Json, *, instead_of: str = "") -> None:
        """An event in place of earlier ones with this `key`, and of those whose key begins with `instead_of`."""
        self.number += 1
        self._events.pop(key, None)
        if instead_of:
            for old in [old for old in self._events if old.startswith(instead_of)]:
                del self._events[old]
        self._events[key] = Event(self.position, self.number, name, data)
        while len(self._events) > KEPT_EVENTS:
            self.floor = self._events.popitem(last=False)[1].number
        for follower in self.followers:
            follower.set()

    def stands(self, key: str, data: Json, *, without: str) -> bool:
        """Whether the newest event with this `key` said just this, and none since whose key begins with `without`."""
        told = self._events.get(key)
        return told is not None and told.data == data and not any(other.startswith(without) for other in self._events)

    def since(self, number: int) -> list[Event] | None:
        """What came after event `number`; None if that can't be told any more."""
        if number < self.floor or number > self.number:
            return None
        return [event for event in self._events.values() if event.number > number]

    async def follow(self, position: str, clock: Clock) -> AsyncIterator[Event | None]:
        """Events after `position`, for ever; None is a sign of life. A "reload" event is the last one: everything has
        to be read anew, because `position` is too old or from another start."""
        boot, _, digits = position.rpartition("-")
        number = int(digits) if boot == self.boot and digits.isdecimal() else -1
        news = asyncio.Event()
        self.followers.add(news)
        try:
            while not self.closed:
                news.clear()
                events = self.since(number)
                if events is None:
                    yield Event(self.position, self.number, "reload", {})
                    return
                for event in events:
                    yield event
                    number = event.number
                if not events and not await _within(news, clock):
                    yield None
        finally:
            self.followers.discard(news)

    def close(self) -> None:
        self.closed = True
        for follower in self.followers:
            follower.set()


async def _within(news: asyncio.Event, clock: Clock) -> bool:
    """Wait for news, a heartbeat long at most. False if there was none."""
    await sooner(news.wait(), clock.sleep(HEARTBEAT))
    return news.is_set()


class Rooms:
    """The rooms that somebody used lately, by chat id."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._closed = False

    def of(self, id: str) -> Room:
        room = self._rooms.get(id)
        if room is None:
            room = self._rooms[id] = Room(closed=self._closed)
            self._forget()
        self._rooms.move_to_end(id)
        return room

    def _forget(self) -> None:
        idle = [id for id, room in self._rooms.items() if not room.followers and not room.lock.locked()]
        for id in idle[: max(0, len(self._rooms) - KEPT_ROOMS)]:
            del self._rooms[id]

    def open(self) -> None:
        self._closed = False
        for room in self._rooms.values():
            room.closed = False

    def close(self) -> None:
        """End every stream of events."""
        self._closed = True
        for room in self._rooms.values():
            room.close()
