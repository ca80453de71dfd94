"""Slack as a platform: what the core posts becomes messages, what people do there is brought to the core."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse

from adapters.kit.backoff import Backoff, after
from adapters.kit.unread import Unread
from adapters.slack.errors import FAILURES, TOKEN_ERRORS, code, translate
from adapters.slack.history import can_post, find, just_before, older
from adapters.slack.inbound.events import PLATFORM, is_direct
from adapters.slack.inbound.files import Files
from adapters.slack.inbound.marks import Me
from adapters.slack.inbound.names import Names
from adapters.slack.inbound.people import People
from adapters.slack.inbound.receiving import Receiver
from adapters.slack.inbound.sockets import Sockets
from adapters.slack.inbound.webhook import Webhook, request
from adapters.slack.limits import LOOKS, Pace, Window, limits
from adapters.slack.outgoing.posting import Poster
from adapters.slack.outgoing.sessions import Sessions
from adapters.slack.outgoing.streams import Streams
from adapters.slack.outgoing.threads import Threads
from adapters.slack.settings import SlackSettings
from adapters.slack.surfaces.interactions import COMMAND, Interactions
from adapters.slack.wire import SDK_LOG, Wire
from bot.errors import SettingError
from bot.types import (
    Account,
    AdapterContext,
    AsgiApp,
    Chat,
    Features,
    Intake,
    Limits,
    Message,
    Piece,
    PostId,
    Status,
    Text,
)

__all__ = ["SlackAdapter"]

log = logging.getLogger(__name__)

PEOPLE = r"[UW][A-Z0-9]{2,30}"


class SlackAdapter:
    """SettingError if the settings can't work together."""

    def __init__(self, settings: SlackSettings, surroundings: AdapterContext) -> None:
        settings.check()
        self._settings = settings
        self._around = surroundings
        clock = surroundings.clock
        self._wire = Wire(settings)
        self._identity = settings.data_dir / settings.kept(".json")
        self._me = _remembered(self._identity)
        self._pace = Pace(clock)
        self._sessions = Sessions(self._wire, clock, self._pace)
        self._people = People(self._wire, clock)
        self._looks = Window(clock, LOOKS)
        self._names = Names(self._wire, clock, self._people)
        self._streams = Streams(self._wire, clock, self._pace, self._sessions, surroundings.reader, self._people)
        self._threads = Threads(self._wire, surroundings.reader, clock)
        self._poster = Poster(self._wire, self._pace, self._sessions, self._streams, self._people, self._threads)
        self._files = Files(self._wire, settings, clock)
        self._unread = Unread(settings.data_dir / "unread" / settings.kept(".jsonl"))
        self._webhook = Webhook(settings.signing_secret, self._unread)
        self._sockets: Sockets | None = None
        self._trouble = "" if settings.slack_mode == "http" else "not connected yet"
        self._tried = asyncio.Event()
        self._introduced = False

    @property
    def account(self) -> Account:
        """The workspace. Before the first `run` has asked for it, its id is ''."""
        return Account(PLATFORM, self._me.team, self._me.name)

    @property
    def features(self) -> Features:
        mention = f"@{self._me.name or PLATFORM} /"  # in threads the platform takes no slash commands
        pushed = self._settings.slack_mode == "http"
        return Features(
            find=True,
            older=True,
            prefix=f"{COMMAND} ",
            thread_prefix=mention,
            person=PEOPLE,
            pushed=pushed,
        )

    @property
    def limits(self) -> Limits:
        return limits(self._pace)

    @property
    def http(self) -> Mapping[str, AsgiApp]:
        return {self._settings.events_path: self._webhook} if self._settings.slack_mode == "http" else {}

    @property
    def trouble(self) -> str:
        """Why no events come in right now; '' while all is well."""
        return self._trouble if self._sockets is None else self._sockets.trouble

    @property
    def tried(self) -> asyncio.Event:
        return self._tried

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def identify(self) -> Account:
        """The platform is asked until it answers. SettingError if a token is rejected."""
        async with self._wire.kept():
            await self._introduce()
        return self.account

    async def run(self, intake: Intake) -> None:
        """Events come in while this runs. SettingError if a token is rejected."""
        async with self._wire.kept():
            if not self._introduced:
                await self._introduce()
            interactions = Interactions(
                self._me, intake, self._around, self._people, self._names, self._wire, self._settings
            )
            receiver = Receiver(
                me=self._me,
                intake=intake,
                reader=self._around.reader,
                clock=self._around.clock,
                people=self._people,
                names=self._names,
                files=self._files,
                sessions=self._sessions,
                unread=self._unread,
                interactions=interactions,
            )
            app = _bolt(self._wire, self._settings, self._me, receiver)
            try:
                if self._settings.slack_mode == "http":
                    self._webhook.app = app
                    self._tried.set()
                    await asyncio.Event().wait()
                else:
                    take = functools.partial(_dispatched, app)
                    self._sockets = Sockets(self._wire, self._around.clock, take, self._tried)
                    await self._sockets.run()
            finally:
                self._webhook.app, self._sockets = None, None
                await interactions.close()
                await self._names.close()
                await self._people.close()
                await self._sessions.close()
                await self._streams.close()

    async def _introduce(self) -> None:
        """Who we are, without which no mention can be known. Asked for until there is an answer."""
        backoff = Backoff(self._around.clock)

        def failed(error: Exception) -> float:
            if code(error) in TOKEN_ERRORS:
                raise SettingError(
                    self._settings.place("slack_bot_token"),
                    "is rejected by the platform. Copy it again: OAuth & Permissions, Bot User OAuth Token.",
                ) from None
            trouble = translate(error, self._wire.secrets)
            self._trouble = f"no answer from {self._settings.slack_api_url}: {trouble.detail[:200]}"
            backoff.say(self._trouble)
            self._tried.set()
            return after(trouble)

        answer = await backoff.until_answered(lambda: self._wire.call("auth.test"), FAILURES, failed)
        self._trouble = ""
        names = (str(answer.get(name) or "") for name in ("team_id", "user_id", "bot_id", "user"))
        self._me = Me(*names)
        self._introduced = True
        await asyncio.to_thread(_remember, self._identity, self._me)
        log.info("%s: %s in %s, by %s", PLATFORM, self._me.name, answer.get("team"), self._settings.slack_mode)

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None = None) -> PostId:
        return await self._poster.put(chat, piece, at)

    async def status(self, chat: Chat, what: Status) -> None:  # noqa: ARG002
        rows = await self._around.reader.settings(chat)
        set_here = [str(row.value) for row in rows if row.name == "language"]
        language = set_here[-1] if set_here else self._people.spoken(chat)
        await self._sessions.begin(chat, self._around.say(Text("is thinking…"), language))

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        await self._files.fetch(ref, to, limit)

    async def can_post(self, chat: Chat) -> bool:
        return await can_post(self._wire, chat)

    async def find(self, chat: Chat, key: str) -> PostId | None:
        return await find(self._wire, self._around.reader, self._people, await self._known(), chat, key)

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:
        if is_direct(chat.id) and chat.thread == before:
            return await just_before(self._around.reader, chat, self._around.clock.now())
        me, looks = await self._known(), self._looks
        return await older(self._wire, self._names, self._people, me, looks, chat, before, since)

    async def _known(self) -> Me:
        if not self._me.user:
            await self._introduce()
        return self._me


