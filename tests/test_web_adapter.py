"""The page's adapter at its HTTP surface, with a small core behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters import ADAPTERS, load, switched_on
from adapters.web.adapter import WebAdapter
from adapters.web.checks import checks
from adapters.web.inbound.files import KEPT_BYTES, MOST_BYTES, Files
from adapters.web.rooms import HEARTBEAT, KEPT_EVENTS, KEPT_ROOMS, Room, Rooms
from adapters.web.settings import WebSettings, load_settings
from bot.errors import MediaError, RetryLater, SettingError, StoreError, Undeliverable
from bot.markdown.parser import parse
from bot.media.attached import MAX_BYTES
from bot.turns.queue import TurnEnds
from bot.types import (
    Ack,
    AdapterContext,
    Attachment,
    CallKind,
    Chat,
    Choice,
    IncomingMessage,
    Kind,
    Mark,
    Menu,
    ModelInfo,
    Note,
    NoteKind,
    Outcome,
    Person,
    Piece,
    Posted,
    Press,
    Price,
    Role,
    SettingRow,
    Status,
    TurnKind,
    TurnState,
)
from tests.fakes.clock import PATIENCE, SimClock
from tests.fakes.web_core import WebCore

CHAT = Chat("web", "local", "conversation-1")
BASE = "http://127.0.0.1:8080"
ROOT = f"/api/chats/{CHAT.id}"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MODELS = (
    ModelInfo("qwen-plus", "Plus", price=Price(flat=Decimal("0.0025")), context=131072, search=True, recent=True),
    ModelInfo("other", price=Price("USD", input=Decimal("0.001"), output=Decimal("0.002"))),
)


class House:
    """An adapter that runs, its core, and a browser's way to it."""

    def __init__(self, folder: Path, core: WebCore | None = None, **settings: Any) -> None:
        self.core = core or WebCore()
        self.clock = SimClock()
        self.settings = WebSettings(**{"data_dir": folder, "http_host": "127.0.0.1", "_env_file": None, **settings})
        self.ends = TurnEnds()
        around = AdapterContext(
            self.core, lambda: MODELS, self.clock, "gateway", {"model": "qwen-plus"}, on_turn_end=self.ends.follow
        )
        self.adapter = WebAdapter(self.settings, around)
        self.app = self.adapter.http["/"]
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE})

    async def send(self, text: str, id: str = "message-1", **more: Any) -> httpx.Response:
        return await self.client.post(f"{ROOT}/messages", json={"id": id, "text": text, **more})

    async def press(self, action: str, id: str = "press-0001", **more: Any) -> httpx.Response:
        return await self.client.post(f"{ROOT}/press", json={"id": id, "action": action, **more})

    async def page(self, query: str = "") -> dict[str, Any]:
        answer = await self.client.get(ROOT + query)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    async def shown(self) -> list[tuple[list[str], list[str]]]:
        """What the conversation shows: the texts that asked, and the HTML of each piece that answers, turn by turn."""
        turns = (await self.page())["turns"]
        return [([m["text"] for m in t["messages"]], ["".join(p["blocks"]) for p in t["pieces"]]) for t in turns]

    async def upload(
        self, data: bytes | AsyncIterator[bytes], name: str = "a.png", mime: str = "image/png"
    ) -> httpx.Response:
        return await self.client.post(
            "/api/uploads", params={"name": name}, content=data, headers={"Content-Type": mime}
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[House]:
        task = asyncio.create_task(self.adapter.run(self.core))
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self.client.aclose()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path).running() as running:
        yield running


