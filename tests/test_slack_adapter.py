"""The adapter against a Slack on the loopback: what goes over the wire, and what comes of refusals."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import httpx
import pytest
from aiohttp import ClientConnectorError, ClientPayloadError, ServerDisconnectedError
from aiohttp.client_reqrep import ConnectionKey
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters import locales
from adapters.kit.push import MOST_BYTES
from adapters.slack.adapter import SlackAdapter
from adapters.slack.checks import checks
from adapters.slack.errors import translate
from adapters.slack.limits import STREAMS
from adapters.slack.outgoing.streams import LIFE
from adapters.slack.settings import EVENTS_PATH, SlackSettings
from adapters.slack.surfaces.views import HOME
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
from bot.languages.names import ENGLISH, listing
from bot.locales import learn, say
from bot.types import (
    Ack,
    AdapterContext,
    Chat,
    Choice,
    Deleted,
    IncomingMessage,
    Mark,
    Menu,
    Message,
    Note,
    NoteKind,
    Person,
    Posted,
    Press,
    Role,
    SettingRow,
    Status,
    Turn,
    TurnKind,
    TurnState,
)
from tests.fakes.clock import PATIENCE, SimClock
from tests.fakes.proxy import FakeProxy
from tests.fakes.slack import Call, Delivery, FakeSlack, Post, Room, User, signed
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN, SECRET, Moment
from tests.fakes.slack.views import OpenView
from tests.fakes.trial import Trial, logged, piece

STOP = Menu(((Choice("Stop", "/stop 1"),),))
CONNECTION = ConnectionKey("slack.com", 443, True, True, None, None, None)
LONG = "This is the first line of an answer, and it is long enough for more than one frame of it.\n\n"


@dataclass
class Shelf:
    """The half of the store that reads."""

    turns: dict[int, Turn] = field(default_factory=dict)
    spoken: set[Chat] = field(default_factory=set)  # where we have answered
    rows: list[SettingRow] = field(default_factory=list)
    asked: list[Message] = field(default_factory=list)

    async def turn(self, id: int) -> Turn | None:
        return self.turns.get(id)

    async def last_turn(self, chat: Chat) -> Turn | None:
        return next(iter(self.turns.values())) if chat in self.spoken else None

    async def open_turns(self, chat: Chat) -> list[Turn]:
        return [turn for turn in self.turns.values() if turn.chat == chat]

    async def question(self, turn: int) -> list[Message]:
        return self.asked

    async def history(self, chat: Chat, *, before: int | None = None, limit: int = 50) -> list[Message]:
        called = Message(0, chat, 1, Role.USER, Person("U1"), "hello", 0, post=chat.thread)
        return [called] if chat in self.spoken else []

    async def settings(self, chat: Chat) -> list[SettingRow]:
        return self.rows


class House(Trial):
    """An adapter, and the Slack that it talks to. Ann has asked something, which nobody has brought to the adapter."""

    adapter: SlackAdapter

    def __init__(self, slack: FakeSlack, clock: SimClock, folder: Path, **settings: Any) -> None:
        super().__init__(clock, folder)
        self.slack = slack
        values = {
            "slack_bot_token": slack.token,
            "slack_app_token": slack.app_token,
            "slack_api_url": slack.url,
            "data_dir": folder,
            "_env_file": None,
        }
        self.settings = SlackSettings(**{**values, **settings})
        self.shelf = Shelf()
        self.listener.reader = self.shelf  # type: ignore[assignment]  # as much of one as adapters read
        defaults = {"model": "qwen-plus"}
        around = AdapterContext(self.shelf, lambda: (), clock, defaults=defaults, say=say, languages=listing)  # type: ignore[arg-type]
        self.adapter = SlackAdapter(self.settings, around)
        self.ann, self.ben = slack.private("Ann"), slack.person("Ben")
        self.me = f"<@{slack.bot.id}>"
        self.asked, self.chat = self.begun(self.ann)
        asker = Person(self.ann.person.id)
        self.shelf.turns[1] = Turn(
            1, self.chat, TurnKind.QUESTION, TurnState.RUNNING, 1, asker, 0, reply_to=self.chat.thread
        )

    def thread(self, post: Post) -> Chat:
        return Chat("slack", self.slack.team, post.room.id, post.root)

    def begun(self, room: Room) -> tuple[Post, Chat]:
        """A question that nobody has brought to the adapter, and its thread."""
        post = room.write("A question", unheard=True)
        return post, self.thread(post)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with self.running():
            await self.slack.until(lambda: len(self.slack.sockets.open) == 2)
            yield

    async def says(self, text: str, room: Room | None = None, by: User | None = None, **more: Any) -> Post:
        """Somebody writes, and all events that tell of it are taken."""
        before = len(self.slack.deliveries.all)
        post = (room or self.ann).write(text, by, **more)
        for delivery in self.slack.deliveries.all[before:]:
            await self.does(delivery)
        return post

    async def does(self, delivery: Delivery | None) -> Any:
        """What the acknowledgement says."""
        assert delivery is not None, "nobody is told"
        return await self.during(delivery.wait())

    async def during(self, work: Any) -> Any:
        """Let simulated time pass while something is done."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.sleep(0.002)
            await self.clock.advance(0.05)
        return task.result()

    @property
    def heard(self) -> list[str]:
        """The texts that were brought, each message once, as the core takes them: a mention comes as two events."""
        messages = [event for event in self.listener.events if isinstance(event, IncomingMessage)]
        return list({event.key: event.text for event in messages}.values())

    async def put(self, source: str, at: str | None = None, chat: Chat | None = None, **more: Any) -> str:
        return await self.adapter.put(chat or self.chat, piece(source, **more), at)

    async def grows(self, source: str, at: str | None = None, chat: Chat | None = None, **more: Any) -> str:
        return await self.put(source, at, chat, growing=True, **more)

    async def thinks(self, chat: Chat | None = None) -> None:
        await self.adapter.status(chat or self.chat, Status.THINKING)

    async def streams(self, source: str = "First words", chat: Chat | None = None) -> str:
        await self.thinks(chat)
        post = await self.grows(source, chat=chat)
        assert self.post(post).shown.streaming
        return post

    def post(self, ts: str) -> Post:
        """Any message that was ever written."""
        found = next(room.posts[ts] for room in self.slack.world.rooms.values() if ts in room.posts)
        found.streams(self.clock.monotonic())
        return found

    def text(self, ts: str) -> str:
        """What people read; one that streams ends in "…", as one that is marked so does."""
        shown = self.post(ts).shown
        return " ".join([shown.text, *shown.notes, *(["…"] if shown.streaming else [])])

    def methods(self) -> list[str]:
        """Calls that change what stands there."""
        called = [call.method for call in self.slack.calls if call.method.startswith("chat.")]
        return [method for method in called if method != "chat.getPermalink"]

    async def close(self) -> None:
        """What goes on behind the adapter's calls ends with its run, which not every test has."""
        await self.adapter._sessions.close()
        await self.adapter._streams.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = SimClock()
    async with FakeSlack(clock) as slack:
        house = House(slack, clock, tmp_path)
        yield house
        await house.close()


@pytest.fixture(autouse=True)
def _no_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    lines = logged(caplog, "adapters", "slack", "asyncio", "aiohttp.client")
    secrets = (BOT_TOKEN, APP_TOKEN, SECRET, "ticket=", "ticket-")
    assert not [line for line in lines if any(secret in line for secret in secrets)]


# ── sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_events_come_over_two_sockets_and_are_acknowledged_when_stored(house: House) -> None:
    async with house.connected():
        for text in ("one", "two", "three"):
            await house.says(text)
        assert all(socket.sent for socket in house.slack.sockets.open)
    assert house.listener.texts == ["one", "two", "three"]
    assert house.adapter.account.id == house.slack.team
    assert house.adapter.account.name == "magpie"


