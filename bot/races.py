"""Races of asyncio tasks: who ends first, and how the others are ended."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["cancelled", "first_of"]


async def first_of(*tasks: asyncio.Task[Any]) -> set[asyncio.Task[Any]]:
    """Those that have ended, as soon as one has."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """End the tasks, whatever they end with."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
