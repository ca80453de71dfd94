"""Outgoing pieces: what a platform is to show, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

from bot.types.chat import Chat, PostId, Text
from bot.types.inbound import Attachment

if TYPE_CHECKING:
    from bot.markdown.tree import Block

__all__ = [
    "Bucket",
    "CallKind",
    "Choice",
    "Features",
    "Finding",
    "Limits",
    "Mark",
    "Menu",
    "Note",
    "NoteKind",
    "Piece",
    "Status",
]


@dataclass(frozen=True, slots=True)
class Choice:
    """A button. `action` is the command it stands for, or `url` what it opens."""

    label: str
    action: str = ""
    url: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Menu:
    """Choices, row by row, in reading order."""

    rows: tuple[tuple[Choice, ...], ...]


class NoteKind(StrEnum):
    PART = "part"  # this is a part, and why
    ERROR = "error"
    STOPPED = "stopped"
    REPEAT = "repeat"  # this may stand here twice
    MODEL = "model"  # another model answered, or other settings were used
    COST = "cost"
    REASONING = "reasoning"


@dataclass(frozen=True, slots=True)
class Note:
    """Something said about an answer, not by it. `text` is in the person's language; `cause` is for whoever runs this:
    the name of the error behind it, and what is known beside."""

    kind: NoteKind
    text: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What ONE platform message shall show. `key` is "<turn>.<index>", the same for each version of it.

    A growing piece must look unfinished; `reply_to` matters for a new one only. `source` is the answer's own Markdown
    that the blocks are made of: those of all pieces, in order, are the answer. Where it does not go on from the source
    that was put before, `correction` says why, in the person's language, for a place that takes nothing back.
    """

    key: str
    blocks: tuple[Block, ...]
    growing: bool = False
    menu: Menu | None = None
    files: tuple[Attachment, ...] = ()
    reply_to: PostId | None = None
    notes: tuple[Note, ...] = ()
    source: str = ""
    correction: str = ""


class CallKind(IntEnum):
    """The kinds of outgoing call, by priority: the lowest number goes first."""

    FINAL = 0  # the last version of a piece, new or changed, and deletions
    STOP = 1
    NEW = 2
    CHANGE = 3
    STATUS = 4


@dataclass(frozen=True, slots=True)
class Bucket:
    """A budget of calls. At most `burst` at once, then one per `interval` seconds; and at most `count` in any `window`
    seconds (0: no such limit), of which `reserve` are kept for finals and stops. Of a burst one is kept for them too,
    and what only grows leaves `spare`: 2 or more, so that the next new message needn't wait."""

    name: str
    interval: float
    burst: int = 1
    count: int = 0
    window: float = 0.0
    reserve: int = 0
    spare: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a place allows. `measure` counts blocks as the platform does; one message holds `size` of that."""

    size: int
    measure: Callable[[Sequence[Block]], int]
    buckets: Callable[[Chat, CallKind], tuple[Bucket, ...]]
    frame: float = 0.0  # least seconds between two versions of a growing message
    first: int = 20  # characters from which the first text is shown; with fewer, a second after it began
    status_every: float = 4.0  # seconds a status lasts


@dataclass(frozen=True, slots=True)
class Features:
    find: bool = False  # `Adapter.find` tells whether a piece was posted
    older: bool = False  # `Adapter.older` tells what was said before we came, and to others since
    prefix: str = "/"  # what people write before a command's name
    thread_prefix: str = ""  # and in a thread, where that is something else
    person: str = ""  # a regular expression for people's ids, where they have a form
    commands: Collection[str] | None = None  # those that can be given here; None: all
    pushed: bool = False  # events are brought to our HTTP host, to whichever process is there


class Status(StrEnum):
    THINKING = "thinking"


class Mark(StrEnum):
    """How good or bad what `magpie doctor` found is. Advice keeps nothing from working."""

    OK = "ok"
    ADVICE = "tip"
    WRONG = "NOT"


class Finding(NamedTuple):
    """One thing that `magpie doctor` found."""

    mark: Mark
    words: Text
