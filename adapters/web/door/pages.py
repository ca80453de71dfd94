"""The page itself, and the door before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from adapters.web.door.refusals import words_for
from adapters.web.door.signin import COOKIE, DEVICE, DEVICE_LIFE, LIFE, Sessions, Throttle
from adapters.web.settings import WebSettings
from bot.types import Clock

__all__ = ["STATIC", "Pages"]

STATIC = Path(__file__).parents[1] / "static"
MOST_FORM = 8192


class Pages:
    def __init__(self, sessions: Sessions, clock: Clock, settings: WebSettings) -> None:
        self._sessions = sessions
        self._settings = settings
        self._throttle = Throttle(clock)

    async def index(self, _request: Request) -> Response:
        return HTMLResponse(_read("index.html"), headers={"Cache-Control": "no-cache"})

    async def login(self, request: Request) -> Response:
        if not self._sessions.needed:
            return RedirectResponse("/", 303)
        words = words_for(request.headers)
        if request.method != "POST":
            return _form(words, "", 200)
        peer = request.client.host if request.client else ""
        who = (
            self._settings.client_of(peer, ",".join(request.headers.getlist("x-forwarded-for"))),
            self._sessions.device(request.cookies.get(DEVICE, "")),
        )
        given = await _password(request)  # before the wait is looked at: whoever holds it back gains nothing
        seconds = self._throttle.wait(*who)
        if seconds > 0:
            whole = str(math.ceil(seconds))
            return _form(words, words["wait"].format(seconds=whole), 429, {"Retry-After": whole})
        if not self._sessions.matches(given):
            self._throttle.failed(*who)
            return _form(words, words["wrong"], 403)
        self._throttle.passed(*who)
        response = RedirectResponse("/", 303)
        self._keep(response, COOKIE, self._sessions.issue(), LIFE)
        self._keep(response, DEVICE, self._sessions.issue_device(), DEVICE_LIFE)
        return response

    def _keep(self, response: Response, name: str, value: str, life: int) -> None:
        response.set_cookie(
            name, value, max_age=life // 1000, httponly=True, samesite="strict", secure=self._sessions.secure
        )

    async def logout(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login" if self._sessions.needed else "/", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=self._sessions.secure)
        return response


async def _password(request: Request) -> str:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_FORM:
            return ""
    try:
        fields = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return ""
    return fields.get("password", [""])[0]


def _form(words: Mapping[str, str], error: str, status: int, headers: dict[str, str] | None = None) -> Response:
    page = _read("login.html")
    for name, word in {**words, "error": error}.items():
        page = page.replace(f"{{{{{name}}}}}", escape(word))
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store", **(headers or {})})


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
