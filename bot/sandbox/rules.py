"""Request rules: what the sandbox accepts: the chat API's own rules, and the words in which gateways refuse."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot.gateways.catalogue import Catalogue, base_ids
from bot.languages.names import ENGLISH
from bot.types import ModelInfo

__all__ = ["SERVED", "Asked", "Problem", "Said", "read"]

_CATALOGUE = Catalogue()
SERVED = (*(info.id for info in _CATALOGUE.all()), "qwen-vl-max-latest", "qwen2-vl-7b-instruct", "qwen3-8b")
_FRAMES = (4, 80)
_LONGEST_URL = 10 * 1024 * 1024  # characters of base64


class Problem(Exception):
    """A refusal: HTTP status and the error envelope."""

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = "invalid_parameter_error", type: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error": {"message": message, "type": type or "invalid_request_error", "param": None, "code": code}
        }


@dataclass(frozen=True, slots=True)
class Said:
    """One message: its text, and what there is to see in it."""

    role: str
    text: str
    images: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    video: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that keeps the rules. `native`: in the shape for video files, whose answer has another shape too."""

    info: ModelInfo
    messages: tuple[Said, ...]
    native: bool
    stream: bool
    search: bool
    thinking: bool  # before it answers
    max_tokens: int | None
    stop: tuple[str, ...]
    translation: tuple[str, str] | None  # from, into

    @property
    def last(self) -> Said:
        return self.messages[-1]


def read(body: object) -> Asked:
    """A request's JSON; raises Problem in the gateways' words."""
    if not isinstance(body, dict):
        raise Problem("The request body must be a JSON object")
    info = _model(body.get("model"))
    native = "messages" not in body and isinstance(body.get("input"), dict)
    messages = _messages(body["input"].get("messages") if native else body.get("messages"))
    stream = _switch(body, "stream")
    if native and stream:
        raise Problem("This request does not support stream mode, please disable the stream parameter.")
    if info.stream_only and not stream:
        raise Problem("This model only support stream mode, please enable the stream parameter to access the model. ")
    _check_numbers(body, info)
    _check_eyes(messages, info)
    search = _switch(body, "enable_search")
    if search and not info.search:
        raise Problem("This model does not support enable_search.")
    thinking = _thinking(body, info)
    translation = _translation(body.get("translation_options"), messages, info)
    if translation is None:
        _check_order(messages)
    most, stop = body.get("max_tokens"), _stop(body.get("stop"))
    return Asked(info, messages, native, stream, search, thinking, most, stop, translation)


def _model(id: object) -> ModelInfo:
    if not isinstance(id, str) or not id:
        raise Problem("you must provide a model parameter", code=None)
    if not any(base in SERVED for base in base_ids(id)):
        raise Problem(
            f"The model `{id}` does not exist or you do not have access to it.", status=404, code="model_not_found"
        )
    return _CATALOGUE.info(id)


