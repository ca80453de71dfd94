"""What came from the model becomes an answer that says what it is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.errors import Blocked, Broken, NoMoney
from bot.gateways.catalogue import Catalogue
from bot.turns.exchange import Exchange, conclude, expired, prompt_tokens
from bot.types import Delta, Finish, LedgerEntry, ModelRequest, Money, NoteKind, Outcome, PromptMessage, Text, Usage

CATALOGUE = Catalogue()
REQUEST = ModelRequest("qwen-plus", (PromptMessage("user", "How are you?"),))


def exchange(*deltas: Delta, model: str = "qwen-plus") -> Exchange:
    begun = Exchange(entries={7: LedgerEntry(1, 1, "fake", model, 1000)})
    for number, delta in enumerate(deltas):
        begun.take(7, delta, 2000 + number)
    begun.close(7, REQUEST, CATALOGUE.info(model), begun.text, 3000)
    return begun


def kinds(made: Exchange, language: str = "en") -> list[NoteKind]:
    return [note.kind for note in conclude(made, 5, language).notes]


def test_an_entry_holds_what_the_call_took() -> None:
    end = Delta(finish=Finish.WHOLE, usage=Usage(20, 8))
    made = exchange(Delta(text="Fi", model="served", id="a1"), Delta(text="ne"), end)
    entry = made.entries[7]
    assert (entry.first, entry.ended, entry.served, entry.answer, entry.finish) == (2000, 3000, "served", "a1", "whole")
    assert entry.cost == Money(Decimal("0.00007"))


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("", None),
        ("off", None),
        ("full", "Reasoning\n" + "so it is " * 60),
        ("brief", "Reasoning\n" + "so it is " * 44),
    ],
)
def test_reasoning_is_shown_as_far_as_it_is_wanted(wanted: str, shown: str | None) -> None:
    made = exchange(Delta(reasoning="so it is " * 60), Delta(text="Yes", finish=Finish.WHOLE))
    answer = conclude(made, 5, "en", wanted)
    texts = [note.text for note in answer.notes if note.kind is NoteKind.REASONING]
    assert answer.reasoning == "so it is " * 60
    if shown is None:
        assert not texts
    else:
        (text,) = texts
        assert text.startswith(shown.strip())
        assert ("… and 141 more characters" in text) == (wanted == "brief")
        assert len(text) < 480 or wanted == "full"


def test_no_text_and_no_usage_costs_nothing_that_is_known() -> None:
    made = exchange()
    assert made.entries[7].usage is None
    assert made.entries[7].cost is None


def test_reasoning_alone_is_paid_for_and_estimated() -> None:
    made = exchange(Delta(reasoning="let me think about this for a while"))
    usage = made.entries[7].usage
    assert usage is not None
    assert usage.estimated
    assert usage.output > 5
    assert usage.input == prompt_tokens(REQUEST)


def test_an_unknown_price_is_said_to_be_unknown() -> None:
    made = exchange(Delta(text="Fine."), Delta(finish=Finish.WHOLE, usage=Usage(2, 1)), model="nobody-knows-1")
    (note,) = conclude(made, 5, "en").notes
    assert "price unknown" in note.text


def test_a_whole_answer_has_no_retry() -> None:
    answer = conclude(exchange(Delta(text="Fine."), Delta(finish=Finish.WHOLE)), 5, "en")
    assert (answer.outcome, answer.menu, answer.exclude) == (Outcome.WHOLE, None, False)


@pytest.mark.parametrize("finish", [Finish.LENGTH, Finish.FILTER, Finish.CUT, None])
def test_a_part_says_why(finish: Finish | None) -> None:
    answer = conclude(exchange(Delta(text="Half of"), Delta(finish=finish)), 5, "en")
    assert answer.outcome is Outcome.PART
    assert answer.notes[0].kind is NoteKind.PART
    assert answer.notes[0].text.startswith("This is a part")
    assert answer.menu is not None


def test_an_error_after_text_is_a_part_in_the_persons_language() -> None:
    made = exchange(Delta(text="半"))
    made.error = Broken()
    answer = conclude(made, 5, "zh")
    assert answer.outcome is Outcome.PART
    assert "{" not in answer.notes[0].text
    assert not answer.notes[0].text.isascii()


def test_an_error_before_text_is_a_clear_refusal() -> None:
    made = exchange()
    made.error = NoMoney()
    answer = conclude(made, 5, "en")
    assert answer.outcome is Outcome.FAILED
    assert answer.exclude
    assert answer.notes[0].text == NoMoney.text


def test_blocked_in_mid_answer_stays_out_of_context_though_it_has_text() -> None:
    made = exchange(Delta(text="Well, "))
    made.error = Blocked()
    assert conclude(made, 5, "en").exclude


def test_stopped_wins_over_everything_and_is_no_error() -> None:
    made = exchange(Delta(text="One two"))
    made.stopped = True
    answer = conclude(made, 5, "en")
    assert answer.outcome is Outcome.STOPPED
    assert not answer.exclude
    assert kinds(made)[0] is NoteKind.STOPPED


def test_stopped_before_anything_came_leaves_no_empty_message_in_the_context() -> None:
    made = exchange()
    made.stopped = True
    assert conclude(made, 5, "en").exclude


def test_the_notes_of_the_plan_come_first() -> None:
    made = exchange(Delta(text="A cat."), Delta(finish=Finish.WHOLE, usage=Usage(1, 1)))
    made.notes = (Text("Answered by {model}: {chosen} cannot see pictures.", {"model": "a", "chosen": "b"}),)
    assert kinds(made) == [NoteKind.MODEL, NoteKind.COST]


def test_an_expired_question_offers_retry() -> None:
    answer = expired(9, "en")
    assert answer.outcome is Outcome.EXPIRED
    assert answer.menu is not None
    assert answer.menu.rows[0][0].action == "/retry 9"
