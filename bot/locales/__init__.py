"""Localization: what the bot says, in a person's language. English is the source: its sentences are the gettext message
ids.

The .po files are read at first use, so nothing compiled is kept. A sentence without a translation is said in English; a
brace that nothing fills stands as it is. Nothing here raises: words for people are most needed when all else failed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bot.errors import MagpieError, SettingError
from bot.money import price
from bot.types import Money, Text

__all__ = ["LANGUAGES", "available", "learn", "say", "terminal_language"]

LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}  # code -> its name for itself

_FOLDERS = [Path(__file__).parent]
_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")


def say(words: Text | MagpieError | str, language: str, /, **data: object) -> str:
    """`words` in `language` (BCP 47). `data` is added to theirs; a Text, an error or Money in it is said likewise."""
    if isinstance(words, str):
        return _fill(_sentence(words, language), data, language)
    if isinstance(words, Text):
        return _fill(_sentence(words.id, language), {**words.data, **data}, language)
    said = _fill(_sentence(words.text, language), {**words.data, **data}, language)
    return f"{words.name}: {said}" if isinstance(words, SettingError) else said


def available(language: str) -> str:
    """The language of ours that is nearest to a BCP 47 tag: "zh-Hans-CN" -> "zh", "fr" -> "en"."""
    primary = _primary(language)
    return primary if primary in LANGUAGES else "en"


def _primary(language: str) -> str:
    return re.split(r"[-_.]", language.strip().lower(), maxsplit=1)[0]


def learn(folder: Path) -> None:
    """Sentences of an adapter's own: `folder` holds <language>/LC_MESSAGES/magpie.po, as this one does."""
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)
        _catalogue.cache_clear()


def terminal_language() -> str:
    """The language of the terminal that we were started from (GNU gettext: locale environment variables, the LANGUAGE
    variable, which counts unless the locale is "C")."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "C")
    plain = locale.partition(".")[0] in ("C", "POSIX")
    listed = [] if plain else os.environ.get("LANGUAGE", "").split(":")
    return next((each for each in listed if _primary(each) in LANGUAGES), "en" if plain else locale)


def _sentence(id: str, language: str) -> str:
    # gettext answers the empty id with the catalogue's header
    return _catalogue(available(language)).gettext(id) if id else ""


@cache
def _catalogue(language: str) -> NullTranslations:
    found = NullTranslations()
    for folder in _FOLDERS:
        path = folder / language / "LC_MESSAGES" / "magpie.po"
        if language != "en" and path.exists():
            found = _compiled(path, language, found)
    return found


def _compiled(path: Path, language: str, fallback: NullTranslations) -> GNUTranslations:
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    translations = GNUTranslations(compiled)
    translations.add_fallback(fallback)
    return translations


def _fill(sentence: str, data: Mapping[str, object], language: str) -> str:
    """One pass, so that a brace inside of the data is only a brace. Without data a sentence has no fields."""
    if not data:
        return sentence

    def fill(field: re.Match[str]) -> str:
        name = field[1]
        if name is None:
            return field[0][0]
        return _shown(data[name], language) if name in data else field[0]

    return _FIELD.sub(fill, sentence)


def _shown(value: object, language: str) -> str:
    if isinstance(value, Text | MagpieError):
        return say(value, language)
    if isinstance(value, Money):
        return price.show(value, language)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list | tuple):
        return ("、" if available(language) == "zh" else ", ").join(_shown(each, language) for each in value)
    return str(value)
