"""A gateway that rejects the key, or has no money for us, is asked once in a while, and people are told at once."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.errors import BadKey, Blocked, GatewayError, NoMoney, UnknownModel, Unreachable
from bot.gateways.breaker import CircuitBreaker
from bot.types import BalanceReading, Delta, ModelRequest, Money, PromptMessage
from tests.fakes.account import Platform, Prepaid, living
from tests.fakes.clock import START, SimClock
from tests.fakes.gateway import Reply, chunk, sse
from tests.fakes.model import FakeModel, Script, words
from tests.test_client import serving

HELLO = ModelRequest("qwen-plus", (PromptMessage("user", "Hello"),))
OTHER = ModelRequest("qwen-max", HELLO.messages)
EMPTY = Script(error=NoMoney(status=402, detail="the quota is gone"))


class Guard:
    """`heard` are the refusals that the guard passed on, `answers` how often it heard of an answer."""

    def __init__(self, *scripts: Script) -> None:
        self.clock = SimClock()
        self.model = FakeModel(self.clock, list(scripts))
        self.heard: list[GatewayError] = []
        self.answers = 0
        self.guarded = CircuitBreaker(self.model, self.clock, self._hear, self._answered)

    async def _hear(self, error: GatewayError) -> None:
        self.heard.append(error)

    def _answered(self) -> None:
        self.answers += 1

    async def ask(self, request: ModelRequest = HELLO) -> str:
        async with aclosing(self.guarded.stream(request)) as stream:
            deltas: list[Delta] = [delta async for delta in stream]
        return "".join(delta.text for delta in deltas)

    async def refused(self, request: ModelRequest = HELLO) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.ask(request)
        return caught.value

    def told(self, amount: str, at: float) -> None:
        """The gateway tells the balance, in answer to a request of so many seconds after the beginning."""
        self.guarded.recovered(BalanceReading("fake", Money(Decimal(amount)), START + round(at * 1000)))


@pytest.mark.parametrize("error", [NoMoney(status=402, detail="gone"), BadKey(status=401, detail="who?")])
async def test_after_a_refusal_everybody_is_told_the_same_without_a_call(error: GatewayError) -> None:
    guard = Guard(Script(error=error))
    for request in (HELLO, HELLO, OTHER):
        caught = await guard.refused(request)
        assert (type(caught), str(caught), caught.status, caught.detail) == (
            type(error),
            str(error),
            error.status,
            error.detail,
        )
    assert len(guard.model.asked) == 1
    assert guard.heard == [error]


async def test_it_is_asked_ever_more_rarely_and_by_one_at_a_time() -> None:
    guard = Guard(EMPTY)
    asked = []
    for _ in range(3600):
        for _ in range(3):
            before = len(guard.model.asked)
            await guard.refused()
            asked += [guard.clock.seconds] * (len(guard.model.asked) - before)
        await guard.clock.advance(1)
    assert asked == [0, 30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]


async def test_while_one_finds_out_the_others_are_not_let_through() -> None:
    guard = Guard(EMPTY, replace(EMPTY, chunks=[""], pause=5))
    await guard.refused()
    await guard.clock.advance(30)
    asking = [asyncio.create_task(guard.refused()) for _ in range(9)]
    await guard.clock.advance(1)
    assert sum(task.done() for task in asking) == 8
    assert len(guard.model.asked) == 2
    await guard.clock.run(asyncio.gather(*asking))


async def test_an_answer_lets_everybody_through_again() -> None:
    guard = Guard(EMPTY, words("Yes.", 0), words("Of course.", 0))
    await guard.refused()
    await guard.clock.advance(30)
    assert await guard.ask() == "Yes."
    assert await guard.ask(OTHER) == "Of course."
    assert guard.answers == 2


async def test_money_that_came_after_the_refusal_ends_the_wait() -> None:
    guard = Guard(EMPTY, words("Yes.", 0))
    await guard.clock.advance(10)
    await guard.refused()
    guard.told("-0.5", at=11)
    guard.told("50", at=9)  # what was there before it was gone
    await guard.refused()
    assert len(guard.model.asked) == 1
    guard.told("50", at=11)
    assert await guard.ask() == "Yes."


async def test_money_is_no_help_against_a_rejected_key() -> None:
    guard = Guard(Script(error=BadKey(status=401)), words("Yes.", 0))
    await guard.refused()
    guard.told("50", at=1)
    await guard.refused()
    assert len(guard.model.asked) == 1


async def test_a_model_that_the_key_may_not_use_leaves_the_others_alone() -> None:
    guard = Guard(Script(error=BadKey(status=403)), words("Yes.", 0))
    await guard.refused()
    await guard.refused()
    assert await guard.ask(OTHER) == "Yes."
    assert len(guard.model.asked) == 2


DENIED = Script(error=BadKey(status=403, detail="no"))
YES = words("Yes.", 0)


async def test_what_one_person_is_refused_is_refused_to_nobody_else() -> None:
    """A 403 in words that nobody knows: a question of our own shows that the key is all right."""
    guard = Guard(YES, DENIED, YES, YES, DENIED, YES)
    await guard.ask()
    await guard.clock.advance(60)
    error = await guard.refused()
    assert type(error) is GatewayError
    assert "answers others" in str(error)
    assert [request.messages[0].content for request in guard.model.asked] == ["Hello", "Hello", "Say ok."]
    assert await guard.ask() == "Yes."
    assert "answers others" in str(await guard.refused()), "what was found out just now still holds"
    assert len(guard.model.asked) == 5
    assert guard.heard == []


async def test_what_it_took_to_find_out_is_told_as_usage() -> None:
    guard = Guard(YES, DENIED, YES)
    await guard.ask()
    found: list[Delta] = []
    with contextlib.suppress(GatewayError):
        async for delta in guard.guarded.stream(HELLO):
            found.append(delta)
    assert [delta.usage.estimated for delta in found if delta.usage] == [True]


@pytest.mark.parametrize("error", [NoMoney(status=402), BadKey(status=401), NoMoney(status=400)])
async def test_what_is_refused_twice_is_true_of_everybody(error: GatewayError) -> None:
    guard = Guard(YES, Script(error=error))
    await guard.ask()
    await guard.clock.advance(60)
    assert type(await guard.refused()) is type(error)
    assert type(await guard.refused(OTHER)) is type(error)
    assert len(guard.model.asked) == 3
    assert [type(each) for each in guard.heard] == [type(error)]


async def test_a_question_that_is_too_dear_is_one_persons() -> None:
    """OpenRouter's 402: "You requested up to 4096 tokens, but can only afford 100"."""
    guard = Guard(YES, Script(error=NoMoney(status=402)), YES)
    await guard.ask()
    await guard.clock.advance(60)
    assert "for this question" in str(await guard.refused())
    assert await guard.ask() == "Yes."
    assert guard.heard == []