def _bolt(wire: Wire, settings: SlackSettings, me: Me, receiver: Receiver) -> AsyncApp:
    """bolt checks signatures, answers handshakes, and hands us everything else before it acknowledges."""

    async def authorize(**_: Any) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None, team_id=me.team, bot_token=settings.token, bot_id=me.bot, bot_user_id=me.user
        )

    async def commit(body: dict[str, Any]) -> BoltResponse:
        is_stored, answer = await receiver.take(body)
        return BoltResponse(status=200 if is_stored else 503, body=answer if answer is not None else "")

    app = AsyncApp(
        logger=SDK_LOG,
        name=PLATFORM,
        signing_secret=settings.signing_secret or "socket mode needs none",
        client=wire.client(),
        authorize=authorize,
        ignoring_self_events_enabled=False,  # `inbound` knows better which of our own doings matter
    )
    app.use(commit)
    return app


async def _dispatched(app: AsyncApp, payload: Any) -> tuple[bool, Any]:
    """An envelope's payload through bolt: is it stored, and what to say to it."""
    answer = await app.async_dispatch(request(payload if isinstance(payload, dict) else {}))
    return answer.status == 200, json.loads(answer.body) if answer.body else None


def _remembered(path: Path) -> Me:
    """The token does not tell its workspace, and settings are kept by workspace: whom the last run found."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Me(**{name: str(kept[name]) for name in ("team", "user", "bot", "name")})
    except (OSError, ValueError, KeyError, TypeError):
        return Me("")


def _remember(path: Path, me: Me) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {"team": me.team, "user": me.user, "bot": me.bot, "name": me.name}
        path.write_text(json.dumps(kept), encoding="utf-8")
    except OSError as error:
        log.warning("who we are can't be kept: %s", error.strerror)
