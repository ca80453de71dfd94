"""The gate, in simulated time: budgets kept, priorities kept, silence kept, and everybody gets through at last."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.delivery.limiter import RateLimiter
from bot.types import Bucket, CallKind, Chat
from tests.fakes.clock import SimClock

TINY = 1e-5  # seconds
URGENT = (CallKind.FINAL, CallKind.STOP)


def chat(name: str) -> Chat:
    return Chat("p", "a", name)


@dataclass
class Bench:
    """A gate in simulated time, and who came through when."""

    clock: SimClock = field(default_factory=SimClock)
    came: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limiter = RateLimiter(self.clock)
        self.start = asyncio.all_tasks()

    def send(self, name: str, call: CallKind, *buckets: Bucket, of: str = "") -> asyncio.Task[None]:
        async def one() -> None:
            await self.limiter.enter(chat(of or name), call, buckets)
            self.came.append((name, round(self.clock.seconds, 3)))

        return asyncio.create_task(one())

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.came]

    @property
    def background(self) -> int:
        return len(asyncio.all_tasks() - self.start)


def room(name: str = "room") -> Bucket:
    return Bucket(name, interval=1.1, burst=3)


ONE = Bucket("one", interval=1.0)


async def test_no_buckets_no_waiting() -> None:
    bench = Bench()
    await bench.limiter.enter(chat("a"), CallKind.CHANGE, ())
    assert bench.limiter.try_enter(chat("a"), CallKind.STATUS, ())
    assert bench.limiter.wait(chat("a"), CallKind.CHANGE, ()) == bench.limiter.silent(()) == 0.0


async def test_who_is_cancelled_in_the_moment_of_being_let_through_takes_nothing_and_breaks_nobody() -> None:
    """Its future is cancelled at once; its task hears of it only when it runs, and others may be let through first."""
    bench = Bench()
    await bench.limiter.enter(chat("first"), CallKind.CHANGE, (ONE,))
    waiting = bench.send("cancelled", CallKind.CHANGE, ONE)
    other = bench.send("other", CallKind.CHANGE, ONE)
    await bench.clock.settle()
    bench.clock.seconds += 1.0
    waiting.cancel()
    assert not bench.limiter.try_enter(chat("third"), CallKind.CHANGE, (ONE,)), "the other is due"
    await bench.clock.settle()
    assert waiting.cancelled()
    assert other.done()
    assert bench.names == ["other"]
    await bench.clock.advance(1.0)
    assert bench.limiter.try_enter(chat("third"), CallKind.CHANGE, (ONE,)), "and nothing is left behind"


async def test_a_burst_then_one_per_interval_and_the_last_token_is_for_finals() -> None:
    bench = Bench()
    for number in range(4):
        bench.send(f"change {number}", CallKind.CHANGE, room(), of="a")
    await bench.clock.advance(0)
    assert bench.came == [("change 0", 0.0), ("change 1", 0.0)]
    bench.send("final", CallKind.FINAL, room(), of="a")
    await bench.clock.advance(0)
    assert bench.came[-1] == ("final", 0.0)
    await bench.clock.advance(10)
    assert bench.came[3:] == [("change 2", 2.2), ("change 3", 3.3)]  # the final's token has to come back as well


async def test_what_grows_leaves_room_for_what_is_new() -> None:
    bench, group = Bench(), Bucket("group", interval=3.0, burst=4, spare=2)
    for number in range(4):
        bench.send(f"change {number}", CallKind.CHANGE, group)
    await bench.clock.advance(0)
    assert bench.came == [("change 0", 0.0), ("change 1", 0.0)]
    bench.send("final", CallKind.FINAL, group)
    bench.send("new", CallKind.NEW, group)
    await bench.clock.advance(3)
    assert bench.came[2:] == [("final", 0.0), ("new", 3.0)]
    await bench.clock.advance(5.9)
    assert len(bench.came) == 4
    await bench.clock.advance(0.1)
    assert bench.came[4:] == [("change 2", 9.0)]


async def test_a_window_and_its_reserve() -> None:
    bench = Bench()
    bucket = Bucket("group", interval=0.1, burst=1, count=4, window=60.0, reserve=2)
    for number in range(3):
        bench.send(f"change {number}", CallKind.CHANGE, bucket, of="a")
    await bench.clock.advance(1)
    bench.send("final", CallKind.FINAL, bucket, of="a")
    bench.send("stop", CallKind.STOP, bucket, of="a")
    bench.send("late final", CallKind.FINAL, bucket, of="b")
    await bench.clock.advance(200)
    assert bench.came == [
        ("change 0", 0.0),
        ("change 1", 0.1),
        ("final", 1.0),
        ("late final", 1.1),
        ("stop", 60.0),  # the window holds four
        ("change 2", 61.1),  # two of them for a change
    ]


async def test_priorities() -> None:
    bench = Bench()
    await bench.limiter.enter(chat("x"), CallKind.NEW, (ONE,))
    for call in reversed(CallKind):
        bench.send(call.name, call, ONE)
    await bench.clock.advance(10)
    assert bench.came == [("FINAL", 1.0), ("STOP", 2.0), ("NEW", 3.0), ("CHANGE", 4.0), ("STATUS", 5.0)]


async def test_a_chat_with_much_to_say_does_not_starve_another() -> None:
    bench = Bench()
    await bench.limiter.enter(chat("x"), CallKind.NEW, (ONE,))
    for number in range(4):
        bench.send(f"a{number}", CallKind.CHANGE, ONE, of="a")
    bench.send("b0", CallKind.CHANGE, ONE, of="b")
    bench.send("c0", CallKind.CHANGE, ONE, of="c")
    bench.send("b1", CallKind.CHANGE, ONE, of="b")
    await bench.clock.advance(20)
    assert bench.names == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


async def test_who_waits_for_one_bucket_holds_up_nobody_in_another() -> None:
    bench, shared = Bench(), Bucket("bot", interval=0.1, burst=5)
    bench.limiter.throttled((room("a"),), 100.0)
    bench.send("a", CallKind.FINAL, room("a"), shared)
    bench.send("b", CallKind.CHANGE, room("b"), shared)
    await bench.clock.advance(0)
    assert bench.came == [("b", 0.0)]
    await bench.clock.advance(200)
    assert bench.came[1:] == [("a", 100.0)]


async def test_a_final_is_not_starved_by_lower_calls_that_take_its_buckets_in_turn() -> None:
    bench = Bench()
    left, right = Bucket("left", interval=1.0), Bucket("right", interval=1.0)
    bench.send("left", CallKind.NEW, left)
    await bench.clock.advance(0.5)
    bench.send("right", CallKind.NEW, right)
    for number in range(5):
        bench.send(f"left {number}", CallKind.NEW, left)
        bench.send(f"right {number}", CallKind.NEW, right)
    bench.send("both", CallKind.FINAL, left, right)
    await bench.clock.advance(20)
    assert ("both", 1.5) in bench.came
    assert len(bench.came) == 13


async def test_silence_is_kept_and_the_longest_announcement_wins() -> None:
    bench = Bench()
    bench.limiter.throttled((ONE,), 30.0)
    bench.limiter.throttled((ONE,), 5.0)
    assert bench.limiter.silent((ONE, room())) == 30.0
    assert bench.limiter.silent((room(),)) == 0.0
    bench.send("final", CallKind.FINAL, ONE)
    assert not bench.limiter.try_enter(chat("b"), CallKind.STATUS, (ONE,))
    await bench.clock.advance(29.9)
    assert bench.came == []
    await bench.clock.advance(10)
    assert bench.came == [("final", 30.0)]
    assert bench.limiter.silent((ONE,)) == 0.0


async def test_one_chats_flood_silences_that_chat_and_two_at_once_what_they_share() -> None:
    bench, shared = Bench(), Bucket("bot", interval=0.1, burst=5)
    bench.limiter.throttled((room("a"), shared), 100.0)
    bench.limiter.throttled((room("a"), shared), 100.0)
    bench.send("b", CallKind.CHANGE, room("b"), shared)
    await bench.clock.advance(1)
    assert bench.came == [("b", 0.0)]
    bench.limiter.throttled((room("b"), shared), 50.0)
    bench.send("c", CallKind.FINAL, room("c"), shared)
    await bench.clock.advance(200)
    assert bench.came[1:] == [("c", 51.0)]
    bench.limiter.throttled((room("c"), shared), 50.0)  # a's and b's silence is over by now
    assert bench.limiter.silent((shared,)) == 0.0


async def test_silence_that_begins_while_somebody_waits() -> None:
    bench = Bench()
    bench.send("a", CallKind.NEW, ONE)
    bench.send("b", CallKind.NEW, ONE)
    await bench.clock.advance(0.5)
    bench.limiter.throttled((ONE,), 20.0)
    await bench.clock.advance(60)
    assert bench.came == [("a", 0.0), ("b", 20.5)]


async def test_nothing_goes_out_as_a_burst_after_a_silence() -> None:
    bench = Bench()
    bench.limiter.throttled((Bucket("bot", interval=0.5, burst=30),), 60.0)
    for number in range(10):
        bench.send(f"{number}", CallKind.FINAL, Bucket("bot", interval=0.5, burst=30))
    await bench.clock.advance(60.4)
    assert len(bench.came) == 2
    await bench.clock.advance(0.2)
    assert len(bench.came) == 3


@pytest.mark.parametrize("after", [math.inf, math.nan, -1.0])
async def test_a_silly_announcement_does_no_harm(after: float) -> None:
    bench = Bench()
    bench.limiter.throttled((ONE,), after)
    task = bench.send("a", CallKind.FINAL, ONE)
    await bench.clock.advance(0)
    assert task.done() == (after != math.inf)
    task.cancel()
    await bench.clock.settle()
    assert bench.background == 0


async def paces(bench: Bench, bucket: Bucket) -> float:
    """Seconds between two finals."""
    await bench.clock.run(bench.limiter.enter(chat("x"), CallKind.FINAL, (bucket,)))
    start = bench.clock.seconds
    await bench.clock.run(bench.limiter.enter(chat("x"), CallKind.FINAL, (bucket,)))
    return round(bench.clock.seconds - start, 3)


async def test_refused_against_its_budget_a_bucket_slows_down_and_recovers() -> None:
    bench = Bench()
    assert await paces(bench, ONE) == 1.0
    for _ in range(3):
        bench.limiter.throttled((ONE,), 3.0)  # three calls under way, refused together
    assert await paces(bench, ONE) == 2.0
    bench.limiter.throttled((ONE,), 3.0)
    assert await paces(bench, ONE) == 4.0
    await bench.clock.advance(60)
    assert await paces(bench, ONE) == 3.6
    for _ in range(9):
        bench.limiter.throttled((ONE,), 0.0)
        assert await paces(bench, ONE) <= 16.0
    await bench.clock.advance(3600)
    assert await paces(bench, ONE) == 1.0


async def test_a_bucket_of_a_window_alone_slows_down_too() -> None:
    bench, bucket = Bench(), Bucket("team", interval=0.0, count=60, window=60.0)
    assert await paces(bench, bucket) == 0.0
    bench.limiter.throttled((bucket,), 1.0)
    assert await paces(bench, bucket) == 2.0


async def test_a_status_never_waits_and_never_takes_the_last_token() -> None:
    bench = Bench()
    assert bench.limiter.try_enter(chat("a"), CallKind.STATUS, (room(), ONE))
    assert not bench.limiter.try_enter(chat("a"), CallKind.STATUS, (room(), ONE))
    assert bench.limiter.try_enter(chat("a"), CallKind.STATUS, (room(),))  # what failed took nothing
    assert not bench.limiter.try_enter(chat("a"), CallKind.STATUS, (room(),))
    assert bench.limiter.wait(chat("a"), CallKind.FINAL, (room(),)) == 0.0


async def test_a_status_steps_back_behind_who_is_due() -> None:
    bench = Bench()
    await bench.limiter.enter(chat("a"), CallKind.NEW, (ONE,))
    bench.send("b", CallKind.CHANGE, ONE)
    await bench.clock.settle()
    bench.clock.seconds = 1.5  # the alarm is late
    assert not bench.limiter.try_enter(chat("c"), CallKind.STATUS, (ONE,))
    await bench.clock.settle()
    assert bench.came == [("b", 1.5)]


async def test_wait_tells_what_enter_takes() -> None:
    bench = Bench()
    assert bench.limiter.wait(chat("a"), CallKind.CHANGE, (ONE, room())) == 0.0
    await bench.limiter.enter(chat("a"), CallKind.CHANGE, (ONE, room()))
    assert bench.limiter.wait(chat("a"), CallKind.CHANGE, (ONE, room())) == pytest.approx(1.0)
    for number in range(3):
        bench.send(f"{number}", CallKind.CHANGE, ONE)
    await bench.clock.settle()
    assert bench.limiter.wait(chat("a"), CallKind.CHANGE, (ONE,)) == pytest.approx(4.0)
    assert bench.limiter.wait(chat("a"), CallKind.FINAL, (ONE,)) == pytest.approx(1.0)  # goes before them
    bench.limiter.throttled((ONE,), 7200.0)
    assert bench.limiter.wait(chat("a"), CallKind.FINAL, (ONE,)) == pytest.approx(7200.0)
    await bench.clock.advance(8000)
    assert len(bench.came) == 3


async def test_wait_counts_the_windows_that_those_ahead_fill() -> None:
    bench, bucket = Bench(), Bucket("window", interval=0.1, count=2, window=10.0)
    for number in range(5):
        bench.send(f"{number}", CallKind.NEW, bucket, of="a")
    await bench.clock.advance(1)
    assert len(bench.came) == 2
    assert bench.limiter.wait(chat("b"), CallKind.NEW, (bucket,)) == pytest.approx(19.0)


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    bench = Bench()
    await bench.limiter.enter(chat("a"), CallKind.NEW, (ONE,))
    first, _second = bench.send("first", CallKind.FINAL, ONE), bench.send("second", CallKind.FINAL, ONE)
    await bench.clock.advance(0.5)
    first.cancel()
    await bench.clock.advance(10)
    assert bench.came == [("second", 1.0)]
    assert bench.background == 0


async def test_cancelled_in_the_moment_it_comes_through_it_gives_its_tokens_back() -> None:
    bench, bucket = Bench(), Bucket("window", interval=1.0, count=2, window=100.0)
    await bench.limiter.enter(chat("a"), CallKind.NEW, (bucket,))
    first, _second = bench.send("first", CallKind.FINAL, bucket), bench.send("second", CallKind.FINAL, bucket)
    await bench.clock.settle()
    bench.clock.seconds = 1.0
    bench.limiter.try_enter(chat("a"), CallKind.STATUS, (bucket,))  # lets the first through, whose task hasn't run yet
    first.cancel()
    await bench.clock.settle()
    assert bench.came == [("second", 1.0)]
    assert bench.limiter.wait(chat("a"), CallKind.NEW, (bucket,)) == pytest.approx(99.0)


async def test_nothing_runs_while_nobody_waits_and_unused_buckets_are_forgotten() -> None:
    bench = Bench()
    for number in range(500):
        await bench.limiter.enter(chat(f"{number}"), CallKind.NEW, (room(f"room {number}"), Bucket("bot", 0.001, 1000)))
    bench.send("a", CallKind.NEW, ONE)
    bench.send("b", CallKind.NEW, ONE)
    await bench.clock.settle()
    assert bench.background > 0
    await bench.clock.advance(1)
    assert bench.background == 0
    await bench.clock.advance(100)
    for _ in range(300):
        bench.limiter.try_enter(chat("a"), CallKind.STATUS, (ONE,))
    assert len(bench.limiter._levels) < 10
    assert not bench.limiter._lines
    assert not bench.limiter._speakers


async def test_a_window_remembers_no_more_than_it_holds() -> None:
    bench, bucket = Bench(), Bucket("window", interval=0.1, count=3, window=2.0)
    for _ in range(50):
        await bench.clock.run(bench.limiter.enter(chat("a"), CallKind.NEW, (bucket,)))
    assert len(bench.limiter._levels["window"].taken) <= 4


class QuickClock:
    """Time that jumps to the next alarm whenever asked; cheaper than SimClock, so that what is measured is the gate."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> int:
        return round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.seconds + seconds, future))
        await future

    def jump(self) -> None:
        self.sleepers = sorted((one for one in self.sleepers if not one[1].done()), key=lambda one: one[0])
        if self.sleepers:
            self.seconds, future = self.sleepers.pop(0)
            future.set_result(None)


