"""The adapter against a Slack on the loopback: what goes over the wire, and what comes of refusals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import ClientConnectorError, ClientPayloadError, ServerDisconnectedError
from aiohttp.client_reqrep import ConnectionKey
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters import locales
from adapters.slack.adapter import SlackAdapter
from adapters.slack.checks import checks
from adapters.slack.errors import translate
from adapters.slack.limits import STREAMS
from adapters.slack.settings import EVENTS_PATH, SlackSettings
from adapters.slack.streams import LIFE
from adapters.slack.webhook import MOST_BYTES
from bot.errors import AdapterError, Gone, MediaError, Refused, RetryLater, SettingError, StoreError, Unknown
from bot.http import Host
from bot.locales import learn, say
from bot.markdown import parse
from bot.serving import serving
from bot.types import (
    Ack,
    Admins,
    CanPost,
    Chat,
    Choice,
    FindPost,
    Inbound,
    IncomingMessage,
    Menu,
    Note,
    NoteKind,
    OlderMessages,
    Person,
    Piece,
    Posted,
    Press,
    Role,
    SettingRow,
    Status,
    StopPressed,
    Surroundings,
    Turn,
    TurnKind,
    TurnState,
)
from tests.fakes.clock import SimClock
from tests.fakes.workspace import APP_TOKEN, BOT_TOKEN, SECRET, Workspace, text_of

STOP = Menu(((Choice("Stop", "/stop 1"),),))
CONNECTION = ConnectionKey("slack.com", 443, True, True, None, None, None)
LONG = "This is the first line of an answer, and it is long enough for more than one frame of it.\n\n"


@dataclass
class Listener:
    """An intake that takes note. `trouble` is raised by the calls to come."""

    events: list[Inbound] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    ack: Ack = field(default_factory=Ack)

    async def accept(self, event: Inbound) -> Ack:
        if self.trouble:
            raise self.trouble.pop(0)
        self.events.append(event)
        return self.ack

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, IncomingMessage)]


@dataclass
class Shelf:
    """The half of the store that reads."""

    turns: dict[int, Turn] = field(default_factory=dict)
    spoken: set[Chat] = field(default_factory=set)  # where we have answered
    rows: list[SettingRow] = field(default_factory=list)

    async def turn(self, id: int) -> Turn | None:
        return self.turns.get(id)

    async def last_turn(self, chat: Chat) -> Turn | None:
        return next(iter(self.turns.values())) if chat in self.spoken else None

    async def open_turns(self, chat: Chat) -> list[Turn]:
        return [turn for turn in self.turns.values() if turn.chat == chat]

    async def settings(self, chat: Chat) -> list[SettingRow]:
        return self.rows


class House:
    """An adapter, and the Slack that it talks to. Time stands still until it is told to go on."""

    def __init__(self, slack: Workspace, clock: SimClock, folder: Path, **settings: Any) -> None:
        self.slack, self.clock, self.folder = slack, clock, folder
        values = {
            "slack_bot_token": slack.token,
            "slack_app_token": slack.app_token,
            "slack_api_url": slack.url,
            "data_dir": folder,
            "_env_file": None,
        }
        self.settings = SlackSettings(**{**values, **settings})
        self.listener, self.shelf = Listener(), Shelf()
        around = Surroundings(self.shelf, lambda: (), clock, defaults={"model": "qwen-plus"}, say=say)  # type: ignore[arg-type]
        self.adapter = SlackAdapter(self.settings, around)
        self.chat = self.thread("D1")
        self.shelf.turns[1] = Turn(
            1, self.chat, TurnKind.QUESTION, TurnState.RUNNING, 1, Person("U1"), 0, reply_to=self.chat.thread
        )

    def thread(self, channel: str, ts: str = "") -> Chat:
        return Chat("slack", self.slack.team, channel, ts or self.slack.ts())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.adapter.run(self.listener))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with self.running():
            await self.slack.until(lambda: len(self.slack.sockets) == 2)
            yield

    async def says(self, text: str, channel: str = "D1", by: str = "U1", **more: Any) -> str:
        ts = self.slack.ts()
        event = {"type": "message", "channel": channel, "user": by, "text": text, "ts": ts, **more}
        await self.during(self.slack.push(event))
        return ts

    async def during(self, work: Any) -> Any:
        """Let simulated time pass while something is done."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.sleep(0.002)
            await self.clock.advance(0.05)
        return task.result()

    async def soon(self, predicate: Callable[[], object], limit: float = 600.0) -> None:
        """Until it is so, letting simulated time pass."""
        end = self.clock.seconds + limit
        while not predicate():
            assert self.clock.seconds < end, f"not within {limit} simulated seconds"
            await asyncio.sleep(0.003)
            await self.clock.advance(0.5)

    async def put(self, source: str, at: str | None = None, chat: Chat | None = None, **more: Any) -> str:
        return await self.adapter.put(chat or self.chat, piece(source, **more), at)

    async def grows(self, source: str, at: str | None = None, chat: Chat | None = None, **more: Any) -> str:
        return await self.put(source, at, chat, growing=True, **more)

    async def thinks(self, chat: Chat | None = None) -> None:
        await self.adapter.status(chat or self.chat, Status.THINKING)

    async def streams(self, source: str = "First words", chat: Chat | None = None) -> str:
        await self.thinks(chat)
        post = await self.grows(source, chat=chat)
        assert self.message(post)["streaming"]
        return post

    def message(self, post: str) -> dict[str, Any]:
        found: dict[str, Any] = self.slack.messages[post]
        return found

    def text(self, post: str) -> str:
        return text_of(self.message(post))

    def methods(self) -> list[str]:
        return [call.method for call in self.slack.calls if call.method.startswith("chat.")]


