"""Command answers: how they are written: Markdown in which a person's words stay words."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from bot.errors import MagpieError
from bot.locales import say
from bot.money.alerts import AlertMessage
from bot.money.price import show
from bot.types import Json, Money, Text

__all__ = ["Markdown", "ago", "code", "count", "fence", "harmless", "plain", "value", "written"]

# An underscore inside of a word is no markup: "top_p" stays readable where Markdown is not. A bracket is left alone but
# where it would make a link: with a backslash before it, it would begin a formula.
_MARKUP = re.compile(r"[\\`*~<>|$]|(?<!\w)_|_(?!\w)|\](?=\()")
_LINES = re.compile(r"\s*\n\s*")


class Markdown(str):
    """Words that are Markdown already."""

    __slots__ = ()


def plain(words: str) -> Markdown:
    """Words without markup, as Markdown on one line."""
    return Markdown(_MARKUP.sub(r"\\\g<0>", _LINES.sub(" ", words)))


def code(words: str) -> Markdown:
    """A code span that holds any words."""
    words = _LINES.sub(" ", words).strip() or " "
    ticks = "`" * (_longest_run("`", words) + 1)
    air = " " if words.startswith("`") or words.endswith("`") else ""
    return Markdown(f"{ticks}{air}{words}{air}{ticks}")


def fence(words: str) -> Markdown:
    """A block of code that holds any words."""
    ticks = "`" * max(3, _longest_run("`", words) + 1)
    return Markdown(f"{ticks}\n{words}\n{ticks}")


def value(setting: Json, language: str) -> str:
    """A setting's value as a person would write it: on, 0.7, "END" "完"."""
    match setting:
        case bool():
            return say("on" if setting else "off", language)
        case list():
            return " ".join(value(each, language) for each in setting)
        case _:
            return orjson.dumps(setting).decode() if not isinstance(setting, int) else str(setting)


def written(message: AlertMessage, language: str) -> str:
    """An alert as Markdown."""

    def one(words: Text) -> str:
        return say(words.id, language, **harmless(words.data, language))

    parts = [one(message.head), "\n".join(f"- {one(line)}" for line in message.lines), *map(one, message.feet)]
    return "\n\n".join(part for part in parts if part)


def count(number: int) -> str:
    return f"{number:,}"


def ago(milliseconds: int) -> Text:
    """How long ago something was."""
    minutes = max(0, milliseconds) // 60_000
    if minutes < 1:
        return Text("just now")
    if minutes < 60:
        return Text("{n} min ago", {"n": minutes})
    if minutes < 48 * 60:
        return Text("{n} h ago", {"n": minutes // 60})
    return Text("{n} days ago", {"n": minutes // (24 * 60)})


def harmless(data: Mapping[str, object], language: str) -> dict[str, object]:
    """Data for a Markdown sentence: what may hold markup is escaped; Markdown and numbers stay."""
    return {name: _harmless(each, language) for name, each in data.items()}


def _harmless(each: object, language: str) -> object:
    if isinstance(each, Markdown | int | float):
        return each
    if isinstance(each, Money):
        return plain(show(each, language))
    if isinstance(each, list | tuple):
        return [_harmless(one, language) for one in each]
    if isinstance(each, Text | MagpieError):
        return Markdown(say(each, language, **harmless(each.data, language)))
    return plain(str(each))


def _longest_run(sign: str, words: str) -> int:
    return max((len(run) for run in re.findall(f"{re.escape(sign)}+", words)), default=0)