class Stream:
    """The events of a conversation, read from the ASGI app itself: httpx would wait for their end."""

    def __init__(self, house: House, after: str = "", *, last_event_id: str = "") -> None:
        self._house = house
        headers = [(b"host", b"127.0.0.1:8080")]
        if last_event_id:
            headers.append((b"last-event-id", last_event_id.encode()))
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "GET",
            "path": f"{ROOT}/events",
            "raw_path": f"{ROOT}/events".encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": f"after={after}".encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
        }
        self.status = 0
        self.events: list[dict[str, Any]] = []
        self.ended = False
        self._gone = asyncio.Event()

    async def __aenter__(self) -> Stream:
        self._task = asyncio.create_task(self._read())
        await self.settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        await self._task

    async def _read(self) -> None:
        await self._house.app(self._scope, self._receive, self._take)
        self.ended = True

    async def _receive(self) -> MutableMapping[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _take(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        for block in bytes(message.get("body", b"")).decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
            if "event" in fields:
                self.events.append(
                    {"id": fields.get("id", ""), "name": fields["event"], "data": json.loads(fields["data"])}
                )

    async def settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    def names(self) -> list[str]:
        return [event["name"] for event in self.events]


def html(view: dict[str, Any]) -> str:
    return "".join(block for piece in view["pieces"] for block in piece["blocks"])


# ── data ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_the_adapter_says_of_itself(house: House) -> None:
    adapter = house.adapter
    assert (adapter.account.platform, adapter.account.id) == ("web", "local")
    assert adapter.features.find
    assert adapter.limits.frame == 0.1
    assert adapter.limits.buckets(CHAT, CallKind.NEW) == ()
    assert adapter.limits.measure(parse("字" * 500)) < adapter.limits.size


async def test_the_table_of_platforms_leads_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("web") is WebAdapter
    assert "web" in ADAPTERS
    monkeypatch.setenv("WEB", "off")
    with pytest.raises(SettingError, match="none of these is set"):
        switched_on()
    monkeypatch.setenv("WEB", "on")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    opened = switched_on()["web"](AdapterContext(WebCore(), lambda: MODELS, SimClock()))
    assert isinstance(opened, WebAdapter)


async def test_reading_the_small_things(house: House) -> None:
    start = (await house.client.get("/api/start")).json()
    assert start["limits"]["file_bytes"] == MAX_BYTES
    assert start["defaults"] == {"model": "qwen-plus"}
    models = (await house.client.get("/api/models")).json()["models"]
    assert models[0]["price"] == {"currency": "CNY", "flat": "0.0025"}
    assert models[0]["recent"] is True
    assert models[1]["name"] == "other"
    assert models[1]["price"] == {"currency": "USD", "input": "0.001", "output": "0.002"}
    balance = (await house.client.get("/api/balance")).json()["balance"]
    assert (balance["amount"], balance["currency"]) == ("12.5", "CNY")
    house.core.raised["below:5"] = 1
    assert (await house.client.get("/api/balance")).json()["alerts"]["names"] == ["below:5"]
    await house.send("first question")
    listed = (await house.client.get("/api/chats")).json()
    assert listed["chats"][0]["title"] == "first question"
    assert "alerts" in listed  # whose title is in the page's language


async def test_settings_tell_own_from_inherited(house: House) -> None:
    house.core.rows = [
        SettingRow("*", "temperature", 0.3, "x", 1),
        SettingRow("web/local", "top_p", 0.5, "x", 2),
        SettingRow(CHAT.key, "temperature", 0.9, "x", 3),
    ]
    rows = {row["name"]: row for row in (await house.client.get(f"{ROOT}/settings")).json()["settings"]}
    assert (rows["temperature"]["value"], rows["temperature"]["own"], rows["temperature"]["inherited"]) == (
        0.9,
        True,
        0.3,
    )
    assert (rows["top_p"]["value"], rows["top_p"]["own"]) == (0.5, False)


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_becomes_an_event(house: House) -> None:
    answer = await house.send("  hello\nthere ", language="zh-CN")
    assert answer.json()["turn"] == 1
    (event,) = house.core.events
    assert isinstance(event, IncomingMessage)
    assert (event.key, event.chat, event.post) == ("web:conversation-1:message-1", CHAT, "message-1")
    assert (event.author.id, event.author.admin, event.author.language) == ("owner", True, "zh-CN")
    assert event.text == "  hello\nthere "
    assert event.at == house.clock.now()


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("zh", "en", "zh"),
        (None, "zh-CN,zh;q=0.9", "zh-CN"),
        (None, "", "en"),
        ("<script>", "fr;q=1", "fr"),
        (5, "*", "en"),
    ],
)
async def test_the_language_is_chosen_or_the_browsers(
    house: House, chosen: object, accepted: str, language: str
) -> None:
    house.client.headers["Accept-Language"] = accepted
    await house.send("hello", language=chosen)
    event = house.core.events[0]
    assert isinstance(event, IncomingMessage)
    assert event.author.language == language


