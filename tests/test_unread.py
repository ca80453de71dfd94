"""Updates that can't be read: whatever an adapter stumbles over is kept and skipped, and what follows is taken."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.kit.unread import Unread
from adapters.telegram.inbound.receiving import Receiver
from adapters.telegram.inbound.updates import Me
from bot.types import Ack, Inbound, IncomingMessage
from tests.fakes.clock import SimClock

ODD = (None, True, -1, 1e308, 2**70, "", "x" * 10_000, "\ud800", [], [[]], {}, {"a": 5}, 5, "5")


class Listener:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def wanted(self, message: IncomingMessage) -> bool:
        return message.addressing.calls_us

    async def accept(self, event: Inbound) -> Ack:
        if isinstance(event, IncomingMessage):
            self.texts.append(event.text)
        return Ack()


def receiver(folder: Path) -> tuple[Receiver, Listener]:
    listener = Listener()

    async def answer(_query: str, _ack: Ack) -> None:
        """Nothing is pressed for real."""

    return Receiver(
        me=Me("1", "magpie_bot", "Magpie"),
        intake=listener,
        reader=None,  # type: ignore[arg-type]  # only buttons ask it
        clock=SimClock(),
        unread=Unread(folder / "unread.jsonl"),
        answer=answer,
        heard=lambda _moved: None,
    ), listener


PERSON = {"id": 7, "is_bot": False, "first_name": "Ann", "language_code": "en"}
CHAT = {"id": 7, "type": "private", "first_name": "Ann"}


def message(**more: Any) -> dict[str, Any]:
    return {"message_id": 5, "date": 1_700_000_000, "chat": CHAT, "from": PERSON, **more}


UPDATES: list[dict[str, Any]] = [
    {"update_id": 1, "message": message(text="hello", entities=[{"type": "bold", "offset": 0, "length": 5}])},
    {"update_id": 2, "message": message(photo=[{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}])},
    {"update_id": 3, "message": message(rich_message={"blocks": [{"type": "table", "cells": [[{"text": "a"}]]}]})},
    {
        "update_id": 4,
        "message": message(poll={"id": "1", "question": "Why?", "options": [{"text": "So", "voter_count": 1}]}),
    },
    {"update_id": 5, "message": message(text="a", reply_to_message=message(text="b", forward_origin={"type": "user"}))},
    {"update_id": 6, "edited_message": message(text="c", edit_date=1_700_000_001)},
    {"update_id": 7, "callback_query": {"id": "1", "from": PERSON, "message": message(text="d"), "data": "/stop 1"}},
    {
        "update_id": 8,
        "my_chat_member": {"chat": CHAT, "from": PERSON, "date": 1, "new_chat_member": {"status": "left"}},
    },
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutants(seed: int, count: int) -> Iterator[Any]:
    """Updates in which one or two places hold something else, or nothing."""
    chance = random.Random(seed)
    for _ in range(count):
        update: Any = copy.deepcopy(chance.choice(UPDATES))
        for _ in range(chance.choice((1, 1, 2))):
            path = chance.choice([path for path in places(update) if path])
            inner = update
            for key in path[:-1]:
                inner = inner[key]
            if chance.random() < 0.2:
                del inner[path[-1]]
            else:
                inner[path[-1]] = copy.deepcopy(chance.choice(ODD))
        yield update


@pytest.fixture
async def taking(tmp_path: Path) -> AsyncIterator[tuple[Receiver, Listener]]:
    made, listener = receiver(tmp_path)
    yield made, listener
    await made.close()


@pytest.mark.parametrize("seed", range(2))
async def test_no_update_whatever_its_shape_keeps_the_next_from_being_taken(
    taking: tuple[Receiver, Listener], seed: int
) -> None:
    made, listener = taking
    for number, mutant in enumerate(mutants(seed, 300)):
        await made.take([mutant, {"update_id": number, "message": message(text=f"good {number}")}])
        assert listener.texts[-1] == f"good {number}"


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 900, "message": message(rich_message={"blocks": [{"type": "table", "cells": 5}]})},
        [],
        "not an update",
    ],
)
async def test_what_can_not_be_read_is_kept(taking: tuple[Receiver, Listener], update: Any, tmp_path: Path) -> None:
    made, _ = taking
    await made.take([update])
    kept = [json.loads(line) for line in (tmp_path / "unread.jsonl").read_text(encoding="utf-8").splitlines()]
    assert kept == [update]


async def test_what_is_nested_too_deep_is_kept_as_far_as_it_goes(tmp_path: Path) -> None:
    deep: Any = "the words"
    for _ in range(100_000):
        deep = [deep]
    await Unread(tmp_path / "unread.jsonl").keep({"text": "kept", "deep": deep})
    assert "kept" in (tmp_path / "unread.jsonl").read_text(encoding="utf-8")
    while isinstance(deep, list):  # taken apart by hand: freeing it would go as deep
        deep = deep.pop()
