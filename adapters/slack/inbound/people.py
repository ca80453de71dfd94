"""User profiles (docs.slack.dev: users.info): their name and language, asked for once per person and hour; and who has
written in which thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from adapters.kit.recent import Recent
from adapters.slack.errors import FAILURES, retry_after, translate
from adapters.slack.limits import Window
from adapters.slack.wire import Wire
from bot.types import Chat, Clock, Person

__all__ = ["People"]

log = logging.getLogger(__name__)

_KEPT = 3_600.0  # seconds
_AGAIN = 60.0  # seconds, after a look that failed
_PATIENCE = 1.0  # seconds that an event waits for it; the platform waits three for its acknowledgement
_MOST = 5_000
_CALLS = 90  # a minute; the platform allows 100
_THREADS, _THERE = 2_000, 50  # threads, and people of each, that are kept


class People:
    """Nothing waits long for a name: without one, a person is known by their id, and next time by name."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._calls = Window(clock, _CALLS)
        self._known: Recent[str, tuple[float, Person]] = Recent(_MOST)  # id -> (kept until, who)
        self._direct: Recent[str, str] = Recent(_MOST)  # id -> their conversation with us
        self._teams: Recent[str, str] = Recent(_MOST)  # id -> their workspace
        self._spoken: Recent[str, str] = Recent(_MOST)  # chat key -> language
        self._asking: dict[str, asyncio.Task[Person]] = {}
        self._there: Recent[Chat, dict[str, None]] = Recent(_THREADS)  # thread -> who wrote in it, the last one last

    def known(self, id: str) -> Person:
        """Without asking."""
        return self._known.get(id, (0.0, Person(id)))[1]

    async def team(self, id: str) -> str:
        """The workspace that somebody is of, which in a shared channel may be another than ours; '' if nobody knows."""
        if id not in self._teams:
            await self.person(id)
        return self._teams.get(id, "")

    def comes_from(self, id: str, team: str) -> None:
        if id and team:
            self._teams[id] = team

    def talks(self, id: str, channel: str) -> None:
        """Somebody's own conversation with us is this one."""
        self._direct[id] = channel

    def talks_in(self, id: str, channel: str) -> bool:
        """May this be theirs? After a restart nobody knows better."""
        others = (other for other, theirs in self._direct.items() if theirs == channel)
        return self._direct.get(id, channel) == channel and next(others, id) == id

    def heard(self, chat: Chat, person: Person) -> None:
        self._spoken[chat.key] = person.language

    def spoken(self, chat: Chat) -> str:
        """The language of whoever spoke there last."""
        return self._spoken.get(chat.key, "en")

    def wrote(self, chat: Chat, *ids: str) -> None:
        """People (and no bots, which would answer if they were mentioned) have written in a thread."""
        there = self._there[chat] = self._there.get(chat, {})
        for id in filter(None, ids):
            there.pop(id, None)
            there[id] = None
        while len(there) > _THERE:
            del there[next(iter(there))]

    def there(self, chat: Chat) -> Collection[str]:
        """Whom a mention may ring for in a thread: who has written in it, as far as this process knows. Nobody is asked
        for it, so after a restart a mention may be shown as mere words."""
        return self._there.get(chat, {}).keys()

    async def person(self, id: str) -> Person:
        until, person = self._known.get(id, (0.0, Person(id)))
        if not id or self._clock.monotonic() < until:
            return person
        task = self._asking.get(id)
        if task is None:
            if not self._calls.take():
                return person
            task = self._asking[id] = asyncio.create_task(self._ask(id, person))
            task.add_done_callback(lambda _done: self._asking.pop(id, None))
        await asyncio.wait({task}, timeout=_PATIENCE)
        return task.result() if task.done() and not task.cancelled() else person

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, id: str, before: Person) -> Person:
        kept = _KEPT
        try:
            answer = await self._wire.call("users.info", user=id, include_locale=True)
            person = _person(id, answer.get("user"))
            self.comes_from(id, _team(answer.get("user")))
        except FAILURES as error:
            person, kept = before, _AGAIN
            self._calls.refused(retry_after(error) or 0.0)
            log.info("a person's name is not to be had: %s", translate(error, self._wire.secrets).detail)
        self._known[id] = (self._clock.monotonic() + kept, person)
        return person


def _team(raw: Any) -> str:
    return str(raw.get("team_id") or "") if isinstance(raw, Mapping) else ""


def _person(id: str, raw: Any) -> Person:
    user = raw if isinstance(raw, Mapping) else {}
    profile = user.get("profile")
    profile = profile if isinstance(profile, Mapping) else {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    name = next((each for each in names if isinstance(each, str) and each), "")
    return Person(id, name, str(user.get("locale") or "en"))
