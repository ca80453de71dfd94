"""Single defects that schedules have found, each by itself; and what is easier to try without a schedule."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import pytest

from bot.delivery.delivery import Delivery
from bot.delivery.layout import Layout
from bot.errors import Broken, OutcomeUnknown, Rejected, RetryLater, StoreError
from bot.markdown import plain
from bot.types import Answer, Bucket, Chat, Finish, Outcome, Piece, Press, Reply, Signal, Stop, StopPressed, Turn
from tests.fakes.accounts import OURS
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.platform import ANN, CHAT, FakePlatform, Trouble
from tests.faults.invariant import condensed, labelled

LONG = " ".join(f"word{n}" for n in range(150))


@pytest.fixture
def platform(clock: SimClock) -> FakePlatform:
    return FakePlatform(clock)


@pytest.fixture
def model(clock: SimClock) -> FakeModel:
    return FakeModel(clock)


@pytest.fixture
async def core(clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel) -> AsyncIterator[Core]:
    async with running_core(clock, tmp_path, platform, model) as running:
        yield running


async def last(core: Core) -> Turn:
    turn = await core.store.last_turn(CHAT)
    assert turn is not None
    return turn


async def retry(core: Core, key: str = "again") -> None:
    turn = await last(core)
    await core.say(Press(key, CHAT, ANN, f"/retry {turn.id}", core.clock.now(), turn.posts[0].post))


async def test_a_platform_without_buckets_is_left_alone_as_long_as_it_wants(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG[:150], 0.1)]
    platform.troubles = {1: Trouble(RetryLater(1.0)), 3: Trouble(RetryLater(600.0))}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.made[1].at - platform.made[0].at >= 0.99
    assert platform.made[3].at - platform.made[2].at >= 600
    assert platform.text() == LONG[:150]


async def test_what_waited_for_its_turn_goes_out_with_the_newest_text(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.buckets = lambda chat, call: (Bucket(f"room:{chat.id}", 3.0, 2),)
    model.scripts = [Script([f"w{n} " for n in range(40)], 0.25)]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert len(platform.made) >= 3
    for call in platform.made:
        assert call.piece is not None
        seen = len(plain(call.piece.blocks).split())
        assert seen >= min(40, int(call.at / 0.25)) - 1, f"at {call.at} s it showed what was true some time before"


async def test_refused_growth_is_tried_ever_more_rarely(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script([LONG[:100], " the end"], 300.0)]
    platform.troubles = {n: Trouble(Rejected("odd")) for n in range(1, 400)}
    await core.say(platform.says("hi"))
    await core.clock.advance(599)
    assert len(platform.made) <= 12
    platform.troubles.clear()
    await core.quiet()
    assert platform.text() == LONG[:100] + " the end"


async def test_what_can_not_be_deleted_is_emptied(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script([LONG]), Script(["A short one."])]
    await core.say(platform.says("hi"))
    await core.quiet()
    many = len(platform.shown())
    put = platform.put

    async def keeping(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if piece is None:
            raise Rejected("message can't be deleted")
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = keeping
    await retry(core)
    await core.quiet()
    assert platform.text().split() == ["A", "short", "one.", *["—"] * (many - 1)]
    assert (await last(core)).outcome is Outcome.WHOLE
    assert len((await last(core)).posts) == 1


async def test_one_piece_that_is_never_shown_leaves_the_others(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script([LONG])]
    put = platform.put

    async def choosy(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if piece is not None and "word40 " in plain(piece.blocks):
            raise Rejected("word40 is not welcome here")
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = choosy
    await core.say(platform.says("hi"))
    await core.quiet()
    assert "refuses to show" in platform.text()
    assert platform.text().startswith("word0 ")
    assert platform.text().endswith(" word149")
    assert (await last(core)).outcome is Outcome.FAILED


async def test_a_platform_may_be_away_for_half_an_hour(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script(["The answer at last, all of it."])]
    put = platform.put

    async def away(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if core.clock.seconds < 1800:
            platform.statuses += 1000
            raise OutcomeUnknown()
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = away
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text() == "The answer at last, all of it."
    assert platform.statuses < 5000, "it was tried again and again"


async def test_a_whole_answer_outlives_a_store_that_was_full(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("This answer was generated once and paid for once.", 0.3)]
    generated, until = core.store.generated, 600.0

    async def full(*args: Any) -> None:
        if core.clock.seconds < until:
            raise StoreError(detail="database or disk is full")
        await generated(*args)

    core.lives[0].instead["generated"] = full
    await core.say(platform.says("hi"))
    await core.quiet()
    assert len(model.asked) == 1
    assert (await last(core)).outcome is Outcome.WHOLE


async def test_a_stop_before_the_restart_asks_nobody(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 1.0)]
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("hi"))
        await clock.advance(2)
        core.turns.interrupt = lambda turn: None  # type: ignore[method-assign]  # killed before it gets there
        await core.say(StopPressed("stop", CHAT, clock.now()))
        await core.kill()
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.quiet(60, CHAT)
        assert (await last(core)).outcome is Outcome.STOPPED
    assert len(model.asked) == 1
    assert not any(piece.growing for piece in platform.shown())


async def test_stopping_what_is_to_be_asked_again_says_so_in_its_message(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["Half of the first answer, and"], finish=Finish.LENGTH), words(LONG, 1.0)]
    await core.say(platform.says("one"))
    await core.quiet()
    first = await last(core)
    await core.say(platform.says("two"))
    await core.clock.advance(3)
    await core.say(Press("again", CHAT, ANN, f"/retry {first.id}", core.clock.now()))
    await core.say(Press("stop", CHAT, ANN, f"/stop {first.id}", core.clock.now()))
    await core.quiet()
    turn = await core.store.turn(first.id)
    assert turn is not None
    assert (turn.outcome, turn.text) == (Outcome.STOPPED, "")
    assert condensed(platform.shown()[:1]) == ""
    assert labelled(platform.shown()[:1])
    assert len(model.asked) == 2


async def test_another_process_can_stop_what_runs_here(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 1.0)]
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("hi"))
        await clock.advance(3)
        stop = Stop(CHAT, (await last(core)).id, Answer("", Outcome.STOPPED))
        await core.store.answer(StopPressed("there", CHAT, clock.now()), Reply("", effects=(stop,)))
        core.turns.hear(Signal.STOP, str(stop.turn))
        await core.quiet(10)
        assert (await last(core)).outcome is Outcome.STOPPED


async def test_what_is_claimed_while_draining_is_given_back(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    claim, gate = core.store.claim, asyncio.Event()

    async def slow(now: int, accounts: Collection[str]) -> Turn | None:
        turn = await claim(now, accounts)
        if turn is not None:
            await gate.wait()
        return turn

    core.lives[0].instead["claim"] = slow
    await core.say(platform.says("hi"))
    await core.clock.settle()
    draining = asyncio.create_task(core.turns.drain(20))
    await core.clock.settle()
    gate.set()
    await core.clock.settle()
    assert draining.done()
    assert core.turns.count == 0
    again = await claim(core.clock.now(), OURS)
    assert again is not None
    assert again.attempt == 2
    assert model.asked == []


async def test_white_space_and_then_an_error_is_an_error(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script(["\n \n"], error=Broken())]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert (await last(core)).outcome is Outcome.FAILED
    assert not await core.store.context(CHAT)


async def test_an_answer_whose_message_was_deleted_is_shown_anew(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["Half of it, and"], finish=Finish.LENGTH), Script(["All of it this time."])]
    await core.say(platform.says("hi"))
    await core.quiet()
    platform.posts.clear()  # by a person
    await core.say(platform.says("/retry"))
    await core.quiet()
    assert "All of it this time." in platform.text()
    assert (await last(core)).outcome is Outcome.WHOLE


async def test_a_turn_that_is_given_up_says_so(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    put = platform.put

    async def buggy(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if piece is not None and "Hello" in plain(piece.blocks):
            raise ZeroDivisionError
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = buggy
    await core.say(platform.says("hi"))
    await core.quiet()
    assert (await last(core)).outcome is Outcome.FAILED
    assert platform.text() == "Something went wrong."
    assert len(model.asked) == 1


async def test_another_chats_turn_is_out_of_reach(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words(LONG, 0.5)]
    await core.say(platform.says("hi"))
    await core.clock.advance(3)
    turn = await last(core)
    elsewhere = Chat("fake", "bot", "elsewhere")
    for deed in ("stop", "retry"):
        ack = await core.say(Press(deed, elsewhere, ANN, f"/{deed} {turn.id}", core.clock.now(), turn.posts[0].post))
        assert ack.error
    await core.quiet()
    assert (await last(core)).outcome is Outcome.WHOLE
    assert (await last(core)).attempt == 1


def _deliveries() -> list[object]:
    gc.collect()
    return [found for found in gc.get_objects() if isinstance(found, Delivery | Layout)]


async def test_turns_leave_nothing_behind(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    others = _deliveries()  # of tests that ran before this one in the same process

    async def round(number: int) -> int:
        await core.say(platform.says(f"question {number}"))
        await core.quiet()
        return len(asyncio.all_tasks())

    tasks = [await round(number) for number in range(12)]
    assert tasks[-1] == tasks[0]
    platform.made.clear()
    assert not [found for found in _deliveries() if not any(found is other for other in others)]
