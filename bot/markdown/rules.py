"""The dialect: markdown-it-py with the rules that models' answers need.

What differs from CommonMark and its usual extensions: emphasis works beside Chinese punctuation, and ends behind a sign
though a word follows (`**Note:**text`); `$...$`, `$$...$$`, `\\(...\\)` and `\\[...\\]` are mathematics, but money is
not; an image is a link, and so is `<address|words>`; a row's surplus cells are kept, and `<br>` in a cell
breaks its line; `[^1]` is a footnote's number; nesting is bounded; raw HTML and reference definitions stay text. With
`env["open"]` what is not closed yet is closed at the end; with `env["growing"]` half a formula is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock, blockquote, heading, hr, list_block
from markdown_it.rules_block.fence import make_fence_rule
from markdown_it.rules_inline import StateInline, autolink, backtick, link
from markdown_it.rules_inline.state_inline import Delimiter, Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

from bot.markdown.cells import table
from bot.markdown.incomplete import open_formula
from bot.markdown.units import is_wide

__all__ = ["DEPTH", "GUARD", "dialect"]

DEPTH = 16  # levels of nesting; what is deeper stays text
GUARD = "\ufdd0"  # a noncharacter before the rest of a cut line, so that it can't begin a block; not in the tree

_MATH_END = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
_FOOTNOTE = re.compile(r"\[\^(\d{1,3})\](:[ \t]*)?")
_LINE_BREAK = re.compile(r"<br[ \t]*/?>[ \t]*", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]{2}")
_LABELLED = re.compile(r"<(?P<url>(?:https?://|mailto:|tel:)[^\s<>|]+)\|(?P<words>[^<>\n]*)>", re.IGNORECASE)
_ENDS = ":.;!?…)]}\"'”’»%`$*_"
_BEGINS = "\"'“‘«[`$"
_FENCE = make_fence_rule(disallow_marker_in_info=("`", "~"))  # `~~~~so~~~~` is no fence: its text would be lost

BlockRule = Callable[[StateBlock, int, int, bool], bool]


class _State(StateInline):
    def __init__(self, src: str, md: MarkdownIt, env: EnvType, out: list[Token]) -> None:
        super().__init__(src, md, env, out)
        self.last: dict[str, int] = {}
        self.waiting: Counter[tuple[str, int, int]] = Counter()  # emphasis that is open, by marker, count and level

    def rfind(self, what: str) -> int:
        """Where `what` stands for the last time, so that many openers without a closer don't each scan the text."""
        if what not in self.last:
            self.last[what] = self.src.rfind(what)
        return self.last[what]

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        """CommonMark's flanking rules, but wide punctuation is like a letter, and a wide character like a border."""
        src, marker, end = self.src, self.src[start], start
        while end < self.posMax and src[end] == marker:
            end += 1
        before = src[start - 1] if start else " "
        after = src[end] if end < self.posMax else " "
        count = end - start
        if marker == "*" and _is_operator(before, after, count):
            return Scanned(False, False, count)
        before_space = before == GUARD or isWhiteSpace(ord(before))
        after_space = isWhiteSpace(ord(after))
        beside = marker != "_"
        before_wide, after_wide = beside and is_wide(before), beside and is_wide(after)
        before_sign, after_sign = _is_sign(before), _is_sign(after)
        left = not after_space and (not after_sign or after_wide or before_space or before_sign or before_wide)
        right = not before_space and (not before_sign or before_wide or after_space or after_sign or after_wide)
        opens = left and (canSplitWord or not right or before_sign)
        closes = right and (canSplitWord or not left or after_sign)
        here = (marker, count, self.level)
        if not closes and self.waiting[here] and after.isalnum() and before in _ends(marker, count):
            opens, closes = False, True
        elif not opens and not self.waiting[here] and count > 1 and before.isalnum() and after in _BEGINS:
            opens, closes = beside, False
        if closes and self.waiting[here]:
            self.waiting[here] -= 1
        elif opens:
            self.waiting[here] += 1
        return Scanned(opens, closes, count)


