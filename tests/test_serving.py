"""Sockets: what is wrong with an address is named, and a served app answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from bot.errors import SettingError
from bot.http.connections import BODY_RATE, BODY_SECONDS, HEAD_BYTES, HEAD_SECONDS, UNREAD_SECONDS, Connections
from bot.http.server import Server, listen, serving
from tests.fakes.clock import PATIENCE, moments

Message = MutableMapping[str, Any]


async def hello(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_an_app_is_served_on_a_free_port() -> None:
    async with serving(hello) as url, httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
        assert (await http.get(url)).text == "hello"


def test_a_taken_port_is_named_with_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=rf"HTTP_PORT: .*127\.0\.0\.1:{port}.*HTTP_PORT={port + 1}"):
            listen("127.0.0.1", port)


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Wire(asyncio.Protocol):
    """A connection as the limits see it: no transport, and what uvicorn says of its request."""

    def __init__(self) -> None:
        self.cycle: Any = None
        self.flow = SimpleNamespace(write_paused=False)
        self.received = 0
        self.transport: Any = self
        self.closed = False

    def abort(self) -> None:
        self.closed = True

    def asks(self, *, more: bool) -> None:
        self.cycle = SimpleNamespace(more_body=more, response_complete=False)


def test_a_head_gets_ten_seconds_a_body_a_minute_an_answer_all_it_takes() -> None:
    limits, silent, slow, following, unread = Connections(100), Wire(), Wire(), Wire(), Wire()
    for wire in (silent, slow, following, unread):
        limits.made(wire, 0)
    slow.asks(more=True)
    following.asks(more=False)
    unread.asks(more=False)
    unread.flow.write_paused = True
    for now in range(1, 200):
        limits.look(now)
        assert silent.closed is (now >= HEAD_SECONDS)
        assert slow.closed is (now >= 1 + BODY_SECONDS)
        assert unread.closed is (now >= 1 + UNREAD_SECONDS)
    assert not following.closed
    following.cycle.response_complete = True
    limits.look(200)
    assert not following.closed
    limits.look(200 + HEAD_SECONDS)
    assert following.closed


def test_a_body_that_comes_slowly_has_time_and_one_that_is_refused_has_not() -> None:
    """A photo over a bad line takes minutes; what comes behind an answer is read by nobody."""
    limits, photo, refused = Connections(100), Wire(), Wire()
    for wire in (photo, refused):
        limits.made(wire, 0)
        wire.asks(more=True)
    refused.cycle.response_complete = True
    for now in range(1, 600):
        photo.received = refused.received = now * BODY_RATE
        limits.look(now)
    assert (photo.closed, refused.closed) == (False, True)
    for now in range(600, 1300):
        limits.look(now)
    assert photo.closed


def test_where_there_are_too_many_those_go_that_have_tried_our_patience_most() -> None:
    """Never who is being answered; nor a photo that takes its time, nor who has just come."""
    limits = Connections(4)
    answered, photo, slow, unread, head, late = (Wire() for _ in range(6))
    for wire in (answered, photo, slow, unread):
        limits.made(wire, 0)
        wire.asks(more=wire in (photo, slow))
    unread.flow.write_paused = True
    limits.look(1)
    photo.received = 100_000
    limits.look(5)
    limits.made(head, 7)
    assert [wire.closed for wire in (answered, photo, slow, unread)] == [False, False, True, False]
    limits.made(late, 9)
    assert [wire.closed for wire in (answered, photo, unread, head)] == [False, False, False, True]
    assert not late.closed


def test_where_all_are_being_answered_a_few_more_come_in() -> None:
    limits = Connections(4)
    wires = [Wire() for _ in range(6)]
    for wire in wires:
        limits.made(wire, 1)
        wire.asks(more=False)
        limits.moved(wire, 1)
    assert [wire.closed for wire in wires] == [False] * 5 + [True]


def test_of_many_that_are_idle_the_longest_go_first() -> None:
    """A browser's connection that has just been used is no older than its last request."""
    limits = Connections(3)
    browser, stranger, other = Wire(), Wire(), Wire()
    for wire in (browser, stranger, other):
        limits.made(wire, 0)
    browser.asks(more=False)
    limits.look(4)
    browser.cycle.response_complete = True
    limits.look(5)
    limits.made(Wire(), 6)
    assert (browser.closed, stranger.closed) == (False, True)


async def test_idle_connections_keep_nobody_out() -> None:
    """With more of them than there may be connections, whoever really asks is answered."""
    async with serving(hello, most=64) as url, contextlib.AsyncExitStack() as stack:
        port = httpx.URL(url).port
        for _ in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
            assert (await http.get(url)).text == "hello"


@contextlib.asynccontextmanager
async def served(most: int | None = None) -> AsyncIterator[tuple[Server, int]]:
    """A server of the page's kind, and its port."""
    with listen("127.0.0.1", 0) as listening:
        listening.listen()
        server = Server(reads_all, most)
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield server, listening.getsockname()[1]
        finally:
            server.stop()
            await task


async def reads_all(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Refuses what is at /refused, and answers everything else with 300 kB when it has come."""
    size = 0
    while scope["path"] != "/refused":
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event["body"])
        if not event["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%9d" % size + bytes(300_000)})


@pytest.mark.parametrize(
    ("sent", "patience"),
    [
        (b"", HEAD_SECONDS),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-More: ", HEAD_SECONDS),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 50, HEAD_SECONDS),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\npass", BODY_SECONDS),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", BODY_SECONDS),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\npass", BODY_SECONDS),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ", BODY_SECONDS),
        (b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\nx", BODY_SECONDS),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20, UNREAD_SECONDS),
    ],
)
async def test_what_stops_half_way_is_closed_when_its_time_is_over(sent: bytes, patience: float) -> None:
    async with served() as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)  # reads no more than it must
        writer.write(sent)
        await moments()  # what it sent is there, and what we say to it
        now = asyncio.get_running_loop().time()
        server.limits.look(now)
        server.limits.look(now + patience - 1)
        await moments(0.05)
        assert not writer.transport.is_closing()
        server.limits.look(now + patience)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(_to_the_end(reader), PATIENCE)
        writer.close()


async def _to_the_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\npass",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\npass",
        b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
    ],
)
async def test_those_who_wait_half_way_keep_nobody_out(sent: bytes) -> None:
    """As many as there may be, and more: whoever really asks is answered."""
    async with served(64) as (_, port), contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
            stack.callback(writer.close)
            writer.write(sent)
        await moments(0.2)
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
            assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200


async def test_what_is_malformed_behind_an_answer_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /refused HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"nonsense\r\n")
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(_to_the_end(reader), PATIENCE)
        writer.close()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_head_that_does_not_end_is_refused() -> None:
    async with serving(hello) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * (HEAD_BYTES + 1))
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_who_serves_is_not_told() -> None:
    async with serving(hello) as url, httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
        assert "server" not in (await http.get(url)).headers
