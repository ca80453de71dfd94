"""All that the workspace knows: the app, people, channels, messages, files, and the events that are made of them."""

from __future__ import annotations

import itertools
from typing import Any, Literal

from bot.types import Clock
from tests.fakes.slack.blocks import with_ids
from tests.fakes.slack.deliveries import Deliveries, Delivery
from tests.fakes.slack.files import Files
from tests.fakes.slack.people import Room
from tests.fakes.slack.places import TEAM, Json, Post, User
from tests.fakes.slack.scopes import ALL, EVENTS, event_scope
from tests.fakes.slack.sessions import Session
from tests.fakes.slack.views import Interactivity

__all__ = ["World"]

_PREFIX = {"im": "D", "channel": "C", "group": "C", "mpim": "C"}
_PLACES = {"im": "im", "channel": "channels", "group": "groups", "mpim": "mpim"}


class World:
    """`scopes` and `events` are what the app was installed with; `echoes`: it hears of its own messages too, as the
    real platform has it."""

    def __init__(self, clock: Clock, deliveries: Deliveries, *, name: str = "magpie") -> None:
        self.clock = clock
        self.deliveries = deliveries
        self.bot = User("U0MAGPIE01", name, bot_id="B0MAGPIE01")
        self.app_id = "A0MAGPIE01"
        self.scopes: set[str] = set(ALL)
        self.events: set[str] = set(EVENTS)
        self.echoes = True
        self.is_agent = True
        self.users: dict[str, User] = {self.bot.id: self.bot}
        self.rooms: dict[str, Room] = {}
        self.groups: dict[str, str] = {}  # of people: id -> handle
        self.files = Files()
        self.sessions: dict[tuple[str, str], Session] = {}
        self.interactivity = Interactivity(self)
        self._numbers = itertools.count(1)
        self._last = 0

    def number(self) -> int:
        return next(self._numbers)

    def new_id(self) -> str:
        return f"id{self.number():04}"

    def seconds(self) -> float:
        return self.clock.monotonic()

    def ts(self) -> str:
        """Later than all others."""
        self._last = max(self.clock.now() * 1000, self._last + 1)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06}"

    def person(self, name: str, locale: str = "en-US", **more: Any) -> User:
        user = User(f"U0{self.number():06}", name, locale, **more)
        self.users[user.id] = user
        return user

    def room(self, kind: Literal["im", "channel", "group", "mpim"], *members: User, name: str = "") -> Room:
        id = f"{_PREFIX[kind]}0{self.number():06}"
        self.rooms[id] = room = Room(self, id, kind, name or id.lower(), {user.id: user for user in members})
        return room

    def im(self, user: User) -> Room:
        """The conversation of the app with somebody: there is always just one."""
        known = (room for room in self.rooms.values() if room.kind == "im" and user.id in room.members)
        return next(known, None) or self.room("im", user, self.bot)

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, room: Room, by: User, text: str, **state: Any) -> Post:
        state["blocks"] = with_ids(state.get("blocks") or [], self.new_id)
        post = Post(self.ts(), room, by, self.seconds(), text, **state)
        post.keep(post.at)
        room.posts[post.ts] = post
        if by is self.bot and post.thread_ts and (session := self.sessions.get((room.id, post.thread_ts))):
            session.status = ""  # assistant.threads.setStatus: "cleared when the app sends a reply"
        return post

    def said(self, post: Post) -> Delivery | None:
        """docs.slack.dev: message event."""
        return self._message(post.room, {**post.json, "event_ts": post.ts})

    def changed(self, post: Post, before: Json) -> Delivery | None:
        """docs.slack.dev: message_changed."""
        when = self.ts()
        change = {"message": post.json, "previous_message": before, "hidden": True, "ts": when, "event_ts": when}
        return self._message(post.room, {"type": "message", "subtype": "message_changed", **change}, post)

    def remove(self, post: Post) -> Delivery | None:
        """docs.slack.dev: message_deleted. Where its thread has replies no deletion is told but a change into a
        tombstone (matterbridge#600, #605; toriel#238), and the thread stays; with the last reply that goes too."""
        before = post.json
        self.bury(post)
        if post.tombstone:
            return self.changed(post, before)
        when = self.ts()
        change = {"deleted_ts": post.ts, "previous_message": before, "hidden": True, "ts": when, "event_ts": when}
        return self._message(post.room, {"type": "message", "subtype": "message_deleted", **change}, post)

    def bury(self, post: Post) -> None:
        post.deleted = True
        post.tombstone = any(other.thread_ts == post.ts for other in post.room.standing)
        root = post.room.posts.get(post.thread_ts or "")
        if root is not None and root.tombstone:
            root.tombstone = any(other.thread_ts == root.ts for other in post.room.standing)
        post.keep(self.seconds())

    def _message(self, room: Room, event: Json, about: Post | None = None) -> Delivery | None:
        ours = about.by is self.bot if about is not None else event.get("user") == self.bot.id
        if (ours and not self.echoes) or self.bot.id not in room.members:
            return None
        kind = {"channel": room.id, "channel_type": room.kind}
        return self.emit({**event, **kind}, f"message.{_PLACES[room.kind]}")

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def emit(self, event: Json, subscription: str = "") -> Delivery | None:
        """None if the app hasn't asked for it, or may not see it."""
        name = subscription or str(event["type"])
        scope = event_scope(name)
        if name not in self.events or (scope and scope not in self.scopes):
            return None
        number = self.number()
        return self.deliveries.push(
            "events_api",
            {
                "token": "verification",
                "team_id": TEAM,
                "api_app_id": self.app_id,
                "event": event,
                "type": "event_callback",
                "event_id": f"Ev0{number:07}",
                "event_time": self.clock.now() // 1000,
                "authorizations": [
                    {"enterprise_id": None, "team_id": TEAM, "user_id": self.bot.id, "is_bot": True}
                    | {"is_enterprise_install": False}
                ],
                "is_ext_shared_channel": False,
                "event_context": f"4-context-{number}",
            },
        )
