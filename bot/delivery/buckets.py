"""Token buckets: how full one is, when it has room for which call, and how silence and refusals change that.

All times are seconds of one monotonic clock. What a bucket allows is data (`bot.types.Bucket`); who waits for it, and
who goes next, is the limiter's part.
"""

from __future__ import annotations

import math
from collections import deque

from bot.types import Bucket, CallKind

__all__ = ["TokenBucket"]

_SLOWEST = 16.0  # an interval grows to this many times its own length at most
_RECOVERY = 0.9  # per quiet minute
_MINUTE = 60.0
_LONGEST = 366 * 86_400.0  # of all silences


class TokenBucket:
    """How full one bucket is: `full` is when all its tokens will be back. `bucket` may be set anew at any time."""

    __slots__ = ("bucket", "full", "silent", "slow", "taken", "tried", "used")

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.full = -math.inf
        self.silent = -math.inf  # until then
        self.slow = 1.0  # the interval is this many times its own length, as of the end of the last silence
        self.taken: deque[float] = deque()  # calls within the window
        self.used = -math.inf  # last call
        self.tried = False  # a call went out since the last refusal

    @property
    def burst(self) -> int:
        return max(1, self.bucket.burst)

    @property
    def keeps(self) -> bool:
        """Whether a lower call always leaves room for a final or stop."""
        return self.burst > 1 and (not self.bucket.count or 0 < self.bucket.reserve < self.bucket.count)

    def slowed(self, now: float) -> float:
        """How many times longer than its own the interval is now."""
        if self.slow > 1.0:
            minutes = math.floor(max(0.0, now - self.silent) / _MINUTE)
            return max(1.0, self.slow * _RECOVERY**minutes)
        return 1.0

    def pace(self, now: float) -> float:
        """Seconds that one token takes to come back."""
        slow, interval = self.slowed(now), self.bucket.interval
        if slow > 1.0 and not interval and self.bucket.count:
            interval = self.bucket.window / self.bucket.count
        return interval * slow

    def limit(self, call: CallKind) -> int:
        """Calls of this kind that a window holds; 0 is no limit. At least 1, so that nobody waits for ever."""
        count = self.bucket.count
        return count if call <= CallKind.STOP or not count else max(1, count - self.bucket.reserve)

    def opens(self, call: CallKind, now: float) -> float:
        """When a call of this kind finds room."""
        left = 0 if call <= CallKind.STOP else 1 if call is CallKind.NEW else max(1, self.bucket.spare)  # for others
        at = max(self.silent, self.full - max(0, self.burst - 1 - left) * self.pace(now))
        limit, size = self.limit(call), len(self.taken)
        if limit and size >= limit:
            at = max(at, self.taken[size - limit] + self.bucket.window)
        return at

    def reopens(self, at: float, now: float) -> float:
        """When a final finds room if one call is let through at `at`."""
        pace = self.pace(now)
        opens = max(at, self.full) + pace - (self.burst - 1) * pace
        over = len(self.taken) + 1 - self.bucket.count
        if self.bucket.count and over >= 0:
            opens = max(opens, (self.taken[over] if over < len(self.taken) else at) + self.bucket.window)
        return opens

    def lasts(self, calls: int, call: CallKind, now: float) -> float:
        """Seconds that so many calls of this kind take, one after the other."""
        seconds = calls * self.pace(now)
        if limit := self.limit(call):
            seconds = max(seconds, calls // limit * self.bucket.window)
        return seconds

    def take(self, now: float) -> None:
        """A call goes out."""
        self.full = max(now, self.full) + self.pace(now)
        self.used, self.tried = now, True
        if self.bucket.count:
            while self.taken and self.taken[0] + self.bucket.window <= now:
                self.taken.popleft()
            self.taken.append(now)

    def give_back(self, at: float) -> None:
        """Undo `take`, for a call that was never made. What was let through since was let through on tighter terms."""
        self.full -= self.pace(at)
        if at in self.taken:
            self.taken.remove(at)

    def silence(self, now: float) -> float:
        """Seconds until it is not silent any more; 0.0 if it isn't."""
        return max(0.0, self.silent - now)

    def refuse(self, now: float, after: float) -> None:
        """The platform wants no call for `after` seconds: silence, and then a slower pace for a while."""
        after, slow = min(max(0.0, after), _LONGEST), self.slowed(now)
        if self.tried:  # several calls under way are refused together: that counts once
            slow, self.tried = min(_SLOWEST, 2 * slow), False
        self.silent, self.slow = max(self.silent, now + after), slow
        # what piled up during the silence must not go out as a burst
        self.full = max(self.full, self.silent + (self.burst - min(self.burst, 2)) * self.pace(now))

    def idle(self, now: float) -> bool:
        """Nothing would be lost by forgetting this. A minute is left for the answer to a call under way."""
        last = max(self.full, self.silent, self.used + max(_MINUTE, self.bucket.window))
        return last <= now and self.slowed(now) == 1.0
