"""What a gateway said when it did not answer, as one of our errors: from status, headers and body, by a table.

Gateways share neither statuses nor shapes nor words (an error may come with HTTP 200, as plain text, in Chinese): the
words count first, the status last.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime

from bot.chat_api.envelope import Said, is_error, number, read, redact
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

_WAIT = 86_400.0  # seconds, the longest that is believed


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
    said = read(status, headers, body, model, secrets)
    for pattern, make in _WORDS:
        if not said.html and pattern.search(said.words) and (error := make(said)) is not None:
            return error
    return _by_status(said)


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


def _simple(kind: type[GatewayError]) -> _Make:
    return lambda said: kind(status=said.status, detail=said.detail)


def _parameter(name: str) -> _Make:
    return lambda said: BadParameter(name, limit=_limit(said.words), status=said.status, detail=said.detail)


def _media(said: Said) -> GatewayError:
    return GatewayError(
        "The model's service could not load the picture or video. Please send it again.",
        status=said.status,
        detail=said.detail,
    )


def _too_long(said: Said) -> GatewayError:
    return TooLong(limit=_limit(said.words), status=said.status, detail=said.detail)


def _rate(said: Said) -> GatewayError:
    after = retry_after(said.headers)
    if after is None and (found := _AGAIN.search(said.words)):
        after = float(found[1]) / (1000 if found[2].startswith("m") and found[2] != "min" else 1)
        after *= 60 if found[2] == "min" else 1
    return RateLimited(after=after, status=said.status, detail=said.detail)


def _tokens_per_minute(said: Said) -> GatewayError:
    after = retry_after(said.headers)
    return RateLimited(after=60.0 if after is None else after, status=said.status, detail=said.detail)


def _quota(said: Said) -> GatewayError:
    """The same words are a budget per minute on DashScope (429), and an empty account elsewhere."""
    return _tokens_per_minute(said) if said.status == 429 else NoMoney(status=said.status, detail=said.detail)


def _model(said: Said) -> GatewayError:
    return UnknownModel(said.model, status=said.status, detail=said.detail)


def _other_parameter(said: Said) -> GatewayError | None:
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
    r"|(?:maximum|at most|limit|no more than|up to|不超过|最大|上限|<=|≤)[^\d\[(]{0,60}?(\d{1,12})\b"
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
        (r"enable_thinking|不支持.{0,10}思考", _parameter("enable_thinking")),
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
            r"|model\.accessdenied|not a valid model|unsupported model|\bchannel:[a-z]",
            _model,
        ),
        (r"empty_response|bad_response|internal.?(?:server.?)?error|service unavailable|upstream", _simple(Upstream)),
        (r"invalid|range of|should be|must be|unsupported|unrecogni[sz]ed|not permitted|参数", _other_parameter),
    )
)


def _address(said: Said) -> GatewayError:
    return GatewayError(
        "At this address there is no chat API. The admin has to check CHAT_API_URL.",
        status=said.status,
        detail=said.detail,
    )


def _by_status(said: Said) -> GatewayError:
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
