"""The Events API over HTTP (docs.slack.dev: Events API, Verifying requests from Slack): signed requests to the app."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TooManyRedirects

from bot.types import Clock
from tests.fakes.slack.deliveries import Delivery, Outcome
from tests.fakes.slack.places import Json

__all__ = ["Pushes", "signed"]

_REDIRECTS = 2  # "Slack will follow up to two redirects"


def signed(body: str, secret: str, at: int | None = None) -> dict[str, str]:
    """The headers of a request, at the real time: whoever checks them looks at a real clock."""
    stamp = str(int(time.time()) if at is None else at)
    digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


class Pushes:
    """`url` is where all of it goes: events, interactions, commands."""

    def __init__(self, clock: Clock, secret: str) -> None:
        self.url = ""
        self.secret = secret
        self.seconds = 3.0
        self._clock = clock

    async def verify(self, url: str) -> bool:
        """url_verification: whether the app answers with the challenge; then events go there."""
        challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
        body = json.dumps({"token": "verification", "challenge": challenge, "type": "url_verification"})
        headers = {"Content-Type": "application/json", **signed(body, self.secret)}
        try:
            async with self._session() as session, session.post(url, data=body, headers=headers) as response:
                said = await response.text()
        except (ClientError, OSError):
            return False
        with contextlib.suppress(ValueError, KeyError, TypeError):  # the challenge may also stand there by itself
            said = json.loads(said)["challenge"]
        if response.ok and said == challenge:
            self.url = url
            return True
        return False

    async def bring(self, delivery: Delivery, retry: int, reason: str) -> Outcome:
        body, mime = _written(delivery)
        headers = {"Content-Type": mime, **signed(body, self.secret)}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason}
        try:
            return await self._post(body, headers) or Outcome("http_timeout")
        except TooManyRedirects:
            return Outcome("too_many_redirects")
        except (ClientError, OSError):
            return Outcome("connection_failed")

    async def _post(self, body: str, headers: dict[str, str]) -> Outcome | None:
        """None if there was no answer in time."""
        post = asyncio.ensure_future(self._answer(body, headers))
        late = asyncio.ensure_future(self._clock.sleep(self.seconds))
        try:
            await asyncio.wait([post, late], return_when=asyncio.FIRST_COMPLETED)
            return post.result() if post.done() else None
        finally:
            for task in (post, late):
                task.cancel()
            await asyncio.gather(post, late, return_exceptions=True)

    async def _answer(self, body: str, headers: dict[str, str]) -> Outcome:
        async with (
            self._session() as session,
            session.post(self.url, data=body, headers=headers, max_redirects=_REDIRECTS) as response,
        ):
            said = await response.text()
            if response.status == 200:
                return Outcome("", _json(response, said))
            return Outcome("http_error", final=response.headers.get("X-Slack-No-Retry") == "1")

    def _session(self) -> ClientSession:
        return ClientSession(timeout=ClientTimeout(total=None))


def _written(delivery: Delivery) -> tuple[str, str]:
    """Events are JSON; interactions are a form with JSON in it, commands a form (docs.slack.dev: Slash commands)."""
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload), "application/json"
    form = delivery.payload if delivery.kind == "slash_commands" else {"payload": json.dumps(delivery.payload)}
    return urlencode(form), "application/x-www-form-urlencoded"


def _json(response: ClientResponse, said: str) -> Json | None:
    """An answer in plain text is what a command says."""
    if response.content_type == "application/json" and said.strip():
        found = json.loads(said)
        return found if isinstance(found, dict) else None
    return {"text": said} if said.strip() else None
