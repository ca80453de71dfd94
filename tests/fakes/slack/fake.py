"""What a test holds in its hand: the server, the people, what goes wrong, and what is seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.fakes.clock import PATIENCE
from tests.fakes.faults import Fault
from tests.fakes.pictures import picture
from tests.fakes.slack.files import StoredFile
from tests.fakes.slack.people import Room
from tests.fakes.slack.places import TEAM, Json, Post, Shown, User, Version
from tests.fakes.slack.server import Call, Server
from tests.fakes.slack.views import OpenView

__all__ = ["FakeSlack"]


class FakeSlack(Server):
    """`async with FakeSlack() as slack`. Limits are on unless `limits=Limits(on=False)`."""

    team = TEAM

    # ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def person(self, name: str, locale: str = "en-US", **more: Any) -> User:
        return self.world.person(name, locale, **more)

    def private(self, who: User | str = "Ann") -> Room:
        """The conversation with somebody."""
        return self.world.im(who if isinstance(who, User) else self.person(who))

    def channel(self, *people: User, name: str = "general", private: bool = False, bot: bool = True) -> Room:
        """A channel with these people, and the app in it."""
        people = people or (self.person("Ann"),)
        return self.world.room("group" if private else "channel", *people, *((self.bot,) if bot else ()), name=name)

    def several(self, *people: User) -> Room:
        """A conversation of several people and the app."""
        return self.world.room("mpim", *people, self.bot)

    def file(
        self, data: bytes | None = None, name: str = "photo.jpg", mime: str = "image/jpeg", **more: Any
    ) -> StoredFile:
        """For `write(files=...)`; `size=` may say more than there are bytes, `external=True` is another workspace's."""
        return self.files.keep(picture() if data is None else data, name, mime, **more)

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    def fail(
        self, method: str, n: int, how: str, *, times: int = 1, seconds: int = 5, chat: Room | None = None
    ) -> Fault:
        """The n-th call of `method` from now on (1 is the next), and `times - 1` after it, fail like `how` (`How`, or
        any word that the API could say no with). A method of "" is any but apps.connections.open, "file" a download;
        `seconds` is the Retry-After of a 429."""
        return self.faults.add(Fault(how, method.lower(), chat.id if chat else None, n - 1, times, seconds))

    def refuse(
        self, *, after: int, times: int = 1, method: str = "chat.postMessage", chat: Room | None = None
    ) -> Fault:
        """429 for the next `times` calls, to come back after so many seconds."""
        return self.fail(method, 1, "429", times=times, seconds=after, chat=chat)

    # ── what is seen ────────────────────────────────────────────────────────────────────────────────────────────────

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method.lower() == method.lower()]

    @property
    def floods(self) -> int:
        """Calls refused with 429 because they came too fast; scripted ones don't count."""
        return self.limits.refused

    @property
    def hasty(self) -> list[Call]:
        """Calls that came before the time was over that a 429 told, of the same method (and channel, of postMessage):
        docs.slack.dev: Rate limits."""
        found: list[Call] = []
        for number, told in enumerate(self.calls):
            until = told.at + told.after
            found += [
                call for call in self.calls[number + 1 :] if told.after and call.at < until and _alike(call, told)
            ]
        return found

    def posts(self, room: Room, thread: Post | None = None) -> list[Post]:
        """The app's messages that stand there, in order; with `thread` only that thread's."""
        ours = [post for post in room.standing if post.by is self.bot and (thread is None or post.root == thread.root)]
        for post in ours:
            post.streams(self.clock.monotonic())
        return ours

    def shown(self, room: Room, thread: Post | None = None) -> list[Shown]:
        """The app's messages as people see them now, in order."""
        return [post.shown for post in self.posts(room, thread)]

    def history(self, room: Room, thread: Post | None = None) -> list[Version]:
        """Every state of each of the app's messages, in the order of time."""
        posts = (post for post in room.posts.values() if post.by is self.bot)
        wanted = [post for post in posts if thread is None or post.root == thread.root]
        return sorted((version for post in wanted for version in post.versions), key=lambda version: version.at)

    def whispered(self, room: Room, user: User | None = None) -> list[Shown]:
        """What the app said so that only this person sees it."""
        return [post.shown for post in room.whispers.get((user or room.person).id, ())]

    def doing(self, room: Room, thread: Post) -> str:
        """The status line below a thread."""
        session = self.world.sessions.get((room.id, thread.root))
        return session.doing(self.clock.monotonic()) if session else ""

    def session(self, room: Room, thread: Post) -> str:
        """What the agent's session of a thread is in; '' if there is none."""
        session = self.world.sessions.get((room.id, thread.root))
        return session.state if session else ""

    def modal(self, user: User) -> OpenView | None:
        """The modal that somebody sees."""
        found = [view for view in self.world.interactivity.views.values() if view.user is user and not view.closed]
        return found[-1] if found else None

    def home(self, user: User) -> Json | None:
        view = self.world.interactivity.homes.get(user.id)
        return view.json if view else None

    async def until(self, predicate: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Waits, in real time, until the predicate is true; TimeoutError with the last calls otherwise."""
        end = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s; the last calls: {self.calls[-8:]}")
            await asyncio.sleep(0.005)


def _alike(call: Call, told: Call) -> bool:
    channels = (call.params.get("channel"), told.params.get("channel"))
    return call.method == told.method and (call.method != "chat.postMessage" or channels[0] == channels[1])
