"""The seeds' contract on the wire: every example of both documents, and what gateways make of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BadKey
from bot.gateways.chat_api.errors import classify, is_error
from bot.gateways.chat_api.stream.assemble import Assembler
from bot.gateways.chat_api.stream.chunks import Chunk, Damaged, Piece
from bot.gateways.chat_api.stream.chunks import decode as decode_chunk
from bot.gateways.chat_api.stream.finish import known
from bot.gateways.chat_api.stream.sse import Decoder
from bot.gateways.chat_api.wire import encode, is_native, loads
from bot.types import (
    Delta,
    Finish,
    FramesPart,
    ImagePart,
    ModelRequest,
    PromptMessage,
    TextPart,
    Translation,
    Usage,
    VideoPart,
)

DATA = json.loads((Path(__file__).parent / "data" / "api_examples.json").read_text(encoding="utf-8"))
EXAMPLES: dict[str, Any] = {name: example["value"] for name, example in DATA.items()}


def decode(body: dict[str, Any]) -> Delta:
    """A whole answer, as one Delta."""
    assembler = Assembler()
    deltas = [*assembler.feed(body), *assembler.held(), assembler.end(done=True)]
    text, reasoning = ("".join(getattr(each, name) for each in deltas) for name in ("text", "reasoning"))
    return replace(deltas[-1], text=text, reasoning=reasoning)


SYSTEM = PromptMessage("system", "You are a helpful assistant.")
HELLO = (SYSTEM, PromptMessage("user", "你好"))
W11 = [message["content"] for message in EXAMPLES["W1.1.req"]["messages"]]
IMAGE = "https://zdkjdemo.oss-cn-shanghai.aliyuncs.com/dog_playing_with_sticks.jpg"
VIDEO = "https://cloud.video.taobao.com/vod/S8T54f_w1rkdfLdYjL3S5zKN9CrhkzuhRwOhF313tIQ.mp4"
FRAMES = (
    "https://img.alicdn.com/imgextra/i3/O1CN01K3SgGo1eqmlUgeE9b_!!6000000003923-0-tps-3840-2160.jpg",
    "https://img.alicdn.com/imgextra/i4/O1CN01BjZvwg1Y23CF5qIRB_!!6000000003000-0-tps-3840-2160.jpg",
    "https://img.alicdn.com/imgextra/i4/O1CN01Ib0clU27vTgBdbVLQ_!!6000000007859-0-tps-3840-2160.jpg",
    "https://img.alicdn.com/imgextra/i1/O1CN01aygPLW1s3EXCdSN4X_!!6000000005710-0-tps-3840-2160.jpg",
)
SCREEN = "https://fyb-pc-static.cdn.bcebos.com/static/asset/homepage@2x_daaf4f0f6cf971ed6d9329b30afdf438.png"

REQUESTS = {
    "W0.req": ModelRequest("qwen2.5-14b-instruct", (PromptMessage("user", "你好,请介绍一下你自己"),)),
    "W-T1.req": ModelRequest(
        "qwen-mt-turbo", (PromptMessage("user", "你好"),), translation=Translation("English", "Chinese")
    ),
    "W-PY.req": ModelRequest("qwen2.5-14b-instruct", HELLO),
    "W-JAVA.req": ModelRequest("qwen2.5-14b-instruct", HELLO),
    "W-PHP.req": ModelRequest("qwen2.5-14b-instruct", HELLO),
    "W1.req": ModelRequest("qwen2.5-14b-instruct", HELLO),
    "W1.1.req": ModelRequest(
        "qwen2.5-14b-instruct",
        (
            PromptMessage("user", W11[0]),
            PromptMessage("assistant", W11[1]),
            PromptMessage("user", W11[2]),
            PromptMessage("assistant", W11[3]),
            PromptMessage("user", W11[4]),
        ),
    ),
    "W1.2.req": ModelRequest("qwen-plus", (PromptMessage("user", "今天是星期几?"),), {"enable_search": True}),
    "W2.req": ModelRequest("qwen2.5-14b-instruct", HELLO),
    "W3.req": ModelRequest(
        "qwen-vl-plus",
        (SYSTEM, PromptMessage("user", (TextPart("这张图片展示的画面是什么?"), ImagePart(IMAGE)))),
    ),
    "W4.req": ModelRequest(
        "qwen-vl-max-latest",
        (SYSTEM, PromptMessage("user", (VideoPart(VIDEO), TextPart("这段视频介绍的是什么?")))),
    ),
    "W5.req": ModelRequest(
        "qwen-vl-max-latest",
        (PromptMessage("user", (FramesPart(FRAMES), TextPart("描述这个视频的具体过程"))),),
    ),
    "C1.req": ModelRequest(
        "qwen2-vl-7b-instruct", (SYSTEM, PromptMessage("user", (TextPart("解读图片"), ImagePart(SCREEN))))
    ),
}


# ── every example ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_example_is_forgotten() -> None:
    here = {*REQUESTS, *ANSWERS, "C1.req_jsonc", "C1.resp", "W2.sse", "W2.chunks", "W-X1.err"}
    assert here == set(EXAMPLES)


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_equal_to_the_examples(name: str) -> None:
    assert encode(REQUESTS[name], stream=name == "W2.req") == EXAMPLES[name]


def test_the_commented_request_means_the_plain_one() -> None:
    text = re.sub(r"//(?!\w).*", "", EXAMPLES["C1.req_jsonc"])  # "//" before a letter is part of an address
    assert json.loads(text) == EXAMPLES["C1.req"] == encode(REQUESTS["C1.req"], stream=False)


ANSWERS = {
    "W1.resp": ("qwen2.5-14b-instruct", Usage(20, 8)),
    "W1.1.resp": ("qwen2.5-14b-instruct", Usage(258, 328)),
    "W1.2.resp": ("qwen-plus", Usage(758, 68, cached=0)),
    "W3.resp": ("qwen-vl-plus", Usage(896, 44)),
    "W4.resp": ("", Usage(5207, 110, video=5182)),
    "W5.resp": ("qwen-vl-max-latest", Usage(1466, 278)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    body = EXAMPLES[name]
    model, usage = ANSWERS[name]
    message = body.get("output", body)["choices"][0]["message"]
    text = message["content"] if isinstance(message["content"], str) else message["content"][0]["text"]
    id = body.get("id") or body["request_id"]
    assert decode(body) == Delta(text=text, finish=Finish.WHOLE, usage=usage, model=model, id=id)
    assert len(text) > 10


def test_chatfires_answer() -> None:
    body = EXAMPLES["C1.resp"]
    delta = decode(body)
    content = body["choices"][0]["message"]["content"]
    assert f"<think>\n{delta.reasoning}\n</think>\n\n{delta.text}" == content
    assert delta.text.startswith("百度热搜以醒目")
    assert delta.finish is Finish.WHOLE, "no finish_reason, but a complete answer"
    assert delta.model == "qvq-max-2025-03-25", "not the one that was asked"
    assert (delta.usage, delta.id) == (Usage(121, 232), "qNB6bkNMjuWCfMMCmHsbZP")


@given(st.lists(st.integers(0, len(EXAMPLES["W2.sse"].encode())), max_size=8))
def test_the_stream(cuts: list[int]) -> None:
    stream, decoder = EXAMPLES["W2.sse"].encode(), Decoder()
    edges = [0, *sorted(cuts), len(stream)]
    events = [event for i, end in enumerate(edges[1:]) for event in decoder.feed(stream[edges[i] : end])]
    assert events.pop().data == "[DONE]"
    chunks = [decode_chunk(json.loads(event.data)) for event in events]
    assert {(chunk.model, chunk.id) for chunk in chunks} == {
        ("qwen2.5-14b-instruct", "chatcmpl-de564ea0-e018-920c-8481-b95dda73bfec")
    }
    texts = ("", "你好", "!", "有什么", "可以帮助你的吗?")
    assert [chunk.pieces for chunk in chunks] == [*((Piece(text=text),) for text in texts), (Piece(finish="stop"),), ()]
    assert [chunk.usage for chunk in chunks] == [None] * 6 + [Usage(20, 7)]


def test_the_error() -> None:
    assert is_error(EXAMPLES["W-X1.err"])
    assert isinstance(classify(401, {}, EXAMPLES["W-X1.err"]), BadKey)
    assert isinstance(classify(200, {}, EXAMPLES["W-X1.err"]), BadKey), "the seed tells no status"


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

ALL: dict[str, Any] = {
    "enable_search": True,
    "max_tokens": 800,
    "temperature": 0.7,
    "top_p": 0.8,
    "seed": 2**64 - 1,
    "presence_penalty": -2.0,
    "stop": ["你好", "END"],
}


def test_all_eleven_fields() -> None:
    request = ModelRequest("m", HELLO, ALL, Translation("English"))
    body = encode(request, stream=True, include_usage=True)
    options = {"source_lang": "auto", "target_lang": "English"}
    assert body == {
        **ALL,
        "model": "m",
        "messages": [{"role": each.role, "content": each.content} for each in HELLO],
        "stream": True,
        "stream_options": {"include_usage": True},
        "translation_options": options,
    }


@pytest.mark.parametrize("stop", ["END", ["END"], [123, 456]])
def test_stop_goes_out_as_it_is(stop: Any) -> None:
    assert encode(ModelRequest("m", HELLO, {"stop": stop}), stream=False)["stop"] == stop


@pytest.mark.parametrize("wanted", [True, False])
def test_thoughts_are_asked_for_in_streams_only(wanted: bool) -> None:
    request = ModelRequest("m", HELLO, {"enable_thinking": wanted})
    assert encode(request, stream=True)["enable_thinking"] is wanted
    assert encode(request, stream=False)["enable_thinking"] is False
    assert encode(ModelRequest("m", HELLO), stream=False, extra={"enable_thinking": wanted})["enable_thinking"] is False


def test_usage_is_asked_for_in_streams_only() -> None:
    assert "stream_options" not in encode(ModelRequest("m", HELLO), stream=False, include_usage=True)
    assert "stream" not in encode(ModelRequest("m", HELLO), stream=False)


def test_a_gateways_own_fields_do_not_override_the_request() -> None:
    extra: dict[str, Any] = {
        "enable_thinking": False,
        "temperature": 0.1,
        "model": "x",
        "messages": [],
        "stream": False,
    }
    body = encode(ModelRequest("m", HELLO, {"temperature": 0.7}), stream=True, extra=extra)
    assert (body["model"], body["temperature"], body["stream"]) == ("m", 0.7, True)
    assert body["enable_thinking"] is False
    assert len(body["messages"]) == 2  # type: ignore[arg-type]


def test_a_video_file_makes_it_native_and_never_streamed() -> None:
    parts = (TextPart("?"), ImagePart("https://a.example/i.png"), FramesPart(FRAMES), VideoPart(VIDEO))
    request = ModelRequest("m", (SYSTEM, PromptMessage("user", parts)), {"top_p": 0.8})
    assert is_native(request)
    assert not is_native(REQUESTS["W5.req"])
    body = encode(request, stream=True, include_usage=True, extra={"vl_high_resolution_images": True})
    assert set(body) == {"model", "input", "parameters"}
    assert body["parameters"] == {"top_p": 0.8, "vl_high_resolution_images": True}
    content = [{"text": "?"}, {"image": "https://a.example/i.png"}, {"video": list(FRAMES)}, {"video": VIDEO}]
    assert body["input"]["messages"][1]["content"] == content  # type: ignore[index,call-overload]


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def chunk(delta: object = None, finish: object = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def one(**more: Any) -> Chunk:
    return Chunk((Piece(**more),))


DATA_URL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (chunk({"role": "assistant", "content": ""}), one()),
        (chunk({"role": None, "content": None, "tool_calls": None, "refusal": None}, usage=None), one()),
        (chunk({}), one()),
        (chunk(None), one()),
        (chunk({"content": "a"}, unknown={"x": 1}), one(text="a")),
        (chunk({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}), one(text="ab")),
        (chunk({"content": ["a", {"type": "output_text", "text": "b"}]}), one(text="ab")),
        (chunk({"content": {"text": "a"}}), one(text="a")),
        (chunk({"content": {"parts": [{"text": "a"}, {"text": "b", "thought": True}]}}), one(text="a", reasoning="b")),
        (chunk({"content": 5}, model=7, id=None), one(text="5")),
        (chunk("a"), one(text="a")),
        (chunk({"reasoning_content": "r"}), one(reasoning="r")),
        (chunk({"reasoning": "r", "content": None}), one(reasoning="r")),
        (chunk({"reasoning_content": "r", "reasoning": "r"}), one(reasoning="r")),
        (chunk({"reasoning": {"content": "r"}}), one(reasoning="r")),
        (chunk({"thinking": "r"}), one(reasoning="r")),
        (chunk({"reasoning_details": [{"type": "reasoning.text", "text": "r"}]}), one(reasoning="r")),
        (chunk({"reasoning_details": [{"type": "reasoning.summary", "summary": "r"}]}), one(reasoning="r")),
        (chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "Zm9v"}]}), one()),
        (
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}]}),
            one(reasoning="r"),
        ),
        (chunk({"content": [{"type": "reference", "reference_ids": [1]}]}), one()),
        (chunk({"content": [{"type": "text", "text": ""}]}), one()),
        (chunk({"content": {"type": "text", "text": ""}}), one()),
        (chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}), one(tool=True)),
        (chunk({"function_call": {"name": "f"}}), one(tool=True)),
        (chunk({"content": [{"type": "tool_use", "name": "f"}]}), one(tool=True)),
        (
            chunk({"images": [{"type": "image_url", "image_url": {"url": "https://a.example.org/i.png"}}]}),
            one(pictures=("https://a.example.org/i.png",)),
        ),
        (chunk({"content": [{"type": "image_url", "image_url": {"url": DATA_URL}}]}), one(pictures=(DATA_URL,))),
        (chunk({"content": [{"inline_data": {"mime_type": "image/png", "data": "AAAA"}}]}), one(pictures=("AAAA",))),
        ({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}, Chunk(usage=Usage(1, 2))),
        ({"choices": None}, Chunk()),
        ({}, Chunk()),
        ({"choices": [{"text": "a"}]}, one(text="a")),
        ({"choices": {"delta": {"content": "a"}}}, one(text="a")),
        ({"choices": [{"index": 1, "delta": {"content": "b"}}]}, one(index=1, text="b")),
        ({"choices": [{"index": "1", "delta": {"content": "b"}}]}, one(index=1, text="b")),
        ({"choices": [None, {"delta": {"content": "a"}}]}, one(text="a")),
        ({"output": {"text": "a", "finish_reason": "null"}, "request_id": "r"}, Chunk((Piece(text="a"),), id="r")),
        (
            {"output": {"choices": [{"finish_reason": "stop", "message": {"content": [{"text": "a"}]}}]}},
            one(text="a", whole=True, finish="stop"),
        ),
        ({"message": {"role": "assistant", "content": "a"}, "done": False}, one(text="a")),  # Ollama's own shape
        (chunk({"content": "a"}, model="m" * 500), Chunk((Piece(text="a"),), model="m" * 99 + "…")),
        (
            chunk({"content": "a"}, model="a\u202eb\x1b[0m\nc", id="\u2066x"),
            Chunk((Piece(text="a"),), None, "ab[0mc", "x"),
        ),
    ],
)
def test_chunks(body: dict[str, Any], expected: Chunk) -> None:
    assert decode_chunk(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [5]},
        {"choices": "a"},
        chunk({"content": True}),
        chunk({"content": {"strange": "a"}}),
        chunk({"content": [{"type": "hologram", "data": "a"}]}),
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}},
        {"type": "response.output_text.delta", "delta": "a"},
        {"candidates": [{"content": {"parts": [{"text": "a"}]}}]},
        {"response": "a", "done": False},
    ],
)
def test_what_may_hold_text_and_is_not_known_is_not_skipped(body: dict[str, Any]) -> None:
    with pytest.raises(Damaged):
        decode_chunk(body)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        (None, None),
        ("", None),
        ("null", None),
        ("not_finished", None),
        (3, None),
        *(
            (word, Finish.WHOLE)
            for word in ("stop", "STOP", "eos_token", "end", "end_turn", "stop-sequence", "COMPLETE")
        ),
        *((word, Finish.LENGTH) for word in ("length", "model_length", "MAX_TOKENS", "max_output_tokens")),
        *((word, Finish.FILTER) for word in ("content_filter", "SAFETY", "RECITATION", "sensitive", "refusal")),
        *((word, Finish.TOOL) for word in ("tool_calls", "function_call", "tool_use")),
        *((word, Finish.CUT) for word in ("error", "other", "insufficient_system_resource", "abort")),
        ("FINISH_REASON_STOP", Finish.WHOLE),
        ({"type": "length"}, Finish.LENGTH),
    ],
)
def test_finish_reasons(reason: object, finish: Finish | None) -> None:
    (piece,) = decode_chunk(chunk({}, reason)).pieces
    assert (known(piece.finish) if piece.finish else None) is finish


def test_an_unknown_reason_is_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "bot.gateways.chat_api.stream.finish._told", set()
    )  # a process tells only so many, and other tests told theirs
    caplog.set_level("INFO")
    assert [known("because_i_say_so") for _ in range(3)] == [None] * 3
    assert caplog.text.count("because_i_say_so") == 1


@pytest.mark.parametrize(
    "body",
    [
        chunk({}, usage={"prompt_tokens": 5, "completion_tokens": 3}),
        {"choices": [{"delta": {}, "usage": {"prompt_tokens": 5, "completion_tokens": 3}}]},
        {"choices": [{"delta": {"usage": {"prompt_tokens": 5, "completion_tokens": 3}}}]},
        {"choices": [{"message": {"content": "", "usage": {"prompt_tokens": 5, "completion_tokens": 3}}}]},
        {"choices": [], "x_groq": {"usage": {"prompt_tokens": "5", "completion_tokens": "3"}}},
        {"choices": [], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3}},
        {"choices": [], "timings": {"prompt_n": 5, "predicted_n": 3}},
        {"done": True, "prompt_eval_count": 5, "eval_count": 3},
    ],
)
def test_places_of_usage(body: dict[str, Any]) -> None:
    assert decode_chunk(body).usage == Usage(5, 3)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}, Usage(5, 3)),
        ({"input_tokens": 5, "output_tokens": 3}, Usage(5, 3)),
        ({"prompt_tokens": 5, "completion_tokens": 3, "input_tokens": 0, "output_tokens": 0}, Usage(5, 3)),
        ({"prompt_tokens": 5.0, "completion_tokens": 3}, Usage(5, 3)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 4, "video_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(5, 3, cached=4, reasoning=2, video=1),
        ),
        (
            {"input_tokens": 9, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 8}, "video_tokens": 7},
            Usage(9, 1, cached=8, video=7),
        ),
        ({"prompt_tokens": 5, "completion_tokens": 1, "prompt_cache_hit_tokens": 3}, Usage(5, 1, cached=3)),
        ({"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(5, 1)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": -5, "completion_tokens": 1}, None),
        ({"prompt_tokens": True, "completion_tokens": 1}, None),
        ({"prompt_tokens": "5", "completion_tokens": 1}, Usage(5, 1)),
        ({"prompt_tokens": "five", "completion_tokens": 1}, None),
        ({"prompt_tokens": 10**9, "completion_tokens": 1}, Usage(10**9, 1)),
        ({"prompt_tokens": 10**9 + 1, "completion_tokens": 1}, None),
        ({"prompt_tokens": 2**63, "completion_tokens": 1}, None),
        ({"prompt_tokens": 1e300, "completion_tokens": 1}, None),
        ({"prompt_tokens": "9" * 5000, "completion_tokens": 1}, None),
        ({"prompt_tokens": 5, "completion_tokens": 1, "prompt_cache_hit_tokens": 10**18}, Usage(5, 1)),
        (None, None),
        ([], None),
    ],
)
def test_usage(usage: Any, expected: Usage | None) -> None:
    assert decode_chunk({"choices": [], "usage": usage}).usage == expected


def test_a_refusal_is_told_in_its_words() -> None:
    assert decode_chunk(chunk({"refusal": "I can't.", "content": None})) == one(refusal="I can't.")
    (delta,) = Assembler().feed({"choices": [{"message": {"content": "", "refusal": "No."}, "finish_reason": "stop"}]})
    assert delta.text == "No."


def test_a_whole_answer_that_was_cut_is_a_part() -> None:
    assert decode({"choices": [{"message": {"content": "a"}, "finish_reason": "length"}]}).finish is Finish.LENGTH


def test_json_as_gateways_write_it() -> None:
    assert loads('{"a": "\\ud83d"}') == {"a": "\ud83d"}
    assert loads(b'{"a": NaN}') != loads(b'{"a": 1}')
    for text in ("", "{", "[" * 100_000, "x"):
        with pytest.raises(ValueError, match=r"."):
            loads(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "usage",
                    "output",
                    "text",
                    "index",
                    "finish_reason",
                    "refusal",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["choices", "usage", "output", "model", "id", "error"]), JSON))
def test_no_json_is_too_odd(body: dict[str, Any]) -> None:
    is_error(body)
    try:
        delta = decode(body)
    except Damaged:
        return
    assert isinstance(delta.text, str)
    assert isinstance(delta.model, str)
