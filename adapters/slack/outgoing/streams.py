"""Native streams: a message that grows in place (docs.slack.dev: chat.startStream, appendStream, stopStream).

A stream only ever gets longer, lives five minutes, and shows by itself that it is not at its end. Where it can't show
what a piece has become, it is stopped with a mark of the unfinished, and the message goes on as one that is changed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from adapters.slack.errors import FAILURES, code, retry_after, translate
from adapters.slack.inbound.people import People
from adapters.slack.limits import Pace
from adapters.slack.outgoing.appending import rest, settled
from adapters.slack.outgoing.menus import UNFINISHED, buttons, notes
from adapters.slack.outgoing.render import markdown
from adapters.slack.outgoing.sessions import Sessions
from adapters.slack.wire import Wire
from bot.errors import AdapterError, OutcomeUnknown, Rejected, Undeliverable
from bot.types import Chat, Clock, Piece, PostId, Reader

__all__ = ["EVENT", "LIFE", "Stream", "Streams", "metadata"]

log = logging.getLogger(__name__)

LIFE = 240.0  # seconds; the platform ends a stream at 300, however lively it is
EVENT = "magpie_piece"
_OVER = frozenset({"message_not_in_streaming_state", "stopped_by_user"})
_NEVER = frozenset({"unknown_method", "method_deprecated", "feature_not_enabled"})

Json = dict[str, Any]


def metadata(key: str) -> Json:
    """By which a piece is found again (docs.slack.dev: Message metadata). Every member's apps may read it."""
    return {"event_type": EVENT, "event_payload": {"key": key}}


@dataclass(slots=True)
class Stream:
    """`sent` is what it shows, unless `doubtful`: then the outcome of a call is not known."""

    chat: Chat
    post: PostId
    key: str
    sent: str
    doubtful: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    watch: asyncio.Task[None] | None = None


