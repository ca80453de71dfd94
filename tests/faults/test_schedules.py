"""What can go wrong at once, in any order: platform, model, process and person, under schedules that Hypothesis makes
up; and, below, each defect that was ever found that way, by itself.

A failing schedule is printed as it is written in Python: give it to `play` and it happens again, call by call.
More of them: SCHEDULES=5000 make test ARGS=tests/faults/test_schedules.py (about half an hour).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.delivery import Delivery
from bot.errors import AdapterError, Broken, Gone, NoMoney, Refused, RetryLater, StoreError, Unknown
from bot.markdown import plain
from bot.pieces import Draft
from bot.types import (
    Bucket,
    Chat,
    Finish,
    Inbound,
    NoteKind,
    Outcome,
    Piece,
    Press,
    Reply,
    Stop,
    StopPressed,
    Turn,
    TurnKind,
)
from tests.fakes.clock import START, SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.platform import ANN, CHAT, FakePlatform, Made, Trouble

EXAMPLES = int(os.environ.get("SCHEDULES", "20"))
LABELS = {NoteKind.PART, NoteKind.STOPPED, NoteKind.ERROR}
WRITES = (
    "begin",
    "generated",
    "postpone",
    "end",
    "intend",
    "posted",
    "dropped",
    "claim",
    "release",
    "accept",
    "answer",
)
EMPTIED = "—"  # what could not be deleted
APOLOGY = "Thechatplatformrefusestoshowthisanswer."

# ── a schedule ──────────────────────────────────────────────────────────────────────────────────────────────────────

FaultKind = Literal["later", "unknown", "lost", "slow", "refused", "gone"]


@dataclass(frozen=True)
class Fault:
    """What the platform does to call number `call`. `lost`: it was done, but the answer to it was lost."""

    call: int
    kind: FaultKind
    seconds: float = 0.0

    def trouble(self) -> Trouble:
        error: AdapterError | None = None
        match self.kind:
            case "later":
                error = RetryLater(self.seconds)
            case "unknown" | "lost":
                error = Unknown()
            case "refused":
                error = Refused("can't parse")
            case "gone":
                error = Gone("blocked")
        return Trouble(error, "after" if self.kind == "lost" else "before", self.seconds if self.kind == "slow" else 0)


@dataclass(frozen=True)
class Said:
    """What the model says: so many words, `pause` seconds before each, and how it ends."""

    count: int
    end: Literal["whole", "length", "broken", "poor", "blank", "cut"] = "whole"
    pause: float = 0.1
    line: bool = False  # one long line without a space

    def script(self, letter: str) -> Script:
        gap = "" if self.line else " "
        chunks = [f"{letter}{n}.{gap}" for n in range(self.count)] + ["  \n"] * (self.end == "blank")
        error = {"broken": Broken(), "poor": NoMoney()}.get(self.end)
        finish = {"length": Finish.LENGTH, "cut": None}.get(self.end, Finish.WHOLE)
        return Script(chunks, self.pause, error, finish)


@dataclass(frozen=True)
class Kill:
    """kill -9 in the middle of call number `call`, before or after it had its effect."""

    call: int
    after: bool = False


@dataclass(frozen=True)
class Full:
    """The store fails at write number `write`, before or after it was committed."""

    write: int
    after: bool = False


@dataclass(frozen=True)
class Deed:
    """What a person does, `at` seconds from the start. `again`: the first event comes once more; `restart`: the service
    is stopped, with two seconds for what runs, and started."""

    at: float
    what: Literal["ask", "again", "stop", "press stop", "say stop", "retry", "new", "status", "restart"]


@dataclass(frozen=True)
class Schedule:
    said: tuple[Said, ...] = (Said(12),)
    faults: tuple[Fault, ...] = ()
    kills: tuple[Kill, ...] = ()
    deeds: tuple[Deed, ...] = ()
    full: tuple[Full, ...] = ()
    readable: bool = False
    retries: int = 0  # presses on Retry when all is done, each followed by silence


_CALLS = st.integers(1, 14)
_FAULTS = st.one_of(
    st.builds(Fault, _CALLS, st.just("later"), st.sampled_from([0.0, 1.0, 5.0, 11.0, 3600.0])),
    st.builds(Fault, _CALLS, st.sampled_from(["unknown", "lost"])),
    st.builds(Fault, _CALLS, st.just("slow"), st.sampled_from([0.3, 2.0, 30.0])),
    st.builds(Fault, _CALLS, st.just("refused")),
)
_SAID = st.builds(
    Said,
    st.one_of(st.integers(0, 12), st.integers(40, 160)),
    st.sampled_from(["whole", "whole", "whole", "length", "broken", "poor", "blank", "cut"]),
    st.sampled_from([0.0, 0.02, 0.1, 0.7]),
    st.booleans(),
)
_DEEDS = st.builds(
    Deed,
    st.sampled_from([0.0, 0.05, 0.5, 1.0, 1.5, 3.0, 6.0, 10.0, 60.0]),
    st.sampled_from(["ask", "again", "stop", "press stop", "say stop", "retry", "new", "status", "restart"]),
)
SCHEDULES = st.builds(
    Schedule,
    st.lists(_SAID, min_size=1, max_size=3).map(tuple),
    st.lists(_FAULTS, max_size=5, unique_by=lambda fault: fault.call).map(tuple),
    st.lists(st.builds(Kill, _CALLS, st.booleans()), max_size=2, unique_by=lambda kill: kill.call).map(
        lambda kills: tuple(sorted(kills, key=lambda kill: kill.call))
    ),
    st.lists(_DEEDS, max_size=3).map(lambda deeds: tuple(sorted(deeds, key=lambda deed: deed.at))),
    st.lists(st.builds(Full, st.integers(1, 40), st.booleans()), max_size=2, unique_by=lambda full: full.write).map(
        tuple
    ),
    st.booleans(),
    st.integers(0, 2),
)

# ── playing it ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Play:
    """A schedule under way, over all its processes."""

    schedule: Schedule
    directory: Path
    clock: SimClock = field(default_factory=SimClock)
    births: list[int] = field(default_factory=list)  # calls made when each process began
    turns: list[Turn] = field(default_factory=list)  # at the end, oldest first
    chunks: int = 0
    entries: int = 0
    _retried: int = 0
    _writes: int = 0

    def __post_init__(self) -> None:
        said = self.schedule.said
        self.platform = FakePlatform(
            self.clock,
            readable=self.schedule.readable,
            troubles={each.call: each.trouble() for each in self.schedule.faults},
        )
        self.platform.buckets = lambda chat, call: (Bucket(f"room:{chat.id}", 0.2, 3),)
        scripts = [each.script(letter) for each, letter in zip(said, "abcdefgh", strict=False)]
        self.model = FakeModel(self.clock, scripts)
        self.texts = ["".join("".join(script.chunks).split()) for script in scripts]
        self._events: list[tuple[float, Deed]] = [(0.0, Deed(0.0, "ask"))]
        self._events += [(deed.at, deed) for deed in self.schedule.deeds]
        self._made: dict[int, Inbound] = {}
        self._kills = list(self.schedule.kills)

    async def run(self) -> None:
        while True:
            async with running_core(self.clock, self.directory, self.platform, self.model) as core:
                self.births.append(len(self.platform.made))
                await core.clock.settle()
                self._arm(core)
                if await self._live(core):
                    await self._finish(core)
                    break
                await core.kill()
        assert asyncio.all_tasks() == {asyncio.current_task()}, "tasks are left over"

    def _arm(self, core: Core) -> None:
        put, platform = self.platform.put, self.platform
        while self._kills and self._kills[0].call <= len(platform.made):
            self._kills.pop(0)
        kill = self._kills[0] if self._kills else None

        def die() -> None:
            for life in core.lives:
                life.dead = True

        async def deadly(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
            now = kill is not None and len(platform.made) + 1 == kill.call
            if kill is not None and now and not kill.after:
                die()
                platform.made.append(Made(self.clock.monotonic(), "new", chat, at, piece))  # it was on its way
                raise asyncio.CancelledError
            try:
                return await put(chat, piece, at)
            finally:
                if now:
                    die()

        core.lives[1].instead["put"] = deadly
        for verb in WRITES:
            core.lives[0].instead[verb] = self._failing(getattr(core.lives[0], verb), verb)

    def _failing(self, write: Callable[..., Awaitable[Any]], verb: str) -> Callable[..., Awaitable[Any]]:
        async def wrapped(*args: Any, **more: Any) -> Any:
            self._writes += 1
            full = next((each for each in self.schedule.full if each.write == self._writes), None)
            if full is not None and (not full.after or verb == "claim"):
                raise StoreError(detail="no space left")
            result = await write(*args, **more)
            if full is not None:
                raise StoreError(detail="the connection was lost")
            return result

        return wrapped

    async def _live(self, core: Core) -> bool:
        """True when all is done, False if the process was killed."""
        dead = core.lives[0]
        while True:
            while self._events:
                at, deed = self._events[0]
                await self._until(core, at)
                if dead.dead or not await self._do(core, len(self._made), deed):
                    return False
                self._events.pop(0)
                if deed.what == "restart":
                    await core.stop(2)
                    return False
            if not await self._quiet(core):
                return False
            if self._retried == self.schedule.retries:
                return True
            self._retried += 1
            now = self.clock.seconds
            self._events = [(now, Deed(now, "retry")), (now + 0.3, Deed(now, "retry"))]

    async def _until(self, core: Core, seconds: float) -> None:
        await self.clock.settle()
        while not core.lives[0].dead and (due := self.clock._next()) is not None and due <= seconds:
            await self.clock.step()
        if not core.lives[0].dead:
            self.clock.seconds = max(self.clock.seconds, seconds)

    async def _quiet(self, core: Core) -> bool:
        end = self.clock.seconds + 100_000
        while self.clock.seconds < end:
            await self.clock.settle()
            if core.lives[0].dead:
                return False
            if not core.turns.count:
                waiting = await core.store.open_turns(CHAT)
                if not waiting:
                    return True
                await self._until(core, (min(turn.not_before for turn in waiting) - START) / 1000)
            await self.clock.step()
        raise AssertionError(f"still open: {await core.store.open_turns(CHAT)}")

    async def _do(self, core: Core, number: int, deed: Deed) -> bool:
        event = self._made.get(number) if number in self._made else await self._event(core, number, deed)
        if event is None:
            self._made[number] = self.platform.says("/status")  # nothing to do it to
            return True
        while True:
            try:
                await core.say(event)
            except asyncio.CancelledError:
                if not core.lives[0].dead:
                    raise
                return False  # the platform brings it again
            except StoreError:
                continue  # likewise
            self._made[number] = event
            return True

    async def _event(self, core: Core, number: int, deed: Deed) -> Inbound | None:
        now, key = self.clock.now(), f"event-{number}"
        turn = await core.store.last_turn(CHAT)
        match deed.what:
            case "ask":
                return self.platform.says(f"question {number}")
            case "again":
                return self._made[0]
            case "stop":
                return StopPressed(key, CHAT, now)
            case "press stop" if turn is not None:
                return Press(key, CHAT, ANN, f"/stop {turn.id}", now, turn.posts[0].post if turn.posts else None)
            case "retry" if turn is not None:
                return Press(key, CHAT, ANN, f"/retry {turn.id}", now, turn.posts[0].post if turn.posts else None)
            case "say stop":
                return self.platform.says("/stop")
            case "new":
                return self.platform.says("/new")
            case "status":
                return self.platform.says("/status")
        return None

    async def _finish(self, core: Core) -> None:
        ids = range(1, 40)
        self.turns = [turn for id in ids if (turn := await core.store.turn(id)) is not None]
        for turn in self.turns:
            entries = await core.store.ledger(turn.id)
            assert all(entry.ended is not None for entry in entries), "a call that nobody closed"
            assert all(entry.attempt <= turn.attempt for entry in entries)
            self.entries += len(entries)


# ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────────────


def of_turn(frame: Sequence[Piece], turn: int, *, strict: bool = False) -> list[Piece]:
    """A turn's pieces in the order in which they stand; of those that stand twice, the last, which must say so."""
    pieces: dict[str, Piece] = {}
    for piece in frame:
        if piece.key.split(".")[0] != str(turn) or condensed([piece]) == EMPTIED:
            continue
        if piece.key in pieces:
            said = any(note.kind is NoteKind.REPEAT for note in piece.notes)
            assert said or not strict, "twice, and doesn't say so"
        pieces[piece.key] = piece
    return list(pieces.values())


