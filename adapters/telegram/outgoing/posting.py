"""Message posting: pieces as messages: posted, changed, deleted (Bot API: sendMessage, sendRichMessage,
editMessageText)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramMigrateToChat, TelegramNotFound
from aiogram.methods import DeleteMessage, EditMessageText, SendMessage, SendRichMessage, TelegramMethod
from aiogram.types import (
    InlineKeyboardMarkup,
    InputRichMessage,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)

from adapters.kit.connections import hide
from adapters.telegram.errors import is_deleted, is_not_modified, remedy, translate
from adapters.telegram.inbound.updates import Me, moved
from adapters.telegram.outgoing import menus
from adapters.telegram.outgoing.blocks import gains, rich
from adapters.telegram.outgoing.render import Entity, render
from adapters.telegram.wire import Wire
from bot.errors import OutcomeUnknown, RetryLater, StoreError, Undeliverable
from bot.types import Chat, Clock, Intake, Moved, Piece, PostId

__all__ = ["Place", "Poster"]

log = logging.getLogger(__name__)

_MOST_REMEMBERED = 10_000  # chats
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A chat in the platform's own numbers."""

    chat: int
    thread: int | None = None


@dataclass(frozen=True, slots=True)
class _Message:
    """What is to be shown; parts of it are left out where the platform doesn't take them."""

    text: str
    entities: tuple[Entity, ...]
    buttons: InlineKeyboardMarkup | None
    reply_to: int | None

    def without(self, what: str) -> _Message:
        if what == "buttons":
            return replace(self, buttons=None)
        return replace(self, entities=()) if what == "entities" else self

    def rich_call(self, place: Place, at: int | None, fields: dict[str, Any]) -> TelegramMethod[Any]:
        message = InputRichMessage.model_validate(fields)
        if at is not None:
            return EditMessageText(chat_id=place.chat, message_id=at, rich_message=message, reply_markup=self.buttons)
        return SendRichMessage(
            chat_id=place.chat,
            message_thread_id=place.thread,
            rich_message=message,
            reply_parameters=self._reply(),
            reply_markup=self.buttons,
        )

    def _reply(self) -> ReplyParameters | None:
        return ReplyParameters(message_id=self.reply_to, allow_sending_without_reply=True) if self.reply_to else None

    def call(self, place: Place, at: int | None) -> TelegramMethod[Any]:
        entities = [_entity(each) for each in self.entities] or None
        if at is not None:
            return EditMessageText(
                chat_id=place.chat,
                message_id=at,
                text=self.text,
                entities=entities,
                link_preview_options=_NO_PREVIEW,
                reply_markup=self.buttons,
            )
        return SendMessage(
            chat_id=place.chat,
            message_thread_id=place.thread,
            text=self.text,
            entities=entities,
            link_preview_options=_NO_PREVIEW,
            reply_parameters=self._reply(),
            reply_markup=self.buttons,
        )