async def drain(waiters: list[Coroutine[None, None, None]], clock: QuickClock) -> float:
    tasks = [asyncio.ensure_future(one) for one in waiters]
    start = time.process_time()
    while not all(task.done() for task in tasks):
        for _ in range(3):
            await asyncio.sleep(0)
        clock.jump()
    return time.process_time() - start


@pytest.mark.parametrize("burst", [30, 1])
async def test_a_thousand_waiters_are_cheap(burst: int) -> None:
    """The bound is wide of what it takes (a tenth of a second), so that a busy machine doesn't fail it."""
    clock = QuickClock()
    limiter, bot = RateLimiter(clock), Bucket("bot", 1 / 30, burst)
    calls = [
        limiter.enter(chat(f"{number}"), CallKind(number % 4), (Bucket(f"room {number}", 1.1, 3), bot))
        for number in range(1000)
    ]
    assert await drain(calls, clock) < 4
    assert clock.seconds == pytest.approx((1000 - burst) / 30, abs=0.1)


# ── any schedule ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Ask:
    at: float
    chat: int
    call: CallKind
    buckets: tuple[Bucket, ...]
    patience: float | None  # cancelled after so many seconds


@dataclass(frozen=True)
class Refusal:
    at: float
    buckets: tuple[Bucket, ...]
    after: float


