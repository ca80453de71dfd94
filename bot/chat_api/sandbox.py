"""A stand-in for a gateway: a plain ASGI app that speaks the chat API's contract and needs no account, no key, no net.

It answers POST .../chat/completions, GET .../models and GET /api/account/billing/grants. What it says is in
`sandbox_answers`, what it refuses in `sandbox_rules`.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from bot.chat_api.sandbox_answers import Said, answer
from bot.chat_api.sandbox_pictures import Picture, look
from bot.chat_api.sandbox_rules import SERVED, Asked, Problem, read
from bot.chat_api.tokens import PER_ANSWER, PER_MESSAGE, estimate, frames_tokens, image_tokens
from bot.clock import SystemClock
from bot.money.price import cost
from bot.types import AsgiApp, Clock, Usage

__all__ = ["sandbox"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LARGEST_BODY = 64 * 1024 * 1024  # bytes
_SEARCH_TOKENS = 745  # what a search puts into the prompt
_VIDEO_TOKENS = 1440  # of a video file, which the sandbox doesn't open
_UNSEEN = (1280, 720)  # pixels of a picture on the web, which it doesn't open either
_TOKEN = re.compile(
    r" ?[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{1,2}|\s+|.",
    re.DOTALL,
)


def sandbox(
    *, key: str | None = None, balance: Decimal = Decimal("10"), rate: float = 60.0, clock: Clock | None = None
) -> AsgiApp:
    """The app. Without `key` any key will do, and none; `balance` is in yuan and goes down by the price list; `rate` is
    in tokens per second, 0 for no pacing."""
    return _Sandbox(key, balance, rate, clock or SystemClock())


class _Gone(Exception):
    """The client has closed the connection."""


@dataclass(frozen=True, slots=True)
class _Generation:
    """One answer on its way: its parts, token by token, and how it ends."""

    id: str
    created: int
    asked: Asked
    input: int
    video: int
    reasoning: tuple[str, ...]
    tokens: tuple[str, ...]
    finish: str

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    def usage(self, output: int) -> Usage:
        return Usage(self.input, output)


class _Sandbox:
    def __init__(self, key: str | None, balance: Decimal, rate: float, clock: Clock) -> None:
        self._key = key
        self._balance = balance
        self._rate = rate
        self._clock = clock

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                await self._respond(scope, receive, send)
            except Problem as problem:
                await _send_json(send, problem.status, problem.body)
            except _Gone:
                return  # nobody is left to answer
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _respond(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        path, method = scope["path"], scope["method"]
        if path.endswith("/chat/completions") and method == "POST":
            self._check_key(scope)
            body = await _body(receive)
            if self._balance <= 0:
                raise Problem(
                    "API_KEY exceeded the current quota, please check your plan and billing details...",
                    status=402,
                    code="insufficient_quota",
                    type="insufficient_quota",
                )
            await self._complete(body, receive, send)
        elif path.endswith("/models") and method == "GET":
            self._check_key(scope)
            await _send_json(send, 200, _models(self._clock))
        elif path.endswith("/api/account/billing/grants") and method == "GET":
            self._check_key(scope)
            await _send_json(send, 200, self._grants())
        else:
            raise Problem(f"Invalid URL ({method} {path})", status=404, code=None)

    def _check_key(self, scope: _Scope) -> None:
        sent = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        if self._key is not None and sent != f"Bearer {self._key}":
            raise Problem("Invalid API-KEY", status=401, code=None)

    def _grants(self) -> dict[str, object]:
        data = {
            "total_available": float(round(self._balance, 4)),
            "total_available_currency": "CNY",
            "total_available_currency_symbol": "¥",
        }
        return {"status": "success", "error_message": "", "error_code": None, "data": data}

    async def _complete(self, body: bytes, receive: _Receive, send: _Send) -> None:
        asked = read(_parse(body))
        urls = dict.fromkeys(url for said in asked.messages for url in (*said.images, *said.frames))
        pictures = await asyncio.to_thread(lambda: {url: look(url) for url in urls})
        generation = self._generate(asked, pictures)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await (self._stream if asked.stream else self._whole)(generation, gone, send)
        finally:
            gone.cancel()

    def _generate(self, asked: Asked, pictures: Mapping[str, Picture]) -> _Generation:
        text = sum(PER_MESSAGE + estimate(said.text) for said in asked.messages) + PER_ANSWER
        _check_length(asked, text)
        video = _VIDEO_TOKENS if any(said.video for said in asked.messages) else 0
        seen = sum(_seen_tokens(asked, pictures))
        now = self._clock.now()
        said = answer(asked, pictures, now)
        tokens, finish = _limited(said, asked)
        return _Generation(
            id=f"chatcmpl-{uuid.uuid4()}",
            created=now // 1000,
            asked=asked,
            input=text + video + seen + (_SEARCH_TOKENS if asked.search else 0),
            video=video,
            reasoning=tuple(_TOKEN.findall(said.reasoning)),
            tokens=tokens,
            finish=finish,
        )

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _whole(self, generation: _Generation, gone: asyncio.Future[None], send: _Send) -> None:
        output = len(generation.reasoning) + len(generation.tokens)
        await self._wait(self._clock.monotonic(), output, gone)
        self._charge(generation, output)
        body = _native_body(generation) if generation.asked.native else _json_body(generation)
        await _send_json(send, 200, body, self._balance_header())

    async def _stream(self, generation: _Generation, gone: asyncio.Future[None], send: _Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers + self._balance_header()})
        start = self._clock.monotonic()
        made = 0
        try:
            await _send_event(send, _chunk(generation, {"role": "assistant", "content": ""}))
            for made, delta in enumerate(_deltas(generation), 1):
                await self._wait(start, made, gone)
                await _send_event(send, _chunk(generation, delta))
        finally:
            self._charge(generation, made)  # an answer that was broken off costs what was made of it
        await _send_event(send, _chunk(generation, _last_delta(generation), generation.finish))
        await _send_event(send, _usage_chunk(generation, made))
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _wait(self, start: float, tokens: int, gone: asyncio.Future[None]) -> None:
        """Until so many tokens are due. Counted from the start, so that late ones don't delay the rest."""
        if self._rate > 0:
            due = start + tokens / self._rate - self._clock.monotonic()
            await self._clock.sleep(max(0.0, due))
        if gone.done():
            raise _Gone

    def _charge(self, generation: _Generation, output: int) -> None:
        money = cost(generation.usage(output), generation.asked.info)
        if money is not None:
            self._balance -= money.amount

    def _balance_header(self) -> list[tuple[bytes, bytes]]:
        return [(b"x-account-balance", f"{self._balance:.4f}".encode())]


