"""Process pool of decoders: a few at once, kept warm, killed at their limits; fair between people.

One person has one file decoded at a time. So what one sends holds up nobody else, however long it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bot
from bot.decoding.limits import CPU_SECONDS, SECONDS

__all__ = ["Decoder", "NoDecoder"]

log = logging.getLogger(__name__)

WORKERS = 2
_JOBS = 100  # of one process: what libraries leak goes with it
_FAT = 250_000_000  # bytes of memory that a process may have had to be kept
_IDLE = 600.0  # seconds until one that nobody needs ends
_LINE = 1_000_000  # bytes of an answer


class NoDecoder(Exception):
    """No such process can be started here. The reason is for the log."""


class Decoder:
    """`seconds`: what one file may take by the clock. `program`: what is run, and answers as `bot.decoding` does."""

    def __init__(
        self, *, workers: int = WORKERS, seconds: float = SECONDS, program: tuple[str, ...] = ("-m", "bot.decoding")
    ) -> None:
        self._most = workers
        self._seconds = seconds
        self._program = program
        self._idle: list[_Worker] = []
        self._at_work: dict[str, _Worker | None] = {}  # whose file -> the process that has it
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._retiring: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """Is a file being decoded, or waiting for it?"""
        return bool(self._at_work or self._waiting)

    async def warm_up(self) -> None:
        """Have a process ready. NoDecoder."""
        if not self._idle and not self._at_work:
            self._idle.append(await _Worker.start(self._program))
            self._retire_later()

    async def decode(self, source: Path, target: Path, *, images: bool = True, owner: str = "") -> Mapping[str, Any]:
        """The answer about a file, see the package's docstring. When cancelled, the process that has it is killed.
        NoDecoder."""
        await self._turn(owner)
        try:
            worker = self._idle.pop() if self._idle else await _Worker.start(self._program)
            self._at_work[owner] = worker
            answer = await worker.ask({"source": str(source), "target": str(target), "images": images}, self._seconds)
            if worker.usable:
                self._idle.append(worker)
            else:
                self._end(worker)
        finally:
            del self._at_work[owner]
            self._next()
            self._retire_later()
        return answer

    async def close(self) -> None:
        """End all processes. Whoever still waits for one is to be cancelled by who asked."""
        if self._retiring is not None:
            self._retiring.cancel()
        for worker in [*self._idle, *filter(None, self._at_work.values())]:
            self._end(worker)
        self._idle.clear()
        await asyncio.gather(*self._closing)

    # ── whose turn it is ────────────────────────────────────────────────────────────────────────────────────────────

    async def _turn(self, owner: str) -> None:
        if owner not in self._at_work and len(self._at_work) < self._most:
            self._at_work[owner] = None
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was our turn in the same moment
                del self._at_work[owner]
            else:
                self._forget(owner, mine)
            self._next()
            raise

    def _forget(self, owner: str, waiting: asyncio.Future[None]) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._waiting[owner].remove(waiting)
            if not self._waiting[owner]:
                del self._waiting[owner]

    def _next(self) -> None:
        """Who has nothing at work comes next; of those, who has waited for a turn the longest."""
        for owner in list(self._waiting):
            if len(self._at_work) >= self._most:
                return
            if owner in self._at_work:
                continue
            queue = self._waiting.pop(owner)
            waiting = queue.popleft()
            if queue:
                self._waiting[owner] = queue  # behind all others
            self._at_work[owner] = None
            waiting.set_result(None)

    # ── processes that nobody needs ─────────────────────────────────────────────────────────────────────────────────

    def _retire_later(self) -> None:
        if self._retiring is not None:
            self._retiring.cancel()
        self._retiring = asyncio.get_running_loop().call_later(_IDLE, self._retire)

    def _retire(self) -> None:
        while self._idle:
            self._end(self._idle.pop())

    def _end(self, worker: _Worker) -> None:
        task = asyncio.ensure_future(worker.end())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._jobs = 0
        self._fat = False

    @classmethod
    async def start(cls, program: tuple[str, ...]) -> _Worker:
        """With nothing of our environment, in which the keys are; and out of reach of the terminal's Ctrl+C."""
        root = str(Path(bot.__file__).parents[1])
        kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                *program,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**kept, "PYTHONPATH": root, "PYTHONUTF8": "1", "MALLOC_ARENA_MAX": "2"},
                start_new_session=True,
                limit=_LINE,
            )
        except OSError as error:
            raise NoDecoder(str(error)) from error
        return cls(process)

    @property
    def usable(self) -> bool:
        return self._process.returncode is None and self._jobs < _JOBS and not self._fat

    async def ask(self, job: Mapping[str, object], seconds: float) -> Mapping[str, Any]:
        """Its answer; or, where it was killed or came to grief, an error that says so."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: PT018 - for mypy
        first = not self._jobs
        self._jobs += 1
        try:
            async with asyncio.timeout(seconds):
                self._process.stdin.write(json.dumps(job).encode() + b"\n")
                await self._process.stdin.drain()
                answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        except TimeoutError:
            await self.end()
            return {"error": "slow", "data": {"limit": round(seconds)}}
        except (OSError, ValueError) as error:  # it ended, or made no sense
            return await self._grief(error, first=first)
        except asyncio.CancelledError:
            await asyncio.shield(self.end())
            raise
        self._fat = answer.get("peak", 0) > _FAT
        return answer

    async def _grief(self, error: Exception, *, first: bool) -> Mapping[str, Any]:
        with contextlib.suppress(TimeoutError):  # its own end says more than ours
            await asyncio.wait_for(self._process.wait(), 1.0)
        code = self._process.returncode
        await self.end()
        if first and code is not None and code > 0:
            raise NoDecoder(f"it ended with code {code}; to see why: {sys.executable} -m bot.decoding")
        if code == -getattr(signal, "SIGXCPU", 0):
            return {"error": "slow", "data": {"limit": CPU_SECONDS}}
        return {"error": "crash", "detail": f"the decoder ended with {code}: {error!r}"}

    async def end(self) -> None:
        """Kill it, and see it gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
