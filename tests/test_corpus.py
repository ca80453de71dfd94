"""Whatever models write, on every writer, at any moment of its growth: what is shown is the text of the tree, the
platforms' validators take it, and no finished block changes.

An ordinary run looks at some prefixes of each answer; `CORPUS=50` at that many of each, `CORPUS=all` at every one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from markdown_it import MarkdownIt
from rich.console import Console

from adapters.slack.limits import SIZE
from adapters.slack.outgoing import render as slack
from adapters.slack.outgoing.appending import rest, settled
from adapters.slack.outgoing.menus import UNFINISHED, buttons, notes
from adapters.slack.outgoing.posting import content
from adapters.telegram.outgoing import render as telegram
from adapters.telegram.outgoing.blocks import rich
from adapters.terminal.drawing import Document
from adapters.web.outgoing import render as web
from bot.markdown import Block, Segmenter, parse, plain, utf16
from bot.markdown.formulas.linear import linear
from bot.markdown.tree import (
    Break,
    Code,
    Fence,
    Footnote,
    Heading,
    Inline,
    Link,
    List,
    Math,
    MathBlock,
    Paragraph,
    Quote,
    Table,
    Words,
)
from bot.types import Choice, Menu, Note, NoteKind, Piece
from tests.corpus import CODE, answers
from tests.fakes.clock import SimClock
from tests.fakes.slack import FakeSlack
from tests.fakes.slack import Limits as NoLimits
from tests.fakes.slack.params import Params
from tests.fakes.telegram.entities import check_entities, found_entities, trimmed
from tests.fakes.telegram.rich import check_rich, rich_text
from tests.test_markdown import DOCUMENT, MESSY
from tests.test_telegram_render import as_json
from tests.test_web_render import Inspector

STOP, RETRY = (Menu(((Choice(label, f"/{label.lower()} 1"),),)) for label in ("Stop", "Retry"))
NOTES = (Note(NoteKind.REASONING, "so " * 2_000), Note(NoteKind.PART, "A part."))
_WINDOW = 40  # prefixes in a row, each one character longer
_FULL = 4_096
_COMMONMARK = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_INVISIBLE = {ord(char): None for char in "\u200b\u2060\u200c\u200d\ufeff\ufdd0\ufffe\ufffd?"}


def test_the_corpus_is_what_it_should_be() -> None:
    texts = answers()
    assert len(texts) >= 120
    assert max(map(len, texts.values())) >= 30_000
    assert len([language for language in CODE if language]) >= 12


# ── moments of an answer ────────────────────────────────────────────────────────────────────────────────────────────


def moments(name: str, text: str) -> list[int]:
    wanted = os.environ.get("CORPUS", "")
    if wanted == "all":
        return list(range(1, len(text) + 1))
    chance = random.Random(name)
    count = int(wanted or (2 if len(text) < _FULL else 1))
    return sorted({chance.randint(1, len(text)) for _ in range(count)} | {len(text)})


def documents(text: str, growing: bool) -> Sequence[tuple[Block, ...]]:
    """Of the size of one message, so that long answers are cut first."""
    return Segmenter(telegram.SIZE, telegram.measure).update(text, whole=not growing)


@pytest.mark.parametrize("name", answers())
def test_every_writer_shows_the_tree(name: str) -> None:
    text = answers()[name]
    for end in moments(name, text):
        growing = end < len(text)
        for blocks in documents(text[:end], growing)[-2:]:
            check(blocks, growing=growing)


@pytest.mark.parametrize("name", [name for name, text in answers().items() if len(text) < _FULL])
def test_no_finished_block_changes(name: str) -> None:
    text = answers()[name]
    chance = random.Random(name)
    wide = len(text) if os.environ.get("CORPUS") else _WINDOW
    start = chance.randint(0, max(0, len(text) - wide))
    before: tuple[Block, ...] = ()
    for end in range(start, min(start + wide, len(text)) + 1):
        blocks = parse(text[:end], growing=True)
        settled = before[:-1]
        assert blocks[: len(settled)] == settled, text[:end][-60:]
        before = blocks
    assert parse(text)[: len(before) - 1] == before[:-1] or end < len(text)


@pytest.mark.parametrize("name", [name for name, text in answers().items() if len(text) >= _FULL])
def test_what_is_frozen_stays(name: str) -> None:
    text = answers()[name]
    segmenter = Segmenter(telegram.SIZE, telegram.measure)
    before: tuple[tuple[Block, ...], ...] = ()
    for end in [*moments(name, text), len(text)]:
        cut = segmenter.update(text[:end], whole=end == len(text))
        assert all(now is then for now, then in zip(cut, before[:-1], strict=False))
        assert all(telegram.measure(blocks) <= telegram.SIZE for blocks in cut)
        before = cut


@given(DOCUMENT | MESSY)
def test_whatever_is_written(source: str) -> None:
    frames = [parse(source, growing=growing) for growing in (True, False)]
    for growing, blocks in zip((True, False), frames, strict=True):
        check(blocks, growing=growing)
    on_strict_slack(frames)


# ── the strict Slack ────────────────────────────────────────────────────────────────────────────────────────────────


class Desk:
    """The strict Slack without its wire, and a question in it."""

    def __init__(self) -> None:
        self.slack = FakeSlack(SimClock(), limits=NoLimits(on=False))
        self.slack.world.events.clear()
        self.asked = self.slack.private("Ann").write("?", unheard=True)

    def call(self, method: str, **params: Any) -> str:
        """`ts` of the message. `Refusal` as the platform would say it."""
        where = {"channel": self.asked.room.id, "thread_ts": self.asked.ts}
        return str(self.slack._run(f"chat.{method}", Params({**where, **params}))["ts"])

    def shown(self, ts: str) -> str:
        """All that people read, a stream's text and blocks alike."""
        return self.asked.room.posts[ts].shown.text


