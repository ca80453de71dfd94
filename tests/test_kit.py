"""The kit: what an adapter needs whatever its platform is."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.kit.backoff import Backoff, after, doubled
from adapters.kit.buttons import clipped, is_url, label
from adapters.kit.connections import Kept, hide
from adapters.kit.push import MOST_BYTES, Answer, Push
from adapters.kit.recent import Recent
from adapters.kit.tasks import Tasks
from adapters.kit.transfers import TooLong, check_found, collected, copied, mebibytes, written
from adapters.kit.unread import MOST_UNREAD, UnknownShape, Unread
from bot.errors import OutcomeUnknown, RetryLater, SettingError, Undeliverable
from bot.types import Choice
from tests.fakes.clock import PATIENCE, SimClock

# ── back-off ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Adding(SimClock):
    """A clock whose sleep only adds: hours of an outage cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_pauses_stay_numbers_however_long_an_outage_lasts() -> None:
    """2.0**1024 is an OverflowError, and that is twelve hours of an outage."""
    clock = Adding()
    backoff = Backoff(clock)
    for _ in range(5_000):
        await backoff.pause()
    assert sum(clock.slept) > 40 * 3600
    assert max(clock.slept) <= 60
    assert all(each >= 30 for each in clock.slept[6:]), "long pauses, and never the same for two bots"


@pytest.mark.parametrize("times", [0, 1, 3, 1_023, 1_024, 10**9])
def test_what_is_doubled_has_a_bound(times: int) -> None:
    assert doubled(0.5, times, 60.0) == min(60.0, 0.5 * 2.0 ** min(times, 20))


async def test_a_pause_is_never_shorter_than_the_platform_asks_for() -> None:
    clock = Adding()
    backoff = Backoff(clock)
    await backoff.pause(90.0)
    await backoff.pause(0.0)
    assert clock.slept[0] == 90
    assert clock.slept[1] <= 2
    assert (after(RetryLater(7.0)), after(OutcomeUnknown()), after(Undeliverable("no"))) == (7.0, 0.0, 0.0)


async def test_trouble_is_said_once_in_a_while_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = SimClock()
    backoff = Backoff(clock)
    for _ in range(3):
        backoff.say("no way there")
    assert (caplog.messages, backoff.trouble) == (["no way there"], "no way there")
    await clock.advance(301)
    backoff.say("no way there")
    assert len(caplog.messages) == 2
    pausing = asyncio.create_task(backoff.pause())
    await asyncio.sleep(0)
    await clock.advance(2)
    await pausing
    backoff.worked("all is well")
    backoff.worked("all is well")
    assert (caplog.messages[2:], backoff.trouble) == (["all is well"], "")
    for _ in range(5):  # two who take turns at what is there for one
        await clock.advance(20)
        backoff.say("no way there")
        backoff.worked("all is well")
    assert len(caplog.messages) == 3
    await clock.advance(301)
    backoff.say("no way there")
    assert caplog.messages[3:] == ["no way there"]


async def test_a_call_is_made_until_it_is_answered() -> None:
    clock, tried = Adding(), list[OutcomeUnknown]()

    async def call() -> str:
        if len(tried) < 3:
            raise OutcomeUnknown(detail=str(len(tried)))
        return "an answer"

    def failed(error: OutcomeUnknown) -> float:
        tried.append(error)
        return 5.0

    assert await Backoff(clock).until_answered(call, OutcomeUnknown, failed) == "an answer"
    assert [each.detail for each in tried] == ["0", "1", "2"]
    assert len(clock.slept) == 3
    assert min(clock.slept) >= 2


async def test_nothing_is_tried_again_that_can_not_work() -> None:
    clock = Adding()

    async def call() -> str:
        raise OutcomeUnknown

    def failed(_error: OutcomeUnknown) -> float:
        raise SettingError("TOKEN", "is rejected")

    with pytest.raises(SettingError):
        await Backoff(clock).until_answered(call, OutcomeUnknown, failed)
    assert not clock.slept


# ── events that can't be read ───────────────────────────────────────────────────────────────────────────────────────


