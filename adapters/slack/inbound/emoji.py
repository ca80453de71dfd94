"""Emoji by their short names, as Slack writes what people chose (:heart:, :+1::skin-tone-3:).

data/emoji.csv has the short names of emoji-datasource 16.0.0 (MIT, Cal Henderson; iamcal/emoji-data, from which Slack's
own names are), 2026-11-28: the emoji, and whether it takes a tone of skin. A workspace's own emoji stay words.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Container
from functools import cache
from importlib.resources import files

__all__ = ["CODE", "emoji", "from_code_points", "shown"]

# the second tone of a pair of people has no place in a short name of ours
_NAME = re.compile(r":([a-z0-9_+'\-]{1,64}):(?::skin-tone-([2-6])(?:-[2-6])?:)?")
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_TONE = 0x1F3FB  # the lightest, which is "skin-tone-2"
_SHORT = 2  # characters of a name that may be something else: ratios, times, paths


@cache
def _known() -> dict[str, tuple[str, bool]]:
    text = (files("adapters.slack") / "data" / "emoji.csv").read_text(encoding="utf-8")
    return {row["name"]: (row["emoji"], bool(row["toned"])) for row in csv.DictReader(io.StringIO(text))}


def emoji(name: str, tone: int | None = None) -> str:
    """'' for one that only the workspace knows. `tone` is 2 to 6."""
    found, is_toned = _known().get(name, ("", False))
    if not found or not is_toned or tone is None or not 2 <= tone <= 6:
        return found
    rest = found[1:].removeprefix("\ufe0f")
    return found[0] + chr(_TONE + tone - 2) + rest


def from_code_points(text: str) -> str:
    """ "1f44d-1f3fd", as an element of rich text has it; '' for anything else."""
    try:
        return "".join(chr(int(each, 16)) for each in text.split("-"))
    except (ValueError, OverflowError):
        return ""


def shown(text: str, sure: Container[str] = ()) -> str:
    """With emoji in the place of their names, but not in code. `sure` are names that are known to be meant so; others
    must look it, for a colon is common: "a:b:c" names none."""
    if ":" not in text:
        return text
    parts = CODE.split(text)
    parts[::2] = [_NAME.sub(lambda found: _shown(found, sure), part) for part in parts[::2]]
    return "".join(parts)


def _shown(found: re.Match[str], sure: Container[str]) -> str:
    name, tone = found[1], found[2]
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    glued = _glued(before), _glued(after)
    if name not in sure and (any(glued) if len(name) <= _SHORT or name.isdigit() else all(glued)):
        return found[0]
    return emoji(name, int(tone) if tone else None) or found[0]


def _glued(char: str) -> bool:
    """Does a character make one word with what stands beside it?"""
    return bool(char) and char.isascii() and (char.isalnum() or char in "_/\\")
