"""The promise under schedules of failures, in Slack: the real core, adapter and store, a workspace on the loopback.

Calls are refused, lost or cut, streams end by themselves, the process is killed in mid-answer. In the end the answer
stands in its thread whole, once, in order, and nothing looks unfinished.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import pytest

from adapters.slack.adapter import SlackAdapter
from adapters.slack.settings import SlackSettings
from bot.commands import GatewayFacts
from bot.gateways.catalogue import Catalogue
from bot.intake.access import Access
from bot.locales import say
from bot.media.prepared import MediaStore
from bot.service.core import Core, Wiring
from bot.turns.planning import Options
from bot.types import AdapterContext, ChatSettings
from storage import SqlStore, open_store
from tests.fakes.clock import SimClock
from tests.fakes.core import Mortal
from tests.fakes.model import FakeModel, words
from tests.fakes.slack import FakeSlack, Room

SCHEDULES = int(os.environ.get("SCHEDULES", "16"))
METHODS = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.update", "chat.postMessage")
LOOKUPS = ("conversations.replies", "agents.sessions.setStatus", "users.info")
HOW = ("429", "500", "502", "drop", "lost", "internal_error", "message_not_in_streaming_state")


class Process:
    """One life of the service, until it is killed."""

    def __init__(self, store: SqlStore, slack: FakeSlack, clock: SimClock, model: FakeModel, folder: Path) -> None:
        values: dict[str, Any] = {"slack_bot_token": slack.token, "slack_app_token": slack.app_token}
        settings = SlackSettings(**values, slack_api_url=slack.url, data_dir=folder)
        around = AdapterContext(store, Catalogue().all, clock, "fake", {"model": "qwen-plus"}, say=say)
        self.adapter = SlackAdapter(settings, around)
        self.lives = [Mortal(store), Mortal(self.adapter)]
        mine: Any = self.lives[0]
        options, media = Options(ChatSettings("qwen-plus"), "", "", ""), MediaStore(folder / "media", clock)
        adapters: Any = {"slack": self.lives[1]}
        wiring = Wiring(options, GatewayFacts("fake"), Access(mine, everyone=True), media)
        core = Core(mine, model, Catalogue(), adapters, clock, wiring)
        self.turns = core.turns
        self._tasks = [asyncio.create_task(core.work()), asyncio.create_task(core.attend(self.adapter))]

    def busy(self) -> bool:
        return self.adapter._wire._kept._users > 1  # a call is under way: no time may pass

    async def kill(self) -> None:
        for life in self.lives:
            life.dead = True
        for task in self._tasks:
            task.cancel()
        await self.turns.drain(0)
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.mark.parametrize("seed", range(SCHEDULES))
async def test_whole_once_and_in_order(tmp_path: Path, seed: int) -> None:
    chance, clock = random.Random(seed), SimClock()
    text = " ".join(f"word{number:04}" for number in range(chance.choice((30, 300, 1_500))))
    model = FakeModel(clock, [words(text, chance.choice((0.002, 0.02)))])
    store = await opened(tmp_path, clock, 0)
    async with FakeSlack(clock) as slack:
        slack.world.is_agent = chance.random() < 0.7
        slack.deliveries.retries = (1.0,) * 1_000
        room = slack.private("Ann")
        for _ in range(chance.randrange(6)):
            method = chance.choice((*METHODS, *METHODS, *LOOKUPS))
            how = chance.choice(HOW if method == "chat.appendStream" else HOW[:-1])
            slack.fail(
                method, chance.randrange(1, 4), how, times=chance.randrange(1, 3), seconds=chance.choice((1, 30))
            )
        process = Process(store, slack, clock, model, tmp_path)
        clock.busy = [store.busy, process.busy]
        asked = room.write("Say the words")
        kills = [chance.randrange(5, 60) for _ in range(chance.choice((0, 0, 1, 2)))]
        for life, calls in enumerate(kills, 1):
            await _until(clock, lambda calls=calls: _is_settled(slack, room, text) or len(slack.calls) >= calls)
            await process.kill()
            clock.busy = []
            await store.close()
            store = await opened(tmp_path, clock, life)
            process = Process(store, slack, clock, model, tmp_path)
            clock.busy = [store.busy, process.busy]
        await _until(clock, lambda: _is_settled(slack, room, text))
        await clock.advance(30)
        await process.kill()
    await store.close()
    shown = texts(slack, room)
    assert " ".join(" ".join(shown).split()) == text, (seed, shown)
    assert all(shown.thread_ts == asked.ts for shown in slack.shown(room))


async def opened(folder: Path, clock: SimClock, life: int) -> SqlStore:
    return await open_store(f"sqlite:///{folder / 'magpie.db'}", owner=f"life {life}", clock=clock)


def texts(slack: FakeSlack, room: Room) -> list[str]:
    """What people read; one that streams ends in "…", as one that is marked so does."""
    return [" ".join([e.text, *e.notes, *(["…"] if e.streaming else [])]) for e in slack.shown(room)]


def _is_settled(slack: FakeSlack, room: Room, text: str) -> bool:
    """Whole. What is not must look so."""
    shown = " ".join(" ".join(texts(slack, room)).split())
    assert not shown or "…" in shown or shown == text, f"a cut text looks whole: {shown[-60:]}"
    return shown == text


async def _until(clock: SimClock, predicate: Any, limit: float = 20_000.0) -> None:
    end = clock.seconds + limit
    while not predicate():
        assert clock.seconds < end, "it does not come to its end"
        await clock.step()
