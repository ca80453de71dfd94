"""Command list that clients offer (Bot API: setMyCommands), per scope and language."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from aiogram.methods import SetMyCommands
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeDefault,
)

from adapters.telegram.wire import Wire

__all__ = ["register"]

Listed = Callable[[str], Sequence[tuple[str, str]]]

_LANGUAGES = (("en", None), ("zh", "zh"))  # ours, and the platform's: None is everybody else
_SCOPES = (BotCommandScopeDefault, BotCommandScopeAllPrivateChats, BotCommandScopeAllGroupChats)
_NAME = re.compile(r"[a-z0-9_]{1,32}")
_MOST, _DESCRIPTION = 100, 256


async def register(wire: Wire, listed: Listed) -> None:
    """Tell the platform what can be said. AiogramError; without it everything else works."""
    for language, code in _LANGUAGES:
        commands = [
            BotCommand(command=name, description=words.strip()[:_DESCRIPTION])
            for name, words in listed(language)
            if _NAME.fullmatch(name) and words.strip()
        ][:_MOST]
        for scope in _SCOPES:
            await wire.call(SetMyCommands(commands=commands, scope=scope(), language_code=code))