def piece(source: str, key: str = "1.0", **more: Any) -> Piece:
    return Piece(key, parse(source), **more)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = SimClock()
    async with Workspace(clock=clock) as slack:
        yield House(slack, clock, tmp_path)


@pytest.fixture(autouse=True)
def _no_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    formatter = logging.Formatter()
    ours = ("adapters", "slack", "asyncio", "aiohttp.client")
    lines = [formatter.format(record) for record in caplog.get_records("call") if record.name.startswith(ours)]
    secrets = (BOT_TOKEN, APP_TOKEN, SECRET, "ticket=", "a-ticket")
    assert not [line for line in lines if any(secret in line for secret in secrets)]


# ── sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_events_come_over_two_sockets_and_are_acknowledged_when_stored(house: House) -> None:
    async with house.connected():
        for text in ("one", "two", "three"):
            await house.says(text)
    assert house.listener.texts == ["one", "two", "three"]
    assert house.adapter.account.id == house.slack.team
    assert house.adapter.account.name == "magpie"


async def test_what_is_not_stored_is_not_acknowledged_and_comes_again(house: House) -> None:
    house.listener.trouble = [StoreError()]
    async with house.connected():
        assert house.adapter.trouble == ""
        await house.says("one")
    assert house.listener.texts == ["one"]


async def test_the_same_post_twice_has_one_key(house: House) -> None:
    event = {"type": "message", "channel": "C1", "user": "U1", "text": "<@UBOT> hi", "ts": "1700000000.000100"}
    async with house.connected():
        await house.during(asyncio.gather(house.slack.push({**event, "type": "app_mention"}), house.slack.push(event)))
    assert len({event.key for event in house.listener.events}) == 1


async def test_a_socket_is_followed_by_another_before_it_closes(house: House) -> None:
    async with house.connected():
        await house.clock.advance(100)
        before = list(house.slack.sockets)
        await before[0].send_json({"type": "disconnect", "reason": "refresh_requested"})
        await house.slack.until(lambda: len(house.slack.sockets) == 3)
        await house.says("one")
        await house.soon(lambda: len(house.slack.sockets) == 2)
        assert before[0] not in house.slack.sockets
    assert house.listener.texts == ["one"]


async def test_a_thread_s_messages_are_taken_in_the_order_they_were_written(house: House) -> None:
    async with house.connected():
        root = await house.says("root")
        first, second = house.slack.ts(), house.slack.ts()
        event = {"type": "message", "channel": "D1", "user": "U1", "thread_ts": root}
        late = [{**event, "text": "second", "ts": second}, {**event, "text": "first", "ts": first}]
        await house.during(asyncio.gather(*map(house.slack.push, late)))
    assert house.listener.texts == ["root", "first", "second"]


async def test_a_server_that_goes_away_and_comes_back(house: House) -> None:
    async with house.connected():
        await house.slack.stop()
        await house.clock.advance(10)
        assert house.adapter.trouble.startswith("no socket")
        async with house.slack:
            await house.soon(lambda: len(house.slack.sockets) == 2)
            await house.says("one")
        assert house.listener.texts == ["one"]


