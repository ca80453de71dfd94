"""Races of asyncio tasks: who ends first, and how the others are ended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["TooLate", "before", "cancelled", "first_of", "sooner"]

T = TypeVar("T")


class TooLate(Exception):
    """Something else came first."""


async def first_of(*tasks: asyncio.Task[Any]) -> set[asyncio.Task[Any]]:
    """Those that have ended, as soon as one has."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done


async def sooner(*work: Coroutine[Any, Any, Any]) -> set[int]:
    """Until one piece of work is done; the others are ended. Returns the places of those that were done, and raises
    what they raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done = await first_of(*tasks)
    finally:
        await cancelled(*(task for task in tasks if not task.done()))
    for task in done:
        task.result()
    return {place for place, task in enumerate(tasks) if task in done}


async def before(limit: Coroutine[Any, Any, Any], work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises. TooLate if `limit` is done before; the work is ended then."""
    working, limiting = asyncio.ensure_future(work), asyncio.ensure_future(limit)
    try:
        await first_of(working, limiting)
        if working.done():
            return working.result()
        raise TooLate
    finally:
        await cancelled(working, limiting)


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """End the tasks, whatever they end with."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
