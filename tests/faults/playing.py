"""Plays a schedule: the real core, store and client between a fake platform and a fake gateway, in simulated time, over
as many processes as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

from bot.errors import StoreError
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.client import CapabilityCache, Client
from bot.gateways.profiles import PROFILES
from bot.gateways.profiles import Gateway as Address
from bot.types import Bucket, Chat, Inbound, IncomingMessage, LedgerEntry, Piece, Press, StopPressed, Turn
from tests.fakes.clock import START, SimClock
from tests.fakes.core import Core, everyone
from tests.fakes.ground import Ground
from tests.fakes.platform import ANN, CHAT, FakePlatform, Made
from tests.faults.gateway import Asked, Gateway
from tests.faults.schedule import Deed, Kill, Schedule

__all__ = ["THERE", "Play", "ground"]

THERE = Chat("fake", "bot", "there")
WRITES = (
    "begin", "generated", "postpone", "end", "intend", "posted", "dropped", "claim", "release", "accept", "answer",
)  # fmt: skip
_LONG = 100_000.0  # seconds after which nothing may be open any more
_MOST = 60  # turns
_ADDRESS = Address("fake", "http://127.0.0.1:9/v1", "sk-none", PROFILES["generic"])


@cache
def ground() -> Ground:
    """One for all plays of a process. It ends with it."""
    return Ground()


@cache
def _directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


class Play:
    """A schedule under way. `births`: calls made when each process began. When it is over: `turns`, oldest first, with
    their `questions` and ledger `entries`."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.clock = SimClock()
        self.births: list[int] = []
        self.turns: list[Turn] = []
        self.questions: dict[int, list[str]] = {}
        self.entries: dict[int, list[LedgerEntry]] = {}
        self.said: list[str] = []  # by people, to be answered
        self.models: list[Asked] = []
        self.platform = FakePlatform(
            self.clock,
            readable=schedule.readable,
            troubles={each.call: each.trouble() for each in schedule.faults},
        )
        self.platform.buckets = lambda chat, call: (Bucket(f"room:{chat.id}", 0.2, 3), Bucket("bot", 0.04, 5))
        self.gateway = Gateway(self.clock, schedule.said, self._hears)
        self._core: Core | None = None
        self._events = [(0.0, Deed(0.0, "ask")), *((deed.at, deed) for deed in schedule.deeds)]
        self._made: list[list[Inbound]] = []
        self._kills = list(schedule.kills)
        self._down = 0.0
        self._retried = 0
        self._writes = 0

    async def run(self) -> None:
        while True:
            async with self._process() as core:
                self.births.append(len(self.platform.made))
                await core.clock.settle()
                if await self._live(core):
                    await self._look(core)
                    break
                await core.kill()
            await self.clock.advance(self._down)
            self._down = 0.0
        assert asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left over"

    @contextlib.asynccontextmanager
    async def _process(self) -> AsyncIterator[Core]:
        store = ground().store()
        self.clock.busy = [store.busy]
        client = Client(
            _ADDRESS, Catalogue(), self.clock, learned=CapabilityCache(), transport=self.gateway, random=lambda: 0.5
        )
        model = Asked(client)
        self.models.append(model)
        core = self._core = Core(store, self.clock, self.platform, model, Path(_directory().name), everyone, poll=900)
        core.lives[1].instead["put"] = self._put
        for verb in WRITES:
            core.lives[0].instead[verb] = self._writing(getattr(core.lives[0], verb), verb)
        try:
            yield core
        finally:
            await core.stop(0)
            await client.aclose()

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _dead(self) -> bool:
        return self._core is not None and self._core.lives[0].dead

    def _due(self, of: str, number: int) -> Kill | None:
        kill = next((each for each in self._kills if (each.of, each.call) == (of, number)), None)
        if kill is not None:
            self._kills.remove(kill)
        return kill

    def _die(self, kill: Kill) -> None:
        assert self._core is not None
        self._down = kill.down
        for life in self._core.lives:
            life.dead = True

    async def _put(self, chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        kill = self._due("call", len(self.platform.made) + 1)
        if kill is not None and not kill.after:
            self._die(kill)
            self.platform.made.append(Made(self.clock.monotonic(), "new", chat, at, piece))  # it was on its way
            raise asyncio.CancelledError
        try:
            return await self.platform.put(chat, piece, at)
        finally:
            if kill is not None:
                self._die(kill)

    def _writing(self, write: Callable[..., Awaitable[Any]], verb: str) -> Callable[..., Awaitable[Any]]:
        async def wrapped(*args: Any, **more: Any) -> Any:
            self._writes += 1
            kill = self._due("write", self._writes)
            full = next((each for each in self.schedule.full if each.write == self._writes), None)
            if kill is not None and not kill.after:
                self._die(kill)
                raise asyncio.CancelledError
            if full is not None and (not full.after or verb == "claim"):
                raise StoreError(detail="no space left")
            result = await write(*args, **more)
            if kill is not None:
                self._die(kill)
                raise asyncio.CancelledError
            if full is not None:
                raise StoreError(detail="the connection was lost")
            return result

        return wrapped

    def _hears(self, number: int) -> None:
        kill = self._due("chunk", number)
        if kill is not None:
            self._die(kill)
            raise asyncio.CancelledError

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _live(self, core: Core) -> bool:
        """True when all is done, False if the process is dead."""
        while True:
            while self._events:
                at, deed = self._events[0]
                await self._until(at)
                if self._dead or not await self._do(core, len(self._made), deed):
                    return False
                self._events.pop(0)
                if deed.what in ("restart", "down"):
                    await core.stop(2)
                    self._down = 3600.0 if deed.what == "down" else self._down
                    return False
            if not await self._quiet(core):
                return False
            if self._retried == self.schedule.retries:
                return True
            self._retried += 1
            now = self.clock.seconds
            self._events = [(now, Deed(now, "retry")), (now + 0.3, Deed(now, "retry"))]

    async def _until(self, seconds: float) -> None:
        await self.clock.settle()
        while not self._dead and (due := self.clock._next()) is not None and due <= seconds:
            await self.clock.step()
        if not self._dead:
            self.clock.seconds = max(self.clock.seconds, seconds)

    async def _quiet(self, core: Core) -> bool:
        end = self.clock.seconds + _LONG
        while self.clock.seconds < end:
            await self.clock.settle()
            if self._dead:
                return False
            if not core.turns.count:
                waiting = [*await core.store.open_turns(CHAT), *await core.store.open_turns(THERE)]
                if not waiting:
                    return True
                await self._until((min(turn.not_before for turn in waiting) - START) / 1000)
            await self.clock.step()
        raise AssertionError("a question is open for ever")

    # ── what people do ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _do(self, core: Core, number: int, deed: Deed) -> bool:
        events = await self._happened(core, number, deed)
        while True:
            accepting = asyncio.gather(*(core.intake.accept(event) for event in events), return_exceptions=True)
            results = await self.clock.run(accepting)
            if self._dead:
                return False  # the platform brings it again
            errors = [result for result in results if isinstance(result, BaseException)]
            if not errors:
                self._made.append(events)
                return True
            if not all(isinstance(error, StoreError) for error in errors):
                raise errors[0]

    async def _happened(self, core: Core, number: int, deed: Deed) -> list[Inbound]:
        now, key = self.clock.now(), f"event-{number}"
        match deed.what:
            case "ask":
                return [self._asks(number)]
            case "ask there":
                return [self._asks(number, THERE)]
            case "again":
                return list(self._made[0])
            case "twice":
                return [self._asks(number)] * 2
            case "swap":
                return [self._asks(number, later=True), self._asks(number)]
            case "stop":
                return [StopPressed(key, CHAT, now)]
            case "say stop" | "new" | "status":
                return [self.platform.says(f"/{deed.what.removeprefix('say ')}")]
            case "press stop" | "retry" | "continue":
                turn = await core.store.last_turn(CHAT)
                if turn is None:
                    return []
                post = turn.posts[0].post if turn.posts else None
                return [Press(key, CHAT, ANN, f"/{deed.what.removeprefix('press ')} {turn.id}", now, post)]
        return []

    def _asks(self, number: int, chat: Chat = CHAT, *, later: bool = False) -> IncomingMessage:
        words = f"question {number}{' later' * later}"
        if words not in self.said:
            self.said.append(words)
        return self.platform.says(words, chat=chat, key=f"asked-{words}")

    # ── at the end ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _look(self, core: Core) -> None:
        for id in range(1, _MOST):
            turn = await core.store.turn(id)
            if turn is None:
                break
            self.turns.append(turn)
            self.questions[id] = [message.text for message in await core.store.question(id)]
            self.entries[id] = list(await core.store.ledger(id))
