"""Request guard: who may talk to the page: Host and Origin are checked before anything else, then the password, if
there is one.

A stranger's page, open in the owner's browser, could otherwise talk to 127.0.0.1 in the owner's name: by a form, or by
a host name that suddenly points here (DNS rebinding).
"""

from __future__ import annotations

import contextlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.kit.settings import is_known_host
from adapters.web.door.refusals import refusal
from adapters.web.door.signin import COOKIE, Sessions
from adapters.web.settings import WebSettings

__all__ = ["SECURITY_HEADERS", "Guard"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = ("/login", "/static/")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types magpie"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer, browsers send "Origin: null" with our own forms (Fetch: "append a request Origin header").
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware: refuses, asks for the password, and adds the headers that keep the page to itself."""

    def __init__(self, app: ASGIApp, settings: WebSettings, sessions: Sessions) -> None:
        self._app = app
        self._settings = settings
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with contextlib.suppress(ClientDisconnect):  # who goes away in the middle of a body hears no answer
            await (self._refusal(scope) or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_known_host(host, self._settings.http_host, self._settings.public_url):
            return refusal(headers, 421)
        path: str = scope["path"]
        site = headers.get("sec-fetch-site", "")
        if scope["method"] not in _SAFE and not self._is_own(headers.get("origin", ""), site, host):
            return refusal(headers, 403)
        if path.startswith("/api/") and site not in ("", "same-origin", "none"):
            return refusal(headers, 403)
        if self._sessions.needed and not path.startswith(_OPEN_PATHS) and not self._signed_in(headers):
            return self._sign_in(path)
        return None

    def _is_own(self, origin: str, site: str, host: str) -> bool:
        """By its Origin; where a proxy's policy took that away ("null"), by what no page can forge (Fetch Metadata)."""
        origin = origin.lower()
        if origin == "null":
            return site == "same-origin"
        if self._settings.public_origin and origin == self._settings.public_origin:
            return True
        scheme, _, netloc = origin.partition("://")
        return scheme in ("http", "https") and netloc == host.lower()

    def _signed_in(self, headers: Headers) -> bool:
        return self._sessions.valid(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))

    def _sign_in(self, path: str) -> Response:
        if path.startswith("/api/"):
            return JSONResponse({"error": {"code": "sign_in", "text": "Please sign in.", "data": {}}}, 401)
        return RedirectResponse("/login", 303)
