"""What every adapter promises, tried on each of them with the real core behind it: one suite, one descriptor each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from adapters import ADAPTERS
from bot.clock import SystemClock
from bot.errors import Broken, Rejected, SettingError
from bot.markdown import parse
from bot.types import Account, Features, Piece
from tests.contract.places import AWAY, NOWHERE, PLACES, REFUSED, SURFACES, Place
from tests.fakes.clock import PATIENCE
from tests.fakes.model import FakeModel, Script

TEXT = "This is an answer of some words, whole and in order."


@pytest.fixture
def model() -> FakeModel:
    return FakeModel(SystemClock(), [Script([f"{word} " for word in TEXT.split()[:-1]] + ["order."], 0.02)])


@pytest.fixture(params=sorted(PLACES))
async def place(request: pytest.FixtureRequest, tmp_path: Path, model: FakeModel) -> AsyncIterator[Place]:
    async with PLACES[request.param](tmp_path, model) as opened:
        yield opened


@pytest.fixture(params=sorted(SURFACES))
async def surface(request: pytest.FixtureRequest, tmp_path: Path, model: FakeModel) -> AsyncIterator[Place]:
    """A place where people say commands and press buttons, and where an answer can take another's place."""
    async with PLACES[request.param](tmp_path, model) as opened:
        yield opened


async def until(place: Place, wanted: Callable[[list[str]], object], seconds: float = PATIENCE) -> list[str]:
    end = time.monotonic() + seconds
    while not wanted(seen := await place.sees()):
        assert time.monotonic() < end, f"still seen: {seen}"
        await asyncio.sleep(0.02)
    return seen


def words(seen: list[str]) -> list[str]:
    return " ".join(seen).split()


def test_every_adapter_is_in_this_suite() -> None:
    assert set(PLACES) == {*ADAPTERS, "terminal"}  # of `magpie ask`: no service that could be switched on


async def test_what_is_data_is_there(place: Place) -> None:
    assert isinstance(place.adapter.account, Account)
    assert isinstance(place.adapter.features, Features)
    assert place.adapter.account.platform == place.chat.platform
    assert place.adapter.limits.size > 1000


async def test_what_was_posted_is_found_where_the_features_say_so(place: Place) -> None:
    """Elsewhere the question is refused: a guess would show an answer twice, or not at all."""
    post = await place.adapter.put(place.chat, Piece("7.0", parse("Some words.")))
    if place.adapter.features.find:
        assert await place.adapter.find(place.chat, "7.0") == post
        assert await place.adapter.find(place.chat, "7.1") is None
        return
    with pytest.raises(Rejected):
        await place.adapter.find(place.chat, "7.0")


async def test_what_was_said_before_is_told_where_the_features_say_so(place: Place) -> None:
    post = await place.adapter.put(place.chat, Piece("7.0", parse("Some words.")))
    if place.adapter.features.older:
        assert [message.text for message in await place.adapter.older(place.chat, post)] == ["hello"]
        return
    with pytest.raises(Rejected):
        await place.adapter.older(place.chat, post)


async def test_a_chat_that_is_written_to_can_be(place: Place) -> None:
    assert await place.adapter.can_post(place.chat) in (True, False)  # False: nobody can know


async def test_an_adapter_that_is_let_in_says_so(place: Place) -> None:
    async with asyncio.timeout(PATIENCE):
        await place.adapter.tried.wait()
    assert place.adapter.trouble == ""


@pytest.mark.parametrize("name", sorted(AWAY))
async def test_a_platform_out_of_reach_is_known_to_be(name: str, tmp_path: Path, model: FakeModel) -> None:
    async with PLACES[name](tmp_path, model, **AWAY[name]) as place, asyncio.timeout(PATIENCE):
        assert not place.adapter.tried.is_set()
        await place.adapter.tried.wait()
        assert NOWHERE in place.adapter.trouble
        assert not place.running.done(), "it goes on trying"


@pytest.mark.parametrize(("name", "settings"), REFUSED)
async def test_a_platform_that_refuses_us_ends_the_run(
    name: str, settings: dict[str, str], tmp_path: Path, model: FakeModel
) -> None:
    async with PLACES[name](tmp_path, model, **settings) as place, asyncio.timeout(PATIENCE):
        with pytest.raises(SettingError) as caught:
            await place.running
        assert caught.value.name == next(iter(settings)).upper()
        assert not place.adapter.tried.is_set(), "or somebody has been told that all is well"


