"""The page's HTTP API: what it asks for and what it is told: JSON under /api/, a stream of events per conversation, and
itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from adapters.kit.transfers import TooLong, collected
from adapters.web.chats import Chats
from adapters.web.door.pages import STATIC, Pages
from adapters.web.door.refusals import refusal
from adapters.web.door.signin import Sessions
from adapters.web.inbound import requests
from adapters.web.inbound.files import EmptyFile, Files, NoSpace, TooLarge, sniff
from adapters.web.inbound.requests import MOST_CHARACTERS, MOST_FILES, BadRequest
from adapters.web.rooms import Event, Rooms
from adapters.web.settings import WebSettings
from adapters.web.view import Conversation, file_view, menu_view, model_view, settings_view
from bot.errors import MagpieError, StoreError, Undeliverable
from bot.markdown.parser import parse
from bot.markdown.plain import plain
from bot.types import Ack, AdapterContext, Chat, IncomingMessage, Intake, Press, Turn

__all__ = ["Api"]

MOST_BODY = 2 * 1024 * 1024
PAGE = 60  # messages
_SHOWN = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/avif"})
_STATUS: Mapping[type[MagpieError], tuple[int, str]] = {
    TooLarge: (413, "too_large"),
    EmptyFile: (400, "empty_file"),
    NoSpace: (507, "no_space"),
    Undeliverable: (404, "not_found"),
    StoreError: (503, "store"),
}


class Starting(MagpieError):
    text = "The service is starting or stopping. Please try again in a moment."


@dataclass
class Api:
    """`tell` makes the page of a chat show a turn anew. Without `intake` nothing can be sent."""

    around: AdapterContext
    rooms: Rooms
    files: Files
    sessions: Sessions
    options: WebSettings
    tell: Callable[[Chat, int], Awaitable[bool]]
    intake: Intake | None = None

    def app(self) -> Starlette:
        pages = Pages(self.sessions, self.around.clock, self.options)
        chat = "/api/chats/{id}"
        routes = [
            Route("/", pages.index),
            Route("/login", pages.login, methods=["GET", "POST"]),
            Route("/logout", pages.logout, methods=["POST"]),
            Route("/api/start", self.start),
            Route("/api/models", self.list_models),
            Route("/api/balance", self.balance),
            Route("/api/commands", self.list_commands),
            *Chats(self.around).routes(),
            Route(chat, self.conversation),
            Route(f"{chat}/settings", self.settings),
            Route(f"{chat}/events", self.events),
            Route(f"{chat}/messages", self.send, methods=["POST"]),
            Route(f"{chat}/press", self.press, methods=["POST"]),
            Route(f"{chat}/stop", self.stop, methods=["POST"]),
            Route("/api/uploads", self.upload, methods=["POST"]),
            Route("/api/files/{ref}", self.file),
            Mount("/static", _Static(directory=STATIC)),
        ]
        made = Starlette(routes=routes, exception_handlers={MagpieError: _failed, 404: _nothing})
        made.router.redirect_slashes = False  # it would send people to http://, whatever a proxy has before it
        return made

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, _request: Request) -> Response:
        limits = {"file_bytes": self.files.most, "files": MOST_FILES, "characters": MOST_CHARACTERS}
        about = {"password": self.sessions.needed, "sandbox": self.around.sandbox, "reads": list(self.around.reads)}
        return _json({"limits": limits, "defaults": dict(self.around.defaults), **about})

    async def list_models(self, _request: Request) -> Response:
        return _json({"models": [model_view(model) for model in self.around.models()]})

    async def list_commands(self, request: Request) -> Response:
        """(name, what it does), in the page's language."""
        chosen, accepted = request.query_params.get("language"), request.headers.get("accept-language", "")
        listing = self.around.commands
        return _json({"commands": listing(requests.language_of(chosen, accepted)) if listing is not None else []})

    async def balance(self, _request: Request) -> Response:
        reader, gateway = self.around.reader, self.around.gateway
        reading, raised = await reader.balance(gateway), sorted(await reader.alerts(gateway))
        alerts = {"names": raised, "chat": self.around.alerts}
        if reading is None:
            return _json({"balance": None, "alerts": alerts})
        money = {"amount": f"{reading.money.amount:f}", "currency": reading.money.currency}
        return _json({"balance": {**money, "at": reading.at}, "alerts": alerts})

    async def conversation(self, request: Request) -> Response:
        chat = requests.chat_of(request.path_params["id"])
        before = request.query_params.get("before", "")
        number = int(before) if before.isdecimal() and len(before) < 19 else None
        view = Conversation(self.around.reader, chat, self.rooms.of(chat.id))
        return _json(await view.page(number, PAGE))

    async def settings(self, request: Request) -> Response:
        chat = requests.chat_of(request.path_params["id"])
        rows = await self.around.reader.settings(chat)
        return _json({"settings": settings_view(chat, rows), "defaults": dict(self.around.defaults)})

    async def events(self, request: Request) -> Response:
        chat = requests.chat_of(request.path_params["id"])
        if self.intake is None:
            raise Starting
        position = request.headers.get("last-event-id") or request.query_params.get("after", "")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(chat, position), media_type="text/event-stream", headers=headers)

    async def _stream(self, chat: Chat, position: str) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        async for event in self.rooms.of(chat.id).follow(position, self.around.clock):
            yield _wire(event)

    async def file(self, request: Request) -> Response:
        path = self.files.path(request.path_params["ref"])
        mime = sniff(path)
        headers = {
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=31536000, immutable",
        }
        if mime not in _SHOWN:
            mime, headers["Content-Disposition"] = "application/octet-stream", "attachment"
        return FileResponse(path, media_type=mime, headers=headers)

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, request: Request) -> Response:
        chat, body, language = await self._posted(request)
        event = requests.message(chat, body, language, self.around.clock.now(), self.files.describe)
        ack, told = await self._accept(event)
        turn = ack.turn if ack.turn is not None else await self._turn_of(event)
        if turn is not None and turn not in told:
            await self.tell(chat, turn)
        if event.text.startswith("/"):
            self._settings_may_differ(chat)
        return _json({**_ack_view(ack), "turn": turn})

    async def _turn_of(self, event: IncomingMessage) -> int | None:
        """The turn of a message that was sent before: its answer may have got lost on the way to the page."""
        recent = await self.around.reader.history(event.chat, limit=PAGE)
        return next((message.turn for message in recent if message.post == event.post), None)

    async def press(self, request: Request) -> Response:
        chat, body, language = await self._posted(request)
        return await self._press(requests.press(chat, body, language, self.around.clock.now()))

    async def stop(self, request: Request) -> Response:
        chat, body, language = await self._posted(request)
        return await self._press(requests.press(chat, {**body, "action": "/stop"}, language, self.around.clock.now()))

    async def _press(self, event: Press) -> Response:
        ack, _ = await self._accept(event)
        self._settings_may_differ(event.chat)
        return _json(_ack_view(ack))

    def _settings_may_differ(self, chat: Chat) -> None:
        """A command was given; the page asks for what is in force now."""
        self.rooms.of(chat.id).tell("settings", "settings", {})

    async def _accept(self, event: IncomingMessage | Press) -> tuple[Ack, set[int]]:
        """Bring it to the core. What it did to turns by the way (stopped one that waited, opened one again) is told."""
        if self.intake is None:
            raise Starting
        before = {turn.id: turn for turn in await self.around.reader.open_turns(event.chat)}
        ack = await self.intake.accept(event)
        after = {turn.id: turn for turn in await self.around.reader.open_turns(event.chat)}
        changed = {id for id in before.keys() | after.keys() if _stage(before.get(id)) != _stage(after.get(id))}
        if isinstance(event, Press) and event.post is not None:
            changed.discard(ack.turn or 0)  # its answer takes another one's place, and is told there
        for turn in sorted(changed):
            await self.tell(event.chat, turn)
        return ack, changed

    async def upload(self, request: Request) -> Response:
        if self.intake is None:
            raise Starting
        name = request.query_params.get("name", "")[:200]
        claimed = request.headers.get("content-type", "").partition(";")[0].strip()[:100]
        try:
            ref = await self.files.save(request.stream())
        except TooLarge:
            await _drain(request, self.files.most * 4)
            raise
        return _json({"file": file_view(self.files.describe(ref, name, claimed))}, 201)

    async def _posted(self, request: Request) -> tuple[Chat, Mapping[str, Any], str]:
        chat = requests.chat_of(request.path_params["id"])
        body = await _body(request)
        accepted = request.headers.get("accept-language", "")
        return chat, body, requests.language_of(body.get("language"), accepted)


