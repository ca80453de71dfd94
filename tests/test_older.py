"""Where we come in late, what was said before is asked for once, and is context from then on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.errors import AdapterError, Unknown
from bot.types import Features, Message, OlderMessages, Person, Query, Role
from tests.fakes.clock import SimClock
from tests.fakes.core import running_core
from tests.fakes.model import FakeModel
from tests.fakes.platform import CHAT, FakePlatform


@dataclass(slots=True)
class Talkative(FakePlatform):
    """A platform whose chats have a past."""

    asked: list[OlderMessages] = field(default_factory=list)
    trouble: AdapterError | None = None

    @property
    def features(self) -> Features:
        return Features(older=True)

    async def ask(self, query: Query) -> Any:
        assert isinstance(query, OlderMessages)
        self.asked.append(query)
        if self.trouble is not None:
            raise self.trouble
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
    assert platform.asked == [OlderMessages(CHAT, question.post or "")]
    first, second = prompts(model)
    assert first.index("Fred") < first.index("A good name.") < first.index("What is the cat called?")
    assert "Fred" in second


async def test_without_it_the_question_is_answered_all_the_same(
    clock: SimClock, tmp_path: Path, platform: Talkative, model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    platform.trouble = Unknown()
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("What is the cat called?"))
        await core.quiet()
    assert platform.text() == "Hello there, this is an answer."
    assert "not to be had" in caplog.text
