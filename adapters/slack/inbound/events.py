"""Event parser: an event -> `Inbound`. Pure: what has to be looked up or remembered is done in `receiving`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.kit.unread import UnknownShape
from adapters.slack.inbound.courtesies import is_for_others, is_small_talk
from adapters.slack.inbound.marks import Marks, Me, NameOf, Raw
from adapters.slack.inbound.seen import TOMBSTONE, seen
from bot.types import (
    Addressing,
    Chat,
    Deleted,
    Edited,
    Inbound,
    IncomingMessage,
    Membership,
    Message,
    Person,
    Press,
    Role,
    StopPressed,
)

__all__ = [
    "PLATFORM",
    "chat_of",
    "is_direct",
    "message_of",
    "milliseconds",
    "press",
    "read",
    "said",
]

PLATFORM = "slack"

_SUBTYPES = frozenset({"", "file_share", "thread_broadcast", "me_message"})
_NAMED = re.compile(r"@([UW][A-Z0-9]+)\b")


def read(event: Raw, me: Me, name_of: NameOf = str) -> Inbound | None:
    """What an event means to us; None if nothing. A message's key is team, channel and ts: the same post comes as
    `message` and as `app_mention`, and again with another event_id. `name_of` gives the name for a person's id."""
    match event.get("type"):
        case "message" if event.get("subtype") == "message_changed":
            return _changed(event, me, name_of)
        case "message" if event.get("subtype") == "message_deleted":
            return _deleted(event, me)
        case "message" | "app_mention":
            return _message(event, me, name_of)
        case "agent_session_stopped":
            return _stopped(event, me)
        case "member_joined_channel" if event.get("user") == me.user:
            return _membership(event, me, present=True)
        case "channel_left" | "group_left":
            return _membership(event, me, present=False)
    return None


def chat_of(me: Me, channel: str, thread: str | None = None) -> Chat:
    return Chat(PLATFORM, me.team, channel, thread)


def is_direct(channel: str) -> bool:
    """A person's own conversation with us, rather than one of several people."""
    return channel.startswith("D")


def milliseconds(ts: str) -> int:
    """UTC, of a message's ts ("1512085950.000216")."""
    seconds, _, rest = ts.partition(".")
    if not seconds.isdigit():
        raise UnknownShape("ts: not a time")
    return int(seconds) * 1000 + int((rest + "000")[:3])


