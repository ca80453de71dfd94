"""Leases: which accounts this process holds. Its holder alone receives, claims and speaks for an account.

On a database that one process has for itself all are held. Where processes share one, each renews its leases and looks
for free ones every `LOOK` seconds. A lease that can't be renewed is over, for us, before another process may take it,
by our own monotonic clock: no two machines' clocks are compared. Until it is known whether it is still ours, what would
change a chat waits (`assured`).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from bot.errors import StoreError, Superseded
from bot.races import cancelled, first_of, sooner
from bot.types import Clock, Signal, Store

__all__ = ["JOBS", "Leases"]

log = logging.getLogger(__name__)

JOBS = "jobs"  # held like an account: what happens by the clock happens in one process at a time
LOOK = 1.0  # seconds between two renewals
_QUIET = 3.0  # seconds after the database was away in which everybody takes up what was theirs, and nothing else


class Leases:
    """`busy` tells whether we are at work for an account: one that others lack is let go of when we are not. `hear`
    gets what the other processes tell that isn't about leases."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        busy: Callable[[str], bool] = lambda account: False,  # noqa: ARG005
        hear: Callable[[Signal, str], None] = lambda signal, about: None,  # noqa: ARG005
    ) -> None:
        self._store = store
        self._clock = clock
        self._busy = busy
        self._hear = hear
        self._wanted: set[str] = set()
        self._until: dict[str, float] = {}  # monotonic seconds
        self._leaving: set[str] = set()
        self._looked: set[str] = set()  # accounts of which it is known whose they are
        self._present = True  # in the eyes of the other processes
        self._cut_off = False  # and whether we weren't, since we last looked
        self._quiet_until = float("-inf")
        self._closed = False
        self._look = asyncio.Event()
        self._changed = asyncio.Event()

    def want(self, account: str) -> None:
        """Hold it, or stand by for it, from now on."""
        self._wanted.add(account)
        self._look.set()

    def forgo(self, account: str) -> None:
        """Hold it no more: another process may have it."""
        self._wanted.discard(account)
        self._look.set()

    def holds(self, account: str) -> bool:
        return not self._cut_off and self._until.get(account, float("-inf")) > self._clock.monotonic()

    @property
    def accounts(self) -> Collection[str]:
        """What we take on new work for."""
        return [account for account in self._until if self.holds(account) and account not in self._leaving]

    async def assured(self, account: str) -> None:
        """Before a call that changes a chat: wait until it is known that we hold the account. Superseded if another
        process does."""
        while not self.holds(account):
            if account not in self._until:
                raise Superseded
            await self._changed.wait()

    def stands_by(self, account: str) -> bool:
        """Whether another process is known to hold it."""
        return account in self._looked and account not in self._until

    async def settled(self, account: str) -> bool:
        """Whether we hold it, as soon as that is known."""
        while account not in self._looked:
            await self._changed.wait()
        return self.holds(account)

    async def attend(self, account: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Do `work` whenever and as long as we hold the account. Raises what it raises."""
        while True:
            while account not in self._until:
                await self._changed.wait()
            working = asyncio.ensure_future(work())
            try:
                while account in self._until and not working.done():
                    changed = asyncio.ensure_future(self._changed.wait())
                    await first_of(working, changed)
                    await cancelled(changed)
                if working.done():
                    await working
                    return
            finally:
                await cancelled(working)

    async def run(self) -> None:
        """Renew and look, until `close`."""
        async with self._store.watch(self._told):
            while not self._closed:
                self._look.clear()
                await self._renew()
                if all(until == math.inf for until in self._until.values()) and self._wanted <= set(self._until):
                    await self._look.wait()  # nobody else is there
                else:
                    await sooner(self._look.wait(), self._clock.sleep(LOOK))

    async def close(self) -> None:
        """Others may have all of it, and nothing is held any more."""
        self._closed = True
        held, self._until = list(self._until), {}
        self._tell()
        self._look.set()
        try:
            await self._store.let_go(held)
        except StoreError as error:
            log.info("the leases run out by themselves: %s", error)

    def _told(self, signal: Signal, about: str) -> None:
        match signal:
            case Signal.LOST:
                self._present, self._cut_off = False, True
            case Signal.BACK:
                self._present = True
                self._quiet_until = self._clock.monotonic() + _QUIET
                self._look.set()
                self._hear(signal, about)
            case Signal.LEASE:
                self._look.set()
            case _:
                self._hear(signal, about)

    async def _renew(self) -> None:
        began = self._clock.monotonic()
        wanted = frozenset(self._wanted)
        present = self._present
        try:
            for account in [each for each in self._leaving if not self._busy(each)]:
                self._leaving.discard(account)
                del self._until[account]
                await self._store.let_go([account])
            holding = await self._store.hold(wanted, taking=began >= self._quiet_until)
        except StoreError as error:
            log.debug("leases can't be renewed: %s", error)
            return
        if self._closed:
            return
        self._cut_off = not (present and self._present)
        before = set(self._until)
        self._until = {account: began + seconds for account, seconds in holding.held.items()}
        self._leaving = {account for account in {*self._leaving, *holding.spare} if account in self._until}
        for account in sorted(set(self._until) - before):
            log.log(logging.DEBUG if holding.held[account] == math.inf else logging.INFO, "%s is ours", account)
        for account in sorted(before - set(self._until)):
            log.warning("%s is another process's from now on", account)
        self._looked |= wanted
        self._tell()
        for account in set(self._until) - before:
            self._hear(Signal.WORK, account)

    def _tell(self) -> None:
        """Whoever waits looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
