"""Long polling: updates by getUpdates: a batch is stored before the next call tells the platform so (Bot API:
getUpdates, offset)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from aiogram.exceptions import AiogramError, TelegramConflictError, TelegramRetryAfter
from aiogram.methods import DeleteWebhook, GetUpdates

from adapters.kit.backoff import Backoff
from adapters.kit.connections import hide
from adapters.telegram.errors import is_rejected_token
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.wire import Wire
from bot.errors import SettingError, StoreError
from bot.races import TooLate, before
from bot.types import Clock

__all__ = ["ALLOWED", "Polling", "rejected"]

log = logging.getLogger(__name__)

ALLOWED = ["message", "edited_message", "callback_query", "my_chat_member", "stopped_message_generation"]
HOLD = 30  # seconds that the platform keeps a call open while there is nothing to tell
PROGRESS = 75.0  # seconds after which a call that brings nothing is given up, whatever the connection says

T = TypeVar("T")
Take = Callable[[Sequence[object]], Awaitable[None]]


def rejected(settings: TelegramSettings) -> SettingError:
    return SettingError(
        settings.place("telegram_bot_token"),
        "is rejected by the platform. Copy it again from @BotFather (/mybots, API Token).",
    )


class Polling:
    def __init__(self, wire: Wire, settings: TelegramSettings, clock: Clock, take: Take) -> None:
        self._wire = wire
        self._settings = settings
        self._clock = clock
        self._take = take
        self._backoff = Backoff(clock)
        self._offset: int | None = None
        self._webhook = True  # may be set; while it is, nothing is to be had here

    @property
    def trouble(self) -> str:
        """Why no updates come, '' if they do."""
        return self._backoff.trouble

    async def run(self) -> None:
        """For ever. SettingError if the token is rejected."""
        while True:
            try:
                batch = await self._fetch()
                await self._take(batch)
            except AiogramError as error:
                await self._failed(error)
            except (TimeoutError, TooLate):
                self._backoff.say(f"no answer to getUpdates in {PROGRESS:.0f} s; the connection is made anew")
                await self._backoff.pause()
            except StoreError as error:
                # the offset stays: the same updates come again
                self._backoff.say(f"updates can't be stored and will be fetched again: {error.detail or error}")
                await self._backoff.pause()
            else:
                self._offset = _after(batch)
                if batch and self._offset is None:  # they will come again, whatever is done
                    self._backoff.say("updates come without their numbers")
                    await self._backoff.pause()
                else:
                    self._backoff.worked("updates come in again")

    async def _fetch(self) -> list[Any]:
        if self._webhook:
            await self._wire.call(DeleteWebhook(drop_pending_updates=False))
            self._webhook = False
        call = GetUpdates(offset=self._offset, limit=100, timeout=HOLD, allowed_updates=ALLOWED)
        batch = await before(self._clock.sleep(PROGRESS), self._wire.call(call, seconds=PROGRESS))
        return batch if isinstance(batch, list) else []

    async def _failed(self, error: AiogramError) -> None:
        least = 0.0
        if is_rejected_token(error):
            raise rejected(self._settings) from None
        if isinstance(error, TelegramConflictError):
            self._webhook = "webhook" in error.message.lower()
            words = "another program fetches this bot's updates too. Stop it, or give it a bot of its own"
            self._backoff.say("a webhook is set, and is removed" if self._webhook else words)
        else:
            least = float(error.retry_after) if isinstance(error, TelegramRetryAfter) else 0.0
            words = hide(str(getattr(error, "message", error)), self._wire.secrets)
            self._backoff.say(f"no updates from {self._settings.telegram_api_url}: {words[:200]}")
        await self._backoff.pause(least)


def _after(batch: Sequence[Any]) -> int | None:
    """What to ask for next. After an empty answer everything is confirmed, and nothing needs to be said: ids may start
    anew, lower, after a quiet week (Bot API: Update, update_id)."""
    ids = [raw["update_id"] for raw in batch if isinstance(raw, dict) and isinstance(raw.get("update_id"), int)]
    return max(ids) + 1 if ids else None
