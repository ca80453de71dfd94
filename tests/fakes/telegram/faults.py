"""What goes wrong on purpose: scripted per method, for the calls to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Fault", "Faults", "How"]

How = Literal["429", "500", "502", "hang", "drop", "lost"]
"""429 with `retry_after`; 500 as JSON; 502 as the HTML of a proxy; silence until the caller gives up; the connection
cut before the call had its effect ("drop"), or after it ("lost"): the caller can't tell these two apart."""


@dataclass
class Fault:
    how: How
    method: str  # lower case, "" for all but getUpdates
    chat: int | None
    skip: int  # calls that still pass before
    times: int  # calls that are still hit
    seconds: int
    hits: int = 0

    def wants(self, method: str, chat: int | None) -> bool:
        mine = method == self.method if self.method else method != "getupdates"
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

    def next(self, method: str, chat: int | None) -> Fault | None:
        """The fault that hits this call, if any."""
        for fault in self._all:
            if not fault.wants(method, chat):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            fault.hits += 1
            return fault
        return None
