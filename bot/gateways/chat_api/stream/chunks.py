"""Chunk decoder: one JSON object of an answer, as what it says. Whatever may be text and can't be read raises Damaged:
what is not understood is never skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bot.errors import Broken
from bot.gateways.chat_api.stream.finish import reason
from bot.types import Json, Usage

__all__ = ["Chunk", "Damaged", "Piece", "decode", "is_idle", "is_name", "plain_text", "unwrapped"]

Body = Mapping[str, Json]

_NAME = 100  # characters of an id or a model's name
_MOST = 1_000_000_000  # tokens of a call; beyond is a number of no world, and the store has an end too
_DIGITS = re.compile(r"[0-9]{1,10}")
_TEXT_TYPES = {"", "text", "output_text", "text_delta", "input_text", "markdown", "string"}
_THOUGHT_TYPES = {"thinking", "reasoning", "thought", "thinking_delta", "reasoning_text", "summary_text"}
_PICTURE_TYPES = {"image_url", "image", "output_image", "input_image", "image_file", "inline_data"}
_PICTURES = ("image_url", "inline_data", "inlineData", "image")  # fields that only a picture has
_TOOL_TYPES = {"tool_use", "tool_call", "tool_calls", "function_call", "function", "server_tool_use"}
_SILENT_TYPES = {"reference", "citation", "citations", "annotation", "redacted_thinking", "signature", "tool_result"}
# what a gateway says to keep the line open, as a value of these fields, or as a field of its own
_IDLE_FIELDS = ("type", "event", "status", "object", "state", "message")
_IDLE = {
    "ping", "pong", "heartbeat", "keepalive", "keep-alive", "keep_alive", "processing", "queued", "pending", "waiting",
    "in_progress", "running", "starting", "started", "loading", "connected", "open", "warming_up", "thinking",
}  # fmt: skip
_IDLE_ALONE = {"ping", "heartbeat", "keepalive", "keep_alive", "progress", "queue_position"}
# fields of an object that is no chunk, in which there may be text all the same
_TELLING = (
    "content", "text", "delta", "message", "response", "reply", "candidates", "answer", "data", "completion",
    "generated_text", "token", "parts", "output_text", "result", "output", "item", "part", "messages", "value",
)  # fmt: skip
_CONTENT = ("content", "text", "output_text", "parts", "output", "answer", "response")  # where the text is, best first
_REASONING = (
    "reasoning_content", "reasoning", "thinking", "reasoning_text", "thought", "reasoning_details", "thoughts",
    "thinking_content", "thinking_blocks", "think", "reason_content", "chain_of_thought", "cot",
)  # fmt: skip
_WRAPPERS = ("data", "result", "response", "body", "chunk")  # a chunk inside of something that has its own state


class Damaged(Broken):
    """What came is no answer that can be read whole. Asked again once, not more: it is paid for."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one choice adds. `whole`: it is a `message`, which repeats the text so far if there was any."""

    index: int = 0
    text: str = ""
    reasoning: str = ""
    whole: bool = False
    finish: str = ""  # by the gateway's word
    refusal: str = ""
    tool: bool = False
    pictures: tuple[str, ...] = ()  # addresses, data: URLs among them


@dataclass(frozen=True, slots=True)
class Chunk:
    pieces: tuple[Piece, ...] = ()
    usage: Usage | None = None
    model: str = ""
    id: str = ""


def decode(chunk: Body) -> Chunk:
    """A chunk of a stream, or a whole answer of either shape (OpenAI's, DashScope's own). Raises Damaged."""
    if (plain := plain_text(chunk)) is not None:
        return Chunk((Piece(*plain),), None, _name(chunk.get("model")), _name(chunk.get("id")))
    output = _dict(chunk.get("output"))
    choices = _choices(chunk) or _choices(output) or _bare(chunk, output)
    return Chunk(
        tuple(piece for choice in choices for piece in _pieces(choice, chunk, output)),
        _usage_of(chunk, output, choices),
        _name(chunk.get("model")),
        _name(chunk.get("id")) or _name(chunk.get("request_id")),
    )


def unwrapped(payload: dict[str, Json]) -> dict[str, Json]:
    """The chunk inside: {"code": 0, "data": {"choices": [...]}}"""
    if "choices" in payload or "output" in payload:
        return payload
    for name in _WRAPPERS:
        inner = payload.get(name)
        if isinstance(inner, dict) and inner.get("choices"):
            return inner
    return payload


def is_idle(payload: Body) -> bool:
    """Does it only keep the line open? {"status": "processing", "message": "queued"}, {"type": "ping"}"""
    if any(payload.get(name) for name in ("choices", "output", "error", "usage")):
        return False
    said = [value.strip().lower() for name in _IDLE_FIELDS if isinstance(value := payload.get(name), str)]
    return any(value in _IDLE for value in said) or bool(_IDLE_ALONE & payload.keys())