async def test_the_same_message_is_asked_once_and_says_which_turn_it_is(house: House) -> None:
    first, second = await house.send("hello"), await house.send("hello")
    assert first.json()["turn"] == second.json()["turn"] == 1
    assert len(house.core.events) == 1
    assert await house.shown() == [(["hello"], [])]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": "message-1", "text": "   "}, "empty"),
        ({"id": "message-1"}, "empty"),
        ({"id": "short", "text": "x"}, "bad_id"),
        ({"text": "x"}, "bad_id"),
        ({"id": "message-1", "text": 5}, "bad_request"),
        ({"id": "message-1", "text": "x", "files": {}}, "bad_request"),
        ({"id": "message-1", "text": "x", "files": [5]}, "bad_request"),
        ({"id": "message-1", "text": "x", "files": [{"ref": "a" * 32}]}, "no_file"),
        ({"id": "message-1", "text": "x", "files": [{"ref": "../../etc/passwd"}]}, "no_file"),
        ({"id": "message-1", "text": "x", "files": [{"ref": "a" * 32}] * 11}, "too_many_files"),
        ({"id": "message-1", "text": "x" * 200_001}, "too_long"),
        ({"id": "message-1", "text": "x" * 3_000_000}, "too_long"),
        ([], "bad_request"),
    ],
)
async def test_a_message_that_makes_no_sense_is_refused(house: House, body: object, code: str) -> None:
    answer = await house.client.post(f"{ROOT}/messages", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert house.core.events == []


async def test_text_that_no_database_takes_is_cleaned(house: House) -> None:
    body = b'{"id": "message-1", "text": "a\\u0000b\\ud83d"}'
    answer = await house.client.post(f"{ROOT}/messages", content=body)
    if answer.status_code == 200:  # else the JSON itself was refused, which is as good
        event = house.core.events[0]
        assert isinstance(event, IncomingMessage)
        event.text.encode()
        assert "\x00" not in event.text
    await house.send("a\x00b", "message-2")
    event = house.core.events[-1]
    assert isinstance(event, IncomingMessage)
    assert event.text == "ab"


async def test_a_broken_store_is_told_and_the_same_message_can_come_again(house: House) -> None:
    house.core.broken = True
    answer = await house.send("hello")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "store"
    house.core.broken = False
    assert (await house.send("hello")).json()["turn"] == 1


async def test_before_and_after_its_run_nothing_is_taken(tmp_path: Path) -> None:
    house = House(tmp_path)
    for path in (f"{ROOT}/messages", f"{ROOT}/press", f"{ROOT}/stop", "/api/uploads"):
        answer = await house.client.post(path, json={"id": "message-1", "text": "x", "action": "/x"})
        assert answer.status_code == 503, path
        assert answer.json()["error"]["code"] == "starting"
    assert (await house.client.get(f"{ROOT}/events")).status_code == 503
    async with house.running():
        assert (await house.send("x")).status_code == 200


async def test_a_press_is_brought_and_its_words_come_back_plain(house: House) -> None:
    house.core.acks["/set temperature 3"] = Ack(toast="`temperature` must be **below** 2", error=True)
    answer = (await house.press("/set temperature 3")).json()
    assert (answer["toast"], answer["error"]) == ("temperature must be below 2", True)
    (event,) = house.core.events
    assert isinstance(event, Press)
    assert (event.key, event.action, event.post) == ("web:conversation-1:press-0001", "/set temperature 3", None)
    await house.press("/retry 1", "press-0002", post="1.0")
    assert house.core.events[-1] == replace(event, key="web:conversation-1:press-0002", action="/retry 1", post="1.0")


@pytest.mark.parametrize(
    "body", [{"action": "stop"}, {"action": 5}, {"action": "/x", "post": "1"}, {"action": "/x", "post": 5}]
)
async def test_a_press_that_makes_no_sense_is_refused(house: House, body: dict[str, Any]) -> None:
    answer = await house.client.post(f"{ROOT}/press", json={"id": "press-0001", **body})
    assert answer.status_code == 400
    assert house.core.events == []


async def test_stop_is_the_stop_command_and_ends_what_waits(house: House) -> None:
    await house.send("hello")
    async with Stream(house, (await house.page())["position"]) as stream:
        answer = await house.client.post(f"{ROOT}/stop", json={"id": "press-0001"})
        assert answer.json()["toast"] == "Stopping."
        await stream.settle()
    (told,) = [event["data"] for event in stream.events if event["name"] == "turn"]
    assert (told["open"], told["outcome"], told["pieces"]) == (False, "stopped", [])


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_growing_answer_is_the_pieces_and_the_end_is_the_store(house: House) -> None:
    await house.send("hello")
    assert await house.core.grow(house.adapter, 1, "First") == "1.0"
    await house.core.grow(house.adapter, 1, "First **half")
    assert await house.shown() == [(["hello"], ["<p>First <strong>half</strong></p>"])]
    turn = (await house.page())["turns"][0]
    assert turn["open"] is True
    assert turn["pieces"][0]["growing"] is True
    await house.core.answer(house.adapter, 1, "First **half** and all")
    assert await house.shown() == [(["hello"], ["<p>First <strong>half</strong> and all</p>"])]
    turn = (await house.page())["turns"][0]
    assert turn["open"] is False
    assert turn["pieces"][0]["growing"] is False
    assert turn["pieces"][0]["source"] == "First **half** and all"


async def test_putting_the_same_piece_twice_shows_it_once(house: House) -> None:
    await house.send("hello")
    posts = {await house.core.grow(house.adapter, 1, "the same") for _ in range(3)}
    assert posts == {"1.0"}
    assert await house.shown() == [(["hello"], ["<p>the same</p>"])]


async def test_several_pieces_stand_in_order_and_once(house: House) -> None:
    await house.send("hello")
    await house.core.grow(house.adapter, 1, "one")
    await house.core.grow(house.adapter, 1, "two", index=1)
    await house.core.grow(house.adapter, 1, "one", growing=False)
    assert await house.shown() == [(["hello"], ["<p>one</p>", "<p>two</p>"])]
    house.core.generate(1, "one\n\ntwo")
    await house.core.deliver(house.adapter, 1)
    assert await house.shown() == [(["hello"], ["<p>one</p><p>two</p>"])]


async def test_an_answer_asked_again_takes_the_place_of_the_old_one(house: House) -> None:
    await house.send("hello")
    await house.core.grow(house.adapter, 1, "old")
    await house.core.grow(house.adapter, 1, "old too", index=1)
    await house.core.answer(house.adapter, 1, "old\n\nold too")
    house.core.reopen(1)
    await house.core.grow(house.adapter, 1, "new")
    assert await house.shown() == [(["hello"], ["<p>new</p>"])]
    await house.core.answer(house.adapter, 1, "new one")
    assert await house.shown() == [(["hello"], ["<p>new one</p>"])]


@pytest.mark.parametrize("moment", ["waiting", "growing", "generated", "delivered"])
async def test_a_restart_at_any_moment_shows_everything_once(tmp_path: Path, moment: str) -> None:
    async with House(tmp_path).running() as before:
        await before.send("first")
        await before.core.answer(before.adapter, 1, "answered")
        await before.send("second", "message-2")
        if moment != "waiting":
            await before.core.grow(before.adapter, 2, "half of")
        if moment in ("generated", "delivered"):
            before.core.generate(2, "half of it")
        if moment == "delivered":
            await before.core.deliver(before.adapter, 2)
    async with House(tmp_path, before.core).running() as after:
        stored = moment in ("generated", "delivered")
        expected = ["<p>half of it</p>"] if stored else []
        assert await after.shown() == [(["first"], ["<p>answered</p>"]), (["second"], expected)]
        assert (await after.page())["turns"][1]["open"] is not stored
        await after.core.grow(after.adapter, 2, "half of")
        await after.core.answer(after.adapter, 2, "half of it")
        assert await after.shown() == [(["first"], ["<p>answered</p>"]), (["second"], ["<p>half of it</p>"])]


async def test_a_delivery_that_goes_on_after_a_restart_doubles_nothing(tmp_path: Path) -> None:
    async with House(tmp_path).running() as before:
        await before.send("hello")
        before.core.generate(1, "one\n\ntwo")
        before.core.turns[1] = replace(before.core.turns[1], posts=(Posted(0, "1.0", "digest"),))
    async with (
        House(tmp_path, before.core).running() as after,
        Stream(after, (await after.page())["position"]) as stream,
    ):
        await after.adapter.put(CHAT, Piece("1.1", parse("two")))
        await stream.settle()
        assert [html(event["data"]) for event in stream.events] == ["<p>one</p><p>two</p>"]
        assert await after.shown() == [(["hello"], ["<p>one</p><p>two</p>"])]


async def test_notes_and_buttons_come_with_the_end(house: House) -> None:
    await house.send("hello")
    menu = Menu(((Choice("Retry", "/retry 1"), Choice("Top up", url="https://example.org/")),))
    notes = (Note(NoteKind.PART, "This is a part."), Note(NoteKind.COST, "0.01"))
    house.core.generate(1, "half", outcome=Outcome.PART, notes=notes, menu=menu)
    await house.core.deliver(house.adapter, 1)
    piece = (await house.page())["turns"][0]["pieces"][0]
    assert [note["kind"] for note in piece["notes"]] == ["part", "cost"]
    assert [choice["action"] for choice in piece["menu"][0]] == ["/retry 1", ""]
    assert (await house.page())["turns"][0]["outcome"] == "part"


async def test_an_error_without_a_text_is_shown(house: House) -> None:
    await house.send("hello")
    house.core.generate(1, "", outcome=Outcome.FAILED, notes=(Note(NoteKind.ERROR, "No money."),))
    await house.core.deliver(house.adapter, 1)
    piece = (await house.page())["turns"][0]["pieces"][0]
    assert (piece["blocks"], piece["notes"]) == ([], [{"kind": "error", "text": "No money."}])


async def test_the_answer_to_a_button_takes_its_messages_place_for_good(tmp_path: Path) -> None:
    async with House(tmp_path).running() as house:
        await house.send("/model")
        await house.core.answer(house.adapter, 1, "Choose")
        notice = house.core.open(CHAT, kind=TurnKind.NOTICE)
        house.core.generate(notice.id, "Chosen")
        assert await house.core.deliver(house.adapter, notice.id, "1.0") == "1.0"
        assert await house.shown() == [(["/model"], ["<p>Chosen</p>"])]
        assert await house.adapter.find(CHAT, "2.0") == "1.0"
    async with House(tmp_path, house.core).running() as after:
        assert await after.shown() == [(["/model"], ["<p>Chosen</p>"])]
        assert await after.adapter.find(CHAT, "2.0") == "1.0"


async def test_a_deleted_piece_is_gone(house: House) -> None:
    await house.send("hello")
    await house.core.grow(house.adapter, 1, "one")
    await house.core.grow(house.adapter, 1, "two", index=1)
    assert await house.adapter.put(CHAT, None, "1.1") == "1.1"
    assert await house.adapter.put(CHAT, None, "1.1") == "1.1"
    assert await house.shown() == [(["hello"], ["<p>one</p>"])]
    assert await house.adapter.find(CHAT, "1.1") is None
    assert await house.adapter.find(CHAT, "1.0") == "1.0"
    assert await house.adapter.find(CHAT, "nonsense") is None


async def test_a_post_that_never_was_is_gone(house: House) -> None:
    with pytest.raises(Undeliverable):
        await house.adapter.put(CHAT, None, "nonsense")


async def test_a_store_in_trouble_asks_delivery_to_wait(house: House) -> None:
    class Troubled(WebCore):
        async def turn(self, id: int) -> Any:
            raise StoreError

    troubled = House(house.settings.data_dir, Troubled())
    with pytest.raises(RetryLater):
        await troubled.adapter.put(CHAT, Piece("1.0", parse("x")))


async def test_older_messages_come_page_by_page_and_whole(house: House) -> None:
    for number in range(1, 41):
        await house.send(f"question {number}", f"message-{number}")
        await house.core.answer(house.adapter, number, f"answer {number}")
    seen: list[str] = []
    page = await house.page()
    while True:
        seen = [turn["messages"][0]["text"] for turn in page["turns"] if turn["messages"][0]["text"] not in seen] + seen
        assert all(turn["pieces"] for turn in page["turns"])
        if page["older"] is None:
            break
        page = await house.page(f"?before={page['older']}")
    assert seen == [f"question {number}" for number in range(1, 41)]


async def test_words_of_our_own_without_a_turn_are_shown(house: House) -> None:
    turn = house.core.open(CHAT)
    house.core.say(turn, Role.ASSISTANT, "An *alert*")
    house.core.messages = [replace(message, turn=None) for message in house.core.messages]
    house.core.turns.clear()
    assert await house.shown() == [([], ["<p>An <em>alert</em></p>"])]


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))"]
)
async def test_nothing_that_a_model_writes_becomes_markup(house: House, evil: str) -> None:
    await house.send(evil)
    await house.core.grow(house.adapter, 1, evil)
    growing = html((await house.page())["turns"][0])
    await house.core.answer(house.adapter, 1, evil)
    for text in (growing, html((await house.page())["turns"][0])):
        assert "<script" not in text
        assert "<img" not in text
        assert "href" not in text
        assert "alert(1)" in text


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_stream_tells_each_length(house: House) -> None:
    await house.send("hello")
    async with Stream(house, (await house.page())["position"]) as stream:
        await house.adapter.status(CHAT, Status.THINKING)
        for length in range(1, 8):
            await house.core.grow(house.adapter, 1, "word " * length)
            await stream.settle()
        await house.core.answer(house.adapter, 1, "word " * 8)
        await stream.settle()
    pieces = [event["data"]["piece"] for event in stream.events if event["name"] == "piece"]
    assert len({len(piece["blocks"][0]) for piece in pieces}) == 7
    assert stream.names()[0] == "status"
    assert stream.names()[-1] == "turn"
    assert stream.events[-1]["data"]["open"] is False


