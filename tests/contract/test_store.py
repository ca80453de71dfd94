"""What every store promises: one suite over SQLite in memory, SQLite in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import StoreRejects, Superseded
from bot.types import (
    Accepted,
    Answer,
    Attachment,
    BalanceReading,
    Chat,
    Choice,
    Edited,
    Forget,
    IncomingMessage,
    Json,
    Kind,
    LedgerEntry,
    Membership,
    Menu,
    Money,
    Moved,
    Note,
    NoteKind,
    Notice,
    Outcome,
    Outlay,
    Person,
    Posted,
    Press,
    Reopen,
    Reply,
    Role,
    SetSetting,
    Spender,
    Spending,
    Stop,
    StopPressed,
    Store,
    Turn,
    TurnKind,
    TurnState,
    Usage,
)
from tests.contract.conftest import Ground
from tests.fakes.accounts import OURS
from tests.fakes.clock import PATIENCE, START, SimClock

ANN = Person("u1", "Ann", "zh-CN", admin=True)
BOB = Person("u2", "Bob")
HERE = Chat("web", "local", "1")
THERE = Chat("web", "local", "2", "7/8")
ROOM = Chat("web", "local", "-100")
_number = itertools.count(1)


DROPPED = Answer(
    "", Outcome.STOPPED, notes=(Note(NoteKind.STOPPED, "Dropped."),), menu=Menu(((Choice("Ask", "/retry 2"),),))
)


def said(text: str = "hello", chat: Chat = HERE, author: Person = ANN, **more: Any) -> IncomingMessage:
    number = next(_number)
    fields: dict[str, Any] = {"key": f"k{number}", "post": f"p{number}", "at": START + number} | more
    return IncomingMessage(chat=chat, author=author, text=text, **fields)


async def claimed(store: Store, now: int = START) -> Turn:
    turn = await store.claim(now, OURS)
    assert turn is not None
    return turn


async def asked(store: Store, text: str = "hello", chat: Chat = HERE) -> Turn:
    """A question that is running."""
    accepted = await store.accept(said(text, chat))
    turn = await claimed(store)
    assert turn.id == accepted.turn
    return turn


async def exchange(store: Store, text: str, answer: str, chat: Chat = HERE, **more: Any) -> Turn:
    """A question and its answer, delivered."""
    turn = await asked(store, text, chat)
    await store.generated(turn, Answer(answer, Outcome.WHOLE, **more), {})
    await store.posted(turn, 0, f"a{turn.id}", "digest")
    await store.end(turn, Outcome.WHOLE)
    return turn


async def texts(store: Store, chat: Chat = HERE) -> list[str]:
    return [message.text for message in await store.history(chat)]


async def context(store: Store, chat: Chat = HERE) -> list[str]:
    return [message.text for message in await store.context(chat)]


class TestAccept:
    async def test_a_message_and_its_turn_are_kept_as_they_came(self, store: Store) -> None:
        photo = Attachment(Kind.IMAGE, "ref:1", "image/png", 1234, "cat.png")
        message = said(
            "什么?", ROOM, attachments=(photo, Attachment(Kind.FILE, "r")), quoted="> x", group=True, title="The team"
        )
        message = replace(message, quoted_by=Person("2", "Bän"), forwarded_from=Person("", "Somebody"))
        accepted = await store.accept(message)

        assert accepted.turn is not None
        turn = await store.turn(accepted.turn)
        assert turn == Turn(
            accepted.turn,
            ROOM,
            TurnKind.QUESTION,
            TurnState.WAITING,
            0,
            ANN,
            START,
            group=True,
            title="The team",
            reply_to=message.post,
        )
        (kept,) = await store.question(turn.id)
        assert (kept.chat, kept.turn, kept.role, kept.author, kept.text) == (ROOM, turn.id, Role.USER, ANN, "什么?")
        assert (kept.attachments, kept.quoted, kept.post) == (message.attachments, "> x", message.post)
        assert (kept.quoted_by, kept.forwarded_from) == (message.quoted_by, message.forwarded_from)
        assert (kept.at, kept.in_context) == (message.at, True)
        assert list(await store.history(ROOM)) == [kept]

    async def test_a_repetition_changes_nothing(self, store: Store) -> None:
        message = said()
        assert not await store.seen(message.key)
        first = await store.accept(message)
        assert await store.accept(message) == Accepted(None, seen=True)
        assert await store.seen(message.key)
        assert first.turn is not None
        assert len(await store.question(first.turn)) == 1

    async def test_of_the_same_event_many_times_at_once_one_counts(self, store: Store) -> None:
        message = said()
        results = await asyncio.gather(*(store.accept(message) for _ in range(10)))
        assert sum(not result.seen for result in results) == 1
        assert len(await store.history(HERE)) == 1

    async def test_what_comes_while_a_turn_waits_becomes_part_of_it(self, store: Store) -> None:
        first, second = said("one"), said("two")
        turn = (await store.accept(first)).turn
        assert (await store.accept(second)).turn == turn is not None
        assert [message.text for message in await store.question(turn)] == ["one", "two"]
        assert (await claimed(store)).reply_to == second.post

        assert (await store.accept(said("three"))).turn != turn

    async def test_settings_of_a_turn_are_its_own_and_nothing_joins_it(self, store: Store) -> None:
        wish: dict[str, Json] = {"translate": {"target": "German", "source": None}, "seed": 2**64 - 1}
        first = await store.accept(said("a", settings=wish))
        plain = await store.accept(said("b"))
        second = await store.accept(said("c", settings={"seed": 1}))
        more = await store.accept(said("d"))
        assert len({first.turn, plain.turn, second.turn}) == 3
        assert more.turn == plain.turn
        assert first.turn is not None
        found = await store.turn(first.turn)
        assert found is not None
        assert found.settings == wish
        turn = await claimed(store)
        assert (turn.id, turn.settings) == (first.turn, wish)
        await store.release(turn)
        assert (await claimed(store)).settings == wish

    async def test_messages_at_once_make_one_turn(self, store: Store) -> None:
        results = await asyncio.gather(*(store.accept(said(str(n)), limit=20) for n in range(12)))
        (turn,) = {result.turn for result in results}
        assert turn is not None
        assert len(await store.question(turn)) == 12

    async def test_in_a_group_each_author_has_a_turn(self, store: Store) -> None:
        first = await store.accept(said("a", ROOM, ANN, group=True))
        second = await store.accept(said("b", ROOM, BOB, group=True))
        third = await store.accept(said("c", ROOM, ANN, group=True))
        assert first.turn == third.turn != second.turn

    async def test_it_waits_for_more_but_never_over_5_seconds(self, ground: Ground) -> None:
        store = await ground.open()
        turn = (await store.accept(said(), wait=1.0)).turn
        assert await store.next_due(START, OURS) == START + 1000
        assert await store.claim(START + 999, OURS) is None
        for _ in range(3):
            await ground.clock.advance(0.9)
            await store.accept(said(), wait=1.0)
        assert await store.next_due(START, OURS) == START + 3700
        await ground.clock.advance(1.9)
        await store.accept(said(), wait=1.0)
        assert await store.next_due(START, OURS) == START + 5000
        assert (await claimed(store, START + 5000)).id == turn

    async def test_beyond_the_limit_it_is_full_and_can_be_told_so(self, store: Store) -> None:
        for _ in range(2):
            waiting = (await store.accept(said(), limit=2)).turn
        more = said("too much")
        assert await store.accept(more, limit=2) == Accepted(None, full=True, waiting=waiting)
        assert not await store.seen(more.key)
        assert await store.answer(more, Reply("one after the other, please", error=True)) is not None
        assert await store.accept(more, limit=2) == Accepted(None, seen=True)

    async def test_what_is_too_much_changes_nothing(self, store: Store) -> None:
        """A command with a question behind it ("/new and then?"), which there is no room for."""
        for _ in range(2):
            await store.accept(said(), limit=2)
        more = said("too much")
        assert (await store.accept(more, limit=2, effects=[SetSetting(more.chat.key, "model", "other")])).full
        assert "other" not in {row.value for row in await store.settings(more.chat)}
        assert not (await store.accept(more, limit=3, effects=[SetSetting(more.chat.key, "model", "other")])).full
        assert "other" in {row.value for row in await store.settings(more.chat)}

    async def test_text_that_no_database_takes_becomes_text_that_does(self, store: Store) -> None:
        turn = (await store.accept(said("a\x00b \ud83d c 😀"))).turn
        assert turn is not None
        assert [message.text for message in await store.question(turn)] == ["a\ufffdb \ufffd c 😀"]

    async def test_who_is_cancelled_leaves_the_store_whole(self, store: Store) -> None:
        await store.accept(said("before"))
        for steps in range(12):
            task = asyncio.ensure_future(store.accept(said("in between"), limit=100))
            for _ in range(steps):
                await asyncio.sleep(0)
            if not task.cancel():
                break  # the work was done sooner
            with pytest.raises(asyncio.CancelledError):
                await task
        await store.accept(said("after"), limit=100)
        kept = await texts(store)
        assert (kept[-1], kept[0]) == ("before", "after")
        assert len(await store.open_turns(HERE)) == 1


class TestClaim:
    async def test_only_what_is_asked_of_these_accounts_is_claimed(self, store: Store) -> None:
        """A name that begins alike, or looks alike in a key, is another account's."""
        chats = [
            Chat("web", "local", "1"),
            Chat("web", "local2", "1"),
            Chat("web", "lo/cal", "1"),
            Chat("we", "b", "1"),
        ]
        turns = {chat.account_key: (await store.accept(said(chat=chat))).turn for chat in chats}
        await store.notify(chats[0], "a notice", key="n", not_before=START + 60_000)
        assert list(turns) == ["web/local", "web/local2", "web/lo%2Fcal", "we/b"]
        assert await store.claim(START, []) is None
        assert await store.claim(START, ["web/loca", "web", "elsewhere/local"]) is None
        assert await store.next_due(START, ["web/local"]) == START + 60_000
        assert await store.next_due(START, ["web/local2"]) is None
        for account, turn in reversed(turns.items()):
            claimed = await store.claim(START, [account])
            assert claimed is not None
            assert (claimed.id, claimed.chat.account_key) == (turn, account)
            assert await store.claim(START, [account]) is None

    async def test_the_first_attempt(self, ground: Ground) -> None:
        store = await ground.open()
        assert await store.claim(START, OURS) is None
        turn = await asked(store)
        assert (turn.state, turn.attempt, turn.stop) == (TurnState.RUNNING, 1, False)
        assert await store.turn(turn.id) == turn
        assert await store.claim(START, OURS) is None

    async def test_one_question_at_a_time_in_a_chat_and_chats_side_by_side(self, store: Store) -> None:
        first = await asked(store, "first")
        second = (await store.accept(said("second"))).turn
        other = (await store.accept(said("elsewhere", THERE))).turn
        assert (await claimed(store)).id == other
        assert await store.claim(START, OURS) is None
        await store.generated(first, Answer("1", Outcome.WHOLE), {})
        assert await store.claim(START, OURS) is None
        await store.end(first, Outcome.WHOLE)
        assert (await claimed(store)).id == second

    async def test_the_oldest_first(self, store: Store) -> None:
        ids = [(await store.accept(said(chat=Chat("web", "local", str(n))))).turn for n in range(5)]
        assert [(await claimed(store)).id for _ in ids] == ids

    async def test_in_a_group_too_in_the_order_of_asking(self, store: Store) -> None:
        ann = (await store.accept(said("a", ROOM, ANN, group=True), wait=1.0)).turn
        bob = (await store.accept(said("b", ROOM, BOB, group=True))).turn
        assert await store.claim(START, OURS) is None  # Ann was first, and is not ready yet
        turn = await claimed(store, START + 1000)
        assert turn.id == ann
        await store.end(turn, Outcome.GONE)
        assert (await claimed(store, START + 1000)).id == bob

    async def test_a_notice_waits_for_nobody(self, store: Store) -> None:
        await asked(store)
        notice = await store.answer(said("/status"), Reply("fine"))
        turn = await claimed(store)
        assert (turn.id, turn.state, turn.attempt) == (notice, TurnState.DELIVERING, 1)
        assert await store.claim(START, OURS) is None

    async def test_no_question_waits_for_a_notice(self, store: Store) -> None:
        await store.answer(said("/status"), Reply("fine"))
        await claimed(store)
        await asked(store)

    async def test_what_is_postponed_goes_on_at_its_time_and_before_the_next(self, store: Store) -> None:
        turn = await asked(store)
        await store.generated(turn, Answer("text", Outcome.PART), {})
        await store.accept(said("next"))
        await store.postpone(turn, START + 60_000)
        assert await store.claim(START + 59_999, OURS) is None
        assert await store.next_due(START, OURS) == START + 60_000
        again = await claimed(store, START + 60_000)
        assert (again.id, again.state, again.attempt) == (turn.id, TurnState.DELIVERING, 2)
        assert (again.text, again.outcome) == ("text", Outcome.PART)
        assert await store.next_due(START, OURS) is None

    async def test_what_is_released_is_claimed_again(self, store: Store) -> None:
        turn = await asked(store)
        await store.begin(turn, LedgerEntry(turn.id, turn.attempt, "g", "m", START))
        await store.release(turn)
        again = await claimed(store)
        assert (again.id, again.state, again.attempt) == (turn.id, TurnState.RUNNING, 2)
        assert [entry.finish for entry in await store.ledger(turn.id)] == ["lost"]

    async def test_a_store_does_not_take_its_own_work_for_lost(self, store: Store) -> None:
        await asked(store)
        assert await store.recover() == 0
        assert await store.claim(START, OURS) is None


