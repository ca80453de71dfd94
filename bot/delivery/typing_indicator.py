"""Typing indicator: that somebody is at work on an answer, shown as long as there is nothing else to be seen of it"""

from __future__ import annotations

import logging

from bot.delivery.limiter import RateLimiter
from bot.errors import AdapterError, RetryLater
from bot.service.metrics import Tally
from bot.types import Adapter, CallKind, Chat, Clock, Status

__all__ = ["show_typing"]

log = logging.getLogger(__name__)


async def show_typing(chat: Chat, adapter: Adapter, limiter: RateLimiter, clock: Clock, tally: Tally) -> None:
    """Renewed until cancelled. A status may be dropped at any time: it waits for nothing, and takes no one's place."""
    while True:
        buckets = adapter.limits.buckets(chat, CallKind.STATUS)
        silent = limiter.silent(adapter.limits.buckets(chat, CallKind.CHANGE))  # the platform wants nothing there
        if not silent and limiter.try_enter(chat, CallKind.STATUS, buckets):
            tally.made["status"] += 1
            try:
                await adapter.status(chat, Status.THINKING)
            except RetryLater as later:
                tally.refused["status"] += 1
                limiter.throttled(buckets, later.after)
            except AdapterError as error:
                log.debug("status not shown: %s", error)
        await clock.sleep(adapter.limits.status_every)
