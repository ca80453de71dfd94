"""HTTP server around an ASGI app, on a socket that we have bound ourselves."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn

from bot.errors import SettingError
from bot.http.connections import HEAD_BYTES, Connections, Reluctant
from bot.types import AsgiApp

__all__ = ["Server", "listen", "reachable", "serving"]


class Server(uvicorn.Server):
    """`stop()` it; signals are the app's business. `most`: connections at once."""

    def __init__(self, app: AsgiApp, most: int | None = None) -> None:
        self.limits = Connections(most)
        super().__init__(
            uvicorn.Config(
                app,
                http=type("_Counted", (Reluctant,), {"limits": self.limits}),
                ws="none",
                log_config=None,
                log_level="error",  # what strangers send wrong is no news
                access_log=False,
                server_header=False,
                proxy_headers=False,  # who is believed about that is the page's to know
                backlog=128,
                h11_max_incomplete_event_size=HEAD_BYTES,
                timeout_graceful_shutdown=1,
                lifespan="off",
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watching = asyncio.create_task(self.limits.watch())
        try:
            await super().serve(sockets)
        finally:
            watching.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def stop(self) -> None:
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. SettingError names what is wrong with the address."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise SettingError(
            "HTTP_HOST", "{host} is no address of this machine ({reason})", host=host, reason=error
        ) from error
    listening = socket.socket(family, kind, proto)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise SettingError("HTTP_HOST", "{host} is no address of this machine", host=host) from error
        raise SettingError(
            "HTTP_PORT",
            "can't listen on {host}:{port} ({reason}). Stop the other program, or take another port: HTTP_PORT={other}",
            host=host,
            port=port,
            reason=(error.strerror or str(error)).lower(),
            other=port + 1,
        ) from error
    return listening


def reachable(host: str, port: int) -> str:
    """An address at which this machine can open what listens on `host`."""
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


@contextlib.asynccontextmanager
async def serving(app: AsgiApp, most: int | None = None) -> AsyncIterator[str]:
    """Serve `app` on a free loopback port, to at most `most` connections. Yields its base URL."""
    listening = listen("127.0.0.1", 0)
    listening.listen()  # whoever comes before the server is up waits
    server = Server(app, most)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.stop()
        await task
        listening.close()
