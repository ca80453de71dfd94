"""Outline: the lines of a source: where it is best cut, and what is open there."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from markdown_it.token import Token

from bot.markdown.cells import columns_of, masked
from bot.markdown.continuation import Carry, Container, continued, guarded, opening
from bot.markdown.parser import block_tokens
from bot.markdown.units import splits_grapheme

__all__ = ["Cut", "Outline"]

_SENTENCE = re.compile(r"[。！？!?…；]+[\"'”’)）」』】*_~`]*|[.!?;:]+[\"')*_~`]*(?=\s)")
_SPACE = re.compile(r"\s+")
_BLANK = re.compile(r"[ \t]+")
_ATOM = re.compile(
    r"!?\[[^\[\]\n]{0,300}\](?:\([^()\s]*\)?)?|`[^`\n]{1,80}`|\$[^$\n]{1,80}\$|&#?\w{1,31};|<[^<>\s|]*(?:\|[^<>\n]{0,300})?>"
)
_TOUCHY = frozenset("*_~`$\\[]()<>&#|!")
_CLOSABLE = ("***", "**", "*", "__", "_", "~~", "``", "`")
_SURE = frozenset({"**", "~~", "`"})
_TEXTS = ("paragraph_open", "heading_open", "table_open")
_CONTAINERS = ("blockquote_open", "bullet_list_open", "ordered_list_open", "list_item_open")
_LEAVES = ("paragraph_open", "heading_open", "fence", "code_block", "math_block", "table_open")


BETWEEN_ITEMS, BETWEEN_INNER, CODE_LINE, TEXT_LINE, AFTER_HEADING = 2, 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Cut:
    """The part ends at `at`, the rest begins at `resume`; `closing` are inline markers to close and open again."""

    at: int
    resume: int
    carry: Carry
    closing: frozenset[str] = frozenset()


@dataclass(slots=True)
class _OpenList:
    token: Token
    number: int | None
    item: Token | None = None
    count: int = 0


@dataclass(slots=True)
class Outline:
    """The lines of a source that begins with the prefix of `carry`."""

    source: str
    carry: Carry
    lines: list[str] = field(init=False)
    starts: list[int] = field(init=False)
    _tokens: list[Token] = field(init=False)
    _depth: list[int] = field(init=False)
    _inside: list[Token | None] = field(init=False)  # the leaf that goes on at the start of this line
    _leaf: list[Token | None] = field(init=False)  # the leaf this line belongs to
    _heading: dict[int, bool] = field(init=False)  # a heading starts (True) or has just ended (False)

    def __post_init__(self) -> None:
        self.lines = self.source.split("\n")
        self.starts = [0]
        for line in self.lines[:-1]:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self._tokens = block_tokens(self.source, closing=True)
        count = len(self.lines)
        self._depth, self._inside, self._leaf, self._heading = [0] * count, [None] * count, [None] * count, {}
        for token in self._tokens:
            if token.map is not None:
                self._note(token, token.map[0], min(token.map[1], count))

    def _note(self, token: Token, first: int, end: int) -> None:
        if token.type in _CONTAINERS:
            for line in range(first + 1, end):
                self._depth[line] += 1
        elif token.type in _LEAVES:
            self._leaf[first:end] = [token] * (end - first)
            self._inside[first + 1 : end] = [token] * (end - first - 1)
            if token.type == "heading_open":
                self._heading.setdefault(end, False)
                self._heading[first] = True

    # ---- where

    def best(self, low: int, high: int) -> Cut:
        """The best place for a cut after `low` and not after `high`; of equally good ones the last."""
        found: tuple[int, int, int] | None = None
        first = bisect_right(self.starts, low)
        beyond = bisect_right(self.starts, high)
        following = self._next_filled(beyond - 1) if beyond > first else 0
        for line in range(beyond - 1, first - 1, -1):
            if not self._is_blank(line):
                following = line
            rank = self._rank(line, following)
            if rank is not None and (found is None or rank < found[0]):
                found = rank, line, following
        if found and found[0] <= AFTER_HEADING:
            return self._between(found[1], found[2])
        return self._within(low, high)

    def _is_blank(self, line: int) -> bool:
        return self._inside[line] is None and not self.lines[line].strip(" \t>")

    def _next_filled(self, line: int) -> int:
        while line < len(self.lines) and self._is_blank(line):
            line += 1
        return line

    def _rank(self, line: int, following: int) -> int | None:
        leaf = self._inside[line]
        if leaf is None:
            return self._rank_between(line, following)
        assert leaf.map is not None
        nth = line - leaf.map[0]
        match leaf.type:
            case "fence" | "code_block":
                if nth == 1 and leaf.type == "fence":
                    return None
                return CODE_LINE if self.lines[line].strip(" \t>") else BETWEEN_INNER
            case "table_open":
                return CODE_LINE if nth > 2 else None
            case "paragraph_open":
                return TEXT_LINE
            case "math_block":
                return AFTER_HEADING if nth > 1 else None
        return None

    def _rank_between(self, line: int, following: int) -> int | None:
        if following >= len(self.lines):
            return None
        before = line
        while before > 0 and self._is_blank(before - 1):
            before -= 1
        if self._heading.get(before) is False:
            return AFTER_HEADING
        depth = self._depth[following]
        if depth:
            return BETWEEN_ITEMS if depth == 1 else BETWEEN_INNER
        return 0 if self._heading.get(following) else 1

    def _between(self, line: int, following: int) -> Cut:
        leaf = self._inside[line]
        at = self.starts[line]
        if leaf is None:
            return Cut(at, self.starts[following], opening(self._containers(following, inside=False)))
        containers = self._containers(line, inside=False)
        if leaf.type == "paragraph_open":
            resume = self._text_start(line, leaf)
            return Cut(at, resume, guarded(containers), self._closing(leaf, at))
        closing = frozenset({"math"}) if leaf.type == "math_block" else frozenset[str]()
        return Cut(at, at, self._reopening(leaf, containers), closing)

    def _within(self, low: int, high: int) -> Cut:
        """A cut inside a line: after a sentence, at a space, else anywhere but inside a character."""
        line = bisect_right(self.starts, high - 1) - 1
        leaf = self._leaf[line]
        containers = self._containers(line, inside=True)
        exact = leaf is not None and leaf.type in ("fence", "code_block", "math_block")
        floor = max(self._text_start(line, leaf), len(self.carry.prefix)) if leaf else self.starts[line]
        if high <= floor and self.starts[line] > len(self.carry.prefix) and self._rank(line, line) is not None:
            return self._between(line, line)
        at = self._place(max(low, min(floor, high - 1)), high, floor, exact=exact)
        at_line_end = self._at_line_end(line, at)
        if at_line_end:
            return at_line_end
        if leaf is None or leaf.map is None:
            return Cut(at, at, opening(containers))
        if exact and not (leaf.type == "fence" and line == leaf.map[0]):
            carry = self._reopening(leaf, containers)
            indent = "    " if leaf.type == "code_block" else ""
            closing = frozenset({"math"}) if leaf.type == "math_block" else frozenset[str]()
            return Cut(at, at, replace(carry, prefix=carry.prefix + continued(containers) + indent), closing)
        space = _BLANK.match(self.source, at)
        resume = space.end() if space else at
        return Cut(at, resume, self._text_carry(leaf, containers, line, at), self._closing(leaf, at))

    def _at_line_end(self, line: int, at: int) -> Cut | None:
        """If nothing of the line is left, the cut is one between lines."""
        if line + 1 >= len(self.lines) or self.source[at : self.starts[line + 1]].strip():
            return None
        following = self._next_filled(line + 1)
        if self._rank(line + 1, following) is None:
            return None
        return replace(self._between(line + 1, following), at=at)

    def _text_carry(self, leaf: Token, containers: tuple[Container, ...], line: int, at: int) -> Carry:
        assert leaf.map is not None
        if leaf.type == "heading_open":
            return guarded(containers, "#" * int(leaf.tag[1:]) + " ")
        if leaf.type == "table_open" and line >= leaf.map[0] + 2:
            carry = self._reopening(leaf, containers)
            columns = columns_of(self.lines[leaf.map[0] + 1])
            row = masked(self.lines[line], columns)[: at - self.starts[line]].strip(" \t>")
            nth = max(row.count("|") - row.count("\\|") - row.startswith("|"), 0)
            return replace(carry, prefix=carry.prefix + continued(containers) + "|" + " |" * nth)
        return guarded(containers)

    def _place(self, low: int, high: int, floor: int, *, exact: bool) -> int:
        source, at = self.source, 0
        if not exact:
            for match in _SENTENCE.finditer(source, low, min(high + 1, len(source))):
                at = match.end() if match.end() <= high else at
        if not at:
            for match in _SPACE.finditer(source, low + 1, min(high + 1, len(source))):
                at = min(match.end(), high) if exact else match.start()
        if not at:
            at = self._anywhere(low, high, exact=exact)
        return at if exact else self._outside_atoms(at, floor)

    def _anywhere(self, low: int, high: int, *, exact: bool) -> int:
        source = self.source
        at = high
        while at > low and splits_grapheme(source, at):
            at -= 1
        if at <= low:
            return high
        calm = at
        while not exact and calm > max(low, at - 64):
            if not (_TOUCHY & set(source[calm - 1 : calm + 1]) or splits_grapheme(source, calm)):
                return calm
            calm -= 1
        return at

    def _outside_atoms(self, at: int, begin: int) -> int:
        """Before a link, formula or entity rather than inside it, if it is not the whole part."""
        for match in _ATOM.finditer(self.source, begin):
            if match.start() >= at:
                break
            if match.end() > at and match.start() > begin:
                return match.start()
        return at

    def _text_start(self, line: int, leaf: Token) -> int:
        """Where the text starts in its line, after the marks of heading and containers."""
        if leaf.type not in ("paragraph_open", "heading_open") or leaf.map is None:
            return self.starts[line]
        inline = self._tokens[self._tokens.index(leaf) + 1]
        texts = inline.content.split("\n")
        nth = line - leaf.map[0]
        text = texts[nth].strip() if nth < len(texts) else ""
        column = self.lines[line].rfind(text) if text else -1
        return self.starts[line] + max(column, 0)

    def _closing(self, leaf: Token, at: int) -> frozenset[str]:
        """Markers that the rest of this text closes, or, if its end is not there yet, surely will."""
        assert leaf.map is not None
        unfinished = leaf.map[1] >= len(self.lines)
        end = len(self.source) if unfinished else self.starts[leaf.map[1]]
        rest = self.source[at:end]
        return frozenset(mark for mark in _CLOSABLE if mark in rest or (unfinished and mark in _SURE))

    # ---- with what

    def _reopening(self, leaf: Token, containers: tuple[Container, ...]) -> Carry:
        assert leaf.map is not None
        carry, before = opening(containers), continued(containers)
        column = containers[-1].content if containers else 0
        first = self.lines[leaf.map[0]]
        head = ""
        match leaf.type:
            case "fence":
                own_line = not containers or containers[-1].line < leaf.map[0]
                indent = min(max(first.expandtabs(4).find(leaf.markup) - column, 0), 3) if own_line else 0
                head = f"{before}{' ' * indent}{leaf.markup}{leaf.info}\n"
            case "math_block":
                head = f"{before}{leaf.markup}\n"
            case "table_open":
                rows = (first.expandtabs(4)[column:], self.lines[leaf.map[0] + 1])
                head = "".join(f"{before}{row.strip(' >')}\n" for row in rows)
                return replace(carry, prefix=carry.prefix + head, head=head)
        return replace(carry, prefix=carry.prefix + head)

    def _containers(self, line: int, *, inside: bool) -> tuple[Container, ...]:
        """The quotes and list items open at the start of a line, or (`inside`) at its end."""
        found: list[Token | _OpenList] = []
        last = line if inside else line - 1
        for token in self._tokens:
            if token.map is None or token.type not in _CONTAINERS:
                continue
            first, end = token.map
            if first > last:
                break
            if token.type == "list_item_open":
                owner = found[-1] if found else None
                if isinstance(owner, _OpenList) and owner.token.level == token.level - 1:
                    owner.count += 1
                    owner.item = token
            elif end > line:
                ordered = token.type == "ordered_list_open"
                start = int(token.attrs.get("start", 1)) if ordered else None
                found.append(token if token.type == "blockquote_open" else _OpenList(token, start))
        return tuple(self._placed(found))

    def _placed(self, found: list[Token | _OpenList]) -> Iterator[Container]:
        outer: list[Container] = []
        texts: dict[int, str] = {}
        for index, one in enumerate(found):
            container = _container(one)
            if _first_line(one) == 0 and index < len(self.carry.containers) and isinstance(one, _OpenList):
                carried = self.carry.containers[index].number
                if carried is not None:
                    container = replace(container, number=carried + one.count - 1)
            text = texts.setdefault(container.line, self.lines[container.line].expandtabs(4))
            begin = outer[-1].content if outer and outer[-1].line == container.line else _past_quotes(text, outer)
            column = max(text.find(container.mark, begin), 0)
            after = column + len(container.mark)
            gap = len(text) - after - len(text[after:].lstrip(" "))
            if container.mark == ">":
                gap = min(gap, 1)
            elif gap > 4 or not text[after:].strip():
                gap = 1
            outer.append(replace(container, column=column, content=after + gap))
            if container.task:  # a check box has no width: what follows in its line is placed as if it were not there
                texts[container.line] = text[: after + gap] + text[after + gap + 4 :]
            yield outer[-1]


def _first_line(one: Token | _OpenList) -> int:
    token = one.token if isinstance(one, _OpenList) else one
    return token.map[0] if token.map else 0


def _container(one: Token | _OpenList) -> Container:
    if not isinstance(one, _OpenList):
        return Container(">", _first_line(one))
    item = one.item or one.token
    number = None if one.number is None else one.number + one.count - 1
    return Container(item.info + item.markup, item.map[0] if item.map else 0, number, "checked" in item.meta)


def _past_quotes(text: str, outer: list[Container]) -> int:
    at = 0
    for container in outer:
        if container.mark == ">":
            mark = text.find(">", at)
            if mark >= 0 and not text[at:mark].strip():
                at = mark + 1
    return at