_CHUNK_FIELDS = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"}
_CHOICE_FIELDS = {"index", "delta", "finish_reason", "logprobs"}
_DELTA_FIELDS = {"role", "content"}


def plain_text(chunk: Body) -> tuple[int, str] | None:
    """The choice's index and the text of a chunk that says nothing else, as nearly all do; the rest of this page would
    find the same, and take longer for each token."""
    choices = chunk.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or chunk.get("usage") or not chunk.keys() <= _CHUNK_FIELDS:
        return None
    choice = choices[0]
    if not isinstance(choice, dict) or not choice.keys() <= _CHOICE_FIELDS or choice.get("finish_reason") is not None:
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict) or not delta.keys() <= _DELTA_FIELDS:
        return None
    content = delta.get("content")
    return (_index(choice.get("index")), content) if isinstance(content, str) else None


# ── choices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _choices(body: Body) -> list[Body]:
    """Null for a choice is none, as null for all of them."""
    value = body.get("choices")
    listed = _by_key(value) if isinstance(value, dict) else value
    if not listed:
        return []
    if not isinstance(listed, list) or not all(each is None or isinstance(each, dict) for each in listed):
        raise Damaged(detail="choices that are none")
    return [each for each in listed if isinstance(each, dict)]


def _by_key(value: Body) -> list[Json]:
    """One choice without its list, or several by their indexes: {"0": {...}}."""
    if value and all(map(_DIGITS.fullmatch, value)):
        return [{"index": key, **_dict(choice)} for key, choice in value.items()]
    return [dict(value)]


def _bare(chunk: Body, output: Body) -> list[Body]:
    """No choice: DashScope's `output.text`; or Ollama's own shape, a `message` or `delta` in no choice; or nothing."""
    if isinstance(output.get("text"), str):
        return [output]
    if any(isinstance(chunk.get(name), dict) and "content" in _dict(chunk[name]) for name in ("message", "delta")):
        return [{**chunk, "delta": chunk.get("delta") or chunk.get("message"), "message": None, "index": 0}]
    if any(chunk.get(name) for name in _TELLING):
        raise Damaged(detail=f"a piece of no known shape: {', '.join(sorted(map(str, chunk)))[:200]}")
    return []


def _pieces(choice: Body, chunk: Body, output: Body) -> Iterator[Piece]:
    index = _index(choice.get("index"))
    delta, message = choice.get("delta"), choice.get("message") or _listed_last(choice.get("messages"))
    if isinstance(delta, str):
        delta = {"content": delta}
    ended = _ended(choice, _dict(delta), output, chunk)
    if _dict(message):
        if _dict(delta):
            yield _piece(_dict(delta), index)
        yield _piece(_dict(message), index, whole=True, finish=ended)
        return
    content = _content(_dict(delta))
    beside = {name: choice.get(name) for name in _TELLING if name not in ("delta", "message")}
    body = {**beside, **_dict(delta), "content": content if content is not None else _content(choice)}
    yield _piece(body, index, finish=ended)


def _listed_last(value: Json) -> Json:
    return value[-1] if isinstance(value, list) and value else None


def _content(body: Body) -> Json:
    return next((body[name] for name in _CONTENT if body.get(name)), None)


def _ended(choice: Body, *places: Body) -> str:
    """The reason for the end, by any of its names. vLLM's `stop_reason` beside a `finish_reason` is the word that ended
    it; alone it is Anthropic's."""
    found = next(filter(None, (reason(place.get("finish_reason")) for place in (choice, *places))), "")
    names = ["finishReason", "finish_details", "done_reason"]
    names += [] if "finish_reason" in choice else ["stop_reason", "stopReason"]
    return found or next(filter(None, map(reason, map(choice.get, names))), "")


def _piece(body: Body, index: int, *, whole: bool = False, finish: str = "") -> Piece:
    parts = _Parts()
    parts.read(_content(body))
    if not parts.text and (spoken := _dict(body.get("audio")).get("transcript")):
        parts.read(spoken)
    for name in ("images", "image", "image_url"):
        parts.picture(body.get(name))
    reasoning = _reasoning(body) or "".join(parts.reasoning)
    tool = bool(body.get("tool_calls") or body.get("function_call")) or parts.tool
    refusal = body.get("refusal")
    said = refusal if isinstance(refusal, str) else ""
    text = "".join(parts.text)
    if not (text or reasoning or tool or said or parts.known) and any(map(body.get, _TELLING)):
        raise Damaged(detail=f"a piece of no known shape: {', '.join(name for name in _TELLING if body.get(name))}")
    return Piece(index, text, reasoning, whole, finish, said or "".join(parts.refusal), tool, tuple(parts.pictures))


