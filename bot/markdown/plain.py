"""Plain-text renderer: document tree -> plain text, for logs, titles and places that take no markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.markdown import tree
from bot.markdown.formulas.linear import linear
from bot.markdown.tree import Block, Inline
from bot.markdown.units import cells

__all__ = ["plain", "plain_inline"]

_RULE = "———"
_BOXES = {True: "☑ ", False: "☐ "}


def plain(blocks: Sequence[Block]) -> str:
    """The document as plain text: bullets, numbers, `> ` before quotes, tables aligned for a monospaced font."""
    return "\n\n".join(_block(block) for block in blocks)


def plain_inline(children: Iterable[Inline]) -> str:
    """A run of inline nodes as plain text; a link whose text is not its address is followed by it."""
    return "".join(_inline(child) for child in children)


def _block(block: Block) -> str:
    match block:
        case tree.Paragraph(children) | tree.Heading(_, children):
            return plain_inline(children)
        case tree.Fence(text):
            return text
        case tree.MathBlock(text):
            return linear(text)
        case tree.Quote(children):
            return _indented(plain(children), "> ", "> ")
        case tree.List():
            return _list(block)
        case tree.Table():
            return _table(block)
        case tree.Rule():
            return _RULE


def _inline(child: Inline) -> str:
    match child:
        case tree.Words(text) | tree.Code(text):
            return text
        case tree.Math(text):
            return linear(text)
        case tree.Break():
            return "\n"
        case tree.Footnote(label, defines):
            return f"[{label}] " if defines else f"[{label}]"
        case tree.Strong(children) | tree.Emphasis(children) | tree.Strike(children):
            return plain_inline(children)
        case tree.Link(url, children):
            text = plain_inline(children)
            return text if text in (url, url.removeprefix("mailto:").removeprefix("tel:")) else f"{text} ({url})"


def _list(block: tree.List) -> str:
    lines: list[str] = []
    for number, item in enumerate(block.items, block.start or 0):
        mark = "• " if block.start is None else f"{number}. "
        if item.done is not None:
            mark = _BOXES[item.done] if block.start is None else mark + _BOXES[item.done]
        inner = "\n".join(_block(child) for child in item.children) if block.tight else plain(item.children)
        lines.append(_indented(inner, mark, " " * cells(mark)))
    return ("\n" if block.tight else "\n\n").join(lines)


def _indented(text: str, first: str, rest: str) -> str:
    head, *tail = text.split("\n")
    return "\n".join([(first + head).rstrip(), *((rest + line).rstrip() for line in tail)])


def _table(block: tree.Table) -> str:
    rows = [[plain_inline(cell).replace("\n", " ") for cell in row] for row in (block.head, *block.rows)]
    widths = [max(cells(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(
            _aligned(cell, width, side) for cell, width, side in zip(row, widths, block.align, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-|-".join("-" * width for width in widths), *lines[1:]])


def _aligned(cell: str, width: int, side: str | None) -> str:
    room = width - cells(cell)
    before = {"right": room, "center": room // 2}.get(side or "left", 0)
    return " " * before + cell + " " * (room - before)
