"""The parser and the plain writer."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.markdown import (
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
    parse,
    plain,
)
from bot.markdown.incremental import Growth


def words(text: str) -> Paragraph:
    return Paragraph((Words(text),))


def visible(text: str) -> str:
    """Letters and digits: what no reading of Markdown may lose."""
    return "".join(char for char in text if unicodedata.category(char)[0] in "LN")


# ---- inline


@pytest.mark.parametrize(
    ("source", "children"),
    [
        ("**结果：**后面", (Strong((Words("结果："),)), Words("后面"))),
        ("这是**“加粗”**文字", (Words("这是"), Strong((Words("“加粗”"),)), Words("文字"))),
        ("价格为**$5**元", (Words("价格为"), Strong((Words("$5"),)), Words("元"))),
        ("*斜体*中文", (Emphasis((Words("斜体"),)), Words("中文"))),
        ("~~旧，~~新", (Strike((Words("旧，"),)), Words("新"))),
        ("**a**b", (Strong((Words("a"),)), Words("b"))),
        ("a_b_c", (Words("a_b_c"),)),
        ("5 * 3 * 2", (Words("5 * 3 * 2"),)),
        ("2*3*4 and x**2 + y**2", (Words("2*3*4 and x**2 + y**2"),)),
        ("$5 and $10", (Words("$5 and $10"),)),
        ("US$5和HK$10", (Words("US$5和HK$10"),)),
        ("$5美元，不是$ 10", (Words("$5美元，不是$ 10"),)),
        ("$x^2$和\\(y\\)", (Math("x^2"), Words("和"), Math("y"))),
        ("$5$", (Math("5"),)),
        ("so $$a$$ is", (Words("so "), Math("a"), Words(" is"))),
        ("<think>hm</think> <b>x</b>", (Words("<think>hm</think> <b>x</b>"),)),
        ("std::vector<std::string>", (Words("std::vector<std::string>"),)),
        ("&lt;b&gt; &amp;", (Words("<b> &"),)),
        ("one\ntwo  \nthree", (Words("one"), Break(), Words("two"), Break(), Words("three"))),
        ("`a*b*`", (Code("a*b*"),)),
        ("[a](https://b.c)", (Link("https://b.c", (Words("a"),)),)),
        ("[**a**](tel:+123)", (Link("tel:+123", (Strong((Words("a"),)),)),)),
        ("<me@b.co>", (Link("mailto:me@b.co", (Words("me@b.co"),)),)),
        ("[](https://b.c)", (Link("https://b.c", (Words("https://b.c"),)),)),
        ("![alt](https://b.c/d.png)", (Link("https://b.c/d.png", (Words("alt"),)),)),
        ("[![alt](https://i)](https://b.c)", (Link("https://b.c", (Words("alt"),)),)),
        ("[f](file:///etc/passwd)", (Words("f (file:///etc/passwd)"),)),
        ("[s](#below)", (Words("s"),)),
        ("[x](javascript:alert(1))", (Words("x (javascript:alert(1))"),)),
        ("<tg://resolve?domain=x>", (Words("<tg://resolve?domain=x>"),)),
        ("see [1][2]", (Words("see [1][2]"),)),
        (
            "a pattern: [^a-z] and [^12](https://b.c)",
            (Words("a pattern: [^a-z] and "), Link("https://b.c", (Words("^12"),))),
        ),
        ("one<br>two", (Words("one<br>two"),)),
        (
            "\\\nafter a break that breaks nothing\\\n\\\n",
            (Words("after a break that breaks nothing"), Break(), Words("\\")),
        ),
        ("a\u202ecba\u202c \u2066b\u2069", (Words("acba b"),)),
        ("`a\u202eb`", (Code("ab"),)),
        ("\u200fعربي\u200e", (Words("\u200fعربي\u200e"),)),
    ],
)
def test_inline(source: str, children: tuple[object, ...]) -> None:
    assert parse(source) == (Paragraph(children),)  # type: ignore[arg-type]


# ---- blocks


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("# 标题\ntext", (Heading(1, (Words("标题"),)), words("text"))),
        ("```python title=x\na\n\nb\n```", (Fence("a\n\nb", "python"),)),
        ("~~~\n```\n~~~", (Fence("```"),)),
        ("```\nunclosed", (Fence("unclosed"),)),
        ("a\n$$\nx\n$$\nb", (words("a"), MathBlock("x"), words("b"))),
        ("\\[\na\n\nb", (words("[\na".replace("\n", "")), words("b"))),
        ("\\[ x \\]", (MathBlock("x"),)),
        ("> a\n> > b", (Quote((words("a"), Quote((words("b"),)))),)),
        ("---", (Rule(),)),
        ("- a\n- b", (List((Item((words("a"),)), Item((words("b"),)))),)),
        ("- a\n\n- b", (List((Item((words("a"),)), Item((words("b"),))), tight=False),)),
        ("3. a\n4. b", (List((Item((words("a"),)), Item((words("b"),))), start=3),)),
        ("- [ ] a\n- [x] b", (List((Item((words("a"),), False), Item((words("b"),), True))),)),
        ("[1]: https://b.c 'title'", (words("[1]: https://b.c 'title'"),)),
        (
            "so[^1].\n\n[^1]: a note\n[^2]: another",
            (
                Paragraph((Words("so"), Footnote("1"), Words("."))),
                Paragraph(
                    (Footnote("1", True), Words("a note"), Break(), Footnote("2", True), Words("another")),
                ),
            ),
        ),
    ],
)
def test_blocks(source: str, blocks: tuple[Block, ...]) -> None:
    if source.startswith("\\[\n"):
        assert visible(plain(parse(source))) == "ab"  # unclosed: text, nothing lost
    else:
        assert parse(source) == blocks


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("[bank.com](http://evil.example)", "bank.com (evil.example)"),
        ("[https://bank.com/login](http://evil.example)", "https://bank.com/login (evil.example)"),
        (
            "[log in at www.bank.com now](https://bank.com.evil.example)",
            "log in at www.bank.com now (bank.com.evil.example)",
        ),
        ("<https://bank.com@evil.example/>", "https://bank.com@evil.example/ (evil.example)"),
        ("[bаnk.com](https://bаnk.com.evil.example)", "bаnk.com (xn--bnk-6cd.com.evil.example)"),
        ("[bank．com](http://evil.example)", "bank．com (evil.example)"),
        ("[bank。com](http://evil.example)", "bank。com (evil.example)"),
        ("[10.0.0.1](http://evil.example)", "10.0.0.1 (evil.example)"),
        ("[http://intranet](http://evil.example)", "http://intranet (evil.example)"),
        ("[paypal.support](http://evil.example)", "paypal.support (evil.example)"),
        ("[http://10.0.0.1:80/a](http://10.0.0.1:80/b)", "http://10.0.0.1:80/a"),
        ("[用 npm。安装 3.2.1](https://docs.example)", "用 npm。安装 3.2.1"),
        ("[help@bank.com](mailto:me@evil.example)", "help@bank.com (me@evil.example)"),
        ("[**bank**.com](http://evil.example)", "bank.com (evil.example)"),
        ("[bank.com](https://www.bank.com/a)", "bank.com"),
        ("[docs.bank.com](https://bank.com)", "docs.bank.com"),
        ("[os.path and main.py](https://docs.example)", "os.path and main.py"),
        ("[here](https://evil.example)", "here"),
        ("<https://bank.com/a?b=evil.com>", "https://bank.com/a?b=evil.com"),
        ("[a@b.com](mailto:a@b.com)", "a@b.com"),
        ("<https://bаnk.com>", "https://bаnk.com (xn--bnk-6cd.com)"),
        ("<https://例子.com>", "https://例子.com"),
    ],
)
def test_a_link_that_names_another_host_shows_its_own(source: str, text: str) -> None:
    (paragraph,) = parse(source)
    assert isinstance(paragraph, Paragraph)
    assert _said(paragraph.children) == text


def _said(children: tuple[object, ...]) -> str:
    return "".join(
        child.text if isinstance(child, Words) else _said(child.children)  # type: ignore[attr-defined]
        for child in children
    )


def test_a_cell_can_have_lines() -> None:
    (table,) = parse("| a |\n|---|\n| 1<br>2<BR />3 `<br>` |")
    assert isinstance(table, Table)
    assert table.rows == (((Words("1"), Break(), Words("2"), Break(), Words("3 "), Code("<br>")),),)


def test_a_table_keeps_surplus_cells() -> None:
    (table,) = parse("| a | b |\n|:--|--:|\n| 1 | 2 | 3 |\n| 4 |")
    assert table == Table(
        ((Words("a"),), (Words("b"),)),
        (((Words("1"),), (Words("2 | 3"),)), ((Words("4"),), ())),
        ("left", "right"),
    )


# ---- while it grows


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("**bo", (Paragraph((Strong((Words("bo"),)),)),)),
        ("**bold*", (Paragraph((Strong((Words("bold"),)),)),)),
        ("中文**加粗", (Paragraph((Words("中文"), Strong((Words("加粗"),)))),)),
        ("~~st", (Paragraph((Strike((Words("st"),)),)),)),
        ("**a `co", (Paragraph((Strong((Words("a "), Code("co"))),)),)),
        ("`co", (Paragraph((Code("co"),)),)),
        ("`a[0", (Paragraph((Code("a[0"),)),)),
        ("a [lab", (words("a lab"),)),
        ("a [lab](https://x.y/z", (words("a lab"),)),
        ("a ![lab](ht", (words("a lab"),)),
        ("x[0", (words("x[0"),)),
        ("x[^", (words("x"),)),
        ("x[^1", (words("x"),)),
        ("x[^1]", (Paragraph((Words("x"), Footnote("1"))),)),
        ("a\n```py", (words("a"),)),
        ("```py\nx", (Fence("x", "py"),)),
        ("```py\nx\n``", (Fence("x", "py"),)),
        ("$$\nx", (MathBlock("x"),)),
        ("$$\n\\sum_{i", (MathBlock("\\sum_{i}"),)),
        ("$$\nx\n$", (MathBlock("x"),)),
        ("\\[\nx\n\\", (MathBlock("x"),)),
        ("有 $", (words("有 "),)),
        ("有 $x", (words("有 "),)),
        ("有 $x^2 + \\fr", (Paragraph((Words("有 "), Math("x^2 +"))),)),
        ("有 $x^2 + \\frac{1", (Paragraph((Words("有 "), Math("x^2 + \\frac{1}…"))),)),
        ("有\\(a + b", (Paragraph((Words("有"), Math("a + b"))),)),
        ("有\\(a + b\\", (Paragraph((Words("有"), Math("a + b"))),)),
        ("**$$y$", (Paragraph((Strong((Math("y"),)),)),)),
        ("$5 and 10^6", (words("$5 and 10^6"),)),
        ("$5，x^2", (words("$5，x^2"),)),
        ("$HOME and `x^2`", (Paragraph((Words("$HOME and "), Code("x^2"))),)),
        ("5 * x <h", (words("5 * x "),)),
        ("see <https://x.y/z", (words("see https://x.y/z"),)),
        ("a <b", (words("a <b"),)),
        ("a [the `co", (Paragraph((Words("a the "), Code("co"))),)),
        ("a !", (words("a "),)),
        ("a\\*", (words("a"),)),
        ("R&am", (words("R"),)),
        ("text\n\n- [x", (words("text"),)),
        ("text\n\n* *", (words("text"),)),
        ("- text\n\n  | a |\n ", (List((Item((words("text"),)),)),)),
        ("text\n--", (words("text"),)),
        ("text\n| a |", (words("text"),)),
        ("text\n\n| a |\n|--", (words("text"),)),
        ("|a|\n|-|\n|1|\n|2", (Table(((Words("a"),),), (((Words("1"),),),), (None,)),)),
        ("**done**\n\n5 * 3", (Paragraph((Strong((Words("done"),)),)), words("5 * 3"))),
    ],
)
def test_growing(source: str, blocks: tuple[Block, ...]) -> None:
    assert parse(source, growing=True) == blocks


def test_no_finished_block_changes_while_the_text_grows() -> None:
    before: tuple[Block, ...] = ()
    for end in range(len(SAMPLE) + 1):
        blocks = parse(SAMPLE[:end], growing=True)
        settled = before[:-1]
        assert blocks[: len(settled)] == settled, end
        before = blocks


# ---- what models write otherwise than CommonMark has it


def _strong(text: str) -> Strong:
    return Strong((Words(text),))


@pytest.mark.parametrize(
    ("source", "bold", "rest"),
    [
        (f"**{bold}**{rest}", bold, rest)
        for bold in (
            "Note:",
            "Step one:",
            "Done!",
            "(Note)",
            "100%",
            '"So"',
            "“So”",
            "etc…",
            "[1]",
            "Why?",
            "🎉",
            "注：",
        )
        for rest in ("do not touch.", "1", "и", "好", "é", " after", ", then")
    ],
)
def test_emphasis_ends_behind_a_sign_whatever_follows(source: str, bold: str, rest: str) -> None:
    assert parse(source) == (Paragraph((_strong(bold), Words(rest))),)
    assert parse(f"- {source} **x:**y")[0] == List(
        (Item((Paragraph((_strong(bold), Words(f"{rest} "), _strong("x:"), Words("y"))),)),)
    )


@pytest.mark.parametrize(
    ("source", "inlines"),
    [
        ("***Note:***text", (Emphasis((_strong("Note:"),)), Words("text"))),
        ("*Note:*text", (Emphasis((Words("Note:"),)), Words("text"))),
        ("__Note:__text", (_strong("Note:"), Words("text"))),
        ("~~old.~~new", (Strike((Words("old."),)), Words("new"))),
        ("**`foo`**here", (Strong((Code("foo"),)), Words("here"))),
        ("Use**`foo`**here", (Words("Use"), Strong((Code("foo"),)), Words("here"))),
        ('say**"so"**loud', (Words("say"), _strong('"so"'), Words("loud"))),
        ("**a**: (**b**)", (_strong("a"), Words(": ("), _strong("b"), Words(")"))),
        ("**Q:**why?**A:**so", (_strong("Q:"), Words("why?"), _strong("A:"), Words("so"))),
    ],
)
def test_emphasis_of_other_kinds(source: str, inlines: tuple[Inline, ...]) -> None:
    assert parse(source) == (Paragraph(inlines),)


@pytest.mark.parametrize(
    "source",
    [
        "2**(n+1) + 3**(m)",
        "f(*args, **kwargs)",
        "f(**a,**b)",
        "2 *(a+b)*c",
        "a**b",
        "x ** y",
        "**not closed: x",
        "2*3*4",
    ],
)
def test_what_is_no_emphasis_stays(source: str) -> None:
    assert parse(source) == (words(source),)


def _row(source: str, head: str = "| a | b |\n|---|---|\n") -> list[str]:
    (table,) = parse(head + source)
    assert isinstance(table, Table)
    return [plain((Paragraph(cell),)) for cell in table.rows[0]]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| `ps aux | grep nginx` | v |", ["ps aux | grep nginx", "v"]),
        ("| v | `string | null` |", ["v", "string | null"]),
        ("| `a || b` | `c | d` |", ["a || b", "c | d"]),
        ("| ``a ` | b`` | v |", ["a ` | b", "v"]),
        ("| `a \\| b` | v |", ["a | b", "v"]),
        ("| `a \\| b | c` | v |", ["a | b | c", "v"]),
        ("| $P(A|B)$ | v |", ["P(A|B)", "v"]),
        ("| \\(|x|\\) | v |", ["|x|", "v"]),
        ("| <https://x.org|here> | v |", ["here (https://x.org)", "v"]),
        ("| `a | b | c |", ["`a", "b | c"]),
        ("| $5 | $6 | x |", ["$5", "$6 | x"]),
        ("| a ` b | c ` d |", ["a ` b", "c ` d"]),
        ("`a | b` | v", ["a | b", "v"]),
    ],
)
def test_bars_in_code_part_no_cells(row: str, cells: list[str]) -> None:
    assert _row(row) == cells


def test_bars_in_the_code_of_a_head_part_no_cells() -> None:
    (table,) = parse("| `a|b` | c |\n|---|---|\n| 1 | 2 |")
    assert isinstance(table, Table)
    assert table.head == ((Code("a|b"),), (Words("c"),))


@pytest.mark.parametrize(
    ("source", "inlines"),
    [
        ("<https://example.com|a|b>", (Link("https://example.com", (Words("a|b"),)),)),
        ("<https://example.com|>", (Link("https://example.com", (Words("https://example.com"),)),)),
        ("at <https://example.com|here>.", (Words("at "), Link("https://example.com", (Words("here"),)), Words("."))),
        ("<https://x.org/a_b_c?d=1|click *here*>", (Link("https://x.org/a_b_c?d=1", (Words("click *here*"),)),)),
        ("<mailto:a@b.org|write>", (Link("mailto:a@b.org", (Words("write"),)),)),
        ("<tel:+49301|call me>", (Link("tel:+49301", (Words("call me"),)),)),
        ("**<https://x.org|here>**", (Strong((Link("https://x.org", (Words("here"),)),)),)),
        ("`<https://x.org|here>`", (Code("<https://x.org|here>"),)),
        ("<https://evil.org|good.org>", (Link("https://evil.org", (Words("good.org"),)), Words(" (evil.org)"))),
        ("<javascript:x|here>", (Words("<javascript:x|here>"),)),
        ("<a|b> <@U1|ann>", (Words("<a|b> <@U1|ann>"),)),
        ("<https://x.org>", (Link("https://x.org", (Words("https://x.org"),)),)),
    ],
)
def test_links_as_slack_has_them(source: str, inlines: tuple[Inline, ...]) -> None:
    assert parse(source) == (Paragraph(inlines),)


@pytest.mark.parametrize(
    "text",
    [
        "**Note:**do not *ever:*touch __this!__at **all",
        "see <https://example.com/a|click here> and <mailto:a@b.org|me>",
        "| `a|b` | c |\n|---|---|\n| `ps | x` | v |\n| $P(A|B)$ | <https://x.org|here> |\n| x | y | z |\n\nend",
    ],
)
def test_what_grows_shows_no_address_and_no_stars_that_go_again(text: str) -> None:
    growth = Growth()
    for end in range(len(text) + 1):
        assert growth.read(text[:end]) == parse(text[:end], growing=True), end
    assert "|he" not in plain(parse("see <https://example.com/a|he", growing=True))
    assert plain(parse("**Note:**d", growing=True)) == "Note:d"


# ---- any input

SAMPLE = """# 标题 Title

