"""Markdown: what models write, as what people read: one parser, one document tree, segments under a budget."""

from __future__ import annotations

from bot.markdown.parser import parse
from bot.markdown.plain import plain
from bot.markdown.segments import Segmenter, utf8, utf16
from bot.markdown.tree import (
    Block,
    Break,
    Code,
    Emphasis,
    Fence,
    Footnote,
    Heading,
    Inline,
    Item,
    Link,
    List,
    Math,
    MathBlock,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Words,
)

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
    "Segmenter",
    "Strike",
    "Strong",
    "Table",
    "Words",
    "parse",
    "plain",
    "utf8",
    "utf16",
]
