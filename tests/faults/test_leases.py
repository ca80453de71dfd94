"""A process that has lost an account without knowing it changes nothing there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.errors import StoreError
from bot.types import Holding, TurnState
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, words
from tests.fakes.platform import CHAT, FakePlatform

TEXT = " ".join(f"word{number:03}" for number in range(60))


def lasting(core: Core, seconds: float, *, ours: bool = True) -> None:
    """The store's leases: so many seconds long, or another process's."""

    async def hold(wanted: frozenset[str], **_: object) -> Holding:
        return Holding(dict.fromkeys(wanted, seconds) if ours else {})

    core.lives[0].instead["hold"] = hold
    core.core.leases._look.set()


def away(core: Core) -> None:
    async def hold(*_: object, **__: object) -> Holding:
        raise StoreError(detail="away")

    core.lives[0].instead["hold"] = hold


@asynccontextmanager
async def growing(clock: SimClock, tmp_path: Path) -> AsyncIterator[tuple[Core, FakePlatform, FakeModel]]:
    """A core in the midst of an answer, with leases of 6.5 seconds."""
    platform, model = FakePlatform(clock, size=2_000), FakeModel(clock, [words(TEXT, 0.2)])
    async with running_core(clock, tmp_path, platform, model) as core:
        lasting(core, 6.5)
        await core.say(platform.says("go"))
        await clock.advance(4)
        assert platform.text(CHAT).startswith("word000")
        yield core, platform, model


async def test_what_was_frozen_and_overtaken_makes_no_call(clock: SimClock, tmp_path: Path) -> None:
    async with growing(clock, tmp_path) as (core, platform, _):
        away(core)  # as if all stood still for longer than the lease is
        await clock.advance(7)
        calls = len(platform.made)
        await clock.advance(60)
        lasting(core, 6.5, ours=False)
        await clock.advance(60)
        assert len(platform.made) == calls, "it wrote into a chat that is another process's"


async def test_what_nobody_took_goes_on_where_it_was_and_is_not_asked_again(clock: SimClock, tmp_path: Path) -> None:
    async with growing(clock, tmp_path) as (core, platform, model):
        away(core)
        await clock.advance(30)
        standing = platform.text(CHAT)
        assert not standing.endswith(TEXT[-7:])
        lasting(core, 6.5)
        await core.quiet()
        assert platform.text(CHAT) == TEXT
        assert len(model.asked) == 1
        assert (await core.store.backlog()) == []


async def test_what_runs_at_a_stop_is_held_until_its_end(clock: SimClock, tmp_path: Path) -> None:
    platform, model = FakePlatform(clock, size=2_000), FakeModel(clock, [words(TEXT, 0.2)])
    async with running_core(clock, tmp_path, platform, model) as core:
        lasting(core, 2.5)
        await core.say(platform.says("go"))
        await clock.advance(1)
        await core.stop(60)
        assert platform.text(CHAT) == TEXT


async def test_what_is_lost_and_comes_back_is_taken_up_again(clock: SimClock, tmp_path: Path) -> None:
    async with growing(clock, tmp_path) as (core, platform, _):
        lasting(core, 6.5, ours=False)
        await clock.advance(30)
        [waiting] = await core.store.backlog()
        assert waiting.state in (TurnState.RUNNING, TurnState.DELIVERING)
        lasting(core, 6.5)
        await core.quiet()
        assert platform.text(CHAT) == TEXT
