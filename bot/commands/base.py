"""Invocation of a command: what it is given, and what every command needs to answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import Enum
from typing import Protocol

from bot.commands.writing.wording import Markdown, code, harmless
from bot.errors import MagpieError
from bot.gateways.parameters import PARAMETERS
from bot.intake.access import Access
from bot.locales import say
from bot.money.alerts import Rules
from bot.settings.overlay import DEFAULT
from bot.types import (
    Chat,
    ChatSettings,
    Features,
    Json,
    Menu,
    ModelInfo,
    Person,
    Reader,
    Reply,
    SetSetting,
    SettingRow,
    Text,
)

__all__ = ["Command", "Context", "GatewayFacts", "Invocation", "ModelBook", "Topic"]

_LABELS = {
    "model": Text("Model"),
    "system": Text("System prompt"),
    "translate": Text("Translation"),
    "language": Text("Language"),
    "reasoning": Text("Reasoning"),
}
_OFF = re.compile(r"off|none|no|关|关闭|关掉|停|停止|无|否", re.IGNORECASE)
_ON = re.compile(r"on|yes|开|开启|打开|启用|是", re.IGNORECASE)


PLAIN = Features()


class ModelBook(Protocol):
    """What is known of models."""

    def info(self, model: str, /) -> ModelInfo:
        """Never fails: an unknown model is one of which little is known."""

    def all(self) -> Sequence[ModelInfo]:
        """Those that are listed."""


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What people may want to know of the gateway; `name` as in the ledger."""

    name: str
    topup_url: str = ""
    key_url: str = ""
    translation_model: str = ""
    vision_model: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Where and by whom a command is given. `now` is in UTC ms. `is_press`: by a button. `attached`: it came with
    pictures or other files. `features` are those of the platform."""

    chat: Chat
    author: Person
    now: int
    group: bool = False
    features: Features = PLAIN
    is_press: bool = False
    attached: bool = False

    @property
    def may_change(self) -> bool:
        """Whether the author may change what holds in the chat."""
        return self.author.admin or not self.group

    @property
    def who(self) -> str:
        """The author, among all people of all accounts."""
        return f"{self.chat.scopes[1]}/{self.author.id}"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a command. `words` is what follows its name and the word `here`; `settings` is what holds now.
    `rows` are those of settings proper: who may use the bot is `access`'s."""

    context: Context
    words: str
    here: bool
    reader: Reader
    models: ModelBook
    gateway: GatewayFacts
    defaults: ChatSettings
    rows: Sequence[SettingRow]
    settings: ChatSettings
    language: str
    access: Access
    rules: Rules
    zone: tzinfo = UTC

    @property
    def on(self) -> bool:
        return _ON.fullmatch(self.words) is not None

    @property
    def off(self) -> bool:
        return _OFF.fullmatch(self.words) is not None

    # ── words ──

    def say(self, words: Text | str, /, **data: object) -> Markdown:
        """A sentence as Markdown; what fills it is escaped unless it is Markdown or a number."""
        text = words if isinstance(words, Text) else Text(words)
        return Markdown(say(text.id, self.language, **harmless({**text.data, **data}, self.language)))

    def error(self, error: MagpieError) -> Markdown:
        return self.say(error.text, **error.data)

    def label(self, words: Text | str, /, **data: object) -> str:
        """Words that are not Markdown: a button's."""
        return say(words, self.language, **data)

    # ── answers ──

    def reply(
        self, *paragraphs: str, menu: Menu | None = None, sets: Sequence[SetSetting] = (), error: bool = False
    ) -> Reply:
        """The paragraphs that are not empty."""
        return Reply("\n\n".join(each for each in paragraphs if each), menu, tuple(sets), error)

    def refuse(self, error: MagpieError, *more: str, menu: Menu | None = None) -> Reply:
        return self.reply(self.error(error), *more, menu=menu, error=True)

    # ── where settings are written ──

    @property
    def scope(self) -> str:
        """The room, or with the word `here` its thread."""
        chat = self.context.chat
        return chat.key if self.here else chat.room.key

    @property
    def prefix(self) -> str:
        """What a button's action needs after the command's name, so that it writes where this call does."""
        return "here " if self.here else ""

    @property
    def place(self) -> Markdown:
        return self.where(self.scope)

    def set(self, name: str, value: Json) -> SetSetting:
        return SetSetting(self.scope, name, value)

    def named(self, name: str) -> Markdown:
        """A setting's name for people."""
        parameter = PARAMETERS.get(name)
        return self.say(parameter.label if parameter is not None else _LABELS.get(name, name))

    def row(self, name: str, scope: str) -> SettingRow | None:
        """The row of exactly this scope, if it has a value."""
        found = [row for row in self.rows if row.name == name and row.scope == scope and row.value is not None]
        return found[-1] if found else None

    def without(self, *names: str) -> list[SettingRow]:
        """The rows that are left when this scope's rows with these names are unset."""
        return [row for row in self.rows if not (row.scope == self.scope and row.name in names)]

    def shadowed(self, name: str) -> str:
        """A warning where this thread has a value of its own, so that the room's won't be seen in it."""
        chat = self.context.chat
        if self.here or chat.thread is None or self.row(name, chat.key) is None:
            return ""
        undo = code(f"/unset here {name}")
        return self.say("This thread keeps its own value. {command} removes it.", command=undo)

    def where(self, scope: str) -> Markdown:
        """A scope in words."""
        everything, account, room, *_ = self.context.chat.scopes
        places = {
            DEFAULT: Text("default"),
            self.context.chat.key: Text("this thread"),
            room: Text("this chat"),
            account: Text("this bot"),
            everything: Text("everywhere"),
        }
        return self.say(places[scope]) if scope in places else code(scope)


class Topic(Enum):
    """What a command is about, in the order in which /help tells of them."""

    TALK = Text("Talk")
    MODEL = Text("Model")
    TRANSLATE = Text("Translate")
    SETTINGS = Text("Settings")
    ADMIN = Text("Admin")


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table. `usage` is what may follow the name, `line` what it does, `examples` how it is said."""

    name: str
    run: Callable[[Invocation], Awaitable[Reply]]
    topic: Topic
    line: Text
    usage: Text | None = None
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    admin_only: bool = False  # in groups its changes of settings need an admin
    here: bool = False  # the word `here` makes it write to the thread
    strangers: bool = False  # also for people who have not been let in, in private
    free: bool = False  # what follows is free text: `here` is a word like any other where there are no threads
