"""Telegram as a platform: what the core posts becomes messages, what people do there is brought to the core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiogram.enums import ChatAction
from aiogram.exceptions import AiogramError, TelegramBadRequest
from aiogram.methods import (
    AnswerCallbackQuery,
    GetMe,
    SendChatAction,
    SetWebhook,
    TelegramMethod,
)

from adapters.kit.backoff import Backoff, after
from adapters.kit.buttons import clipped
from adapters.kit.connections import hide
from adapters.kit.unread import Unread
from adapters.telegram.commands import register
from adapters.telegram.errors import is_rejected_token, translate
from adapters.telegram.inbound.files import Files
from adapters.telegram.inbound.polling import ALLOWED, Polling, rejected
from adapters.telegram.inbound.receiving import Receiver
from adapters.telegram.inbound.updates import PLATFORM, Me
from adapters.telegram.inbound.webhook import Webhook
from adapters.telegram.limits import LIMITS
from adapters.telegram.outgoing.posting import Poster
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.wire import Wire
from bot.errors import Rejected, SettingError
from bot.types import (
    Account,
    Ack,
    AdapterContext,
    AsgiApp,
    Chat,
    Features,
    Intake,
    Limits,
    Message,
    Piece,
    PostId,
    Status,
)

__all__ = ["TelegramAdapter"]

log = logging.getLogger(__name__)

PEOPLE = r"-?[0-9]{1,20}"  # groups' and channels' are below zero
_TOAST = 200  # characters (Bot API: answerCallbackQuery, text)


class TelegramAdapter:
    """SettingError if the settings can't work together."""

    def __init__(self, settings: TelegramSettings, surroundings: AdapterContext) -> None:
        settings.check()
        self._settings = settings
        self._around = surroundings
        self._wire = Wire(settings)
        self._me = Me(self._wire.bot_id)
        self._poster = Poster(self._wire, self._me, surroundings.clock, settings.telegram_rich)
        self._files = Files(self._wire, local=not settings.official)
        self._webhook = Webhook(settings.webhook_secret)
        self._trouble: Callable[[], str] = lambda: "not connected yet"
        self._tried = asyncio.Event()

    @property
    def account(self) -> Account:
        """The name is known once `run` has asked for it."""
        return Account(PLATFORM, self._me.id, self._me.username)

    @property
    def features(self) -> Features:
        pushed = self._settings.telegram_mode == "webhook"
        return Features(person=PEOPLE, pushed=pushed)

    @property
    def limits(self) -> Limits:
        return LIMITS

    @property
    def http(self) -> Mapping[str, AsgiApp]:
        return {self._settings.webhook_path: self._webhook} if self._settings.telegram_mode == "webhook" else {}

    @property
    def trouble(self) -> str:
        return self._trouble()

    @property
    def tried(self) -> asyncio.Event:
        return self._tried

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def identify(self) -> Account:
        """The token tells it."""
        return self.account

    async def run(self, intake: Intake) -> None:
        """Updates come in while this runs. SettingError if the token is rejected, or the address of the webhook."""
        async with self._wire.kept():
            self._me = await self._introduce()
            self._poster.intake = intake
            receiver = Receiver(
                me=self._me,
                intake=intake,
                reader=self._around.reader,
                clock=self._around.clock,
                unread=Unread(self._settings.data_dir / "unread" / self._settings.kept(".jsonl")),
                answer=self._answer,
                heard=self._poster.heard,
            )
            registering = asyncio.create_task(self._register())
            try:
                if self._settings.telegram_mode == "webhook":
                    await self._listen(receiver)
                else:
                    polling = Polling(self._wire, self._settings, self._around.clock, receiver.take)
                    self._trouble = lambda: polling.trouble
                    self._tried.set()
                    await polling.run()
            finally:
                self._webhook.store = None
                registering.cancel()
                await asyncio.gather(registering, return_exceptions=True)
                await receiver.close()

    async def _introduce(self) -> Me:
        """Our own name, without which no mention can be known. Asked for until there is an answer."""
        me = await self._until_answered(GetMe())
        username = str(me.get("username") or "")
        log.info("%s: @%s, by %s", PLATFORM, username, self._settings.telegram_mode)
        return Me(self._me.id, username, str(me.get("first_name") or ""))

    async def _listen(self, receiver: Receiver) -> None:
        self._webhook.store = receiver.take
        call = SetWebhook(
            url=self._settings.webhook_url,
            secret_token=self._settings.webhook_secret,
            allowed_updates=ALLOWED,
            drop_pending_updates=False,
        )
        try:
            await self._until_answered(call)
        except TelegramBadRequest as error:
            raise SettingError(
                "PUBLIC_URL", "is not taken by the platform: {reason}", reason=hide(error.message, self._wire.secrets)
            ) from None
        self._trouble = str
        self._tried.set()
        await asyncio.Event().wait()

    async def _until_answered(self, call: TelegramMethod[Any]) -> Any:
        """A call that everything else needs. SettingError if the token is rejected, TelegramBadRequest."""
        backoff = Backoff(self._around.clock)
        self._trouble = lambda: backoff.trouble or "not connected yet"

        def failed(error: AiogramError) -> float:
            if is_rejected_token(error):
                raise rejected(self._settings) from None
            if isinstance(error, TelegramBadRequest):
                raise error
            trouble = translate(error, self._wire.secrets)
            backoff.say(f"no answer from {self._settings.telegram_api_url}: {trouble.detail[:200]}")
            self._tried.set()
            return after(trouble)

        return await backoff.until_answered(lambda: self._wire.call(call), AiogramError, failed)

    async def _register(self) -> None:
        """Until the list of commands is taken, or refused for good."""
        backoff = Backoff(self._around.clock)
        while self._around.commands is not None:
            try:
                await register(self._wire, self._around.commands)
                return
            except AiogramError as error:
                trouble = translate(error, self._wire.secrets)
                backoff.say(f"the list of commands is not set: {trouble.detail[:200]}")
                if isinstance(trouble, Rejected):
                    return
                await backoff.pause(after(trouble))

    async def _answer(self, query: str, ack: Ack) -> None:
        """A pressed button shows that it waits until it is answered."""
        text = clipped(ack.toast, _TOAST)
        call = AnswerCallbackQuery(callback_query_id=query, text=text or None, show_alert=ack.error and bool(text))
        try:
            await self._wire.call(call)
        except AiogramError as error:
            log.info("a button is not answered: %s", translate(error, self._wire.secrets).detail[:200])

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None = None) -> PostId:
        return await self._poster.put(chat, piece, at)

    async def status(self, chat: Chat, what: Status) -> None:  # noqa: ARG002
        place = self._poster.place(chat)
        try:
            await self._wire.call(
                SendChatAction(chat_id=place.chat, message_thread_id=place.thread, action=ChatAction.TYPING)
            )
        except AiogramError as error:
            raise translate(error, self._wire.secrets) from None

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        await self._files.fetch(ref, to, limit)

    async def can_post(self, chat: Chat) -> bool:
        """A chat action is refused where a message would be (Bot API: sendChatAction)."""
        await self.status(chat, Status.THINKING)
        return True

    async def find(self, chat: Chat, key: str) -> PostId | None:  # noqa: ARG002
        raise Rejected("messages can't be looked up here")

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:  # noqa: ARG002
        raise Rejected("messages can't be looked up here")
