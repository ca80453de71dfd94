"""Who and what: people, messages and their versions, as the server keeps them and as the API writes them down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.blocks import body, buttons, notes, ringing

if TYPE_CHECKING:
    from tests.fakes.slack.people import Room

__all__ = ["TEAM", "Json", "Post", "Shown", "Stream", "User", "Version"]

Json = dict[str, Any]
TEAM = "T0MAGPIE01"
LIFE = 300.0  # seconds of a stream, however lively it is (python-slack-sdk#1859, node-slack-sdk#2702)


@dataclass(eq=False)
class User:
    id: str
    name: str
    locale: str = "en-US"
    bot_id: str = ""
    deleted: bool = False
    team: str = TEAM

    @property
    def json(self) -> Json:
        """docs.slack.dev: User object, without what was asked for only."""
        profile = {"display_name": self.name, "real_name": self.name, "team": self.team}
        more = {"deleted": True} if self.deleted else {"real_name": self.name, "tz": "Europe/London", "tz_offset": 0}
        head = {"id": self.id, "team_id": self.team, "name": self.name.lower().replace(" ", ".")}
        return {**head, **more, "profile": profile, "is_bot": bool(self.bot_id), "is_app_user": False}


@dataclass(frozen=True)
class Version:
    """One state of a message. `at` is in seconds of the clock."""

    ts: str
    at: float
    text: str
    notes: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    streaming: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class Shown:
    """A message as people see it now: `text` as it was written (Markdown), `notes` its small print, `buttons` their
    labels. `at` is when it got so, `edits` counts changes."""

    ts: str
    thread_ts: str | None
    at: float
    text: str
    notes: tuple[str, ...]
    buttons: tuple[str, ...]
    streaming: bool
    edits: int
    blocks: tuple[Json, ...] = ()
    metadata: Json | None = None


@dataclass
class Stream:
    """`text` is all that was appended; `end` is why nothing more can be: '' while something can."""

    started: float
    text: str = ""
    size: int = 0
    end: str = ""


@dataclass(eq=False)
class Post:
    """A message, whoever wrote it."""

    ts: str
    room: Room
    by: User
    at: float
    text: str = ""
    thread_ts: str | None = None
    blocks: list[Json] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    subtype: str = ""
    edited: str = ""
    deleted: bool = False
    tombstone: bool = False  # deleted, but its thread has replies: its place stays
    stream: Stream | None = None
    extra: Json = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)

    @property
    def root(self) -> str:
        """The ts of its thread."""
        return self.thread_ts or self.ts

    @property
    def body(self) -> str:
        """What people read: blocks if there are any, else the text (docs.slack.dev: chat.postMessage)."""
        if self.stream is not None:
            return "\n\n".join(filter(None, (self.stream.text, body(self.blocks))))
        return body(self.blocks) if self.blocks else self.text

    @property
    def rings(self) -> set[str]:
        """Whom it rings for."""
        return ringing(self.text, self.stream.text if self.stream is not None else "", blocks=self.blocks)

    @property
    def json(self) -> Json:
        """docs.slack.dev: message event; metadata is left out."""
        if self.tombstone:
            return self._grave
        text = self.stream.text if self.stream is not None else self.text
        found: Json = {"type": "message", "user": self.by.id, "text": text, "ts": self.ts, "team": self.by.team}
        if self.by.bot_id:
            found |= {"bot_id": self.by.bot_id, "app_id": "A0MAGPIE01"}
        for name in ("thread_ts", "blocks", "files", "subtype"):
            if value := getattr(self, name):
                found[name] = value
        if self.thread_ts and (root := self.room.posts.get(self.thread_ts)):
            found["parent_user_id"] = root.by.id
        if self.by.team != TEAM:  # of a shared channel (docs.slack.dev: Using Slack Connect)
            found |= {"user_team": self.by.team, "source_team": self.by.team}
        if self.edited:
            found["edited"] = {"user": self.by.id, "ts": self.edited}
        return {**found, **self.extra}

    @property
    def _grave(self) -> Json:
        """What is left of a message whose thread has replies (matterbridge#600, toriel#238)."""
        return {
            "type": "message",
            "subtype": "tombstone",
            "user": "USLACKBOT",
            "text": "This message was deleted.",
            "hidden": True,
            "ts": self.ts,
            "thread_ts": self.ts,
            "reply_count": sum(other.thread_ts == self.ts for other in self.room.standing),
        }

    @property
    def shown(self) -> Shown:
        now = self.versions[-1]
        edits = len(self.versions) - 1
        seen = (now.text, now.notes, now.buttons, now.streaming)
        return Shown(self.ts, self.thread_ts, now.at, *seen, edits, tuple(self.blocks), self.metadata)

    def streams(self, now: float) -> bool:
        """Whether it still grows: the platform ends a stream when its time is over."""
        if self.stream is None:
            return False
        if not self.stream.end and now - self.stream.started >= LIFE:
            self.stream.end = "expired"
            self.keep(self.stream.started + LIFE)
        return not self.stream.end

    def keep(self, at: float) -> None:
        """Remember what it looks like now."""
        streaming = self.stream is not None and not self.stream.end
        seen = (self.body, notes(self.blocks), buttons(self.blocks), streaming, self.deleted)
        self.versions.append(Version(self.ts, at, *seen))
