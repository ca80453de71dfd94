"""Diagnosis of an installation (`magpie doctor`): what is checked, in order, and how it is told.

A check that can't pass stops nothing but itself.
"""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from bot.errors import GatewayError, MagpieError, SettingError, StoreLocked, Unreachable
from bot.gateways.capabilities import CapabilityCache
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.call import Late
from bot.gateways.chat_api.client import Client
from bot.gateways.gateway import make_client, make_gateway
from bot.locales import say
from bot.money.recipients import Recipients
from bot.privacy import readable_by_others
from bot.service.config import Settings, Toml, load_settings, load_toml
from bot.service.metrics import stranded_turns
from bot.service.variables import unknown_variables
from bot.types import Clock, Finding, Mark, ModelRequest, PromptMessage, Store, Text

__all__ = [
    "Check",
    "Look",
    "Patient",
    "check_alerts",
    "check_key",
    "checks",
    "examine",
    "without_password",
]


Look = Callable[[], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """`look` finds one or several things, or raises a MagpieError, whose words are then what is wrong."""

    name: str
    look: Look


async def examine(checks: Sequence[Check], tell: Callable[[str], None], language: str = "en") -> bool:
    """Make every check and tell a line for each finding. True if nothing is wrong."""
    well = True
    named: set[str] = set()  # wrong settings: some are read by several
    for check in checks:
        try:
            findings = list(await check.look())
        except SettingError as wrong:
            fresh = [each for each in (wrong, *wrong.others) if each.name not in named]
            named.update(each.name for each in fresh)
            findings = [Finding(Mark.WRONG, Text("{problem}", {"problem": each})) for each in fresh]
        except MagpieError as error:
            problem = Text("{problem} {detail}" if error.detail else "{problem}", vars(error) | {"problem": error})
            findings = [Finding(Mark.WRONG, problem)]
        for mark, words in findings:
            well = well and mark is not Mark.WRONG
            tell(f"{mark:3}  {check.name:9} {say(words, language)}")
    return well


@dataclass(frozen=True, slots=True)
class Patient:
    """An installation as the doctor can look at it: the variables that have an effect, what each platform looks at,
    its store, who hears of alerts, and of which platforms magpie.toml may have accounts."""

    variables: Collection[str]
    platforms: Mapping[str, Look]
    store: Callable[[Settings], AbstractAsyncContextManager[Store]]
    recipients: Callable[[Settings], AbstractAsyncContextManager[Recipients]]
    tables: Mapping[str, Collection[str]] = field(default_factory=dict)


def checks(patient: Patient, clock: Clock) -> list[Check]:
    """All that there is to check, in the order in which people mend it."""
    first = [Check("settings", lambda: check_variables(patient.variables))]
    platforms = [Check(name, look) for name, look in patient.platforms.items()]
    try:
        settings, toml = load_settings(), load_toml(platforms=patient.tables)
    except SettingError as wrong:
        return [*first, Check("settings", _complaint(wrong)), *platforms]
    return [
        Check("magpie", lambda: check_installation(settings.data_dir, toml)),
        *first,
        Check("database", lambda: check_store(patient, settings)),
        Check("gateway", lambda: check_gateway(settings, toml, clock)),
        Check("alerts", lambda: check_hearers(patient, settings)),
        *platforms,
    ]


def _complaint(wrong: SettingError) -> Look:
    async def look() -> Sequence[Finding]:
        raise wrong

    return look


async def check_store(patient: Patient, settings: Settings) -> Sequence[Finding]:
    """Can the database be used? One that a running service uses can't be used by us, and is well."""
    url = {"url": without_password(settings.store_url)}
    try:
        async with patient.store(settings) as store:
            found = [Finding(Mark.OK, Text("The database can be used: {url}.", url))]
            return [*found, *await _stranded(patient, settings, store)]
    except StoreLocked:
        words = Text("The database is in use by a magpie that runs, which is as it should be: {url}.", url)
        return [Finding(Mark.OK, words)]


async def _stranded(patient: Patient, settings: Settings, store: Store) -> list[Finding]:
    """What waits for a platform or an account that is switched off."""
    turns = stranded_turns(await store.backlog(), await store.holders())
    ours = await _ours(patient, settings) if turns else []
    words = Text("{count} turns wait for {account}, which is switched off; the oldest since {since}.")
    return [
        Finding(Mark.ADVICE, Text(words.id, {"count": count, "account": account, "since": _when(since)}))
        for account, (count, since) in turns.items()
        if account not in ours and account.partition("/")[0] + "/" not in ours
    ]


async def _ours(patient: Patient, settings: Settings) -> list[str]:
    """The accounts that are switched on. Of one that has never been asked who it is only the platform is known, and of
    all if their settings are wrong: "platform/"."""
    try:
        async with patient.recipients(settings) as recipients:
            return [account.key for account in recipients.accounts]
    except SettingError:
        return [f"{name.partition(':')[0]}/" for name in patient.platforms]


def _when(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


async def check_gateway(settings: Settings, toml: Toml, clock: Clock) -> Sequence[Finding]:
    gateway = make_gateway(settings, toml)
    client = make_client(gateway, Catalogue(toml.models), settings, clock, CapabilityCache())
    try:
        return await check_key(client, settings.chat_model, gateway.url)
    finally:
        await client.aclose()


async def check_hearers(patient: Patient, settings: Settings) -> Sequence[Finding]:
    try:
        async with patient.recipients(settings) as recipients:
            return await check_alerts(recipients, settings.thresholds)
    except SettingError as error:
        if error.name == "ALERT_CHATS":
            raise
        return []  # a platform's own check tells it


def without_password(url: str) -> str:
    """A database's URL, to be shown."""
    head, _, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if head else url


async def check_installation(data: Path, toml: Toml) -> Sequence[Finding]:
    """Which Magpie this is, on what, and how much it keeps."""
    where, kept = await asyncio.to_thread(_measured, data)
    words = Text(
        "magpie {version}, Python {python}, {machine}. Data: {data} ({size} MB).",
        {
            "version": version("magpie-bot"),
            "python": ".".join(map(str, sys.version_info[:3])),
            "machine": f"{platform.system()} {platform.machine()}",
            "data": where,
            "size": f"{kept / 1e6:.1f}",
        },
    )
    return [Finding(Mark.OK, words), *_privacy(data, toml)]


def _privacy(data: Path, toml: Toml) -> list[Finding]:
    """Can others on this machine read the keys or the conversations?"""
    found = []
    words = Text("Others on this machine can read {file}, which has your keys: chmod 600 {file}")
    for name in (".env", *(("magpie.toml",) if any("token" in each.own for each in toml.accounts) else ())):
        if readable_by_others(Path(name)):
            found.append(Finding(Mark.ADVICE, replace(words, data={"file": name})))
    if readable_by_others(data):
        words = Text("Others on this machine can look into {data}: chmod 700 {data}", {"data": data})
        found.append(Finding(Mark.ADVICE, words))
    return found


def _measured(data: Path) -> tuple[Path, int]:
    """Where a directory is, and how many bytes are in it."""
    return data.resolve(), sum(path.stat().st_size for path in data.rglob("*") if path.is_file())


async def check_variables(known: Collection[str]) -> Sequence[Finding]:
    """Is a variable misspelt?"""
    return [Finding(Mark.ADVICE, words) for words in unknown_variables(known)]


async def check_key(client: Client, model: str, url: str) -> Sequence[Finding]:
    """One cheap call: does the gateway at `url` take our key, and does the model answer?"""
    request = ModelRequest(model, (PromptMessage("user", "Say ok."),), {"max_tokens": 1})
    balance = None
    try:
        async with aclosing(client.stream(request)) as stream:
            async for delta in stream:
                balance = delta.balance or balance
    except Late:
        raise  # it can be reached; what ran out is in the words
    except Unreachable as error:
        words = Text("CHAT_API_URL: {url} can't be reached: {reason}", {"url": url, "reason": error.detail or error})
        return [Finding(Mark.WRONG, words)]
    names = {"gateway": client.gateway, "model": model}
    told = [Finding(Mark.OK, Text("{gateway} takes the key, and {model} answers.", names))]
    try:
        balance = balance or await client.balance()
    except GatewayError as error:
        words = Text("The balance can't be asked for: {reason}", {"reason": error.detail or error})
        told.append(Finding(Mark.ADVICE, words))
    if balance is not None:
        low = balance.money.amount <= 0
        words = Text("The balance of the key is {balance}.", {"balance": balance.money})
        told.append(Finding(Mark.WRONG if low else Mark.OK, words))
    return told


async def check_alerts(recipients: Recipients, thresholds: Sequence[Decimal]) -> Sequence[Finding]:
    """Is anybody told when the account runs dry, and can they be?"""
    told = [Finding(Mark.WRONG, words) for words in await recipients.troubles()]
    if not recipients.places:
        words = Text("Nobody is told when the balance is low or the key is rejected: set ALERT_CHATS.")
        told.append(Finding(Mark.WRONG if thresholds else Mark.ADVICE, words))
    elif not told:
        told.append(Finding(Mark.OK, Text("The chats that hear of alerts can be written to.")))
    if not thresholds:
        told.append(Finding(Mark.ADVICE, Text("The balance is not watched: set BALANCE_ALERT_BELOW.")))
    return told
