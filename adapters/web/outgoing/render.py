"""Renderer: document tree -> HTML that is safe by construction: every text is escaped, every tag and attribute is
written here.

One string per top-level block, so that the page replaces only the blocks that changed while an answer grows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

from adapters.web.outgoing.code import coloured
from adapters.web.outgoing.formulas import mathml
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

__all__ = ["measure", "render", "render_blocks"]

SCHEMES = frozenset({"http", "https", "mailto", "tel"})


def render(blocks: Sequence[Block]) -> str:
    """The whole document as one HTML string."""
    return "".join(render_blocks(blocks))


def render_blocks(blocks: Sequence[Block], *, growing: bool = False) -> tuple[str, ...]:
    """One HTML string per block. `growing`: code of the last one has no colours yet, they cost too much to be found
    anew with each word."""
    last = len(blocks) - 1 if growing else -1
    return tuple(_block(block, colours=number != last) for number, block in enumerate(blocks))


def measure(blocks: Sequence[Block]) -> int:
    """The length of a document's plain text, in characters, one more per block."""
    return sum(_length(block) for block in blocks)


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _block(block: Block, *, colours: bool = True) -> str:
    match block:
        case Paragraph(children):
            return f"<p>{_inlines(children)}</p>"
        case Heading(level, children):
            # the page has its own h1 and h2
            tag = f"h{min(max(level, 1) + 2, 6)}"
            return f'<{tag} class="level-{min(max(level, 1), 6)}">{_inlines(children)}</{tag}>'
        case Fence(text, language):
            return _fence(text, language if colours else "", language)
        case MathBlock(text):
            return _formula(text)
        case Quote(children):
            return f"<blockquote>{''.join(_block(child, colours=colours) for child in children)}</blockquote>"
        case List():
            return _list(block, colours)
        case Table():
            return _table(block)
        case Rule():
            return "<hr>"


def _fence(text: str, coloured_as: str, language: str) -> str:
    label = f'<figcaption class="language">{escape(language[:40])}</figcaption>'
    return f'<figure class="code">{label}<pre tabindex="0"><code>{coloured(text, coloured_as)}</code></pre></figure>'


def _formula(latex: str) -> str:
    found = mathml(latex, block=True)
    if found:
        return f'<div class="formula" tabindex="0">{found}</div>'
    return f'<pre class="math"><code>{escape(latex)}</code></pre>'


def _list(block: List, colours: bool) -> str:
    tag = "ul" if block.start is None else "ol"
    start = "" if block.start in (None, 1) else f' start="{int(block.start or 0)}"'
    items = "".join(_item(item, block.tight, colours) for item in block.items)
    return f"<{tag}{start}>{items}</{tag}>"


def _item(item: Item, tight: bool, colours: bool) -> str:
    inner = "".join(
        _inlines(child.children) if tight and isinstance(child, Paragraph) else _block(child, colours=colours)
        for child in item.children
    )
    if item.done is None:
        return f"<li>{inner}</li>"
    checked = " checked" if item.done else ""
    return f'<li class="task"><input type="checkbox" disabled{checked}> {inner}</li>'


def _table(block: Table) -> str:
    head = "".join(_cell("th", cell, _aligned(block, index)) for index, cell in enumerate(block.head))
    rows = "".join(
        "<tr>" + "".join(_cell("td", cell, _aligned(block, index)) for index, cell in enumerate(row)) + "</tr>"
        for row in block.rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="table" tabindex="0">{table}</div>'


def _aligned(block: Table, index: int) -> str:
    align = block.align[index] if index < len(block.align) else None
    return f' class="{align}"' if align in ("left", "center", "right") else ""


def _cell(tag: str, children: tuple[Inline, ...], attributes: str) -> str:
    return f"<{tag}{attributes}>{_inlines(children)}</{tag}>"


# ── inside of a line ────────────────────────────────────────────────────────────────────────────────────────────────


def _inlines(children: tuple[Inline, ...]) -> str:
    return "".join(_inline(child) for child in children)


def _inline(node: Inline) -> str:
    match node:
        case Words(text):
            return escape(text)
        case Code(text):
            return f"<code>{escape(text)}</code>"
        case Math(text):
            return mathml(text, block=False) or f'<code class="math">{escape(text)}</code>'
        case Break():
            return "<br>"
        case Strong(children):
            return f"<strong>{_inlines(children)}</strong>"
        case Emphasis(children):
            return f"<em>{_inlines(children)}</em>"
        case Strike(children):
            return f"<s>{_inlines(children)}</s>"
        case Link(url, children):
            return _link(url, children)
        case Footnote(label, defines):
            return f'<sup class="footnote">{escape(label)}</sup>' + (" " if defines else "")


def _link(url: str, children: tuple[Inline, ...]) -> str:
    # the parser has looked at the scheme already; a link that slips through there must still not run anything here
    if not _is_safe(url):
        return _inlines(children)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer nofollow">{_inlines(children)}</a>'


def _is_safe(url: str) -> bool:
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        return False
    try:
        return urlsplit(url).scheme.lower() in SCHEMES
    except ValueError:
        return False


# ── length ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _length(block: Block) -> int:
    match block:
        case Paragraph(children) | Heading(_, children):
            return 1 + _inline_length(children)
        case Fence(text) | MathBlock(text):
            return 1 + len(text)
        case Quote(children):
            return 1 + measure(children)
        case List(items):
            return 1 + sum(1 + measure(item.children) for item in items)
        case Table(head, rows):
            return 1 + sum(1 + _inline_length(cell) for row in (head, *rows) for cell in row)
        case Rule():
            return 2


def _inline_length(children: tuple[Inline, ...]) -> int:
    return sum(_LENGTHS[type(child)](child) for child in children)


_LENGTHS: dict[type, Callable[[Any], int]] = {
    Words: lambda node: len(node.text),
    Code: lambda node: len(node.text),
    Math: lambda node: len(node.text),
    Break: lambda _: 1,
    Strong: lambda node: _inline_length(node.children),
    Emphasis: lambda node: _inline_length(node.children),
    Strike: lambda node: _inline_length(node.children),
    Link: lambda node: _inline_length(node.children) + len(node.url),
    Footnote: lambda node: len(node.label) + 1,
}
