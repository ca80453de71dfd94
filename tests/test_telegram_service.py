"""A real `magpie run` process in Telegram, over the wire: whole, once, in the right place, in both transport modes.

Most of a service's time in Telegram is waiting until the chat may be written to again. So what can happen at the same
time does: scenes in chats of their own before one process, and processes beside each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from bot.http.server import serving
from bot.sandbox.app import sandbox
from bot.types import AsgiApp
from tests.fakes.gateway import chunk, sse
from tests.fakes.service import Service
from tests.fakes.telegram import FakeTelegram, Room
from tests.fakes.telegram.server import TOKEN

LIMIT = 4096


@dataclass
class Bot:
    tg: FakeTelegram
    service: Service

    async def start(self) -> None:
        await asyncio.to_thread(self.service.start)

    def texts(self, room: Room) -> list[str]:
        return [shown.text for shown in self.tg.shown(room)]

    def settled(self, room: Room) -> bool:
        """Something stands there, and no Stop button any more."""
        shown = self.tg.shown(room)
        return bool(shown) and not any("Stop" in str(each.keyboard) for each in shown)

    async def answered(self, room: Room, count: int = 1) -> list[str]:
        """Until `count` messages stand in the room, all of them finished."""
        await self.tg.until(lambda: len(self.tg.shown(room)) >= count and self.settled(room))
        await asyncio.sleep(0.3)  # a second answer to the same question would come now
        return self.texts(room)


def environment(tg: FakeTelegram, gateway: str, **more: str) -> dict[str, str]:
    return {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": tg.url,
        "CHAT_API_URL": f"{gateway}/v1",
        "CHAT_API_KEY": "sk-sandbox",
        "CHAT_API_PROFILE": "sandbox",
        "ACCESS": "open",
    } | more


@contextlib.asynccontextmanager
async def running(directory: Path, rate: float = 400.0, **more: str) -> AsyncIterator[Bot]:
    async with FakeTelegram() as tg, serving(sandbox(key="sk-sandbox", rate=rate)) as gateway:
        service = Service(directory, "run", environment=environment(tg, gateway, **more))
        bot = Bot(tg, service)
        try:
            await bot.start()
            yield bot
        finally:
            await asyncio.to_thread(service.close)
        assert TOKEN.partition(":")[2] not in service.log
        assert "Traceback" not in service.log


def colour(name: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 200), name).save(out, "JPEG")
    return out.getvalue()


# ── before one process ──────────────────────────────────────────────────────────────────────────────────────────────


async def _a_word_and_a_setting(bot: Bot) -> None:
    room = bot.tg.private("Ann")
    room.write("你好")
    (text,) = await bot.answered(room)
    assert "沙箱" in text
    room.write("/set temperature 0.7")
    assert "0.7" in (await bot.answered(room, 2))[1]


async def _thinking_is_switched(bot: Bot) -> None:
    room = bot.tg.private("Theo")
    for number, (words, thinks) in enumerate((("on", True), ("off", False)), 1):
        for setting in ("/model qwen3-8b", "/reasoning full", f"/think {words}"):
            room.write(setting)
            await bot.answered(room, len(bot.texts(room)) + 1)
        room.write("hello")
        answer = (await bot.answered(room, 4 * number))[-1]
        assert ("I look for a topic" in answer) == thinks
        assert "sandbox" in answer


async def _a_chat_as_a_translator(bot: Bot) -> None:
    room = bot.tg.private("Fred")
    room.write("/translate English")
    await bot.answered(room)
    room.write("早上好")
    assert "Good morning" in (await bot.answered(room, 2))[1]
    room.write("/translate off")
    await bot.answered(room, 3)


async def _a_photo_is_looked_at(bot: Bot) -> None:
    room = bot.tg.private("Gina")
    room.photo(colour("red"), "What is this?")
    assert "red" in (await bot.answered(room))[0]


async def _a_long_answer_is_whole_and_fits(bot: Bot) -> None:
    room = bot.tg.private("Dora")
    room.write("Write a long answer with 9000 characters")
    await bot.tg.until(lambda: any("That was all" in text for text in bot.texts(room)))
    texts = await bot.answered(room)
    assert len(texts) >= 3
    assert all(len(text.encode("utf-16-le")) // 2 <= LIMIT for text in texts)
    numbers = [int(word[:-1]) for word in " ".join(texts).split() if word[:-1].isdigit() and word.endswith(".")]
    assert numbers == list(range(1, len(numbers) + 1)), "a paragraph is missing, doubled or out of order"


async def _stop_ends_the_answer_where_it_is(bot: Bot) -> None:
    room = bot.tg.private("Eve")
    room.write("Write a long answer with 20000 characters")
    await bot.tg.until(lambda: "Stop" in str([each.keyboard for each in bot.tg.shown(room)]))
    room.press(bot.tg.shown(room)[0].id, "Stop")
    texts = await bot.answered(room)
    assert "Stopped." in texts[-1]
    assert "That was all" not in texts[-1]
    assert "Retry" in str(bot.tg.shown(room)[-1].keyboard)


async def _groups_and_topics(bot: Bot) -> None:
    ann, ben = bot.tg.person("Ann"), bot.tg.person("Ben")
    group = bot.tg.group(ann, ben)
    group.write("just between us", ann)
    asked = group.write(f"@{bot.tg.bot.username} hello", ann)
    (text,) = await bot.answered(group)
    assert "between us" not in text
    shown = bot.tg.shown(group)[0]
    assert shown.reply_to == asked.id
    now = group.write("and now?", ben, reply_to=shown.id)
    await bot.answered(group, 2)
    assert [each.reply_to for each in bot.tg.shown(group)][:2] == [asked.id, now.id]
    forum = bot.tg.supergroup(ann, ben, forum=True)
    topic = forum.topic("Travel", ann)
    forum.write(f"@{bot.tg.bot.username} hello from here", ann, thread=topic)
    await bot.tg.until(lambda: bot.tg.shown(forum, topic) and bot.settled(forum))


async def _two_people_at_once_get_two_answers(bot: Bot) -> None:
    ann, ben = bot.tg.person("Ann"), bot.tg.person("Ben")
    group = bot.tg.supergroup(ann, ben)
    asked = [group.write(f"@{bot.tg.bot.username} hello", by).id for by in (ann, ben)]
    await bot.answered(group, 2)
    assert [shown.reply_to for shown in bot.tg.shown(group)] == asked


async def _an_album_is_one_question(bot: Bot) -> None:
    room = bot.tg.private("Cid")
    room.album([colour("red"), colour("blue")], "What are these?")
    assert len(await bot.answered(room)) == 1


async def _a_comment_and_its_forward_are_one_question(bot: Bot, name: str = "Dora") -> None:
    for seconds in (0.01, 0.1, 0.4, 1.0):
        room = bot.tg.private(f"{name} {seconds}")
        room.write("What follows?")
        await asyncio.sleep(seconds)
        room.forward("Show me a table and some code in Markdown", "Somebody")
        both = lambda room=room: bot.settled(room) and "That is 13 characters" not in str(bot.texts(room))  # noqa: E731
        await bot.tg.until(both)
        assert len(await bot.answered(room)) == 1


async def test_all_that_people_do_in_their_chats(tmp_path: Path) -> None:
    scenes = (
        _a_word_and_a_setting,
        _thinking_is_switched,
        _a_chat_as_a_translator,
        _a_photo_is_looked_at,
        _a_long_answer_is_whole_and_fits,
        _stop_ends_the_answer_where_it_is,
        _groups_and_topics,
        _two_people_at_once_get_two_answers,
        _an_album_is_one_question,
        _a_comment_and_its_forward_are_one_question,
    )
    async with running(tmp_path) as bot:
        async with asyncio.TaskGroup() as together:
            for scene in scenes:
                together.create_task(scene(bot), name=scene.__name__)
        assert bot.tg.floods == 0
        assert await asyncio.to_thread(bot.service.stop) == 0


# ── processes beside each other ─────────────────────────────────────────────────────────────────────────────────────


async def _a_kill_in_mid_answer_leaves_one_whole_answer(tmp_path: Path) -> None:
    """Nor is a question lost that was asked meanwhile."""
    async with running(tmp_path, rate=60) as bot:
        room = bot.tg.private("Ann")
        room.write("Show me a table and some code in Markdown")
        await bot.tg.until(lambda: bot.tg.called("editMessageText"))  # its id is stored by then
        await asyncio.to_thread(bot.service.kill)
        other = bot.tg.private("Ben")
        other.write("hello?")
        await bot.start()
        await bot.tg.until(lambda: bot.settled(room))
        (text,) = await bot.answered(room)
        assert text.endswith("not from a real model.")
        assert len(await bot.answered(other)) == 1


async def _webhook_mode_and_back_to_polling_lose_nothing(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pushed = {"TELEGRAM_MODE": "webhook", "TELEGRAM_WEBHOOK_SECRET": "a-long-random-word", "HTTP_PORT": str(port)}
    async with running(tmp_path, **pushed, PUBLIC_URL=f"http://127.0.0.1:{port}") as bot:
        room = bot.tg.private("Ann")
        await bot.tg.until(lambda: bot.tg.webhook.url)
        room.write("hello")
        assert len(await bot.answered(room)) == 1
        await _a_comment_and_its_forward_are_one_question(bot)
        assert await asyncio.to_thread(bot.service.stop) == 0
        room.write("and while it was down?")
        bot.service.environment["TELEGRAM_MODE"] = "polling"
        await bot.start()
        assert len(await bot.answered(room, 2)) == 2


async def _the_first_start_makes_its_owner_admin_by_a_code(tmp_path: Path) -> None:
    async with running(tmp_path, ACCESS="allowlist") as bot:
        (line,) = [line for line in bot.service.lines if "/claim" in line]
        code = line.split("/claim ")[1].split()[0]
        stranger = bot.tg.private("Mallory")
        stranger.write("hello")
        (told,) = await bot.answered(stranger)
        assert str(stranger.id) in told
        room = bot.tg.private("Ann")
        room.write(f"/claim {code}")
        await bot.answered(room)
        room.write("hello")
        assert "sandbox" in (await bot.answered(room, 2))[1]
        stranger.write("hello again")
        room.write(f"/allow {stranger.id}")
        await bot.answered(room, 3)
        stranger.write("hello at last")
        assert len(await bot.answered(stranger, 2)) == 2


async def _a_wrong_token_is_one_line(tmp_path: Path) -> None:
    async with FakeTelegram() as tg:
        wrong = "999999:" + "x" * 30
        variables = environment(tg, "http://127.0.0.1:9", TELEGRAM_BOT_TOKEN=wrong, ACCESS="allowlist")
        service = Service(tmp_path, "run", environment=variables)
        with contextlib.suppress(AssertionError):  # it may end before it is ready
            await asyncio.to_thread(service.start)
        assert await asyncio.to_thread(service.wait) == 2
        assert service.lines[-1].startswith("magpie: TELEGRAM_BOT_TOKEN: ")
        assert service.log.count("TELEGRAM_BOT_TOKEN") == 1
        assert not [line for line in service.lines if "ready" in line or "/claim" in line]
        assert "Traceback" not in service.log
        assert wrong not in service.log


async def test_starts_and_ends_and_what_is_between(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as together:
        for scene in (
            _a_kill_in_mid_answer_leaves_one_whole_answer,
            _webhook_mode_and_back_to_polling_lose_nothing,
            _the_first_start_makes_its_owner_admin_by_a_code,
            _a_wrong_token_is_one_line,
        ):
            place = tmp_path / scene.__name__
            place.mkdir()
            together.create_task(scene(place), name=scene.__name__)


# ── under load ──────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = " ".join(f"word{number:03}" for number in range(300))
LINES = [f"value_{number:03} = compute({number})  # a comment of some length" for number in range(200)]
VALUES = "\n".join(["Here it is:", "", "```python", *LINES, "```", "", "**That** was it."])


async def _fences_across_the_cuts_stay_code(bot: Bot) -> None:
    room = bot.tg.private("Ann")
    room.write("Show me the values")
    await bot.tg.until(lambda: any("That was it." in shown for shown in bot.texts(room)))
    texts = await bot.answered(room)
    seen = [line for shown in texts for line in shown.splitlines() if line.startswith("value_")]
    assert seen == LINES
    assert len(texts) >= 3
    fences = [[each for each in shown.entities if each["type"] == "pre"] for shown in bot.tg.shown(room)]
    assert all(any(fence["language"] == "python" for fence in found) for found in fences)


async def _fifty_private_chats(bot: Bot) -> None:
    """300 tokens at 50 a second each: every answer whole, and none later than the pace allows."""
    rooms = [bot.tg.private(f"Person{number}") for number in range(50)]
    began = time.monotonic()
    for room in rooms:
        room.write("Say the words")
    await bot.tg.until(lambda: all(bot.texts(room) == [WORDS] and bot.settled(room) for room in rooms))
    took = time.monotonic() - began
    least = max(6.0, len(rooms) * 2 / 30)  # the answers' own time; a first and a last call each at 30 a second
    print(f"50 chats: {took:.1f} s, the pace allows {least:.1f} s")
    assert all(len(bot.tg.shown(room)) == 1 for room in rooms)


async def test_fifty_chats_at_once_and_a_long_fence(tmp_path: Path) -> None:
    asked: list[str] = []
    async with FakeTelegram() as tg, serving(_speaking(asked)) as gateway:
        service = Service(tmp_path, "run", environment=environment(tg, gateway))
        bot = Bot(tg, service)
        try:
            await bot.start()
            async with asyncio.TaskGroup() as together:
                together.create_task(_fences_across_the_cuts_stay_code(bot))
                together.create_task(_fifty_private_chats(bot))
        finally:
            await asyncio.to_thread(service.close)
    assert tg.floods == 0
    assert sorted(asked) == ["Say the words"] * 50 + ["Show me the values"], "each was asked once"


def _speaking(asked: list[str], rate: float = 50.0) -> AsgiApp:
    """A gateway that says what it was asked for, `rate` pieces a second: the words, or the values."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        kind = b"text/event-stream" if scope["method"] == "POST" else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        if scope["method"] != "POST":
            await send({"type": "http.response.body", "body": b'{"data":[]}'})
            return
        asked.append(json.loads(body)["messages"][-1]["content"])
        pieces = re.findall(r" ?\S+", WORDS) if asked[-1] == "Say the words" else re.findall(r"(?s).{1,40}", VALUES)
        began = time.monotonic()
        for number, piece in enumerate(pieces):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            await send({"type": "http.response.body", "body": sse(chunk(piece), done=False), "more_body": True})
        await send({"type": "http.response.body", "body": sse(chunk("", "stop"))})

    return app
