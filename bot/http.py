"""One HTTP host for everything: a path prefix leads to an ASGI app, and two pages tell how we are."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from bot.types import AsgiApp

__all__ = ["Host"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"


class Host:
    """An ASGI app. The longest prefix wins, at whole segments: "/a" takes "/a" and "/a/b", not "/ab"; "/" takes the
    rest.

    A mounted app finds the whole path in `path` and its prefix in `root_path` (ASGI: HTTP connection scope); it gets
    no lifespan events, for an adapter lives in its `run`. `/healthz` answers "ok" while the event loop turns; `/readyz`
    asks `ready` for what isn't ready (name -> why) and answers 200 if that is nothing, else 503.
    """

    def __init__(self, mounts: Mapping[str, AsgiApp], ready: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        self._mounts: dict[str, AsgiApp] = {}
        for prefix, app in sorted(mounts.items(), key=lambda mount: len(mount[0].rstrip("/")), reverse=True):
            bare = prefix.rstrip("/")
            if not prefix.startswith("/") or bare in self._mounts:
                raise ValueError(f"a prefix starts with a slash, and there is one of each: {prefix!r}")
            self._mounts[bare] = app
        self._ready = ready

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path: str = scope["path"]
        if scope["type"] == "http" and path in ("/healthz", "/readyz"):
            await self._tell(path, scope["method"], send)
            return
        for prefix, app in self._mounts.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                await app({**scope, "root_path": scope.get("root_path", "") + prefix}, receive, send)
                return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})  # before it is accepted: HTTP 403
        else:
            await _answer(send, scope["method"], 404, _TEXT, "There is nothing here.\n")

    async def _tell(self, path: str, method: str, send: _Send) -> None:
        if method not in ("GET", "HEAD"):
            await _answer(send, method, 405, _TEXT, "Only GET.\n", {"allow": "GET, HEAD"})
        elif path == "/healthz":
            await _answer(send, method, 200, _TEXT, "ok")
        else:
            missing = await self._ready()
            body = json.dumps(dict(missing), ensure_ascii=False)
            await _answer(send, method, 503 if missing else 200, _JSON, body)


async def _answer(
    send: _Send, method: str, status: int, kind: str, text: str, more: Mapping[str, str] | None = None
) -> None:
    body = text.encode()
    headers = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store", **(more or {})}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def _lifespan(receive: _Receive, send: _Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
