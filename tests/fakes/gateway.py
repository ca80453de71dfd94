"""A gateway on the loopback interface that says, byte by byte, what its script says: answers, garbage, silence, the end
of the connection in the middle of a word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """`pieces` are the body, one write each; an event among them is waited for. `end`: "clean" as HTTP wants it; "cut"
    closes in the middle; "hang" keeps the line open and silent. `raw` goes out instead of any HTTP."""

    pieces: Sequence[bytes | asyncio.Event] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    end: Literal["clean", "cut", "hang"] = "clean"
    raw: bytes | None = None
    said: asyncio.Event = field(default_factory=asyncio.Event)  # all of it, where the line then hangs
    left: asyncio.Event = field(default_factory=asyncio.Event)  # the client has closed the connection


def sse(*chunks: object, done: bool = True) -> bytes:
    """An event stream of JSON values."""
    events = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
    return "".join((*events, "data: [DONE]\n\n" if done else "")).encode()


def chunk(text: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    """One chunk of a streamed answer."""
    delta = {} if text is None else {"content": text}
    return {
        "id": "c1",
        "model": "qwen-plus",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


class FakeGateway:
    """`async with FakeGateway() as gateway`: then fill `gateway.replies`; the last one is given again and again."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> FakeGateway:
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
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self.asked.set()
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if not await self._answer(reply, reader, writer):
                    break
        except ConnectionError:
            pass  # the client is free to go
        finally:
            writer.close()

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Returns whether the connection may be used again."""
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            await self._hang(reply, reader)
            return False
        headers = {"Transfer-Encoding": "chunked", "Content-Type": "text/event-stream", **reply.headers}
        head = f"HTTP/1.1 {reply.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(head.encode() + b"\r\n")
        for piece in reply.pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
                continue
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        if reply.end == "clean":
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return True
        await self._hang(reply, reader)
        return False

    async def _hang(self, reply: Reply, reader: asyncio.StreamReader) -> None:
        if reply.end == "hang":
            reply.said.set()
            await reader.read()
            reply.left.set()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