async def test_where_there_is_no_telling_nobody_else_is_turned_away() -> None:
    guard = Guard(YES, Script(error=BadKey(status=401)), Script(error=Unreachable()), YES)
    await guard.ask()
    await guard.clock.advance(60)
    assert isinstance(await guard.refused(), BadKey)
    assert await guard.ask() == "Yes."
    assert guard.heard == []


async def test_when_a_key_dies_under_many_questions_one_of_ours_finds_out() -> None:
    guard = Guard(YES, replace(DENIED, chunks=[""], pause=1, error=BadKey(status=401)))
    await guard.ask()
    await guard.clock.advance(60)
    errors = await guard.clock.run(asyncio.gather(*(guard.refused() for _ in range(50))))
    assert all(isinstance(error, BadKey) for error in errors)
    assert [request.messages[0].content for request in guard.model.asked].count("Say ok.") == 1
    assert len(guard.model.asked) == 52
    assert len(guard.heard) == 1


async def test_an_answer_to_somebody_who_asked_later_is_proof_enough() -> None:
    guard = Guard(YES, replace(DENIED, chunks=[""], pause=5), YES)
    await guard.ask()
    await guard.clock.advance(60)
    late = asyncio.create_task(guard.refused())
    await guard.clock.advance(1)
    assert await guard.ask() == "Yes."
    assert "answers others" in str(await guard.clock.run(late))
    assert len(guard.model.asked) == 3


