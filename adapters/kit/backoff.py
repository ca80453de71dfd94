"""Back-off: longer and longer pauses between tries, up to a bound, and log lines that don't repeat themselves."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.errors import AdapterError, RetryLater
from bot.types import Clock

__all__ = ["Backoff", "after", "doubled"]

log = logging.getLogger(__name__)

_FIRST = 1.0  # seconds before the second try
_SLOWEST = 60.0  # seconds between two tries
_SAY_AGAIN = 300.0  # seconds
_DOUBLINGS = 60  # more than any bound needs; outages last, and 2.0**1024 is no number

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def doubled(first: float, times: int, most: float) -> float:
    """`first`, doubled `times` times, but never more than `most`: however often, it stays a number."""
    return min(most, first * 2.0 ** min(times, _DOUBLINGS))


def after(error: AdapterError) -> float:
    """How many seconds the platform wants to be left alone, if it says so."""
    return error.after if isinstance(error, RetryLater) else 0.0


class Backoff:
    """Pauses that are never the same for two bots."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries = 0
        self._said: dict[str, float] = {}
        self._told = False
        self.trouble = ""  # what was said last, until it worked again

    async def pause(self, least: float = 0.0) -> None:
        longest = doubled(_FIRST, self._tries, _SLOWEST)
        self._tries += 1
        await self._clock.sleep(max(least, longest * random.uniform(0.5, 1.0)))

    def worked(self, words: str = "") -> None:
        """From here on it begins anew. `words` for the log, if trouble was told there before. What comes and goes (two
        who take turns at what is there for one) is told once in a while all the same."""
        if self._told and words:
            log.info("%s", words)
        self._tries, self._told = 0, False
        self.trouble = ""
        now = self._clock.monotonic()
        self._said = {what: at for what, at in self._said.items() if now - at < _SAY_AGAIN}

    def say(self, what: str) -> None:
        """In the log, at most once in five minutes."""
        self.trouble = what
        now = self._clock.monotonic()
        if now - self._said.get(what, -_SAY_AGAIN) >= _SAY_AGAIN:
            self._said[what], self._told = now, True
            log.warning("%s", what)

    async def until_answered(
        self,
        call: Callable[[], Awaitable[T]],
        errors: type[E] | tuple[type[E], ...],
        failed: Callable[[E], float],
    ) -> T:
        """What `call` gives, tried again after each of `errors`: `failed` tells how many seconds to wait at least, or
        raises, and that is the end of it."""
        while True:
            try:
                return await call()
            except errors as error:
                least = failed(error)
            await self.pause(least)
