"""Error bodies: what one says, in any of the shapes that gateways give it, and nothing of it that is secret."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from bot.gateways.chat_api.wire import loads
from bot.types import Json

__all__ = ["Said", "is_error", "number", "of_choice", "read", "redact"]

_DETAIL = 500  # characters


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that is an error.

    `words` are its code, type and message in lower case; `codes` the code, type and status alone (a number that is one
    vendor's by its shape has that shape's name: "base_resp:1039"); `fields` the numbers beside them; `param` what it
    says is wrong: a parameter, or a path into the request; `wait` seconds; `spoken`: it is JSON that says something.
    """

    status: int
    headers: Mapping[str, str]
    words: str
    codes: frozenset[str]
    fields: Mapping[str, int]
    param: str
    wait: float | None
    detail: str
    html: bool
    spoken: bool
    model: str


def read(status: int, headers: Mapping[str, str], body: bytes | str | Json, model: str, secrets: Iterable[str]) -> Said:
    value, raw = _value(body)
    html = raw.lstrip().lower().startswith(("<!doctype", "<html", "<?xml", "<head", "<body"))
    fields = value if isinstance(value, dict) else {}
    inner = _inner(fields)
    codes = [str(each.get(name)) for each in (inner, fields) for name in ("code", "type") if each.get(name)]
    message = _message(value) or ("" if fields else raw)
    detail = " ".join(dict.fromkeys((*codes, message or raw, *_request_id(fields))))
    return Said(
        status=_status(status, [inner.get("code"), fields.get("code"), fields.get("status")]),
        headers={name.lower(): value for name, value in headers.items()},
        words=" ".join((*codes, message))[:4000].lower(),
        codes=frozenset(_codes(fields, inner)),
        fields=dict(_numbers(fields, 0)),
        param=_param(fields, inner),
        wait=_wait(fields),
        detail=redact(detail[: 20 * _DETAIL], secrets)[:_DETAIL],
        html=html,
        spoken=bool(fields) and bool(message),
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


def _codes(fields: Mapping[str, Json], inner: Mapping[str, Json]) -> Iterator[str]:
    for place in (inner, fields):
        for name in ("code", "type", "status", "error_type", "reason"):
            value = place.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
                yield str(value).strip().lower()
    for where, name in (("base_resp", "status_code"), ("header", "code")):
        found = fields.get(where)
        if isinstance(found, dict) and (number := found.get(name)):
            yield f"{where if where == 'base_resp' else 'code'}:{number}"
    for detail in _listed(inner.get("details")):
        if isinstance(reason := detail.get("reason"), str):
            yield reason.lower()
    if number := fields.get("error_code"):
        yield f"error_code:{number}".lower()


def _numbers(fields: Mapping[str, Json], depth: int) -> Iterator[tuple[str, int]]:
    for name, value in fields.items():
        if isinstance(value, dict) and depth < 3:
            yield from _numbers(value, depth + 1)
        elif isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12:
            yield name.lower(), value


def _param(fields: Mapping[str, Json], inner: Mapping[str, Json]) -> str:
    """`param` as OpenAI says it, or the `loc` of FastAPI's list of complaints."""
    param = inner.get("param") or fields.get("param")
    for complaint in _listed(fields.get("detail")) if not param else ():
        if isinstance(place := complaint.get("loc"), list):
            param = ".".join(str(step) for step in place if step not in ("body", "header"))
            break
    return param if isinstance(param, str) and re.fullmatch(r"[\w.\[\]]{1,60}", param) else ""


def _wait(fields: Mapping[str, Json]) -> float | None:
    """google.rpc.RetryInfo: "retryDelay": "34s"."""
    for detail in _listed(_inner(fields).get("details")):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            return number(delay[:-1])
    return None


def _listed(value: Json) -> Iterable[dict[str, Json]]:
    return (each for each in value[:20] if isinstance(each, dict)) if isinstance(value, list) else ()


def _inner(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The object that describes the error, wherever it is."""
    response = fields.get("response")
    places = (fields, response if isinstance(response, dict) else {})
    for place in places:
        for name in ("error", "errors", "header", "base_resp"):
            value = place.get(name) or (of_choice(place) if name == "error" else None)
            if isinstance(value, list) and value:
                value = value[0]
            if isinstance(value, dict):
                nested = value.get("error")
                return nested if isinstance(nested, dict) else value
    return {}


def of_choice(fields: Mapping[str, Json]) -> Json:
    """OpenRouter tells it in the choice that failed (openrouter.ai/docs: Errors, "choices[0].error")."""
    for choice in _listed(fields.get("choices")):
        delta = choice.get("delta")
        if error := choice.get("error") or (delta.get("error") if isinstance(delta, dict) else None):
            return error
    return None


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
    yield from _strings(of_choice(value), depth)


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