async def test_what_is_not_stored_is_not_acknowledged_and_comes_again(house: House) -> None:
    house.listener.trouble = [StoreError()]
    async with house.connected():
        assert house.adapter.trouble == ""
        await house.says("one")
    assert house.slack.deliveries.all[0].tries == 2
    assert house.listener.texts == ["one"]


@pytest.mark.parametrize("mention_first", [True, False])
async def test_the_same_post_twice_has_one_key(house: House, mention_first: bool) -> None:
    async with house.connected():
        await house.says(f"{house.me} hi", house.slack.channel(), mention_first=mention_first)
    assert house.listener.texts == ["hi", "hi"]
    assert house.heard == ["hi"]


async def test_a_socket_is_followed_by_another_before_it_closes(house: House) -> None:
    sockets = house.slack.sockets
    async with house.connected():
        await house.clock.advance(100)
        before = list(sockets.open)
        await sockets.leave(before[0])
        await house.slack.until(lambda: len(sockets.open) == 3)
        await house.says("one")
        await house.soon(lambda: len(sockets.open) == 2)
        assert before[0] not in sockets.open
    assert house.listener.texts == ["one"]


async def test_a_thread_s_messages_are_taken_in_the_order_they_were_written(house: House) -> None:
    async with house.connected():
        root = await house.says("root")
        first, second = (house.ann.write(text, thread=root, unheard=True) for text in ("first", "second"))
        late = [house.slack.world.said(post) for post in (second, first)]
        for delivery in late:
            await house.does(delivery)
    assert house.listener.texts == ["root", "first", "second"]


async def test_a_server_that_goes_away_and_comes_back(house: House) -> None:
    async with house.connected():
        await house.slack.stop()
        await house.clock.advance(10)
        assert house.adapter.trouble.startswith("no socket")
        async with house.slack:
            await house.soon(lambda: len(house.slack.sockets.open) == 2)
            await house.says("one")
        assert house.listener.texts == ["one"]


@pytest.mark.parametrize("how", ["429", "500", "502", "drop"])
async def test_trouble_passes(house: House, how: str) -> None:
    house.slack.fail("auth.test", 1, how)
    house.slack.fail("apps.connections.open", 1, how, times=2)
    async with house.running():
        await house.soon(lambda: len(house.slack.sockets.open) == 2)
        await house.says("one")
    assert house.listener.texts == ["one"]


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("SLACK_BOT_TOKEN", {"slack_bot_token": "xoxb-9-of-somebody-else"}),
        ("SLACK_APP_TOKEN", {"slack_app_token": "xapp-9-of-somebody-else"}),
    ],
)
async def test_a_rejected_token_ends_it_with_its_name(tmp_path: Path, variable: str, values: dict[str, Any]) -> None:
    async with FakeSlack() as slack, House(slack, SimClock(), tmp_path, **values).running() as task:
        with pytest.raises(SettingError, match=rf"^{variable}: is rejected") as caught:
            await asyncio.wait_for(task, PATIENCE)
    assert "somebody" not in str(caught.value)


