"""An answer on its way to a chat: whole, once, in order, whatever the platform says to single calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import OutcomeUnknown, Rejected, RetryLater, Undeliverable
from bot.markdown import plain
from bot.types import Bucket, CallKind, Chat, NoteKind, Outcome, Piece, Turn
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.platform import CHAT, FakePlatform, Trouble

LONG = " ".join(f"word{n}" for n in range(150))  # 1,089 characters: several messages of 200


@pytest.fixture
def platform(clock: SimClock) -> FakePlatform:
    return FakePlatform(clock)


async def ended(core: Core) -> Turn:
    turn = await core.store.last_turn(CHAT)
    assert turn is not None
    return turn


def check_every_frame(platform: FakePlatform, text: str) -> None:
    """At every moment the chat shows a prefix of the answer, and what isn't all of it looks unfinished."""
    for frame in platform.frames:
        pieces = list(frame.values())
        seen = " ".join(" ".join(_words(piece)) for piece in pieces)
        assert text.startswith(seen), "not a prefix"
        if seen.split() != text.split():
            assert any(piece.growing for piece in pieces), f"a cut text looks whole: …{seen[-30:]!r}"


def _words(piece: Piece) -> list[str]:
    return plain(piece.blocks).split()


async def test_a_short_answer_grows_in_one_message(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    text = "This is an answer of some words, shown as it comes."
    model.scripts = [words(text, 0.3)]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text() == text
    assert len(platform.shown()) == 1
    assert len(platform.frames) > 4
    assert not platform.shown()[0].growing
    assert platform.shown()[0].reply_to == "m1"
    check_every_frame(platform, text)


async def test_nothing_is_sent_before_twenty_characters_or_a_second(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["ab"] * 60, 0.05)]
    await core.say(platform.says("hi"))
    await core.quiet()
    first = platform.made[0].piece
    assert first is not None
    assert len("".join(_words(first))) >= platform.limits.first
    platform.made.clear()
    model.scripts = [Script(["ab"] * 8, 0.4)]
    asked = core.clock.seconds
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.made[0].at - asked == pytest.approx(1.4, abs=0.11)


async def test_a_long_answer_goes_over_several_messages_in_order(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 0.02)]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text().split() == LONG.split()
    assert len(platform.shown()) >= 6
    assert not any(piece.growing or piece.menu for piece in platform.shown())
    check_every_frame(platform, LONG)


async def test_each_frame_carries_the_newest_text_while_calls_are_slow(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.troubles = {n: Trouble(delay=1.0) for n in range(1, 50)}
    model.scripts = [words(LONG[:180], 0.1)]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text().split() == LONG[:180].split()
    assert 2 <= len(platform.made) <= 6


async def test_a_flood_limit_while_growing_only_pauses_it(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    platform.buckets = lambda chat, call: (Bucket(f"room:{chat.id}", 0.5, 3),)
    platform.troubles = {2: Trouble(RetryLater(5.0))}
    model.scripts = [words(LONG[:150], 0.2)]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text().split() == LONG[:150].split()
    silent = platform.made[2].at - platform.made[1].at
    assert silent >= 5.0


async def test_a_flood_limit_of_an_hour_at_the_end_keeps_the_rest_in_the_store(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.buckets = lambda chat, call: (Bucket(f"room:{chat.id}", 0.5, 3),)
    model.scripts = [Script(["All at once, and rather long."])]
    platform.troubles = {1: Trouble(RetryLater(3600.0))}
    await core.say(platform.says("hi"))
    await core.clock.advance(30)
    assert platform.text() == ""
    assert core.turns.count == 0, "a task sleeps on it"
    await core.quiet()
    assert platform.text() == "All at once, and rather long."
    assert platform.made[1].at >= 3600
    assert len(model.asked) == 1, "the model was asked again for what had been generated"


async def test_a_new_message_of_unknown_outcome_is_sent_again_and_marked(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["An answer that may stand here twice."])]
    platform.troubles = {1: Trouble(OutcomeUnknown(), "after")}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert len(platform.shown()) == 2
    assert [note.kind for note in platform.shown()[1].notes][:1] == [NoteKind.REPEAT]
    assert (await ended(core)).posts[0].repeats == 1


async def test_a_platform_that_can_be_read_is_looked_at_instead(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.readable = True
    model.scripts = [Script(["An answer that stands here once."])]
    platform.troubles = {1: Trouble(OutcomeUnknown(), "after")}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert len(platform.shown()) == 1
    assert not any(note.kind is NoteKind.REPEAT for note in platform.shown()[0].notes)


async def test_an_unknown_change_is_simply_made_again(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words(LONG[:150], 0.2)]
    platform.troubles = {3: Trouble(OutcomeUnknown(), "before"), 5: Trouble(OutcomeUnknown(), "after")}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text().split() == LONG[:150].split()
    assert len(platform.shown()) == 1


async def test_a_chat_that_is_gone_ends_the_turn(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words(LONG, 0.1)]
    platform.gone.add(CHAT)
    await core.say(platform.says("hi"))
    await core.quiet()
    assert (await ended(core)).outcome is Outcome.GONE
    assert len(platform.made) == 1
    assert model.closed == 1


async def test_a_chat_that_is_gone_in_the_middle_closes_the_stream(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 1.0)]
    platform.troubles = {3: Trouble(Undeliverable("blocked"))}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert (await ended(core)).outcome is Outcome.GONE
    assert core.clock.seconds < 30, "it read the stream to its end for nobody"


async def test_refused_formatting_goes_out_plain_and_at_last_says_so(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["Some **bold** text that is odd."])]
    platform.troubles = {1: Trouble(Rejected("can't parse")), 2: Trouble(Rejected("can't parse"))}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text() == "Some bold text that is odd."
    platform.made.clear()
    platform.posts.clear()
    platform.troubles = {n: Trouble(Rejected("can't parse")) for n in (1, 2, 3)}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert "refuses to show" in platform.text()


async def test_somebody_at_work_is_shown_until_there_is_text(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["The answer after a long thought."], 9.0)]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.statuses == 3  # at 0, 4 and 8 seconds


