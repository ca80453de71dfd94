"""Events that can't be read: kept as they came and skipped, so that they hold nothing up."""

from __future__ import annotations

import asyncio
import json
import logging
import reprlib
from pathlib import Path

__all__ = ["MOST_UNREAD", "UnknownShape", "Unread"]

log = logging.getLogger(__name__)

MOST_UNREAD = 5_000_000  # bytes
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring = 50, 1_000, 1_000, 100_000


class UnknownShape(ValueError):
    """An event that can't be read; says where, never what."""


class Unread:
    """One JSON per line, for somebody to look at."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def skip(self, raw: object, error: Exception) -> None:
        """Keep what `error` was stumbled over, and say so: it would be the same again, and everything behind it would
        wait for ever."""
        if isinstance(error, UnknownShape):
            log.error("an event of unknown shape is skipped (%s), and kept in %s", error, self.path)
        else:
            log.error("an event is skipped, and kept in %s", self.path, exc_info=error)
        await self.keep(raw)

    async def keep(self, raw: object) -> None:
        try:
            await asyncio.to_thread(self._write, _written(raw))
        except OSError as error:
            log.warning("an unread event can't be kept: %s", error.strerror)

    def _write(self, line: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size > MOST_UNREAD:
            self.path.replace(self.path.with_suffix(".old"))
        with self.path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(line + "\n")


def _written(raw: object) -> str:
    """As JSON; what is nested too deep for that, down to some depth."""
    try:
        return json.dumps(raw, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return json.dumps(_SHORT.repr(raw), ensure_ascii=False)
