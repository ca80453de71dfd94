"""The `magpie` command."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial

from bot.errors import MagpieError, SettingError
from bot.locales import say, terminal_language
from bot.options import parser
from bot.privacy import keep_private
from bot.service.variables import unknown_variables

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 well, 1 it did not work out, 2 a setting or an argument is wrong, 130 interrupted."""
    options = parser(_ACTIONS).parse_args(arguments)
    if "run" not in options:  # nothing was said: what there is to say
        parser(_ACTIONS).print_help(sys.stderr)
        return 2
    keep_private()
    try:
        return int(options.run(options))
    except SettingError as error:
        for each in (error, *error.others):
            print(f"magpie: {say(each, terminal_language())}", file=sys.stderr)
        _tell_misspelt()
        return 2
    except MagpieError as error:
        print(f"magpie: {say(error, terminal_language())}", file=sys.stderr)
        if error.detail:
            print(f"        {error.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in its buffer goes nowhere
        return 1


def _announce(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell_misspelt() -> None:
    """What is missing may be there, under another name."""
    from bot.service.app import known_variables

    for words in unknown_variables(known_variables()):
        print(f"magpie: {say(words, terminal_language())}", file=sys.stderr)


def _demo(options: argparse.Namespace) -> int:
    from bot.service.app import run
    from bot.service.demo import demo

    os.environ["WEB"] = "on"
    if options.port is not None:
        os.environ["HTTP_PORT"] = str(options.port)
    asyncio.run(demo(run, rate=options.rate, announce=_announce, browse=options.open))
    return 0


def _run(_options: argparse.Namespace) -> int:
    from bot.service.app import run

    asyncio.run(run(announce=_announce))
    return 0


def _ask(options: argparse.Namespace) -> int:
    from bot.ask import ON_TERMINAL, Question, ask, list_models

    if options.list_models:
        return asyncio.run(list_models(sandbox=options.sandbox, as_json=options.json))
    from adapters.terminal.adapter import TerminalAdapter
    from storage import open_store

    words = " ".join(options.question)
    if words in ("", "-") and not (options.image and sys.stdin.isatty()):
        words = sys.stdin.read()
    question = Question(words.strip(), options.image, options.model, options.system, options.settings)
    terminal = partial(TerminalAdapter, language=terminal_language(), options=ON_TERMINAL, quiet=options.json)
    return asyncio.run(
        ask(
            question,
            terminal,
            lambda clock: open_store("sqlite://", owner="ask", clock=clock),
            sandbox=options.sandbox,
            as_json=options.json,
        )
    )


def _doctor(_options: argparse.Namespace) -> int:
    from bot.service.app import doctor

    return asyncio.run(doctor(tell=print))


def _manifest(options: argparse.Namespace) -> int:
    from adapters import tables
    from adapters.slack.manifest import written
    from bot.service.accounts import account_named
    from bot.service.config import load_toml

    table = None
    if options.account:
        table = account_named(load_toml(platforms=tables()).accounts, "slack", options.account)
    print(written(table, as_json=options.json))
    return 0


def _database(_options: argparse.Namespace) -> int:
    from bot.service.app import upgrade

    asyncio.run(upgrade(announce=_announce))
    return 0


_ACTIONS = {
    "demo": _demo,
    "run": _run,
    "ask": _ask,
    "doctor": _doctor,
    "manifest": _manifest,
    "db": _database,
}


if __name__ == "__main__":
    sys.exit(main())