async def test_a_slow_reader_gets_the_newest_and_not_the_queue(house: House) -> None:
    await house.send("hello")
    position = (await house.page())["position"]
    for length in range(1, 50):
        await house.core.grow(house.adapter, 1, "x" * length)
    async with Stream(house, position) as stream:
        pass
    assert [event["data"]["piece"]["blocks"] for event in stream.events] == [["<p>" + "x" * 49 + "</p>"]]


async def test_a_lost_connection_goes_on_where_it_was(house: House) -> None:
    await house.send("hello")
    async with Stream(house, (await house.page())["position"]) as first:
        await house.core.grow(house.adapter, 1, "one")
        await first.settle()
    last = first.events[-1]["id"]
    await house.core.grow(house.adapter, 1, "one two")
    await house.core.answer(house.adapter, 1, "one two three")
    async with Stream(house, last_event_id=last) as second:
        pass
    assert second.names() == ["turn"]
    assert html(second.events[0]["data"]) == "<p>one two three</p>"
    async with Stream(house, second.events[-1]["id"]) as third:
        assert third.events == []


@pytest.mark.parametrize("position", ["", "nonsense", "other-1", "-5"])
async def test_from_an_unknown_place_everything_is_read_anew(house: House, position: str) -> None:
    await house.send("hello")
    async with Stream(house, position) as stream:
        assert stream.names() == ["reload"]
        assert stream.ended


