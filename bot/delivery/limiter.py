"""Rate limiter: every outgoing call waits here. Delivery calls it, and nobody else does.

A budget is data (`Bucket`), its `Level` tells how full it is, and one call takes from all of its buckets at once or
from none. Who waits stands in a *line* (one per chat, kind of call and set of buckets), and a line is parked at the one
bucket that keeps it longest. So a wake-up looks at the best line of the buckets that have just opened, never at all.

Why a blocked call is never overtaken in a bucket that it waits for: a lower kind needs at least as much room as a
higher one (one more token, fewer calls in the window), so where the higher finds none the lower finds none either.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import OrderedDict
from dataclasses import dataclass

from bot.delivery.buckets import TokenBucket
from bot.types import Bucket, CallKind, Chat, Clock

__all__ = ["RateLimiter"]

_EPSILON = 1e-6  # seconds; sums of floats miss the exact moment by less

_Rank = tuple[int, int, int]  # the lowest goes first; no two are equal
_Key = tuple[Chat, CallKind, tuple[str, ...]]


class _WaitQueue(TokenBucket):
    """A bucket's level, and the lines that take from it; some of them are parked here."""

    __slots__ = ("due", "lines", "parked", "spared", "urgent")

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket)
        self.spared = ("", -math.inf)  # the narrower bucket that a refusal was put down to, and how long it is silent
        self.parked: list[tuple[_Rank, _Line]] = []  # heap; ranks may be out of date, and then too low
        self.due = math.inf  # the timer in force
        self.lines = 0  # that take from here, parked anywhere
        self.urgent: dict[_Line, None] = {}  # those of them with finals and stops

    def idle(self, now: float) -> bool:
        return self.spared[1] <= now and super().idle(now)

    def admits(self, call: CallKind, now: float) -> float:
        """When there is room for such a call. Where no token is kept for them, finals and stops that wait elsewhere
        must find it open when their time comes."""
        at = self.opens(call, now)
        if call <= CallKind.STOP or self.keeps or not self.urgent:
            return at
        for until in sorted(
            max(each.opens(line.call, now) for each in line.levels) for line in self.urgent if line.waiters
        ):
            if max(at, now) < until < self.reopens(max(at, now), now):
                at = until
        return at


@dataclass(slots=True)
class _ChatShare:
    """A chat with lines: how many, and the number of its last turn."""

    lines: int = 0
    served: int = 0


class _Waiter:
    __slots__ = ("at", "future", "line", "number")

    def __init__(self, line: _Line, number: int) -> None:
        self.line = line
        self.number = number
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.at = 0.0  # let through


class _Line:
    """Calls of one kind, from one chat, to the same buckets; first come, first served."""

    __slots__ = ("call", "key", "levels", "speaker", "waiters")

    def __init__(self, key: _Key, levels: tuple[_WaitQueue, ...], speaker: _ChatShare) -> None:
        self.key = key
        self.call = key[1]
        self.levels = levels
        self.speaker = speaker
        self.waiters: OrderedDict[int, _Waiter] = OrderedDict()  # by number; a plain dict is slow to tell its first

    @property
    def rank(self) -> _Rank:
        """A chat's wait starts anew with each of its turns, so that many calls of one chat don't starve another's."""
        head = next(iter(self.waiters))
        return (self.call, max(head, self.speaker.served), head)


