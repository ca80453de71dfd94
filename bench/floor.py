"""The floor: the least programs that bring streamed answers to a platform by the same calls, and wait out 429s.

They store nothing, format nothing, know no access, no limits but a fixed pace per message, and no failures. What
Magpie costs beyond them is what its promise costs. Run as `python -m bench.floor`, with Magpie's own variables.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

_FIRST = 20  # characters
_PRIVATE, _GROUP, _STREAM = 1.1, 3.1, 0.8  # seconds between two versions of a message

Show = Callable[[str, bool], Coroutine[Any, Any, None]]


class Floor:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._gateway = os.environ["CHAT_API_URL"] + "/chat/completions"
        self._running: set[asyncio.Task[None]] = set()

    def _start(self, answering: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(answering)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _speak(self, question: str, pace: float, show: Show) -> None:
        """`show(text, last)` never runs twice at once, and gets the newest text."""
        text, last, sending = "", -1e9, None
        messages = [{"role": "user", "content": question}]
        request = {"model": "qwen-plus", "messages": messages, "stream": True}
        async with self._session.post(self._gateway, json=request) as answer:
            async for line in answer.content:
                if not line.startswith(b"data: {"):
                    continue
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                if sending is not None and sending.done():
                    last, sending = time.monotonic(), None
                if sending is None and len(text) >= _FIRST and time.monotonic() - last >= pace:
                    sending = asyncio.create_task(show(text, False))
        if sending is not None:
            await sending
        await show(text, True)


class Telegram(Floor):
    async def run(self) -> None:
        offset = 0
        print("The floor is ready", file=sys.stderr, flush=True)
        while True:
            for update in await self._call("getUpdates", offset=offset, timeout=30):
                offset = update["update_id"] + 1
                if "message" in update:
                    self._start(self._answer(update["message"]))

    async def _answer(self, message: dict[str, Any]) -> None:
        chat, posts = message["chat"]["id"], list[int]()

        async def show(text: str, last: bool) -> None:
            text = text if last else f"{text} …"
            if posts:
                await self._call("editMessageText", chat_id=chat, message_id=posts[0], text=text)
                return
            reply = {"message_id": message["message_id"]}
            sent = await self._call("sendMessage", chat_id=chat, text=text, reply_parameters=reply)
            posts.append(sent["message_id"])

        await self._speak(message["text"], _GROUP if chat < 0 else _PRIVATE, show)

    async def _call(self, method: str, **values: object) -> Any:
        url = f"{os.environ['TELEGRAM_API_URL']}/bot{os.environ['TELEGRAM_BOT_TOKEN']}/{method}"
        while True:
            async with self._session.post(url, json=values) as answer:
                said = await answer.json()
            if said["ok"]:
                return said["result"]
            if "retry_after" not in said.get("parameters", {}):
                raise RuntimeError(said)
            await asyncio.sleep(said["parameters"]["retry_after"])


class Slack(Floor):
    """By socket, with streamed messages."""

    async def run(self) -> None:
        opened = await self._call("apps.connections.open", token="SLACK_APP_TOKEN")
        async with self._session.ws_connect(opened["url"]) as socket:
            print("The floor is ready", file=sys.stderr, flush=True)
            async for frame in socket:
                envelope = json.loads(frame.data)
                if "envelope_id" not in envelope:
                    continue
                await socket.send_json({"envelope_id": envelope["envelope_id"]})
                event = envelope["payload"].get("event", {})
                mine = event.get("type") == ("message" if event.get("channel", "").startswith("D") else "app_mention")
                if mine and not event.get("bot_id") and not event.get("subtype"):
                    self._start(self._answer(event, envelope["payload"]["team_id"]))

    async def _answer(self, event: dict[str, Any], team: str) -> None:
        channel, shown, posts = event["channel"], [0], list[str]()
        thread = event.get("thread_ts") or event["ts"]
        whom = {"recipient_team_id": team, "recipient_user_id": event["user"]}

        async def show(text: str, last: bool) -> None:
            news, shown[0] = text[shown[0] :], len(text)
            if not posts:
                place = {"channel": channel, "thread_ts": thread, **whom}
                started = await self._call("chat.startStream", **place, markdown_text=news)
                posts.append(started["ts"])
                news = ""
            elif not last:
                await self._call("chat.appendStream", channel=channel, ts=posts[0], markdown_text=news)
            if last:
                more = {"markdown_text": news} if news else {}
                await self._call("chat.stopStream", channel=channel, ts=posts[0], **more)

        await self._speak(event["text"], _STREAM, show)

    async def _call(self, method: str, token: str = "SLACK_BOT_TOKEN", **values: object) -> Any:
        url = f"{os.environ['SLACK_API_URL'].rstrip('/')}/{method}"
        while True:
            headers = {"Authorization": f"Bearer {os.environ[token]}"}
            async with self._session.post(url, json=values, headers=headers) as answer:
                if answer.status == 429:
                    await asyncio.sleep(float(answer.headers["Retry-After"]))
                    continue
                said = await answer.json()
            if not said["ok"]:
                raise RuntimeError(f"{method}: {said}")
            return said


async def main() -> None:
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        await (Slack if "SLACK_API_URL" in os.environ else Telegram)(session).run()


if __name__ == "__main__":
    asyncio.run(main())
