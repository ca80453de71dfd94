"""Dead threads: whether a thread is still there. To a new message for one that is gone the platform says yes, and shows
it at the channel's root (slack-go#1571, open-swe#2753), so that is looked at before, and once more after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.kit.recent import Recent
from adapters.slack.errors import FAILURES, code, reason, retry_after
from adapters.slack.limits import Window
from adapters.slack.wire import Wire
from bot.errors import Undeliverable
from bot.types import Chat, Clock, Piece, PostId, Reader

__all__ = ["Threads"]

_MOST = 2_000
_CALLS = 300  # a minute; the platform allows "hundreds"


class Threads:
    def __init__(self, wire: Wire, reader: Reader, clock: Clock) -> None:
        self._wire = wire
        self._reader = reader
        self._calls = Window(clock, _CALLS)
        self._alive: Recent[Chat, None] = Recent(_MOST)  # where something of ours stands

    async def check(self, chat: Chat, piece: Piece) -> None:
        """Before a turn's first message: Undeliverable if what it answers is gone, or the thread. What stands there of
        ours already keeps a thread, whatever becomes of the message that began it."""
        if chat.thread is None or not piece.key.endswith(".0"):
            return
        reply_to = piece.reply_to
        stands = reply_to is not None and await self._stands(chat, reply_to)
        if stands and (chat in self._alive or chat.thread == reply_to):
            return  # as nearly always
        asked = await self._asked(piece)
        if asked and not stands and not await self._any_stands(chat, asked[1:]):
            raise Undeliverable(reason("thread_not_found"), detail="the question is deleted")
        if chat not in self._alive and chat.thread not in asked and not await self._stands(chat, chat.thread):
            raise Undeliverable(reason("thread_not_found"), detail="the thread is deleted")

    def is_in_place(self, chat: Chat, answer: Mapping[str, Any]) -> bool:
        """After it: does the new message stand in its thread? (Where the answer doesn't tell, it does.)"""
        message = answer.get("message")
        if chat.thread is None or not isinstance(message, Mapping) or message.get("thread_ts"):
            self.keep(chat)
            return True
        self._alive.pop(chat, None)
        return False

    def keep(self, chat: Chat) -> None:
        """A message of ours stands there."""
        if chat.thread is not None:
            self._alive[chat] = None

    async def _asked(self, piece: Piece) -> tuple[PostId, ...]:
        """The messages that a piece answers, the newest first."""
        if piece.reply_to is None:
            return ()
        number = piece.key.partition(".")[0]
        question = await self._reader.question(int(number)) if number.isdigit() else ()
        posts = [message.post for message in reversed(question) if message.post]
        return tuple(dict.fromkeys([piece.reply_to, *posts]))

    async def _any_stands(self, chat: Chat, posts: Sequence[PostId]) -> bool:
        for post in posts:
            if await self._stands(chat, post):
                return True
        return False

    async def _stands(self, chat: Chat, post: PostId) -> bool:
        """Only a clear no is one (docs.slack.dev: chat.getPermalink)."""
        if not self._calls.take():
            return True
        try:
            await self._wire.call("chat.getPermalink", channel=chat.id, message_ts=post)
        except FAILURES as error:
            self._calls.refused(retry_after(error) or 0.0)
            return code(error) != "message_not_found"
        return True
