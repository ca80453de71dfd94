"""Formulas as people can read them without LaTeX."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.markdown.formulas.latex import completed, read
from bot.markdown.formulas.linear import linear


@pytest.mark.parametrize(
    ("latex", "line"),
    [
        ("E = mc^2", "E = mc²"),
        (r"x=\frac{-b\pm\sqrt{b^2-4ac}}{2a}", "x = (−b ± √(b² − 4ac))/(2a)"),
        (r"\frac12 + \dfrac{1}{3}", "½ + ⅓"),
        (r"\frac{\partial f}{\partial x}", "∂f/∂x"),
        (r"\sum_{i=1}^{n} \alpha_i \leq \beta", "∑ᵢ₌₁ⁿ αᵢ ≤ β"),
        (r"\sum_{k=0}^{\infty}\frac{x^k}{k!}", "∑ₖ₌₀^∞ xᵏ/k!"),
        (r"\lim_{x \to 0} f(x)", "lim_(x → 0) f(x)"),
        (r"\frac43\pi r^3 + \frac12 x + \frac{a}{b}", "(4/3)πr³ + ½x + a/b"),
        (r"e^{i\pi}+1=0", "e^(iπ) + 1 = 0"),
        (r"x^{n+1}_{i}", "xᵢⁿ⁺¹"),
        (r"x^{q}", "x^q"),
        (r"f''(x)", "f′′(x)"),
        (r"\sin^2\theta + \log x", "sin²θ + log x"),
        (r"\sqrt[3]{x} \cdot \sqrt{10}", "∛x·√10"),
        (r"\mathbb{R}^n \ni \mathbf{v}, \hat{y}", "ℝⁿ ∋ 𝐯, ŷ"),
        (r"\text{if } x \in A", "if x ∈ A"),
        (r"\mathrm{CO_2}", "CO₂"),
        (r"90^\circ", "90°"),
        (r"\left( \frac{a}{b} \right)", "(a/b)"),
        (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}", "(a b; c d)"),
        (r"|x| = \begin{cases} x & x \ge 0 \\ -x & x < 0 \end{cases}", "|x| = {x, x ≥ 0; −x, x < 0"),
        (r"\begin{aligned} a &= b \\ &= c \end{aligned}", "a = b\n= c"),
        (r"a \ne b \\ c \not= d", "a ≠ b\nc ≠ d"),
        (r"\binom{n}{k}", "(n k)"),
        (r"\underset{x}{\arg\max}", r"arg maxₓ"),
        ("", ""),
        ("长度 = 5", "长度 = 5"),
    ],
)
def test_a_formula_is_one_line_of_unicode(latex: str, line: str) -> None:
    assert linear(latex) == line


@pytest.mark.parametrize(
    "latex",
    [r"\foo{x}", r"\ce{H2O}", r"\frac{a}", "{", "a_{", r"\begin{matrix} a", r"\left", "a^b^c", "\\", "x" * 3000],
)
def test_what_is_not_understood_stays_as_it_is(latex: str) -> None:
    assert read(latex) is None
    assert linear(latex) == latex


def test_depth_is_bounded() -> None:
    assert read("{" * 500 + "x" + "}" * 500) is None
    assert read(r"\sqrt{" * 20 + "x" + "}" * 20) is not None


_MARKS = ["+", "(", ")", "{", "}", "^", "_", "&", r"\\", "'", " "]
_COMMANDS = [
    r"\frac",
    r"\sqrt",
    r"\alpha",
    r"\text{hi}",
    r"\left",
    r"\right",
    r"\hat",
    r"\begin{cases}",
    r"\end{cases}",
]
_PIECES = st.sampled_from(["a", "1", "x", "汉", *_MARKS, *_COMMANDS])


@given(st.lists(_PIECES, max_size=14).map("".join))
def test_nothing_that_is_written_is_lost(latex: str) -> None:
    line = linear(latex)
    for char in "ax1汉":
        wanted = (
            latex.replace(r"\frac", "")
            .replace(r"\alpha", "")
            .replace("text", "")
            .replace("cases", "")
            .replace("hat", "")
            .count(char)
        )
        if line != latex:
            assert wanted <= sum(line.count(each) for each in _FORMS[char]) + (char == "1") * line.count("½")


_FORMS = {"a": "aᵃₐ", "x": "xˣₓ", "1": "1¹₁½⅓¼", "汉": "汉"}


@pytest.mark.parametrize(
    ("half", "whole"),
    [
        ("\\frac{1", "\\frac{1}…"),
        ("\\frac{1}{", "\\frac{1}…"),
        ("\\sqrt[3", "\\sqrt[3]…"),
        ("x^", "x"),
        ("x^{n+1", "x^{n+1}"),
        ("\\text{so ", "\\text{so}"),
        ("\\begin{aligned} a &= b \\\\ c", "\\begin{aligned} a &= b \\\\ c\\end{aligned}"),
        ("\\begin{matrix} 1 \\end{mat", "\\begin{matrix} 1\\end{matrix}"),
        ("\\alph", ""),
        ("a + \\begin{al", "a +"),
        ("\\ce{2H", "\\ce{2H"),
        ("a } b", "a } b"),
        ("\\left( x", "\\left( x"),
        ("a \\not", "a"),
    ],
)
def test_half_a_formula_is_completed(half: str, whole: str) -> None:
    assert completed(half) == whole
