"""Scheduled jobs: what happens by the clock. A job only triggers: what is due is read from the store, so restarts need
nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # it has no stubs

__all__ = ["Job", "run_jobs"]


@dataclass(frozen=True, slots=True)
class Job:
    """`work` is called at once, and then every so many seconds; never twice at a time."""

    name: str
    seconds: float
    work: Callable[[], Awaitable[None]]


async def run_jobs(*jobs: Job) -> None:
    """Until cancelled. What a job raises is logged, and it is called again when it is due."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    rules = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    for job in jobs:
        now = datetime.now(UTC)
        scheduler.add_job(
            _cancellable,
            "interval",
            [job.work],
            seconds=job.seconds,
            id=job.name,
            name=job.name,
            next_run_time=now,
            **rules,
        )
    scheduler.start()
    try:
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)


async def _cancellable(work: Callable[[], Awaitable[None]]) -> None:
    """The scheduler cancels what runs when it is shut down, and would log that as a failure."""
    with contextlib.suppress(asyncio.CancelledError):
        await work()