@dataclass(frozen=True)
class Seen:
    """One thing that happened, in order: somebody came, was let through, or gave up; or the platform refused."""

    what: str
    at: float
    ask: Ask | None = None
    number: int = -1
    refusal: Refusal | None = None


times = st.integers(0, 80).map(lambda tick: tick * 0.25)


@st.composite
def bucket_lists(draw: st.DrawFn) -> list[Bucket]:
    def bucket(index: int) -> Bucket:
        count = draw(st.integers(0, 5))
        return Bucket(
            f"b{index}",
            interval=draw(st.sampled_from([0.0, 0.25, 0.7, 1.1, 3.1])),
            burst=draw(st.integers(1, 3)),
            count=count,
            window=draw(st.sampled_from([2.0, 10.0])) if count else 0.0,
            reserve=draw(st.integers(0, count)),
            spare=draw(st.integers(1, 3)),
        )

    return [bucket(index) for index in range(draw(st.integers(1, 4)))]


@st.composite
def schedules(draw: st.DrawFn, refusals: bool) -> tuple[list[Ask], list[Refusal]]:
    some = st.lists(st.sampled_from(draw(bucket_lists())), min_size=1, max_size=3, unique=True).map(tuple)
    patience = st.one_of(st.none(), st.none(), times)
    asks = draw(
        st.lists(
            st.builds(Ask, times, st.integers(0, 3), st.sampled_from(CallKind), some, patience), min_size=1, max_size=25
        )
    )
    refused = st.lists(st.builds(Refusal, times, some, times), max_size=3 if refusals else 0)
    return asks, draw(refused)


