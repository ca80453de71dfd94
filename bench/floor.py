"""The floor: the least program that brings streamed answers into Telegram by the same calls, and waits out 429s.

It stores nothing, formats nothing, knows no access, no limits but a fixed pace per message, and no failures. What
Magpie costs beyond it is what its promise costs. Run as `python -m bench.floor`, with Magpie's own variables.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import aiohttp

_FIRST = 20  # characters
_PRIVATE, _GROUP = 1.1, 3.1  # seconds between two versions of a message


class Floor:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._api = f"{os.environ['TELEGRAM_API_URL']}/bot{os.environ['TELEGRAM_BOT_TOKEN']}/"
        self._gateway = os.environ["CHAT_API_URL"] + "/chat/completions"

    async def run(self) -> None:
        offset, running = 0, set()
        print("Floor is ready", file=sys.stderr, flush=True)
        while True:
            for update in await self._call("getUpdates", offset=offset, timeout=30):
                offset = update["update_id"] + 1
                if "message" in update:
                    task = asyncio.create_task(self._answer(update["message"]))
                    running.add(task)
                    task.add_done_callback(running.discard)

    async def _answer(self, message: dict[str, Any]) -> None:
        chat, text, post, last = message["chat"]["id"], "", 0, -1e9
        pace, sending = (_GROUP if chat < 0 else _PRIVATE), None
        messages = [{"role": "user", "content": message["text"]}]
        request = {"model": "qwen-plus", "messages": messages, "stream": True}
        async with self._session.post(self._gateway, json=request) as answer:
            async for line in answer.content:
                if not line.startswith(b"data: {"):
                    continue
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                if sending is not None and sending.done():
                    post, last, sending = sending.result(), time.monotonic(), None
                if sending is None and len(text) >= _FIRST and time.monotonic() - last >= pace:
                    sending = asyncio.create_task(self._show(chat, post, message["message_id"], text + " …"))
        if sending is not None:
            post = await sending
        await self._show(chat, post, message["message_id"], text)

    async def _show(self, chat: int, post: int, question: int, text: str) -> int:
        if post:
            await self._call("editMessageText", chat_id=chat, message_id=post, text=text)
            return post
        reply = {"message_id": question}
        sent = await self._call("sendMessage", chat_id=chat, text=text, reply_parameters=reply)
        return int(sent["message_id"])

    async def _call(self, method: str, **values: object) -> Any:
        while True:
            async with self._session.post(self._api + method, json=values) as answer:
                said = await answer.json()
            if said["ok"]:
                return said["result"]
            if "retry_after" not in said.get("parameters", {}):
                raise RuntimeError(said)
            await asyncio.sleep(said["parameters"]["retry_after"])


async def main() -> None:
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        await Floor(session).run()


if __name__ == "__main__":
    asyncio.run(main())
