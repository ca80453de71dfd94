"""What the tests of a platform's adapter have in common: an intake that takes note, the adapter as it runs before it,
and time that passes while something is awaited."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.intake.addressing import is_for_us
from bot.markdown import parse
from bot.types import Ack, Adapter, Addressing, Inbound, IncomingMessage, Piece, Press, Reader
from tests.fakes.clock import SimClock

__all__ = ["Listener", "Trial", "logged", "piece"]


@dataclass
class Listener:
    """An intake that takes note. `trouble` is raised by the calls to come."""

    events: list[Inbound] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    ack: Ack = field(default_factory=Ack)
    answers: dict[str, Ack] = field(default_factory=dict)  # to presses, by what they ask for
    reader: Reader | None = None  # what threads are known by
    overheard: list[IncomingMessage] = field(default_factory=list)

    async def wanted(self, message: IncomingMessage) -> bool:
        """As the core decides it."""
        if message.addressing is Addressing.THREAD and self.reader is None:
            return False
        return await is_for_us(message, self.reader, lambda _text: True)  # type: ignore[arg-type]

    async def accept(self, event: Inbound) -> Ack:
        if self.trouble:
            raise self.trouble.pop(0)
        if isinstance(event, IncomingMessage) and not await self.wanted(event):
            self.overheard.append(event)
            return Ack()
        self.events.append(event)
        return self.answers.get(event.action, self.ack) if isinstance(event, Press) else self.ack

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, IncomingMessage)]


class Trial:
    """An adapter, which its test makes, and who listens to it. Time stands still until it is told to go on."""

    adapter: Adapter

    def __init__(self, clock: SimClock, folder: Path) -> None:
        self.clock, self.folder = clock, folder
        self.listener = Listener()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.adapter.run(self.listener))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def soon(self, predicate: Callable[[], object], limit: float = 600.0) -> None:
        """Until it is so, letting simulated time pass."""
        end = self.clock.seconds + limit
        while not predicate():
            assert self.clock.seconds < end, f"not within {limit} simulated seconds"
            await asyncio.sleep(0.003)
            await self.clock.advance(0.5)


def piece(source: str, key: str = "1.0", **more: Any) -> Piece:
    return Piece(key, parse(source), **more)


def logged(caplog: pytest.LogCaptureFixture, *loggers: str) -> list[str]:
    """What the test has logged under these names, as it would be written."""
    formatter = logging.Formatter()
    return [formatter.format(record) for record in caplog.get_records("call") if record.name.startswith(loggers)]
