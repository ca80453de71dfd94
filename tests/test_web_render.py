"""The document tree as HTML: everything a model writes is text, whatever it looks like."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.outgoing.code import coloured
from adapters.web.outgoing.render import measure, render, render_blocks
from bot.markdown.parser import parse
from bot.markdown.tree import (
    Break,
    Code,
    Emphasis,
    Fence,
    Footnote,
    Heading,
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

LANGUAGES = [
    "python",
    "js",
    "ts",
    "java",
    "c",
    "cpp",
    "go",
    "rust",
    "sql",
    "bash",
    "html",
    "css",
    "json",
    "yaml",
    "diff",
]
TAGS = {
    *(
        "p",
        "h3",
        "h4",
        "h5",
        "h6",
        "figure",
        "figcaption",
        "pre",
        "code",
        "blockquote",
        "ul",
        "ol",
        "li",
        "input",
        "hr",
        "br",
    ),
    *("sup", "span", "math", "mi", "mn", "mo", "mtext", "mspace", "mrow", "mfrac", "msqrt", "mroot", "msub", "msup"),
    *("msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd"),
    *("div", "table", "thead", "tbody", "tr", "th", "td", "strong", "em", "s", "a"),
}
ATTRIBUTES = {"class", "href", "target", "rel", "start", "type", "disabled", "checked", "tabindex"} | {
    *("display", "width", "linethickness", "accent")
}
VOID = {"input", "hr", "br"}


class Inspector(HTMLParser):
    """Reads HTML as a browser would, and refuses what this page never writes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.roots = 0
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name)
            if name == "href":
                assert value is not None
                assert value.split(":", 1)[0].lower() in ("http", "https", "mailto", "tel"), value
        if not self.open:
            self.roots += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")


def p(*children: object) -> Paragraph:
    return Paragraph(children)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "html"),
    [
        (p(Words("a < b & c")), "<p>a &lt; b &amp; c</p>"),
        (p(Strong((Words("x"),)), Break(), Emphasis((Words("y"),))), "<p><strong>x</strong><br><em>y</em></p>"),
        (p(Strike((Words("no"),)), Code("<b>")), "<p><s>no</s><code>&lt;b&gt;</code></p>"),
        (p(Math("a<b")), "<p><math><mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi></mrow></math></p>"),
        (p(Math(r"\foo<b")), '<p><code class="math">\\foo&lt;b</code></p>'),
        (p(Words("x"), Footnote("1")), '<p>x<sup class="footnote">1</sup></p>'),
        (Heading(1, (Words("t"),)), '<h3 class="level-1">t</h3>'),
        (Heading(6, (Words("t"),)), '<h6 class="level-6">t</h6>'),
        (MathBlock(r"\foo^2"), '<pre class="math"><code>\\foo^2</code></pre>'),
        (
            MathBlock("x^2"),
            '<div class="formula" tabindex="0"><math display="block"><msup><mi>x</mi><mn>2</mn></msup></math></div>',
        ),
        (Quote((p(Words("q")),)), "<blockquote><p>q</p></blockquote>"),
        (Rule(), "<hr>"),
        (List((Item((p(Words("a")),)),)), "<ul><li>a</li></ul>"),
        (List((Item((p(Words("a")),)),), start=1, tight=False), "<ol><li><p>a</p></li></ol>"),
        (List((Item((p(Words("a")),)),), start=4), '<ol start="4"><li>a</li></ol>'),
        (List((Item((p(Words("a")),)),), start=0), '<ol start="0"><li>a</li></ol>'),
        (
            List((Item((p(Words("a")),), done=True), Item((p(Words("b")),), done=False))),
            '<ul><li class="task"><input type="checkbox" disabled checked> a</li>'
            '<li class="task"><input type="checkbox" disabled> b</li></ul>',
        ),
        (
            Table(((Words("h"),), (Words("i"),)), (((Words("1"),), (Code("2"),)),), ("right", None)),
            '<div class="table" tabindex="0"><table><thead><tr><th class="right">h</th><th>i</th></tr></thead>'
            '<tbody><tr><td class="right">1</td><td><code>2</code></td></tr></tbody></table></div>',
        ),
    ],
)
def test_each_block_has_its_html(block: object, html: str) -> None:
    assert render((block,)) == html  # type: ignore[arg-type]
    Inspector(html)


def test_a_fence_keeps_its_text_and_names_its_language() -> None:
    html = render((Fence("if a < b:\n  pass\n", 'py"><script>'),))
    assert Inspector(html).text == 'py"><script>if a < b:\n  pass\n'