# ── an answer's tokens ──────────────────────────────────────────────────────────────────────────────────────────────


def _limited(said: Said, asked: Asked) -> tuple[tuple[str, ...], str]:
    """The answer's tokens, cut where `stop` or `max_tokens` says, and the reason why it ends."""
    text = said.text
    for stop in asked.stop:
        text = text.partition(stop)[0]
    tokens = tuple(_TOKEN.findall(text))
    most = asked.max_tokens or asked.info.max_output or len(tokens)
    return (tokens[:most], "length") if len(tokens) > most else (tokens, "stop")


def _check_length(asked: Asked, tokens: int) -> None:
    context, output = asked.info.context, asked.info.max_output
    if context is None:
        return
    most = max(context - (output or 0), context // 2)
    if tokens > most:
        raise Problem(f"Range of input length should be [1, {most}]")


def _seen_tokens(asked: Asked, pictures: Mapping[str, Picture]) -> Iterator[int]:
    for said in asked.messages:
        for url in said.images:
            picture = pictures[url]
            yield image_tokens(*((picture.width, picture.height) if picture.format else _UNSEEN))
        if said.frames:
            first = pictures[said.frames[0]]
            yield frames_tokens(*((first.width, first.height) if first.format else _UNSEEN), len(said.frames))


# ── shapes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _deltas(generation: _Generation) -> Iterator[dict[str, object]]:
    for token in generation.reasoning:
        yield {"content": None, "reasoning_content": token}
    text = ""
    for token in generation.tokens:
        text = text + token if generation.asked.info.cumulative else token
        yield {"content": text}


def _last_delta(generation: _Generation) -> dict[str, object]:
    return {"content": generation.text if generation.asked.info.cumulative else ""}


def _chunk(generation: _Generation, delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
    return {
        "id": generation.id,
        "object": "chat.completion.chunk",
        "created": generation.created,
        "model": generation.asked.info.id,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _usage_chunk(generation: _Generation, output: int) -> dict[str, object]:
    return {**_chunk(generation, {}), "choices": [], "usage": _usage(generation, output)}


def _usage(generation: _Generation, output: int) -> dict[str, object]:
    usage: dict[str, object] = {
        "prompt_tokens": generation.input,
        "completion_tokens": output,
        "total_tokens": generation.input + output,
    }
    if generation.asked.search:
        usage["prompt_tokens_details"] = {"cached_tokens": 0}
    if generation.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": min(output, len(generation.reasoning))}
    return usage


def _json_body(generation: _Generation) -> dict[str, object]:
    message = {"role": "assistant", "content": generation.text}
    return {
        "id": generation.id,
        "object": "chat.completion",
        "created": generation.created,
        "model": generation.asked.info.id,
        "choices": [{"index": 0, "message": message, "finish_reason": generation.finish}],
        "usage": _usage(generation, len(generation.tokens)),
    }


def _native_body(generation: _Generation) -> dict[str, object]:
    message = {"role": "assistant", "content": [{"text": generation.text}]}
    usage: dict[str, int] = {"output_tokens": len(generation.tokens), "input_tokens": generation.input}
    if generation.video:
        usage["video_tokens"] = generation.video
    return {
        "output": {"choices": [{"finish_reason": generation.finish, "message": message}]},
        "usage": usage,
        "request_id": generation.id.removeprefix("chatcmpl-"),
    }


def _models(clock: Clock) -> dict[str, object]:
    created = clock.now() // 1000
    return {
        "object": "list",
        "data": [{"id": id, "object": "model", "created": created, "owned_by": "sandbox"} for id in SERVED],
    }


# ── ASGI ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parse(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem("The request body is not valid JSON") from None


async def _body(receive: _Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _Gone
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > _LARGEST_BODY:
            raise Problem("The request body (or file) is too large...", status=413, code=None)
        if not event.get("more_body"):
            return b"".join(parts)


async def _disconnected(receive: _Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: _Receive, send: _Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _send_json(
    send: _Send, status: int, body: Mapping[str, object], headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    raw = orjson.dumps(body)
    basic = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": basic + (headers or [])})
    await send({"type": "http.response.body", "body": raw})


async def _send_event(send: _Send, chunk: dict[str, object]) -> None:
    await send({"type": "http.response.body", "body": b"data: " + orjson.dumps(chunk) + b"\n\n", "more_body": True})
