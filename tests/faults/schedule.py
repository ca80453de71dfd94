"""What goes wrong, and when: a schedule, as data. It is written in Python, so a failing one can be played again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from hypothesis import strategies as st

from bot.errors import AdapterError, OutcomeUnknown, Rejected, RetryLater, Undeliverable
from tests.fakes.platform import Trouble

__all__ = ["SCHEDULES", "Deed", "Fault", "Full", "Kill", "Said", "Schedule", "read"]

FaultKind = Literal["later", "unknown", "lost", "slow", "refused", "gone"]
End = Literal[
    "whole", "cumulative", "length", "filter", "cut", "broken", "stall", "garbage", "object",  # after its text
    "blank", "empty", "refuse", "busy", "upstream", "poor", "page", "error",  # without any
]  # fmt: skip
What = Literal[
    "ask", "ask there", "again", "twice", "swap", "stop", "press stop", "say stop", "retry", "continue", "new",
    "status", "restart", "down",
]  # fmt: skip


class _Short:
    """Its repr leaves out what is as usual."""

    def __repr__(self) -> str:
        given = [(each, getattr(self, each.name)) for each in fields(self)]  # type: ignore[arg-type]
        cut = max((number for number, (each, value) in enumerate(given) if value != each.default), default=-1) + 1
        positional = cut if cut <= 3 else 2
        words = [repr(value) for _, value in given[:positional]]
        words += [f"{each.name}={value!r}" for each, value in given[positional:] if value != each.default]
        return f"{type(self).__name__}({', '.join(words)})"


@dataclass(frozen=True, repr=False)
class Fault(_Short):
    """What the platform does to call number `call`. `later`: 429 with that many seconds. `lost`: it was done, but the
    answer to it was lost, `unknown`: so was the call; after that many seconds of silence either. `slow`: it takes
    them."""

    call: int
    kind: FaultKind
    seconds: float = 0.0

    def trouble(self) -> Trouble:
        error: AdapterError | None = None
        match self.kind:
            case "later":
                error = RetryLater(self.seconds)
            case "unknown" | "lost":
                error = OutcomeUnknown()
            case "refused":
                error = Rejected("can't parse")
            case "gone":
                error = Undeliverable("blocked")
        delay = 0 if self.kind == "later" else self.seconds
        return Trouble(error, "after" if self.kind == "lost" else "before", delay)


@dataclass(frozen=True, repr=False)
class Said(_Short):
    """What the gateway says to a request: so many words, `pause` seconds before each chunk, and how it ends."""

    count: int
    end: End = "whole"
    pause: float = 0.1
    line: bool = False  # one long line without a space
    chunk: int = 1  # words in each


@dataclass(frozen=True, repr=False)
class Kill(_Short):
    """kill -9 in the middle of call number `call` of the platform (or write of the store, or piece of an answer),
    before or after it had its effect; `down` seconds until the next start."""

    call: int
    after: bool = False
    of: Literal["call", "write", "chunk"] = "call"
    down: float = 0.0


@dataclass(frozen=True, repr=False)
class Full(_Short):
    """The store fails at write number `write`, before or after it was committed."""

    write: int
    after: bool = False


@dataclass(frozen=True, repr=False)
class Deed(_Short):
    """What a person does, `at` seconds from the start. `again`: the first event comes once more; `twice`: a question
    whose event comes twice at once; `swap`: two questions whose events come in the wrong order; `ask there`: in another
    chat. `restart`: the service is stopped, with two seconds for what runs, and started; `down`: started an hour
    later."""

    at: float
    what: What


@dataclass(frozen=True, repr=False)
class Schedule(_Short):
    said: tuple[Said, ...] = (Said(12),)
    faults: tuple[Fault, ...] = ()
    kills: tuple[Kill, ...] = ()
    deeds: tuple[Deed, ...] = ()
    full: tuple[Full, ...] = ()
    readable: bool = False
    retries: int = 0  # presses on Retry when all is done, each followed by silence


def read(text: str) -> Schedule:
    """A schedule as it was printed."""
    found = eval(text, {each.__name__: each for each in (Schedule, Said, Fault, Kill, Deed, Full)})
    assert isinstance(found, Schedule)
    return found


# ── made up ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_CALLS = st.one_of(st.integers(1, 4), st.integers(1, 14))
_FAULTS = st.one_of(
    st.builds(Fault, _CALLS, st.just("later"), st.sampled_from([0.0, 1.0, 5.0, 11.0, 60.0, 3600.0, 10800.0])),
    st.builds(Fault, _CALLS, st.sampled_from(["unknown", "lost"]), st.sampled_from([0.0, 0.0, 20.0])),
    st.builds(Fault, _CALLS, st.just("slow"), st.sampled_from([0.3, 2.0, 30.0])),
    st.builds(Fault, _CALLS, st.just("refused")),
    st.builds(Fault, _CALLS, st.sampled_from(["refused", "lost", "gone"])),
)
_WHOLE: tuple[End, ...] = ("whole",)
_PARTS: tuple[End, ...] = ("length", "filter", "cut", "broken", "stall", "garbage", "object", "cumulative")
_NOTHING: tuple[End, ...] = ("blank", "empty", "refuse", "busy", "upstream", "poor", "page", "error")
_ENDS = st.one_of(st.sampled_from(_WHOLE * 2 + _PARTS), st.sampled_from(_WHOLE + _PARTS), st.sampled_from(_NOTHING))
_SAID = st.one_of(
    st.builds(Said, st.integers(0, 12), _ENDS, st.sampled_from([0.0, 0.1, 0.7]), st.booleans()),
    st.builds(Said, st.integers(40, 160), _ENDS, st.sampled_from([0.0, 0.1, 0.5]), st.booleans(), st.just(5)),
)
_KILLS = st.one_of(
    st.builds(Kill, _CALLS, st.booleans()),
    st.builds(
        Kill,
        st.integers(1, 30),
        st.booleans(),
        st.sampled_from(["call", "write", "chunk"]),
        st.sampled_from([0.0, 2.0, 1200.0]),
    ),
)
_WHATS: tuple[What, ...] = (
    "ask", "ask", "ask there", "again", "twice", "swap", "stop", "press stop", "say stop", "retry", "continue", "new",
    "status", "restart", "down",
)  # fmt: skip
_DEEDS = st.builds(
    Deed, st.sampled_from([0.0, 0.05, 0.5, 1.0, 1.5, 3.0, 6.0, 10.0, 60.0, 400.0]), st.sampled_from(_WHATS)
)
SCHEDULES = st.builds(
    Schedule,
    st.lists(_SAID, min_size=1, max_size=3).map(tuple),
    st.lists(_FAULTS, max_size=5, unique_by=lambda fault: fault.call).map(tuple),
    st.lists(_KILLS, max_size=2, unique_by=lambda kill: (kill.of, kill.call)).map(tuple),
    st.lists(_DEEDS, max_size=3).map(lambda deeds: tuple(sorted(deeds, key=lambda deed: deed.at))),
    st.lists(st.builds(Full, st.integers(1, 40), st.booleans()), max_size=2, unique_by=lambda full: full.write).map(
        tuple
    ),
    st.booleans(),
    st.sampled_from([0, 0, 1, 2]),
)
