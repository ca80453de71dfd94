"""Rate limits as data: what a channel and the workspace take, and what the adapter counts itself.

Tiers hold per method and workspace (docs.slack.dev: Rate limits): chat.update 50 a minute, chat.appendStream 100,
chat.startStream and chat.stopStream 20 each, users.info 100; posting is one message a second and channel.
"""

from __future__ import annotations

from collections import deque

from adapters.slack.outgoing.render import measure
from bot.types import Bucket, CallKind, Chat, Clock, Limits, PostId

__all__ = ["LOOKS", "SIZE", "Pace", "Window", "limits"]

SIZE = 9_000  # bytes of one message: a stream holds between 10,600 and 11,300 of UTF-8
FRAME = 0.7  # seconds between two versions of a growing message
STATUS_EVERY = 90.0  # seconds; a status lasts two minutes (assistant.threads.setStatus)
UPDATES = 48  # a minute
FINISHED = 32  # of them kept for the ends of messages: as many may begin to grow in a minute as can be finished
STREAMS = 19  # that run, or were stopped in the last minute: so neither starts nor stops reach 20 in a minute
LOOKS = 30  # a minute at threads that were read before (conversations.replies: 50), so that new ones find room
RESERVED = 600.0  # seconds that an answer may take to begin
MINUTE = 60.0


class Window:
    """At most `count` in any minute."""

    def __init__(self, clock: Clock, count: int) -> None:
        self._clock = clock
        self._count = count
        self._taken: deque[float] = deque()
        self._silent = 0.0

    @property
    def used(self) -> int:
        now = self._clock.monotonic()
        while self._taken and self._taken[0] + MINUTE <= now:
            self._taken.popleft()
        return len(self._taken)

    def take(self) -> bool:
        """False if there is no room now."""
        if self.used >= self._count or self._clock.monotonic() < self._silent:
            return False
        self.note()
        return True

    def note(self) -> None:
        self._taken.append(self._clock.monotonic())

    def refused(self, after: float) -> None:
        self._silent = max(self._silent, self._clock.monotonic() + after)


class Pace:
    """Which streams run, and which messages grow: by that, a call takes from one bucket or another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[str, set[PostId]] = {}  # chat key -> running streams
        self._stopped = Window(clock, STREAMS)
        self._reserved: dict[str, float] = {}  # chats that may still start one -> until when
        self._growing: set[str] = set()  # chats with a message that is changed as it grows
        self._silent = 0.0

    def reserve(self, chat: Chat) -> bool:
        """Whether a stream may be started there, so that it can also be stopped whenever that has to be."""
        now = self._clock.monotonic()
        self._reserved = {key: until for key, until in self._reserved.items() if until > now}
        if chat.key in self._reserved:
            return True
        if now < self._silent or not self._free:
            return False
        self._reserved[chat.key] = now + RESERVED
        return True

    @property
    def _free(self) -> int:
        """Streams that may be started now."""
        running = sum(map(len, self._streams.values())) + len(self._reserved)
        return max(0, STREAMS - running - self._stopped.used)

    def release(self, chat: Chat) -> None:
        self._reserved.pop(chat.key, None)

    def streams(self, chat: Chat) -> bool:
        return chat.key in self._streams

    def started(self, chat: Chat, post: PostId) -> None:
        self._reserved.pop(chat.key, None)
        self._streams.setdefault(chat.key, set()).add(post)

    def stopped(self, chat: Chat, post: PostId) -> None:
        self._stopped.note()
        running = self._streams.get(chat.key, set())
        running.discard(post)
        if not running:
            self._streams.pop(chat.key, None)

    def no_starts(self, seconds: float) -> None:
        self._silent = max(self._silent, self._clock.monotonic() + seconds)

    def posted(self, chat: Chat, *, growing: bool) -> None:
        """A message of the other kind stands there."""
        if growing:
            self._growing.add(chat.key)
        else:
            self._growing.discard(chat.key)

    def buckets(self, chat: Chat, call: CallKind) -> tuple[Bucket, ...]:
        prefix = f"{chat.platform}:{chat.account}"
        post = Bucket(f"{prefix}:post:{chat.id}", 1.1, burst=3), Bucket(f"{prefix}:post", 0.0, count=290, window=MINUTE)
        update = Bucket(f"{prefix}:update", 0.0, count=UPDATES, window=MINUTE, reserve=FINISHED)
        match call:
            case CallKind.STATUS:
                return (Bucket(f"{prefix}:status", 0.0, count=90, window=MINUTE),)
            case CallKind.NEW if chat.key in self._reserved:  # it will be a stream, whose stop has room
                return post
            case CallKind.NEW:  # who finds no room here is shown when it is whole
                return *post, Bucket(f"{prefix}:begin", 0.0, count=FINISHED, window=MINUTE)
            case CallKind.CHANGE if self.streams(chat):
                return (Bucket(f"{prefix}:append", 0.6, burst=30, count=96, window=MINUTE),)
            case CallKind.CHANGE:
                return update, Bucket(f"{prefix}:growth", 4.0, burst=8)
        if self.streams(chat):
            return ()  # `reserve` keeps room for each stop
        return (update,) if chat.key in self._growing else post


def limits(pace: Pace) -> Limits:
    return Limits(size=SIZE, measure=measure, buckets=pace.buckets, frame=FRAME, status_every=STATUS_EVERY)