VERBS: dict[str, Callable[[Store, Turn], Awaitable[object]]] = {
    "release": lambda store, turn: store.release(turn),
    "begin": lambda store, turn: store.begin(turn, LedgerEntry(turn.id, turn.attempt, "g", "m", START)),
    "generated": lambda store, turn: store.generated(turn, Answer("late", Outcome.WHOLE), {}),
    "postpone": lambda store, turn: store.postpone(turn, START),
    "end": lambda store, turn: store.end(turn, Outcome.WHOLE),
    "intend": lambda store, turn: store.intend(turn, 0),
    "posted": lambda store, turn: store.posted(turn, 0, "p"),
    "dropped": lambda store, turn: store.dropped(turn, 0),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_an_outdated_attempt_changes_nothing(store: Store, verb: str) -> None:
    old = await asked(store)
    await store.posted(old, 0, "here")
    await store.release(old)
    new = await claimed(store)
    with pytest.raises(Superseded):
        await VERBS[verb](store, old)
    assert await store.turn(new.id) == new
    assert await texts(store) == ["hello"]
    assert await store.ledger(new.id) == []
    await VERBS[verb](store, new)


class TestAnswering:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"usage": Usage(2**63, 3)},
            {"usage": Usage(3, 10**400)},
            {"usage": Usage(1, 1, cached=2**63)},
            {"cost": Money(Decimal(10) ** 10)},
            {"cost": Money(Decimal("NaN"))},
            {"ended": 2**63},
        ],
    )
    async def test_what_can_not_be_kept_is_refused_for_good_and_nobody_else_with_it(
        self, store: Store, wrong: dict[str, Any]
    ) -> None:
        """SQLite's driver raises OverflowError, psycopg DataError, decimal InvalidOperation."""
        turn, other = await asked(store), await asked(store, chat=THERE)
        call = LedgerEntry(turn.id, 1, "wcode", "qwen-plus", START)
        id = await store.begin(turn, call)
        written = await asyncio.gather(
            store.generated(other, Answer("fine", Outcome.WHOLE), {}),
            store.generated(turn, Answer("text", Outcome.WHOLE), {id: replace(call, **wrong)}),
            store.accept(said("next")),
            return_exceptions=True,
        )
        assert isinstance(written[1], StoreRejects)
        assert [each for each in written if isinstance(each, BaseException)] == [written[1]]
        kept = await store.turn(turn.id)
        assert kept is not None
        assert kept.state is TurnState.RUNNING, "nothing of it was written"
        await store.generated(turn, Answer("text", Outcome.WHOLE), {id: call})

    async def test_generated_keeps_what_is_to_be_delivered(self, store: Store) -> None:
        turn = await asked(store)
        usage = Usage(10, 20, cached=3, reasoning=4, video=5, estimated=True)
        call = LedgerEntry(turn.id, 1, "wcode", "qwen-plus", START)
        id = await store.begin(turn, call)
        assert await store.ledger(turn.id) == [call]
        done = replace(
            call,
            served="qwen-plus-2",
            usage=usage,
            cost=Money(Decimal("0.000000001"), "USD"),
            answer="chatcmpl-1",
            first=START + 300,
            ended=START + 900,
            finish="whole",
        )
        answer = Answer(
            "the answer",
            Outcome.PART,
            reasoning="hm",
            notes=(Note(NoteKind.PART, "this is a part"), Note(NoteKind.COST, "¥0.01")),
            menu=Menu(
                ((Choice("again", "/retry"), Choice("top up", url="https://x")), (Choice("ok", "/ok", chosen=True),))
            ),
        )
        await store.generated(turn, answer, {id: done})

        assert await store.ledger(turn.id) == [done]
        kept = await store.turn(turn.id)
        assert kept is not None
        assert (kept.state, kept.text, kept.reasoning) == (TurnState.DELIVERING, "the answer", "hm")
        assert (kept.notes, kept.menu, kept.outcome) == (answer.notes, answer.menu, Outcome.PART)
        newest, question = await store.history(HERE)
        assert (newest.role, newest.text, newest.turn, newest.in_context) == (
            Role.ASSISTANT,
            "the answer",
            turn.id,
            True,
        )
        assert question.in_context

    async def test_an_excluded_exchange_is_no_context(self, store: Store) -> None:
        await exchange(store, "good", "fine")
        await exchange(store, "bad", "refused", exclude=True)
        assert await context(store) == ["fine", "good"]
        assert await texts(store) == ["refused", "bad", "fine", "good"]

    async def test_the_outcome_at_the_end(self, store: Store) -> None:
        turn = await asked(store)
        await store.end(turn, Outcome.STOPPED)
        ended = await store.turn(turn.id)
        assert ended is not None
        assert (ended.state, ended.outcome) == (TurnState.ENDED, Outcome.STOPPED)
        assert await store.open_turns(HERE) == []
        assert await store.last_turn(HERE) == ended

    async def test_a_call_that_nobody_closed_ends_with_its_turn(self, store: Store) -> None:
        turn = await asked(store)
        await store.begin(turn, LedgerEntry(turn.id, turn.attempt, "g", "m", START))
        await store.end(turn, Outcome.STOPPED)
        assert [(entry.finish, entry.ended) for entry in await store.ledger(turn.id)] == [("lost", START)]

    async def test_pieces(self, store: Store) -> None:
        turn = await asked(store)

        async def pieces() -> tuple[Posted, ...]:
            found = await store.turn(turn.id)
            assert found is not None
            return found.posts

        await store.intend(turn, 0)
        assert await pieces() == (Posted(0, None),)
        await store.posted(turn, 0, "m1")
        await store.posted(turn, 0, "m2", "d")
        await store.intend(turn, 1)
        await store.intend(turn, 1, repeat=True)
        assert await pieces() == (Posted(0, "m2", "d"), Posted(1, None, "", 1))
        await store.posted(turn, 1, "m3")
        assert await pieces() == (Posted(0, "m2", "d"), Posted(1, "m3", "", 1))
        await store.dropped(turn, 1)
        await store.release(turn)
        assert (await claimed(store)).posts == (Posted(0, "m2", "d"),)


