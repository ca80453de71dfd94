"""`magpie demo`: the page in front of the sandbox, or of the gateway whose key is set."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Awaitable, Callable

from bot.gateways.gateway import sandboxed
from bot.gateways.profiles import guess
from bot.locales import say, terminal_language
from bot.service.config import load_settings
from bot.types import Text

__all__ = ["demo"]

FOLDER = "demo"  # below DATA_DIR: what was said to a sandbox is nothing that `magpie run` should show
_ALERT = "5"  # what "Show me a low-balance alert" brings the sandbox's account below


async def demo(
    run: Callable[..., Awaitable[None]], *, rate: float, announce: Callable[[str], None], browse: bool = False
) -> None:
    """`run` is what `magpie run` does; `rate` in tokens per second; `browse` opens the page in a browser once it can be
    reached."""
    settings = load_settings()
    ready: Callable[[str], object] | None = webbrowser.open if browse else None
    if settings.chat_api_key is not None and settings.chat_api_key.get_secret_value().strip():
        announce(_said(Text("Your key is used, at {url}.", {"url": settings.chat_api_url})))
        await run(announce=announce, ready=ready)
        return
    folder = settings.data_dir / FOLDER
    where = guess(settings.chat_api_url).key_url or settings.chat_api_url
    for words in (
        Text("No CHAT_API_KEY is set, so a sandbox answers: no account, no cost, and no real model."),
        Text("What is said here is kept in {folder}, apart from what `magpie run` keeps.", {"folder": folder}),
        Text(
            "For a real model, write CHAT_API_KEY=sk-... (from {where}) and WEB=on into .env: `magpie run`.",
            {"where": where},
        ),
    ):
        announce(_said(words))
    os.environ["DATA_DIR"] = str(folder)  # platforms read it for themselves
    async with sandboxed(rate) as overrides:
        overrides |= {"balance_alert_below": _ALERT, "database_url": ""}
        await run(announce=announce, ready=ready, only="web", **overrides)


def _said(words: Text) -> str:
    return say(words, terminal_language())
