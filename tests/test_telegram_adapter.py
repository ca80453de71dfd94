"""The adapter against a Bot API server on the loopback: what goes over the wire, and what comes of refusals."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError
from aiogram.methods import GetMe

from adapters.kit.push import MOST_BYTES
from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.checks import checks
from adapters.telegram.errors import translate
from adapters.telegram.inbound.polling import PROGRESS
from adapters.telegram.settings import TelegramSettings, load_settings
from bot.errors import (
    AdapterError,
    MediaError,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    SettingError,
    StoreError,
    Undeliverable,
)
from bot.http.host import Host
from bot.http.server import serving
from bot.locales import say
from bot.types import (
    Ack,
    AdapterContext,
    CallKind,
    Chat,
    Choice,
    Inbound,
    IncomingMessage,
    Mark,
    Menu,
    Moved,
    Note,
    NoteKind,
    Press,
    Status,
)
from tests.fakes.clock import PATIENCE, SimClock
from tests.fakes.proxy import FakeProxy
from tests.fakes.telegram import FakeTelegram, Room, picture
from tests.fakes.telegram.params import Params
from tests.fakes.telegram.refusals import bad
from tests.fakes.telegram.server import TOKEN
from tests.fakes.trial import Listener, Trial, logged, piece

SECRET = TOKEN.partition(":")[2]


@dataclass
class Shelf:
    """The half of the store that reads, with nothing in it but one turn's menu."""

    menu: Menu | None = None

    async def turn(self, id: int) -> Any:
        return self if id == 7 else None


class House(Trial):
    """An adapter, and the server that it talks to."""

    def __init__(self, tg: FakeTelegram, clock: SimClock, folder: Path, **settings: Any) -> None:
        super().__init__(clock, folder)
        self.tg = tg
        values = {"telegram_bot_token": tg.token, "telegram_api_url": tg.url, "data_dir": folder, "_env_file": None}
        self.settings = TelegramSettings(**{**values, **settings})
        self.shelf = Shelf()
        around = AdapterContext(self.shelf, lambda: (), clock, commands=commands)  # type: ignore[arg-type]
        self.adapter = TelegramAdapter(self.settings, around)
        self.ann = tg.private("Ann")

    async def heard(self, *texts: str) -> None:
        await self.until(lambda: len(self.listener.texts) >= len(texts))
        assert self.listener.texts == list(texts)

    async def until(self, predicate: Callable[[], object]) -> None:
        await self.tg.until(predicate)

    def chat(self, room: Room, thread: int | None = None) -> Chat:
        return Chat("telegram", self.adapter.account.id, str(room.id), None if thread is None else str(thread))

    async def put(self, source: str, room: Room | None = None, at: str | None = None, **more: Any) -> str:
        return await self.adapter.put(self.chat(room or self.ann), piece(source, **more), at)


def commands(language: str) -> list[tuple[str, str]]:
    return [("model", {"en": "Choose the model", "zh": "选择模型"}[language]), ("Not-A-Name", "left out")]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = SimClock()
    async with FakeTelegram(clock=clock) as tg:
        yield House(tg, clock, tmp_path)


@pytest.fixture(autouse=True)
def _no_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert not [line for line in logged(caplog, "adapters", "aio", "asyncio") if SECRET in line]


# ── polling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_updates_arrive_in_order_and_are_confirmed_by_the_next_call(house: House) -> None:
    house.ann.write("one")
    house.ann.write("two")
    async with house.running():
        await house.heard("one", "two")
        await house.until(lambda: not house.tg.world.updates.waiting)
        house.ann.write("three")
        await house.heard("one", "two", "three")
    assert house.adapter.account.name == "magpie_bot"
    first = house.tg.called("getUpdates")[0]
    assert "offset" not in first.params
    assert sorted(first.params["allowed_updates"]) == [
        "callback_query",
        "edited_message",
        "message",
        "my_chat_member",
        "stopped_message_generation",
    ]


async def test_what_is_not_stored_comes_again(house: House) -> None:
    house.listener.trouble = [StoreError(), StoreError()]
    house.ann.write("one")
    async with house.running():
        await house.soon(lambda: house.listener.events)
        assert house.listener.texts == ["one"]
    assert all("offset" not in call.params for call in house.tg.called("getUpdates")[:3])


