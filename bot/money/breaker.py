"""A gateway whose key is rejected, or whose quota is gone, is not asked again and again: it is asked once in a while.

Known to this process only: after a restart the key may be another, and the first question finds out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from bot.errors import BadKey, GatewayError, NoMoney
from bot.types import BalanceReading, ChatModel, Clock, Delta, ModelInfo, ModelRequest

__all__ = ["Guarded"]

_FIRST = 30.0  # seconds until it is asked again; twice as long after each refusal
_MOST = 600.0


@dataclass(slots=True)
class _Trip:
    """`until`, on the monotonic scale, everybody is told `error`; then one request goes through, `trying`."""

    error: GatewayError
    pause: float
    until: float
    at: int  # UTC ms
    trying: bool = False


class Guarded:
    """A ChatModel before another one. `refused` hears of each refusal by the gateway, `answered` of each answer."""

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

    @property
    def gateway(self) -> str:
        return self._model.gateway

    def info(self, model: str) -> ModelInfo:
        return self._model.info(model)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """See `ChatModel.stream`."""
        self._pass(request.model)
        began = False
        try:
            async with aclosing(self._model.stream(request)) as deltas:
                async for delta in deltas:
                    if not began and (delta.text or delta.reasoning or delta.finish):
                        began = True
                        self._close(request.model)
                    yield delta
        except (BadKey, NoMoney) as error:
            self._trip(error, request.model)
            await self._refused(error)
            raise

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
                raise type(trip.error)(trip.error.text, status=trip.error.status, detail=trip.error.detail)

    def _pass(self, model: str) -> None:
        """Who may ask does so for all others."""
        self.check(model)
        for trip in self._before(model):
            trip.trying, trip.until = True, self._clock.monotonic() + trip.pause

    def _before(self, model: str) -> list[_Trip]:
        return [self._trips[scope] for scope in ("", model) if scope in self._trips]

    def _trip(self, error: GatewayError, model: str) -> None:
        """403 may be about one model only, which this key may not use."""
        scope = model if isinstance(error, BadKey) and error.status == 403 else ""
        before = self._trips.get(scope)
        if before is not None and not before.trying:
            return  # it was asked before the others knew
        pause = min(_MOST, before.pause * 2) if before else _FIRST
        self._trips[scope] = _Trip(error, pause, self._clock.monotonic() + pause, self._clock.now())

    def _close(self, model: str) -> None:
        for scope in ("", model):
            self._trips.pop(scope, None)
        self._answered()
