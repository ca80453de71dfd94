"""Renderer: document tree -> Markdown as Slack's own parser reads it, and blocks (Block Kit: markdown, table).

Nothing that a model writes may ring for anybody: `<`, `>` and `&` are entities outside of code, and in code what Slack
would take for a mention is broken by a character without width. Emphasis beside wide characters gets such a character
too, because CommonMark's flanking rules would leave its stars standing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from bot.markdown import plain, utf8
from bot.markdown.formulas.linear import linear
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
from bot.markdown.units import is_wide

__all__ = ["blocks", "calm", "markdown", "measure"]

MOST_ROWS, MOST_COLUMNS = 100, 20  # of a table
MOST_CELLS = 10_000  # characters in all cells of a message's table; it takes one table

_NOTHING = "\u200b"
_CONTROL = re.compile(r"<(?=[!@#])")
_MASS = re.compile(r"@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
_MENTION = re.compile(r"<@([A-Z0-9]+)>")
_ADDRESS = re.compile(
    r"https?://[^\s<>\"'|\\`，。；：、！？（）()【】「」《》\[\]]+[^\s<>\"'|\\`，。；：、！？（）()【】「」《》\[\].,;:!?*_~]"
)
_SPECIAL = re.compile(r"[\\`*_~&<>|]|\](?=[(\[:])")
_BRACKETED = re.compile(r"[\\`*_~&<>|\[\]]")  # in the text of a link
_AT_START = re.compile(r"(\s*)(?:(#{1,6})(?=\s|$)|(-(?=[\s\-|:]|$)|\+(?=\s|$)|=|:(?=-)|\|)|(\d{1,9})([.)])(?=\s|$))")
_RUN = re.compile(r"`+")
_LANGUAGE = re.compile(r"[^`~\s]{1,40}")

Json = dict[str, Any]
_Write = Callable[["Block", "_Place", bool], str]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where words are written."""

    people: frozenset[str] = frozenset()
    styles: frozenset[str] = frozenset()
    in_table: bool = False
    in_link: bool = False


def markdown(document: Sequence[Block], people: Collection[str] = ()) -> str:
    """The document as Markdown. `people`: ids of those who may be mentioned."""
    return _travelling("\n\n".join(_texts(document, _Place(frozenset(people)), _kept)))


def _travelling(text: str) -> str:
    """Half a surrogate pair can't be written in UTF-8."""
    return text.encode("utf-8", "replace").decode()


def measure(document: Sequence[Block]) -> int:
    """How long the document is as Markdown, in bytes of UTF-8."""
    return utf8(markdown(document))


def blocks(document: Sequence[Block], people: Collection[str] = ()) -> list[Json]:
    """The document as blocks: a table that Slack takes as a table block (one in a message), all else as Markdown."""
    place = _Place(frozenset(people))
    found: list[Json] = []
    run: list[Block] = []
    has_table = False
    for block in document:
        if isinstance(block, Table) and not has_table and (table := _table_block(block)):
            found += [*_markdown_blocks(run, place), table]
            run, has_table = [], True
        else:
            run.append(block)
    return found + _markdown_blocks(run, place)


def _markdown_blocks(run: Sequence[Block], place: _Place) -> list[Json]:
    text = _travelling("\n\n".join(_texts(run, place, _kept)))
    return [{"type": "markdown", "text": text}] if text.strip() else []


# ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _texts(document: Sequence[Block], place: _Place, write: _Write | None = None) -> Iterator[str]:
    write, other = write or _block, False
    before: Block | None = None
    for block in document:
        # two lists of a kind, one after the other, would be read as one
        other = isinstance(block, List) and isinstance(before, List) and _kind(block) == _kind(before) and not other
        yield write(block, place, other)
        before = block


@lru_cache(maxsize=512)
def _kept(block: Block, place: _Place, other: bool) -> str:
    """A block of the document itself. Each frame measures and shows it, and most don't grow any more."""
    return _block(block, place, other)


def _kind(block: List) -> bool:
    return block.start is None


def _block(block: Block, place: _Place, other: bool = False) -> str:
    match block:
        case Paragraph(children):
            return _started(_inlines(children, place))
        case Heading(level, children):
            text = _inlines(children, place).replace("\n", " ").strip()
            return "#" * min(max(level, 1), 6) + " " + (text[:-1] + "\\#" if text.endswith("#") else text)
        case Fence(text, language):
            return _fence(text, language)
        case MathBlock(text):
            return _fence(linear(text), "")
        case Quote(children):
            return _prefixed("\n\n".join(_texts(children, place)), "> ", "> ")
        case List():
            return _list(block, place, other)
        case Table():
            return _table(block, place)
        case Rule():
            return "---"


