"""The chat API's parameters: what a person may type for each, and what a model takes.

Everything refused here is an InvalidRequest that names the bound and what was got.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot.errors import InvalidRequest
from bot.gateways.catalogue import able
from bot.types import Json, ModelInfo, Text

__all__ = ["PARAMETERS", "Parameter", "resolve"]

_MOST_OUTPUT = 2**31 - 1  # tokens, where a model's own bound is not known


@dataclass(frozen=True, slots=True)
class Parameter:
    """`label` is its name for people. `parse` takes what they type; `check` returns the value if a model takes it. Both
    raise InvalidRequest."""

    name: str
    label: Text
    example: str
    hint: Text
    parse: Callable[[str], Json]
    check: Callable[[Json, ModelInfo], Json]
    aliases: tuple[str, ...] = ()


def resolve(name: str) -> Parameter:
    """A parameter by its name or an alias, in any spelling: "Top-P", "search", "温度"."""
    asked = _plain(name).lower().replace("-", "_").replace(" ", "_")
    for parameter in PARAMETERS.values():
        if asked in (parameter.name, *parameter.aliases):
            return parameter
    raise InvalidRequest("{got} is not a setting. Settings: {names}", got=_shown(name), names=list(PARAMETERS))


# ── what people type ────────────────────────────────────────────────────────────────────────────────────────────────

_ON = re.compile("on|true|yes|y|1|enabled?|开|开启|打开|启用|是|真|有|要|開|開啟|打開|啟用")
_OFF = re.compile("off|false|no|n|0|disabled?|关|关闭|关掉|停用|禁用|否|假|无|不|不要|關|關閉|關掉")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»", "＂": "＂"}
_BETWEEN = ",，、;；"
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _plain(words: str) -> str:
    """Full-width digits, letters and signs as plain ones."""
    return unicodedata.normalize("NFKC", words).replace("−", "-").replace("–", "-").strip()


def _parse_switch(name: str, words: str) -> bool:
    said = _plain(words).lower()
    if _ON.fullmatch(said):
        return True
    if _OFF.fullmatch(said):
        return False
    raise InvalidRequest("{name} must be on or off, got {got}", name=name, got=_shown(words))


def _parse_float(name: str, example: str, words: str) -> float:
    said = _plain(words).replace("。", ".")
    if said.count(",") == 1 and "." not in said:
        said = said.replace(",", ".")  # 0,7 as half of Europe writes it
    if not re.fullmatch(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})(e[+-]?\d{1,3})?", said, re.ASCII | re.IGNORECASE):
        raise InvalidRequest(
            "{name} must be a number such as {example}, got {got}", name=name, example=example, got=_shown(words)
        )
    return float(said)


def _parse_int(name: str, example: str, words: str) -> int:
    said = _plain(words)
    if re.fullmatch(r"[+-]?\d{1,3}([ ,_]\d{3})+", said, re.ASCII):
        said = re.sub(r"[ ,_]", "", said)  # 8,192
    if not re.fullmatch(r"[+-]?\d{1,40}", said, re.ASCII):
        raise InvalidRequest(
            "{name} must be a whole number such as {example}, got {got}", name=name, example=example, got=_shown(words)
        )
    return int(said)


def _parse_stop(words: str) -> Json:
    """Strings, in quotes or bare, or bare token ids; one string alone stays a string."""
    found = _json_list(words) or _stop_words(words)
    kinds = {isinstance(each, str) for each in found}
    if len(kinds) > 1:
        raise _mixed(found)
    if not found:
        raise InvalidRequest('stop must be a text such as "END", or token ids such as 123 456')
    return found[0] if len(found) == 1 and isinstance(found[0], str) else found


def _json_list(words: str) -> list[Json]:
    try:
        found = json.loads(words)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _stop_words(words: str) -> list[Json]:
    found: list[Json] = []
    at = 0
    while at < len(words):
        sign = words[at]
        if sign.isspace() or sign in _BETWEEN:
            at += 1
        elif sign in _QUOTES:
            text, at = _quoted(words, at)
            found.append(text)
        else:  # a bare word or token id
            end = at
            while end < len(words) and not words[end].isspace() and words[end] not in _BETWEEN:
                end += 1
            bare = words[at:end]
            number = _plain(bare)
            found.append(int(number) if re.fullmatch(r"[+-]?\d{1,19}", number, re.ASCII) else bare)
            at = end
    return found


def _quoted(words: str, at: int) -> tuple[str, int]:
    """The text of the quote that opens at `at`, and where it goes on behind it."""
    close = _QUOTES[words[at]]
    text = ""
    at += 1
    while at < len(words):
        sign = words[at]
        if sign == "\\" and at + 1 < len(words):
            text += _ESCAPES.get(words[at + 1], words[at + 1])
            at += 2
        elif sign == close or (sign == '"' and close == "”"):
            return text, at + 1
        else:
            text += sign
            at += 1
    raise InvalidRequest("stop has a quote that does not end: {got}", got=_shown(words))


# ── what models take ────────────────────────────────────────────────────────────────────────────────────────────────


def _check_search(value: Json, info: ModelInfo) -> Json:
    if not isinstance(value, bool):
        raise InvalidRequest("{name} must be on or off, got {got}", name="enable_search", got=_shown(value))
    if value and info.search is False:
        raise InvalidRequest(
            "{model} has no web search. Models with search: {models}", model=info.id, models=list(able("search"))
        )
    return value


def _check_thinking(value: Json, info: ModelInfo) -> Json:
    if not isinstance(value, bool):
        raise InvalidRequest("{name} must be on or off, got {got}", name="enable_thinking", got=_shown(value))
    if info.thinking is False:
        raise InvalidRequest("Thinking can't be switched for {model} with this gateway.", model=info.id)
    return value


def _check_max_tokens(value: Json, info: ModelInfo) -> Json:
    tokens = _whole("max_tokens", value)
    high = info.max_output or _MOST_OUTPUT
    if not 1 <= tokens <= high:
        raise InvalidRequest(
            "max_tokens for {model} is {low}–{high}, got {got}", model=info.id, low=1, high=high, got=_shown(value)
        )
    return tokens


def _check_seed(value: Json, info: ModelInfo) -> Json:  # noqa: ARG001 - the same for every model
    seed = _whole("seed", value)
    if not 0 <= seed < 2**64:
        raise InvalidRequest(
            "seed must be a whole number from 0 to {high}, got {got}", high=2**64 - 1, got=_shown(value)
        )
    return seed


def _check_temperature(value: Json, info: ModelInfo) -> Json:  # noqa: ARG001
    number = _number("temperature", value)
    if not 0 <= number < 2:
        raise InvalidRequest("temperature must be at least 0 and below 2, got {got}", got=_shown(value))
    return number


def _check_top_p(value: Json, info: ModelInfo) -> Json:  # noqa: ARG001
    number = _number("top_p", value)
    if not 0 < number <= 1:
        raise InvalidRequest("top_p must be above 0 and at most 1, got {got}", got=_shown(value))
    return number


def _check_presence_penalty(value: Json, info: ModelInfo) -> Json:  # noqa: ARG001
    number = _number("presence_penalty", value)
    if not -2 <= number <= 2:
        raise InvalidRequest("presence_penalty must be from -2 to 2, got {got}", got=_shown(value))
    return number


def _check_stop(value: Json, info: ModelInfo) -> Json:  # noqa: ARG001
    each = [value] if isinstance(value, str) else value
    if not isinstance(each, list) or not each:
        raise InvalidRequest("stop must be a text or a list, got {got}", got=_shown(value))
    texts = [one for one in each if isinstance(one, str)]
    ids = [one for one in each if isinstance(one, int) and not isinstance(one, bool)]
    if texts and ids:
        raise _mixed(value)
    if len(texts) + len(ids) < len(each):
        raise InvalidRequest("stop must be all strings or all token ids, got {got}", got=_shown(value))
    if "" in texts:
        raise InvalidRequest("stop must not have an empty text")
    if any(not 0 <= one <= _MOST_OUTPUT for one in ids):
        raise InvalidRequest(
            "a token id in stop must be from 0 to {high}, got {got}", high=_MOST_OUTPUT, got=_shown(value)
        )
    return value


def _mixed(value: Json) -> InvalidRequest:
    return InvalidRequest("stop must be all strings or all token ids, not both; got {got}", got=_shown(value))


def _whole(name: str, value: Json) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest("{name} must be a whole number, got {got}", name=name, got=_shown(value))
    return value


def _number(name: str, value: Json) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise InvalidRequest("{name} must be a number, got {got}", name=name, got=_shown(value))
    return value


def _is_finite(value: int | float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _shown(value: Json) -> str:
    """What was got, short enough for an error."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = (
        value
        if isinstance(value, str)
        else str(value)
        if isinstance(value, float)
        else json.dumps(value, ensure_ascii=False)
    )
    return text if len(text) <= 60 else text[:59] + "…"


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        each.name: each
        for each in (
            Parameter(
                "enable_search",
                Text("Web search"),
                "on",
                Text("Let the model look things up on the web: on or off. It may take more tokens."),
                lambda words: _parse_switch("enable_search", words),
                _check_search,
                ("search", "web_search", "online", "联网", "搜索", "联网搜索", "聯網", "搜尋"),
            ),
            Parameter(
                "enable_thinking",
                Text("Thinking"),
                "on",
                Text("Have the model think before it answers: on or off. It takes longer, and thoughts are paid for."),
                lambda words: _parse_switch("enable_thinking", words),
                _check_thinking,
                ("think", "thinking", "思考", "深度思考"),
            ),
            Parameter(
                "max_tokens",
                Text("Longest answer"),
                "800",
                Text("The longest an answer may be, in tokens."),
                lambda words: _parse_int("max_tokens", "800", words),
                _check_max_tokens,
                ("maxtokens", "max", "length", "max_completion_tokens", "长度", "最大长度", "字数"),
            ),
            Parameter(
                "temperature",
                Text("Temperature"),
                "0.7",
                Text("How free the model is: from 0 (most exact) to below 2. Set this or top_p, not both."),
                lambda words: _parse_float("temperature", "0.7", words),
                _check_temperature,
                ("temp", "温度", "溫度"),
            ),
            Parameter(
                "top_p",
                Text("Top-p"),
                "0.8",
                Text("From how many words the model picks: above 0, to 1. Set this or temperature, not both."),
                lambda words: _parse_float("top_p", "0.8", words),
                _check_top_p,
                ("topp", "nucleus", "核采样"),
            ),
            Parameter(
                "seed",
                Text("Seed"),
                "42",
                Text("With the same seed the same question tends to get the same answer."),
                lambda words: _parse_int("seed", "42", words),
                _check_seed,
                ("种子", "随机种子", "種子"),
            ),
            Parameter(
                "presence_penalty",
                Text("Presence penalty"),
                "0.5",
                Text("From -2 to 2: above 0 the model repeats itself less, below 0 more."),
                lambda words: _parse_float("presence_penalty", "0.5", words),
                _check_presence_penalty,
                ("presence", "penalty", "重复度", "重复惩罚"),
            ),
            Parameter(
                "stop",
                Text("Stop texts"),
                '"END"',
                Text("Where the answer ends: one or more texts in quotes, or token ids such as 123 456."),
                _parse_stop,
                _check_stop,
                ("stops", "stop_words", "停止", "停止词"),
            ),
        )
    }
)
