"""Reasoning that some gateways put into the answer itself: `<think>…</think>` as the very first thing in it."""

from __future__ import annotations

from typing import Literal

__all__ = ["Splitter"]

_OPEN = "<think>"
_CLOSE = "</think>"
_BREAKS = "\r\n"


class Splitter:
    """Splits a growing text into answer and reasoning. What may yet turn out to be a tag is held back; a tag further on
    in the text is text. Line breaks next to the tags belong to neither part."""

    def __init__(self) -> None:
        self._state: Literal["start", "open", "inside", "after", "text"] = "start"
        self._held = ""
        self._inside: list[str] = []

    def feed(self, text: str) -> tuple[str, str]:
        """Returns what is certain by now: (answer, reasoning), both increments."""
        if self._state == "text":
            return text, ""
        pending = self._held + text
        self._held = ""
        reasoning = ""
        if self._state == "start":
            pending = self._start(pending)
        if self._state in ("open", "inside"):
            pending, reasoning = self._reason(pending)
        if self._state == "after":
            pending = pending.lstrip(_BREAKS)
            if pending:
                self._state = "text"
        return (pending, reasoning) if self._state == "text" else ("", reasoning)

    def close(self, *, whole: bool = False) -> tuple[str, str]:
        """What was still held back. A `whole` answer whose tag was never closed held no reasoning: it is all answer."""
        held, self._held = self._held, ""
        if self._state == "start":
            return held, ""
        if self._state not in ("open", "inside"):
            return "", ""
        return (_OPEN + "".join(self._inside) + held, "") if whole else ("", held.rstrip(_BREAKS))

    def _start(self, pending: str) -> str:
        begin = pending.lstrip()
        if begin.startswith(_OPEN):
            self._state = "open"
            return begin[len(_OPEN) :]
        if _OPEN.startswith(begin):
            self._held = pending
            return ""
        self._state = "text"
        return pending

    def _reason(self, pending: str) -> tuple[str, str]:
        """Returns (rest after the closing tag, reasoning)."""
        if self._state == "open":
            stripped = pending.lstrip(_BREAKS)
            if not stripped:
                self._inside.append(pending)
                return "", ""
            self._inside.append(pending[: len(pending) - len(stripped)])
            pending = stripped
            self._state = "inside"
        reasoning, tag, rest = pending.partition(_CLOSE)
        if tag:
            self._state = "after"
            return rest, reasoning.rstrip(_BREAKS)
        certain = pending[: len(pending) - _partial(pending)].rstrip(_BREAKS)
        self._held = pending[len(certain) :]
        self._inside.append(certain)
        return "", certain


def _partial(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of a closing tag."""
    return next((size for size in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:size])), 0)