async def test_a_model_that_is_not_ours_to_use_is_no_matter_of_the_key() -> None:
    """403 to any question to one model, while another answers: that model is not available, and nobody is alarmed."""
    guard = Guard(YES, DENIED, DENIED, YES, YES)
    await guard.ask(OTHER)
    await guard.clock.advance(60)
    assert isinstance(await guard.refused(), UnknownModel)
    assert isinstance(await guard.refused(), UnknownModel)
    assert len(guard.model.asked) == 4
    assert await guard.ask(OTHER) == "Yes."
    assert guard.heard == []


@pytest.mark.parametrize(
    "body", [b'{"error": {"message": "Forbidden"}}', b"", b'{"detail": "no access for this project"}']
)
async def test_the_same_over_the_wire(body: bytes) -> None:
    """A gateway whose key may use one model and not another, in words that nobody knows."""
    yes, no = (
        Reply([sse(chunk("Yes.", "stop"))]),
        Reply([body] if body else [], 403, {"Content-Type": "application/json"}),
    )
    heard: list[GatewayError] = []

    async def hear(error: GatewayError) -> None:
        heard.append(error)

    async with serving(yes, no, no, yes) as (client, gateway):
        guarded = CircuitBreaker(client, SystemClock(), hear, lambda: None)

        async def said(request: ModelRequest) -> str:
            async with aclosing(guarded.stream(request)) as stream:
                return "".join([delta.text async for delta in stream])

        assert await said(OTHER) == "Yes."
        for _ in range(2):
            with pytest.raises(UnknownModel):
                await said(HELLO)
        assert await said(OTHER) == "Yes."
        asked = [request.json["model"] for request in gateway.requests]
        assert asked == ["qwen-max", "qwen-plus", "qwen-plus", "qwen-max", "qwen-max"]
    assert heard == []


async def test_every_model_refused_is_the_key() -> None:
    guard = Guard(YES, DENIED)
    await guard.ask(OTHER)
    await guard.clock.advance(60)
    assert isinstance(await guard.refused(), BadKey)
    assert isinstance(await guard.refused(OTHER), BadKey)
    assert len(guard.model.asked) == 4
    assert len(guard.heard) == 1


async def test_a_stop_while_it_is_looked_into_leaves_nothing_behind() -> None:
    guard = Guard(YES, DENIED, replace(YES, pause=50), YES)
    await guard.ask()
    await guard.clock.advance(60)
    asking = asyncio.create_task(guard.refused())
    await guard.clock.advance(1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await guard.ask() == "Yes."


async def test_any_other_error_is_the_questions_own() -> None:
    guard = Guard(Script(error=Blocked(status=400)), words("Yes.", 0))
    await guard.refused()
    assert await guard.ask() == "Yes."
    assert guard.heard == []


async def test_people_are_told_one_by_one_and_the_ledger_knows_what_was_asked(clock: SimClock, tmp_path: Path) -> None:
    """The whole service: twenty people ask while the account is empty, and again once it is not."""
    account, platform = Prepaid(clock, "0"), Platform(clock, size=4000)
    async with living(clock, tmp_path, account, platform) as life:
        for number in range(20):
            assert "top it up" in await life.says(platform, f"room-{number}", "Hello?")
        assert account.asked["completions"] == 1
        assert (await life.store.spending()).calls == 1
        account.set("5")
        await life.hours(1)  # it is asked for the balance
        for number in range(20):
            assert "top it up" not in await life.says(platform, f"room-{number}", "Hello?")
        assert account.asked["completions"] == 21
        assert (await life.store.spending()).calls == 21
