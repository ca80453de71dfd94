"""Core wiring: what stands between the adapters of the platforms and a gateway. The service and the tests wire it here,
and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from bot.commands import Commands, GatewayFacts, ModelBook
from bot.delivery.limiter import RateLimiter
from bot.errors import AmbiguousAccount, SettingError
from bot.gateways.tokens import Calibration
from bot.intake.access import Access
from bot.intake.intake import CoreIntake
from bot.media.prepared import MediaStore
from bot.money.alerts import Rules
from bot.races import cancelled, first_of, sooner
from bot.service.accounts import name_of
from bot.service.leases import Leases
from bot.service.logs import speak_for
from bot.service.metrics import Metrics
from bot.turns.dispatcher import Dispatcher
from bot.turns.generating import Generator
from bot.turns.planning import Options, Planner
from bot.turns.queue import TurnEnds, TurnQueue
from bot.types import Adapter, BalanceReading, Chat, ChatModel, Clock, Store, Turn

__all__ = ["Core", "Wiring"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the core is made of beside its store, its gateway and its adapters. `taken` keeps a reading of the balance,
    `admit` raises the error that questions to a model get without a call; `news` is set when there may be work; `poll`:
    seconds between two looks at the store when nothing tells of any; `called` names the account of a chat in the log,
    '' where the platform does."""

    options: Options
    facts: GatewayFacts
    access: Access
    media: MediaStore
    rules: Rules | None = None
    taken: Callable[[BalanceReading], Awaitable[None]] | None = None
    admit: Callable[[str], None] | None = None
    stale_after: float = 900.0
    poll: float = 30.0
    ends: TurnEnds = field(default_factory=TurnEnds)
    metrics: Metrics = field(default_factory=Metrics)
    called: Callable[[Chat], str] = lambda chat: ""  # noqa: ARG005
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Core:
    """`intake` takes in what the adapters bring; `work` answers it, for the accounts that this process holds."""

    def __init__(
        self,
        store: Store,
        model: ChatModel,
        models: ModelBook,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        wiring: Wiring,
    ) -> None:
        self.adapters = adapters
        self._called = wiring.called
        self._attended: dict[str, str] = {}
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._off: dict[str, str] = {}  # account -> why it is off
        options, calibration = wiring.options, Calibration()
        self.planner = Planner(store, model, wiring.media, clock, options, calibration)
        self.leases = Leases(
            store,
            clock,
            busy=lambda account: self.turns.busy(account),
            hear=lambda signal, about: self.turns.hear(signal, about),
        )
        generator = Generator(store, model, self.planner, clock, calibration, wiring.metrics, wiring.admit)
        self._dispatcher = Dispatcher(
            store,
            self.adapter_of,
            self.planner,
            generator,
            RateLimiter(clock),
            clock,
            wiring.metrics,
            wiring.stale_after,
            wiring.taken,
            self.leases.assured,
        )
        self.turns = TurnQueue(
            store,
            self._run,
            clock,
            lambda: self.leases.accounts,
            poll=wiring.poll,
            ended=wiring.ends.tell,
            news=wiring.news,
        )
        zone = ZoneInfo(options.timezone)
        commands = Commands(store, models, options.at, wiring.facts, zone, wiring.access, wiring.rules)
        self.intake = CoreIntake(
            store, commands, self.turns, clock, wiring.access, lambda chat: self.adapter_of(chat).features
        )

    async def work(self) -> None:
        """Answer what is asked in the accounts that we hold, until `turns.drain` and then `leases.close`."""
        leasing = asyncio.create_task(self.leases.run(), name="leases")
        working = asyncio.create_task(self.turns.run(), name="turns")
        try:
            await asyncio.gather(leasing, working)
        finally:
            await cancelled(leasing, working)

    async def _run(self, turn: Turn, stop: asyncio.Event) -> None:
        speak_for(self._called(turn.chat))
        await self._dispatcher.run(turn, stop)

    async def attend(self, adapter: Adapter, name: str = "") -> None:
        """Bring in what happens on a platform, while we hold its account, which people call `name`; what is pushed to
        us, always. Raises SettingError as `Adapter.run` does, and where another adapter has the same account."""
        speak_for(name)
        key = (await adapter.identify()).key
        other = self._attended.setdefault(key, name)
        if other != name:
            raise AmbiguousAccount(name, other, key)
        self.leases.want(key)
        if adapter.features.pushed:
            await adapter.run(self.intake)
        else:
            await self.leases.attend(key, lambda: adapter.run(self.intake))

    async def attend_all(self, own: Collection[str] = ()) -> None:
        """Bring in what happens on all platforms. An account that its platform refuses is off from then on, which is
        told once, and the rest goes on; raises its SettingError if nothing is left but those in `own`."""
        tasks = {name: asyncio.create_task(self.attend(each, name), name=name) for name, each in self.adapters.items()}
        self._attending = dict(tasks)
        try:
            while True:
                ended = await first_of(*tasks.values())
                for name in [name for name, task in tasks.items() if task in ended]:
                    error = tasks.pop(name).exception()
                    refused = isinstance(error, SettingError) and not isinstance(error, AmbiguousAccount)
                    if not refused or tasks.keys() <= {*own}:
                        return await self._attending[name]
                    self._turn_off(name, str(error))
        finally:
            await cancelled(*tasks.values())

    def _turn_off(self, name: str, error: str) -> None:
        self._off[name] = error
        self.leases.forgo(self.adapters[name].account.key)
        log.error("%s is off until the next start, and the rest goes on: %s", name, error)

    async def tried(self, name: str) -> None:
        """Until it is known how we stand with a platform, or that another process holds its account."""
        adapter = self.adapters[name]
        await sooner(adapter.tried.wait(), self._is_elsewhere(adapter), first_of(self._attending[name]))

    async def _is_elsewhere(self, adapter: Adapter) -> None:
        if adapter.features.pushed or await self.leases.settled(adapter.account.key):
            await asyncio.Event().wait()

    def trouble(self) -> Mapping[str, str]:
        """Platform -> why no events come in right now, '' while all is well, or while another process sees to it."""
        return {
            name: self._off.get(name) or ("" if self.leases.stands_by(adapter.account.key) else adapter.trouble)
            for name, adapter in self.adapters.items()
        }

    def adapter_of(self, chat: Chat) -> Adapter:
        """The adapter that speaks for the account whose chat it is. KeyError if there is none."""
        name = name_of(self.adapters, chat)
        if name is None:
            raise KeyError(chat.account_key)
        return self.adapters[name]
