"""Turn queue: which turn runs now: one at a time per chat, in order, chats side by side. Plain asyncio over the Store,
which is the queue.

A turn that can't go on (the platform says "later", the store is full) waits in the store, never in a sleeping task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from bot.errors import MagpieError, StoreError, StoreRejects, Superseded
from bot.locales import say
from bot.races import sooner
from bot.types import Clock, Outcome, Signal, Store, Turn, TurnKind

__all__ = ["TurnEnds", "TurnQueue"]

log = logging.getLogger(__name__)

_ATTEMPTS = 10  # of a turn that fails in unthought-of ways
_AT_ONCE = 8  # turns that are claimed side by side when there are many
_TROUBLE = 2.0  # seconds before a store that failed is tried again


@dataclass(slots=True)
class _Running:
    turn: Turn
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class TurnEnds:
    """The ends of work on turns, for whoever follows them: a turn has ended, or goes on later or elsewhere."""

    def __init__(self) -> None:
        self._followers: list[Callable[[Turn], None]] = []

    def follow(self, hear: Callable[[Turn], None]) -> None:
        self._followers.append(hear)

    def tell(self, turn: Turn) -> None:
        for hear in self._followers:
            hear(turn)


class TurnQueue:
    """`run_turn(turn, stop)` does the work (`Dispatcher.run`), for the `accounts` that this process holds. `poll`:
    seconds between two looks at the store when nothing wakes us; `ended` hears of each turn that nobody works on here
    any more, whatever became of it."""

    def __init__(
        self,
        store: Store,
        run_turn: Callable[[Turn, asyncio.Event], Awaitable[None]],
        clock: Clock,
        accounts: Callable[[], Collection[str]],
        *,
        poll: float = 30.0,
        ended: Callable[[Turn], None] | None = None,
        news: asyncio.Event | None = None,
    ) -> None:
        self._store = store
        self._run_turn = run_turn
        self._clock = clock
        self._accounts = accounts
        self._poll = poll
        self._tell_end = ended or (lambda _turn: None)
        self._news = news or asyncio.Event()  # there may be something to do
        self._running: dict[asyncio.Task[None], _Running] = {}
        self._draining = False
        self._missed = False  # what other processes told
        self._told_to_stop: set[int] = set()
        self._recovery = 0.0  # when to look again for turns of processes that are gone (monotonic seconds)

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    def hear(self, signal: Signal, about: str) -> None:
        """Another process has stored something: work for an account, or that a turn is to stop."""
        if signal is Signal.BACK:
            self._missed = True
        elif signal is Signal.STOP:
            self._told_to_stop.add(int(about))
        elif about not in self._accounts():
            return
        self.wake()

    def busy(self, account: str) -> bool:
        """Is one of its turns running here?"""
        return any(running.turn.chat.account_key == account for running in self._running.values())

    def interrupt(self, turn: int) -> None:
        """End an answer, if it runs here, where it is."""
        for running in self._running.values():
            if running.turn.id == turn:
                running.stop.set()

    def abandon(self, turn: int) -> None:
        """Leave a turn that began anew in the store."""
        for task, running in self._running.items():
            if running.turn.id == turn:
                task.cancel()

    @property
    def count(self) -> int:
        """Turns that run now."""
        return len(self._running)

    async def run(self) -> None:
        """Start turns as they become due, until `drain`. Frees what a dead process left, first and every now and
        then."""
        await self._recover()
        while not self._draining:
            self._news.clear()
            pause = await self._start_due()
            await sooner(self._news.wait(), self._clock.sleep(pause))

    async def drain(self, seconds: float) -> None:
        """No new turns; those that run get `seconds` to end, then they are given back for the next start."""
        self._draining = True
        self.wake()
        if self._running:
            waiting = asyncio.create_task(self._clock.sleep(seconds))
            while self._running and not waiting.done():
                await asyncio.wait({waiting, *self._running}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_due(self) -> float:
        """Start all that is due. Returns the seconds until something else may be."""
        try:
            if self._clock.monotonic() >= self._recovery:
                await self._recover()
            await self._look_for_stops()
            width = 1
            while not self._draining and await self._claim(width):
                width = min(2 * width, _AT_ONCE)
            due = await self._store.next_due(self._clock.now(), self._accounts())
        except StoreError as error:
            log.error("the store can't be asked for work: %s (%s)", error, error.detail)
            return _TROUBLE
        return self._poll if due is None else min(self._poll, max(0.0, (due - self._clock.now()) / 1000))

    async def _claim(self, width: int) -> bool:
        """Claim and start so many turns, side by side: a store has its own ways to be quick then. False if there are
        no more."""
        accounts = self._accounts()
        if not accounts:
            return False
        claims = (self._store.claim(self._clock.now(), accounts) for _ in range(width))
        found = await asyncio.gather(*claims, return_exceptions=True)
        turns = sorted((turn for turn in found if isinstance(turn, Turn)), key=lambda turn: turn.id)
        for turn in turns:  # in order, whichever claim got which: so are a chat's notices
            if self._draining:  # it began meanwhile, and waits for nobody new
                await self._give_back(turn)
            else:
                self._start(turn)
        for error in found:
            if isinstance(error, BaseException):
                raise error
        return len(turns) == width

    async def _recover(self) -> None:
        self._recovery = self._clock.monotonic() + self._poll
        freed = await self._store.recover()
        if freed:
            log.info("taking up %d turns that an earlier process left", freed)

    async def _look_for_stops(self) -> None:
        """Of the turns that other processes told of, or of all, if something may not have been heard."""
        running = {each.turn.id for each in self._running.values()}
        missed, told = self._missed, set(self._told_to_stop)
        meant = running if missed else running & told
        for turn in await self._store.stopped(meant) if meant else ():
            self.interrupt(turn)
        if missed:
            self._missed = False
        self._told_to_stop -= told

    def _start(self, turn: Turn) -> None:
        running = _Running(turn)
        if turn.stop:
            running.stop.set()
        task = asyncio.create_task(self._guarded(running), name=f"turn {turn.id}")
        self._running[task] = running
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        turn = self._running.pop(task).turn
        self.wake()
        self._tell_end(turn)

    async def _guarded(self, running: _Running) -> None:
        """Whatever happens to one turn stays with it; what could not be finished is given back."""
        turn = running.turn
        try:
            await self._run_turn(turn, running.stop)
        except Superseded:
            log.info("turn %d goes on elsewhere", turn.id)
            await self._give_back(turn)  # unless somebody has it
        except asyncio.CancelledError:
            await self._give_back(turn)
            raise
        except StoreError as error:
            log.error("turn %d can't be recorded: %s (%s)", turn.id, error, error.detail)
            await self._clock.sleep(_TROUBLE)
            await self._give_back(turn, hopeless=isinstance(error, StoreRejects))
        except Exception:
            log.exception("turn %d failed in a way nobody thought of", turn.id)
            await self._clock.sleep(_TROUBLE * turn.attempt)
            await self._give_back(turn, hopeless=turn.attempt >= _ATTEMPTS)

    async def _give_back(self, turn: Turn, *, hopeless: bool = False) -> None:
        while True:
            try:
                if hopeless:
                    await self._give_up(turn)
                else:
                    await self._store.release(turn)
                return
            except Superseded:
                return
            except StoreError as error:
                log.error("turn %d can't be given back: %s (%s)", turn.id, error, error.detail)
                if self._draining:
                    return  # the next start recovers it
                await self._clock.sleep(_TROUBLE)

    async def _give_up(self, turn: Turn) -> None:
        """A question never ends in silence. (A notice's trouble is not told by another notice.)"""
        if turn.kind is TurnKind.QUESTION:
            language = turn.asker.language
            words = say(MagpieError(), language)
            await self._store.notify(turn.chat, words, key=f"given up/{turn.id}/{turn.attempt}", language=language)
        await self._store.end(turn, Outcome.FAILED)
