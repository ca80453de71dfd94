"""Text length: how long a text is, in the units that platforms count in, and where it may be cut without breaking a
character."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

__all__ = ["beginning", "cells", "is_wide", "splits_grapheme", "utf8", "utf16"]

_JOINER = "\u200d"
_VIRAMA = 9  # canonical combining class


def utf16(text: str) -> int:
    """UTF-16 code units."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=8192)
def is_wide(char: str) -> bool:
    """Whether a character takes two cells: Han, kana, hangul, their punctuation, emoji (East Asian width W or F)."""
    return char >= "\u1100" and unicodedata.east_asian_width(char) in "WF"


def cells(text: str) -> int:
    """The width in a monospaced font: two for wide characters, none for marks and joiners."""
    if text.isascii():
        return len(text)
    return sum(_cell(char) for char in text)


@lru_cache(maxsize=8192)
def _cell(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if is_wide(char) else 1


def beginning(text: str, most: int) -> str:
    """At most `most` characters of it, up to a space if one is near, and never half of what people see as one."""
    if len(text) <= most:
        return text
    at = next((at for at in range(most, most * 3 // 4, -1) if text[at].isspace()), most)
    while at > 0 and splits_grapheme(text, at):
        at -= 1
    return text[:at].rstrip()


def splits_grapheme(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` would fall inside what people see as one character (UAX #29, the main rules)."""
    if at <= 0 or at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    if before.isascii() and after.isascii():
        return before == "\r" and after == "\n"
    if before == _JOINER or _extends(after):
        return True
    if _is_flag(before) and _is_flag(after):
        start = at
        while start and _is_flag(text[start - 1]):
            start -= 1
        return (at - start) % 2 == 1
    if unicodedata.combining(before) == _VIRAMA and after.isalpha():
        return True
    return "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff"


@lru_cache(maxsize=8192)
def _extends(char: str) -> bool:
    """Marks, joiners, variation selectors, skin tones, tags, and hangul vowels and finals: they join what is before."""
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char in "\u200c\u200d\u0e33\u0eb3"
        or "\u1160" <= char <= "\u11ff"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
