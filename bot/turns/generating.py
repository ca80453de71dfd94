"""Generation: plan, ask, ask again, ask otherwise, and keep account of each call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from bot.delivery.delivery import Delivery
from bot.delivery.layout import Phrases
from bot.errors import MagpieError, StoreError
from bot.gateways.tokens import Calibration
from bot.races import TooLate, before
from bot.service.metrics import Metrics
from bot.turns.exchange import Exchange, passing, prompt_tokens
from bot.turns.fallbacks import Fallbacks
from bot.turns.planning import Attempt, Plan, Planner
from bot.types import Adapter, ChatModel, ChatSettings, Clock, Finish, LedgerEntry, ModelRequest, Store, Turn

__all__ = ["Generator", "Run"]

log = logging.getLogger(__name__)
T = TypeVar("T")

BREATH = 1.0  # seconds before an answer that broke off is asked for again
_TEDIOUS = 300.0  # seconds; an answer that took this long to break off is not


@dataclass(frozen=True, slots=True)
class Run:
    """One turn under way. `stop` is set when somebody wants it to end where it is."""

    turn: Turn
    adapter: Adapter
    settings: ChatSettings
    language: str
    delivery: Delivery
    phrases: Phrases
    stop: asyncio.Event
    began: float  # monotonic seconds
    exchange: Exchange = field(default_factory=Exchange)


class Generator:
    """`admit` raises the error that questions to a model get without a call."""

    def __init__(
        self,
        store: Store,
        model: ChatModel,
        planner: Planner,
        clock: Clock,
        calibration: Calibration,
        metrics: Metrics,
        admit: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._model = model
        self._planner = planner
        self._clock = clock
        self._calibration = calibration
        self._metrics = metrics
        self._admit = admit

    async def generate(self, run: Run) -> None:
        """Fill the exchange. What was refused is planned otherwise as long as there is hope: see `fallbacks`."""
        fallbacks, exchange = Fallbacks(self._model.info), run.exchange
        attempt: Attempt | None = Attempt()
        error = MagpieError()
        while attempt is not None:
            plan: Plan | None = None
            try:
                planning = self._planner.plan(run.turn, run.settings, run.adapter, run.language, attempt)
                if (plan := await self._unless_stopped(run, planning)) is None:
                    return
                if fallbacks.fresh(plan):
                    await self._carry_out(run, plan)
                    return
            except StoreError:
                raise
            except MagpieError as caught:
                log.warning("turn %d: %s: %s", run.turn.id, type(caught).__name__, caught.detail or caught)
                error = fallbacks.reason(caught)
            except Exception:
                log.exception("turn %d: failed in a way nobody thought of", run.turn.id)
                error, plan = MagpieError(), None
            attempt = fallbacks.after(error, plan) if plan is not None and exchange.barren else None
        exchange.error = error

    async def _carry_out(self, run: Run, plan: Plan) -> None:
        exchange = run.exchange
        exchange.notes, exchange.resumable = plan.notes, plan.resumable
        exchange.text, exchange.reasoning = exchange.base, ""
        if plan.echo:
            exchange.text, exchange.finish = plan.echo, Finish.WHOLE
        for separator, request in plan.requests:
            if run.stop.is_set():
                exchange.stopped = True
                return
            await self._obtain(run, plan, separator, request)
            if exchange.finish is not Finish.WHOLE:
                break

    async def _obtain(self, run: Run, plan: Plan, separator: str, request: ModelRequest) -> None:
        """Ask; and once more where the answer broke off, or was empty. What stands in the chat stays there until the
        new answer has come as far."""
        exchange, began = run.exchange, self._clock.monotonic()
        text, reasoning = exchange.text, exchange.reasoning
        try:
            await self._ask(run, plan, separator, request)
            if run.delivery.failed or not exchange.wanting(text + separator):
                return
            reason = "an empty answer, or no end"
        except MagpieError as error:
            came = (exchange.text, exchange.reasoning) != (text + separator, reasoning)
            if not came or not passing(error) or self._clock.monotonic() - began > _TEDIOUS:
                raise
            reason = f"{type(error).__name__}: {error.detail or error}"
        log.warning("turn %d: asking again after %s", run.turn.id, reason)
        exchange.set_back(text, reasoning)
        try:
            await self._unless_stopped(run, self._clock.sleep(BREATH))
            if not exchange.stopped:
                await self._ask(run, plan, separator, request)
        finally:
            if exchange.settle():
                run.delivery.restart(exchange.text, run.phrases.again)

    async def _ask(self, run: Run, plan: Plan, separator: str, request: ModelRequest) -> None:
        """One call: its ledger entry is opened before it is made, and closed whatever becomes of it."""
        exchange, turn = run.exchange, run.turn
        if self._admit is not None:
            self._admit(request.model)
        entry = LedgerEntry(turn.id, turn.attempt, self._model.gateway, request.model, self._clock.now())
        number = await self._store.begin(turn, entry)
        exchange.entries[number] = entry
        before = len(exchange.text)
        exchange.text += separator
        exchange.start = len(exchange.text)
        exchange.finish = None
        try:
            await self._unless_stopped(run, self._consume(run, number, request))
            self._metrics.gateway(self._model.gateway, None)
        except MagpieError as error:
            self._metrics.gateway(self._model.gateway, error)
            exchange.entries[number] = replace(exchange.entries[number], finish=type(error).__name__)
            raise
        finally:
            info = self._model.info(request.model)
            exchange.close(number, request, info, exchange.text[before + len(separator) :], self._clock.now())
            self._metrics.asked([exchange.entries[number]])
        usage = exchange.entries[number].usage
        if plan.calibrating and usage is not None and not usage.estimated:
            self._calibration.learn(
                self._model.gateway, request.model, reported=usage.input, estimated=prompt_tokens(request)
            )

    async def _unless_stopped(self, run: Run, work: Coroutine[Any, Any, T]) -> T | None:
        """Work (plan, read the stream) to its end, or until somebody says stop: then the process or connection that it
        needs ends at once."""
        try:
            return await before(run.stop.wait(), work)
        except TooLate:
            run.exchange.stopped = True
            return None

    async def _consume(self, run: Run, number: int, request: ModelRequest) -> None:
        async with aclosing(self._model.stream(request)) as stream:
            async for delta in stream:
                run.exchange.take(number, delta, self._clock.now())
                if delta.retract and not run.exchange.kept:
                    run.delivery.restart(run.exchange.text, run.phrases.thought)
                elif delta.text:
                    self._show(run)
                if run.delivery.failed:
                    return

    def _show(self, run: Run) -> None:
        exchange = run.exchange
        if not exchange.kept:
            run.delivery.grow(exchange.text)
        elif len(exchange.text) > len(exchange.kept):
            exchange.kept = ""
            run.delivery.restart(exchange.text, run.phrases.again)