async def test_what_can_not_be_read_is_kept_and_its_words_are_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unread = Unread(tmp_path / "unread" / "platform.jsonl")
    await unread.skip({"text": "private words"}, UnknownShape("text: not a number"))
    await unread.skip(["more"], ValueError("a stumble"))
    kept = [json.loads(line) for line in unread.path.read_text(encoding="utf-8").splitlines()]
    assert kept == [{"text": "private words"}, ["more"]]
    assert "text: not a number" in caplog.text
    assert "ValueError: a stumble" in caplog.text, "as tracebacks have it: it is a defect of ours"
    assert "private words" not in caplog.text


async def test_what_is_kept_does_not_fill_the_disk(tmp_path: Path) -> None:
    unread = Unread(tmp_path / "platform.jsonl")
    for _ in range(4):
        await unread.keep("x" * (MOST_UNREAD // 2 + 1))
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"platform.jsonl", "platform.old"}
    assert sum(sizes.values()) < 2.2 * MOST_UNREAD


async def test_a_disk_that_takes_nothing_keeps_nothing_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "unread").write_text("a file where the folder should be")
    await Unread(tmp_path / "unread" / "platform.jsonl").keep("raw")
    assert "can't be kept" in caplog.text


# ── bytes under a limit ─────────────────────────────────────────────────────────────────────────────────────────────


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


@pytest.mark.parametrize(
    ("sizes", "fits"), [((), True), ((10,), True), ((4, 6), True), ((4, 7), False), ((11,), False)]
)
async def test_no_more_is_taken_than_the_limit(sizes: tuple[int, ...], fits: bool, tmp_path: Path) -> None:
    to = tmp_path / "file"
    if fits:
        assert await collected(chunks(*sizes), 10) == b"x" * sum(sizes)
        assert await written(chunks(*sizes), to, 10) == sum(sizes) == to.stat().st_size
        await copied(to, tmp_path / "copy", 10)
        assert (tmp_path / "copy").read_bytes() == to.read_bytes()
        return
    with pytest.raises(TooLong):
        await collected(chunks(*sizes), 10)
    with pytest.raises(TooLong):
        await written(chunks(*sizes), to, 10)
    assert to.stat().st_size <= 10, "what is over the limit is not even written"
    to.write_bytes(b"x" * sum(sizes))
    with pytest.raises(TooLong):
        await copied(to, tmp_path / "copy", 10)
    assert not (tmp_path / "copy").exists()


async def test_a_body_that_never_ends_is_not_read_to_its_end() -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 100

    with pytest.raises(TooLong):
        await collected(endless(), 1_000)
    assert asked == 11


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (404, Undeliverable),
        (403, Undeliverable),
        (206, Undeliverable),
        (429, OutcomeUnknown),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)
def test_whether_a_file_is_there_now_later_or_never(status: int, error: type[Exception] | None) -> None:
    if error is None:
        check_found(status)
    else:
        with pytest.raises(error):
            check_found(status)


def test_a_limit_in_words_is_never_nothing() -> None:
    assert (mebibytes(1), mebibytes(20 * 1024 * 1024), mebibytes(3_000_000)) == (1, 20, 2)


