"""Answers as gateways frame them: whole once, or a part that says so; never silently less, never doubled.

The kinds are from public reports: MiniMax's last frame (songquanpeng/one-api#1394), Gemini's arrays (symfony/ai#1988),
`data: null` (Kilo-Org/kilocode#3083), indexes of content blocks (BerriAI/litellm#23178), eos_token
(huggingface/text-generation-inference#2344), a closing tag alone (deepseek-ai/DeepSeek-R1#506), OpenRouter's pictures
(yym68686/ChatGPT-Telegram-Bot#126), Kimi's usage (AstrBotDevs/AstrBot#6614).
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import GatewayError
from bot.gateways.chat_api.stream.assemble import Assembler
from bot.gateways.chat_api.stream.choices import Choices
from bot.gateways.chat_api.stream.chunks import Piece
from bot.gateways.chat_api.stream.payloads import Odd, payloads
from bot.gateways.chat_api.stream.think import Splitter
from bot.turns.exchange import Exchange, conclude
from bot.types import Answer, Finish, LedgerEntry, ModelRequest, NoteKind, Outcome, PromptMessage, Usage
from tests.fakes.gateway import Reply, chunk, sse
from tests.test_client import HELLO, Hurry, make, serving

USAGE = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 20}}
TEXTS = ("第一段。", "Second part, ", "third\n\npart. ", "结尾。")
WHOLE = "".join(TEXTS)


class _Bytes(httpx.AsyncByteStream):
    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


@dataclass
class Played:
    exchange: Exchange
    calls: int
    error: GatewayError | None

    @property
    def answer(self) -> Answer:
        return conclude(self.exchange, 1, "en")

    @property
    def text(self) -> str:
        return self.exchange.text

    @property
    def whole(self) -> bool:
        return self.answer.outcome is Outcome.WHOLE

    @property
    def notes(self) -> list[str]:
        return [note.text for note in self.answer.notes if note.kind is not NoteKind.COST]


async def _played(pieces: Sequence[bytes], headers: dict[str, str]) -> Played:
    calls = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(200, stream=_Bytes(pieces), headers=headers)

    client = make("http://127.0.0.1:1/v1", Hurry(), transport=httpx.MockTransport(answer))
    exchange = Exchange(entries={1: LedgerEntry(1, 1, "g", "m", 0)})
    error: GatewayError | None = None
    try:
        async with aclosing(client.stream(HELLO)) as stream:
            async for delta in stream:
                exchange.take(1, delta, 1)
    except GatewayError as raised:
        exchange.error = error = raised
    await client.aclose()
    exchange.close(1, HELLO, client.info("m"), exchange.text, 2)
    return Played(exchange, calls, error)


def play(*pieces: bytes, **headers: str) -> Played:
    """The answer of a gateway that says these bytes, as the chat would see it after one call."""
    return asyncio.run(_played(pieces, headers))


def stream(*chunks: object, done: bool = True) -> Played:
    return play(sse(*chunks, done=done))


def good(*more: object, finish: str | None = "stop") -> list[Any]:
    return [*map(chunk, TEXTS), chunk("", finish), *more]


def dumped(value: object, **more: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **more)


def frame(text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **more}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


# ── framing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

GOOD = good(USAGE)
EVENTS = [f"data: {dumped(each)}\n\n" for each in GOOD]
FRAMINGS: dict[str, str] = {
    "as it should be": "".join(EVENTS) + "data: [DONE]\n\n",
    "an array": dumped(GOOD),
    "an array over many lines": dumped(GOOD, indent=2),
    "an array, an object a line": "[" + "\n,\n".join(map(dumped, GOOD)) + "\n]",
    "an array without a reason for its end": dumped([*map(chunk, TEXTS)]),
    "an array in an event": f"data: {dumped(GOOD)}\n\ndata: [DONE]\n\n",
    "an array in an event, over many lines": "".join(f"data: {x}\n" for x in dumped(GOOD, indent=1).split("\n")) + "\n",
    "an array over many events": "data: [\n\n" + "data: ,\n\n".join(EVENTS) + "data: ]\n\n",
    "lines of JSON": "\n".join(map(dumped, GOOD)),
    "objects over many lines": "\n".join(dumped(each, indent=2) for each in GOOD),
    "objects without anything between": "".join(map(dumped, GOOD)),
    "objects behind each other in an event": f"data: {''.join(map(dumped, GOOD))}\n\n",
    "events on one line": "".join(EVENTS).replace("\n", "") + "data: [DONE]",
    "events without blank lines": "".join(EVENTS).replace("\n\n", "\n") + "data: [DONE]\n",
    "lines of JSON among events": "".join(EVENTS).replace("data: ", "", 3) + "data: [DONE]\n\n",
    "records (RFC 7464)": "".join(f"\x1e{dumped(each)}\n" for each in GOOD),
    "null between": "data: null\n\n".join(EVENTS),
    "null first in an event": "".join(EVENTS).replace("data: ", "data: null\ndata: "),
    "null last in an event": "".join(EVENTS).replace("\n\n", "\ndata: null\n\n"),
    "null in one event of all": "".join(EVENTS).replace("\n\n", "\ndata: null\n"),
    "a comment that lost its line break": "".join(f": PROCESSING{each}" for each in EVENTS),
    "a name that lost its line break": "".join(f"event: message{each}" for each in EVENTS),
    "an id that lost its line break": "".join(f"id: 7{each}" for each in EVENTS),
    "a word that lost its line break": "".join(f"OPENROUTER PROCESSING{each}" for each in EVENTS),
    "a comment behind an object": "".join(EVENTS).replace("\n\n", ": ping\n\n"),
    "words that keep the line open": "data: ping\n\n" + "data: keep-alive\n\nheartbeat\n\n".join(EVENTS),
    "JSON that keeps the line open": 'data: {"status": "processing", "message": "queued"}\n\n'
    + 'data: {"type": "ping"}\n\n'.join(EVENTS),
    "a double prefix": "".join(EVENTS).replace("data: ", "data: data: "),
    "field names in capitals, with blanks": "".join(EVENTS).replace("data: ", " Data : "),
    "a bare end": "".join(EVENTS) + "[DONE]\n",
    "a raw tab in a string": "".join(EVENTS).replace("Second part", "Second\tpart"),
    "NDJSON, then events": dumped(GOOD[0]) + "\n" + "".join(EVENTS[1:]),
}


@pytest.mark.parametrize("name", FRAMINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_framing_is_read_whole_and_once(name: str, end: str) -> None:
    data = FRAMINGS[name].replace("\n", end).encode()
    expected = WHOLE.replace("Second part", "Second\tpart") if "tab" in name else WHOLE
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        played = play(*pieces)
        assert (played.text, played.whole, played.calls) == (expected, True, 1)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FRAMINGS)), st.data())
def test_a_stream_that_ends_anywhere_is_whole_or_a_part(name: str, draw: st.DataObject) -> None:
    data = FRAMINGS[name].encode()
    cut = draw.draw(st.integers(0, len(data)))
    played = play(data[: cut // 2], data[cut // 2 : cut])
    expected = WHOLE.replace("Second part", "Second\tpart") if "tab" in name else WHOLE
    assert expected.startswith(played.text)
    assert played.text == expected or not played.whole
    assert played.calls <= 3


JUNK = [
    "oh dear",
    "data: oh dear",
    'data: "x"',
    "data: true",
    'data: {"choices": [{"delta": {"content": "lo',
    'data: {"choices": [{"delta": {"content": ["a", {"type": "hologram", "data": "lost"}]}}]}',
    'data: {"type": "content_block_delta", "delta": {"text": "lost"}}',
    'data: {"candidates": [{"content": {"parts": [{"text": "lost"}]}}]}',
    'data: {"choices": "lost"}',
    '{"choices": [{"delta": {"content": "lo',
    "data: <html><body>Bad gateway</body></html>",
    "<html><body>Bad gateway</body></html>",
    "dat: {}",
    'data: {"a": 1}}',
]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("at", range(len(EVENTS) + 1))
def test_what_is_not_understood_makes_a_part_and_is_asked_again_once_at_most(junk: str, at: int) -> None:
    data = "".join((*EVENTS[:at], junk, "\n\n", *EVENTS[at:], "data: [DONE]\n\n")).encode()
    played = play(data)
    assert not played.whole
    assert WHOLE.startswith(played.text)
    assert played.calls <= 2
    if played.text:
        assert played.exchange.wanting(""), "the dispatcher asks once more"
        assert any("This is a part" in note for note in played.notes)


TEXT = st.text("abcdefg 你好。,\n", min_size=1, max_size=6)
BETWEEN = st.sampled_from(
    [": ping\n\n", "data: null\n\n", "\n", "event: message\n", "id: 1\n", 'data: {"type":"ping"}\n\n', "data: []\n\n"]
)
SHAPES: list[Callable[[dict[str, Any]], str]] = [
    lambda value: f"data: {dumped(value)}\n\n",
    lambda value: f"data: {dumped(value)}\n",
    lambda value: f"data:{dumped(value)}\n\n",
    lambda value: dumped(value) + "\n",
    lambda value: dumped(value, indent=1) + "\n",
    lambda value: f"data: [{dumped(value)}]\n\n",
    lambda value: f"data: null\ndata: {dumped(value)}\n\n",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6), st.data())
def test_any_mixture_of_framings(texts: list[str], draw: st.DataObject) -> None:
    parts: list[str] = []
    for each in [*map(chunk, texts), chunk("", "stop"), USAGE]:
        parts += [*draw.draw(st.lists(BETWEEN, max_size=2)), draw.draw(st.sampled_from(SHAPES))(each)]
    if draw.draw(st.booleans()):
        parts.append(draw.draw(st.sampled_from(SHAPES))(frame("".join(texts))))
    data = ("\n\n".join(("", "".join(parts), "data: [DONE]\n\n"))).encode()
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    edges = [0, *cuts, len(data)]
    played = play(*(data[start:end] for start, end in pairwise(edges)))
    assert played.text == "".join(texts)
    assert played.exchange.finish is Finish.WHOLE
    assert played.exchange.entries[1].usage == Usage(10, 20)


def test_payloads_one_by_one() -> None:
    assert list(payloads('null, {"a": 1} [DONE] what follows')) == [{"a": 1}, "[DONE]"]
    with pytest.raises(Odd):
        list(payloads('{"a": 1} x'))


# ── frames that repeat ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("last", "text", "whole"),
    [
        (frame(WHOLE), WHOLE, True),
        (frame(WHOLE + "And more."), WHOLE + "And more.", True),
        (frame(TEXTS[-1]), WHOLE, True),
        (frame(TEXTS[0]), WHOLE, True),
        (frame(WHOLE.replace("\n\n", "\n").strip()), WHOLE, True),
        (frame(f"<think>\nhm\n</think>\n\n{WHOLE}"), WHOLE, True),
        (frame(""), WHOLE, True),
        (frame("Something else altogether."), WHOLE, False),
        (chunk(WHOLE, "stop"), WHOLE, True),
    ],
)
@pytest.mark.parametrize("done", [True, False])
def test_a_last_frame_that_repeats(last: dict[str, Any], text: str, whole: bool, done: bool) -> None:
    played = stream(*map(chunk, TEXTS), {**last, "usage": USAGE["usage"]}, done=done)
    assert (played.text, played.whole) == (text, whole)
    assert played.exchange.entries[1].usage == Usage(10, 20)


def test_a_frame_that_repeats_reasoning() -> None:
    own = {"choices": [{"index": 0, "delta": {"reasoning_content": "because"}}]}
    played = stream(own, *map(chunk, TEXTS), frame(WHOLE, reasoning_content="because"))
    assert (played.text, played.exchange.reasoning) == (WHOLE, "because")


def test_messages_alone_that_grow_or_repeat() -> None:
    grown = [frame(WHOLE[: 8 * n]) for n in range(1, 5)]
    assert stream(*grown, frame(WHOLE), frame(WHOLE)).text == WHOLE


def test_a_model_may_say_the_same_twice() -> None:
    assert stream(chunk("ha"), chunk("ha"), chunk("ha", "stop")).text == "hahaha"


SAID: list[dict[str, Any]] = [
    *(
        {"content": text}
        for text in ("ha", "ha", "ha", "", "</thi", "nk>\n", "```", "!", "[", "](data:image/png;base64,AAAA)")
    ),
    *({"content": text} for text in ("\ud83d", "\ude00", "x" * 16, "x" * 16, "x" * 32, "<think>", "日本語")),
    {"reasoning_content": "hm"},
    {"content": "and", "images": [{"image_url": {"url": "https://example.org/a.png"}}]},
    {"refusal": "No."},
    {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]},
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SAID), st.sampled_from([0, 0, 0, 0, 0, 1])), max_size=24), st.booleans())
def test_what_comes_in_one_read_means_what_comes_bit_by_bit(said: list[tuple[dict[str, Any], int]], ends: bool) -> None:
    """Plain text of one read is put together before anything looks at it; that must not show."""
    chunks = [{"choices": [{"index": index, "delta": delta, "finish_reason": None}]} for delta, index in said]
    last = [chunk("", "stop"), USAGE] if ends else []
    events = [f"data: {json.dumps(each)}\n\n".encode() for each in (*chunks, *last)]
    whole, single = play(b"".join(events)), play(*events)
    assert (whole.text, whole.exchange.reasoning, whole.notes) == (single.text, single.exchange.reasoning, single.notes)
    assert (whole.exchange.finish, whole.calls) == (single.exchange.finish, single.calls)


def test_which_chunks_are_plain_text() -> None:
    assembler = Assembler()
    assert assembler.plain(chunk("a")) is None, "nothing is known of the stream yet"
    for each in ("a", "b", "c"):
        assembler.feed(chunk(each))
    plain = {"choices": [{"index": 0, "delta": {"content": "d"}, "finish_reason": None}]}
    assert assembler.plain(plain) == "d"
    others: list[dict[str, Any]] = [
        chunk("d", "stop"),
        {**plain, "usage": USAGE["usage"]},
        {**plain, "error": {"message": "Overloaded."}},
        {"choices": [*plain["choices"], *plain["choices"]]},
        at(1, content="d"),
        at(0, content="d", reasoning_content="e"),
        at(0, refusal="No."),
        chunk("d" * 32),
        {"status": "processing"},
    ]
    assert [assembler.plain(each) for each in others] == [None] * len(others)
    assembler.feed(chunk("d", "stop"))
    assert assembler.plain(plain) is None, "text behind the reason for the end"


# ── indexes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def at(index: object, finish: str | None = None, **delta: str) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


@pytest.mark.parametrize(
    "chunks",
    [
        [at(1, content="one "), at(1, content="two"), at(1, "stop")],
        [at(0, reasoning_content="r"), at(1, content="one "), at(1, content="two"), at(1, "stop")],
        [at(0, reasoning_content="r"), at(1, content="one "), at(1, content="two"), at(0, "stop")],
        [at(0, content="one "), at(1, content="two"), at(1, "stop")],
        [at(0, content="one "), at(1, content="two"), at(0, "stop")],
        [at(0, content="one "), at(2, content="two"), at(2, "stop")],
        [at("0", content="one "), at("0", content="two"), at("0", "stop")],
        [at(0, role="assistant"), at(1, content="one "), at(1, content="two"), at(1, "stop")],
        # n=2: the first one's
        [at(0, content="one "), at(1, content="X"), at(0, content="two"), at(1, content="Y"), at(0, "stop")],
        [at(0, content="one two"), at(0, "stop"), at(1, content="X"), at(1, "stop")],
        [at(0, content="one "), at(1, content="X"), at(0, "stop", content="two"), at(1, "stop")],
        [{"choices": [{"index": 1, "text": "X"}, {"index": 0, "text": "one two"}]}, at(1, "stop"), at(0, "stop")],
    ],
)
def test_indexes_of_choices(chunks: list[dict[str, Any]]) -> None:
    played = stream(*chunks)
    assert (played.text, played.whole) == ("one two", True)


def test_blocks_are_shown_while_they_grow() -> None:
    """Held back to the end they would be whole too, but nobody would see anything until then."""
    choices = Choices()
    choices.feed([Piece(0, reasoning="r")])
    assert choices.feed([Piece(1, "text")]) == [Piece(1, "text")]


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reason", ["eos_token", "end", "STOP", "end_turn", "COMPLETE", "nobody_knows_this_one"])
@pytest.mark.parametrize("done", [True, False])
def test_a_proper_end_in_any_words(reason: str, done: bool) -> None:
    played = stream(*good(USAGE, finish=reason), done=done)
    assert (played.text, played.whole, played.notes) == (WHOLE, True, [])


@pytest.mark.parametrize("reason", ["length", "model_length", "MAX_TOKENS", "max_output_tokens"])
def test_a_limit_in_any_words_is_not_asked_again(reason: str) -> None:
    played = stream(*good(finish=reason))
    assert played.notes == ["This is a part: the answer reached its length limit."]
    assert not played.exchange.wanting("")


def test_a_reason_in_every_chunk_is_no_end() -> None:
    chunks = [chunk(each, "stop") for each in TEXTS]
    assert stream(*chunks, done=False).whole
    cut = sse(*chunks, done=False) + b'data: {"choices": [{"delta": {"conte'
    assert not play(cut).whole
    assert not stream(*chunks, chunk("", "length")).whole


def test_half_of_usage_behind_the_end_costs_nothing() -> None:
    assert play(sse(*good(), done=False) + b'data: {"choices": [], "usage": {"prompt_to').whole


@pytest.mark.parametrize("error", [{"message": "upstream error", "code": 502}, "upstream error"])
def test_an_error_beside_choices_is_one(error: object) -> None:
    played = stream(chunk(TEXTS[0]), {**chunk(""), "error": error})
    assert (played.text, played.whole) == (TEXTS[0], False)


# ── answers that are no text ────────────────────────────────────────────────────────────────────────────────────────

CALL = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "search", "arguments": "{}"}}]}


def delta(value: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": value, "finish_reason": finish}]}


@pytest.mark.parametrize("finish", ["tool_calls", "stop", "tool_use"])
def test_a_call_of_a_tool_that_nobody_offered(finish: str) -> None:
    played = stream(chunk("我先查一下天气。"), delta(CALL), chunk("", finish))
    assert played.notes == ["This is a part: the model wanted to use a tool, and there are none here."]
    assert not played.exchange.wanting("")
    alone = stream(delta(CALL), chunk("", finish))
    assert alone.notes == ["The model only wanted to use a tool, and there are none here. Ask it to answer without."]
    assert (alone.answer.outcome, alone.calls, alone.exchange.wanting("")) == (Outcome.FAILED, 1, False)


def test_a_tool_that_the_gateway_used_itself() -> None:
    assert stream(delta(CALL), chunk("Sunny."), chunk("", "stop")).whole


PICTURE = {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}
LINK = {"content": [{"type": "image_url", "image_url": {"url": "https://a.example.org/i.png"}}]}


def test_pictures_are_counted_and_their_addresses_told() -> None:
    alone = stream(delta({**PICTURE, "content": ""}), delta(LINK), delta(LINK), chunk("", "stop"))
    assert alone.notes == [
        "Pictures in this answer: 2\nhttps://a.example.org/i.png",
        "The answer has no words, only pictures, and they can't be shown yet.",
    ]
    assert (alone.calls, alone.exchange.wanting("")) == (1, False), "it is paid for"
    beside = stream(chunk("Here it is."), delta(PICTURE), chunk("", "stop"))
    assert (beside.text, beside.answer.outcome, beside.exchange.wanting("")) == ("Here it is.", Outcome.PART, False)
    assert "This is a part: there are pictures in the answer, and they can't be shown yet." in beside.notes
    big = {"images": [{"image_url": {"url": "data:image/png;base64," + "A" * 3_000_000}}]}
    assert stream(chunk("Here."), delta(big), chunk("", "stop")).notes[0] == "Pictures in this answer: 1"
    whole = {"choices": [{"message": {"content": None, **PICTURE}, "finish_reason": "stop"}]}
    assert play(dumped(whole).encode()).notes[0] == "Pictures in this answer: 1"


def test_thinking_that_used_up_the_limit() -> None:
    for played in (
        stream(delta({"reasoning_content": "hm", "content": None}), chunk("", "length")),
        stream(chunk("<think>hm"), chunk("", "length")),
    ):
        assert played.notes == [
            "The model used up the length limit on thinking, before its first word. Raise it with /set max_tokens, or "
            "let it answer without thinking: /think off."
        ]
        assert (played.calls, played.exchange.wanting("")) == (1, False)


def test_thinking_alone_is_shown_and_not_paid_twice() -> None:
    played = stream(delta({"reasoning_content": "The answer is 4.", "content": None}), chunk("", "stop"))
    assert played.notes == [
        "Reasoning\nThe answer is 4.",
        "The model only thought, and gave no answer. What it thought is shown with this.",
    ]
    assert (played.calls, played.exchange.wanting("")) == (1, False)


# ── thinking ────────────────────────────────────────────────────────────────────────────────────────────────────────

SPELLINGS = [
    ("<think>", "</think>"),
    ("<Thinking>", "</Thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("", "\n</think>"),
    ("", "\n◁/think▷"),
]


@pytest.mark.parametrize(("open", "close"), SPELLINGS)
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_thinking_in_any_spelling(open: str, close: str, size: int) -> None:
    text = f"{open}1 < 2, so I greet.{close}\n\n你好！"
    played = stream(*(chunk(text[start : start + size]) for start in range(0, len(text), size)), chunk("", "stop"))
    assert (played.text, played.exchange.reasoning, played.whole) == ("你好！", "1 < 2, so I greet.", True)


@pytest.mark.parametrize(
    "text",
    [
        "The tag `</think>` ends it.",
        "The tag </think> ends it.",
        "```\n<think>\nhm\n</think>\n```\nThat is it.",
        "```\nhm\n</think>\n```\nThat is it.",
        "Models write <think>, then\n</think>\nand an answer.",
        "“</think>”\n",
        "a</think>b",
        "1 < 2 and </thin",
    ],
)
def test_an_answer_about_tags_stays_as_it_is(text: str) -> None:
    for pieces in ([text], list(text)):
        played = stream(*map(chunk, pieces), chunk("", "stop"))
        assert (played.text, played.exchange.reasoning) == (text, "")


@given(st.text("</think>◁▷[] `\n。ab", max_size=40), st.randoms(use_true_random=False))
def test_cuts_do_not_matter_to_a_closing_tag_alone(text: str, chance: random.Random) -> None:
    def split(pieces: list[str]) -> tuple[str, str]:
        splitter, answer, reasoning = Splitter(), "", ""
        for found in (*map(splitter.feed, pieces), splitter.close()):
            if splitter.retracted:
                reasoning, answer, splitter.retracted = answer, "", False
            answer, reasoning = answer + found[0], reasoning + found[1]
        return answer, reasoning

    cuts = sorted(chance.sample(range(len(text) + 1), min(5, len(text) + 1)))
    edges = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert split(pieces)[0] == split([text])[0]


# ── sizes and encodings ─────────────────────────────────────────────────────────────────────────────────────────────

BODY = FRAMINGS["as it should be"].encode()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY)[2:-4]),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY[:200]) + gzip.compress(BODY[200:])),
    ],
)
def test_an_encoding_that_was_not_asked_for_is_undone(encoding: str, body: bytes) -> None:
    for pieces in ([body], [body[at : at + 1] for at in range(len(body))]):
        assert play(*pieces, **{"content-encoding": encoding}).text == WHOLE


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip," * 3000])
def test_another_encoding_and_layers_are_refused(encoding: str) -> None:
    played = play(gzip.compress(gzip.compress(BODY)), **{"content-encoding": encoding})
    assert (played.text, played.error is not None) == ("", True)


def test_a_bomb_is_not_unpacked() -> None:
    """200 MB of JSON in 200 kB."""
    layer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = layer.compress(b'{"choices": [{"delta": {"content": "') + layer.compress(b" " * (200 << 20)) + layer.flush()
    played = play(bomb, **{"content-encoding": "gzip"})
    assert not played.whole
    assert not played.text


async def test_an_encoding_over_a_real_connection() -> None:
    """The same over a real connection: what the client asks for, and what it gets all the same."""
    async with serving(Reply([gzip.compress(BODY)], headers={"Content-Encoding": "gzip"})) as (client, gateway):
        texts = [each.text async for each in client.stream(ModelRequest("m", (PromptMessage("user", "?"),)))]
        assert gateway.requests[0].headers["accept-encoding"] == "identity"
    assert "".join(texts) == WHOLE