async def play(asks: list[Ask], refusals: list[Refusal]) -> list[Seen]:
    clock, log = SimClock(), list[Seen]()
    limiter = RateLimiter(clock)

    async def one(number: int, ask: Ask) -> None:
        await clock.sleep(ask.at)
        log.append(Seen("came", clock.seconds, ask, number))
        try:
            await limiter.enter(chat(str(ask.chat)), ask.call, ask.buckets)
        except asyncio.CancelledError:
            log.append(Seen("left", clock.seconds, ask, number))
            return
        log.append(Seen("through", clock.seconds, ask, number))

    async def give_up(task: asyncio.Task[None], ask: Ask) -> None:
        await clock.sleep(ask.at + (ask.patience or 0.0) + 0.1)
        task.cancel()

    async def refuse(refusal: Refusal) -> None:
        await clock.sleep(refusal.at)
        limiter.throttled(refusal.buckets, refusal.after)
        log.append(Seen("refused", clock.seconds, refusal=refusal))

    tasks = [asyncio.create_task(one(number, ask)) for number, ask in enumerate(asks)]
    others = [
        asyncio.create_task(give_up(task, ask))
        for task, ask in zip(tasks, asks, strict=True)
        if ask.patience is not None
    ]
    others += [asyncio.create_task(refuse(refusal)) for refusal in refusals]
    await clock.run(asyncio.gather(*tasks, *others))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not limiter._lines
    return log


