"""Circuit breaker: a gateway whose key is rejected, or whose quota is gone, is not asked again and again: it is asked
once in a while.

One refusal is one person's until it is confirmed: what gateways say of a key, they also say of somebody's words, of a
model, of a question that is too dear. So a question of our own is asked before others are turned away, unless nothing
has been answered since the start. Known to this process only: after a restart the key may be another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from bot.errors import BadKey, GatewayError, MagpieError, NoMoney, UnknownModel
from bot.gateways.tokens import estimate
from bot.types import (
    BalanceReading,
    ChatModel,
    Clock,
    Delta,
    ModelInfo,
    ModelRequest,
    PromptMessage,
    Translation,
    Usage,
)

__all__ = ["CircuitBreaker"]

_FIRST = 30.0  # seconds until it is asked again; twice as long after each refusal
_MOST = 600.0
_RECENT = 5.0  # seconds that what a question of our own has proven still holds
_PROBE = "Say ok."


@dataclass(slots=True)
class _Trip:
    """`until`, on the monotonic scale, everybody is told `error`; then one request goes through, `trying`."""

    error: GatewayError
    pause: float
    until: float
    at: int  # UTC ms
    trying: bool = False


class CircuitBreaker:
    """A ChatModel before another one. `refused` hears of each refusal of the key or for money that is certain,
    `answered` of each answer."""

    def __init__(
        self,
        model: ChatModel,
        clock: Clock,
        refused: Callable[[GatewayError], Awaitable[None]],
        answered: Callable[[], None],
    ) -> None:
        self._model = model
        self._clock = clock
        self._refused = refused
        self._answered = answered
        self._trips: dict[str, _Trip] = {}  # model, or '' for all of them -> its trip
        self._proven: dict[str, float] = {}  # model -> when its newest request that was answered was made
        self._cleared: dict[str, float] = {}  # model -> when a question of our own was answered
        self._doubting = asyncio.Lock()

    @property
    def gateway(self) -> str:
        return self._model.gateway

    def info(self, model: str) -> ModelInfo:
        return self._model.info(model)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """See `ChatModel.stream`. What it took to find out whom a refusal is about is told as usage."""
        self._pass(request.model)
        asked, began = self._clock.monotonic(), False
        try:
            async with aclosing(self._model.stream(request)) as deltas:
                async for delta in deltas:
                    if not began and (delta.text or delta.reasoning or delta.finish):
                        began = True
                        self._close(request.model, asked)
                    yield delta
            return
        except (BadKey, NoMoney) as error:
            refusal = error
        spent: list[Usage] = []
        verdict, certain = await self._judged(refusal, request.model, asked, spent)
        for usage in spent:
            yield Delta(usage=usage)
        if certain:
            await self._refused(verdict)
        raise verdict from refusal

    def recovered(self, reading: BalanceReading) -> None:
        """There is money again: who waits for it need not wait for the time."""
        if reading.money.amount > 0:
            gone = [
                scope for scope, trip in self._trips.items() if isinstance(trip.error, NoMoney) and trip.at < reading.at
            ]
            for scope in gone:
                del self._trips[scope]

    def check(self, model: str) -> None:
        """Raises what the gateway would say, if it is not to be asked now."""
        now = self._clock.monotonic()
        for trip in self._before(model):
            if now < trip.until:
                raise _copy(trip.error)

    def _pass(self, model: str) -> None:
        """Who may ask does so for all others."""
        self.check(model)
        for trip in self._before(model):
            trip.trying, trip.until = True, self._clock.monotonic() + trip.pause

    def _before(self, model: str) -> list[_Trip]:
        return [self._trips[scope] for scope in ("", model) if scope in self._trips]

    # ── whom a refusal is about ─────────────────────────────────────────────────────────────────────────────────────

    async def _judged(
        self, error: GatewayError, model: str, asked: float, spent: list[Usage]
    ) -> tuple[GatewayError, bool]:
        """The error to raise, and whether it is certain to be about the key or the account. Of many refusals at once,
        one is looked into, and settles the others."""
        narrow = error.status == 403  # it may be about one model only, which this key may not use
        if not self._proven or self._before(model):
            self._trip(error, model if narrow else "")
            return error, True
        async with self._doubting:
            if self._before(model):
                return error, False  # somebody has just found out, and told
            if self._works(model if narrow else "", asked):
                return _personal(error), False
            found = await self._probe(model, spent)
            if found is None:
                return _personal(error), False
            if not isinstance(found, BadKey | NoMoney):
                return error, False  # there is no telling now
            return await self._confirmed(found, model, spent)

    def _works(self, scope: str, asked: float) -> bool:
        """Has a request that was made later than that been answered, or one of our own just now?"""
        recent = self._clock.monotonic() - _RECENT
        proven = any(at > asked for model, at in self._proven.items() if scope in ("", model))
        return proven or any(at >= recent for model, at in self._cleared.items() if scope in ("", model))

    async def _confirmed(self, error: GatewayError, model: str, spent: list[Usage]) -> tuple[GatewayError, bool]:
        if error.status != 403:
            self._trip(error, "")
            return error, True
        other = max((each for each in self._proven if each != model), key=self._proven.__getitem__, default=None)
        if other is None:
            self._trip(error, model)
            return error, True
        found = await self._probe(other, spent)
        if found is None:
            here = UnknownModel(model, status=403, detail=error.detail)
            self._trip(here, model)
            return here, False
        certain = isinstance(found, BadKey | NoMoney)
        self._trip(error, "" if certain else model)
        return error, certain

    async def _probe(self, model: str, spent: list[Usage]) -> MagpieError | None:
        """Ask this model something that nobody can object to. None: it has begun to answer, which is enough."""
        request = ModelRequest(model, (PromptMessage("user", _PROBE),))
        if self.info(model).translation:
            request = ModelRequest(model, request.messages, {}, Translation("Chinese", "English"))
        asked = self._clock.monotonic()
        try:
            async with aclosing(self._model.stream(request)) as deltas:
                async for delta in deltas:
                    if delta.text or delta.reasoning or delta.finish:
                        break
        except MagpieError as error:
            return error
        spent.append(Usage(estimate(_PROBE), 1, estimated=True))
        self._cleared[model] = self._clock.monotonic()
        self._close(model, asked)
        return None

    def _trip(self, error: GatewayError, scope: str) -> None:
        before = self._trips.get(scope)
        if before is not None and not before.trying:
            return  # it was asked before the others knew
        pause = min(_MOST, before.pause * 2) if before else _FIRST
        self._trips[scope] = _Trip(error, pause, self._clock.monotonic() + pause, self._clock.now())

    def _close(self, model: str, asked: float) -> None:
        for scope in ("", model):
            self._trips.pop(scope, None)
        self._proven[model] = max(asked, self._proven.get(model, asked))
        self._answered()


def _personal(error: GatewayError) -> GatewayError:
    """It answers others: so this was about the question."""
    if isinstance(error, NoMoney):
        return GatewayError(
            "The account of the model's service has too little left for this question. The admin has to top it up.",
            status=error.status,
            detail=error.detail,
        )
    return GatewayError(
        "The model's service refuses this question, though it answers others. "
        "Please put it another way, or choose another model with /model.",
        status=error.status,
        detail=error.detail,
    )


def _copy(error: GatewayError) -> GatewayError:
    if isinstance(error, UnknownModel):
        return UnknownModel(error.model, status=error.status, detail=error.detail)
    return type(error)(error.text, status=error.status, detail=error.detail)
