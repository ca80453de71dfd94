"""What an error's body says, in any of the shapes that gateways give it, and nothing of it that is secret."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from bot.chat_api.wire import loads
from bot.types import Json

__all__ = ["Said", "is_error", "number", "read", "redact"]

_DETAIL = 500  # characters


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that is an error: `words` are its code, type and message in lower case."""

    status: int
    headers: Mapping[str, str]
    words: str
    param: str
    detail: str
    html: bool
    model: str


def read(status: int, headers: Mapping[str, str], body: bytes | str | Json, model: str, secrets: Iterable[str]) -> Said:
    value, raw = _value(body)
    html = raw.lstrip().lower().startswith(("<!doctype", "<html", "<?xml", "<head", "<body"))
    fields = value if isinstance(value, dict) else {}
    inner = _inner(fields)
    codes = [str(each.get(name)) for each in (inner, fields) for name in ("code", "type") if each.get(name)]
    message = _message(value) or ("" if fields else raw)
    detail = " ".join(dict.fromkeys((*codes, message or raw, *_request_id(fields))))
    param = inner.get("param") or fields.get("param")
    return Said(
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
        found = number(code) if isinstance(code, str) else code
        if isinstance(found, int | float) and 400 <= found < 600:
            return int(found)
    return status


def number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


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
