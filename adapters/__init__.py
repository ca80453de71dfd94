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

from bot.types import Adapter, Surroundings, Text

__all__ = ["ADAPTERS", "checks_of_platforms", "load", "locales", "secrets", "switched_on"]

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
    """How to build the adapter of each platform that is switched on. SettingError if one of its settings is wrong."""
    return {name: _builder(name, settings) for name, settings in _settings().items() if settings.on}


def checks_of_platforms() -> dict[str, Callable[[], Awaitable[Sequence[tuple[bool, Text]]]]]:
    """What the doctor looks at, for each platform that is switched on."""
    return {name: _checker(name, settings) for name, settings in _settings().items() if settings.on}


def locales() -> list[Path]:
    """Where the adapters' own sentences are translated."""
    return [folder for name in ADAPTERS if (folder := Path(__file__).parent / name / "locales").is_dir()]


def secrets() -> list[str]:
    """What must stand in no log line."""
    values = [value for settings in _settings().values() for value in vars(settings).values()]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


def _settings() -> dict[str, Any]:
    return {name: import_module(f"adapters.{name}.settings").load_settings() for name in ADAPTERS}


def _builder(name: str, settings: Any) -> Callable[[Surroundings], Adapter]:
    def build(surroundings: Surroundings) -> Adapter:
        adapter: Adapter = load(name)(settings, surroundings)
        return adapter

    return build


def _checker(name: str, settings: Any) -> Callable[[], Awaitable[Sequence[tuple[bool, Text]]]]:
    async def look() -> Sequence[tuple[bool, Text]]:
        found: Sequence[tuple[bool, Text]] = await import_module(f"adapters.{name}.checks").checks(settings)
        return found

    return look
