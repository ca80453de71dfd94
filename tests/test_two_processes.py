"""Two real `magpie run` processes on one PostgreSQL, with two bots from one magpie.toml: shared, killed, frozen."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bot.http.server import serving
from tests.fakes.postgres import postgres_server
from tests.fakes.service import Service
from tests.fakes.telegram import FakeTelegram, Room
from tests.fakes.telegram.server import TOKEN
from tests.test_accounts_service import SALES, Gateway, within

TABLE = '[[telegram]]\nname = "sales"\ntoken_env = "SALES_TOKEN"\napi_url = "{url}"\n'


@dataclass
class Pair:
    """The two bots, and the two processes that share them."""

    bots: tuple[FakeTelegram, FakeTelegram]
    processes: tuple[Service, Service]
    gateway: Gateway

    async def start(self, process: Service) -> None:
        await asyncio.to_thread(process.start)

    async def begun(self, rooms: list[Room]) -> None:
        """Until in each room an answer grows."""
        for tg, room in zip(self.bots, rooms, strict=True):
            await tg.until(lambda tg=tg, room=room: "and 5" in str([each.text for each in tg.shown(room)]))

    async def told(self, rooms: list[Room], count: int) -> list[list[str]]:
        """What stands in the rooms, once in each `count` messages are finished."""
        for tg, room in zip(self.bots, rooms, strict=True):

            def settled(tg: FakeTelegram = tg, room: Room = room) -> bool:
                shown = tg.shown(room)
                return len(shown) >= count and not any("Stop" in str(each.keyboard) for each in shown)

            await tg.until(settled)
        return [[each.text for each in tg.shown(room)] for tg, room in zip(self.bots, rooms, strict=True)]


@contextlib.asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    gateway = Gateway()
    with postgres_server() as server:
        async with (
            FakeTelegram() as tg,
            FakeTelegram(SALES, username="sales_bot") as sales,
            serving(gateway.app()) as url,
        ):
            variables = {
                "DATABASE_URL": server.create("shared"),
                "TELEGRAM_BOT_TOKEN": TOKEN,
                "TELEGRAM_API_URL": tg.url,
                "SALES_TOKEN": SALES,
                "CHAT_API_URL": f"{url}/v1",
                "CHAT_API_KEY": "sk-example",
                "ACCESS": "open",
            }
            places = [folder / name for name in ("first", "second")]
            for place in places:
                place.mkdir()
                (place / "magpie.toml").write_text(TABLE.format(url=sales.url), encoding="utf-8")
            first, second = (Service(place, "run", environment=variables) for place in places)
            try:
                yield Pair((tg, sales), (first, second), gateway)
            finally:
                for process in (first, second):
                    await asyncio.to_thread(process.close)
    assert "Traceback" not in first.log + second.log


def whole(texts: list[str], model: str = "qwen-plus") -> bool:
    (text,) = texts
    return text.startswith(f"{model} chats: count slowly and 0 and 1 ") and text.endswith(" and 38 and 39 done.")


def holders(here: Pair) -> list[int]:
    """How many of the bots' accounts each of the processes has polled for so far."""
    names = ("telegram: @", "telegram:sales: telegram: @")
    return [sum(name in process.log for name in names) for process in here.processes]


async def test_one_is_killed_and_the_other_finishes_what_it_had_begun(tmp_path: Path) -> None:
    async with pair(tmp_path) as here:
        first, second = here.processes
        await here.start(first)
        await here.start(second)
        rooms = [tg.private("Ann") for tg in here.bots]
        for room in rooms:
            room.write("count slowly")
        await here.begun(rooms)
        await asyncio.to_thread(first.kill)
        assert all(map(whole, await here.told(rooms, 1))), "each once, whole, whoever began it"

        await here.start(first)
        for room in rooms:
            room.write("hello")
        assert [texts[1:] for texts in await here.told(rooms, 2)] == [["qwen-plus chats: hello"]] * 2


async def test_one_that_was_frozen_writes_nothing_over_what_the_other_has_finished(tmp_path: Path) -> None:
    async with pair(tmp_path) as here:
        first, second = here.processes
        await here.start(first)
        rooms = [tg.private("Ann") for tg in here.bots]
        for room in rooms:
            room.write("count slowly")
        await here.begun(rooms)  # the one process has both accounts
        await here.start(second)
        first.signal(signal.SIGSTOP)
        try:
            finished = await here.told(rooms, 1)
            assert all(map(whole, finished))
        finally:
            first.signal(signal.SIGCONT)
        assert await within(lambda: sum(holders(here)) >= 2)
        for room in rooms:
            room.write("hello")
        later = await here.told(rooms, 2)
        assert [texts[:1] for texts in later] == finished, "what it had in hand when it froze is not written any more"
        assert [texts[1:] for texts in later] == [["qwen-plus chats: hello"]] * 2