async def test_one_unreadable_event_holds_nothing_up(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with house.connected():
        unreadable = {"type": "message", "channel": 7, "text": "private words", "ts": "x"}
        await house.does(house.slack.world.emit(unreadable, "message.im"))
        house.listener.trouble = [ZeroDivisionError()]
        await house.says("one")
        await house.says("two")
    assert house.listener.texts == ["two"]
    kept = (house.folder / "unread" / "slack.jsonl").read_text()
    assert "private words" in kept
    assert "one" in kept
    assert "unknown shape" in caplog.text
    assert "private words" not in caplog.text


async def test_who_we_are_is_known_at_the_next_start(house: House) -> None:
    assert house.adapter.account.id == ""
    async with house.connected():
        pass
    assert House(house.slack, house.clock, house.folder).adapter.account.id == house.slack.team


# ── channels and threads ────────────────────────────────────────────────────────────────────────────────────────────


async def test_in_a_channel_it_takes_mentions_and_what_follows_in_their_threads(house: House) -> None:
    channel = house.slack.channel(house.ann.person, house.ben)
    elsewhere = channel.write("another thread", unheard=True)
    async with house.connected():
        await house.says("just between us", channel)
        root = await house.says(f"{house.me} hello", channel)
        await house.says("and more?", channel, thread=root)
        house.shelf.spoken.add(house.thread(root))
        await house.says("now you know me", channel, thread=root)
        await house.says(f"<@{house.ben.id}> not you", channel, thread=root)
        await house.says("elsewhere", channel, thread=elsewhere)
    assert house.heard == ["hello", "now you know me"]
    facts = [str(each.addressing) for each in house.listener.overheard]
    assert facts == ["overheard", "thread", "to_others", "thread"], "handed on, for the core to decide"


async def test_a_mention_that_is_edited_long_after_its_answer_is_no_question(house: House) -> None:
    channel = house.slack.channel(house.ann.person, house.ben)
    week = 7 * 86_400

    async def edits(post: Post, text: str) -> None:
        before = len(house.slack.deliveries.all)
        channel.edit(post, text)
        for delivery in house.slack.deliveries.all[before:]:
            await house.does(delivery)

    async with house.connected():
        asked = await house.says(f"{house.me} helo", channel)
        house.shelf.spoken.add(house.thread(asked))
        between_us = await house.says("just between us", channel)
        house.listener.events.clear()
        await edits(asked, f"{house.me} hello")
        assert house.heard == ["hello"], "its key tells the store that it was taken already"
        house.listener.events.clear()
        await house.clock.advance(week)
        await edits(asked, f"{house.me} hello!")
        await edits(between_us, f"{house.me} what do you say?")
    assert house.heard == ["what do you say?"]


async def test_people_have_names_and_are_asked_for_once_an_hour(house: House) -> None:
    mei = house.slack.person("Mei", "zh-CN")
    theirs = house.slack.private(mei)
    async with house.connected():
        for _ in range(3):
            await house.says("hi", theirs)
        assert [call.params["user"] for call in house.slack.called("users.info")] == [mei.id]
        await house.clock.advance(3_601)
        await house.says("hi", theirs)
        assert len(house.slack.called("users.info")) == 2
    author = house.listener.events[0].author  # type: ignore[union-attr]
    assert author == Person(mei.id, "Mei", "zh-CN")


@pytest.mark.parametrize("how", ["429", "500", "drop", "user_not_found"])
async def test_a_name_that_is_not_to_be_had_holds_nothing_up(house: House, how: str) -> None:
    house.slack.fail("users.info", 1, how, times=2)  # a broken GET is made once more
    async with house.connected():
        await house.says("hi")
    assert house.listener.events[0].author == Person(house.ann.person.id)  # type: ignore[union-attr]


async def test_what_is_deleted_is_told_with_its_thread(house: House) -> None:
    """With replies it leaves a tombstone, without it leaves nothing."""
    other = house.ann.write("x", thread=house.asked, unheard=True)
    async with house.connected():
        for post in (house.asked, other):
            await house.does(house.ann.delete(post))
    deleted = [event for event in house.listener.events if isinstance(event, Deleted)]
    assert [(event.chat, event.post) for event in deleted] == [(house.chat, house.asked.ts), (house.chat, other.ts)]


@pytest.mark.parametrize("growing", [False, True])
async def test_nothing_is_posted_for_what_is_gone(house: House, growing: bool) -> None:
    """Posted, it would stand at the channel's root, for all to see."""
    house.ann.lose(house.asked)
    with pytest.raises(Undeliverable, match="thread is deleted"):
        await house.put("Stopped.", reply_to=house.asked.ts, growing=growing)
    assert house.methods() == []


async def test_a_deleted_reply_gets_no_answer_though_its_thread_is_there(house: House) -> None:
    reply = house.ann.write("and then?", thread=house.asked, unheard=True)
    house.ann.lose(reply)
    with pytest.raises(Undeliverable):
        await house.put("An answer", reply_to=reply.ts)
    house.ann.lose(house.asked)
    with pytest.raises(Undeliverable):
        await house.put("A notice")


async def test_of_a_question_in_parts_one_that_stands_is_enough(house: House) -> None:
    second = house.ann.write("and more", thread=house.asked, unheard=True)
    parts = [house.asked.ts, second.ts]
    asked = Person(house.ann.person.id)
    house.shelf.asked = [Message(0, house.chat, 1, Role.USER, asked, "x", 0, post=post) for post in parts]
    house.ann.lose(second)
    assert await house.put("An answer", reply_to=second.ts)


async def test_a_question_that_stands_is_looked_at_once(house: House) -> None:
    """A look is a call: it costs what a message does."""
    second = house.ann.write("and more", thread=house.asked, unheard=True)
    parts = [house.asked.ts, second.ts]
    asked = Person(house.ann.person.id)
    house.shelf.asked = [Message(0, house.chat, 1, Role.USER, asked, "x", 0, post=post) for post in parts]
    assert await house.put("An answer", reply_to=house.asked.ts)
    assert await house.put("Another", key="2.0", reply_to=second.ts)
    assert [call.params["message_ts"] for call in house.slack.called("chat.getPermalink")] == parts


async def test_an_answer_that_came_to_the_root_is_taken_away_again(house: House) -> None:
    """Deleted between our look and our message."""

    async def at(moment: Moment, call: Call) -> None:
        if (call.method, moment) == ("chat.getPermalink", "done"):
            house.ann.lose(house.asked)

    house.slack.at = at
    with pytest.raises(Undeliverable):
        await house.put("An answer", reply_to=house.asked.ts)
    assert house.methods() == ["chat.postMessage", "chat.delete"]
    assert house.slack.shown(house.ann) == []


async def test_an_answer_goes_on_where_a_tombstone_stands(house: House) -> None:
    post = await house.put("One", reply_to=house.asked.ts)
    house.ann.lose(house.asked)
    assert house.asked.tombstone
    more = await house.put("Two", key="1.1", reply_to=house.asked.ts)
    assert [house.post(ts).thread_ts for ts in (post, more)] == [house.asked.ts] * 2


@pytest.mark.parametrize("how", ["429", "500", "drop", "unknown_method", "channel_not_found"])
async def test_a_look_that_fails_holds_no_answer_up(house: House, how: str) -> None:
    house.slack.fail("chat.getPermalink", 1, how, times=9)
    assert await house.put("An answer", reply_to=house.asked.ts)
    assert not house.slack.hasty


async def test_a_stream_is_for_the_workspace_of_whoever_asked(house: House) -> None:
    """docs.slack.dev: Slack Connect. tiger-agents-for-work#231."""
    eve = house.slack.person("Eve", team="T0ELSEWHERE")
    room = house.slack.channel(eve)
    async with house.connected():
        root = await house.says(f"{house.me} hello", room, eve)
        chat = house.thread(root)
        house.shelf.turns[1] = replace(house.shelf.turns[1], chat=chat, asker=Person(eve.id))
        await house.streams(chat=chat)
    (call,) = house.slack.called("chat.startStream")
    assert call.params["recipient_team_id"] == "T0ELSEWHERE"


async def test_others_hear_nothing_of_a_thread_while_its_question_waits(house: House) -> None:
    """A long question waits for its rest. Who asked it may go on."""
    channel = house.slack.channel(house.ann.person, house.ben)
    root = channel.mention("x" * 4_800, house.ann.person, unheard=True)
    chat = house.thread(root)
    house.shelf.turns[1] = replace(house.shelf.turns[1], chat=chat, state=TurnState.WAITING)
    house.shelf.spoken.add(chat)
    async with house.connected():
        await house.says("hm", channel, house.ben, thread=root)
        await house.says("and more", channel, house.ann.person, thread=root)
    assert house.heard == ["and more"]


async def test_a_file_of_another_workspace_is_looked_up(house: House) -> None:
    cat = house.slack.file(name="cat.png", mime="image/png", external=True)
    async with house.connected():
        await house.says("look", files=[cat])
    (message,) = house.listener.events
    assert isinstance(message, IncomingMessage)
    assert [(file.mime, file.name) for file in message.attachments] == [("image/png", "cat.png")]


async def test_the_status_is_in_the_language_of_whoever_asked(house: House) -> None:
    for folder in locales():
        learn(folder)
    theirs = house.slack.private(house.slack.person("Mei", "zh-CN"))
    async with house.connected():
        asked = await house.says("你好", theirs)
        await house.thinks(house.thread(asked))
        assert house.slack.doing(theirs, asked) == "正在思考……"
        house.shelf.rows = [SettingRow(house.thread(asked).room.key, "language", "en", "U2", 1)]
        await house.thinks(house.thread(asked))
        assert house.slack.doing(theirs, asked) == "is thinking…"


# ── the Events API ──────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def pushed(house: House) -> AsyncIterator[str]:
    """The adapter behind the one HTTP host, its address verified."""

    async def ready() -> dict[str, Any]:
        return {}

    async with serving(Host(house.adapter.http, ready)) as url, house.running():
        await house.slack.until(lambda: house.slack.called("auth.test"))
        await house.slack.until(lambda: house.adapter.http[EVENTS_PATH].app is not None)  # type: ignore[attr-defined]
        assert await house.slack.pushes.verify(url + EVENTS_PATH), "the challenge is not answered"
        yield url + EVENTS_PATH


@pytest.fixture
async def pushing(tmp_path: Path) -> AsyncIterator[House]:
    clock = SimClock()
    async with FakeSlack(clock) as slack:
        yield House(slack, clock, tmp_path, slack_mode="http", slack_signing_secret=slack.signing_secret)


async def test_pushed_events_are_acknowledged_when_stored(pushing: House) -> None:
    async with pushed(pushing):
        pushing.listener.trouble = [StoreError()]
        await pushing.says("one")
    assert pushing.slack.deliveries.all[0].reasons == ["http_error"]
    assert pushing.listener.texts == ["one"]


async def test_what_is_not_signed_is_refused(pushing: House) -> None:
    body = json.dumps(
        {"type": "event_callback", "event": {"type": "message", "channel": "D1", "user": "U1", "ts": "1.1"}}
    )
    async with pushed(pushing) as url, httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        old = {"X-Slack-Request-Timestamp": "1500000000", "X-Slack-Signature": "v0=" + "0" * 64}
        for headers in ({}, old, signed(body, "a secret of somebody else's"), signed(body, SECRET, at=1_500_000_000)):
            headers = {"Content-Type": "application/json", **headers}
            assert (await client.post(url, content=body, headers=headers)).status_code == 401
        for odd in ("abc", "4" * 400, "9" * 5_000, "-1", "1e9", ""):
            headers = {**signed(body, SECRET), "X-Slack-Request-Timestamp": odd}
            assert (await client.post(url, content=body, headers=headers)).status_code == 401
        accented = {**signed(body, SECRET), "X-Slack-Signature": "v0=é".encode()}
        assert (await client.post(url, content=body, headers=accented)).status_code == 401
        assert (await client.get(url)).status_code == 405
        assert (await client.post(url + "/more", content=body)).status_code == 404
        assert (await client.post(url, content=b"x" * (MOST_BYTES + 1), headers=old)).status_code == 413
    assert pushing.listener.events == []


@pytest.mark.parametrize(
    "body",
    ["[1]", "{", "[" * 100_000, '{"type":"event_callback","event":"x"}', "payload={", "&".join(["a=b"] * 500)],
)
async def test_what_is_signed_and_can_not_be_read_is_kept_and_not_sent_for_ever(pushing: House, body: str) -> None:
    async with pushed(pushing) as url, httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        assert (await client.post(url, content=body, headers=signed(body, SECRET))).status_code == 200
        await pushing.says("the next one")
    assert pushing.listener.texts == ["the next one"]
    assert (pushing.folder / "unread" / "slack.jsonl").exists()


async def test_what_is_not_signed_is_not_even_parsed(pushing: House) -> None:
    """Ten forms of 2 MB without a signature froze the service for 26 s."""
    form = b"a&" * 999_999
    async with pushed(pushing) as url, httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        began, spent = time.perf_counter(), time.process_time()
        fresh = {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=" + "0" * 64}
        asked = [client.post(url, content=form, headers=headers) for headers in ({}, fresh) for _ in range(5)]
        assert {answer.status_code for answer in await asyncio.gather(*asked)} == {401}
        spent = time.process_time() - spent
        begin = time.process_time()
        parse_qsl(form.decode(), keep_blank_values=True)
        assert spent < 5 * (time.process_time() - begin), "as cheap as half of them parsed"
        assert time.perf_counter() - began < PATIENCE


async def test_while_nobody_listens_it_is_told_to_come_again(pushing: House) -> None:
    async def ready() -> dict[str, Any]:
        return {}

    async with (
        serving(Host(pushing.adapter.http, ready)) as url,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client,
    ):
        assert (await client.post(url + EVENTS_PATH, content="{}")).status_code == 503


async def test_a_command_with_any_words_in_it(pushing: House) -> None:
    pushing.listener.ack = Ack(toast="Done <&>.")
    async with pushed(pushing):
        answer = await pushing.does(pushing.slack.channel().command("system Speak of the payload"))
    (event,) = pushing.listener.events
    assert isinstance(event, Press)
    assert event.action == "/system Speak of the payload"
    assert answer == {"response_type": "ephemeral", "text": "Done &lt;&amp;&gt;."}


# ── /magpie, buttons, forms ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_command_works_on_the_channel_and_only_its_author_sees_the_answer(house: House) -> None:
    house.listener.ack = Ack(toast="Choose.", menu=STOP)
    channel = house.slack.channel(house.ann.person, house.ben)
    async with house.connected():
        answer = await house.does(channel.command(f"allow <@{house.ben.id}|ben>"))
    (event,) = house.listener.events
    assert isinstance(event, Press)
    assert (event.action, event.post, event.group) == (f"/allow {house.ben.id}", None, True)
    assert event.chat == Chat("slack", house.slack.team, channel.id)
    assert answer["response_type"] == "ephemeral"
    assert [block["type"] for block in answer["blocks"]] == ["section", "actions"]
    assert [(said.text, said.buttons) for said in house.slack.whispered(channel)] == [("Choose.", ("Stop",))]
    assert house.slack.posts(channel) == []


@pytest.mark.parametrize("text", ["", "settings"])
async def test_the_command_alone_opens_a_form_whose_changes_become_commands(house: House, text: str) -> None:
    ann = house.ann.person
    house.shelf.rows = [SettingRow(house.chat.room.key, "temperature", 0.5, ann.id, 1)]
    async with house.connected():
        view = await opened(house, house.ann.command(text))
        values = {"temperature": "0.9", "system": "Be brief."}
        assert await house.does(house.ann.submit(view, values)) is None
        assert view.closed
        await house.slack.until(lambda: house.slack.home(ann))
        view = await opened(house, house.ann.command(text))
        house.listener.ack = Ack(toast="Too hot.", error=True)
        answer = await house.does(house.ann.submit(view, values))
        assert not view.closed
    presses = [event for event in house.listener.events if isinstance(event, Press)]
    changes = [event for event in presses if event.action != "/settings form"]
    assert [event.action for event in changes[:2]] == ["/system Be brief.", "/set temperature 0.9"]
    assert answer == {"response_action": "errors", "errors": {"system": "Too hot.", "temperature": "Too hot."}}
    assert len({event.key for event in changes}) == 4


async def opened(house: House, deed: Delivery, who: User | None = None) -> OpenView:
    """The modal that what somebody does brings up."""
    await house.does(deed)
    await house.slack.until(lambda: house.slack.modal(who or house.ann.person))
    view = house.slack.modal(who or house.ann.person)
    assert view is not None
    return view


async def test_home_shows_the_settings_of_the_direct_messages(house: House) -> None:
    ann = house.ann.person
    async with house.connected():
        await house.does(house.ann.open_home(tab="messages"))
        await house.does(house.ann.open_home())
        await house.slack.until(lambda: house.slack.home(ann))
        view = await opened(house, house.ann.press_in(house.slack.world.interactivity.homes[ann.id], HOME))
    assert view.json["private_metadata"] == house.chat.room.key
    assert "qwen-plus" in json.dumps(house.slack.home(ann))
    assert len(house.slack.called("views.publish")) == 1


@pytest.mark.parametrize("text", ["", "settings"])
async def test_who_may_not_change_them_sees_no_form_of_settings(house: House, text: str) -> None:
    """A stranger sees why; who is let in sees what holds, and why."""
    channel = house.slack.channel(house.ann.person)
    house.shelf.rows = [SettingRow("*", "system", "SECRET", "U1", 1)]
    house.listener.answers = {"/settings form": Ack(toast="Only admins.", error=True)}
    async with house.connected():
        house.listener.answers["/settings"] = Ack(toast="You have not been let in here.", error=True)
        answer = await house.does(channel.command(text))
        assert (answer["response_type"], answer["text"]) == ("ephemeral", "Only admins.")
        house.listener.answers["/settings"] = Ack(toast="Model: qwen-plus")
        answer = await house.does(channel.command(text))
        assert answer["text"] == "Model: qwen-plus\n\nOnly admins."
    assert house.slack.called("views.open") == []


async def test_home_says_nothing_to_who_may_not_see_it(house: House) -> None:
    ann = house.ann.person
    house.shelf.rows = [SettingRow("*", "system", "SECRET", "U1", 1)]
    async with house.connected():
        await house.does(house.ann.open_home())
        await house.slack.until(lambda: house.slack.home(ann))
        assert "SECRET" in json.dumps(house.slack.home(ann))
        house.listener.answers = {"/settings form": Ack(toast="You have not been let in here.", error=True)}
        await house.does(house.ann.press_in(house.slack.world.interactivity.homes[ann.id], HOME))
        await house.slack.until(lambda: "SECRET" not in json.dumps(house.slack.home(ann)))
    assert "not been let in" in json.dumps(house.slack.home(ann))
    assert house.slack.called("views.open") == []


@pytest.mark.parametrize("whose", ["a channel", "somebody else", "another workspace", "no view"])
async def test_the_button_on_home_stands_for_one_s_own_conversation(house: House, whose: str) -> None:
    """Whatever its value says, and the view."""
    ann, theirs = house.ann.person, house.slack.private(house.ben)
    room = {"a channel": house.slack.channel(ann).id, "somebody else": theirs.id}.get(whose, house.ann.id)
    value = f"slack/{'T9' if whose == 'another workspace' else house.slack.team}/{room}"
    async with house.connected():
        await house.says("hello", theirs)
        await house.does(house.ann.open_home())
        await house.slack.until(lambda: house.slack.home(ann))
        press = house.ann.press_in(house.slack.world.interactivity.homes[ann.id], HOME)
        await opened(house, press)
        before = len(house.slack.called("views.open"))
        body = json.loads(json.dumps(press.payload))
        body["actions"][0]["value"] = value
        body["view"]["private_metadata"] = value
        if whose == "no view":
            del body["view"]
        await house.does(house.slack.deliveries.push("interactive", body))
        await house.clock.advance(1)
    assert len(house.slack.called("views.open")) == before


@pytest.mark.parametrize("what", ["attachment", "forward", "picture", "nothing"])
async def test_the_shortcut_translates_whatever_has_words(house: House, what: str) -> None:
    ann = house.ann.person
    channel = house.slack.channel(ann, house.ben)
    attachment: dict[str, Any] = {"title": "Disk", "text": "97 % full"}
    if what == "forward":
        attachment |= {"is_share": True, "author_name": "Carol"}
    file = house.slack.file() if what == "picture" else house.slack.file(b"x", "x.bin", "application/octet-stream")
    has_words = what in ("attachment", "forward")
    more: dict[str, Any] = {"attachments": [attachment]} if has_words else {"files": [file]}
    root = channel.write("", house.ben, unheard=True, **more)
    async with house.connected():
        view = await opened(house, channel.shortcut(root, "magpie:translate", ann))
        answer = await house.does(channel.submit(view, {"language": "French"}))
    asked = [event for event in house.listener.events if isinstance(event, IncomingMessage)]
    if what == "nothing":
        assert answer["errors"] == {"language": "There are no words in this message that I could translate."}
        assert asked == []
        return
    assert ("Disk\n97 % full" in asked[0].text) is has_words
    assert asked[0].settings == {"translate": {"target": "French"}}
    assert len(asked[0].attachments) == (not has_words)


async def test_the_shortcut_asks_for_a_language_and_becomes_a_question_in_the_thread(house: House) -> None:
    ann = house.ann.person
    channel = house.slack.channel(ann, house.ben, bot=False)
    root = channel.write("早上好 &amp; more", house.ben, unheard=True)
    async with house.connected():
        view = await opened(house, channel.shortcut(root, "magpie:translate", ann))
        answer = await house.does(channel.submit(view, {"language": "French"}))
        assert answer["response_action"] == "errors"
        assert not view.closed
        await house.does(channel.invite_bot())
        assert await house.does(channel.submit(view, {"language": "French"})) is None
    (question,) = (event for event in house.listener.events if isinstance(event, IncomingMessage))
    assert (question.text, question.literal) == ("早上好 & more", True)
    assert question.settings == {"translate": {"target": "French"}}
    assert (question.chat, question.author.id) == (house.thread(root), ann.id)
    assert question.post is None, "nobody has called us into the thread"


async def test_the_shortcut_offers_all_languages_and_says_why_not(house: House) -> None:
    channel = house.slack.channel(house.ann.person, house.ben)
    root = channel.write("早上好", house.ben, unheard=True)
    house.listener.ack = Ack(toast="Not now.", error=True)
    async with house.connected():
        view = await opened(house, channel.shortcut(root, "magpie:translate", house.ann.person))
        offered = [option["value"] for option in view.json["blocks"][0]["element"]["options"]]
        answer = await house.does(channel.submit(view, {"language": "Hebrew"}))
    assert offered == list(ENGLISH)
    assert answer["errors"] == {"language": "Not now."}


async def test_what_a_button_has_to_say(house: House) -> None:
    responses = house.slack.responses
    async with house.connected(), FakeSlack() as elsewhere:
        post = house.post(await house.put("An answer", menu=STOP))
        house.listener.ack = Ack(toast="Asking again.")
        await house.does(house.ann.press(post, "Stop"))
        house.listener.ack = Ack(toast="Nothing to stop.", error=True)
        press = house.ann.press(post, "Stop")
        await house.does(press)
        theirs = elsewhere.private("Ann")
        foreign = elsewhere.world.interactivity.response_url(theirs, theirs.person)
        await house.does(house.slack.deliveries.push("interactive", {**press.payload, "response_url": foreign}))
        await house.slack.until(lambda: responses)
        house.listener.ack = Ack(toast="Choose.", menu=STOP)
        await house.does(house.ann.command("model"))
        house.listener.ack = Ack(toast="Page 2.", menu=STOP)
        await house.does(house.ann.press(house.slack.whispered(house.ann)[-1].ts, "Stop"))
        await house.slack.until(lambda: len(responses) == 2)
        assert elsewhere.responses == []
    assert responses[0] == {"response_type": "ephemeral", "text": "Nothing to stop.", "replace_original": False}
    assert responses[1]["replace_original"]
    assert [said.text for said in house.slack.whispered(house.ann)] == ["Nothing to stop.", "Page 2."]
    presses = [event for event in house.listener.events if isinstance(event, Press)]
    assert [event.post for event in presses if event.action == "/stop 1"] == [post.ts, post.ts, post.ts, None]


# ── what is posted ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_streams_in_its_thread(house: House) -> None:
    post = await house.streams("This is the")
    text = LONG + "And **more** of it."
    await house.grows(text, post)
    assert await house.put(text, post) == post
    assert house.text(post) == text
    assert [shown.ts for shown in house.slack.shown(house.ann, house.asked)] == [post]
    assert house.methods() == ["chat.startStream", "chat.appendStream", "chat.stopStream"]


async def test_a_stream_shows_each_frame_and_ends_in_one_call(house: House) -> None:
    post = await house.streams("This is the")
    await house.grows(LONG + "More", post)
    assert house.text(post) == LONG.strip() + " …"
    note, menu = Note(NoteKind.MODEL, "Another model."), Menu(((Choice("Retry", "/retry 1"),),))
    await house.put(LONG + "More and an end.", post, notes=(note,), menu=menu)
    assert house.methods() == ["chat.startStream", "chat.appendStream", "chat.stopStream"]
    shown = house.post(post).shown
    assert (shown.text, shown.notes, shown.buttons) == (LONG + "More and an end.", ("Another model.",), ("Retry",))
    assert shown.metadata == {"event_type": "magpie_piece", "event_payload": {"key": "1.0"}}
    assert house.slack.session(house.ann, house.asked) == "active"
    assert [block["type"] for block in shown.blocks] == ["context", "actions"]


async def test_where_there_is_no_stop_control_a_message_grows_that_has_one(house: House) -> None:
    house.slack.world.is_agent = False
    await house.thinks()
    post = await house.grows("First words", menu=STOP)
    assert house.text(post) == "First words …"
    assert house.post(post).blocks[-1]["elements"][0]["value"] == "/stop 1"
    await house.grows("First words, then more", post, menu=STOP)
    await house.put("First words, then all.", post)
    assert house.text(post) == "First words, then all."
    assert house.methods() == ["chat.postMessage", "chat.update", "chat.update"]
    posted = house.slack.called("chat.postMessage")[0].params
    assert posted["thread_ts"] == house.chat.thread
    assert (posted["unfurl_links"], posted["unfurl_media"], posted["parse"]) == (False, False, "none")
    await house.thinks(house.begun(house.slack.private(house.ben))[1])
    assert len(house.slack.called("agents.sessions.setStatus")) == 1, "it is not asked for again"


async def test_channels_are_told_for_whom_a_stream_is(house: House) -> None:
    asked, chat = house.begun(house.slack.channel(house.ann.person, house.ben))
    post = await house.streams(chat=chat)
    start = house.slack.called("chat.startStream")[0].params
    assert (start["recipient_user_id"], start["recipient_team_id"]) == (house.ann.person.id, house.slack.team)
    assert house.post(post).thread_ts == asked.ts


async def test_no_more_streams_than_can_be_stopped(house: House) -> None:
    chats = [house.begun(house.slack.private(f"Person {number}"))[1] for number in range(STREAMS + 5)]
    posts = {}
    for chat in chats:
        await house.thinks(chat)
        posts[chat] = await house.grows("First words", chat=chat)
    for chat, post in posts.items():
        await house.put("First words, and all.", post, chat)
    assert len(house.slack.called("chat.startStream")) == STREAMS
    assert all(house.text(post) == "First words, and all." for post in posts.values())
    assert house.slack.floods == 0


async def test_a_stream_that_grows_old_goes_on_as_a_message(house: House) -> None:
    async with house.connected():
        post = await house.streams()
        await house.clock.advance(LIFE + 1)
        await house.slack.until(lambda: not house.post(post).shown.streaming)
        assert house.text(post) == "First words …"
        await house.grows("First words, then more", post, menu=STOP)
        await house.put("First words, then all.", post)
    assert house.text(post) == "First words, then all."
    assert house.methods() == ["chat.startStream", "chat.stopStream", "chat.update", "chat.update"]


def expires(house: House, post: Post) -> None:
    assert post.stream is not None
    post.stream.end = "expired"


def is_stopped(house: House, post: Post) -> None:
    house.ann.stop(house.asked)


def is_full(house: House, post: Post) -> None:
    house.slack.fail("chat.appendStream", 1, "msg_too_long")


@pytest.mark.parametrize(
    ("happens", "word"),
    [(expires, "message_not_in_streaming_state"), (is_stopped, "stopped_by_user"), (is_full, "msg_too_long")],
)
async def test_a_stream_that_takes_no_more_goes_on_as_a_message(
    house: House, happens: Callable[[House, Post], None], word: str
) -> None:
    post = await house.streams("This is the")
    happens(house, house.post(post))
    await house.grows(LONG + "More", post)
    assert house.slack.called("chat.appendStream")[0].error == word
    assert house.text(post) == LONG + "More …"
    await house.put(LONG + "More.", post)
    assert house.text(post) == LONG + "More."


async def test_what_changes_above_is_shown_by_a_message(house: House) -> None:
    post = await house.streams("This is the")
    await house.grows("This was the beginning of something else altogether, as one can see", post)
    assert house.text(post).endswith("as one can see …")
    assert house.methods() == ["chat.startStream", "chat.stopStream", "chat.update"]


async def test_an_append_of_unknown_outcome_is_not_made_twice(house: House) -> None:
    post = await house.streams("This is the")
    house.slack.fail("chat.appendStream", 1, "lost")
    with pytest.raises(OutcomeUnknown):
        await house.grows(LONG + "More", post)
    await house.grows(LONG + "More", post)
    await house.put(LONG + "More.", post)
    assert house.text(post) == LONG + "More."
    assert len(house.slack.called("chat.appendStream")) == 1


async def test_a_stop_of_unknown_outcome(house: House) -> None:
    post = await house.streams("This is the")
    house.slack.fail("chat.stopStream", 1, "lost")
    with pytest.raises(OutcomeUnknown):
        await house.put(LONG + "More.", post)
    await house.put(LONG + "More.", post)
    assert house.text(post) == LONG + "More."


async def test_frames_wait_where_the_platform_says_so(house: House) -> None:
    post = await house.streams("This is the")
    house.slack.fail("chat.appendStream", 1, "429", seconds=7)
    with pytest.raises(RetryLater) as caught:
        await house.grows(LONG + "More", post)
    assert caught.value.after == 7
    await house.grows(LONG + "More", post)
    await house.put(LONG + "More.", post)
    assert house.text(post) == LONG + "More."


@pytest.mark.parametrize("word", ["429", "channel_type_not_supported", "unknown_method"])
async def test_where_no_stream_can_be_started_a_message_is_posted(house: House, word: str) -> None:
    await house.thinks()
    house.slack.fail("chat.startStream", 1, word)
    post = await house.grows("First words", menu=STOP)
    assert house.text(post) == "First words …"
    assert house.methods() == ["chat.startStream", "chat.postMessage"]


async def test_a_start_of_unknown_outcome_is_found_again(house: House) -> None:
    await house.thinks()
    house.slack.fail("chat.startStream", 1, "lost")
    with pytest.raises(OutcomeUnknown):
        await house.grows("First words")
    post = await house.adapter.find(house.chat, "1.0")
    assert house.text(post) == "First words …"
    await house.put("First words, and all.", post)
    assert house.text(post) == "First words, and all."
    assert len(house.slack.posts(house.ann)) == 1


async def test_a_message_of_unknown_outcome_is_found_again(house: House) -> None:
    house.slack.fail("chat.postMessage", 1, "lost")
    other = await house.streams("Another piece, of which no metadata tells yet")
    house.shelf.turns[1] = replace(house.shelf.turns[1], posts=(Posted(0, other),))
    with pytest.raises(OutcomeUnknown):
        await house.put("Whole.", key="1.1")
    post = await house.adapter.find(house.chat, "1.1")
    assert house.text(post) == "Whole."
    assert await house.adapter.find(house.chat, "1.2") is None


async def test_another_process_s_stream_goes_on_as_a_message(house: House) -> None:
    post = await house.streams()
    other = House(house.slack, house.clock, house.folder)
    await other.adapter.put(house.chat, piece("Other words", growing=True), post)
    assert house.text(post) == "Other words …"
    await other.adapter.put(house.chat, piece("Other words, and all."), post)
    assert house.text(post) == "Other words, and all."


async def test_a_streaming_message_can_be_deleted(house: House) -> None:
    post = await house.streams()
    await house.adapter.put(house.chat, None, post)
    assert house.post(post).deleted
    assert house.methods()[-2:] == ["chat.stopStream", "chat.delete"]
    await house.adapter.put(house.chat, None, post)
    kept = await house.streams()
    other = House(house.slack, house.clock, house.folder)
    house.slack.fail("chat.delete", 1, "streaming_state_conflict")
    await other.adapter.put(house.chat, None, kept)
    assert house.post(kept).deleted
    assert house.methods()[-3:] == ["chat.delete", "chat.stopStream", "chat.delete"]


async def test_blocks_that_are_refused_go_out_plainer(house: House) -> None:
    house.slack.fail("chat.postMessage", 1, "invalid_blocks")
    post = await house.put("| a | b |\n|---|---|\n| 1 | 2 |\n", menu=STOP)
    assert [block["type"] for block in house.post(post).blocks] == ["markdown"]
    house.slack.fail("chat.update", 1, "invalid_blocks", times=2)
    with pytest.raises(Rejected):
        await house.put("more", post)


async def test_what_notifications_show_fits_however_many_signs_it_has(house: House) -> None:
    signs = "<&>" * 900
    post = house.post(await house.put(f"```\n{signs}\n```\n"))
    assert post.text.startswith("&lt;&amp;&gt;&lt;")
    assert signs in post.shown.text


async def test_nothing_that_a_model_writes_rings_for_anybody(house: House) -> None:
    post = house.post(await house.put("<!channel> <@U1> & <https://example.com|x>"))
    assert "<" not in post.text
    assert "<!channel>" not in json.dumps(post.blocks)
    assert "<@U1>" not in json.dumps(post.blocks)
    assert post.rings == set()


@pytest.mark.parametrize("native", [True, False])
async def test_a_mention_rings_for_those_who_have_written_in_the_thread_and_for_nobody_else(
    house: House, native: bool
) -> None:
    """Whether it streams or is changed as it grows; and code stays what it is."""
    house.slack.world.is_agent = native
    ann, ben, cleo, dan = house.ann.person, house.ben, *map(house.slack.person, ("Cleo", "Dan"))
    channel = house.slack.channel(ann, ben, cleo, dan)
    async with house.connected():
        root = await house.says(f"{house.me} hello", channel, ann)
        await house.says("I am here too", channel, ben, thread=root)
        await house.says("Elsewhere", channel, cleo)
        await house.says("Elsewhere", channel, cleo, thread=channel.write("Another thread", dan, unheard=True))
        chat = house.thread(root)
        await house.thinks(chat)
        words = " ".join(f"<@{who.id}>" for who in (ann, ben, cleo, dan, house.slack.bot))
        masses = "<!channel> <!here> <!everyone> <!subteam^S0000001> <!subteam^S1|us> @channel @here @everyone"
        text = f"{words} {masses}\n\nAnd `<@{ann.id}>`:\n\n```\n<@{ann.id}> <!here>\n```\n"
        post = await house.grows(text, None, chat)
        await house.grows(f"{text}\n{LONG}", post, chat)
        assert house.post(post).rings == {ann.id, ben.id}
        await house.put(f"{text}\n{LONG}The end.", post, chat)
    streamed, changed = ("startStream", "appendStream", "stopStream"), ("postMessage", "update", "update")
    assert house.methods() == [f"chat.{what}" for what in (streamed if native else changed)]
    assert house.post(post).rings == {ann.id, ben.id}
    shown = house.text(post)
    assert shown.count(f"<@{ann.id}>") == 1, "in code it is broken by a character without width"
    read = html.unescape(shown).replace("\u200b", "")
    assert read == f"{text}\n{LONG}The end."


async def test_whom_history_tells_of_may_be_mentioned_until_the_next_start(house: House) -> None:
    channel, bot = house.slack.channel(house.ann.person), house.slack.person("Another bot", bot_id="B1")
    root = channel.write("The cat is called Fred", house.ben, unheard=True)
    channel.write("Build 7 is done", bot, thread=root, unheard=True)
    before = channel.mention("whose cat is it?", thread=root, unheard=True)
    chat = house.thread(root)
    assert len(await house.adapter.older(chat, before.ts)) == 2
    text = f"<@{house.ben.id}>'s, says <@{bot.id}>"
    post = house.post(await house.put(text, chat=chat))
    assert post.rings == {house.ben.id}
    other = House(house.slack, house.clock, house.folder)
    assert await other.adapter.put(chat, piece(text), post.ts) == post.ts
    assert post.rings == set()
    assert html.unescape(house.text(post.ts)) == text
    await other.adapter.find(chat, "1.0")  # as the core does where it died
    await other.adapter.put(chat, piece(text), post.ts)
    assert post.rings == {house.ben.id}


def test_the_people_of_so_many_threads_are_known_and_no_more(house: House) -> None:
    people = house.adapter._people
    chats = [Chat("slack", "T1", "C1", f"{number}.0") for number in range(3_000)]
    for chat in chats:
        people.wrote(chat, *(f"U{number}" for number in range(60)), "U7")
        people.wrote(chats[0], "U8")
    known = [chat for chat in chats if people.there(chat)]
    assert known == [chats[0], *chats[-1_999:]]
    assert set(people.there(chats[-1])) == {"U7", *(f"U{number}" for number in range(11, 60))}


async def test_an_answer_in_two_messages_keeps_its_stop_control_to_the_end(house: House) -> None:
    first = await house.streams()
    second = await house.grows("Second words", key="1.1")
    await house.put("First words, all of them.", first)
    assert house.slack.session(house.ann, house.asked) == "processing"
    await house.put("Second words, all of them.", second, key="1.1")
    assert house.slack.session(house.ann, house.asked) == "active"


async def test_a_session_without_a_stream_is_closed_at_the_end(house: House) -> None:
    async def slowly(moment: Moment, call: Call) -> None:
        if call.params.get("status") == "active":
            await asyncio.sleep(0.2)

    house.slack.at = slowly
    async with house.connected():
        await house.thinks()
        await house.put("Whole at once.")  # and the process ends
    states = [call.params["status"] for call in house.slack.called("agents.sessions.setStatus")]
    assert states == ["processing", "active"]
    assert house.slack.session(house.ann, house.asked) == "active"
    assert house.slack.called("assistant.threads.setStatus")[0].params["thread_ts"] == house.chat.thread


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(word: str, status: int = 200, headers: dict[str, str] | None = None) -> SlackApiError:
    data = {"ok": False, "error": word, "needed": "chat:write"} if word else {}
    response = AsyncSlackResponse(
        client=None, http_verb="POST", api_url="", req_args={}, data=data, headers=headers or {}, status_code=status
    )
    return SlackApiError(f"failed with {BOT_TOKEN}", response)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused("ratelimited", 429, {"Retry-After": "12"}), RetryLater),
        (refused("", 429), RetryLater),
        (refused("channel_not_found"), Undeliverable),
        (refused("is_archived"), Undeliverable),
        (refused("is_inactive"), Undeliverable),
        (refused("not_in_channel"), Undeliverable),
        (refused("thread_not_found"), Undeliverable),
        (refused("message_not_found"), Undeliverable),
        (refused("edit_window_closed"), Undeliverable),
        (refused("restricted_action_non_threadable_channel"), Undeliverable),
        (refused("restricted_action_of_tomorrow"), Undeliverable),
        (refused("cant_delete_message"), Rejected),
        (refused("msg_too_long"), Rejected),
        (refused("invalid_blocks"), Rejected),
        (refused("token_revoked"), RetryLater),
        (refused("missing_scope"), RetryLater),
        (refused("internal_error"), OutcomeUnknown),
        (refused("service_unavailable", 503), OutcomeUnknown),
        (refused("", 502), OutcomeUnknown),
        (ServerDisconnectedError(), OutcomeUnknown),
        (TimeoutError(), OutcomeUnknown),
        (ClientPayloadError(f"of {BOT_TOKEN}"), OutcomeUnknown),
        (ClientConnectorError(CONNECTION, OSError(111, "refused")), RetryLater),
    ],
)
def test_errors_are_translated(error: Exception, kind: type[AdapterError]) -> None:
    found = translate(error, (BOT_TOKEN,))
    assert type(found) is kind
    assert BOT_TOKEN not in f"{found} {found.detail}"
    if isinstance(found, RetryLater):
        assert found.after > 0
    if "missing_scope" in repr(error):
        assert "chat:write" in found.detail


