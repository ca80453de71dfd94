"""The gateway of the settings, and a sandbox in its place."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from bot.chat_api.catalogue import Catalogue
from bot.chat_api.client import Client, Timeouts
from bot.chat_api.learned import Learned
from bot.chat_api.profiles import PROFILES, Gateway, check_key, guess, normalise
from bot.config import Settings, Toml
from bot.errors import SettingError
from bot.types import Clock

__all__ = ["make_client", "make_gateway", "sandboxed"]


def make_gateway(settings: Settings, toml: Toml) -> Gateway:
    """Where the chat API is and how to get in. SettingError if the URL or key can't be right."""
    url = normalise(settings.chat_api_url)
    key = settings.chat_api_key.get_secret_value() if settings.chat_api_key else ""
    if not key.strip():
        where = guess(url).key_url or url
        raise SettingError(
            "CHAT_API_KEY",
            "is not set. Get a key at {where} and set CHAT_API_KEY=sk-... (or try it without one: "
            "`magpie demo`, `magpie ask --sandbox`)",
            where=where,
        )
    profile = PROFILES[settings.chat_api_profile] if settings.chat_api_profile else guess(url)
    name = profile.name if profile.hosts else urlsplit(url).hostname or url
    return Gateway(name, url, check_key(key), profile, {**profile.extra_body, **toml.gateway.extra_body})


def make_client(gateway: Gateway, catalogue: Catalogue, settings: Settings, clock: Clock, learned: Learned) -> Client:
    """The gateway's client, as patient as the settings say."""
    timeouts = Timeouts.of(settings.first_text_seconds, settings.idle_seconds)
    return Client(gateway, catalogue, clock, learned=learned, timeouts=timeouts)


@contextlib.asynccontextmanager
async def sandboxed(rate: float = 60.0) -> AsyncIterator[dict[str, Any]]:
    """Run the sandbox on a free loopback port. Yields the settings that lead to it; nothing else knows what it is."""
    from pydantic import SecretStr

    from bot.sandbox.app import sandbox
    from bot.sandbox.prepared import FULL
    from bot.serving import serving

    key = "sk-sandbox"
    async with serving(sandbox(key=key, rate=rate, balance=FULL)) as url:
        yield {"chat_api_url": f"{url}/v1", "chat_api_key": SecretStr(key), "chat_api_profile": "sandbox"}
