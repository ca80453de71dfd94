"""Who and where: people, chats, topics, messages, as the server keeps them and as the Bot API writes them down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.telegram.entities import Entity
from tests.fakes.telegram.keyboards import Keyboard

__all__ = ["ChatState", "Json", "Post", "Shown", "Status", "Topic", "User", "Version"]

Json = dict[str, Any]
Status = Literal["creator", "administrator", "member", "restricted", "left", "kicked"]


@dataclass(eq=False)
class User:
    id: int
    first_name: str
    username: str = ""
    last_name: str = ""
    language_code: str = "en"
    is_bot: bool = False

    @property
    def json(self) -> Json:
        """Bot API: User."""
        more = {name: getattr(self, name) for name in ("last_name", "username", "language_code") if getattr(self, name)}
        return {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name, **more}


@dataclass(eq=False)
class Topic:
    """`id` is its message_thread_id: the id of the service message that opened it."""

    id: int
    name: str
    closed: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class Version:
    """One state of a message. `at` is in seconds of the clock."""

    id: int
    at: float
    text: str
    entities: tuple[Entity, ...] = ()
    keyboard: tuple[tuple[Json, ...], ...] = ()
    deleted: bool = False


@dataclass(frozen=True)
class Shown:
    """One of the bot's messages as people see it now. `edits` counts changes of text or buttons."""

    id: int
    at: float
    text: str
    entities: tuple[Entity, ...]
    keyboard: tuple[tuple[Json, ...], ...]
    reply_to: int | None
    thread: int | None
    edits: int
    quote: str = ""

    @property
    def buttons(self) -> list[str]:
        """The labels, in reading order."""
        return [button["text"] for row in self.keyboard for button in row]


@dataclass(eq=False)
class Post:
    """A message in a chat, whoever wrote it. `fields` has what the Bot API's Message has, without the message it
    replies to."""

    id: int
    by: User
    at: float
    fields: Json
    thread: int | None = None
    reply_to: Post | None = None
    deleted: bool = False
    versions: list[Version] = field(default_factory=list)

    @property
    def text(self) -> str:
        return str(self.fields.get("text", self.fields.get("caption", "")))

    @property
    def keyboard(self) -> Keyboard:
        return list(self.fields.get("reply_markup", {}).get("inline_keyboard", []))

    @property
    def json(self) -> Json:
        """Bot API: Message. A message inside another has no third in it (Message.reply_to_message)."""
        if self.reply_to is None:
            return dict(self.fields)
        return {**self.fields, "reply_to_message": dict(self.reply_to.fields)}

    def keep(self, at: float, *, deleted: bool = False) -> None:
        """Remember what it looks like now."""
        rows = tuple(tuple(row) for row in self.keyboard)
        entities = tuple(self.fields.get("entities", ()))
        self.versions.append(Version(self.id, at, self.text, entities, rows, deleted))

    @property
    def shown(self) -> Shown:
        now = self.versions[-1]
        reply = self.reply_to.id if self.reply_to and self.reply_to.id != self.thread else None
        quote = self.fields.get("quote", {}).get("text", "")
        edits = len(self.versions) - 1
        return Shown(self.id, now.at, now.text, now.entities, now.keyboard, reply, self.thread, edits, quote)


@dataclass(eq=False)
class ChatState:
    """`members` has everybody's status, the bot's too."""

    id: int
    type: Literal["private", "group", "supergroup"]
    title: str = ""
    username: str = ""
    is_forum: bool = False
    user: User | None = None  # of a private chat
    members: dict[int, tuple[User, Status]] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    posts: dict[int, Post] = field(default_factory=dict)
    actions: list[tuple[float, str, int | None]] = field(default_factory=list)  # (when, action, thread)
    started: bool = True  # private: the person has written first
    blocked: bool = False
    deactivated: bool = False
    deleted: bool = False
    silenced: bool = False  # the bot may not write here
    migrated_to: int | None = None

    @property
    def json(self) -> Json:
        """Bot API: Chat."""
        if self.user is not None:
            more = {name: value for name, value in self.user.json.items() if name in ("last_name", "username")}
            return {"id": self.id, "type": "private", "first_name": self.user.first_name, **more}
        more = {"username": self.username} if self.username else {}
        forum = {"is_forum": True} if self.is_forum else {}
        return {"id": self.id, "type": self.type, "title": self.title, **more, **forum}

    def status(self, user: User) -> Status:
        return self.members[user.id][1] if user.id in self.members else "left"

    def rules(self, user: User) -> bool:
        return self.status(user) in ("creator", "administrator")

    def next_id(self) -> int:
        made = (
            1 if self.type == "supergroup" else 0
        )  # the message that says that it was made, and the root of "General"
        return max(self.posts, default=made) + 1

    def find(self, id: int) -> Post | None:
        post = self.posts.get(id)
        return None if post is None or post.deleted else post
