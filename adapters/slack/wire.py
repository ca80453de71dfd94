"""API client: calls of the Web API, over slack_sdk's client; and the connections that they, sockets and downloads
share.

The library's own second try after a broken connection is off: nobody knows whether the first had its effect.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientTimeout
from slack_sdk.web.async_client import AsyncWebClient

from adapters.kit.connections import CALL, CONNECT, Kept, NotConnected, Proxy, words_of
from adapters.slack.errors import FAILURES, translate
from adapters.slack.settings import SlackSettings

__all__ = ["SDK_LOG", "Wire"]

SDK_LOG = logging.getLogger(f"{__name__}.sdk")
SDK_LOG.setLevel(logging.ERROR)  # at debug it logs what people write, and a ticket; at warning, that a token is set


class Wire:
    """`kept` keeps connections open while its block runs; outside of it, each is closed after its call."""

    def __init__(self, settings: SlackSettings, seconds: float = CALL) -> None:
        self.secrets = tuple(filter(None, (settings.token, settings.app_token, settings.signing_secret)))
        self.app_token = settings.app_token
        self.app_token_is_in = settings.place("slack_app_token")
        self._settings = settings
        self._seconds = seconds
        self._proxy = Proxy(settings.proxy, settings.place("slack_proxy"))
        self._session: ClientSession | None = None
        self._client: AsyncWebClient | None = None
        self._kept = Kept(self._close)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[ClientSession]:
        """The connections, for this block. NotConnected, one of FAILURES, if a proxy is in the way."""
        async with self._kept():
            if self._session is None:
                timeout = ClientTimeout(total=self._seconds, sock_connect=CONNECT)
                self._session = ClientSession(timeout=timeout, connector=self._proxy.connector())
                self._client = self.client(self._session)
            try:
                yield self._session
            except self._proxy.errors as error:
                raise NotConnected(words_of(error, self.secrets)) from None

    async def _close(self) -> None:
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    def client(self, session: ClientSession | None = None) -> AsyncWebClient:
        client = AsyncWebClient(
            self._settings.token,
            base_url=self._settings.slack_api_url + "/",
            session=session,
            retry_handlers=[],
            logger=SDK_LOG,
        )
        client.proxy = None  # it would take HTTP_PROXY from the environment; ours is a connector's business
        return client

    async def call(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer, as JSON; `method` as the platform names it. Raises one of FAILURES, see `errors.translate`."""
        async with self.kept():
            assert self._client is not None
            answer = await getattr(self._client, method.replace(".", "_"))(**arguments)
            found: Mapping[str, Any] = answer.data
            return found

    async def scopes(self) -> tuple[Mapping[str, Any], frozenset[str]]:
        """Whose token it is (auth.test), and what it may (header X-OAuth-Scopes). Raises one of FAILURES."""
        async with self.kept():
            assert self._client is not None
            answer = await self._client.auth_test()
            headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
            granted = (scope.strip() for scope in headers.get("x-oauth-scopes", "").split(","))
            me: Mapping[str, Any] = answer.data if isinstance(answer.data, dict) else {}
            return me, frozenset(filter(None, granted))

    async def do(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """`call`, with AdapterErrors."""
        try:
            return await self.call(method, **arguments)
        except FAILURES as error:
            raise translate(error, self.secrets) from None