async def test_a_channel_that_is_gone_says_why(house: House) -> None:
    channel = house.slack.channel(house.ann.person)
    _, chat = house.begun(channel)
    for happens, reason in ((channel.archive, "archived"), (channel.remove_bot, "removed")):
        happens()
        with pytest.raises(Undeliverable) as caught:
            await house.put("hi", chat=chat)
        assert reason in caught.value.reason
        channel.archived = False


# ── files, and what is asked ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("redirect", ["", "cdn", "steps"])
async def test_a_file_comes_with_our_token_and_over_redirects(
    house: House, tmp_path: Path, redirect: Literal["", "cdn", "steps"]
) -> None:
    house.slack.files.redirect = redirect
    file = house.slack.file()
    for ref in (f"{file.id} {file.url}", file.id):
        await house.adapter.fetch(ref, tmp_path / "f", len(file.data))
        assert (tmp_path / "f").read_bytes() == file.data
        (tmp_path / "f").unlink()
    with pytest.raises(MediaError):
        await house.adapter.fetch(f"{file.id} {file.url}", tmp_path / "f", len(file.data) - 1)


async def test_our_token_goes_nowhere_else(house: House, tmp_path: Path) -> None:
    file, files = house.slack.file(), house.slack.files
    files.stranger = "https://files.slack.com.example.org/f"
    for files.redirect in ("stranger", "circle"):
        with pytest.raises((Undeliverable, MediaError)):
            await house.adapter.fetch(f"{file.id} {file.url}", tmp_path / "f", 10_000)
    for url in ("http://files.slack.com/f", "https://example.org/slack.com", "file:///etc/passwd"):
        with pytest.raises(MediaError, match="outside of Slack"):
            await house.adapter.fetch(f"F1 {url}", tmp_path / "f", 10_000)


