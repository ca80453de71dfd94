"""Capability cache: what trying has taught about a gateway: facts by name, kept for the next time.

`stream_options`, `usage_asked` -> bool; `<model>/image|frames|video|search|thinking|system|cumulative` and
`<model>/max_completion_tokens` -> bool; `<model>/context` and `<model>/max_output` -> tokens as the gateway counts
them, `<model>/prompt` -> as we do; `language/<name>` -> the gateway's own name of it.

What is learned of a model may have been misunderstood, or change: it is forgotten after a while, and then tried again;
the more often it was found to be so, the later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.errors import MagpieError
from bot.gateways.chat_api.amounts import LEAST
from bot.gateways.tokens import tokens_of
from bot.types import Json, ModelInfo, ModelRequest, Supposition

__all__ = ["CapabilityCache"]

log = logging.getLogger(__name__)

_ABILITIES = ("image", "frames", "video", "search", "thinking", "system")
_SIZES = ("context", "max_output", "prompt")
_DAY = 86_400_000  # ms
_TOLD, _GUESSED = 30, 1  # days that it holds: what the gateway has said, and what we have found out without its words


class CapabilityCache:
    """`facts` as they were kept; `save(name, value)` keeps one more. One that can't be kept still holds in this run.
    `now` is UTC ms."""

    def __init__(
        self,
        facts: Mapping[str, Json] | None = None,
        save: Callable[[str, Json], Awaitable[None]] | None = None,
        now: Callable[[], int] = lambda: round(time.time() * 1000),
    ) -> None:
        self._facts = dict(facts or {})
        self._save = save
        self._now = now
        self._seen: set[str] = set()  # facts that an answer of this run speaks against
        self._largest: dict[str, int] = {}  # model -> tokens of the largest prompt it has answered in this run

    def get(self, name: str, request: ModelRequest | None = None) -> Json:
        """What holds now, or is supposed in a request."""
        for supposed in request.supposed if request else ():
            if supposed.name == name:
                return supposed.value
        fact = self._facts.get(name)
        if isinstance(fact, dict) and isinstance(until := fact.get("until"), int):
            return fact.get("is") if self._now() < until else None
        return fact

    async def note(self, name: str, value: Json, *, days: int | None = None) -> None:
        """Keep a fact: for good, or for so many days; twice as long each time that it is found anew."""
        if self.get(name) == value:
            return
        log.info("learned of the gateway: %s = %r", name, value)
        kept = value
        if days is not None:
            before = self._facts.get(name)
            times = before.get("times") if isinstance(before, dict) and before.get("is") == value else 0
            times = min(times if isinstance(times, int) else 0, 10)
            until = self._now() + min(days * 2**times, _TOLD) * _DAY
            kept = {"is": value, "until": until, "times": times + 1}
        self._facts[name] = kept
        if self._save is None:
            return
        try:
            await self._save(name, kept)
        except MagpieError as error:
            log.warning("could not keep what was learned (%s): %s", name, error)

    async def told(self, name: str, value: Json) -> None:
        """Keep what the gateway has said of a model. A size only gets smaller, and never less than any model has."""
        if isinstance(value, int) and not isinstance(value, bool):
            known = self.get(name)
            if value < LEAST or (isinstance(known, int) and known <= value):
                return
        await self.note(name, value, days=_TOLD)

    async def answered(self, request: ModelRequest, input: int | None) -> None:
        """An answer has come: what was supposed is true, and what it speaks against is not. `input`: tokens of the
        prompt as the gateway counts them."""
        for supposed in request.supposed:
            await self._confirm(supposed)
        self._largest[request.model] = max(self._largest.get(request.model, 0), tokens_of(request))
        self._seen |= {f"{request.model}/{role}" for role in {each.role for each in request.messages}}
        if any(not isinstance(each.content, str) for each in request.messages):
            self._seen.add(f"{request.model}/image")
        context = self.get(f"{request.model}/context")
        if input is not None and isinstance(context, int) and input > context:
            await self.note(f"{request.model}/context", None)

    async def _confirm(self, supposed: Supposition) -> None:
        """What has been otherwise in this run was not the reason: next time it may be that this has changed."""
        model = supposed.name.rpartition("/")[0]
        if supposed.name in self._seen and supposed.value is False:
            self._seen.discard(supposed.name)
        elif supposed.size and supposed.size <= self._largest.get(model, 0):
            self._largest.pop(model)
        else:
            await self.note(supposed.name, supposed.value, days=_GUESSED if supposed.guessed else _TOLD)

    def applied(self, info: ModelInfo, request: ModelRequest | None = None) -> ModelInfo:
        """What is known of a model, with what was learned: an ability it turned out to lack, a size that is smaller."""
        changes: dict[str, Any] = {}
        for ability in _ABILITIES:
            if self.get(f"{info.id}/{ability}", request) is False:
                changes[ability] = False
        for name in _SIZES:
            size = self.get(f"{info.id}/{name}", request)
            known: int | None = getattr(info, name)
            if isinstance(size, int) and not isinstance(size, bool) and size > 0 and (known is None or size < known):
                changes[name] = size
        if self.get(f"{info.id}/cumulative") is True:
            changes["cumulative"] = True
        return replace(info, **changes) if changes else info
