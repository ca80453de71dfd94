"""The HTTP server around an ASGI app, on a socket that we have bound ourselves."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn

from bot.errors import SettingError
from bot.types import AsgiApp

__all__ = ["Server", "listen", "serving"]


class Server(uvicorn.Server):
    """`stop()` it; signals are the app's business."""

    def __init__(self, app: AsgiApp) -> None:
        super().__init__(
            uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="off")
        )

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


@contextlib.asynccontextmanager
async def serving(app: AsgiApp) -> AsyncIterator[str]:
    """Serve `app` on a free loopback port. Yields its base URL."""
    listening = listen("127.0.0.1", 0)
    server = Server(app)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.stop()
        await task
        listening.close()