def check_budget(bucket: Bucket, calls: list[tuple[float, CallKind]]) -> None:
    for first in range(len(calls)):
        for last in range(first, len(calls)):
            span, size = calls[last][0] - calls[first][0] + TINY, last - first + 1
            if bucket.interval:
                assert size <= bucket.burst + span / bucket.interval
    for at, call in calls:
        if bucket.count:
            inside = sum(at - bucket.window + TINY < other <= at for other, _ in calls[: calls.index((at, call)) + 1])
            assert inside <= (bucket.count if call in URGENT else max(1, bucket.count - bucket.reserve))


def check_order(log: list[Seen]) -> None:
    """Nobody goes before one that could have gone in its place: of higher priority, or as high and waiting longer.

    Within one instant the log has the order in which the tasks ran, not the order in which the gate let them through.
    """
    ends = {seen.number: seen.at for seen in log if seen.what != "came"}
    came = {seen.number: index for index, seen in enumerate(log) if seen.what == "came"}
    served: dict[int, list[tuple[float, int]]] = {}

    def since(number: int, ask: Ask, until: float) -> int:
        return max([came[number], *(index for at, index in served.get(ask.chat, []) if at < until)])

    waiting: dict[int, Ask] = {}
    for index, seen in enumerate(log):
        if seen.ask is None:
            continue
        if seen.what == "came":
            waiting[seen.number] = seen.ask
            continue
        ask = waiting.pop(seen.number)
        if seen.what == "left":
            continue
        for number, other in waiting.items():
            if ends[number] <= seen.at + TINY or not set(other.buckets) <= set(ask.buckets):
                continue
            assert other.call >= ask.call
            if other.call == ask.call and other.chat != ask.chat:
                assert since(number, other, math.inf) >= since(seen.number, ask, seen.at - TINY)
        served.setdefault(ask.chat, []).append((seen.at, index))


