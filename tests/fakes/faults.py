"""What goes wrong on purpose: scripted per method, for the calls to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["AFTER", "Fault", "Faults", "How"]

AFTER = frozenset({"lost", "mute"})  # what happens once the call has had its effect
_WAIT = frozenset({"getupdates", "apps.connections.open"})

How = Literal["429", "500", "502", "hang", "mute", "drop", "lost"]
"""429, which says how long to wait; 500 as JSON; 502 as the HTML of a proxy; silence until the caller gives up, before
the call had its effect ("hang") or after it ("mute"); the connection cut before ("drop") or after it ("lost"): the
caller can't tell which of two it was."""


@dataclass
class Fault:
    how: str  # a How; a platform may know further words
    method: str  # lower case, "" for all but those that only wait for what comes
    chat: int | str | None
    skip: int  # calls that still pass before
    times: int  # calls that are still hit
    seconds: int
    hits: int = 0

    def wants(self, method: str, chat: int | str | None) -> bool:
        mine = method == self.method if self.method else method not in _WAIT
        return mine and self.chat in (None, chat) and self.times > 0


class Faults:
    def __init__(self) -> None:
        self._all: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._all.append(fault)
        return fault

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        self._all.clear()

    def next(self, method: str, chat: int | str | None) -> Fault | None:
        """The fault that hits this call, if any; all others count it too."""
        hit: Fault | None = None
        for fault in self._all:
            if not fault.wants(method, chat):
                continue
            if fault.skip:
                fault.skip -= 1
            elif hit is None:
                hit = fault
        if hit is not None:
            hit.times -= 1
            hit.hits += 1
        return hit
