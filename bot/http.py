"""One HTTP host for everything: a path prefix leads to an ASGI app, and three pages tell how we are."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from bot.types import AsgiApp

__all__ = ["Host", "Part"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"  # prometheus.io: "Exposition formats", text
_PASSED_ON = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of the service is: `trouble` is why it isn't well, '' if it is. We are ready without those that are
    not `vital`."""

    trouble: str = ""
    vital: bool = True


class Host:
    """An ASGI app. The longest prefix wins, at whole segments: "/a" takes "/a" and "/a/b", not "/ab"; "/" takes the
    rest.

    A mounted app finds the whole path in `path` and its prefix in `root_path` (ASGI: HTTP connection scope); it gets
    no lifespan events, for an adapter lives in its `run`.

    `/healthz` and `/readyz` tell how each of `parts` is, as JSON (name -> "ok" or why not): the first answers 200 as
    long as the process lives, the second 503 if a vital part isn't well. `/metrics` has what `metrics` gives, for
    callers on this machine only unless `open_metrics`; without `metrics` it isn't there.
    """

    def __init__(
        self,
        mounts: Mapping[str, AsgiApp],
        parts: Callable[[], Awaitable[Mapping[str, Part]]],
        metrics: Callable[[], Awaitable[bytes]] | None = None,
        *,
        open_metrics: bool = False,
    ) -> None:
        self._mounts: dict[str, AsgiApp] = {}
        for prefix, app in sorted(mounts.items(), key=lambda mount: len(mount[0].rstrip("/")), reverse=True):
            bare = prefix.rstrip("/")
            if not prefix.startswith("/") or bare in self._mounts:
                raise ValueError(f"a prefix starts with a slash, and there is one of each: {prefix!r}")
            self._mounts[bare] = app
        self._parts = parts
        self._metrics = metrics
        self._open_metrics = open_metrics

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path: str = scope["path"]
        if scope["type"] == "http" and (path in ("/healthz", "/readyz") or self._shows_metrics(path, scope)):
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
        elif path == "/metrics" and self._metrics is not None:
            await _answer(send, method, 200, _METRICS, (await self._metrics()).decode())
        else:
            parts = await self._parts()
            body = json.dumps({name: part.trouble or "ok" for name, part in parts.items()}, ensure_ascii=False)
            unready = path == "/readyz" and any(part.vital and part.trouble for part in parts.values())
            await _answer(send, method, 503 if unready else 200, _JSON, body)

    def _shows_metrics(self, path: str, scope: _Scope) -> bool:
        """A proxy on this machine asks for somebody else."""
        if path != "/metrics" or self._metrics is None:
            return False
        client = scope.get("client") or ("", 0)
        passed_on = any(name.lower() in _PASSED_ON for name, _ in scope.get("headers", ()))
        return self._open_metrics or (_is_loopback(client[0]) and not passed_on)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
