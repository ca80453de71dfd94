"""Names for the ids that stand in messages: of people, channels and groups (docs.slack.dev: users.info,
conversations.info, usergroups.list)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from adapters.kit.recent import Recent
from adapters.slack.errors import FAILURES, retry_after, translate
from adapters.slack.inbound.people import People
from adapters.slack.limits import Window
from adapters.slack.wire import Wire
from bot.types import Clock

__all__ = ["Names"]

log = logging.getLogger(__name__)

_KEPT = 3_600.0  # seconds
_AGAIN = 600.0  # seconds, after a look that failed: for want of a scope, or because it is not for us to see
_PATIENCE = 1.0  # seconds that an event waits for names; the platform waits three for its acknowledgement
_MOST = 2_000  # channels
_AT_ONCE = 20  # ids of one message
_CALLS = 40  # a minute, of conversations.info; the platform allows 50


class Names:
    """What is not known yet is asked for; nothing waits long for it, and without a name an id stays one."""

    def __init__(self, wire: Wire, clock: Clock, people: People) -> None:
        self._wire = wire
        self._clock = clock
        self._people = people
        self._calls = Window(clock, _CALLS)
        self._channels: Recent[str, tuple[float, str]] = Recent(_MOST)  # id -> (kept until, name)
        self._groups: dict[str, str] = {}
        self._groups_until = -1.0
        self._asking: dict[str, asyncio.Task[None]] = {}

    def name_of(self, id: str) -> str:
        """Without asking; '' if it is not known."""
        if id.startswith(("C", "G")):
            return self._channels.get(id, (0.0, ""))[1]
        return self._groups.get(id, "") if id.startswith("S") else self._people.known(id).name

    async def learn(self, ids: Iterable[str]) -> None:
        """Ask for those that are not known yet, a moment long."""
        wanted = list(dict.fromkeys(ids))[:_AT_ONCE]
        people = [self._people.person(id) for id in wanted if id.startswith(("U", "W"))]
        channels = [self._once(id, self._channel(id)) for id in wanted if self._is_old(id)]
        others = [task for task in channels if task is not None]
        if any(id.startswith("S") and id not in self._groups for id in wanted):
            groups = self._once("S", self._list_groups()) if self._clock.monotonic() >= self._groups_until else None
            others += [groups] if groups is not None else []
        await asyncio.gather(*people)
        if others:
            await asyncio.wait(others, timeout=_PATIENCE)

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_old(self, id: str) -> bool:
        return id.startswith(("C", "G")) and self._clock.monotonic() >= self._channels.get(id, (-1.0, ""))[0]

    def _once(self, id: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        task = self._asking.get(id)
        if task is not None or (id != "S" and not self._calls.take()):
            work.close()
            return task
        task = self._asking[id] = asyncio.create_task(work)
        task.add_done_callback(lambda _done: self._asking.pop(id, None))
        return task

    async def _channel(self, id: str) -> None:
        kept, name = _KEPT, self.name_of(id)
        try:
            channel = (await self._wire.call("conversations.info", channel=id)).get("channel")
            name = str(channel.get("name") or "") if isinstance(channel, Mapping) else ""
        except FAILURES as error:
            kept = _AGAIN
            self._calls.refused(retry_after(error) or 0.0)
            log.info("a channel's name is not to be had: %s", translate(error, self._wire.secrets).detail)
        self._channels[id] = (self._clock.monotonic() + kept, name)

    async def _list_groups(self) -> None:
        kept = _KEPT
        try:
            groups = (await self._wire.call("usergroups.list", include_disabled=True)).get("usergroups") or ()
            found = {str(one.get("id")): str(one.get("handle") or one.get("name") or "") for one in groups}
            self._groups = found
        except FAILURES as error:
            kept = _AGAIN
            log.info("the names of groups are not to be had: %s", translate(error, self._wire.secrets).detail)
        self._groups_until = self._clock.monotonic() + kept
