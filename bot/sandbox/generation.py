"""Generation: an answer of the sandbox as a gateway sends it: token by token, with its usage, in the contract's
shapes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.gateways.tokens import PER_ANSWER, PER_MESSAGE, estimate, frames_tokens, image_tokens
from bot.sandbox.answers import answer
from bot.sandbox.pictures import Picture
from bot.sandbox.rules import Asked, Problem

__all__ = ["Generation", "generate"]

_SEARCH_TOKENS = 745  # what a search puts into the prompt
_VIDEO_TOKENS = 1440  # of a video file, which the sandbox doesn't open
_UNSEEN = (1280, 720)  # pixels of a picture on the web, which it doesn't open either
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_TOKEN = re.compile(rf" ?[^\W\d_{_CJK}]+|[{_CJK}]{{1,2}}|\s+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer: its tokens, how it ends, and how many tokens went in (`video` of them for a video file)."""

    id: str
    created: int
    asked: Asked
    input: int
    video: int
    reasoning: tuple[str, ...]
    tokens: tuple[str, ...]
    finish: str

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def output(self) -> int:
        return len(self.reasoning) + len(self.tokens)

    def deltas(self) -> Iterator[dict[str, object]]:
        """One for each token; of a cumulative model each holds all the text so far."""
        for token in self.reasoning:
            yield {"content": None, "reasoning_content": token}
        text = ""
        for token in self.tokens:
            text = text + token if self.asked.info.cumulative else token
            yield {"content": text}

    def last_delta(self) -> dict[str, object]:
        return {"content": self.text if self.asked.info.cumulative else ""}

    def chunk(self, delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.asked.info.id,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    def usage_chunk(self) -> dict[str, object]:
        return {**self.chunk({}), "choices": [], "usage": self._usage()}

    def body(self) -> dict[str, object]:
        """The answer in one piece."""
        if self.asked.native:
            return self._native_body()
        message: dict[str, object] = {"role": "assistant", "content": self.text}
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.asked.info.id,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish}],
            "usage": self._usage(),
        }

    def _native_body(self) -> dict[str, object]:
        message = {"role": "assistant", "content": [{"text": self.text}]}
        video = {"video_tokens": self.video} if self.video else {}
        return {
            "output": {"choices": [{"finish_reason": self.finish, "message": message}]},
            "usage": {"output_tokens": self.output, **video, "input_tokens": self.input},
            "request_id": self.id.removeprefix("chatcmpl-"),
        }

    def _usage(self) -> dict[str, object]:
        usage: dict[str, object] = {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
        }
        if self.asked.search:
            usage["prompt_tokens_details"] = {"cached_tokens": 0}
        if self.reasoning:
            usage["completion_tokens_details"] = {"reasoning_tokens": len(self.reasoning)}
        return usage


def generate(asked: Asked, pictures: Mapping[str, Picture], now: int) -> Generation:
    """Answer a request; `pictures` by URL, `now` in UTC milliseconds. Raises Problem if there is too much to read."""
    text = sum(PER_MESSAGE + estimate(said.text) for said in asked.messages) + PER_ANSWER
    _check_length(asked, text)
    video = _VIDEO_TOKENS if any(said.video for said in asked.messages) else 0
    said = answer(asked, pictures, now)
    tokens, finish = _limited(said.text, asked)
    return Generation(
        id=f"chatcmpl-{uuid.uuid4()}",
        created=now // 1000,
        asked=asked,
        input=text + video + sum(_seen_tokens(asked, pictures)) + (_SEARCH_TOKENS if asked.search else 0),
        video=video,
        reasoning=tuple(_TOKEN.findall(said.reasoning)),
        tokens=tokens,
        finish=finish,
    )


def _limited(text: str, asked: Asked) -> tuple[tuple[str, ...], str]:
    """The answer's tokens, cut where `stop` or `max_tokens` says, and the reason why it ends."""
    for stop in asked.stop:
        text = text.partition(stop)[0]
    tokens = tuple(_TOKEN.findall(text))
    most = asked.max_tokens or asked.info.max_output or len(tokens)
    return (tokens[:most], "length") if len(tokens) > most else (tokens, "stop")


def _check_length(asked: Asked, tokens: int) -> None:
    context, output = asked.info.context, asked.info.max_output
    if context is None:
        return
    most = max(context - (output or 0), context // 2)
    if tokens > most:
        raise Problem(f"Range of input length should be [1, {most}]")


def _seen_tokens(asked: Asked, pictures: Mapping[str, Picture]) -> Iterator[int]:
    for said in asked.messages:
        for url in said.images:
            yield image_tokens(*_size(pictures[url]))
        if said.frames:
            yield frames_tokens(*_size(pictures[said.frames[0]]), len(said.frames))


def _size(picture: Picture) -> tuple[int, int]:
    return (picture.width, picture.height) if picture.format else _UNSEEN
