"""The queue of updates, and getUpdates on it (Bot API: Getting updates)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from bot.types import Clock
from tests.fakes.telegram.params import Params
from tests.fakes.telegram.refusals import Refusal, conflict

__all__ = ["DEFAULT_KINDS", "Update", "Updates"]

# Update: all its kinds; what isn't in the default list has to be asked for by name (getUpdates.allowed_updates).
_ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
# fmt: off
DEFAULT_KINDS = frozenset({
    "message", "edited_message", "channel_post", "edited_channel_post", "business_connection", "business_message",
    "edited_business_message", "deleted_business_messages", "guest_message", "inline_query", "chosen_inline_result",
    "callback_query", "shipping_query", "pre_checkout_query", "purchased_paid_media", "poll", "poll_answer",
    "my_chat_member", "chat_join_request", "chat_boost", "removed_chat_boost", "managed_bot", "subscription",
    "stopped_message_generation",
})
# fmt: on
_KNOWN = DEFAULT_KINDS | _ON_REQUEST
_OTHER_POLL = "terminated by other getUpdates request; make sure that only one bot instance is running"
_FIRST_ID = 731_000_001


@dataclass(frozen=True)
class Update:
    id: int
    kind: str
    body: dict[str, Any]
    line: int  # updates of one line are pushed in order: the chat's id, mostly

    @property
    def json(self) -> dict[str, Any]:
        return {"update_id": self.id, **self.body}


class Updates:
    """`conflict_delay`: the second 409 within this many seconds comes that much later, as the real server's does."""

    def __init__(self, clock: Clock, conflict_delay: float = 3.0) -> None:
        self.allowed: frozenset[str] | None = None  # None: the default
        self.waiting: list[Update] = []
        self.next_id = _FIRST_ID
        self.conflict_delay = conflict_delay
        self._clock = clock
        self._changed: set[asyncio.Event] = set()
        self._poll: asyncio.Future[Refusal] | None = None  # of the poll that waits; done: it was ended
        self._next_conflict = 0.0

    def allow(self, params: Params) -> None:
        """ "If not specified, the previous setting will be used"; an empty list is the default."""
        kinds = params.data("allowed_updates", list)
        if kinds is not None:
            self.allowed = frozenset(map(str, kinds)) & _KNOWN or None

    def add(self, body: dict[str, Any], line: int = 0) -> Update | None:
        """None if the bot hasn't asked for this kind. A kind that isn't known is always wanted."""
        kind = next(iter(body), "")
        if kind in _KNOWN and kind not in (self.allowed or DEFAULT_KINDS):
            return None
        update = Update(self.next_id, kind, body, line)
        self.next_id += 1
        self.waiting.append(update)
        self.wake()
        return update

    def forget(self, update: Update) -> None:
        if update in self.waiting:
            self.waiting.remove(update)

    def clear(self) -> None:
        self.waiting.clear()

    def wake(self) -> None:
        for event in self._changed:
            event.set()

    async def changed(self) -> None:
        """Waits for the next update."""
        event = asyncio.Event()
        self._changed.add(event)
        try:
            await event.wait()
        finally:
            self._changed.discard(event)

    def stop_poll(self, refusal: Refusal) -> None:
        """End the poll that waits."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(refusal)

    async def get(self, params: Params) -> list[dict[str, Any]]:
        """getUpdates. Not to be called while a webhook is set."""
        self.allow(params)
        offset, limit = params.number("offset"), params.clamped("limit", 100, 1, 100)
        if offset < 0:  # "starting from -offset update from the end ... All previous updates will be forgotten"
            self.waiting = self.waiting[offset:]
        else:  # "confirmed as soon as getUpdates is called with an offset higher than its update_id"
            self.waiting = [update for update in self.waiting if update.id >= offset]
        if not self.waiting and (seconds := params.clamped("timeout", 0, 0, 50)):
            await self._wait(seconds)
        return [update.json for update in self.waiting[:limit]]

    async def _wait(self, seconds: int) -> None:
        self.stop_poll(conflict(_OTHER_POLL))
        mine = self._poll = asyncio.get_running_loop().create_future()
        event = asyncio.Event()
        self._changed.add(event)
        tasks = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait([mine, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._changed.discard(event)
            for task in tasks:
                task.cancel()
            if self._poll is mine:
                self._poll = None
        if mine.done():
            refusal = mine.result()
            if refusal.status == 409:
                await self._hold_back()
            raise refusal

    async def _hold_back(self) -> None:
        now = self._clock.monotonic()
        if now < self._next_conflict:
            await self._clock.sleep(self.conflict_delay)
        else:
            self._next_conflict = now + self.conflict_delay
