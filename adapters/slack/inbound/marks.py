"""Mentions and other marks of a text, as what they stand for: people, channels, groups, links, dates, emoji
(docs.slack.dev: Formatting text)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.slack.inbound import emoji

__all__ = ["Marks", "Me", "NameOf", "Raw", "ids", "mappings"]

_MARK = re.compile(r"<([^<>]*)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_ID = re.compile(r"<(?:[@#]|!subteam\^)([UWCGS][A-Z0-9]+)[|>]")

Raw = Mapping[str, Any]
NameOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Me:
    """Whom people talk to: the bot, in one workspace (docs.slack.dev: auth.test)."""

    team: str
    user: str = ""
    bot: str = ""
    name: str = ""

    def wrote(self, message: Raw) -> bool:
        return bool(self.user and message.get("user") == self.user) or bool(
            self.bot and message.get("bot_id") == self.bot
        )


@dataclass(frozen=True, slots=True)
class Marks:
    """`name_of` gives the name for the id of a person, a channel or a group; '' if nobody knows. `emoji` are short
    names that surely are some."""

    me: Me
    name_of: NameOf
    emoji: Collection[str] = ()

    def read(self, source: str) -> str:
        """Without our name and without marks. In code there are no emoji, whatever marks stand beside them."""
        kept = ""
        for number, part in enumerate(emoji.CODE.split(source)):
            kept = self._read_on(kept, part, self.plain if number % 2 == 0 else _unescaped)
        return kept.replace("\0", "").strip()

    def _read_on(self, kept: str, source: str, plain: Callable[[str], str]) -> str:
        at = 0
        for mark in _MARK.finditer(source):
            kept += plain(source[at : mark.start()])
            at = mark.end()
            inner = mark[1]
            if inner == f"@{self.me.user}" or inner.startswith(f"@{self.me.user}|"):
                if (not kept or kept[-1].isspace()) and source[at : at + 1] == " ":
                    at += 1
                continue
            kept += _unescaped(self._unmarked(inner))
        return kept + plain(source[at:])

    def plain(self, text: str) -> str:
        """A text without marks, but with emoji."""
        return emoji.shown(_unescaped(text), self.emoji)

    def person(self, id: str, label: str = "") -> str:
        return f"@{self.name_of(id) or label or id}"

    def channel(self, id: str, label: str = "") -> str:
        return f"#{label or self.name_of(id) or id}"

    def group(self, id: str, label: str = "") -> str:
        return label or f"@{self.name_of(id) or id}"

    def _unmarked(self, inner: str) -> str:
        """What stands between < and >: a person, a channel, a group, a command, or a link."""
        target, _, label = inner.partition("|")
        if target.startswith("@"):
            return self.person(target[1:], label)
        if target.startswith("#"):
            return self.channel(target[1:], label)
        if target.startswith("!"):
            kind, _, rest = target[1:].partition("^")
            return self.group(rest, label) if kind == "subteam" else label or f"@{kind}"
        return link(target, emoji.shown(label, self.emoji))


def link(target: str, label: str) -> str:
    address = target.removeprefix("mailto:").removeprefix("tel:")
    is_same = not label or label in (target, address) or target.endswith(f"//{label}")
    return target if is_same else f"{label} ({target})"


def _unescaped(text: str) -> str:
    for entity, char in _ENTITIES:
        text = text.replace(entity, char)
    return text


def ids(raw: object, me: Me) -> set[str]:
    """The ids of all who are named anywhere in a message: people, channels, groups; but not ours."""
    return {id for id in _ids(raw) if id and id != me.user}


def _ids(raw: object) -> Iterator[str]:
    match raw:
        case str():
            yield from _ID.findall(raw)
        case Mapping():
            for name in ("user_id", "channel_id", "usergroup_id"):
                if isinstance(raw.get(name), str):
                    yield raw[name]
            for each in raw.values():
                yield from _ids(each)
        case Sequence():
            for each in raw:
                yield from _ids(each)


def mappings(value: object) -> Iterator[Raw]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from (each for each in value if isinstance(each, Mapping))
