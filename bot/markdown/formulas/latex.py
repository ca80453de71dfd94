"""LaTeX parser: formulas -> a small tree, which writers make their best form of

What is not understood for certain is not guessed: `read` says None, and the formula stays LaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from bot.markdown.formulas.signs import ACCENTS, FONTS, FUNCTIONS, IGNORED, LETTERS, LIMITED, OPERATORS, SPACES

__all__ = ["Accent", "Fraction", "Grid", "Node", "Root", "Row", "Scripts", "Sign", "completed", "read"]

_MOST = 2_000  # characters of a formula; a longer one stays LaTeX
_DEEP = 24
_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}^_&]|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
_FENCES = {
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("{", "}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("‖", "‖"),
    "cases": ("{", ""),
    "rcases": ("", "}"),
    "matrix": ("", ""),
    "smallmatrix": ("", ""),
    "array": ("", ""),
}
_LINES = frozenset({"aligned", "align", "split", "gather", "gathered", "equation", "alignat", "multline", "eqnarray"})
_SIZES = frozenset(f"{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m"))
_TEXTS = frozenset({"text", "mathrm", "textrm", "textbf", "textit", "operatorname", "mathit", "mbox", "mathop", "rm"})


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign or word: a letter, a number, an operator, words, or space."""

    text: str
    kind: Literal["letter", "number", "operator", "words", "space", "limited"] = "letter"


@dataclass(frozen=True, slots=True)
class Row:
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fraction:
    top: Node
    bottom: Node
    line: bool = True  # without one it is a binomial's inside


@dataclass(frozen=True, slots=True)
class Root:
    inner: Node
    degree: Node | None = None


@dataclass(frozen=True, slots=True)
class Scripts:
    base: Node
    below: Node | None = None
    above: Node | None = None
    limits: bool = False  # they stand below and above the base


@dataclass(frozen=True, slots=True)
class Accent:
    """`mark` is a combining character."""

    mark: str
    inner: Node


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix, cases, or (`lines`) equations that are aligned."""

    rows: tuple[tuple[Node, ...], ...]
    open: str = ""
    close: str = ""
    lines: bool = False


Node = Sign | Row | Fraction | Root | Scripts | Accent | Grid


# what may still become another command, an environment, or a closer; or what nothing follows yet
_HALF = re.compile(r"(?:\\(?:(?:begin|end)\s*\{[A-Za-z]*\*?|[A-Za-z]*)|[{^_$\s])\Z")
_LONGEST = 40  # of such a half


class _Unknown(Exception):
    """There is something in the formula that this module doesn't know."""


@lru_cache(maxsize=512)
def read(latex: str) -> Node | None:
    """The tree of a formula; None where it can't be told for certain what it means."""
    if len(latex) > _MOST:
        return None
    try:
        reader = _Reader(_TOKEN.findall(latex))
        return reader.whole()
    except (_Unknown, RecursionError):
        return None


def completed(latex: str) -> str:
    """A formula that is still being written, closed: without half a command, its groups ended, `…` for what is missing.
    As it is if that can't be told."""
    while half := _HALF.search(latex, max(0, len(latex) - _LONGEST)):
        latex = latex[: half.start()]
    reader = _Completer(_TOKEN.findall(latex))
    try:
        reader.whole()
    except (_Unknown, RecursionError):
        return latex
    return reader.source


