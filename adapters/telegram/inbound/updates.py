"""Update parser: an update -> `Inbound`. Pure: what has to be looked up or remembered is done in `receiving`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from adapters.kit.unread import UnknownShape
from adapters.telegram.inbound import rich, shapes
from adapters.telegram.inbound.things import THINGS
from adapters.telegram.inbound.words import Me, Words, is_me, thing, words_of
from bot.markdown import utf16
from bot.types import (
    Addressing,
    Attachment,
    Chat,
    Edited,
    Inbound,
    IncomingMessage,
    Kind,
    Membership,
    Moved,
    Person,
    Press,
    StopPressed,
)

__all__ = ["LONG", "PLATFORM", "Me", "chat_of", "moved", "parse", "read"]

PLATFORM = "telegram"
LONG = 4_000  # UTF-16 units; clients cut what is pasted into messages of at most 4,096

_FILES = (  # an animation sets `document` too, so it comes first
    ("animation", Kind.ANIMATION),
    ("video", Kind.VIDEO),
    ("video_note", Kind.VIDEO_NOTE),
    ("voice", Kind.VOICE),
    ("audio", Kind.AUDIO),
    ("sticker", Kind.STICKER),
    ("document", Kind.FILE),
)
_WITHHELD = (("paid_media", Kind.PAID), ("story", Kind.STORY))  # from bots
_KINDS = {"image": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.AUDIO}
_AFTERTHOUGHT = 3600  # seconds in which somebody may still add our name to what they have said
_OWN_QUOTE = 500  # characters: our own answers are in the conversation already


def parse(raw: Mapping[str, Any]) -> shapes.Update:
    try:
        return shapes.Update.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnknownShape(f"{where}: {first['msg']}") from None  # the cause quotes what people wrote


def read(update: shapes.Update, me: Me, now: int) -> Inbound | None:
    """What an update means to us; None if nothing. Its key is the bot and update_id (Bot API: Update), except that
    both sides of one move have one key. `now` in UTC ms, for updates that don't tell their time."""
    key = f"{PLATFORM}:{me.id}:{update.update_id}"
    if update.message is not None:
        return _moved(update.message, me) or _message(update.message, key, me)
    if update.edited_message is not None:
        return _edited(update.edited_message, key, me)
    if update.callback_query is not None:
        return _press(update.callback_query, key, me, now)
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member, key, me)
    if update.stopped_message_generation is not None:
        stopped = update.stopped_message_generation
        return StopPressed(key, chat_of(me, stopped.chat.id, stopped.message_thread_id), now)
    return None


def chat_of(me: Me, id: int, thread: int | None = None) -> Chat:
    return Chat(PLATFORM, me.id, str(id), None if thread is None else str(thread))


def moved(me: Me, old: int, new: int, at: int) -> Moved:
    """A group became a supergroup. Told in both chats, and by a refused call: all of them have one key."""
    return Moved(f"{PLATFORM}:{me.id}:moved:{old}:{new}", chat_of(me, old), chat_of(me, new), at)


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _message(message: shapes.Message, key: str, me: Me) -> IncomingMessage | None:
    author = _author(message)
    if author is None:
        return None
    words = words_of(message, me)
    attachments = tuple(_attachments(message))
    if not words.text and not attachments and not words.named:
        return None
    group = _is_group(message.chat)
    source = _origin(message.forward_origin)
    reply = _replied_to(message)
    quoted = _quoted(message, reply, me)
    is_command = source is None and words.text.startswith("/")
    if not is_command:
        attachments += tuple(_quoted_things(message, reply))
    text = words.text
    if not (text or attachments or quoted):
        text = "/start"  # nothing but the bot's name is a greeting
    return IncomingMessage(
        key=key,
        chat=_place(message, me),
        author=author,
        text=text,
        at=message.date * 1000,
        attachments=attachments,
        post=str(message.message_id),
        quoted=quoted,
        quoted_by=_who_is_quoted(message, reply, me) if quoted else None,
        forwarded_from=source,
        title=message.chat.title or "",
        group=group,
        addressing=_addressing(words, reply, me, group=group, is_command=is_command),
        more=message.media_group_id is not None or source is not None or utf16(text) >= LONG,
    )


def _addressing(words: Words, reply: shapes.Message | None, me: Me, *, group: bool, is_command: bool) -> Addressing:
    if not group:
        return Addressing.PRIVATE
    if words.others:
        return Addressing.TO_OTHERS
    if words.named:
        return Addressing.MENTION
    if reply is not None and is_me(reply.from_user, me):
        return Addressing.REPLY
    return Addressing.COMMAND if is_command else Addressing.OVERHEARD


def _edited(message: shapes.Message, key: str, me: Me) -> Edited | None:
    author = _author(message)
    words = words_of(message, me)
    if author is None or not words.text:
        return None
    at = message.edit_date or message.date
    called = _is_group(message.chat) and words.named and not words.others and not words.text.startswith("/")
    asks = _message(message, key, me) if called and at - message.date <= _AFTERTHOUGHT else None
    return Edited(key, _place(message, me), author, str(message.message_id), words.text, at * 1000, asks)


def _author(message: shapes.Message) -> Person | None:
    """Who says it; None for ourselves and other bots. Anonymous admins and channels speak as their chat; what the
    group's linked channel posts is brought by the platform itself (Bot API: Message, is_automatic_forward)."""
    chat, user = message.sender_chat, message.from_user
    if chat is not None:
        return Person(str(chat.id), chat.title or "", _language(user), anonymous=not message.is_automatic_forward)
    if user is None or user.is_bot:
        return None
    return _person(user)


def _person(user: shapes.User) -> Person:
    return Person(str(user.id), user.name, _language(user))


def _language(user: shapes.User | None) -> str:
    return (user.language_code if user else None) or "en"


