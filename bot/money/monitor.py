"""Balance monitor: takes readings, asks for one when none has come for a while, raises alerts and lays them.

What was told is in the store, in one transaction with the messages that tell it: no restart repeats or loses an alert.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from bot.commands.writing.wording import written
from bot.errors import BadKey, GatewayError, MagpieError
from bot.money.alerts import BELOW, KEY, MONEY, AlertMessage, Rules, below, muted_until, notices
from bot.money.balance import finances
from bot.types import BalanceReading, Clock, Store

__all__ = ["BalanceMonitor"]

log = logging.getLogger(__name__)

_HOUR = 3_600_000  # ms that the gateway has to answer before an alert about the key or quota can be raised again
_PATIENCE = 600_000  # ms that alerts wait for a platform to connect

Ask = Callable[[], Awaitable[BalanceReading | None]]


class BalanceMonitor:
    """`ask` asks the gateway for its balance (`Client.balance`) if no reading has come for `every` seconds; 0 is never.

    `wake` is called when there is something to be sent, `recovered` with each reading.
    """

    def __init__(
        self,
        store: Store,
        rules: Rules,
        clock: Clock,
        ask: Ask,
        every: float,
        wake: Callable[[], None] = lambda: None,
        recovered: Callable[[BalanceReading], None] = lambda _reading: None,
    ) -> None:
        self._wake = wake
        self._recovered = recovered
        self._store = store
        self._rules = rules
        self._clock = clock
        self._ask = ask
        self._every = round(every * 1000)
        self._began = clock.now()
        self._asked = 0
        self._failing = False
        self._side: tuple[int, int] | None = None
        self._refusals: dict[str, tuple[int, str]] = {}  # name -> when the gateway last refused, and what it said
        self._answer = 0  # when it last answered
        self._looking = asyncio.Lock()

    async def take(self, reading: BalanceReading) -> None:
        """Keep a reading. StoreError if it can't be kept; what it means for alerts is then seen by the next `tick`."""
        await self._store.reading(reading)
        self._recovered(reading)
        if self._rules.side(reading.money.amount) != self._side:
            await self._safely(self.look)

    async def refused(self, error: GatewayError) -> None:
        """The gateway rejects the key, or has no money for us."""
        self._refusals[KEY if isinstance(error, BadKey) else MONEY] = (self._clock.now(), error.detail)
        await self._safely(self.look)

    def answered(self) -> None:
        self._answer = self._clock.now()

    async def tick(self) -> None:
        """What the clock's job does: what is due, by the store."""
        await self._safely(self._probe)
        await self._safely(self.look)

    async def look(self) -> None:
        """Compare what is known with what was told. StoreError."""
        async with self._looking:
            reading = await self._store.balance(self._rules.gateway)
            raised = await self._store.alerts(self._rules.gateway)
            await self._lay(reading, raised)
            if self._is_early() or await muted_until(self._store, self._clock.now()) is not None:
                return  # told afterwards, if it still holds then
            if reading is not None:
                await self._raise_low(reading.money.amount, raised)
                self._side = self._rules.side(reading.money.amount)
            await self._raise_refusals(raised)

    def _is_early(self) -> bool:
        """A platform that is just connecting gets its time, or its chats would never hear of what is raised now."""
        return self._rules.waiting() and self._clock.now() - self._began < _PATIENCE

    # ── raising and laying ──────────────────────────────────────────────────────────────────────────────────────────

    async def _lay(self, reading: BalanceReading | None, raised: Mapping[str, int]) -> None:
        for name, since in raised.items():
            if name.startswith(BELOW):
                over = reading is not None and self._rules.rearmed(name, reading.money.amount)
            else:
                last = max(since, self._refusals.get(name, (0, ""))[0])
                over = self._answer - last >= _HOUR
            if over:
                await self._store.alert(self._rules.gateway, name, raised=False)

    async def _raise_low(self, amount: Decimal, raised: Mapping[str, int]) -> None:
        """One message, about the lowest threshold: who hears of 5 knows about 20. The lowest comes last, so that who
        dies in between still tells it."""
        crossed = [each for each in self._rules.crossed(amount) if below(each) not in raised]
        for threshold in crossed:
            message = None
            if threshold == crossed[-1]:
                found = await finances(self._store, self._rules.gateway, self._clock.now(), self._rules.account)
                message = AlertMessage.low(found, threshold, self._rules)
            await self._raise(below(threshold), message)

    async def _raise_refusals(self, raised: Mapping[str, int]) -> None:
        for name, (at, words) in self._refusals.items():
            if name in raised or at < self._answer:
                continue
            if name == KEY:
                message = AlertMessage.bad_key(words, self._rules)
            else:
                found = await finances(self._store, self._rules.gateway, self._clock.now(), self._rules.account)
                message = AlertMessage.no_money(found, self._rules)
            await self._raise(name, message)

    async def _raise(self, name: str, message: AlertMessage | None) -> None:
        told = await notices(self._store, self._rules, message, written) if message is not None else []
        if await self._store.alert(self._rules.gateway, name, raised=True, notices=told):
            log.warning("alert %s at %s, told to %d chats", name, self._rules.gateway, len(told))
            self._wake()

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _probe(self) -> None:
        now = self._clock.now()
        known = await self._store.balance(self._rules.gateway)
        if not self._every or now - max(self._asked, known.at if known else 0) < self._every:
            return
        self._asked = now
        try:
            reading = await self._ask()
        except GatewayError as error:
            if not self._failing:
                log.warning("the balance can't be asked for: %s (%s)", error, error.detail)
            self._failing = True
            return
        self._failing = False
        if reading is not None:
            await self.take(reading)

    async def _safely(self, work: Callable[[], Awaitable[None]]) -> None:
        """What goes wrong here costs nobody an answer: the next tick tries again."""
        try:
            await work()
        except MagpieError as error:
            log.warning("alerts: %s (%s)", error, error.detail)
        except Exception:
            log.exception("alerts: failed in a way nobody thought of")
