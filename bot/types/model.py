"""Requests and answers of models: what the chat API is asked, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from bot.types.chat import Json
from bot.types.turn import Translation

if TYPE_CHECKING:
    from bot.types.money import BalanceReading, Price, Usage

__all__ = [
    "Delta",
    "Finish",
    "FramesPart",
    "ImagePart",
    "ModelInfo",
    "ModelRequest",
    "Part",
    "PromptMessage",
    "Supposition",
    "TextPart",
    "VideoPart",
]


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """`url` is http(s) or a data: URL. `tokens` is what it will cost, for the budget."""

    url: str
    tokens: int = 1280


@dataclass(frozen=True, slots=True)
class FramesPart:
    """A video as 4 or more pictures, in order."""

    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VideoPart:
    """A video file by URL: makes the request a native one, which is not streamed."""

    url: str


Part = TextPart | ImagePart | FramesPart | VideoPart


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """`content` is a string unless there is something to see in it."""

    role: Literal["system", "user", "assistant"]
    content: str | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Supposition:
    """What would explain a refusal, as a fact about a model: "m1/system" is False, "m1/prompt" is 900. That a request
    which is made under it gets an answer shows that it is so. `size`: tokens of the prompt that was refused; `guessed`:
    nothing that the gateway said leads to it."""

    name: str
    value: Json
    size: int = 0
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to the chat API in the seeds' terms. `parameters` holds any of: enable_search, max_tokens, temperature,
    top_p, seed, presence_penalty, stop."""

    model: str
    messages: tuple[PromptMessage, ...]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    translation: Translation | None = None
    supposed: tuple[Supposition, ...] = ()


class Finish(StrEnum):
    """How an answer ended, in our words."""

    WHOLE = "whole"  # stop, or null with a proper end
    LENGTH = "length"  # max_tokens reached: a part
    FILTER = "filter"  # the policy cut it: a part
    CUT = "cut"  # the stream ended without an end: a part
    TOOL = "tool"  # the model called a tool, and has none: a part


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece of a streamed answer. `text` is always an increment. The last Delta of a stream has `finish`.

    `retract`: all of this answer's text before was reasoning, as has turned out.
    """

    text: str = ""
    reasoning: str = ""
    finish: Finish | None = None
    usage: Usage | None = None
    balance: BalanceReading | None = None
    model: str = ""  # that served
    id: str = ""  # of the answer
    retract: bool = False
    pictures: tuple[str, ...] = ()  # that came: each one's address, "" where it came along itself


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model. An ability is True, False, or None: not known, to be tried once."""

    id: str
    name: str = ""
    family: str = ""
    price: Price | None = None
    date: str = ""  # of its last update, YYYY-MM-DD
    recent: bool = False
    context: int | None = None  # tokens
    max_output: int | None = None  # tokens
    image: bool | None = None
    frames: bool | None = None
    video: bool | None = None
    search: bool | None = None
    translation: bool = False
    reasoning: bool | None = None
    thinking: bool | None = None  # whether it reasons first can be switched
    stream_only: bool = False
    cumulative: bool = False  # each chunk repeats the whole text so far
    listed: bool = False  # in the catalogue, or in the gateway's own list
    system: bool | None = None  # takes messages of the role system
    prompt: int | None = None  # tokens, by our own estimate, beyond which a prompt was refused