async def test_a_batch_is_only_confirmed_when_all_of_it_is_stored(house: House) -> None:
    house.ann.write("one")
    house.ann.write("two")
    async with house.running():
        await house.until(lambda: house.listener.texts[:2] == ["one", "two"])
    house.listener.events.clear()
    house.ann.write("three")

    async def refuse_the_second(event: Inbound) -> Ack:
        if isinstance(event, IncomingMessage) and event.text == "four":
            raise StoreError
        return await Listener.accept(house.listener, event)

    house.ann.write("four")
    house.listener.accept = refuse_the_second  # type: ignore[method-assign]
    async with house.running():
        await house.until(lambda: house.listener.texts[-1:] == ["three"])
        await asyncio.sleep(0.05)
        assert [update.body["message"]["text"] for update in house.tg.world.updates.waiting][-2:] == ["three", "four"]


async def test_chats_do_not_wait_for_each_other(house: House) -> None:
    """And within a chat, all is in order."""
    bob, release = house.tg.private("Bob"), asyncio.Event()

    async def slow_for_ann(event: Inbound) -> Ack:
        if event.chat == house.chat(house.ann):
            await release.wait()
        return await Listener.accept(house.listener, event)

    house.listener.accept = slow_for_ann  # type: ignore[method-assign]
    for text in ("one", "two"):
        house.ann.write(text)
        bob.write(f"{text}, says Bob")
    async with house.running():
        await house.heard("one, says Bob", "two, says Bob")
        release.set()
        await house.heard("one, says Bob", "two, says Bob", "one", "two")


