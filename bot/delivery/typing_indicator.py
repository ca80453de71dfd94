"""Typing indicator: that somebody is at work on an answer, shown as long as there is nothing else to be seen of it"""

from __future__ import annotations

import logging

from bot.delivery.limiter import Gate
from bot.errors import AdapterError, RetryLater
from bot.service.metrics import Tally
from bot.types import Adapter, Call, Chat, Clock, Status

__all__ = ["show_work"]

log = logging.getLogger(__name__)


async def show_work(chat: Chat, adapter: Adapter, gate: Gate, clock: Clock, tally: Tally) -> None:
    """Renewed until cancelled. A status may be dropped at any time: it waits for nothing, and takes no one's place."""
    while True:
        buckets = adapter.limits.buckets(chat, Call.STATUS)
        silent = gate.silent(adapter.limits.buckets(chat, Call.CHANGE))  # the platform wants nothing there
        if not silent and gate.try_enter(chat, Call.STATUS, buckets):
            tally.made["status"] += 1
            try:
                await adapter.status(chat, Status.THINKING)
            except RetryLater as later:
                tally.refused["status"] += 1
                gate.refused(buckets, later.after)
            except AdapterError as error:
                log.debug("status not shown: %s", error)
        await clock.sleep(adapter.limits.status_every)
