"""Amounts: numbers in what a gateway says: how much it takes, how much it was sent, how long to wait."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.gateways.chat_api.envelope import Said

__all__ = ["LEAST", "bound", "input_bound", "sent", "wait"]

LEAST = 128  # tokens; no model takes fewer, so a smaller number is about something else

_NUMBER = r"(\d{1,12})\b(?!\.\d)"
_RANGE = re.compile(rf"[\[(]\s*\d{{1,12}}\s*[,~\-]\s*{_NUMBER}\s*[\])]")  # "[1, 8192]"
_LESS = re.compile(rf"\(\s*\d{{1,12}} ?> ?{_NUMBER} ?- ?{_NUMBER}")  # vLLM: "(5000 > 4096-20)"
_SUM = re.compile(rf"{_NUMBER} ?\+ ?{_NUMBER} ?> ?{_NUMBER}")  # Anthropic: "188240 + 21333 > 200000"
_OVER = re.compile(rf"(\d{{1,12}})(?: tokens?)? ?> ?{_NUMBER}")  # Anthropic: "210000 tokens > 200000 maximum"
_BOUND = re.compile(
    r"(?:maximum|at most|\blimit|no more than|up to|exceeds?|exceeded|less than|max (?:\w+ )?tokens|max_\w*len\w*"
    r"|allowed|context (?:size|length|window)|longer than|greater than|larger than|length of only"
    r"|不(?:能|得)?超过|最大|上限|<=|≤)"
    rf"(?:(?! by )[^\d]){{0,60}}?{_NUMBER}"
)
_BEFORE = re.compile(rf"{_NUMBER} (?:tokens? )?(?:maximum|context (?:length|limit|window))")  # Mistral
_CODE = re.compile(r"exceeds limit \(\d{4}\)")  # MiniMax: the number of the error, "(2013)"
_SENT = re.compile(
    r"(?:resulted in|requested(?: about| a total of)?|contains(?: at least)?|given:|has|received|you passed|got"
    r"|token count(?: of)?|prompt_tokens|request|prompt(?: tokens)?|too long:|input"
    r"|(?<!maximum )(?:input|prompt|current) length(?: is)?)"
    rf"[ (:]{{1,3}}{_NUMBER}"
)
_MESSAGES = re.compile(
    rf"{_NUMBER} (?:of text input|(?:tokens )?(?:in|from) (?:the|your) (?:input )?(?:messages?|prompt))"
)
_SENT_FIELDS = ("n_prompt_tokens", "prompt_tokens", "input_tokens", "requested_tokens")
_BOUND_FIELDS = ("n_ctx", "max_context_length", "context_length", "max_tokens_limit", "max_input_tokens", "token_limit")

_AGAIN = re.compile(
    r"(?:again|retry|wait|reset\w*)\D{0,24}?((?:\d{1,6}(?:\.\d{1,9})?\s*"
    r"(?:ms|millisec\w*|d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![a-z])[,\s]*)+)"
)
_LATER = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)\s*(毫秒|秒|分钟?|小时|天)[钟]?(?:之?后|以?后)")
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)\s*([a-z]+)")
_SECONDS = {"毫秒": 0.001, "秒": 1, "分": 60, "分钟": 60, "小时": 3600, "天": 86_400}


def bound(said: Said, name: str) -> int | None:
    """The upper bound that an error tells for a parameter: "[1, 8192]", "at most 4096", "(5000 > 4096-20)"."""
    if not name.startswith("max_"):
        return int(found[1]) if (found := _RANGE.search(said.words)) else None
    if found := _LESS.search(said.words):
        return max(int(found[1]) - int(found[2]), 1)
    if found := _OVER.search(said.words):
        return int(found[2])
    found = _RANGE.search(said.words) or _BOUND.search(said.words)
    return int(found[1]) if found else None


def input_bound(said: Said) -> int | None:
    """How many tokens of input the model takes: the least that can be meant, less what is kept for the answer."""
    words = _CODE.sub("", said.words)
    if found := _SUM.search(words):
        return _believed([int(found[3]) - int(found[2])])
    told = [said.fields[name] for name in _BOUND_FIELDS if name in said.fields]
    if not told and (found := _OVER.search(words)):
        told = [int(found[2])]
    sizes = told or [
        int(each[1]) for each in (*_RANGE.finditer(words), *_BEFORE.finditer(words), *_BOUND.finditer(words))
    ]
    return _believed(sizes)


def sent(said: Said) -> int | None:
    """How many tokens of input it counted, if it says so."""
    for name in _SENT_FIELDS:
        if name in said.fields:
            return said.fields[name]
    found = _SUM.search(said.words) or _MESSAGES.search(said.words) or _OVER.search(said.words)
    found = found or _SENT.search(said.words)
    return _believed([int(found[1])]) if found else None


def _believed(sizes: Iterable[int]) -> int | None:
    return min((size for size in sizes if size >= LEAST), default=None)


def wait(words: str) -> float | None:
    """Seconds: "try again in 7m12s", "retry after 2 min", "请 30 秒后重试"."""
    if found := _LATER.search(words):
        return float(found[1]) * _SECONDS[found[2]]
    if not (found := _AGAIN.search(words)):
        return None
    return sum(float(count) * _unit(name) for count, name in _SPAN.findall(found[1]))


def _unit(name: str) -> float:
    if name.startswith(("ms", "mil")):
        return 0.001
    return {"d": 86_400.0, "h": 3600.0, "m": 60.0}.get(name[0], 1.0)