async def test_nobody_is_shown_at_work_where_the_platform_wants_silence(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.buckets = lambda _, call: () if call is CallKind.STATUS else (Bucket("room", 1.0),)
    platform.troubles = {1: Trouble(RetryLater(60.0))}
    model.scripts = [Script(["One."]), Script(["The answer after a long thought."], 9.0)]
    await core.say(platform.says("hi"))
    await core.clock.advance(2)
    before = platform.statuses
    await core.say(platform.says("and here?", chat=replace(CHAT, thread="1")))
    await core.quiet()
    assert platform.statuses == before
    assert "long thought" in platform.text(replace(CHAT, thread="1"))


async def test_a_stop_button_stands_on_what_grows_and_goes_at_the_end(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 0.05)]
    await core.say(platform.says("hi"))
    await core.quiet()
    growing = [made.piece for made in platform.made if made.piece is not None and made.piece.growing]
    assert any(piece.menu is not None and piece.menu.rows[0][0].action.startswith("/stop ") for piece in growing)
    assert all(piece.menu is None for piece in platform.shown())


# ── over a restart ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_kill_while_growing_asks_again_in_the_same_messages(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 0.1), words("A shorter answer this time, in its place.", 0.1)]
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("hi"))
        await clock.advance(8)
        await core.kill()
    assert len(platform.shown()) >= 2
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.quiet(600, CHAT)
        entries = await core.store.ledger((await ended(core)).id)
    assert platform.text() == "A shorter answer this time, in its place."
    assert len(platform.shown()) == 1
    assert [entry.attempt for entry in entries] == [1, 2]


@pytest.mark.parametrize("moment", range(1, 9))
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_around_any_call_of_the_end_leaves_one_whole_answer(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel, moment: int, when: str
) -> None:
    """The process dies before or after call number `moment` had its effect; nothing of it was stored."""
    platform.readable = True
    model.scripts = [Script([LONG])]
    async with running_core(clock, tmp_path, platform, model) as core:
        put = platform.put

        def die_if(now: bool) -> None:
            for life in core.lives:
                life.dead = life.dead or now

        async def deadly(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
            number = len(platform.made) + 1
            die_if(number == moment and when == "before")
            if core.lives[1].dead:
                raise asyncio.CancelledError
            result = await put(chat, piece, at)
            die_if(number == moment)
            return result

        core.lives[1].instead["put"] = deadly
        await core.say(platform.says("hi"))
        await clock.advance(5)
        await core.kill()
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.quiet(600, CHAT)
    assert platform.text().split() == LONG.split()
    assert not any(piece.growing for piece in platform.shown())


async def test_a_drain_lets_a_running_answer_end(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    text = "An answer that takes five seconds."
    model.scripts = [words(text, 0.8)]
    await core.say(platform.says("hi"))
    await core.clock.advance(1)
    await core.stop(20)
    assert platform.text() == text
    assert (await ended(core)).outcome is Outcome.WHOLE


async def test_a_drain_that_is_too_short_leaves_the_turn_to_the_next_start(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    text = "An answer that takes rather more than five seconds to come."
    model.scripts = [words(text, 2.0)]
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("hi"))
        await clock.advance(5)
        await core.stop(5)
        assert all(piece.growing for piece in platform.shown())
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.quiet(600, CHAT)
    assert platform.text() == text
    assert len(platform.shown()) == 1


async def test_reasoning_stands_above_the_first_message(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("/reasoning full"))
    await core.quiet()
    said = len(platform.shown())
    model.scripts = [replace(words(LONG), reasoning="let me see")]
    await core.say(platform.says("hi"))
    await core.quiet()
    first, *more = platform.shown()[said:]
    assert [note.text for note in first.notes if note.kind is NoteKind.REASONING] == ["Reasoning\nlet me see"]
    assert len(more) > 2
    assert not [note for piece in more for note in piece.notes if note.kind is NoteKind.REASONING]