async def test_from_another_start_everything_is_read_anew(tmp_path: Path) -> None:
    async with House(tmp_path).running() as before:
        await before.send("hello")
        position = (await before.page())["position"]
    async with House(tmp_path, before.core).running() as after, Stream(after, position) as stream:
        assert stream.names() == ["reload"]


async def test_silence_is_broken_by_a_sign_of_life(house: House) -> None:
    async with Stream(house, (await house.page())["position"]) as stream:
        await house.clock.advance(HEARTBEAT * 2 + 1)
        await stream.settle()
        assert stream.names() == ["alive", "alive"]


async def test_a_message_shows_in_every_open_page(house: House) -> None:
    async with Stream(house, (await house.page())["position"]) as stream:
        await house.send("hello")
        await stream.settle()
    (told,) = [event["data"] for event in stream.events if event["name"] == "turn"]
    assert (told["messages"][0]["text"], told["messages"][0]["client"], told["open"]) == ("hello", "message-1", True)


@pytest.mark.parametrize("outcome", [Outcome.GONE, Outcome.EXPIRED, Outcome.STOPPED, Outcome.FAILED])
async def test_an_end_of_which_nothing_was_put_is_told(house: House, outcome: Outcome) -> None:
    await house.send("hello")
    async with Stream(house, (await house.page())["position"]) as stream:
        house.core.turns[1] = replace(house.core.turns[1], state=TurnState.ENDED, outcome=outcome)
        house.ends.tell(house.core.turns[1])
        await stream.settle()
        assert stream.names()[-2:] == ["turn", "ended"]
        assert (stream.events[-2]["data"]["open"], stream.events[-2]["data"]["outcome"]) == (False, str(outcome))


async def test_an_end_that_was_seen_already_is_told_in_one_word(house: House) -> None:
    await house.send("hello")
    async with Stream(house, (await house.page())["position"]) as stream:
        await house.core.answer(house.adapter, 1, "answered")
        house.ends.tell(house.core.turns[1])
        await stream.settle()
        assert stream.names()[-2:] == ["turn", "ended"]
        house.core.reopen(1)
        house.core.generate(1, "answered")  # the same again: nothing is put
        house.core.turns[1] = replace(house.core.turns[1], state=TurnState.ENDED)
        house.ends.tell(house.core.turns[1])
        await stream.settle()
        assert stream.names()[-2:] == ["ended", "ended"]
        house.ends.tell(replace(house.core.turns[1], chat=Chat("telegram", "1", CHAT.id)))
        count = len(stream.events)
        await stream.settle()
        assert len(stream.events) == count


