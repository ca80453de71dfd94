"""Turns and messages: a question's life, and the conversation that it stands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.types.chat import Chat, Json, Person, PostId
from bot.types.inbound import Attachment

if TYPE_CHECKING:
    from bot.types.outgoing import Menu, Note

__all__ = [
    "Answer",
    "ChatSettings",
    "Message",
    "Outcome",
    "Posted",
    "Role",
    "SettingRow",
    "Translation",
    "Turn",
    "TurnKind",
    "TurnState",
]


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    OVERHEARD = "overheard"  # people among themselves, or programs: context, and no question


@dataclass(frozen=True, slots=True)
class Message:
    """One stored entry of a conversation. `in_context` is False for commands, their answers, and what the gateway
    refused. `after_turn` is its place in the context: its own turn, or where it has none, the last turn that the chat
    had when it came (0: it came before any)."""

    id: int
    chat: Chat
    turn: int | None
    role: Role
    author: Person
    text: str
    at: int
    attachments: tuple[Attachment, ...] = ()
    quoted: str = ""
    post: PostId | None = None
    in_context: bool = True
    quoted_by: Person | None = None
    forwarded_from: Person | None = None
    after_turn: int = 0


class TurnKind(StrEnum):
    QUESTION = "question"  # the model answers
    NOTICE = "notice"  # the answer is known already: a command's, an alert's


class TurnState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DELIVERING = "delivering"
    ENDED = "ended"


class Outcome(StrEnum):
    WHOLE = "whole"
    PART = "part"
    STOPPED = "stopped"
    FAILED = "refused"  # a clear error instead of an answer
    EXPIRED = "expired"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Posted:
    """One piece of a turn on its platform. `post` is None while its outcome is unknown: intended, never confirmed.

    `digest` is what it showed when it was final, '' until then.
    """

    index: int
    post: PostId | None
    digest: str = ""
    repeats: int = 0  # times it was sent again, marked, for an unknown outcome


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange, the unit of durable work. `attempt` fences every later write.

    `text`, `reasoning`, `notes`, `menu` and `outcome` are set from `generated` on: what is to be delivered.
    """

    id: int
    chat: Chat
    kind: TurnKind
    state: TurnState
    attempt: int
    asker: Person
    created: int
    not_before: int = 0
    group: bool = False
    title: str = ""
    reply_to: PostId | None = None
    stop: bool = False  # somebody asked to stop it
    base: str = ""  # the part that this answer goes on with
    text: str = ""
    reasoning: str = ""
    notes: tuple[Note, ...] = ()
    menu: Menu | None = None
    outcome: Outcome | None = None
    posts: tuple[Posted, ...] = ()
    settings: Mapping[str, Json] = field(default_factory=dict)  # of its own, over those of its chat


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One row of the append-only table of settings: the newest per (scope, name) holds, a value of None unsets."""

    scope: str
    name: str
    value: Json
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class Translation:
    """Languages by their English names (`languages.csv`); no `source` means: find out from the text. `both`: what is in
    the target goes into the source. `guess`: what the source may be, for a gateway that can't find out by itself."""

    target: str
    source: str | None = None
    both: bool = False
    guess: str | None = None


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What holds in a chat after inheritance. `parameters` are the chat API's, by name, already checked."""

    model: str
    system: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    translation: Translation | None = None
    language: str = ""  # of the bot's own words; '' follows the person
    reasoning: str = ""  # how much of it is shown above an answer: off, brief, full; '' is off, but on a page folded
    origins: Mapping[str, str] = field(default_factory=dict)  # name of a setting -> the scope it comes from


@dataclass(frozen=True, slots=True)
class Answer:
    """What a turn is going to show: whole, or a part with notes that say so."""

    text: str
    outcome: Outcome
    reasoning: str = ""
    notes: tuple[Note, ...] = ()
    menu: Menu | None = None
    exclude: bool = False  # keep this exchange out of later contexts (refused content, an error)
