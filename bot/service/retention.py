"""Retention: what is kept in the store no longer than it is of use."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from bot.errors import StoreError
from bot.types import Clock, Store

__all__ = ["ERASE_AFTER", "KEYS_KEPT", "READINGS_KEPT", "erase", "tidy"]

log = logging.getLogger(__name__)

_DAY = 86_400_000  # ms
KEYS_KEPT = 7 * _DAY  # no platform repeats an event so late, and one may number new ones as it did old ones by then
ERASE_AFTER = 30_000  # ms after a chat was deleted; until then it can be brought back
READINGS_KEPT = 30 * _DAY  # of the balance; of what is older, one a day


async def tidy(store: Store, gateway: str, clock: Clock) -> None:
    """Delete what is too old, little by little: others write in between."""
    now = clock.now()
    try:
        keys = await _all(partial(store.forget_keys, before=now - KEYS_KEPT))
        readings = await _all(partial(store.thin_readings, gateway, before=now - READINGS_KEPT))
    except StoreError as error:
        log.warning("old rows stay for now: %s (%s)", error, error.detail)
        return
    if keys or readings:
        log.info("tidied up: %d keys of events, %d readings of the balance", keys, readings)


async def erase(store: Store, clock: Clock) -> None:
    """What was deleted leaves the store."""
    try:
        count = await _all(partial(store.erase, before=clock.now() - ERASE_AFTER))
    except StoreError as error:
        log.warning("deleted conversations stay for now: %s (%s)", error, error.detail)
        return
    if count:
        log.info("erased %d deleted conversations", count)


async def _all(some: Callable[[], Awaitable[int]]) -> int:
    """Again and again, until nothing is left to do. How much it was."""
    done = 0
    while count := await some():
        done += count
    return done
