"""Update schema: the parts of an update that we read, checked one update at a time (Bot API: Update).

Everything else is ignored, so that a new kind of block, entity or origin can't make a question unreadable. What only
accompanies a message (the message it replies to, where it was forwarded from) is None if it has an unknown shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator

__all__ = [
    "CallbackQuery",
    "Chat",
    "Entity",
    "ExternalReply",
    "File",
    "MemberUpdate",
    "Message",
    "Origin",
    "Photo",
    "Stopped",
    "Update",
    "User",
]

T = TypeVar("T")


def _or_none(value: Any, read: Callable[[Any], T]) -> T | None:
    try:
        return read(value)
    except ValidationError:
        return None


_Lenient = WrapValidator(_or_none)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True)


class User(_Shape):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)


class Chat(_Shape):
    id: int
    type: str = ""
    title: str | None = None
    first_name: str | None = None


class Entity(_Shape):
    """`offset` and `length` are UTF-16 code units."""

    type: str
    offset: int
    length: int
    user: User | None = None


class Photo(_Shape):
    file_id: str
    width: int = 0
    height: int = 0
    file_size: int | None = None


class File(_Shape):
    """Document, video, voice, sticker, ...: what they have in common; a sticker's sign, an audio's title."""

    file_id: str
    file_size: int | None = None
    file_name: str | None = None
    mime_type: str | None = None
    emoji: str | None = None
    title: str | None = None


class LivePhoto(_Shape):
    photo: list[Photo] | None = None


class Origin(_Shape):
    """Where a forwarded message comes from, whichever of the kinds of MessageOrigin it is."""

    sender_user: User | None = None
    sender_user_name: str | None = None
    sender_chat: Chat | None = None
    chat: Chat | None = None

    @property
    def whose(self) -> tuple[str, str]:
        """Id and name. Who hides has no id, and who is of an unknown kind neither."""
        chat = self.sender_chat or self.chat
        if self.sender_user is not None:
            return str(self.sender_user.id), self.sender_user.name
        if chat is not None:
            return str(chat.id), chat.title or ""
        name = self.sender_user_name or ""
        return name, name


class Quote(_Shape):
    text: str


class _Media(_Shape):
    """What a message has beside its words. Of what has no file of its own, `things` knows the words."""

    photo: list[Photo] | None = None
    live_photo: Annotated[LivePhoto | None, _Lenient] = None
    animation: File | None = None
    audio: File | None = None
    document: File | None = None
    sticker: File | None = None
    video: File | None = None
    video_note: File | None = None
    voice: File | None = None

    checklist: Any = None
    contact: Any = None
    dice: Any = None
    game: Any = None
    invoice: Any = None
    location: Any = None
    paid_media: Any = None
    poll: Any = None
    story: Any = None
    venue: Any = None


class ExternalReply(_Media):
    """A message of another chat, or one that is gone, as far as it is told (Bot API: ExternalReplyInfo)."""

    origin: Annotated[Origin | None, _Lenient] = None


class Message(_Media):
    message_id: int
    date: int
    chat: Chat
    edit_date: int | None = None
    from_user: User | None = Field(None, alias="from")
    sender_chat: Chat | None = None
    is_automatic_forward: bool = False
    message_thread_id: int | None = None
    is_topic_message: bool = False

    text: str | None = None
    entities: Annotated[list[Entity] | None, _Lenient] = None
    caption: str | None = None
    caption_entities: Annotated[list[Entity] | None, _Lenient] = None
    rich_message: Annotated[dict[str, Any] | None, _Lenient] = None

    reply_to_message: Annotated[Message | None, _Lenient] = None
    external_reply: Annotated[ExternalReply | None, _Lenient] = None
    quote: Annotated[Quote | None, _Lenient] = None
    forward_origin: Annotated[Origin | None, _Lenient] = None
    media_group_id: str | None = None

    reply_to_story: Any = None

    forum_topic_created: Any = None
    migrate_to_chat_id: int | None = None
    migrate_from_chat_id: int | None = None


class Accessible(_Shape):
    """The message under a button; an old one has little more than its id (Bot API: InaccessibleMessage)."""

    message_id: int
    chat: Chat
    message_thread_id: int | None = None
    is_topic_message: bool = False


class CallbackQuery(_Shape):
    id: str
    from_user: User = Field(alias="from")
    message: Accessible | None = None
    data: str | None = None


class Member(_Shape):
    status: str
    is_member: bool | None = None

    @property
    def present(self) -> bool:
        if self.status == "restricted":
            return bool(self.is_member)
        return self.status in ("creator", "administrator", "member")


class MemberUpdate(_Shape):
    chat: Chat
    from_user: User = Field(alias="from")
    date: int
    old_chat_member: Member
    new_chat_member: Member


class Stopped(_Shape):
    chat: Chat
    message_thread_id: int | None = None


class Update(_Shape):
    """One update. pydantic.ValidationError if it can't be read."""

    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: CallbackQuery | None = None
    my_chat_member: MemberUpdate | None = None
    stopped_message_generation: Stopped | None = None
