"""Sockets: what is wrong with an address is named, and a served app answers."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import pytest

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
