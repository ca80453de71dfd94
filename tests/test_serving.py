"""Sockets: what is wrong with an address is named, and a served app answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from bot.connections import BODY_SECONDS, HEAD_BYTES, HEAD_SECONDS, Connections
from bot.errors import SettingError
from bot.serving import listen, serving

Message = MutableMapping[str, Any]


async def hello(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_an_app_is_served_on_a_free_port() -> None:
    async with serving(hello) as url, httpx.AsyncClient(trust_env=False) as http:
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
        self.transport: Any = self
        self.closed = False

    def abort(self) -> None:
        self.closed = True

    def asks(self, *, more: bool) -> None:
        self.cycle = SimpleNamespace(more_body=more, response_complete=False)


def test_a_head_gets_ten_seconds_a_body_a_minute_an_answer_all_it_takes() -> None:
    limits, silent, slow, following = Connections(100), Wire(), Wire(), Wire()
    for wire in (silent, slow, following):
        limits.made(wire, 0)
    slow.asks(more=True)
    following.asks(more=False)
    for now in range(1, 200):
        limits.look(now)
        assert silent.closed is (now >= HEAD_SECONDS)
        assert slow.closed is (now >= 1 + BODY_SECONDS)
    assert not following.closed
    following.cycle.response_complete = True
    limits.look(200)
    assert not following.closed
    limits.look(200 + HEAD_SECONDS)
    assert following.closed


def test_where_there_are_too_many_the_idle_go_first_and_the_newest_come_in() -> None:
    limits = Connections(3)
    wires = [Wire() for _ in range(6)]
    wires[0].asks(more=False)
    for wire in wires[:3]:
        limits.made(wire, 0)
    limits.look(1)
    for wire in wires[3:]:
        limits.made(wire, 2)
    assert [wire.closed for wire in wires] == [False, True, True, True, False, False]


async def test_idle_connections_keep_nobody_out() -> None:
    """With more of them than there may be connections, whoever really asks is answered."""
    async with serving(hello, most=64) as url, contextlib.AsyncExitStack() as stack:
        port = httpx.URL(url).port
        for _ in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(url)).text == "hello"


async def test_a_head_that_does_not_end_is_refused() -> None:
    async with serving(hello) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * (HEAD_BYTES + 1))
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_who_serves_is_not_told() -> None:
    async with serving(hello) as url, httpx.AsyncClient(trust_env=False) as http:
        assert "server" not in (await http.get(url)).headers
