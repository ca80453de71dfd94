"""What a test holds in its hand: the server, the people, what goes wrong, and what is seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal

from tests.fakes.clock import PATIENCE
from tests.fakes.faults import Fault, How
from tests.fakes.telegram.chats import Shown, Topic, User, Version
from tests.fakes.telegram.people import Room
from tests.fakes.telegram.server import Call, Server

__all__ = ["FakeTelegram"]


class FakeTelegram(Server):
    """`async with FakeTelegram() as tg`. Limits are on unless `limits=Limits(on=False)`."""

    # ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def person(self, name: str, username: str = "", language: str = "en") -> User:
        return self.world.person(name, username, language)

    def private(self, who: User | str = "Ann", *, started: bool = True) -> Room:
        """The private chat with somebody; `started=False`: they have never written to the bot."""
        user = who if isinstance(who, User) else self.person(who)
        known = self.world.rooms.get(user.id)
        return known or self.world.room("private", user=user, started=started)

    def group(self, *people: User, title: str = "Group") -> Room:
        """A basic group with the bot in it; the first of the people made it."""
        return self._place("group", people, title=title)

    def supergroup(self, *people: User, title: str = "Supergroup", forum: bool = False, username: str = "") -> Room:
        return self._place("supergroup", people, title=title, is_forum=forum, username=username)

    def _place(self, kind: Literal["group", "supergroup"], people: tuple[User, ...], **state: Any) -> Room:
        people = people or (self.person("Ann"),)
        members: dict[int, Any] = {user.id: (user, "member") for user in (*people, self.bot)}
        members[people[0].id] = (people[0], "creator")
        return self.world.room(kind, members=members, **state)

    def push(self, update: dict[str, Any], chat: int = 0) -> int:
        """Any update, of whatever kind and shape. Returns its id, 0 if the bot hasn't asked for this kind."""
        added = self.world.updates.add(update, chat)
        return added.id if added else 0

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    def fail(
        self, method: str, n: int, how: How, *, times: int = 1, seconds: int = 5, chat: Room | None = None
    ) -> Fault:
        """The n-th call of `method` from now on (1 is the next), and `times - 1` after it, fail like `how`. A method of
        "" is any but getUpdates; `seconds` is the retry_after of a 429."""
        return self.faults.add(Fault(how, method.lower(), chat.id if chat else None, n - 1, times, seconds))

    def refuse(self, *, after: int, times: int = 1, method: str = "sendMessage", chat: Room | None = None) -> Fault:
        """429 for the next `times` calls, `retry_after=after`."""
        return self.fail(method, 1, "429", times=times, seconds=after, chat=chat)

    # ── what is seen ────────────────────────────────────────────────────────────────────────────────────────────────

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method.lower() == method.lower()]

    @property
    def floods(self) -> int:
        """Calls refused with 429 because they came too fast; scripted ones don't count."""
        return self.limits.refused

    def shown(self, room: Room, thread: Topic | None = None) -> list[Shown]:
        """The bot's messages as people see them now, in order; with `thread` only that topic's."""
        posts = [post for post in room.posts.values() if post.by is self.bot and not post.deleted]
        return [post.shown for post in posts if thread is None or post.thread == thread.id]

    def history(self, room: Room) -> list[Version]:
        """Every state of each of the bot's messages, in the order of time."""
        posts = [post for post in room.posts.values() if post.by is self.bot]
        return sorted((version for post in posts for version in post.versions), key=lambda version: version.at)

    def doing(self, room: Room, thread: Topic | None = None) -> str:
        """The chat action that people see now: for 5 seconds, or until the bot's next message (sendChatAction)."""
        place = thread.id if thread else None
        acts = [(at, action) for at, action, where in room.actions if where == place]
        at, action = acts[-1] if acts else (0.0, "")
        newer = any(post.by is self.bot and post.thread == place and post.at >= at for post in room.posts.values())
        return "" if newer or self.clock.monotonic() - at > 5 else action

    async def until(self, predicate: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Waits, in real time, until the predicate is true; TimeoutError with the last calls otherwise."""
        end = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > end:
                calls = [call for call in self.calls if call.method.lower() != "getupdates"][-8:]
                raise TimeoutError(f"not within {seconds} s; the last calls: {calls}")
            await asyncio.sleep(0.005)
