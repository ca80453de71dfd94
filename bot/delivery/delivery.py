"""Delivery: a growing answer -> pieces on a platform.

One worker per turn brings what the chat shows towards what it should show, one call at a time, always with the newest
text, lowest piece first. It keeps these promises:

- a new piece is intended in the store before it is posted, and its id stored right after: a restart changes the
  messages that stand there instead of posting them again;
- a piece looks unfinished until the next one stands below it, or the answer is at its end: no cut text ever looks
  whole;
- what the platform does not want now is not thrown away: `finish` raises RetryLater, and the turn waits in the store;
- an unknown outcome of a new message is looked up where the platform can be read, else sent again, marked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from bot.delivery.layout import Layout, Phrases
from bot.delivery.limiter import RateLimiter
from bot.delivery.posts import STORE_PAUSE, PostedPieces, PostState
from bot.delivery.typing_indicator import show_typing
from bot.errors import OutcomeUnknown, Rejected, RetryLater, StoreError, Superseded, Undeliverable
from bot.races import sooner
from bot.service.metrics import Tally
from bot.types import Adapter, Answer, Bucket, CallKind, Clock, Piece, PostId, Store, Turn

__all__ = ["Delivery"]

log = logging.getLogger(__name__)

FIRST_SECONDS = 1.0  # after it began, the first text is shown, however little there is
PATIENCE = 10.0  # seconds the end of an answer waits here for its platform; longer waits are kept in the store
REPEATS = (1.0, 60.0, 3600.0)  # seconds before a new message of unknown outcome is sent again; then nobody is there


@dataclass(frozen=True, slots=True)
class _Step:
    index: int
    call: CallKind
    piece: Piece | None  # None: delete what stands there


def _kind(step: _Step) -> str:
    """For the counts: a deletion is final, but no text."""
    return "delete" if step.piece is None else step.call.name.lower()


@dataclass(slots=True)
class Delivery:
    """The answer of one turn on its way. `grow` whenever there is more text, then `finish` once; `close` in any
    case."""

    turn: Turn
    adapter: Adapter
    store: Store
    limiter: RateLimiter
    clock: Clock
    phrases: Phrases
    assured: Callable[[str], Awaitable[None]] | None = None  # `Leases.assured`
    tally: Tally = field(default_factory=Tally)
    first_visible: float | None = None  # monotonic seconds
    _text: str = ""
    _begun: float | None = None
    _answer: Answer | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _finished: asyncio.Event = field(default_factory=asyncio.Event)
    _worker: asyncio.Task[None] | None = None
    _status: asyncio.Task[None] | None = None
    _draft: Layout = field(init=False)
    _standing: PostedPieces = field(init=False)
    _last_put: float = -1e9
    _not_before: float = -1e9  # no call before, whatever the limiter says
    _troubles: int = 0
    _anew: bool = False  # what stands there is another answer's,
    _why: str = ""  # and why

    def __post_init__(self) -> None:
        self._draft = Layout(self.turn.id, self.turn.reply_to, self.adapter.limits, self.phrases)
        self._standing = PostedPieces(self.turn, self.store, self.clock)

    # ── what the dispatcher calls ───────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Show that somebody is at work, until there is text."""
        self._status = asyncio.create_task(
            show_typing(self.turn.chat, self.adapter, self.limiter, self.clock, self.tally)
        )

    def grow(self, text: str) -> None:
        """The answer so far, whole; it only ever gets longer."""
        if not text:
            return
        self._text = text
        if self._begun is None:
            self._begun = self.clock.monotonic()
        self._wake()

    def restart(self, text: str, why: str) -> None:
        """Another answer, `text` so far, takes the place of what was shown: in the same messages, from the first on.
        `why`: see `Piece.correction`."""
        self._anew, self._why = True, why
        self.grow(text)

    @property
    def failed(self) -> bool:
        """Nobody wants the rest. (Any other trouble leaves the answer worth having: it will be shown in another
        attempt.)"""
        return isinstance(self._error, Undeliverable | Superseded)

    @property
    def superseded(self) -> bool:
        """Somebody else answers it."""
        return isinstance(self._error, Superseded)

    @property
    def _error(self) -> BaseException | None:
        worker = self._worker
        return worker.exception() if worker is not None and worker.done() and not worker.cancelled() else None

    @property
    def begun(self) -> bool:
        """Does anything of it stand in the chat, as far as anybody knows?"""
        return self._standing.highest >= 0

    @property
    def unshowable(self) -> bool:
        """Words that say so stand there instead of the answer."""
        return self._draft.unshowable

    async def finish(self, answer: Answer) -> None:
        """Bring everything to its final form. Raises RetryLater (the rest must wait, in the store), Undeliverable, or
        StoreError."""
        self._answer = answer
        self._text = answer.text
        self._finished.set()
        self._wake()
        assert self._worker is not None
        await self._worker

    async def close(self) -> None:
        """Let go of everything; a call under way is given up, its outcome unknown."""
        for task in (self._status, self._worker):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):  # `finish` raised its error, or it doesn't matter now
                    await task

    # ── the worker ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _wake(self) -> None:
        self._news.set()
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    async def _work(self) -> None:
        await self._first_moment()
        while True:
            self._news.clear()
            await self._read()
            step = self._step()
            if step is None:
                if self._answer is not None:
                    return
                await self._news.wait()
            elif await self._admitted(step):
                await self._carry_out(step)

    async def _first_moment(self) -> None:
        """Hold the first send back until there is something worth reading."""
        while self._answer is None and len(self._text) < self.adapter.limits.first:
            left = (self._begun or 0.0) + FIRST_SECONDS - self.clock.monotonic()
            if left <= 0:
                return
            self._news.clear()
            await sooner(self.clock.sleep(left), self._news.wait())

    def _step(self) -> _Step | None:
        """The first difference between what should be shown and what is, if any."""
        wanted = self._wanted()
        for index, piece in enumerate(wanted):
            shown = self._standing.get(index)
            if shown is None or shown.post is None:
                return _Step(index, self._call(CallKind.NEW), piece)
            if not self._standing.shows(index, piece):
                return _Step(index, self._call(CallKind.CHANGE), piece)
        surplus = self._standing.highest
        if surplus >= len(wanted) and wanted and self._may_go(surplus):
            return _Step(surplus, self._call(CallKind.CHANGE), None)
        return None

    def _may_go(self, index: int) -> bool:
        """What nobody can find is not forgotten while the answer may yet reach that far: it would stand there twice,
        unmarked."""
        return not self._is_lost(index) or self._answer is not None

    def _is_lost(self, index: int) -> bool:
        return not self.adapter.features.find and self._standing.is_unsure(index)

    def _call(self, call: CallKind) -> CallKind:
        return call if self._answer is None else CallKind.FINAL

    async def _read(self) -> None:
        """Nobody else waits while a long text is cut into pieces."""
        while True:
            self._renew()
            for _ in self._draft.steps(self._text, final=self._answer is not None):
                await asyncio.sleep(0)
            if not self._anew:
                return

    def _renew(self) -> None:
        if self._anew:  # between two calls: what a call under way shows is the other answer's too
            self._anew = False
            self._draft.restart(self._why)
            self._standing.age()

    def _wanted(self) -> list[Piece]:
        """What should stand in the chat now, message by message."""
        self._renew()
        standing = self._standing
        return self._draft.pieces(self._text, self._answer, standing.reads_on, standing.repeated, standing.highest)

    # ── one call ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _buckets(self, call: CallKind) -> tuple[Bucket, ...]:
        return self.adapter.limits.buckets(self.turn.chat, call)

    async def _admitted(self, step: _Step) -> bool:
        """Wait at the limiter for this step. False if the answer came to its end meanwhile: the step must be looked at
        again."""
        buckets, now = self._buckets(step.call), self.clock.monotonic()
        pause = self._not_before - now
        if step.call is CallKind.FINAL:
            wait = max(pause, self.limiter.wait(self.turn.chat, step.call, buckets))
            if wait > PATIENCE:
                raise RetryLater(wait)
            if pause > 0:
                await self.clock.sleep(pause)
            await self.limiter.enter(self.turn.chat, step.call, buckets)
            return True
        if step.call is CallKind.CHANGE:
            pause = max(pause, self._last_put + self.adapter.limits.frame - now)
        if pause > 0 and not await self._unless_finished(self.clock.sleep(pause)):
            return False
        return await self._unless_finished(self.limiter.enter(self.turn.chat, step.call, buckets))

    async def _carry_out(self, step: _Step) -> None:
        """Make the call, with the newest version of that piece, and take note of what came of it."""
        if step.piece is not None:
            await self._read()
            wanted = self._wanted()
            if step.index >= len(wanted):
                return
            step = replace(step, piece=wanted[step.index])
        try:
            await self._call_platform(step)
        except RetryLater as later:
            self.tally.refused[_kind(step)] += 1
            buckets = self._buckets(step.call)
            self.limiter.throttled(buckets, later.after)
            if not buckets:
                self._not_before = self.clock.monotonic() + later.after
        except OutcomeUnknown as unknown:
            await self._outcome_unknown(step, unknown)
        except Undeliverable:
            if step.piece is None or not self._standing.taken_away(step.index):
                raise
        except Rejected as refused:
            await self._refused(step, refused)
        except Superseded:
            raise
        except StoreError as error:
            log.error("turn %d can't go on: %s (%s)", self.turn.id, error, error.detail)
            await self.clock.sleep(STORE_PAUSE)
        else:
            self._troubles = 0

    async def _call_platform(self, step: _Step) -> None:
        shown = self._standing.get(step.index)
        self.tally.made[_kind(step)] += 1
        if step.piece is None:
            if shown is not None:
                await self._delete(step.index, shown)
            await self._standing.forget(step.index, lost=self._is_lost(step.index))
        elif shown is not None and shown.post is not None:
            await self._standing.doubt(step.index, shown, step.piece)
            post = await self._put(step.piece, shown.post)
            await self._stands(step.index, shown, post, step.piece)
        else:
            await self._post(step.index, step.piece, shown)
        self._last_put = self.clock.monotonic()

    async def _post(self, index: int, piece: Piece, shown: PostState | None) -> None:
        """A new message: its intent is stored first. If an earlier intent has no known outcome, look, or mark the
        repeat."""
        if shown is not None and shown.unsure:
            if not self.adapter.features.find:
                await self._repeat(index, piece, shown)
                return
            found = await self._find(index)
            if found is not None:
                await self._standing.found(index, shown, found)
                return
        shown = await self._standing.intend(index)
        try:
            post = await self._put(piece)
        except (RetryLater, Rejected, Undeliverable):
            shown.unsure = False  # a clear no: nothing stands there
            raise
        await self._stands(index, shown, post, piece)

    async def _repeat(self, index: int, piece: Piece, shown: PostState) -> None:
        """Send again what may stand there already. It counts once it was truly sent: a clear no to this one says
        nothing about the one before."""
        if shown.repeats >= len(REPEATS):
            raise Undeliverable("no answer from the platform")
        piece = self._draft.repeated(piece)
        try:
            post = await self._put(piece)
        except OutcomeUnknown:
            await self._standing.repeat(index, shown)
            raise
        await self._standing.repeat(index, shown)
        await self._stands(index, shown, post, piece)

    async def _delete(self, index: int, shown: PostState) -> None:
        post = shown.post
        if post is None and shown.unsure and self.adapter.features.find:
            post = await self._find(index)
        if post is not None:
            await self._standing.doubt(index, shown, None)
            await self._put(self._draft.emptied(index) if shown.kept else None, post)

    async def _put(self, piece: Piece | None, at: PostId | None = None) -> PostId:
        """The one place from which a chat is changed."""
        if self.assured is not None:
            await self.assured(self.turn.chat.account_key)
        return await self.adapter.put(self.turn.chat, piece, at)

    async def _find(self, index: int) -> PostId | None:
        return await self.adapter.find(self.turn.chat, self._draft.key(index))

    async def _stands(self, index: int, shown: PostState, post: PostId, piece: Piece) -> None:
        if self.first_visible is None:
            self.first_visible = self.clock.monotonic()
            self._stop_status()
        await self._standing.stands(index, shown, post, piece)

    # ── when a call went wrong ──────────────────────────────────────────────────────────────────────────────────────

    async def _outcome_unknown(self, step: _Step, unknown: OutcomeUnknown) -> None:
        """Nobody knows whether it had its effect. Changes are made again; a new message goes the way of `_post`, and
        one that can't be looked up is sent again ever later, so that a platform may be away for an hour."""
        log.warning("turn %d: outcome of a call unknown: %s", self.turn.id, unknown.detail or unknown)
        shown = self._standing.get(step.index)
        if step.piece is not None and shown is not None and shown.unsure and not self.adapter.features.find:
            self._not_before = self.clock.monotonic() + (*REPEATS, 0.0)[shown.repeats]
            return
        self._troubles += 1
        pause = min(60.0, 0.5 * 2**self._troubles)
        if step.call is CallKind.FINAL and pause > PATIENCE:
            raise RetryLater(pause)
        await self._pause(step, pause)

    async def _refused(self, step: _Step, refused: Rejected) -> None:
        """The platform will never take this version. Growth waits for another; an end gets plainer, and at last says
        so."""
        log.warning("turn %d: refused by the platform: %s", self.turn.id, refused.detail or refused)
        if step.piece is None:
            await self._standing.undeletable(step.index)
        elif step.call is not CallKind.FINAL:
            self._troubles += 1
            await self._pause(step, min(60.0, FIRST_SECONDS * 2 ** (self._troubles - 1)))
        elif not self._draft.plainer(step.index):
            raise refused

    async def _pause(self, step: _Step, seconds: float) -> None:
        """Before the same is tried again. The end of the answer cuts a pause in its growth short."""
        if step.call is CallKind.FINAL:
            await self.clock.sleep(seconds)
        else:
            await self._unless_finished(self.clock.sleep(seconds))

    # ── status, and waiting ─────────────────────────────────────────────────────────────────────────────────────────

    def _stop_status(self) -> None:
        if self._status is not None:
            self._status.cancel()

    async def _unless_finished(self, waiting: Coroutine[Any, Any, None]) -> bool:
        """Await `waiting`, but give up and return False as soon as the answer is at its end."""
        if self._finished.is_set():
            waiting.close()
            return False
        return 0 in await sooner(waiting, self._finished.wait())