def condensed(pieces: Sequence[Piece]) -> str:
    return "".join("".join(plain(piece.blocks).split()) for piece in pieces)


def labelled(pieces: Sequence[Piece]) -> bool:
    return any(note.kind in LABELS for note in pieces[-1].notes) if pieces else False


def may_stray(play: Play) -> bool:
    """A copy whose arrival nobody heard of stays as it is, on a platform that can't be read; and so does what can
    neither be deleted nor changed, on any."""
    kinds = [fault.kind for fault in play.schedule.faults]
    unheard = len(play.births) > 1 or "lost" in kinds
    return (unheard and not play.schedule.readable) or kinds.count("refused") > 1


def keys(turn: Turn) -> list[str]:
    return [f"{turn.id}.{index}" for index in range(40)]


def check_frame(frame: Sequence[Piece], turn: int, texts: Sequence[str], *, strict: bool) -> None:
    """What looks finished is finished: a whole text, or a part that says so. No message mixes two answers."""
    pieces = of_turn(frame, turn, strict=strict)
    for piece in pieces:
        text = condensed([piece])
        assert text == APOLOGY or any(text in each for each in texts), f"nobody said this: {text!r}"
    if not pieces or any(piece.growing for piece in pieces):
        return
    text = condensed(pieces)
    if APOLOGY in text:
        return
    if labelled(pieces):
        assert any(each.startswith(text) for each in texts), f"a part of nothing: {text!r}"
    else:
        assert text in texts, f"it looks whole: …{text[-40:]!r}"


