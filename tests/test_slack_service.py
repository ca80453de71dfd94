"""A real `magpie run` process in Slack, over the wire: whole, once, in the right thread, in both transport modes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapters.slack.settings import EVENTS_PATH
from bot.chat_api.sandbox import sandbox
from bot.serving import serving
from bot.types import AsgiApp
from tests.fakes.gateway import FakeGateway, Reply, chunk, sse
from tests.fakes.service import Service
from tests.fakes.telegram import FakeTelegram
from tests.fakes.telegram.server import TOKEN
from tests.fakes.workspace import Workspace, text_of

SECONDS = 40.0
MODES = ("socket", "http")


@dataclass
class Bot:
    slack: Workspace
    service: Service
    sent: set[asyncio.Task[Any]] = field(default_factory=set)

    async def start(self) -> None:
        await asyncio.to_thread(self.service.start)
        if self.service.environment["SLACK_MODE"] == "http":
            self.slack.posts_url = self.service.url + EVENTS_PATH

    def says(self, text: str, channel: str = "D1", by: str = "U1", thread: str = "", **more: Any) -> str:
        """Returns the ts. It is delivered as Slack does, again and again until it is acknowledged."""
        ts = self.slack.ts()
        event = {"type": "message", "channel": channel, "user": by, "text": text, "ts": ts, **more}
        self.push({**event, "thread_ts": thread} if thread else event)
        return ts

    def push(self, body: dict[str, Any], kind: str = "events_api") -> asyncio.Task[Any]:
        task = asyncio.create_task(self.slack.push(body, kind))
        self.sent.add(task)
        return task

    def shown(self, channel: str, thread: str = "") -> list[str]:
        """Our messages in a thread, in order; "…" where one looks unfinished."""
        found = [message for message in self.slack.ours(channel) if thread in ("", message.get("thread_ts"))]
        return [text_of(message) for message in found]

    async def answered(self, channel: str, thread: str = "", count: int = 1) -> list[str]:
        """Until `count` messages stand there, all of them finished."""

        def settled() -> bool:
            seen = self.shown(channel, thread)
            return len(seen) >= count and not any("…" in text[-2:] for text in seen)

        await self.slack.until(settled, SECONDS)
        await asyncio.sleep(0.3)  # a second answer to the same question would come now
        return self.shown(channel, thread)


def environment(slack: Workspace, gateway: str, mode: str = "socket", **more: str) -> dict[str, str]:
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
        Workspace() as slack,
        serving(sandbox(key="sk-sandbox", rate=rate)) as gateway,
        bot_on(directory, slack, environment(slack, gateway, mode, **more)) as bot,
    ):
        yield bot


@contextlib.asynccontextmanager
async def bot_on(directory: Path, slack: Workspace, variables: dict[str, str]) -> AsyncIterator[Bot]:
    if variables["SLACK_MODE"] == "http" and "HTTP_PORT" not in variables:
        variables["HTTP_PORT"] = str(free_port())  # the same after a restart
    service = Service(directory, "run", environment=variables)
    bot = Bot(slack, service)
    try:
        await bot.start()
        yield bot
    finally:
        await asyncio.to_thread(service.close)
        for task in bot.sent:
            task.cancel()
        await asyncio.gather(*bot.sent, return_exceptions=True)
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


def slash(text: str, channel: str = "D1", by: str = "U1") -> dict[str, str]:
    trigger = f"t{time.monotonic_ns()}"
    return {"command": "/magpie", "text": text, "channel_id": channel, "user_id": by, "trigger_id": trigger}


@pytest.mark.parametrize("mode", MODES)
async def test_from_the_first_word_to_the_settings(tmp_path: Path, mode: str) -> None:
    async with running(tmp_path, mode) as bot:
        asked = bot.says("你好")
        (text,) = await bot.answered("D1", asked)
        assert "沙箱" in text

        answer = await bot.push(slash("set temperature 0.7"), "slash_commands")
        assert answer["response_type"] == "ephemeral"
        assert "0.7" in answer["text"]
        assert (
            "0.7"
            in (
                await bot.push(slash("settings"), "slash_commands")
                or await bot.push(slash("set temperature"), "slash_commands")
            )["text"]
        )

        bot.slack.files["F1"] = colour("red")  # type: ignore[assignment]
        url = bot.slack.address("/files/F1")
        photo = {"id": "F1", "mimetype": "image/png", "name": "red.png", "url_private_download": url}
        asked = bot.says("What is this?", subtype="file_share", files=[photo])
        assert "red" in (await bot.answered("D1", asked))[0]

        root = bot.says("just between us", "C1")
        asked = bot.says("<@UBOT> hello", "C1", thread=root)
        bot.push(
            {
                "type": "app_mention",
                "channel": "C1",
                "user": "U1",
                "text": "<@UBOT> hello",
                "ts": asked,
                "thread_ts": root,
            }
        )
        assert len(await bot.answered("C1", root)) == 1
        bot.says("and now?", "C1", by="U2", thread=root)
        assert len(await bot.answered("C1", root, 2)) == 2
        assert len(bot.shown("C1")) == 2, "an answer stands outside of its thread"
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
        Workspace() as slack,
        bot_on(tmp_path, slack, environment(slack, gateway.url.removesuffix("/v1"), mode)) as bot,
    ):
        asked = bot.says("Show me the values")
        await slack.until(lambda: "was it." in " ".join(bot.shown("D1", asked)), SECONDS)
        texts = await bot.answered("D1", asked)
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
        asked = bot.says("Show me a table and some code in Markdown")
        await bot.slack.until(lambda: bot.slack.called("chat.appendStream"), SECONDS)  # its id is stored by then
        await asyncio.to_thread(bot.service.kill)
        assert bot.shown("D1")[0].endswith("…")
        await bot.start()
        (text,) = await bot.answered("D1", asked)
        assert "not from a real model." in text
        assert "…" not in text


async def test_a_kill_between_the_platform_s_yes_and_our_commit(tmp_path: Path) -> None:
    """The stream stands there, and nobody has its id: the next start looks for it instead of posting another."""
    async with running(tmp_path, rate=120) as bot:
        bot.slack.fail("chat.startStream", 1, "lost")
        asked = bot.says("Show me a table and some code in Markdown")
        await bot.slack.until(lambda: bot.slack.messages, SECONDS)
        await asyncio.to_thread(bot.service.kill)
        await bot.start()
        (text,) = await bot.answered("D1", asked)
        assert "not from a real model." in text


@pytest.mark.parametrize("native", [True, False])
async def test_stop_ends_the_answer_where_it_is(tmp_path: Path, native: bool) -> None:
    async with running(tmp_path, rate=20) as bot:
        bot.slack.native = native
        asked = bot.says("Write a long answer with 3000 characters")
        await bot.slack.until(lambda: "paragraphs" in " ".join(bot.shown("D1")), SECONDS)
        (post,) = bot.slack.messages
        if native:
            bot.slack.messages[post]["streaming"] = False  # Slack stops the stream itself
            bot.push(
                {
                    "type": "agent_session_stopped",
                    "channel": "D1",
                    "thread_ts": asked,
                    "user": "U1",
                    "event_ts": bot.slack.ts(),
                }
            )
        else:
            bot.push(bot.slack.pressed("Stop", post), "interactive")
        (text,) = await bot.answered("D1", asked)
        assert "Stopped." in text
        bot.push(bot.slack.pressed("Retry", post), "interactive")
        await bot.slack.until(lambda: "Stopped." not in text_of(bot.slack.messages[post]), SECONDS)


async def test_fifty_direct_messages_at_once(tmp_path: Path) -> None:
    """300 tokens at 50 a second each: every answer whole, no flood limit provoked, the first words soon there."""
    text = " ".join(f"word{number:03}" for number in range(300))
    begun: dict[str, float] = {}
    async with (
        Workspace() as slack,
        serving(_speaking(text, 50.0, begun)) as gateway,
        bot_on(tmp_path, slack, environment(slack, gateway)) as bot,
    ):
        began = time.monotonic()
        asked = {f"D{number}": bot.says(f"Say the words, D{number}", f"D{number}") for number in range(50)}
        await slack.until(lambda: all(bot.shown(room, ts) == [text] for room, ts in asked.items()), 60)
        took = time.monotonic() - began
    firsts = [call for call in slack.calls if call.method in ("chat.startStream", "chat.postMessage")]
    late = sorted(call.at - begun[call.params["channel"]] for call in firsts)
    print(
        f"50 chats: {took:.1f} s; first text after {late[25]:.2f} s, at most {late[-1]:.2f} s; {len(slack.calls)} calls"
    )
    assert len(slack.messages) == 50
    assert late[25] < 1.5, "it is 0.1 s on a machine that has nothing else to do"
    assert took < 6 + 40, "a busy machine may take a while, but not so long"


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


async def test_an_older_thread_is_read_once(tmp_path: Path) -> None:
    async with (
        FakeGateway(Reply([sse(chunk("Fred."), chunk("", "stop"))])) as gateway,
        Workspace() as slack,
        bot_on(tmp_path, slack, environment(slack, gateway.url.removesuffix("/v1"))) as bot,
    ):
        root = slack.ts()
        slack.said("My cat is called Fred", root, user="U2")
        bot.says("<@UBOT> What is the cat called?", "C1", thread=root)
        await bot.answered("C1", root)
        bot.says("<@UBOT> Really?", "C1", thread=root)
        await bot.answered("C1", root, 2)
    prompts = [request.body.decode() for request in gateway.requests if request.method == "POST"]
    assert all("called Fred" in prompt for prompt in prompts)
    assert len(slack.called("conversations.replies")) == 1


async def test_the_first_start_makes_its_owner_admin_by_a_code(tmp_path: Path) -> None:
    async with running(tmp_path, ACCESS="allowlist") as bot:
        (line,) = [line for line in bot.service.lines if "/claim" in line]
        code = line.split("/claim ")[1].split()[0]
        asked = bot.says("hello", "D2", by="U2")
        (told,) = await bot.answered("D2", asked)
        assert "U2" in told
        bot.says("hello?", "D2", by="U2")
        assert "let in" in (await bot.push(slash("set temperature 1", "D2", "U2"), "slash_commands"))["text"]
        assert "not the code" in (await bot.push(slash("claim AAAA-AAAA", "D2", "U2"), "slash_commands"))["text"]
        assert "admin" in (await bot.push(slash(f"claim {code}"), "slash_commands"))["text"]
        await bot.push(
            {
                "type": "member_joined_channel",
                "user": "UBOT",
                "channel": "C1",
                "inviter": "U1",
                "event_ts": bot.slack.ts(),
            }
        )
        asked = bot.says("<@UBOT> hello", "C1", by="U2")
        assert "sandbox" in (await bot.answered("C1", asked))[0]
        assert len(bot.shown("D2")) == 1, "a stranger is told once a day"
        await asyncio.to_thread(bot.service.stop)
        await bot.start()
        assert len([line for line in bot.service.lines if "/claim" in line]) == 1, "there is an admin now"


@pytest.mark.parametrize("mode", MODES)
async def test_slack_and_telegram_in_one_process(tmp_path: Path, mode: str) -> None:
    async with Workspace() as slack, FakeTelegram() as tg, serving(sandbox(key="sk-sandbox", rate=400)) as gateway:
        both = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": tg.url}
        async with bot_on(tmp_path, slack, environment(slack, gateway, mode, **both)) as bot:
            room = tg.private("Ann")
            room.write("hello")
            asked = bot.says("hello")
            assert len(await bot.answered("D1", asked)) == 1
            await tg.until(lambda: [shown.text for shown in tg.shown(room) if "sandbox" in shown.text], SECONDS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "xoxb-9-of-somebody-else"),
        ("SLACK_APP_TOKEN", "xapp-9-of-somebody-else"),
        ("SLACK_APP_TOKEN", ""),
    ],
)
async def test_a_wrong_token_is_one_line(tmp_path: Path, name: str, value: str) -> None:
    async with Workspace() as slack:
        variables = environment(slack, "http://127.0.0.1:9", **{name: value})
        service = Service(tmp_path, "run", environment=variables)
        with contextlib.suppress(AssertionError):  # it may end before it is ready
            await asyncio.to_thread(service.start)
        assert await asyncio.to_thread(service.wait) == 2
        assert service.lines[-1].startswith(f"magpie: {name}: ")
        assert "Traceback" not in service.log
        assert "somebody" not in service.log
