"""Two ways in which an answer's text is not the answer: reasoning inside it, and chunks that repeat the text so far."""

from __future__ import annotations

import json
import random
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.errors import Broken
from bot.gateways.chat_api.stream.cumulative import Cumulative
from bot.gateways.chat_api.stream.think import Splitter

EXAMPLES = json.loads((Path(__file__).parent / "data" / "api_examples.json").read_text(encoding="utf-8"))
C1: str = EXAMPLES["C1.resp"]["value"]["choices"][0]["message"]["content"]


def pieces(text: str, cuts: list[int]) -> list[str]:
    return [text[start:end] for start, end in pairwise([0, *sorted(min(cut, len(text)) for cut in cuts), len(text)])]


def chunked(text: str, seed: int, most: int = 4) -> list[str]:
    rng, found = random.Random(seed), []
    while text:
        size = rng.randint(1, most)
        found.append(text[:size])
        text = text[size:]
    return found


# ── <think> ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def split(parts: list[str], *, whole: bool = True) -> tuple[str, str]:
    splitter = Splitter()
    found = [splitter.feed(part) for part in parts] + [splitter.close(whole=whole)]
    return "".join(text for text, _ in found), "".join(thought for _, thought in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ("plain", "")),
        ("", ("", "")),
        ("  \n two", ("  \n two", "")),
        ("<think>r</think>a", ("a", "r")),
        (" \n<think>\nr\n\ns\n</think>\n\na\n", ("a\n", "r\n\ns")),
        ("<think>\n\n</think>\n\na", ("a", "")),
        ("<think></think>a", ("a", "")),
        ("<think>r</think>\n    code", ("    code", "r")),
        ("<think>1 < 2 </thin </think>a", ("a", "1 < 2 </thin ")),
        ("<think>r</think>a <think>b</think>", ("a <think>b</think>", "r")),
        ("The tag <think> is text", ("The tag <think> is text", "")),
        ("<thinkin>a", ("<thinkin>a", "")),
        ("<thin", ("<thin", "")),
        ("<", ("<", "")),
        ("a</think>b", ("a</think>b", "")),
    ],
)
def test_what_is_reasoning_and_what_is_text(text: str, expected: tuple[str, str]) -> None:
    assert split([text]) == expected
    assert split(list(text)) == expected


@given(st.lists(st.integers(0, len(C1)), max_size=60))
def test_the_seeds_answer_at_any_cuts(cuts: list[int]) -> None:
    text, reasoning = split(pieces(C1, cuts))
    assert f"<think>\n{reasoning}\n</think>\n\n{text}" == C1


@given(st.text("<think>/ \na", max_size=30), st.lists(st.integers(0, 30), max_size=30))
def test_cuts_never_matter(text: str, cuts: list[int]) -> None:
    for whole in (True, False):
        assert "".join(split(pieces(text, cuts), whole=whole)) == "".join(split([text], whole=whole))
        assert split(pieces(text, cuts), whole=whole)[0] == split([text], whole=whole)[0]


def test_text_is_not_held_back_longer_than_a_tag_may_take() -> None:
    splitter = Splitter()
    assert splitter.feed(" <thi") == ("", "")
    assert splitter.feed("s") == (" <this", "")
    splitter = Splitter()
    assert splitter.feed("<think>a") == ("", "a")
    assert splitter.feed("b</th") == ("", "b")
    assert splitter.feed("e</think>c") == ("c", "</the")


def test_a_tag_that_never_closes_was_text_if_the_answer_is_whole() -> None:
    text = "<think> is the tag that some models write"
    assert split(list(text))[0] == text
    assert split(list(text), whole=False) == ("", text.removeprefix("<think>"))


# ── repetition ──────────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = [
    C1,
    EXAMPLES["W1.1.resp"]["value"]["choices"][0]["message"]["content"],
    "In 1833 and 2012, 11,111 people; 1 1 1, ha ha ha ha. The the that had had had. 1000000000 000 000.",
    "Пароход шёл по реке, и по берегу шли люди; они они они пели пели песню.",
    "これはこれはとばかり花の吉野山。ははははは。",
    "مرحبا مرحبا بالعالم، هذا هذا نص.",
    "😀😀😀😀 🎉🎉 très très bien, naïve naïve",
    "def f(x):\n    return x\n\n\n    return x\n        return x\n",
    "| a | a | a |\n|---|---|---|\n| --- | --- | --- |\n" * 3,
]