@pytest.mark.parametrize("how", ["429", "500", "502", "drop"])
async def test_trouble_passes(house: House, how: str) -> None:
    house.slack.fail("auth.test", 1, how)
    house.slack.fail("apps.connections.open", 1, how, times=2)
    async with house.running():
        await house.soon(lambda: len(house.slack.sockets) == 2)
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
    async with Workspace() as slack, House(slack, SimClock(), tmp_path, **values).running() as task:
        with pytest.raises(SettingError, match=rf"^{variable}: is rejected") as caught:
            await asyncio.wait_for(task, 5)
    assert "somebody" not in str(caught.value)


async def test_one_unreadable_event_holds_nothing_up(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with house.connected():
        await house.during(house.slack.push({"type": "message", "channel": 7, "text": "private words", "ts": "x"}))
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
    async with house.connected():
        await house.says("just between us", "C1")
        root = await house.says("<@UBOT> hello", "C1")
        await house.says("and more?", "C1", thread_ts=root)
        house.shelf.spoken.add(house.thread("C1", root))
        await house.says("now you know me", "C1", thread_ts=root)
        await house.says("<@U2> not you", "C1", thread_ts=root)
        await house.says("elsewhere", "C1", thread_ts="1600000000.000100")
    assert house.listener.texts == ["hello", "now you know me"]
    assert all(isinstance(event, IncomingMessage) and event.addressed for event in house.listener.events)


async def test_people_have_names_and_are_asked_for_once_an_hour(house: House) -> None:
    house.slack.locales["U2"] = "zh-CN"
    async with house.connected():
        for _ in range(3):
            await house.says("hi", by="U2")
        assert [call.params["user"] for call in house.slack.called("users.info")] == ["U2"]
        await house.clock.advance(3_601)
        await house.says("hi", by="U2")
        assert len(house.slack.called("users.info")) == 2
    author = house.listener.events[0].author  # type: ignore[union-attr]
    assert author == Person("U2", "Name U2", "zh-CN")


@pytest.mark.parametrize("how", ["429", "500", "drop", "user_not_found"])
async def test_a_name_that_is_not_to_be_had_holds_nothing_up(house: House, how: str) -> None:
    house.slack.fail("users.info", 1, how, times=2)  # a broken GET is made once more
    async with house.connected():
        await house.says("hi", by="U2")
    assert house.listener.events[0].author == Person("U2")  # type: ignore[union-attr]


async def test_a_deleted_question_is_stopped_and_nothing_else_is(house: House) -> None:
    async with house.connected():
        for ts in (house.chat.thread, "1600000000.000100"):
            before = {"user": "U1", "text": "x", "ts": ts, "thread_ts": house.chat.thread}
            deleted = {"type": "message", "subtype": "message_deleted", "channel": "D1", "ts": "1700000009.000100"}
            await house.during(house.slack.push({**deleted, "deleted_ts": ts, "previous_message": before}))
    (event,) = house.listener.events
    assert isinstance(event, StopPressed)
    assert event.post == house.chat.thread


async def test_a_file_of_another_workspace_is_looked_up(house: House) -> None:
    house.slack.files["F9"] = {
        "id": "F9",
        "mimetype": "image/png",
        "name": "cat.png",
        "url_private": "https://x.slack.com/f",
    }
    async with house.connected():
        await house.says("look", files=[{"id": "F9", "file_access": "check_file_info"}])
    (message,) = house.listener.events
    assert isinstance(message, IncomingMessage)
    assert [(file.mime, file.name) for file in message.attachments] == [("image/png", "cat.png")]


async def test_the_status_is_in_the_language_of_whoever_asked(house: House) -> None:
    for folder in locales():
        learn(folder)
    house.slack.locales["U2"] = "zh-CN"
    async with house.connected():
        ts = await house.says("你好", by="U2")
        await house.thinks(house.thread("D1", ts))
        house.shelf.rows = [SettingRow("slack/T1/D1", "language", "en", "U2", 1)]
        await house.thinks(house.thread("D1", ts))
    assert [call.params["status"] for call in house.slack.called("assistant.threads.setStatus")] == [
        "正在思考……",
        "is thinking…",
    ]


# ── the Events API ──────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def pushed(house: House) -> AsyncIterator[str]:
    """The adapter behind the one HTTP host."""

    async def ready() -> dict[str, Any]:
        return {}

    async with serving(Host(house.adapter.http, ready)) as url, house.running():
        await house.slack.until(lambda: house.slack.called("auth.test"))
        await house.slack.until(lambda: house.adapter.http[EVENTS_PATH].app is not None)  # type: ignore[attr-defined]
        house.slack.posts_url = url + EVENTS_PATH
        yield house.slack.posts_url


@pytest.fixture
async def pushing(tmp_path: Path) -> AsyncIterator[House]:
    clock = SimClock()
    async with Workspace(clock=clock) as slack:
        yield House(slack, clock, tmp_path, slack_mode="http", slack_signing_secret=slack.signing_secret)


async def test_pushed_events_are_acknowledged_when_stored(pushing: House) -> None:
    async with pushed(pushing):
        pushing.listener.trouble = [StoreError()]
        await pushing.says("one")
        assert await pushing.slack.push({"type": "url_verification", "challenge": "abc", "event": {}}) == {
            "challenge": "abc"
        }
    assert pushing.listener.texts == ["one"]


async def test_what_is_not_signed_is_refused(pushing: House) -> None:
    body = json.dumps(
        {"type": "event_callback", "event": {"type": "message", "channel": "D1", "user": "U1", "ts": "1.1"}}
    )
    async with pushed(pushing) as url, httpx.AsyncClient(trust_env=False) as client:
        old = {"X-Slack-Request-Timestamp": "1500000000", "X-Slack-Signature": "v0=" + "0" * 64}
        for headers in ({}, old):
            headers = {"Content-Type": "application/json", **headers}
            assert (await client.post(url, content=body, headers=headers)).status_code == 401
        json_type = {"Content-Type": "application/json"}
        assert (await client.post(url, content="[1]", headers=json_type)).status_code == 400
        assert (await client.post(url, content="{", headers=json_type)).status_code == 400
        assert (await client.get(url)).status_code == 405
        assert (await client.post(url + "/more", content=body)).status_code == 404
        assert (await client.post(url, content=b"x" * (MOST_BYTES + 1))).status_code == 413
    assert pushing.listener.events == []


async def test_while_nobody_listens_it_is_told_to_come_again(pushing: House) -> None:
    async def ready() -> dict[str, Any]:
        return {}

    async with serving(Host(pushing.adapter.http, ready)) as url, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(url + EVENTS_PATH, content="{}")).status_code == 503


