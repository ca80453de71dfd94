"""The real core between a fake platform and a fake model, in simulated time, on the real store in memory."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from bot.commands import GatewayFacts
from bot.decoding.pool import Decoder
from bot.gateways.catalogue import Catalogue
from bot.intake.access import Access
from bot.media.prepared import MediaStore
from bot.service import core
from bot.service.core import Wiring
from bot.turns.planning import Options
from bot.types import Ack, Adapter, Chat, ChatModel, ChatSettings, Inbound, Reader, Store
from storage import open_store
from tests.fakes.clock import SimClock
from tests.fakes.model import FakeModel
from tests.fakes.platform import FakePlatform
from tests.fakes.template import new_database


class Mortal:
    """Stands before something that a process uses. Once `dead`, whoever calls it is cut off in the middle, as by kill
    -9."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self.dead = False
        self.instead: dict[str, Any] = {}  # calls that a test makes its own way

    def __getattr__(self, name: str) -> Any:
        found = self.instead.get(name) or getattr(self._target, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **more: Any) -> Any:
            if self.dead:
                raise asyncio.CancelledError
            result = await found(*args, **more)
            if self.dead:
                raise asyncio.CancelledError
            return result

        return call


class Core:
    """One process's worth of Magpie: what `say` is told happened on the platform; `quiet` lets time pass until all is
    done."""

    def __init__(
        self,
        store: Store,
        clock: SimClock,
        platform: FakePlatform,
        model: ChatModel,
        directory: Path,
        access: Callable[[Reader], Access],
        poll: float = 30.0,
        decoder: Decoder | None = None,
    ) -> None:
        self.clock, self.platform, self.model = clock, platform, model
        self.lives = [Mortal(store), Mortal(platform)]
        self.store: Store = self.lives[0]  # type: ignore[assignment]  # passes every verb on
        adapter: Adapter = self.lives[1]  # type: ignore[assignment]
        options = Options(ChatSettings("qwen-plus"), "qwen-vl-plus", "qwen-vl-max", "qwen-mt-turbo")
        self.media = MediaStore(directory / "media", clock, decoder)
        self.access = access(self.store)
        wiring = Wiring(options, GatewayFacts("fake"), self.access, self.media, poll=poll)
        self.core = core.Core(self.store, model, Catalogue(), {"fake": adapter}, clock, wiring)
        self.core.leases.want(platform.account.key)
        self.metrics, self.planner, self.turns = wiring.metrics, self.core.planner, self.core.turns
        self.intake = self.core.intake
        self._working = asyncio.create_task(self.core.work())
        self._chats: set[Chat] = set()

    async def say(self, event: Inbound) -> Ack:
        self._chats.add(event.chat)
        return await self.clock.run(self.intake.accept(event))

    async def quiet(self, limit: float = 7200.0, *chats: Chat) -> None:
        """Until every turn has ended. TimeoutError after `limit` simulated seconds."""
        end = self.clock.seconds + limit
        waiting: list[object] = []
        while self.clock.seconds < end:
            await self.clock.settle()
            if not self.turns.count:
                waiting = [turn for chat in (*self._chats, *chats) for turn in await self.store.open_turns(chat)]
                if not waiting:
                    return
            await self.clock.step()
        raise TimeoutError(f"turns are still open: {waiting}")

    async def kill(self) -> None:
        """As by kill -9: nothing is given back, nothing more is said or stored."""
        for life in self.lives:
            life.dead = True
        await self.stop(0)

    async def stop(self, seconds: float = 20.0) -> None:
        """As by SIGTERM."""
        await self.media.close()
        await self.clock.run(self.turns.drain(seconds))
        self._working.cancel()
        await asyncio.gather(self._working, return_exceptions=True)


def everyone(reader: Reader) -> Access:
    return Access(reader, everyone=True)


@contextlib.asynccontextmanager
async def running_core(
    clock: SimClock,
    directory: Path,
    platform: FakePlatform,
    model: FakeModel,
    access: Callable[[Reader], Access] = everyone,
    decoder: Decoder | None = None,
) -> AsyncIterator[Core]:
    """A core on the database in `directory`: a second one, later, is the same service started again. Everybody is let
    in unless `access` says otherwise."""
    store = await open_store(new_database(directory / "magpie.db"), owner="test", clock=clock)
    clock.busy = [store.busy]
    core = Core(store, clock, platform, model, directory, access, decoder=decoder)
    clock.busy.append(lambda: core.media.busy)
    try:
        yield core
    finally:
        await core.stop(0)
        await store.close()
        clock.busy = []
