"""Requests of the chat API: our words to JSON. What comes back is read by `chunks`.

Two shapes: OpenAI's (`messages` in, `choices` out) and, for a video file, DashScope's own (`input.messages` in,
`output.choices` out), which is never streamed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import orjson

from bot.gateways.chat_api.alternation import as_parts
from bot.types import FramesPart, ImagePart, Json, ModelRequest, Part, PromptMessage, TextPart, VideoPart

__all__ = ["encode", "is_native", "loads"]

Body = dict[str, Json]


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
