"""HTTP routing: one host for everything: a path prefix leads to an ASGI app, and three pages tell how we are."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from bot.hosts import is_loopback
from bot.types import AsgiApp

__all__ = ["Host", "Metrics", "Part"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"  # prometheus.io: "Exposition formats", text
# What only proxies add, by their documents: nginx, Apache, Caddy, Traefik, HAProxy, Envoy, Cloudflare, Fastly, Akamai,
# Google and Amazon load balancers (2026-11).
_PASSED_ON = re.compile(
    rb"forwarded|via|x-forwarded(-.*)?|x-real-ip|x-client-ip|x-cluster-client-ip|x-original-.*|x-envoy-.*|x-request-id"
    rb"|true-client-ip|cf-.*|cdn-.*|fastly-.*|akamai-.*|x-amzn-.*|x-cloud-trace-context|x-azure-.*|x-arr-.*"
)
_SECURITY = {  # of these pages, too: a page in somebody's browser must not read them
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of the service is: `trouble` is why it isn't well, '' if it is. We are ready without those that are
    not `vital`."""

    trouble: str = ""
    vital: bool = True


@dataclass(frozen=True, slots=True)
class Metrics:
    """What monitoring reads: `page` makes it. Who may: everybody if it is `open`; who shows the `token`, if there is
    one; and unless `closed`, programs on this machine.

    A proxy on this machine asks for somebody else. Most say so in a header, or by HTTP/1.0 (nginx: proxy_http_version);
    where people come by another address, one may be there that says nothing: `closed`.
    """

    page: Callable[[], Awaitable[bytes]]
    open: bool = False
    closed: bool = False
    token: str = field(default="", repr=False)

    def is_for(self, scope: _Scope) -> bool:
        return self.open or self.has_token(scope) or (not self.closed and _is_from_here(scope))

    def has_token(self, scope: _Scope) -> bool:
        shown = _header(scope, b"authorization").encode("latin-1")
        return bool(self.token) and hmac.compare_digest(shown, f"Bearer {self.token}".encode())


def _is_from_here(scope: _Scope) -> bool:
    client = scope.get("client") or ("", 0)
    host = re.sub(r":\d*$", "", _header(scope, b"host")).strip("[]").lower()
    passed_on = any(_PASSED_ON.fullmatch(name.lower()) for name, _ in scope.get("headers", ()))
    return is_loopback(client[0]) and is_loopback(host) and not passed_on and scope.get("http_version", "1.1") != "1.0"


class Host:
    """An ASGI app. The longest prefix wins, at whole segments: "/a" takes "/a" and "/a/b", not "/ab"; "/" takes the
    rest.

    A mounted app finds the whole path in `path` and its prefix in `root_path` (ASGI: HTTP connection scope); it gets
    no lifespan events, for an adapter lives in its `run`.

    `/healthz` and `/readyz` tell how each of `parts` is, as JSON (name -> "ok" or why not): the first answers 200 as
    long as the process lives, the second 503 if a vital part isn't well. `/metrics` has what `metrics` gives, without
    `metrics` it isn't there. `knows` tells whether a host name is ours (HTTP: Host); these pages are for no other.
    """

    def __init__(
        self,
        mounts: Mapping[str, AsgiApp],
        parts: Callable[[], Awaitable[Mapping[str, Part]]],
        metrics: Metrics | None = None,
        *,
        knows: Callable[[str], bool] = lambda _host: True,
    ) -> None:
        self._mounts: dict[str, AsgiApp] = {}
        for prefix, app in sorted(mounts.items(), key=lambda mount: len(mount[0].rstrip("/")), reverse=True):
            bare = prefix.rstrip("/")
            if not prefix.startswith("/") or bare in self._mounts:
                raise ValueError(f"a prefix starts with a slash, and there is one of each: {prefix!r}")
            self._mounts[bare] = app
        self._parts = parts
        self._metrics = metrics
        self._knows = knows

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path: str = scope["path"]
        if scope["type"] == "http" and (path in ("/healthz", "/readyz") or (path == "/metrics" and self._metrics)):
            await self._page(path, scope, send)
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

    async def _page(self, path: str, scope: _Scope, send: _Send) -> None:
        method = scope["method"]
        trusted = self._metrics is not None and self._metrics.has_token(scope)  # which no page in a browser has
        if not trusted and not self._knows(_header(scope, b"host")):
            words = "This host name is not served here. Set PUBLIC_URL to the address you use.\n"
            await _answer(send, method, 421, _TEXT, words)
        elif path == "/metrics" and self._metrics is not None and not self._metrics.is_for(scope):
            words = "Metrics are told to programs on this machine, or with METRICS_TOKEN: see docs/operating.md.\n"
            await _answer(send, method, 401, _TEXT, words, {"www-authenticate": "Bearer"})
        else:
            await self._tell(path, method, send)

    async def _tell(self, path: str, method: str, send: _Send) -> None:
        if method not in ("GET", "HEAD"):
            await _answer(send, method, 405, _TEXT, "Only GET.\n", {"allow": "GET, HEAD"})
        elif path == "/metrics" and self._metrics is not None:
            await _answer(send, method, 200, _METRICS, (await self._metrics.page()).decode())
        else:
            parts = await self._parts()
            body = json.dumps({name: part.trouble or "ok" for name, part in parts.items()}, ensure_ascii=False)
            unready = path == "/readyz" and any(part.vital and part.trouble for part in parts.values())
            await _answer(send, method, 503 if unready else 200, _JSON, body)


def _header(scope: _Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == wanted), "")


async def _answer(
    send: _Send, method: str, status: int, kind: str, text: str, more: Mapping[str, str] | None = None
) -> None:
    body = text.encode()
    about = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store"}
    headers = {**_SECURITY, **about, **(more or {})}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def _lifespan(receive: _Receive, send: _Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
