"""Chats and people: where something is said, by whom, and words for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

__all__ = ["Account", "AccountTable", "AsgiApp", "Chat", "Json", "Person", "PostId", "Text"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
PostId = str  # a platform's id of one posted message


@dataclass(frozen=True, slots=True)
class Text:
    """Words for people, not yet in a language: a gettext message id and what fills its {braces} (a Text may fill
    another)."""

    id: str
    data: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """The English ones."""
        return self.id.format(**self.data) if self.data else self.id


@lru_cache(maxsize=1024)  # a reply needs some forty
def _key(*parts: str) -> str:
    return "/".join(quote(part, safe="-:@.") for part in parts)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom we are on a platform: one bot or one workspace. `key` is its one string form, "platform/id"; it is the scope
    of its settings, and what a process holds."""

    platform: str
    id: str
    name: str = ""

    @property
    def key(self) -> str:
        return _key(self.platform, self.id)


@dataclass(frozen=True, slots=True)
class AccountTable:
    """A table of magpie.toml, `[[platform]]`: an account beside the one of the variables. `own` is what its platform
    reads; the rest is the core's, and where it is empty the variables hold. `admins`: ids of persons."""

    platform: str
    name: str
    own: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    system: str = ""
    access: str = ""
    admins: frozenset[str] = frozenset()

    @property
    def account(self) -> str:
        """What this account is called wherever one is named."""
        return f"{self.platform}:{self.name}"

    @property
    def place(self) -> str:
        """Where it stands."""
        return f'magpie.toml, [[{self.platform}]] "{self.name}"'


@dataclass(frozen=True, slots=True)
class Chat:
    """Where a conversation happens. `key` is its one string form: "platform/account/id" or
    "platform/account/id/thread"."""

    platform: str
    account: str
    id: str
    thread: str | None = None

    @property
    def key(self) -> str:
        return _key(self.platform, self.account, self.id, *(() if self.thread is None else (self.thread,)))

    @property
    def account_key(self) -> str:
        return _key(self.platform, self.account)

    @property
    def room(self) -> Chat:
        """The same place without its thread."""
        return Chat(self.platform, self.account, self.id)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of settings that hold here, widest first: everything, account, chat, thread."""
        return tuple(dict.fromkeys(("*", self.account_key, self.room.key, self.key)))

    @classmethod
    def parse(cls, key: str) -> Chat:
        """The inverse of `key`. ValueError if `key` has not three or four parts."""
        parts = [unquote(part) for part in key.split("/")]
        if len(parts) not in (3, 4):
            raise ValueError(f"not a chat key: {key!r}")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str = ""
    language: str = "en"  # BCP 47, as the platform tells it
    admin: bool = False
    anonymous: bool = False  # somebody speaks as a chat (a channel, a group's admin): the id is the chat's