class TestCommands:
    async def test_a_commands_answer_is_a_notice_out_of_context(self, store: Store) -> None:
        command, menu = said("/model", title="Us"), Menu(((Choice("a", "/model a"),),))
        notice = await store.answer(command, Reply("which?", menu=menu))
        assert notice is not None
        turn = await store.turn(notice)
        assert turn is not None
        assert (turn.kind, turn.state, turn.attempt) == (TurnKind.NOTICE, TurnState.DELIVERING, 0)
        assert (turn.text, turn.menu, turn.outcome) == ("which?", menu, Outcome.WHOLE)
        assert (turn.reply_to, turn.asker, turn.posts, turn.title) == (command.post, ANN, (), "Us")
        answer, question = await store.history(HERE)
        assert (answer.role, answer.text, answer.in_context) == (Role.ASSISTANT, "which?", False)
        assert (question.role, question.text, question.in_context) == (Role.USER, "/model", False)
        assert await context(store) == []
        assert await store.last_turn(HERE) is None

    async def test_once(self, store: Store) -> None:
        command = said("/set x 1")
        reply = Reply("done", effects=(SetSetting("*", "x", 1),))
        results = await asyncio.gather(*(store.answer(command, reply) for _ in range(5)))
        assert len([turn for turn in results if turn is not None]) == 1
        assert await texts(store) == ["done", "/set x 1"]

    async def test_an_error_is_a_refusal(self, store: Store) -> None:
        await store.answer(said("/set x"), Reply("no", error=True))
        assert (await claimed(store)).outcome is Outcome.FAILED

    async def test_without_words_there_is_no_notice(self, store: Store) -> None:
        command = said("/quiet")
        assert await store.answer(command, Reply("", effects=(SetSetting(HERE.key, "x", 1),))) is None
        assert await store.seen(command.key)
        assert await store.open_turns(HERE) == []
        assert await texts(store) == ["/quiet"]
        assert [row.name for row in await store.settings(HERE)] == ["x"]

    async def test_a_press_changes_the_message_that_it_is_on(self, store: Store) -> None:
        await store.answer(Press("k", HERE, ANN, "/model a", START, post="m7"), Reply("now a"))
        turn = await claimed(store)
        assert (turn.posts, turn.reply_to, turn.text) == ((Posted(0, "m7"),), None, "now a")
        assert await texts(store) == ["now a"]

    async def test_a_press_elsewhere(self, store: Store) -> None:
        await store.answer(Press("k", HERE, ANN, "/model a", START), Reply("now a"))
        assert (await claimed(store)).posts == ()

    async def test_nobody_may_have_pressed_stop(self, store: Store) -> None:
        turn = await asked(store)
        assert (
            await store.answer(StopPressed("k", HERE, START), Reply("", effects=(Stop(HERE, turn.id, DROPPED),)))
            is None
        )
        stopped = await store.turn(turn.id)
        assert stopped is not None
        assert stopped.stop

    async def test_an_edit_can_be_answered(self, store: Store) -> None:
        late = Edited("k", HERE, ANN, "p", "other words", START)
        await store.answer(late, Reply("too late"))
        assert (await claimed(store)).reply_to == "p"

    async def test_our_own_words_once_per_key(self, store: Store) -> None:
        first = await store.notify(ROOM, "the balance is low", key="low:1", language="zh")
        assert await store.notify(ROOM, "the balance is low", key="low:1", language="zh") is None
        turn = await claimed(store)
        assert (turn.id, turn.kind, turn.text, turn.asker.language) == (
            first,
            TurnKind.NOTICE,
            "the balance is low",
            "zh",
        )
        assert await texts(store, ROOM) == ["the balance is low"]
        assert await context(store, ROOM) == []


