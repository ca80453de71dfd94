"""HTTP transport: httpx's requests over aiohttp's connections: a chunk of a stream costs a third, and reading can be
held up"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx

from bot.errors import Broken, Unreachable

__all__ = ["Flow", "Transport"]

_HEADER = 1 << 16  # bytes of one: some proxies send whole policies


class Flow(httpx.AsyncByteStream):
    """The body of an answer; `response.extensions["flow"]`. Held up, what comes waits in the system's buffers, and
    nobody is woken for it. Raises Broken."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def hold(self) -> None:
        if (transport := self._transport) is not None:
            transport.pause_reading()

    def go_on(self) -> None:
        if (transport := self._transport) is not None:
            transport.resume_reading()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for piece in self._response.content.iter_any():
                yield piece

    async def aclose(self) -> None:
        self._response.close() if not self._response.content.at_eof() else self._response.release()

    @property
    def _transport(self) -> asyncio.ReadTransport | None:
        """None once all has come: the connection may be another answer's by then."""
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        return transport if isinstance(transport, asyncio.ReadTransport) else None


class Transport(httpx.AsyncBaseTransport):
    """As many connections as there are requests. Raises Unreachable (no connection) and Broken, which httpx passes
    on."""

    def __init__(self, *, keepalive: float) -> None:
        self._keepalive = keepalive  # seconds
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connect = request.extensions.get("timeout", {}).get("connect")
        with _translated():
            response = await self._opened().request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=connect),  # the host's name and TLS included
            )
        flow = Flow(response)
        return httpx.Response(response.status, headers=response.raw_headers, stream=flow, extensions={"flow": flow})

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made in the event loop that uses it."""
        if self._session is None:
            tls = httpx.create_ssl_context(trust_env=False)
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=self._keepalive, ssl=tls)
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=_HEADER,
                max_field_size=_HEADER,
            )
        return self._session


@contextmanager
def _translated() -> Iterator[None]:
    """aiohttp's errors in our words; theirs hold no secret, but only their kind is told."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise Unreachable(detail=_reason(error)) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Broken(detail=f"{type(error).__name__}: {error}") from error


def _reason(error: Exception) -> str:
    """Why there is no connection, without aiohttp's inner words."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    return f"{type(error).__name__}: {error}"