def _text(raw: Raw, name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise UnknownShape(f"{name}: not a word")
    return value


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _message(event: Raw, me: Me, name_of: NameOf) -> IncomingMessage | None:
    if str(event.get("subtype") or "") not in _SUBTYPES or event.get("bot_id") or me.wrote(event):
        return None
    channel, ts = _text(event, "channel"), _text(event, "ts")
    source, found = str(event.get("text") or ""), seen(event, me, name_of)
    is_named = f"<@{me.user}>" in source or f"<@{me.user}|" in source
    text, quoted, by, forwarded = found.text, found.quoted, found.quoted_by, None
    if not text and not found.files:
        if by is not None:  # a forward by itself is what its author said
            text, quoted, by, forwarded = quoted, "", None, by
        elif not quoted and not is_named:
            return None
        elif not quoted:
            text = "/start"
    elif text.startswith("/"):
        text = said(source, me, name_of)
    group = not is_direct(channel)
    return IncomingMessage(
        key=f"{PLATFORM}:{me.team}:{channel}:{ts}",
        chat=chat_of(me, channel, str(event.get("thread_ts") or ts)),
        author=Person(_text(event, "user")),
        text=text,
        at=milliseconds(ts),
        attachments=found.files,
        post=ts,
        quoted=quoted,
        quoted_by=by,
        forwarded_from=forwarded,
        group=group,
        addressing=_addressing(event, source, me, group=group, named=is_named),
        courtesy=group and is_small_talk(text),
    )


def _addressing(event: Raw, source: str, me: Me, *, group: bool, named: bool) -> Addressing:
    """A text is for others if the first who is named in it is not us."""
    if not group:
        return Addressing.PRIVATE
    if named or event.get("type") == "app_mention":
        return Addressing.MENTION
    if is_for_others(source, me):
        return Addressing.TO_OTHERS
    return Addressing.THREAD if event.get("thread_ts") not in (None, event.get("ts")) else Addressing.OVERHEARD


def is_of_an_app(event: Raw, me: Me) -> bool:
    """Does a program call us, in its own name or in a person's?"""
    return bool(event.get("bot_id")) and not me.wrote(event) and f"<@{me.user}" in str(event.get("text") or "")


def message_of(raw: Raw, chat: Chat, me: Me, name_of: NameOf) -> Message | None:
    """A message of a thread's past; None if there is nothing to read in it."""
    if str(raw.get("subtype") or "") not in (*_SUBTYPES, "bot_message"):
        return None
    ts, is_ours, found = _text(raw, "ts"), me.wrote(raw), seen(raw, me, name_of)
    if not found.text and not found.quoted and not found.files:
        return None
    return Message(
        id=0,
        chat=chat,
        turn=None,
        role=Role.ASSISTANT if is_ours else Role.USER,
        author=Person("") if is_ours else _author(raw, name_of),
        text=found.text,
        at=milliseconds(ts),
        attachments=() if is_ours else found.files,
        quoted="" if is_ours else found.quoted,
        quoted_by=None if is_ours else found.quoted_by,
        post=ts,
    )


def _author(raw: Raw, name_of: NameOf) -> Person:
    """Apps may have a name for each message (docs.slack.dev: bot_message)."""
    id, profile = str(raw.get("user") or raw.get("bot_id") or ""), raw.get("bot_profile")
    own = profile.get("name") if isinstance(profile, Mapping) else ""
    return Person(id, name_of(id) or str(raw.get("username") or own or ""))


def _changed(event: Raw, me: Me, name_of: NameOf) -> Edited | Deleted | None:
    """Also told when a link gets its preview: then the text is as it was, and later requests have what the preview
    says."""
    now, before = event.get("message"), event.get("previous_message")
    if isinstance(now, Mapping) and now.get("subtype") == TOMBSTONE:
        return _withdrawn(event, me, before if isinstance(before, Mapping) else now, _text(now, "ts"))
    if not isinstance(now, Mapping) or now.get("bot_id") or me.wrote(now) or not now.get("user"):
        return None
    found, had = seen(now, me, name_of), seen(before, me, name_of) if isinstance(before, Mapping) else None
    if had is not None and (had.text, had.quoted) == (found.text, found.quoted):
        return None
    channel, ts = _text(event, "channel"), _text(now, "ts")
    edited = now.get("edited")
    when = str(edited.get("ts") or "") if isinstance(edited, Mapping) else ""
    when = when if had is None or had.text != found.text else ""
    when = when or _text(event, "ts")
    if not found.text:
        return None
    quoted = None if had is not None and had.quoted == found.quoted else found.quoted
    key = f"{PLATFORM}:{me.team}:{channel}:{ts}:edited:{when}"
    chat = chat_of(me, channel, str(now.get("thread_ts") or ts))
    return Edited(key, chat, Person(_text(now, "user")), ts, found.text, milliseconds(when), quoted=quoted)


def _deleted(event: Raw, me: Me) -> Deleted | None:
    before = event.get("previous_message")
    return _withdrawn(event, me, before if isinstance(before, Mapping) else {}, _text(event, "deleted_ts"))


def _withdrawn(event: Raw, me: Me, before: Raw, ts: str) -> Deleted | None:
    """What was taken back. Of a message with replies its place stays, as a tombstone: that is told as a change. Without
    what stood there before it is taken for the beginning of a thread."""
    if before.get("bot_id") or me.wrote(before):
        return None
    channel = _text(event, "channel")
    key = f"{PLATFORM}:{me.team}:{channel}:{ts}"
    chat = chat_of(me, channel, str(before.get("thread_ts") or ts))
    return Deleted(f"{key}:deleted", chat, ts, milliseconds(str(event.get("ts") or ts)), key)


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def said(source: str, me: Me, name_of: NameOf) -> str:
    """What was said to us: the names of people, but their ids in a command."""
    text = Marks(me, name_of).read(source)
    return _NAMED.sub(r"\1", Marks(me, str).read(source)) if text.startswith("/") else text


# ── other events ────────────────────────────────────────────────────────────────────────────────────────────────────


def _stopped(event: Raw, me: Me) -> StopPressed | None:
    """The platform's own Stop control (docs.slack.dev: agent_session_stopped)."""
    channel, thread = _text(event, "channel"), event.get("thread_ts")
    if not isinstance(thread, str) or not thread:
        return None
    when = str(event.get("event_ts") or thread)
    user = event.get("user")
    author = Person(user) if isinstance(user, str) and user else None
    key = f"{PLATFORM}:{me.team}:{channel}:{thread}:stopped:{when}"
    return StopPressed(key, chat_of(me, channel, thread), milliseconds(when), author)


def _membership(event: Raw, me: Me, *, present: bool) -> Membership:
    channel, when = _text(event, "channel"), _text(event, "event_ts")
    inviter = event.get("inviter") or event.get("actor_id")
    author = Person(inviter) if isinstance(inviter, str) and inviter else None
    key = f"{PLATFORM}:{me.team}:{channel}:member:{when}"
    return Membership(key, chat_of(me, channel), present, milliseconds(when), author)


def press(body: Raw, action: Raw, me: Me, now: int) -> Press | None:
    """A pressed button of one of our messages (docs.slack.dev: block_actions payload). One that only its reader sees
    stands for the channel, and is answered in the acknowledgement. `now` in UTC ms."""
    container = body.get("container")
    if not isinstance(container, Mapping) or container.get("type") != "message":
        return None
    channel, ts = _text(container, "channel_id"), _text(container, "message_ts")
    message = body.get("message")
    thread = container.get("thread_ts") or (message.get("thread_ts") if isinstance(message, Mapping) else None)
    user = body.get("user")
    person = str(user.get("id") or "") if isinstance(user, Mapping) else ""
    hidden = bool(container.get("is_ephemeral"))
    return Press(
        key=f"{PLATFORM}:{me.team}:{channel}:{ts}:press:{person}:{action.get('action_ts')}",
        chat=chat_of(me, channel) if hidden else chat_of(me, channel, str(thread or ts)),
        author=Person(person),
        action=str(action.get("value") or ""),
        at=now,
        post=None if hidden else ts,
        group=not is_direct(channel),
    )
