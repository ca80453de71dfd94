"""Courtesies: what people say to each other in a thread that we take part in, rather than to us: it names somebody else
first, or asks for nothing. data/courtesies.csv has the words of greeting and of thanks that go with that."""

from __future__ import annotations

import csv
import io
import re
from functools import cache
from importlib.resources import files
from typing import Literal

from adapters.slack.inbound.marks import Me

__all__ = ["is_for_others", "is_small_talk"]

_CALL = re.compile(r"<(@[^<>]*|!subteam\^[^<>]*|!(?:here|channel|everyone|group)(?:\|[^<>]*)?)>")
_NOT_WORDS = re.compile(r"<[^<>]*>|:[a-z0-9_+'\-]+:|(?:https?://|mailto:)\S+")
_WORD = re.compile(r"[^\W_]+")


@cache
def _known(kind: Literal["greeting", "thanks"]) -> frozenset[str]:
    text = (files("adapters.slack") / "data" / "courtesies.csv").read_text(encoding="utf-8")
    return frozenset(row["word"] for row in csv.DictReader(io.StringIO(text)) if row[kind] == "1")


def is_for_others(source: str, me: Me) -> bool:
    """Is the first who is named in a text (as Slack writes it) somebody who is not us: a person, a group, all who are
    here? Greetings may come before; any other word makes it a text about them."""
    call = _CALL.search(source)
    if call is None or call[1] == f"@{me.user}" or call[1].startswith(f"@{me.user}|"):
        return False
    return _are(source[: call.start()], "greeting")


def is_small_talk(text: str) -> bool:
    """Does a text ask for no answer: only signs, addresses, or words of thanks and praise?"""
    return "?" not in text and "？" not in text and _are(text, "thanks")


def _are(text: str, kind: Literal["greeting", "thanks"]) -> bool:
    words = _WORD.findall(_NOT_WORDS.sub(" ", text))
    return all(word.casefold() in _known(kind) for word in words)
