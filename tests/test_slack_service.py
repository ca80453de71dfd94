"""A real `magpie run` process in Slack, over the wire: whole, once, in the right thread, in both transport modes."""

from __future__ import annotations

import asyncio
import contextlib
import html
import io
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapters.slack.settings import EVENTS_PATH
from bot.http.server import serving
from bot.sandbox.app import sandbox
from bot.types import AsgiApp
from tests.fakes.gateway import FakeGateway, Reply, chunk, sse
from tests.fakes.service import Service
from tests.fakes.slack import FakeSlack, Post, Room, Shown
from tests.fakes.telegram import FakeTelegram
from tests.fakes.telegram.server import TOKEN

MODES = ("socket", "http")


@dataclass
class Bot:
    slack: FakeSlack
    service: Service

    def __post_init__(self) -> None:
        self.ann, self.bob = self.slack.person("Ann"), self.slack.person("Bob")
        self.room = self.slack.private(self.ann)

    async def start(self) -> None:
        await asyncio.to_thread(self.service.start)
        if self.service.environment["SLACK_MODE"] == "http":
            assert await self.slack.pushes.verify(self.service.url + EVENTS_PATH)

    def shown(self, room: Room | None = None, thread: Post | None = None) -> list[str]:
        """Our messages in a thread, in order; "…" where one looks unfinished."""
        return [read(shown) for shown in self.slack.shown(room or self.room, thread)]

    async def answered(self, asked: Post, count: int = 1) -> list[str]:
        """Until `count` messages stand in the thread, all of them finished."""

        def settled() -> bool:
            seen = self.shown(asked.room, asked)
            return len(seen) >= count and not any("…" in text[-2:] for text in seen)

        await self.slack.until(settled)
        await asyncio.sleep(0.3)  # a second answer to the same question would come now
        return self.shown(asked.room, asked)

    async def commanded(self, text: str, room: Room | None = None) -> dict[str, Any]:
        """What the command's acknowledgement says."""
        return await (room or self.room).command(text).wait() or {}


def read(shown: Shown) -> str:
    """What people read: without the escapes of Markdown."""
    text = html.unescape(re.sub(r"\\([^\w\s])", r"\1", shown.text)).replace("\u200b", "")
    return " ".join([text, *shown.notes, *(["…"] if shown.streaming else [])])


def environment(slack: FakeSlack, gateway: str, mode: str = "socket", **more: str) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": slack.token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_API_URL": slack.url,
        "SLACK_MODE": mode,
        "CHAT_API_URL": f"{gateway}/v1",
        "CHAT_API_KEY": "sk-sandbox",
        "ACCESS": "open",
    } | more


@contextlib.asynccontextmanager
async def running(directory: Path, mode: str = "socket", rate: float = 400.0, **more: str) -> AsyncIterator[Bot]:
    async with (
        FakeSlack() as slack,
        serving(sandbox(key="sk-sandbox", rate=rate)) as gateway,
        bot_on(directory, slack, environment(slack, gateway, mode, **more)) as bot,
    ):
        yield bot


@contextlib.asynccontextmanager
async def bot_on(directory: Path, slack: FakeSlack, variables: dict[str, str]) -> AsyncIterator[Bot]:
    if variables["SLACK_MODE"] == "http" and "HTTP_PORT" not in variables:
        variables["HTTP_PORT"] = str(free_port())  # the same after a restart
    service = Service(directory, "run", environment=variables)
    slack.deliveries.retries = (0.05,) * 200  # the real one lets a minute pass
    bot = Bot(slack, service)
    try:
        await bot.start()
        yield bot
    finally:
        await asyncio.to_thread(service.close)
    for secret in (slack.token, slack.app_token, slack.signing_secret):
        assert secret not in service.log
    assert "Traceback" not in service.log
    assert slack.floods == 0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def colour(name: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 200), name).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("mode", MODES)
async def test_from_the_first_word_to_the_settings(tmp_path: Path, mode: str) -> None:
    async with running(tmp_path, mode) as bot:
        (text,) = await bot.answered(bot.room.write("你好"))
        assert "沙箱" in text

        answer = await bot.commanded("set temperature 0.7")
        assert answer["response_type"] == "ephemeral"
        assert "0.7" in answer["text"]
        answer = await bot.commanded("settings") or await bot.commanded("set temperature")
        assert "0.7" in answer["text"]

        photo = bot.slack.file(colour("red"), "red.png", "image/png")
        asked = bot.room.write("What is this?", files=[photo])
        assert "red" in (await bot.answered(asked))[0]

        channel = bot.slack.channel(bot.ann, bot.bob)
        root = channel.write("just between us")
        channel.mention("hello", thread=root)
        assert len(await bot.answered(root)) == 1
        channel.write("and now?", bot.bob, thread=root)
        assert len(await bot.answered(root, 2)) == 2
        assert len(bot.shown(channel)) == 2, "an answer stands outside of its thread"
        assert await asyncio.to_thread(bot.service.stop) == 0


