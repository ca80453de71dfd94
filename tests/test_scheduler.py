"""Jobs by the clock. What a job is about is tested where it is; this is about when it is called."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from bot.service.jobs import Job, run_jobs
from tests.fakes.clock import PATIENCE


@contextlib.asynccontextmanager
async def running(*jobs: Job) -> AsyncIterator[None]:
    task = asyncio.create_task(run_jobs(*jobs))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_job_is_called_at_once_and_whatever_it_raised_again(caplog: pytest.LogCaptureFixture) -> None:
    calls: asyncio.Queue[None] = asyncio.Queue()

    async def work() -> None:
        calls.put_nowait(None)
        raise ZeroDivisionError

    async with running(Job("sums", 0.05, work), Job("rare", 3600, work)), asyncio.timeout(PATIENCE):
        for _ in range(4):
            await calls.get()
    assert "ZeroDivisionError" in caplog.text
    assert '"sums ' in caplog.text


async def test_it_never_runs_twice_at_a_time() -> None:
    at_work, most, calls = 0, 0, 0
    enough = asyncio.Event()

    async def work() -> None:
        nonlocal at_work, most, calls
        at_work, calls = at_work + 1, calls + 1
        most = max(most, at_work)
        await asyncio.sleep(0.05)
        at_work -= 1
        if calls == 3:
            enough.set()

    async with running(Job("slow", 0.01, work)), asyncio.timeout(PATIENCE):
        await enough.wait()
    assert most == 1


async def test_who_stops_it_hears_of_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running(Job("endless", 3600, work)), asyncio.timeout(PATIENCE):
        await begun.wait()
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    await asyncio.sleep(0)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
