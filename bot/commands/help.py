"""/start and /help, and what is said to a command that isn't one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from bot.commands.base import Command, Invocation, Topic
from bot.commands.writing.forms import prefix
from bot.commands.writing.wording import Markdown, code
from bot.gateways.parameters import PARAMETERS
from bot.types import Choice, Features, Menu, Reply, Text

__all__ = ["by_name", "help_", "near", "question_here", "start", "unknown"]

_NEAR = 0.6  # how alike a name must be to be suggested
_NEAR_IN_CHINESE = 0.5  # a name has two characters there, of which one is wrong


async def start(call: Invocation) -> Reply:
    ways = (
        (Choice(call.label("Choose a model"), "/model"), Choice(call.label("All commands"), "/help")),
        (Choice(call.label("Settings"), "/settings"), Choice(call.label("Language"), "/language")),
    )
    return call.reply(
        call.say("I am Magpie. Ask me anything: the model {model} answers.", model=code(call.settings.model)),
        call.say(
            "Send a picture and ask about it, too. I can translate every message ({translate}), search the web "
            "({search}), and be who you want ({system}).",
            translate=code("/translate English"),
            search=code("/search on"),
            system=code("/system …"),
        ),
        call.say("For example: *Explain in three sentences why the sky is blue.*"),
        menu=Menu(ways),
    )


async def help_(call: Invocation, table: Sequence[Command]) -> Reply:
    """What can be said here by this person, or one command in detail."""
    asked = call.words.lstrip("/／").split()[:1]
    names = by_name(table)
    if asked and asked[0].lower() in names:
        return _about(call, names[asked[0].lower()])
    if asked:
        return unknown(call, asked[0], table)
    how = call.say("Just write to me, or send a picture and ask about it.")
    if call.context.group:
        how = call.say("Here I answer when I am mentioned or replied to; pictures too.")
    offered = [each for each in table if _is_offered(call, each)]
    topics = [
        "\n".join(
            [f"**{call.say(topic.value)}**", *(f"- {_line(call, each)}" for each in offered if each.topic is topic)]
        )
        for topic in Topic
        if any(each.topic is topic for each in offered)
    ]
    ways = (
        Choice(call.label("Choose a model"), "/model"),
        Choice(call.label("Translation"), "/translate"),
        Choice(call.label("Settings"), "/settings"),
    )
    more = call.say("More about one of them: {command}", command=code("/help set"))
    return call.reply(how, *topics, more, menu=Menu((ways,)))


def _is_offered(call: Invocation, command: Command) -> bool:
    """Is it of use to this person here?"""
    context, admin = call.context, call.context.author.admin
    match command.name:
        case "start" | "help":
            return False
        case "claim":
            return not admin and not context.group and call.access.code.tries(context.who) > 0
        case "think":
            models = [call.models.info(call.settings.model), *call.models.all()]
            return any(info.thinking is not False for info in models)
    return admin or not (command.topic is Topic.ADMIN or (command.admin_only and context.group))


def by_name(table: Sequence[Command]) -> Mapping[str, Command]:
    return {name: each for each in table for name in (each.name, *each.aliases)}


def near(name: str, table: Sequence[Command]) -> str:
    """The nearest of all names and aliases; '' if none is near."""
    names = [each for each in by_name(table) if each.isascii() == name.isascii()]
    found = difflib.get_close_matches(name.lower(), names, 1, _NEAR if name.isascii() else _NEAR_IN_CHINESE)
    return found[0] if found else ""


def unknown(call: Invocation, name: str, table: Sequence[Command]) -> Reply:
    """A short answer to a command that isn't one, with the nearest that is."""
    meant = near(name, table)
    said = call.say("I do not know the command {command}.", command=code(f"/{name}"))
    hint = call.say("Did you mean {command}?", command=code(f"/{meant}")) if meant else ""
    everything = call.say("{command} lists all of them.", command=code("/help"))
    ways = dict.fromkeys((*([meant] if meant else ()), "help"))
    here = prefix(call.context.features, call.context.chat)
    menu = Menu((tuple(Choice(f"{here}{each}", f"/{each}") for each in ways),))
    question = call.say(question_here(call.context.features)) if call.context.is_press else ""
    return call.reply(said, hint, everything, question, menu=menu, error=True)


def question_here(features: Features) -> Text | str:
    """To whoever types a question where only commands can be; '' where everything can."""
    if features.prefix == Features().prefix:
        return ""
    return Text("To ask me something, write to me directly or mention me, without the slash command.")


def _about(call: Invocation, command: Command) -> Reply:
    examples = ", ".join(code(each) for each in command.examples)
    here = call.say(
        "With the word here it holds for this thread only: {command}", command=code(f"/{command.name} here …")
    )
    return call.reply(
        _line(call, command),
        call.say("For example: {examples}", examples=Markdown(examples)) if examples else "",
        _parameters(call) if command.name == "set" else "",
        here if command.here and call.context.chat.thread is not None else "",
    )


def _parameters(call: Invocation) -> str:
    lines = [call.say("{name}: {what}", name=code(each.name), what=each.hint) for each in PARAMETERS.values()]
    return "\n".join([call.say("What can be set:"), "", *(f"- {line}" for line in lines)])


def _line(call: Invocation, command: Command) -> Markdown:
    usage = call.label(command.usage) if command.usage else ""
    return call.say("{name}: {what}", name=code(f"/{command.name} {usage}".rstrip()), what=command.line)
