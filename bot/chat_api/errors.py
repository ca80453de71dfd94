"""What a gateway said when it did not answer, as one of our errors: from status, headers and body, by a table.

Gateways share neither statuses nor shapes nor words (an error may come with HTTP 200, as plain text, in Chinese): the
words count first, the status last.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from bot.chat_api.wire import loads
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
from bot.types import Json

__all__ = ["classify", "is_error", "redact", "retry_after"]

_DETAIL = 500  # characters
_WAIT = 86_400.0  # seconds, the longest that is believed


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer that is an error: `words` are its code, type and message in lower case."""

    status: int
    headers: Mapping[str, str]
    words: str
    param: str
    detail: str
    html: bool
    model: str


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes | str | Json,
    *,
    model: str = "",
    secrets: Iterable[str] = (),
) -> GatewayError:
    """Total: any input gives an error of the tree, nothing raises. `model` is what was asked for, `secrets` what must
    not stand in `detail`."""
    said = _said(status, headers, body, model, secrets)
    for pattern, make in _WORDS:
        if not said.html and pattern.search(said.words) and (error := make(said)) is not None:
            return error
    return _by_status(said)


def is_error(payload: Mapping[str, Json], *, event: str = "message") -> bool:
    """Is this JSON an error rather than an answer, or a piece of one?"""
    choices = payload.get("choices")
    if isinstance(choices, list) and choices:
        first = choices[0]
        return bool(payload.get("error")) and isinstance(first, dict) and first.get("finish_reason") == "error"
    if payload.get("output"):
        return False
    if event == "error" or payload.get("error") or payload.get("object") == "error" or payload.get("success") is False:
        return True
    return choices is None and not payload.get("usage") and bool(_message(dict(payload)))


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait, by Retry-After as seconds or as a date (RFC 9110, 10.2.3). `now` is in seconds of Unix time."""
    lower = {name.lower(): value for name, value in headers.items()}
    value = lower.get("retry-after", "").strip()
    seconds = _number(value)
    if seconds is None and (milliseconds := _number(lower.get("retry-after-ms", ""))) is not None:
        seconds = milliseconds / 1000
    if seconds is None and (date := _date(value)) is not None:
        here = _date(lower.get("date", "")) or (time.time() if now is None else now)
        seconds = date - here
    return None if seconds is None else min(max(seconds, 0.0), _WAIT)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the secrets, nor anything else that looks like a key, nor the bytes of a data: URL."""
    for secret in sorted({each for each in secrets if each}, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), secret.replace("/", "\\/")}:
            text = text.replace(form, "***")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


