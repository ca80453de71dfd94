"""Markdown and blocks for Slack: what its parser must be told apart, and nobody rings."""

from __future__ import annotations

import pytest

from adapters.slack.outgoing.appending import rest, settled
from adapters.slack.outgoing.menus import notes
from adapters.slack.outgoing.render import MOST_COLUMNS, MOST_ROWS, blocks, markdown
from bot.markdown import parse
from bot.types import Note, NoteKind


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("**结果：**后面", "**结果：\u200b**\u200b后面"),
        ("价格为**$5**元", "价格为\u200b**\u200b$5**\u200b元"),
        ("中文`code`中文", "中文\u200b`code`\u200b中文"),
        ("a <!channel> & `<!here>` @here", "a &lt;!channel&gt; &amp; `<\u200b!here>` @\u200bhere"),
        ("a_b_c 5 * 3 \\*x\\*", "a_b_c 5 * 3 \\*x\\*"),
        ("![i](https://e.org/i.png)!", "[i](https://e.org/i.png)!"),
        ("$x^2$", "`x²`"),
        ("```py\na\n```", "```py\na\n```"),
        ("1. a\n   - [x] b", "1. a\n   - [x] b"),
        ("x[^1]\n\n[^1]: y", "x\\[1]\n\n\\[1] y"),
    ],
)
def test_markdown(source: str, written: str) -> None:
    assert markdown(parse(source)) == written


def test_what_is_kept_of_a_block_is_kept_for_its_readers() -> None:
    document = parse("<@UANN> and <@UBOB>")
    for people, written in (
        ((), "&lt;@UANN&gt; and &lt;@UBOB&gt;"),
        (("UANN",), "<@UANN> and &lt;@UBOB&gt;"),
        (("UBOB",), "&lt;@UANN&gt; and <@UBOB>"),
        ((), "&lt;@UANN&gt; and &lt;@UBOB&gt;"),
    ):
        assert markdown(document, people) == written
    two = parse("- a\n\n* a")
    assert markdown(two) == "- a\n\n* a"  # the same list twice, in other signs


def test_only_people_of_the_thread_are_mentioned() -> None:
    source = parse("<@U1> and <@U2> and <!channel>")
    assert markdown(source, {"U1"}) == "<@U1> and &lt;@U2&gt; and &lt;!channel&gt;"
    assert markdown(source) == "&lt;@U1&gt; and &lt;@U2&gt; and &lt;!channel&gt;"


@pytest.mark.parametrize("before", ["", "Hello ", "你好", "A line of more than forty characters, and then there is "])
def test_a_mention_grows_in_a_stream_wherever_a_frame_is_cut(before: str) -> None:
    source = f"{before}<@U0000001>, how are you? I hope that all is well with you, and so on and so forth."
    frames = [markdown(parse(source[:end], growing=True), {"U0000001"}) for end in range(1, len(source) + 1)]
    for number, first in enumerate(frames):
        sent = settled(first, first=True)
        for text in frames[number:]:
            assert rest(sent, text) is not None, (first, text)
            sent += rest(sent, settled(text, first=not sent)) or ""
        assert sent + (rest(sent, frames[-1]) or "") == source


def test_one_table_is_a_block_and_its_cells_are_never_empty() -> None:
    table = "| a | b |\n|---|--:|\n| | **1** |\n\n"
    made = blocks(parse(f"x\n\n{table}y\n\n{table}"))
    assert [block["type"] for block in made] == ["markdown", "table", "markdown"]
    empty, full = made[1]["rows"][1]
    assert empty["elements"][0]["elements"] == [{"type": "text", "text": " "}]
    assert full["elements"][0]["elements"] == [{"type": "text", "text": "1", "style": {"bold": True}}]
    assert [column["align"] for column in made[1]["column_settings"]] == ["left", "right"]
    assert "| a | b |" in made[2]["text"]


@pytest.mark.parametrize(("columns", "rows"), [(MOST_COLUMNS + 1, 1), (1, MOST_ROWS), (1, 90)])
def test_a_table_that_would_be_refused_is_markdown(columns: int, rows: int) -> None:
    words = "x" * (200 if rows == 90 else 1)
    table = "| a " * columns + "|\n" + "|---" * columns + "|\n" + f"| {words} |\n" * rows
    assert [block["type"] for block in blocks(parse(table))] == ["markdown"]


def test_long_reasoning_takes_no_other_notes_room() -> None:
    made = notes([Note(NoteKind.REASONING, "so " * 2000), Note(NoteKind.PART, "This is a part.")])
    texts = [block["elements"][0]["text"] for block in made]
    assert [len(text) for text in texts] == [3000, len("This is a part.")]
    assert texts[0].endswith("so…")  # what is cut says so
