"""Linear format: a formula in Unicode, on a line where it fits on one"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bot.markdown.formulas.latex import Accent, Fraction, Grid, Node, Root, Row, Scripts, Sign, read
from bot.markdown.formulas.signs import FUNCTIONS, SUBSCRIPTS, SUPERSCRIPTS

__all__ = ["linear"]

_HALVES = {("1", "2"): "½", ("1", "3"): "⅓", ("2", "3"): "⅔", ("1", "4"): "¼", ("3", "4"): "¾"}
_ROOTS = {"3": "∛", "4": "∜"}
_TIGHT = frozenset("()[]{}|‖⟨⟩⌊⌋⌈⌉,.;:!/′°·∫∬∭∮√")
_ATOM = re.compile(r"\d+(?:\.\d+)?|.|[∂dΔ]?\w[′ⁱⁿᵃ-ᵿ⁰-₿¹²³ₐ-ₜ\u0300-\u036f]*!?|\w\([^()]*\)")
_SIGNS = frozenset("+−±∓")


@lru_cache(maxsize=1024)
def linear(latex: str) -> str:
    """A formula as people can read it without LaTeX; where that can't be done for certain, the LaTeX itself."""
    node = read(latex)
    if node is None:
        return latex
    if isinstance(node, Grid) and node.lines:
        return "\n".join(_line(row) for row in node.rows)
    return unicodedata.normalize("NFC", _tidy(_text(node))) or latex


def _line(row: tuple[Node, ...]) -> str:
    return unicodedata.normalize("NFC", _tidy(" ".join(_text(cell) for cell in row)))


def _tidy(text: str) -> str:
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip()


def _text(node: Node) -> str:
    match node:
        case Sign(text, kind):
            return f"{text} " if kind == "limited" and text.isalpha() else text
        case Row(children):
            return _row(children)
        case Fraction(top, bottom, line):
            return _fraction(_tidy(_text(top)), _tidy(_text(bottom)), line)
        case Root(inner, degree):
            return _root(_tidy(_text(inner)), "" if degree is None else _tidy(_text(degree)))
        case Scripts(base, below, above, limits):
            return _scripts(base, below, above, limits)
        case Accent(mark, inner):
            return "".join(char + mark if not char.isspace() else char for char in _text(inner))
        case Grid(rows, opener, closer, lines):
            if lines:
                return "; ".join(_line(row) for row in rows)
            gap = ", " if opener == "{" else " "
            return opener + "; ".join(gap.join(_tidy(_text(cell)) for cell in row) for row in rows) + closer


def _row(children: tuple[Node, ...]) -> str:
    """Relations have air around them, and so have plus and minus between two things."""
    out = ""
    before: Node | None = None
    for child in children:
        text = _text(child)
        if isinstance(before, Fraction) and before.line and out[-1] not in "½⅓⅔¼¾" and _goes_on(child, text):
            out = out[: -len(_text(before))] + f"({_text(before)})"  # or what follows would be read as divided by, too
        before = child
        if isinstance(child, Sign):
            bare = child.text
            operates = child.kind == "operator" and not set(bare) <= _TIGHT
            if operates and not (bare in _SIGNS and (not out.strip() or out.rstrip()[-1] in "([{=<>≤≥,")):
                text = f" {text} "
            elif child.kind == "words" and out and out[-1].isalnum():
                text = " " + text
            elif child.kind == "operator" and bare in ",;":
                text += " "
        previous = out[-1:]
        if previous.isalpha() and text[:1].isalnum() and _is_word(out) and not text[:1].isspace():
            out += " "
        out += text
    return out


def _goes_on(child: Node, text: str) -> bool:
    return not isinstance(child, Sign) or text[:1].isalnum() or text[:1] in "([{"


def _is_word(text: str) -> bool:
    """Whether a function's name stands last: `sin x`."""
    word = text.split()[-1] if text.split() else ""
    return word.isascii() and word.isalpha() and len(word) > 1 and word in FUNCTIONS


def _is_atom(text: str) -> bool:
    return bool(_ATOM.fullmatch(text)) or (text[:1] in "([" and text[-1:] in ")]" and _encloses(text))


def _encloses(text: str) -> bool:
    depth = 0
    for number, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if not depth:
            return number == len(text) - 1
    return False


def _grouped(text: str) -> str:
    return text if _is_atom(text) else f"({text})"


def _fraction(top: str, bottom: str, line: bool) -> str:
    if not line:
        return f"{top} {bottom}"
    top = top if top.isalnum() else _grouped(top)
    return _HALVES.get((top, bottom)) or f"{top}/{_grouped(bottom)}"


def _root(inner: str, degree: str) -> str:
    sign = _ROOTS.get(degree) or (_shifted(degree, SUPERSCRIPTS) if degree else "") + "√"
    if degree and sign == "√":
        sign = f"({degree})√"
    return sign + _grouped(inner)


def _scripts(base: Node, below: Node | None, above: Node | None, limits: bool) -> str:
    text = _text(base).rstrip() if limits else _text(base)
    if isinstance(base, Row | Fraction | Root) and not limits and text and not _is_atom(text):
        text = f"({text})"
    if below is not None:
        text += _script(_tidy(_text(below)), SUBSCRIPTS, "_")
    if above == Sign("∘", "operator"):
        text += "°"
    elif above is not None:
        text += _script(_tidy(_text(above)), SUPERSCRIPTS, "^")
    return text + (" " if limits else "")


def _script(text: str, table: dict[str, str], mark: str) -> str:
    shifted = _shifted(text.replace(" ", ""), table)
    if shifted:
        return shifted
    return mark + (text if len(text) == 1 or text.isdigit() else f"({text})") if text else ""


def _shifted(text: str, table: dict[str, str]) -> str:
    """'' if there is a character that has no such form."""
    return "".join(table[char] for char in text) if all(char in table for char in text) else ""