async def test_one_unreadable_update_holds_nothing_up(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.ann.write("one")
    house.tg.push({"message": {"message_id": "x", "text": "private words"}})
    house.ann.write("two")
    async with house.running():
        await house.heard("one", "two")
    kept = [json.loads(line) for line in (house.folder / "unread" / "telegram.jsonl").read_text().splitlines()]
    assert [update["message"]["text"] for update in kept] == ["private words"]
    assert "unknown shape" in caplog.text
    assert "private words" not in caplog.text


async def test_an_update_that_breaks_something_is_skipped(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.listener.trouble = [ZeroDivisionError()]
    house.ann.write("one")
    house.ann.write("two")
    async with house.running():
        await house.heard("two")
    assert "skipped" in caplog.text
    assert "one" in (house.folder / "unread" / "telegram.jsonl").read_text()


async def test_a_second_program_is_named_and_outlived(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async def poll() -> None:
        async with httpx.AsyncClient(timeout=None) as client:
            while True:
                await client.get(f"{house.tg.url}/bot{house.tg.token}/getUpdates", params={"timeout": 50})

    async with house.running():
        await house.until(lambda: house.tg.called("getUpdates"))
        other = asyncio.create_task(poll())
        await house.soon(lambda: "another program fetches this bot's updates" in caplog.text)
        other.cancel()
        house.ann.write("one")
        await house.soon(lambda: house.listener.events)
    assert "come in again" in caplog.text


async def test_a_webhook_left_behind_is_removed_and_loses_nothing(house: House) -> None:
    house.ann.write("one")
    async with house.running():
        await house.heard("one")
        async with httpx.AsyncClient(timeout=PATIENCE) as other:
            url = f"{house.tg.url}/bot{house.tg.token}/setWebhook"
            answer = await other.post(url, data={"url": "http://127.0.0.1:9/hook"})
            assert answer.json()["ok"]
        house.ann.write("two")
        await house.soon(lambda: len(house.listener.events) == 2)
    assert house.listener.texts == ["one", "two"]
    assert not house.tg.webhook.url


@pytest.mark.parametrize("how", ["500", "502", "drop", "429"])
async def test_trouble_passes(house: House, how: Any) -> None:
    house.tg.fail("getMe", 1, how)
    house.tg.fail("deleteWebhook", 1, how)
    house.tg.fail("getUpdates", 1, how, times=3)
    house.ann.write("one")
    async with house.running():
        await house.soon(lambda: house.listener.events)
    assert house.listener.texts == ["one"]


async def test_a_server_that_goes_away_and_comes_back(house: House) -> None:
    async with house.running():
        await house.until(lambda: house.tg.called("getUpdates"))
        await house.tg.stop()
        await house.clock.advance(10)
        async with house.tg:
            house.ann.write("one")
            await house.soon(lambda: house.listener.events)


async def test_a_call_that_brings_nothing_is_given_up(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.tg.fail("getUpdates", 1, "hang")
    async with house.running():
        await house.until(lambda: house.tg.called("getUpdates"))
        house.ann.write("one")
        await house.clock.advance(PROGRESS - 5)
        assert not house.listener.events
        await house.soon(lambda: house.listener.events)
    assert "made anew" in caplog.text


@pytest.mark.parametrize("token", [f"123457:{SECRET}", f"123456:{SECRET[::-1]}"])
async def test_a_rejected_token_ends_it_with_its_name(tmp_path: Path, token: str) -> None:
    async with FakeTelegram() as tg:
        house = House(tg, SimClock(), tmp_path, telegram_bot_token=token)
        async with house.running() as task:
            with pytest.raises(SettingError, match=r"^TELEGRAM_BOT_TOKEN: is rejected") as caught:
                await asyncio.wait_for(task, PATIENCE)
    assert token.partition(":")[2] not in str(caught.value)


async def test_commands_are_registered_per_scope_and_language(house: House) -> None:
    async with house.running():
        await house.until(lambda: len(house.tg.world.commands) == 6)
    for scope in ("default", "all_private_chats", "all_group_chats"):
        assert house.tg.world.commands[scope, ""] == [{"command": "model", "description": "Choose the model"}]
        assert house.tg.world.commands[scope, "zh"] == [{"command": "model", "description": "选择模型"}]


async def test_commands_are_offered_until_they_are_taken(house: House) -> None:
    house.tg.fail("setMyCommands", 1, "429", seconds=40)
    house.tg.fail("setMyCommands", 3, "502")
    async with house.running():
        await house.soon(lambda: len(house.tg.world.commands) == 6)
    first, second, *_ = house.tg.called("setMyCommands")
    assert second.at - first.at >= 40


async def test_a_comment_waits_for_what_is_forwarded_with_it(house: House) -> None:
    bob = house.tg.person("Bob")
    house.ann.write("Is this true?")
    house.ann.forward("Magpies steal.", bob)
    house.ann.write("Well?")
    async with house.running():
        await house.until(lambda: len(house.listener.events) == 3)
    assert [event.more for event in house.listener.events if isinstance(event, IncomingMessage)] == [True, True, False]


# ── buttons ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_pressed_button_is_always_answered(house: House) -> None:
    menu = Menu(((Choice("Stop", "/stop 1"),),))
    house.listener.ack = Ack(toast="x" * 300, error=True)
    async with house.running():
        post = int(await house.put("text", menu=menu))
        first = house.ann.press(post, "Stop")
        await house.until(lambda: house.tg.world.queries[first])
        house.listener.trouble = [ZeroDivisionError()]
        second = house.ann.press(post, "Stop")
        await house.until(lambda: house.tg.world.queries[second])
        house.tg.world.queries["9"] = None
        query = {"id": "9", "from": house.ann.user.json, "chat_instance": "x", "inline_message_id": "y"}  # type: ignore[union-attr]
        house.tg.push({"callback_query": query})
        await house.until(lambda: house.tg.world.queries["9"])
    (press,) = house.listener.events
    assert isinstance(press, Press)
    assert (press.action, press.post) == ("/stop 1", str(post))
    assert house.tg.world.queries[first] == {"text": "x" * 199 + "…", "show_alert": True}
    assert house.tg.world.queries[second] == {"text": "", "show_alert": False}


async def test_an_action_too_long_for_a_button_is_looked_up(house: House) -> None:
    long = "/model " + "模" * 30
    menu = Menu(((Choice("A", "/a"),), (Choice("B", "/b"), Choice("L", long, chosen=True))))
    async with house.running():
        post = int(await house.put("text", key="7.0", menu=menu))
        house.shelf.menu = menu
        house.ann.press(post, "✓ L")
        await house.until(lambda: len(house.listener.events) == 1)
        house.shelf.menu = Menu(())
        house.ann.press(post, "✓ L")
        await house.until(lambda: len(house.listener.events) == 2)
    assert [event.action for event in house.listener.events if isinstance(event, Press)] == [long, ""]


async def test_what_a_button_can_be(house: House) -> None:
    rows = (
        (Choice("✓ x", "/c", chosen=True), Choice(" ", "/a"), Choice("x" * 100, "/b"), Choice("nothing")),
        (Choice("bad", url="javascript:x"),),
    )
    await house.put("text", menu=Menu((*rows, (Choice("go", url="https://example.org/"),))))
    (shown,) = house.tg.shown(house.ann)
    assert [button.get("url") or button["callback_data"] for row in shown.keyboard for button in row] == [
        "/c",
        "/a",
        "/b",
        "https://example.org/",
    ]
    assert shown.buttons[:2] == ["✓ x", "…"]
    assert len(shown.buttons[2]) == 64


# ── webhook ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[House]:
    """With the webhook mounted on a real HTTP server, which is where the platform pushes to."""
    clock, mounts = SimClock(), {}  # type: ignore[var-annotated]

    async def ready() -> dict[str, str]:
        return {}

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await Host(mounts, ready)(scope, receive, send)

    async with FakeTelegram(clock=clock) as tg, serving(late) as url:
        house = House(tg, clock, tmp_path, telegram_mode="webhook", public_url=url)
        mounts |= house.adapter.http
        yield house


async def push(house: House, content: Any = None, secret: str | bytes | None = None, **more: Any) -> int:
    headers = {"X-Telegram-Bot-Api-Secret-Token": house.settings.webhook_secret if secret is None else secret}
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        body = json.dumps({"update_id": 1}) if content is None else content
        answer = await client.request(
            **{"method": "POST", "url": house.settings.webhook_url, "content": body, "headers": headers, **more}
        )
        assert answer.content == b""
        return answer.status_code


async def test_updates_are_pushed(hooked: House) -> None:
    async with hooked.running():
        await hooked.until(lambda: hooked.tg.webhook.url)
        hooked.ann.write("one")
        hooked.ann.write("two")
        await hooked.heard("one", "two")
        await hooked.until(lambda: not hooked.tg.world.updates.waiting)
        assert await push(hooked) == 200
    assert hooked.tg.webhook.secret == hooked.settings.webhook_secret
    assert not hooked.tg.called("getUpdates")
    assert hooked.tg.called("setWebhook")[0].params["allowed_updates"]


async def test_a_push_is_only_taken_when_it_is_stored(hooked: House) -> None:
    hooked.listener.trouble = [StoreError()]
    async with hooked.running():
        await hooked.until(lambda: hooked.tg.webhook.url)
        hooked.ann.write("one")
        await hooked.until(lambda: not hooked.listener.trouble)
        assert hooked.tg.world.updates.waiting
        await hooked.soon(lambda: not hooked.tg.world.updates.waiting)
    assert hooked.listener.texts == ["one"]


async def test_only_the_platform_may_push(hooked: House) -> None:
    async with hooked.running():
        await hooked.until(lambda: hooked.tg.webhook.url)
        assert await push(hooked, secret="") == 401
        assert await push(hooked, secret=hooked.settings.webhook_secret[:-1]) == 401
        assert await push(hooked, secret="é".encode()) == 401
        assert await push(hooked, headers={}) == 401
        assert await push(hooked, method="GET") == 405
        assert await push(hooked, url=hooked.settings.webhook_url + "/more") == 404
        for unreadable in ("{", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass"), b"\xff", "1" * 5_000, "NaN"):
            assert await push(hooked, content=unreadable) == 200
        assert await push(hooked, content="x" * (MOST_BYTES + 1)) == 413
        assert await push(hooked, content="[]") == 200  # kept as unreadable, not sent for ever
    assert not hooked.listener.events
    assert await push(hooked) == 503


async def test_switching_modes_loses_nothing(hooked: House) -> None:
    hooked.ann.write("one")
    async with hooked.running():
        await hooked.heard("one")
    hooked.ann.write("two")
    fetching = House(hooked.tg, hooked.clock, hooked.folder)
    async with fetching.running():
        await fetching.heard("two")
        await fetching.until(lambda: not fetching.tg.world.updates.waiting)  # it is confirmed, and not sent again
    hooked.ann.write("three")
    async with hooked.running():
        await hooked.heard("one", "three")


async def test_an_address_that_the_platform_does_not_take(house: House) -> None:
    other = House(house.tg, house.clock, house.folder, telegram_mode="webhook", public_url="http://example.org")
    async with other.running() as task:
        with pytest.raises(SettingError, match=r"^PUBLIC_URL: is not taken"):
            await asyncio.wait_for(task, PATIENCE)


# ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_piece_is_posted_changed_and_deleted(house: House) -> None:
    question = house.ann.write("?")
    menu = Menu(((Choice("Stop", "/stop 1"),),))
    post = await house.put("**Hello**", growing=True, menu=menu, reply_to=str(question.id))
    (shown,) = house.tg.shown(house.ann)
    assert (shown.id, shown.text, shown.buttons, shown.reply_to) == (int(post), "Hello …", ["Stop"], question.id)
    assert shown.entities == ({"type": "bold", "offset": 0, "length": 5},)

    assert await house.put("Hello *you*", at=post, notes=(Note(NoteKind.PART, "A part."),)) == post
    (shown,) = house.tg.shown(house.ann)
    assert (shown.text, shown.buttons, shown.edits) == ("Hello you\n\nA part.", [], 1)
    assert await house.put("Hello *you*", at=post, notes=(Note(NoteKind.PART, "A part."),)) == post  # not modified

    await house.adapter.put(house.chat(house.ann), None, post)
    await house.adapter.put(house.chat(house.ann), None, post)  # already deleted
    assert house.tg.shown(house.ann) == []
    for call in house.tg.called("sendMessage") + house.tg.called("editMessageText"):
        assert "parse_mode" not in call.params
        assert call.params["link_preview_options"] == {"is_disabled": True}


async def test_the_question_may_be_gone(house: House) -> None:
    await house.put("answer", reply_to="999")
    assert house.tg.shown(house.ann)[0].reply_to is None


async def test_a_topic_is_written_to_and_a_group_is(house: House) -> None:
    room = house.tg.supergroup(forum=True)
    topic = room.topic("Cooking")
    chat = house.chat(room, topic.id)
    await house.adapter.put(chat, piece("salt"))
    await house.adapter.status(chat, Status.THINKING)
    assert [shown.text for shown in house.tg.shown(room, topic)] == ["salt"]
    assert [action[1:] for action in room.actions] == [("typing", topic.id)]
    await house.put("to all", room)
    assert house.tg.shown(room)[-1].thread is None


class Picky(FakeTelegram):
    """Doesn't take formatting, or buttons, for reasons of its own."""

    dislikes = ("entities",)

    async def _run(self, method: str, params: Params) -> Any:
        for name in self.dislikes:
            if params.given(name):
                raise bad("can't parse entities: whatever" if name == "entities" else "BUTTON_URL_INVALID")
        return await super()._run(method, params)


@pytest.mark.parametrize("dislikes", [("entities",), ("reply_markup",), ("entities", "reply_markup")])
async def test_what_is_refused_for_its_form_goes_out_plainer(tmp_path: Path, dislikes: tuple[str, ...]) -> None:
    async with Picky(clock=SimClock()) as tg:
        tg.dislikes = dislikes  # type: ignore[assignment]
        house = House(tg, SimClock(), tmp_path)
        post = await house.put("**bold**", menu=Menu(((Choice("Stop", "/stop"),),)))
        await house.put("**bolder**", at=post)
        (shown,) = tg.shown(house.ann)
        assert shown.text == "bolder"
        assert len(tg.called("sendMessage")) == 1 + len(dislikes)


def closed_topic(house: House) -> Chat:
    room = house.tg.supergroup(forum=True)
    topic = room.topic("Cooking")
    room.close(topic)
    return house.chat(room, topic.id)


def kicked(house: House) -> Chat:
    room = house.tg.group()
    room.bot_becomes("kicked")
    return house.chat(room)


def blocked(house: House) -> Chat:
    house.ann.blocked = True
    return house.chat(house.ann)


def silenced(house: House) -> Chat:
    room = house.tg.supergroup()
    room.silenced = True
    return house.chat(room)


def unknown_topic(house: House) -> Chat:
    return house.chat(house.tg.supergroup(forum=True), 77)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (blocked, "the person has blocked the bot"),
        (kicked, "the bot was removed from the chat"),
        (closed_topic, "the topic is closed"),
        (unknown_topic, "the topic is deleted"),
        (silenced, "the bot may not write there"),
        (lambda house: Chat("telegram", house.adapter.account.id, "404"), "there is no such chat"),
        (lambda house: house.chat(house.tg.private("Zoe", started=False)), "the person has not written to the bot"),
    ],
)
async def test_where_nothing_can_be_written(house: House, place: Callable[[House], Chat], reason: str) -> None:
    chat = place(house)
    with pytest.raises(Undeliverable) as caught:
        await house.adapter.put(chat, piece("text"))
    assert caught.value.reason == reason


async def test_a_message_that_is_gone(house: House) -> None:
    post = await house.put("text")
    house.ann.delete(house.ann.posts[int(post)])
    with pytest.raises(Undeliverable, match="the message is deleted"):
        await house.put("more", at=post)


async def test_a_message_too_old_to_be_deleted_is_said_so(house: House) -> None:
    post = await house.put("text")
    await house.clock.advance(49 * 3600)
    with pytest.raises(Rejected):
        await house.adapter.put(house.chat(house.ann), None, post)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("429", RetryLater),
        ("500", OutcomeUnknown),
        ("502", OutcomeUnknown),
        ("drop", OutcomeUnknown),
        ("lost", OutcomeUnknown),
    ],
)
async def test_trouble_on_the_way(house: House, how: Any, expected: type[AdapterError]) -> None:
    house.tg.fail("sendMessage", 1, how, seconds=37)
    with pytest.raises(expected) as caught:
        await house.put("text")
    error = caught.value
    assert SECRET not in f"{error} {error.detail} {error.__cause__}"
    if isinstance(error, RetryLater):
        assert error.after == 37


def test_addresses_in_errors_lose_their_token() -> None:
    words = f"InvalidURL: http://127.0.0.1/bot{TOKEN}/getMe and {TOKEN.replace(':', '%3A')}"
    for error in (TelegramNetworkError(GetMe(), words), TelegramBadRequest(GetMe(), words)):
        translated = translate(error, (SECRET,))
        assert SECRET not in f"{translated} {translated.detail}"
        assert "InvalidURL" in translated.detail


async def test_without_a_connection_nothing_was_sent(house: House) -> None:
    await house.tg.stop()
    with pytest.raises(RetryLater):
        await house.put("text")


async def test_a_token_that_is_rejected_later_loses_no_answer(house: House) -> None:
    house.tg.token = "123456:another-one-by-now"
    with pytest.raises(RetryLater) as caught:
        await house.put("text")
    assert caught.value.after >= 60


async def test_no_connection_is_left_behind(house: House) -> None:
    """After `run` has ended, answers under way still go out."""
    async with house.running():
        await house.until(lambda: house.tg.called("getUpdates"))
    await house.put("the end")
    session = house.adapter._wire._session._session
    assert session is not None
    assert session.closed


async def test_a_group_that_became_a_supergroup(house: House) -> None:
    room = house.tg.group()
    async with house.running():
        first = await house.put("one", room)
        new = room.migrate()
        second = await house.put("one and two", room, at=first)
        assert [shown.text for shown in house.tg.shown(new)] == ["one and two"]
        assert await house.put("one, two, three", room, at=second) == second
        await house.put("four", room, reply_to=second)
        assert house.tg.shown(new)[-1].reply_to is None
        await house.adapter.put(house.chat(room), None, first)
        await house.adapter.put(house.chat(room), None, second)
        assert [shown.text for shown in house.tg.shown(new)] == ["four"]
        await house.until(lambda: len([each for each in house.listener.events if isinstance(each, Moved)]) == 3)
    moves = [each for each in house.listener.events if isinstance(each, Moved)]
    assert {(each.key, each.chat, each.to) for each in moves} == {(moves[0].key, house.chat(room), house.chat(new))}


async def test_a_move_that_can_not_be_stored_yet(house: House) -> None:
    room = house.tg.group()
    async with house.running():
        await house.until(lambda: house.tg.called("getUpdates"))
        await house.until(lambda: not house.listener.events)
        room.migrated_to = house.tg.supergroup().id
        house.listener.trouble = [StoreError()]
        with pytest.raises(RetryLater):
            await house.put("one", room)


# ── through a proxy ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_all_goes_through_the_proxy(house: House, proxy: FakeProxy, scheme: str, tmp_path: Path) -> None:
    """Updates, messages and files; and the name of the server is not looked up here."""
    url = house.tg.url.replace("127.0.0.1", "bot-api.invalid")
    away = House(house.tg, house.clock, tmp_path, telegram_proxy=proxy.url(scheme), telegram_api_url=url)
    house.ann.write("one")
    ref = house.ann.document(b"x", "scan.png", "image/png").fields["document"]["file_id"]
    async with away.running():
        await away.until(lambda: away.listener.texts[:1] == ["one"])
        await away.put("two")
        await away.adapter.fetch(ref, tmp_path / "file", 10)
    assert [shown.text for shown in house.tg.shown(away.ann)] == ["two"]
    assert (tmp_path / "file").read_bytes() == b"x"
    assert {host for host, _ in proxy.targets} == {"bot-api.invalid"}


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_lets_nobody_through(
    house: House, proxy: FakeProxy, scheme: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "a-wrong-word"
    away = House(house.tg, house.clock, tmp_path, telegram_proxy=proxy.url(scheme, secret))
    with pytest.raises(AdapterError) as caught:
        await away.put("text")
    async with away.running():
        await away.soon(lambda: "no answer from" in caplog.text)
    ((ok, words),) = await told(away)
    assert not ok
    assert "gives no answer through TELEGRAM_PROXY" in words
    for said in (f"{caught.value} {caught.value.detail}", caplog.text, words):
        assert secret not in said
    assert not proxy.targets


# ── files and questions ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_picture_is_fetched(house: House, tmp_path: Path) -> None:
    data = picture()
    ref = house.ann.document(data, "scan.jpg", "image/jpeg").fields["document"]["file_id"]
    await house.adapter.fetch(ref, tmp_path / "file", len(data))
    assert (tmp_path / "file").read_bytes() == data
    with pytest.raises(MediaError):
        await house.adapter.fetch(ref, tmp_path / "file", len(data) - 1)


async def test_files_that_are_not_to_be_had(house: House, tmp_path: Path) -> None:
    document = house.ann.document(b"x", "x", "image/png", size=21_000_000)
    with pytest.raises(MediaError) as caught:
        await house.adapter.fetch(document.fields["document"]["file_id"], tmp_path / "file", 10**9)
    assert "20 MB" in say(caught.value, "en")
    with pytest.raises(Undeliverable):
        await house.adapter.fetch("", tmp_path / "file", 10**9)
    with pytest.raises(
        OutcomeUnknown
    ):  # "wrong file_id or the file is temporarily unavailable": tried once more by the core
        await house.adapter.fetch("unknown", tmp_path / "file", 10**9)
    small = house.ann.document(b"x", "x", "image/png").fields["document"]["file_id"]
    house.tg.fail("file", 1, "502")
    with pytest.raises(OutcomeUnknown):
        await house.adapter.fetch(small, tmp_path / "file", 10**9)
    house.tg.fail("file", 1, "drop", times=3)
    with pytest.raises(OutcomeUnknown) as unknown:
        await house.adapter.fetch(small, tmp_path / "file", 10**9)
    assert SECRET not in f"{unknown.value.detail}{unknown.value.__cause__}"


async def test_a_file_that_is_larger_than_was_said(house: House, tmp_path: Path) -> None:
    ref = house.ann.document(b"x" * 5000, "x", "image/png", size=10).fields["document"]["file_id"]
    with pytest.raises(MediaError):
        await house.adapter.fetch(ref, tmp_path / "file", 4000)


async def test_a_server_of_ones_own_names_paths(tmp_path: Path) -> None:
    clock = SimClock()
    async with FakeTelegram(clock=clock, folder=tmp_path / "server") as tg:
        house = House(tg, clock, tmp_path)
        ref = house.ann.document(b"x" * 5000, "x", "image/png").fields["document"]["file_id"]
        await house.adapter.fetch(ref, tmp_path / "file", 5000)
        assert (tmp_path / "file").read_bytes() == b"x" * 5000
        with pytest.raises(MediaError):
            await house.adapter.fetch(ref, tmp_path / "file", 4999)
        house.settings = house.settings.model_copy(update={"telegram_api_url": "https://api.telegram.org"})
        house.adapter._files._local = house.settings.official is False
        with pytest.raises(Undeliverable):
            await house.adapter.fetch(ref, tmp_path / "file", 5000)


async def test_whether_a_chat_can_be_written_to(house: House) -> None:
    room = house.tg.supergroup(house.ann)
    for chat in (house.chat(house.ann), house.chat(room)):
        assert await house.adapter.can_post(chat) is True
    for chat in (replace(house.chat(room), id="@name"), replace(house.chat(room), id="-100987"), kicked(house)):
        with pytest.raises(Undeliverable):
            await house.adapter.can_post(chat)
    house.ann.blocked = True
    with pytest.raises(Undeliverable):
        await house.adapter.can_post(house.chat(house.ann))


async def test_posts_can_not_be_looked_up(house: House) -> None:
    assert not house.adapter.features.find
    with pytest.raises(Rejected):
        await house.adapter.find(house.chat(house.ann), "1.0")


async def test_buckets(house: House) -> None:
    def names(chat: Chat, call: CallKind) -> list[str]:
        return [bucket.name for bucket in house.adapter.limits.buckets(chat, call)]

    private, everything = house.adapter.limits.buckets(house.chat(house.ann), CallKind.NEW)
    assert (private.interval, private.burst, private.count) == (1.1, 3, 0)
    assert (everything.count, everything.window) == (30, 1.0)
    room = house.tg.supergroup(forum=True)
    group, _ = house.adapter.limits.buckets(house.chat(room), CallKind.FINAL)
    assert (group.interval, group.burst, group.count, group.window, group.reserve) == (3.1, 4, 20, 60.0, 2)
    assert names(house.chat(room, 5), CallKind.NEW) == names(house.chat(room), CallKind.CHANGE)
    assert names(house.chat(room), CallKind.STATUS)[1:] == [everything.name]
    assert names(house.chat(room), CallKind.STATUS)[0] not in names(house.chat(room), CallKind.NEW)
    assert all(name.startswith(f"telegram:{house.tg.bot.id}:") for name in names(house.chat(room), CallKind.NEW))


# ── settings and doctor ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_URL", "TELEGRAM_MODE", "TELEGRAM_PROXY", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("bare")
def test_a_token_switches_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load_settings().on
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", f" 123456:{SECRET}\n")
    assert load_settings().on
    assert load_settings().token == f"123456:{SECRET}"
    assert SECRET not in repr(load_settings())
    assert SECRET not in load_settings().webhook_secret


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_BOT_TOKEN", "secret-words-without-a-colon"),
        ("TELEGRAM_BOT_TOKEN", "1234567: secret-words"),
        ("TELEGRAM_API_URL", "api.telegram.org"),
        ("TELEGRAM_API_URL", "http://127.0.0.1:99999"),
        ("TELEGRAM_MODE", "pushing"),
        ("TELEGRAM_PROXY", "ftp://user:secret-words@example.org:21"),
        ("TELEGRAM_PROXY", "socks5://user:secret-words@example.org"),
        ("TELEGRAM_WEBHOOK_SECRET", "secret-words!"),
        ("PUBLIC_URL", "example.org"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=f"^{name}: .*Example: {name}=.") as caught:
        load_settings()
    assert "secret-words" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("url", ["", "http://example.org"])
def test_a_webhook_needs_an_address(url: str) -> None:
    settings = load_settings(telegram_bot_token=f"123456:{SECRET}", telegram_mode="Webhook", public_url=url)
    with pytest.raises(SettingError, match=r"^PUBLIC_URL: "):
        settings.check()


async def told(house: House, **settings: Any) -> list[tuple[bool, str]]:
    changed = house.settings.model_copy(update=settings)
    return [(mark is not Mark.WRONG, say(words, "en")) for mark, words in await checks(changed)]


async def test_the_doctor_tells_how_things_stand(house: House) -> None:
    found = await told(house)
    assert all(ok for ok, _ in found)
    words = [line for _, line in found]
    assert words[0] == "The bot is @magpie_bot."
    assert words[1].startswith("Privacy mode is on")
    assert words[2] == "Updates are fetched (TELEGRAM_MODE=polling)."
    house.tg.world.reads_all = True
    assert (await told(house))[1][1].startswith("Privacy mode is off")
    house.tg.webhook.url = "https://old.example.org/hook"
    assert "A webhook is set for old.example.org" in (await told(house))[2][1]


async def test_the_doctor_looks_at_the_webhook(house: House) -> None:
    mode: dict[str, Any] = {"telegram_mode": "webhook", "public_url": "https://new.example.org"}
    assert "No webhook is set yet" in (await told(house, **mode))[2][1]
    house.tg.webhook.url = "https://old.example.org/hook"
    assert "changes it to https://new.example.org/telegram" in (await told(house, **mode))[2][1]
    house.tg.webhook.url = "https://new.example.org/telegram"
    house.tg.webhook._error = (1, "Connection refused")
    found = await told(house, **mode)
    assert found[2:] == [
        (True, "Updates are pushed to https://new.example.org/telegram."),
        (False, "The last push failed: Connection refused"),
    ]
    with pytest.raises(SettingError, match="PUBLIC_URL: is needed"):
        await told(house, telegram_mode="webhook", public_url="")


async def test_the_doctor_finds_what_is_wrong(house: House) -> None:
    house.tg.token = "123456:another-one-by-now"
    ((ok, words),) = await told(house)
    assert not ok
    assert words.startswith("TELEGRAM_BOT_TOKEN is rejected")
    await house.tg.stop()
    ((ok, words),) = await told(house)
    assert not ok
    assert words.startswith(f"{house.tg.url} gives no answer")
    assert "TELEGRAM_PROXY" in words
    assert SECRET not in words
