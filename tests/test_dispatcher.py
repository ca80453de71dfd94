"""One turn after another: what is asked of the model, how it may end, and what is recorded of it."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from bot.errors import BadKey, Blocked, Broken, InvalidRequest, StoreRejects, TooLong
from bot.types import (
    Answer,
    Finish,
    ImagePart,
    NoteKind,
    Outcome,
    Press,
    StopPressed,
    Turn,
    Usage,
    VideoPart,
)
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.platform import ANN, BEN, CHAT, FakePlatform


async def last(core: Core) -> Turn:
    turn = await core.store.last_turn(CHAT)
    assert turn is not None
    return turn


def notes(platform: FakePlatform, kind: NoteKind) -> list[str]:
    return [note.text for note in platform.shown()[-1].notes if note.kind is kind]


def png(width: int = 40, height: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, "PNG")
    return out.getvalue()


async def test_an_answer_and_its_cost_are_recorded(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [replace(words("Fine, thank you very much."), usage=Usage(20, 8))]
    await core.say(platform.says("How are you?"))
    await core.quiet()
    (entry,) = await core.store.ledger((await last(core)).id)
    assert (entry.asked, entry.usage, entry.finish) == ("qwen-plus", Usage(20, 8), "whole")
    assert entry.cost is not None
    assert entry.cost.amount == Decimal("0.00007")
    assert entry.answer == "answer-1"
    assert [message.text for message in await core.store.history(CHAT)] == [
        "Fine, thank you very much.",
        "How are you?",
    ]
    assert "28" in notes(platform, NoteKind.COST)[0]


async def test_usage_that_is_not_reported_is_an_estimate(core: Core, platform: FakePlatform) -> None:
    await core.say(platform.says("How are you?"))
    await core.quiet()
    (entry,) = await core.store.ledger((await last(core)).id)
    assert entry.usage is not None
    assert entry.usage.estimated


async def test_what_was_told_of_a_call_and_can_not_be_kept_costs_no_answer(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    """Such numbers are bounded where they are read; this is what holds if one gets through."""
    model.scripts = [replace(words("Fine, thank you."), usage=Usage(2**63, 8))]
    await core.say(platform.says("How are you?"))
    await core.quiet()
    assert platform.text() == "Fine, thank you."
    assert len(model.asked) == 1, "it is paid once"
    (entry,) = await core.store.ledger((await last(core)).id)
    assert (entry.usage, entry.cost, entry.finish) == (None, None, "whole")


async def test_an_answer_that_can_not_be_kept_at_all_ends_in_words_and_is_not_asked_again(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    generated = core.store.generated

    async def picky(turn: Turn, answer: Answer, entries: object) -> None:
        if answer.text:
            raise StoreRejects
        await generated(turn, answer, entries)  # type: ignore[arg-type]

    core.lives[0].instead["generated"] = picky
    await core.say(platform.says("How are you?"))
    await core.quiet()
    assert notes(platform, NoteKind.ERROR) == [
        "The model's answer can't be kept as it is, so it can't be shown. Please ask in another way."
    ]
    assert len(model.asked) == 1


async def test_what_arrives_while_a_turn_runs_is_one_next_turn(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("The first answer is here.", 1.0), words("The second answer is here.")]
    await core.say(platform.says("one"))
    await core.clock.advance(2)
    await core.say(platform.says("two"))
    await core.say(platform.says("three"))
    await core.quiet()
    assert len(model.asked) == 2
    assert model.asked[1].messages[-1].content == "two\n\nthree"
    assert platform.text() == "The first answer is here.\nThe second answer is here."


async def test_two_people_in_a_group_get_two_answers(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words("An answer for the first.", 1.0), words("An answer for the second.")]
    await core.say(platform.says("one", group=True))
    await core.say(platform.says("two", by=BEN, group=True))
    await core.quiet()
    assert model.asked[0].messages[-1].content == "Ann: one"
    assert model.asked[1].messages[-1].content == "Ben: two"
    assert [piece.reply_to for piece in platform.shown()] == ["m1", "m2"]


async def test_the_same_event_three_times_is_one_answer(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    event = platform.says("once")
    for _ in range(3):
        await core.say(event)
    await core.quiet()
    await core.say(event)
    await core.quiet()
    assert len(model.asked) == 1
    assert len(platform.shown()) == 1


# ── ways to end ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "outcome", "kind"),
    [
        (Script(["Half of an answer, then"], error=Broken()), Outcome.PART, NoteKind.PART),
        (Script(["Half of an answer, then"], finish=Finish.LENGTH), Outcome.PART, NoteKind.PART),
        (Script(["Half of an answer, then"], finish=Finish.CUT), Outcome.PART, NoteKind.PART),
        (Script(["Half of an answer, then"], finish=Finish.FILTER), Outcome.PART, NoteKind.PART),
        (Script([], error=BadKey()), Outcome.FAILED, NoteKind.ERROR),
        (Script([]), Outcome.FAILED, NoteKind.ERROR),
        (Script(["  \n"]), Outcome.FAILED, NoteKind.ERROR),
    ],
)
async def test_what_is_not_whole_says_so_and_offers_retry(
    core: Core, platform: FakePlatform, model: FakeModel, script: Script, outcome: Outcome, kind: NoteKind
) -> None:
    model.scripts = [script]
    await core.say(platform.says("hi"))
    await core.quiet()
    turn = await last(core)
    (piece,) = platform.shown()
    assert turn.outcome is outcome
    assert notes(platform, kind)
    assert not piece.growing
    assert piece.menu is not None
    assert piece.menu.rows[0][0].action == f"/retry {turn.id}"


async def test_retry_puts_the_new_answer_in_the_place_of_the_part(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [*[Script(["Half of an answer, then"], error=Broken())] * 2, words("A whole answer at last, here.")]
    await core.say(platform.says("hi"))
    await core.quiet()
    (piece,) = platform.shown()
    assert piece.menu is not None
    post = next(iter(platform.posts))
    ack = await core.say(Press("press-1", CHAT, ANN, piece.menu.rows[0][0].action, core.clock.now(), post))
    assert not ack.error
    await core.quiet()
    assert platform.text() == "A whole answer at last, here."
    assert len(platform.shown()) == 1
    assert (await last(core)).outcome is Outcome.WHOLE
    await core.say(platform.says("and?"))
    await core.quiet()
    assert [m.content for m in model.asked[-1].messages[1:]] == ["hi", "A whole answer at last, here.", "and?"]


async def test_blocked_content_stays_out_of_later_contexts(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script([], error=Blocked()), words("This is quite fine.")]
    await core.say(platform.says("something bad"))
    await core.quiet()
    await core.say(platform.says("something good"))
    await core.quiet()
    assert [m.content for m in model.asked[1].messages[1:]] == ["something good"]


async def test_stop_ends_the_answer_where_it_is(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words("one two three four five six seven eight nine ten", 1.0)]
    await core.say(platform.says("count"))
    await core.clock.advance(6.5)
    await core.say(StopPressed("stop-1", CHAT, core.clock.now()))
    await core.quiet(10)
    turn = await last(core)
    assert turn.outcome is Outcome.STOPPED
    assert platform.text().split() == ["one", "two", "three", "four", "five", "six"]
    assert notes(platform, NoteKind.STOPPED)
    assert model.closed == 1


async def test_the_stop_button_answers_with_a_toast_and_leaves_the_text(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("one two three four five six seven eight nine ten", 1.0)]
    await core.say(platform.says("count"))
    await core.clock.advance(6.5)
    (piece,) = platform.shown()
    assert piece.menu is not None
    post = next(iter(platform.posts))
    ack = await core.say(Press("press-1", CHAT, ANN, piece.menu.rows[0][0].action, core.clock.now(), post))
    assert ack.toast
    await core.quiet(10)
    assert platform.text().startswith("one two three")
    assert len(platform.shown()) == 1


async def test_a_bug_in_planning_is_a_clear_error_and_not_silence(
    core: Core, platform: FakePlatform, model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    del model.infos  # whatever asks for a model's abilities now fails
    await core.say(platform.says("hi"))
    await core.quiet()
    assert notes(platform, NoteKind.ERROR) == ["Something went wrong."]
    assert "nobody thought of" in caplog.text


async def test_input_that_is_too_long_is_trimmed_to_the_named_limit_and_asked_again(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("old answer " * 300)]
    await core.say(platform.says("old question " * 20))
    await core.quiet()
    model.scripts = [Script(), Script([], error=TooLong(limit=400)), words("This fits into the limit.")]
    await core.say(platform.says("new question"))
    await core.quiet()
    assert len(model.asked) == 3
    assert len(model.asked[2].messages) < len(model.asked[1].messages)
    assert platform.shown()[-1].notes[0].kind is NoteKind.COST


async def test_questions_older_than_stale_after_end_with_an_apology(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("one two three four five", 2.0)]
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("hi"))
        await clock.advance(3)
        await core.kill()
    clock.seconds += 3600
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.quiet(600, CHAT)
        assert (await last(core)).outcome is Outcome.EXPIRED
        assert "was not running" in notes(platform, NoteKind.ERROR)[0]
        (piece,) = platform.shown()
        assert piece.menu is not None
        await core.say(Press("again", CHAT, ANN, piece.menu.rows[0][0].action, clock.now(), next(iter(platform.posts))))
        await core.quiet()
        assert (await last(core)).outcome is Outcome.WHOLE


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_picture_goes_to_a_model_that_can_see_and_the_answer_says_so(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.files["cat"] = png()
    await core.say(platform.says("what is this?", files=["cat"]))
    await core.quiet()
    assert model.asked[0].model == "qwen-vl-plus"
    parts = model.asked[0].messages[-1].content
    assert isinstance(parts[-1], ImagePart)
    assert parts[-1].url.startswith("data:image/")
    assert "qwen-vl-plus" in notes(platform, NoteKind.MODEL)[0]


async def test_a_follow_up_still_sees_the_picture(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    platform.files["cat"] = png()
    await core.say(platform.says("what is this?", files=["cat"]))
    await core.quiet()
    await core.say(platform.says("and which colour?"))
    await core.quiet()
    assert any(isinstance(part, ImagePart) for part in model.asked[1].messages[1].content)


async def test_a_broken_picture_gets_its_reason(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    platform.files["page"] = b"<!doctype html><html><body>no picture</body></html>"
    await core.say(platform.says("what is this?", files=["page"]))
    await core.quiet()
    assert model.asked == []
    assert "web page" in notes(platform, NoteKind.ERROR)[0]
    assert (await last(core)).outcome is Outcome.FAILED


async def test_what_the_model_turned_out_not_to_see_is_asked_of_one_that_does(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.files["cat"] = png()
    await core.say(platform.says("/model some-new-model"))
    await core.quiet()
    model.scripts = [
        Script(error=InvalidRequest("it can't see"), blind=True),
        words("A picture of something teal."),
    ]
    await core.say(platform.says("what is this?", files=["cat"]))
    await core.quiet()
    assert [asked.model for asked in model.asked] == ["some-new-model", "qwen-vl-plus"]
    assert platform.text().endswith("A picture of something teal.")


async def test_a_video_by_its_link_goes_to_a_model_that_watches_it(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("What is this about? https://example.com/clip.mp4?x=1"))
    await core.quiet()
    (request,) = model.asked
    assert request.model == "qwen-vl-max"
    assert request.messages[-1].content[0] == VideoPart("https://example.com/clip.mp4?x=1")
    assert "cannot watch" in notes(platform, NoteKind.MODEL)[0]


# ── translation ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_translating_chat_sends_one_message_without_history(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("first some talk"))
    await core.quiet()
    await core.say(platform.says("/translate English"))
    await core.quiet()
    model.scripts = [words("Good morning, dear friends.")]
    await core.say(platform.says("早上好，朋友们"))
    await core.quiet()
    request = model.asked[-1]
    assert request.model == "qwen-mt-turbo"
    assert [m.content for m in request.messages] == ["早上好，朋友们"]
    assert request.translation is not None
    assert (request.translation.source, request.translation.target) == ("Chinese", "English")


async def test_a_long_translation_comes_in_order_as_one_answer(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/translate English"))
    await core.quiet()
    model.scripts = [Script([f"Part {n} of the text."]) for n in range(1, 9)]
    text = "\n\n".join("这是一个很长的句子，里面有很多字。" * 20 for _ in range(8))
    await core.say(platform.says(text))
    await core.quiet()
    count = len(model.asked)
    assert count > 2
    assert platform.text().splitlines()[-1].startswith("Part")
    assert [f"Part {n} of the text." in platform.text() for n in range(1, count + 1)] == [True] * count
    assert len(await core.store.ledger((await last(core)).id)) == count
