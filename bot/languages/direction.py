"""Translation direction: into which language a text goes in a chat that translates, and from which. Pure.

Lines are short and mixed: a language that can be told from the text comes first, then the one that was spoken here
last, then the person's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.errors import InvalidRequest
from bot.languages.detection import Reading, languages_of, read
from bot.languages.names import resolve
from bot.types import Translation

__all__ = ["direction"]

_SENTENCE = 3  # words of a text that can't be told but is one


def direction(text: str, wanted: Translation, heard: Sequence[str] = (), language: str = "") -> Translation | None:
    """None: the text is given back as it is, because it has no words, or is in the language it would go into.

    `heard`: what was said in this chat before, newest first; `language`: the person's, as BCP 47.
    """
    found = read(text)
    if not found.possible:
        return None
    hints = _Hints(heard, language)
    if wanted.both and wanted.source is not None:
        return _either_way(found, wanted.source, wanted.target, hints)
    target, source = wanted.target, wanted.source
    others = [each for each in found.surely if each != target]
    if others:
        return Translation(target, source if source in others else others[0])
    if target in found.surely:
        return None
    if source is not None and source in found.possible:
        return Translation(target, source)
    guess = _guess(found, target, hints)
    return None if guess is None else Translation(target, guess=guess)


class _Hints:
    """The languages that are likely here, likeliest first."""

    def __init__(self, heard: Sequence[str], language: str) -> None:
        self._heard = heard
        self._language = language

    def __iter__(self) -> Iterator[str]:
        for text in self._heard:
            yield from read(text).surely
        try:
            yield resolve(self._language)
        except InvalidRequest:
            return


def _either_way(found: Reading, one: str, two: str, hints: _Hints) -> Translation:
    """What is in neither goes into the second."""
    source = _of_two(found, one, two) or next((each for each in found.surely if each not in (one, two)), None)
    if source is None:
        evident = found.perhaps[: found.evident]
        likely = [each for each in evident if each in (one, two)] or evident
        likely = likely or [each for each in (one, two) if each in found.possible] or found.possible
        ranked = [each for each in found.perhaps if each in likely]
        source = _first(hints, likely) or (ranked or likely)[0]
    return Translation(one if source == two else two, source)


def _of_two(found: Reading, one: str, two: str) -> str | None:
    """Where both are there, the one that the text is written in: names and terms of a language in Latin letters stand
    in texts of any other."""
    sure = [each for each in found.surely if each in (one, two)]
    if len(sure) < 2:
        return sure[0] if sure else None
    if found.words and (found.known < _SENTENCE or found.known < 0.6 * found.words):
        return next((each for each in sure if "English" not in languages_of(each)), sure[0])
    return sure[0]


def _guess(found: Reading, target: str, hints: _Hints) -> str | None:
    """None: it will be in the target already."""
    evident = [each for each in found.perhaps[: found.evident] if each != target]
    likely = evident or [each for each in found.possible if each != target]
    if (hinted := _first(hints, likely)) is not None:
        return hinted
    if evident:
        return evident[0]
    usual = found.possible[0]  # English, Arabic, Russian
    if usual != target:
        return usual
    return next((each for each in found.perhaps if each != target), None) if found.words >= _SENTENCE else None


def _first(hints: _Hints, among: Sequence[str]) -> str | None:
    return next((each for each in hints if each in among), None)
