"""What ends an answer, and what goes on after it: /stop, its button and its words, /new, /retry, /continue."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.markdown import plain
from bot.types import Chat, ImagePart, NoteKind, Outcome, Person, Press, StopPressed, Turn
from tests.fakes.core import Core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.platform import ANN, BEN, CHAT, FakePlatform

SLOW = "one two three four five six seven eight nine ten"
BOSS = Person("boss", "Boss", admin=True)
GROUP = Chat("fake", "bot", "group")


@pytest.fixture(autouse=True)
def _slow(model: FakeModel) -> None:
    model.scripts = [words(SLOW, 1.0), words("And this answers the second question.")]


def seen(platform: FakePlatform, chat: Chat = CHAT) -> list[str]:
    """Message by message: its text, its notes but for what it cost, and its buttons."""
    lines = []
    for piece in platform.shown(chat):
        notes = [note.text for note in piece.notes if note.kind is not NoteKind.COST]
        buttons = [f"[{choice.label}]" for row in piece.menu.rows for choice in row] if piece.menu else []
        lines.append(" ".join([plain(piece.blocks), *notes, *buttons]).strip())
    return lines


async def press(core: Core, label: str, platform: FakePlatform, chat: Chat = CHAT) -> None:
    for post, (place, piece) in platform.posts.items():
        for choice in (choice for row in (piece.menu.rows if piece.menu else ()) for choice in row):
            if place == chat and choice.label == label:
                await core.say(Press(f"press {core.clock.now()}", chat, ANN, choice.action, core.clock.now(), post))
                return
    raise AssertionError(f"no button {label!r}")


async def turns(core: Core, chat: Chat = CHAT) -> list[Turn]:
    found = [await core.store.turn(id) for id in range(1, 20)]
    return [turn for turn in found if turn is not None and turn.chat == chat and turn.kind == "question"]


# ── stop ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("said", ["/stop", "/停止", "stop", "Stop!", "停", "停止", "停。", "button", "control"])
async def test_stop_ends_what_grows_and_what_waits_comes_next(
    core: Core, platform: FakePlatform, model: FakeModel, said: str
) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(4.5)
    await core.say(platform.says("second"))
    await core.say(platform.says("and this"))
    if said == "button":
        await press(core, "Stop", platform)
    elif said == "control":
        await core.say(StopPressed("stop", CHAT, core.clock.now()))
    else:
        await core.say(platform.says(said))
    await core.quiet()
    assert seen(platform) == [
        "one two three four Stopped. [Retry] [Continue]",
        "And this answers the second question.",
    ], "a command's words below what shows by itself, or the next question is lost"
    assert len(model.asked) == 2
    assert model.asked[1].messages[-1].content == "second\n\nand this"


@pytest.mark.parametrize("word", ["stop", "停", "停止"])
async def test_without_an_answer_that_grows_the_word_is_a_question(
    core: Core, platform: FakePlatform, model: FakeModel, word: str
) -> None:
    await core.say(platform.says(word))
    await core.quiet()
    assert model.asked[0].messages[-1].content == word


@pytest.mark.parametrize("word", ["stop it with the jokes", "stop sign", "停车", "停 了吗", "please stop"])
async def test_only_the_word_alone_stops(core: Core, platform: FakePlatform, model: FakeModel, word: str) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(2)
    await core.say(platform.says(word))
    await core.quiet()
    assert [turn.outcome for turn in await turns(core)] == [Outcome.WHOLE, Outcome.WHOLE]
    assert model.asked[1].messages[-1].content == word


async def test_where_messages_are_translated_the_word_is_translated(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/translate Chinese"))
    await core.say(platform.says("The first of them."))
    await core.clock.advance(4)
    await core.say(platform.says("Stop"))
    await core.quiet()
    assert [turn.outcome for turn in await turns(core)] == [Outcome.WHOLE, Outcome.WHOLE]
    assert len(model.asked) == 2


async def test_in_another_chat_the_word_stops_nothing(core: Core, platform: FakePlatform) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(2)
    await core.say(platform.says("stop", chat=GROUP))
    await core.say(StopPressed("stop", GROUP, core.clock.now()))
    await core.quiet()
    assert [turn.outcome for turn in await turns(core)] == [Outcome.WHOLE]


async def test_where_nothing_grows_stop_drops_what_waits_and_a_button_asks_it(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("the first half of", more=True))  # the rest may follow
    await core.say(platform.says("/stop"))
    await core.quiet()
    assert seen(platform) == ["Stopped before it began. [Retry]"]
    assert model.asked == []
    model.scripts = [words("Now it is answered.")]
    await press(core, "Retry", platform)
    await core.quiet()
    assert seen(platform) == ["Now it is answered."]
    await core.say(platform.says("/stop"))
    await core.quiet()
    assert "nothing to stop" in seen(platform)[-1]


async def test_stop_all_ends_both(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(2.5)
    await core.say(platform.says("second"))
    await core.say(platform.says("/stop all"))
    await core.quiet()
    assert seen(platform) == ["one two Stopped. [Retry] [Continue]", "Stopped before it began. [Retry]"]
    assert len(model.asked) == 1
    await core.say(platform.says("third"))
    await core.quiet()
    assert "second" not in str(model.asked[1].messages), "what was dropped is no context"


async def test_a_waiting_question_can_be_stopped_by_its_number(core: Core, platform: FakePlatform) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(2)
    waiting = (await core.say(platform.says("second"))).turn
    ack = await core.say(Press("p", CHAT, ANN, f"/stop {waiting}", core.clock.now()))
    assert (ack.error, ack.toast) == (False, "Stopping.")
    await core.quiet()
    assert [turn.outcome for turn in await turns(core)] == [Outcome.WHOLE, Outcome.STOPPED]
    assert seen(platform) == [SLOW, "Stopped before it began. [Retry]"]


async def test_in_a_group_nobody_drops_what_another_asked(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    long = "the first half of"
    await core.say(platform.says(long, chat=GROUP, by=BEN, group=True, more=True))
    await core.say(platform.says("/stop", chat=GROUP, group=True))
    await core.say(platform.says("/stop all", chat=GROUP, group=True))
    await core.quiet()
    assert len(model.asked) == 1
    await core.say(platform.says(long, chat=GROUP, by=BEN, group=True, more=True))
    await core.say(platform.says("/stop", chat=GROUP, by=BOSS, group=True))
    await core.quiet()
    assert len(model.asked) == 1, "an admin may"
    assert seen(platform, GROUP)[-1] == "Stopped before it began. [Retry]"


async def test_a_stop_that_comes_late_stops_not_the_next_one(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    """The first ends, and the second begins, between the moment that the stop is stored and that it is felt."""
    await core.say(platform.says("first"))
    await core.clock.advance(9.5)
    await core.say(platform.says("second"))
    answer = core.store.answer

    async def slow(*args: object) -> object:
        stored = await answer(*args)  # type: ignore[arg-type]
        await core.clock.sleep(2)
        return stored

    core.lives[0].instead["answer"] = slow
    await core.say(platform.says("/stop"))
    await core.quiet()
    assert [turn.outcome for turn in await turns(core)][1] is Outcome.WHOLE


# ── go on ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["button", "/continue", "/继续"])
async def test_a_stopped_answer_can_be_gone_on_with(
    core: Core, platform: FakePlatform, model: FakeModel, how: str
) -> None:
    await core.say(platform.says("count"))
    await core.clock.advance(4.5)
    await core.say(platform.says("/stop"))
    await core.quiet()
    model.scripts = [words("five six and no more.")]
    if how == "button":
        await press(core, "Continue", platform)
    else:
        await core.say(platform.says(how))
    await core.quiet()
    assert seen(platform) == ["one two three four five six and no more."]
    (turn,) = await turns(core)
    assert turn.outcome is Outcome.WHOLE


async def test_continue_finds_the_stopped_one_while_the_next_is_answered(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(SLOW, 1.0), words(SLOW, 1.0), words("five, and that is all.")]
    await core.say(platform.says("first"))
    await core.clock.advance(4.5)
    await core.say(platform.says("second"))
    await core.say(platform.says("/stop"))
    await core.clock.advance(3)
    await core.say(platform.says("/continue"))
    await core.quiet()
    assert seen(platform)[:2] == ["one two three four five, and that is all.", SLOW]


async def test_what_was_stopped_before_its_first_word_can_only_be_asked_again(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(0.5)
    await core.say(platform.says("/stop"))
    await core.quiet()
    assert seen(platform) == ["Stopped. [Retry]"]
    await core.say(platform.says("/continue"))
    await core.quiet()
    assert "nothing to continue" in seen(platform)[-1]


async def test_asking_again_says_so_only_where_it_is_not_seen(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("The first answer.")]
    await core.say(platform.says("one"))
    await core.quiet()
    await core.say(platform.says("two"))
    await core.quiet()
    await core.say(platform.says("/retry"))
    await core.quiet()
    assert seen(platform) == ["The first answer.", "The first answer."]
    first = (await turns(core))[0].id
    await core.say(platform.says(f"/retry {first}"))
    await core.quiet()
    assert seen(platform)[2:] == ["Asking again. The new answer takes the place of the old one."]


# ── new ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("said", ["/new", "/新对话", "/重新开始"])
async def test_new_ends_what_grows_and_stands_below_it(
    core: Core, platform: FakePlatform, model: FakeModel, said: str
) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(2.5)
    await core.say(platform.says("second"))
    await core.say(platform.says(said))
    await core.quiet()
    first, second, third = seen(platform)
    assert first == "one two Stopped. [Retry] [Continue]"
    assert second == "Stopped before it began. [Retry]"
    assert third.startswith("A new conversation")
    await core.say(platform.says("third"))
    await core.quiet()
    assert [message.content for message in model.asked[-1].messages[1:]] == ["third"]


async def test_new_in_the_same_moment_as_a_question_stands_below_it(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.clock.run(core.intake.accept(platform.says("first")))
    await core.say(platform.says("/new"))
    await core.say(platform.says("second"))
    await core.quiet()
    assert [line.split()[0] for line in seen(platform)[:2]] == ["Stopped.", "A"]
    assert [message.content for message in model.asked[-1].messages[1:]] == ["second"]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("/new What of cats?", "What of cats?"),
        ("/new 换个话题：说说猫", "换个话题：说说猫"),
        ("/新对话 说说猫", "说说猫"),
        ("/new\nTwo lines\nof it", "Two lines\nof it"),
        ("/new /etc/passwd is what?", "/etc/passwd is what?"),
    ],
)
async def test_words_after_new_are_asked_in_the_new_conversation(
    core: Core, platform: FakePlatform, model: FakeModel, said: str, asked: str
) -> None:
    model.scripts = [words("An answer.")]
    await core.say(platform.says("old"))
    await core.quiet()
    event = platform.says(said)
    await core.say(event)
    await core.say(event)
    await core.quiet()
    assert [message.content for message in model.asked[1].messages[1:]] == [asked]
    assert seen(platform) == ["An answer.", "An answer."], "asked twice, or with words beside it"
    await core.say(platform.says("more"))
    await core.quiet()
    assert [message.content for message in model.asked[2].messages[1:]] == [asked, "An answer.", "more"]


async def test_words_after_new_end_what_grows(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("first"))
    await core.clock.advance(2.5)
    await core.say(platform.says("/new second"))
    await core.quiet()
    assert seen(platform) == ["one two Stopped. [Retry] [Continue]", "And this answers the second question."]
    assert [message.content for message in model.asked[1].messages[1:]] == ["second"]


@pytest.mark.parametrize("said", ["/new", "/new what is this?"])
async def test_a_picture_under_new_is_asked_about(
    core: Core, platform: FakePlatform, model: FakeModel, said: str
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    platform.files["photo"] = out.getvalue()
    model.scripts = [words("An answer.")]
    await core.say(platform.says("old"))
    await core.quiet()
    await core.say(platform.says(said, files=["photo"]))
    await core.quiet()
    (_, asked) = model.asked[1].messages
    assert any(isinstance(part, ImagePart) for part in asked.content)
    assert "/new" not in str(asked.content)


async def test_in_a_group_new_leaves_what_others_wait_for(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("first", chat=GROUP, group=True))
    await core.clock.advance(2.5)
    await core.say(platform.says("of Ben", chat=GROUP, by=BEN, group=True))
    await core.say(platform.says("/new", chat=GROUP, group=True))
    await core.quiet()
    assert len(model.asked) == 2
    assert model.asked[1].messages[-1].content == "Ben: of Ben"
    assert [turn.outcome for turn in await turns(core, GROUP)] == [Outcome.STOPPED, Outcome.WHOLE]


async def test_a_stopped_answer_of_two_requests_is_not_gone_on_with(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    """A translation is no conversation that could go on."""
    model.scripts = [Script(["Eins ", "zwei ", "drei ", "vier "], 2.0)]
    await core.say(platform.says("/translate German"))
    await core.say(platform.says("One two three four, and so on until ten."))
    await core.clock.advance(5)
    await core.say(platform.says("/stop"))
    await core.quiet()
    assert seen(platform)[-1].endswith("Stopped. [Retry]")