# ── pushes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Door(Push):
    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def admits(self, headers: Mapping[str, str]) -> int:
        return 200 if headers.get("x-key") == "right" else 401

    async def take(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.bodies.append(body)
        return Answer(200, b"{}", "application/json") if body == b"say" else Answer(200)


async def test_a_push_is_looked_at_before_it_is_read_and_read_up_to_a_limit() -> None:
    door = Door()
    pulled = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pulled
        while True:
            pulled += 1
            yield b"x" * 100_000

    key = {"X-Key": "right"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://127.0.0.1") as client:
        assert (await client.post("/", content=endless())).status_code == 401
        assert pulled == 0, "who may not come in costs nothing"
        assert (await client.post("/", content=endless(), headers=key)).status_code == 413
        assert pulled <= MOST_BYTES // 100_000 + 1
        assert (await client.get("/", headers=key)).status_code == 405
        assert (await client.post("/more", headers=key)).status_code == 404
        assert (await client.post("/", content=b"x" * MOST_BYTES, headers=key)).status_code == 200
        said = await client.post("/", content=b"say", headers=key)
        silent = await client.post("/", headers=key)
    assert (said.content, said.headers["content-type"], said.headers["cache-control"]) == (
        b"{}",
        "application/json",
        "no-store",
    )
    assert (silent.content, silent.headers["content-length"]) == (b"", "0")
    assert [len(body) for body in door.bodies] == [MOST_BYTES, 3, 0]


async def test_who_goes_away_in_the_middle_of_a_push_has_pushed_nothing() -> None:
    door, sent = Door(), list[Mapping[str, Any]]()
    events = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/", "method": "POST", "headers": [(b"x-key", b"right")]}
    await door(scope, receive, send)
    assert (sent[0]["status"], door.bodies) == (413, [])


async def test_a_websocket_is_not_opened_at_a_push() -> None:
    sent = list[Mapping[str, Any]]()

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await Door()({"type": "websocket", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_task_that_nobody_else_holds_is_done_and_its_failure_is_told(caplog: pytest.LogCaptureFixture) -> None:
    tasks, done = Tasks(), asyncio.Event()

    async def work() -> None:
        # nothing but the task holds this future, and nothing but `tasks` the task
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, lambda kept=waiting: kept.done() or kept.set_result(None))
        await waiting
        done.set()

    async def fails() -> None:
        raise ValueError("a stumble")

    tasks.start(work(), "the work")
    tasks.start(fails(), "the failing")
    gc.collect()
    await asyncio.wait_for(done.wait(), PATIENCE)
    told = [record for record in caplog.records if "the failing failed" in record.getMessage()]
    assert len(told) == 1
    assert told[0].exc_info is not None
    assert "never retrieved" not in caplog.text
    await tasks.close()


async def test_what_is_not_done_at_the_end_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    tasks, given_up = Tasks(), list[str]()

    async def work(name: str, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            given_up.append(name)
            raise

    tasks.start(work("short", 0.001))
    tasks.start(work("long", 3600))
    await tasks.close(patience=0.1)
    assert given_up == ["long"]
    assert not caplog.records
    await tasks.close()


# ── what is remembered, connections, buttons ────────────────────────────────────────────────────────────────────────


def test_what_was_set_last_stays() -> None:
    recent = Recent[str, int](3)
    for number, name in enumerate("abc"):
        recent[name] = number
    recent["a"] = 9
    recent["d"] = 4
    assert dict(recent) == {"c": 2, "a": 9, "d": 4}
    assert recent.get("b", 7) == 7
    assert recent.pop("c") == 2


async def test_connections_are_closed_with_the_last_who_needs_them() -> None:
    closed = 0

    async def close() -> None:
        nonlocal closed
        closed += 1

    kept = Kept(close)
    async with kept():
        async with kept():
            pass
        assert closed == 0
    assert closed == 1
    with pytest.raises(OutcomeUnknown):
        async with kept():
            raise OutcomeUnknown
    assert closed == 2


def test_no_secret_is_left_in_words() -> None:
    assert hide("a/b-c/b", ("b", "")) == "a/***-c/***"


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        (Choice("Stop"), "Stop"),
        (Choice("  "), "…"),
        (Choice("", chosen=True), "✓ …"),
        (Choice("on", chosen=True), "✓ on"),
        (Choice("✓ on", chosen=True), "✓ on"),
        (Choice("x" * 30, chosen=True), "✓ " + "x" * 7 + "…"),
        (Choice("x" * 10), "x" * 10),
    ],
)
def test_labels_fit_and_tell_what_is_chosen(choice: Choice, shown: str) -> None:
    assert label(choice, 10) == shown
    assert clipped(shown, 10) == shown


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://example.org/a?b#c", True),
        ("http://127.0.0.1", True),
        ("tg://resolve?domain=a", False),
        ("javascript:alert(1)", False),
        ("https:///nowhere", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_where_a_button_may_lead(url: str, may: bool) -> None:
    assert is_url(url) is may
    assert is_url("tg://resolve?domain=a", ("https", "tg"))
