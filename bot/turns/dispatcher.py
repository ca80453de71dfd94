"""Turn dispatcher: runs one turn: history -> request -> stream -> delivery -> record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from bot.commands.table import BY_NAME
from bot.commands.writing.forms import answer_here, prefix
from bot.delivery.delivery import Delivery
from bot.delivery.layout import Phrases
from bot.delivery.limiter import RateLimiter
from bot.delivery.posts import retry_until_stored
from bot.errors import (
    AdapterError,
    RetryLater,
    StoreRejects,
    Superseded,
    Undeliverable,
)
from bot.locales import say
from bot.service.metrics import Metrics
from bot.turns.exchange import conclude, expired, unkept, unmeasured
from bot.turns.generating import Generator, Run
from bot.turns.planning import Planner
from bot.turns.prompt import resumed
from bot.types import (
    Adapter,
    Answer,
    BalanceReading,
    Chat,
    Choice,
    Clock,
    Menu,
    Outcome,
    Store,
    Text,
    Turn,
    TurnKind,
    TurnState,
)

__all__ = ["Dispatcher"]

log = logging.getLogger(__name__)


class Dispatcher:
    """`stale_after` (seconds): a question that was older than that when we came up is not answered unasked.
    `taken` keeps a reading of the balance; `assured` waits until it is known that this process holds an account
    (`Leases.assured`)."""

    def __init__(
        self,
        store: Store,
        adapter_of: Callable[[Chat], Adapter],
        planner: Planner,
        generator: Generator,
        limiter: RateLimiter,
        clock: Clock,
        metrics: Metrics,
        stale_after: float = 900.0,
        taken: Callable[[BalanceReading], Awaitable[None]] | None = None,
        assured: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._adapter_of = adapter_of
        self._planner = planner
        self._generator = generator
        self._limiter = limiter
        self._clock = clock
        self._metrics = metrics
        self._take = taken or store.reading
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
        delivery = Delivery(turn, adapter, self._store, self._limiter, self._clock, phrases, assured=self._assured)
        run = Run(turn, adapter, settings, language, delivery, phrases, stop, began)
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

    async def _answer(self, run: Run) -> Answer:
        """What there is to show. A new one is generated and recorded: from then on it is the store's."""
        turn = run.turn
        if turn.state is TurnState.DELIVERING:
            return Answer(turn.text, turn.outcome or Outcome.WHOLE, turn.reasoning, turn.notes, turn.menu)
        if max(turn.created, turn.not_before) < self._oldest:
            answer = expired(turn.id, run.language)
        else:
            run.delivery.start()
            run.exchange.text = run.exchange.base = resumed(turn.base)
            await self._generator.generate(run)
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

    async def _record(self, turn: Turn, answer: Answer, run: Run) -> Answer:
        """It is paid for: a store in trouble gets it later, rather than the model asked again. What can't be kept as it
        is, is kept without what was told of the call; and if it's the answer itself, words for that are."""
        plain = {number: unmeasured(entry) for number, entry in run.exchange.entries.items()}
        entries = run.exchange.entries
        for form, kept in ((answer, entries), (answer, plain), (unkept(turn.id, run.language), plain)):
            try:
                await retry_until_stored(partial(self._store.generated, turn, form, kept), self._clock)
            except StoreRejects as error:
                log.error("turn %d: %s %s", turn.id, error, error.detail)
            else:
                return form
        raise StoreRejects(detail="not even the words for it")

    # ── delivering ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _is_withdrawn(self, run: Run) -> bool:
        """Was the whole question taken back?"""
        asked = run.turn.kind is TurnKind.QUESTION and run.stop.is_set()
        return asked and not await self._store.question(run.turn.id)

    async def _let_go(self, run: Run) -> Outcome | None:
        """A question that was taken back before anything of its answer was to be seen ends without a word."""
        if not await self._is_withdrawn(run) or run.delivery.begun:
            return None
        await run.delivery.close()
        await self._store.end(run.turn, Outcome.STOPPED)
        return Outcome.STOPPED

    async def _deliver(self, run: Run, answer: Answer) -> Outcome | None:
        """Show it all; None if the platform wants us to wait: then the text waits in the store."""
        turn = run.turn
        try:
            await run.delivery.finish(answer)
        except RetryLater as later:
            await self._store.postpone(turn, self._clock.now() + round(later.after * 1000))
            return None
        except Undeliverable as gone:
            log.warning("turn %d: gone: %s", turn.id, gone.reason)
            await self._store.end(turn, Outcome.GONE)
            return Outcome.GONE
        except AdapterError as error:
            log.error("turn %d can't be shown: %s", turn.id, error.detail or error)
            await self._store.end(turn, Outcome.FAILED)
            return Outcome.FAILED
        outcome = Outcome.FAILED if run.delivery.unshowable else answer.outcome
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


def _line(run: Run, outcome: Outcome | None, took: float) -> str:
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