class Streams:
    """Those that run."""

    def __init__(
        self, wire: Wire, clock: Clock, pace: Pace, sessions: Sessions, reader: Reader, people: People
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._pace = pace
        self._sessions = sessions
        self._reader = reader
        self._people = people
        self._running: dict[tuple[str, PostId], Stream] = {}
        self._is_possible = True

    def get(self, chat: Chat, post: PostId) -> Stream | None:
        return self._running.get((chat.id, post))

    async def close(self) -> None:
        """Streams go on; nobody watches their age any more."""
        watches = [stream.watch for stream in self._running.values() if stream.watch is not None]
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    # ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, chat: Chat, piece: Piece) -> PostId | None:
        """A new message that streams. None: not here, or not now. Only where people have a Stop control of the
        platform's own, for a stream has no buttons. AdapterError."""
        if not self._is_possible or not chat.thread or not await self._sessions.stoppable(chat):
            return None
        if not self._pace.reserve(chat):
            return None
        text = settled(markdown(piece.blocks, self._people.there(chat)), first=True)
        try:
            answer = await self._wire.call(
                "chat.startStream",
                channel=chat.id,
                thread_ts=chat.thread,
                markdown_text=text or None,
                **await self._recipient(chat, piece),
            )
        except FAILURES as error:
            self._pace.release(chat)
            self._not_started(error)
            return None
        return self._started(Stream(chat, _posted(answer), piece.key, text))

    def _not_started(self, error: Exception) -> None:
        """A clear no, whatever its word, leaves the other way to show it: posting will tell if that is closed too.
        Raises OutcomeUnknown for any other."""
        word, after = code(error), retry_after(error)
        if word in _NEVER:
            self._is_possible = False
            self._pace.no_starts(float("inf"))
        if after is not None:
            self._pace.no_starts(after)
        elif not word or isinstance(translated := translate(error, self._wire.secrets), OutcomeUnknown):
            raise translate(error, self._wire.secrets) from None
        else:
            log.info("no stream is started: %s", translated.detail)

    async def _recipient(self, chat: Chat, piece: Piece) -> Json:
        """Channels want to know for whom it is (missing_recipient_user_id)."""
        if chat.id.startswith("D"):
            return {}
        number = piece.key.partition(".")[0]
        turn = await self._reader.turn(int(number)) if number.isdigit() else None
        person = turn.asker.id if turn is not None else ""
        if not person:
            return {}
        return {"recipient_team_id": await self._people.team(person) or chat.account, "recipient_user_id": person}

    def _started(self, stream: Stream) -> PostId:
        self._pace.started(stream.chat, stream.post)
        self._running[stream.chat.id, stream.post] = stream
        stream.watch = asyncio.create_task(self._retire(stream))
        return stream.post

    async def _retire(self, stream: Stream) -> None:
        """Before the platform ends it, with what is there looking whole."""
        await self._clock.sleep(LIFE)
        async with stream.lock:
            if self.get(stream.chat, stream.post) is not stream:
                return
            stream.watch = None
            try:
                await self.interrupt(stream)
            except AdapterError as error:
                log.warning("a stream of %.0f s is not stopped: %s", LIFE, error.detail or error)
                self._forget(stream)  # whoever changes the message finds out

    # ── go on ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def go_on(self, stream: Stream, piece: Piece) -> bool:
        """True: it shows the piece, and is over if that is final. False: it is over, and the message shows less. With
        its lock held. AdapterError."""
        text = markdown(piece.blocks, self._people.there(stream.chat))
        more = None if stream.doubtful else rest(stream.sent, text)
        if more is None:
            await self.interrupt(stream)
            return False
        if not piece.growing:
            return await self._finish(stream, piece, more)
        more = rest(stream.sent, settled(text, first=not stream.sent)) or ""
        return await self._append(stream, more) if more else True

    async def _append(self, stream: Stream, more: str) -> bool:
        try:
            await self._say(stream, "chat.appendStream", markdown_text=more)
        except Rejected as refused:
            log.info("a stream goes on as a message: %s", refused.detail)
            if refused.detail in _OVER:
                self._forget(stream)
            else:
                await self.interrupt(stream)
            return False
        stream.sent += more
        return True

    async def _finish(self, stream: Stream, piece: Piece, more: str) -> bool:
        tail = notes(piece.notes) + buttons(piece.menu)
        try:
            await self._say(
                stream,
                "chat.stopStream",
                markdown_text=more or None,
                blocks=tail or None,
                metadata=metadata(piece.key),
                session_status=self._status_after(stream),
            )
        except Rejected as refused:
            log.info("a stream ends as a message: %s", refused.detail)
            if refused.detail in _OVER:
                self._forget(stream)
            else:
                await self.interrupt(stream)
            return False
        self._forget(stream)
        return True

    async def interrupt(self, stream: Stream) -> None:
        """Stop it, looking unfinished. AdapterError."""
        await self.stop(stream.chat, stream.post, stream.key, self._status_after(stream, ends=False))
        self._forget(stream)
        self._pace.posted(stream.chat, growing=True)

    async def stop(self, chat: Chat, post: PostId, key: str, status: str = "processing") -> None:
        """Stop what may be a stream, an older process's for instance. AdapterError."""
        try:
            await self._wire.call(
                "chat.stopStream",
                channel=chat.id,
                ts=post,
                blocks=[UNFINISHED],
                metadata=metadata(key),
                session_status=status,
            )
        except FAILURES as error:
            if code(error) not in _OVER:
                raise translate(error, self._wire.secrets) from None

    def _status_after(self, stream: Stream, *, ends: bool = True) -> str:
        """What the session is in then: the answer may go on in another message."""
        others = [one for one in self._running.values() if one.chat == stream.chat and one is not stream]
        return "processing" if others or not ends else "active"

    async def _say(self, stream: Stream, method: str, **more: Any) -> None:
        """A call about a stream. Nobody knows what it shows until the call has come back."""
        stream.doubtful = True
        try:
            await self._wire.do(method, channel=stream.chat.id, ts=stream.post, **more)
        except OutcomeUnknown:
            raise
        except Undeliverable:
            self._forget(stream)
            raise
        except AdapterError:
            stream.doubtful = False
            raise
        stream.doubtful = False

    def _forget(self, stream: Stream) -> None:
        if self._running.pop((stream.chat.id, stream.post), None) is None:
            return
        self._pace.stopped(stream.chat, stream.post)
        if stream.watch is not None:
            stream.watch.cancel()


def _posted(answer: Any) -> PostId:
    post = answer.get("ts")
    if not isinstance(post, str) or not post:
        raise OutcomeUnknown(detail="the answer to chat.startStream tells no ts")
    return post
