"""The platforms, by name. Only what is switched on is imported: a platform's SDK can cost seconds and a hundred megabytes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

__all__ = ["ADAPTERS", "load"]

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