@pytest.mark.parametrize("name", answers())
def test_slack_takes_each_answer_and_shows_all_of_it(name: str) -> None:
    text = answers()[name]
    segmenter = Segmenter(SIZE, slack.measure)
    versions: list[list[tuple[Block, ...]]] = []  # of each message, the final one last
    for end in moments(name, text):
        for number, blocks in enumerate(segmenter.update(text[:end], whole=end == len(text))):
            if number == len(versions):
                versions.append([])
            if not versions[number] or versions[number][-1] is not blocks:
                versions[number].append(blocks)
    for growth in versions:
        on_strict_slack(growth)


def on_strict_slack(growth: Sequence[tuple[Block, ...]]) -> None:
    """One message from its first version to its last: as one that is changed, without its blocks' finer points, and as
    a stream."""
    desk, final = Desk(), growth[-1]
    growing = [Piece("1.0", blocks, True, menu=STOP) for blocks in growth[:-1]]
    end = Piece("1.0", final, notes=NOTES, menu=RETRY)
    for plainer in (False, True):
        ts = desk.call("postMessage", **content(Piece("1.0", growth[0], True, menu=STOP), plainer=plainer))
        for piece in (*growing, end):
            desk.call("update", ts=ts, **content(piece, plainer=plainer))
        assert letters("".join(said(final))) <= letters(desk.shown(ts))
    written = slack.markdown(final)
    streamed = stream(desk, [slack.markdown(blocks) for blocks in growth])
    assert "".join(streamed.split()) == "".join(written.split())


def stream(desk: Desk, frames: Sequence[str]) -> str:
    """What a stream of these frames shows at its end; what can't be appended goes on as a change."""
    sent = settled(frames[0], first=True)
    ts = desk.call("startStream", markdown_text=sent)
    for frame in frames:
        if rest(sent, frame) is None:
            break
        more = rest(sent, settled(frame, first=not sent))
        if more and frame is not frames[-1]:
            desk.call("appendStream", ts=ts, markdown_text=more)
            sent += more
    more = rest(sent, frames[-1])
    tail = [UNFINISHED] if more is None else notes(NOTES) + buttons(RETRY)
    desk.call("stopStream", ts=ts, markdown_text=more or "", blocks=tail)
    return frames[-1] if more is None else desk.shown(ts)


# ── what each writer has to hold to ─────────────────────────────────────────────────────────────────────────────────


def check(blocks: tuple[Block, ...], *, growing: bool) -> None:
    on_telegram(blocks, growing)
    on_telegram_rich(blocks)
    html = "".join(web.render_blocks(blocks, growing=growing))
    inspected = Inspector(html).text
    assert letters("".join(said(blocks))) <= letters(inspected)
    on_slack(blocks)
    on_terminal(blocks)


def on_telegram(blocks: tuple[Block, ...], growing: bool) -> None:
    notes = () if growing else (Note(NoteKind.REASONING, "/think\n" * 40), Note(NoteKind.PART, "A part."))
    shown = telegram.render(Piece("1.0", blocks, growing, notes=notes))
    entities = [as_json(each) for each in shown.entities]
    assert trimmed(shown.text, check_entities(shown.text, entities)) == (shown.text, entities)
    if telegram.measure(blocks) <= telegram.SIZE:
        assert utf16(shown.text) <= telegram.MOST
    commands = [each for each in found_entities(shown.text) if each["type"] == "bot_command"]
    solid = [(each.offset, each.end) for each in shown.entities if each.type in ("pre", "code", "text_link")]
    assert all(any(start <= one["offset"] < end for start, end in solid) for one in commands)
    assert letters("".join(said(blocks, once=True))) <= letters(shown.text)


