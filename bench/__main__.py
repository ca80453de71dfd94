"""`python -m bench`, or `make bench ARGS="50 --platform telegram"`: a table, a plot, and a line of JSON"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import time
from dataclasses import asdict
from pathlib import Path

from bench.figures import Cost, Figures
from bench.growth import growth
from bench.pace import Least, least
from bench.platforms import PACES, PLATFORMS
from bench.plot import draw
from bench.rows import ROWS, Row
from bench.run import measure

OUT = Path(__file__).parent / "results"
GROWTH = "growth"  # a row of ratios
_COLUMNS = (  # heading, unit, width
    ("", "", 10),
    ("whole", "", 12),
    ("begun", "s", 7),
    ("all whole", "s", 11),
    ("first visible", "s (worst)", 15),
    ("staleness", "s", 10),
    ("lag", "s (worst)", 15),
    ("calls", "/reply", 8),
    ("429s", "", 6),
    ("CPU", "ms/reply", 9),
    ("RSS", "MB", 6),
    ("growth", "kB/reply", 9),
)
Measured = dict[str, tuple[Figures, Cost]]


def main() -> None:
    options = _options()
    OUT.mkdir(exist_ok=True)
    found: dict[str, tuple[Row, Measured]] = {}
    print(_line([head for head, _, _ in _COLUMNS]), _line([unit for _, unit, _ in _COLUMNS]), sep="\n")
    wanted = options.rows or [*ROWS, GROWTH]
    for name in options.platform or PLATFORMS:
        for row in (ROWS[row] for row in wanted if row in ROWS):
            found[f"{name} {row.name}"] = row, _row(name, row, options)
    ratios = growth() if GROWTH in wanted else {}
    for what, ratio in ratios.items():
        print(f"\n{what}: {ratio:.2f} times as long")
    (OUT / "last.svg").write_text(draw(found), encoding="utf-8")
    with (OUT / "runs.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**_record(found), **ratios}) + "\n")
    print(f"\nplot: {OUT / 'last.svg'}, figures: {OUT / 'runs.jsonl'}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Magpie measured against a floor in the same run.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join([*ROWS, GROWTH])}; all if none is named")
    parser.add_argument("--platform", action="append", choices=list(PLATFORMS), help="which platform; all by default")
    parser.add_argument("--only", choices=["floor", "magpie"], help="only one of the two programs")
    parser.add_argument("--profile", type=Path, help="where py-spy is to write Magpie's stacks, in its raw format")
    options = parser.parse_args()
    if unknown := set(options.rows) - {*ROWS, GROWTH}:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    return options


def _row(name: str, row: Row, options: argparse.Namespace) -> Measured:
    measured: Measured = {}
    print(f"\n{name}: {row}", flush=True)
    print(_line(["  least", str(row.replies), "0.00", *_least(least(row, PACES[name]))]), flush=True)
    for program in ("floor", "magpie"):
        if options.only in (None, program):
            real = "unlimited" if program == "magpie" and not row.limits else program
            profile = options.profile if program == "magpie" else None
            measured[program] = asyncio.run(measure(name, row, real, profile))
            print(_line([f"  {program}", *_cells(*measured[program])]), flush=True)
    return measured


def _least(bound: Least) -> list[str]:
    return [f"{value:.2f}" for value in (bound.total, bound.first, bound.staleness, bound.lag)]


def _cells(seen: Figures, cost: Cost) -> list[str]:
    return [
        f"{seen.whole}" if seen.paid == seen.replies else f"{seen.whole} paid {seen.paid}",
        f"{seen.begun:.2f}",
        f"{seen.total:.2f}",
        f"{seen.first:.2f} ({seen.first_worst:.2f})",
        f"{seen.staleness:.2f}",
        f"{seen.lag:.2f} ({seen.lag_worst:.2f})",
        f"{cost.calls:.1f}",
        str(cost.floods),
        f"{cost.cpu:.0f}",
        f"{cost.rss:.0f}",
        f"{cost.growth:.0f}",
    ]


def _line(cells: list[str]) -> str:
    padded = zip(cells, _COLUMNS, strict=False)
    return "".join(f"{cell:>{width}}" if head else f"{cell:<{width}}" for cell, (head, _, width) in padded)


def _record(found: dict[str, tuple[Row, Measured]]) -> dict[str, object]:
    rows = {
        title: {name: {**asdict(cost), **_plain(seen)} for name, (seen, cost) in measured.items()}
        for title, (_, measured) in found.items()
    }
    return {"at": round(time.time()), "python": platform.python_version(), "machine": platform.machine(), "rows": rows}


def _plain(seen: Figures) -> dict[str, object]:
    return {name: value for name, value in asdict(seen).items() if name not in ("seen", "said")}


if __name__ == "__main__":
    main()