class Poster:
    """`intake` is told where a group has become a supergroup, which a refused call may be the first to say. `rich`: the
    setting TELEGRAM_RICH."""

    def __init__(self, wire: Wire, me: Me, clock: Clock, rich: str = "off") -> None:
        self._wire = wire
        self._rich = rich
        self._takes_no_rich: set[int] = set()  # ids of chats; 0 for all of them
        self._me = me
        self._clock = clock
        self._moved: dict[str, str] = {}  # chat id -> the id it goes on under
        self._carried: set[tuple[str, PostId]] = set()  # messages posted under such an id, for the old one
        self.intake: Intake | None = None

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None) -> PostId:
        """See `Adapter.put`."""
        try:
            try:
                return await self._put(chat, piece, at)
            except TelegramMigrateToChat as error:
                await self._move(chat, error.migrate_to_chat_id)
                return await self._put(chat, piece, at)
        except AiogramError as error:
            raise translate(error, self._wire.secrets) from None

    def heard(self, event: Moved) -> None:
        self._moved[event.chat.id] = event.to.id

    def place(self, chat: Chat) -> Place:
        """Undeliverable if an id is no number: somebody has set it by hand."""
        try:
            return Place(int(self._moved.get(chat.id, chat.id)), int(chat.thread) if chat.thread else None)
        except ValueError:
            raise Undeliverable("there is no chat with this id") from None

    # ── one call ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _put(self, chat: Chat, piece: Piece | None, at: PostId | None) -> PostId:
        place, moved_to = self.place(chat), self._moved.get(chat.id)
        stays_behind = moved_to is not None and at is not None and (moved_to, at) not in self._carried
        if piece is None:
            if at and not stays_behind:
                await self._delete(place, at)
            return at or ""
        # a message of the old group can't be changed any more, so its next version is a new one
        post = await self._show(place, piece, None if stays_behind else at, moved_to is not None)
        if moved_to is not None:
            self._carried.add((moved_to, post))
        return post

    async def _show(self, place: Place, piece: Piece, at: PostId | None, is_moved: bool) -> PostId:
        rendered = render(piece)
        reply_to = int(piece.reply_to) if piece.reply_to and not is_moved else None
        buttons = menus.keyboard(piece.menu, piece.key)
        message = _Message(rendered.text, rendered.entities, buttons, reply_to)
        number = None if at is None else int(at)
        if self._is_rich(place, piece) and (post := await self._show_rich(place, piece, message, number)):
            return post
        while True:
            try:
                result = await self._wire.call(message.call(place, number))
            except TelegramBadRequest as error:
                if at is not None and is_not_modified(error):
                    return at
                plainer = message.without(remedy(error))
                if plainer == message:
                    raise
                log.warning("a message goes out plainer: %s", hide(error.message, self._wire.secrets))
                message = plainer
            else:
                return at if at is not None else _posted(result)

    def _is_rich(self, place: Place, piece: Piece) -> bool:
        """Only a finished piece: while it grows, it would change its form with each half of a table."""
        if self._rich == "off" or piece.growing or self._takes_no_rich & {0, place.chat}:
            return False
        return self._rich == "on" or gains(piece.blocks)

    async def _show_rich(self, place: Place, piece: Piece, message: _Message, at: int | None) -> PostId:
        """'' if it can't be: then it goes out as text, and so does what comes later there."""
        fields = rich(piece)
        if fields is None:
            return ""
        try:
            result = await self._wire.call(message.rich_call(place, at, fields))
        except TelegramNotFound as error:  # the server is older than rich messages
            self._remember_no_rich(0, error)
            return ""
        except TelegramBadRequest as error:
            if at is not None and is_not_modified(error):
                return str(at)
            if isinstance(error, TelegramMigrateToChat) or isinstance(
                translate(error, self._wire.secrets), Undeliverable
            ):
                raise
            self._remember_no_rich(place.chat, error)
            return ""
        return str(at) if at is not None else _posted(result)

    def _remember_no_rich(self, chat: int, error: TelegramNotFound | TelegramBadRequest) -> None:
        """`chat` 0: everywhere."""
        log.warning("no rich message: %s", hide(error.message, self._wire.secrets))
        if len(self._takes_no_rich) >= _MOST_REMEMBERED:
            self._takes_no_rich.clear()
        self._takes_no_rich.add(chat)

    async def _delete(self, place: Place, at: PostId) -> None:
        try:
            await self._wire.call(DeleteMessage(chat_id=place.chat, message_id=int(at)))
        except TelegramBadRequest as error:
            if not is_deleted(error):
                raise

    async def _move(self, chat: Chat, to: int) -> None:
        event = moved(self._me, int(chat.id), to, self._clock.now())
        if self.intake is not None:
            try:
                await self.intake.accept(event)
            except StoreError as error:
                raise RetryLater(1.0, detail=str(error)) from error
        self.heard(event)


def _posted(result: Any) -> PostId:
    try:
        return str(int(result["message_id"]))
    except (KeyError, TypeError, ValueError) as error:
        raise OutcomeUnknown(detail="the answer to sendMessage tells no message_id") from error


def _entity(entity: Entity) -> MessageEntity:
    return MessageEntity(
        type=entity.type,
        offset=entity.offset,
        length=entity.length,
        language=entity.language or None,
        url=entity.url or None,
    )