async def test_a_login_page_is_no_picture(house: House, tmp_path: Path) -> None:
    login = house.slack.file(b"<!DOCTYPE html><html>login</html>", "a.png", "image/png", size=68)
    with pytest.raises(MediaError, match="may not read files") as caught:
        await house.adapter.fetch(f"{login.id} {login.url}", tmp_path / "f", 10_000)
    assert "files:read" in caught.value.detail
    file = house.slack.file()
    page = house.slack.file(PAGE, "report.html", "text/html")
    stranger = House(house.slack, house.clock, tmp_path, slack_bot_token="xoxb-9-of-somebody-else")
    house.slack.world.scopes -= {"files:read"}
    for who in (stranger, house):
        for each in (file, page):
            with pytest.raises(MediaError, match="may not read files") as caught:
                await who.adapter.fetch(f"{each.id} {each.url}", tmp_path / "f", 10_000)
            assert "files:read" in caught.value.detail


PAGE = b"<!doctype html><html><title>Report</title><p>All is well.</p></html>"


@pytest.mark.parametrize(
    ("name", "mime", "size"),
    [
        ("report.html", "text/html", len(PAGE)),
        ("Untitled", "text/plain", len(PAGE)),
        ("Re: report", "text/html", 12),  # an e-mail: what it has is more than what is shown of it
    ],
)
async def test_a_web_page_that_somebody_sends_is_a_file(
    house: House, tmp_path: Path, name: str, mime: str, size: int
) -> None:
    file = house.slack.file(PAGE, name, mime, size=size)
    await house.adapter.fetch(f"{file.id} {file.url}", tmp_path / "f", 10_000)
    assert (tmp_path / "f").read_bytes() == PAGE
    house.slack.fail("files.info", 1, "500", times=2)
    fetching = asyncio.create_task(house.adapter.fetch(f"{file.id} {file.url}", tmp_path / "f", 10_000))
    while not fetching.done():
        await house.clock.advance(0.1)
        await asyncio.sleep(0.01)
    with pytest.raises(OutcomeUnknown):  # nobody knows yet: another try may tell
        await fetching
    with pytest.raises(MediaError, match="larger"):
        await house.adapter.fetch(f"{file.id} {file.url}", tmp_path / "f", 10)


