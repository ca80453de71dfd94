"""Each adapter between the real core and its platform, for the suite that runs over all of them."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncIterator, Callable
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

import httpx

from adapters.slack.adapter import SlackAdapter
from adapters.slack.settings import SlackSettings
from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.settings import TelegramSettings
from adapters.terminal.adapter import TerminalAdapter
from adapters.web.adapter import WebAdapter
from adapters.web.settings import WebSettings
from bot.clock import SystemClock
from bot.commands import GatewayFacts, listing
from bot.gateways.catalogue import Catalogue
from bot.intake.access import Access
from bot.languages.names import listing as languages
from bot.locales import say
from bot.media.prepared import MediaStore
from bot.service.core import Core, Wiring
from bot.turns.planning import Options
from bot.turns.queue import TurnEnds
from bot.types import Adapter, AdapterContext, Chat, ChatSettings, Reader
from storage import open_store
from tests.fakes.model import FakeModel
from tests.fakes.slack import FakeSlack, Shown
from tests.fakes.slack import Limits as SlackLimits
from tests.fakes.telegram import FakeTelegram, Limits

BASE = "http://127.0.0.1:8080"
ID = "contract-chat-0001"


class Place(Protocol):
    """What an adapter's entry in the suite must be able to do: a person who writes, presses, and sees."""

    adapter: Adapter
    chat: Chat
    running: asyncio.Task[None]  # the adapter's `run`

    async def says(self, text: str) -> None: ...
    async def presses(self, label: str) -> None: ...
    async def stops(self) -> None:
        """The platform's own way to end the answer that grows."""

    async def sees(self) -> list[str]:
        """The bot's messages, as text, in order; what looks unfinished ends in "…"."""


class WebPlace:
    running: asyncio.Task[None]

    def __init__(self, folder: Path, around: AdapterContext) -> None:
        self.adapter = WebAdapter(WebSettings(data_dir=folder), around)
        self.chat = Chat("web", "local", ID)
        transport = httpx.ASGITransport(self.adapter.http["/"])  # type: ignore[arg-type]  # our own name for an app
        self._http = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE})
        self._number = 0

    async def says(self, text: str) -> None:
        self._number += 1
        body = {"id": f"message-{self._number:04}", "text": text}
        (await self._http.post(f"/api/chats/{ID}/messages", json=body)).raise_for_status()

    async def presses(self, label: str) -> None:
        buttons = [(turn, piece) for turn in await self._turns() for piece in turn["pieces"]]
        for _, piece in buttons:
            for choice in (choice for row in piece["menu"] for choice in row):
                if choice["label"] == label:
                    self._number += 1
                    body = {"id": f"press-{self._number:04}", "action": choice["action"], "post": piece["post"]}
                    (await self._http.post(f"/api/chats/{ID}/press", json=body)).raise_for_status()
                    return
        raise AssertionError(f"no button {label!r} on {buttons}")

    async def stops(self) -> None:
        (await self._http.post(f"/api/chats/{ID}/stop", json={"id": "stop-0001"})).raise_for_status()

    async def sees(self) -> list[str]:
        return [self._text(piece) for turn in await self._turns() for piece in turn["pieces"]]

    async def _turns(self) -> list[dict[str, Any]]:
        return list((await self._http.get(f"/api/chats/{ID}")).json().get("turns", []))

    def _text(self, piece: dict[str, Any]) -> str:
        lines = [html.unescape(re.sub(r"<[^>]+>", " ", block)) for block in piece["blocks"]]
        notes = [note["text"] for note in piece["notes"] if note["kind"] != "cost"]
        return " ".join([*lines, *notes, *(["…"] if piece["growing"] else [])]).strip()


class TelegramPlace:
    running: asyncio.Task[None]

    def __init__(self, tg: FakeTelegram, folder: Path, around: AdapterContext, **settings: Any) -> None:
        values: dict[str, Any] = {"telegram_bot_token": tg.token, "telegram_api_url": tg.url, "data_dir": folder}
        self.adapter = TelegramAdapter(TelegramSettings(**(values | settings)), around)
        self._tg, self._room = tg, tg.private("Ann")
        self.chat = Chat("telegram", self.adapter.account.id, str(self._room.id))

    async def says(self, text: str) -> None:
        self._room.write(text)

    async def presses(self, label: str) -> None:
        post = next(shown for shown in self._tg.shown(self._room) if label in str(shown.keyboard))
        self._room.press(post.id, label)

    async def stops(self) -> None:
        await self.presses("Stop")

    async def sees(self) -> list[str]:
        return [shown.text for shown in self._tg.shown(self._room)]


