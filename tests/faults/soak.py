"""`make soak`: more schedules than a test has time for, other ones each time; or one that failed, once more.

Prints what failed, made as small as it gets, and in which line it can be played again. 1 if anything did.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from tests.faults.invariant import play
from tests.faults.schedule import SCHEDULES, Schedule, read

ROUND = 500  # schedules that are made up from one seed


def replay(text: str) -> int:
    """With all that is logged on the way."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    play(read(text))
    print("The promise was kept.")
    return 0


def soak(schedules: int, seconds: float, first: int) -> int:
    """So many schedules, or as many as fit into so many seconds. Returns how many rounds failed."""
    logging.disable(logging.CRITICAL)
    began, failed, number = time.monotonic(), 0, first
    played = 0

    def over() -> bool:
        return time.monotonic() - began > seconds if seconds else played >= schedules

    while not over():
        count = ROUND if seconds else min(ROUND, schedules - played)

        @seed(number)
        @settings(
            max_examples=count,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            database=None,
            deadline=None,
        )
        @given(SCHEDULES)
        def promise(schedule: Schedule) -> None:
            play(schedule)

        try:
            promise()
        except Exception:  # noqa: BLE001 - whatever it is, it is told
            failed += 1
            print(f"seed {number}:\n{traceback.format_exc(limit=-3)}", flush=True)
        played += count
        number += 1
        took = time.monotonic() - began
        print(f"{played} schedules in {took:.0f} s ({played / took:.1f} a second), {failed} failed", flush=True)
    return failed


def main() -> int:
    if text := os.environ.get("REPLAY"):
        return replay(text)
    first = int(os.environ.get("SEED") or secrets.randbelow(1_000_000_000))
    return min(1, soak(int(os.environ.get("SCHEDULES") or 10_000), float(os.environ.get("SECONDS") or 0), first))


if __name__ == "__main__":
    sys.exit(main())
