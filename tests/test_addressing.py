"""Who is answered: every fact that an adapter may report, and what the core makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.intake.addressing import is_meant
from bot.types import (
    Addressing,
    Attachment,
    Chat,
    IncomingMessage,
    Kind,
    Message,
    Person,
    Role,
    Turn,
    TurnKind,
    TurnState,
)
from tests.fakes.core import Core
from tests.fakes.platform import ANN, BEN, CHAT, FakePlatform

THREAD = Chat("fake", "bot", "room", "1")
SAID = IncomingMessage("k", THREAD, ANN, "and more?", 0, group=True, addressing=Addressing.THREAD)
ASKED = Turn(1, THREAD, TurnKind.QUESTION, TurnState.ENDED, 1, ANN, 0, group=True, text="An answer.")
CALLED = Message(1, THREAD, 1, Role.USER, ANN, "hello", 0, post="m1")
ANSWERED = Message(2, THREAD, 1, Role.ASSISTANT, Person(""), "An answer.", 0)


def meant(message: IncomingMessage, last: Turn | None = None, *said: Message) -> bool:
    return is_meant(message, last, said, lambda text: text.startswith("/settings"))


@pytest.mark.parametrize("addressing", Addressing)
@pytest.mark.parametrize("text", ["/settings", "/kick @foo", "hello"])
def test_each_fact_has_its_answer(addressing: Addressing, text: str) -> None:
    """A thread that we have no part in is like any place where others talk."""
    ours = {Addressing.PRIVATE, Addressing.MENTION, Addressing.REPLY}
    ours |= {Addressing.COMMAND} if text == "/settings" else set()
    assert meant(replace(SAID, addressing=addressing, text=text)) is (addressing in ours)


def test_in_a_thread_that_we_take_part_in_what_is_said_is_for_us() -> None:
    assert meant(SAID, ASKED, ANSWERED, CALLED)
    assert not meant(replace(SAID, addressing=Addressing.TO_OTHERS), ASKED, ANSWERED, CALLED)


def test_who_had_something_translated_has_not_called_us() -> None:
    assert not meant(SAID, ASKED, ANSWERED, replace(CALLED, post=None))


def test_while_a_question_waits_only_its_author_is_heard() -> None:
    waiting = replace(ASKED, state=TurnState.WAITING)
    assert meant(SAID, waiting, CALLED)
    assert not meant(replace(SAID, author=BEN), waiting, CALLED)
    assert meant(replace(SAID, author=BEN), waiting, CALLED, ANSWERED), "we have answered there before"


def test_thanks_are_for_us_if_we_have_asked_something() -> None:
    thanks = replace(SAID, text="thanks", courtesy=True)
    assert not meant(thanks, ASKED, ANSWERED, CALLED)
    assert meant(thanks, replace(ASKED, text="Shall I?"), ANSWERED, CALLED)
    picture = replace(thanks, attachments=(Attachment(Kind.IMAGE, "cat"),))
    assert meant(picture, ASKED, ANSWERED, CALLED)
    assert meant(replace(thanks, quoted="What do you say?"), ASKED, ANSWERED, CALLED)


async def test_what_is_overheard_is_not_kept(core: Core, platform: FakePlatform) -> None:
    for addressing in (Addressing.OVERHEARD, Addressing.TO_OTHERS, Addressing.THREAD):
        message = platform.says("just between us", group=True, addressing=addressing)
        assert not await core.intake.wanted(message)
        assert (await core.say(message)).turn is None
    assert list(await core.store.history(CHAT)) == []