def joined(chunks: list[str], *, flagged: bool = False) -> str:
    """The text; on the way, what was given out must always be the beginning of what it turns out to be."""
    stream = Cumulative(flagged=flagged)
    given_out = list(accumulate([stream.feed(chunk) for chunk in chunks] + [stream.close()]))
    assert all(given_out[-1].startswith(each) for each in given_out)
    return given_out[-1]


def cumulative(chunks: list[str]) -> list[str]:
    return list(accumulate(chunks))


@pytest.mark.parametrize("text", TEXTS)
def test_ordinary_streams_are_left_alone(text: str) -> None:
    for seed in range(60):
        assert joined(chunked(text, seed)) == text, seed


@pytest.mark.parametrize("text", [text for text in TEXTS if len(text) >= 20])
def test_a_flagged_model_that_streams_as_others_do_is_understood(text: str) -> None:
    for seed in range(60):
        assert joined(chunked(text, seed), flagged=True) == text, seed


@given(st.sampled_from(TEXTS) | st.text("的ab1 ", max_size=60), st.integers(), st.booleans(), st.integers(1, 12))
def test_a_flagged_models_repetition_is_never_shown(text: str, seed: int, again: bool, most: int) -> None:
    chunks = cumulative(chunked(text, seed, most))
    if again:
        chunks = [chunk for chunk in chunks for _ in range(2)] + chunks[-1:] + [""]
    assert joined(chunks, flagged=True) == text


@given(st.sampled_from(TEXTS), st.integers(), st.integers(1, 12))
def test_a_model_nobody_flagged_is_found_out(text: str, seed: int, most: int) -> None:
    chunks = cumulative(chunked(text, seed, most))
    assume(len(chunks) >= 4)
    stream = Cumulative()
    found = "".join([stream.feed(chunk) for chunk in chunks] + [stream.close()])
    assert found == text
    assert (stream.mode == "cumulative") is (len(text) >= 32)


@given(st.lists(st.text("ab", max_size=9), max_size=12), st.booleans())
def test_nothing_given_out_is_ever_taken_back(chunks: list[str], flagged: bool) -> None:
    stream, given_out = Cumulative(flagged=flagged), ""
    try:
        for chunk in chunks:
            given_out += stream.feed(chunk)
        given_out += stream.close()
    except Broken:
        assert stream.mode == "cumulative", "only a text that was settled can be contradicted"
        return
    readings = {"".join(chunks), next((chunk for chunk in reversed(chunks) if chunk), "")}
    assert given_out in readings


def test_an_ordinary_stream_is_never_late() -> None:
    stream = Cumulative()
    assert [stream.feed(chunk) for chunk in ("Hello", "", " wor", "ld")] == ["Hello", "", " wor", "ld"]


def test_while_both_readings_are_possible_their_common_beginning_is_shown() -> None:
    stream = Cumulative()
    assert stream.feed("ha") == "ha"
    assert stream.feed("haha") == "ha", "haha or hahaha: it begins with haha"
    assert stream.feed("!") == "ha!"


def test_the_numbers_that_simple_remedies_cut() -> None:
    assert joined(["18", "3", "3"]) == "1833"
    assert joined(["20", "1", "2"]) == "2012"
    assert joined(["的的", "的的"]) == "的的的的"


def test_a_character_cut_in_two_is_whole_in_the_end() -> None:
    chunks = [
        "你好",
        "你好,世界",
        "你好,世界,再\ufffd",
        "你好,世界,再见见见见见见见\ufffd",
        "你好,世界,再见见见见见见见了",
    ]
    assert joined(chunks, flagged=True) == chunks[-1]
    assert joined(["ab\ufffd", "c"]) == "ab\ufffdc"


def test_blanks_that_go_at_the_end_are_no_contradiction() -> None:
    chunks = cumulative(["Hello ", "dear ", "world, ", "all is well "])
    assert joined([*chunks, chunks[-1].rstrip()], flagged=True) == chunks[-1]


def test_a_settled_text_that_becomes_another_breaks_off() -> None:
    stream = Cumulative(flagged=True)
    for chunk in cumulative(["Hello ", "dear ", "world, "]):
        stream.feed(chunk)
    with pytest.raises(Broken):
        stream.feed("Hello cruel world")
