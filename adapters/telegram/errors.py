"""Error translation: what the Bot API says no with, in our words: one table, at the edge.

Errors of the library may carry an address, and with it the token. So their words are taken over with the token cut
out, and they are never the cause of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)

from adapters.kit.connections import ADMIN_WAIT, NEVER_LEFT, NOT_CONNECTED, hide
from bot.errors import AdapterError, OutcomeUnknown, Rejected, RetryLater, Undeliverable

__all__ = ["NotConnected", "is_deleted", "is_not_modified", "is_rejected_token", "remedy", "translate"]

_NOT_MODIFIED = re.compile(r"message is not modified", re.IGNORECASE)
_DELETED = re.compile(r"message to delete not found|message_id_invalid", re.IGNORECASE)
_FORMATTING = re.compile(r"\bparse entit|parse messageentity|entity|entities", re.IGNORECASE)
_BUTTONS = re.compile(r"button|keyboard|reply markup", re.IGNORECASE)
_GONE = (  # what the description has in it, and what that means
    ("blocked by the user", "the person has blocked the bot"),
    ("user is deactivated", "the account is deleted"),
    ("kicked", "the bot was removed from the chat"),
    ("not a member", "the bot is not in the chat"),
    ("can't initiate conversation", "the person has not written to the bot"),
    ("chat was deleted", "the chat is deleted"),
    ("chat not found", "there is no such chat"),
    ("user not found", "there is no such chat"),
    ("peer_id_invalid", "there is no such chat"),
    ("topic_closed", "the topic is closed"),
    ("topic_deleted", "the topic is deleted"),
    ("thread not found", "the topic is deleted"),
    ("message to edit not found", "the message is deleted"),
    ("message_id_invalid", "the message is deleted"),
    ("message can't be edited", "the message can't be changed any more"),
    ("no text in the message to edit", "the message can't be changed any more"),
    ("not enough rights", "the bot may not write there"),
    ("no rights to send", "the bot may not write there"),
    ("chat_write_forbidden", "the bot may not write there"),
    ("chat_restricted", "the bot may not write there"),
    ("chat_admin_required", "the bot may not write there"),
    ("group chat was deactivated", "the chat is deleted"),
    ("upgraded to a supergroup", "the group has become a supergroup"),
)


class NotConnected(TelegramNetworkError):
    """There was no way to the platform: the call has surely not arrived."""


def is_not_modified(error: TelegramBadRequest) -> bool:
    return bool(_NOT_MODIFIED.search(error.message))


def is_deleted(error: TelegramBadRequest) -> bool:
    return bool(_DELETED.search(error.message))


def remedy(error: TelegramBadRequest) -> str:
    """What to leave out before one more try: "entities", "buttons", or "" for nothing."""
    if _BUTTONS.search(error.message):
        return "buttons"
    return "entities" if _FORMATTING.search(error.message) else ""


def is_rejected_token(error: AiogramError) -> bool:
    """401 for a token that isn't valid (any more), 404 for what can't be one; 404 has other meanings too."""
    if isinstance(error, TelegramNotFound):
        return error.message.strip().lower() == "not found"
    return isinstance(error, TelegramUnauthorizedError)


def translate(error: AiogramError, secrets: Iterable[str]) -> AdapterError:
    detail = hide(_words(error), secrets)
    match error:
        case TelegramRetryAfter():
            return RetryLater(float(error.retry_after), detail=detail)
        case TelegramForbiddenError():
            return Undeliverable(_reason(error.message) or detail, detail=detail)
        case TelegramEntityTooLarge():
            return Rejected(detail, detail=detail)
        case NotConnected():
            return RetryLater(NEVER_LEFT, detail=detail)
        case TelegramNetworkError() if isinstance(error.__cause__, NOT_CONNECTED):
            return RetryLater(NEVER_LEFT, detail=detail)  # it has surely not arrived
        case TelegramNetworkError() | TelegramServerError() | ClientDecodeError():
            return OutcomeUnknown(detail=detail)
        case TelegramBadRequest():
            reason = _reason(error.message)
            return Undeliverable(reason, detail=detail) if reason else Rejected(detail, detail=detail)
    if is_rejected_token(error):
        # the answers stay in the store until there is a valid one
        return RetryLater(ADMIN_WAIT, detail="the bot's token is rejected by the platform")
    return Rejected(detail, detail=detail) if isinstance(error, TelegramNotFound) else OutcomeUnknown(detail=detail)


def _reason(description: str) -> str:
    words = description.lower()
    return next((reason for sign, reason in _GONE if sign in words), "")


def _words(error: AiogramError) -> str:
    if isinstance(error, ClientDecodeError):  # with the whole answer in it, say the page of a proxy
        return f"{error.message}: {str(error.data)[:80]!r}"
    return str(getattr(error, "message", error)).removeprefix("Bad Request: ").removeprefix("Forbidden: ")
