"""Runs one turn: history -> request -> stream -> delivery -> record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from bot.commands.table import BY_NAME
from bot.commands.writing.forms import answer_here, prefix
from bot.delivery.delivery import Delivery
from bot.delivery.layout import Phrases
from bot.delivery.limiter import Gate
from bot.delivery.posts import insist
from bot.errors import (
    AdapterError,
    Gone,
    MagpieError,
    RetryLater,
    StoreError,
    StoreRejects,
    Superseded,
)
from bot.gateways.tokens import Calibration
from bot.locales import say
from bot.races import TooLate, before
from bot.service.metrics import Metrics
from bot.turns.exchange import Exchange, conclude, expired, passing, prompt_tokens, unkept, unmeasured
from bot.turns.fallbacks import Fallbacks
from bot.turns.planning import Attempt, Plan, Planner
from bot.turns.prompt import resumed
from bot.types import (
    Adapter,
    Answer,
    BalanceReading,
    Chat,
    ChatModel,
    ChatSettings,
    Choice,
    Clock,
    Finish,
    LedgerEntry,
    Menu,
    ModelRequest,
    Outcome,
    Store,
    Text,
    Turn,
    TurnKind,
    TurnState,
)

__all__ = ["Dispatcher"]

log = logging.getLogger(__name__)
T = TypeVar("T")

BREATH = 1.0  # seconds before an answer that broke off is asked for again
_TEDIOUS = 300.0  # seconds; an answer that took this long to break off is not


@dataclass(frozen=True, slots=True)
class _Run:
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


class Dispatcher:
    """`stale_after` (seconds): a question that was older than that when we came up is not answered unasked.
    `taken` keeps a reading of the balance; `admit` raises the error that questions to a model get without a call;
    `assured` waits until it is known that this process holds an account (`Leases.assured`)."""

    def __init__(
        self,
        store: Store,
        model: ChatModel,
        adapter_of: Callable[[Chat], Adapter],
        planner: Planner,
        gate: Gate,
        clock: Clock,
        calibration: Calibration,
        stale_after: float = 900.0,
        metrics: Metrics | None = None,
        taken: Callable[[BalanceReading], Awaitable[None]] | None = None,
        admit: Callable[[str], None] | None = None,
        assured: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._model = model
        self._adapter_of = adapter_of
        self._planner = planner
        self._gate = gate
        self._clock = clock
        self._calibration = calibration
        self._metrics = metrics or Metrics()
        self._take = taken or store.reading
        self._admit = admit
        self._assured = assured
        self._oldest = clock.now() - round(stale_after * 1000)

    async def run(self, turn: Turn, stop: asyncio.Event) -> None:
        """Bring a claimed turn as far as it goes: to its end, or back to the store until its platform is ready. Raises
        StoreError; when cancelled, the turn is still ours."""
        adapter = self._adapter_of(turn.chat)
        began = self._clock.monotonic()
        settings = await self._planner.settings(turn)
        language = settings.language or turn.asker.language
        phrases = _phrases(turn, language)
        delivery = Delivery(turn, adapter, self._store, self._gate, self._clock, phrases, assured=self._assured)
        run = _Run(turn, adapter, settings, language, delivery, phrases, stop, began)
        try:
            answer = await self._answer(run)
            generated = self._clock.monotonic()
            outcome = await self._let_go(run) or await self._deliver(run, answer)
        finally:
            await delivery.close()
            self._metrics.called(turn.chat, delivery.tally)
        now = self._clock.monotonic()
        if outcome is not None and turn.kind is TurnKind.QUESTION:
            fresh = turn.state is TurnState.RUNNING
            visible = None if delivery.first_visible is None or not fresh else delivery.first_visible - began
            self._metrics.ended(turn.chat, outcome, visible=visible, lag=now - generated if fresh else None)
        log.info("%s", _line(run, outcome, now - began))

    async def _answer(self, run: _Run) -> Answer:
        """What there is to show. A new one is generated and recorded: from then on it is the store's."""
        turn = run.turn
        if turn.state is TurnState.DELIVERING:
            return Answer(turn.text, turn.outcome or Outcome.WHOLE, turn.reasoning, turn.notes, turn.menu)
        if max(turn.created, turn.not_before) < self._oldest:
            answer = expired(turn.id, run.language)
        else:
            run.delivery.start()
            run.exchange.text = run.exchange.base = resumed(turn.base)
            await self._generate(run)
            if run.delivery.superseded:
                raise Superseded  # what has come is not all, and nobody here is to say so
            answer = conclude(run.exchange, turn.id, run.language, run.settings.reasoning)
            if await self._is_withdrawn(run):
                answer = replace(answer, menu=None)  # nobody could ask it again
        features = run.adapter.features
        names = BY_NAME if features.commands is None else features.commands
        answer = answer_here(answer, prefix(features, turn.chat), names)
        answer = await self._record(turn, answer, run)
        if run.exchange.balance is not None:
            await self._take(run.exchange.balance)
        return answer

    async def _record(self, turn: Turn, answer: Answer, run: _Run) -> Answer:
        """It is paid for: a store in trouble gets it later, rather than the model asked again. What can't be kept as it
        is, is kept without what was told of the call; and if it's the answer itself, words for that are."""
        plain = {number: unmeasured(entry) for number, entry in run.exchange.entries.items()}
        entries = run.exchange.entries
        for form, kept in ((answer, entries), (answer, plain), (unkept(turn.id, run.language), plain)):
            try:
                await insist(partial(self._store.generated, turn, form, kept), self._clock)
            except StoreRejects as error:
                log.error("turn %d: %s %s", turn.id, error, error.detail)
            else:
                return form
        raise StoreRejects(detail="not even the words for it")

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _generate(self, run: _Run) -> None:
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

    async def _carry_out(self, run: _Run, plan: Plan) -> None:
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

    async def _obtain(self, run: _Run, plan: Plan, separator: str, request: ModelRequest) -> None:
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

    async def _ask(self, run: _Run, plan: Plan, separator: str, request: ModelRequest) -> None:
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

    async def _unless_stopped(self, run: _Run, work: Coroutine[Any, Any, T]) -> T | None:
        """Work (plan, read the stream) to its end, or until somebody says stop: then the process or connection that it
        needs ends at once."""
        try:
            return await before(run.stop.wait(), work)
        except TooLate:
            run.exchange.stopped = True
            return None

    async def _consume(self, run: _Run, number: int, request: ModelRequest) -> None:
        async with aclosing(self._model.stream(request)) as stream:
            async for delta in stream:
                run.exchange.take(number, delta, self._clock.now())
                if delta.retract and not run.exchange.kept:
                    run.delivery.restart(run.exchange.text, run.phrases.thought)
                elif delta.text:
                    self._show(run)
                if run.delivery.failed:
                    return

    def _show(self, run: _Run) -> None:
        exchange = run.exchange
        if not exchange.kept:
            run.delivery.grow(exchange.text)
        elif len(exchange.text) > len(exchange.kept):
            exchange.kept = ""
            run.delivery.restart(exchange.text, run.phrases.again)

    async def _is_withdrawn(self, run: _Run) -> bool:
        """Was the whole question taken back?"""
        asked = run.turn.kind is TurnKind.QUESTION and run.stop.is_set()
        return asked and not await self._store.question(run.turn.id)

    # ── delivering ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _let_go(self, run: _Run) -> Outcome | None:
        """A question that was taken back before anything of its answer was to be seen ends without a word."""
        if not await self._is_withdrawn(run) or run.delivery.begun:
            return None
        await run.delivery.close()
        await self._store.end(run.turn, Outcome.STOPPED)
        return Outcome.STOPPED

    async def _deliver(self, run: _Run, answer: Answer) -> Outcome | None:
        """Show it all; None if the platform wants us to wait: then the text waits in the store."""
        turn = run.turn
        try:
            await run.delivery.finish(answer)
        except RetryLater as later:
            await self._store.postpone(turn, self._clock.now() + round(later.after * 1000))
            return None
        except Gone as gone:
            log.warning("turn %d: gone: %s", turn.id, gone.reason)
            await self._store.end(turn, Outcome.GONE)
            return Outcome.GONE
        except AdapterError as error:
            log.error("turn %d can't be shown: %s", turn.id, error.detail or error)
            await self._store.end(turn, Outcome.REFUSED)
            return Outcome.REFUSED
        outcome = Outcome.REFUSED if run.delivery.unshowable else answer.outcome
        await self._store.end(turn, outcome)
        return outcome


