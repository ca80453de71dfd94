"""One row: the fakes here, a program as a process of its own, and what was seen of it"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil

from bench.figures import FIRST, Cost, Figures, figures
from bench.gateway import Gateway, said
from bench.platforms import PLATFORMS, STATUSES, Platform
from bench.rows import Row

__all__ = ["measure"]

_COMMANDS = {"floor": ("bench.floor",), "magpie": ("bot", "run"), "unlimited": ("bench.unlimited", "run")}
_UP = 60.0  # seconds to come up
_SAMPLE = 0.1  # seconds between two looks at the memory
_CALM = 1.5  # seconds before (what is left of the start ends) and after (a second answer would come)
_WARM = Row("warm", private=10)  # memory that is needed for the first time is not growth


async def measure(platform: str, row: Row, program: str, profile: Path | None = None) -> tuple[Figures, Cost]:
    """`profile`: where py-spy (pip install py-spy) is to write the program's stacks."""
    gateway = Gateway()
    gateway.tokens = row.tokens
    async with (
        PLATFORMS[platform](row) as place,
        gateway.serving() as url,
        _running(program, {**place.environment, "CHAT_API_URL": url}) as process,
    ):
        gateway.rate = 150.0  # slow enough for changes
        await _answered(place, _WARM, 1, 30.0)
        gateway.rate = row.rate
        await asyncio.sleep(_CALM)
        calls, floods, meter = dict(place.calls()), place.floods, Meter(process)
        async with _profiled(process, profile), meter.on():
            began = time.monotonic()
            await _answered(place, row, FIRST, row.patience)
            await asyncio.sleep(_CALM)
        made = {method: count - calls.get(method, 0) for method, count in place.calls().items()}
        statuses = sum(count for method, count in made.items() if method in STATUSES)
        cost = Cost(
            (sum(made.values()) - statuses) / row.replies,
            statuses / row.replies,
            place.floods - floods,
            meter.cpu * 1000 / row.replies,
            meter.peak / 1e6,
            (meter.peak - meter.before) / 1000 / row.replies,
        )
        return figures(row, gateway, place.versions(), began), cost


class Meter:
    """CPU seconds and bytes of memory of a process while it is `on`."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.cpu, self.before, self.peak = 0.0, 0, 0

    @contextlib.asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        self.before, began = self._process.memory_info().rss, self._used()
        sampling = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            sampling.cancel()
            self.cpu = self._used() - began

    async def _sample(self) -> None:
        while True:
            self.peak = max(self.peak, self._process.memory_info().rss)
            await asyncio.sleep(_SAMPLE)

    def _used(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


@contextlib.asynccontextmanager
async def _running(program: str, variables: Mapping[str, str]) -> AsyncIterator[psutil.Process]:
    """The program, in a directory of its own, when it is ready."""
    with tempfile.TemporaryDirectory() as directory:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        ours = {"CHAT_API_KEY": "sk-bench-0000000000", "ACCESS": "open", "DATA_DIR": directory, "HTTP_PORT": "0"}
        environment = {**kept, **ours, **variables, "PYTHONPATH": str(Path(__file__).parents[1])}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", *_COMMANDS[program]),
            cwd=directory,
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        lines: list[str] = []
        ready = asyncio.Event()
        assert process.stderr is not None
        reading = asyncio.create_task(_read(process.stderr, lines, ready))
        try:
            async with asyncio.timeout(_UP):
                await ready.wait()
            if process.returncode is not None:
                raise RuntimeError(f"{program} did not come up:\n{''.join(lines)}")
            yield psutil.Process(process.pid)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await reading


async def _read(stream: asyncio.StreamReader, lines: list[str], ready: asyncio.Event) -> None:
    async for line in stream:
        lines.append(line.decode("utf-8", "replace"))
        if " is ready" in lines[-1]:
            ready.set()
    ready.set()  # it has ended


@contextlib.asynccontextmanager
async def _profiled(process: psutil.Process, to: Path | None) -> AsyncIterator[None]:
    if to is None:
        yield
        return
    command = ("record", "--pid", str(process.pid), "--rate", "200", "--gil", "--format", "raw", "--output", str(to))
    spy = await asyncio.create_subprocess_exec("py-spy", *command, stdout=asyncio.subprocess.DEVNULL)
    await asyncio.sleep(1)
    yield
    spy.send_signal(2)
    await spy.wait()


async def _answered(place: Platform, row: Row, first: int, patience: float) -> None:
    """Ask, and wait until all answers stand there whole, or for so long."""
    place.ask(row, first)
    pending = set(range(first, first + row.replies))
    end = time.monotonic() + patience
    while pending and time.monotonic() < end:
        await asyncio.sleep(0.05 if row.replies < 300 else 0.3)
        pending = {number for number in pending if said(number, row.tokens) not in place.current(number)}
