"""Who may talk to the page: Host and Origin are checked before anything else, then the password, if there is one.

A stranger's page, open in the owner's browser, could otherwise talk to 127.0.0.1 in the owner's name: by a form, or by
a host name that suddenly points here (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections import OrderedDict
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.web.settings import WebSettings, is_loopback
from bot.types import Clock

__all__ = ["COOKIE", "SECURITY_HEADERS", "Guard", "Sessions", "Throttle"]

COOKIE = "magpie_session"
DAY = 86_400_000
LIFE = 30 * DAY  # ms
MOST_WAIT = 60.0
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = ("/login", "/static/")
_ANY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]"})

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types magpie"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Sessions:
    """Signed cookies. Their key is made of a secret in DATA_DIR and the password: a new password ends every session."""

    def __init__(self, settings: WebSettings, clock: Clock) -> None:
        self._password = settings.password
        self._clock = clock
        self.secure = settings.public_url.startswith("https:")
        self._key = (
            hmac.digest(_secret(settings.data_dir), self._password.encode(), "sha256") if self._password else b""
        )

    @property
    def needed(self) -> bool:
        return bool(self._password)

    def matches(self, password: str) -> bool:
        """In constant time, whatever their lengths."""
        given, wanted = (
            hashlib.sha256(word.encode("utf-8", "replace")).digest() for word in (password, self._password)
        )
        return hmac.compare_digest(given, wanted)

    def issue(self) -> str:
        return self._sign(str(self._clock.now() + LIFE))

    def valid(self, cookie: str) -> bool:
        until, _, _ = cookie.partition(".")
        if not hmac.compare_digest(self._sign(until).encode(), cookie.encode("utf-8", "replace")):
            return False
        return until.isdecimal() and int(until) > self._clock.now()

    def _sign(self, until: str) -> str:
        return f"{until}.{hmac.new(self._key, until.encode('utf-8', 'replace'), 'sha256').hexdigest()}"


def _secret(folder: Path) -> bytes:
    path = folder / "web.secret"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass  # that is the secret, from an earlier start
    return path.read_bytes()


class Throttle:
    """After each wrong password its address waits twice as long; everybody together gets a few attempts per second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._free = 0.0

    def wait(self, address: str) -> float:
        """Seconds until this address may try; 0 takes the attempt."""
        now = self._clock.monotonic()
        _, until = self._failures.get(address, (0, 0.0))
        left = max(until, self._free) - now
        if left > 0:
            return left
        self._free = now + 0.2
        return 0.0

    def failed(self, address: str) -> None:
        count = self._failures.get(address, (0, 0.0))[0] + 1
        self._failures[address] = (count, self._clock.monotonic() + min(MOST_WAIT, 0.5 * 2**count))
        self._failures.move_to_end(address)
        if len(self._failures) > 1000:
            self._failures.popitem(last=False)

    def passed(self, address: str) -> None:
        self._failures.pop(address, None)


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

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._knows(host):
            return PlainTextResponse("This host name is not served here. Set PUBLIC_URL to the address you use.\n", 421)
        path: str = scope["path"]
        if scope["method"] not in _SAFE and not self._is_own(headers.get("origin", ""), host):
            return PlainTextResponse("This request comes from another site.\n", 403)
        if path.startswith("/api/") and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("This request comes from another site.\n", 403)
        if self._sessions.needed and not path.startswith(_OPEN_PATHS) and not self._signed_in(headers):
            return self._sign_in(path)
        return None

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        own = self._settings.http_host.strip("[]").lower()
        if not name or "@" in host:
            return False
        if is_loopback(name) or name in (own, self._settings.public_host):
            return True
        # a rebound name is never an address
        return own in _ANY_ADDRESS and _is_address(name)

    def _is_own(self, origin: str, host: str) -> bool:
        origin = origin.lower()
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


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