def _fence(text: str, language: str) -> str:
    longest = max((len(run) for run in _RUN.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    name = language if _LANGUAGE.fullmatch(language) else ""
    return f"{fence}{name}\n{calm(text)}\n{fence}"


def _list(block: List, place: _Place, other: bool) -> str:
    bullet, dot = ("* ", ")") if other else ("- ", ".")
    marks = (bullet if block.start is None else f"{block.start + at}{dot} " for at in range(len(block.items)))
    items = [_item(item, mark, place, block.tight) for item, mark in zip(block.items, marks, strict=True)]
    return ("\n" if block.tight else "\n\n").join(items)


def _item(item: Item, mark: str, place: _Place, tight: bool) -> str:
    text = ""
    before: Block | None = None
    for block, written in zip(item.children, _texts(item.children, place), strict=True):
        if before is None:
            text = "___" if isinstance(block, Rule) else written  # `- ---` would be a rule and no item
        else:
            close = tight and isinstance(before, Paragraph | List) and isinstance(block, List | Fence | MathBlock)
            text += ("\n" if close else "\n\n") + written
        before = block
    box = "" if item.done is None else "[x] " if item.done else "[ ] "
    if box and item.children and not isinstance(item.children[0], Paragraph):
        box = box.rstrip() + "\n\n"  # such a block begins with its own line
    return _prefixed(box + text, mark, " " * len(mark)) if text or box else mark.rstrip()


def _prefixed(text: str, first: str, rest: str) -> str:
    head, *tail = text.split("\n")
    return "\n".join([first + head, *((rest + line if line else rest.rstrip()) for line in tail)])


def _table(block: Table, place: _Place) -> str:
    place = replace(place, in_table=True)
    marks = {None: "---", "left": ":--", "center": ":-:", "right": "--:"}
    rows = [[_inlines(cell, place).replace("\n", " ").strip() for cell in row] for row in (block.head, *block.rows)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(marks[side] for side in block.align) + " |", *lines[1:]])


# ── inside of a line ────────────────────────────────────────────────────────────────────────────────────────────────


def _inlines(children: Sequence[Inline], place: _Place) -> str:
    out = ""
    is_marked = False  # whether what stands last is between markers
    for child, text in ((child, _inline(child, place)) for child in children):
        if not text:
            continue
        if isinstance(child, Link) and out.endswith("!"):
            out = out[:-1] + "\\!"  # or it would be a picture
        marks = isinstance(child, Strong | Emphasis | Strike | Code | Math) and text[0] in "*~`"
        if out and ((marks and _sticks(out[-1])) or (is_marked and _sticks(text[0]))):
            out += _NOTHING
        out += text
        is_marked = marks
    return out


def _sticks(char: str) -> bool:
    """Whether a marker beside this character may not be seen as one."""
    return char.isalnum() or is_wide(char) or char in "*~`_"


def _inline(node: Inline, place: _Place) -> str:
    match node:
        case Words(text):
            return _words(text, place)
        case Code(text):
            return _code(text, place)
        case Math(text):
            return _code(linear(text).replace("\n", "; "), place)
        case Break():
            return " " if place.in_table else "  \n"
        case Strong(children):
            return _styled("**", children, place)
        case Emphasis(children):
            return _styled("*", children, place)
        case Strike(children):
            return _styled("~~", children, place)
        case Link(url, children):
            return _link(url, children, place)
        case Footnote(label, defines):
            return f"\\[{label}] " if defines else f"\\[{label}]"


def _styled(mark: str, children: Sequence[Inline], place: _Place) -> str:
    if mark in place.styles:
        return _inlines(children, place)
    text = _inlines(children, replace(place, styles=place.styles | {mark}))
    inner = text.strip()
    if not inner.strip(_NOTHING):
        return text
    before, after = text[: text.index(inner)], text[text.index(inner) + len(inner) :]
    lead = _NOTHING if _is_sign(inner[0]) else ""
    trail = _NOTHING if _is_sign(inner[-1]) else ""
    return f"{before}{mark}{lead}{inner}{trail}{mark}{after}"


def _is_sign(char: str) -> bool:
    return not char.isalnum() and not char.isspace() and char != _NOTHING


def _code(text: str, place: _Place) -> str:
    text = calm(text.replace("\n", " "))
    if not text:
        return ""
    if place.in_table:
        text = text.replace("|", "\\|")
    runs = {len(run) for run in _RUN.findall(text)}
    mark = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    pad = " " if text[0] == "`" or text[-1] == "`" or (text[0] == text[-1] == " " and text.strip()) else ""
    return f"{mark}{pad}{text}{pad}{mark}"


def calm(text: str) -> str:
    """Code as it is, but no mention: entities would be seen as such here."""
    return _MASS.sub("@" + _NOTHING, _CONTROL.sub("<" + _NOTHING, text))


def _link(url: str, children: Sequence[Inline], place: _Place) -> str:
    text = _inlines(children, replace(place, in_link=True, people=frozenset()))
    if place.in_link:
        return text
    target = re.sub(r"[\s<>()|\\`\"\[\]]", lambda char: "".join(f"%{byte:02X}" for byte in char[0].encode()), url)
    return f"[{text}]({target.replace('&', '&amp;')})"


def _words(text: str, place: _Place) -> str:
    parts: list[str] = []
    at = 0
    for address in _ADDRESS.finditer(text):
        if place.in_link:
            break
        parts += [_escaped(text[at : address.start()], place), _address(address[0])]
        at = address.end()
    parts.append(_escaped(text[at:], place))
    return "".join(parts)


def _address(url: str) -> str:
    return f"<{url}>" if _SPECIAL.search(url) else url


def _escaped(text: str, place: _Place) -> str:
    if place.people:
        kept = _MENTION.split(text)  # words, id, words, id, ... words
        return "".join(
            _escaped(part, replace(place, people=frozenset()))
            if number % 2 == 0
            else f"<@{part}>"
            if part in place.people
            else f"&lt;@{part}&gt;"
            for number, part in enumerate(kept)
        )
    text = (_BRACKETED if place.in_link else _SPECIAL).sub(lambda sign: _sign(sign, place), text)
    return _MASS.sub("@" + _NOTHING, text)


def _sign(sign: re.Match[str], place: _Place) -> str:
    char, text = sign[0], sign.string
    before = text[sign.start() - 1 : sign.start()]
    after = text[sign.end() : sign.end() + 1]
    match char:
        case "&":
            return "&amp;"
        case "<":
            return "&lt;"
        case ">":
            return "&gt;"
        case "|":
            return "\\|" if place.in_table else "|"
        case "*" if before.isspace() and after.isspace():
            return char
        case "_" if before.isalnum() and after.isalnum():
            return char
    return "\\" + char


def _started(text: str) -> str:
    """No line of a paragraph may begin like another block."""
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    start = _AT_START.match(line)
    if start is None:
        return line
    _, heading, sign, number, dot = start.groups()
    mark = heading or sign
    return (f"\\{mark}" if mark else f"{number}\\{dot}") + line[start.end() :]


# ── tables as blocks ────────────────────────────────────────────────────────────────────────────────────────────────


def _table_block(block: Table) -> Json | None:
    """None if Slack wouldn't take it: too many rows or columns, or too much text."""
    if len(block.rows) >= MOST_ROWS or not 0 < len(block.head) <= MOST_COLUMNS:
        return None
    rows = (block.head, *block.rows)
    if sum(len(plain((Paragraph(cell),))) + 1 for row in rows for cell in row) > MOST_CELLS:
        return None
    cells = [[_cell(cell, is_head=number == 0) for cell in row] for number, row in enumerate(rows)]
    return {
        "type": "table",
        "rows": cells,
        "column_settings": [{"align": side or "left", "is_wrapped": True} for side in block.align],
    }


def _cell(children: Sequence[Inline], *, is_head: bool) -> Json:
    """Rich text: nothing in it is parsed by the far side, and no text may be empty."""
    elements = list(_elements(children, {"bold": True} if is_head else {}))
    section = {"type": "rich_text_section", "elements": elements or [{"type": "text", "text": " "}]}
    return {"type": "rich_text", "elements": [section]}


def _elements(children: Sequence[Inline], style: Json) -> Iterator[Json]:
    for child in children:
        match child:
            case Words(text):
                yield from _element(text, style)
            case Code(text):
                yield from _element(text, {**style, "code": True})
            case Math(text):
                yield from _element(linear(text), {**style, "code": True})
            case Break():
                yield from _element("\n", style)
            case Strong(inner):
                yield from _elements(inner, {**style, "bold": True})
            case Emphasis(inner):
                yield from _elements(inner, {**style, "italic": True})
            case Strike(inner):
                yield from _elements(inner, {**style, "strike": True})
            case Link(url, inner):
                text = "".join(each.get("text", "") for each in _elements(inner, {}))
                yield {"type": "link", "url": url, "text": text or url, **({"style": style} if style else {})}
            case Footnote(label, _):
                yield from _element(f"[{label}]", style)


def _element(text: str, style: Json) -> Iterator[Json]:
    if text:
        yield {"type": "text", "text": _travelling(text), **({"style": style} if style else {})}
