"""The list of conversations, whole: every store pages, searches, renames, deletes and brings back alike."""

from __future__ import annotations

from decimal import Decimal

import sqlalchemy as sa

from bot.service.retention import ERASE_AFTER, erase
from bot.types import (
    Answer,
    Chat,
    LedgerEntry,
    Money,
    Notice,
    Outcome,
    Press,
    Reply,
    SetSetting,
    Store,
    TurnState,
    Usage,
)
from storage import SqlStore
from storage.database.engine import Tx
from storage.tables import chats, ledger, messages, posts, settings, turns
from tests.contract.conftest import Ground
from tests.contract.test_store import HERE, THERE, asked, said
from tests.fakes.accounts import OURS
from tests.fakes.clock import SimClock

ALL = (messages, posts, settings, turns, chats)


async def listed(store: Store, search: str = "") -> list[str]:
    return [each.title for each in await store.chats("web", "local", search=search)]


async def paid(store: Store, chat: Chat, text: str, answer: str) -> None:
    """A question whose answer stands, and has cost a tenth."""
    turn = await asked(store, text, chat)
    entry = LedgerEntry(turn.id, turn.attempt, "g", "m", 1)
    number = await store.begin(turn, entry)
    known = LedgerEntry(
        turn.id, turn.attempt, "g", "m", 1, ended=2, usage=Usage(1, 2), cost=Money(Decimal("0.1")), finish="stop"
    )
    await store.generated(turn, Answer(answer, Outcome.WHOLE), {number: known})
    await store.posted(turn, 0, f"{turn.id}.0", "digest")
    await store.end(turn, Outcome.WHOLE)


async def test_pages_leave_none_out_and_repeat_none(ground: Ground) -> None:
    store = await ground.open()
    for number in range(25):  # some in the same moment: then their keys decide
        await store.accept(said(f"question {number}", Chat("web", "local", f"chat{number:02}")))
        if number % 4 == 0:
            await ground.clock.advance(1)
    whole = await store.chats("web", "local")
    paged = []
    after = None
    while page := await store.chats("web", "local", after=after, limit=4):
        paged += page
        after = (page[-1].at, page[-1].chat)
    assert paged == whole
    assert len(whole) == 25


async def test_the_newest_of_one_place(ground: Ground) -> None:
    """By its threads; a place whose id begins alike is another, and so is the same id on another account."""
    store = await ground.open()
    room = Chat("web", "local", "a%b")
    one, two, three = (Chat("web", "local", "a%b", thread) for thread in ("1", "2", "3"))
    others = (Chat("web", "local", "a%bc", "1"), Chat("web", "local", "a"), Chat("web", "other", "a%b", "1"))
    assert await store.newest_chat(room) is None
    times = {}
    for number, chat in enumerate((two, one, three, *others)):
        await ground.clock.advance(10)
        times[chat] = ground.clock.now()
        await store.accept(said(f"question {number}", chat))
    assert await store.newest_chat(room) == three
    assert await store.newest_chat(room, besides=three) == one
    assert await store.newest_chat(room, besides=three, since=times[one]) == one
    assert await store.newest_chat(room, besides=three, since=times[one] + 1) is None
    await store.delete(one)
    assert await store.newest_chat(room, besides=three) == two
    await store.accept(said("at its root", room))
    assert await store.newest_chat(room) == room


async def test_words_are_found_in_titles_and_in_what_was_said(store: Store) -> None:
    await paid(store, HERE, "How do tides work?", "The Moon pulls 100% of the sea_water.")
    await paid(store, THERE, "潮汐是怎么回事", "月亮拉着海水。")
    await store.answer(said("/status", HERE), Reply("All is well."))
    assert await listed(store, "MOON") == ["How do tides work?"]
    assert await listed(store, "tides moon") == ["How do tides work?"]  # each word, wherever it stands
    assert await listed(store, "海水") == ["潮汐是怎么回事"]
    assert await listed(store, "100%") == ["How do tides work?"]
    assert await listed(store, "0%s") == await listed(store, "a_w_") == []  # no wildcards
    assert await listed(store, "well") == []  # the bot's own words
    assert len(await listed(store, "  ")) == 2


async def test_a_command_is_no_title(store: Store) -> None:
    await store.answer(said("/status", HERE), Reply("All is well."))
    assert await listed(store) == [""]
    await store.accept(said("  ", HERE))
    await store.accept(said("A real question\nin two lines", HERE))
    assert await listed(store) == ["A real question"]


