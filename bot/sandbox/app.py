"""Sandbox, a stand-in for a gateway: a plain ASGI app that speaks the chat API's contract and needs no account, no key,
no net.

It answers POST .../chat/completions, GET .../models and GET /api/account/billing/grants. What it says is in
`answers`, what it refuses in `rules`, how an answer is shaped in `generation`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from decimal import Decimal
from typing import Any

import orjson

from bot.clock import SystemClock
from bot.money.price import cost
from bot.sandbox.generation import Generation, generate
from bot.sandbox.pictures import Picture, look
from bot.sandbox.prepared import account_after
from bot.sandbox.rules import SERVED, Problem, read
from bot.types import AsgiApp, Clock, Usage

__all__ = ["sandbox"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LARGEST_BODY = 64 * 1024 * 1024  # bytes


def sandbox(
    *, key: str | None = None, balance: Decimal = Decimal("10"), rate: float = 60.0, clock: Clock | None = None
) -> AsgiApp:
    """The app. Without `key` any key will do, and none; `balance` is in yuan and goes down by the price list; `rate` is
    in tokens per second, 0 for no pacing."""
    return _Sandbox(key, balance, rate, clock or SystemClock())


class _Gone(Exception):
    """The client has closed the connection."""


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
        urls = tuple(dict.fromkeys(url for said in asked.messages for url in (*said.images, *said.frames)))
        pictures = await asyncio.to_thread(_look_at, urls) if urls else {}
        generation = generate(asked, pictures, self._clock.now())
        self._balance = account_after(asked.last.text, self._balance)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await (self._stream if asked.stream else self._whole)(generation, gone, send)
        finally:
            gone.cancel()

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _whole(self, generation: Generation, gone: asyncio.Future[None], send: _Send) -> None:
        await self._wait(self._clock.monotonic(), generation.output, gone)
        self._charge(generation, generation.output)
        await _send_json(send, 200, generation.body(), self._balance_header())

    async def _stream(self, generation: Generation, gone: asyncio.Future[None], send: _Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers + self._balance_header()})
        start = self._clock.monotonic()
        made = 0
        try:
            await _send_event(send, generation.chunk({"role": "assistant", "content": ""}))
            for number, delta in enumerate(generation.deltas(), 1):
                await self._wait(start, number, gone)
                await _send_event(send, generation.chunk(delta))
                made = number
        finally:
            self._charge(generation, made)  # an answer that was broken off costs what was made of it
        await _send_event(send, generation.chunk(generation.last_delta(), generation.finish))
        await _send_event(send, generation.usage_chunk())
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _wait(self, start: float, tokens: int, gone: asyncio.Future[None]) -> None:
        """Until so many tokens are due. Counted from the start, so that a late one doesn't delay the rest."""
        due = start + tokens / self._rate - self._clock.monotonic() if self._rate > 0 else 0.0
        sleep = asyncio.ensure_future(self._clock.sleep(max(0.0, due)))
        try:
            await asyncio.wait((sleep, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
        if gone.done():
            raise _Gone

    def _charge(self, generation: Generation, output: int) -> None:
        money = cost(Usage(generation.input, output), generation.asked.info)
        if money is not None:
            self._balance -= money.amount

    def _balance_header(self) -> list[tuple[bytes, bytes]]:
        return [(b"x-account-balance", f"{self._balance:.4f}".encode())]


def _models(clock: Clock) -> dict[str, object]:
    created = clock.now() // 1000
    return {
        "object": "list",
        "data": [{"id": id, "object": "model", "created": created, "owned_by": "sandbox"} for id in SERVED],
    }


def _look_at(urls: tuple[str, ...]) -> dict[str, Picture]:
    return {url: look(url) for url in urls}


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
