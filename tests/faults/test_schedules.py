"""What can go wrong at once, in any order (platform, gateway, store, process, person), under schedules that Hypothesis
makes up; and each schedule that ever broke the promise.

A failing one is told in one line: `make soak REPLAY=...` plays it again, call by call. `make soak` makes up more of
them, `make soak SECONDS=3600` for an hour.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.invariant import play
from tests.faults.schedule import SCHEDULES, Deed, Fault, Full, Kill, Said, Schedule, read

EXAMPLES = int(os.environ.get("SCHEDULES", "160"))  # `make soak` plays thousands
SHRINK = os.environ.get("SHRINK") != "0"
PARTS = 4  # so that they share what cores there are


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(600 + EXAMPLES)
def test_any_schedule_keeps_the_promise(part: int) -> None:
    """The same ones every time: `make soak` looks for others."""

    @settings(
        max_examples=EXAMPLES // PARTS,
        phases=[Phase.generate, Phase.shrink] if SHRINK else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,
    )
    @seed(part)
    @given(SCHEDULES)
    def promise(schedule: Schedule) -> None:
        play(schedule)

    promise()


@given(SCHEDULES)
@settings(max_examples=100, deadline=None)
def test_a_schedule_reads_as_it_is_written(schedule: Schedule) -> None:
    assert read(str(schedule)) == schedule


# ── schedules that once broke the promise ───────────────────────────────────────────────────────────────────────────

_STATUS = (Deed(0.0, "status"),)


@pytest.mark.parametrize(
    "schedule",
    [
        # an answer asked again, shorter: its end stood above the old one's rest, and all of it looked finished
        Schedule((Said(96, "length", 0.0), Said(3, "cut", 0.0)), (Fault(9, "later", 3600.0),), retries=1),
        # an answer asked again, longer: its first piece looked finished above the old one's second
        Schedule((Said(96), Said(128, pause=0.02)), (Fault(21, "later", 3600.0), Fault(23, "later", 60.0)), retries=1),
        # pieces that were finished while the answer grew were not stored as finished
        Schedule((Said(153, "cut", 0.02),), (), (Kill(7, True), Kill(10)), readable=True, retries=1),
        # a message changed without our knowing was taken for the same final version that it had shown before
        *(Schedule((said,), (Fault(9, "lost"),), readable=True, retries=2) for said in (Said(9), Said(9, "length"))),
        Schedule((Said(9, "cut"),), (Fault(10, "lost"),), retries=2),
        Schedule((Said(7, "length"),), (Fault(9, "unknown"),), (Kill(8, True),), readable=True, retries=2),
        # a piece posted by a process that was killed stayed for ever if the next answer did not reach that far
        Schedule((Said(150, pause=0.02), Said(5)), (), (Kill(7, True),), readable=True),
        # a refused repeat was taken for proof that the first had not arrived either
        Schedule((Said(9, pause=0.0),), (Fault(1, "lost"), Fault(2, "later", 5.0))),
        # three repeats that were told to wait counted as three without an answer
        Schedule((Said(9, pause=0.0),), (Fault(1, "lost"), *(Fault(n, "later", 11.0) for n in range(2, 7)))),
        # the store in trouble right after a message was posted: it was posted again
        *(Schedule((Said(60, pause=0.05),), full=(Full(n),)) for n in (5, 6, 8)),
        # a message of unknown outcome was forgotten while the next answer was shorter, and then posted unmarked
        Schedule((Said(51, chunk=5),), (), (Kill(13, True),), (Deed(0.0, "ask there"),)),
        Schedule(
            (Said(0), Said(0, "cut"), Said(43, "stall", chunk=5)), (), (Kill(13, of="write"),), (Deed(0.0, "twice"),)
        ),
        # never broke it, but would if a question overtook one that waits for its platform
        *(
            Schedule((Said(60, chunk=5),), (Fault(n, "later", 3600.0),), deeds=(Deed(3.0, "restart"), Deed(6.0, "ask")))
            for n in (1, 7)
        ),
        # a message whose outcome nobody heard, of an answer that was asked for again, and was shorter in between
        Schedule(
            (Said(43, pause=0.5, chunk=5), Said(0), Said(43, chunk=5)),
            kills=(Kill(13, False, "write"),),
            deeds=(Deed(0.0, "retry"), Deed(6.0, "new"), Deed(6.0, "retry")),
            full=(Full(7),),
        ),
        # a command's answer, killed around its only call
        *(Schedule((Said(9, pause=3.0),), (), (Kill(1, after),), _STATUS, readable=True) for after in (False, True)),
    ],
)
def test_a_schedule_that_broke_the_promise_no_longer_does(schedule: Schedule) -> None:
    play(schedule)