async def test_a_command_with_any_words_in_it(pushing: House) -> None:
    pushing.listener.ack = Ack(toast="Done <&>.")
    async with pushed(pushing):
        answer = await pushing.during(pushing.slack.push(slash("system Speak of the payload"), "slash_commands"))
    (event,) = pushing.listener.events
    assert isinstance(event, Press)
    assert event.action == "/system Speak of the payload"
    assert answer == {"response_type": "ephemeral", "text": "Done &lt;&amp;&gt;."}


# ── /magpie, buttons, forms ─────────────────────────────────────────────────────────────────────────────────────────


def slash(text: str, channel: str = "C1", trigger: str = "t1") -> dict[str, str]:
    return {"command": "/magpie", "text": text, "channel_id": channel, "user_id": "U1", "trigger_id": trigger}


async def test_the_command_works_on_the_channel_and_only_its_author_sees_the_answer(house: House) -> None:
    house.listener.ack = Ack(toast="Choose.", menu=STOP)
    async with house.connected():
        answer = await house.during(house.slack.push(slash("allow <@U2|ben>"), "slash_commands"))
    (event,) = house.listener.events
    assert isinstance(event, Press)
    assert (event.action, event.chat, event.post, event.group) == ("/allow U2", Chat("slack", "T1", "C1"), None, True)
    assert answer["response_type"] == "ephemeral"
    assert [block["type"] for block in answer["blocks"]] == ["section", "actions"]


@pytest.mark.parametrize("text", ["", "settings"])
async def test_the_command_alone_opens_a_form_whose_changes_become_commands(house: House, text: str) -> None:
    house.shelf.rows = [SettingRow("slack/T1/D1", "temperature", 0.5, "U1", 1)]
    async with house.connected():
        await house.during(house.slack.push(slash(text, "D1"), "slash_commands"))
        await house.slack.until(lambda: house.slack.views)
        view = house.slack.views[0]
        values = {"temperature": {"temperature": {"value": "0.9"}}, "system": {"system": {"value": "Be brief."}}}
        body = {"type": "view_submission", "user": {"id": "U1"}, "trigger_id": "t2"}
        body["view"] = {**view, "id": "V1", "state": {"values": values}}
        assert await house.during(house.slack.push(body, "interactive")) is None
        await house.slack.until(lambda: house.slack.homes.get("U1"))
        house.listener.ack = Ack(toast="Too hot.", error=True)
        answer = await house.during(house.slack.push({**body, "trigger_id": "t3"}, "interactive"))
    actions = [event.action for event in house.listener.events if isinstance(event, Press)]
    assert actions[:2] == ["/system Be brief.", "/set temperature 0.9"]
    assert answer == {"response_action": "errors", "errors": {"system": "Too hot.", "temperature": "Too hot."}}
    assert len({event.key for event in house.listener.events}) == 4


