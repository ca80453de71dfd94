"""What trying has taught about a gateway: facts by name, kept for the next time.

`stream_options`, `usage_asked` -> bool; `<model>/image|frames|video|search|thinking|cumulative` -> bool;
`<model>/context` and `<model>/max_output` -> tokens; `language/<name>` -> the gateway's own name of it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.errors import MagpieError
from bot.types import Json, ModelInfo

__all__ = ["Learned"]

log = logging.getLogger(__name__)

_ABILITIES = ("image", "frames", "video", "search", "thinking")
_SIZES = ("context", "max_output")


class Learned:
    """`facts` as they were kept; `save(name, value)` keeps one more. One that can't be kept still holds in this run."""

    def __init__(
        self, facts: Mapping[str, Json] | None = None, save: Callable[[str, Json], Awaitable[None]] | None = None
    ) -> None:
        self._facts = dict(facts or {})
        self._save = save

    def get(self, name: str) -> Json:
        return self._facts.get(name)

    async def note(self, name: str, value: Json) -> None:
        if self._facts.get(name) == value:
            return
        self._facts[name] = value
        log.info("learned of the gateway: %s = %r", name, value)
        if self._save is None:
            return
        try:
            await self._save(name, value)
        except MagpieError as error:
            log.warning("could not keep what was learned (%s): %s", name, error)

    def applied(self, info: ModelInfo) -> ModelInfo:
        """What is known of a model, with what was learned: an ability it turned out to lack, a size that is smaller."""
        changes: dict[str, Any] = {}
        for ability in _ABILITIES:
            if self._facts.get(f"{info.id}/{ability}") is False:
                changes[ability] = False
        for name in _SIZES:
            size = self._facts.get(f"{info.id}/{name}")
            known: int | None = getattr(info, name)
            if isinstance(size, int) and not isinstance(size, bool) and size > 0 and (known is None or size < known):
                changes[name] = size
        if self._facts.get(f"{info.id}/cumulative") is True:
            changes["cumulative"] = True
        return replace(info, **changes) if changes else info
