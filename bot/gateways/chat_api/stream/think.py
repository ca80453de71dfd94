"""Reasoning that some gateways put into the answer itself: between two tags as the very first thing in it, once or
several times, or before a closing tag alone, where the opening one is in the model's template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

__all__ = ["Splitter"]

# the opening tag, in small letters -> the closing one. Qwen and DeepSeek; what prompts ask for; Kimi-VL; Magistral;
# Seed-OSS; Sky-T1; Command A; MedGemma; gpt-oss ("harmony")
_TAGS: Mapping[str, str] = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<thoughts>": "</thoughts>",
    "<reasoning>": "</reasoning>",
    "<reason>": "</reason>",
    "<antthinking>": "</antthinking>",
    "◁think▷": "◁/think▷",
    "[think]": "[/think]",
    "<seed:think>": "</seed:think>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
    "<unused94>": "<unused95>",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
}
_LONGEST = max(map(len, (*_TAGS, *_TAGS.values())))
_FIRST = "".join({close[0] for close in _TAGS.values()})
_BETWEEN = ("<|end|>", "<|start|>assistant")  # harmony: the one message's end and the next one's head
_BREAKS = "\r\n"
_LONE = re.compile("|".join(re.escape(close) for close in _TAGS.values()), re.IGNORECASE)
_QUOTES = "`'\"“”‘’「」『』《》()（）"
_ENDS = ".。!！?？…~～*"
_DOUBTS = 3  # closing tags that are talked about; from then on all are


class Splitter:
    """Splits a growing text into answer and reasoning. What may yet turn out to be a tag is held back; a tag further on
    in the text is text. Line breaks next to the tags belong to neither part.

    Where only the closing tag comes, what was given out as answer until then was reasoning: `retracted` is set.
    """

    def __init__(self) -> None:
        self.retracted = False
        self._state: Literal["start", "open", "inside", "after", "text"] = "start"
        self._again = False  # some reasoning has ended; more may follow at once
        self._held = ""
        self._tag = self._close = ""  # as written, as looked for
        self._inside: list[str] = []
        self._given: list[str] = []  # of the answer, as long as a closing tag alone may come
        self._doubts = 0

    def feed(self, text: str) -> tuple[str, str]:
        """Returns what is certain by now: (answer, reasoning), both increments."""
        pending = self._held + text
        self._held = ""
        reasoning = ""
        while True:
            if self._state == "start":
                pending = self._start(pending.lstrip(_BREAKS) if self._again else pending)
                reasoning += "\n\n" if self._again and self._is_open else ""
            if self._is_open:
                pending, more = self._reason(pending)
                reasoning += more
            elif self._state == "text" and self._doubts < _DOUBTS:
                pending, more = self._look(pending)
                reasoning += more
            if self._state != "after":
                return (pending, reasoning) if self._state == "text" else ("", reasoning)
            self._state, self._again, self._doubts = "start", True, _DOUBTS

    def close(self, *, whole: bool = False) -> tuple[str, str]:
        """What was still held back. A `whole` answer whose tag was never closed held no reasoning: it is all answer."""
        held, self._held = self._held, ""
        if self._state in ("start", "text"):
            if self._again:
                return held.lstrip(_BREAKS), ""
            if (found := _LONE.search(held)) is not None and self._ends(held, found):
                return "", self._retract(held[: found.start()])
            return held, ""
        if self._state not in ("open", "inside"):
            return "", ""
        return (self._tag + "".join(self._inside) + held, "") if whole else ("", held.rstrip(_BREAKS))

    @property
    def _is_open(self) -> bool:
        return self._state in ("open", "inside")

    def _start(self, pending: str) -> str:
        begin = pending.lstrip()
        small = begin[:_LONGEST].lower()
        for tag, close in _TAGS.items():
            if small.startswith(tag):
                self._state = "open"
                self._tag, self._close = begin[: len(tag)], close
                self._inside.clear()
                return begin[len(tag) :]
        if any(tag.startswith(small) for tag in _TAGS):
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
        if (found := re.search(re.escape(self._close), pending, re.IGNORECASE)) is not None:
            self._state = "after"
            return pending[found.end() :], _bare(pending[: found.start()])
        keep = _partial(pending, self._close)
        if self._close.startswith("<|channel"):
            keep = max(keep, len(pending) - len(_bare(pending[: len(pending) - keep])), _begun(pending))
        certain = pending[: len(pending) - keep].rstrip(_BREAKS)
        self._held = pending[len(certain) :]
        self._inside.append(certain)
        return "", certain

    def _look(self, pending: str) -> tuple[str, str]:
        """In the answer: is there a closing tag that nothing opened?"""
        for found in _LONE.finditer(pending):
            if found.end() == len(pending):
                break  # what follows it decides
            if self._ends(pending, found):
                self._state = "after"
                return pending[found.end() :], self._retract(pending[: found.start()])
            self._doubts += 1
            if self._doubts >= _DOUBTS:
                self._given.clear()
                return pending, ""
        keep = _partial(pending, *_TAGS.values(), whole=True)
        certain = pending[: len(pending) - keep]
        self._held = pending[len(certain) :]
        self._given.append(certain)
        return certain, ""

    def _ends(self, pending: str, found: re.Match[str]) -> bool:
        """Does the tag end the model's thoughts? In an answer about tags it stands in code or quotes, in a sentence, or
        after an opening one."""
        before, after = "".join(self._given) + pending[: found.start()], pending[found.end() : found.end() + 1]
        line = before[before.rfind("\n") + 1 :]
        if before.count("```") % 2 or line.count("`") % 2 or any(tag in before.lower() for tag in _TAGS):
            return False
        last = before[-1:]
        if not last or last in _BREAKS or (after and after in _BREAKS):
            return not (last and last in _QUOTES)
        return last in _ENDS and not (after and after in _QUOTES)

    def _retract(self, more: str) -> str:
        self.retracted = any(self._given)
        self._given.clear()
        self._doubts = _DOUBTS
        return more.rstrip(_BREAKS)


def _partial(text: str, *tags: str, whole: bool = False) -> int:
    """How many characters at the end of `text` may be the beginning of a closing tag, or be one (`whole`)."""
    end = text[-_LONGEST:].lower()
    if not any(map(end.__contains__, _FIRST)):
        return 0  # as nearly always: this is done for each token
    sizes = range(min(len(end), _LONGEST), 0, -1)
    return next((size for size in sizes if any(_begins(tag, end[-size:], whole=whole) for tag in tags)), 0)


def _begins(tag: str, end: str, *, whole: bool) -> bool:
    return tag.startswith(end) and (whole or len(end) < len(tag))


def _bare(thoughts: str) -> str:
    """Without line breaks and harmony's marks at its end."""
    thoughts = thoughts.rstrip(_BREAKS)
    for mark in reversed(_BETWEEN):
        thoughts = thoughts.removesuffix(mark)
    return thoughts.rstrip(_BREAKS)


def _begun(text: str) -> int:
    """How many characters at the end may be harmony's marks, half there."""
    marks = "".join(_BETWEEN) + "<|channel|>"
    return next((size for size in range(len(marks), 0, -1) if text.endswith(marks[:size])), 0)
