"""/start and /help, and what is said to a command that isn't one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from bot.chat_api.parameters import PARAMETERS
from bot.commands.base import Call, Command
from bot.commands.wording import Markdown, code
from bot.types import Choice, Menu, Reply

__all__ = ["help_", "start", "unknown"]

_NEAR = 0.6  # how alike a name must be to be suggested


async def start(call: Call) -> Reply:
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


async def help_(call: Call, table: Sequence[Command]) -> Reply:
    """All commands, or one in detail."""
    asked = call.words.lstrip("/／").split()[:1]
    names = by_name(table)
    if asked and asked[0].lower() in names:
        return _about(call, names[asked[0].lower()])
    if asked:
        return unknown(call, asked[0], table)
    lines = [f"- {_line(call, each)}" for each in table]
    return call.reply("\n".join(lines), call.say("{command} tells more about one of them.", command=code("/help set")))


def by_name(table: Sequence[Command]) -> Mapping[str, Command]:
    return {name: each for each in table for name in (each.name, *each.aliases)}


def unknown(call: Call, name: str, table: Sequence[Command]) -> Reply:
    """A short answer to a command that isn't one, with the nearest that is."""
    near = difflib.get_close_matches(name.lower(), [each.name for each in table], 1, _NEAR)
    said = call.say("I do not know the command {command}.", command=code(f"/{name}"))
    hint = call.say("Did you mean {command}?", command=code(f"/{near[0]}")) if near else ""
    everything = call.say("{command} lists all of them.", command=code("/help"))
    return call.reply(said, hint, everything, menu=_ways(near), error=True)


def _ways(near: Sequence[str]) -> Menu:
    return Menu((tuple(Choice(f"/{name}", f"/{name}") for name in (*near, "help")),))


def _about(call: Call, command: Command) -> Reply:
    examples = "\n".join(f"- {code(each)}" for each in command.examples)
    here = call.say(
        "With the word here it holds for this thread only: {command}", command=code(f"/{command.name} here …")
    )
    return call.reply(
        _line(call, command),
        examples,
        _parameters(call) if command.name == "set" else "",
        here if command.here and call.context.chat.thread is not None else "",
    )


def _parameters(call: Call) -> str:
    lines = [call.say("{name}: {what}", name=code(each.name), what=each.hint) for each in PARAMETERS.values()]
    return "\n".join(f"- {line}" for line in lines)


def _line(call: Call, command: Command) -> Markdown:
    usage = call.label(command.usage) if command.usage else ""
    return call.say("{name}: {what}", name=code(f"/{command.name} {usage}".rstrip()), what=command.line)