async def test_a_title_is_what_it_was_renamed_to(store: Store) -> None:
    assert not await store.rename(HERE, "Nothing there")
    await store.accept(said("first question", HERE))
    assert await store.rename(HERE, "Mine")
    await store.accept(said("another question", HERE))
    await store.answer(said("/status", HERE), Reply("All is well."))
    assert await listed(store) == ["Mine"]
    assert await store.rename(HERE, "")
    assert await listed(store) == ["first question"]


async def test_what_is_deleted_comes_back_whole_for_a_while(store: Store, clock: SimClock) -> None:
    await paid(store, HERE, "keep me", "kept")
    assert await store.delete(HERE)
    assert not await store.delete(HERE)
    assert (await listed(store), await listed(store, "keep")) == ([], [])
    await clock.advance(ERASE_AFTER / 1000 - 1)
    await erase(store, clock)
    assert await store.restore(HERE)
    assert not await store.restore(HERE)
    await clock.advance(ERASE_AFTER / 1000 + 1)
    await erase(store, clock)
    assert await listed(store) == ["keep me"]
    assert [message.text for message in await store.history(HERE)] == ["kept", "keep me"]


async def test_what_is_erased_is_gone_from_every_table_but_what_it_cost(ground: Ground) -> None:
    store = await ground.open()
    await paid(store, HERE, "a secret", "another secret")
    await paid(store, THERE, "stays", "stays too")
    press = Press("p", HERE, said("x").author, "/model x", 1)
    await store.answer(press, Reply("", effects=(SetSetting(HERE.key, "model", "x"), Notice(HERE, "a notice"))))
    while (notice := await store.claim(ground.clock.now(), OURS)) is not None:
        await store.end(notice, Outcome.WHOLE)
    await store.delete(HERE)
    await ground.clock.advance(ERASE_AFTER / 1000 + 1)
    await erase(store, ground.clock)
    assert await listed(store) == ["stays"]
    assert await rows_about(store, HERE) == {"messages": 0, "settings": 0, "turns": 0, "chats": 0, "posts": 1}
    spending = await store.spending()
    assert (spending.calls, spending.costs) == (2, (Money(Decimal("0.2"), "CNY"),))
    outlay = await store.outlay("g", "CNY", since=0)
    assert (outlay.total.amount, [each.chat for each in outlay.most]) == (Decimal("0.2"), [THERE.room])
    assert (await store.accept(said("a new beginning", HERE))).turn is not None
    assert await listed(store, "new") == ["a new beginning"]


async def rows_about(store: SqlStore, chat: Chat) -> dict[str, int]:
    """Of `posts`, all there are."""
    where = {
        "messages": messages.c.chat == chat.key,
        "settings": settings.c.scope == chat.key,
        "turns": turns.c.chat == chat.key,
        "chats": chats.c.key == chat.key,
        "posts": sa.true(),
    }
    tables = {table.name: table for table in ALL}

    def count(tx: Tx) -> dict[str, int]:
        found = {}
        for name, which in where.items():
            query = sa.select(sa.func.count()).select_from(tables[name]).where(which)
            found[name] = int(tx.conn.execute(query).scalar_one())
        assert tx.conn.execute(sa.select(sa.func.count()).select_from(ledger)).scalar_one() == 2
        return found

    return await store.database.read(count)


async def test_deleting_stops_what_is_asked_and_waits_for_its_end(store: Store, clock: SimClock) -> None:
    turn = await asked(store, "running", HERE)
    waiting = (await store.accept(said("waiting", HERE))).turn
    await store.delete(HERE)
    assert waiting is not None
    ended = await store.turn(waiting)
    running = await store.turn(turn.id)
    assert ended is not None
    assert running is not None
    assert (ended.state, ended.outcome, running.stop) == (TurnState.ENDED, Outcome.STOPPED, True)
    await clock.advance(ERASE_AFTER / 1000 + 1)
    await erase(store, clock)
    assert await store.turn(turn.id) is not None
    await store.generated(turn, Answer("cut", Outcome.STOPPED), {})
    await store.end(turn, Outcome.STOPPED)
    await erase(store, clock)
    assert await store.turn(turn.id) is None


async def test_who_writes_in_a_deleted_chat_has_it_back(store: Store, clock: SimClock) -> None:
    await paid(store, HERE, "first", "answer")
    await store.delete(HERE)
    await store.accept(said("from another window", HERE))
    await clock.advance(ERASE_AFTER / 1000 + 1)
    await erase(store, clock)
    assert await listed(store) == ["first"]