class _Inline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        if not self.terminator_re.search(src):  # most cells and short lines: nothing but words
            if src:
                tokens.append(Token("text", "", 0, content=src))
            return tokens
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: ARG002  (the library's signature)
        return True  # the tree decides which links are links, so that a refused one still shows its text

    def normalizeLinkText(self, link: str) -> str:
        return link


def dialect() -> MarkdownIt:
    """A new parser; making one costs milliseconds, so make it once."""
    md = _Markdown("zero")
    md.inline = _Inline()
    md.configure("commonmark", {"html": False, "maxNesting": DEPTH + 8, "tasklists": True})
    md.disable(["reference", "html_block", "html_inline", "image"])
    md.enable(["table", "strikethrough"])
    block, everywhere = md.block.ruler, ["paragraph", "reference", "blockquote", "list"]
    block.at("table", table, {"alt": ["paragraph", "reference"]})
    block.at("fence", _starting(_FENCE, "`~"), {"alt": everywhere})
    block.at("blockquote", _starting(blockquote, ">"), {"alt": everywhere})
    block.at("hr", _starting(hr, "*-_"), {"alt": everywhere})
    block.at("list", _starting(list_block, "*-+0123456789"), {"alt": ["paragraph", "reference", "blockquote"]})
    block.at("heading", _starting(heading, "#"), {"alt": ["paragraph", "reference", "blockquote"]})
    block.before("fence", "math_block", _starting(_math_block, "$\\"), {"alt": everywhere})
    md.inline.ruler.before("escape", "math_inline", _math_inline)
    md.inline.ruler.at("backticks", _backticks)
    md.inline.ruler.at("link", _link)
    md.inline.ruler.before("link", "picture", _picture)
    md.inline.ruler.before("link", "footnote", _footnote)
    md.inline.ruler.before("autolink", "line_break", _line_break)
    md.inline.ruler.at("autolink", _autolink)
    md.inline.ruler2.after("balance_pairs", "close_open", _close_open)
    return md


def _is_sign(char: str) -> bool:
    return isMdAsciiPunct(ord(char)) or isPunctChar(char)


def _ends(marker: str, count: int) -> str:
    """Signs behind which emphasis that is open ends, whatever follows. Of single stars there are too many others."""
    return _ENDS if marker != "_" and count > 1 else ":" if marker == "*" else ":.!?"


def _is_word(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _is_operator(before: str, after: str, count: int) -> bool:
    """`2*3*4` and `x**2 + y**2` multiply; nobody means emphasis there."""
    if not (_is_word(before) and _is_word(after)):
        return False
    return count == 1 or (count == 2 and after.isdigit())


def _starting(rule: BlockRule, chars: str) -> BlockRule:
    """The rule, asked only about lines that begin with one of `chars` (that is quicker), and not too deep."""

    def starting(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        at = state.bMarks[start] + state.tShift[start]
        if at >= state.eMarks[start] or state.src[at] not in chars:
            return False
        return state.level < DEPTH and rule(state, start, end, silent)

    return starting


def _math_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`$$` or `\\[` at the start of a line, up to its closer at the end of one, with no blank line between."""
    if state.is_code_block(start):
        return False
    begin = state.bMarks[start] + state.tShift[start]
    opener = state.src[begin : begin + 2]
    if opener not in ("$$", "\\["):
        return False
    closer = _MATH_END[opener]
    unclosed = state.env.setdefault("unclosed", {})
    here = opener, state.level, state.blkIndent, end  # in another container, other lines follow
    if start < unclosed.get(here, 0):  # an earlier look has already found no closer up to there
        return False
    lines: list[str] = []
    line, closed = start, False
    while line < end:
        at = state.bMarks[line] + state.tShift[line] + (2 if line == start else 0)
        text = state.src[at : state.eMarks[line]].rstrip()
        if line > start and (not text or state.sCount[line] < state.blkIndent):
            break
        line += 1
        head, found, tail = text.partition(closer)
        lines.append(head if found else text)
        if found:
            if tail:
                return False
            closed = True
            break
    at_end = line >= len(state.bMarks) - 1  # of the source, not only of a quote
    if not closed and not (state.env.get("open") and at_end):
        unclosed[here] = line
        return False
    content = "\n".join(lines).strip()
    if closed and not content:
        return False
    if not silent:
        state.line = line
        token = state.push("math_block", "math", 0)
        token.block, token.content, token.markup, token.map = True, content, opener, [start, line]
        token.info = "" if closed else "open"
    return True


def _math_inline(state: StateInline, silent: bool) -> bool:
    found = None
    if state.src[state.pos] == "$":
        found = _dollars(state)
    elif state.src[state.pos] == "\\":
        found = _brackets(state)
    if found is None and state.env.get("growing") and not silent and state.posMax == len(state.src):
        half = open_formula(state.src, state.pos)
        found = None if half is None else (state.posMax, half)
    if found is None:
        return False
    state_end, content = found
    if not silent and content:
        token = state.push("math_inline", "math", 0)
        token.content = content.replace("\n", " ").strip()
    state.pos = state_end
    return True


def _brackets(state: StateInline) -> tuple[int, str] | None:
    closer = _MATH_END.get(state.src[state.pos : state.pos + 2])
    if closer is None or not isinstance(state, _State) or state.rfind(closer) < state.pos:
        return None
    end = state.src.find(closer, state.pos + 2, state.posMax)
    content = state.src[state.pos + 2 : end] if end > 0 else ""
    return (end + 2, content) if content.strip() else None


def _dollars(state: StateInline) -> tuple[int, str] | None:
    """Only the very next dollar can close: that keeps it linear, and `$5 and $10` money."""
    src, start = state.src, state.pos
    if start and (_is_word(src[start - 1]) or src[start - 1] == "$"):
        return None
    width = 2 if src.startswith("$$", start) else 1
    begin = start + width
    end = src.find("$", begin, state.posMax)
    while end > 0 and src[end - 1] == "\\":
        end = src.find("$", end + 1, state.posMax)
    content = src[begin:end] if end > 0 else ""
    if not content.strip() or not src.startswith("$" * width, end):
        return None
    after = src[end + width : end + width + 1]
    if width == 1 and (content != content.strip() or "\n" in content or _is_word(after) or _is_money(content)):
        return None
    return end + width, content


def _is_money(content: str) -> bool:
    if not content[0].isdigit() or "\\" in content:
        return False
    return bool(_WORD.search(content)) or any(is_wide(char) for char in content)


def _link(state: StateInline, silent: bool) -> bool:
    """With reference definitions off, only `](` makes a link; where none follows, the costly look for one is spared."""
    if state.src[state.pos] != "[" or (isinstance(state, _State) and state.rfind("](") < state.pos):
        return False
    return link(state, silent)


def _picture(state: StateInline, silent: bool) -> bool:
    """`![alt](url)` is a link to the picture: nothing that a model names is fetched."""
    if not state.src.startswith("![", state.pos):
        return False
    state.pos += 1
    if _link(state, silent):
        return True
    state.pos -= 1
    return False


def _footnote(state: StateInline, silent: bool) -> bool:
    """`[^1]`, or `[^1]: ` at the start of a line. Other names than numbers stay text: `[^a-z]` is a pattern."""
    found = _FOOTNOTE.match(state.src, state.pos)
    if found is None:
        return False
    defines = bool(found[2]) and (state.pos == 0 or state.src[state.pos - 1] == "\n")
    end = found.end() if defines else found.end(1) + 1
    if state.src.startswith("(", end):
        return False
    if not silent:
        token = state.push("footnote", "sup", 0)
        token.content, token.meta = found[1], {"defines": defines}
    state.pos = end
    return True


def _line_break(state: StateInline, silent: bool) -> bool:
    """`<br>` in a cell of a table, where a line can't be broken otherwise."""
    found = _LINE_BREAK.match(state.src, state.pos) if state.env.get("cell") else None
    if found is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _autolink(state: StateInline, silent: bool) -> bool:
    """`<https://example.com>`, and `<https://example.com|here>`: some chat platforms have their links so, and models
    write them wherever they are."""
    if state.src[state.pos] != "<":
        return False
    found = _LABELLED.match(state.src, state.pos)
    if found is None or state.linkLevel:
        return autolink(state, silent)
    if not silent:
        opener = state.push("link_open", "a", 1)
        opener.attrs = {"href": state.md.normalizeLink(found["url"])}
        state.push("text", "", 0).content = found["words"].strip() or found["url"]
        state.push("link_close", "a", -1)
    state.pos = found.end()
    return True


def _backticks(state: StateInline, silent: bool) -> bool:
    """Code that isn't closed goes to the end, if it may."""
    src, start = state.src, state.pos
    allowed = state.env.get("open")
    if silent or not allowed or src[start] != "`" or state.level:
        return backtick(state, silent)
    begin = start
    while begin < state.posMax and src[begin] == "`":
        begin += 1
    backtick(state, True)
    closed = state.pos > begin
    state.pos = start
    if closed or src[start:begin] not in allowed or not src[begin:].strip():
        return backtick(state, silent)
    token = state.push("code_inline", "code", 0)
    token.content, token.markup = src[begin:].strip().replace("\n", " "), src[start:begin]
    state.env["code"] = token.markup
    state.pos = state.posMax
    return True


def _close_open(state: StateInline) -> None:
    """Close what is open at the end (`env["open"]` names the markers) and leave in `env["opened"]` what that was."""
    allowed = state.env.get("open")
    if not allowed:
        return
    openers: list[int] = []
    names: list[str] = []
    for run in _open_runs(state.delimiters):
        first = state.delimiters[run[0]]
        mark = "~~" if first.marker == ord("~") else chr(first.marker) * len(run)
        if len(mark) <= 3 and mark[:2] in allowed and len(names) < DEPTH // 2:
            openers += run
            names.append(mark)
    for index in reversed(openers):
        opener = state.delimiters[index]
        state.push("text", "", 0)
        opener.end = len(state.delimiters)
        state.delimiters.append(Delimiter(opener.marker, opener.length, len(state.tokens) - 1, -1, False, True))
    state.env["opened"] = names


def _open_runs(delimiters: list[Delimiter]) -> list[list[int]]:
    """Adjacent openers without an end, leaving out those inside a closed pair: closing them would cross it."""
    runs: list[list[int]] = []
    index = 0
    while index < len(delimiters):
        here = delimiters[index]
        if here.end >= 0:
            index = here.end + 1
            continue
        if here.open:
            last = delimiters[runs[-1][-1]] if runs else None
            joined = last and last.marker == here.marker and last.token == here.token - 1 and here.marker != ord("~")
            if joined:
                runs[-1].append(index)
            else:
                runs.append([index])
        index += 1
    return runs
