"""Fallback requests: what is asked instead when a question was refused: less history, no system role, no pictures.

What the gateway's words say is done first. Where they say nothing that is known, each is tried once; what was then
answered is remembered for the model (`Supposition`), so the next question goes right at once. A refusal that is about
somebody's words, the key or the account is never tried otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.errors import GatewayError, InvalidRequest, MagpieError, TooLong
from bot.gateways.chat_api.amounts import LEAST
from bot.gateways.tokens import tokens_of
from bot.turns.planning import Attempt, Plan
from bot.turns.prompt import budget
from bot.types import ModelInfo, ModelRequest, Supposition

__all__ = ["Fallbacks"]

_MOST = 5  # attempts after the first
_SHARES = (1 / 2, 1 / 8, 1 / 32)  # of the history, one after the other, where it is too long


class Fallbacks:
    """Of one turn. `info` tells what is known of a model now."""

    def __init__(self, info: Callable[[str], ModelInfo]) -> None:
        self._info = info
        self._left = _MOST
        self._asked: list[list[ModelRequest]] = []
        self._shares = list(_SHARES)
        self._by_words = Attempt()  # what known words have led to; guesses start from there
        self._told = False
        self._taught = False
        self._guesses: list[Attempt] | None = None
        self._vague: MagpieError | None = None

    def fresh(self, plan: Plan) -> bool:
        """Hasn't just this been refused already?"""
        asked = [replace(request, supposed=_of_abilities(request)) for _, request in plan.requests]
        fresh = asked not in self._asked
        self._asked.append(asked)
        return fresh

    def reason(self, error: MagpieError) -> MagpieError:
        """What people are told: what was wrong with their question, not with a guess at it."""
        guessed = self._vague is not None and not isinstance(error, GatewayError)
        return self._vague if guessed and self._vague is not None else error

    def after(self, error: MagpieError, plan: Plan) -> Attempt | None:
        """What to try after this plan was refused; None: nothing that could help."""
        attempt = self._after(error, plan) if self._left and plan.requests else None
        self._left -= 1
        return attempt

    def _after(self, error: MagpieError, plan: Plan) -> Attempt | None:
        if isinstance(error, TooLong):
            return self._shorter(error, plan)
        if isinstance(error, InvalidRequest):
            sees = self._info(plan.requests[0][1].model).image is not False
            if sees or self._taught:
                return None
            self._taught = True  # that it can't see pictures: so the plan will be another
            return self._by_words
        if isinstance(error, GatewayError) and error.vague:
            if self._guesses is None:
                self._vague, self._guesses = error, self._possible(plan)
            return self._guesses.pop(0) if self._guesses else None
        return None

    # ── known to be too long ────────────────────────────────────────────────────────────────────────────────────────

    def _shorter(self, error: TooLong, plan: Plan) -> Attempt | None:
        request = plan.requests[0][1]
        most = None
        if error.limit is not None and not self._told:
            self._told = True
            if not plan.size:
                return self._by_words  # it goes in pieces, which are smaller now
            most = self._by_numbers(error, plan)
        if most is None or most >= plan.size:
            if not plan.history or not self._shares:
                return None
            most = plan.size - plan.history + int(plan.history * self._shares.pop(0))
        supposed = self._by_words.supposed
        if "max_tokens" not in request.parameters:  # or it may be long for these only who want long answers
            supposed = (_at_most(most, request, guessed=False), *supposed)
        self._by_words = replace(self._by_words, most=most, supposed=supposed)
        return self._by_words

    def _by_numbers(self, error: TooLong, plan: Plan) -> int | None:
        """Its tokens are not quite ours: what it has counted in this very prompt tells the rate."""
        request = plan.requests[0][1]
        if error.limit is None:
            return None
        context = error.limit if not error.sent else int(plan.size * min(1.0, error.limit / error.sent))
        return budget(replace(self._info(request.model), context=max(1, context)), request.parameters)

    # ── anybody's guess ─────────────────────────────────────────────────────────────────────────────────────────────

    def _possible(self, plan: Plan) -> list[Attempt]:
        """Each where it applies: there is history, a system message, a picture."""
        request, base = plan.requests[0][1], self._by_words
        guesses = []
        if plan.history:
            most = plan.size - plan.history + plan.history // 2
            supposed = (_at_most(most, request, guessed=True), *base.supposed)
            guesses.append(replace(base, most=most, supposed=supposed))
        system = any(message.role == "system" for message in request.messages)
        if system and self._info(request.model).system is not False:
            guesses.append(_without(base, request.model, "system"))
        if plan.pictures:
            guesses.append(replace(_without(base, request.model, "image"), blind=True))
        return guesses


def _of_abilities(request: ModelRequest) -> tuple[Supposition, ...]:
    """What makes another request of the same messages."""
    return tuple(each for each in request.supposed if not each.name.endswith("/prompt"))


def _at_most(most: int, request: ModelRequest, *, guessed: bool) -> Supposition:
    return Supposition(f"{request.model}/prompt", max(most, LEAST), tokens_of(request), guessed)


def _without(base: Attempt, model: str, ability: str) -> Attempt:
    return replace(base, supposed=(Supposition(f"{model}/{ability}", False, guessed=True), *base.supposed))
