"""What people change or take back after they have said it, on every store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.types import Answer, Chat, Deleted, Edited, IncomingMessage, Outcome, Reopen, Reply, Store, TurnState
from tests.contract.test_store import ANN, BOB, HERE, ROOM, START, THERE, asked, claimed, context, said
from tests.fakes.accounts import OURS


def deleted(message: IncomingMessage, chat: Chat | None = None) -> Deleted:
    return Deleted(f"{message.key}:deleted", chat or message.chat, message.post or "", START, message.key)


async def state(store: Store, turn: int | None) -> tuple[TurnState, bool]:
    found = await store.turn(turn or 0)
    assert found is not None
    return found.state, found.stop


async def words(store: Store, turn: int | None) -> list[str]:
    return [message.text for message in await store.question(turn or 0)]


class TestDeletions:
    async def test_a_question_that_waits_ends(self, store: Store) -> None:
        message = said()
        turn = (await store.accept(message)).turn
        assert await store.withdraw(deleted(message)) is None, "nobody works on it"
        assert await state(store, turn) == (TurnState.ENDED, False)
        assert await words(store, turn) == []
        assert await store.claim(START, OURS) is None

    async def test_of_a_question_in_parts_the_others_are_asked(self, store: Store) -> None:
        parts = [said(text) for text in ("one", "two", "three")]
        turns = {(await store.accept(part)).turn for part in parts}
        await store.withdraw(deleted(parts[2]))
        (turn,) = turns
        running = await claimed(store)
        assert (running.id, running.reply_to) == (turn, parts[1].post)
        assert await words(store, turn) == ["one", "two"]

    async def test_a_question_that_runs_is_stopped_and_no_other_one(self, store: Store) -> None:
        """Neither another person's nor the same person's next."""
        mine, mine_too, theirs = (
            said("a", ROOM, group=True),
            said("b", ROOM, group=True),
            said("c", ROOM, BOB, group=True),
        )
        first = (await store.accept(mine)).turn
        await claimed(store)
        others = [(await store.accept(message)).turn for message in (mine_too, theirs)]
        assert await store.withdraw(deleted(mine)) == first
        assert await state(store, first) == (TurnState.RUNNING, True)
        assert [await state(store, turn) for turn in others] == [(TurnState.WAITING, False)] * 2

    async def test_a_waiting_one_leaves_the_running_one_alone(self, store: Store) -> None:
        first = await asked(store, chat=ROOM)
        theirs = said("and B?", ROOM, BOB, group=True)
        second = (await store.accept(theirs)).turn
        assert await store.withdraw(deleted(theirs)) is None
        assert await state(store, first.id) == (TurnState.RUNNING, False)
        assert await state(store, second) == (TurnState.ENDED, False)

    async def test_what_was_answered_leaves_the_context_with_its_answer(self, store: Store) -> None:
        message = said("one")
        await store.accept(message)
        turn = await claimed(store)
        await store.generated(turn, Answer("answer", Outcome.WHOLE), {})
        await store.end(turn, Outcome.WHOLE)
        running = await asked(store, "two")
        assert await store.withdraw(deleted(message)) is None
        assert await context(store) == ["two"]
        assert await state(store, running.id) == (TurnState.RUNNING, False)

    async def test_what_is_asked_again_is_stopped(self, store: Store) -> None:
        message = said()
        turn = (await store.accept(message)).turn
        assert turn is not None
        await store.end(await claimed(store), Outcome.PART)
        await store.answer(said("/retry"), Reply("", effects=(Reopen(HERE, turn),)))
        assert await store.withdraw(deleted(message)) == turn
        assert (await claimed(store)).stop

    async def test_it_counts_once(self, store: Store) -> None:
        message = said()
        await store.accept(message)
        await claimed(store)
        assert await store.withdraw(deleted(message)) is not None
        assert await store.withdraw(deleted(message)) is None

    async def test_what_was_taken_back_before_it_came_is_not_asked(self, store: Store) -> None:
        message = said()
        assert await store.withdraw(deleted(message)) is None
        assert (await store.accept(message)).seen

    async def test_the_same_id_elsewhere_is_another_message(self, store: Store) -> None:
        message = said()
        turn = (await store.accept(message)).turn
        await store.withdraw(deleted(message, THERE))
        assert await state(store, turn) == (TurnState.WAITING, False)

    async def test_a_command_that_is_deleted_keeps_its_answer(self, store: Store) -> None:
        command = said("/help")
        notice = await store.answer(command, Reply("Help"))
        assert await store.withdraw(deleted(command)) is None
        assert await state(store, notice) == (TurnState.DELIVERING, False)


class TestEdits:
    async def test_what_is_quoted_changes_only_where_that_is_told(self, store: Store) -> None:
        message = said("about https://x.example")
        turn = (await store.accept(replace(message, quoted="an old page"))).turn
        for quoted, wanted in ((None, "an old page"), ("a page", "a page"), ("", "")):
            event = Edited(f"e:{quoted}", HERE, ANN, message.post or "", message.text, START, quoted=quoted)
            await store.edit(event)
            assert [each.quoted for each in await store.question(turn or 0)] == [wanted]

    @pytest.mark.parametrize("is_over", [False, True])
    async def test_later_requests_have_the_new_words(self, store: Store, is_over: bool) -> None:
        message = said("wrogn")
        await store.accept(message)
        turn = await claimed(store)
        if is_over:
            await store.generated(turn, Answer("answer", Outcome.WHOLE), {})
            await store.end(turn, Outcome.WHOLE)
        event = Edited("e1", HERE, ANN, message.post or "", "wrong", START)
        assert not await store.edit(event)
        assert not await store.seen("e1"), "it can still be answered"
        assert (await context(store))[-1] == "wrong"
