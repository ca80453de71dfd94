"""An event -> `Inbound`. Pure: what has to be looked up or remembered is done in `receiving`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.types import (
    Attachment,
    Chat,
    Deleted,
    Edited,
    Inbound,
    IncomingMessage,
    Kind,
    Membership,
    Message,
    Person,
    Press,
    Role,
    StopPressed,
)

__all__ = [
    "CHECK_FILE",
    "PLATFORM",
    "Me",
    "UnknownShape",
    "attachment",
    "attachments",
    "chat_of",
    "for_others",
    "is_direct",
    "message_of",
    "milliseconds",
    "press",
    "read",
    "said",
    "words",
]

PLATFORM = "slack"
CHECK_FILE = "check_file_info"
TOMBSTONE = "tombstone"

_SUBTYPES = frozenset({"", "file_share", "thread_broadcast", "me_message"})
_KINDS = {"image": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.AUDIO}
_NO_FILE = frozenset({TOMBSTONE, "hidden_by_limit"})
_MARK = re.compile(r"<([^<>]*)>")
_NAMED = re.compile(r"@([UW][A-Z0-9]+)\b")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))

Raw = Mapping[str, Any]
NameOf = Callable[[str], str]


class UnknownShape(ValueError):
    """An event that can't be read; says where, never what."""


@dataclass(frozen=True, slots=True)
class Me:
    """Whom people talk to: the bot, in one workspace (docs.slack.dev: auth.test)."""

    team: str
    user: str = ""
    bot: str = ""
    name: str = ""

    def wrote(self, message: Raw) -> bool:
        return bool(self.user and message.get("user") == self.user) or bool(
            self.bot and message.get("bot_id") == self.bot
        )


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
    source = str(event.get("text") or "")
    is_named = f"<@{me.user}>" in source or f"<@{me.user}|" in source
    found = tuple(attachments(event))
    text, quoted = said(source, me, name_of), _quoted(event, me, name_of)
    if not text and not found:
        if not is_named:
            return None
        text, quoted = (quoted, "") if quoted else ("/start", "")
    group = not is_direct(channel)
    return IncomingMessage(
        key=f"{PLATFORM}:{me.team}:{channel}:{ts}",
        chat=chat_of(me, channel, str(event.get("thread_ts") or ts)),
        author=Person(_text(event, "user")),
        text=text,
        at=milliseconds(ts),
        attachments=found,
        post=ts,
        quoted=quoted,
        group=group,
        addressed=not group or is_named or event.get("type") == "app_mention",
    )


def for_others(event: Raw, me: Me) -> bool:
    """Does a message begin with the name of somebody who is not us?"""
    start = str(event.get("text") or "").lstrip()
    return start.startswith("<@") and not start.startswith((f"<@{me.user}>", f"<@{me.user}|"))


def message_of(raw: Raw, chat: Chat, me: Me, name_of: NameOf) -> Message | None:
    """A message of a thread's past; None if there is nothing to read in it."""
    if str(raw.get("subtype") or "") not in (*_SUBTYPES, "bot_message"):
        return None
    ts, is_ours = _text(raw, "ts"), me.wrote(raw)
    text, found = words(str(raw.get("text") or ""), me, name_of), () if is_ours else tuple(attachments(raw))
    if not text and not found:
        return None
    id = str(raw.get("user") or raw.get("bot_id") or "")
    return Message(
        id=0,
        chat=chat,
        turn=None,
        role=Role.ASSISTANT if is_ours else Role.USER,
        author=Person("") if is_ours else Person(id, name_of(id)),
        text=text,
        at=milliseconds(ts),
        attachments=found,
        post=ts,
    )


