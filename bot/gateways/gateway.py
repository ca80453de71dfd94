"""Gateway of the settings and its models, and a sandbox in its place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bot.commands import GatewayFacts
from bot.errors import MagpieError, SettingError
from bot.gateways.capabilities import CapabilityCache
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.client import Client, Timeouts
from bot.gateways.profiles import PROFILES, Gateway, check_key, guess, normalise
from bot.service.config import Settings, Toml
from bot.types import Clock, Json, ModelInfo, Store

__all__ = ["Models", "make_client", "make_gateway", "remembered", "sandboxed"]

log = logging.getLogger(__name__)


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


def make_client(
    gateway: Gateway, catalogue: Catalogue, settings: Settings, clock: Clock, learned: CapabilityCache
) -> Client:
    """The gateway's client, as patient as the settings say."""
    timeouts = Timeouts.of(settings.first_text_seconds, settings.idle_seconds)
    return Client(gateway, catalogue, clock, learned=learned, timeouts=timeouts)


@contextlib.asynccontextmanager
async def sandboxed(rate: float = 60.0) -> AsyncIterator[dict[str, Any]]:
    """Run the sandbox on a free loopback port. Yields the settings that lead to it; nothing else knows what it is."""
    from pydantic import SecretStr

    from bot.http.server import serving
    from bot.sandbox.app import sandbox
    from bot.sandbox.prepared import FULL

    key = "sk-sandbox"
    async with serving(sandbox(key=key, rate=rate, balance=FULL)) as url:
        yield {"chat_api_url": f"{url}/v1", "chat_api_key": SecretStr(key), "chat_api_profile": "sandbox"}


@dataclass(frozen=True, slots=True)
class Models:
    """A gateway's models: what the catalogue knows of them, and what trying has taught."""

    gateway: Gateway
    client: Client
    catalogue: Catalogue

    def info(self, model: str, /) -> ModelInfo:
        return self.client.info(model)

    def all(self) -> Sequence[ModelInfo]:
        return [self.client.info(each.id) for each in self.catalogue.all()]

    async def learn(self) -> MagpieError | None:
        """What the gateway itself lists. It need not have a list: why there is none."""
        try:
            ids = await self.client.models()
            self.catalogue.merge(ids)
            for id in ids:  # looked up now, a little at a time, rather than at once when somebody wants the list
                self.catalogue.info(id)
                await asyncio.sleep(0)
        except MagpieError as error:
            log.info("the gateway's list of models is not to be had: %s", error.detail or error)
            return error
        return None

    def facts(self, settings: Settings) -> GatewayFacts:
        profile = self.gateway.profile
        return GatewayFacts(
            self.gateway.name, profile.topup_url, profile.key_url, settings.translation_model, settings.vision_model
        )


async def remembered(store: Store, gateway: str, clock: Clock) -> CapabilityCache:
    """What earlier processes have learned of a gateway."""

    async def save(name: str, value: Json) -> None:
        await store.learn(gateway, name, value)

    return CapabilityCache(await store.learned(gateway), save, clock.now)
