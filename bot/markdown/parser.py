"""Markdown parser: source -> document tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from markdown_it.token import Token
from markdown_it.utils import EnvType

from bot.markdown import tree
from bot.markdown.formulas.latex import completed
from bot.markdown.incomplete import mended
from bot.markdown.plain import plain_inline
from bot.markdown.rules import DEPTH, dialect
from bot.markdown.spoofing import hidden_target, shown
from bot.markdown.tree import Block, Inline, Words

__all__ = ["Reading", "block_tokens", "clean", "has_paragraph", "parse", "read", "read_open"]

_SAFE = re.compile(r"(?:https?://|mailto:|tel:)\S", re.IGNORECASE)
_HELD = re.compile(
    r"""(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)?(?:`{3,}[^`]*|~{3,}.*)     # a fence opens or closes when its line is whole
      | (?:[-+*]|\d{1,9}[.)])[ \t]+\[[ xX]?\]?                   # a task
      | [-=]+ | [*+#_]{1,6} | [`~]{1,2} | \|.*                    # may become a rule, a heading, a table row
      | (?:\*[ \t]*)+ | (?:_[ \t]*)+ | (?:-[ \t]*)+               # a rule
      | \d{1,9}[.)]?                                              # the next item
    """,
    re.VERBOSE,
)
_GROWING = frozenset({"*", "**", "__", "~~", "`", "``"})

_MD = dialect()


@dataclass(frozen=True, slots=True)
class Reading:
    """A document, and the inline markers that were open at its end (`("**", "`")`) and have been closed there.

    `starts`: the lines on which its blocks begin. `tokens`: what they were made of, with line numbers.
    """

    blocks: tuple[Block, ...]
    opened: tuple[str, ...]
    starts: Sequence[int]
    tokens: Sequence[Token]


def parse(text: str, *, growing: bool = False) -> tuple[Block, ...]:
    """The document that a Markdown text means. Takes any text, never raises, linear in its length.

    `growing`: more is coming, so half-open markup shows as what it will become, and what may still become anything
    (half a table row, a lone `#`) waits.
    """
    source = clean(text)
    return (read_open(source) if growing else read(source)).blocks


def read_open(source: str, begin: int = 0, head: str = "") -> Reading:
    """The clean source of a document that is still growing, from `begin` on, as if there were `head` before that."""
    return read(head + _without_held(source)[begin:], closing=_GROWING, growing=True)


def clean(text: str) -> str:
    """One kind of line end, no NUL."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "\ufffd")


def block_tokens(source: str, *, closing: bool = False) -> list[Token]:
    """The block structure with its line numbers; the inline content is not parsed."""
    tokens: list[Token] = []
    _MD.block.parse(source, _MD, {"open": closing}, tokens)
    return tokens


def read(source: str, *, closing: frozenset[str] = frozenset(), growing: bool = False) -> Reading:
    """Parse clean source. `closing` names inline markers to close if they are open at the end (blocks close anyway)."""
    tokens = block_tokens(source, closing=bool(closing))
    last = _open_inline(tokens, source) if closing else None
    opened: tuple[str, ...] = ()
    in_cell = False
    for token in tokens:
        if token.type != "inline":
            if growing and token.info == "open":
                token.content = completed(token.content)
            in_cell = token.type in ("th_open", "td_open")
            continue
        env: dict[str, Any] = {"open": closing if token is last else (), "cell": in_cell}
        env["growing"] = growing and token is last
        content = mended(token.content) if token is last and growing else token.content
        token.children = []
        _MD.inline.parse(content, _MD, cast(EnvType, env), token.children)
        if token is last:
            opened = (*env.get("opened", ()), *((env["code"],) if "code" in env else ()))
    blocks, starts = _with_starts(tokens)
    if growing and tokens and tokens[-1].type == "table_close" and not source.endswith("\n"):
        blocks = _without_half_row(blocks)
    return Reading(blocks, opened, starts, tokens)


# ---- what is half there


def _without_held(source: str) -> str:
    """Without a last line of which nobody can say yet what it is."""
    start = source.rfind("\n") + 1
    line = source[start:].strip(" \t>")
    if not line or _HELD.fullmatch(line):
        source = source[:start]
    body = source.rstrip("\n")
    before = body[: body.rfind("\n") + 1]
    if len(source) - len(body) <= 1 and _row_at_end(body) and not _row_at_end(before.rstrip("\n")):
        return before  # perhaps the head of a table; the next line will tell
    return source


def _row_at_end(text: str) -> bool:
    return text[text.rfind("\n") + 1 :].lstrip(" \t>").startswith("|")


def _open_inline(tokens: Sequence[Token], source: str) -> Token | None:
    """The inline token that the end of the source belongs to, if any."""
    at_line_start = source.endswith("\n")
    if at_line_start and not source[source.rfind("\n", 0, -1) + 1 :].strip(" \t>\n"):
        return None
    for index in range(len(tokens) - 1, 0, -1):
        token = tokens[index]
        if token.type == "inline" and token.content:
            goes_on = tokens[index - 1].type == "paragraph_open"  # headings and rows end with their line
            return token if goes_on or not at_line_start else None
        if token.nesting >= 0 and token.type not in ("inline", "td_open"):
            return None
    return None


def _without_half_row(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    match blocks:
        case (*before, tree.Table(head, (*rows, _), align)):
            return (*before, tree.Table(head, tuple(rows), align))
    return blocks


# ---- tokens -> tree


def _blocks(tokens: Iterator[Token]) -> Iterator[Block]:
    """Up to the end of the tokens, or to the closer of the container that is being read."""
    for token in tokens:
        if token.nesting < 0:
            return
        block = _block(token, tokens)
        if block is not None:
            yield block


def _with_starts(tokens: Sequence[Token]) -> tuple[tuple[Block, ...], list[int]]:
    blocks: list[Block] = []
    starts: list[int] = []
    rest = iter(tokens)
    for token in rest:
        block = _block(token, rest)
        if block is not None:
            blocks.append(block)
            starts.append(token.map[0] if token.map else 0)
    return tuple(blocks), starts


def _block(token: Token, tokens: Iterator[Token]) -> Block | None:
    match token.type:
        case "paragraph_open" | "heading_open":
            children = _inlines(next(tokens).children or ())
            next(tokens)
            if not children:
                return None
            return tree.Paragraph(children) if token.type[0] == "p" else tree.Heading(int(token.tag[1:]), children)
        case "fence" | "code_block":
            text = shown(token.content.removesuffix("\n"))
            return tree.Fence(text, shown((token.info.split() or [""])[0])) if text else None
        case "math_block":
            return tree.MathBlock(shown(token.content)) if token.content else None
        case "blockquote_open":
            inner = tuple(_blocks(tokens))
            return tree.Quote(inner) if inner else None
        case "bullet_list_open" | "ordered_list_open":
            return _list(token, tokens)
        case "table_open":
            return _table(tokens)
        case "hr":
            return tree.Rule()
    raise AssertionError(token.type)


def _list(opener: Token, tokens: Iterator[Token]) -> tree.List:
    items: list[tree.Item] = []
    tight = True
    for token in tokens:
        if token.type != "list_item_open":
            break
        done = token.meta.get("checked")
        inner = tuple(_blocks(_noting(tokens, looseness := [False])))
        tight = tight and not looseness[0]
        items.append(tree.Item(inner, done))
    start = int(opener.attrs.get("start", 1)) if opener.type[0] == "o" else None
    return tree.List(tuple(items), start, tight or not has_paragraph(items))


def has_paragraph(items: Iterable[tree.Item]) -> bool:
    """Whether there is something that is shown otherwise in a loose list."""
    return any(isinstance(child, tree.Paragraph) for item in items for child in item.children)


def _noting(tokens: Iterator[Token], loose: list[bool]) -> Iterator[Token]:
    """Pass tokens through, noting whether a paragraph of this level is set apart."""
    level = None
    for token in tokens:
        level = token.level if level is None else level
        if token.type == "paragraph_open" and token.level == level and not token.hidden:
            loose[0] = True
        yield token


def _table(tokens: Iterator[Token]) -> tree.Table:
    rows: list[tuple[tuple[Inline, ...], ...]] = []
    align: list[Literal["left", "center", "right"] | None] = []
    row: list[tuple[Inline, ...]] = []
    for token in tokens:
        match token.type:
            case "tr_open":
                row = []
            case "th_open":
                side = str(token.attrs.get("style", "")).removeprefix("text-align:")
                align.append(cast(Literal["left", "center", "right"], side) if side else None)
            case "inline":
                row.append(_inlines(token.children or ()))
            case "tr_close":
                rows.append(tuple(row))
            case "table_close":
                break
    return tree.Table(rows[0], tuple(rows[1:]), tuple(align))


def _inlines(tokens: Sequence[Token]) -> tuple[Inline, ...]:
    stack: list[tuple[Token | None, list[Inline]]] = [(None, [])]
    literal: list[bool] = []  # for each open marker, whether it was too deep and became words
    for token in tokens:
        out = stack[-1][1]
        if token.nesting > 0:
            literal.append(len(stack) > DEPTH)
            if literal[-1]:
                _say(out, token.markup)
            else:
                stack.append((token, []))
        elif token.nesting < 0:
            if literal.pop():
                _say(out, token.markup)
            else:
                opener, children = stack.pop()
                _close(cast(Token, opener), children, stack)
        else:
            _leaf(token, out)
    return _trimmed(stack[0][1])


def _leaf(token: Token, out: list[Inline]) -> None:
    match token.type:
        case "softbreak" | "hardbreak":
            out.append(tree.Break())
        case "code_inline":
            out.append(tree.Code(shown(token.content)))
        case "math_inline":
            out.append(tree.Math(shown(token.content)))
        case "footnote":
            out.append(tree.Footnote(token.content, token.meta["defines"]))
        case _:
            _say(out, token.content.replace("\n", " "))


def _say(out: list[Inline], text: str) -> None:
    text = shown(text)
    if not text:
        return
    if out and isinstance(out[-1], Words):
        out[-1] = Words(out[-1].text + text)
    else:
        out.append(Words(text))


def _close(opener: Token, children: list[Inline], stack: Sequence[tuple[Token | None, list[Inline]]]) -> None:
    out = stack[-1][1]
    inner = tuple(children)
    match opener.type:
        case "link_open":
            _link(opener, children, stack)
        case _ if not inner:
            pass
        case "strong_open":
            out.append(tree.Strong(inner))
        case "em_open":
            out.append(tree.Emphasis(inner))
        case "s_open":
            out.append(tree.Strike(inner))


def _link(opener: Token, children: list[Inline], stack: Sequence[tuple[Token | None, list[Inline]]]) -> None:
    url, out = str(opener.attrs["href"]), stack[-1][1]
    safe = bool(_SAFE.match(url))
    inside = any(token and token.type == "link_open" for token, _ in stack)
    if opener.info == "auto" and not safe:  # `<std::string>` is no address
        children = [Words("<"), *children, Words(">")]
    elif not children and url:
        children = [Words(url)]
    elif not safe and url and not url.startswith("#"):
        children = [*children, Words(f" ({url})")]
    if safe and not inside:
        out.append(tree.Link(url, tuple(children)))
        hidden = hidden_target(url, plain_inline(children))
        if hidden:
            _say(out, f" ({hidden})")
        return
    for child in children:
        if isinstance(child, Words):
            _say(out, child.text)
        else:
            out.append(child)


def _trimmed(children: list[Inline]) -> tuple[Inline, ...]:
    """Without breaks at the edges, which break nothing."""
    while children and isinstance(children[-1], tree.Break):
        children.pop()
    while children and isinstance(children[0], tree.Break):
        del children[0]
    return tuple(children)
