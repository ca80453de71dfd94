"""The `magpie` command."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bot.errors import MagpieError, SettingError
from bot.locales import say, terminal_language

__all__ = ["main"]

_EPILOG = "Settings come from the environment, .env and magpie.toml: see README.md and .env.example."


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 well, 1 it did not work out, 2 a setting or an argument is wrong, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SettingError as error:
        print(f"magpie: {say(error, terminal_language())}", file=sys.stderr)
        return 2
    except MagpieError as error:
        print(f"magpie: {say(error, terminal_language())}", file=sys.stderr)
        if error.detail:
            print(f"        {error.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="magpie", description="A chat bot service you host yourself.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"magpie {version('magpie-bot')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo", help="the local page; with a sandbox model if CHAT_API_KEY is not set", epilog=_EPILOG
    )
    demo.add_argument("--port", type=int, help="where the page is served (HTTP_PORT, 8080)")
    demo.add_argument("--rate", type=float, default=20.0, help="tokens per second of the sandbox (20)")
    demo.set_defaults(run=_demo)

    run = commands.add_parser("run", help="the service, on every platform that is switched on", epilog=_EPILOG)
    run.set_defaults(run=_run)

    ask = commands.add_parser("ask", help="one question, answered on the terminal", epilog=_EPILOG)
    ask.add_argument("question", nargs="*", help="the question; '-' or nothing reads it from standard input")
    ask.add_argument("--image", action="append", default=[], type=Path, metavar="FILE", help="a picture to ask about")
    ask.add_argument("--model", help="the model to ask (CHAT_MODEL; VISION_MODEL if there is a picture)")
    ask.add_argument("--system", default="", help="the system prompt")
    ask.add_argument("--sandbox", action="store_true", help="ask the built-in sandbox: no account, no key")
    ask.set_defaults(run=_ask)

    doctor = commands.add_parser("doctor", help="check settings, database, key and platforms, and say what to do")
    doctor.set_defaults(run=_doctor)

    manifest = commands.add_parser("manifest", help="the app manifest to paste at api.slack.com/apps", epilog=_EPILOG)
    manifest.add_argument("--json", action="store_true", help="as JSON instead of YAML")
    manifest.set_defaults(run=_manifest)

    database = commands.add_parser("db", help="look after the database")
    database.add_argument("action", choices=["upgrade"], help="upgrade: create it, or bring it to this version")
    database.set_defaults(run=_database)
    return parser


def _announce(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _demo(options: argparse.Namespace) -> int:
    from bot.app import demo

    os.environ["WEB"] = "on"
    if options.port is not None:
        os.environ["HTTP_PORT"] = str(options.port)
    asyncio.run(demo(rate=options.rate, announce=_announce))
    return 0


def _run(_options: argparse.Namespace) -> int:
    from bot.app import run

    asyncio.run(run(announce=_announce))
    return 0


def _ask(options: argparse.Namespace) -> int:
    from bot.ask import ask

    words = " ".join(options.question)
    if words in ("", "-") and not (options.image and sys.stdin.isatty()):
        words = sys.stdin.read()
    return asyncio.run(
        ask(words.strip(), images=options.image, model=options.model, system=options.system, sandbox=options.sandbox)
    )


def _doctor(_options: argparse.Namespace) -> int:
    from bot.app import doctor

    return asyncio.run(doctor(tell=print))


def _manifest(options: argparse.Namespace) -> int:
    from adapters.slack.manifest import written

    print(written(as_json=options.json))
    return 0


def _database(_options: argparse.Namespace) -> int:
    from bot.app import upgrade

    asyncio.run(upgrade(announce=_announce))
    return 0


if __name__ == "__main__":
    sys.exit(main())
