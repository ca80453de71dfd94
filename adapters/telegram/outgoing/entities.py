"""Message entities over a text that grows (Bot API: MessageEntity)

Offsets and lengths are UTF-16 code units. Entities keep the platform's rules (Bot API: Formatting options): `pre` and
`code` stand alone, so bold, italic, strikethrough and quotes go around a `pre`; in quotes and links, code is words; a
quote holds no other quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bot.markdown import utf16

__all__ = ["MOST_ENTITIES", "Entity", "Fragment", "Rendered", "Writer", "harmless"]

MOST_ENTITIES = 100  # of one message; the platform drops further ones without a word

_SOLID = ("pre", "code")
_QUOTES = ("blockquote", "expandable_blockquote")
_SPLITTABLE = (*_QUOTES, "bold", "italic", "strikethrough")
_WORTH = {name: rank for rank, name in enumerate(("pre", "text_link", "code", *_SPLITTABLE))}
_COMMAND = re.compile(r"(?<![\w/<>])/(?=\w|$)")  # what a client would make a command of, that is sent when touched
_JOINER = "\u2060"


@dataclass(frozen=True, slots=True)
class Entity:
    type: str
    offset: int
    length: int
    language: str = ""  # of pre
    url: str = ""  # of text_link

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str
    entities: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Fragment:
    """What has been written, to be appended to something else. `gap`: what it leaves before whatever follows."""

    text: str
    length: int
    entities: tuple[Entity, ...]
    gap: str


def harmless(text: str) -> str:
    """Without a command that waits to be touched."""
    return _COMMAND.sub("/" + _JOINER, text) if "/" in text else text


class Writer:
    """Text that grows, and the entities over it. A gap is only written when something follows it."""

    def __init__(self) -> None:
        self.length = 0
        self.indent = ""
        self._text: list[str] = []
        self._gap = ""
        self._is_worded = False
        self._entities: list[Entity] = []

    def write(self, text: str) -> None:
        text = text.replace("\0", "")
        if not text:
            return
        if self.indent:
            text = text.replace("\n", "\n" + self.indent)
        self._put(self._gap + text)
        self._gap = ""

    def words(self, text: str) -> None:
        """What a model says."""
        self.write(harmless(text))

    def solid(self, text: str, language: str) -> None:
        """A `pre`: as it is, on lines of its own, without indentation."""
        if self._gap:
            self._gap = self._gap.rstrip(" >")
        indent, self.indent = self.indent, ""
        with self.span("pre", language=language):
            self.write(text)
        self.indent = indent

    def code(self, text: str) -> None:
        if self._is_worded:
            self.words(text)
            return
        with self.span("code"):
            self.write(text)

    @contextmanager
    def worded(self) -> Iterator[None]:
        """Where code can't be marked as such."""
        before, self._is_worded = self._is_worded, True
        yield
        self._is_worded = before

    def _put(self, text: str) -> None:
        self._text.append(text)
        self.length += utf16(text)

    def gap(self, text: str) -> None:
        """Between what is there and what will follow; the first of several counts."""
        if self.length and not self._gap:
            self._gap = text.replace("\n\n", "\n\n" + self.indent) if "\n\n" in text else text + self.indent

    def append(self, fragment: Fragment) -> None:
        if not fragment.text:
            return
        start = self.length + utf16(self._gap)
        self._text += (self._gap, fragment.text)
        self._gap, self.length = fragment.gap, start + fragment.length
        for each in fragment.entities:
            self._entities.append(Entity(each.type, start + each.offset, each.length, each.language, each.url))

    @property
    def fragment(self) -> Fragment:
        return Fragment("".join(self._text), self.length, tuple(self._entities), self._gap)

    @contextmanager
    def span(self, type: str, *, language: str = "", url: str = "") -> Iterator[None]:
        start = self.length + utf16(self._gap)
        yield
        if self.length > start:
            self._entities.append(Entity(type, start, self.length - start, language, url))

    @property
    def count(self) -> int:
        return len(self._entities)

    def rendered(self) -> Rendered:
        whole = "".join(self._text)
        text = whole.rstrip()  # the platform cuts spaces at the end off
        end = self.length - (len(whole) - len(text))
        clipped = (replace(each, length=min(each.end, end) - each.offset) for each in self._entities)
        # half a surrogate pair can't travel as UTF-8; what takes its place is as long
        text = text.encode("utf-8", "replace").decode()
        return Rendered(text, _allowed([each for each in clipped if each.length > 0]))


def _allowed(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """What may stand together, in order; the less important go where there are too many."""
    solid = sorted((each.offset, each.end) for each in entities if each.type in _SOLID)
    kept = [each for each in entities if each.type not in _SPLITTABLE]
    for type in _SPLITTABLE:
        for start, end in _without(_union(each for each in entities if each.type == type), solid):
            kept.append(Entity(type, start, end - start))
    if len(kept) > MOST_ENTITIES:
        kept = sorted(kept, key=lambda each: _WORTH[each.type])[:MOST_ENTITIES]
    return tuple(sorted(kept, key=lambda each: (each.offset, -each.length, _WORTH[each.type])))


def _union(entities: Iterator[Entity]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for each in sorted(entities, key=lambda each: each.offset):
        if spans and each.offset < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], each.end))
        else:
            spans.append((each.offset, each.end))
    return spans


def _without(spans: Sequence[tuple[int, int]], holes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in spans:
        for hole_start, hole_end in holes:
            if hole_end <= start or hole_start >= end:
                continue
            if hole_start > start:
                yield start, hole_start
            start = hole_end
        if start < end:
            yield start, end