class TestEffects:
    async def test_forget(self, store: Store) -> None:
        await exchange(store, "old", "old answer")
        await exchange(store, "there", "there answer", THERE)
        await store.answer(said("/new"), Reply("", effects=(Forget(HERE),)))
        assert await context(store) == []
        assert await context(store, THERE) == ["there answer", "there"]
        await exchange(store, "new", "new answer")
        assert await context(store) == ["new answer", "new"]
        assert (await texts(store))[-2:] == ["old answer", "old"]

    async def test_what_is_said_to_a_turn_that_waits_already_is_context(self, store: Store) -> None:
        await store.accept(said("Ann, old", ROOM, ANN, group=True))
        await store.accept(said("Bob, old", ROOM, BOB, group=True))
        await store.answer(said("/new", ROOM), Reply("", effects=(Forget(ROOM),)))
        await store.accept(said("Ann, new", ROOM, ANN, group=True))
        assert await context(store, ROOM) == ["Ann, new"]

    async def test_the_answer_to_what_was_forgotten_is_no_context(self, store: Store) -> None:
        turn = await asked(store, "old")
        await store.answer(said("/new"), Reply("", effects=(Forget(HERE),)))
        await store.generated(turn, Answer("late", Outcome.WHOLE), {})
        assert await context(store) == []
        assert (await texts(store))[0] == "late"

    async def test_stop_tells_what_runs_and_leaves_what_waits(self, store: Store) -> None:
        running = await asked(store)
        waiting = (await store.accept(said("next"))).turn
        await store.answer(said("/stop"), Reply("", effects=(Stop(HERE, running.id, DROPPED),)))
        left = [(turn.id, turn.stop, turn.state) for turn in await store.open_turns(HERE)]
        assert left == [(running.id, True, TurnState.RUNNING), (waiting, False, TurnState.WAITING)]

    async def test_what_is_stopped_while_it_waits_is_answered_so(self, store: Store) -> None:
        running = await asked(store)
        waiting = (await store.accept(said("next"))).turn
        assert waiting is not None
        await store.answer(said("/stop"), Reply("", effects=(Stop(HERE, waiting, DROPPED),)))
        dropped = await store.turn(waiting)
        assert dropped is not None
        assert (dropped.state, dropped.outcome) == (TurnState.DELIVERING, Outcome.STOPPED)
        assert (dropped.notes, dropped.menu, dropped.text) == (DROPPED.notes, DROPPED.menu, "")
        assert await context(store) == ["hello"], "what nobody answers is no context"
        assert await store.claim(START, OURS) is None, "it stands below the answer that came before"
        await store.end(running, Outcome.WHOLE)
        shown = await claimed(store)
        assert (shown.id, shown.state) == (waiting, TurnState.DELIVERING)
        await store.end(shown, Outcome.STOPPED)
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, waiting),)))
        again = await claimed(store)
        assert (again.id, again.state, again.notes, again.menu) == (waiting, TurnState.RUNNING, (), None)
        await store.generated(again, Answer("at last", Outcome.WHOLE), {})
        assert (await context(store))[:2] == ["at last", "next"]

    async def test_what_comes_after_a_dropped_question_is_another(self, store: Store) -> None:
        await asked(store)
        waiting = (await store.accept(said("next"))).turn
        assert waiting is not None
        await store.answer(said("/stop"), Reply("", effects=(Stop(HERE, waiting, DROPPED),)))
        assert (await store.accept(said("another"))).turn not in (None, waiting)

    async def test_stop_is_of_its_own_chat(self, store: Store) -> None:
        elsewhere = (await store.accept(said("x", THERE))).turn
        assert elsewhere is not None
        await store.answer(said("/stop"), Reply("", effects=(Stop(HERE, elsewhere, DROPPED),)))
        (turn,) = await store.open_turns(THERE)
        assert (turn.stop, turn.state) == (False, TurnState.WAITING)

    async def test_words_that_stand_below_what_they_stop_wait_for_it(self, store: Store) -> None:
        running = await asked(store)
        effects = (Stop(HERE, running.id, DROPPED), Forget(HERE))
        notice = await store.answer(said("/new"), Reply("New.", effects=effects, in_order=True))
        other = await store.answer(said("/status"), Reply("Well."))
        assert (await claimed(store)).id == other, "any other words wait for nothing"
        assert await store.claim(START, OURS) is None
        await store.generated(running, Answer("Half", Outcome.STOPPED), {})
        assert await store.claim(START, OURS) is None
        await store.end(running, Outcome.STOPPED)
        assert (await claimed(store)).id == notice

    async def test_words_in_order_do_not_wait_for_what_is_not_stopped(self, store: Store) -> None:
        await asked(store)
        notice = await store.answer(said("/new"), Reply("New.", in_order=True))
        assert (await claimed(store)).id == notice

    async def test_a_question_can_bring_effects_along(self, store: Store) -> None:
        await exchange(store, "old", "old answer")
        waiting = await store.accept(said("new"), effects=(Forget(HERE), SetSetting(HERE.key, "x", 1)))
        assert waiting.turn is not None
        assert await context(store) == ["new"]
        assert [row.name for row in await store.settings(HERE)] == ["x"]

    async def test_a_question_that_was_seen_brings_nothing_along_again(self, store: Store) -> None:
        message = said("new")
        await store.accept(message)
        assert (await store.accept(message, effects=(SetSetting(HERE.key, "x", 1),))).seen
        assert await store.settings(HERE) == []

    async def test_who_takes_over_learns_of_the_stop(self, store: Store) -> None:
        turn = await asked(store)
        await store.release(turn)
        await store.answer(said("/stop"), Reply("", effects=(Stop(HERE, turn.id, DROPPED),)))
        assert (await claimed(store)).stop

    async def test_reopen(self, ground: Ground) -> None:
        store = await ground.open()
        turn = await asked(store, "question")
        await store.answer(said("/stop"), Reply("", effects=(Stop(HERE, turn.id, DROPPED),)))
        await store.generated(turn, Answer("first answer", Outcome.STOPPED), {})
        await store.posted(turn, 0, f"a{turn.id}", "digest")
        await store.end(turn, Outcome.STOPPED)
        later = await exchange(store, "more", "more answer")
        await ground.clock.advance(60)
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, turn.id),)))

        assert await context(store) == ["more answer", "more", "question"]
        assert "first answer" not in await texts(store)
        again = await claimed(store, START + 60_000)
        assert (again.id, again.attempt, again.state, again.stop) == (turn.id, 2, TurnState.RUNNING, False)
        assert (again.text, again.outcome, again.notes, again.menu) == ("", None, (), None)
        assert (again.created, again.not_before) == (START, START + 60_000)
        assert again.posts == (Posted(0, f"a{turn.id}", "digest"),)
        await store.generated(again, Answer("second answer", Outcome.WHOLE), {})
        assert await context(store) == ["more answer", "more", "second answer", "question"]
        newest = await store.last_turn(HERE)
        assert newest is not None
        assert newest.id == later.id

    async def test_only_what_has_ended_can_be_reopened(self, store: Store) -> None:
        turn = await asked(store)
        await store.generated(turn, Answer("answer", Outcome.WHOLE), {})
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, turn.id), Reopen(HERE, 999))))
        kept = await store.turn(turn.id)
        assert kept is not None
        assert kept.state is TurnState.DELIVERING
        assert await context(store) == ["answer", "hello"]

    async def test_a_chat_reopens_its_own_turns_only(self, store: Store) -> None:
        turn = await exchange(store, "q", "a")
        await store.answer(said("/retry", THERE), Reply("", effects=(Reopen(THERE, turn.id),)))
        assert await store.open_turns(HERE) == []

    async def test_what_was_stopped_before_its_start_can_be_reopened_beside_a_waiting_one(self, store: Store) -> None:
        first = (await store.accept(said("first"))).turn
        assert first is not None
        await store.answer(said("/stop"), Reply("", effects=(Stop(HERE, first, DROPPED),)))
        await store.end(await claimed(store), Outcome.STOPPED)
        second = (await store.accept(said("second"))).turn
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, first),)))
        assert (await store.accept(said("third"))).turn == second
        turn = await claimed(store)
        assert (turn.id, [message.text for message in await store.question(first)]) == (first, ["first"])

    async def test_a_reopened_question_waits_while_a_later_one_runs(self, store: Store) -> None:
        turn = await exchange(store, "q", "a")
        later = await asked(store, "later")
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, turn.id),)))
        assert await store.claim(START, OURS) is None
        await store.end(later, Outcome.WHOLE)
        assert (await claimed(store)).id == turn.id

    async def test_an_excluded_question_asked_again_returns_to_the_context(self, store: Store) -> None:
        turn = await exchange(store, "q", "error", exclude=True)
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, turn.id),)))
        await store.generated(await claimed(store), Answer("fine", Outcome.WHOLE), {})
        assert await context(store) == ["fine", "q"]