async def test_the_end_of_the_run_ends_the_streams(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.running():
        stream = Stream(house, (await house.page())["position"])
        await stream.__aenter__()
        assert not stream.ended
    await stream.settle()
    assert stream.ended
    await stream.__aexit__()


async def test_what_fell_out_of_memory_is_read_anew() -> None:
    room = Room()
    start = room.position
    for number in range(KEPT_EVENTS + 1):
        room.tell("piece", f"piece:{number}.0", {})
    assert room.since(0) is None
    assert len(room.since(1) or ()) == KEPT_EVENTS
    events = [event async for event in room.follow(start, SimClock())]
    assert [event.name for event in events if event] == ["reload"]


async def test_events_keep_their_order_when_one_takes_the_place_of_another() -> None:
    room = Room()
    for key in ("piece:1.0", "piece:1.1", "piece:1.0"):
        room.tell("piece", key, key)
    assert [(event.number, event.data) for event in room.since(0) or ()] == [(2, "piece:1.1"), (3, "piece:1.0")]
    room.tell("turn", "turn:1", "all", instead_of="piece:1.")
    assert [event.data for event in room.since(0) or ()] == ["all"]


async def test_rooms_nobody_uses_are_forgotten_and_come_back_as_others() -> None:
    rooms = Rooms()
    first = rooms.of("first").position
    for number in range(KEPT_ROOMS + 5):
        rooms.of(f"room-{number}")
    assert rooms.of("first").position != first


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_picture_goes_up_is_sent_and_comes_back(house: House, tmp_path: Path) -> None:
    file = (await house.upload(PNG, "海边.png")).json()["file"]
    assert (file["kind"], file["mime"], file["size"], file["name"]) == ("image", "image/png", len(PNG), "海边.png")
    await house.send("", files=[{"ref": file["ref"], "name": "海边.png", "mime": "image/png"}])
    (event,) = house.core.events
    assert isinstance(event, IncomingMessage)
    (attachment,) = event.attachments
    assert (attachment.kind, attachment.ref, attachment.mime) == (Kind.IMAGE, file["ref"], "image/png")
    await house.adapter.fetch(attachment.ref, tmp_path / "copy", 1000)
    assert (tmp_path / "copy").read_bytes() == PNG
    assert (await house.page())["turns"][0]["messages"][0]["files"][0]["ref"] == file["ref"]
    answer = await house.client.get(f"/api/files/{file['ref']}")
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("data", "claimed", "kind", "mime"),
    [
        (b"<html><script>alert(1)</script>", "image/png", "image", "image/png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml", "image", "image/svg+xml"),
        (b"%PDF-1.7", "application/pdf", "file", "application/pdf"),
        (b"\xff\xd8\xff\xe0 jpeg", "text/html", "image", "image/jpeg"),
        (b"RIFF0000WEBPVP8 ", "", "image", "image/webp"),
        (b"\0\0\0\x18ftypheic", "", "image", "image/heic"),
        (b"\0\0\0\x18ftypisom", "video/mp4", "file", "video/mp4"),
        (b"GIF89a", "image/gif", "image", "image/gif"),
    ],
)
async def test_only_the_first_bytes_say_how_a_file_comes_back(
    house: House, data: bytes, claimed: str, kind: str, mime: str
) -> None:
    file = (await house.upload(data, "x.png", claimed)).json()["file"]
    assert (file["kind"], file["mime"]) == (kind, mime)
    answer = await house.client.get(f"/api/files/{file['ref']}")
    if data.startswith((b"<", b"%", b"\0")):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
    else:
        assert answer.headers["content-type"] == mime


