"""What was said before we came: every store keeps it once, below all that follows."""

from __future__ import annotations

from bot.types import Attachment, Chat, Forget, Kind, Message, Person, Reply, Role, Store
from tests.contract.conftest import Ground
from tests.contract.test_store import ANN, BOB, HERE, THERE, context, exchange, said

KEY = "older"


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
    assert await store.adopt(HERE, older("one", "two", "three"), key=KEY)
    await exchange(store, "and now", "this")
    assert await context(store) == ["this", "and now", "answer", "question", "three", "two", "one"]
    assert [message.role for message in await store.context(HERE)][-3:] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert await context(store, THERE) == []


async def test_it_is_kept_once(ground: Ground) -> None:
    store = await ground.open()
    assert not await store.seen(KEY)
    assert await store.adopt(HERE, older("one"), key=KEY)
    assert not await store.adopt(HERE, older("one"), key=KEY)
    assert await store.seen(KEY)
    assert await context(store) == ["one"]


async def test_it_outlives_a_restart(shared_ground: Ground) -> None:
    first = await shared_ground.open()
    photo = Attachment(Kind.IMAGE, "ref:1", "image/png", 1234, "cat.png")
    message = Message(0, HERE, None, Role.USER, ANN, "look", 7, (photo,), "a quote", "p1")
    await first.adopt(HERE, [message], key=KEY)
    await first.close()
    (kept,) = await (await shared_ground.open()).context(HERE)
    assert (kept.turn, kept.author, kept.text, kept.at) == (None, ANN, "look", 7)
    assert (kept.attachments, kept.quoted, kept.post, kept.in_context) == ((photo,), "a quote", "p1", True)


async def test_it_is_read_page_by_page(store: Store) -> None:
    await store.adopt(HERE, older("one", "two", "three"), key=KEY)
    turn = await exchange(store, "question", "answer")
    seen: list[str] = []
    before = (turn.id + 1, 0)
    while page := await store.context(HERE, before=before, limit=2):
        seen += [message.text for message in page]
        before = (page[-1].turn or 0, page[-1].id)
    assert seen == ["answer", "question", "three", "two", "one"]


async def test_it_is_forgotten_like_all_else(store: Store) -> None:
    await store.adopt(HERE, older("one", "two"), key=KEY)
    await store.answer(said("/new"), Reply("", effects=(Forget(HERE),)))
    await exchange(store, "question", "answer")
    assert await context(store) == ["answer", "question"]