def test_code_has_colours_and_keeps_its_words() -> None:
    source = 'def f(x):\n    return "<b>" + str(x)  # 注释\n'
    html = render((Fence(source, "Python"),))
    assert '<span class="k">def</span> <span class="f">f</span>' in html
    assert '<span class="s">&quot;&lt;b&gt;&quot;</span>' in html
    assert Inspector(html).text == "Python" + source


@given(st.sampled_from(LANGUAGES), st.text(max_size=60) | st.text("ab<&'\"\\\n\t\r/*#{}()=;$ 汉", max_size=60))
def test_no_language_loses_a_word(language: str, source: str) -> None:
    assert unescape(coloured(source, language)).replace("\r", "") == source.replace("\r", "")


def unescape(html: str) -> str:
    return Inspector(html).text


def test_code_that_grows_is_plain() -> None:
    fence = Fence("def f(): pass", "python")
    listed = List((Item((fence,)),))
    assert all("<span" in html for html in render_blocks((fence, listed)))
    assert ["<span" in html for html in render_blocks((fence, fence), growing=True)] == [True, False]
    assert "<span" not in render_blocks((listed,), growing=True)[0]


def test_too_much_code_stays_plain() -> None:
    assert coloured("def x\n" * 6_000, "python") == "def x\n" * 6_000


@pytest.mark.parametrize(
    "latex",
    [
        r"x=\frac{-b\pm\sqrt{b^2-4ac}}{2a}",
        r"\sum_{i=1}^{n} \sqrt[3]{x_i^2} \le \vec{v}",
        r"\begin{pmatrix} a & b \\ c & d \end{pmatrix} \quad \begin{cases} x \end{cases}",
        r"\begin{aligned} a &= b \\ c &< \text{<script>} \end{aligned}",
        r"\binom{n}{k} \underline{x} \lim_{x\to 0} \underset{a}{b} x'",
    ],
)
def test_formulas_are_typeset(latex: str) -> None:
    html = render((MathBlock(latex), p(Math(latex))))
    assert html.count("<math") == 2
    Inspector(html)


def test_a_link_opens_elsewhere_and_tells_nothing() -> None:
    html = render((p(Link('https://example.org/?a=1&b="2"', (Words("here"),))),))
    assert 'href="https://example.org/?a=1&amp;b=&quot;2&quot;"' in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert 'target="_blank"' in html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.org",
        "/logout",
        "https://ex\tample.org",
        "http://[broken",
        "",
    ],
)
def test_a_url_that_could_do_harm_is_no_link(url: str) -> None:
    """The parser makes words of these; what it might miss is caught here."""
    assert render((p(Link(url, (Words("click"),))),)) == "<p>click</p>"


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](javascript:alert(1))",
        '[x](https://a.example "onmouseover=alert(1)")',
        "<svg/onload=alert(1)>",
        '```"><img src=x onerror=alert(1)>\ncode\n```',
        "| <iframe src=//x> |\n|---|\n| <b onclick=x>y</b> |",
        "<https://a.example/?x=<script>>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "# <style>*{display:none}</style>",
        "- [x] <form action=//x><button>",
        "$<img src=x onerror=alert(1)>$",
        "<!-- --><!DOCTYPE html>",
    ],
)
def test_what_a_model_writes_never_becomes_markup(source: str) -> None:
    Inspector(render(parse(source)))


SNIPPETS = [*"ab <>&\"'`*_~[]()!#|-+=:/\\\n$1.x中，", "javascript:", "http://", "<script>", "](", "```", "\n\n"]


@given(st.lists(st.sampled_from(SNIPPETS), max_size=60).map("".join))
def test_any_text_becomes_clean_html_with_one_element_per_block(source: str) -> None:
    blocks = parse(source)
    html = render_blocks(blocks)
    assert len(html) == len(blocks)
    for one in html:
        assert Inspector(one).roots == 1


def test_the_measure_grows_with_every_part() -> None:
    blocks = parse(
        "# Title\n\ntext **bold** `code`\n\n- one\n- two\n\n> quote\n\n```py\nfence\n```\n\n"
        "| a | b |\n|---|---|\n| c | d |\n"
    )
    assert measure(blocks) > measure(blocks[:-1]) > measure(blocks[:1]) > 0
    assert measure(parse("word")) == len("word") + 1
    assert measure(parse("字" * 1000)) == 1001
