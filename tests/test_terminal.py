"""Answers on a terminal: what is printed stays, and nothing in it steers the terminal."""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from adapters.terminal.adapter import TerminalAdapter
from adapters.terminal.drawing import Document
from adapters.terminal.screens import Page
from bot.clock import SystemClock
from bot.markdown import parse
from bot.types import Piece
from tests.contract.places import terminal
from tests.fakes.model import FakeModel, Script
from tests.test_markdown import SAMPLE


def printed(source: str, width: int = 60) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(Document(parse(source)))
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().split("\n"))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("# T\n\n**b** `c` $x^2$", "T\n\nb c x²"),
        ("1. a\n   - b\n2. c", "1. a\n   • b\n2. c"),
        ("- [x] a\n- [ ] b", "☑ a\n☐ b"),
        ("> a\n> > b", "▌ a\n▌\n▌ ▌ b"),
        ("```py\nif x:\n    y\n```", "  if x:\n      y"),
        ("$$\n\\frac12\n$$", "  ½"),
        ("[here](https://e.org) <https://e.org>", "here (https://e.org) https://e.org"),
        ("| 名 | b |\n|---|--:|\n| 模型 | 1 |", "名     b\n────────\n模型   1"),
        ("a[^1]\n\n[^1]: b", "a[1]\n\n[1] b"),
    ],
)
def test_each_block(source: str, shown: str) -> None:
    assert printed(source) == shown


def test_a_table_too_wide_is_a_list() -> None:
    assert printed("| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |", 20) == "a: 1\nb: 2\nc: 3"


def test_no_word_of_a_table_is_broken() -> None:
    models = "| Model | Price |\n|---|---|\n| qwen-plus | 0.0025 per 1,000 |"
    assert printed(models, 30).startswith("Model       Price")
    assert printed(models, 18) == "Model: qwen-plus\nPrice: 0.0025 per\n1,000"
    long = "| a | b |\n|---|---|\n| https://example.org/a/very/long/way/to/go | 1 |"
    assert "https://example.org/a/very" in printed(long, 40)
    assert printed("| 模型名称很长很长 | 价格也很长很长 |\n|---|---|\n| 千问 | 一 |", 24).count("─") == 24


def test_control_characters_do_nothing() -> None:
    shown = printed("a\x1b[31mb `\x1b]52;c;eA==\x07` \x9b2J\n\n```\n\x1b[2J\n```\n\n[x\x1b](https://e.org/\x1b[1m)")
    assert not [char for char in shown if (ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160]


def test_what_is_finished_is_printed_once() -> None:
    out = StringIO()
    console = Console(file=out, width=60, force_terminal=True, color_system=None, height=40)
    page = Page(console, out.write)
    for end in range(0, len(SAMPLE) + 1, 7):
        page.show([Piece("1.0", parse(SAMPLE[:end], growing=True), growing=True)], whole=False)
    page.show([Piece("1.0", parse(SAMPLE))], whole=True)
    final = screen(out.getvalue())
    assert final == [line for line in printed(SAMPLE).split("\n") if line]


def test_another_answer_is_drawn_below_what_can_not_be_taken_back() -> None:
    """Three paragraphs turn out to be thoughts, and the answer is one."""
    out, told = StringIO(), list[str]()
    page = Page(Console(file=out, width=60, force_terminal=True, color_system=None, height=40), told.append)
    page.show([Piece("1.0", parse("first\n\nsecond\n\nthird\n\nfourth"), growing=True)], whole=False)
    answer = Piece("1.0", parse("The answer."), correction="What stands above was thinking.")
    page.show([answer], whole=True)
    page.show([answer], whole=True)
    assert screen(out.getvalue()) == ["first", "second", "The answer."]
    assert told == ["What stands above was thinking."]


def test_an_answer_that_is_higher_than_the_terminal_shows_its_end_as_it_grows() -> None:
    out = StringIO()
    page = Page(Console(file=out, width=60, force_terminal=True, color_system=None, height=10), out.write)
    code = "\n".join(f"line{number}" for number in range(30))
    page.show([Piece("1.0", parse(f"```\n{code}", growing=True), growing=True)], whole=False)
    lines = screen(out.getvalue())
    assert len(lines) <= 10
    assert "line29" in lines[-1]


async def test_what_looks_like_a_command_is_asked_as_it_stands(tmp_path: Path) -> None:
    """A path, a patch, a comment: commands are options here."""
    model = FakeModel(SystemClock(), [Script(["Yes."])])
    async with terminal(tmp_path, model) as place, asyncio.timeout(20):
        assert isinstance(place.adapter, TerminalAdapter)
        for words in ("/etc/hosts", "/help", "stop", "/new file", "/* a comment */"):
            asked = await place.adapter.say(words)
            assert asked.turn is not None
            await place.adapter.ended(asked.turn)
            assert model.asked[-1].messages[-1].content == words


def screen(output: str) -> list[str]:
    """The lines left on a terminal that knows what rich's Live says: erase this line, go up, go to its start."""
    lines, row = [""], 0
    for part in output.replace("\x1b[?25l", "").replace("\x1b[?25h", "").replace("\x1b", "\n\x1b").split("\n"):
        if part.startswith("\x1b[2K"):
            lines[row] = part[4:]
        elif part.startswith("\x1b[1A"):
            row = max(row - 1, 0)
        else:
            row += 1
            lines[row:] = [part] if row >= len(lines) else [part, *lines[row + 1 :]]
        if "\r" in lines[row]:
            lines[row] = lines[row].rpartition("\r")[2]
    return [line.rstrip() for line in lines if line.strip()]
