"""Message posting: pieces as messages: streamed, posted, changed, deleted (docs.slack.dev: chat.postMessage,
chat.update, ...)."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from adapters.slack.errors import FAILURES, code, reason, translate
from adapters.slack.inbound.people import People
from adapters.slack.limits import Pace
from adapters.slack.outgoing import render
from adapters.slack.outgoing.menus import UNFINISHED, buttons, notes
from adapters.slack.outgoing.sessions import Sessions
from adapters.slack.outgoing.streams import Streams, metadata
from adapters.slack.outgoing.threads import Threads
from adapters.slack.wire import Wire
from bot.errors import OutcomeUnknown, Undeliverable
from bot.markdown import plain
from bot.types import Chat, Piece, PostId

__all__ = ["Poster", "content"]

log = logging.getLogger(__name__)

_MOST_BLOCKS = 50
_SUMMARY = 2_000  # characters of the text that stands in notifications
_TEXT = 4_000  # of what that takes as Slack writes it (chat.update, text)
_STREAMING = "streaming_state_conflict"
_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})

Json = dict[str, Any]


class Poster:
    def __init__(
        self, wire: Wire, pace: Pace, sessions: Sessions, streams: Streams, people: People, threads: Threads
    ) -> None:
        self._wire = wire
        self._pace = pace
        self._sessions = sessions
        self._streams = streams
        self._people = people
        self._threads = threads

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None) -> PostId:
        """See `Adapter.put`."""
        if piece is None:
            if at:
                await self._delete(chat, at)
            return at or ""
        post = at or await self._new(chat, piece)
        streamed = self._streams.get(chat, post) is not None
        if at:
            streamed = await self._go_on(chat, piece, at)
        if not piece.growing and not self._pace.streams(chat):
            self._sessions.end(chat, told=streamed)
        return post

    async def _go_on(self, chat: Chat, piece: Piece, at: PostId) -> bool:
        """Change the message at `at`; True if a stream could show it."""
        stream = self._streams.get(chat, at)
        if stream is not None:
            async with stream.lock:
                if self._streams.get(chat, at) is stream and await self._streams.go_on(stream, piece):
                    return True
        await self._change(chat, piece, at)
        return False

    async def _new(self, chat: Chat, piece: Piece) -> PostId:
        try:
            await self._threads.check(chat, piece)
        except Undeliverable:
            self._sessions.end(chat, told=False)
            raise
        if piece.growing:
            post = await self._streams.start(chat, piece)
            if post is not None:
                self._threads.keep(chat)
                return post
        answer = await self._show(
            "chat.postMessage",
            chat,
            piece,
            thread_ts=chat.thread,
            unfurl_links=False,
            unfurl_media=False,
        )
        self._pace.posted(chat, growing=piece.growing)
        post = answer.get("ts")
        if not isinstance(post, str) or not post:
            raise OutcomeUnknown(detail="the answer to chat.postMessage tells no ts")
        if not self._threads.is_in_place(chat, answer):
            await self._delete(chat, post)
            self._sessions.end(chat, told=False)
            raise Undeliverable(reason("thread_not_found"), detail="a message came to stand at the channel's root")
        return post

    async def _change(self, chat: Chat, piece: Piece, at: PostId) -> None:
        try:
            await self._show("chat.update", chat, piece, ts=at)
        except _StillStreaming:
            await self._streams.stop(chat, at, piece.key, "processing" if piece.growing else "active")
            await self._show("chat.update", chat, piece, ts=at)
        self._pace.posted(chat, growing=piece.growing)

    async def _delete(self, chat: Chat, at: PostId) -> None:
        stream = self._streams.get(chat, at)
        if stream is not None:
            async with stream.lock:
                await self._streams.interrupt(stream)
        try:
            await self._wire.call("chat.delete", channel=chat.id, ts=at)
        except FAILURES as error:
            if code(error) == _STREAMING:
                await self._streams.stop(chat, at, "")
                await self._wire.do("chat.delete", channel=chat.id, ts=at)
            elif code(error) != "message_not_found":
                raise translate(error, self._wire.secrets) from None

    async def _show(self, method: str, chat: Chat, piece: Piece, **where: Any) -> Any:
        """Post or change. Blocks that are refused go out as plainer ones."""
        people = self._people.there(chat)
        shown = content(piece, people)
        while True:
            try:
                return await self._wire.call(method, channel=chat.id, **shown, **where)
            except FAILURES as error:
                word = code(error)
                if word == _STREAMING:
                    raise _StillStreaming from None
                plainer = content(piece, people, plainer=True)
                if word not in _BLOCKS or shown == plainer:
                    raise translate(error, self._wire.secrets) from None
                log.warning("a message goes out plainer: %s", word)
                shown = plainer


class _StillStreaming(Exception):
    """A message can't be changed while it streams."""


def content(piece: Piece, people: Collection[str] = (), *, plainer: bool = False) -> Json:
    """A piece as a message (chat.postMessage, chat.update). `people`: ids of those who may be mentioned; `plainer`:
    without tables of their own, and without buttons."""
    shown = _plainer(piece, people) if plainer else _blocks(piece, people)
    return {"blocks": shown, "text": _summary(piece), "parse": "none", "metadata": metadata(piece.key)}


def _blocks(piece: Piece, people: Collection[str]) -> list[Json]:
    """Its blocks, the mark if it is growing, its notes, its buttons."""
    tail = ([UNFINISHED] if piece.growing else []) + notes(piece.notes) + buttons(piece.menu)
    body = render.blocks(piece.blocks, people)
    if len(body) + len(tail) > _MOST_BLOCKS:
        body = _one(piece, people)
    return (body + tail) or [UNFINISHED]


def _plainer(piece: Piece, people: Collection[str]) -> list[Json]:
    return (_one(piece, people) + ([UNFINISHED] if piece.growing else []) + notes(piece.notes)) or [UNFINISHED]


def _one(piece: Piece, people: Collection[str]) -> list[Json]:
    text = render.markdown(piece.blocks, people)
    return [{"type": "markdown", "text": text}] if text.strip() else []


def _summary(piece: Piece) -> str:
    """For notifications, which show no blocks. Nothing in it is markup."""
    text = plain(piece.blocks).strip() or "\n".join(note.text for note in piece.notes).strip() or "…"
    written = _words(text, _SUMMARY)
    return written if len(written) <= _TEXT else _words(text, _TEXT // len("&amp;") - 1)


def _words(text: str, most: int) -> str:
    text = text if len(text) <= most else text[: most - 1] + "…"
    return render.calm(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
