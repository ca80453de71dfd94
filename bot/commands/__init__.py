"""What people can say to the bot: a table of commands, the same on every platform.

A command reads, and answers with a `Reply`: words, a menu, and the effects the store is to have. It writes nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo

from bot.access import Access, is_access
from bot.commands.access import allow, claim, deny
from bot.commands.balance import alerts, balance
from bot.commands.base import Call, Command, Context, GatewayFacts, ModelBook
from bot.commands.help import by_name, help_, start, unknown
from bot.commands.models import model
from bot.commands.overview import settings, status, usage
from bot.commands.parameters import search, set_, system, think, unset
from bot.commands.reasoning import reasoning
from bot.commands.talk import continue_, language, new, retry, stop
from bot.commands.translation import translate
from bot.errors import RequestRefused
from bot.locales import say
from bot.money.alerts import Rules
from bot.settings import effective
from bot.types import ChatSettings, Reader, Reply, Set, Text, TurnKind, TurnState

__all__ = ["TABLE", "Command", "Commands", "Context", "GatewayFacts", "ModelBook", "listing", "parse"]


async def _help(call: Call) -> Reply:
    return await help_(call, TABLE)


TABLE: tuple[Command, ...] = (
    Command("start", start, Text("Who I am and what I can do")),
    Command("help", _help, Text("All commands, or one in detail"), Text("[command]"), ("/help set",), ("帮助",)),
    Command(
        "new", new, Text("Start a new conversation: what was said so far is forgotten"), aliases=("新对话", "重新开始")
    ),
    Command(
        "model",
        model,
        Text("Choose the model that answers"),
        Text("[name]"),
        ("/model", "/model qwen-max", "/model 3", '/model "gpt-4"'),
        ("模型",),
        admin_only=True,
        here=True,
    ),
    Command("stop", stop, Text("Stop the answer that is growing"), Text("[question]"), aliases=("停止",)),
    Command("retry", retry, Text("Ask the last question again"), Text("[question]"), aliases=("重试",)),
    Command(
        "continue",
        continue_,
        Text("Go on with an answer that is only a part"),
        Text("[question]"),
        aliases=("继续",),
    ),
    Command(
        "translate",
        translate,
        Text("Translate every message instead of answering it"),
        Text("[language | language to language | off]"),
        ("/translate English", "/translate Chinese to English", "/translate off"),
        ("翻译",),
        admin_only=True,
        here=True,
    ),
    Command(
        "search",
        search,
        Text("Let the model search the web"),
        Text("on | off"),
        ("/search on", "/search off"),
        ("搜索", "联网"),
        admin_only=True,
        here=True,
    ),
    Command(
        "think",
        think,
        Text("Have the model think before it answers"),
        Text("on | off"),
        ("/think on", "/think off"),
        ("思考", "深度思考"),
        admin_only=True,
        here=True,
    ),
    Command(
        "reasoning",
        reasoning,
        Text("Show what a model thinks before it answers"),
        Text("off | brief | full"),
        ("/reasoning brief", "/reasoning off"),
        ("推理", "思考过程"),
        admin_only=True,
        here=True,
    ),
    Command(
        "system",
        system,
        Text("Tell the model who it is and how to answer"),
        Text("[words | off]"),
        ("/system You are a patient teacher. Answer in short sentences.", "/system off"),
        ("系统", "提示词"),
        admin_only=True,
        here=True,
        free=True,
    ),
    Command(
        "set",
        set_,
        Text("Change a parameter of the model"),
        Text("name value"),
        ("/set temperature 0.7", "/set max_tokens 800", '/set stop "END" "完"'),
        ("设置",),
        admin_only=True,
        here=True,
    ),
    Command(
        "unset",
        unset,
        Text("Give a setting its default back"),
        Text("name | all"),
        ("/unset temperature", "/unset all"),
        ("取消设置",),
        admin_only=True,
        here=True,
    ),
    Command("settings", settings, Text("Every setting, and where it comes from"), aliases=("查看设置",)),
    Command(
        "language",
        language,
        Text("The language of my own words in this chat"),
        Text("en | zh | auto"),
        ("/language zh", "/language auto"),
        ("语言",),
        admin_only=True,
        here=True,
    ),
    Command("status", status, Text("The model, what waits, the balance"), aliases=("状态",)),
    Command("usage", usage, Text("Tokens and cost of this chat"), aliases=("用量",)),
    Command(
        "allow",
        allow,
        Text("For admins: let a person in, or this group; or list who is in"),
        Text("[id | list]"),
        ("/allow 12345", "/allow", "/allow list"),
        ("允许",),
    ),
    Command(
        "deny",
        deny,
        Text("For admins: keep a person out, or this group"),
        Text("[id | list]"),
        ("/deny 12345", "/deny"),
        ("禁止",),
    ),
    Command("balance", balance, Text("For admins: the balance, and how long it will do"), aliases=("余额",)),
    Command(
        "alerts",
        alerts,
        Text("For admins: who is told when the balance is low; mute that, or test it"),
        Text("[mute time | on | test]"),
        ("/alerts mute 2h", "/alerts on", "/alerts test"),
        ("提醒",),
    ),
    Command(
        "claim",
        claim,
        Text("Become admin, with the code that Magpie shows at its first start"),
        Text("code"),
        ("/claim K7QX-M2PD",),
        ("认领",),
        strangers=True,
    ),
)

_BY_NAME = by_name(TABLE)
_FOR_ADMINS = ("allow", "deny", "claim", "balance", "alerts")
_COMMAND = re.compile(r"[/／](\w{1,32})(?:\s+(.*))?", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_STOP = re.compile(r"(?:stop|停|停止|停下)[.!。！]*", re.IGNORECASE)
_HERE = re.compile(r"(?:here|这里|此处)(?:\s+|$)", re.IGNORECASE)


def parse(text: str) -> tuple[str, str] | None:
    """ "/set temperature 0.7" -> ("set", "temperature 0.7"); None for what is no command ("/usr/bin", "/ hi")."""
    found = _COMMAND.fullmatch(text.strip())
    if found is None:
        return None
    name = found[1].lower()
    if name not in _BY_NAME and not _NAME.fullmatch(name):
        return None
    return name, (found[2] or "").strip()


def listing(language: str) -> list[tuple[str, str]]:
    """(name, what it does) of what everybody may say, for platforms that offer a list."""
    return [(each.name, say(each.line, language)) for each in TABLE if each.name not in _FOR_ADMINS]


class Commands:
    """`zone` is where a day begins and ends."""

    def __init__(
        self,
        reader: Reader,
        models: ModelBook,
        defaults: ChatSettings,
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
        command = _BY_NAME.get(parsed[0]) if parsed else None
        return command is not None and command.strangers

    def knows(self, text: str) -> bool:
        """Is it one of the commands?"""
        parsed = parse(text)
        return parsed is not None and parsed[0] in _BY_NAME

    async def run(self, context: Context, text: str) -> Reply | None:
        """The answer to a command. None: it is no command, or an unknown one that may be meant for somebody else."""
        parsed = parse(text) or await self._bare(context, text)
        if parsed is None:
            return None
        name, words = parsed
        command = _BY_NAME.get(name)
        if command is None and (context.attached or not context.addressed):
            return None
        call = await self._call(context, command, words)
        if command is None:
            return unknown(call, name, TABLE)
        try:
            reply = await command.run(call)
        except RequestRefused as error:
            return call.refuse(error)
        if command.admin_only and not _may_change(context) and any(isinstance(each, Set) for each in reply.effects):
            return call.refuse(RequestRefused("Only admins of this bot can change a group's settings."))
        return reply

    async def _bare(self, context: Context, text: str) -> tuple[str, str] | None:
        """ "stop" without a slash means that, while an answer grows. Where each message is translated it is a word like
        any other."""
        if context.is_press or context.attached or not _STOP.fullmatch(text.strip()):
            return None
        turns = await self._reader.open_turns(context.chat)
        if not any(turn.kind is TurnKind.QUESTION and turn.state is TurnState.RUNNING for turn in turns):
            return None
        held = effective(self._defaults, await self._reader.settings(context.chat))
        return None if held.translation is not None else ("stop", "")

    async def _call(self, context: Context, command: Command | None, words: str) -> Call:
        rows = [row for row in await self._reader.settings(context.chat) if not is_access(row)]
        threaded = context.chat.thread is not None
        settings = effective(self._defaults, rows)
        found = _HERE.match(words) if command is not None and command.here and (threaded or not command.free) else None
        return Call(
            context=context,
            words=words[found.end() :] if found else words,
            here=threaded and found is not None,
            reader=self._reader,
            models=self._models,
            gateway=self._gateway,
            defaults=self._defaults,
            rows=rows,
            settings=settings,
            language=settings.language or context.author.language,
            access=self._access,
            rules=self._rules,
            zone=self._zone,
        )


def _may_change(context: Context) -> bool:
    return not context.group or context.author.admin or context.may_change