_SECRETS = (
    (re.compile(r"\b(Bearer|Basic)\s+[^\s\"',;<>]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"\b(sk|pk|ak)-[\w*.\-]{4,}", re.IGNORECASE), r"\1-***"),
    (
        re.compile(
            r"((?:api[_-]?key|access[_-]?token|secret|authorization|password)[\"']?\s*[:=]\s*[\"']?)(?!Bearer|Basic)"
            r"[\w\-./+~]{8,}",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    (re.compile(r"(data:[\w/+.\-]*;base64,)[A-Za-z0-9+/=\s]{16,}"), r"\1***"),
)

# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _said(
    status: int, headers: Mapping[str, str], body: bytes | str | Json, model: str, secrets: Iterable[str]
) -> _Said:
    value, raw = _value(body)
    html = raw.lstrip().lower().startswith(("<!doctype", "<html", "<?xml", "<head", "<body"))
    fields = value if isinstance(value, dict) else {}
    inner = _inner(fields)
    codes = [str(each.get(name)) for each in (inner, fields) for name in ("code", "type") if each.get(name)]
    message = _message(value) or ("" if fields else raw)
    detail = " ".join(dict.fromkeys((*codes, message or raw, *_request_id(fields))))
    param = inner.get("param") or fields.get("param")
    return _Said(
        status=_status(status, [inner.get("code"), fields.get("code"), fields.get("status")]),
        headers={name.lower(): value for name, value in headers.items()},
        words=" ".join((*codes, message))[:4000].lower(),
        param=param if isinstance(param, str) and re.fullmatch(r"[\w.\[\]]{1,40}", param) else "",
        detail=redact(detail[: 20 * _DETAIL], secrets)[:_DETAIL],
        html=html,
        model=model,
    )


def _value(body: bytes | str | Json) -> tuple[Json, str]:
    """The body as JSON (None if it is none), and as text."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if not isinstance(body, str):
        if isinstance(body, list):
            body = next((each for each in body if isinstance(each, dict)), None)
        return body, ""
    text = body.strip().removeprefix("\ufeff")
    try:
        value = loads(text) if text[:1] in ("{", "[", '"') else None
    except ValueError:
        value = None
    return _value(value)[0] if isinstance(value, list) else value, text


def _inner(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The object that describes the error, wherever it is."""
    response = fields.get("response")
    places = (fields, response if isinstance(response, dict) else {})
    for place in places:
        for name in ("error", "errors", "header", "base_resp"):
            value = place.get(name)
            if isinstance(value, list) and value:
                value = value[0]
            if isinstance(value, dict):
                nested = value.get("error")
                return nested if isinstance(nested, dict) else value
    return {}


def _message(value: Json) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    return " ".join(dict.fromkeys(_messages(value, 0)))


def _messages(value: Mapping[str, Json], depth: int) -> Iterator[str]:
    for name in ("message", "msg", "err", "error_msg", "error_message", "status_msg", "detail", "error", "errors"):
        yield from _strings(value.get(name), depth)
    for name in ("header", "response", "base_resp", "metadata"):
        if isinstance(inner := value.get(name), dict) and depth < 4:
            yield from _messages(inner, depth + 1)
    if isinstance(raw := value.get("raw"), str) and depth:
        yield raw


def _strings(value: Json, depth: int) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, dict) and depth < 4:
        yield from _messages(value, depth + 1)
    elif isinstance(value, list) and depth < 4:
        for each in value[:5]:
            yield from _strings(each, depth + 1)


def _request_id(fields: Mapping[str, Json]) -> list[str]:
    value = fields.get("request_id") or fields.get("id")
    return [f"({value})"] if isinstance(value, str) else []


def _status(status: int, codes: Iterable[Json]) -> int:
    """A status of success in front of an error says nothing: the body's own code may."""
    if status >= 400:
        return status
    for code in codes:
        found = _number(code) if isinstance(code, str) else code
        if isinstance(found, int | float) and 400 <= found < 600:
            return int(found)
    return status


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


# ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────────────

_Make = Callable[[_Said], GatewayError | None]


def _simple(kind: type[GatewayError]) -> _Make:
    return lambda said: kind(status=said.status, detail=said.detail)


def _parameter(name: str) -> _Make:
    return lambda said: BadParameter(name, limit=_limit(said.words), status=said.status, detail=said.detail)


def _media(said: _Said) -> GatewayError:
    return GatewayError(
        "The model's service could not load the picture or video. Please send it again.",
        status=said.status,
        detail=said.detail,
    )


def _too_long(said: _Said) -> GatewayError:
    return TooLong(limit=_limit(said.words), status=said.status, detail=said.detail)


def _rate(said: _Said) -> GatewayError:
    after = retry_after(said.headers)
    if after is None and (found := _AGAIN.search(said.words)):
        after = float(found[1]) / (1000 if found[2].startswith("m") and found[2] != "min" else 1)
        after *= 60 if found[2] == "min" else 1
    return RateLimited(after=after, status=said.status, detail=said.detail)


def _tokens_per_minute(said: _Said) -> GatewayError:
    after = retry_after(said.headers)
    return RateLimited(after=60.0 if after is None else after, status=said.status, detail=said.detail)


def _quota(said: _Said) -> GatewayError:
    """The same words are a budget per minute on DashScope (429), and an empty account elsewhere."""
    return _tokens_per_minute(said) if said.status == 429 else NoMoney(status=said.status, detail=said.detail)


def _model(said: _Said) -> GatewayError:
    return UnknownModel(said.model, status=said.status, detail=said.detail)


def _other_parameter(said: _Said) -> GatewayError | None:
    """Some parameter is wrong: which one, by `param` or by the words."""
    if said.param and said.param.lower() not in ("none", "null", "messages", "model"):
        return _parameter(said.param)(said)
    found = _NAMES.search(said.words)
    return _parameter(found[1])(said) if found else None


def _limit(words: str) -> int | None:
    """The upper bound that an error tells: "[1, 8192]", "maximum context length is 8192 tokens", "at most 4096"."""
    found = _LIMIT.search(words)
    return int(found[1] or found[2]) if found else None


_LIMIT = re.compile(
    r"[\[(]\s*\d{1,12}\s*[,~\-]\s*(\d{1,12})\s*[\])]"
    r"|(?:maximum|max|most|limit|exceeds?|超过|最大|不超过|<=|≤)[^\d\[(]{0,60}?(\d{1,12})\b"
)
_AGAIN = re.compile(r"(?:again|retry)\D{0,20}?(\d{1,6}(?:\.\d{1,6})?)\s*(ms|min|milliseconds|s\b|sec)")
_NAMES = re.compile(
    r"\b(temperature|top_p|top_k|seed|presence_penalty|frequency_penalty|max_tokens|stop|enable_thinking"
    r"|enable_search|stream_options|translation_options|response_format)\b"
)
_WORDS: tuple[tuple[re.Pattern[str], _Make], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (
            r"failed to download multimodal|multimodal file size|media resource|content-length of multimodal"
            r"|invalid image|image (?:format|size|length)|invalid_image|图片(?:格式|大小|下载)|invalid.{0,20}video",
            _media,
        ),
        (
            r"data_?inspection_?failed|inappropriate content|sensitive_words|prompt_blocked|content_filter"
            r"|content_policy|content management policy|敏感|违规|不合规|不当内容|内容安全|安全审核",
            _simple(Blocked),
        ),
        (r"only (?:support|available in) stream|仅支持流式|只支持流式", _parameter("stream")),
        (r"stream_options|include_usage", _parameter("stream_options")),
        (r"enable_search|not support.{0,30}\bsearch\b|不支持.{0,10}(?:联网|搜索)", _parameter("enable_search")),
        (
            r"range of max_tokens|max_tokens?\b.{0,40}(?:too large|must be|should be|at most|exceed|greater|less)"
            r"|max_completion_tokens|max_tokens.{0,20}(?:超|大于)|at most \d+ completion tokens",
            _parameter("max_tokens"),
        ),
        (
            r"range of input length|context.length|context_length|context window|(?:input|prompt) is too long"
            r"|string_above_max_length|request (?:body|entity).{0,20}too large"
            r"|(?:输入|上下文|文本|内容).{0,10}(?:过长|超长|超过|超出)|tokens?.{0,10}超(?:过|出)",
            _too_long,
        ),
        (
            r"(?:语种|language settings).{0,20}(?:不支持|not support)|不支持.{0,12}语种|unsupported language",
            _parameter("translation_options"),
        ),
        (r"appear alternately|role must be in|roles must alternate", _parameter("messages")),
        (
            r"not (?:currently )?support.{0,40}(?:image|vision|picture|multi-?modal)|unknown variant .?image_url"
            r"|(?:image|vision)[\w ]{0,30}(?:not supported|unsupported)|不支持.{0,10}(?:图片|图像|多模态)"
            r"|image_url.{0,40}(?:only supported|invalid|unexpected)|no endpoints found that support image",
            _parameter("image"),
        ),
        (
            r"not (?:currently )?support.{0,40}video|video[\w ]{0,30}(?:not supported|unsupported)|不支持.{0,10}视频",
            _parameter("video"),
        ),
        (r"allocationquota|allocated quota exceeded", _tokens_per_minute),
        (
            r"arrearage|insufficient_user_quota|insufficient.{0,5}(?:quota|balance|credit|funds)|payment required"
            r"|额度已用尽|(?:余额|额度|配额).{0,5}(?:不足|用尽|耗尽)|欠费|exceeded the current quota|credit balance"
            r"|(?:account|balance).{0,20}(?:overdue|is too low)|billing_not_active|requires more credits",
            _simple(NoMoney),
        ),
        (r"exceeded your current quota", _quota),
        (
            r"invalid.?api.?_?-?key|incorrect api.?_?key|invalid_api_key|no api_?.?key"
            r"|api key.{0,20}(?:invalid|expired)"
            r"|无效的令牌|令牌.{0,8}(?:无效|过期|不存在|禁用)|unauthorized|authentication|未提供令牌|未授权|密钥.{0,5}无效"
            r"|no auth credentials|invalid (?:token|credentials)|(?:token|apikey).{0,10}(?:is invalid|not provided)",
            _simple(BadKey),
        ),
        (
            r"throttling|limit_requests|rate.?limit|request rate increased|exceeded your current requests"
            r"|too many requests|负载已饱和|请求.{0,6}(?:频繁|过多|限流)|限流|overloaded|速率限制|server is busy",
            _rate,
        ),
        (
            r"model_not_found|model[\w\s`'\"./:\-]{0,80}(?:not exist|not found|not supported|unavailable)"
            r"|model not exist|无可用渠道|no available channel|模型.{0,60}(?:不存在|未找到|无权|不支持|已下线)"
            r"|invalid model|unknown model"
            r"|model\.accessdenied|not a valid model|unsupported model",
            _model,
        ),
        (r"empty_response|bad_response|internal.?(?:server.?)?error|service unavailable|upstream", _simple(Upstream)),
        (r"invalid|range of|should be|must be|unsupported|unrecogni[sz]ed|not permitted|参数", _other_parameter),
    )
)


def _address(said: _Said) -> GatewayError:
    return GatewayError(
        "At this address there is no chat API. The admin has to check CHAT_API_URL.",
        status=said.status,
        detail=said.detail,
    )


def _by_status(said: _Said) -> GatewayError:
    match said.status:
        case 401:
            return BadKey(status=401, detail=said.detail)
        case 402:
            return NoMoney(status=402, detail=said.detail)
        case 403:
            return (Upstream if said.html else BadKey)(status=403, detail=said.detail)
        case 413:
            return _too_long(said)
        case 429:
            return _rate(said)
        case 404 | 405:
            return _address(said)
        case 407:
            return Unreachable(status=407, detail=said.detail)
        case status if status == 408 or status >= 500:
            return Upstream(status=status, detail=said.detail)
        case status if status < 400:
            return _address(said) if said.html or status >= 300 else Upstream(status=status, detail=said.detail)
        case status:
            return GatewayError(status=status, detail=said.detail)
