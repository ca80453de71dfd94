"""Command syntax: how a command is written where it is said: "/help" in a chat, "/magpie help" where the platform lets
nothing else through, "@magpie /help" in its threads. Our own words say "/help", and are changed on their way out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace

from bot.types import Answer, Chat, Features, NoteKind

__all__ = ["answer_here", "is_blank", "markdown_here", "plain_here", "prefix", "typed"]

# format characters that mean nothing in a command; the joiners of emoji and of some scripts are left in what follows it
_INVISIBLE = re.compile("[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_JOINERS = re.compile("[\u200c\u200d\ufe0e\ufe0f]")
_HEAD = re.compile(r"\s*[/／]\S*")
_BLANKS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe0e\ufe0f\uffa0"
)  # letters and marks, by name, that show nothing
_NAME = r"[^\W\d_]\w{1,31}"
_BARE = r"(?<![A-Za-z0-9_/`.:])/(?P<bare>[a-z][a-z0-9_]{1,31})(?![A-Za-z0-9_/])"
_OURS = re.compile(rf"`{{3,}}.*?`{{3,}}|`/(?P<name>{_NAME})(?P<rest>(?:\s[^`]*)?)`|``.+?``|`[^`]*`|{_BARE}", re.DOTALL)
_PLAIN = re.compile(_BARE)


def typed(text: str) -> str:
    """A command as it was meant, without what nobody sees in it; other text as it stands."""
    bare = _INVISIBLE.sub("", text)
    head = _HEAD.match(bare)
    return text if head is None else _JOINERS.sub("", head[0]) + bare[head.end() :]


def is_blank(text: str) -> bool:
    """Nothing of it is to be seen."""
    return all(each.isspace() or each in _BLANKS or unicodedata.category(each) in ("Cf", "Cc") for each in text)


def prefix(features: Features, chat: Chat) -> str:
    """What stands before a command's name here."""
    return (features.thread_prefix if chat.thread is not None else "") or features.prefix


def markdown_here(text: str, here: str, names: Collection[str]) -> str:
    """Words of our own, as Markdown: each command in a code span, as people type it where the prefix is `here`."""

    def written(found: re.Match[str]) -> str:
        name = found["name"] or found["bare"]
        return f"`{here}{name}{found['rest'] or ''}`" if name in names else found[0]

    return _OURS.sub(written, text)


def plain_here(text: str, here: str, names: Collection[str]) -> str:
    """The same for words without markup."""
    return _PLAIN.sub(lambda found: f"{here}{found['bare']}" if found["bare"] in names else found[0], text)


def answer_here(answer: Answer, here: str, names: Collection[str]) -> Answer:
    """An answer whose notes name commands as they are typed there."""
    notes = [
        note if note.kind is NoteKind.REASONING else replace(note, text=plain_here(note.text, here, names))
        for note in answer.notes
    ]
    return replace(answer, notes=tuple(notes))
