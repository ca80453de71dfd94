"""What begins to grow on Slack can be finished within the platform's limits."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.slack.limits import FINISHED, STREAMS, Pace
from bot.delivery.limiter import RateLimiter
from bot.types import CallKind, Chat
from tests.fakes.clock import SimClock


def begin(chats: Sequence[Chat], pace: Pace, limiter: RateLimiter) -> list[Chat]:
    """Post in each chat what will grow: those that the gate lets through."""
    begun = []
    for chat in chats:
        pace.reserve(chat)  # as soon as somebody is at work on it
    for chat in chats:
        if limiter.try_enter(chat, CallKind.NEW, pace.buckets(chat, CallKind.NEW)):
            begun.append(chat)
            if pace.reserve(chat):
                pace.started(chat, "1.0")
            else:
                pace.posted(chat, growing=True)
    return begun


async def test_no_more_messages_begin_to_grow_than_can_be_finished_in_a_minute(clock: SimClock) -> None:
    """The others are posted when they are whole, which is one call of another budget."""
    pace, limiter = Pace(clock), RateLimiter(clock)
    chats = [Chat("slack", "T1", f"D{number}", "1.0") for number in range(300)]
    begun = begin(chats[:200], pace, limiter)
    assert len(begun) == STREAMS + FINISHED
    for chat in chats[:200]:
        assert limiter.try_enter(chat, CallKind.FINAL, pace.buckets(chat, CallKind.FINAL)), chat
        if not pace.streams(chat):
            pace.posted(chat, growing=False)
    await clock.advance(61)
    assert len(begin(chats[200:], pace, limiter)) == FINISHED, "the streams run on"
    for chat in begun[:STREAMS]:
        pace.stopped(chat, "1.0")
    await clock.advance(61)
    assert len(begin(chats[:200], pace, limiter)) == STREAMS + FINISHED


async def test_where_nothing_can_stream_only_what_changes_can_finish_begins_to_grow(clock: SimClock) -> None:
    """No Stop control of the platform's own, so no stream: nobody has reserved one."""
    pace, limiter = Pace(clock), RateLimiter(clock)
    begun = 0
    for number in range(200):
        chat = Chat("slack", "T1", f"D{number}", "1.0")
        if limiter.try_enter(chat, CallKind.NEW, pace.buckets(chat, CallKind.NEW)):
            pace.posted(chat, growing=True)
            begun += 1
    assert begun == FINISHED


async def test_a_channel_takes_a_few_posts_at_once_and_one_more_is_kept_for_an_end(clock: SimClock) -> None:
    pace, limiter = Pace(clock), RateLimiter(clock)
    threads = [Chat("slack", "T1", "C1", f"{number}.0") for number in range(5)]
    assert len(begin(threads, pace, limiter)) == 2
    assert limiter.try_enter(threads[4], CallKind.FINAL, pace.buckets(threads[4], CallKind.FINAL))
    assert not limiter.try_enter(threads[3], CallKind.FINAL, pace.buckets(threads[3], CallKind.FINAL))
    await clock.advance(1.1)
    assert limiter.try_enter(threads[3], CallKind.FINAL, pace.buckets(threads[3], CallKind.FINAL))