@given(schedules(refusals=False))
@settings(max_examples=120, deadline=None)
def test_any_schedule_keeps_budgets_and_order(schedule: tuple[list[Ask], list[Refusal]]) -> None:
    log = asyncio.run(play(*schedule))
    for bucket in {bucket for ask in schedule[0] for bucket in ask.buckets}:
        check_budget(
            bucket,
            [
                (seen.at, seen.ask.call)
                for seen in log
                if seen.what == "through" and seen.ask and bucket in seen.ask.buckets
            ],
        )
    check_order(log)
    gone = {seen.number for seen in log if seen.what in ("through", "left")}
    assert gone == set(range(len(schedule[0])))


@given(schedules(refusals=True))
@settings(max_examples=120, deadline=None)
def test_in_any_schedule_silence_is_kept_and_everybody_gets_through(schedule: tuple[list[Ask], list[Refusal]]) -> None:
    log = asyncio.run(play(*schedule))
    silent: dict[str, float] = {}
    through = set()
    for seen in log:
        if seen.refusal:
            narrow = seen.refusal.buckets[0].name  # the wider ones are silent only if another one is refused too
            silent[narrow] = max(silent.get(narrow, 0.0), seen.at + seen.refusal.after)
        elif seen.what == "through" and seen.ask:
            through.add(seen.number)
            assert all(silent.get(bucket.name, 0.0) <= seen.at + TINY for bucket in seen.ask.buckets)
    assert through >= {number for number, ask in enumerate(schedule[0]) if ask.patience is None}
    check_order(log)
