"""Webhook: updates that the platform pushes (Bot API: setWebhook): 200 only after the commit, so that none is lost."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from adapters.kit.push import Answer, Push
from bot.errors import StoreError

__all__ = ["Webhook"]

log = logging.getLogger(__name__)

_SECRET_HEADER = "x-telegram-bot-api-secret-token"

Store = Callable[[Sequence[object]], Awaitable[None]]


class Webhook(Push):
    """`store` is None while nobody listens: the platform keeps its updates then, and comes again."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.store: Store | None = None

    def admits(self, headers: Mapping[str, str]) -> int:
        given = headers.get(_SECRET_HEADER, "").encode("latin-1")
        return 200 if hmac.compare_digest(given, self._secret) else 401

    async def take(self, body: bytes, headers: Mapping[str, str]) -> Answer:  # noqa: ARG002
        if self.store is None:
            return Answer(503)
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError):
            raw = body.decode(errors="replace")  # kept by who stores it; sent again it would be the same
        try:
            await self.store([raw])
        except StoreError as error:
            log.warning("an update can't be stored and will be sent again: %s", error.detail or error)
            return Answer(503)
        return Answer(200)
