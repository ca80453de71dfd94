"""The document tree as HTML: everything a model writes is text, whatever it looks like."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.render import measure, render, render_blocks
from bot.markdown.parser import parse
from bot.markdown.tree import (
    Break,
    Code,
    Emphasis,
    Fence,
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
    *("div", "table", "thead", "tbody", "tr", "th", "td", "strong", "em", "s", "a"),
}
ATTRIBUTES = {"class", "href", "target", "rel", "start", "type", "disabled", "checked", "tabindex"}
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
        (p(Math("a<b")), '<p><code class="math">a&lt;b</code></p>'),
        (Heading(1, (Words("t"),)), '<h3 class="level-1">t</h3>'),
        (Heading(6, (Words("t"),)), '<h6 class="level-6">t</h6>'),
        (MathBlock("x^2"), '<pre class="math"><code>x^2</code></pre>'),
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
