"""What was said before we came: every store keeps it once, below all that follows."""

from __future__ import annotations

from bot.types import Attachment, Chat, Deleted, Forget, Kind, Message, Person, Reply, Role, Store
from tests.contract.conftest import Ground
from tests.contract.test_store import ANN, BOB, HERE, START, THERE, asked, context, exchange, said


def older(*texts: str, chat: Chat = HERE) -> list[Message]:
    """Bob's words and our own, in turns."""
    roles = [Role.USER, Role.ASSISTANT] * len(texts)
    return [
        Message(0, chat, None, role, BOB if role is Role.USER else Person(""), text, at, post=f"o{at}")
        for at, (text, role) in enumerate(zip(texts, roles, strict=False))
    ]


async def test_it_stands_below_everything_else(store: Store) -> None:
    """However late it comes: the question that made us look was there before."""
    await exchange(store, "question", "answer")
    assert await store.adopt(HERE, older("one", "two", "three"), until=START, turn=1)
    await exchange(store, "and now", "this")
    assert await context(store) == ["this", "and now", "answer", "question", "three", "two", "one"]
    assert [message.role for message in await store.context(HERE)][-3:] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert await context(store, THERE) == []


async def test_it_is_kept_once(ground: Ground) -> None:
    store = await ground.open()
    assert await store.read_until(HERE) is None
    assert await store.adopt(HERE, older("one"), until=START, turn=1)
    assert not await store.adopt(HERE, older("one"), until=START, turn=1)
    assert not await store.adopt(HERE, older("two"), until=START - 1, turn=1)
    assert await store.read_until(HERE) == START
    assert await store.read_until(THERE) is None
    assert await context(store) == ["one"]


async def test_it_outlives_a_restart(shared_ground: Ground) -> None:
    first = await shared_ground.open()
    photo = Attachment(Kind.IMAGE, "ref:1", "image/png", 1234, "cat.png")
    message = Message(0, HERE, None, Role.USER, ANN, "look", 7, (photo,), "a quote", "p1")
    await first.adopt(HERE, [message], until=START, turn=1)
    await first.close()
    (kept,) = await (await shared_ground.open()).context(HERE)
    assert (kept.turn, kept.author, kept.text, kept.at) == (None, ANN, "look", 7)
    assert (kept.attachments, kept.quoted, kept.post, kept.in_context) == ((photo,), "a quote", "p1", True)


async def test_it_is_read_page_by_page(store: Store) -> None:
    await store.adopt(HERE, older("one", "two", "three"), until=START, turn=1)
    turn = await exchange(store, "question", "answer")
    seen: list[str] = []
    before = (turn.id + 1, 0)
    while page := await store.context(HERE, before=before, limit=2):
        seen += [message.text for message in page]
        before = (page[-1].after_turn, page[-1].id)
    assert seen == ["answer", "question", "three", "two", "one"]


async def test_it_is_forgotten_like_all_else(store: Store) -> None:
    await store.adopt(HERE, older("one", "two"), until=START, turn=1)
    await store.answer(said("/new"), Reply("", effects=(Forget(HERE),)))
    await exchange(store, "question", "answer")
    assert await context(store) == ["answer", "question"]


async def test_what_is_read_later_stands_before_the_question_that_made_us_look(store: Store) -> None:
    await store.adopt(HERE, older("one"), until=START, turn=1)
    first = await exchange(store, "question", "answer")
    running = await asked(store, "and now")
    assert await store.adopt(HERE, older("one", "ours", "two"), until=START + 1, turn=running.id)
    assert await context(store) == ["and now", "two", "answer", "question", "one"], "ours is known, and so is the first"
    overheard = (await store.context(HERE))[1]
    assert (overheard.role, overheard.turn, overheard.after_turn) == (Role.OVERHEARD, None, first.id)
    assert overheard.author == BOB
    assert [message.text for message in await store.question(first.id)] == ["question"]


async def test_what_was_overheard_can_be_taken_back(store: Store) -> None:
    turn = await exchange(store, "question", "answer")
    await store.adopt(HERE, [], until=START, turn=turn.id)
    await store.adopt(HERE, older("one"), until=START + 1, turn=turn.id + 1)
    assert await store.withdraw(Deleted("d1", HERE, "o0", START)) is None
    assert await context(store) == ["answer", "question"]
