"""Updates pushed to the bot (Bot API: setWebhook, WebhookInfo)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.types import Clock
from tests.fakes.telegram.params import Params
from tests.fakes.telegram.refusals import bad, conflict
from tests.fakes.telegram.updates import Update, Updates

__all__ = ["Webhook"]

_PORTS = (443, 80, 88, 8443)
_LOCAL = ("127.0.0.1", "localhost", "::1")
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


class Webhook:
    """Updates of one chat go out one after the other, those of different chats side by side; a failed one is tried
    again `retry_after` seconds later, then twice as late each time. `answer` takes a method given in a response."""

    def __init__(self, clock: Clock, updates: Updates, answer: Callable[[dict[str, Any]], Awaitable[object]]) -> None:
        self.url = ""
        self.secret = ""
        self.retry_after = 1.0
        self.timeout = 60.0
        self.max_connections = 40
        self.most_at_once = 0  # the most pushes that were under way together
        self._error: tuple[int, str] | None = None
        self._clock = clock
        self._updates = updates
        self._answer = answer
        self._under_way = 0
        self._pump: asyncio.Task[None] | None = None

    @property
    def info(self) -> dict[str, Any]:
        """Bot API: WebhookInfo."""
        info: dict[str, Any] = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates.waiting),
        }
        if self.url:
            info |= {"max_connections": self.max_connections, "ip_address": "127.0.0.1"}
            if self._error:
                info |= {"last_error_date": self._error[0], "last_error_message": self._error[1]}
        if self._updates.allowed is not None:
            info["allowed_updates"] = sorted(self._updates.allowed)
        return info

    async def set(self, params: Params) -> bool:
        url, secret = params.text("url"), params.text("secret_token")
        if not url:
            return await self.delete(params)
        _check(url, secret)
        await self.stop()
        self._updates.stop_poll(conflict("terminated by setWebhook request"))
        if params.yes("drop_pending_updates"):
            self._updates.clear()
        self._updates.allow(params)
        self.max_connections = params.clamped("max_connections", 40, 1, 100)
        self.url, self.secret = url, secret
        self._pump = asyncio.create_task(self._push_all())
        return True

    async def delete(self, params: Params) -> bool:
        await self.stop()
        self.url, self.secret, self._error = "", "", None
        if params.yes("drop_pending_updates"):
            self._updates.clear()
        return True

    async def stop(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None

    async def _push_all(self) -> None:
        busy: set[int] = set()
        room = asyncio.Semaphore(self.max_connections)
        async with ClientSession(timeout=ClientTimeout(total=self.timeout)) as session, asyncio.TaskGroup() as tasks:

            async def push_line(line: int) -> None:
                delay = self.retry_after
                while update := next((each for each in self._updates.waiting if each.line == line), None):
                    async with room:
                        delivered = await self._push(session, update)
                    if delivered:
                        self._updates.forget(update)
                        delay = self.retry_after
                    else:
                        await self._clock.sleep(delay)
                        delay *= 2
                busy.discard(line)

            while True:
                for line in {update.line for update in self._updates.waiting} - busy:
                    busy.add(line)
                    tasks.create_task(push_line(line))
                await self._updates.changed()

    async def _push(self, session: ClientSession, update: Update) -> bool:
        """Whether it was taken: "a response with HTTP status code different from 2XY" is a failure."""
        headers = {_SECRET_HEADER: self.secret} if self.secret else {}
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            async with session.post(self.url, json=update.json, headers=headers) as response:
                body = await response.read()
                if response.ok:
                    await self._take(response.content_type, body)
                    return True
                error = f"Wrong response from the webhook: {response.status} {response.reason}"
        except (ClientError, TimeoutError) as problem:
            error = "Read timeout expired" if isinstance(problem, TimeoutError) else "Connection refused"
        finally:
            self._under_way -= 1
        self._error = (self._clock.now() // 1000, error)
        return False

    async def _take(self, content_type: str, body: bytes) -> None:
        """Bot API: Making requests when getting updates. A bad call in it goes unheard."""
        if content_type == "application/json" and body.strip():
            call = json.loads(body)
            if isinstance(call, dict) and call.get("method"):
                await self._answer(call)


def _check(url: str, secret: str) -> None:
    if len(secret) > 256:
        raise bad("secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):  # setWebhook.secret_token
        raise bad("secret token contains unallowed characters")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad("invalid webhook URL specified")
    if parts.hostname in _LOCAL:
        return  # what the real server refuses, and what makes tests possible
    if parts.scheme != "https":
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if (parts.port or 443) not in _PORTS:  # setWebhook, note 3
        raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
