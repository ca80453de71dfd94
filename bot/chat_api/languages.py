"""The languages that the translation models know: their names, and how to tell which one a text is in.

All of it is local and approximate. `detect` says None rather than guess.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from functools import cache
from importlib.resources import files

from bot.errors import RequestRefused

__all__ = ["ENGLISH", "chinese", "detect", "resolve"]


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("bot.chat_api") / "data" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


_CHINESE = {row["en"]: row["zh"] for row in _rows("languages.csv")}
ENGLISH: tuple[str, ...] = tuple(_CHINESE)
_SHORT_LIST = ENGLISH[:8]


def chinese(name: str) -> str:
    """The Chinese name of a language given by its English one; KeyError if there is none."""
    return _CHINESE[name]


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def resolve(name: str) -> str:
    """The English name of a language called by any usual name: "中文", "zh-CN", "Deutsch", "FR"."""
    asked = _folded(name)
    names = _names()
    found = names.get(asked) or names.get(_without_accents(asked)) or names.get(asked.partition("-")[0])
    if found is None:
        raise RequestRefused(
            "{got} is not supported. Supported: {some}, and {count} more; /translate shows them all",
            got=name.strip()[:40] or "''",
            some=", ".join(_SHORT_LIST),
            count=len(ENGLISH) - len(_SHORT_LIST),
        )
    return found


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


# ── which language a text is in ─────────────────────────────────────────────────────────────────────────────────────

_NOT_WORDS = re.compile(r"https?://\S+|[@#/]\w+|`[^`]*`|[\w.+-]+@[\w-]+\.[\w.]+")
_READ = 4000  # characters are enough to tell
_HAN, _KANA = "Han", "kana"

# First code point of a script, its name ('' for what is not told), how much one of its letters counts: a Han character
# is about half a word.
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
    (0xFF66, 0xFF9D, _KANA, 2.0),
    (0x20000, 0x323AF, _HAN, 2.5),
)

# Letters that one language of a script has, and its neighbours have not.
_URDU = frozenset("ٹڈڑںےہھ")
_PERSIAN = frozenset("پچژگکی")
_ARABIC = frozenset("ةيكأإىؤئ")
_NOT_RUSSIAN = frozenset("іїєґўђјљњћџѓќәғқңөұүһӣӯҷҳ")
_NOT_HERE = frozenset("åøæőűțșħġċżŝĝĥĵŭāēīūģķļņėįų")  # Nordic, Hungarian, Romanian, Baltic, Maltese
_TELLING = {
    "German": "ß",
    "Spanish": "ñ¿¡",
    "Portuguese": "ãõ",
    "French": "œèùêâîû",
    "Vietnamese": "đơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
    "Polish": "łąęśźżńć",
    "Czech": "řěůťď",
    "Turkish": "ğış",
}


def detect(text: str) -> str | None:
    """The English name of the language most of a text is in. None: not one of ours, or not to be told."""
    letters = _NOT_WORDS.sub(" ", text[:_READ]).casefold()
    weights = _weights(letters)
    for script in sorted(weights, key=lambda each: -weights[each]):
        if weights[script] < 0.15 * sum(weights.values()):
            break
        if found := _of_script(script, letters):
            return found
    return None


def _weights(text: str) -> dict[str, float]:
    """How much of a text is in which script; kana make the Han characters beside them Japanese."""
    weights: Counter[str] = Counter()
    for char, count in Counter(text).items():
        point = ord(char)
        for first, last, script, weight in _SCRIPTS:
            if first <= point <= last and unicodedata.category(char)[0] in "LM":
                weights[script] += count * weight  # type: ignore[assignment]  # a Counter adds floats just as well
    if kana := weights.pop(_KANA, 0):
        japanese = kana >= 0.08 * (kana + weights[_HAN])
        weights["Japanese" if japanese else "Chinese"] += kana + weights.pop(_HAN, 0)
    if han := weights.pop(_HAN, 0):
        weights["Chinese"] += han
    return dict(weights)


def _of_script(script: str, text: str) -> str | None:
    if script == "Latin":
        return _latin(text)
    if script == "Arabic":
        return _arabic(text)
    if script == "Cyrillic":
        return None if _NOT_RUSSIAN & set(text) else "Russian"
    return script


def _arabic(text: str) -> str:
    """Arabic, Persian or Urdu by their own letters; Arabic where nothing tells."""
    count = Counter(text)
    scores = {
        "Arabic": sum(count[char] for char in _ARABIC) + 0.1,
        "Persian": sum(count[char] for char in _PERSIAN),
        "Urdu": 2 * sum(count[char] for char in _URDU),
    }
    return max(scores, key=lambda each: scores[each])


def _latin(text: str) -> str | None:
    """By the share of very common words, and by telling letters. Needs one clear winner."""
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", text)
    scores: Counter[str] = Counter()
    for word in words:
        for language in _common().get(word.replace("’", "'"), ()):
            scores[language] += 2
    count = Counter(text)
    for language, letters in _TELLING.items():
        scores[language] += min(sum(count[letter] for letter in letters), 2 * len(words))
    foreign = sum(count[letter] for letter in _NOT_HERE - set("ż"))
    best = scores.most_common(2)
    if not best or best[0][1] <= max(2 * foreign, best[1][1] if len(best) > 1 else 0):
        return None
    name, score = best[0]
    return name if name in _CHINESE and score >= 0.2 * len(words) else None


@cache
def _common() -> dict[str, tuple[str, ...]]:
    """Very common word -> the languages that have it, some of them there only to be told from ours."""
    found: dict[str, tuple[str, ...]] = {}
    for row in _rows("common_words.csv"):
        for word in set(row["words"].split()):
            found[word] = (*found.get(word, ()), row["en"])
    return found
