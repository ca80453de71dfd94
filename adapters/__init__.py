"""The platforms, by name. Only what is switched on is imported: an SDK can cost seconds and a hundred megabytes.

Each package has the same rooms: `settings.py` with `load_settings()` (whose result has `on`), `checks.py` with
`checks(settings)` for the doctor, and the adapter, built from its settings and `Surroundings`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters.kit.settings import PlatformSettings
from bot.errors import SettingError, joined
from bot.types import Adapter, Finding, Surroundings

__all__ = ["ADAPTERS", "checks_of_platforms", "load", "locales", "secrets", "switched_on", "variables"]

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


def switched_on() -> dict[str, Callable[[Surroundings], Adapter]]:
    """How to build the adapter of each platform that is switched on. SettingError names each setting that is wrong or
    can't work together with the others; or what to set, if none is on."""
    found: dict[str, Callable[[Surroundings], Adapter]] = {}
    wrong: list[SettingError] = []
    for name in ADAPTERS:
        try:
            settings = _settings_of(name)
            if settings.on:
                settings.check()
                found[name] = _builder(name, settings)
        except SettingError as error:
            wrong.append(error)
    if wrong or not found:
        raise joined(wrong or [_none_on()])
    return found


def checks_of_platforms() -> dict[str, Callable[[], Awaitable[Sequence[Finding]]]]:
    """What the doctor looks at, for each platform that is switched on or whose settings are wrong."""
    found: dict[str, Callable[[], Awaitable[Sequence[Finding]]]] = {}
    for name in ADAPTERS:
        try:
            settings = _settings_of(name)
        except SettingError as error:
            found[name] = _complainer(error)
        else:
            if settings.on:
                found[name] = _checker(name, settings)
    return found or {"platforms": _complainer(_none_on())}


def variables() -> frozenset[str]:
    """The names of all variables that platforms read."""
    found: set[str] = set()
    for name in ADAPTERS:
        for each in vars(import_module(f"adapters.{name}.settings")).values():
            if isinstance(each, type) and issubclass(each, PlatformSettings):
                found.update(each.model_fields)
    return frozenset(name.upper() for name in found)


def locales() -> list[Path]:
    """Where the adapters' own sentences are translated."""
    return [folder for name in ADAPTERS if (folder := Path(__file__).parent / name / "locales").is_dir()]


def secrets() -> list[str]:
    """What must stand in no log line."""
    values = [value for name in ADAPTERS for value in vars(_settings_of(name)).values()]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def _none_on() -> SettingError:
    return SettingError(
        "TELEGRAM_BOT_TOKEN, SLACK_BOT_TOKEN, WEB",
        "none of these is set, so there is no platform to answer on. Example: WEB=on (or try `magpie demo` first)",
    )


def _settings_of(name: str) -> Any:
    return import_module(f"adapters.{name}.settings").load_settings()


def _builder(name: str, settings: Any) -> Callable[[Surroundings], Adapter]:
    def build(surroundings: Surroundings) -> Adapter:
        adapter: Adapter = load(name)(settings, surroundings)
        return adapter

    return build


def _checker(name: str, settings: Any) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def look() -> Sequence[Finding]:
        found: Sequence[Finding] = await import_module(f"adapters.{name}.checks").checks(settings)
        return found

    return look


def _complainer(error: SettingError) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def look() -> Sequence[Finding]:
        raise error

    return look
