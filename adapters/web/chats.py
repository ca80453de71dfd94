"""Conversation list: page by page, searched; and what is done to one of them as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.web.inbound import requests
from adapters.web.inbound.requests import BadRequest, clean
from bot.errors import Undeliverable
from bot.types import AdapterContext, Archive, Chat

__all__ = ["Chats"]

PAGE = 60  # conversations
MOST_TITLE = 120  # characters
MOST_SEARCH = 200
MOST_BODY = 8192
_CURSOR = re.compile(r"(\d{1,16})\.([A-Za-z0-9_-]{8,64})")


@dataclass(frozen=True, slots=True)
class Chats:
    """The part of the page's API that is about conversations, not in them."""

    around: AdapterContext

    def routes(self) -> list[Route]:
        one = "/api/chats/{id}"
        return [
            Route("/api/chats", self.listed),
            Route(f"{one}/title", self.rename, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
            Route(f"{one}/restore", self.restore, methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """The newest first; `after` is what an earlier page called `more`. The alerts' chat stands apart."""
        after = _cursor(request.query_params.get("after", ""))
        search = clean(request.query_params.get("search", ""))[:MOST_SEARCH]
        found = await self.around.reader.chats(
            requests.PLATFORM, requests.ACCOUNT, after=after, search=search, limit=PAGE
        )
        rows = [{"id": one.chat.id, "title": one.title, "at": one.at} for one in found]
        more = f"{found[-1].at}.{found[-1].chat.id}" if len(found) == PAGE else None
        alerts = next((row for row in rows if row["id"] == self.around.alerts), None)
        return _json({"chats": [row for row in rows if row is not alerts], "more": more, "alerts": alerts is not None})

    async def rename(self, request: Request) -> Response:
        title = " ".join(str((await _body(request)).get("title", "")).split())[:MOST_TITLE]
        return await self._do(request, lambda archive, chat: archive.rename(chat, clean(title)))

    async def delete(self, request: Request) -> Response:
        return await self._do(request, lambda archive, chat: archive.delete(chat))

    async def restore(self, request: Request) -> Response:
        return await self._do(request, lambda archive, chat: archive.restore(chat))

    async def _do(self, request: Request, act: Callable[[Archive, Chat], Any]) -> Response:
        chat = requests.chat_of(request.path_params["id"])
        archive = self.around.archive
        if archive is None or chat.id == self.around.alerts or not await act(archive, chat):
            raise Undeliverable("no such conversation")
        return _json({})


def _cursor(text: str) -> tuple[int, Chat] | None:
    if not text:
        return None
    if (found := _CURSOR.fullmatch(text)) is None:
        raise BadRequest("bad_request", "This is no place in the list.")
    return int(found[1]), requests.chat_of(found[2])


async def _body(request: Request) -> Mapping[str, Any]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BODY:
            raise BadRequest("bad_request", "The title is too long.")
    try:
        body = orjson.loads(bytes(raw))
    except orjson.JSONDecodeError as error:
        raise BadRequest("bad_request", "This is not JSON.") from error
    return body if isinstance(body, dict) else {}


def _json(content: Any) -> Response:
    return JSONResponse(content, headers={"Cache-Control": "no-store"})