class SlackPlace:
    """A direct message, of which each question begins a thread of its own."""

    running: asyncio.Task[None]

    def __init__(self, slack: FakeSlack, folder: Path, around: AdapterContext, **settings: Any) -> None:
        values: dict[str, Any] = {"slack_bot_token": slack.token, "slack_app_token": slack.app_token}
        values |= {"slack_api_url": slack.url, "data_dir": folder}
        self.adapter = SlackAdapter(SlackSettings(**(values | settings)), around)
        self._slack, self._room = slack, slack.private("Ann")
        self.chat = Chat("slack", slack.team, self._room.id, self._room.write("hello", unheard=True).ts)

    async def says(self, text: str) -> None:
        self._asked = self._room.write(text)

    async def presses(self, label: str) -> None:
        post = next(post for post in self._slack.posts(self._room) if label in post.shown.buttons)
        await self._room.press(post, label).wait()

    async def stops(self) -> None:
        self._room.stop(self._asked)

    async def sees(self) -> list[str]:
        return [self._read(shown) for shown in self._slack.shown(self._room)]

    def _read(self, shown: Shown) -> str:
        text = html.unescape(re.sub(r"\\([^\w\s])", r"\1", shown.text)).replace("\u200b", "")
        return " ".join([text, *shown.notes, *(["…"] if shown.streaming else [])])


class TerminalPlace:
    """A pipe: nothing that is written is taken back, and commands are options of the program."""

    running: asyncio.Task[None]

    def __init__(self, around: AdapterContext) -> None:
        self._out, self._err = StringIO(), StringIO()
        self.adapter = TerminalAdapter(around, "en", out=self._out, err=self._err)
        self.chat = Chat("terminal", "local", "ask")

    async def says(self, text: str) -> None:
        self._asked = (await self.adapter.say(text)).turn

    async def presses(self, label: str) -> None:
        raise AssertionError(f"there is nothing to press: {label}")

    async def stops(self) -> None:
        assert self._asked is not None
        await self.adapter.stop(self._asked)

    async def sees(self) -> list[str]:
        text, notes = self._out.getvalue(), self._err.getvalue().splitlines()
        told = [note.removeprefix("magpie: ") for note in notes if note.startswith("magpie: ")]
        if not text and not told:
            return []
        growing = ["…"] if text and not text.endswith("\n") else []
        return [" ".join([text, *told, *growing]).strip()]


@contextlib.asynccontextmanager
async def house(folder: Path, model: FakeModel, make: Callable[[AdapterContext], Place]) -> AsyncIterator[Place]:
    """The real core on a store in memory, with the adapter that `make` builds."""
    clock = SystemClock()
    store = await open_store("sqlite://", owner="contract", clock=clock)
    reader: Reader = store
    ends = TurnEnds()
    around = AdapterContext(
        reader,
        Catalogue().all,
        clock,
        "fake",
        {"model": "qwen-plus"},
        listing,
        languages,
        say=say,
        on_turn_end=ends.follow,
    )
    place = make(around)
    options = Options(ChatSettings("qwen-plus"), "qwen-vl-plus", "qwen-vl-max", "qwen-mt-turbo")
    media = MediaStore(folder / "media", clock)
    wiring = Wiring(options, GatewayFacts("fake"), Access(store, everyone=True), media, ends=ends)
    core = Core(store, model, Catalogue(), {place.adapter.account.platform: place.adapter}, clock, wiring)
    place.running = asyncio.create_task(core.attend(place.adapter))
    tasks = [asyncio.create_task(core.work()), place.running]
    await asyncio.sleep(0)
    try:
        yield place
    finally:
        await media.close()
        await core.turns.drain(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.close()


@contextlib.asynccontextmanager
async def web(folder: Path, model: FakeModel) -> AsyncIterator[Place]:
    async with house(folder, model, lambda around: WebPlace(folder, around)) as place:
        yield place


@contextlib.asynccontextmanager
async def telegram(folder: Path, model: FakeModel, **settings: Any) -> AsyncIterator[Place]:
    async with (
        FakeTelegram(limits=Limits(on=False)) as tg,
        house(folder, model, lambda around: TelegramPlace(tg, folder, around, **settings)) as place,
    ):
        yield place


@contextlib.asynccontextmanager
async def slack(folder: Path, model: FakeModel, **settings: Any) -> AsyncIterator[Place]:
    async with (
        FakeSlack(limits=SlackLimits(on=False)) as fake,
        house(folder, model, lambda around: SlackPlace(fake, folder, around, **settings)) as place,
    ):
        yield place


@contextlib.asynccontextmanager
async def terminal(folder: Path, model: FakeModel) -> AsyncIterator[Place]:
    async with house(folder, model, TerminalPlace) as place:
        yield place


PLACES: dict[str, Callable[..., contextlib.AbstractAsyncContextManager[Place]]] = {
    "slack": slack,
    "web": web,
    "telegram": telegram,
    "terminal": terminal,
}
SURFACES = [name for name in PLACES if name != "terminal"]  # where commands are said and buttons pressed
# settings under which a platform can't be reached, and under which it will not have us; the page knows neither
NOWHERE = "http://127.0.0.1:9"
AWAY: dict[str, dict[str, str]] = {
    "slack": {"slack_api_url": NOWHERE},
    "telegram": {"telegram_api_url": NOWHERE},
}
REFUSED: list[tuple[str, dict[str, str]]] = [
    ("slack", {"slack_bot_token": "xoxb-9-of-somebody-else"}),
    ("slack", {"slack_app_token": "xapp-9-of-somebody-else"}),
    ("telegram", {"telegram_bot_token": "987654:of-somebody-else"}),
]
