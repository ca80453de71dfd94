"""Cutting a growing answer into messages."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack.outgoing.render import measure as slack_measure
from adapters.telegram.outgoing.render import measure as telegram_measure
from bot.delivery.layout import Layout, Phrases
from bot.markdown import Block, Fence, Heading, List, Quote, Segmenter, Strong, Table, parse, plain, utf8, utf16
from bot.markdown.incremental import Growth
from bot.markdown.parser import clean, read
from bot.markdown.units import splits_grapheme
from bot.types import Answer, Limits, Outcome
from tests.test_markdown import DOCUMENT, MESSY, SAMPLE, shown_words, visible

Documents = tuple[tuple[Block, ...], ...]


def length(blocks: Sequence[Block]) -> int:
    return utf16(plain(blocks))


def cut(text: str, size: int) -> Documents:
    return Segmenter(size, length).update(text, whole=True)


def joined(documents: Documents) -> str:
    return "".join(shown_words(document) for document in documents)


def fed(text: str, size: int, ends: Sequence[int]) -> Documents:
    """Feed growing prefixes, checking on the way that each fits and that what is frozen stays."""
    segmenter = Segmenter(size, length)
    before: Documents = ()
    for end in [*sorted(ends), len(text)]:
        documents = segmenter.update(text[:end])
        check(documents, before, size)
        before = documents
    documents = segmenter.update(text, whole=True)
    check(documents, before, size)
    return documents


def check(documents: Documents, before: Documents, size: int) -> None:
    assert len(documents) >= len(before)
    assert all(now is then for now, then in zip(documents, before[:-1], strict=False))
    assert all(documents)
    assert all(length(document) <= size for document in documents)


# ---- units


def test_units() -> None:
    assert utf16("a汉👍") == 4
    assert utf8("a汉👍") == 8
    assert utf16("\ud800") == 1


@pytest.mark.parametrize("cluster", ["é", "👨‍👩‍👧", "🇨🇳", "👍🏽", "❤️", "क्ष", "각", "กำ", "1️⃣"])
def test_a_character_is_never_cut(cluster: str) -> None:
    assert all(splits_grapheme("x" + cluster + "y", at) for at in range(2, len(cluster) + 1))
    for size in range(50, 62):
        for document in cut(cluster * 60, size):
            assert plain(document) == cluster * (len(plain(document)) // len(cluster))


def test_two_flags_are_two_characters() -> None:
    assert not splits_grapheme("🇨🇳🇩🇪", 2)


# ---- where


def test_short_text_is_one_document() -> None:
    assert cut(SAMPLE, 4096) == (parse(SAMPLE),)
    assert cut("", 50) == ()


def test_before_a_heading_first() -> None:
    text = "a" * 30 + "\n\n" + "b" * 30 + "\n\n# Next\n\n" + "c" * 20 + "\n\n" + "d" * 40
    first, second = cut(text, 110)
    assert plain(first).endswith("b")
    assert isinstance(second[0], Heading)


def test_between_blocks_before_between_items() -> None:
    documents = cut("a" * 60 + "\n\n- one\n- two\n- three\n- " + "four " * 10, 100)
    assert plain(documents[0]) == "a" * 60


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a" * 40 + "\n\n" + "b c. d\n" * 4, "a" * 40),
        ("a" * 40 + "\n" + "b c. d " * 4, "a" * 40),
        ("汉" * 30 + "。" + "字 " * 20, "汉" * 30 + "。"),
        ("She said so. " + "x" * 20 + ". " + "y " * 20, "She said so. " + "x" * 20 + "."),
        ("x" * 40 + " " + "y" * 40, "x" * 40),
        ("x" * 10 + " " + "y" * 80, "x" * 10 + " " + "y" * 39),
    ],
)
def test_the_best_place_in_the_last_half(text: str, first: str) -> None:
    document = cut(text, 50)[0]
    assert plain(document)[: len(first)] == first[: len(plain(document))]
    if not text.startswith("x" * 10 + " "):
        assert plain(document) == first
    else:
        assert len(plain(document)) > 25  # no tiny first segment


def test_a_fence_is_opened_again() -> None:
    documents = cut("Look:\n\n```python\n" + "print('x')\n" * 20 + "```\n\nDone.", 60)
    fences = [block for document in documents for block in document if isinstance(block, Fence)]
    assert len(fences) > 3
    assert {fence.language for fence in fences} == {"python"}
    assert "\n".join(fence.text for fence in fences) == "\n".join(["print('x')"] * 20)


def test_a_fence_in_a_list_keeps_its_indent() -> None:
    documents = cut("1. Do:\n\n   ```sh\n" + "   if a\n     b\n" * 20 + "   ```\n2. Then", 60)
    texts = [block.text for document in documents[1:] for block in document if isinstance(block, Fence)]
    assert "\n".join(texts).strip("\n").endswith("if a\n  b")
    assert all(line in ("if a", "  b") for text in texts for line in text.split("\n"))
    assert isinstance(documents[-1][-1], List)
    assert documents[-1][-1].start == 2


def test_a_table_repeats_its_head() -> None:
    documents = cut("| a | b |\n|--:|---|\n" + "".join(f"| {n} | x |\n" for n in range(40)), 80)
    tables = [block for document in documents for block in document if isinstance(block, Table)]
    assert len(tables) == len(documents) > 3
    assert len({(table.head, table.align) for table in tables}) == 1
    assert sum(len(table.rows) for table in tables) == 40
    assert all(table.rows for table in tables)


@pytest.mark.parametrize("mark", ["{}.", "1."])
def test_a_list_goes_on_at_its_number(mark: str) -> None:
    documents = cut("\n".join(f"{mark.format(n)} item" for n in range(1, 60)), 80)
    lists = [block for document in documents for block in document if isinstance(block, List)]
    assert len(lists) == len(documents) > 4
    assert [block.start for block in lists] == [1, *_ends(lists)[:-1]]


def _ends(lists: Sequence[List]) -> list[int]:
    ends = [1]
    for block in lists:
        ends.append(ends[-1] + len(block.items))
    return ends[1:]


def test_an_item_that_is_cut_keeps_the_numbers_after_it() -> None:
    documents = cut("1. " + "word " * 30 + "\n2. next\n3. last", 60)
    assert plain(documents[-1]).endswith("2. next\n3. last")
    assert "1." not in plain(documents[1])


def test_a_quote_stays_a_quote() -> None:
    documents = cut("> > " + "word " * 60, 60)
    assert len(documents) > 3
    for document in documents:
        assert isinstance(document[0], Quote)
        assert isinstance(document[0].children[0], Quote)


def test_bold_goes_on() -> None:
    documents = cut("**" + "word " * 30 + "end** after", 60)
    assert all(isinstance(document[0].children[0], Strong) for document in documents)  # type: ignore[union-attr]
    assert "*" not in "".join(plain(document) for document in documents)


def test_the_rest_of_a_line_does_not_become_a_block() -> None:
    for mark in ("# ", "- ", "> ", "1. ", "+ ", "```"):
        for before in range(30, 50):
            text = "x" * before + " " + mark + "y" * 40
            shown = "".join(plain(document) for document in cut(text, 50))
            assert shown.replace(" ", "") == text.replace(" ", "")


def test_cr_lf() -> None:
    text = ("line one\r\nline two\r\n\r\n" * 30).strip()
    assert joined(cut(text, 50)) == joined((parse(text),))


# ---- any text


@settings(max_examples=60, deadline=None)
@given(DOCUMENT, st.sampled_from([50, 64, 100, 300]), st.lists(st.floats(0, 1), max_size=8))
def test_segments_show_what_the_whole_shows(text: str, size: int, steps: list[float]) -> None:
    documents = fed(text, size, [int(step * len(text)) for step in steps])
    shown = shown_words(parse(text))
    for found in (joined(documents), joined(cut(text, size))):
        assert within(shown, found) if "|--|" in text else shown == found  # heads are repeated


def within(text: str, longer: str) -> bool:
    """Whether all characters of `text` stand in `longer`, in order."""
    rest = iter(longer)
    return all(char in rest for char in text)


@settings(max_examples=60, deadline=None)
@given(st.lists(MESSY, max_size=6).map("".join), st.sampled_from([50, 80, 200]), st.lists(st.floats(0, 1), max_size=6))
def test_messy_text_keeps_to_the_rules(text: str, size: int, steps: list[float]) -> None:
    segmenter = Segmenter(size, length)
    before: Documents = ()
    for end in [*sorted(int(step * len(text)) for step in steps), len(text)]:
        documents = segmenter.update(text[:end])
        check(documents, before, size)
        before = documents
    documents = segmenter.update(text, whole=True)
    check(documents, before, size)
    assert within(letters(shown_words(parse(text))), letters(joined(documents)))


def letters(text: str) -> str:
    return "".join(char for char in text if char in "汉字")


def test_token_by_token() -> None:
    for size in (50, 120, 1000):
        documents = fed(SAMPLE * 2, size, range(0, 2 * len(SAMPLE), 3))
        assert joined(documents).replace("Model模型Price", "") == joined((parse(SAMPLE * 2),)).replace(
            "Model模型Price", ""
        )


# ---- only the last blocks are parsed anew, and nobody may see that


class Anew(Segmenter):
    """Parses all of the open part each time."""

    def update(self, text: str, *, whole: bool = False) -> Documents:
        self._growth = Growth()
        return super().update(text, whole=whole)


def grown(text: str, size: int, ends: Iterable[int]) -> None:
    segmenter, anew = Segmenter(size, length), Anew(size, length)
    for end in ends:
        documents = segmenter.update(text[:end])
        assert documents == anew.update(text[:end]), text[:end]
        if len(documents) == 1 and size > len(text):
            finished = documents[0][:-2]
            assert finished == parse(text)[: len(finished)], text[:end]  # as it will be at the end


@pytest.mark.parametrize(
    "text",
    [
        "one\n\ntwo\n\nthree\n\nTitle\n===\n\nx\n---\n---",  # an underline makes a heading
        "a\n\nb\n\n- one\n- two\n\n- loose\n\n  more\n\n- three\n\n\n- four",
        "a\n\n- one\n\n\n- two\n+ other\n1. x\n1) y\n\n2) z",
        "a\n\n- item\nlazy\n> quote\nlazy\n\nb\n    no code\n\n    code\n\n    code",
        "a\n\n- item\n\n    more\n\n      code\n\n    code?\n\nb",
        "a\n\n1. x\n   ```py\n   y\n\n   z\n   ```\n2. `\n3. ```\n   open",
        "a\n\nb\n\n~~~\n- c\n\nd\n~~~\n\ne\n\n```x``` y\n\n~~~x~~~ y\n",
        "a\n\nb | c\n--|--\n1 | 2\n\n| d\n\n| e\n- `\n- ```\nx\n```",  # the row may be the head of a table
        "Z\n\n| a\n\n| b\n- ```\n",
        "a\n\nb | c\n--|-- d\n\n| 1 | 2 |\n|---|---|\n| 3 | 4 |\n5\n# 6\n| 7",
        "a **b\n  \n| c\n   >2",
        "a [\n- \n|\n> -",
        "a | b\n--|--\nc | **d\n| e\n- `\n- ```",
        "> a **b\n>\n| c\n- `\n- ```",
        "a | b\n--|--\n1 | 2\n## \n$$",
        "> $$ x\n\na\n\nb\n\nc",
        "> \\[ x\n- y\n\na\n\nb",  # ends with its quote, of which it is no formula
        "a\n\n- b\n$$ c\n$$\nd\n\n$$ e\n- f\n# g\nh $$ i",
        "a\n\n$$ x\n- b\n- c\n# d\n\ne",
        "- * > > \n$$y\nx\n   + -\n# z",  # a look for its end from inside of the list is none from outside
        "[a]: http://b.c\n\n[a]\n\n[b]\n\n[b]: http://d.e\n\nf [a](http://b",
        "x[^1]\n\ny[^2]\n\n[^1]: one\n\n[^2]: two\n    more",
        "a\n\n<div>\n\n*b*\n\n</div>\n\n<!-- c\n\nd -->\n\ne",
        "a\r\n\r\nb\r\n- c\r\r- d\r\n\0\r\n\r\n\0e\r\n===\r\nf",
        "**a\n\nb** `c\n\nd` *e\n\n- **f\n- g**\n\n`h",
        "- [ ] a\n- [x] b\n\n- [ ]\n\n  c\n\n-\n\n  d\n- e",
        "* * *\n* a\n***\n- - b\n  - c\n - d\n- a | b\n--|--\n- c",
        "a\n\nb\n\nc   \n   \n\t\n  d\n\n\n\n",
    ],
)
@pytest.mark.parametrize("size", [12, 30, 10_000])
def test_what_grows_reads_as_if_it_had_come_at_once(text: str, size: int) -> None:
    grown(text, size, range(1, len(text) + 1))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(DOCUMENT | MESSY, min_size=1, max_size=3).map("\n\n".join),
    st.sampled_from([40, 200, 100_000, 100_000]),
    st.lists(st.floats(0, 1), max_size=5),
)
def test_whatever_grows_reads_as_if_it_had_come_at_once(text: str, size: int, steps: list[float]) -> None:
    ends = {int(step * len(text)) + more for step in steps for more in range(4)}
    grown(text, size, sorted({min(end, len(text)) for end in ends}))


# ---- cost


@pytest.mark.parametrize("text", ["a" * 100_000, "汉" * 100_000, "```\n" + "x = 1\n" * 17_000, "\n" * 100_000])
@pytest.mark.parametrize("size", [50, 4096])
def test_one_huge_block(text: str, size: int) -> None:
    def cost(part: str) -> float:
        start = time.process_time()
        documents = cut(part, size)
        spent = time.process_time() - start
        assert sum(len(visible(plain(document))) for document in documents) == len(visible(part.removeprefix("```")))
        return spent

    bound = 8 * 3 * cost(text[: len(text) // 8]) + 0.2
    assert any(cost(text) < bound for _ in range(3))  # a busy machine may spoil a measurement


LONG = {
    "paragraphs": ("", "Words and **more** words.\n\n"),
    "list": ("", "- item and `code`\n"),
    "loose list": ("Look:\n\n", "1. item\n\n   and more\n\n"),
    "table": ("| a | b |\n|---|---|\n", "| 1 | **2** |\n"),
    "much source": ("", "- $\\sqrt{\\frac{1}{2}}\\text{and more}\\alpha$\n"),  # of which little is seen
}


@pytest.mark.parametrize("form", LONG)
def test_a_frame_parses_only_what_is_new(form: str) -> None:
    """Counted in calls of the parser's functions."""

    def frame(count: int) -> int:
        head, part = LONG[form]
        text = head + part * count
        segmenter = Segmenter(4096, length)
        for end in (len(text) // 2, len(text) - 12, len(text) - 2):
            assert len(segmenter.update(text[:end])) == 1
        with calls() as counted:
            segmenter.update(text)
        return counted["markdown_it"] + counted["rules.py"] + counted["parser.py"]

    assert 0 < frame(150) < frame(15) * 1.2


@contextmanager
def calls() -> Iterator[Counter[str]]:
    """How often functions of a file or directory are called."""
    counted: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            counted.update(Path(frame.f_code.co_filename).parts[-3:])

    sys.setprofile(note)
    try:
        yield counted
    finally:
        sys.setprofile(None)


def test_a_frame_costs_its_budget_not_the_answer() -> None:
    def frame(text: str) -> float:
        segmenter = Segmenter(4096, length)
        segmenter.update(text)
        start = time.process_time()
        for more in range(5):
            segmenter.update(text + " more" * more)
        return time.process_time() - start

    paragraph = "word " * 15 + "\n\n"
    few = min(frame(paragraph * 50) for _ in range(2))
    assert any(frame(paragraph * 4000) < 5 * few + 0.05 for _ in range(3))  # 300,000 characters


# ---- long texts


@settings(max_examples=40, deadline=None)
@given(st.lists(DOCUMENT | MESSY, min_size=1, max_size=4).map("\n\n".join), st.lists(st.floats(0, 1), max_size=4))
def test_what_was_read_before_is_not_needed_to_know_the_end(text: str, steps: list[float]) -> None:
    source, growth = clean(text), Growth()
    for end in sorted(int(step * len(source)) for step in steps):
        growth.read(source[:end])
    document, whole = growth.closed(source), read(source)
    assert (document.blocks, document.opened) == (whole.blocks, whole.opened)
    places = [0, *accumulate(len(line) + 1 for line in source.split("\n"))]
    assert list(document.starts) == [places[line] for line in whole.starts]


PLENTY = (
    "A **bold** word, `code` and [a link](https://a.example.org/x).\n\n- one\n- *two*\n\n"
    "| a | b |\n|---|---|\n| 1 | **2** |\n\n这是**中文**。\n\n"
)


@pytest.mark.parametrize(("size", "measure"), [(2000, telegram_measure), (2000, slack_measure)])
def test_a_long_text_is_cut_bit_by_bit(size: int, measure: Callable[[Sequence[Block]], int]) -> None:
    """Four times the text takes four times the work, and between two steps no more of it."""

    def work(text: str) -> tuple[float, float]:
        segmenter, spent, before = Segmenter(size, measure), [0.0], time.process_time()
        for _ in segmenter.steps(text, whole=True):
            spent.append(time.process_time() - before)
            before = time.process_time()
        assert len(segmenter.update(text, whole=True)) > 1
        return sum(spent), max(spent)

    def is_linear() -> bool:
        (short, longest), (long, longest_of_long) = work(PLENTY * (size // 60)), work(PLENTY * (4 * size // 60))
        return long < 6 * short and longest_of_long < 3 * longest

    assert any(is_linear() for _ in range(3))  # a busy machine may spoil a measurement


@pytest.mark.parametrize("whole", [False, True])
def test_a_text_is_cut_up_once(whole: bool) -> None:
    """Bit by bit first, so that others have their turn; then there is nothing left to do."""
    segmenter = Segmenter(3584, telegram_measure)
    for _ in segmenter.steps(PLENTY, whole=whole):
        pass
    with calls() as counted:
        documents = segmenter.update(PLENTY, whole=whole)
    assert counted["parser.py"] == 0
    assert documents == Segmenter(3584, telegram_measure).update(PLENTY, whole=whole)
    assert segmenter.update(PLENTY + " and more", whole=True) != documents


def test_a_part_is_found_without_reading_it_again_and_again() -> None:
    """A platform that takes few entities in a message: where they end is looked up by whole blocks, not by trying."""
    text = PLENTY * 60
    with calls() as counted:
        Segmenter(3584, telegram_measure).update(text, whole=True)
    with calls() as once:
        read(text)
    assert counted["parser_inline.py"] < 5 * once["parser_inline.py"]


@settings(max_examples=60, deadline=None)
@given(
    DOCUMENT | MESSY | st.sampled_from([SAMPLE, "a\r\n\r\nb\r\n" * 40, "\n\n \n" + "x " * 200 + "\n\n"]),
    st.sampled_from([50, 80, 10_000]),
    st.lists(st.floats(0, 1), max_size=6),
)
def test_the_sources_of_all_pieces_are_the_answer(text: str, size: int, steps: list[float]) -> None:
    """Whatever shows nothing is in them too."""
    limits = Limits(size, length, lambda _chat, _call: ())
    draft = Layout(1, None, limits, Phrases("", ""))
    before: list[str] = []
    for end in sorted(int(step * len(text)) for step in steps):
        for _ in draft.steps(text[:end], final=False):
            pass
        sources = [piece.source for piece in draft.pieces(text[:end], None, lambda _index, _piece: True, ())]
        assert "".join(sources) == (text[:end] if sources else "")
        assert sources[: max(len(before) - 1, 0)] == before[:-1], "what was cut off stays as it is"
        before = sources
    answer = Answer(text, Outcome.WHOLE)
    pieces = draft.pieces(text, answer, lambda _index, _piece: True, ())
    assert "".join(piece.source for piece in pieces) == text
