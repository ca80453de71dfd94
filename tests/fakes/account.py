"""The whole service, as bot.service.app wires it, between two fake chat platforms and the sandbox, in simulated time:
for what happens to money over days."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, MutableMapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bot.gateways.capabilities import CapabilityCache
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.client import Client
from bot.gateways.gateway import Models
from bot.gateways.profiles import PROFILES, Gateway
from bot.markdown import plain
from bot.sandbox.app import sandbox
from bot.service.app import App, build
from bot.service.config import Settings
from bot.types import Account, Adapter, AdapterContext, AsgiApp, Chat, Person, Piece, Store
from storage import open_store
from tests.fakes.clock import SimClock
from tests.fakes.core import Mortal
from tests.fakes.gateways import Counted
from tests.fakes.platform import FakePlatform

BOSS = Person("boss", "Boss")


class Platform(FakePlatform):
    """One of several."""

    name = "one"

    @property
    def account(self) -> Account:
        return Account(self.name, "bot", "Fake")

    def said(self, id: str) -> list[str]:
        """What stands in a chat, message by message."""
        return [str(piece_text(piece)) for piece in self.shown(Chat(self.name, "bot", id))]


class Other(Platform):
    name = "two"


def piece_text(piece: Piece) -> str:
    return plain(piece.blocks) + "".join(f" [{note.text}]" for note in piece.notes)


class Prepaid:
    """An ASGI app: the sandbox, whose account can be topped up, and whose visitors are counted."""

    def __init__(self, clock: SimClock, balance: str) -> None:
        self.clock = clock
        self.asked: Counter[str] = Counter()
        self.app: AsgiApp
        self.set(balance)

    def set(self, balance: str, *, key: str = "sk-right") -> None:
        self.app = sandbox(key=key, balance=Decimal(balance), rate=0, clock=self.clock)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.asked[scope["path"].rpartition("/")[2]] += 1
        await self.app(scope, receive, send)

    async def balance(self) -> Decimal:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://it") as http:
            told = await http.get("/api/account/billing/grants", headers={"Authorization": "Bearer sk-right"})
        return Decimal(str(told.json()["data"]["total_available"]))


class Life:
    """One process. `hours` lets time pass."""

    def __init__(self, app: App, clock: SimClock, store: Store, mortals: list[Mortal]) -> None:
        self.app = app
        self.clock = clock
        self.store = store
        self.mortals = mortals
        self._chats: set[Chat] = set()
        for adapter in app.core.adapters.values():
            app.core.leases.want(adapter.account.key)
        self.working = asyncio.create_task(app.core.work())

    async def says(self, platform: Platform, id: str, text: str, by: Person = BOSS) -> str:
        """Returns what stands there last, once all is done."""
        await self.hears(platform, id, text, by)
        return platform.said(id)[-1]

    async def hears(self, platform: Platform, id: str, text: str, by: Person = BOSS) -> None:
        chat = Chat(platform.name, "bot", id)
        self._chats.add(chat)
        event = platform.says(text, chat=chat, by=by)
        await self.clock.run(self.app.core.intake.accept(replace(event, key=f"{platform.name}:{event.key}")))
        await self.quiet()

    async def quiet(self) -> None:
        """Until every turn has ended."""
        while not self.mortals[0].dead:
            await self.clock.settle()
            chats = {*self._chats, *self.app.recipients.chats()}
            if not self.app.core.turns.count and not [
                turn for chat in chats for turn in await self.store.open_turns(chat)
            ]:
                return
            await self.clock.step()
        await self.clock.advance(1)

    async def tick(self) -> None:
        await self.clock.run(self.app.watch.tick())
        await self.quiet()

    async def hours(self, count: int) -> None:
        """Time jumps, three hours at once: a look at the queue every 30 seconds of a week would take long."""
        for _ in range(0, count, 3):
            self.clock.seconds += 3 * 3600
            await self.tick()

    def die(self) -> None:
        """As by kill -9: nothing more is said or stored."""
        for mortal in self.mortals:
            mortal.dead = True

    def die_at(self, name: str) -> None:
        """As by kill -9, right after the store has done this."""
        store = self.mortals[0]
        verb = getattr(self.store, name)

        async def last(*args: Any, **more: Any) -> Any:
            done = await verb(*args, **more)
            self.die()
            return done

        store.instead[name] = last


def _maker(adapter: Any) -> Callable[[AdapterContext], Adapter]:
    return lambda _surroundings: adapter


@contextlib.asynccontextmanager
async def living(
    clock: SimClock, directory: Path, account: Prepaid | str, *platforms: Platform, **settings: Any
) -> AsyncIterator[Life]:
    """A process on the database in `directory`; when left, it ends as by SIGTERM, unless it is dead. `account`: or the
    URL of a gateway on the loopback interface."""
    read = Settings(data_dir=directory, access="open", admins="one:boss,two:boss", **settings)
    store = await open_store(f"sqlite:///{directory / 'magpie.db'}", owner="test", clock=clock)
    transport = Counted()
    clock.busy = [store.busy, transport.busy]
    mortals = [Mortal(store), *(Mortal(platform) for platform in platforms)]
    gateway = Gateway("wcode", "http://it/api/gpt/v1", "sk-right", PROFILES["wcode"])
    if isinstance(account, str):
        gateway = Gateway("peculiar", account, "sk-right")
        facts = CapabilityCache(await store.learned("peculiar"), partial(store.learn, "peculiar"), clock.now)
        client = Client(gateway, Catalogue(), clock, learned=facts, transport=transport)
    else:
        client = Client(gateway, Catalogue(), clock, learned=CapabilityCache(), transport=httpx.ASGITransport(account))
    kept: Store = mortals[0]
    adapters = {each.name: mortal for each, mortal in zip(platforms, mortals[1:], strict=True)}
    makers = {name: _maker(adapter) for name, adapter in adapters.items()}
    app = build(read, makers, kept, Models(gateway, client, Catalogue()), clock)
    life = Life(app, clock, store, mortals)
    try:
        yield life
    finally:
        await clock.run(app.core.turns.drain(0))
        life.working.cancel()
        await asyncio.gather(life.working, return_exceptions=True)
        await client.aclose()
        await store.close()
        clock.busy = []
