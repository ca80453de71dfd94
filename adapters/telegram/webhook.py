"""Updates that the platform pushes (Bot API: setWebhook): 200 only after the commit, so that none is lost."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from bot.errors import StoreError

__all__ = ["MOST_BYTES", "Webhook"]

log = logging.getLogger(__name__)

MOST_BYTES = 2_000_000
_SECRET_HEADER = b"x-telegram-bot-api-secret-token"

Take = Callable[[Sequence[object]], Awaitable[None]]
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Webhook:
    """An ASGI app. `take` is None while nobody listens: the platform keeps its updates then, and comes again."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.take: Take | None = None

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1000})  # before it is accepted: HTTP 403
            return
        status = await self._status(scope, receive)
        headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _status(self, scope: _Scope, receive: _Receive) -> int:
        if scope["path"].rstrip("/") != scope.get("root_path", "").rstrip("/"):
            return 404
        if scope["method"] != "POST":
            return 405
        given = next((value for name, value in scope["headers"] if name.lower() == _SECRET_HEADER), b"")
        if not hmac.compare_digest(given, self._secret):
            return 401
        body = await _body(receive)
        if body is None:
            return 413
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError):
            raw = body.decode(errors="replace")  # kept by who takes it; sent again it would be the same
        return await self._stored(raw)

    async def _stored(self, raw: object) -> int:
        if self.take is None:
            return 503
        try:
            await self.take([raw])
        except StoreError as error:
            log.warning("an update can't be stored and will be sent again: %s", error.detail or error)
            return 503
        return 200


async def _body(receive: _Receive) -> bytes | None:
    """None if it is too long to be an update."""
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        body += event.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not event.get("more_body", False):
            return bytes(body)
