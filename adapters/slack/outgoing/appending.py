"""Stream diff: what of a growing text can be appended to a stream, which takes nothing back (docs.slack.dev:
chat.appendStream).

The text is a writing of the tree as it is now, so its end may still change: markup that is closed there is open in the
source, and what looks like words may become a link. `settled` leaves that end out. Where an earlier part changes after
all, `rest` says so, and the stream is given up for a message that can be changed.
"""

from __future__ import annotations

import re

__all__ = ["rest", "settled"]

HELD = 40  # characters at the end of the last line
_CLOSERS = " \n\t*_~`)]>|\\\u200b"
_BREAK = re.compile(r"[\s、，。；：！？]")
_SPACE = re.compile(r"[\s\u200b]+")
_NAMING = re.compile(r"&lt;(?:@[A-Z0-9]*)?$")  # a mention that is not written to its end is not yet one


def settled(text: str, *, first: bool) -> str:
    """The beginning of the text that more of it won't change. `first`: nothing is to be seen yet, so be quick."""
    above, end, line = text.rpartition("\n")
    if not above and first:
        return _NAMING.sub("", text.rstrip(_CLOSERS)).rstrip(_CLOSERS)
    kept = line[:-HELD] if len(line) > HELD else ""
    if kept and (ends := [found.end() for found in _BREAK.finditer(kept)]):
        kept = kept[: ends[-1]]  # whole words
    if kept.startswith(("|", "`", "~", "$")):
        kept = ""
    return (above + end + kept if kept else above).rstrip(_CLOSERS)


def rest(sent: str, text: str) -> str | None:
    """What follows `sent` in `text`; None if `text` does not begin with it. Only space may differ: a list that turns
    out to be a loose one has more of it."""
    if text.startswith(sent):
        return text[len(sent) :]
    there, wanted = _SPACE.sub("", sent), 0
    for at, char in enumerate(text):
        if wanted == len(there):
            return text[at:]
        if _SPACE.match(char):
            continue
        if char != there[wanted]:
            return None
        wanted += 1
    return "" if wanted == len(there) else None