class _Parts:
    """The content of a message: a text, or a list of parts of several kinds."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.pictures: list[str] = []
        self.tool = False
        self.known = False  # there was a part of a kind that we know, be there anything in it or not

    def read(self, content: Json) -> None:
        if isinstance(content, str):
            self.text.append(content)
        elif isinstance(content, list):
            for part in content:
                self.read(part)
        elif isinstance(content, dict):
            self._part(content)
        elif isinstance(content, int | float) and not isinstance(content, bool):
            self.text.append(str(content))  # a text of digits, through somebody's loose hands
        elif content:
            raise Damaged(detail="content that is no text")

    def picture(self, value: Json) -> None:
        """An address in any of the usual wrappings, or several."""
        if isinstance(value, str) and value:
            self.pictures.append(value)
        elif isinstance(value, list):
            for each in value:
                self.picture(each)
        elif isinstance(value, dict):
            inner = next((found for name in _WRAPPINGS if (found := value.get(name))), None)
            self.picture(inner if inner is not None else "data:")

    def _part(self, part: Body) -> None:
        kind = part.get("type")
        kind = kind.lower() if isinstance(kind, str) else ""
        if kind in _THOUGHT_TYPES or part.get("thought") is True:
            self.reasoning.append(_plain(part.get("thinking") or part.get("text") or part.get("summary")))
        elif kind in _PICTURE_TYPES or any(map(part.get, _PICTURES)):
            self.picture(dict(part))
        elif kind in _TOOL_TYPES:
            self.tool = True
        elif kind == "refusal":
            self.refusal.append(_plain(part.get("refusal") or part.get("text")))
        elif isinstance(text := part.get("text"), str):
            self.text.append(text)
        elif kind not in _SILENT_TYPES:
            self.read(_inside(part, kind))
        self.known = True


_WRAPPINGS = ("image_url", "url", "image", "b64_json", "data", "source", "inline_data", "inlineData", "file_id")


def _inside(part: Body, kind: str) -> Json:
    """The text of a part that has it in another field. Raises Damaged if there is something, and no text."""
    for name in ("content", "value", "text", "parts"):
        if part.get(name):
            return part[name]
    if kind not in _TEXT_TYPES or (any(part.values()) and not kind):
        raise Damaged(detail=f"a part of unknown kind: {kind or ', '.join(map(str, part))[:100]}")
    return None


def _reasoning(body: Body) -> str:
    """Gateways send it in one of these places, or the same in several."""
    for name in _REASONING:
        if text := _plain(body.get(name)):
            return text
    return ""


def _plain(value: Json) -> str:
    """The text in a string, an object or a list of those; what is encrypted has none."""
    if isinstance(value, list):
        return "".join(map(_plain, value))
    if isinstance(value, dict):
        inner = (value.get(name) for name in ("text", "content", "summary", "thinking"))
        return next((text for each in inner if (text := _plain(each))), "")
    return value if isinstance(value, str) else ""


def _index(value: Json) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) else 0


def _dict(value: Json) -> Body:
    return value if isinstance(value, dict) else {}


def is_name(text: str) -> bool:
    """Is it an id that may stand in a log line, a note and a list?"""
    return 0 < len(text) <= _NAME and text.isprintable() and not text.isspace()


def _name(value: Json) -> str:
    """An id or name, fit for a log line and a note: nothing that can't be seen, or turns the direction of writing."""
    return _cleaned(value[: 10 * _NAME]) if isinstance(value, str) else ""


@lru_cache(maxsize=64)
def _cleaned(value: str) -> str:
    text = "".join(filter(str.isprintable, value)).strip()
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


# ── usage ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _usage_of(chunk: Body, output: Body, choices: list[Body]) -> Usage | None:
    """Moonshot has it in the choice, Groq in `x_groq`, Gemini in `usageMetadata`, llama.cpp in `timings`, Ollama at the
    top."""
    places = [chunk, _dict(chunk.get("x_groq")), output]
    for choice in choices:
        places += [choice, _dict(choice.get("delta")), _dict(choice.get("message"))]
    for place in places:
        for name in ("usage", "usageMetadata", "usage_metadata", "timings"):
            if name in place and (usage := _usage(_dict(place[name]))) is not None:
                return usage
    return _usage(chunk) if "eval_count" in chunk else None


def _usage(usage: Body) -> Usage | None:
    """By any of the names. None unless both sides are known; zeros all over are how some say "unknown"."""
    input = _count(usage, "prompt_tokens", "input_tokens", "promptTokenCount", "prompt_n", "prompt_eval_count")
    output = _count(usage, "completion_tokens", "output_tokens", "candidatesTokenCount", "predicted_n", "eval_count")
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