def _place(message: shapes.Message | shapes.Accessible, me: Me) -> Chat:
    # replies outside of topics have a message_thread_id too, and nothing can be sent to that
    return chat_of(me, message.chat.id, message.message_thread_id if message.is_topic_message else None)


def _is_group(chat: shapes.Chat) -> bool:
    return chat.type in ("group", "supergroup")


def _moved(message: shapes.Message, me: Me) -> Moved | None:
    at, here = message.date * 1000, message.chat.id
    if message.migrate_to_chat_id is not None:
        return moved(me, here, message.migrate_to_chat_id, at)
    if message.migrate_from_chat_id is not None:
        return moved(me, message.migrate_from_chat_id, here, at)
    return None


# ── whose words ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _origin(origin: shapes.Origin | None) -> Person | None:
    """Who said what is forwarded; nobody if it isn't told. Such words are not the sender's own, nor a command."""
    return None if origin is None else Person(*origin.whose)


def _replied_to(message: shapes.Message) -> shapes.Message | None:
    """The message this one replies to. In a topic, everything replies to the topic's first message: that is no
    reply."""
    reply = message.reply_to_message
    if reply is None or reply.forum_topic_created is not None:
        return None
    if message.is_topic_message and reply.message_id == message.message_thread_id:
        return None
    return reply


def _quoted(message: shapes.Message, reply: shapes.Message | None, me: Me) -> str:
    if message.quote is not None:
        return message.quote.text.strip()
    if reply is None:
        return thing(message.external_reply) if message.external_reply is not None else ""
    text = words_of(reply, me).text
    if is_me(reply.from_user, me) and len(text) > _OWN_QUOTE:
        return text[:_OWN_QUOTE] + "…"
    return text


def _who_is_quoted(message: shapes.Message, reply: shapes.Message | None, me: Me) -> Person | None:
    """Of a message that was forwarded, who said it first; nobody if it was us."""
    if reply is None:
        found = _origin(message.external_reply.origin) if message.external_reply is not None else None
    elif reply.forward_origin is not None:
        found = _origin(reply.forward_origin)
    elif reply.sender_chat is not None:
        found = Person(str(reply.sender_chat.id), reply.sender_chat.title or "")
    else:
        found = None if reply.from_user is None else Person(str(reply.from_user.id), reply.from_user.name)
    if found is None or not found.id:
        return None
    return Person("") if found.id == me.id else found


# ── attachments ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _attachments(message: shapes.Message | shapes.ExternalReply) -> Iterator[Attachment]:
    yield from _pictures(message)
    if isinstance(message, shapes.Message) and message.rich_message is not None:
        for sizes in rich.photos(message.rich_message):
            yield from _largest(_sizes(sizes))
    for name, kind in _FILES:
        file = getattr(message, name)
        if file is None:
            continue
        found = _KINDS.get((file.mime_type or "").partition("/")[0], kind) if name == "document" else kind
        if found is not Kind.IMAGE:
            called = file.file_name or file.title or file.emoji or ""
            yield Attachment(found, file.file_id, file.mime_type or "", file.file_size, called)
        return
    if thing(message):
        return
    for name, kind in _WITHHELD:
        if getattr(message, name) is not None:
            yield Attachment(kind, "")
            return
    for name in THINGS:  # whose words can't be read
        if getattr(message, name) is not None:
            yield Attachment(Kind.FILE, "", name=name)
            return


def _pictures(message: shapes.Message | shapes.ExternalReply) -> Iterator[Attachment]:
    """A photo, or a picture that was sent as a file."""
    yield from _largest(message.photo)
    if message.live_photo is not None and not message.photo:
        yield from _largest(message.live_photo.photo)
    if message.animation is not None:
        return
    file = message.document
    if file is not None and (file.mime_type or "").startswith("image/"):
        yield Attachment(Kind.IMAGE, file.file_id, file.mime_type or "", file.file_size, file.file_name or "")


def _largest(sizes: Sequence[shapes.Photo] | None) -> Iterator[Attachment]:
    if sizes:
        best = max(sizes, key=lambda size: size.width * size.height)
        yield Attachment(Kind.IMAGE, best.file_id, "image/jpeg", best.file_size)


def _sizes(raw: Sequence[object]) -> list[shapes.Photo]:
    try:
        return [shapes.Photo.model_validate(size) for size in raw]
    except ValidationError:
        return []  # its words are worth more than a picture of unknown shape


def _quoted_things(message: shapes.Message, reply: shapes.Message | None) -> Iterator[Attachment]:
    """A question about a file that somebody has sent is about that file."""
    for source in (reply, message.external_reply):
        if source is not None:
            # in private the others have been seen
            album = _is_group(message.chat) and getattr(source, "media_group_id", None) is not None
            yield from (replace(each, album=album) for each in _attachments(source))
    if message.reply_to_story is not None:
        yield Attachment(Kind.STORY, "")


# ── other events ────────────────────────────────────────────────────────────────────────────────────────────────────


def _press(query: shapes.CallbackQuery, key: str, me: Me, now: int) -> Press | None:
    if query.message is None:
        return None
    chat = query.message.chat
    return Press(
        key=key,
        chat=_place(query.message, me),
        author=_person(query.from_user),
        action=query.data or "",
        at=now,
        post=str(query.message.message_id),
        group=chat.id < 0,
    )


def _membership(change: shapes.MemberUpdate, key: str, me: Me) -> Membership | None:
    """Only what changes whether we are there: a promotion lets us into nothing."""
    present = change.new_chat_member.present
    if present == change.old_chat_member.present:
        return None
    chat = chat_of(me, change.chat.id)
    author = _person(change.from_user)
    return Membership(key, chat, present, change.date * 1000, author, change.chat.title or "")