async def test_a_file_that_is_not_there(house: House, tmp_path: Path) -> None:
    for ref in ("", "F1"):
        with pytest.raises((Undeliverable, Rejected)):
            await house.adapter.fetch(ref, tmp_path / "f", 10_000)


async def test_what_was_said_in_a_thread_before(house: House) -> None:
    channel, cleo = house.slack.channel(house.ann.person, house.ben), house.slack.person("Cleo")
    root = channel.write("The cat is &lt;Fred&gt;.", house.ben, unheard=True)
    channel.write(f"<@{house.ben.id}> yes", cleo, thread=root, unheard=True)
    chat = house.thread(root)
    await house.put("Hello.", chat=chat)
    before = channel.write(f"{house.me}?", house.ben, thread=root, unheard=True)
    older = await house.adapter.older(chat, before.ts)
    assert [(each.role, each.author.name, each.text) for each in older] == [
        (Role.USER, "Ben", "The cat is <Fred>."),
        (Role.USER, "Cleo", "@Ben yes"),
        (Role.ASSISTANT, "", "Hello."),
    ]
    assert await house.adapter.older(chat, root.ts) == ()
    assert len(house.slack.called("conversations.replies")) == 1


async def test_whether_a_channel_can_be_posted_to(house: House) -> None:
    channel, foreign = house.slack.channel(), house.slack.channel(bot=False, private=True)
    here, there = house.begun(channel)[1].room, house.begun(foreign)[1].room
    assert await house.adapter.can_post(here)
    assert not await house.adapter.can_post(house.chat.room)
    with pytest.raises(Undeliverable):
        await house.adapter.can_post(there)
    house.slack.world.scopes -= {"channels:read"}
    assert not await house.adapter.can_post(here)


