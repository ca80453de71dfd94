"""The HTTP host: which app gets a request, and the two pages of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import httpx
import pytest

from bot.http import Host, Part
from bot.types import AsgiApp

Event = MutableMapping[str, Any]


def app(name: str) -> AsgiApp:
    """Answers with its name, the path, and where it is mounted."""

    async def answer(
        scope: Event, receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]
    ) -> None:
        body = b""
        while (event := await receive())["type"] == "http.request":
            body += event["body"]
            if not event.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        text = f"{name} {scope['path']} {scope['root_path']} {body.decode()}".strip()
        await send({"type": "http.response.body", "body": text.encode()})

    return answer


def host(mounts: Mapping[str, AsgiApp] | None = None, parts: Mapping[str, Part] | None = None, **more: Any) -> Host:
    async def tell() -> Mapping[str, Part]:
        return parts or {"store": Part()}

    return Host(mounts or {}, tell, **more)


async def ask(app: Host, path: str, method: str = "GET", content: bytes = b"") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
        return await client.request(method, path, content=content)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", "page /"),
        ("/other", "page /other"),
        ("/a", "a /a /a"),
        ("/a/", "a /a/ /a"),
        ("/a/x", "a /a/x /a"),
        ("/ab", "page /ab"),
        ("/a/b", "ab /a/b /a/b"),
        ("/a/b/c", "ab /a/b/c /a/b"),
        ("/a/bc", "a /a/bc /a"),
    ],
)
async def test_the_longest_prefix_wins(path: str, answer: str) -> None:
    mounted = host({"/": app("page"), "/a": app("a"), "/a/b/": app("ab")})
    assert " ".join((await ask(mounted, path)).text.split()) == answer


async def test_a_body_reaches_the_app() -> None:
    assert (await ask(host({"/in": app("in")}), "/in", "POST", b"hello")).text == "in /in /in hello"


@pytest.mark.parametrize("mounts", [{}, {"/a": app("a")}])
async def test_what_is_nowhere_is_404(mounts: Mapping[str, AsgiApp]) -> None:
    assert (await ask(host(mounts), "/nothing")).status_code == 404


async def test_healthz_even_beside_a_page_at_the_root() -> None:
    answer = await ask(host({"/": app("page")}, {"store": Part("数据库 is locked"), "page": Part()}), "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"store": "数据库 is locked", "page": "ok"})
    assert int((await ask(host(), "/healthz", "HEAD")).headers["content-length"]) == len('{"store": "ok"}')
    assert (await ask(host(), "/healthz", "POST")).status_code == 405


async def test_readyz_names_what_is_not_ready() -> None:
    answer = await ask(host(), "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"store": "ok"})
    answer = await ask(host(parts={"store": Part("locked"), "gateway": Part()}), "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"store": "locked", "gateway": "ok"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


async def test_what_is_not_vital_is_told_and_no_more() -> None:
    answer = await ask(host(parts={"store": Part(), "gateway": Part("BadKey", vital=False)}), "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"store": "ok", "gateway": "BadKey"})


@pytest.mark.parametrize(
    ("client", "headers", "open_metrics", "status"),
    [
        ("127.0.0.1", {}, False, 200),
        ("::1", {}, False, 200),
        ("10.0.0.7", {}, False, 404),
        ("nowhere", {}, False, 404),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, False, 404),
        ("10.0.0.7", {}, True, 200),
    ],
)
async def test_metrics_are_for_this_machine(
    client: str, headers: Mapping[str, str], open_metrics: bool, status: int
) -> None:
    async def metrics() -> bytes:
        return b"magpie_turns_total 3"

    app = host(metrics=metrics, open_metrics=open_metrics)
    transport = httpx.ASGITransport(app, client=(client, 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as http:
        answer = await http.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("magpie_turns_total 3" in answer.text) is (status == 200)
    assert (await ask(host(), "/metrics")).status_code == 404


@pytest.mark.parametrize("mounts", [{"a": app("a")}, {"/a": app("a"), "/a/": app("b")}])
def test_mounts_that_make_no_sense(mounts: Mapping[str, AsgiApp]) -> None:
    with pytest.raises(ValueError, match="prefix"):
        host(mounts)


async def play(app: Host, scope: Event, *events: Event) -> list[str]:
    queue, sent = list(events), list[str]()

    async def receive() -> Event:
        return queue.pop(0)

    async def send(event: Event) -> None:
        sent.append(event["type"])

    await app(scope, receive, send)
    return sent


async def test_head_sends_no_body() -> None:
    bodies: list[bytes] = []

    async def receive() -> Event:
        return {"type": "http.request", "body": b""}

    async def send(event: Event) -> None:
        bodies.append(event.get("body", b""))

    await host()({"type": "http", "path": "/healthz", "method": "HEAD"}, receive, send)
    assert bodies == [b"", b""]


async def test_lifespan() -> None:
    events = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
    assert await play(host(), {"type": "lifespan"}, *events) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_a_websocket_nobody_wants_is_closed() -> None:
    assert await play(host(), {"type": "websocket", "path": "/x"}, {"type": "websocket.connect"}) == ["websocket.close"]
