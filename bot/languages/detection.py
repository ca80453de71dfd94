"""Language detection: which languages a text is in: by its scripts; among languages of one script by common words and
groups of letters.

All of it is local and approximate; `detect` says None rather than guess. Short lines are what chats are made of, so
the words are those that people write to each other.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from bot.languages.names import ENGLISH

__all__ = ["Reading", "detect", "languages_of", "read"]

_NOT_WORDS = re.compile(r"https?://\S+|www\.\S+|(?<!\w)[@#/][\w/.]*|`[^`]*`|[\w.+-]+@[\w-]+\.[\w.]+")
_WORD = re.compile(r"[^\W\d_]+(?:['’\u200c][^\W\d_]+)*")
_READ = 4000  # characters are enough to tell
_WORDS = 120  # and so many different words
_HAN, _KANA = "Han", "kana"

# First code point of a script, its name, how much one of its letters counts: a Han character is about half a word.
_SCRIPTS = (
    (0x41, 0x24F, "Latin", 1.0),
    (0x400, 0x52F, "Cyrillic", 1.0),
    (0x590, 0x5FF, "Hebrew", 1.0),
    (0x600, 0x6FF, "Arabic", 1.0),
    (0x900, 0x97F, "Hindi", 1.0),
    (0x980, 0x9FF, "Bengali", 1.0),
    (0xE00, 0xE7F, "Thai", 1.0),
    (0xE80, 0xEFF, "Lao", 1.0),
    (0x1000, 0x109F, "Burmese", 1.0),
    (0x1100, 0x11FF, "Korean", 2.0),
    (0x1780, 0x17FF, "Khmer", 1.0),
    (0x1E00, 0x1EFF, "Latin", 1.0),
    (0x3041, 0x30FF, _KANA, 2.0),
    (0x3400, 0x9FFF, _HAN, 2.5),
    (0xAC00, 0xD7A3, "Korean", 2.0),
    (0xF900, 0xFAFF, _HAN, 2.5),
    (0xFB50, 0xFEFC, "Arabic", 1.0),
    (0xFF66, 0xFF9D, _KANA, 2.0),
    (0x20000, 0x323AF, _HAN, 2.5),
)
_OTHER_LATIN = frozenset(("Russian", "Hebrew", "Hindi", "Bengali", "Thai", "Lao", "Burmese", "Korean", "Khmer"))
_ARABIC = ("Arabic", "Persian", "Urdu")
_LATIN = tuple(each for each in ENGLISH if each not in {*_OTHER_LATIN, *_ARABIC, "Chinese", "Japanese"})

# Letters that one language of a script has, and its neighbours have not.
_NOT_RUSSIAN = frozenset("іїєґўђјљњћџѓќәғқңөұүһӣӯҷҳ")
_TELLING = {
    "German": "ßäü",
    "Spanish": "ñ¿¡",
    "Portuguese": "ãõ",
    "French": "œèùêâîû",
    "Vietnamese": "đơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
    "Polish": "łąęśźżńć",
    "Czech": "řěůťď",
    "Turkish": "ğış",
    "Swedish": "åö",
    "Danish": "åøæ",
    "Norwegian": "åøæ",
    "Hungarian": "őű",
    "Romanian": "țșă",
    "Urdu": "ٹڈڑںےہھ",
    "Persian": "پچژگکی",
    "Arabic": "ةيكأإىؤئ",
}
_KNOWN, _LETTER, _GROUP, _UNKNOWN = 3.0, 1.5, 0.03, 0.2  # what a known word, a telling letter and groups weigh
_CLEAR, _CLEARER = 1.5, 3.0  # by how much the best must be ahead, with a known word or letter, and without
_NEAR = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """`surely` are the languages of a text by how much of it is theirs, most first; `perhaps` what the rest may be, the
    likeliest first, and `evident` how many of these more than the shape of the words speaks for. `possible` are all
    that are written so; without any, there are no words. `words` and `known` count those of a script that has many
    languages."""

    surely: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    evident: int = 0
    possible: tuple[str, ...] = ()
    words: int = 0
    known: int = 0


def detect(text: str) -> str | None:
    """The English name of the language most of a text is in. None: not one of ours, or not to be told."""
    return next(iter(read(text).surely), None)


def read(text: str) -> Reading:
    letters = _NOT_WORDS.sub(" ", text[:_READ]).casefold()
    weights = _weights(letters)
    surely: list[str] = []
    best = Reading()
    for script in sorted(weights, key=lambda each: -weights[each]):
        found = _of_script(script, letters)
        surely += found.surely
        best = best if best.possible else found
        if found.words:
            best = Reading((), best.perhaps, best.evident, best.possible, found.words, found.known)
    return Reading(tuple(surely), best.perhaps, best.evident, best.possible, best.words, best.known)


def languages_of(script_of: str) -> tuple[str, ...]:
    """The languages that are written in the script of this one."""
    for group in (_LATIN, _ARABIC, ("Chinese", "Japanese")):
        if script_of in group:
            return group
    return (script_of,)


def _weights(text: str) -> dict[str, float]:
    """How much of a text is in which script; kana make the Han characters beside them Japanese."""
    weights: defaultdict[str, float] = defaultdict(float)
    for char, count in Counter(text).items():
        point = ord(char)
        for first, last, script, weight in _SCRIPTS:
            if first <= point <= last and unicodedata.category(char)[0] in "LM":
                weights[script] += count * weight
    if kana := weights.pop(_KANA, 0):
        japanese = kana >= 0.08 * (kana + weights[_HAN])
        weights["Japanese" if japanese else "Chinese"] += kana + weights.pop(_HAN, 0)
    if han := weights.pop(_HAN, 0):
        weights["Chinese"] += han
    return dict(weights)


def _of_script(script: str, text: str) -> Reading:
    if script == "Latin":
        return _by_words(text, _LATIN)
    if script == "Arabic":
        return _by_words(text, _ARABIC)
    if script == "Cyrillic":
        return Reading((), possible=("Russian",)) if _NOT_RUSSIAN & set(text) else _sure("Russian")
    return _sure(script)


def _sure(language: str) -> Reading:
    return Reading((language,), possible=languages_of(language))


# ── among languages of one script ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Model:
    """How often words and groups of two to four letters are a language's own."""

    words: Mapping[str, frozenset[str]]
    groups: Mapping[str, Mapping[str, float]]
    rare: Mapping[str, tuple[float, ...]]  # per length of a group, one that the language has not

    def scores(self, words: Sequence[str]) -> dict[str, float]:
        scores = dict.fromkeys(self.groups, 0.0)
        for word in words:
            have = self.words.get(word, frozenset())
            weight = _GROUP if have else _UNKNOWN
            groups = list(_groups(word))
            for language, known in self.groups.items():
                rare = self.rare[language]
                likely = sum(known.get(group, rare[len(group)]) for group in groups)
                scores[language] += weight * likely + (_KNOWN if language in have else 0)
        return scores


