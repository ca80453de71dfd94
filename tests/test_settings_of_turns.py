"""Settings that hold for one turn: laid over the chat's, checked like what people set, and gone with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.errors import InvalidRequest
from bot.settings.overlay import LONGEST_SYSTEM, checked
from bot.types import Json, Outcome, Press, Turn
from tests.fakes.core import Core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.pictures import picture
from tests.fakes.platform import ANN, CHAT, FakePlatform

GERMAN: dict[str, Json] = {"translate": {"target": "German"}}


async def last(core: Core) -> Turn:
    turn = await core.store.last_turn(CHAT)
    assert turn is not None
    return turn


async def test_a_translation_goes_the_way_of_every_translation(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    """A translation model, by languages, and nothing of the chat: neither its history nor its system prompt."""
    await core.say(platform.says("/system You are a pirate."))
    await core.say(platform.says("What is a magpie?"))
    await core.quiet()
    await core.say(platform.says("/help me, please", settings=GERMAN, literal=True))
    await core.quiet()
    request = model.asked[-1]
    assert request.model == "qwen-mt-turbo"
    assert request.translation is not None
    assert request.translation.target == "German"
    assert [message.content for message in request.messages] == ["/help me, please"]
    await core.say(platform.says("And a jay?"))
    await core.quiet()
    assert (model.asked[-1].model, model.asked[-1].translation) == ("qwen-plus", None), "it was for one turn"


async def test_retry_has_the_same_settings(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("hello", settings=GERMAN))
    await core.quiet()
    number = (await last(core)).id
    await core.say(Press("again", CHAT, ANN, f"/retry {number}", core.clock.now()))
    await core.quiet()
    targets = [request.translation and request.translation.target for request in model.asked]
    assert targets == ["German", "German"]


async def test_each_setting_is_laid_over_the_chats(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    for command in ("/set temperature 0.2", "/set max_tokens 50", "/translate French"):
        await core.say(platform.says(command))
    settings: dict[str, Json] = {"translate": False, "model": "qwen-max", "system": "Rhyme.", "temperature": 1}
    await core.say(platform.says("hello", settings=settings))
    await core.quiet()
    request = model.asked[-1]
    assert (request.model, request.translation) == ("qwen-max", None)
    assert dict(request.parameters) == {"temperature": 1, "max_tokens": 50}
    assert "Rhyme." in str(request.messages[0].content)


async def test_what_waits_is_not_joined(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    """Somebody has two messages translated while an answer grows, and asks on."""
    model.scripts = [words("A long answer, that goes on for a while.", 1.0), Script(["ok"])]
    await core.say(platform.says("first"))
    for text, more in (("Guten Tag", GERMAN), ("second", {}), ("Hello", {"translate": {"target": "fr"}})):
        await core.say(platform.says(text, settings=more))
    await core.quiet()
    targets = [request.translation and request.translation.target for request in model.asked]
    assert targets in ([None, None, "French"], [None, "German", None, "French"])
    assert [request.messages[-1].content for request in model.asked if request.translation is None] == [
        "first",
        "second",
    ]


async def test_words_in_a_picture_are_read_by_a_model_that_sees(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    platform.files["cat"] = picture()
    await core.say(platform.says("What is a magpie?"))
    await core.quiet()
    await core.say(platform.says("", files=["cat"], settings=GERMAN))
    await core.quiet()
    request = model.asked[-1]
    assert request.model == "qwen-vl-plus"
    assert "Translate all words in the picture into German" in str(request.messages[-1].content)
    assert "magpie" not in str(request.messages)
    assert (await last(core)).outcome is Outcome.WHOLE


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"translate": {"target": "Klingon"}}, "Klingon is not supported"),
        ({"translate": {"target": "German", "source": "Elvish"}}, "Elvish is not supported"),
        ({"translate": "German"}, "translate can't be German"),
        ({"temperature": 5}, "below 2"),
        ({"warmth": 1}, "warmth is not a setting"),
        ({"model": ""}, "model can't be"),
        ({"reasoning": "loud"}, "reasoning can't be loud"),
        ({"system": "x" * (LONGEST_SYSTEM + 1)}, "at most 8000 characters"),
    ],
)
async def test_what_can_not_be_set_is_not_asked(
    core: Core, platform: FakePlatform, model: FakeModel, settings: dict[str, Json], words: str
) -> None:
    message = platform.says("hello", settings=settings)
    ack = await core.say(message)
    await core.quiet()
    assert (ack.turn, ack.error) == (None, True)
    assert words in ack.toast
    assert model.asked == []
    assert (await core.say(replace(message, settings={}))).turn is not None, "it may come again, as it should be"


def test_languages_are_known_by_any_of_their_names() -> None:
    wanted: dict[str, Json] = {"translate": {"target": "zh-CN", "source": "Deutsch", "both": True}}
    assert checked(wanted) == {"translate": {"target": "Chinese", "source": "German", "both": True}}
    with pytest.raises(InvalidRequest):
        checked({"translate": {"target": ""}})
