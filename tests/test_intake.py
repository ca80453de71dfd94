"""Events become work, a command's answer, or nothing; each of them once."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from bot.types import Addressing, Chat, Edited, ImagePart, Membership, Moved, Outcome, Person, Press, StopPressed
from tests.fakes.core import Core
from tests.fakes.model import FakeModel, words
from tests.fakes.platform import ANN, CHAT, FakePlatform, Trouble

BEN = Person("2", "Ben")


async def test_a_command_is_answered_without_the_model(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("/set temperature 0.7"))
    await core.quiet()
    assert "0.7" in platform.text()
    assert model.asked == []
    await core.say(platform.says("hi"))
    await core.quiet()
    assert model.asked[0].parameters == {"temperature": 0.7}
    assert len(model.asked[0].messages) == 2, "the command went into the context"


async def test_a_command_does_not_wait_behind_the_turn_it_is_about(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("one two three four five six seven eight", 2.0)]
    await core.say(platform.says("count"))
    await core.clock.advance(5)
    await core.say(platform.says("/stop"))
    await core.clock.advance(1)
    assert model.closed == 1
    assert len(platform.shown()) == 1  # the stopped answer, which shows by itself what the command did
    await core.quiet()


async def test_the_same_command_twice_is_one(core: Core, platform: FakePlatform) -> None:
    event = platform.says("/set temperature 0.7")
    await core.say(event)
    await core.say(event)
    await core.quiet()
    assert len(platform.shown()) == 1
    assert len([row for row in await core.store.settings(CHAT) if row.name == "temperature"]) == 1


async def test_a_bad_value_gets_its_bound(core: Core, platform: FakePlatform) -> None:
    await core.say(platform.says("/set temperature 2"))
    await core.quiet()
    assert "temperature must be at least 0 and below 2, got 2" in platform.text()


async def test_what_is_not_meant_for_us_is_nothing(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("just chatting", group=True, addressing=Addressing.OVERHEARD))
    await core.say(platform.says("   "))
    await core.quiet()
    assert model.asked == []
    assert platform.made == []


async def test_parts_of_one_paste_are_one_question(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    first, second = "a" * 4000, "and the rest"
    await core.say(platform.says(first, more=True))
    await core.clock.advance(0.5)
    await core.say(platform.says(second))
    await core.quiet()
    assert len(model.asked) == 1
    assert model.asked[0].messages[-1].content == f"{first}\n\n{second}"


async def test_a_long_text_waits_only_where_its_platform_says_there_may_be_more(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("a" * 4000))
    await core.clock.settle()
    assert len(model.asked) == 1
    await core.quiet()


async def test_a_sixth_waiting_message_is_told_so(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words("a slow answer to the first question", 5.0)]
    await core.say(platform.says("first"))
    await core.clock.advance(1)
    for number in range(6):
        await core.say(platform.says(f"more {number}"))
    await core.clock.advance(1)
    assert "waiting for an answer" in platform.text()
    await core.quiet()
    assert "more 5" not in str(model.asked[-1].messages[-1].content)
    assert "more 4" in str(model.asked[-1].messages[-1].content)


async def test_an_album_of_ten_is_one_question(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    for number in range(10):
        platform.files[f"photo{number}"] = out.getvalue()
        await core.say(platform.says("" if number else "what are these?", files=[f"photo{number}"], more=True))
    await core.quiet()
    assert len(model.asked) == 1
    assert len([part for part in model.asked[0].messages[-1].content if isinstance(part, ImagePart)]) == 10


async def test_a_press_on_a_menu_changes_that_message(core: Core, platform: FakePlatform) -> None:
    await core.say(platform.says("/model"))
    await core.quiet()
    (menu,) = platform.shown()
    assert menu.menu is not None
    post = next(iter(platform.posts))
    choice = menu.menu.rows[0][0]
    await core.say(Press("p1", CHAT, ANN, choice.action, core.clock.now(), post))
    await core.quiet()
    assert len(platform.shown()) == 1
    assert platform.shown()[0] != menu
    await core.say(Press("p1", CHAT, ANN, "/model qwen-max", core.clock.now(), post))
    assert not [row for row in await core.store.settings(CHAT) if row.value == "qwen-max"], "one press counted twice"


async def test_a_press_without_a_message_comes_back_as_a_toast(core: Core, platform: FakePlatform) -> None:
    ack = await core.say(Press("p1", CHAT, ANN, "/set temperature 0.7", core.clock.now()))
    assert "0.7" in ack.toast
    assert not ack.error
    ack = await core.say(Press("p2", CHAT, ANN, "/set temperature 7", core.clock.now()))
    assert ack.error
    ack = await core.say(Press("p3", CHAT, ANN, "what is this", core.clock.now()))
    assert ack.error
    await core.quiet()
    assert platform.made == []


async def test_an_edit_before_the_answer_counts(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words("a slow answer to the first question", 3.0), words("And now the second answer.")]
    await core.say(platform.says("first"))
    await core.clock.advance(1)
    await core.say(platform.says("secnod"))
    await core.say(Edited("e1", CHAT, ANN, "m2", "second", core.clock.now()))
    await core.say(Edited("e2", CHAT, ANN, "m1", "too late", core.clock.now()))
    await core.quiet()
    assert model.asked[1].messages[-1].content == "second"
    assert "first" in str(model.asked[0])
    assert model.asked[1].messages[-3].content == "too late", "later questions know the new words"
    assert len(model.asked) == 2


async def test_an_edit_that_calls_us_is_asked_once_and_only_if_it_was_not_before(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    asks = platform.says("what is this?", group=True, key="e1")
    edited = Edited("e1", CHAT, ANN, asks.post or "", asks.text, core.clock.now(), asks)
    for _ in range(2):
        await core.say(edited)
        await core.quiet()
    assert [request.messages[-1].content for request in model.asked] == ["Ann: what is this?"]
    again = replace(asks, key="e2", text="what was that?")
    await core.say(replace(edited, key="e2", text=again.text, asks=again))
    await core.quiet()
    assert len(model.asked) == 1
    assert [message.text for message in await core.store.question(1)] == ["what was that?"]


async def test_a_command_that_may_be_another_bots_is_ours_only_if_we_know_it(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    for text in ("/kick @foo", "/ban", "/kick@", "/hepl", "/usr/bin/env", "/"):
        await core.say(platform.says(text, group=True, addressing=Addressing.COMMAND))
    await core.quiet()
    assert (platform.made, model.asked) == ([], [])
    await core.say(platform.says("/settings", group=True, addressing=Addressing.COMMAND))
    await core.quiet()
    assert len(platform.shown()) == 1


async def test_forwarded_words_are_no_command_and_a_bare_quote_is_a_question(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/new", forwarded_from=BEN))
    await core.quiet()
    assert model.asked[-1].messages[-1].content == "Forwarded from Ben:\n/new"
    await core.say(platform.says("", quoted="Magpies steal.", quoted_by=BEN, group=True))
    await core.quiet()
    assert model.asked[-1].messages[-1].content == "Ann:\n> Ben: Magpies steal."


QUESTION = "总结一下这个"


async def forwards_after(
    core: Core, platform: FakePlatform, model: FakeModel, seconds: float, answer: str = "Of what? Say more, please."
) -> None:
    model.scripts = [words(answer, 1.0), words("It says that magpies steal.", 0.5)]
    await core.say(platform.says(QUESTION))
    await core.clock.advance(seconds)
    await core.say(platform.says("Magpies steal.", forwarded_from=BEN, more=True, joins=True))
    await core.say(platform.says("Silver.", forwarded_from=BEN, more=True, joins=True))
    await core.quiet()


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.5, 1.5, 2.5, 4.5])
async def test_what_joins_a_question_is_part_of_it_however_far_its_answer_is(
    core: Core, platform: FakePlatform, model: FakeModel, seconds: float
) -> None:
    await forwards_after(core, platform, model, seconds)
    assert platform.text() == "It says that magpies steal."
    assert len(platform.shown()) == 1
    asked = f"{QUESTION}\n\nForwarded from Ben:\nMagpies steal.\n\nSilver."
    assert [request.messages[-1].content for request in model.asked] in ([asked], [QUESTION, asked])
    (turn,) = [each for each in (await core.store.turn(1), await core.store.turn(2)) if each is not None]
    assert (turn.outcome, turn.reply_to) == (Outcome.WHOLE, "m1" if len(model.asked) == 2 else "m3")
    texts = [message.text for message in await core.store.context(CHAT)]
    assert texts == ["It says that magpies steal.", "Silver.", "Magpies steal.", QUESTION]


async def test_what_joins_an_answer_that_stands_already_replaces_it(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await forwards_after(core, platform, model, 2.0, answer="Sure!")
    assert platform.text() == "It says that magpies steal."
    assert len(model.asked) == 2
    entries = await core.store.ledger(1)
    assert [entry.ended is not None for entry in entries] == [True, True]


async def test_what_joins_a_question_that_is_just_being_shown_waits_until_it_is(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.troubles = {1: Trouble(delay=1.2)}  # the outcome of the first message takes its time
    await forwards_after(core, platform, model, 0.3, answer="Of what?")
    assert platform.text() == "It says that magpies steal."
    assert len(platform.posts) == 1


async def test_what_comes_too_late_or_to_another_is_a_question_of_its_own(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await forwards_after(core, platform, model, 9.0)
    assert len(platform.shown()) == 2
    await core.say(platform.says("and me?", by=BEN, group=True))
    await core.say(platform.says("Silver.", by=ANN, group=True, forwarded_from=BEN, joins=True, more=True))
    await core.quiet()
    assert len(platform.shown()) == 4


async def test_what_was_stopped_is_not_begun_anew_by_what_joins(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("Of what? Say more, please.", 3.0), words("It says that magpies steal.", 0.5)]
    await core.say(platform.says(QUESTION))
    await core.clock.advance(1.0)
    await core.say(StopPressed("s", CHAT, core.clock.now()))
    await core.say(platform.says("Magpies steal.", forwarded_from=BEN, joins=True, more=True))
    await core.quiet()
    assert len(platform.shown()) == 2


async def test_a_chat_that_moves_takes_settings_and_history_along(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/set temperature 0.7"))
    await core.say(platform.says("remember me"))
    await core.quiet()
    there = Chat("fake", "bot", "elsewhere")
    await core.say(Moved("mv", CHAT, there, core.clock.now()))
    await core.say(platform.says("hello again", chat=there))
    await core.quiet()
    assert model.asked[1].parameters == {"temperature": 0.7}
    assert model.asked[1].messages[1].content == "remember me"


async def test_membership_is_noted_and_answers_nothing(core: Core, platform: FakePlatform) -> None:
    await core.say(Membership("in", CHAT, True, core.clock.now(), ANN, "Tea house"))
    await core.quiet()
    assert platform.made == []
