"""The platforms, by name: one line each. Only what is switched on is imported: a platform's SDK can cost seconds and a
hundred megabytes.

A platform's package holds `settings.py` (`load_settings()`; the result's `on` says whether the platform is switched on),
`checks.py` (`checks(settings)`, for `magpie doctor`), and its adapter, a class built with (settings, Surroundings).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from bot.types import Adapter, Surroundings, Text

__all__ = ["ADAPTERS", "checks_of_platforms", "load", "switched_on"]

ADAPTERS: Mapping[str, str] = {
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
    """The platforms whose settings switch them on, and what opens each. SettingError names what is wrong."""
    return {name: partial(_open, name, settings) for name, settings in _settings().items()}


def checks_of_platforms() -> dict[str, Callable[[], Awaitable[Sequence[tuple[bool, Text]]]]]:
    """What to look at for each platform that is switched on: (is it well, what there is to say)."""
    return {name: partial(_check, name, settings) for name, settings in _settings().items()}


def _settings() -> dict[str, Any]:
    found = {name: import_module(f"adapters.{name}.settings").load_settings() for name in ADAPTERS}
    return {name: settings for name, settings in found.items() if settings.on}


def _open(name: str, settings: Any, surroundings: Surroundings) -> Adapter:
    adapter: Adapter = load(name)(settings, surroundings)
    return adapter


async def _check(name: str, settings: Any) -> Sequence[tuple[bool, Text]]:
    look = import_module(f"adapters.{name}.checks").checks
    found: Sequence[tuple[bool, Text]] = await asyncio.to_thread(look, settings)
    return found
