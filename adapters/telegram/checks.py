"""Health checks of `magpie doctor`: the server, the token, what groups let the bot see, and how updates come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from aiogram.exceptions import AiogramError
from aiogram.methods import GetMe, GetWebhookInfo

from adapters.kit.checks import PATIENCE, no_answer
from adapters.telegram.errors import is_rejected_token, translate
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.wire import Wire
from bot.types import Finding, Mark, Text

__all__ = ["checks"]

_MANY = 100  # updates that wait


async def checks(settings: TelegramSettings) -> list[Finding]:
    """What was found, in the order it matters. SettingError if what is set can't work together."""
    settings.check()
    wire = Wire(settings, seconds=PATIENCE)
    async with wire.kept():
        try:
            me = await wire.call(GetMe())
            webhook = await wire.call(GetWebhookInfo())
        except AiogramError as error:
            return [_unanswered(error, settings, wire)]
    return [_bot(me), _groups(me), *_updates(webhook, settings)]


def _unanswered(error: AiogramError, settings: TelegramSettings, wire: Wire) -> Finding:
    if is_rejected_token(error):
        words = Text("{token} is rejected. Copy it again from @BotFather (/mybots, API Token).")
        return Finding(Mark.WRONG, replace(words, data={"token": settings.place("telegram_bot_token")}))
    reason = translate(error, wire.secrets).detail
    return no_answer(settings.telegram_api_url, reason, settings.place("telegram_proxy"), settings.proxy)


def _bot(me: Mapping[str, Any]) -> Finding:
    return Finding(Mark.OK, Text("The bot is @{name}.", {"name": me.get("username", "")}))


def _groups(me: Mapping[str, Any]) -> Finding:
    if not me.get("can_join_groups", True):
        return Finding(Mark.OK, Text("The bot can't be added to groups. @BotFather changes that with /setjoingroups."))
    if me.get("can_read_all_group_messages"):
        return Finding(
            Mark.OK,
            Text("Privacy mode is off: the bot sees all that is said in its groups; it answers if it is meant."),
        )
    return Finding(
        Mark.OK,
        Text(
            "Privacy mode is on: in groups the bot sees only commands, replies to it and messages that mention it, so "
            "of an album no more than one picture. To change that, turn it off at @BotFather (/setprivacy), then "
            "remove the bot from the group and add it again; or make it an admin there."
        ),
    )


def _updates(info: Mapping[str, Any], settings: TelegramSettings) -> list[Finding]:
    found = [Finding(Mark.OK, _way(str(info.get("url") or ""), settings))]
    reason = info.get("last_error_message")
    if reason and settings.telegram_mode == "webhook":
        found.append(Finding(Mark.WRONG, Text("The last push failed: {reason}", {"reason": reason})))
    waiting = int(info.get("pending_update_count") or 0)
    if waiting >= _MANY:
        found.append(Finding(Mark.ADVICE, Text("{count} updates wait to be taken.", {"count": waiting})))
    return found


def _way(url: str, settings: TelegramSettings) -> Text:
    """How updates come in, and what `magpie run` will change about it."""
    data = {"host": urlsplit(url).hostname or "", "url": settings.webhook_url}
    if settings.telegram_mode == "polling":
        if url:
            return Text("A webhook is set for {host}; `magpie run` removes it: TELEGRAM_MODE is polling.", data)
        return Text("Updates are fetched (TELEGRAM_MODE=polling).")
    if url == settings.webhook_url:
        return Text("Updates are pushed to {url}.", data)
    if url:
        return Text("A webhook is set for {host}; `magpie run` changes it to {url}.", data)
    return Text("No webhook is set yet; `magpie run` sets it to {url}.", data)
