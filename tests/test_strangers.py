"""However many strangers write, nobody who was let in waits behind them. Who writes on and on is told so once."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from adapters.telegram.limits import LIMITS
from bot.intake.access import Access
from bot.intake.intake import INTRODUCED
from bot.markdown import plain
from bot.types import Ack, Chat, Person, Reader
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, words
from tests.fakes.platform import ANN, BEN, FakePlatform

BOSS = Person("7", "Boss")
HOME = Chat("fake", "bot", "7")
GROUP = Chat("fake", "bot", "-5")
MANY = 2_000


def closed(reader: Reader) -> Access:
    return Access(reader, [("fake", "7")])


def stranger(number: int) -> tuple[Chat, Person]:
    return Chat("fake", "bot", str(1000 + number)), Person(str(1000 + number))


def introduced(platform: FakePlatform) -> list[float]:
    """When strangers were told, in seconds."""
    return [made.at for made in platform.made if made.piece and "only answer people" in plain(made.piece.blocks)]


async def write(core: Core, platform: FakePlatform, numbers: range) -> None:
    """A stranger after the other, as fast as they come in."""
    for number in numbers:
        chat, person = stranger(number)
        await core.intake.accept(platform.says("hi", chat=chat, by=person))


async def seconds_to_the_answer(core: Core, platform: FakePlatform, model: FakeModel, strangers: int) -> float:
    """What the admin waits who asks in the middle of them; by the pace that Telegram allows."""
    model.scripts = [words("This is the answer to the admin's question.", 0.2)]
    platform.buckets, platform.frame = LIMITS.buckets, LIMITS.frame
    await core.clock.run(write(core, platform, range(strangers // 2)))
    asked = core.clock.seconds
    await core.say(platform.says("a question", chat=HOME, by=BOSS))
    await core.clock.run(write(core, platform, range(strangers // 2, strangers)))
    while not any(made.piece and made.chat == HOME and not made.piece.growing for made in platform.made):
        await core.clock.step()
    return core.clock.seconds - asked


async def test_two_thousand_strangers_delay_nobody(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    """A reported case: 33.6 s, behind 919 strangers who were told first."""
    alone = FakePlatform(clock)
    for folder in ("alone", "crowded"):
        (tmp_path / folder).mkdir()
    async with running_core(clock, tmp_path / "alone", alone, model, closed) as core:
        quiet = await seconds_to_the_answer(core, alone, model, 0)
    async with running_core(clock, tmp_path / "crowded", platform, model, closed) as core:
        crowded = await seconds_to_the_answer(core, platform, model, MANY)
        assert crowded - quiet < 0.2
        await clock.advance(INTRODUCED + 5)
        told = introduced(platform)
        assert len(told) == INTRODUCED, "no more than the cap are told"
        assert all(later - earlier > 0.95 for earlier, later in itertools.pairwise(told)), "one a second"
    assert len(model.asked) == 2


async def test_who_was_not_told_is_told_when_they_write_again(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    async with running_core(clock, tmp_path, platform, model, closed) as core:
        await clock.run(write(core, platform, range(INTRODUCED + 1)))
        await clock.advance(INTRODUCED + 5)
        chat, person = stranger(INTRODUCED)
        assert platform.text(chat) == ""
        await core.say(platform.says("hello?", chat=chat, by=person))
        await core.quiet()
        assert f"Your id is {person.id}" in platform.text(chat)


async def test_one_stranger_who_writes_on_keeps_no_other_from_being_told(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    async with running_core(clock, tmp_path, platform, model, closed) as core:
        for _ in range(3 * INTRODUCED):
            await core.say(platform.says("hi", chat=stranger(0)[0], by=stranger(0)[1]))
        chat, person = stranger(1)
        await core.say(platform.says("hi", chat=chat, by=person))
        await clock.advance(3)
        assert len(introduced(platform)) == 2
        assert platform.text(chat)


@pytest.mark.parametrize("said", ["/claim", "/claim GUES-SING"])
async def test_a_claim_that_can_not_be_is_told_as_slowly(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel, said: str
) -> None:
    async with running_core(clock, tmp_path, platform, model, closed) as core:
        for number in range(50):
            chat, person = stranger(number)
            await core.say(platform.says(said, chat=chat, by=person))
        before = clock.seconds
        await clock.advance(9.5)
        assert len(platform.made) <= 12
        assert clock.seconds - before < 10


async def test_another_accounts_strangers_are_told_by_their_own_clock(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    async with running_core(clock, tmp_path, platform, model, closed) as core:
        await clock.run(write(core, platform, range(60)))
        other, chat, person = FakePlatform(clock, bot="another"), Chat("fake", "another", "1"), Person("1")
        cast(dict[str, FakePlatform], core.core.adapters)["another"] = other
        core.core.leases.want(other.account.key)
        await core.say(other.says("hi", chat=chat, by=person, key="another/1"))
        await clock.advance(2)
        assert other.text(chat)


# ── one who writes on and on ────────────────────────────────────────────────────────────────────────────────────────


def waiting(platform: FakePlatform, chat: Chat) -> int:
    return platform.text(chat).count("of your messages are waiting")


@pytest.mark.parametrize("group", [False, True])
async def test_a_flood_is_told_of_once_for_each_question_that_waits(
    core: Core, platform: FakePlatform, model: FakeModel, group: bool
) -> None:
    model.scripts = [words("a slow answer to what was asked before", 3.0)]
    acks: list[Ack] = []

    async def flood() -> None:
        for number in range(40):
            acks.append(await core.say(platform.says(f"more {number}", chat=GROUP, group=group)))

    await core.say(platform.says("first", chat=GROUP, group=group))
    await core.clock.advance(1)
    await flood()
    await core.clock.advance(5)
    assert waiting(platform, GROUP) == 1
    refused = [ack for ack in acks if ack.error]
    assert len(refused) == 35
    assert all("waiting" in ack.toast for ack in refused), "a page shows by each that it was not taken"
    await core.clock.advance(24)
    await flood()
    await core.clock.advance(5)
    assert waiting(platform, GROUP) == 2, "another question waits by now"
    await core.quiet()


async def test_each_member_of_a_group_is_told(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words("a slow answer to what was asked before", 3.0)]
    await core.say(platform.says("first", chat=GROUP, group=True))
    await core.clock.advance(1)
    for person in (ANN, BEN, replace(ANN, id="eve")):
        for number in range(8):
            await core.say(platform.says(f"more {number}", chat=GROUP, by=person, group=True))
    await core.clock.advance(5)
    assert waiting(platform, GROUP) == 3
    await core.quiet()
