"""A Slack workspace on the loopback: Web API, Socket Mode, pushed events with signatures, files.

It refuses what the real one refuses, and says where that is documented. Time is the clock's, but for what travels.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import time
import urllib.parse
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from aiohttp import WSMsgType, web

from bot.clock import SystemClock
from bot.types import Clock
from tests.fakes.block_kit import Refusal, check_blocks, check_content, check_stream, check_view, needs

__all__ = ["APP_TOKEN", "BOT_TOKEN", "SECRET", "Call", "Workspace", "buttons_of", "text_of"]

Json = dict[str, Any]

BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-1-example-letters", "xapp-1-example-letters", "a-signing-secret-of-the-example"
TEAM, USER, BOT = "T1", "UBOT", "BBOT"
TIERS = {  # calls a minute, per method and workspace (docs.slack.dev: Rate limits)
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.appendStream": 100,
    "chat.update": 50,
    "chat.delete": 50,
    "agents.sessions.setStatus": 50,
    "conversations.replies": 50,
    "users.info": 100,
    "views.open": 100,
    "files.info": 100,
}
LIFE = 300.0  # seconds of a stream, however lively (python-slack-sdk#1859)
TEXT = 4_000  # characters of chat.update's text
ACK = 3.0  # seconds that the platform waits for an acknowledgement


@dataclass
class Call:
    """One call of a method; `at` in seconds of the clock."""

    at: float
    method: str
    params: Json
    error: str = ""


@dataclass
class _Fault:
    method: str
    skip: int
    times: int
    how: str
    seconds: int


@dataclass
class Workspace:
    """`async with Workspace() as slack`. What a test may set: `native` (is there a session with a Stop control),
    `scopes` (of the token), `files` (by name: bytes, or the address of a redirect), `locales` (by person)."""

    clock: Clock = field(default_factory=SystemClock)
    tiers: bool = True
    native: bool = True
    scopes: list[str] = field(default_factory=list)
    files: dict[str, Any] = field(default_factory=dict)
    locales: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    messages: dict[str, Json] = field(default_factory=dict)  # everybody's, by ts
    views: list[Json] = field(default_factory=list)
    homes: dict[str, Json] = field(default_factory=dict)
    responses: list[Json] = field(default_factory=list)  # what came to a response_url
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    posts_url: str = ""  # where events are pushed; '' brings them over sockets
    floods: int = 0
    token: str = BOT_TOKEN
    app_token: str = APP_TOKEN
    signing_secret: str = SECRET
    team: str = TEAM
    at: Callable[[str, Call], Awaitable[None]] | None = None  # told when a call has arrived, is done, is answered
    _faults: list[_Fault] = field(default_factory=list)
    _taken: dict[str, deque[float]] = field(default_factory=dict)
    _acks: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _runner: web.AppRunner | None = None
    _port: int = 0

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/socket", self._socket)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_post("/respond", self._respond)
        self._runner = web.AppRunner(app, access_log=None)
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
        for socket in list(self.sockets):
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """What SLACK_API_URL takes."""
        return f"http://127.0.0.1:{self._port}/api"

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    # ── what a test does and sees ───────────────────────────────────────────────────────────────────────────────────

    def ts(self) -> str:
        """A new one, later than all others."""
        return f"{self.clock.now() // 1000}.{next(self._numbers):06d}"

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def fail(self, method: str, n: int, how: str, *, times: int = 1, seconds: int = 5) -> None:
        """The n-th call of a method from now on, and `times - 1` after it, fail: 429, 500, 502 (a proxy's page), drop
        (cut before it had its effect), lost (cut after it), or any error's word."""
        self._faults.append(_Fault(method, n - 1, times, how, seconds))

    def said(self, text: str, ts: str = "", **fields: Any) -> str:
        """A message that somebody wrote and nobody brings to the app."""
        ts = ts or self.ts()
        self.messages[ts] = {"type": "message", "ts": ts, "text": text, "user": "U1", "channel": "C1", **fields}
        return ts

    def ours(self, channel: str = "") -> list[Json]:
        """The app's messages, in order."""
        return [
            message
            for _, message in sorted(self.messages.items())
            if message.get("bot_id") == BOT and channel in ("", message["channel"])
        ]

    def pressed(self, label: str, post: str = "", by: str = "U1") -> Json:
        """The interaction of a pressed button, for `push` (docs.slack.dev: block_actions payload)."""
        for message in self.ours():
            for button in _buttons(message):
                if button["text"]["text"] == label and post in ("", message["ts"]):
                    where = {"channel_id": message["channel"], "message_ts": message["ts"]}
                    container = {"type": "message", "thread_ts": message.get("thread_ts"), **where}
                    action = {key: button[key] for key in ("action_id", "value")} | {"action_ts": self.ts()}
                    body = {"type": "block_actions", "user": {"id": by}, "container": container, "actions": [action]}
                    return {**body, "response_url": self.address("/respond"), "trigger_id": self.ts()}
        raise AssertionError(f"no button {label!r}")

    async def until(self, predicate: Callable[[], object], seconds: float = 5.0) -> None:
        """Waits, in real time, until the predicate is true."""
        end = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > end:
                last = [(call.method, call.error) for call in self.calls[-8:]]
                raise TimeoutError(f"not within {seconds} s; the last calls: {last}")
            await asyncio.sleep(0.005)

    async def push(self, body: Json, kind: str = "events_api") -> Any:
        """Bring an event, a command (`slash_commands`) or an interaction (`interactive`) to the app, again and again
        until it is acknowledged. Returns what the acknowledgement says."""
        if kind == "events_api" and "event" not in body:
            body = {"type": "event_callback", "team_id": TEAM, "event_id": f"Ev{next(self._numbers)}", "event": body}
        for _ in range(200):
            is_taken, answer = await (self._post(body, kind) if self.posts_url else self._send(body, kind))
            if is_taken:
                return answer
            await asyncio.sleep(0.05)  # the real one lets a minute pass
        raise TimeoutError("nobody acknowledges it")

    async def _send(self, body: Json, kind: str) -> tuple[bool, Any]:
        """Any of the connections gets it (docs.slack.dev: Using multiple connections)."""
        id = f"envelope-{next(self._numbers)}"
        if not self.sockets:
            return False, None
        socket = self.sockets[next(self._numbers) % len(self.sockets)]
        envelope = {"type": kind, "envelope_id": id, "payload": body, "accepts_response_payload": kind != "events_api"}
        try:
            await socket.send_json(envelope)
        except (ConnectionError, RuntimeError):
            return False, None
        acknowledged = self._acks[id] = asyncio.get_running_loop().create_future()
        await asyncio.wait({acknowledged}, timeout=ACK / 10)  # the real one's three seconds, in a hurry
        return acknowledged.done(), acknowledged.result() if acknowledged.done() else None

    async def _post(self, body: Json, kind: str) -> tuple[bool, Any]:
        form = body if kind == "slash_commands" else {"payload": json.dumps(body)}
        data = json.dumps(body) if kind == "events_api" else urllib.parse.urlencode(form)
        mime = "application/json" if kind == "events_api" else "application/x-www-form-urlencoded"
        headers = {"Content-Type": mime, **signed(data)}
        async with httpx.AsyncClient(trust_env=False, timeout=ACK) as client:
            try:
                answer = await client.post(self.posts_url, content=data, headers=headers)
            except httpx.HTTPError:
                return False, None
        return answer.status_code == 200, answer.json() if answer.text.startswith("{") else None

    # ── the server ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _api(self, request: web.Request) -> web.StreamResponse:
        call = Call(self.clock.monotonic(), request.match_info["method"], await _params(request))
        self.calls.append(call)
        await self._tell("arrived", call)
        fault = self._fault(call.method)
        if fault is not None and (refused := _failed(fault, request)) is not None:
            return refused
        try:
            self._check_token(call, request.headers.get("Authorization", ""))
            self._check_tier(call)
            answer = {"ok": True, **(self._answer(call) or {})}
            await self._tell("done", call)
        except Refusal as refusal:
            answer = refusal.answer
            call.error = answer["error"]
        if fault is not None and request.transport is not None:
            request.transport.close()  # lost: it had its effect
        headers = {"X-OAuth-Scopes": ",".join(self.scopes)} if self.scopes else {}
        if call.error == "ratelimited":
            return web.json_response(answer, status=429, headers={"Retry-After": "30"})
        response = web.json_response(answer, headers=headers)
        if self.at is not None and fault is None:
            await response.prepare(request)
            await response.write_eof()
            await self._tell("answered", call)
        return response

    async def _tell(self, moment: str, call: Call) -> None:
        if self.at is not None:
            await self.at(moment, call)

    def _fault(self, method: str) -> _Fault | None:
        for fault in self._faults:
            if fault.method != method or not fault.times:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
        return None

    def _check_token(self, call: Call, given: str) -> None:
        """docs.slack.dev: apps.connections.open takes an app-level token, all others the bot's."""
        wanted = self.app_token if call.method == "apps.connections.open" else self.token
        if given != f"Bearer {wanted}":
            raise Refusal("invalid_auth" if given else "not_authed")

    def _check_tier(self, call: Call) -> None:
        tier, now = TIERS.get(call.method), self.clock.monotonic()
        if tier is None or not self.tiers:
            return
        taken = self._taken.setdefault(call.method, deque())
        while taken and taken[0] <= now - 60:
            taken.popleft()
        if len(taken) >= tier:
            self.floods += 1
            raise Refusal("ratelimited")
        taken.append(now)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets) + 1})
        self.sockets.append(socket)
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    ack = json.loads(frame.data)
                    acknowledged = self._acks[ack["envelope_id"]]
                    if not acknowledged.done():
                        acknowledged.set_result(ack.get("payload"))
        finally:
            self.sockets.remove(socket)
        return socket

    async def _file(self, request: web.Request) -> web.Response:
        """A token that may not read files gets 200 and the login page (vercel/eve#1531)."""
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(text="<title>Sign in to Slack</title>", content_type="text/html")
        found = self.files.get(request.match_info["name"])
        if found is None:
            return web.Response(status=404)
        if isinstance(found, str):
            return web.Response(status=302, headers={"Location": found})
        return web.Response(body=found, content_type="image/png")

    async def _respond(self, request: web.Request) -> web.Response:
        self.responses.append(await request.json())
        return web.Response(text="ok")

    # ── methods ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, call: Call) -> Json | None:
        name = "_" + call.method.replace(".", "_")
        method: Callable[[Json], Json | None] | None = getattr(self, name, None)
        if method is None:
            raise Refusal("unknown_method")
        return method(call.params)

    def _auth_test(self, given: Json) -> Json:
        return {"team_id": TEAM, "team": "Team", "user_id": USER, "bot_id": BOT, "user": "magpie"}

    def _apps_connections_open(self, given: Json) -> Json:
        if len(self.sockets) >= 10:
            raise Refusal("too_many_websockets")
        return {"url": f"ws://127.0.0.1:{self._port}/socket?ticket=a-ticket-nobody-may-log"}

    def _users_info(self, given: Json) -> Json:
        id = given["user"]
        return {
            "user": {
                "id": id,
                "name": id.lower(),
                "locale": self.locales.get(id, "en-US"),
                "profile": {"display_name": f"Name {id}"},
            }
        }

    def _files_info(self, given: Json) -> Json:
        if given["file"] not in self.files:
            raise Refusal("file_not_found")
        return {"file": self.files[given["file"]]}

    def _conversations_info(self, given: Json) -> Json:
        return {"channel": {"id": given["channel"], "is_member": True, "is_archived": False}}

    def _conversations_replies(self, given: Json) -> Json:
        """docs.slack.dev: both ends are left out unless `inclusive`; metadata comes only with include_all_metadata."""
        oldest, latest = str(given.get("oldest", "0")), str(given.get("latest", "9999999999"))
        ends = str(given.get("inclusive", "")) in ("1", "true", "True")
        found = []
        for ts, message in sorted(self.messages.items()):
            inside = oldest < ts < latest or (ends and ts in (oldest, latest))
            if given["ts"] not in (message.get("thread_ts"), ts) or not inside:
                continue
            bare = {key: value for key, value in message.items() if key not in ("stream", "streaming", "born", "tail")}
            if str(given.get("include_all_metadata", "")) not in ("1", "true", "True"):
                bare.pop("metadata", None)
            found.append(bare)
        return {"messages": found, "has_more": False}

    def _assistant_threads_setStatus(self, given: Json) -> None:
        needs(given, "channel_id", "thread_ts", "status")

    def _agents_sessions_setStatus(self, given: Json) -> None:
        needs(given, "channel_id", "status")
        if not self.native:
            raise Refusal("unknown_method")
        if given["status"] not in ("active", "processing", "suspended", "closed"):
            raise Refusal("invalid_arguments")

    def _views_open(self, given: Json) -> None:
        needs(given, "trigger_id", "view")
        check_view(given["view"], "modal")
        self.views.append(given["view"])

    def _views_publish(self, given: Json) -> None:
        check_view(given["view"], "home")
        self.homes[given["user_id"]] = given["view"]

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _chat_postMessage(self, given: Json) -> Json:
        needs(given, "channel")
        check_content(given)
        return self._post_message(given)

    def _post_message(self, given: Json, **more: Any) -> Json:
        kept = {key: given[key] for key in ("channel", "thread_ts", "blocks", "text", "metadata") if key in given}
        ts = self.ts()
        self.messages[ts] = {"type": "message", "ts": ts, "user": USER, "bot_id": BOT, **kept, **more}
        return {"ts": ts, "channel": given["channel"]}

    def _own(self, given: Json) -> Json:
        found = self.messages.get(given.get("ts", ""))
        if found is None or found["channel"] != given.get("channel"):
            raise Refusal("message_not_found")
        if found.get("bot_id") != BOT:
            raise Refusal("cant_update_message")
        return found

    def _chat_update(self, given: Json) -> Json:
        """While it streams, nothing else may change it (streaming_state_conflict). What is not named is kept."""
        found = self._own(given)
        if self._streams(found):
            raise Refusal("streaming_state_conflict")
        if len(given.get("text") or "") > TEXT:
            raise Refusal("msg_too_long")
        check_content(given)
        found.update({key: given[key] for key in ("blocks", "text", "metadata") if key in given})
        found.pop("stream", None)
        return {"ts": found["ts"]}

    def _chat_delete(self, given: Json) -> None:
        if self._streams(self._own(given)):
            raise Refusal("streaming_state_conflict")
        del self.messages[given["ts"]]

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _chat_startStream(self, given: Json) -> Json:
        needs(given, "channel", "thread_ts")
        if not given["channel"].startswith("D"):
            for name in ("recipient_user_id", "recipient_team_id"):
                if not given.get(name):
                    raise Refusal(f"missing_{name}")
        text = given.get("markdown_text") or ""
        check_stream(text)
        return self._post_message(given, stream=text, streaming=True, born=self.clock.monotonic())

    def _chat_appendStream(self, given: Json) -> None:
        if not given.get("markdown_text"):
            raise Refusal("no_text")
        self._append(self._streaming(given), given["markdown_text"])

    def _chat_stopStream(self, given: Json) -> None:
        """`blocks` stand below the text (docs.slack.dev: chat.stopStream)."""
        found = self._streaming(given)
        blocks = given.get("blocks") or []
        check_blocks(blocks)
        self._append(found, given.get("markdown_text") or "")
        found.update(streaming=False, tail=blocks, metadata=given.get("metadata"))

    def _append(self, found: Json, text: str) -> None:
        check_stream(found["stream"] + text)
        found["stream"] += text

    def _streaming(self, given: Json) -> Json:
        found = self._own(given)
        if not self._streams(found):
            raise Refusal("message_not_in_streaming_state")
        return found

    def _streams(self, found: Json) -> bool:
        if found.get("streaming") and self.clock.monotonic() - found["born"] > LIFE:
            found["streaming"] = False
        return bool(found.get("streaming"))