class TestJoining:
    """A message that belongs to what its author said just before, when that has begun already."""

    async def test_the_turn_begins_anew_and_who_ran_it_is_overtaken(self, store: Store) -> None:
        turn = await asked(store, "this?")
        await store.begin(turn, LedgerEntry(turn.id, 1, "g", "m", START))
        await store.intend(turn, 0, repeat=False)
        await store.posted(turn, 0, "p0", "")
        accepted = await store.accept(said("that", joins=True), wait=1.0)
        assert (accepted.turn, accepted.anew) == (turn.id, True)
        with pytest.raises(Superseded):
            await store.posted(turn, 0, "p1", "d")
        with pytest.raises(Superseded):
            await store.generated(turn, Answer("old", Outcome.WHOLE), {})
        assert [entry.finish for entry in await store.ledger(turn.id)] == ["lost"]
        assert await store.claim(START, OURS) is None, "more may follow"
        accepted = await store.accept(said("and that", joins=True), wait=1.0)
        assert (accepted.turn, accepted.anew) == (turn.id, True)
        again = await claimed(store, START + 1000)
        assert (again.id, again.attempt > turn.attempt, again.reply_to) == (turn.id, True, turn.reply_to)
        assert [post.post for post in again.posts] == ["p0"]
        assert [kept.text for kept in await store.question(turn.id)] == ["this?", "that", "and that"]

    async def test_an_answer_that_is_there_already_is_replaced(self, store: Store) -> None:
        turn = await asked(store, "this?")
        await store.generated(turn, Answer("of what?", Outcome.WHOLE, menu=Menu(((Choice("a", "/a"),),))), {})
        await store.end(turn, Outcome.WHOLE)
        assert (await store.accept(said("that", joins=True))).anew
        assert await context(store) == ["that", "this?"]
        again = await claimed(store)
        assert (again.state, again.text, again.menu, again.outcome) == (TurnState.RUNNING, "", None, None)
        await store.generated(again, Answer("yes", Outcome.WHOLE), {})
        assert await context(store) == ["yes", "that", "this?"]

    async def test_not_while_a_message_is_on_its_way(self, store: Store) -> None:
        turn = await asked(store, "this?")
        await store.intend(turn, 0, repeat=False)
        late = said("that", joins=True)
        accepted = await store.accept(late)
        assert (accepted.turn, accepted.busy, await store.seen(late.key)) == (None, True, False)
        await store.posted(turn, 0, "p0", "")
        assert (await store.accept(late)).anew
        assert (await store.accept(late)).seen

    async def test_only_what_the_same_person_has_just_asked_there(self, store: Store, clock: SimClock) -> None:
        first = await asked(store, "this?")
        for message in (
            said("plain"),
            said("elsewhere", THERE, joins=True),
            said("another", author=Person("9"), joins=True, group=True),
        ):
            accepted = await store.accept(message)
            assert (accepted.turn != first.id, accepted.anew) == (True, False)
        await store.end(first, Outcome.WHOLE)
        await store.end(await claimed(store), Outcome.WHOLE)
        await store.end(await claimed(store), Outcome.WHOLE)
        await clock.advance(5.1)
        assert not (await store.accept(said("too late", joins=True))).anew

    async def test_a_command_is_nothing_to_join(self, store: Store) -> None:
        await store.answer(said("/help"), Reply("words"))
        accepted = await store.accept(said("that", joins=True))
        assert (accepted.anew, accepted.turn is not None) == (False, True)


