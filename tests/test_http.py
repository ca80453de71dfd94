"""The HTTP host: which app gets a request, and the two pages of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import httpx
import pytest

from bot.http.health import monitoring
from bot.http.host import Host, Metrics, Part
from bot.service.config import Settings
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


HERE, TOKEN = {"Host": "127.0.0.1:8080"}, {"Authorization": "Bearer a-secret-word"}


@pytest.mark.parametrize(
    ("client", "headers", "settings", "status"),
    [
        ("127.0.0.1", HERE, {}, 200),
        ("127.0.0.1", {"Host": "localhost"}, {}, 200),
        ("::1", {"Host": "[::1]:8080"}, {}, 200),
        ("10.0.0.7", HERE, {}, 401),
        ("nowhere", HERE, {}, 401),
        ("10.0.0.7", HERE, {"open": True}, 200),
        # through a proxy on this machine, in all the ways that it shows or doesn't
        ("127.0.0.1", {"Host": "magpie.example.org"}, {}, 401),
        *(
            ("127.0.0.1", {**HERE, name: "1"}, {}, 401)
            for name in ("X-Forwarded-For", "x-forwarded-host", "CF-Connecting-IP", "Via", "X-Real-IP", "Forwarded")
        ),
        ("127.0.0.1", HERE, {"closed": True}, 401),
        # with the token from anywhere, with another from nowhere
        ("10.0.0.7", TOKEN, {"token": "a-secret-word", "closed": True}, 200),
        ("10.0.0.7", {"Authorization": "Bearer another"}, {"token": "a-secret-word"}, 401),
        ("10.0.0.7", {"Authorization": "Bearer "}, {}, 401),
        ("10.0.0.7", {"Authorization": "Bearer é".encode()}, {"token": "a-secret-word"}, 401),
    ],
)
async def test_metrics_are_for_this_machine_or_who_has_the_token(
    client: str, headers: Mapping[str, Any], settings: Mapping[str, Any], status: int
) -> None:
    app = host(metrics=Metrics(_counted, **settings))
    transport = httpx.ASGITransport(app, client=(client, 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as http:
        answer = await http.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("magpie_turns_total 3" in answer.text) is (status == 200)


@pytest.mark.parametrize(
    ("settings", "closed"),
    [
        ({}, False),
        ({"public_url": "http://localhost:8080"}, False),
        ({"public_url": "https://magpie.example.org"}, True),
        ({"trusted_proxies": "127.0.0.1"}, True),
    ],
)
def test_where_a_proxy_may_be_local_is_nobody(settings: Mapping[str, str], closed: bool) -> None:
    made = monitoring(Settings(_env_file=None, **settings), _counted)
    assert made is not None
    assert made.closed is closed


async def _counted() -> bytes:
    return b"magpie_turns_total 3"


async def test_without_metrics_there_are_none() -> None:
    assert (await ask(host(), "/metrics")).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_a_rebound_name_reads_nothing(path: str) -> None:
    """A page in the owner's browser whose name suddenly points here."""
    app = host(metrics=Metrics(_counted, open=True), knows=lambda name: name == "127.0.0.1:8080")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example") as http:
        answer = await http.get(path)
        assert answer.status_code == 421
        assert "magpie_turns" not in answer.text
        assert (await http.get(path, headers=HERE)).status_code == 200
    for name in ("content-security-policy", "x-content-type-options", "x-frame-options"):
        assert name in answer.headers


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
