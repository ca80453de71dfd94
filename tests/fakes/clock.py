"""Simulated time: it stands still until it is told to go on, and then wakes the sleepers in the order they are due."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
START = 1_800_000_000_000  # UTC milliseconds
# Real seconds that a test waits for what has to come: nothing where it comes, and much where a machine is slow
PATIENCE = float(os.environ.get("PATIENCE", "120"))


async def moments(seconds: float = 0.3) -> None:
    """Real time in which whatever this process has to do gets its turn, many times, also on a machine that is slow."""
    for _ in range(30):
        await asyncio.sleep(seconds / 30)


class SimClock:
    """`busy` lists what must be false before time may go on by itself (a database at work in its thread, say)."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.busy: list[Callable[[], bool]] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = itertools.count()

    def now(self) -> int:
        return START + round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._number), future))
        await future

    async def settle(self) -> None:
        """Let everything that can run now run."""
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if loop._ready:  # asyncio's own list of what can run: there is no public way to ask for it
                continue
            if not any(busy() for busy in self.busy):
                return
            await asyncio.sleep(0.0002)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        end = self.seconds + seconds
        await self.settle()
        while (due := self._next()) is not None and due <= end:
            await self._wake()
        self.seconds = end
        await self.settle()

    async def step(self) -> None:
        """Let time pass until somebody wakes."""
        await self.settle()
        if self._next() is None:
            await asyncio.sleep(0.001)  # real input or output is under way
        else:
            await self._wake()

    async def run(self, work: Awaitable[T], limit: float = 86_400.0) -> T:
        """Let time pass as fast as it can until `work` is done; TimeoutError after `limit` simulated seconds."""
        task = asyncio.ensure_future(work)
        end = self.seconds + limit
        try:
            while True:
                await self.settle()
                if task.done():
                    return task.result()
                due = self._next()
                if due is None:
                    await asyncio.sleep(0.001)  # real input or output is under way
                elif due > end:
                    raise TimeoutError(f"not done after {limit} simulated seconds")
                else:
                    await self._wake()
        finally:
            if not task.done():
                task.cancel()

    def _next(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def _wake(self) -> None:
        due, _, future = heapq.heappop(self._sleepers)
        self.seconds = max(self.seconds, due)
        future.set_result(None)
        await self.settle()
