"""Connections to a platform over aiohttp: kept while somebody needs them, through a proxy, with the secrets cut out of
what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from aiohttp import BaseConnector, ClientConnectorError, ClientError, ClientTimeout, ConnectionTimeoutError

from bot.errors import SettingError

__all__ = [
    "ADMIN_WAIT",
    "CALL",
    "CONNECT",
    "FILE",
    "NEVER_LEFT",
    "NOT_CONNECTED",
    "Kept",
    "NotConnected",
    "Proxy",
    "hide",
    "words_of",
]

CALL = 30.0  # seconds for a call
CONNECT = 10.0  # seconds for a connection
_SILENT = 30.0  # seconds without a byte, while a file comes
FILE = ClientTimeout(total=None, sock_connect=CONNECT, sock_read=_SILENT)


class NotConnected(ClientError):
    """A proxy lets nobody through."""


NOT_CONNECTED = (ClientConnectorError, ConnectionTimeoutError, NotConnected)  # with these a call has surely not arrived
NEVER_LEFT = 5.0  # seconds before another try, if there was no connection
ADMIN_WAIT = 60.0  # seconds before another try, if somebody has to mend something first


class Kept:
    """`async with kept():` keeps connections open while its block runs. With the last block each is closed: nobody
    tells an adapter that there will be no more calls."""

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close
        self._users = 0

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                await self._close()


class Proxy:
    """The way out through a proxy, or none. SettingError if the library for it is missing; `variable` names it."""

    def __init__(self, url: str, variable: str) -> None:
        self._url = url
        self._library: Any = None
        self.errors: tuple[type[Exception], ...] = ()
        if url:
            try:
                self._library = import_module("aiohttp_socks")
            except ImportError as error:
                raise SettingError(variable, "needs a library: pip install aiohttp-socks") from error
            names = ("ProxyError", "ProxyConnectionError", "ProxyTimeoutError")  # three, and none is another's kind
            self.errors = tuple(getattr(self._library, name) for name in names)

    def connector(self) -> BaseConnector | None:
        found: BaseConnector | None = self._library.ProxyConnector.from_url(self._url) if self._library else None
        return found


def hide(text: str, secrets: Iterable[str]) -> str:
    """Without what nobody must read."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def words_of(error: BaseException, secrets: Iterable[str]) -> str:
    """Of what kind an error is, and what it says."""
    return hide(f"{type(error).__name__}: {error}", secrets)
