"""Error classification: what a gateway said when it did not answer, as one of our errors: from status, headers and
body, by a table.

Gateways share neither statuses nor shapes nor words (an error may come with HTTP 200, as plain text, in Chinese): their
codes and words count first (`data/refusals.toml`), the status last.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.resources import files

from bot.errors import (
    BadKey,
    BadParameter,
    Blocked,
    GatewayError,
    NoMoney,
    RateLimited,
    TooLong,
    UnknownModel,
    Unreachable,
    Upstream,
)
from bot.gateways.chat_api.amounts import bound, input_bound, sent, wait
from bot.gateways.chat_api.envelope import Said, is_error, number, of_choice, read, redact
from bot.types import Json, Text

__all__ = ["classify", "is_error", "of_choice", "redact", "retry_after"]

_WAIT = 86_400.0  # seconds, the longest that is believed


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes | str | Json,
    *,
    model: str = "",
    secrets: Iterable[str] = (),
    answered: bool = False,
) -> GatewayError:
    """Total: any input gives an error of the tree, nothing raises. `model` is what was asked for, `secrets` what must
    not stand in `detail`; `answered`: there have been answers from this address."""
    said = read(status, headers, body, model, secrets)
    for rule in _rules() if not said.html else ():
        if rule.fits(said) and (error := rule.make(said)) is not None:
            return error
    return _by_status(said, answered)


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait, by Retry-After as seconds or as a date (RFC 9110, 10.2.3). `now` is in seconds of Unix time."""
    lower = {name.lower(): value for name, value in headers.items()}
    value = lower.get("retry-after", "").strip()
    seconds = number(value)
    if seconds is None and (milliseconds := number(lower.get("retry-after-ms", ""))) is not None:
        seconds = milliseconds / 1000
    if seconds is None and (date := _date(value)) is not None:
        here = _date(lower.get("date", "")) or (time.time() if now is None else now)
        seconds = date - here
    return None if seconds is None else min(max(seconds, 0.0), _WAIT)


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


# ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────────────