def on_telegram_rich(blocks: tuple[Block, ...]) -> None:
    fields = rich(Piece("1.0", blocks))
    if fields is not None and rich_text(fields["blocks"]).strip():
        words = rich_text(check_rich(fields)["blocks"])
        assert letters("".join(said(blocks, latex=True))) <= letters(words)


def on_slack(blocks: tuple[Block, ...]) -> None:
    text = slack.markdown(blocks)
    assert "<!" not in text
    assert "<@" not in text
    assert slack.measure(blocks) == len(text.encode())
    assert seen(read_as_commonmark(text)) == seen("".join(said(blocks, boxes=True)))
    made = slack.blocks(blocks)
    assert len(made) <= 3
    assert sum(block["type"] == "table" for block in made) <= 1
    for block in made:
        if block["type"] == "table":
            rows = block["rows"]
            assert len(rows) <= slack.MOST_ROWS
            assert all(1 <= len(row) <= slack.MOST_COLUMNS for row in rows)
            elements = [each for row in rows for cell in row for each in cell["elements"][0]["elements"]]
            assert all(each["text"] for each in elements)
        else:
            assert block["text"].strip()


def on_terminal(blocks: tuple[Block, ...]) -> None:
    out = StringIO()
    Console(file=out, width=80, force_terminal=True, color_system="truecolor", legacy_windows=False).print(
        Document(blocks)
    )
    assert letters("".join(said(blocks, once=True))) <= letters(out.getvalue())
    assert "\x1b]" not in out.getvalue()


def letters(text: str) -> Counted:
    return Counted(text)


class Counted:
    """Letters and digits, counted: a writer may repeat some (heads of tables), but lose none."""

    def __init__(self, text: str) -> None:
        self.counts: dict[str, int] = {}
        for char in normalize("NFKD", text):  # a browser raises the 2 of ² by itself
            if char.isalnum():
                self.counts[char] = self.counts.get(char, 0) + 1

    def __le__(self, other: Counted) -> bool:
        missing = {char: count for char, count in self.counts.items() if other.counts.get(char, 0) < count}
        assert not missing, missing
        return True


def seen(text: str) -> str:
    """Without space, and what has no width."""
    return "".join(text.encode("utf-8", "replace").decode().translate(_INVISIBLE).split())


def said(blocks: Sequence[Block], *, once: bool = False, latex: bool = False, boxes: bool = False) -> Iterator[str]:
    """The words of a tree, in order. `once`: without heads of tables whose rows repeat them; `boxes`: with those of
    tasks, as Markdown writes them."""
    for block in blocks:
        match block:
            case Paragraph(children) | Heading(_, children):
                yield from spoken(children, latex)
                yield "\n"
            case Fence(text):
                yield text
            case MathBlock(text):
                yield text if latex else linear(text)
            case Quote(children):
                yield from said(children, once=once, latex=latex, boxes=boxes)
            case List(items):
                for item in items:
                    yield {True: "[x]", False: "[ ]"}.get(item.done if boxes else None, "")  # type: ignore[arg-type]
                    yield from said(item.children, once=once, latex=latex, boxes=boxes)
            case Table(head, rows):
                for row in (head, *rows) if not once or not rows else rows:
                    for cell in row:
                        yield from spoken(cell, latex)
                        yield "\n"
            case _:
                pass


def spoken(children: Sequence[Inline], latex: bool) -> Iterator[str]:
    for child in children:
        match child:
            case Words(text) | Code(text):
                yield text
            case Math(text):
                yield text if latex else linear(text)
            case Break():
                yield "\n"
            case Footnote(label, _):
                yield f"[{label}]"
            case Link(_, inner):
                yield from spoken(inner, latex)
            case _:
                yield from spoken(child.children, latex)


def read_as_commonmark(text: str) -> str:
    """What a reader of CommonMark with tables would show."""
    shown: list[str] = []
    for token in _COMMONMARK.parse(text):
        if token.type == "inline":
            for child in token.children or ():
                assert child.type != "image"
                shown.append(child.content if child.type in ("text", "code_inline") else "\n")
        else:
            shown.append(token.content if token.type in ("fence", "code_block") else "")
            assert token.type != "html_block"
    return "".join(shown)


def test_plain_text_is_the_reference() -> None:
    blocks = parse("# a\n\n**b** `c` $d$\n\n| e |\n|---|\n| f |")
    assert letters("".join(said(blocks))) <= letters(plain(blocks))
