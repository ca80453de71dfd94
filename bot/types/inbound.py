"""Inbound events: what an adapter brings to the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.types.chat import Chat, Json, Person, PostId

if TYPE_CHECKING:
    from bot.types.outgoing import Menu

__all__ = [
    "Ack",
    "Addressing",
    "Attachment",
    "Deleted",
    "Edited",
    "Inbound",
    "IncomingMessage",
    "Kind",
    "Membership",
    "Moved",
    "Press",
    "StopPressed",
]


class Kind(StrEnum):
    """What people call a thing that they sent. What is in it, its bytes tell."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"
    VOICE = "voice"  # recorded in the chat
    VIDEO_NOTE = "video_note"  # likewise: a round message, a clip
    ANIMATION = "animation"  # a short film that runs by itself, without sound
    STICKER = "sticker"
    STORY = "story"  # a picture or film that is shown for a day, to some
    PAID = "paid"  # a picture or film that has to be paid for


@dataclass(frozen=True, slots=True)
class Attachment:
    """`ref` is a word that only its own adapter can open (`Adapter.fetch`); `size` is in bytes. `album`: it was sent
    with others, which are not here (one of several pictures is replied to)."""

    kind: Kind
    ref: str
    mime: str = ""
    size: int | None = None
    name: str = ""
    album: bool = False


class Addressing(StrEnum):
    """To whom a message is said: a fact that its adapter reports. Whether it is answered, the core decides."""

    PRIVATE = "private"  # nobody else is there
    MENTION = "mention"  # it has our name
    REPLY = "reply"  # to a message of ours
    COMMAND = "command"  # among several people, and without a name: it may be another bot's
    THREAD = "thread"  # to whoever is in a thread, of which we may be one
    OVERHEARD = "overheard"  # to whoever is there
    TO_OTHERS = "to_others"  # it names somebody else, or another bot

    @property
    def calls_us(self) -> bool:
        """By itself, whatever was said before."""
        return self in (Addressing.PRIVATE, Addressing.MENTION, Addressing.REPLY, Addressing.COMMAND)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """Somebody wrote something. `key` is the dedupe key its adapter gives: the same event always has the same key."""

    key: str
    chat: Chat
    author: Person
    text: str
    at: int
    attachments: tuple[Attachment, ...] = ()
    post: PostId | None = None  # the platform's id of this message; an answer replies to it
    quoted: str = ""  # text of the message this one replies to or quotes
    quoted_by: Person | None = None  # who said that, if it is known; Person(""), nobody, for the bot's own words
    forwarded_from: Person | None = None  # these are the words of somebody else; nobody if it isn't told of whom
    title: str = ""  # of the chat, if it has one
    group: bool = False  # several people talk here
    addressing: Addressing = Addressing.PRIVATE
    courtesy: bool = False  # thanks, or signs: its words ask for nothing
    joins: bool = False  # belongs to what its author has said just before, even if that is being answered already
    more: bool = False  # the rest may follow within a second (album, forward, a text cut at 4,000 characters)
    literal: bool = False  # asked as it stands, even where it looks like a command
    settings: Mapping[str, Json] = field(default_factory=dict)  # for this one turn, by the names of settings rows


@dataclass(frozen=True, slots=True)
class Edited:
    """A message was changed before or after it was answered. `asks`: as it is now it calls us, which it may not have
    done before. `quoted`: what it quotes now; None: as before."""

    key: str
    chat: Chat
    author: Person
    post: PostId
    text: str
    at: int
    asks: IncomingMessage | None = None
    quoted: str | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message was taken back by its author, or by whoever may. `message` is the key that the message itself has as an
    event: if it comes late, it is not asked."""

    key: str
    chat: Chat
    post: PostId
    at: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A button, or a control of a page, was pressed. `action` is a command as it would be typed ("/model qwen-max").

    With `post`, the command's answer replaces that message; without, it comes back in the Ack's toast.
    """

    key: str
    chat: Chat
    author: Person
    action: str
    at: int
    post: PostId | None = None
    group: bool = False


@dataclass(frozen=True, slots=True)
class StopPressed:
    """The platform's own Stop control. It may not tell who pressed."""

    key: str
    chat: Chat
    at: int
    author: Person | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """We were let into a chat (`present`), or put out of it (removed, blocked)."""

    key: str
    chat: Chat
    present: bool
    at: int
    author: Person | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """A chat goes on under another id: settings and history move along."""

    key: str
    chat: Chat
    to: Chat
    at: int


Inbound = IncomingMessage | Edited | Deleted | Press | StopPressed | Membership | Moved


@dataclass(frozen=True, slots=True)
class Ack:
    """What the core answers to an event, once it is safely stored. Words are in the person's language.

    `turn` is the turn this event became part of, if any; `errors` name a modal's fields.
    """

    turn: int | None = None
    toast: str = ""
    error: bool = False
    menu: Menu | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
