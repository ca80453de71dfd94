"""Command-line options of `magpie`: an argparse parser that speaks the terminal's language."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from bot.locales import say, terminal_language
from bot.types import Text

__all__ = ["parser"]

Action = Callable[[argparse.Namespace], int]

_FIRST = Text(
    "First steps: `magpie demo` shows the page, without an account. Then `cp .env.example .env`, put a key and a token "
    "into it, `magpie doctor` to check, `magpie run` to serve. Settings come from the environment, .env and "
    "magpie.toml; docs/operating.md explains each."
)


def parser(actions: Mapping[str, Action]) -> argparse.ArgumentParser:
    """The parser. `actions` are what the commands do, by their names; a parsed line has its own as `run`."""
    whole = _Parser(prog="magpie", description=_said(Text("A chat bot service you host yourself.")))
    whole.add_argument(
        "--version",
        action="version",
        version=f"magpie {version('magpie-bot')}",
        help=_said(Text("show the version and exit")),
    )
    commands = whole.add_subparsers(metavar=_said(Text("COMMAND")), title=_said(Text("commands")), parser_class=_Parser)
    for name, (help_, add) in _COMMANDS.items():
        command = commands.add_parser(name, help=_said(help_), description=_said(help_))
        add(command)
        command.set_defaults(run=actions[name])
    return whole


class _Parser(argparse.ArgumentParser):
    """With a first step at the end of its help, and its headings in the terminal's language."""

    def __init__(self, *, prog: str, description: str | None = None, **_: object) -> None:
        super().__init__(prog=prog, description=description, epilog=_said(_FIRST), add_help=False)
        self._positionals.title = _said(Text("arguments"))
        self._optionals.title = _said(Text("options"))
        self.add_argument("-h", "--help", action="help", help=_said(Text("show this help and exit")))

    def format_usage(self) -> str:
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups, _said(Text("usage: ")))
        return formatter.format_help()

    def error(self, message: str) -> NoReturn:
        """Exit code 2, with what argparse complains about in the terminal's language."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {_complaint(message)}\n")

    def format_help(self) -> str:
        """The usage, in our words, in place of argparse's."""
        rest = super().format_help()
        return f"{self.format_usage()}{rest[rest.index(chr(10) * 2) + 1 :]}"


# What argparse complains of (3.11 to 3.13; it has no translations of its own) -> the same in our words.
_COMPLAINTS = (
    (r"argument (?P<name>.+?): invalid choice: '?(?P<got>.*?)'? \(choose from .*\)", Text("there is no {name} {got}.")),
    (r"argument (?P<name>.+?): invalid \w+ value: (?P<got>.+)", Text("{name} takes a number, got {got}.")),
    (r"argument (?P<name>.+?): expected .*argument.*", Text("{name} takes a value, and there is none.")),
    (r"argument (?P<name>.+?): ignored explicit argument (?P<got>.+)", Text("{name} takes no value, got {got}.")),
    (r"argument (?P<name>.+?): (?P<why>.+)", Text("{name} {why}")),
    (r"the following arguments are required: (?P<name>.+)", Text("{name} is missing.")),
    (r"unrecognized arguments: (?P<got>.+)", Text("{got} is not known here.")),
    (r"ambiguous option: (?P<got>\S+) could match (?P<names>.+)", Text("{got} may be {names}: write it out.")),
)


def _complaint(message: str) -> str:
    for pattern, words in _COMPLAINTS:
        if found := re.fullmatch(pattern, message):
            said = say(words, terminal_language(), **found.groupdict())
            near = difflib.get_close_matches(found.groupdict().get("got", ""), _COMMANDS, 1)
            return said + _said(Text(" Did you mean {nearest}?", {"nearest": near[0]})) if near else said
    return message


def _said(words: Text) -> str:
    return say(words, terminal_language())


def _demo(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--port",
        type=int,
        metavar=_said(Text("NUMBER")),
        help=_said(Text("where the page is served (HTTP_PORT, 8080)")),
    )
    command.add_argument("--open", action="store_true", help=_said(Text("open the page in a browser")))
    words = Text("tokens per second of the sandbox (20)")
    command.add_argument("--rate", type=_above_zero, metavar=_said(Text("NUMBER")), default=20.0, help=_said(words))


def _above_zero(word: str) -> float:
    value = float(word)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(_said(Text("must be a number above 0")))
    return value


def _ask(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    words = Text("the question; '-' or nothing reads it from standard input")
    add("question", nargs="*", metavar=_said(Text("QUESTION")), help=_said(words))
    add(
        "--image",
        action="append",
        default=[],
        type=Path,
        metavar=_said(Text("FILE")),
        help=_said(Text("a picture to ask about; may be given several times")),
    )
    add(
        "--model",
        metavar=_said(Text("MODEL")),
        help=_said(Text("the model to ask (CHAT_MODEL; VISION_MODEL if there is a picture)")),
    )
    add("--system", metavar=_said(Text("PROMPT")), default="", help=_said(Text("the system prompt")))
    add(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar=_said(Text("NAME=VALUE")),
        help=_said(
            Text("a setting, such as temperature=0.7, search=on or translate=German; may be given several times")
        ),
    )
    add("--json", action="store_true", help=_said(Text("print one JSON object: text, outcome, model, usage, cost")))
    add("--list-models", action="store_true", help=_said(Text("list the models with their prices and abilities")))
    add("--sandbox", action="store_true", help=_said(Text("ask the built-in sandbox: no account, no key")))


def _manifest(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help=_said(Text("as JSON instead of YAML")))
    command.add_argument(
        "--account", metavar=_said(Text("NAME")), default="", help=_said(Text("for this account of magpie.toml"))
    )


def _database(command: argparse.ArgumentParser) -> None:
    words = Text("upgrade: create it, or bring it to this version")
    command.add_argument("action", choices=["upgrade"], metavar=_said(Text("ACTION")), help=_said(words))


def _nothing(command: argparse.ArgumentParser) -> None:
    """No options of its own."""


_COMMANDS: Mapping[str, tuple[Text, Callable[[argparse.ArgumentParser], None]]] = {
    "demo": (Text("the local page; with a sandbox model if CHAT_API_KEY is not set"), _demo),
    "run": (Text("the service, on every platform that is switched on"), _nothing),
    "ask": (Text("one question, answered on the terminal"), _ask),
    "doctor": (Text("check settings, database, key and platforms, and say what to do"), _nothing),
    "manifest": (Text("the app manifest of a workspace's bot, to paste where its platform makes apps"), _manifest),
    "db": (Text("look after the database"), _database),
}
