"""Event payloads: what stands in the data of an event: chunks, one or many, in whatever stands around them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bot.gateways.chat_api.stream.chunks import Damaged
from bot.gateways.chat_api.wire import loads
from bot.types import Json

__all__ = ["DONE", "Odd", "payloads"]

DONE = "[DONE]"
_DECODER = json.JSONDecoder(strict=False)  # a line break or a tab in a string is no reason to lose it

# between two chunks: blanks, the brackets and commas of an array, a field's name (also of a lost line), a comment, null
_AROUND = re.compile(
    r"[\s,\[\];\x1e\ufeff]+|data\s*:|null\b|(?:event|id|retry):(?:(?!data:)[^\n{])*|:(?:(?!data:\s*[\[{])[^\n])*",
    re.IGNORECASE,
)
_DONE = re.compile(r"\[?DONE\]?(?!\w)", re.IGNORECASE)
# said to keep the line open, by gateways that make data of it
_IDLE = re.compile(
    r'"?(?:openrouter processing|processing|ping|pong|heartbeat|keep-?_?alive|connected|ok|waiting|queued)\b"?[.…]*',
    re.IGNORECASE,
)


class Odd(Damaged):
    """Something that is nothing of the above. `telling`: it is half a chunk, with a piece of the answer in it; `quiet`:
    it is half a chunk, and there is none (half of what tells usage)."""

    def __init__(self, rest: str) -> None:
        super().__init__(detail=f"not understood: {rest[:80]!r}")
        half = rest.startswith("{")
        self.telling = half and re.search(r'"(?:content|text|delta|message)"', rest) is not None
        self.quiet = half and not self.telling


def payloads(data: str) -> Iterator[dict[str, Json] | str]:
    """The JSON objects in an event's data, and DONE. Raises Odd at whatever is not understood."""
    if data.startswith("{") and isinstance(whole := _loaded(data), dict):
        yield whole
        return
    at, end = 0, len(data)
    while at < end:
        if found := _DONE.match(data, at):
            yield DONE
            return
        if found := _AROUND.match(data, at) or _IDLE.match(data, at):
            at = found.end()
            continue
        if data[at] not in '{"':
            raise Odd(data[at:])
        try:
            value, at = _DECODER.raw_decode(data, at)
        except (ValueError, RecursionError):
            raise Odd(data[at:]) from None
        if isinstance(value, str):  # made JSON twice over
            yield from _within(value)
        else:
            yield value


def _within(text: str) -> Iterator[dict[str, Json] | str]:
    if text.lstrip()[:1] not in ("{", "["):
        raise Odd(text)
    yield from payloads(text)


def _loaded(data: str) -> Json:
    try:
        return loads(data)
    except ValueError:
        return None
