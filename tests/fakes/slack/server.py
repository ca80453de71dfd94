"""The server itself: HTTP and sockets in front of a `World`, with limits, scripted faults, and a record of every
call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from bot.clock import SystemClock
from bot.types import Clock
from tests.fakes.faults import AFTER, Fault, Faults
from tests.fakes.slack.deliveries import Deliveries, Delivery, Outcome
from tests.fakes.slack.limits import METHODS, Limits
from tests.fakes.slack.lookups import Lookups
from tests.fakes.slack.params import Params, read_params
from tests.fakes.slack.places import Json
from tests.fakes.slack.pushes import Pushes
from tests.fakes.slack.refusals import Refusal, flood
from tests.fakes.slack.scopes import check_scope
from tests.fakes.slack.sending import Sending
from tests.fakes.slack.sessions import Sessions
from tests.fakes.slack.sockets import Sockets
from tests.fakes.slack.streaming import Streaming
from tests.fakes.slack.world import World

__all__ = ["APP_TOKEN", "BOT_TOKEN", "SECRET", "Call", "Moment", "Server"]

BOT_TOKEN, APP_TOKEN = "xoxb-1-example-letters", "xapp-1-example-letters"
SECRET = "a-signing-secret-of-the-example"

Moment = Literal["arrived", "done", "answered"]  # "done": it had its effect, and its answer is yet to go
_Method = Callable[[Params], Json]
_HTML = "<html><head><title>Slack | Server Error</title></head><body>Something went wrong</body></html>"
_OPEN = "apps.connections.open"


@dataclass
class Call:
    """One call of a method. `at` in seconds of the clock; `status` is 0 while it runs, and where no answer went out;
    `error` is the word of `ok: false`, `after` the Retry-After of a 429."""

    at: float
    method: str
    params: dict[str, Any] = field(repr=False)
    status: int = 0
    error: str = ""
    after: int = 0


class Server:
    """`url` is what SLACK_API_URL takes. `clock` serves ts, limits, streams, acknowledgements and retries. `at` is told
    of each call's moments before the next thing happens: a test may end the caller there."""

    def __init__(self, clock: Clock | None = None, *, name: str = "magpie", limits: Limits | None = None) -> None:
        self.token, self.app_token, self.signing_secret = BOT_TOKEN, APP_TOKEN, SECRET
        self.clock: Clock = clock or SystemClock()
        self.sockets = Sockets(self.clock)
        self.pushes = Pushes(self.clock, self.signing_secret)
        self.deliveries = Deliveries(self.clock, self)
        self.world = World(self.clock, self.deliveries, name=name)
        self.bot = self.world.bot
        self.files = self.world.files
        self.streaming = Streaming(self.world)
        self.limits = limits or Limits()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.responses: list[Json] = []  # what came to a response_url
        self.at: Callable[[Moment, Call], Awaitable[None]] | None = None
        self._methods = self._table()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._ports = [0, 0]

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def url(self) -> str:
        return f"{self.base}/api"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=60 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._serve)
        app.router.add_get("/link/", self.sockets.serve)
        app.router.add_get("/files-pri/{file}/download/{name}", self._serve_file)
        app.router.add_get("/cdn/files-pri/{file}/download/{name}", self._serve_file)
        app.router.add_post("/actions/{team}/{id}/{secret}", self._respond)
        # A caller that is gone waits no more, as when its process was killed.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        for port in self._ports:  # the second stands for the CDN
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self._ports = [address[1] for address in self._runner.addresses]
        self.files.base = self.world.interactivity.base = self.base
        self.files.cdn = f"http://127.0.0.1:{self._ports[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.deliveries.close()
        await self.stop()

    async def stop(self) -> None:
        """The server is gone; entering it again brings it back on the same ports, with all that it knew and has yet to
        deliver."""
        self._closing.set()
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._closing = asyncio.Event()

    async def bring(self, delivery: Delivery, retry: int, reason: str) -> Outcome:
        """To where the app wants it: an address, if it has given one."""
        to = self.pushes if self.pushes.url else self.sockets
        return await to.bring(delivery, retry, reason)

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        call = Call(self.clock.monotonic(), method, {})
        self.calls.append(call)
        fault: Fault | None = None
        try:
            params = await read_params(request)
            call.params = params.values
            await self._tell("arrived", call)
            fault = self.faults.next(method.lower(), str(params.values.get("channel", "")) or None)
            if fault is not None and fault.how not in AFTER:
                return await self._fail(fault, request, call)
            self._admit(request, method, params)
            result = self._run(method, params)
            call.status = 200
            await self._tell("done", call)
            answer = self._json({"ok": True, **result})
        except Refusal as refusal:
            answer = self._refused(refusal, call)
        if fault is not None:
            call.status = 0
            if fault.how == "mute":
                await self._closing.wait()
            return self._cut(request)
        if self.at is not None:
            await answer.prepare(request)
            await answer.write_eof()
            await self._tell("answered", call)
        return answer

    async def _tell(self, moment: Moment, call: Call) -> None:
        if self.at is not None:
            await self.at(moment, call)

    def _admit(self, request: web.Request, method: str, params: Params) -> None:
        """Whose token it is, whether the method exists and is not called too often, and whether the token may."""
        self._check_token(request.headers.get("Authorization", ""), method, params)
        if method not in self._methods:
            raise Refusal("unknown_method", req_method=method)
        self.limits.count(method, params.text("channel"), self.clock.monotonic())
        room = self.world.rooms.get(params.text("channel") if params.given("channel") else "")
        if method != _OPEN:
            check_scope(self.world.scopes, method, room.kind if room else "channel")

    def _check_token(self, header: str, method: str, params: Params) -> None:
        """docs.slack.dev: apps.connections.open takes an app-level token, all others the bot's."""
        given = header.removeprefix("Bearer ") or params.text("token")
        right, other = (self.app_token, self.token) if method == _OPEN else (self.token, self.app_token)
        if not given:
            raise Refusal("not_authed")
        if given == other:
            raise Refusal("not_allowed_token_type")
        if given != right:
            raise Refusal("invalid_auth")

    def _run(self, method: str, params: Params) -> Json:
        return self._methods[method](params)

    def _json(self, body: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        told = {"X-OAuth-Scopes": ",".join(sorted(self.world.scopes)), **(headers or {})}
        return web.json_response(body, status=status, headers=told)

    def _refused(self, refusal: Refusal, call: Call) -> web.Response:
        call.status, call.error = refusal.status, refusal.error
        call.after = int(refusal.headers.get("Retry-After", 0))
        return self._json(refusal.body, refusal.status, refusal.headers)

    async def _fail(self, fault: Fault, request: web.Request, call: Call) -> web.StreamResponse:
        match fault.how:
            case "429":
                return self._refused(flood(fault.seconds), call)
            case "500":
                return self._refused(Refusal("fatal_error", 500), call)
            case "502":
                call.status = 502
                return web.Response(status=502, text=_HTML, content_type="text/html")
            case "drop":
                return self._cut(request)
            case "hang":
                await self._closing.wait()
                return self._cut(request)
        return self._refused(Refusal(fault.how), call)

    def _cut(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()  # nobody hears it

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        call = Call(self.clock.monotonic(), "file", {"path": request.path})
        self.calls.append(call)
        if fault := self.faults.next("file", None):
            return await self._fail(fault, request, call)
        answer = self.files.serve(request, self.token, may="files:read" in self.world.scopes)
        call.status = answer.status
        return answer

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        said = await request.json()
        refusal = self.world.interactivity.respond(request.match_info["id"], said)
        if refusal is not None:
            return web.json_response(refusal.body, status=refusal.status)
        self.responses.append(said)
        return web.Response(text="ok")

    # ── methods ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open_connection(self, params: Params) -> Json:
        ticket = self.sockets.ticket()
        return {"url": f"ws://127.0.0.1:{self._ports[0]}/link/?ticket={ticket}&app_id={self.world.app_id}"}

    def _table(self) -> dict[str, _Method]:
        asks, sends, works = Lookups(self.world), Sending(self.world), Sessions(self.world)
        views, streams = self.world.interactivity, self.streaming
        table: dict[str, _Method] = {
            "agents.sessions.rename": works.rename,
            "agents.sessions.setStatus": works.set_session,
            "apps.connections.open": self._open_connection,
            "assistant.threads.setStatus": works.set_status,
            "auth.test": asks.auth_test,
            "chat.appendStream": streams.append,
            "chat.delete": sends.delete,
            "chat.getPermalink": asks.permalink,
            "chat.postEphemeral": sends.post_ephemeral,
            "chat.postMessage": sends.post_message,
            "chat.startStream": streams.start,
            "chat.stopStream": streams.stop,
            "chat.update": sends.update,
            "conversations.history": asks.history,
            "conversations.info": asks.room,
            "conversations.members": asks.members,
            "conversations.open": asks.open_room,
            "conversations.replies": asks.replies,
            "files.info": asks.file,
            "usergroups.list": asks.groups,
            "users.info": asks.user,
            "views.open": views.open,
            "views.publish": views.publish,
            "views.push": views.open,
            "views.update": views.update,
        }
        assert table.keys() == METHODS.keys()
        return table
