"""Conversation history: what the core asks about a channel or thread (docs.slack.dev: conversations.replies,
conversations.info)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from adapters.kit.unread import UnknownShape
from adapters.slack.errors import reason
from adapters.slack.inbound.events import is_direct, message_of
from adapters.slack.inbound.marks import Me, ids
from adapters.slack.inbound.names import Names
from adapters.slack.inbound.people import People
from adapters.slack.limits import Window
from adapters.slack.outgoing.streams import EVENT
from adapters.slack.wire import Wire
from bot.errors import RetryLater, Undeliverable
from bot.types import Chat, Message, PostId, Reader

__all__ = ["can_post", "find", "just_before", "older"]

_PAGE = 200
_PAGES = 5
_MOST = 100  # messages of an older thread
_LAST = 6  # messages of a person's conversation before this one
_WHILE = 600_000  # ms
_WAIT = 60.0  # seconds
_EARLIER = 60.0  # seconds that our clock may be ahead of the platform's


async def find(wire: Wire, reader: Reader, people: People, me: Me, chat: Chat, key: str) -> PostId | None:
    """The message of a piece. A stream that still runs has no metadata yet: it is the message of ours that none of
    the turn's other pieces is. AdapterError."""
    number = key.partition(".")[0]
    turn = await reader.turn(int(number)) if number.isdigit() else None
    known = {posted.post for posted in turn.posts} if turn is not None else set()
    oldest = f"{turn.created / 1000 - _EARLIER:.6f}" if turn is not None else "0"
    if turn is not None and turn.reply_to is not None:
        oldest = turn.reply_to
    streaming: PostId | None = None
    async for message in _messages(wire, people, me, chat, oldest=oldest, include_all_metadata=True):
        post = str(message.get("ts") or "")
        if not me.wrote(message) or not post or post == chat.thread:
            continue
        metadata = message.get("metadata")
        if isinstance(metadata, Mapping) and metadata.get("event_type") == EVENT:
            payload = metadata.get("event_payload")
            if isinstance(payload, Mapping) and payload.get("key") == key:
                return post
        elif post not in known:
            streaming = post
    return streaming


async def older(
    wire: Wire,
    names: Names,
    people: People,
    me: Me,
    looks: Window,
    chat: Chat,
    before: PostId,
    since: int,
) -> tuple[Message, ...]:
    """What was said in a thread before a message and since another time, oldest first. A message that begins its thread
    has nothing before it. `looks`: how often a thread that we know may be read again. AdapterError."""
    if chat.thread is None or before == chat.thread:
        return ()
    if since and not looks.take():
        raise RetryLater(_WAIT, detail="threads have been read often enough in this minute")
    oldest = f"{since / 1000:.6f}"
    found_there = _messages(wire, people, me, chat, latest=before, **({"oldest": oldest} if since else {}))
    try:
        raw = [message async for message in found_there if oldest < str(message.get("ts")) < before][-_MOST:]
    except RetryLater as later:
        looks.refused(later.after)
        raise
    authors = [str(message.get("user") or "") for message in raw if not me.wrote(message)]
    await names.learn([*authors, *sorted(ids(raw, me))])
    found: list[Message] = []
    for message in raw:
        try:
            read = message_of(message, chat, me, names.name_of)
        except UnknownShape:
            continue
        if read is not None:
            found.append(read)
    return tuple(found)


async def just_before(reader: Reader, chat: Chat, now: int) -> tuple[Message, ...]:
    """What was said last in a direct conversation, where a question begins a thread: people write on below an answer
    rather than in its thread. Nothing if that is a while ago."""
    last = await reader.newest_chat(chat.room, besides=chat, since=now - _WHILE)
    if last is None:
        return ()
    said = await reader.context(last, limit=_LAST)
    return tuple(replace(message, id=0, chat=chat, turn=None, post=None) for message in reversed(said))


async def can_post(wire: Wire, chat: Chat) -> bool:
    """False for a conversation with one person: that can't be looked up. Undeliverable with the reason why not."""
    if is_direct(chat.id) or chat.id.startswith(("U", "W")):
        return False
    try:
        answer = await wire.do("conversations.info", channel=chat.id)
    except RetryLater:
        return False  # not now, or not with our scopes: posting will tell
    channel = answer.get("channel") or {}
    if channel.get("is_archived"):
        raise Undeliverable(reason("is_archived"))
    if channel.get("is_member") is False:
        raise Undeliverable(reason("not_in_channel"))
    return True


async def _messages(wire: Wire, people: People, me: Me, chat: Chat, **which: Any) -> AsyncIterator[Mapping[str, Any]]:
    """Oldest first where it is a thread; what began it comes on every page. Who wrote them is taken note of."""
    cursor, seen = "", set()
    for _ in range(_PAGES):
        where = {"channel": chat.id, "limit": _PAGE, **which, **({"cursor": cursor} if cursor else {})}
        if chat.thread is None:
            answer = await wire.do("conversations.history", **where)
        else:
            answer = await wire.do("conversations.replies", ts=chat.thread, **where)
        for message in answer.get("messages") or ():
            if isinstance(message, Mapping) and message.get("ts") not in seen:
                seen.add(message.get("ts"))
                if chat.thread is not None and not message.get("bot_id") and not me.wrote(message):
                    people.wrote(chat, str(message.get("user") or ""))
                yield message
        cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            return