def _phrases(turn: Turn, language: str) -> Phrases:
    return Phrases(
        repeat=say(Text("This may stand here twice: the chat platform did not say whether it arrived."), language),
        unshowable=say(Text("The chat platform refuses to show this answer."), language),
        thought=say(Text("What stands above was the model's thinking. The answer follows."), language),
        again=say(Text("What stands above broke off. It was asked for once more, and that answer follows."), language),
        stop=Menu(((Choice(say(Text("Stop"), language), f"/stop {turn.id}"),),)),
    )


def _line(run: _Run, outcome: Outcome | None, took: float) -> str:
    """The one log line of a turn."""
    turn, delivery = run.turn, run.delivery
    entries = list(run.exchange.entries.values())
    usages = [entry.usage for entry in entries if entry.usage is not None]
    visible = delivery.first_visible
    fields: dict[str, object] = {
        "turn": turn.id,
        "chat": turn.chat.key,
        "attempt": turn.attempt,
        "outcome": outcome or "postponed",
        "model": ",".join(dict.fromkeys(entry.served or entry.asked for entry in entries)) or "-",
        "in": sum(usage.input for usage in usages),
        "out": sum(usage.output for usage in usages),
        "cost": sum(entry.cost.amount for entry in entries if entry.cost is not None),
        "calls": delivery.tally.made.total(),
        "refusals": delivery.tally.refused.total(),
        "visible": "-" if visible is None else f"{visible - run.began:.2f}s",
        "took": f"{took:.2f}s",
    }
    return " ".join(f"{name}={value}" for name, value in fields.items())
