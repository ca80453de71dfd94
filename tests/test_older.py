"""Where we come in late, what was said before is asked for once, and is context from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.errors import AdapterError, OutcomeUnknown
from bot.types import Chat, Features, Message, Person, PostId, Role
from tests.fakes.clock import SimClock
from tests.fakes.core import running_core
from tests.fakes.model import FakeModel
from tests.fakes.platform import CHAT, FakePlatform


@dataclass(slots=True)
class Talkative(FakePlatform):
    """A platform whose chats have a past."""

    asked: list[tuple[Chat, PostId, int]] = field(default_factory=list)
    past: list[tuple[str, str]] = field(default_factory=list)  # (post, text): what people say to each other
    trouble: AdapterError | None = None

    @property
    def features(self) -> Features:
        return Features(older=True)

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:
        self.asked.append((chat, before, since))
        if self.trouble is not None:
            raise self.trouble
        if self.past:
            ben = Person("u9", "Ben")
            return tuple(Message(0, CHAT, None, Role.USER, ben, text, 1, post=post) for post, text in self.past)
        return (
            Message(0, CHAT, None, Role.USER, Person("u9", "Ben"), "The cat is called Fred.", 1),
            Message(0, CHAT, None, Role.ASSISTANT, Person(""), "A good name.", 2),
        )


@pytest.fixture
def platform(clock: SimClock) -> Talkative:
    return Talkative(clock, size=4_000)


def prompts(model: FakeModel) -> list[str]:
    return [" / ".join(str(message.content) for message in request.messages) for request in model.asked]


async def test_it_is_asked_for_once_and_outlives_a_restart(
    clock: SimClock, tmp_path: Path, platform: Talkative, model: FakeModel
) -> None:
    async with running_core(clock, tmp_path, platform, model) as core:
        question = platform.says("What is the cat called?")
        await core.say(question)
        await core.quiet()
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("Really?"))
        await core.quiet()
    assert platform.asked == [(CHAT, question.post or "", 0)]
    first, second = prompts(model)
    assert first.index("Fred") < first.index("A good name.") < first.index("What is the cat called?")
    assert "Fred" in second


async def test_without_it_the_question_is_answered_all_the_same(
    clock: SimClock, tmp_path: Path, platform: Talkative, model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    platform.trouble = OutcomeUnknown()
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("What is the cat called?"))
        await core.quiet()
    assert platform.text() == "Hello there, this is an answer."
    assert "not to be had" in caplog.text


async def test_where_several_talk_what_was_said_meanwhile_is_read_each_time(
    clock: SimClock, tmp_path: Path, platform: Talkative, model: FakeModel
) -> None:
    async with running_core(clock, tmp_path, platform, model) as core:
        asked = []
        for number, text in enumerate(("One?", "Two?", "Three?")):
            platform.past = [(f"p{each}", f"said {each}") for each in range(number + 1)]
            asked.append(platform.says(text, group=True))
            await core.say(asked[-1])
            await core.quiet()
            await clock.advance(10)
        assert [since for _, _, since in platform.asked] == [0, asked[0].at, asked[1].at]
        _, second, third = prompts(model)
        order = ["said 0", "One?", "an answer", "said 1", "Two?"]
        assert [second.index(words) for words in order] == sorted(second.index(words) for words in order)
        assert third.count("said 0") == 1, "what is known is not kept twice"
        assert third.index("said 1") < third.index("Two?") < third.index("said 2") < third.index("Three?")
        assert [message.text for message in await core.store.question(1)] == ["One?"], "it is nobody's question"


async def test_a_look_that_failed_is_made_good_by_the_next(
    clock: SimClock, tmp_path: Path, platform: Talkative, model: FakeModel
) -> None:
    async with running_core(clock, tmp_path, platform, model) as core:
        platform.past = [("p0", "said 0")]
        first = platform.says("One?", group=True)
        for number, question in enumerate([first, None, None]):
            platform.trouble = OutcomeUnknown() if number == 1 else None
            platform.past = [(f"p{number}", f"said {number}")]
            await core.say(question or platform.says("Next?", group=True))
            await core.quiet()
            await clock.advance(10)
    assert [since for _, _, since in platform.asked] == [0, first.at, first.at]


async def test_after_new_nothing_from_before_comes_back(
    clock: SimClock, tmp_path: Path, platform: Talkative, model: FakeModel
) -> None:
    async with running_core(clock, tmp_path, platform, model) as core:
        for number, text in enumerate(("One?", "/new", "Two?")):
            platform.past = [(f"p{number}", f"said {number}")]
            await core.say(platform.says(text, group=True))
            await core.quiet()
            await clock.advance(10)
    assert "said 0" not in prompts(model)[-1]
    assert "said 2" in prompts(model)[-1]