def _switch(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Problem(f"'{name}' must be Boolean")
    return value


def _thinking(body: Mapping[str, Any], info: ModelInfo) -> bool:
    if "enable_thinking" not in body:
        return bool(info.reasoning)
    if not info.thinking:
        raise Problem("This model does not support enable_thinking.")
    return _switch(body, "enable_thinking")


# ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_numbers(body: Mapping[str, Any], info: ModelInfo) -> None:
    most = info.max_output or 8192
    _check_float(body, "temperature", lambda x: 0 <= x < 2, "[0.0, 2.0)")
    _check_float(body, "top_p", lambda x: 0 < x <= 1, "(0.0, 1.0]")
    _check_float(body, "presence_penalty", lambda x: -2 <= x <= 2, "[-2.0, 2.0]")
    _check_int(body, "max_tokens", 1, most)
    _check_int(body, "seed", 0, 2**64 - 1)


def _check_float(body: Mapping[str, Any], name: str, inside: Callable[[float], bool], words: str) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Problem(f"'{name}' must be Float")
    if not inside(value):
        raise Problem(f"Range of {name} should be {words}")


def _check_int(body: Mapping[str, Any], name: str, least: int, most: int) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise Problem(f"'{name}' must be Integer")
    if not least <= value <= most:
        raise Problem(f"Range of {name} should be [{least}, {most}]")


def _stop(value: object) -> tuple[str, ...]:
    """The strings to stop at; token ids are taken and not used, since the sandbox has no tokenizer."""
    if value is None:
        return ()
    each = [value] if isinstance(value, str) else value
    if not isinstance(each, list):
        raise Problem("'stop' must be String or Array")
    texts = tuple(one for one in each if isinstance(one, str) and one)
    ids = [one for one in each if isinstance(one, int) and not isinstance(one, bool)]
    if len(texts) + len(ids) < len(each) or (texts and ids):
        raise Problem("'stop' must be an array of strings or an array of token ids")
    return texts


def _translation(options: object, messages: tuple[Said, ...], info: ModelInfo) -> tuple[str, str] | None:
    if not info.translation:
        if options is not None:
            raise Problem("translation_options is only supported by qwen-mt models")
        return None
    if any(said.role not in ("user", "assistant") for said in messages):
        raise Problem("Role must be in [user, assistant].")
    if len(messages) != 1 or messages[0].role != "user":
        raise Problem("Translation models take exactly one message, and its role is user")
    if not isinstance(options, dict) or not options.get("target_lang"):
        raise Problem("translation_options.target_lang is required")
    source, target = options.get("source_lang"), options["target_lang"]
    if source not in ENGLISH or target not in ENGLISH:
        raise Problem("Current language settings are not supported!")
    return source, target


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _messages(value: object) -> tuple[Said, ...]:
    if not isinstance(value, list) or not value:
        raise Problem("[] is too short - 'messages'")
    return tuple(_said(number, message) for number, message in enumerate(value))


def _said(number: int, message: object) -> Said:
    if not isinstance(message, dict):
        raise Problem(f"'messages.{number}' must be Object")
    role, content = message.get("role"), message.get("content")
    if role not in ("system", "user", "assistant"):
        raise Problem(f"{role!r} is not one of ['system', 'assistant', 'user'] - 'messages.{number}.role'")
    if isinstance(content, str):
        said = Said(role, content)
    elif isinstance(content, list):
        said = _parts(role, content)
    else:
        raise Problem("The content field is a required field.")
    if role == "user" and not (said.text.strip() or said.images or said.frames or said.video):
        raise Problem("The content field is a required field.")
    return said


def _parts(role: str, parts: list[Any]) -> Said:
    texts: list[str] = []
    images: list[str] = []
    frames: tuple[str, ...] = ()
    video: str | None = None
    for part in parts:
        match part:
            case {"text": str(text)}:
                texts.append(text)
            case {"type": "image_url", "image_url": {"url": str(url)}} | {"image": str(url)}:
                images.append(_url(url))
            case {"video": list(urls)}:
                frames = tuple(_url(url) for url in urls)
                if not _FRAMES[0] <= len(frames) <= _FRAMES[1]:
                    raise Problem(f"Range of video frames should be [{_FRAMES[0]}, {_FRAMES[1]}]")
            case {"video": str(url)}:
                video = _url(url)
            case _:
                raise Problem("Input should be a 'text', an 'image_url' or a 'video' part")
    return Said(role, "\n".join(texts), tuple(images), frames, video)


def _url(url: object) -> str:
    if not isinstance(url, str) or not url.startswith(("http://", "https://", "data:")):
        raise Problem("The provided URL does not appear to be valid. Ensure it is correctly formatted.")
    if len(url) > _LONGEST_URL:
        raise Problem("Multimodal file size is too large")
    return url


def _check_eyes(messages: tuple[Said, ...], info: ModelInfo) -> None:
    seen: tuple[tuple[Literal["image", "video"], bool | None, bool], ...] = (
        ("image", info.image, any(said.images for said in messages)),
        ("video", info.frames, any(said.frames for said in messages)),
        ("video", info.video, any(said.video for said in messages)),
    )
    for what, able, asked in seen:
        if asked and not able:
            raise Problem(f"This model does not support {what} input.")


def _check_order(messages: tuple[Said, ...]) -> None:
    roles = [said.role for said in messages]
    if "system" in roles[1:]:
        raise Problem("System message must be at the beginning.")
    talk = roles[1:] if roles[0] == "system" else roles
    if not talk or talk[-1] != "user":
        raise Problem("Role of the last message must be user")
    if any(one == other for one, other in itertools.pairwise(talk)):
        raise Problem("User and assistant need to appear alternately in the message")
