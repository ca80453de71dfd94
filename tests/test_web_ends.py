"""The end of every turn is told to an open page, whatever it looked like: the real core before the page's adapter."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.web.adapter import WebAdapter
from adapters.web.rooms import Event
from bot.clock import SystemClock
from bot.errors import Broken, Unreachable
from tests.contract.places import ID, PLACES, WebPlace
from tests.fakes.clock import PATIENCE
from tests.fakes.model import FakeModel, Script, words


class Watcher:
    """An open page: it believes of each turn what was told last."""

    def __init__(self, place: WebPlace) -> None:
        assert isinstance(place.adapter, WebAdapter)
        self._place = place
        self._room = place.adapter._rooms.of(ID)
        self._news = asyncio.Event()
        self.open: dict[int, bool] = {}
        self.ends: list[int] = []

    async def watch(self) -> None:
        async for event in self._room.follow(self._room.position, SystemClock()):
            if event is not None:
                self._take(event)

    def _take(self, event: Event) -> None:
        data: Any = event.data
        if event.name == "turn":
            self.open[data["id"]] = data["open"]
        elif event.name == "piece" and data["piece"]["growing"]:
            self.open[data["turn"]] = True
        elif event.name == "ended":
            self.ends.append(data["turn"])
        self._news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def watched(folder: Path, model: FakeModel) -> AsyncIterator[tuple[WebPlace, Watcher]]:
    async with PLACES["web"](folder, model) as place:
        assert isinstance(place, WebPlace)
        watcher = Watcher(place)
        task = asyncio.create_task(watcher.watch())
        await asyncio.sleep(0)
        yield place, watcher
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("script", "button"),
    [
        (Script(error=Unreachable()), "Retry"),
        (Script([""], error=Broken()), "Retry"),
        (Script(finish=None), "Retry"),
        (Script(["half an answer"], error=Broken()), "Retry"),
        (words("the very same answer", pause=0), "/retry"),
    ],
    ids=["error", "lost", "empty", "the same part", "the same answer"],
)
async def test_an_attempt_that_changes_nothing_ends_for_the_page_too(
    tmp_path: Path, script: Script, button: str
) -> None:
    async with watched(tmp_path, FakeModel(SystemClock(), [script])) as (place, page):
        await place.says("hello")
        await page.until(lambda: page.ends == [1])
        before = await place.sees()
        for attempt in (2, 3, 4):
            await (place.says("/retry") if button == "/retry" else place.presses(button))
            await page.until(lambda attempt=attempt: page.ends.count(1) == attempt)  # type: ignore[misc]
            assert page.open[1] is False
        assert (await place.sees())[: len(before)] == before


async def test_a_stop_before_the_first_word_ends_for_the_page_each_time(tmp_path: Path) -> None:
    async with watched(tmp_path, FakeModel(SystemClock(), [Script(["late"], pause=600)])) as (place, page):
        await place.says("hello")
        for attempt in (1, 2, 3):
            await page.until(lambda: page.open.get(1, False))
            await place.says("/stop")
            await page.until(lambda attempt=attempt: page.ends.count(1) == attempt)  # type: ignore[misc]
            assert page.open[1] is False
            await place.says("/retry")
