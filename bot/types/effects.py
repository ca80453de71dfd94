"""Effects: what a command's answer changes, as data that the store applies."""

from __future__ import annotations

from dataclasses import dataclass

from bot.types.chat import Chat, Json
from bot.types.outgoing import Menu
from bot.types.turn import Answer

__all__ = ["Effect", "Forget", "Notice", "Reopen", "Reply", "SetSetting", "Stop"]


@dataclass(frozen=True, slots=True)
class SetSetting:
    """Effect: a new settings row."""

    scope: str
    name: str
    value: Json


@dataclass(frozen=True, slots=True)
class Forget:
    """Effect: what was said in the chat so far is no longer context."""

    chat: Chat


@dataclass(frozen=True, slots=True)
class Stop:
    """Effect: stop a question's answer where it is; of one that nobody has begun to answer, `instead` is shown."""

    chat: Chat
    turn: int
    instead: Answer


@dataclass(frozen=True, slots=True)
class Reopen:
    """Effect: ask an ended turn's question again; its new answer replaces the old in the same messages. `go_on`: the
    new answer begins with the old one's text."""

    chat: Chat
    turn: int
    go_on: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Words of our own for a chat, as Markdown in its language; `title` is given to a chat that has none. As an effect:
    they are queued."""

    chat: Chat
    text: str
    language: str = "en"
    title: str = ""


Effect = SetSetting | Forget | Stop | Reopen | Notice


@dataclass(frozen=True, slots=True)
class Reply:
    """A command's answer: Markdown in the person's language ('' for none), and what it changes.

    `ephemeral`: what it says shows by itself, so it is a toast or nothing. `in_order`: it stands below the answers that
    were stopped before. `ask`: what is to be asked as a question, in place of any words.
    """

    text: str
    menu: Menu | None = None
    effects: tuple[Effect, ...] = ()
    error: bool = False
    ephemeral: bool = False
    in_order: bool = False
    ask: str | None = None
