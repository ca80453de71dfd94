"""Background tasks: kept until they are done, and a failure of theirs is told in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

__all__ = ["Tasks"]

log = logging.getLogger(__name__)


class Tasks:
    """asyncio itself keeps no task: one that nobody else holds may be collected before it is done."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str = "") -> None:
        task = asyncio.create_task(work, name=name or getattr(work, "__qualname__", None))
        self._running.add(task)
        task.add_done_callback(self._done)

    async def close(self, patience: float = 0.0) -> None:
        """What is not done in `patience` seconds is given up."""
        if patience and self._running:
            await asyncio.wait(self._running, timeout=patience)
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
