"""Into which language a line of a chat goes, and from which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.languages.direction import direction
from bot.languages.names import ENGLISH
from bot.types import Outcome, Person, Translation
from tests.fakes.core import Core
from tests.fakes.model import FakeModel, words
from tests.fakes.platform import FakePlatform

BOTH = Translation("English", "Chinese", both=True)


def way(text: str, wanted: str | Translation, heard: tuple[str, ...] = (), language: str = "") -> str | None:
    """The source; None if the text is given back."""
    target = wanted if isinstance(wanted, Translation) else Translation(wanted)
    found = direction(text, target, heard, language)
    return None if found is None else found.source or found.guess


@pytest.mark.parametrize(
    ("text", "target", "source"),
    [
        ("1. 打开 Settings > General > About", "English", "Chinese"),
        ("Let's meet at 王府井 tomorrow", "Chinese", "English"),
        ("see you at 5, 好吗", "English", "Chinese"),
        ("Das Wort 猫 heißt Katze", "Chinese", "German"),
        ("好的", "English", "Chinese"),
        ("OK", "Chinese", "English"),
        ("haha", "German", "English"),
        ("Ja", "English", "German"),
        ("Alles klar", "English", "German"),
        ("D'accord", "English", "French"),
        ("Vale", "English", "Spanish"),
        ("À demain", "English", "French"),
        ("Wo bist du?", "English", "German"),
        ("Meeting um 10", "English", "German"),
        ("*fett* _kursiv_ ~weg~ und so weiter", "English", "German"),
        ("Привіт", "English", "Russian"),
        ("سلام", "English", "Persian"),
        ("Habari yako rafiki", "English", "Indonesian"),
    ],
)
def test_the_other_language_of_a_text_is_its_source(text: str, target: str, source: str) -> None:
    assert way(text, target) == source


@pytest.mark.parametrize(
    ("text", "target"),
    [("OK", "English"), ("haha", "English"), ("Michael", "English"), ("Good morning", "English"), ("你好", "Chinese")]
    + [(text, "English") for text in ("12:30", "😀", "https://example.com", "@bob", "`ls -l`", "…")],
)
def test_what_has_no_words_or_is_there_already_is_given_back(text: str, target: str) -> None:
    assert way(text, target) is None
    if "o" not in text.lower():
        assert way(text, BOTH) is None or text in ("haha", "Michael", "你好")


def test_what_can_not_be_told_is_what_was_spoken_last_else_what_the_person_speaks() -> None:
    assert way("Ja", "English", ("Waar ben je?",)) == "Dutch"
    assert way("Ja", "English", language="nl-BE") == "Dutch"
    assert way("Ja", "English", ("Wo bist du?", "Waar ben je?"), "nl") == "German"
    assert way("Ja", "English", ("Où es-tu ?",)) == "German", "it is no French word"
    assert way("Michael", "English", ("Où es-tu ?",)) == "French"
    assert way("haha", "English", ("今天很好",), "zh-hans") is None, "those don't write so"
    assert way("OK", "English", language="xx") is None


def test_both_ways() -> None:
    for text, source in (("好的", "Chinese"), ("Good morning", "English"), ("OK", "English"), ("12 个", "Chinese")):
        assert direction(text, BOTH) == Translation("Chinese" if source == "English" else "English", source)
    assert way("1. 打开 Settings > General > About", BOTH) == "Chinese"
    assert way("Let's meet at 王府井 tomorrow", BOTH) == "English"
    assert direction("Wo bist du?", BOTH) == Translation("English", "German"), "what is neither goes into the second"
    pair = Translation("French", "German", both=True)
    assert direction("Ja", pair) == Translation("French", "German")
    assert direction("OK", pair, ("Ça va ?",)) == Translation("German", "French")
    assert direction("À demain", pair) == Translation("German", "French")


def test_a_source_that_is_named_holds_for_what_may_be_in_it() -> None:
    wanted = Translation("English", "Chinese")
    assert way("好的", wanted) == "Chinese"
    assert way("good", wanted) is None
    assert way("Wo bist du?", wanted) == "German"
    assert way("Ja", Translation("English", "Dutch")) == "Dutch"


@given(st.text(max_size=60), st.sampled_from(ENGLISH), st.sampled_from([None, *ENGLISH]), st.booleans())
def test_a_source_is_never_the_target(text: str, target: str, source: str | None, both: bool) -> None:
    if source == target:
        source = None
    found = direction(text, Translation(target, source, both=both and source is not None), ("Wo bist du?",), "zh")
    assert found is None or (found.target in ENGLISH and found.target not in (found.source, found.guess))


# ── in a chat ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_translator_chat(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("/translate English"))
    asked = [
        (platform.says("好的", forwarded_from=Person("7", "王小明")), "好的", "Chinese"),
        (platform.says("Wo bist du?"), "Wo bist du?", "German"),
        (platform.says("Meeting um 10"), "Meeting um 10", "German"),
        (platform.says("", quoted="没问题", quoted_by=Person("7", "王小明")), "没问题", "Chinese"),
    ]
    for event, text, source in asked:
        model.scripts = [words("fine")]
        await core.say(event)
        await core.quiet()
        request = model.asked[-1]
        assert [message.content for message in request.messages] == [text]
        assert request.translation is not None
        assert source in (request.translation.source, request.translation.guess)
    assert len(model.asked) == len(asked)


async def test_what_is_given_back_costs_nothing_and_is_whole(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/translate English"))
    for number, text in enumerate(("OK", "12:30", "😀"), 2):
        await core.say(platform.says(text))
        await core.quiet()
        turn = await core.store.turn(number)
        assert turn is not None
        assert (turn.text, turn.outcome, turn.menu) == (text, Outcome.WHOLE, None)
    assert model.asked == []
    assert [piece for piece in platform.text().splitlines() if piece][-1] == "😀"


async def test_pictures_in_a_translator_chat_are_not_passed_over_in_silence(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/translate English"))
    await core.say(platform.says("", files=("a.png",)))
    await core.quiet()
    assert "Only words are translated here, not what is in pictures or files." in str(platform.shown())
    await core.say(platform.says("这是什么", files=("b.png",)))
    await core.quiet()
    assert model.asked[-1].messages[0].content == "这是什么"
    assert str(platform.shown()).count("Only words are translated here") == 2
