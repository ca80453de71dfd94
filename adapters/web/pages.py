"""The page itself, and the door before it."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from adapters.web.guard import COOKIE, LIFE, Sessions, Throttle
from bot.types import Clock

__all__ = ["STATIC", "Pages"]

STATIC = Path(__file__).parent / "static"
MOST_FORM = 8192

_WORDS = {
    "en": {
        "title": "Sign in",
        "password": "Password",
        "enter": "Sign in",
        "wrong": "This is not the password.",
        "wait": "Too many attempts. Please wait {seconds} s.",
    },
    "zh": {
        "title": "登录",
        "password": "密码",
        "enter": "登录",
        "wrong": "密码不正确。",
        "wait": "尝试次数过多，请等待 {seconds} 秒。",
    },
}


class Pages:
    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._throttle = Throttle(clock)

    async def index(self, _request: Request) -> Response:
        return HTMLResponse(_read("index.html"), headers={"Cache-Control": "no-cache"})

    async def login(self, request: Request) -> Response:
        if not self._sessions.needed:
            return RedirectResponse("/", 303)
        words = _WORDS["zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"]
        if request.method != "POST":
            return _form(words, "", 200)
        address = request.client.host if request.client else ""
        seconds = self._throttle.wait(address)
        if seconds > 0:
            whole = str(math.ceil(seconds))
            return _form(words, words["wait"].format(seconds=whole), 429, {"Retry-After": whole})
        if not self._sessions.matches(await _password(request)):
            self._throttle.failed(address)
            return _form(words, words["wrong"], 403)
        self._throttle.passed(address)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE,
            self._sessions.issue(),
            max_age=LIFE // 1000,
            httponly=True,
            samesite="strict",
            secure=self._sessions.secure,
        )
        return response

    async def logout(self, _request: Request) -> Response:
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


def _form(words: dict[str, str], error: str, status: int, headers: dict[str, str] | None = None) -> Response:
    page = _read("login.html")
    for name, word in {**words, "error": error}.items():
        page = page.replace(f"{{{{{name}}}}}", escape(word))
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store", **(headers or {})})


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
