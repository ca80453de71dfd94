"""Phrase book: a few dozen phrases that the sandbox can truly translate, and honest words about all others."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

__all__ = ["translate"]

_PLAIN = {"。": ".", "\uff01": "!", "\uff1f": "?", "\uff1b": ";"}


def translate(text: str, source: str, target: str) -> str:
    """Known sentences, one by one. If one of them is not known, the whole text comes back untranslated, and says so."""
    pieces = re.split(r"(\s*[.!?;。\uff01\uff1f\uff1b\n]+\s*)", text.strip())
    found = [_signs(piece, target) if odd % 2 else _phrase(piece, source, target) for odd, piece in enumerate(pieces)]
    note = "（沙箱的回答，不是真正的模型。）" if target == "Chinese" else "(From a sandbox, not a real model.)"
    if None not in found:
        return f"{''.join(piece or '' for piece in found).strip()}\n\n{note}"
    sorry = (
        f"沙箱只认得几十句常用语，不能把这段话从 {source} 翻译成 {target}："
        if target == "Chinese"
        else f"The sandbox knows a few dozen phrases only, and can't translate this from {source} to {target}："
    )
    return f"{sorry}\n\n{text.strip()}\n\n{note}"


def _signs(signs: str, target: str) -> str:
    if target in ("Chinese", "Japanese"):
        return signs
    return re.sub("[。\uff01\uff1f\uff1b]", lambda sign: _PLAIN[sign[0]] + " ", signs)


def _phrase(text: str, source: str, target: str) -> str | None:
    asked = _folded(text)
    if not asked or source == target:
        return text
    for phrase in _phrases():
        if source in phrase and target in phrase and _folded(phrase[source]) == asked:
            return phrase[target]
    return None


def _folded(text: str) -> str:
    return re.sub(r"[\s,\uff0c、¿¡'’]+", " ", text).strip().casefold()


@cache
def _phrases() -> tuple[Mapping[str, str], ...]:
    text = (files("bot.sandbox") / "data" / "phrases.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