def signed(body: str, secret: str = SECRET) -> dict[str, str]:
    """docs.slack.dev: Verifying requests from Slack."""
    now = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={digest}"}


def _buttons(message: Json) -> list[Json]:
    blocks = message.get("tail" if "stream" in message else "blocks") or ()
    return [button for block in blocks if block["type"] == "actions" for button in block["elements"]]


def buttons_of(message: Json) -> list[str]:
    """The labels, in reading order."""
    return [button["text"]["text"] for button in _buttons(message)]


def text_of(message: Mapping[str, Any]) -> str:
    """What people read in a message of the app's; one that streams ends in "…", as one that is marked so does."""
    text = str(message.get("stream", ""))
    for block in message.get("tail" if "stream" in message else "blocks") or ():
        match block["type"]:
            case "markdown":
                text += block["text"]
            case "table":
                text += f"\n\n{json.dumps(block['rows'])}"
            case "context":
                text += " " + " ".join(element["text"] for element in block["elements"])
    return text + (" …" if message.get("streaming") else "")


def _failed(fault: _Fault, request: web.Request) -> web.Response | None:
    match fault.how:
        case "429":
            answer = {"ok": False, "error": "ratelimited"}
            return web.json_response(answer, status=429, headers={"Retry-After": str(fault.seconds)})
        case "500":
            return web.json_response({"ok": False, "error": "fatal_error"}, status=500)
        case "502":
            return web.Response(text="<html>502 Bad Gateway</html>", status=502, content_type="text/html")
        case "lost":
            return None
        case "drop":
            if request.transport is not None:
                request.transport.close()
            return web.Response()
    return web.json_response({"ok": False, "error": fault.how})


async def _params(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return dict(await request.json())
    return {**request.query, **(await request.post())}