@pytest.mark.parametrize("mode", MODES)
async def test_a_long_answer_with_fences_and_a_table_is_whole(tmp_path: Path, mode: str) -> None:
    lines = [f"value_{number:03} = compute({number})  # a comment of some length" for number in range(190)]
    table = ["| name | value |", "|---|---|", *(f"| row {number:02} | {number * 7} |" for number in range(20))]
    text = "\n".join(["Here it is:", "", "```python", *lines, "```", "", *table, "", "**That** was it."])
    assert len(text) > 9_000
    chunks = [chunk(text[at : at + 40]) for at in range(0, len(text), 40)]
    async with (
        FakeGateway(Reply([sse(*chunks, chunk("", "stop"))])) as gateway,
        FakeSlack() as slack,
        bot_on(tmp_path, slack, environment(slack, gateway.url.removesuffix("/v1"), mode)) as bot,
    ):
        asked = bot.room.write("Show me the values")
        await slack.until(lambda: "was it." in " ".join(bot.shown(bot.room, asked)))
        texts = await bot.answered(asked)
    seen = [line for shown in texts for line in shown.splitlines() if line.startswith("value_")]
    assert seen == lines
    assert len(texts) >= 2
    assert all(len(shown.encode()) < 10_600 for shown in texts)
    assert all("```python" in shown for shown in texts if "value_" in shown)
    assert all(f"row {number:02}" in " ".join(texts) for number in range(20))
    assert len([request for request in gateway.requests if request.method == "POST"]) == 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_kill_in_mid_answer_leaves_one_whole_answer(tmp_path: Path, mode: str) -> None:
    async with running(tmp_path, mode, rate=120) as bot:
        asked = bot.room.write("Show me a table and some code in Markdown")
        await bot.slack.until(lambda: bot.slack.called("chat.appendStream"))  # its id is stored by then
        await asyncio.to_thread(bot.service.kill)
        assert bot.shown()[0].endswith("…")
        await bot.start()
        (text,) = await bot.answered(asked)
        assert "not from a real model." in text
        assert "…" not in text


async def test_a_kill_between_the_platform_s_yes_and_our_commit(tmp_path: Path) -> None:
    """The stream stands there, and nobody has its id: the next start looks for it instead of posting another."""
    async with running(tmp_path, rate=120) as bot:
        bot.slack.fail("chat.startStream", 1, "lost")
        asked = bot.room.write("Show me a table and some code in Markdown")
        await bot.slack.until(lambda: bot.slack.posts(bot.room))
        await asyncio.to_thread(bot.service.kill)
        await bot.start()
        (text,) = await bot.answered(asked)
        assert "not from a real model." in text


@pytest.mark.parametrize("native", [True, False])
async def test_stop_ends_the_answer_where_it_is(tmp_path: Path, native: bool) -> None:
    async with running(tmp_path, rate=20) as bot:
        bot.slack.world.is_agent = native
        asked = bot.room.write("Write a long answer with 3000 characters")
        await bot.slack.until(lambda: "paragraphs" in " ".join(bot.shown()))
        (post,) = bot.slack.posts(bot.room)
        if native:
            bot.room.stop(asked)
        else:
            bot.room.press(post, "Stop")
        await bot.slack.until(lambda: "Stopped." in " ".join(bot.shown(thread=asked)))  # the stream ends before
        (text,) = await bot.answered(asked)
        assert "Stopped." in text
        bot.room.press(post, "Retry")
        await bot.slack.until(lambda: "Stopped." not in read(post.shown))


async def test_fifty_direct_messages_at_once(tmp_path: Path) -> None:
    """300 tokens at 50 a second each: every answer whole, no flood limit provoked, the first words soon there."""
    text = " ".join(f"word{number:03}" for number in range(300))
    begun: dict[str, float] = {}
    async with (
        FakeSlack() as slack,
        serving(_speaking(text, 50.0, begun)) as gateway,
        bot_on(tmp_path, slack, environment(slack, gateway)) as bot,
    ):
        began = time.monotonic()
        rooms = [slack.private(f"Person {number}") for number in range(50)]
        asked = [room.write(f"Say the words, {room.id}") for room in rooms]
        await slack.until(lambda: all(bot.shown(post.room, post) == [text] for post in asked))
        took = time.monotonic() - began
    firsts = [call for call in slack.calls if call.method in ("chat.startStream", "chat.postMessage")]
    late = sorted(call.at - begun[call.params["channel"]] for call in firsts)
    print(
        f"50 chats: {took:.1f} s; first text after {late[25]:.2f} s, at most {late[-1]:.2f} s; {len(slack.calls)} calls"
    )
    assert sum(len(slack.posts(room)) for room in rooms) == 50
    assert late[25] < took / 3, "it is 0.1 of 6 s on a machine that has nothing else to do; `make bench` measures it"