这是**“加粗”**文字，价格为**$5**元。See [docs](https://example.com/a_b) and `code` and *emphasis*.

1. First with **bold**
   - nested one
   - nested two
2. Second
   goes on

| Model 模型 | Price |
|:--|--:|
| qwen-plus | $0.4 |

```python
def f(x):
    return x * 2  # 注释
```

> quoted
> - item

$$
x dx
$$

- [ ] todo

last
"""

_MARKUP = (
    "* ** _ __ ~~ ` `` [ ]( ) ![ $ $$ \\( \\) \\[ \\] | |- --- < > &amp; \\ a 汉字 1 ： 。 $5 http://x www.a.b/_c_"
)
_SPACED = (" ", "\n", "\n\n", "```\n", "> ", "- ", "1. ", "# ", "    ", "\t", "\r\n", "===\n", "- [ ] ")
_ODD = ("\0", "\ud800", "\ufdd0", "👨‍👩‍👧")
_PARTS = st.sampled_from([*_MARKUP.split(), *_SPACED, *_ODD])
MESSY = st.lists(_PARTS, max_size=40).map("".join) | st.text(max_size=200)


@settings(max_examples=250, deadline=None)
@given(MESSY)
@example("[a](http://\ud800)")
@example("[a](http://[::1")
def test_no_input_raises(source: str) -> None:
    for growing in (False, True):
        assert isinstance(plain(parse(source, growing=growing)), str)


_WORDS = st.text("ab12汉字é", min_size=1, max_size=6)
_INLINE = st.recursive(
    _WORDS
    | _WORDS.map("`{}`".format)
    | _WORDS.map("<b>{}</b>".format)
    | st.tuples(_WORDS, _WORDS).map(lambda two: f"[{two[0]}](https://x.y)[{two[1]}]")
    | _WORDS.map("**{}：**".format)
    | _WORDS.map("（{}）".format),
    lambda inner: inner.map("**{}**".format) | inner.map("*{}*".format) | inner.map("~~{}~~".format),
    max_leaves=3,
)
_LINE = st.lists(_INLINE, min_size=1, max_size=4).map(" ".join)
_ROW = st.tuples(_LINE, _LINE).map("| {0[0]} | {0[1]} |".format)
_BLOCK = st.recursive(
    st.lists(_LINE, min_size=1, max_size=3).map("\n".join)
    | _LINE.map("## {}".format)
    | st.lists(_WORDS, max_size=4).map(lambda rows: "\n".join(["```py", *rows, "```"]))
    | st.lists(_ROW, min_size=1, max_size=3).map(lambda rows: "\n".join([rows[0], "|--|--|", *rows])),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda some: "\n".join(_item("- ", one) for one in some))
        | st.lists(inner, min_size=1, max_size=3).map(lambda some: "\n".join(_item("- [x] ", one) for one in some))
        | inner.map(lambda one: "\n".join("> " + line for line in one.split("\n")))
    ),
    max_leaves=4,
)
DOCUMENT = st.lists(_BLOCK, min_size=1, max_size=6).map("\n\n".join)


def _item(mark: str, source: str) -> str:
    first, *rest = source.split("\n")
    return "\n".join([mark + first, *("  " + line for line in rest)])


def source_words(source: str) -> str:
    """What a document of the grammar above shows: without targets, languages and HTML's own letters counted alike."""
    for markup in ("(https://x.y)", "```py", "[x] "):
        source = source.replace(markup, "")
    return visible(source)


def shown_words(blocks: tuple[Block, ...]) -> str:
    return visible(plain(blocks).replace(" (https://x.y)", ""))


@settings(max_examples=120, deadline=None)
@given(DOCUMENT)
def test_no_visible_text_is_lost(source: str) -> None:
    assert shown_words(parse(source)) == source_words(source)


@settings(max_examples=150, deadline=None)
@given(st.text("ab汉1 *_~`$|#>-.()[]!\\\n<&;:", max_size=80))
def test_no_letter_of_messy_text_is_lost(source: str) -> None:
    if "```" in source or "~~~" in source or "](" in source or "&" in source or "$" in source:
        return  # info strings, targets and entities are markup
    letters = [char for char in visible(source) if char in "ab汉"]
    assert [char for char in visible(plain(parse(source))) if char in "ab汉"] == letters


# ---- depth and time


def test_what_is_nested_too_deep_is_words() -> None:
    source = "> " * 40 + "deep"
    blocks = parse(source)
    depth = 0
    while isinstance(blocks[0], Quote):
        blocks, depth = blocks[0].children, depth + 1
    assert depth == 16
    assert plain(blocks).endswith("> deep")
    (paragraph,) = parse("*a " * 500 + "b* " * 500)
    assert visible(plain((paragraph,))) == "a" * 500 + "b" * 500
    assert isinstance(paragraph, Paragraph)
    inside, depth = paragraph.children, 0
    while deeper := [child for child in inside if isinstance(child, Emphasis)]:
        inside, depth = deeper[0].children, depth + 1
    assert depth == 16


PATHOLOGICAL = [
    "[",
    "![",
    "[a](",
    "*",
    "*a_ ",
    "> ",
    "- ",
    "`a``b",
    "$a ",
    "$$ a\n",
    "\\[ a\n",
    "<",
    "|",
    "|a\n",
    "- a\n",
    "**a:**b ",
    "**a:",
    "b**`c` ",
    "<http://x|",
    "| `a | b ",
    "| `a | b` |\n",
    "a\n-|\n",
    "`a|`|\n-|\n# h\n",
]


@pytest.mark.parametrize("piece", PATHOLOGICAL)
@pytest.mark.parametrize("growing", [False, True])
def test_time_is_linear(piece: str, growing: bool) -> None:
    def cost(count: int) -> float:
        start = time.process_time()
        parse(piece * count, growing=growing)
        return time.process_time() - start

    bound = 6 * 4 * min(cost(1000) for _ in range(2)) + 0.1  # quadratic would be 36 times
    assert any(cost(6000) < bound for _ in range(3))  # a busy machine may spoil a measurement


# ---- plain


def test_plain() -> None:
    assert plain(parse(SAMPLE)) == (
        "标题 Title\n\n"
        "这是“加粗”文字，价格为$5元。See docs (https://example.com/a_b) and code and emphasis.\n\n"
        "1. First with bold\n   • nested one\n   • nested two\n2. Second\n   goes on\n\n"
        "Model 模型 | Price\n-----------|------\nqwen-plus  |  $0.4\n\n"
        "def f(x):\n    return x * 2  # 注释\n\n"
        "> quoted\n>\n> • item\n\n"
        "xdx\n\n"
        "☐ todo\n\n"
        "last"
    )
