"""A proxy on the loopback interface: CONNECT (RFC 9110) and SOCKS5 with a name and a password (RFC 1928, 1929)."""

from __future__ import annotations

import asyncio
import base64
from types import TracebackType
from typing import Self

__all__ = ["FakeProxy"]

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FakeProxy:
    """`async with FakeProxy() as proxy`. Who comes without this name and password is refused. `targets` are the hosts
    and ports that were asked for; whatever they are, the way leads to the loopback interface."""

    def __init__(self, name: str = "magpie", password: str = "a-word-for-the-proxy") -> None:
        self.name, self.password = name, password
        self.targets: list[tuple[str, int]] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, scheme: str, password: str | None = None) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"{scheme}://{self.name}:{password or self.password}@127.0.0.1:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)
            there = await (self._socks(reader, writer) if first == b"\x05" else self._connect(first, reader, writer))
            if there is not None:
                await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is free to go
        finally:
            writer.close()

    async def _connect(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> _Streams | None:
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        wanted = "basic " + base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        if wanted.lower() not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return None
        host, _, port = head.split(" ")[1].rpartition(":")
        there = await self._open(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return there

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Streams | None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02")
        await reader.readexactly(1)
        name, password = await _string(reader), await _string(reader)
        known = (name, password) == (self.name, self.password)
        writer.write(b"\x01\x00" if known else b"\x01\x01")
        await writer.drain()
        if not known:
            return None
        kind = (await reader.readexactly(4))[3]
        host = await _string(reader) if kind == 3 else ".".join(map(str, await reader.readexactly(4)))
        there = await self._open(host, int.from_bytes(await reader.readexactly(2), "big"))
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        return there

    async def _open(self, host: str, port: int) -> _Streams:
        self.targets.append((host, port))
        return await asyncio.open_connection("127.0.0.1", port)


async def _string(reader: asyncio.StreamReader) -> str:
    return (await reader.readexactly((await reader.readexactly(1))[0])).decode()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the other half ends too
    finally:
        writer.close()
