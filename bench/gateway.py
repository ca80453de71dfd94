"""A gateway that says numbered words at a steady rate, and remembers when it said each."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field

__all__ = ["Gateway", "said"]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_MODELS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"data":[]}'
_NUMBER = re.compile(r"#(\d+)")


def said(number: int, tokens: int) -> str:
    """The whole answer to question `number`."""
    return " ".join(f"{number}w{token}" for token in range(tokens))


@dataclass(eq=False)
class Stream:
    """One answer on its way: `times` has when each word was written (monotonic seconds)."""

    number: int
    tokens: int
    writer: asyncio.StreamWriter
    done: asyncio.Future[None]
    times: list[float] = field(default_factory=list)

    def speak(self, now: float) -> bool:
        """Write the next word; False if there is none left."""
        token = len(self.times)
        if token == self.tokens or self.writer.is_closing():
            end = _event('{"content":""}', '"stop"') + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
            self.writer.write(end)
            if not self.done.done():
                self.done.set_result(None)
            return False
        space = " " if token else ""
        self.writer.write(_event(f'{{"content":"{space}{self.number}w{token}"}}', "null"))
        self.times.append(now)
        return True


class Gateway:
    """`rate` and `tokens` may be set before each row. `streams` by question's number: more than one was paid twice."""

    def __init__(self) -> None:
        self.rate, self.tokens = 50.0, 300
        self.streams: defaultdict[int, list[Stream]] = defaultdict(list)
        self._due: list[tuple[float, int, Stream]] = []
        self._count = 0
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def serving(self):  # type: ignore[no-untyped-def]  # an async generator of its base URL
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048)
        speaking = asyncio.create_task(self._speak())
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            speaking.cancel()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                size = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(size[1])) if size else b""
                if not head.startswith("POST"):
                    writer.write(_MODELS)
                    continue
                writer.write(_HEAD)
                await self._stream(writer, json.loads(body))
        writer.close()

    async def _stream(self, writer: asyncio.StreamWriter, request: dict[str, object]) -> None:
        found = _NUMBER.findall(json.dumps(request["messages"][-1]))  # type: ignore[index]
        number = int(found[-1]) if found else 0
        done = asyncio.get_running_loop().create_future()
        stream = Stream(number, self.tokens, writer, done)
        self.streams[number].append(stream)
        self._push(time.monotonic(), stream)
        self._news.set()
        await done

    def _push(self, at: float, stream: Stream) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, stream))

    async def _speak(self) -> None:
        """All words that are due, then sleep until the next is."""
        while True:
            now = time.monotonic()
            while self._due and self._due[0][0] <= now + 0.001:
                at, _, stream = heapq.heappop(self._due)
                if stream.speak(now):
                    self._push(at + 1 / self.rate, stream)
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                wait = self._due[0][0] - time.monotonic() if self._due else None
                await asyncio.wait_for(self._news.wait(), None if wait is None else max(0.0, wait))


def _event(delta: str, finish: str) -> bytes:
    choice = f'{{"index":0,"delta":{delta},"finish_reason":{finish}}}'
    return _chunk(f'data: {{"id":"bench","model":"qwen-plus","choices":[{choice}]}}\n\n'.encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
