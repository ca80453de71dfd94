"""Answers in shapes of their own: text in other fields, errors in a choice, repetitions, pictures in the text.

Each is a member of "what is not understood is never skipped": it is read, or the answer is a part.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import RateLimited
from bot.gateways.chat_api.stream.inline import InlinePictures
from bot.types import Finish
from tests.fakes.gateway import Reply, chunk, sse
from tests.test_client import ask, serving
from tests.test_client import text as text_of
from tests.test_streams import TEXTS, WHOLE, dumped, good, play, stream

STOP = chunk("", "stop")


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **fields}]}


# ── text in other places ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "odd",
    [
        choice(delta={"text": "And more."}),
        choice(delta={"parts": [{"text": "And "}, {"text": "more."}]}),
        choice(delta={"output": "And more."}),
        choice(delta="And more."),
        {"choices": {"0": {"delta": {"content": "And more."}}}},
        {"choices": {"delta": {"content": "And more."}}},
        {"code": 0, "msg": "success", "data": chunk("And more.")},
        {"result": chunk("And more.")},
        '"' + dumped(chunk("And more.")).replace('"', '\\"') + '"',
    ],
)
def test_text_in_other_places_is_read(odd: object) -> None:
    played = play((sse(*map(chunk, TEXTS), done=False)) + event(odd) + sse(STOP))
    assert (played.text, played.whole) == (WHOLE + "And more.", True)


def event(value: object) -> bytes:
    return f"data: {value if isinstance(value, str) else dumped(value)}\n\n".encode()


def test_a_message_in_a_list_of_them() -> None:
    assert stream(choice(messages=[{"content": "And more."}], finish_reason="stop")).text == "And more."


@pytest.mark.parametrize("name", ["reply", "response", "token", "completion", "value", "data"])
def test_text_in_a_place_that_nobody_knows_makes_a_part(name: str) -> None:
    odd = choice(delta={name: {"of": "And more."}})
    assert not stream(*map(chunk, TEXTS), odd, STOP).whole


def test_json_over_many_lines_behind_one_name() -> None:
    """What a pretty printer makes of a chunk, and somebody who knows of no lines sends."""
    pretty = "".join(f"data: {dumped(each, indent=1)}\n\n" for each in good())
    for data in (pretty, pretty.replace("\n\n", "\n"), pretty.replace("\n", "\r\n")):
        played = play(data.encode(), b"data: [DONE]\n\n")
        assert (played.text, played.whole) == (WHOLE, True)


@pytest.mark.parametrize(
    ("last", "finish"),
    [
        (choice(delta={}, finishReason="stop"), Finish.WHOLE),
        (choice(delta={}, stop_reason="end_turn"), Finish.WHOLE),
        (choice(delta={}, stopReason="max_tokens"), Finish.LENGTH),
        (choice(delta={}, finish_reason=None, finish_details={"type": "max_tokens"}), Finish.LENGTH),
        (choice(delta={}, finish_reason=None, stop_reason="length"), Finish.CUT),  # vLLM's: the word that would end it
        (choice(delta={}, finish_reason="stop", stop_reason="length"), Finish.WHOLE),
    ],
)
def test_the_reason_for_the_end_by_its_other_names(last: object, finish: Finish) -> None:
    assert stream(*map(chunk, TEXTS), last, done=False).exchange.finish is finish


@pytest.mark.parametrize("name", ["thoughts", "think", "thinking_content", "thinking_blocks", "reason_content", "cot"])
def test_thinking_by_its_other_names(name: str) -> None:
    played = stream(choice(delta={name: [{"thinking": "hm"}] if name.endswith("s") else "hm"}), *good())
    assert (played.exchange.reasoning, played.text) == ("hm", WHOLE)


# ── errors in a choice ──────────────────────────────────────────────────────────────────────────────────────────────

BUSY = {"code": 429, "message": "rate limit exceeded"}


@pytest.mark.parametrize(
    "odd",
    [
        choice(delta={"content": ""}, finish_reason="error", error=BUSY),
        choice(delta={"content": ""}, error=BUSY),
        choice(delta={"error": "rate limit exceeded"}),
    ],
)
def test_an_error_in_a_choice_is_told_as_what_it_is(odd: object) -> None:
    for before in ((), TEXTS):
        played = stream(*map(chunk, before), odd)
        assert isinstance(played.error, RateLimited)
        assert played.text == "".join(before)


def test_an_error_by_the_name_of_its_event_is_told_in_its_words() -> None:
    played = play(sse(*map(chunk, TEXTS), done=False), b"event: error\ndata: rate limit exceeded\n\n")
    assert isinstance(played.error, RateLimited)


def test_an_empty_answer_is_paid_for_twice_at_most() -> None:
    assert stream(STOP).calls == 2


# ── repetitions ─────────────────────────────────────────────────────────────────────────────────────────────────────

LONG = "".join(TEXTS * 2)


def test_a_chunk_before_the_end_that_repeats_all() -> None:
    assert stream(*map(chunk, TEXTS * 2), chunk(LONG), STOP).text == LONG
    assert stream(*map(chunk, TEXTS * 2), chunk(LONG), done=True).text == LONG


def test_a_short_one_with_the_reason_for_the_end() -> None:
    assert stream(chunk("Good "), chunk("day."), chunk("Good day.", "stop")).text == "Good day."


def test_a_text_that_goes_on_was_no_repetition() -> None:
    played = stream(*map(chunk, TEXTS * 2), chunk(LONG), chunk("!"), STOP)
    assert played.text == LONG + LONG + "!"


# ── bytes that are no UTF-8 ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_character_makes_a_part() -> None:
    whole = sse(*good())
    broken = whole.replace("段".encode(), "段".encode()[:2])
    assert play(whole).whole
    played = play(broken)
    assert not played.whole
    assert played.text == WHOLE.replace("段", "\ufffd")


@pytest.mark.parametrize("charset", ["gbk", "GB18030", '"gb2312"'])
def test_another_encoding_by_its_name(charset: str) -> None:
    headers = {"content-type": f"text/event-stream; charset={charset}"}
    assert play(sse(*good()).decode().encode("gbk"), **headers).text == WHOLE
    assert play(sse(*good()), **headers).text == WHOLE  # only said so


# ── pictures in the text ────────────────────────────────────────────────────────────────────────────────────────────

BYTES = "iVBORw0KGgo" * 400 + "AA=="


@pytest.mark.parametrize(
    ("before", "after"), [("Look:\n\n![image](", ")\n\nDone."), ("", ""), ("![a cat](", ")"), ('<img src="', '">')]
)
@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_picture_in_the_text_is_counted_and_not_shown(before: str, after: str, size: int) -> None:
    text = f"{before}data:image/png;base64,{BYTES}{after}"
    played = stream(*(chunk(text[at : at + size]) for at in range(0, len(text), size)), STOP)
    assert played.exchange.pictures == ("",)
    assert "base64" not in played.text
    assert played.text in (before + after, before.replace("![image](", "") + after[1:], "")
    assert played.calls == 1
    assert "Pictures in this answer: 1" in played.notes


@pytest.mark.parametrize(
    "text",
    [
        "An icon: data:image/gif;base64,R0lGODlhAQABAAAAACw= is the smallest.",
        f"```html\n<img src='data:image/png;base64,{BYTES}'>\n```",
        "![a cat](https://a.example.org/cat.png) and ![",
        "Wow! data:image/",
    ],
)
def test_an_address_that_is_talked_about_stays(text: str) -> None:
    played = stream(*(chunk(text[at : at + 9]) for at in range(0, len(text), 9)), STOP)
    assert (played.text, played.whole) == (text, True)


@given(st.text("![](data:image/png;base64,A`)\n ", max_size=60), st.data())
def test_cuts_do_not_matter_to_pictures(text: str, draw: st.DataObject) -> None:
    text = text.replace("AA", "data:image/png;base64,").replace("``", BYTES)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(text)), max_size=6)))

    def read(*pieces: str) -> tuple[str, int]:
        reader = InlinePictures()
        found = [reader.feed(piece) for piece in pieces]
        return "".join(text for text, _ in found) + reader.close(), sum(count for _, count in found)

    assert read(*(text[start:end] for start, end in pairwise([0, *cuts, len(text)]))) == read(text)


# ── several thoughts ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 5, 100])
def test_thoughts_between_tags_may_come_several_times(size: int) -> None:
    text = f"<think>one</think>\n\n<think>two</think>\n\n{WHOLE}"
    played = stream(*(chunk(text[at : at + size]) for at in range(0, len(text), size)), STOP)
    assert (played.text, played.exchange.reasoning) == (WHOLE, "one\n\ntwo")


# ── an address that has answered ────────────────────────────────────────────────────────────────────────────────────


async def test_an_address_that_has_answered_is_no_wrong_one() -> None:
    nothing = Reply(
        [json.dumps({"code": 404, "msg": "资源不存在"}).encode()], 404, {"Content-Type": "application/json"}
    )
    async with serving(nothing, Reply([sse(*good())]), nothing) as (client, _):
        with pytest.raises(Exception, match=r"knows no model .* or no chat API"):
            await ask(client)
        assert text_of(await ask(client)) == WHOLE
        with pytest.raises(Exception, match="is not available here"):
            await ask(client)
