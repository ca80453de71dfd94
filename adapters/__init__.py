"""The platforms, by name. Only what is switched on is imported: an SDK can cost seconds and a hundred megabytes.

Each package has the same rooms: `settings.py` with `load_settings()` (whose result has `on`; it takes the table of an
account where there may be several), `checks.py` with `checks(settings)` for the doctor, and the adapter, built from its
settings and `AdapterContext`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters.kit.settings import PlatformSettings
from adapters.kit.tables import lacking, table_values
from bot.errors import SettingError, joined
from bot.types import AccountTable, Adapter, AdapterContext, Finding, Mark, Text

__all__ = [
    "ADAPTERS",
    "checks_of_platforms",
    "load",
    "locales",
    "secrets",
    "switched_off",
    "switched_on",
    "tables",
    "variables",
]

ADAPTERS: Mapping[str, str] = {
    "slack": "adapters.slack.adapter:SlackAdapter",
    "telegram": "adapters.telegram.adapter:TelegramAdapter",
    "web": "adapters.web.adapter:WebAdapter",
}


def load(name: str) -> type:
    """The adapter class of a platform. KeyError if there is none of that name."""
    module, _, attribute = ADAPTERS[name].partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, type):
        raise TypeError(f"{ADAPTERS[name]} is not a class")
    return found


def tables() -> dict[str, frozenset[str]]:
    """The platforms of which there may be several accounts, and what the table of one takes."""
    return {name: frozenset(_class_of(name).keys()) for name in ADAPTERS if _class_of(name).own}


def switched_on(accounts: Sequence[AccountTable] = ()) -> dict[str, Callable[[AdapterContext], Adapter]]:
    """How to build the adapter of each account that is switched on: of the variables ("telegram") and of the tables
    ("telegram:sales"). SettingError names each setting that is wrong or can't work together with the others; or what to
    set, if none is on."""
    found: dict[str, Any] = {}
    wrong: list[SettingError] = []
    for name, load_settings in _each(accounts).items():
        try:
            settings = load_settings()
            if settings.on:
                settings.check()
                found[name] = settings
        except SettingError as error:
            wrong.append(error)
    wrong += _shared(found).values()
    if wrong or not found:
        raise joined(wrong or [_none_on()])
    return {name: _builder(settings) for name, settings in found.items()}


def switched_off(accounts: Sequence[AccountTable]) -> dict[str, Text]:
    """Why an account is off that has a table. SettingError if the table can't be meant so."""
    lacks = {each.account: lacking(_class_of(each.platform), each) for each in accounts}
    return {name: words for name, words in lacks.items() if words is not None}


def checks_of_platforms(accounts: Sequence[AccountTable] = ()) -> dict[str, Callable[[], Awaitable[Sequence[Finding]]]]:
    """What the doctor looks at, for each account that is switched on, or has a table, or whose settings are wrong."""
    found: dict[str, Callable[[], Awaitable[Sequence[Finding]]]] = {}
    on: dict[str, Any] = {}
    for name, load_settings in _each(accounts).items():
        try:
            settings = load_settings()
        except SettingError as error:
            found[name] = _complainer(error)
        else:
            if settings.on:
                on[name] = settings
                found[name] = _checker(settings)
    found |= {name: _complainer(error) for name, error in _shared(on).items()}
    found = found or {"platforms": _complainer(_none_on())}
    for each in accounts:
        try:
            found |= {name: _advice(words) for name, words in switched_off([each]).items()}
        except SettingError as error:
            found[each.account] = _complainer(error)
    return found


def variables(accounts: Sequence[AccountTable] = ()) -> frozenset[str]:
    """The names of all variables that platforms read, and those that tables name."""
    named = {value for each in accounts for key, value in each.own.items() if key.endswith("_env")}
    found = {field for name in ADAPTERS for field in _class_of(name).model_fields}
    return frozenset(name.upper() for name in {*found, *named})


def locales() -> list[Path]:
    """Where the adapters' own sentences are translated."""
    return [folder for name in ADAPTERS if (folder := Path(__file__).parent / name / "locales").is_dir()]


def secrets(accounts: Sequence[AccountTable] = ()) -> list[str]:
    """What must stand in no log line."""
    values = [value for name in ADAPTERS for value in vars(_settings_of(name)).values()]
    found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    for each in accounts:
        keys, said = _class_of(each.platform).keys(), table_values(each)
        found += [value for key, value in said.items() if f"{key}_env" in keys or key.endswith("_env")]
    return list(filter(None, found))


def _none_on() -> SettingError:
    return SettingError(
        "TELEGRAM_BOT_TOKEN, SLACK_BOT_TOKEN, WEB",
        "none of these is set, so there is no platform to answer on. Example: WEB=on (or try `magpie demo` first)",
    )


def _class_of(name: str) -> type[PlatformSettings]:
    for each in vars(import_module(f"adapters.{name}.settings")).values():
        if isinstance(each, type) and issubclass(each, PlatformSettings) and each.platform == name:
            return each
    raise TypeError(f"adapters.{name}.settings has no settings of {name}")


def _settings_of(name: str, *table: AccountTable) -> Any:
    return import_module(f"adapters.{name}.settings").load_settings(*table)


def _each(accounts: Sequence[AccountTable]) -> dict[str, Callable[[], Any]]:
    """Account -> its settings, for each that may be on."""
    found: dict[str, Callable[[], Any]] = {name: partial(_settings_of, name) for name in ADAPTERS}
    return found | {each.account: partial(_of_table, each) for each in accounts}


def _of_table(table: AccountTable) -> Any:
    """SettingError; or settings that are off."""
    if lacking(_class_of(table.platform), table):
        return _Off
    return _settings_of(table.platform, table)


class _Off:
    on = False


def _shared(found: Mapping[str, Any]) -> dict[str, SettingError]:
    """Two accounts with one token would take each other's events away."""
    first: dict[tuple[str, str], Any] = {}
    wrong: dict[str, SettingError] = {}
    for name, settings in found.items():
        for field in settings.own:
            value = getattr(settings, field)
            other = first.setdefault((field, value.get_secret_value()), settings) if value else settings
            if other is not settings and name not in wrong:
                wrong[name] = SettingError(
                    settings.place(field),
                    "is the same as {other}: each account needs its own",
                    other=other.place(field),
                )
    return wrong


def _builder(settings: Any) -> Callable[[AdapterContext], Adapter]:
    def build(surroundings: AdapterContext) -> Adapter:
        adapter: Adapter = load(settings.platform)(settings, surroundings)
        return adapter

    return build


def _checker(settings: Any) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def look() -> Sequence[Finding]:
        found: Sequence[Finding] = await import_module(f"adapters.{settings.platform}.checks").checks(settings)
        return found

    return look


def _advice(words: Text) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def look() -> Sequence[Finding]:
        return [Finding(Mark.ADVICE, words)]

    return look


def _complainer(error: SettingError) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def look() -> Sequence[Finding]:
        raise error

    return look