class RateLimiter:
    """Lets calls through as their buckets allow: finals before stops, new messages, changes and statuses, and within
    one kind the chat first that has waited longest. Buckets are known by name. Nothing runs while nobody waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._levels: OrderedDict[str, _WaitQueue] = OrderedDict()  # the longest not looked at first
        self._lines: dict[_Key, _Line] = {}
        self._speakers: dict[Chat, _ChatShare] = {}
        self._timers: list[tuple[float, int, _WaitQueue]] = []  # heap; in force only if it is its level's `due`
        self._numbers = itertools.count(1)
        self._waiting = 0
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = math.inf

    async def enter(self, chat: Chat, call: CallKind, buckets: tuple[Bucket, ...]) -> None:
        """Wait until every bucket has room, and take from each. Cancelled, it leaves nothing behind."""
        if not buckets:
            return
        waiter = self._queue(chat, call, buckets)
        self._pump()
        try:
            await waiter.future
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def try_enter(self, chat: Chat, call: CallKind, buckets: tuple[Bucket, ...]) -> bool:
        """Take from every bucket now, or from none and don't wait: for what may be dropped."""
        self._pump()  # whoever is due goes first
        if self.wait(chat, call, buckets) > 0.0:
            return False
        now = self._clock.monotonic()
        for level in self._find(buckets):
            level.take(now)
        return True

    def throttled(self, buckets: tuple[Bucket, ...], after: float) -> None:
        """The platform said "not now, again in `after` seconds" (429) to a call that was let through: silence. It had
        no reason to if the buckets were right, so they also fill more slowly for a while.

        Which of them ran out, it doesn't say. The first is the narrowest, and one chat's flood must not silence all
        chats; but if another one's calls are refused in the meantime, it is what they share."""
        now = self._clock.monotonic()
        narrow = None
        for level in self._find(buckets):
            if narrow is None:
                narrow = level
                narrow.refuse(now, after)
                continue
            name, until = level.spared
            if name != narrow.bucket.name and now < until:
                level.refuse(now, after)
            level.spared = (narrow.bucket.name, narrow.silent)

    def silent(self, buckets: tuple[Bucket, ...]) -> float:
        """Seconds until none of the buckets is silent any more; 0.0 if none is."""
        now = self._clock.monotonic()
        known = (self._levels[bucket.name] for bucket in buckets if bucket.name in self._levels)
        return max((level.silence(now) for level in known), default=0.0)

    def wait(self, chat: Chat, call: CallKind, buckets: tuple[Bucket, ...]) -> float:  # noqa: ARG002
        """Seconds that `enter` would take, as far as one can tell now. Exact if nobody is in line."""
        now = self._clock.monotonic()
        longest = 0.0
        for level in self._find(buckets):
            ahead = sum(len(line.waiters) for _, line in level.parked if line.call <= call)
            longest = max(longest, level.admits(call, now) - now + level.lasts(ahead, call, now))
        return longest if longest > _EPSILON else 0.0

    # ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, buckets: tuple[Bucket, ...]) -> tuple[_WaitQueue, ...]:
        """The levels of these buckets, each once; and forget a few that nobody needs."""
        now = self._clock.monotonic()
        for name in list(itertools.islice(self._levels, 2)):
            level = self._levels.pop(name)
            if level.lines or not level.idle(now):
                self._levels[name] = level
        found: dict[str, _WaitQueue] = {}
        for bucket in buckets:
            level = self._levels.pop(bucket.name) if bucket.name in self._levels else _WaitQueue(bucket)
            level.bucket = bucket
            found[bucket.name] = self._levels[bucket.name] = level
        return tuple(found.values())

    def _queue(self, chat: Chat, call: CallKind, buckets: tuple[Bucket, ...]) -> _Waiter:
        levels = self._find(buckets)
        key = (chat, call, tuple(sorted(level.bucket.name for level in levels)))
        line = self._lines.get(key)
        known = line is not None
        if line is None:
            line = self._form(key, levels)
        waiter = _Waiter(line, next(self._numbers))
        line.waiters[waiter.number] = waiter
        self._waiting += 1
        if not known:
            self._park(line, self._clock.monotonic())
        return waiter

    def _form(self, key: _Key, levels: tuple[_WaitQueue, ...]) -> _Line:
        line = self._lines[key] = _Line(key, levels, self._speakers.setdefault(key[0], _ChatShare()))
        line.speaker.lines += 1
        for level in levels:
            level.lines += 1
            if line.call <= CallKind.STOP:
                level.urgent[line] = None
        return line

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.future.cancelled():
            if waiter.number in waiter.line.waiters:  # else its turn came before its task heard of the end
                self._remove(waiter)
        else:  # let through in the same moment as cancelled
            for level in waiter.line.levels:
                level.give_back(waiter.at)
                self._set_timer(level, waiter.at)  # somebody else may have its place
        self._pump()

    def _remove(self, waiter: _Waiter) -> None:
        del waiter.line.waiters[waiter.number]
        self._waiting -= 1

    def _drop(self, line: _Line) -> None:
        """Forget a line in which nobody stands, and that is parked nowhere."""
        for level in line.levels:
            level.lines -= 1
            level.urgent.pop(line, None)
        del self._lines[line.key]
        line.speaker.lines -= 1
        if not line.speaker.lines:
            del self._speakers[line.key[0]]

    def _park(self, line: _Line, now: float) -> None:
        """Leave the line at the bucket that keeps it longest."""
        at, level = max(((level.admits(line.call, now), level) for level in line.levels), key=lambda pair: pair[0])
        heapq.heappush(level.parked, (line.rank, line))
        self._set_timer(level, at)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _set_timer(self, level: _WaitQueue, at: float) -> None:
        if at < level.due:
            level.due = at
            heapq.heappush(self._timers, (at, next(self._numbers), level))

    def _pump(self) -> None:
        """Let through everybody whose time has come, the best rank of all open buckets first."""
        now = self._clock.monotonic()
        ready: list[tuple[_Rank, int, _WaitQueue]] = []
        while True:
            while self._timers and self._timers[0][0] <= now + _EPSILON:
                at, _, level = heapq.heappop(self._timers)
                if at == level.due:
                    level.due = math.inf
                    self._offer(level, ready, now)
            if not ready:
                break
            rank, _, level = heapq.heappop(ready)
            if self._top(level) == rank and level.admits(CallKind(rank[0]), now) <= now + _EPSILON:
                self._advance(heapq.heappop(level.parked)[1], now)
            self._offer(level, ready, now)
        self._set_alarm(now)

    def _top(self, level: _WaitQueue) -> _Rank | None:
        """The best rank parked here."""
        while level.parked:
            rank, line = level.parked[0]
            if not line.waiters:
                heapq.heappop(level.parked)
                self._drop(line)
            elif line.rank != rank:
                heapq.heapreplace(level.parked, (line.rank, line))
            else:
                return rank
        return None

    def _offer(self, level: _WaitQueue, ready: list[tuple[_Rank, int, _WaitQueue]], now: float) -> None:
        rank = self._top(level)
        if rank is None:
            return
        at = level.admits(CallKind(rank[0]), now)
        if at <= now + _EPSILON:
            heapq.heappush(ready, (rank, next(self._numbers), level))
        else:
            self._set_timer(level, at)

    def _advance(self, line: _Line, now: float) -> None:
        """Let the head of the line through, if the other buckets are open too."""
        if all(level.admits(line.call, now) <= now + _EPSILON for level in line.levels):
            waiter = next(iter(line.waiters.values()))
            self._remove(waiter)
            if not waiter.future.cancelled():
                for level in line.levels:
                    level.take(now)
                line.speaker.served = next(self._numbers)
                waiter.at = now
                waiter.future.set_result(None)
        if line.waiters:
            self._park(line, now)
        else:
            self._drop(line)

    def _set_alarm(self, now: float) -> None:
        if not self._waiting:
            self._rest()
            return
        while self._timers[0][0] != self._timers[0][2].due:
            heapq.heappop(self._timers)
        at = self._timers[0][0]
        if self._alarm is not None:
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = asyncio.get_running_loop().create_task(self._ring(at - now))

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._alarm, self._alarm_at = None, math.inf
        self._pump()

    def _rest(self) -> None:
        """Nobody waits: no alarm, no line, no timer."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, math.inf
        for line in list(self._lines.values()):
            self._drop(line)
        for _, _, level in self._timers:
            level.parked.clear()
            level.due = math.inf
        self._timers.clear()
