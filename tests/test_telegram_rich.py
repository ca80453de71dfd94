"""Rich messages: blocks that the strict server takes, and text where it doesn't."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiogram.types import InputRichMessage
from hypothesis import given

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.outgoing.blocks import MOST_COLUMNS, gains, rich
from adapters.telegram.settings import TelegramSettings
from bot.errors import Undeliverable
from bot.markdown import parse, plain
from bot.types import AdapterContext, Chat, Note, NoteKind, Piece
from tests.fakes.clock import SimClock
from tests.fakes.telegram import FakeTelegram, Room
from tests.fakes.telegram.limits import Limits
from tests.fakes.telegram.params import Params
from tests.fakes.telegram.refusals import bad
from tests.fakes.telegram.rich import check_rich, rich_text
from tests.test_markdown import DOCUMENT, MESSY, SAMPLE, visible

TABLE = "**Prices**\n\n| Model | Price |\n|---|--:|\n| qwen | 1 |\n"


def piece(source: str, **more: Any) -> Piece:
    return Piece("1.0", parse(source), **more)


def taken(made: Piece) -> str:
    """The server takes it; returns its words."""
    fields = rich(made)
    assert fields is not None
    InputRichMessage.model_validate(fields)
    assert fields["skip_entity_detection"]  # or a command in it would be live
    return rich_text(check_rich(fields)["blocks"])


def test_everything_has_its_block() -> None:
    source = (
        SAMPLE + "\n---\n\n$$\n\\frac{a}{b}\n$$\n\nso $x^2$, \\(\\ce{x}\\) and [mail](mailto:a@b.co)[^1]\n\n- [x] done"
    )
    notes = (Note(NoteKind.REASONING, "Reasoning\nfirst"), Note(NoteKind.COST, "¥1"), Note(NoteKind.PART, "A part."))
    fields = rich(piece(source, notes=notes))
    assert fields is not None
    kinds = [block["type"] for block in fields["blocks"]]
    assert kinds[0] == "details"
    assert kinds[-1] == "footer"
    assert {"heading", "list", "table", "pre", "blockquote", "mathematical_expression", "divider"} <= set(kinds)
    words = taken(piece(source, notes=notes))
    assert "mail (a@b.co)" in words.replace("\n", "")
    assert "¥1" not in words


def test_nothing_is_markup_there() -> None:
    source = '<tg-button type="callback_data" data="w">go</tg-button> <b>x</b> ![i](https://e.org/i.png) [f](file:///x)'
    assert taken(piece(source)).replace("\n", "") == (
        '<tg-button type="callback_data" data="w">go</tg-button> <b>x</b> i f (file:///x)'
    )


@pytest.mark.parametrize(
    "source",
    [
        "| a " * (MOST_COLUMNS + 1) + "|\n" + "|---" * (MOST_COLUMNS + 1) + "|\n",
        "> " * 16 + "deep",
        "\n\n".join("x" for _ in range(501)),
        "a" * 32_769,
        "",
    ],
)
def test_what_does_not_fit_is_no_rich_message(source: str) -> None:
    assert rich(piece(source)) is None


@pytest.mark.parametrize(("source", "does"), [(TABLE, True), ("- so $x$", True), ("$$\nx\n$$", True), ("**b**", False)])
def test_a_table_or_a_formula_gains(source: str, does: bool) -> None:
    assert gains(parse(source)) == does


@given(DOCUMENT | MESSY)
def test_whatever_a_model_writes_is_taken(source: str) -> None:
    made = piece(source)
    if rich(made) is None:
        assert not made.blocks or len(plain(made.blocks)) < 4  # nothing to be seen
        return
    words = visible(taken(made))
    assert all(char in words for char in set(visible(plain(made.blocks))) if char in "ab汉字")


# ── on the wire ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "source", "is_rich"),
    [("off", TABLE, False), ("auto", TABLE, True), ("auto", "plain *words*", False), ("on", "plain *words*", True)],
)
async def test_the_setting_decides(tmp_path: Path, mode: str, source: str, is_rich: bool) -> None:
    async with house(tmp_path, mode) as (tg, adapter):
        room = tg.private("Ann")
        post = await adapter.put(chat(tg, room), piece(source, growing=True))
        assert "rich_message" not in fields(room, post)
        assert await adapter.put(chat(tg, room), piece(source), post) == post
        assert await adapter.put(chat(tg, room), piece(source), post) == post  # not modified
        assert ("rich_message" in fields(room, post), "text" in fields(room, post)) == (is_rich, not is_rich)
        new = await adapter.put(chat(tg, room), piece(source))
        assert ("rich_message" in fields(room, new)) == is_rich
        await adapter.put(chat(tg, room), piece(source, growing=True), post)  # asked again
        assert "rich_message" not in fields(room, post)


async def test_an_older_server_gets_text_everywhere(tmp_path: Path) -> None:
    async with house(tmp_path, "auto") as (tg, adapter):
        tg.sending.takes_rich = False
        ann, bob = tg.private("Ann"), tg.private("Bob")
        for room in (ann, ann, bob):
            await adapter.put(chat(tg, room), piece(TABLE))
            assert tg.shown(room)[-1].text.startswith("Prices")
        assert len(tg.called("sendRichMessage")) == 1


async def test_a_chat_that_refuses_is_remembered(tmp_path: Path) -> None:
    async with house(tmp_path, "auto", Picky) as (tg, adapter):
        ann, bob = tg.private("Ann"), tg.private("Bob")
        tg.picky = ann.id
        post = await adapter.put(chat(tg, ann), piece("x", growing=True))
        for _ in range(2):
            assert await adapter.put(chat(tg, ann), piece(TABLE), post) == post
        assert tg.shown(ann)[-1].text.startswith("Prices")
        new = await adapter.put(chat(tg, bob), piece(TABLE))
        assert "rich_message" in fields(bob, new)
        assert sum(call.params.get("rich_message") is not None for call in tg.calls) == 2


async def test_where_nothing_can_be_written_no_text_is_tried(tmp_path: Path) -> None:
    async with house(tmp_path, "auto") as (tg, adapter):
        room = tg.private("Ann")
        room.blocked = True
        with pytest.raises(Undeliverable):
            await adapter.put(chat(tg, room), piece(TABLE))
        assert not tg.called("sendMessage")


class Picky(FakeTelegram):
    """A server that takes no rich message in one chat."""

    picky = 0

    async def _run(self, method: str, params: Params) -> Any:
        if params.given("rich_message") and params.number("chat_id") == self.picky:
            raise bad("RICH_MESSAGE_UNSUPPORTED")
        return await super()._run(method, params)


@asynccontextmanager
async def house(
    folder: Path, mode: str, server: type[FakeTelegram] = FakeTelegram
) -> AsyncIterator[tuple[Any, TelegramAdapter]]:
    clock = SimClock()
    async with server(clock=clock, limits=Limits(on=False)) as tg:
        values: dict[str, Any] = {"telegram_bot_token": tg.token, "telegram_api_url": tg.url, "telegram_rich": mode}
        settings = TelegramSettings(**values, data_dir=folder, _env_file=None)  # type: ignore[call-arg]
        yield tg, TelegramAdapter(settings, AdapterContext(None, lambda: (), clock))  # type: ignore[arg-type]


def chat(tg: FakeTelegram, room: Room) -> Chat:
    return Chat("telegram", str(tg.bot.id), str(room.id))


def fields(room: Room, post: str) -> dict[str, Any]:
    found = room.find(int(post))
    assert found is not None
    return found.fields