def check_end(play: Play, turn: Turn) -> None:
    assert turn.outcome is not None
    standing = play.platform.posts
    known = [posted.post for posted in turn.posts]
    mine = {post: piece for post, (_, piece) in standing.items() if piece.key in keys(turn)}
    strays = [post for post, piece in mine.items() if post not in known and condensed([piece]) != EMPTIED]
    kinds = {fault.kind for fault in play.schedule.faults}
    assert not strays or may_stray(play), "it stands there twice"
    pieces = of_turn([piece for post, (_, piece) in standing.items() if post in known], turn.id)
    unknown = sum(fault.kind in ("unknown", "lost") for fault in play.schedule.faults)
    if turn.outcome is Outcome.GONE:
        assert "gone" in kinds or unknown > 3, "gone, though the platform did not say so"
        return
    if turn.outcome is Outcome.STOPPED and turn.attempt == 0:
        assert not pieces  # stopped before anybody began
        return
    if turn.outcome is Outcome.REFUSED and [fault.kind for fault in play.schedule.faults].count("refused") > 2:
        return  # the platform did not even take an apology
    assert pieces, "silence"
    assert [piece.key for piece in pieces] == [f"{turn.id}.{n}" for n in range(len(pieces))], "out of order, or surplus"
    assert not any(piece.growing for piece in pieces), "it looks unfinished for ever"
    buttons = [choice.label for piece in pieces if piece.menu for row in piece.menu.rows for choice in row]
    assert "Stop" not in buttons
    text = condensed(pieces)
    if "refused" in kinds and APOLOGY in text:
        return
    if turn.outcome is Outcome.WHOLE:
        assert text in play.texts
        assert not labelled(pieces)
    else:
        assert labelled(pieces)
        assert buttons in (["Retry"], ["Retry", "Continue"])
        assert any(each.startswith(text) for each in play.texts)
    assert "".join(turn.text.split()) == text, "the record says something else"


