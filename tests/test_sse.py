"""Server-sent events from bytes: each way in which known decoders lose or invent something."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateways.chat_api.stream import sse
from bot.gateways.chat_api.stream.sse import Decoder, Event

EXAMPLES = json.loads((Path(__file__).parent / "data" / "api_examples.json").read_text(encoding="utf-8"))
STREAM = EXAMPLES["W2.sse"]["value"].encode()


def decode(*pieces: bytes) -> list[Event]:
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def data(*pieces: bytes) -> list[str]:
    return [event.data for event in decode(*pieces)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data:a\n\ndata:  b\n\n", ["a", " b"]),  # one blank at most belongs to the field
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"data: a\r\n\ndata: b\n\r\n", ["a", "b"]),
        (b"data: a\ndata: b\ndata:\n\n", ["a\nb\n"]),
        (b"data: a\r\ndata: b\r\n\r\n", ["a\nb"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data: a\n\ndata: b\n", ["a", "b"]),  # the end without a blank line
        (b"data: a\n\ndata: b", ["a", "b"]),  # the end in the middle of a line
        (b"id: 7\ndata: a\n\nid: 8\n\n: ping\n\n\n\n", ["a"]),  # an id or a ping is no event
        (b"retry: 10\n\nevent: ping\n\nid\n\n", []),
        (b"data: a\nnonsense\ndata: b\n\n", ["a", "nonsense", "b"]),  # never skipped
        (b": keep-alive\n\n: OPENROUTER PROCESSING\n\n:\n\ndata: a\n\n", ["a"]),
        ("data: a\u2028b\u0085c\x0bd\x0ce\n\n".encode(), ["a\u2028b\u0085c\x0bd\x0ce"]),
        (b"data: \xe4\xbd\xff!\n\n", ["\ufffd\ufffd!"]),
        (b'{"error": 1}\n', ['{"error": 1}']),
        (b'data: a\n{"error": 1}\n\ndata: b\n\n', ["a", '{"error": 1}', "b"]),
        (b"data: [DONE] \n\n", ["[DONE] "]),
        (b"", []),
        (b"\n\r\n\r", []),
    ],
)
def test_streams(stream: bytes, expected: list[str]) -> None:
    assert data(stream) == expected
    assert data(*(bytes((byte,)) for byte in stream)) == expected


def test_event_names_and_statuses_belong_to_their_event_only() -> None:
    stream = b'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":1}\n\ndata: b\n\n'
    assert decode(stream) == [Event('{"code":1}', "error", 400), Event("b", "message", None)]


def test_bare_json_takes_the_name_and_status_before_it() -> None:
    assert decode(b'event:error\n:HTTP_STATUS/429\n{"code":1}\n') == [Event('{"code":1}', "error", 429)]


def test_a_name_without_data_does_not_go_over_to_the_next_event() -> None:
    assert decode(b"event: error\n\ndata: a\n\n") == [Event("a")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_seeds_stream_at_any_cuts(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    found = data(*(STREAM[start:end] for start, end in pairwise(edges)))
    assert found.pop() == "[DONE]"
    assert [json.loads(each) for each in found] == EXAMPLES["W2.chunks"]["value"]


LINE = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20)


@given(st.lists(LINE.filter(bool), max_size=8), st.sampled_from(["\n", "\r", "\r\n"]), st.data())
def test_what_is_written_is_read(texts: list[str], end: str, draw: st.DataObject) -> None:
    stream = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    cut = draw.draw(st.integers(0, len(stream)))
    assert data(stream[:cut], stream[cut:]) == texts


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_at_any_cuts_mean_the_same(pieces: list[bytes]) -> None:
    assert decode(*pieces) == decode(b"".join(pieces))


PIECES = (
    b"data: {}",
    b'data: {"a": [1]}',
    b"data: {",
    b"}",
    b"",
    b"",
    b"",
    b"event: e",
    b":HTTP_STATUS/400",
    b"data: x",
)


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_events_of_one_line_mean_the_same_byte_by_byte(lines: list[bytes], end: bytes) -> None:
    """In one read they take a shorter way."""
    stream = b"".join(line + end for line in lines)
    assert decode(stream) == decode(*(stream[at : at + 1] for at in range(len(stream))))


def test_events_come_out_at_once() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [Event("a")]
    assert decoder.feed(b"data: b\r\r") == [Event("b")], "a lone CR does not wait for what follows"


@pytest.mark.parametrize("pieces", [[b"data: " + b"x" * 100], [b"data: " + b"x" * 50, b"x" * 50 + b"\n\n"]])
def test_a_line_beyond_its_size_ends_it(pieces: list[bytes]) -> None:
    decoder = Decoder(line=90)
    assert decoder.feed(b"data: a\n\n") == [Event("a")]
    assert [event for piece in pieces for event in decoder.feed(piece)] == []
    assert decoder.full
    assert decoder.feed(b"\n\ndata: b\n\n") == []
    assert decoder.close() == []


def test_a_stream_beyond_its_size_ends_it() -> None:
    decoder = Decoder(total=30)
    assert [event.data for event in decoder.feed(b"data: a\n\n" * 3)] == ["a", "a", "a"]
    assert not decoder.full
    assert decoder.feed(b"data: a\n\n") == []
    assert decoder.full


def test_sizes_by_default() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: " + b"x" * sse.LINE + b"\n\n") == []
    assert decoder.full
    assert not Decoder().full


def test_a_megabyte_in_small_reads_is_fast() -> None:
    """Joining what came so far at each read would copy gigabytes here."""
    decoder = Decoder()
    for _ in range(30_000):
        decoder.feed(b"x" * 32)
    assert [len(event.data) for event in decoder.feed(b"\n\n")] == [30_000 * 32]
    assert not decoder.full