# ── through a proxy ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_all_goes_through_the_proxy(house: House, proxy: FakeProxy, scheme: str, tmp_path: Path) -> None:
    """Events, messages and files; and the name of the server is not looked up here."""
    url = house.slack.url.replace("127.0.0.1", "slack-api.invalid")
    away = House(house.slack, house.clock, tmp_path, slack_proxy=proxy.url(scheme), slack_api_url=url)
    async with away.connected():
        await away.says("one")
        post = await away.put("two")
    assert away.listener.texts == ["one"]
    assert away.text(post) == "two"
    assert "slack-api.invalid" in {host for host, _ in proxy.targets}
    await away.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("how", ["wrong word", "nobody there"])
async def test_a_proxy_that_lets_nobody_through(
    house: House, proxy: FakeProxy, scheme: str, how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was sent, so it may be sent again; and the adapter goes on trying for as long as it lasts."""
    url = proxy.url(scheme, "a-wrong-word")
    if how == "nobody there":
        url = url.rpartition(":")[0] + ":9"  # "discard": nobody listens there
    away = House(house.slack, house.clock, tmp_path, slack_proxy=url)
    with pytest.raises(RetryLater) as caught:
        await away.put("text")
    with pytest.raises(RetryLater):
        await away.adapter.fetch(f"F1 {house.slack.url}/files/x", tmp_path / "file", 10)
    async with away.running() as task:
        await away.soon(lambda: caplog.text.count("no answer from") >= 2)
        assert not task.done()
    ((well, words),) = await looked(away)
    assert not well
    assert "gives no answer through SLACK_PROXY" in words
    for said in (f"{caught.value} {caught.value.detail}", caplog.text, words):
        assert "a-wrong-word" not in said
    assert not proxy.targets
    await away.close()


# ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def looked(house: House, **settings: Any) -> list[tuple[bool, str]]:
    values = {**house.settings.model_dump(), **settings, "_env_file": None}
    return [(mark is not Mark.WRONG, say(text, "en")) for mark, text in await checks(SlackSettings(**values))]


async def test_the_doctor_names_missing_scopes_and_how_to_add_them(house: House) -> None:
    from adapters.slack.manifest import OPTIONAL, SCOPES

    house.slack.world.scopes = set(SCOPES)
    assert all(well for well, _ in await looked(house))
    house.slack.world.scopes = set(SCOPES) - {"files:read", "users:read"}
    wrong = [text for well, text in await looked(house) if not well]
    assert len(wrong) == 2
    assert "files:read" in wrong[0]
    assert "OAuth & Permissions" in wrong[0]
    house.slack.world.scopes = set(SCOPES) - OPTIONAL
    advice = [text for well, text in await looked(house) if "lacks" in text]
    assert all(well for well, _ in await looked(house))
    assert len(advice) == len(OPTIONAL)


async def test_the_doctor_says_what_is_wrong(house: House) -> None:
    (found,) = await looked(house, slack_bot_token="xoxb-9-of-somebody-else")
    assert found == (False, "SLACK_BOT_TOKEN is rejected. Copy it again: OAuth & Permissions, Bot User OAuth Token.")
    *_, (well, text) = await looked(house, slack_app_token="xapp-9-of-somebody-else")
    assert (well, text.split(".")[0]) == (False, "SLACK_APP_TOKEN is rejected")
    with pytest.raises(SettingError, match="SLACK_APP_TOKEN: is needed"):
        await looked(house, slack_app_token=None)
    (found,) = await looked(house, slack_api_url="http://127.0.0.1:9")
    assert "gives no answer" in found[1]
    *_, (well, text) = await looked(
        house, slack_mode="http", slack_signing_secret="12345678", public_url="https://magpie.example.org"
    )
    assert (well, "https://magpie.example.org/slack/events" in text) == (True, True)
    *_, (well, text) = await looked(house, slack_mode="http", slack_signing_secret="12345678")
    assert (well, "PUBLIC_URL" in text) == (True, True)
