"""The page as a platform: what the core posts here is shown in a browser, what is done there is brought to the core.

A post is named like its piece ("<turn>.<index>"), so that putting the same piece twice shows it once, whatever was lost
between the two.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.kit.tasks import Tasks
from adapters.web.api import Api
from adapters.web.door.guard import Guard
from adapters.web.door.signin import Sessions
from adapters.web.inbound.files import Files
from adapters.web.inbound.requests import ACCOUNT, PLATFORM
from adapters.web.outgoing.render import measure
from adapters.web.rooms import Room, Rooms, parse_key
from adapters.web.settings import WebSettings
from adapters.web.view import Conversation, piece_view, place_of
from bot.errors import MagpieError, Rejected, RetryLater, StoreError, Undeliverable
from bot.types import (
    Account,
    AdapterContext,
    AsgiApp,
    Bucket,
    CallKind,
    Chat,
    Features,
    Intake,
    Json,
    Limits,
    Message,
    Piece,
    PostId,
    Status,
    Turn,
)

__all__ = ["WebAdapter"]

log = logging.getLogger(__name__)

SIZE = (
    60_000  # characters; what is longer goes on in a piece below, or each of its frames would be as dear as all of it
)
FRAME = 0.1
PRUNE = 3600.0  # seconds between two looks at old uploads
MOST_CHATS = 1000  # the newest, in which questions may be open


def _no_buckets(_chat: Chat, _call: CallKind) -> tuple[Bucket, ...]:
    return ()


class WebAdapter:
    """SettingError if the settings would let strangers in."""

    def __init__(self, settings: WebSettings, surroundings: AdapterContext) -> None:
        settings.check()
        self._reader = surroundings.reader
        self._clock = surroundings.clock
        self._rooms = Rooms()
        self._tried = asyncio.Event()
        self._files = Files(settings.data_dir / "files")
        self._sessions = Sessions(settings, surroundings.clock)
        self._api = Api(
            around=surroundings,
            rooms=self._rooms,
            files=self._files,
            sessions=self._sessions,
            options=settings,
            tell=self._tell,
        )
        self._telling = Tasks()
        surroundings.on_turn_end(self._ended)
        self._http: AsgiApp = Guard(self._api.app(), settings, self._sessions)

    @property
    def account(self) -> Account:
        return Account(PLATFORM, ACCOUNT)

    @property
    def features(self) -> Features:
        return Features(find=True, pushed=True)

    @property
    def limits(self) -> Limits:
        return Limits(size=SIZE, measure=measure, buckets=_no_buckets, frame=FRAME)

    @property
    def http(self) -> Mapping[str, AsgiApp]:
        return {"/": self._http}

    @property
    def trouble(self) -> str:
        return ""  # whoever can ask for it has the page

    @property
    def tried(self) -> asyncio.Event:
        return self._tried

    async def identify(self) -> Account:
        return self.account

    async def run(self, intake: Intake) -> None:
        """The page can be used while this runs; before and after it is told to come back later."""
        self._rooms.open()
        self._api.intake = intake
        self._tried.set()
        try:
            while True:
                await self._prune()
                await self._clock.sleep(PRUNE)
        finally:
            self._api.intake = None
            self._rooms.close()  # an open stream would hold the server up for ever

    async def _prune(self) -> None:
        """Old uploads go, but never one whose question is still open."""
        try:
            needed: set[str] = set()
            for each in await self._reader.chats(PLATFORM, ACCOUNT, limit=MOST_CHATS):
                for turn in await self._reader.open_turns(each.chat):
                    asked = await self._reader.question(turn.id)
                    needed |= {attachment.ref for message in asked for attachment in message.attachments}
            if gone := await self._files.prune(needed, self._clock.now()):
                log.info("%d old uploads were deleted", gone)
        except (MagpieError, OSError) as error:
            log.warning("old uploads stay for now: %s", error)

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None = None) -> PostId:
        """See `Adapter.put`. A piece that changes somebody else's message takes its place, and keeps its post."""
        room = self._rooms.of(chat.id)
        try:
            parse_key(at or (piece.key if piece else ""))
        except ValueError as error:
            raise Undeliverable("no such message") from error
        try:
            if piece is None:
                post = at or ""
                await self._tell(chat, room.remove(post))
                return post
            turn, post = room.show(piece, at)
            if piece.growing or not await self._tell(chat, turn):
                _tell_piece(room, turn, post, piece)
        except StoreError as error:
            raise RetryLater(1.0, detail=str(error)) from error
        return post

    async def status(self, chat: Chat, what: Status) -> None:
        self._rooms.of(chat.id).tell("status", "status", {"what": str(what)})

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        await self._files.copy(ref, to, limit)

    async def can_post(self, chat: Chat) -> bool:  # noqa: ARG002
        return True

    async def find(self, chat: Chat, key: str) -> PostId | None:
        return self._rooms.of(chat.id).find(key) or await self._stored_post(key)

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:  # noqa: ARG002
        raise Rejected("nobody talks here without us")

    async def _stored_post(self, key: str) -> PostId | None:
        try:
            id, index = parse_key(key)
        except ValueError:
            return None
        turn = await self._reader.turn(id)
        posts = turn.posts if turn is not None else ()
        return next((posted.post for posted in posts if posted.index == index), None)

    async def _tell(self, chat: Chat, turn: int) -> bool:
        """Tell the page everything about a turn, as it is now. False if there is nothing to read of it."""
        room = self._rooms.of(chat.id)
        async with room.lock:
            view = await Conversation(self._reader, chat, room).turn(turn)
            if view is not None and not room.stands(f"turn:{turn}", view, without=f"piece:{turn}."):
                room.tell("turn", f"turn:{turn}", view, instead_of=f"piece:{turn}.")
        return view is not None

    def _ended(self, turn: Turn) -> None:
        if turn.chat.platform == PLATFORM:
            self._telling.start(self._tell_end(turn), f"end of turn {turn.id}")

    async def _tell_end(self, turn: Turn) -> None:
        """The end is an event of its own: an answer that is the same as before is not put again, and one that is gone
        not at all."""
        try:
            now = await self._reader.turn(turn.id)
            place = place_of(now or turn)
            await self._tell(turn.chat, place)
        except StoreError as error:
            log.warning("the end of turn %d can't be told to the page: %s", turn.id, error.detail or error)
            return
        self._rooms.of(turn.chat.id).tell("ended", f"ended:{place}", {"turn": place})


def _tell_piece(room: Room, turn: int, post: PostId, piece: Piece) -> None:
    posts: list[Json] = [f"{turn}.{index}" for index in sorted(room.live.get(turn, {}))]
    room.tell("piece", f"piece:{post}", {"turn": turn, "posts": posts, "piece": piece_view(piece, post)})