def _speaking(text: str, rate: float, begun: dict[str, float]) -> AsgiApp:
    """A gateway that says `text`, word by word, `rate` words a second; `begun`: when, by the question's last word."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        kind = b"text/event-stream" if scope["method"] == "POST" else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        if scope["method"] != "POST":
            await send({"type": "http.response.body", "body": b'{"data":[]}'})
            return
        began, words = time.monotonic(), text.split(" ")
        begun[str(json.loads(body)["messages"][-1]["content"]).rsplit(" ", 1)[-1]] = began
        for number, word in enumerate(words):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            part = sse(chunk(word if number == 0 else f" {word}"), done=False)
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": sse(chunk("", "stop"))})

    return app


async def test_an_older_thread_is_read_once_and_what_is_new_in_it_at_each_question(tmp_path: Path) -> None:
    async with (
        FakeGateway(Reply([sse(chunk("Fred."), chunk("", "stop"))])) as gateway,
        FakeSlack() as slack,
        bot_on(tmp_path, slack, environment(slack, gateway.url.removesuffix("/v1"))) as bot,
    ):
        channel = slack.channel(bot.ann, bot.bob)
        root = channel.write("My cat is called Fred", bot.bob, unheard=True)
        channel.mention("What is the cat called?", thread=root)
        await bot.answered(root)
        channel.mention("Really?", thread=root)
        await bot.answered(root, 2)
    prompts = [request.body.decode() for request in gateway.requests if request.method == "POST"]
    assert all(prompt.count("called Fred") == 1 for prompt in prompts)
    first, second = (call.params for call in slack.called("conversations.replies"))
    assert ("oldest" in first, "oldest" in second) == (False, True)


async def test_the_first_start_makes_its_owner_admin_by_a_code(tmp_path: Path) -> None:
    async with running(tmp_path, ACCESS="allowlist") as bot:
        (line,) = [line for line in bot.service.lines if "/claim" in line]
        code = line.split("/claim ")[1].split()[0]
        theirs, channel = bot.slack.private(bot.bob), bot.slack.channel(bot.ann, bot.bob, bot=False)
        (told,) = await bot.answered(theirs.write("hello"))
        assert bot.bob.id in told
        theirs.write("hello?")
        assert "let in" in (await bot.commanded("set temperature 1", theirs))["text"]
        assert "not the code" in (await bot.commanded("claim AAAA-AAAA", theirs))["text"]
        assert "admin" in (await bot.commanded(f"claim {code}"))["text"]
        joined = channel.invite_bot(bot.ann)
        assert joined is not None
        await joined.wait()
        asked = channel.mention("hello", bot.bob)
        assert "sandbox" in (await bot.answered(asked))[0]
        assert len(bot.shown(theirs)) == 1, "a stranger is told once a day"
        await asyncio.to_thread(bot.service.stop)
        await bot.start()
        assert len([line for line in bot.service.lines if "/claim" in line]) == 1, "there is an admin now"


@pytest.mark.parametrize("mode", MODES)
async def test_slack_and_telegram_in_one_process(tmp_path: Path, mode: str) -> None:
    async with FakeSlack() as slack, FakeTelegram() as tg, serving(sandbox(key="sk-sandbox", rate=400)) as gateway:
        both = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": tg.url}
        async with bot_on(tmp_path, slack, environment(slack, gateway, mode, **both)) as bot:
            room = tg.private("Ann")
            room.write("hello")
            assert len(await bot.answered(bot.room.write("hello"))) == 1
            await tg.until(lambda: [shown.text for shown in tg.shown(room) if "sandbox" in shown.text])


async def test_a_platform_out_of_reach_keeps_nobody_waiting(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    async with running(tmp_path, TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_URL=nowhere) as bot:
        assert f"telegram is not connected yet and goes on trying: no answer from {nowhere}" in bot.service.log
        assert len(await bot.answered(bot.room.write("hello"))) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "xoxb-9-of-somebody-else"),
        ("SLACK_APP_TOKEN", "xapp-9-of-somebody-else"),
        ("SLACK_APP_TOKEN", ""),
    ],
)
async def test_a_wrong_token_is_one_line(tmp_path: Path, name: str, value: str) -> None:
    async with FakeSlack() as slack:
        variables = environment(slack, "http://127.0.0.1:9", **{"ACCESS": "allowlist", name: value})
        service = Service(tmp_path, "run", environment=variables)
        with contextlib.suppress(AssertionError):  # it may end before it is ready
            await asyncio.to_thread(service.start)
        assert await asyncio.to_thread(service.wait) == 2
        assert service.lines[-1].startswith(f"magpie: {name}: ")
        assert len([line for line in service.lines if name in line]) == 1
        assert not [line for line in service.lines if "ready" in line or "/claim" in line]
        assert "Traceback" not in service.log
        assert "somebody" not in service.log
