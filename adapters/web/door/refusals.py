"""Pages of refusal: why a request is turned away before the page is reached, and the way on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response

__all__ = ["refusal", "words_for"]

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "lang": "en",
        "title": "Sign in",
        "password": "Password",
        "enter": "Sign in",
        "wrong": "This is not the password.",
        "wait": "Too many attempts. Please wait {seconds} s.",
        "421": "This host name is not served here.",
        "421 how": "Open Magpie by the address that it named at its start. Whoever runs it: set PUBLIC_URL to the "
        "address that people use.",
        "403": "This request comes from another site.",
        "403 how": "Open Magpie's own page and do it there. Behind a proxy: PUBLIC_URL has to be the address that you "
        "see in the browser.",
        "404": "There is nothing here.",
        "404 how": "The page that you want may have been deleted, or the address is not quite right.",
        "back": "To Magpie",
    },
    "zh": {
        "lang": "zh-CN",
        "title": "登录",
        "password": "密码",
        "enter": "登录",
        "wrong": "密码不正确。",
        "wait": "尝试次数过多，请等待 {seconds} 秒。",
        "421": "这里不提供这个主机名的服务。",
        "421 how": "请用 Magpie 启动时给出的地址打开。管理员：请把 PUBLIC_URL 设为大家使用的地址。",
        "403": "这个请求来自别的网站。",
        "403 how": "请打开 Magpie 自己的页面再操作。如果前面有代理：PUBLIC_URL 必须与浏览器里看到的地址一致。",
        "404": "这里什么也没有。",
        "404 how": "要找的页面可能已删除，或者地址不对。",
        "back": "回到 Magpie",
    },
}
# A host that is not served gets neither style sheet nor picture, so the page brings its own, in the door's colours.
_STYLE = (
    ":root{color-scheme:light dark;--paper:#fbfaf8;--card:#fff;--ink:#1d2426;--line:#e4e0d9;--accent:#10696c}"
    "@media(prefers-color-scheme:dark){:root{--paper:#14191b;--card:#1c2326;--ink:#e4e9e8;--line:#2a3337;"
    "--accent:#62c3bf}}*{box-sizing:border-box}"
    "body{display:grid;place-items:center;min-height:100vh;margin:0;padding:1rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.6 system-ui,sans-serif}"
    "main{width:min(27rem,100%);padding:2.25rem 2rem 1.5rem;border:1px solid var(--line);border-radius:22px;"
    "background:var(--card);text-align:center;text-wrap:pretty}"
    "svg{width:56px;height:56px}h1{margin:.75rem 0 .5rem;font-size:1.2rem;line-height:1.4}p{margin:0 0 1rem}"
    "a{color:var(--accent)}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@cache
def _icon() -> str:
    return (Path(__file__).parents[1] / "static" / "icon.svg").read_text(encoding="utf-8")


def words_for(headers: Headers) -> Mapping[str, str]:
    """The words of the door, in the browser's language."""
    return _WORDS["zh" if headers.get("accept-language", "").lower().startswith("zh") else "en"]


def refusal(headers: Headers, status: int) -> Response:
    """403, 404 or 421: a page for browsers, a line for everything else."""
    words = words_for(headers)
    why, how = words[str(status)], words[f"{status} how"]
    if "text/html" not in headers.get("accept", ""):
        return PlainTextResponse(f"{why} {how}\n", status)
    back = "" if status == 421 else f'<p><a href="/">{escape(words["back"])}</a></p>'
    body = (
        f'<!doctype html><html lang="{words["lang"]}"><head><meta charset="utf-8"><title>Magpie · {status}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{_icon()}<h1>{escape(why)}</h1><p>{escape(how)}</p>{back}</main></body></html>"
    )
    return HTMLResponse(body, status, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})
