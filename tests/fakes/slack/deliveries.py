"""What happens, brought to the app (docs.slack.dev: Events API, "Error handling"; Handling user interaction).

An event that isn't acknowledged in three seconds comes again: at once, a minute later, five minutes after that. A
press, a command or a modal comes once: whoever did it is told that it didn't work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bot.types import Clock
from tests.fakes.slack.places import Json

__all__ = ["Deliveries", "Delivery", "Kind", "Outcome", "Transport"]

Kind = Literal["events_api", "interactive", "slash_commands"]


@dataclass(frozen=True)
class Outcome:
    """Of one try: `reason` is '' if it was acknowledged; `answer` is what the acknowledgement said."""

    reason: str
    answer: Json | None = None
    final: bool = False  # not to be tried again


@dataclass(eq=False)
class Delivery:
    """`state`: waiting, acknowledged, or failed. `reasons` says why each try before failed."""

    kind: Kind
    payload: Json
    state: Literal["waiting", "acknowledged", "failed"] = "waiting"
    answer: Json | None = None
    tries: int = 0
    reasons: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)  # seconds of each try
    done: asyncio.Event = field(default_factory=asyncio.Event)
    on_answer: Callable[[Json | None], None] | None = None

    async def wait(self, seconds: float = 10.0) -> Json | None:
        """Until it is acknowledged (its answer) or given up (AssertionError)."""
        await asyncio.wait_for(self.done.wait(), seconds)
        assert self.state == "acknowledged", f"{self.kind} failed: {self.reasons}"
        return self.answer


class Transport(Protocol):
    async def bring(self, delivery: Delivery, retry: int, reason: str) -> Outcome:
        """One try, the `retry`-th again; `reason` is why the last one failed."""


class Deliveries:
    """`retries`: seconds before each further try. `all` has every delivery there was."""

    def __init__(self, clock: Clock, transport: Transport) -> None:
        self.transport = transport
        self.retries: tuple[float, ...] = (0.0, 60.0, 300.0)
        self.all: list[Delivery] = []
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def push(self, kind: Kind, payload: Json) -> Delivery:
        delivery = Delivery(kind, payload)
        self.all.append(delivery)
        self._start(delivery, 0, "")
        return delivery

    def again(self, delivery: Delivery) -> Delivery:
        """The same event once more, as after an acknowledgement that got lost."""
        copy = Delivery(delivery.kind, delivery.payload)
        self.all.append(copy)
        self._start(copy, 1, "timeout")
        return copy

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, delivery: Delivery, retry: int, reason: str) -> None:
        task = asyncio.get_running_loop().create_task(self._bring(delivery, retry, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring(self, delivery: Delivery, retry: int, reason: str) -> None:
        pauses = iter(self.retries)
        while True:
            began = self._clock.monotonic()
            delivery.tries += 1
            outcome = await self.transport.bring(delivery, retry, reason)
            delivery.took.append(self._clock.monotonic() - began)
            if not outcome.reason:
                self._end(delivery, outcome.answer)
                return
            reason = outcome.reason
            delivery.reasons.append(reason)
            pause = next(pauses, None)
            if pause is None or outcome.final or delivery.kind != "events_api":
                delivery.state = "failed"
                delivery.done.set()
                return
            if pause:
                await self._clock.sleep(pause)
            retry += 1

    @staticmethod
    def _end(delivery: Delivery, answer: Json | None) -> None:
        delivery.state, delivery.answer = "acknowledged", answer
        try:
            if delivery.on_answer is not None:
                delivery.on_answer(answer)
        finally:
            delivery.done.set()
