"""Commands: what people can say to the bot, as a table, the same on every platform.

A command reads, and answers with a `Reply`: words, a menu, and the effects the store is to have. It writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo

from bot.commands.base import Command, Context, GatewayFacts, Invocation, ModelBook, Topic
from bot.commands.help import near, unknown
from bot.commands.table import BY_NAME, TABLE
from bot.commands.writing.forms import markdown_here, prefix, typed
from bot.errors import InvalidRequest
from bot.intake.access import Access, is_access
from bot.locales import say
from bot.money.alerts import Rules
from bot.settings.overlay import effective
from bot.types import Chat, ChatSettings, Reader, Reply, SetSetting, Text, TurnKind, TurnState

__all__ = ["TABLE", "Command", "Commands", "Context", "GatewayFacts", "ModelBook", "listing", "parse"]


_COMMAND = re.compile(r"[/／](\w{1,32})(?:\s+(.*))?", re.DOTALL)
_POINTED = re.compile(r"[/／](\w{1,32})(?:[.,!;](?=\s|$)|[:：，。！；、])\s*(.*)", re.DOTALL)  # "/help.", "/翻译：英文"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STOP = re.compile(r"(?:stop|停|停止|停下)[.!。！]*", re.IGNORECASE)
_UNUSED = Text("What you sent with the command was not looked at. To ask about it, send it without one.")
_HERE = re.compile(r"(?:here|这里|此处)(?:\s+|$)", re.IGNORECASE)


def parse(text: str) -> tuple[str, str] | None:
    """ "/set temperature 0.7" -> ("set", "temperature 0.7"); None for what is no command ("/usr/bin", "/ hi")."""
    typed_so = typed(text).strip()
    pointed = _POINTED.fullmatch(typed_so)
    if pointed is not None and pointed[1].lower() in BY_NAME:
        return pointed[1].lower(), pointed[2].strip()
    found = _COMMAND.fullmatch(typed_so)
    if found is None:
        return None
    name = found[1].lower()
    if name not in BY_NAME and not _NAME.fullmatch(name) and not near(name, TABLE):
        return None
    return name, (found[2] or "").strip()


def listing(language: str) -> list[tuple[str, str]]:
    """(name, what it does) of what everybody may say, for platforms that offer a list."""
    return [(each.name, say(each.line, language)) for each in TABLE if each.topic is not Topic.ADMIN]


class Commands:
    """`defaults` is what holds in a chat where nobody has set anything; `zone` is where a day begins and ends."""

    def __init__(
        self,
        reader: Reader,
        models: ModelBook,
        defaults: Callable[[Chat], ChatSettings],
        gateway: GatewayFacts,
        zone: tzinfo = UTC,
        access: Access | None = None,
        rules: Rules | None = None,
    ) -> None:
        self._reader = reader
        self._models = models
        self._defaults = defaults
        self._gateway = gateway
        self._zone = zone
        self._access = access or Access(reader)
        self._rules = rules or Rules(gateway.name, topup_url=gateway.topup_url, key_url=gateway.key_url)

    def for_strangers(self, text: str) -> bool:
        """Is it a command that people may give who have not been let in?"""
        parsed = parse(text)
        command = BY_NAME.get(parsed[0]) if parsed else None
        return command is not None and command.strangers

    def knows(self, text: str) -> bool:
        """Is it one of the commands?"""
        parsed = parse(text)
        return parsed is not None and parsed[0] in BY_NAME

    async def run(self, context: Context, text: str) -> Reply | None:
        """The answer to a command. None: it is no command, or an unknown one with files, which are asked about."""
        parsed = parse(text) or await self._bare(context, text)
        if parsed is None:
            return None
        name, words = parsed
        command = BY_NAME.get(name)
        if command is None and context.attached:
            return None
        call = await self._call(context, command, words)
        reply = unknown(call, name, TABLE) if command is None else await self._answer(call, command)
        if context.attached and reply.ask is None:
            said = call.say(_UNUSED) if reply.ephemeral else f"{reply.text}\n\n{call.say(_UNUSED)}"
            reply = replace(reply, text=said, ephemeral=False)
        return replace(reply, text=markdown_here(reply.text, prefix(context.features, context.chat), BY_NAME))

    async def _answer(self, call: Invocation, command: Command) -> Reply:
        context = call.context
        try:
            reply = await command.run(call)
        except InvalidRequest as error:
            return call.refuse(error)
        if (
            command.admin_only
            and not context.may_change
            and any(isinstance(each, SetSetting) for each in reply.effects)
        ):
            return call.refuse(InvalidRequest("Only admins of this bot can change a group's settings."))
        return reply

    async def _bare(self, context: Context, text: str) -> tuple[str, str] | None:
        """ "stop" without a slash means that, while an answer grows. Where each message is translated it is a word like
        any other."""
        if context.is_press or context.attached or not _STOP.fullmatch(text.strip()):
            return None
        turns = await self._reader.open_turns(context.chat)
        if not any(turn.kind is TurnKind.QUESTION and turn.state is TurnState.RUNNING for turn in turns):
            return None
        held = effective(self._defaults(context.chat), await self._reader.settings(context.chat))
        return None if held.translation is not None else ("stop", "")

    async def _call(self, context: Context, command: Command | None, words: str) -> Invocation:
        rows = [row for row in await self._reader.settings(context.chat) if not is_access(row)]
        threaded = context.chat.thread is not None
        defaults = self._defaults(context.chat)
        settings = effective(defaults, rows)
        found = _HERE.match(words) if command is not None and command.here and (threaded or not command.free) else None
        return Invocation(
            context=context,
            words=words[found.end() :] if found else words,
            here=threaded and found is not None,
            reader=self._reader,
            models=self._models,
            gateway=self._gateway,
            defaults=defaults,
            rows=rows,
            settings=settings,
            language=settings.language or context.author.language,
            access=self._access,
            rules=self._rules,
            zone=self._zone,
        )
