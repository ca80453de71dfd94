"""Answers that broke off: asked for again and taken up in place, or labelled and gone on with later."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import BadKey, Blocked, Broken, MagpieError, NoMoney, Upstream
from bot.markdown import plain
from bot.turns.prompt import resumed
from bot.types import Finish, NoteKind, Outcome, Press, StopPressed, Turn
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.platform import ANN, CHAT, FakePlatform

PART = "Ravens cache their food and remember where, and then"
WHOLE = "Ravens cache their food. They remember the place, and who watched them."


async def last(core: Core) -> Turn:
    turn = await core.store.last_turn(CHAT)
    assert turn is not None
    return turn


async def ask(core: Core, platform: FakePlatform, text: str = "Tell me of ravens") -> Turn:
    await core.say(platform.says(text))
    await core.quiet()
    return await last(core)


async def press(core: Core, platform: FakePlatform, label: str) -> None:
    (action,) = [
        choice.action
        for piece in platform.shown()
        for row in (piece.menu.rows if piece.menu else ())
        for choice in row
        if choice.label == label
    ]
    ack = await core.say(Press(f"press {len(await core.store.ledger(1))}", CHAT, ANN, action, core.clock.now(), "p1"))
    assert not ack.error, ack.toast
    await core.quiet()


def broken(*parts: str, error: MagpieError | None = None, pause: float = 0.3) -> Script:
    return Script([part + " " for text in parts for part in text.split()], pause, error or Broken())


def seen(platform: FakePlatform) -> list[str]:
    """What the chat showed after each call, one message after the other."""
    return [" ".join(plain(piece.blocks) for piece in frame.values()) for frame in platform.frames]


@pytest.mark.parametrize("error", [Broken(), Upstream(), MagpieError()], ids=["broken", "upstream", "cut"])
async def test_an_answer_that_broke_off_is_asked_for_once_more(
    core: Core, platform: FakePlatform, model: FakeModel, error: MagpieError
) -> None:
    first = Script([PART], finish=Finish.CUT) if type(error) is MagpieError else broken(PART, error=error)
    model.scripts = [first, words(WHOLE, 0.3)]
    turn = await ask(core, platform)
    assert (turn.outcome, platform.text()) == (Outcome.WHOLE, WHOLE)
    assert len(platform.shown()) == 1
    assert [entry.finish for entry in await core.store.ledger(turn.id)][1] == "whole"
    assert len(model.asked) == 2
    assert model.asked[0] == model.asked[1]


async def test_what_was_shown_stays_until_the_new_answer_has_come_as_far(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [broken(PART), words(WHOLE, 0.3)]
    await ask(core, platform)
    frames = seen(platform)
    turned = next(number for number, frame in enumerate(frames) if not PART.startswith(frame))
    assert all(PART.startswith(frame) for frame in frames[:turned])
    assert all(WHOLE.startswith(frame) for frame in frames[turned:])
    lengths = [len(frame) for frame in frames]
    assert lengths == sorted(lengths), "something was taken away from the reader"


async def test_a_shorter_whole_answer_takes_the_place_of_a_long_part(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [broken(*["many words"] * 60), words("Short, but whole.")]
    turn = await ask(core, platform)
    assert turn.outcome is Outcome.WHOLE
    assert platform.text() == "Short, but whole."
    assert len(platform.shown()) == 1


async def test_of_two_parts_the_longer_one_stays_and_says_so(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [broken(PART), broken("Ravens are")]
    turn = await ask(core, platform)
    assert turn.outcome is Outcome.PART
    assert platform.text() == PART
    assert platform.shown()[0].notes[0].kind is NoteKind.PART
    assert len(await core.store.ledger(turn.id)) == 2
    assert len(model.asked) == 2


@pytest.mark.parametrize("error", [BadKey(), NoMoney(), Blocked()])
async def test_what_would_go_wrong_again_is_not_asked_again(
    core: Core, platform: FakePlatform, model: FakeModel, error: MagpieError
) -> None:
    model.scripts = [broken(PART, error=error)]
    turn = await ask(core, platform)
    assert turn.outcome is Outcome.PART
    assert len(model.asked) == 1


async def test_a_part_outlives_a_second_try_that_is_refused(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [broken(PART), Script(error=NoMoney())]
    turn = await ask(core, platform)
    assert (turn.outcome, platform.text()) == (Outcome.PART, PART)
    assert "empty" in platform.shown()[0].notes[0].text


async def test_an_empty_answer_is_asked_for_once_more(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script([" \n"]), words(WHOLE), Script()]
    assert (await ask(core, platform)).outcome is Outcome.WHOLE
    assert platform.text() == WHOLE
    assert (await ask(core, platform)).outcome is Outcome.FAILED
    assert len(model.asked) == 4


async def test_stop_is_heard_while_it_waits_to_ask_again(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script([PART], error=Broken()), words(WHOLE)]
    await core.say(platform.says("hi"))
    await core.clock.advance(0.5)
    await core.say(StopPressed("stop-1", CHAT, core.clock.now()))
    await core.quiet()
    assert (await last(core)).outcome is Outcome.STOPPED
    assert platform.text() == PART
    assert len(model.asked) == 1


# ── Continue ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_part_is_gone_on_with_in_its_messages(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script(["Ravens cache their fo"], finish=Finish.LENGTH), words("food and remember where.")]
    turn = await ask(core, platform)
    assert turn.outcome is Outcome.PART
    await press(core, platform, "Continue")
    assert platform.text() == "Ravens cache their food and remember where."
    assert (await last(core)).outcome is Outcome.WHOLE
    assert len(platform.shown()) == 1
    asked = [(message.role, message.content) for message in model.asked[1].messages[1:]]
    assert asked[:2] == [("user", "Tell me of ravens"), ("assistant", "Ravens cache their ")]
    assert asked[2][0] == "user"
    await ask(core, platform, "and?")
    contents = [message.content for message in model.asked[2].messages[1:]]
    assert contents == ["Tell me of ravens", "Ravens cache their food and remember where.", "and?"]


async def test_going_on_may_break_off_too_and_go_on_again(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [
        Script(["One two three "], finish=Finish.LENGTH),
        Script(["four five "], finish=Finish.LENGTH),
        Script(error=NoMoney()),
        words("six seven."),
    ]
    await ask(core, platform)
    await press(core, platform, "Continue")
    assert platform.text() == "One two three four five"
    await press(core, platform, "Continue")
    assert platform.text() == "One two three four five"
    assert (await last(core)).outcome is Outcome.PART
    await press(core, platform, "Continue")
    assert platform.text() == "One two three four five six seven."
    assert len(await core.store.ledger((await last(core)).id)) == 4


async def test_going_on_outlives_a_kill(tmp_path: Path, clock: SimClock) -> None:
    platform, model = FakePlatform(clock), FakeModel(clock)
    model.scripts = [Script(["One two three "], finish=Finish.LENGTH), words("four five six seven eight", 1.0)]
    async with running_core(clock, tmp_path, platform, model) as core:
        turn = await ask(core, platform)
        await core.say(Press("on", CHAT, ANN, f"/continue {turn.id}", clock.now(), "p1"))
        await clock.advance(2.5)
        await core.kill()
    assert "four" in platform.text()
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.quiet(60, CHAT)
        assert platform.text() == "One two three four five six seven eight"
        assert len(platform.shown()) == 1


async def test_retry_after_going_on_asks_for_all_of_it(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [*[Script(["One two "], finish=Finish.LENGTH)] * 2, words(WHOLE)]
    await ask(core, platform)
    await press(core, platform, "Continue")
    assert platform.text() == "One two One two"
    await press(core, platform, "Retry")
    assert platform.text() == WHOLE
    assert [message.role for message in model.asked[2].messages] == ["system", "user"]


async def test_only_a_part_is_gone_on_with(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    turn = await ask(core, platform)
    ack = await core.say(Press("on", CHAT, ANN, f"/continue {turn.id}", core.clock.now()))
    assert ack.error
    assert "/retry" in ack.toast


async def test_a_translation_offers_no_continuation(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("/translate English"))
    await core.quiet()
    platform.posts.clear()
    model.scripts = [Script(["Half of the tran"], finish=Finish.LENGTH)]
    await ask(core, platform, "你好，世界")
    labels = [choice.label for piece in platform.shown() if piece.menu for row in piece.menu.rows for choice in row]
    assert labels == ["Retry"]


@pytest.mark.parametrize(
    ("part", "rest"),
    [
        ("Ravens cache their fo", "Ravens cache their "),
        ("Ravens cache their food ", "Ravens cache their food "),
        ("渡鸦会把食物藏", "渡鸦会把食物藏"),
        ("渡鸦 cache 食物", "渡鸦 cache 食物"),
        ("def f():\n    retur", "def f():\n    "),
        ("Ravens", "Ravens"),
        ("see https://example.org/" + "a" * 60, "see https://example.org/" + "a" * 60),
        ("  \n", ""),
        ("", ""),
    ],
)
def test_the_last_word_of_a_part_may_be_half_of_one(part: str, rest: str) -> None:
    assert resumed(part) == rest
