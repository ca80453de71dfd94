"""The least that a platform's pace allows: what somebody would show who knew everything beforehand and cost no time.

A bound, not a plan: each figure is the least for itself, and no one schedule reaches all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.rows import Row

__all__ = ["Least", "Pace", "least"]


@dataclass(frozen=True)
class Pace:
    """Calls a second in all; in a private chat one per `interval`, after `burst` at once; in a group so many a minute.
    Or, with `minute`: so many changes a minute in all, where posting a message is another budget."""

    all: float
    interval: float = 0.0
    burst: int = 0
    group: int = 0
    minute: int = 0


@dataclass(frozen=True)
class Least:
    """Seconds: until all is whole, and means per reply of first visible, staleness of a character, lag of the whole."""

    total: float
    first: float
    staleness: float
    lag: float


def least(row: Row, pace: Pace) -> Least:
    spoken = row.spoken
    if row.limits and pace.minute:
        return Least(spoken, 0.0, spoken / 2 / (1 + pace.minute / row.replies), 0.0)  # threads don't wait either
    if row.groups:  # one question after the other: a chat's answers don't grow among each other
        calls = row.each * max(2.0, min(pace.group / row.each, spoken * pace.group / 60 + pace.group / row.each))
        return Least(row.each * spoken, 0.0, spoken / 2 / (calls / row.each), 0.0)
    if not row.limits:
        return Least(spoken, 0.0, 0.0, 0.0)
    total = max(spoken + (row.private - 1) / pace.all, (2 * row.private - 1) / pace.all)
    calls = min(pace.burst + spoken / pace.interval, spoken * pace.all / row.private)
    staleness = _busy(row, pace) if calls < 1 else spoken / 2 / calls
    return Least(total, (row.private - 1) / 2 / pace.all, staleness, (total - spoken) / 2)


def _busy(row: Row, pace: Pace) -> float:
    """Mean staleness where each call goes to the reply of which the most is unseen."""
    shown, late, now = [0] * row.private, 0.0, 0.0
    while min(shown) < row.tokens:
        there = min(row.tokens, 1 + int(now * row.rate))
        chat = shown.index(min(shown))
        late += sum(now - token / row.rate for token in range(shown[chat], there))
        shown[chat] = there
        now += 1 / pace.all
    return late / (row.private * row.tokens)