def check_silence(play: Play) -> None:
    """Within one process no call goes out while the platform wants none."""
    made = play.platform.made
    for fault in play.schedule.faults:
        if fault.kind != "later" or fault.call > len(made):
            continue
        at = made[fault.call - 1].at
        after = [birth for birth in play.births if birth >= fault.call]
        same_life = made[fault.call : min(after, default=len(made))]
        early = [call for call in same_life if at < call.at < at + fault.seconds - 0.01]
        assert not early, f"called while silent: {early}"


def check(play: Play) -> None:
    questions = [turn for turn in play.turns if turn.kind is TurnKind.QUESTION]
    once = len(play.births) == 1 and not any(fault.kind == "later" for fault in play.schedule.faults)
    strict = once or play.schedule.retries == 0  # what may stand twice is forgotten with a message that is deleted
    strays = play.schedule.retries > 0 and may_stray(play)
    for turn in questions:
        for frame in [] if strays else play.platform.frames:
            check_frame(list(frame.values()), turn.id, play.texts, strict=strict)
        check_end(play, turn)
    first = [
        next((n for n, (_, p) in enumerate(play.platform.posts.values()) if p.key == f"{turn.id}.0"), -1)
        for turn in questions
    ]
    shown = [place for place in first if place >= 0]
    assert shown == sorted(shown) or "lost" in {fault.kind for fault in play.schedule.faults} or play.schedule.kills, (
        "answers out of order"
    )
    for turn in play.turns:
        if turn.kind is TurnKind.NOTICE:
            mine = of_turn([piece for _, piece in play.platform.posts.values()], turn.id)
            assert (
                mine or turn.outcome is Outcome.GONE or "refused" in {fault.kind for fault in play.schedule.faults}
            ), "a command's answer was lost"
    asked = len(play.model.asked)
    assert asked <= play.entries, "a call that is not in the ledger"
    assert play.model.closed == asked
    chunks = max((len(script.chunks) for script in play.model.scripts), default=0)
    assert len(play.platform.made) <= 3 * chunks * max(1, asked) + 60, "calls explode"
    check_silence(play)