async def test_a_question_gets_its_answer_whole_and_once(place: Place, model: FakeModel) -> None:
    await place.says("hi")
    await until(place, lambda seen: words(seen) == TEXT.split())
    await asyncio.sleep(0.3)  # a second answer would come now
    assert words(await place.sees()) == TEXT.split()
    assert len(model.asked) == 1


async def test_an_answer_that_grows_looks_unfinished(place: Place, model: FakeModel) -> None:
    model.scripts = [Script([f"{word} " for word in (TEXT * 3).split()], 0.1)]
    await place.says("hi")
    seen = await until(place, lambda seen: any("answer" in text for text in seen))
    assert "…" in seen[-1]
    await until(place, lambda seen: seen and "…" not in seen[-1])


async def test_a_part_says_so_and_retry_puts_the_whole_in_its_place(surface: Place, model: FakeModel) -> None:
    half = Script(["Half of an answer, then"], error=Broken())
    model.scripts = [half, Script([], error=Broken()), *model.scripts]  # it is asked for once more by itself
    await surface.says("hi")
    (part,) = await until(surface, lambda seen: "This is a part" in " ".join(seen))
    assert part.startswith("Half of an answer, then")
    await surface.presses("Retry")
    await until(surface, lambda seen: words(seen) == TEXT.split())


async def test_a_stopped_answer_says_so_and_goes_on_where_it_ends(surface: Place, model: FakeModel) -> None:
    model.scripts = [Script([f"word{number} " for number in range(40)], 0.1), Script(["and so to the end."])]
    await surface.says("hi")
    await until(surface, lambda seen: "word5" in " ".join(seen))
    await surface.stops()
    (stopped,) = await until(surface, lambda seen: "Stopped." in " ".join(seen))
    assert "word39" not in stopped
    kept = stopped.partition("Stopped.")[0].split()
    await surface.presses("Continue")
    (whole,) = await until(surface, lambda seen: "to the end." in " ".join(seen) and "…" not in " ".join(seen))
    assert whole.split() == [*kept, *words(["and so to the end."])]


async def test_a_long_answer_is_whole_and_in_order(place: Place, model: FakeModel) -> None:
    long = [f"word{number}" for number in range(1500)]
    model.scripts = [Script([" ".join(long)])]
    await place.says("hi")
    seen = await until(place, lambda seen: long[-1] in " ".join(seen) and "…" not in " ".join(seen))
    assert words(seen) == long


async def test_a_command_is_answered(surface: Place, model: FakeModel) -> None:
    await surface.says("/set temperature 0.7")
    await until(surface, lambda seen: "0.7" in " ".join(seen))
    assert model.asked == []


async def test_posting_changing_and_deleting_can_be_done_twice(place: Place) -> None:
    piece = Piece("900.0", parse("first"))
    post = await place.adapter.put(place.chat, piece)
    assert await place.adapter.put(place.chat, piece, post) == post
    post = await place.adapter.put(place.chat, Piece("900.0", parse("second")), post)
    await place.adapter.put(place.chat, None, post)
    await place.adapter.put(place.chat, None, post)


async def test_a_message_of_the_greatest_size_fits(place: Place) -> None:
    limits = place.adapter.limits
    each = limits.measure(parse("汉汉")) - limits.measure(parse("汉"))
    blocks = parse("汉" * (min(limits.size, 20_000) // each))
    assert limits.measure(blocks) <= limits.size
    await place.adapter.put(place.chat, Piece("901.0", blocks))


async def test_what_a_model_writes_stays_text(place: Place, model: FakeModel) -> None:
    hostile = '<script>alert(1)</script> <b onclick="x">bold</b> [press](javascript:alert(2)) @everyone'
    model.scripts = [Script([hostile])]
    await place.says("hi")
    (seen,) = await until(place, lambda seen: "everyone" in " ".join(seen))
    for sign in ("<script>alert(1)</script>", '<b onclick="x">bold</b>', "press"):
        assert sign in seen
