"""Message text: a message's words, and whether our name is among them (Bot API: MessageEntity)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.telegram.inbound import rich, shapes
from adapters.telegram.inbound.things import THINGS, told
from bot.markdown import utf16

__all__ = ["Me", "Words", "is_me", "thing", "words_of"]

_LITERAL = ("url", "text_link", "email", "code", "pre")  # entities in which our name calls nobody


@dataclass(frozen=True, slots=True)
class Me:
    """Whom people talk to: the bot."""

    id: str
    username: str = ""
    name: str = ""


def is_me(user: shapes.User | None, me: Me) -> bool:
    return user is not None and str(user.id) == me.id


@dataclass(frozen=True, slots=True)
class Words:
    """`text` without our name; `named`: it was there; `others`: it is a command for another bot."""

    text: str
    named: bool = False
    others: bool = False


def words_of(message: shapes.Message, me: Me) -> Words:
    if message.text is not None:
        return _said(message.text, message.entities or (), me)
    if message.caption is not None:
        return _said(message.caption, message.caption_entities or (), me)
    if message.rich_message is not None:
        return _said_richly(rich.flatten(message.rich_message), me)
    return Words(thing(message))


def thing(media: shapes.Message | shapes.ExternalReply) -> str:
    return told({name: getattr(media, name) for name in THINGS})


def _said(text: str, entities: Sequence[shapes.Entity], me: Me) -> Words:
    raw, name = text.encode("utf-16-le", "surrogatepass"), f"@{me.username}".lower()
    cuts: list[tuple[int, int]] = []
    named = others = False
    marked: list[tuple[int, int]] = []
    for entity in sorted(entities, key=lambda entity: entity.offset):
        start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        piece = raw[start:end].decode("utf-16-le", "replace")
        if entity.type in _LITERAL:
            marked.append((start, end))
        if (entity.type == "mention" and piece.lower() == name) or (
            entity.type == "text_mention" and is_me(entity.user, me)
        ):
            cuts.append((start, end))
            named = True
        elif entity.type == "bot_command" and "@" in piece:
            command, _, whose = piece.partition("@")
            if f"@{whose}".lower() == name:
                cuts.append((start + 2 * utf16(command), end))
                named = True
            elif not raw[:start].strip(b"\0 \n"):
                others = True
    if me.username and (bare := [cut for cut in _unmarked(text, me) if not _touches(cut, [*marked, *cuts])]):
        cuts, named = sorted([*cuts, *bare]), True
    return Words(_without(raw, cuts), named, others)


def _unmarked(text: str, me: Me) -> Iterator[tuple[int, int]]:
    """Our name where the platform sees no mention: letters of any script stand right before or behind it, as in
    languages that put no spaces there. Bytes of UTF-16."""
    name = rf"(?<![A-Za-z0-9_.+/@-])[@＠]{re.escape(me.username)}(?![A-Za-z0-9_])"
    for found in re.finditer(name, text, re.IGNORECASE):
        start = 2 * utf16(text[: found.start()])
        yield start, start + 2 * utf16(found[0])


def _touches(cut: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(start < cut[1] and cut[0] < end for start, end in others)


def _without(raw: bytes, cuts: Sequence[tuple[int, int]]) -> str:
    at, kept = 0, ""
    for start, end in cuts:
        before = raw[at:start].decode("utf-16-le", "replace")
        kept, at = kept + before, max(at, end)
        if kept.endswith(" ") and raw[at : at + 2] == b" \0":
            kept = kept[:-1]
    kept += raw[at:].decode("utf-16-le", "replace")
    return kept.replace("\0", "").strip()


def _said_richly(text: str, me: Me) -> Words:
    if not me.username:
        return Words(text.strip())
    name = rf"(?<![A-Za-z0-9_.+/@-])@{re.escape(me.username)}(?![A-Za-z0-9_]) ?"
    rest, count = re.subn(name, "", text, flags=re.IGNORECASE)
    return Words(rest.replace("\0", "").strip(), count > 0)