def _changed(event: Raw, me: Me, name_of: NameOf) -> Edited | Deleted | None:
    """Also told when a link gets its preview: then the text is as it was."""
    now, before = event.get("message"), event.get("previous_message")
    if isinstance(now, Mapping) and now.get("subtype") == TOMBSTONE:
        return _withdrawn(event, me, before if isinstance(before, Mapping) else now, _text(now, "ts"))
    if not isinstance(now, Mapping) or now.get("bot_id") or me.wrote(now) or not now.get("user"):
        return None
    if isinstance(before, Mapping) and before.get("text") == now.get("text"):
        return None
    channel, ts = _text(event, "channel"), _text(now, "ts")
    edited = now.get("edited")
    when = str(edited.get("ts") or "") if isinstance(edited, Mapping) else ""
    when = when or _text(event, "ts")
    text = words(str(now.get("text") or ""), me, name_of)
    if not text:
        return None
    key = f"{PLATFORM}:{me.team}:{channel}:{ts}:edited:{when}"
    chat = chat_of(me, channel, str(now.get("thread_ts") or ts))
    return Edited(key, chat, Person(_text(now, "user")), ts, text, milliseconds(when))


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
    text = words(source, me, name_of)
    return _NAMED.sub(r"\1", words(source, me, str)) if text.startswith("/") else text


def words(source: str, me: Me, name_of: NameOf) -> str:
    """What was said, without our name and without Slack's marks (docs.slack.dev: Formatting text)."""
    at, kept = 0, ""
    for mark in _MARK.finditer(source):
        kept += source[at : mark.start()]
        at = mark.end()
        inner = mark[1]
        if inner == f"@{me.user}" or inner.startswith(f"@{me.user}|"):
            if (not kept or kept[-1].isspace()) and source[at : at + 1] == " ":
                at += 1
            continue
        kept += _unmarked(inner, name_of)
    kept += source[at:]
    for entity, char in _ENTITIES:
        kept = kept.replace(entity, char)
    return kept.replace("\0", "").strip()


def _unmarked(inner: str, name_of: NameOf) -> str:
    """What stands between < and >: a person, a channel, a group, a command, or a link."""
    target, _, label = inner.partition("|")
    if target.startswith("@"):
        return f"@{name_of(target[1:]) or label or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        kind = target[1:].partition("^")[0]
        return label or f"@{kind}"
    address = target.removeprefix("mailto:").removeprefix("tel:")
    return target if not label or label in (target, address) or target.endswith(f"//{label}") else f"{label} ({target})"


def _quoted(event: Raw, me: Me, name_of: NameOf) -> str:
    """Messages that were shared along, with whose they are."""
    parts: list[str] = []
    for shared in _mappings(event.get("attachments")):
        if not (shared.get("is_share") or shared.get("is_msg_unfurl")):
            continue
        said = words(str(shared.get("text") or ""), me, name_of)
        whose = str(shared.get("author_name") or shared.get("author_subname") or "")
        parts.append(f"{whose}: {said}" if whose and said else said)
    return "\n".join(filter(None, parts))


def _mappings(value: object) -> Iterator[Raw]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from (each for each in value if isinstance(each, Mapping))


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def attachments(raw: Raw) -> Iterator[Attachment]:
    for file in _mappings(raw.get("files")):
        yield attachment(file)


def attachment(file: Raw) -> Attachment:
    """A file by its id and address: `ref` is "<id> <url>". From another workspace (Slack Connect) only the id comes:
    what it is has to be asked for (file_access: check_file_info)."""
    id, mime = str(file.get("id") or ""), str(file.get("mimetype") or "")
    size = file.get("size")
    url = str(file.get("url_private_download") or file.get("url_private") or "")
    is_there = bool(id) and file.get("mode") not in _NO_FILE and not file.get("is_external")
    return Attachment(
        kind=_KINDS.get(mime.partition("/")[0], Kind.FILE),
        ref=f"{id} {url}".strip() if is_there else "",
        mime=mime,
        size=size if isinstance(size, int) and size > 0 else None,
        name=str(file.get("name") or file.get("title") or CHECK_FILE * (file.get("file_access") == CHECK_FILE)),
    )


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
    option = action.get("selected_option")
    value = option.get("value") if isinstance(option, Mapping) else action.get("value")
    hidden = bool(container.get("is_ephemeral"))
    return Press(
        key=f"{PLATFORM}:{me.team}:{channel}:{ts}:press:{person}:{action.get('action_ts')}",
        chat=chat_of(me, channel) if hidden else chat_of(me, channel, str(thread or ts)),
        author=Person(person),
        action=str(value or ""),
        at=now,
        post=None if hidden else ts,
        group=not is_direct(channel),
    )