async def test_home_shows_the_settings_of_the_direct_messages(house: House) -> None:
    async with house.connected():
        opened = {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home"}
        await house.during(house.slack.push({**opened, "tab": "messages"}))
        await house.during(house.slack.push(opened))
        await house.slack.until(lambda: house.slack.homes.get("U1"))
        (button,) = house.slack.homes["U1"]["blocks"][2]["elements"]
        press = {"type": "block_actions", "user": {"id": "U1"}, "trigger_id": "t1", "container": {"type": "view"}}
        action = {"action_id": button["action_id"], "value": button["value"], "action_ts": "1.0"}
        await house.during(house.slack.push({**press, "actions": [action]}, "interactive"))
        await house.slack.until(lambda: house.slack.views)
    assert house.slack.views[0]["private_metadata"] == "slack/T1/D1"
    assert "qwen-plus" in json.dumps(house.slack.homes["U1"])


async def test_the_shortcut_asks_for_a_language_and_becomes_a_question_in_the_thread(house: House) -> None:
    async with house.connected():
        root = house.slack.ts()
        house.slack.said("早上好 &amp; more", root, user="U2")
        message = {
            "type": "message_action",
            "callback_id": "magpie:translate",
            "user": {"id": "U1"},
            "trigger_id": "t1",
        }
        message |= {"channel": {"id": "C1"}, "message": {"ts": root, "text": "…"}}
        await house.during(house.slack.push(message, "interactive"))
        await house.slack.until(lambda: house.slack.views)
        state = {"values": {"language": {"language": {"selected_option": {"value": "French"}}}}}
        body = {
            "type": "view_submission",
            "user": {"id": "U1"},
            "view": {**house.slack.views[0], "id": "V1", "state": state},
        }
        assert await house.during(house.slack.push(body, "interactive")) is None
        house.slack.fail("conversations.replies", 1, "not_in_channel")
        answer = await house.during(house.slack.push(body, "interactive"))
    (question,) = house.listener.events
    assert isinstance(question, IncomingMessage)
    assert question.text == "Translate into French. Answer with the translation only.\n\n早上好 & more"
    assert (question.chat, question.author.id) == (Chat("slack", "T1", "C1", root), "U1")
    assert answer["response_action"] == "errors"


def pressed(post: str, url: str, **container: Any) -> dict[str, Any]:
    place = {"type": "message", "channel_id": "D1", "message_ts": post, "thread_ts": "1600000000.000100", **container}
    action = {"action_id": "magpie:0:0", "value": "/retry 1", "action_ts": "5.0"}
    return {"type": "block_actions", "user": {"id": "U1"}, "container": place, "actions": [action], "response_url": url}


async def test_what_a_button_has_to_say(house: House) -> None:
    url = house.slack.address("/respond")
    async with house.connected(), Workspace() as elsewhere:
        house.listener.ack = Ack(toast="Asking again.")
        await house.during(house.slack.push(pressed("1.1", url), "interactive"))
        house.listener.ack = Ack(toast="Nothing to stop.", error=True)
        await house.during(house.slack.push(pressed("1.1", url), "interactive"))
        await house.during(house.slack.push(pressed("1.1", elsewhere.address("/respond")), "interactive"))
        await house.slack.until(lambda: house.slack.responses)
        house.listener.ack = Ack(toast="Page 2.", menu=STOP)
        await house.during(house.slack.push(pressed("1.1", url, is_ephemeral=True), "interactive"))
        await house.slack.until(lambda: len(house.slack.responses) == 2)
        assert elsewhere.responses == []
    first, second = house.slack.responses
    assert first == {"response_type": "ephemeral", "text": "Nothing to stop.", "replace_original": False}
    assert second["replace_original"]
    posts = [event.post for event in house.listener.events if isinstance(event, Press)]
    assert posts == ["1.1", "1.1", "1.1", None]


# ── what is posted ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_streams_in_its_thread(house: House) -> None:
    post = await house.streams()
    text = LONG + "And **more** of it."
    await house.grows(text, post)
    assert await house.put(text, post) == post
    assert house.text(post) == text
    assert house.slack.called("chat.startStream")[0].params["thread_ts"] == house.chat.thread


async def test_a_stream_shows_each_frame_and_ends_in_one_call(house: House) -> None:
    post = await house.streams("This is the")
    await house.grows(LONG + "More", post)
    assert house.text(post) == LONG.strip() + " …"
    note, menu = Note(NoteKind.MODEL, "Another model."), Menu(((Choice("Retry", "/retry 1"),),))
    await house.put(LONG + "More and an end.", post, notes=(note,), menu=menu)
    assert house.methods() == ["chat.startStream", "chat.appendStream", "chat.stopStream"]
    assert house.text(post) == LONG + "More and an end. Another model."
    stop = house.slack.called("chat.stopStream")[0].params
    assert stop["metadata"] == {"event_type": "magpie_piece", "event_payload": {"key": "1.0"}}
    assert stop["session_status"] == "active"
    assert [block["type"] for block in stop["blocks"]] == ["context", "actions"]


async def test_where_there_is_no_stop_control_a_message_grows_that_has_one(house: House) -> None:
    house.slack.native = False
    await house.thinks()
    post = await house.grows("First words", menu=STOP)
    assert house.text(post) == "First words …"
    assert house.message(post)["blocks"][-1]["elements"][0]["value"] == "/stop 1"
    await house.grows("First words, then more", post, menu=STOP)
    await house.put("First words, then all.", post)
    assert house.text(post) == "First words, then all."
    assert house.methods() == ["chat.postMessage", "chat.update", "chat.update"]
    posted = house.slack.called("chat.postMessage")[0].params
    assert posted["thread_ts"] == house.chat.thread
    assert (posted["unfurl_links"], posted["unfurl_media"], posted["parse"]) == (False, False, "none")
    await house.thinks(house.thread("D2"))
    assert len(house.slack.called("agents.sessions.setStatus")) == 1, "it is not asked for again"


async def test_channels_are_told_for_whom_a_stream_is(house: House) -> None:
    chat = house.thread("C1")
    post = await house.streams(chat=chat)
    start = house.slack.called("chat.startStream")[0].params
    assert (start["recipient_user_id"], start["recipient_team_id"]) == ("U1", "T1")
    assert house.message(post)["thread_ts"] == chat.thread


async def test_no_more_streams_than_can_be_stopped(house: House) -> None:
    chats = [house.thread(f"D{number}") for number in range(STREAMS + 5)]
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
        await house.slack.until(lambda: not house.message(post)["streaming"])
        assert house.text(post) == "First words …"
        await house.grows("First words, then more", post, menu=STOP)
        await house.put("First words, then all.", post)
    assert house.text(post) == "First words, then all."
    assert house.methods() == ["chat.startStream", "chat.stopStream", "chat.update", "chat.update"]


@pytest.mark.parametrize("word", ["message_not_in_streaming_state", "stopped_by_user", "msg_too_long"])
async def test_a_stream_that_takes_no_more_goes_on_as_a_message(house: House, word: str) -> None:
    post = await house.streams("This is the")
    house.slack.fail("chat.appendStream", 1, word)
    if word != "msg_too_long":
        house.message(post)["streaming"] = False
    await house.grows(LONG + "More", post)
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
    with pytest.raises(Unknown):
        await house.grows(LONG + "More", post)
    await house.grows(LONG + "More", post)
    await house.put(LONG + "More.", post)
    assert house.text(post) == LONG + "More."
    assert len(house.slack.called("chat.appendStream")) == 1


async def test_a_stop_of_unknown_outcome(house: House) -> None:
    post = await house.streams("This is the")
    house.slack.fail("chat.stopStream", 1, "lost")
    with pytest.raises(Unknown):
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


async def test_a_start_of_unknown_outcome_is_found_again(house: House) -> None:
    await house.thinks()
    house.slack.fail("chat.startStream", 1, "lost")
    with pytest.raises(Unknown):
        await house.grows("First words")
    post = await house.adapter.ask(FindPost(house.chat, "1.0"))
    assert house.message(post)["stream"] == "First words"
    await house.put("First words, and all.", post)
    assert house.text(post) == "First words, and all."
    assert len(house.slack.messages) == 1


async def test_a_message_of_unknown_outcome_is_found_again(house: House) -> None:
    house.slack.fail("chat.postMessage", 1, "lost")
    other = await house.streams("Another piece, of which no metadata tells yet")
    house.shelf.turns[1] = replace(house.shelf.turns[1], posts=(Posted(0, other),))
    with pytest.raises(Unknown):
        await house.put("Whole.", key="1.1")
    post = await house.adapter.ask(FindPost(house.chat, "1.1"))
    assert house.text(post) == "Whole."
    assert await house.adapter.ask(FindPost(house.chat, "1.2")) is None


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
    assert post not in house.slack.messages
    await house.adapter.put(house.chat, None, post)
    kept = await house.streams()
    other = House(house.slack, house.clock, house.folder)
    await other.adapter.put(house.chat, None, kept)
    assert kept not in house.slack.messages


async def test_blocks_that_are_refused_go_out_plainer(house: House) -> None:
    house.slack.fail("chat.postMessage", 1, "invalid_blocks")
    post = await house.put("| a | b |\n|---|---|\n| 1 | 2 |\n", menu=STOP)
    assert [block["type"] for block in house.message(post)["blocks"]] == ["markdown"]
    house.slack.fail("chat.update", 1, "invalid_blocks", times=2)
    with pytest.raises(Refused):
        await house.put("more", post)


async def test_nothing_that_a_model_writes_rings_for_anybody(house: House) -> None:
    post = await house.put("<!channel> <@U1> & <https://example.com|x>")
    assert "<" not in house.message(post)["text"]
    assert "<!channel>" not in json.dumps(house.message(post)["blocks"])
    assert "<@U1>" not in json.dumps(house.message(post)["blocks"])


async def test_an_answer_in_two_messages_keeps_its_stop_control_to_the_end(house: House) -> None:
    first = await house.streams()
    second = await house.grows("Second words", key="1.1")
    await house.put("First words, all of them.", first)
    await house.put("Second words, all of them.", second, key="1.1")
    assert [call.params["session_status"] for call in house.slack.called("chat.stopStream")] == ["processing", "active"]


async def test_a_session_without_a_stream_is_closed_at_the_end(house: House) -> None:
    async with house.connected():
        await house.thinks()
        await house.put("Whole at once.")
        await house.slack.until(lambda: len(house.slack.called("agents.sessions.setStatus")) == 2)
    states = [call.params["status"] for call in house.slack.called("agents.sessions.setStatus")]
    assert states == ["processing", "active"]
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
        (refused("channel_not_found"), Gone),
        (refused("is_archived"), Gone),
        (refused("is_inactive"), Gone),
        (refused("not_in_channel"), Gone),
        (refused("thread_not_found"), Gone),
        (refused("message_not_found"), Gone),
        (refused("edit_window_closed"), Gone),
        (refused("restricted_action_non_threadable_channel"), Gone),
        (refused("restricted_action_of_tomorrow"), Gone),
        (refused("cant_delete_message"), Refused),
        (refused("msg_too_long"), Refused),
        (refused("invalid_blocks"), Refused),
        (refused("token_revoked"), RetryLater),
        (refused("missing_scope"), RetryLater),
        (refused("internal_error"), Unknown),
        (refused("service_unavailable", 503), Unknown),
        (refused("", 502), Unknown),
        (ServerDisconnectedError(), Unknown),
        (TimeoutError(), Unknown),
        (ClientPayloadError(f"of {BOT_TOKEN}"), Unknown),
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


@pytest.mark.parametrize(("word", "reason"), [("is_archived", "archived"), ("not_in_channel", "removed")])
async def test_a_channel_that_is_gone_says_why(house: House, word: str, reason: str) -> None:
    house.slack.fail("chat.postMessage", 1, word)
    with pytest.raises(Gone) as caught:
        await house.put("hi")
    assert reason in caught.value.reason


# ── files, and what is asked ────────────────────────────────────────────────────────────────────────────────────────

PNG = b"\x89PNG" + b"0" * 5_000


def link(house: House, name: str) -> str:
    return house.slack.address(f"/files/{name}")


async def test_a_file_comes_with_our_token_and_over_redirects(house: House, tmp_path: Path) -> None:
    house.slack.files |= {"a": PNG, "b": link(house, "a"), "c": "/files/b"}
    await house.adapter.fetch(f"F1 {link(house, 'c')}", tmp_path / "f", 10_000)
    assert (tmp_path / "f").read_bytes() == PNG
    with pytest.raises(MediaError):
        await house.adapter.fetch(f"F1 {link(house, 'a')}", tmp_path / "f", 1_000)


async def test_our_token_goes_nowhere_else(house: House, tmp_path: Path) -> None:
    house.slack.files |= {"away": "https://files.slack.com.example.org/f", "round": "/files/round"}
    for name in ("away", "round"):
        with pytest.raises(Gone):
            await house.adapter.fetch(f"F1 {link(house, name)}", tmp_path / "f", 10_000)
    for url in ("http://files.slack.com/f", "https://example.org/slack.com", "file:///etc/passwd"):
        with pytest.raises(Gone):
            await house.adapter.fetch(f"F1 {url}", tmp_path / "f", 10_000)


async def test_a_login_page_is_no_picture(house: House, tmp_path: Path) -> None:
    house.slack.files |= {"a": b"<!DOCTYPE html><html>login</html>"}
    with pytest.raises(Gone) as caught:
        await house.adapter.fetch(f"F1 {link(house, 'a')}", tmp_path / "f", 10_000)
    assert "files:read" in caught.value.detail
    stranger = House(house.slack, house.clock, tmp_path, slack_bot_token="xoxb-9-of-somebody-else")
    with pytest.raises(Gone):
        await stranger.adapter.fetch(f"F1 {link(house, 'a')}", tmp_path / "f", 10_000)


async def test_a_file_that_is_not_there(house: House, tmp_path: Path) -> None:
    for ref in ("", "F1"):
        house.slack.fail("files.info", 1, "file_not_found")
        with pytest.raises((Gone, Refused)):
            await house.adapter.fetch(ref, tmp_path / "f", 10_000)


async def test_what_was_said_in_a_thread_before(house: House) -> None:
    root, reply, ours, before = (house.slack.ts() for _ in range(4))
    said = {"channel": "C1", "thread_ts": root, "type": "message"}
    for ts, user, text in (
        (root, "U2", "The cat is &lt;Fred&gt;."),
        (reply, "U3", "<@U2> yes"),
        (before, "U2", "<@UBOT>?"),
    ):
        house.slack.messages[ts] = {**said, "ts": ts, "user": user, "text": text}
    house.slack.messages[ours] = {**said, "ts": ours, "user": "UBOT", "bot_id": "BBOT", "text": "Hello."}
    chat = house.thread("C1", root)
    older = await house.adapter.ask(OlderMessages(chat, before))
    assert [(each.role, each.author.name, each.text) for each in older] == [
        (Role.USER, "Name U2", "The cat is <Fred>."),
        (Role.USER, "Name U3", "@Name U2 yes"),
        (Role.ASSISTANT, "", "Hello."),
    ]
    assert await house.adapter.ask(OlderMessages(chat, root)) == ()
    assert len(house.slack.called("conversations.replies")) == 1


async def test_whether_a_channel_can_be_posted_to(house: House) -> None:
    assert await house.adapter.ask(CanPost(Chat("slack", "T1", "C1")))
    assert await house.adapter.ask(CanPost(Chat("slack", "T1", "D1"))) is None
    house.slack.fail("conversations.info", 1, "channel_not_found")
    with pytest.raises(Gone):
        await house.adapter.ask(CanPost(Chat("slack", "T1", "C1")))
    house.slack.fail("conversations.info", 1, "missing_scope")
    assert await house.adapter.ask(CanPost(Chat("slack", "T1", "C1"))) is None
    assert await house.adapter.ask(Admins(house.chat)) == ()


# ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def looked(house: House, **settings: Any) -> list[tuple[bool, str]]:
    values = {**house.settings.model_dump(), **settings, "_env_file": None}
    return [(well, say(text, "en")) for well, text in await checks(SlackSettings(**values))]


async def test_the_doctor_names_missing_scopes_and_how_to_add_them(house: House) -> None:
    from adapters.slack.manifest import SCOPES

    house.slack.scopes = sorted(SCOPES)
    assert all(well for well, _ in await looked(house))
    house.slack.scopes = sorted(set(SCOPES) - {"files:read", "users:read"})
    wrong = [text for well, text in await looked(house) if not well]
    assert len(wrong) == 2
    assert "files:read" in wrong[0]
    assert "OAuth & Permissions" in wrong[0]


async def test_the_doctor_says_what_is_wrong(house: House) -> None:
    (found,) = await looked(house, slack_bot_token="xoxb-9-of-somebody-else")
    assert found == (False, "SLACK_BOT_TOKEN is rejected. Copy it again: OAuth & Permissions, Bot User OAuth Token.")
    *_, (well, text) = await looked(house, slack_app_token="xapp-9-of-somebody-else")
    assert (well, text.split(".")[0]) == (False, "SLACK_APP_TOKEN is rejected")
    (found,) = await looked(house, slack_app_token=None)
    assert found[1].startswith("SLACK_APP_TOKEN is needed")
    (found,) = await looked(house, slack_api_url="http://127.0.0.1:9")
    assert "gives no answer" in found[1]
    *_, (well, text) = await looked(
        house, slack_mode="http", slack_signing_secret="12345678", public_url="https://magpie.example.org"
    )
    assert (well, "https://magpie.example.org/slack/events" in text) == (True, True)
    *_, (well, text) = await looked(house, slack_mode="http", slack_signing_secret="12345678")
    assert (well, "PUBLIC_URL" in text) == (True, True)
