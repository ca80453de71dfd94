"""Requests and answers of the chat API: our words to JSON, and back.

Two shapes: OpenAI's (`messages` in, `choices` out) and, for a video file, DashScope's own (`input.messages` in,
`output.choices` out), which is never streamed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast

import orjson

from bot.chat_api.alternation import as_parts
from bot.chat_api.think import Splitter
from bot.types import (
    Delta,
    Finish,
    FramesPart,
    ImagePart,
    Json,
    ModelRequest,
    Part,
    PromptMessage,
    TextPart,
    Usage,
    VideoPart,
)

__all__ = ["decode", "decode_chunk", "encode", "is_native", "loads"]

Body = dict[str, Json]

_MOST = 1_000_000_000  # tokens of a call; beyond is a number of no world, and the store has an end too
_DIGITS = re.compile(r"[0-9]{1,10}")

_FINISH = {
    "stop": Finish.WHOLE,
    "stop_sequence": Finish.WHOLE,
    "end_turn": Finish.WHOLE,
    "eos": Finish.WHOLE,
    "tool_calls": Finish.WHOLE,
    "function_call": Finish.WHOLE,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "content_filter": Finish.FILTER,
    "sensitive": Finish.FILTER,
    "safety": Finish.FILTER,
}


def is_native(request: ModelRequest) -> bool:
    """Does the request hold a video file, and so take the native shape?"""
    return any(
        isinstance(part, VideoPart)
        for message in request.messages
        if not isinstance(message.content, str)
        for part in message.content
    )


def encode(
    request: ModelRequest, *, stream: bool, include_usage: bool = False, extra: Mapping[str, Json] | None = None
) -> Body:
    """The body of a request. `extra` are a gateway's further fields; the request's own win over them."""
    fields: Body = {**(extra or {}), **request.parameters}
    if not stream and fields.get("enable_thinking"):
        fields["enable_thinking"] = False  # thoughts are only streamed; a request for them otherwise is refused
    if is_native(request):
        native: Body = {"model": request.model, "input": {"messages": [_native(each) for each in request.messages]}}
        return {**native, "parameters": fields} if fields else native
    body: Body = {**fields, "model": request.model, "messages": [_message(each) for each in request.messages]}
    if request.translation is not None:
        source = request.translation.source or "auto"
        body["translation_options"] = {"source_lang": source, "target_lang": request.translation.target}
    if stream:
        body["stream"] = True
        if include_usage:
            body["stream_options"] = {"include_usage": True}
    return body


def decode(body: Mapping[str, Json]) -> tuple[Delta, ...]:
    """A whole answer of either shape, its last Delta with `finish`. No finish_reason is no sign of a cut here."""
    first, *rest = decode_chunk(body)
    splitter = Splitter()
    whole = first.finish in (None, Finish.WHOLE)
    parts = (splitter.feed(first.text), splitter.close(whole=whole))
    text = "".join(part for part, _ in parts)
    reasoning = first.reasoning + "".join(part for _, part in parts)
    deltas = [_delta(first, text=text, reasoning=reasoning), *rest]
    last = deltas[-1]
    deltas[-1] = Delta(
        text=last.text,
        reasoning=last.reasoning,
        finish=first.finish or Finish.WHOLE,
        usage=first.usage,
        model=first.model,
        id=first.id,
        refusal=last.refusal,
    )
    return tuple(deltas)


def decode_chunk(chunk: Mapping[str, Json]) -> tuple[Delta, ...]:
    """One chunk of a stream: a Delta as the chunk says it, tags and repetition included, and one more for a refusal.

    `finish` is what the chunk claims: more may follow it (usage comes after).
    """
    output = _dict(chunk.get("output"))
    choice = _choice(chunk) or _choice(output)
    message = _dict(choice.get("delta")) or _dict(choice.get("message"))
    delta = Delta(
        text=_text(message.get("content")) or _text(choice.get("text")) or _text(output.get("text")),
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        finish=_finish(choice.get("finish_reason")) or _finish(output.get("finish_reason")),
        usage=_usage(_dict(chunk.get("usage"))),
        model=_text(chunk.get("model")),
        id=_text(chunk.get("id")) or _text(chunk.get("request_id")),
    )
    refusal = _text(message.get("refusal"))
    return (delta, Delta(text=refusal, refusal=True)) if refusal else (delta,)


def loads(text: str | bytes) -> Json:
    """JSON as gateways write it. ValueError if it is none. (orjson refuses half surrogates and NaN, json doesn't.)"""
    try:
        return cast(Json, orjson.loads(text))
    except ValueError:
        try:
            return cast(Json, json.loads(text))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def _message(message: PromptMessage) -> Json:
    content = message.content
    return {"role": message.role, "content": content if isinstance(content, str) else [_part(each) for each in content]}


def _part(part: Part) -> Json:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(url):
            return {"type": "image_url", "image_url": {"url": url}}
        case FramesPart(urls):
            return {"type": "video", "video": list(urls)}
        case VideoPart():
            raise ValueError("a video file takes the native shape")


def _native(message: PromptMessage) -> Json:
    return {"role": message.role, "content": [_native_part(each) for each in as_parts(message)]}


def _native_part(part: Part) -> Json:
    match part:
        case TextPart(text):
            return {"text": text}
        case ImagePart(url):
            return {"image": url}
        case FramesPart(urls):
            return {"video": list(urls)}
        case VideoPart(url):
            return {"video": url}


def _dict(value: Json) -> Body:
    return value if isinstance(value, dict) else {}


def _choice(body: Body | Mapping[str, Json]) -> Body:
    """The first choice, or {}: the chunk that tells usage has none."""
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict) and choice.get("index") in (None, 0):
            return choice
    return {}


def _text(value: Json) -> str:
    """A string, or the texts of a list of parts; '' for anything else."""
    if isinstance(value, list):
        return "".join(_text(part.get("text")) if isinstance(part, dict) else _text(part) for part in value)
    return value if isinstance(value, str) else ""


def _finish(value: Json) -> Finish | None:
    """A reason that isn't known may be a cut, and a cut must not look whole. "null" is how DashScope writes null."""
    if not isinstance(value, str) or value.lower() in ("", "null"):
        return None
    return _FINISH.get(value.lower(), Finish.CUT)


def _usage(usage: Body) -> Usage | None:
    """OpenAI's names or DashScope's. None unless both sides are known; zeros all over are how some say "unknown"."""
    input = _count(usage, "prompt_tokens", "input_tokens")
    output = _count(usage, "completion_tokens", "output_tokens")
    if input is None or output is None or input + output == 0:
        return None
    sent = _dict(usage.get("prompt_tokens_details")) or _dict(usage.get("input_tokens_details"))
    got = _dict(usage.get("completion_tokens_details")) or _dict(usage.get("output_tokens_details"))
    cached = _count(sent, "cached_tokens")
    video = _count(usage, "video_tokens")
    return Usage(
        input=input,
        output=output,
        cached=_count(usage, "prompt_cache_hit_tokens") if cached is None else cached,
        reasoning=_count(got, "reasoning_tokens"),
        video=_count(sent, "video_tokens") if video is None else video,
    )


def _count(body: Body, *names: str) -> int | None:
    for name in names:
        value = body.get(name)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
            return value
    return None


def _delta(delta: Delta, *, text: str, reasoning: str) -> Delta:
    return Delta(text=text, reasoning=reasoning, model=delta.model, id=delta.id)
