"""Error translation: what the Web API says no with, in our words: one table, at the edge.

An error's words may carry an address with a ticket in it, or a token. So they are taken over with the secrets cut out,
and the library's errors are never the cause of ours.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError, SlackClientError

from adapters.kit.connections import ADMIN_WAIT, NEVER_LEFT, NOT_CONNECTED, words_of
from bot.errors import AdapterError, OutcomeUnknown, Rejected, RetryLater, Undeliverable

__all__ = ["FAILURES", "TOKEN_ERRORS", "code", "missing_scope", "reason", "retry_after", "translate"]

FAILURES = (SlackClientError, ClientError, TimeoutError, OSError)  # what a call may raise
TOKEN_ERRORS = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"}
)

_DEFAULT_WAIT = 30.0  # where a 429 doesn't say

_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_TROUBLE = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"})
_GONE = {
    "channel_not_found": "there is no such channel, or the bot is not in it",
    "not_in_channel": "the bot was removed from the channel",
    "is_archived": "the channel is archived",
    "channel_is_archived": "the channel is archived",
    "is_inactive": "the channel is archived",
    "thread_not_found": "the thread is deleted",
    "cannot_reply_to_message": "the thread takes no replies",
    "message_not_found": "the message is deleted",
    "cant_update_message": "the message can't be changed",
    "edit_window_closed": "the message can't be changed any more",
    "message_not_owned_by_app": "the message is somebody else's",
    "user_not_found": "the account is deleted",
    "user_disabled": "the account is deactivated",
    "messages_tab_disabled": "the app takes no direct messages: switch on its Messages tab",
    "restricted_action": "the workspace does not let the bot write there",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_only_channel": "only threads may be written to there",
    "restricted_action_non_threadable_channel": "the channel has no threads",
    "restricted_action_thread_locked": "the thread is locked",
    "no_permission": "the bot may not write there",
    "access_denied": "the bot may not write there",
    "ekm_access_denied": "the workspace's administrators have suspended writing",
    "team_access_not_granted": "the bot was removed from the workspace",
    "external_channel_migrating": "the channel is moving to another workspace",
}


def code(error: BaseException) -> str:
    """The platform's word for what is wrong; '' if it did not say."""
    if not isinstance(error, SlackApiError):
        return ""
    data = getattr(error.response, "data", None)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def missing_scope(error: BaseException) -> str:
    """The scope that a call needs and the token has not, as the platform names it; '' for any other error."""
    if code(error) != "missing_scope" or not isinstance(error, SlackApiError):
        return ""
    return str(error.response.data.get("needed") or "?")


def retry_after(error: BaseException) -> float | None:
    """Seconds, if a call came too early."""
    if not isinstance(error, SlackApiError):
        return None
    status = getattr(error.response, "status_code", 0)
    if status != 429 and code(error) not in _LIMITED:
        return None
    headers = getattr(error.response, "headers", None) or {}
    told = {str(name).lower(): value for name, value in headers.items()}.get("retry-after", "")
    try:
        return max(0.0, float(told))
    except ValueError:
        return _DEFAULT_WAIT


def reason(word: str) -> str:
    """Why what was to be written to is not there, if that is what a word means."""
    return _GONE.get(word) or ("the workspace does not let the bot write there" if "restricted_action" in word else "")


def translate(error: BaseException, secrets: Iterable[str]) -> AdapterError:
    """`error` is one of FAILURES."""
    word = code(error)
    if isinstance(error, SlackApiError):
        detail = word or f"HTTP {getattr(error.response, 'status_code', getattr(error.response, 'status', '?'))}"
    else:
        detail = words_of(error, secrets)
    after = retry_after(error)
    if after is not None:
        return RetryLater(after, detail=detail)
    if word in TOKEN_ERRORS:
        # the answers stay in the store until there is a valid one
        return RetryLater(ADMIN_WAIT, detail=f"the bot's token is rejected by the platform ({word})")
    if word == "missing_scope":
        return RetryLater(
            ADMIN_WAIT, detail=f"the app lacks the scope {missing_scope(error)}; `magpie doctor` says more"
        )
    if isinstance(error, NOT_CONNECTED):
        return RetryLater(NEVER_LEFT, detail=detail)  # it has surely not arrived
    if reason(word):
        return Undeliverable(reason(word), detail=detail)
    if word and word not in _TROUBLE:
        return Rejected(detail, detail=detail)
    return OutcomeUnknown(detail=detail)
