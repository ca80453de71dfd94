"""What was seen of one run, as numbers"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from bench.gateway import Gateway, said
from bench.platforms import Version
from bench.rows import Row

__all__ = ["FIRST", "Cost", "Figures", "figures"]

FIRST = 1000  # number of a row's first question
_NONE = float("nan")


@dataclass(frozen=True)
class Cost:
    """`calls`, `statuses`, `cpu` (ms) and `growth` (kB) are per reply; `rss` in MB at most."""

    calls: float
    statuses: float
    floods: int
    cpu: float
    rss: float
    growth: float


@dataclass(frozen=True)
class Figures:
    """Seconds, but for counts. `begun`: from the questions to the first token of the answer that began last; `total`:
    to the last whole answer. The others are means over replies, from the gateway's tokens on. `seen` is the share of
    all characters that people saw by then, `said` what was generated, by tenths of a second."""

    replies: int
    whole: int
    paid: int  # answers generated
    begun: float
    total: float
    first: float
    first_worst: float
    staleness: float
    lag: float
    lag_worst: float
    seen: tuple[float, ...]
    said: tuple[float, ...]


def figures(row: Row, gateway: Gateway, versions: list[Version], began: float) -> Figures:
    by_number: dict[int, list[Version]] = {}
    for version in sorted(versions, key=lambda version: version.at):
        by_number.setdefault(version.number, []).append(version)
    first, late, lag, seen, spoken, ends = [], [], [], [], [], []
    numbers = range(FIRST, FIRST + row.replies)
    for number in numbers:
        times = gateway.streams[number][-1].times if gateway.streams[number] else []
        spoken += times
        shown = by_number.get(number, [])
        if not times or not shown:
            continue
        first.append(shown[0].at - times[0])
        appeared = _appeared(shown, len(times))
        seen += appeared
        late += [at - time for at, time in zip(appeared, times, strict=False)]
        if shown[-1].text == said(number, row.tokens) and len({version.message for version in shown}) == 1:
            lag.append(shown[-1].at - times[-1])
            ends.append(shown[-1].at)
    streams = [gateway.streams[number] for number in numbers]
    begun = max((tries[0].times[0] for tries in streams if tries and tries[0].times), default=began)
    steps = int((max(seen, default=began) - began) * 10) + 2
    return Figures(
        row.replies,
        len(ends),
        sum(map(len, streams)),
        begun - began,
        max(ends, default=_NONE) - began,
        fmean(first or [_NONE]),
        max(first, default=_NONE),
        fmean(late or [_NONE]),
        fmean(lag or [_NONE]),
        max(lag, default=_NONE),
        _shares(seen, began, steps, row),
        _shares(spoken, began, steps, row),
    )


def _appeared(shown: list[Version], tokens: int) -> list[float]:
    """When each word was first to be seen."""
    appeared: list[float] = []
    for version in shown:
        appeared += [version.at] * (min(version.words, tokens) - len(appeared))
    return appeared


def _shares(at: list[float], began: float, steps: int, row: Row) -> tuple[float, ...]:
    counts = [0] * steps
    for moment in at:
        counts[min(steps - 1, max(0, int((moment - began) * 10)))] += 1
    total, shares = 0, []
    for count in counts:
        total += count
        shares.append(round(total / (row.replies * row.tokens), 4))
    return tuple(shares)
