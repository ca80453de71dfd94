"""Formulas as MathML, which browsers typeset by themselves; every tag is written here, every text escaped"""

from __future__ import annotations

from functools import lru_cache
from html import escape

from bot.markdown.formulas.latex import Accent, Fraction, Grid, Node, Root, Row, Scripts, Sign, read

__all__ = ["mathml"]

_TAGS = {"letter": "mi", "number": "mn", "operator": "mo", "words": "mtext", "limited": "mo"}
_UNDER = frozenset("\u0332")
_MARKS = {
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "¯",
    "\u0305": "¯",
    "\u0332": "_",
    "\u20d7": "→",
    "\u0307": "˙",
    "\u0308": "¨",
    "\u030c": "ˇ",
    "\u0306": "˘",
    "\u0301": "´",
    "\u0300": "`",
    "\u030a": "˚",
}


@lru_cache(maxsize=512)
def mathml(latex: str, *, block: bool) -> str:
    """'' if the formula is not understood: then its LaTeX is what there is to show."""
    node = read(latex)
    if node is None:
        return ""
    display = ' display="block"' if block else ""
    return f"<math{display}>{_of(node)}</math>"


def _of(node: Node) -> str:
    match node:
        case Sign(text, "space"):
            return f'<mspace width="{max(len(text), 1) * 0.28:.2f}em"></mspace>'
        case Sign(text, kind):
            tag = _TAGS[kind]
            return f"<{tag}>{escape(text)}</{tag}>"
        case Row(children):
            return f"<mrow>{''.join(_of(child) for child in children)}</mrow>"
        case Fraction(top, bottom, line):
            attributes = "" if line else ' linethickness="0"'
            return f"<mfrac{attributes}>{_of(top)}{_of(bottom)}</mfrac>"
        case Root(inner, None):
            return f"<msqrt>{_of(inner)}</msqrt>"
        case Root(inner, degree):
            assert degree is not None
            return f"<mroot>{_of(inner)}{_of(degree)}</mroot>"
        case Scripts():
            return _scripts(node)
        case Accent(mark, inner):
            tag = "munder" if mark in _UNDER else "mover"
            return f'<{tag} accent="true">{_of(inner)}<mo>{escape(_MARKS.get(mark, mark))}</mo></{tag}>'
        case Grid():
            return _grid(node)


def _scripts(node: Scripts) -> str:
    below, above = node.below, node.above
    lower, upper = ("munder", "mover") if node.limits else ("msub", "msup")
    if below is not None and above is not None:
        tag = "munderover" if node.limits else "msubsup"
        return f"<{tag}>{_of(node.base)}{_of(below)}{_of(above)}</{tag}>"
    if below is not None:
        return f"<{lower}>{_of(node.base)}{_of(below)}</{lower}>"
    return f"<{upper}>{_of(node.base)}{_of(above or Row(()))}</{upper}>"


def _grid(node: Grid) -> str:
    rows = "".join("<mtr>" + "".join(f"<mtd>{_of(cell)}</mtd>" for cell in row) + "</mtr>" for row in node.rows)
    attributes = ' class="lines"' if node.lines else ""
    table = f"<mtable{attributes}>{rows}</mtable>"
    left = f"<mo>{escape(node.open)}</mo>" if node.open else ""
    right = f"<mo>{escape(node.close)}</mo>" if node.close else ""
    return f"<mrow>{left}{table}{right}</mrow>"