def play(schedule: Schedule) -> Play:
    with tempfile.TemporaryDirectory() as directory, asyncio.Runner() as runner:
        playing = Play(schedule, Path(directory))
        runner.run(playing.run())
    check(playing)
    return playing


@pytest.mark.timeout(EXAMPLES * 5)
@given(SCHEDULES)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 60, suppress_health_check=list(HealthCheck))
def test_any_schedule_keeps_the_promise(schedule: Schedule) -> None:
    play(schedule)


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
        # a command's answer, killed around its only call
        *(Schedule((Said(9, pause=3.0),), (), (Kill(1, after),), _STATUS, readable=True) for after in (False, True)),
    ],
)
def test_a_schedule_that_broke_the_promise_no_longer_does(schedule: Schedule) -> None:
    play(schedule)


# ── single defects ──────────────────────────────────────────────────────────────────────────────────────────────────

LONG = " ".join(f"word{n}" for n in range(150))


@pytest.fixture
def platform(clock: SimClock) -> FakePlatform:
    return FakePlatform(clock)


@pytest.fixture
def model(clock: SimClock) -> FakeModel:
    return FakeModel(clock)


@pytest.fixture
async def core(clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel) -> AsyncIterator[Core]:
    async with running_core(clock, tmp_path, platform, model) as running:
        yield running


async def last(core: Core) -> Turn:
    turn = await core.store.last_turn(CHAT)
    assert turn is not None
    return turn


async def retry(core: Core, key: str = "again") -> None:
    turn = await last(core)
    await core.say(Press(key, CHAT, ANN, f"/retry {turn.id}", core.clock.now(), turn.posts[0].post))


