"""Language names: the languages that the translation models know, by any of their names."""

from __future__ import annotations

import csv
import re
import unicodedata
from functools import cache
from importlib.resources import files

from bot.errors import InvalidRequest

__all__ = ["ENGLISH", "chinese", "listing", "resolve"]


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("bot.languages") / "data" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


_CHINESE = {row["en"]: row["zh"] for row in _rows("languages.csv")}
ENGLISH: tuple[str, ...] = tuple(_CHINESE)
_REGION = re.compile(r"(?P<language>[A-Za-z]{2,3})[-_](?P<region>[A-Za-z]{2,4}|[0-9]{3})(?:[-_][A-Za-z0-9]{2,8})*")
_ASIDE = re.compile(r"[(（][^)）]*[)）]")
_SHORT_LIST = ENGLISH[:8]


def chinese(name: str) -> str:
    """The Chinese name of a language given by its English one; KeyError if there is none."""
    return _CHINESE[name]


def listing(language: str) -> list[tuple[str, str]]:
    """Each language's English name, and what it is called in the one that somebody speaks."""
    return [(name, zh if language.lower().startswith("zh") else name) for name, zh in _CHINESE.items()]


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def resolve(name: str) -> str:
    """The English name of a language called by any usual name: "中文", "zh-CN", "Deutsch", "FR"."""
    found = _named(name) or _named(_ASIDE.sub("", name)) or _of_region(name)
    if found is None:
        raise InvalidRequest(
            "{got} is not supported. Supported: {some}, and {count} more; /translate shows them all",
            got=name.strip()[:40] or "''",
            some=", ".join(_SHORT_LIST),
            count=len(ENGLISH) - len(_SHORT_LIST),
        )
    return found


def _named(name: str) -> str | None:
    asked, names = _folded(name), _names()
    return names.get(asked) or names.get(_without_accents(asked))


def _of_region(name: str) -> str | None:
    """ "fr-BE", "es_419": but "zh-en" are two languages."""
    found = _REGION.fullmatch(unicodedata.normalize("NFKC", name).strip())
    if found is None or (not found["region"].isupper() and _named(found["region"]) is not None):
        return None
    return _named(found["language"])


@cache
def _names() -> dict[str, str]:
    names: dict[str, str] = {}
    for english, zh in _CHINESE.items():
        names |= {_folded(english): english, _folded(zh): english}
    for row in _rows("language_names.csv"):
        for word in (*row["codes"].split(), *row["names"].split("|")):
            names[_folded(word)] = row["en"]
    return names


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_]+", "-", plain.strip(" \t\n.,;:!。，、！'\"“”()（）[]"))


def _without_accents(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", name) if not unicodedata.combining(char))