class TestEdits:
    async def test_before_the_start(self, store: Store) -> None:
        message = said("wrogn")
        turn = (await store.accept(message)).turn
        assert turn is not None
        event = Edited("e1", HERE, ANN, message.post or "", "wrong", START)
        assert await store.edit(event)
        assert not await store.edit(event)
        assert await store.seen("e1")
        assert [kept.text for kept in await store.question(turn)] == ["wrong"]

    async def test_after_the_start(self, store: Store) -> None:
        message = said("wrogn")
        await store.accept(message)
        await claimed(store)
        event = Edited("e1", HERE, ANN, message.post or "", "wrong", START)
        assert await store.edit(event) is False
        assert not await store.seen("e1")
        assert await texts(store) == ["wrong"]

    async def test_of_what_is_not_known(self, store: Store) -> None:
        await store.accept(said("hm"))
        assert await store.edit(Edited("e1", HERE, ANN, "p?", "wrong", START)) is None
        assert not await store.seen("e1")

    async def test_of_a_question_that_is_asked_again(self, store: Store) -> None:
        message = said("q")
        turn = (await store.accept(message)).turn
        await store.end(await claimed(store), Outcome.WHOLE)
        assert turn is not None
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, turn),)))
        assert await store.edit(Edited("e1", HERE, ANN, message.post or "", "other", START)) is False
        assert [kept.text for kept in await store.question(turn)] == ["other"]

    async def test_in_another_chat_the_same_id_is_another_message(self, store: Store) -> None:
        message = said("mine")
        await store.accept(message)
        assert not await store.edit(Edited("e1", THERE, ANN, message.post or "", "yours", START))
        assert await texts(store) == ["mine"]


class TestMove:
    OLD, NEW = Chat("web", "a%b", "g_1"), Chat("web", "a%b", "-1001")

    async def test_all_that_is_the_chats_goes_along(self, store: Store) -> None:
        topic = replace(self.OLD, thread="5")
        for chat in (self.OLD, topic):
            await exchange(store, "q", f"a {chat.thread}", chat)
        neighbour = replace(self.OLD, id="g_10")
        await exchange(store, "n", "neighbour", neighbour)
        sets = (
            SetSetting(self.OLD.key, "x", 1),
            SetSetting(topic.key, "y", 2),
            SetSetting(neighbour.key, "x", 3),
            SetSetting("*", "z", 4),
        )
        await store.answer(said("/set", self.OLD), Reply("", effects=sets))
        turn = await asked(store, "running", self.OLD)

        event = Moved("m1", self.OLD, self.NEW, START)
        assert await store.move(event)
        assert not await store.move(event)

        moved_topic = replace(self.NEW, thread="5")
        assert await context(store, self.NEW) == ["running", "a None", "q"]
        assert await context(store, moved_topic) == ["a 5", "q"]
        assert await texts(store, self.OLD) == await texts(store, topic) == []
        assert [(row.scope, row.name, row.value) for row in await store.settings(moved_topic)] == [
            ("*", "z", 4),
            (self.NEW.key, "x", 1),
            (moved_topic.key, "y", 2),
        ]
        assert await context(store, neighbour) == ["neighbour", "n"]
        assert [row.value for row in await store.settings(neighbour)] == [4, 3]
        await store.generated(turn, Answer("answer", Outcome.WHOLE), {})
        assert (await context(store, self.NEW))[0] == "answer"
        found = await store.turn(turn.id)
        assert found is not None
        assert found.chat == self.NEW
        chats = [summary.chat for summary in await store.chats("web", "a%b")]
        assert sorted(chat.key for chat in chats) == sorted(chat.key for chat in (self.NEW, moved_topic, neighbour))

    async def test_ids_of_messages_mean_nothing_in_the_new_chat(self, store: Store) -> None:
        turn = await asked(store, "q", self.OLD)
        await store.intend(turn, 0)
        await store.posted(turn, 0, "p0")
        await store.intend(turn, 1)
        await store.accept(said("waits", self.OLD))
        await store.move(Moved("m1", self.OLD, self.NEW, START))
        moved, waiting = await store.open_turns(self.NEW)
        assert (moved.reply_to, waiting.reply_to) == (None, None)
        assert [(posted.index, posted.post) for posted in moved.posts] == [(1, None)]
        assert [message.post for message in await store.history(self.NEW)] == [None, None]
        await store.posted(turn, 0, "p5")
        found = await store.turn(turn.id)
        assert found is not None
        assert [posted.post for posted in found.posts] == ["p5", None]

    async def test_into_a_chat_that_has_begun_already(self, store: Store) -> None:
        await exchange(store, "forgotten", "forgotten too", self.OLD)
        await store.answer(said("/new", self.OLD), Reply("", effects=(Forget(self.OLD),)))
        old = (await store.accept(said("before", self.OLD, title="The old title"))).turn
        await store.accept(said("after", self.NEW))
        await store.move(Moved("m1", self.OLD, self.NEW, START))
        turn = await claimed(store)
        assert turn.id == old
        assert [message.text for message in await store.question(turn.id)] == ["before", "after"]
        assert await store.open_turns(self.NEW) == [turn]
        assert await context(store, self.NEW) == ["after", "before"]
        assert [summary.title for summary in await store.chats("web", "a%b")] == ["The old title"]


async def test_membership(store: Store) -> None:
    event = Membership("j1", ROOM, present=True, at=START, title="The team")
    assert await store.membership(event)
    assert not await store.membership(event)
    assert await store.membership(Membership("j2", ROOM, present=False, at=START))
    assert await store.chats("web", "local") == []
    await store.accept(said(chat=ROOM))
    assert [summary.title for summary in await store.chats("web", "local")] == ["The team"]