def _by_words(text: str, group: tuple[str, ...]) -> Reading:
    model = _model(group is _ARABIC)
    words = list(dict.fromkeys(word.replace("’", "'") for word in _WORD.findall(text) if _fits(word, group)))[:_WORDS]
    if not words:
        return Reading()
    scores = model.scores(words)
    letters = set(text)
    telling = {each for each in model.groups if letters & set(_TELLING.get(each, ""))}
    for language in telling:
        scores[language] += _LETTER * min(2, len(letters & set(_TELLING[language])))
    known = sum(1 for word in words if word in model.words)
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)
    best, score, second = ranked[0], scores[ranked[0]], scores[ranked[1]]
    ahead, evidence = score - second, bool(known or telling)
    ours = tuple(each for each in ranked if each in group)
    if ahead >= (_CLEAR if evidence else _CLEARER) and (evidence or len(words) > 1):
        surely = (best,) if best in group else ()
        return Reading(surely, () if surely else ours, 0, group, len(words), known)
    near = [each for each in group if scores[each] >= score - _NEAR] if evidence else []  # equals as they are usual
    rest = [each for each in ours if each not in near]
    return Reading((), (*near, *rest), len(near), group, len(words), known)


def _fits(word: str, group: tuple[str, ...]) -> bool:
    return (group is _ARABIC) == ("\u0600" <= word[0] <= "\u06ff" or word[0] >= "\ufb50") and (
        group is _ARABIC or word[0] < "\u0250" or "\u1e00" <= word[0] <= "\u1eff"
    )


def _groups(word: str) -> Iterator[str]:
    whole = f" {word} "
    for size in (2, 3, 4):
        for at in range(len(whole) - size + 1):
            yield whole[at : at + size]


@cache
def _model(arabic: bool) -> _Model:
    """Made of the lists of common words, once."""
    rows = {row["en"]: row["words"].split() for row in _rows() if (row["en"] in _ARABIC) == arabic}
    words: dict[str, set[str]] = {}
    for language, its in rows.items():
        for word in its:
            words.setdefault(word, set()).add(language)
    counts = {language: Counter(group for word in its for group in _groups(word)) for language, its in rows.items()}
    kinds = Counter(len(group) for group in set().union(*counts.values()))
    groups, rare = {}, {}
    for language, found in counts.items():
        total = Counter[int]()
        for group, count in found.items():
            total[len(group)] += count
        room = {size: total[size] + 0.3 * kinds[size] for size in (2, 3, 4)}
        groups[language] = {group: math.log((count + 0.3) / room[len(group)]) for group, count in found.items()}
        rare[language] = (0.0, 0.0, *(math.log(0.3 / room[size]) for size in (2, 3, 4)))
    return _Model({word: frozenset(its) for word, its in words.items()}, groups, rare)


def _rows() -> list[dict[str, str]]:
    text = (files("bot.languages") / "data" / "common_words.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