_Make = Callable[[Said], GatewayError | None]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row of the table."""

    codes: frozenset[str]
    words: re.Pattern[str] | None
    beside: frozenset[int]  # statuses with which it doesn't hold
    make: _Make

    def fits(self, said: Said) -> bool:
        if said.status in self.beside:
            return False
        return bool(self.codes & said.codes) or (self.words is not None and bool(self.words.search(said.words)))


@cache
def _rules() -> tuple[_Rule, ...]:
    table = tomllib.loads((files("bot.gateways.chat_api") / "data" / "refusals.toml").read_text(encoding="utf-8"))
    return tuple(
        _Rule(
            frozenset(row.get("codes", ())),
            re.compile("|".join(row["words"])) if "words" in row else None,
            frozenset(row.get("except", ())),
            _parameter(row["name"]) if row["kind"] == "BadParameter" else _MAKERS[row["kind"]],
        )
        for row in table["rule"]
    )


def _simple(kind: type[GatewayError]) -> _Make:
    return lambda said: kind(status=said.status, detail=said.detail)


def _other(words: Text, *, vague: bool = False) -> _Make:
    return lambda said: GatewayError(words.id, status=said.status, detail=said.detail, vague=vague)


def _parameter(name: str) -> _Make:
    return lambda said: BadParameter(name, limit=bound(said, name), status=said.status, detail=said.detail)


def _too_long(said: Said) -> GatewayError:
    return TooLong(limit=input_bound(said), sent=sent(said), status=said.status, detail=said.detail)


def _rate(said: Said) -> GatewayError:
    return RateLimited(after=_after(said), status=said.status, detail=said.detail)


def _per_minute(said: Said) -> GatewayError:
    after = _after(said)
    return RateLimited(after=60.0 if after is None else after, status=said.status, detail=said.detail)


def _quota(said: Said) -> GatewayError:
    """The same words are a budget per minute on DashScope (429), and an empty account elsewhere."""
    return _per_minute(said) if said.status == 429 else NoMoney(status=said.status, detail=said.detail)


def _after(said: Said) -> float | None:
    """Seconds to wait: by the header, else by a field, else by the words."""
    after = retry_after(said.headers)
    if after is None:
        after = wait(said.words) if said.wait is None else said.wait
    return None if after is None else min(max(after, 0.0), _WAIT)


def _model(said: Said) -> GatewayError:
    return UnknownModel(said.model, status=said.status, detail=said.detail)


def _named_parameter(said: Said) -> GatewayError | None:
    """Some parameter is wrong: which one, by `param` or by the words."""
    for step in reversed(re.split(r"[.\[\]]+", said.param)):
        if (name := _snake(step)) in _FIELDS:
            return _parameter(_FIELDS[name])(said)
    found = _NAMES.search(_snake(said.words))
    return _parameter(_FIELDS[found[1]])(said) if found else None


def _snake(words: str) -> str:
    """ "presencePenalty" and "presencepenalty" (what lower case leaves of it) as "presence_penalty"."""
    words = words.lower()
    for name in _FIELDS:
        if "_" in name:
            words = words.replace(name.replace("_", ""), name)
    return words


# the chat API's fields, and what of ours each is about
_FIELDS: Mapping[str, str] = {
    name: name
    for name in (
        *("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "repetition_penalty"),
        *("max_completion_tokens", "max_tokens", "stop", "logprobs", "top_logprobs", "logit_bias", "response_format"),
        *("enable_thinking", "enable_search", "stream_options", "translation_options", "reasoning_effort"),
        *("thinking_budget", "parallel_tool_calls", "tool_choice"),
    )
} | {"role": "system", "image_url": "image", "content": "image"}
_NAMES = re.compile(rf"\b({'|'.join(name for name in _FIELDS if name not in ('role', 'content'))})\b")
_MAKERS: Mapping[str, _Make] = {
    "TooLong": _too_long,
    "Blocked": _simple(Blocked),
    "BadKey": _simple(BadKey),
    "NoMoney": _simple(NoMoney),
    "RateLimited": _rate,
    "UnknownModel": _model,
    "Upstream": _simple(Upstream),
    "parameter": _named_parameter,
    "per_minute": _per_minute,
    "quota": _quota,
    "media": _other(Text("The model's service could not load the picture or video. Please send it again.")),
    "picture_size": _other(
        Text("The picture is too big for the model's service. Please send a smaller one, or a part of it.")
    ),
    "picture_count": _other(
        Text("These are more pictures than the model takes at once. Please send fewer."), vague=True
    ),
    "region": _other(
        Text(
            "The model's service, or this model, is not offered where this bot runs. "
            "Choose another model with /model, or ask the admin."
        )
    ),
    "policy": _other(
        Text(
            "No provider of this model meets the data policy that is set at the model's service. "
            "The admin has to change it there; or choose another model with /model."
        )
    ),
    "unverified": _other(
        Text(
            "The model's service wants the admin's organisation to be verified before it answers with this model. "
            "Choose another model with /model."
        )
    ),
}


def _address(said: Said, *, answered: bool = False) -> GatewayError:
    """A service that says in words of its own that it doesn't know this may mean the model; a page, a path and silence
    know no chat API. Where one has `answered`, the address is right."""
    about_model = said.model and said.spoken and not _PATH.search(said.words)
    if answered:
        return _model(said) if about_model else Upstream(status=said.status, detail=said.detail)
    if not about_model:
        return GatewayError(
            "At this address there is no chat API. The admin has to check CHAT_API_URL.",
            status=said.status,
            detail=said.detail,
        )
    return GatewayError(
        "The model's service knows no model {model}, or no chat API at this address. Choose another model with /model; "
        "where none answers, the admin has to check CHAT_API_URL.",
        status=said.status,
        detail=said.detail,
        model=said.model,
    )


# FastAPI, OpenAI, Kong, Go, Express, nginx: no such path
_PATH = re.compile(
    r"^(?:404 )?(?:not_?found )?(?:\w+ )?not found\.?$|\b(?:url|routes?|path|endpoint)\b"
    r"|page not found|cannot (?:get|post)|method not allowed|unknown request"
    r"|(?:接口|路径|路由|地址).{0,6}(?:不存在|未找到|错误)"
)


def _by_status(said: Said, answered: bool) -> GatewayError:
    match said.status:
        case 401:
            return BadKey(status=401, detail=said.detail)
        case 402:
            return NoMoney(status=402, detail=said.detail)
        case 403:
            return (Upstream if said.html else BadKey)(status=403, detail=said.detail)
        case 413:
            return _too_long(said)
        case 451:
            return Blocked(status=451, detail=said.detail)
        case 429:
            return _rate(said)
        case 529:
            return _rate(said)
        case 404 | 405:
            return _address(said, answered=answered)
        case 407:
            return Unreachable(status=407, detail=said.detail)
        case status if status == 408 or status >= 500:
            return Upstream(status=status, detail=said.detail, vague=status == 500 and said.spoken)
        case status if status < 400:
            elsewhere = said.html or status >= 300
            return _address(said, answered=answered) if elsewhere else Upstream(status=status, detail=said.detail)
        case status:
            return GatewayError(status=status, detail=said.detail, vague=status in (400, 422))
