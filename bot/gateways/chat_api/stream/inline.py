"""Inline images: pictures in the text itself: their bytes as base64 behind "data:image/", as gateways make of what
Gemini draws (QuantumNous/new-api, relay/channel/gemini: "![image](data:image/png;base64,...)"). As text they are
thousands of pages."""

from __future__ import annotations

import re

__all__ = ["InlinePictures"]

_SHORT = 1000  # characters of base64 that are shown: an example of such an address, in an answer about them
_ALT = 200  # characters of a picture's description, and of all before its bytes
_HEAD = re.compile(rf"(?:!\[[^\]\n]{{0,{_ALT}}}\]\(\s{{0,3}})?data:image/[\w.+\-]{{1,30}};base64,", re.IGNORECASE)
_BYTES = re.compile(r"[A-Za-z0-9+/=\-\s]*")
_FENCE = "```"
_BEGUN = re.compile(rf"!(?:\[[^\]\n]{{0,{_ALT}}}(?:\](?:\(\s{{0,3}}(\S{{0,60}}))?)?)?|(\S{{1,60}})")
_START = "data:image/"


class InlinePictures:
    """Text in; out the text without pictures, and how many there were. What may yet become one is held back; what
    stands in a block of code is text."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False  # of a picture, whose bytes are dropped
        self._marked = False  # it began with "![", so a bracket closes it
        self._fences = 0
        self._end = ""  # the last characters that were given out

    def feed(self, text: str) -> tuple[str, int]:
        if not self._held and not self._inside and "!" not in text and "d" not in text and "D" not in text:
            return self._given(text), 0
        pending, self._held = self._held + text, ""
        out: list[str] = []
        count = 0
        while pending:
            if self._inside:
                pending = self._dropped(pending)
            elif (found := _HEAD.search(pending)) is None:
                at = _begun(pending)
                out.append(self._given(pending[:at]))
                self._held, pending = pending[at:], ""
            else:
                out.append(self._given(pending[: found.start()]))
                pending, begun = self._begin(pending[found.start() :], found, out)
                count += begun
        return "".join(out), count

    def close(self) -> str:
        """No more follows: what was held back is text."""
        held, self._held = self._held, ""
        return held

    def _begin(self, pending: str, found: re.Match[str], out: list[str]) -> tuple[str, int]:
        """At something that looks like a picture: what is left to read, and whether it is one."""
        data = _BYTES.match(pending, len(found[0]))
        size = len(data[0]) if data else 0
        if self._fences % 2 == 0 and size > _SHORT:
            self._inside, self._marked = True, found[0].startswith("!")
            return pending[len(found[0]) :], 1
        if self._fences % 2 == 0 and len(found[0]) + size == len(pending):
            self._held = pending
            return "", 0
        out.append(self._given(pending[: len(found[0]) + size]))
        return pending[len(found[0]) + size :], 0

    def _dropped(self, pending: str) -> str:
        data = _BYTES.match(pending)
        rest = pending[data.end() if data else 0 :]
        if rest:
            self._inside = False
            return rest.removeprefix(")") if self._marked else rest
        return ""

    def _given(self, text: str) -> str:
        if text:
            seen = self._end + text
            found = seen.count(_FENCE)
            self._fences += found
            self._end = "" if seen.endswith(_FENCE) else seen[-2:] if "`" in seen[-2:] else ""
        return text


def _begun(text: str) -> int:
    """Where at the end something begins that may become a picture."""
    for at in range(max(0, len(text) - 2 * _ALT), len(text)):
        if text[at] not in "!dD" or (found := _BEGUN.fullmatch(text, at)) is None:
            continue
        address = found[1] or found[2] or ""
        if _is_beginning(address.lower()):
            return at
    return len(text)


def _is_beginning(address: str) -> bool:
    return _START.startswith(address) or (address.startswith(_START) and "," not in address)