class TestReading:
    async def test_history_goes_back_page_by_page(self, store: Store) -> None:
        for n in range(4):
            await exchange(store, f"q{n}", f"a{n}")
        first = await store.history(HERE, limit=3)
        assert [message.text for message in first] == ["a3", "q3", "a2"]
        second = await store.history(HERE, before=first[-1].id, limit=3)
        assert [message.text for message in second] == ["q2", "a1", "q1"]
        assert second[0].turn is not None
        page = await store.context(HERE, before=(second[0].turn, second[0].id), limit=2)
        assert [message.text for message in page] == ["a1", "q1"]
        assert [message.text for message in await store.context(HERE, before=(second[0].turn, 0), limit=1)] == ["a1"]
        assert await store.history(THERE) == []

    async def test_settings_widest_first_newest_only_and_none_unsets(self, store: Store) -> None:
        topic = replace(ROOM, thread="3")
        everything, account, room, thread = topic.scopes
        rows: list[tuple[str, str, Any]] = [
            (thread, "seed", 2**64 - 1),
            (room, "model", "qwen-max"),
            (room, "model", "qwen-plus"),
            (account, "model", "qwen-turbo"),
            (everything, "stop", ["END", "完", 3]),
            (room, "top_p", 0.8),
            (room, "top_p", None),
            (everything, "system", "x\x00y"),
            ("web/other", "model", "other"),
        ]
        await store.answer(said("/set", topic), Reply("", effects=tuple(SetSetting(*row) for row in rows)))
        found = await store.settings(topic)
        assert [(row.scope, row.name, row.value) for row in found] == [
            (everything, "stop", ["END", "完", 3]),
            (everything, "system", "x\x00y"),
            (account, "model", "qwen-turbo"),
            (room, "model", "qwen-plus"),
            (thread, "seed", 2**64 - 1),
        ]
        assert {(row.by, row.at) for row in found} == {("u1", START)}
        assert [row.name for row in await store.settings(ROOM)] == ["stop", "system", "model", "model"]

    async def test_chats_the_newest_first_by_title_or_first_question(self, ground: Ground) -> None:
        store = await ground.open()
        long = Chat("web", "local", "3")
        await store.answer(said("/start", HERE), Reply(""))
        await exchange(store, "\n  What is it?  \nTell me.", "a")
        await ground.clock.advance(1)
        await store.accept(said("x", THERE, title="Named"))
        await ground.clock.advance(1)
        await store.accept(said("y" * 80, long))
        await store.accept(said("not ours", Chat("other", "local", "1")))
        await store.answer(said("/help", Chat("web", "local", "4")), Reply(""))
        summaries = await store.chats("web", "local")
        assert [(summary.title, summary.at) for summary in summaries[1:]] == [
            ("", START + 2000),  # a command is no title
            ("Named", START + 1000),
            ("What is it?", START),
        ]
        assert (summaries[0].chat, summaries[0].title) == (long, "y" * 60)
        assert len(await store.chats("web", "local", limit=2)) == 2

    async def test_turns_of_a_chat(self, store: Store) -> None:
        assert (await store.turn(1), await store.last_turn(HERE), await store.open_turns(HERE)) == (None, None, [])
        first = await exchange(store, "q", "a")
        running = await asked(store, "q2")
        notice = await store.answer(said("/status"), Reply("fine"))
        assert [turn.id for turn in await store.open_turns(HERE)] == [running.id, notice]
        last = await store.last_turn(HERE)
        assert last is not None
        assert first.id < last.id == running.id

    async def test_spending(self, store: Store) -> None:
        assert await store.spending() == Spending(0, 0, 0, ())
        turn, other = await asked(store), await asked(store, chat=THERE)

        async def call(turn: Turn, started: int, **more: Any) -> None:
            entry = LedgerEntry(turn.id, turn.attempt, "g", "m", started, **more)
            await store.begin(turn, entry)

        big = Decimal("5000000000.123456789")
        await call(turn, START, usage=Usage(1, 2), cost=Money(Decimal("0.1")), ended=START, finish="whole")
        await call(turn, START + 5, usage=Usage(3, 4, estimated=True), cost=Money(Decimal("0.2")))
        await call(turn, START + 5, usage=Usage(5, 6), cost=Money(big, "USD"))
        await call(other, START + 9)
        assert await store.spending() == Spending(
            4, 9, 12, (Money(Decimal("0.3"), "CNY"), Money(big, "USD")), unknown=1, estimated=True
        )
        assert await store.spending(chat=THERE) == Spending(1, 0, 0, (), unknown=1)
        recent = await store.spending(chat=HERE, since=START + 1)
        assert (recent.calls, recent.input, recent.costs[0]) == (2, 8, Money(Decimal("0.2")))

    async def test_the_balance_with_the_newest_start_wins(self, store: Store) -> None:
        assert await store.balance("g") is None
        newest = BalanceReading("g", Money(Decimal("-1.5"), "CNY"), START + 2, "probe")
        await store.reading(newest)
        await store.reading(BalanceReading("g", Money(Decimal(9)), START + 1))
        await store.reading(BalanceReading("other", Money(Decimal(7)), START + 3))
        assert await store.balance("g") == newest

    async def test_outlay_counts_one_gateway_and_currency_and_a_rooms_threads_together(self, store: Store) -> None:
        assert await store.outlay("g", "CNY", since=0) == Outlay(Money(Decimal(0)))
        thread = replace(ROOM, thread="7")
        spent = {HERE: "0.5", ROOM: "0.1", thread: "0.9", THERE: "0.25"}
        for number, (chat, amount) in enumerate(spent.items()):
            await store.accept(said(chat=chat, title="The team" if chat == thread else ""))
            turn = await claimed(store)
            entry = LedgerEntry(turn.id, turn.attempt, "g", "m", START + number, cost=Money(Decimal(amount)))
            await store.begin(turn, entry)
            await store.begin(turn, replace(entry, gateway="other"))
            await store.begin(turn, replace(entry, cost=Money(Decimal(7), "USD")))
            await store.begin(turn, replace(entry, cost=None, usage=Usage(1, 2)))
            await store.begin(turn, replace(entry, cost=None, finish="Unreachable"))
            await store.end(turn, Outcome.WHOLE)
        most = (
            Spender(ROOM, "The team", Money(Decimal("1.0"))),
            Spender(HERE, "", Money(Decimal("0.5"))),
            Spender(THERE.room, "", Money(Decimal("0.25"))),
        )
        assert await store.outlay("g", "CNY", since=0) == Outlay(Money(Decimal("1.75")), START, 4, most)
        assert (await store.outlay("g", "CNY", since=0, most=1)).most == most[:1]
        recent = await store.outlay("g", "CNY", since=START + 2)
        assert (recent.total.amount, recent.first) == (Decimal("1.15"), START + 2)

    async def test_what_was_learned_last_holds(self, store: Store) -> None:
        await store.learn("g", "stream_options", False)
        await store.learn("g", "stream_options", True)
        await store.learn("g", "vision:x", {"max": [1, None]})
        await store.learn("other", "stream_options", False)
        assert await store.learned("g") == {"stream_options": True, "vision:x": {"max": [1, None]}}