class _Reader:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        rows = self._rows(None)
        return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else Grid(rows, lines=True)

    # ---- tokens

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, wanted: str = "") -> str:
        """The next token; `wanted` would do if there is none."""
        token = self._peek() or self._supply(wanted)
        self._at += 1
        return token

    def _supply(self, *wanted: str) -> str:  # noqa: ARG002  (for who completes)
        raise _Unknown

    def _skip_space(self) -> None:
        while (token := self._peek()) is not None and token.isspace():
            self._at += 1

    def _raw(self) -> str:
        """What stands in the next braces, as it is."""
        self._skip_space()
        if self._next("{") != "{":
            raise _Unknown
        depth = 1
        parts: list[str] = []
        while True:
            token = self._next("}")
            depth += (token == "{") - (token == "}")
            if not depth:
                return "".join(parts)
            parts.append(token)

    # ---- rows

    def _rows(self, end: str | None) -> tuple[tuple[Node, ...], ...]:
        rows: list[tuple[Node, ...]] = []
        cells: list[Node] = []
        while True:
            cells.append(self._row())
            token = self._peek()
            if token is None and end is not None:
                token = self._supply("\\end", "{", end, "}")
            if token == "&":
                self._at += 1
                continue
            if token in ("\\\\", "\\cr", "\\newline"):
                self._at += 1
                rows.append(tuple(cells))
                cells = []
                continue
            if (token is None) != (end is None) or (end and token != "\\end"):
                raise _Unknown
            if token == "\\end":
                self._at += 1
                if self._raw() != end:
                    raise _Unknown
            if len(cells) > 1 or cells[0] != Row(()) or not rows:
                rows.append(tuple(cells))
            return tuple(rows)

    def _row(self, until: str = "") -> Node:
        """Up to the end of the group, cell, row or environment; or to `until`, which is taken."""
        self._depth += 1
        if self._depth > _DEEP:
            raise _Unknown
        children: list[Node] = []
        while (token := self._peek()) is not None:
            if token == until:
                break
            if token in ("}", "&", "\\\\", "\\end", "\\cr", "\\newline"):
                break
            if token in ("^", "_", "'"):
                self._script(children)
                continue
            self._at += 1
            if token.isspace():
                continue
            child = self._atom(token)
            if child is not None:
                children.append(child)
        if until and self._next(until) != until:
            raise _Unknown
        self._depth -= 1
        return children[0] if len(children) == 1 else Row(tuple(children))

    def _script(self, children: list[Node]) -> None:
        mark = self._next()
        script: Node = Sign("′") if mark == "'" else self._argument()
        while mark == "'" and self._peek() == "'":
            self._at += 1
            script = Row((script, Sign("′")))
        base = children.pop() if children else Row(())
        before = base if isinstance(base, Scripts) else None
        below, above = (before.below, before.above) if before else (None, None)
        if (below if mark == "_" else above) is not None:
            if mark == "_" or above is None or not _is_prime(above):
                raise _Unknown
            script = Row((above, script))
        core = before.base if before else base
        limits = (before.limits if before else False) or (isinstance(core, Sign) and core.kind == "limited")
        children.append(Scripts(core, script if mark == "_" else below, above if mark == "_" else script, limits))

    def _argument(self) -> Node:
        self._skip_space()
        token = self._next("…")
        if token == "{":
            return self._row("}")
        if token.isdigit() and len(token) > 1:  # `\frac13` is a third
            self._at -= 1
            self._tokens = [*self._tokens[: self._at], *token, *self._tokens[self._at + 1 :]]
            token = self._next()
        child = None if token in ("}", "&", "^", "_") else self._atom(token)
        if child is None:
            raise _Unknown
        return child

    # ---- one thing

    def _atom(self, token: str) -> Node | None:
        if token[0] == "\\" and len(token) > 1:
            return self._command(token[1:])
        if token == "{":
            return self._row("}")
        if token in ("~",):
            return Sign(" ", "space")
        if token[0].isdigit():
            return Sign(token, "number")
        if token == "\\" or token in "#$%":
            raise _Unknown
        return Sign(token) if token.isalpha() or token in "∞∂" else Sign("−" if token == "-" else token, "operator")

    def _command(self, name: str) -> Node | None:
        if name in LETTERS:
            return Sign(LETTERS[name])
        if name in OPERATORS:
            return Sign(OPERATORS[name], "operator")
        if name in LIMITED:
            return Sign(LIMITED[name], "limited")
        if name in FUNCTIONS:
            return Sign(name, "words")
        if name in SPACES:
            return Sign(SPACES[name], "space") if SPACES[name] else None
        if name in ("left", "right", "middle") or name in _SIZES:
            return self._fence()
        if name in IGNORED:
            return None
        if name in ACCENTS:
            return Accent(ACCENTS[name], self._argument())
        if name.rstrip("*") in _TEXTS:
            return self._words(name)
        if name in FONTS:
            return _fonted(self._argument(), name)
        return self._structure(name)

    def _fence(self) -> Node | None:
        self._skip_space()
        token = self._next()
        return None if token == "." else self._atom(token)

    def _words(self, name: str) -> Node:
        start = self._at
        text = self._raw()
        if name[:4] != "text" and set(text) & set("_^\\"):
            self._at = start
            return self._argument()
        if set(text) & set("\\$"):
            raise _Unknown
        return Sign(re.sub(r"\s+", " ", text), "words")

    def _structure(self, name: str) -> Node | None:
        match name:
            case "frac" | "dfrac" | "tfrac" | "cfrac":
                return Fraction(self._argument(), self._argument())
            case "binom" | "dbinom" | "tbinom":
                inner = Fraction(self._argument(), self._argument(), line=False)
                return Row((Sign("(", "operator"), inner, Sign(")", "operator")))
            case "sqrt":
                self._skip_space()
                degree = None
                if self._peek() == "[":
                    self._at += 1
                    degree = self._row("]")
                return Root(self._argument(), degree)
            case "overset" | "stackrel":
                above = self._argument()
                return Scripts(self._argument(), above=above, limits=True)
            case "underset":
                below = self._argument()
                return Scripts(self._argument(), below=below, limits=True)
            case "underbrace" | "overbrace" | "boxed" | "mathord" | "mathbin" | "mathrel" | "smash" | "ensuremath":
                return self._argument()
            case "xrightarrow" | "xleftarrow":
                arrow = Sign("→" if name == "xrightarrow" else "←", "operator")
                return Scripts(arrow, above=self._argument(), limits=True)
            case "not":
                self._skip_space()
                negated = {"=": "≠", "\\in": "∉", "\\subset": "⊄", "\\equiv": "≢", "<": "≮", ">": "≯", "\\mid": "∤"}
                token = self._next()
                if token not in negated:
                    raise _Unknown
                return Sign(negated[token], "operator")
            case "pmod":
                return Row((Sign(" (mod ", "words"), self._argument(), Sign(")", "words")))
            case "bmod" | "mod":
                return Sign(" mod ", "words")
            case "tag" | "tag*":
                return Sign(f"  ({self._raw()})", "words")
            case "begin":
                return self._environment(self._raw())
        raise _Unknown

    def _environment(self, name: str) -> Node:
        kind = name.rstrip("*")
        self._skip_space()
        if kind in ("array", "alignat"):
            self._raw()
        if kind in _LINES:
            return Grid(self._rows(name), lines=True)
        if kind not in _FENCES:
            raise _Unknown
        opener, closer = _FENCES[kind]
        return Grid(self._rows(name), opener, closer)


class _Completer(_Reader):
    """Puts what is missing at the end of the formula there."""

    def _supply(self, *wanted: str) -> str:
        if not wanted[0]:
            raise _Unknown
        self._tokens = [*self._tokens, *wanted]
        return wanted[0]

    @property
    def source(self) -> str:
        return "".join(self._tokens)


def _is_prime(node: Node) -> bool:
    return node == Sign("′") or (isinstance(node, Row) and all(_is_prime(child) for child in node.children))


def _fonted(node: Node, font: str) -> Node:
    match node:
        case Sign(text, kind):
            return Sign("".join(_letter(char, font) for char in text), kind)
        case Row(children):
            return Row(tuple(_fonted(child, font) for child in children))
    return node


def _letter(char: str, font: str) -> str:
    upper, lower, digit, special = FONTS[font]
    if char in special:
        return special[char]
    if "A" <= char <= "Z":
        return chr(upper + ord(char) - ord("A"))
    if "a" <= char <= "z":
        return chr(lower + ord(char) - ord("a"))
    return chr(digit + ord(char) - ord("0")) if digit and "0" <= char <= "9" else char
