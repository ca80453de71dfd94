"""Application: builds everything and runs it: the only module that names adapters and stores."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from adapters import (
    ADAPTERS,
    checks_of_platforms,
    locales,
    secrets,
    switched_off,
    switched_on,
    tables,
    variables,
)
from bot.clock import SystemClock
from bot.commands import listing
from bot.errors import SettingError, StoreError, Unreachable, joined
from bot.gateways.breaker import CircuitBreaker
from bot.gateways.catalogue import Catalogue
from bot.gateways.gateway import Models, make_client, make_gateway, remembered
from bot.gateways.profiles import Gateway
from bot.hosts import is_known_host
from bot.http.health import Health, monitoring
from bot.http.host import Host
from bot.http.server import Server, listen, reachable
from bot.intake.access import Access
from bot.languages.names import listing as languages
from bot.locales import learn, say, terminal_language
from bot.media.prepared import MediaStore, readable
from bot.money.alerts import Rules
from bot.money.monitor import BalanceMonitor
from bot.money.recipients import Recipients, check_places
from bot.privacy import tighten
from bot.races import cancelled, first_of
from bot.service.accounts import Accounts, rows_of
from bot.service.config import Settings, Toml, load_settings, load_toml
from bot.service.core import Core, Wiring
from bot.service.doctor import Patient, checks, examine, without_password
from bot.service.jobs import Job, run_jobs
from bot.service.leases import JOBS
from bot.service.logs import set_up, speaking_for
from bot.service.metrics import Metrics, stranded_turns
from bot.service.retention import erase, tidy
from bot.service.variables import unknown_variables
from bot.turns.planning import Options
from bot.turns.queue import TurnEnds
from bot.types import (
    AccountTable,
    Adapter,
    AdapterContext,
    AsgiApp,
    ChatSettings,
    Clock,
    Store,
    Text,
)
from storage import DataLock, open_store

__all__ = ["App", "build", "doctor", "invite", "opened_store", "run", "upgrade"]

log = logging.getLogger(__name__)

OWN = frozenset({"web"})  # platforms on which every user is the owner
ALERTS = "magpie-alerts"  # the id of the chat that they have for alerts
TICK = 60.0  # seconds between two looks at what is due
ERASE = 20.0  # seconds between two looks at what was deleted
TIDY = 3600.0  # seconds between two looks at what is too old
MOST_MEDIA = 500_000_000  # bytes of prepared pictures that are kept
FIRST_ANSWERS = 10.0  # seconds that the platforms get before we say that we are ready

_STEP = Text("Preparing the database: step {done} of {of}")

Announce = Callable[[str], None]
T = TypeVar("T")
Platforms = Mapping[str, Callable[[AdapterContext], Adapter]]


for _folder in locales():
    learn(_folder)


@dataclass(slots=True)
class App:
    """The service, wired. `run` it until `stop` is set."""

    settings: Settings
    store: Store
    clock: Clock
    models: Models
    core: Core
    parts: Wiring
    watch: BalanceMonitor
    recipients: Recipients

    async def run(self, stop: asyncio.Event, listening: socket.socket, welcome: Callable[[], Awaitable[None]]) -> None:
        """Serve until `stop`; then no new work, and what runs gets DRAIN_SECONDS to end. `welcome` is called when the
        platforms have let us in, as far as they can be reached."""
        mounts: dict[str, AsgiApp] = {}
        for name, adapter in self.core.adapters.items():
            mounts |= {path: speaking_for(name, app) for path, app in adapter.http.items()}
        settings, gateway = self.settings, self.models.gateway.name
        metrics = self.parts.metrics
        health = Health(
            self.store, self.core.trouble, lambda: metrics.troubles.get(gateway, ""), settings.data_dir, self.clock
        )
        pages = monitoring(settings, lambda: metrics.page(self.store, gateway))
        knows = partial(is_known_host, http_host=settings.http_host, public_url=settings.public_url)
        server = Server(Host(mounts, health.parts, pages, knows=knows))
        serving = asyncio.create_task(server.serve([listening]), name="http")
        working = asyncio.create_task(self.core.work(), name="work")
        arriving = asyncio.create_task(self.core.attend_all(OWN), name="platforms")
        self.core.leases.want(JOBS)
        ticking = asyncio.create_task(self.core.leases.attend(JOBS, lambda: run_jobs(*self._jobs())), name="jobs")
        stopping = asyncio.create_task(stop.wait())
        vital = {stopping, serving, working, ticking, arriving}
        behind = [asyncio.create_task(self._first_answers(), name="first answers")]
        try:
            ended = await first_of(*vital, *behind) & vital
            if not ended:
                await welcome()
                behind.append(asyncio.create_task(self._settle_in(), name="settle in"))
                ended = await first_of(*vital)
            for task in ended - {stopping}:
                await task  # nothing vital ends by itself: raise why it did
        finally:
            await cancelled(arriving, ticking, stopping, *behind)
            await self.parts.media.close()  # nobody waits for a file: its question is begun anew at the next start
            await self.core.turns.drain(self.settings.drain_seconds)
            await self.core.leases.close()
            server.stop()
            await cancelled(working)
            await asyncio.gather(serving, return_exceptions=True)

    def _jobs(self) -> list[Job]:
        gateway = self.models.gateway.name
        return [
            Job("balance", TICK, self.watch.tick),
            Job("erasing", ERASE, lambda: erase(self.store, self.clock)),
            Job("tidying", TIDY, lambda: tidy(self.store, gateway, self.clock)),
        ]

    async def _first_answers(self) -> None:
        """Until it is known of each platform how we stand there. One that can't be reached keeps nobody waiting, and
        one whose account another process holds is its business."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ANSWERS):
                for name in self.core.adapters:
                    await self.core.tried(name)
        for name, trouble in self.core.trouble().items():
            if trouble:
                log.warning("%s is not connected yet and goes on trying: %s", name, trouble)

    async def _settle_in(self) -> None:
        """What need not be done before the first question."""
        for trouble in await self.recipients.troubles():
            log.warning("%s", say(trouble, "en"))
        error = await self.models.learn()
        if isinstance(error, Unreachable):
            self.parts.metrics.gateway(self.models.gateway.name, error)
        await self.parts.media.prune(MOST_MEDIA)
        with contextlib.suppress(StoreError):
            await self._tell_stranded()

    async def _tell_stranded(self) -> None:
        found = stranded_turns(await self.store.backlog(), await self.store.holders())
        for account, (count, since) in found.items():
            when = datetime.fromtimestamp(since // 1000, UTC).isoformat()
            log.warning("%s is not switched on: %d turns wait for it, the oldest since %s", account, count, when)


def build(
    settings: Settings,
    platforms: Platforms,
    store: Store,
    models: Models,
    clock: Clock,
    tables: Sequence[AccountTable] = (),
) -> App:
    """Wire the parts."""
    usual = ChatSettings(settings.chat_model)
    client, ends, news = models.client, TurnEnds(), asyncio.Event()
    around = AdapterContext(store, models.all, clock, client.gateway, commands=listing, languages=languages, say=say)
    sandbox = models.gateway.profile.name == "sandbox"
    around = replace(around, alerts=ALERTS, reads=readable(), sandbox=sandbox, on_turn_end=ends.follow)
    named = {each.account: each for each in tables}
    adapters = {
        name: make(replace(around, archive=store if name in OWN else None, defaults=rows_of(usual, named.get(name))))
        for name, make in platforms.items()
    }
    accounts = Accounts(adapters, named)
    recipients = _recipients(settings, adapters)
    rules = replace(_rules(settings, models.gateway, recipients), account=accounts.called)
    every = settings.balance_probe_every
    watch = BalanceMonitor(store, rules, clock, client.balance, every, news.set, lambda told: guarded.recovered(told))
    guarded = CircuitBreaker(client, clock, watch.refused, watch.answered)
    wiring = Wiring(
        Options(
            usual,
            settings.vision_model,
            settings.video_model,
            settings.translation_model,
            settings.timezone,
            own=partial(accounts.defaults, usual),
        ),
        models.facts(settings),
        Access(store, settings.admin_ids, everyone=settings.access == "open", table=accounts.table),
        MediaStore(settings.data_dir / "media", clock),
        rules,
        watch.take,
        guarded.check,
        settings.stale_after,
        ends=ends,
        news=news,
        metrics=Metrics(accounts.label),
        called=accounts.label,
    )
    core = Core(store, guarded, models, adapters, clock, wiring)
    return App(settings, store, clock, models, core, wiring, watch, recipients)


def _recipients(settings: Settings, adapters: Mapping[str, Adapter]) -> Recipients:
    return Recipients(settings.alert_places, adapters, {name: ALERTS for name in OWN if name in adapters})


def _rules(settings: Settings, gateway: Gateway, recipients: Recipients) -> Rules:
    profile = gateway.profile
    return Rules(
        gateway.name,
        settings.thresholds,
        recipients.chats,
        recipients.waiting,
        topup_url=profile.topup_url,
        key_url=profile.key_url,
        own=recipients.own,
    )


async def invite(access: Access, adapters: Mapping[str, Adapter], announce: Announce) -> None:
    """Where nobody could let anybody in, tell whoever started us how to become admin."""
    missing = await access.without_admin({name: each.account for name, each in adapters.items() if name not in OWN})
    if missing:
        names, code = ", ".join(missing), access.code.issue()
        words = Text("Magpie has no admin yet ({names}). To become its admin, send this to the bot: /claim {code}")
        _tell(announce, words, names=names, code=code)


async def run(
    *, announce: Announce, ready: Callable[[str], object] | None = None, only: str = "", **overrides: Any
) -> None:
    """`magpie run`: until SIGTERM or SIGINT. `announce` tells people about progress, then the address, which `ready`
    gets as well; `only` one platform, whatever else is switched on."""
    settings, toml, gateway, platforms = _preflight(overrides)
    if only:
        platforms = {name: make for name, make in platforms.items() if name == only}
    for words in [*unknown_variables(known_variables()), *(() if only else switched_off(toml.accounts).values())]:
        _tell(announce, words)
    set_up(settings.log_level, settings.log_format, [gateway.key, *secrets(toml.accounts)])
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock, catalogue = SystemClock(), Catalogue(toml.models, thinking=gateway.profile.thinking)
    async with contextlib.AsyncExitStack() as stack:
        listening = listen(settings.http_host, settings.http_port)
        stack.callback(listening.close)
        store = await stack.enter_async_context(opened_store(settings, clock, announce))
        learned = await remembered(store, gateway.name, clock)
        client = make_client(gateway, catalogue, settings, clock, learned)
        stack.push_async_callback(client.aclose)
        app = build(settings, platforms, store, Models(gateway, client, catalogue), clock, toml.accounts)
        host, port = listening.getsockname()[:2]

        async def welcome() -> None:
            await invite(app.parts.access, app.core.adapters, announce)
            url = settings.public_url.rstrip("/") + "/" if settings.public_url else reachable(host, port)
            _tell(announce, Text("Magpie is ready: {url}  (Ctrl+C stops it)"), url=url)
            if ready is not None:
                ready(url)

        await app.run(stop, listening, welcome)


def _preflight(overrides: Mapping[str, Any]) -> tuple[Settings, Toml, Gateway, Platforms]:
    """What the service is started with. SettingError names everything that is wrong, so that nobody has to start it
    once for each."""
    wrong: list[SettingError] = []

    def look(what: Callable[[], T]) -> T | None:
        try:
            return what()
        except SettingError as error:
            wrong.append(error)
            return None

    settings, toml = look(lambda: load_settings(**overrides)), look(lambda: load_toml(platforms=tables()))
    accounts = toml.accounts if toml else ()
    platforms = look(lambda: switched_on(accounts))
    gateway = look(lambda: make_gateway(settings, toml)) if settings and toml else None
    if settings and toml and platforms:
        look(lambda: check_places(settings.alert_places, _nameable(accounts), platforms))
    if wrong or settings is None or toml is None or gateway is None or platforms is None:
        raise joined(wrong)
    return settings, toml, gateway, platforms


def _nameable(accounts: Sequence[AccountTable]) -> list[str]:
    """The platforms and accounts that ALERT_CHATS may name."""
    return [*ADAPTERS, *(each.account for each in accounts)]


async def upgrade(*, announce: Announce) -> None:
    """`magpie db upgrade`: create the database, or bring it to this version."""
    settings = load_settings()
    set_up(settings.log_level, settings.log_format)
    async with opened_store(settings, SystemClock(), announce):
        url = without_password(settings.store_url)
        _tell(announce, Text("The database is at this version: {url}"), url=url)


async def doctor(*, tell: Announce) -> int:
    """`magpie doctor`: 0 if nothing is wrong, 1 if something is."""
    set_up("error", "text")
    clock, accounts = SystemClock(), _tables()

    @contextlib.asynccontextmanager
    async def recipients(settings: Settings) -> AsyncIterator[Recipients]:
        on = switched_on(accounts)
        check_places(settings.alert_places, _nameable(accounts), on)
        memory = await open_store("sqlite://", owner="doctor", clock=clock)
        try:
            around = AdapterContext(memory, list, clock)
            yield _recipients(settings, {name: make(around) for name, make in on.items()})
        finally:
            await memory.close()

    patient = Patient(
        known_variables(),
        checks_of_platforms(accounts),
        lambda settings: opened_store(settings, clock, lambda _line: None),
        recipients,
        tables(),
    )
    return 0 if await examine(checks(patient, clock), tell, terminal_language()) else 1


def _tables() -> tuple[AccountTable, ...]:
    """The accounts of magpie.toml; none if that can't be read, which is told elsewhere."""
    try:
        return load_toml(platforms=tables()).accounts
    except SettingError:
        return ()


def known_variables() -> frozenset[str]:
    """Every variable that has an effect."""
    return variables(_tables()) | {name.upper() for name in Settings.model_fields}


@contextlib.asynccontextmanager
async def opened_store(settings: Settings, clock: Clock, announce: Announce) -> AsyncIterator[Store]:
    """The store under DATA_DIR, which is then ours alone, or the one of DATABASE_URL."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(
            "DATA_DIR",
            "{path} can't be made ({reason}). Example: DATA_DIR=./data",
            path=settings.data_dir,
            reason=error.strerror or error,
        ) from error
    tighten(settings.data_dir)
    alone = settings.store_url.startswith("sqlite")
    with DataLock(settings.data_dir / "lock") if alone else contextlib.nullcontext():
        store = await open_store(
            settings.store_url,
            owner=uuid.uuid4().hex,
            clock=clock,
            progress=lambda done, of: _tell(announce, _STEP, done=done, of=of),
        )
        try:
            yield store
        finally:
            await store.close()


def _tell(announce: Announce, words: Text, **data: object) -> None:
    announce(say(words, terminal_language(), **data))