class TestAlerts:
    NOTICES = (Notice(HERE, "the balance is low"), Notice(ROOM, "余额不足", "zh", "Alerts"))

    async def test_raising_tells_once_until_it_is_laid(self, ground: Ground) -> None:
        store = await ground.open()
        assert await store.alerts("g") == {}
        await ground.clock.advance(5)
        assert await store.alert("g", "low", raised=True, notices=self.NOTICES)
        assert not await store.alert("g", "low", raised=True, notices=self.NOTICES)
        assert await store.alerts("g") == {"low": START + 5000}
        assert await store.alerts("other") == {}
        assert (await texts(store), await texts(store, ROOM)) == (["the balance is low"], ["余额不足"])
        first, second = await claimed(store, START + 5000), await claimed(store, START + 5000)
        assert {(turn.chat, turn.kind, turn.state, turn.text, turn.asker.language) for turn in (first, second)} == {
            (HERE, TurnKind.NOTICE, TurnState.DELIVERING, "the balance is low", "en"),
            (ROOM, TurnKind.NOTICE, TurnState.DELIVERING, "余额不足", "zh"),
        }
        assert await store.alert("g", "low", raised=False)
        assert not await store.alert("g", "low", raised=False)
        assert await store.alerts("g") == {}
        assert await store.alert("g", "low", raised=True, notices=self.NOTICES[:1])
        assert len(await texts(store)) == 2

    async def test_what_was_never_raised_can_not_be_laid(self, store: Store) -> None:
        assert not await store.alert("g", "low", raised=False, notices=self.NOTICES)
        assert await texts(store) == []

    async def test_many_at_once_tell_once(self, store: Store) -> None:
        told = await asyncio.gather(*(store.alert("g", "low", raised=True, notices=self.NOTICES) for _ in range(9)))
        assert sorted(told) == [False] * 8 + [True]
        assert len(await texts(store)) == 1

    async def test_a_notice_gives_a_title_only_to_a_chat_without_one(self, store: Store) -> None:
        await store.accept(said(chat=HERE, title="Mine"))
        titled = [replace(notice, title="Alerts") for notice in self.NOTICES]
        await store.alert("g", "low", raised=True, notices=titled)
        assert {chat.chat: chat.title for chat in await store.chats("web", "local")} == {HERE: "Mine", ROOM: "Alerts"}

    async def test_a_command_can_speak_elsewhere(self, store: Store) -> None:
        event = said("/alerts test")
        assert await store.answer(event, Reply("sent", effects=(Notice(ROOM, "a test", "zh"),)))
        await store.answer(event, Reply("sent", effects=(Notice(ROOM, "a test", "zh"),)))
        assert await texts(store, ROOM) == ["a test"]


class TestTogether:
    """Several processes on one database."""

    async def test_an_alert_is_told_by_one_of_them(self, shared_ground: Ground) -> None:
        stores = [await shared_ground.open() for _ in range(3)]
        notices = [Notice(ROOM, "low"), Notice(HERE, "low")]
        told = await asyncio.gather(*(store.alert("g", "low", raised=True, notices=notices) for store in stores * 3))
        assert told.count(True) == 1
        assert (await texts(stores[0]), await texts(stores[1], ROOM)) == (["low"], ["low"])

    async def test_a_turn_is_taken_once_and_in_order(self, shared_ground: Ground) -> None:
        stores = [await shared_ground.open() for _ in range(3)]
        for n in range(24):
            await stores[n % 3].accept(said(str(n), Chat("web", "local", str(n % 6)), Person(str(n)), group=True))
        taken: list[Turn] = []
        at_work: set[Chat] = set()

        async def work(store: Store) -> None:
            while len(taken) < 24:
                turn = await store.claim(START, OURS)
                if turn is None:
                    await asyncio.sleep(0.001)
                    continue
                assert turn.chat not in at_work
                at_work.add(turn.chat)
                taken.append(turn)
                await store.posted(turn, 0, "p")
                at_work.discard(turn.chat)
                await store.end(turn, Outcome.WHOLE)

        await asyncio.gather(*(work(store) for store in stores for _ in range(3)))
        ids = [turn.id for turn in taken]
        assert len(ids) == len(set(ids)) == 24
        for n in range(6):
            of_chat = [turn.id for turn in taken if turn.chat.id == str(n)]
            assert of_chat == sorted(of_chat)
        assert {turn.attempt for turn in taken} == {1}

    async def test_the_same_event_at_two_doors(self, shared_ground: Ground) -> None:
        one, two = await shared_ground.open(), await shared_ground.open()
        for _ in range(10):
            message = said("twice")
            results = await asyncio.gather(one.accept(message, limit=99), two.accept(message, limit=99))
            assert sorted(result.seen for result in results) == [False, True]
        assert len(await one.history(HERE)) == 10
        assert len(await two.open_turns(HERE)) == 1

    async def test_asking_again_never_makes_two_at_work_in_a_chat(self, shared_ground: Ground) -> None:
        one, two = await shared_ground.open(), await shared_ground.open()
        old = await exchange(one, "old", "answer")
        for _ in range(15):
            await one.accept(said("new"))
            again = one.answer(said("/retry"), Reply("", effects=(Reopen(HERE, old.id),)))
            _, *turns = await asyncio.gather(again, one.claim(START, OURS), two.claim(START, OURS))
            at_work = [turn for turn in turns if turn is not None]
            assert len(at_work) <= 1
            left = True
            while left:
                for turn in at_work:
                    await one.end(turn, Outcome.WHOLE)
                at_work = [turn for turn in [await one.claim(START, OURS)] if turn is not None]
                left = bool(at_work)

    async def test_what_a_gone_process_had_is_taken_over_and_what_a_living_one_has_is_not(
        self, shared_ground: Ground
    ) -> None:
        gone, living, heir = [await shared_ground.open() for _ in range(3)]
        lost, kept = await asked(gone), await asked(living, chat=THERE)
        for store, turn in ((gone, lost), (living, kept)):
            await store.begin(turn, LedgerEntry(turn.id, turn.attempt, "g", "m", START))
        await gone.intend(lost, 0)
        await gone.close()
        await shared_ground.clock.advance(3)

        assert await heir.claim(START, OURS) is None
        async with asyncio.timeout(PATIENCE):
            while await heir.recover() != 1:  # noqa: ASYNC110 - a server may notice a moment late that a session is over
                await asyncio.sleep(0.05)
        assert await heir.recover() == 0
        again = await claimed(heir)
        assert (again.id, again.attempt, again.state) == (lost.id, 2, TurnState.RUNNING)
        assert again.posts == (Posted(0, None),)
        (entry,) = await heir.ledger(lost.id)
        assert (entry.finish, entry.ended) == ("lost", START + 3000)
        (entry,) = await heir.ledger(kept.id)
        assert (entry.finish, entry.ended) == ("", None)
        assert await heir.claim(START, OURS) is None
        await living.end(kept, Outcome.WHOLE)

    async def test_a_new_start_finds_everything(self, shared_ground: Ground) -> None:
        first = await shared_ground.open()
        await exchange(first, "q", "a")
        turn = await asked(first, "in the middle")
        await first.close()
        second = await shared_ground.open()
        assert await texts(second) == ["in the middle", "a", "q"]
        assert await second.recover() == 1
        assert (await claimed(second)).id == turn.id
