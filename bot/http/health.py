"""Health of each part of the service, as `/healthz` and `/readyz` tell it; and who may read `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import MagpieError
from bot.http.host import Metrics, Part
from bot.service.config import Settings
from bot.types import Clock, Store

__all__ = ["Health", "monitoring"]

PATIENCE = 2.0  # seconds that whoever asks how we are waits for the store
FRESH = 10.0  # seconds that what a write to the disk has told holds
PROBE = 65_536  # bytes that must find room beside the data


@dataclass(slots=True)
class Health:
    """`platforms` tells what is wrong with each, '' if nothing is; `gateway` what was wrong with it at the last
    request, '' if nothing was: without it questions are still taken in, and told so."""

    store: Store
    platforms: Callable[[], Mapping[str, str]]
    gateway: Callable[[], str]
    data: Path
    clock: Clock
    _disk: str = ""
    _looked: float = field(default=float("-inf"))  # monotonic seconds

    async def parts(self) -> Mapping[str, Part]:
        parts = {"store": Part(await self._store_trouble() or await self._disk_trouble())}
        parts |= {name: Part(trouble) for name, trouble in self.platforms().items()}
        return parts | {"gateway": Part(self.gateway(), vital=False)}

    async def _store_trouble(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.store.seen("readyz")
        except TimeoutError:
            return f"no answer in {PATIENCE:.0f} s"
        except MagpieError as error:
            return str(error)
        return ""

    async def _disk_trouble(self) -> str:
        """A store that can be read may still have no room for what comes."""
        if self.clock.monotonic() - self._looked >= FRESH:
            self._looked = self.clock.monotonic()
            self._disk = await asyncio.to_thread(_written, self.data)
        return self._disk


def _written(folder: Path) -> str:
    """Why nothing more can be written there; '' if something can."""
    probe = folder / ".room"
    try:
        probe.write_bytes(bytes(PROBE))
    except OSError as error:
        return f"nothing can be written to DATA_DIR: {error.strerror}"
    finally:
        probe.unlink(missing_ok=True)
    return ""


def monitoring(settings: Settings, page: Callable[[], Awaitable[bytes]]) -> Metrics | None:
    """`/metrics` as the settings want it; None: it isn't there."""
    if settings.metrics == "off":
        return None
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else ""
    return Metrics(page, open=settings.metrics == "on", closed=settings.is_behind_proxy, token=token)