async def test_a_file_too_large_or_empty_says_so_and_leaves_nothing(house: House) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(1_000_000)

    large = await house.upload(chunks(30))
    assert large.status_code == 413
    assert large.json()["error"] == {
        "code": "too_large",
        "text": "The file is larger than 20 MB.",
        "data": {"limit": 20},
    }
    empty = await house.upload(b"")
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "empty_file")
    assert list((house.settings.data_dir / "files").iterdir()) == []
    exact = await house.upload(chunks(MOST_BYTES // 1_000_000))
    assert exact.status_code == 201


@pytest.mark.parametrize("ref", ["../secret", "..", "", "a/b", "a" * 32, "%2e%2e%2fsecret", "a" * 31 + "\n"])
async def test_nothing_but_uploads_is_opened(house: House, tmp_path: Path, ref: str) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(Undeliverable):
        await house.adapter.fetch(ref, tmp_path / "copy", 1000)
    answer = await house.client.get(f"/api/files/{ref.strip()}")
    assert answer.status_code in (404, 405)
    assert "secret" not in answer.text


async def test_a_file_over_the_cores_limit_is_not_copied(house: House, tmp_path: Path) -> None:
    ref = (await house.upload(PNG)).json()["file"]["ref"]
    with pytest.raises(MediaError):
        await house.adapter.fetch(ref, tmp_path / "copy", 10)
    assert not (tmp_path / "copy").exists()


# ── who may come in ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost", "localhost:1", "[::1]:8080", "LOCALHOST:8080", "127.0.0.2"]
)
async def test_this_machine_may_come_in(house: House, host: str) -> None:
    assert (await house.client.get("/api/start", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:8080", "", "localhost@evil.example", "[::"]
)
async def test_another_host_name_may_not(house: House, host: str) -> None:
    for path in ("/", "/api/start", "/static/app.js"):
        assert (await house.client.get(path, headers={"Host": host})).status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "", "http://localhost:8080", "127.0.0.1:8080"]
)
async def test_another_origin_may_not_write(house: House, origin: str) -> None:
    for path in (f"{ROOT}/messages", f"{ROOT}/press", "/api/uploads", "/login", "/logout"):
        answer = await house.client.post(
            path, json={"id": "message-1", "text": "x", "action": "/x"}, headers={"Origin": origin}
        )
        assert answer.status_code == 403, path
    assert house.core.events == []


async def test_a_write_without_an_origin_is_refused(house: House) -> None:
    del house.client.headers["Origin"]
    assert (await house.send("x")).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_may_not_read(house: House, site: str) -> None:
    assert (await house.client.get("/api/chats", headers={"Sec-Fetch-Site": site})).status_code == 403
    assert (await house.client.get("/", headers={"Sec-Fetch-Site": site})).status_code == 200


async def test_every_answer_carries_the_headers_that_keep_the_page_to_itself(house: House) -> None:
    for path in ("/", "/static/app.js", "/api/chats", "/nothing"):
        headers = (await house.client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


async def test_the_page_has_nothing_inline_and_asks_nobody_else() -> None:
    static = Path(WebAdapter.__module__.replace(".", "/")).parent / "static"
    folder = Path(__file__).parent.parent / static
    for name in ("index.html", "login.html"):
        text = (folder / name).read_text(encoding="utf-8")
        assert " style=" not in text
        assert "<style" not in text
        assert " on" + "click=" not in text
        assert "<script>" not in text
    for path in _texts(folder.iterdir()):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text, path.name
        assert "http://" not in text, path.name


def _texts(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.suffix in (".html", ".js", ".css", ".svg")]


async def test_both_languages_say_everything() -> None:
    text = (Path(__file__).parent.parent / "adapters/web/static/strings.js").read_text(encoding="utf-8")
    english, _, rest = text.partition("\n  zh: {")
    keys = [
        [line.split(":")[0].strip() for line in part.splitlines() if line.startswith("    ") and ": " in line]
        for part in (english, rest.split("\n};")[0])
    ]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 60


# ── the password ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "settings",
    [
        {"http_host": "0.0.0.0"},
        {"http_host": "192.168.1.5"},
        {"http_host": "::"},
        {"public_url": "https://magpie.example.org"},
    ],
)
def test_where_others_can_come_a_password_is_needed(tmp_path: Path, settings: dict[str, str]) -> None:
    with pytest.raises(SettingError) as caught:
        House(tmp_path, **settings)
    assert caught.value.name == "WEB_PASSWORD"
    House(tmp_path, web_password="a long passphrase", **settings)


def test_the_page_is_not_below_a_path(tmp_path: Path) -> None:
    """Its own addresses begin at the root, whatever a proxy takes away."""
    with pytest.raises(SettingError, match=r"^PUBLIC_URL: must end with the host name"):
        House(tmp_path, public_url="https://example.org/magpie", web_password="a long passphrase")
    House(tmp_path, public_url="https://example.org/", web_password="a long passphrase")


def test_on_this_machine_none_is_needed(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        House(tmp_path, http_host=host, public_url="http://localhost:8080")


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTP_PORT", "99999"), ("PUBLIC_URL", "magpie.example.org"), ("WEB", "perhaps"), ("HTTP_PORT", "x")],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as caught:
        load_settings()
    assert caught.value.name == name
    assert "Example" in str(caught.value)


class Guest:
    """A house with a password, seen from the public address."""

    ORIGIN = "https://magpie.example.org"

    def __init__(self, folder: Path, password: str = "correct horse") -> None:
        self.house = House(folder, http_host="0.0.0.0", public_url=self.ORIGIN, web_password=password)
        self.client = self.house.client
        self.client.headers["Origin"] = self.ORIGIN
        self.client.base_url = httpx.URL(self.ORIGIN)

    async def sign_in(self, password: str) -> httpx.Response:
        return await self.client.post("/login", data={"password": password})


async def test_without_the_password_there_is_only_the_door(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    async with guest.house.running():
        page = await guest.client.get("/")
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert "password" in (await guest.client.get("/login")).text
        assert (await guest.client.get("/static/style.css")).status_code == 200
        for path in ("/api/start", "/api/chats", ROOT, "/api/models", "/api/files/" + "a" * 32, f"{ROOT}/events"):
            assert (await guest.client.get(path)).status_code == 401, path
        assert (await guest.house.send("x")).status_code == 401
        assert guest.house.core.events == []


async def test_the_password_opens_the_door_and_leaving_closes_it(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    async with guest.house.running():
        answer = await guest.sign_in("correct horse")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        for word in ("HttpOnly", "SameSite=strict", "Secure"):
            assert word in cookie
        assert "correct" not in cookie
        assert (await guest.client.get("/api/start")).json()["password"] is True
        assert (await guest.house.send("hello")).status_code == 200
        await guest.client.post("/logout")
        assert (await guest.client.get("/api/start")).status_code == 401


async def test_a_made_up_old_or_foreign_session_is_none(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    async with guest.house.running():
        await guest.sign_in("correct horse")
        cookie = guest.client.cookies["magpie_session"]
        until, _, signature = cookie.partition(".")
        for wrong in ("", "x", f"{int(until) + 1}.{signature}", f"{until}.{'0' * 64}", f"{until}.é", until):
            guest.client.cookies.clear()
            raw = {"Cookie": f"magpie_session={wrong}".encode()}
            assert (await guest.client.get("/api/start", headers=raw)).status_code == 401, wrong
        guest.client.cookies.set("magpie_session", cookie)
        assert (await guest.client.get("/api/start")).status_code == 200
        same = House(tmp_path, http_host="0.0.0.0", public_url=Guest.ORIGIN, web_password="correct horse")
        other = House(tmp_path, http_host="0.0.0.0", public_url=Guest.ORIGIN, web_password="another one")
        headers = {"Host": "magpie.example.org", "Cookie": f"magpie_session={cookie}"}
        assert (await same.client.get("/api/start", headers=headers)).status_code == 200
        assert (await other.client.get("/api/start", headers=headers)).status_code == 401
        await guest.house.clock.advance(31 * 86400)
        assert (await guest.client.get("/api/start")).status_code == 401


async def test_guessing_gets_slower_and_slower(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    async with guest.house.running():
        waits = []
        for _ in range(5):
            assert (await guest.sign_in("wrong")).status_code == 403
            refused = await guest.sign_in("correct horse")
            assert refused.status_code == 429
            waits.append(int(refused.headers["retry-after"]))
            await guest.house.clock.advance(waits[-1])
        assert waits == [1, 2, 4, 8, 16]
        assert (await guest.sign_in("correct horse")).status_code == 303


async def test_on_every_address_a_number_will_do_but_a_name_must_be_ours(tmp_path: Path) -> None:
    house = House(tmp_path, http_host="0.0.0.0", web_password="correct horse")
    for host, status in (("192.168.1.5:8080", 303), ("[fe80::1]:8080", 303), ("evil.example", 421)):
        assert (await house.client.get("/", headers={"Host": host})).status_code == status


async def test_an_odd_form_is_a_wrong_password(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    for body in (b"", b"x" * 10_000, b"&".join(b"a=%d" % n for n in range(50)), b"\xff\xfe"):
        answer = await guest.client.post("/login", content=body)
        assert answer.status_code == 403
        await guest.house.clock.advance(120)


# ── the doctor ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_doctor_looks_at_password_and_folder(tmp_path: Path) -> None:
    well = await checks(WebSettings(data_dir=tmp_path, _env_file=None))
    assert [mark for mark, _ in well] == [Mark.OK, Mark.OK]
    assert list((tmp_path / "files").iterdir()) == []
    open_door = await checks(WebSettings(data_dir=tmp_path, http_host="0.0.0.0", _env_file=None))
    assert open_door[0].mark is Mark.WRONG
    short = await checks(WebSettings(data_dir=tmp_path, http_host="0.0.0.0", web_password="short", _env_file=None))
    assert (short[0].mark, short[0].words.data["count"]) == (Mark.WRONG, 5)
    (tmp_path / "file").write_text("in the way")
    blocked = await checks(WebSettings(data_dir=tmp_path / "file", _env_file=None))
    assert blocked[1].mark is Mark.WRONG


async def test_the_doctor_tells_of_a_proxy_that_nobody_named(tmp_path: Path) -> None:
    behind: dict[str, Any] = {
        "data_dir": tmp_path,
        "public_url": "https://magpie.example.org",
        "web_password": "a long passphrase",
    }
    told = await checks(WebSettings(**behind, _env_file=None))
    assert [mark for mark, _ in told] == [Mark.OK, Mark.ADVICE, Mark.OK]
    assert "TRUSTED_PROXIES" in told[1].words.id
    named = await checks(WebSettings(**behind, trusted_proxies="127.0.0.1", _env_file=None))
    assert [mark for mark, _ in named] == [Mark.OK, Mark.OK]


async def test_a_slash_too_many_sends_nobody_to_an_address_without_tls(tmp_path: Path) -> None:
    house = House(tmp_path, public_url="https://magpie.example.org", web_password="a long passphrase")
    transport = httpx.ASGITransport(house.adapter.http["/"])
    async with httpx.AsyncClient(transport=transport, base_url="https://magpie.example.org") as http:
        answer = await http.get("/login/")
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


async def test_a_turn_is_open_until_its_answer_is_stored(house: House) -> None:
    await house.send("hello")
    states: list[tuple[bool, bool]] = []
    steps: list[Callable[[], Awaitable[Any] | None]] = [
        lambda: None,
        lambda: house.core.grow(house.adapter, 1, "x"),
        lambda: house.core.generate(1, "x y"),
        lambda: house.core.deliver(house.adapter, 1),
    ]
    for step in steps:
        if (waiting := step()) is not None:
            await waiting
        view = (await house.page())["turns"][0]
        states.append((view["open"], view["waiting"]))
    assert states == [(True, True), (True, False), (False, False), (False, False)]
    assert house.core.turns[1].state is TurnState.ENDED


def kept(folder: Path, clock: SimClock, name: str, days: float, size: int = 10) -> str:
    """An upload of so many days ago."""
    ref = name.ljust(32, "-")
    (folder / "files").mkdir(exist_ok=True)
    with (folder / "files" / ref).open("wb") as file:
        file.truncate(size)
    os.utime(folder / "files" / ref, ns=(round((clock.now() - days * 86_400_000) * 1_000_000),) * 2)
    return ref


def left(folder: Path) -> set[str]:
    return {path.name.strip("-") for path in (folder / "files").iterdir()}


async def test_old_uploads_are_deleted_but_not_what_an_open_question_needs(tmp_path: Path) -> None:
    house = House(tmp_path)
    kept(tmp_path, house.clock, "ancient", 91)
    kept(tmp_path, house.clock, "fresh", 0.5, KEPT_BYTES)
    kept(tmp_path, house.clock, "old", 30, KEPT_BYTES // 2)
    kept(tmp_path, house.clock, "younger", 20, 10)
    needed = kept(tmp_path, house.clock, "needed", 95, KEPT_BYTES)
    asked = IncomingMessage("k", CHAT, Person("owner"), "?", house.clock.now(), (Attachment(Kind.IMAGE, needed),))
    await house.core.accept(asked)
    async with house.running():
        async with asyncio.timeout(PATIENCE):
            while left(tmp_path) & {"ancient", "younger"}:  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.02)
        assert left(tmp_path) == {"fresh", "needed"}  # both are too much, and stay


async def test_uploads_within_the_sum_stay(tmp_path: Path) -> None:
    files, clock = Files(tmp_path / "files"), SimClock()
    for days in (2, 40, 89):
        kept(tmp_path, clock, f"d{days}", days, KEPT_BYTES // 4)
    assert await files.prune((), clock.now()) == 0
    kept(tmp_path, clock, "d3", 3, KEPT_BYTES // 2)
    assert await files.prune((), clock.now()) == 1
    assert left(tmp_path) == {"d2", "d40", "d3"}
