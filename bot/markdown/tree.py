"""The document tree: what a Markdown text means, before any platform has a say in how it looks.

Standard library only. Every node is frozen and comparable, so "has this piece changed?" is `==`. A document is a
tuple of blocks; the writers (one `render.py` per adapter) walk it by `match`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Block",
    "Break",
    "Code",
    "Emphasis",
    "Fence",
    "Footnote",
    "Heading",
    "Inline",
    "Item",
    "Link",
    "List",
    "Math",
    "MathBlock",
    "Paragraph",
    "Quote",
    "Rule",
    "Strike",
    "Strong",
    "Table",
    "Words",
]


@dataclass(frozen=True, slots=True)
class Words:
    """Plain text. Raw HTML in the source is words too: it is shown, never run."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str


@dataclass(frozen=True, slots=True)
class Math:
    """Inline LaTeX, without its delimiters."""

    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """A line break inside a paragraph."""


@dataclass(frozen=True, slots=True)
class Strong:
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Emphasis:
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Strike:
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A link; `url` is http, https, mailto or tel (the parser makes anything else Words). An image is a link to it."""

    url: str
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Footnote:
    """A footnote's number: where it is referred to, or (`defines`) in front of what it says."""

    label: str
    defines: bool = False


Inline = Words | Code | Math | Break | Strong | Emphasis | Strike | Link | Footnote


@dataclass(frozen=True, slots=True)
class Paragraph:
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code. `language` is the first word after the fence, or ''."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class MathBlock:
    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    children: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list; `done` is None but for a task list."""

    children: tuple[Block, ...]
    done: bool | None = None


@dataclass(frozen=True, slots=True)
class List:
    """`start` is the number of the first item, None for bullets. A loose list (`tight` False) has air between items."""

    items: tuple[Item, ...]
    start: int | None = None
    tight: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    head: tuple[tuple[Inline, ...], ...]
    rows: tuple[tuple[tuple[Inline, ...], ...], ...]
    align: tuple[Literal["left", "center", "right"] | None, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A thematic break."""


Block = Paragraph | Heading | Fence | MathBlock | Quote | List | Table | Rule