async def test_a_platform_without_buckets_is_left_alone_as_long_as_it_wants(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG[:150], 0.1)]
    platform.troubles = {1: Trouble(RetryLater(1.0)), 3: Trouble(RetryLater(600.0))}
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.made[1].at - platform.made[0].at >= 0.99
    assert platform.made[3].at - platform.made[2].at >= 600
    assert platform.text() == LONG[:150]


async def test_refused_growth_is_tried_ever_more_rarely(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script([LONG[:100], " the end"], 300.0)]
    platform.troubles = {n: Trouble(Refused("odd")) for n in range(1, 400)}
    await core.say(platform.says("hi"))
    await core.clock.advance(599)
    assert len(platform.made) <= 12
    platform.troubles.clear()
    await core.quiet()
    assert platform.text() == LONG[:100] + " the end"


async def test_what_can_not_be_deleted_is_emptied(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script([LONG]), Script(["A short one."])]
    await core.say(platform.says("hi"))
    await core.quiet()
    many = len(platform.shown())
    put = platform.put

    async def keeping(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if piece is None:
            raise Refused("message can't be deleted")
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = keeping
    await retry(core)
    await core.quiet()
    assert platform.text().split() == ["A", "short", "one.", *["—"] * (many - 1)]
    assert (await last(core)).outcome is Outcome.WHOLE
    assert len((await last(core)).posts) == 1


async def test_one_piece_that_is_never_shown_leaves_the_others(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script([LONG])]
    put = platform.put

    async def choosy(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if piece is not None and "word40 " in plain(piece.blocks):
            raise Refused("word40 is not welcome here")
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = choosy
    await core.say(platform.says("hi"))
    await core.quiet()
    assert "refuses to show" in platform.text()
    assert platform.text().startswith("word0 ")
    assert platform.text().endswith(" word149")
    assert (await last(core)).outcome is Outcome.REFUSED


async def test_a_platform_may_be_away_for_half_an_hour(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script(["The answer at last, all of it."])]
    put = platform.put

    async def away(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if core.clock.seconds < 1800:
            platform.statuses += 1000
            raise Unknown()
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = away
    await core.say(platform.says("hi"))
    await core.quiet()
    assert platform.text() == "The answer at last, all of it."
    assert platform.statuses < 5000, "it was tried again and again"


async def test_a_whole_answer_outlives_a_store_that_was_full(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words("This answer was generated once and paid for once.", 0.3)]
    generated, until = core.store.generated, 600.0

    async def full(*args: Any) -> None:
        if core.clock.seconds < until:
            raise StoreError(detail="database or disk is full")
        await generated(*args)

    core.lives[0].instead["generated"] = full
    await core.say(platform.says("hi"))
    await core.quiet()
    assert len(model.asked) == 1
    assert (await last(core)).outcome is Outcome.WHOLE


async def test_a_stop_before_the_restart_asks_nobody(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 1.0)]
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.say(platform.says("hi"))
        await clock.advance(2)
        core.turns.interrupt = lambda chat, turn=None: None  # type: ignore[method-assign]  # killed before it gets there
        await core.say(StopPressed("stop", CHAT, clock.now()))
        await core.kill()
    async with running_core(clock, tmp_path, platform, model) as core:
        await core.quiet(60, CHAT)
        assert (await last(core)).outcome is Outcome.STOPPED
    assert len(model.asked) == 1
    assert not any(piece.growing for piece in platform.shown())


async def test_stopping_what_is_to_be_asked_again_says_so_in_its_message(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["Half of the first answer, and"], finish=Finish.LENGTH), words(LONG, 1.0)]
    await core.say(platform.says("one"))
    await core.quiet()
    first = await last(core)
    await core.say(platform.says("two"))
    await core.clock.advance(3)
    await core.say(Press("again", CHAT, ANN, f"/retry {first.id}", core.clock.now()))
    await core.say(Press("stop", CHAT, ANN, f"/stop {first.id}", core.clock.now()))
    await core.quiet()
    turn = await core.store.turn(first.id)
    assert turn is not None
    assert (turn.outcome, turn.text) == (Outcome.STOPPED, "")
    assert condensed(platform.shown()[:1]) == ""
    assert labelled(platform.shown()[:1])
    assert len(model.asked) == 2


async def test_another_process_can_stop_what_runs_here(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [words(LONG, 1.0)]
    async with running_core(clock, tmp_path, platform, model) as core:
        calls: list[Callable[[], None]] = []

        @contextlib.asynccontextmanager
        async def watch(wake: Callable[[], None]) -> AsyncIterator[None]:
            calls.append(wake)
            yield

        await core.stop(0)
        core.lives[0].instead["watch"] = watch
        core.turns._draining = False
        running = asyncio.create_task(core.turns.run())
        await core.say(platform.says("hi"))
        await clock.advance(3)
        await core.store.answer(StopPressed("there", CHAT, clock.now()), Reply("", effects=(Stop(CHAT),)))
        calls[0]()
        await core.quiet(10)
        assert (await last(core)).outcome is Outcome.STOPPED
        await core.stop(0)
        await running


async def test_what_is_claimed_while_draining_is_given_back(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    claim, gate = core.store.claim, asyncio.Event()

    async def slow(now: int) -> Turn | None:
        turn = await claim(now)
        if turn is not None:
            await gate.wait()
        return turn

    core.lives[0].instead["claim"] = slow
    await core.say(platform.says("hi"))
    await core.clock.settle()
    draining = asyncio.create_task(core.turns.drain(20))
    await core.clock.settle()
    gate.set()
    await core.clock.settle()
    assert draining.done()
    assert core.turns.count == 0
    again = await claim(core.clock.now())
    assert again is not None
    assert again.attempt == 2
    assert model.asked == []


async def test_white_space_and_then_an_error_is_an_error(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script(["\n \n"], error=Broken())]
    await core.say(platform.says("hi"))
    await core.quiet()
    assert (await last(core)).outcome is Outcome.REFUSED
    assert not await core.store.context(CHAT)


async def test_an_answer_whose_message_was_deleted_is_shown_anew(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    model.scripts = [Script(["Half of it, and"], finish=Finish.LENGTH), Script(["All of it this time."])]
    await core.say(platform.says("hi"))
    await core.quiet()
    platform.posts.clear()  # by a person
    await core.say(platform.says("/retry"))
    await core.quiet()
    assert "All of it this time." in platform.text()
    assert (await last(core)).outcome is Outcome.WHOLE


async def test_a_turn_that_is_given_up_says_so(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    put = platform.put

    async def buggy(chat: Chat, piece: Piece | None, at: str | None = None) -> str:
        if piece is not None and "Hello" in plain(piece.blocks):
            raise ZeroDivisionError
        return await put(chat, piece, at)

    core.lives[1].instead["put"] = buggy
    await core.say(platform.says("hi"))
    await core.quiet()
    assert (await last(core)).outcome is Outcome.REFUSED
    assert platform.text() == "Something went wrong."
    assert len(model.asked) == 1


async def test_another_chats_turn_is_out_of_reach(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [words(LONG, 0.5)]
    await core.say(platform.says("hi"))
    await core.clock.advance(3)
    turn = await last(core)
    elsewhere = Chat("fake", "bot", "elsewhere")
    for deed in ("stop", "retry"):
        ack = await core.say(Press(deed, elsewhere, ANN, f"/{deed} {turn.id}", core.clock.now(), turn.posts[0].post))
        assert ack.error
    await core.quiet()
    assert (await last(core)).outcome is Outcome.WHOLE
    assert (await last(core)).attempt == 1


async def test_turns_leave_nothing_behind(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    async def round(number: int) -> int:
        await core.say(platform.says(f"question {number}"))
        await core.quiet()
        return len(asyncio.all_tasks())

    tasks = [await round(number) for number in range(12)]
    assert tasks[-1] == tasks[0]
    platform.made.clear()
    gc.collect()
    assert not [found for found in gc.get_objects() if isinstance(found, Delivery | Draft)]
