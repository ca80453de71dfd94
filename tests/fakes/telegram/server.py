"""The server itself: HTTP in front of a `World`, with limits, scripted faults, and a record of every call."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from bot.clock import SystemClock
from bot.types import Clock
from tests.fakes.faults import AFTER, Fault, Faults
from tests.fakes.telegram.chats import User
from tests.fakes.telegram.limits import Limits
from tests.fakes.telegram.lookups import Lookups
from tests.fakes.telegram.params import Params, read_params
from tests.fakes.telegram.refusals import Refusal, conflict, flood, unauthorized
from tests.fakes.telegram.sending import Sending
from tests.fakes.telegram.webhook import Webhook
from tests.fakes.telegram.world import World

__all__ = ["Call", "Moment", "Server"]

TOKEN = "123456:TEST-abcdefghijklmnopqrstuvwxyz-012"
_HTML = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
_WEBHOOK_IS_SET = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
_Method = Callable[[Params], Any]
Moment = Literal["arrived", "done", "answered"]  # of a call: before its effect, after it, after its answer went out


@dataclass
class Call:
    """One call of a method. `at` in seconds of the clock; `status` is 0 while it runs, and where no answer went out."""

    at: float
    method: str
    params: dict[str, Any] = field(repr=False)
    status: int = 0
    description: str = ""


class Server:
    """`url` is what TELEGRAM_API_URL takes. `clock` serves dates, limits, long polls and retries. With `folder` it is a
    server in local mode: getFile answers with paths under it."""

    def __init__(
        self,
        token: str = TOKEN,
        clock: Clock | None = None,
        *,
        username: str = "magpie_bot",
        name: str = "Magpie",
        can_read_all_group_messages: bool = False,
        has_topics_enabled: bool = False,
        limits: Limits | None = None,
        folder: Path | None = None,
    ) -> None:
        self.token = token
        self.clock: Clock = clock or SystemClock()
        self.bot = User(int(token.partition(":")[0]), name, username, language_code="", is_bot=True)
        self.world = World(
            self.clock, self.bot, reads_all=can_read_all_group_messages, topics=has_topics_enabled, folder=folder
        )
        self.limits = limits or Limits()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.at: Callable[[Moment, Call], Awaitable[None]] | None = None  # told of each call's moments
        self.webhook = Webhook(self.clock, self.world.updates, self._answer_from_webhook)
        self.sending = Sending(self.world, self.limits)
        self._methods = self._table()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=60 * 1024 * 1024)
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        app.router.add_get("/file/bot{token}/{path:.+}", self._serve_file)
        app.router.add_route("*", "/{rest:.*}", self._serve_nothing)
        # A caller that is gone no longer polls, as when its process was killed.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """The server is gone; entering it again brings it back on the same port, with all that it knew."""
        self._closing.set()
        await self.webhook.stop()
        self.world.updates.stop_poll(Refusal(500, "Internal Server Error: restart"))
        if self._runner is not None:
            await self._runner.cleanup()
        self._closing = asyncio.Event()

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        call = Call(self.clock.monotonic(), method, {})
        fault: Fault | None = None
        try:
            self._check_token(request.match_info["token"])
            params = await read_params(request)
            call.params = params.values
            self.calls.append(call)
            await self._tell("arrived", call)
            fault = self.faults.next(method.lower(), params.number("chat_id") or None)
            if fault is not None and fault.how not in AFTER:
                return await self._fail(fault, request, call)
            result = await self._run(method, params)
            call.status = 200
            await self._tell("done", call)
            answer = web.json_response({"ok": True, "result": result})
        except Refusal as refusal:
            answer = _refused(refusal, call)
        if fault is None:
            if self.at is not None:
                await answer.prepare(request)
                await answer.write_eof()
                await self._tell("answered", call)
            return answer
        call.status = 0
        if fault.how == "mute":
            await self._closing.wait()
        return self._cut(request)

    async def _tell(self, moment: Moment, call: Call) -> None:
        if self.at is not None:
            await self.at(moment, call)

    async def _run(self, method: str, params: Params) -> Any:
        run = self._methods.get(method.lower())  # "All methods in the Bot API are case-insensitive"
        if run is None:
            raise Refusal(404, "Not Found: method not found")
        result = run(params)
        return await result if inspect.isawaitable(result) else result

    def _check_token(self, token: str) -> None:
        if ":" not in token or not token.partition(":")[0].isdigit():
            raise Refusal(404, "Not Found")
        if token != self.token:
            raise unauthorized()

    async def _fail(self, fault: Fault, request: web.Request, call: Call) -> web.StreamResponse:
        match fault.how:
            case "429":
                return _refused(flood(fault.seconds), call)
            case "500":
                return _refused(Refusal(500, "Internal Server Error"), call)
            case "502":
                call.status = 502
                return web.Response(status=502, text=_HTML, content_type="text/html")
            case "hang":
                await self._closing.wait()
        return self._cut(request)

    def _cut(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()  # nobody hears it

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_token(request.match_info["token"])
            call = Call(self.clock.monotonic(), "file", {"path": request.match_info["path"]})
            self.calls.append(call)
            if fault := self.faults.next("file", None):
                return await self._fail(fault, request, call)
            data = self.world.files.open(request.match_info["path"])
            if data is None:
                raise Refusal(404, "Not Found")
            return web.Response(body=data, content_type="application/octet-stream")
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    async def _serve_nothing(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(Refusal(404, "Not Found").body, status=404)

    # ── methods ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _table(self) -> dict[str, _Method]:
        asks, sends = Lookups(self.world), self.sending
        table: dict[str, _Method] = {
            "getMe": asks.me,
            "getUpdates": self._get_updates,
            "setWebhook": self.webhook.set,
            "deleteWebhook": self.webhook.delete,
            "getWebhookInfo": lambda _: self.webhook.info,
            "sendMessage": sends.send_message,
            "sendRichMessage": sends.send_rich,
            "editMessageText": sends.edit_text,
            "editMessageReplyMarkup": sends.edit_markup,
            "deleteMessage": sends.delete,
            "sendChatAction": sends.chat_action,
            "answerCallbackQuery": sends.answer_query,
            "getFile": asks.file,
            "getChat": asks.chat,
            "getChatMember": asks.member,
            "getChatAdministrators": asks.administrators,
            "leaveChat": asks.leave,
            "setMyCommands": asks.set_commands,
            "getMyCommands": asks.get_commands,
            "deleteMyCommands": asks.delete_commands,
        }
        return {name.lower(): method for name, method in table.items()}

    def _get_updates(self, params: Params) -> Awaitable[list[dict[str, Any]]]:
        if self.webhook.url:
            raise conflict(_WEBHOOK_IS_SET)
        return self.world.updates.get(params)

    async def _answer_from_webhook(self, call: dict[str, Any]) -> None:
        method = str(call.pop("method"))
        record = Call(self.clock.monotonic(), method, call)
        self.calls.append(record)
        try:
            await self._run(method, Params(call))
            record.status = 200
        except Refusal as refusal:
            record.status, record.description = refusal.status, refusal.description


def _refused(refusal: Refusal, call: Call) -> web.Response:
    call.status, call.description = refusal.status, refusal.description
    return web.json_response(refusal.body, status=refusal.status)
