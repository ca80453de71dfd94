"""Calls of the Web API, over slack_sdk's client; and the connections that they, sockets and downloads share.

The library's own second try after a broken connection is off: nobody knows whether the first had its effect.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.errors import FAILURES, hide, translate
from adapters.slack.settings import SlackSettings
from bot.errors import SettingError

__all__ = ["SDK_LOG", "Wire"]

_CALL = 30.0  # seconds
_CONNECT = 10.0

SDK_LOG = logging.getLogger(f"{__name__}.sdk")
SDK_LOG.setLevel(logging.ERROR)  # at debug it logs what people write, and a ticket; at warning, that a token is set


class Wire:
    """`kept` keeps connections open while its block runs; outside of it, each is closed after its call: nobody tells
    an adapter that there will be no more."""

    def __init__(self, settings: SlackSettings, seconds: float = _CALL) -> None:
        self.secrets = tuple(filter(None, (settings.token, settings.app_token, settings.signing_secret)))
        self.app_token = settings.app_token
        self._settings = settings
        self._seconds = seconds
        self._library = _proxy_library(settings.proxy)
        self.proxy_errors: tuple[type[Exception], ...] = (self._library.ProxyError,) if self._library else ()
        self._session: ClientSession | None = None
        self._client: AsyncWebClient | None = None
        self._users = 0

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[ClientSession]:
        """The connections, for this block."""
        self._users += 1
        try:
            if self._session is None:
                self._session = self._connections()
                self._client = self.client(self._session)
            yield self._session
        finally:
            self._users -= 1
            if not self._users and self._session is not None:
                session, self._session, self._client = self._session, None, None
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
            try:
                answer = await getattr(self._client, method.replace(".", "_"))(**arguments)
            except self.proxy_errors as error:
                raise ClientError(hide(f"{type(error).__name__}: {error}", self.secrets)) from None
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

    def _connections(self) -> ClientSession:
        timeout = ClientTimeout(total=self._seconds, sock_connect=_CONNECT)
        connector = self._library.ProxyConnector.from_url(self._settings.proxy) if self._library else None
        return ClientSession(timeout=timeout, connector=connector)


def _proxy_library(proxy: str) -> Any:
    if not proxy:
        return None
    try:
        return import_module("aiohttp_socks")
    except ImportError as error:
        raise SettingError("SLACK_PROXY", "needs a library: pip install aiohttp-socks") from error