class _Static(StaticFiles):
    """The page's files, asked for again each time: after an upgrade nobody sees half of the old page."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = orjson.loads(await collected(request.stream(), MOST_BODY))
    except TooLong:
        words = "At most {limit} characters can be sent at once."
        raise BadRequest("too_long", words, limit=MOST_CHARACTERS) from None
    except orjson.JSONDecodeError as error:
        raise BadRequest("bad_request", "This is not JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest("bad_request", "A JSON object is needed.")
    return body


async def _drain(request: Request, most: int) -> None:
    """Take what a browser still sends: it reads an answer only after that."""
    taken = 0
    try:
        async for chunk in request.stream():
            taken += len(chunk)
            if taken > most:
                return
    except (ClientDisconnect, RuntimeError):
        return  # it went away, or everything was read


async def _failed(_request: Request, error: Exception) -> Response:
    if not isinstance(error, MagpieError):
        raise error
    status, code = next(
        (answer for kind, answer in _STATUS.items() if isinstance(error, kind)),
        (400, error.code) if isinstance(error, BadRequest) else (500, "failed"),
    )
    if isinstance(error, Starting):
        status, code = 503, "starting"
    data = {name: value if isinstance(value, int | float) else str(value) for name, value in error.data.items()}
    headers = {"Retry-After": "1"} if status == 503 else None
    return _json({"error": {"code": code, "text": str(error), "data": data}}, status, headers)


def _stage(turn: Turn | None) -> tuple[str, int] | None:
    return None if turn is None else (str(turn.state), turn.attempt)


def _ack_view(ack: Ack) -> dict[str, Any]:
    return {
        "turn": ack.turn,
        "toast": plain(parse(ack.toast)),
        "error": ack.error,
        "menu": menu_view(ack.menu),
        "errors": dict(ack.errors),
    }


def _wire(event: Event | None) -> bytes:
    if event is None:
        return b"event: alive\ndata: {}\n\n"
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event.id.encode(), event.name.encode(), orjson.dumps(event.data))


async def _nothing(request: Request, _error: Exception) -> Response:
    return refusal(request.headers, 404)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(content, status, headers={"Cache-Control": "no-store", **(headers or {})})
