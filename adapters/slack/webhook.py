"""Events that the platform pushes (docs.slack.dev: Using the Events API): an ASGI app around bolt. 200 only after the
commit, so that none is lost. What the platform has not signed is not even parsed."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

__all__ = ["MOST_BYTES", "Webhook", "request"]

log = logging.getLogger(__name__)

MOST_BYTES = 2_000_000
_MOST_FIELDS = 100  # of a form; a slash command has a dozen

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Webhook:
    """`app` is None while nobody listens: the platform keeps its events then, and comes again. What is signed and can't
    be read is handed to `keep`."""

    def __init__(self, signing_secret: str, keep: Callable[[object], Awaitable[None]]) -> None:
        self.app: AsyncApp | None = None
        self._signatures = SignatureVerifier(signing_secret or secrets.token_hex())  # without one, nothing is signed
        self._keep = keep

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1000})  # before it is accepted: HTTP 403
            return
        status, headers, body = await self._answer(scope, receive)
        headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: _Scope, receive: _Receive) -> _Answer:
        if scope["path"].rstrip("/") != scope.get("root_path", "").rstrip("/"):
            return 404, [], b""
        if scope["method"] != "POST":
            return 405, [], b""
        if self.app is None:
            return 503, [], b""
        headers: dict[str, Any] = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not {"x-slack-signature", "x-slack-request-timestamp"} <= {name.lower() for name in headers}:
            return 401, [], b""
        body = await _body(receive)
        if body is None:
            return 413, [], b""
        if not self._is_signed(body, headers):
            return 401, [], b""
        return await self._dispatched(self.app, body, headers)

    def _is_signed(self, body: bytes, headers: dict[str, Any]) -> bool:
        try:
            return self._signatures.is_valid_request(body, headers)
        except (ValueError, TypeError, OverflowError):  # a time that is none, a signature that isn't ASCII
            return False

    async def _dispatched(self, app: AsyncApp, body: bytes, headers: dict[str, Any]) -> _Answer:
        """What can't be read would be the same again, so the platform is told that we have it."""
        try:
            text = body.decode()
            answer = await app.async_dispatch(request(_read(text), text, headers))
        except Exception:
            log.exception("a request that can't be read is skipped, and kept")
            answer = None
        if answer is None or answer.status == 500:  # bolt's word for having stumbled
            await self._keep(body.decode(errors="replace"))
            return 200, [], b""
        kind = answer.headers.get("content-type", ["text/plain; charset=utf-8"])[0]
        return answer.status, [(b"content-type", kind.encode())], (answer.body or "").encode()


def request(body: dict[str, Any], raw: str = "", headers: dict[str, Any] | None = None) -> AsyncBoltRequest:
    """What bolt is given; without `headers`, over a socket. Its own look into the body falls over shapes that it does
    not know, and it takes a form with the word "payload" somewhere in it for an empty one."""
    made = AsyncBoltRequest(body="", headers=headers, mode="http" if headers is not None else "socket_mode")
    made.body, made.raw_body = body, raw
    return made


def _read(text: str) -> dict[str, Any]:
    """An event is JSON; a command is a form, and anything else a form with JSON in its field `payload`."""
    if text.lstrip().startswith(("{", "[")):
        found = json.loads(text)
    else:
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        found = json.loads(form["payload"]) if "payload" in form else form
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


async def _body(receive: _Receive) -> bytes | None:
    """None if it is too long to be an event."""
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
