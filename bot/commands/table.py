"""The table of commands: what people can say to the bot, the same on every platform."""

from __future__ import annotations

from bot.commands.access import allow, claim, deny
from bot.commands.balance import alerts, balance
from bot.commands.base import Command, Invocation, Topic
from bot.commands.help import by_name, help_, start
from bot.commands.models import model
from bot.commands.overview import settings, status, usage
from bot.commands.parameters import search, set_, system, think, unset
from bot.commands.reasoning import reasoning
from bot.commands.talk import continue_, language, new, retry, stop
from bot.commands.translation import translate
from bot.types import Reply, Text

__all__ = ["BY_NAME", "TABLE"]


async def _help(call: Invocation) -> Reply:
    return await help_(call, TABLE)


TABLE: tuple[Command, ...] = (
    Command("start", start, Topic.TALK, Text("Who I am and what I can do")),
    Command(
        "help", _help, Topic.TALK, Text("All commands, or one in detail"), Text("[command]"), ("/help set",), ("帮助",)
    ),
    Command(
        "new",
        new,
        Topic.TALK,
        Text("Start a new conversation, and forget what was said so far"),
        Text("[question]"),
        aliases=("新对话", "重新开始"),
    ),
    Command(
        "model",
        model,
        Topic.MODEL,
        Text("Choose the model that answers"),
        Text("[name]"),
        ("/model", "/model qwen-max", "/model 3", '/model "gpt-4"'),
        ("模型",),
        admin_only=True,
        here=True,
    ),
    Command("stop", stop, Topic.TALK, Text("Stop the answer, or what still waits"), Text("[all]"), aliases=("停止",)),
    Command("retry", retry, Topic.TALK, Text("Ask the last question again"), aliases=("重试",)),
    Command(
        "continue",
        continue_,
        Topic.TALK,
        Text("Continue an answer that was stopped or cut off"),
        aliases=("继续",),
    ),
    Command(
        "translate",
        translate,
        Topic.TRANSLATE,
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
        Topic.MODEL,
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
        Topic.MODEL,
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
        Topic.MODEL,
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
        Topic.MODEL,
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
        Topic.SETTINGS,
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
        Topic.SETTINGS,
        Text("Give a setting its default back"),
        Text("name | all"),
        ("/unset temperature", "/unset all"),
        ("取消设置",),
        admin_only=True,
        here=True,
    ),
    Command(
        "settings", settings, Topic.SETTINGS, Text("All settings, and where each comes from"), aliases=("查看设置",)
    ),
    Command(
        "language",
        language,
        Topic.SETTINGS,
        Text("The language of my own words in this chat"),
        Text("en | zh | auto"),
        ("/language zh", "/language auto"),
        ("语言",),
        admin_only=True,
        here=True,
    ),
    Command("status", status, Topic.SETTINGS, Text("The model, and what is being answered"), aliases=("状态",)),
    Command("usage", usage, Topic.SETTINGS, Text("Tokens and cost of this chat"), aliases=("用量",)),
    Command(
        "allow",
        allow,
        Topic.ADMIN,
        Text("Let a person in, or this group; list who is in; take somebody off the list"),
        Text("[id | id admin | list | remove id]"),
        ("/allow 12345", "/allow", "/allow list", "/allow remove 12345", "/allow 12345 admin"),
        ("允许",),
    ),
    Command(
        "deny",
        deny,
        Topic.ADMIN,
        Text("Block a person, or shut this group out"),
        Text("[id]"),
        ("/deny 12345", "/deny"),
        ("禁止",),
    ),
    Command("balance", balance, Topic.ADMIN, Text("The balance, and how long it will last"), aliases=("余额",)),
    Command(
        "alerts",
        alerts,
        Topic.ADMIN,
        Text("Who is alerted when the balance is low; mute that, or test it"),
        Text("[mute time | on | test]"),
        ("/alerts mute 2h", "/alerts on", "/alerts test"),
        ("提醒",),
    ),
    Command(
        "claim",
        claim,
        Topic.ADMIN,
        Text("Become admin, with the code that Magpie shows at its first start"),
        Text("code"),
        ("/claim K7QX-M2PD",),
        ("认领",),
        strangers=True,
    ),
)

BY_NAME = by_name(TABLE)
