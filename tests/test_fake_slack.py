"""The fake Slack: each call that the real one refuses is made and seen refused; what it takes goes through."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, web
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.models.messages.chunk import BlocksChunk, MarkdownTextChunk, PlanUpdateChunk, TaskUpdateChunk
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.clock import PATIENCE, SimClock
from tests.fakes.pictures import picture
from tests.fakes.slack import Call, FakeSlack, Limits, Post, Room, User, signed

Json = dict[str, Any]


@pytest.fixture
def clock() -> SimClock:
    return SimClock()


@pytest.fixture
async def slack(clock: SimClock) -> AsyncIterator[FakeSlack]:
    async with FakeSlack(clock, limits=Limits(on=False)) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def client(slack: FakeSlack, http: ClientSession) -> AsyncWebClient:
    return client_of(slack, http)


def client_of(slack: FakeSlack, http: ClientSession, token: str = "") -> AsyncWebClient:
    return AsyncWebClient(token or slack.token, base_url=f"{slack.url}/", session=http, retry_handlers=[])


@pytest.fixture
async def ann(slack: FakeSlack) -> Room:
    return slack.private("Ann")


@pytest.fixture
async def asked(ann: Room) -> Post:
    return ann.write("Hello")


async def refused(client: AsyncWebClient, method: str, /, **params: Any) -> str:
    """The word that a call is refused with."""
    try:
        answer = await client.api_call(method, json=params)
    except SlackApiError as error:
        return str(error.response.data["error"])
    raise AssertionError(f"taken: {answer.data}")


def markdown(text: str) -> Json:
    return {"type": "markdown", "text": text}


def words(text: str, kind: str = "plain_text") -> Json:
    return {"type": kind, "text": text}


def button(label: str = "Stop", **more: Any) -> Json:
    return {"type": "button", "text": words(label), "action_id": "magpie:0", "value": "/stop", **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def cell(text: str) -> Json:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}


def table(*rows: list[Json]) -> Json:
    return {"type": "table", "rows": list(rows)}


# ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_real_client_can_talk_to_it(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    me = await client.auth_test()
    assert (me["user_id"], me["team_id"], me["bot_id"]) == (slack.bot.id, slack.team, slack.bot.bot_id)
    assert "chat:write" in me.headers["x-oauth-scopes"].split(",")
    sent = await client.chat_postMessage(
        channel=ann.id,
        thread_ts=asked.ts,
        text="Hello",
        blocks=[markdown("**Hello**"), {"type": "context", "elements": [words("a part")]}, actions(button())],
        unfurl_links=False,
        metadata={"event_type": "piece", "event_payload": {"key": "1.0"}},
    )
    await client.chat_update(channel=ann.id, ts=sent["ts"], text="Hello again")
    [shown] = slack.shown(ann, asked)
    assert (shown.text, shown.notes, shown.buttons, shown.edits) == ("Hello again", (), (), 1)
    assert shown.metadata == {"event_type": "piece", "event_payload": {"key": "1.0"}}, "it was not named, so it is kept"
    assert [(each.text, each.notes, each.buttons) for each in slack.history(ann, asked)] == [
        ("**Hello**", ("a part",), ("Stop",)),
        ("Hello again", (), ()),
    ]
    await client.chat_delete(channel=ann.id, ts=sent["ts"])
    assert slack.shown(ann) == []
    assert slack.history(ann)[-1].deleted
    assert [(call.method, call.status) for call in slack.calls] == [
        (method, 200) for method in ("auth.test", "chat.postMessage", "chat.update", "chat.delete")
    ]


async def test_a_form_and_json_mean_the_same(slack: FakeSlack, http: ClientSession, ann: Room) -> None:
    headers = {"Authorization": f"Bearer {slack.token}"}
    form = {"channel": ann.id, "text": "a", "blocks": json.dumps([markdown("b")])}
    for body in ({"data": form}, {"json": {**form, "blocks": [markdown("b")]}}, {"json": form}):
        async with http.post(f"{slack.url}/chat.postMessage", headers=headers, **body) as response:  # type: ignore[arg-type]
            assert (await response.json())["ok"]
    assert [each.text for each in slack.shown(ann)] == ["b"] * 3


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, "invalid_json"),
        ({"json": ["a"]}, "json_not_object"),
        ({"data": {"channel": "D1", "blocks": "[{"}}, "invalid_blocks_format"),
        ({"json": {"channel": "D1", "metadata": "{"}}, "invalid_metadata_format"),
    ],
)
async def test_what_can_not_be_read(slack: FakeSlack, http: ClientSession, body: Json, error: str) -> None:
    async with http.post(f"{slack.url}/chat.postMessage", **body) as response:
        assert (await response.json())["error"] == error


async def test_whose_token_it_is(slack: FakeSlack, http: ClientSession) -> None:
    async with http.post(f"{slack.url}/auth.test") as response:
        assert (response.status, (await response.json())["error"]) == (200, "not_authed")
    assert await refused(client_of(slack, http, "xoxb-wrong"), "auth.test") == "invalid_auth"
    assert await refused(client_of(slack, http, slack.app_token), "auth.test") == "not_allowed_token_type"
    assert await refused(client_of(slack, http), "apps.connections.open") == "not_allowed_token_type"
    assert await refused(client_of(slack, http), "chat.sing") == "unknown_method"


@pytest.mark.parametrize(
    ("scope", "method", "kind"),
    [
        ("chat:write", "chat.postMessage", "im"),
        ("chat:write", "assistant.threads.setStatus", "im"),
        ("assistant:write", "agents.sessions.setStatus", "im"),
        ("users:read", "users.info", "im"),
        ("files:read", "files.info", "im"),
        ("im:history", "conversations.replies", "im"),
        ("channels:history", "conversations.history", "channel"),
        ("groups:read", "conversations.info", "group"),
    ],
)
async def test_a_scope_that_is_missing(
    slack: FakeSlack, client: AsyncWebClient, scope: str, method: str, kind: str
) -> None:
    room = slack.private("Ann") if kind == "im" else slack.channel(private=kind == "group")
    slack.world.scopes = {"commands", *slack.world.scopes} - {scope}
    with pytest.raises(SlackApiError) as error:
        await client.api_call(method, json={"channel": room.id, "user": "U1"})
    said = error.value.response.data
    assert (said["error"], said["needed"]) == ("missing_scope", scope)
    assert "commands" in said["provided"].split(",")


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_where_nothing_can_be_posted(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    post = "chat.postMessage"
    channel, private, foreign = slack.channel(), slack.channel(private=True), slack.channel(private=True, bot=False)
    assert await refused(client, post, text="a") == "invalid_arguments"
    assert await refused(client, post, channel={"id": ann.id}, text="a") == "invalid_arguments"
    assert await refused(client, post, channel="C404", text="a") == "channel_not_found"
    assert await refused(client, post, channel=foreign.id, text="a") == "channel_not_found"
    channel.archive()
    assert await refused(client, post, channel=channel.id, text="a") == "is_archived"
    channel.archive(back=True)
    channel.remove_bot()
    assert await refused(client, post, channel=channel.id, text="a") == "not_in_channel"
    private.restriction = "restricted_action_read_only_channel"
    assert await refused(client, post, channel=private.id, text="a") == "restricted_action_read_only_channel"
    ann.person.deleted = True
    assert await refused(client, post, channel=ann.id, text="a") == "user_not_found"


async def test_a_persons_id_stands_for_the_conversation_with_them(slack: FakeSlack, client: AsyncWebClient) -> None:
    bob = slack.person("Bob")
    sent = await client.chat_postMessage(channel=bob.id, text="Hello")
    opened = await client.conversations_open(users=bob.id)
    assert sent["channel"] == opened["channel"]["id"] == slack.private(bob).id
    assert await refused(client, "conversations.open", users="U404") == "user_not_found"


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "no_text"),
        ({"text": "x" * 4_001}, "msg_too_long"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
        ({"markdown_text": "x", "blocks": [markdown("y")]}, "markdown_text_conflict"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_format"),
        ({"text": "x", "metadata": {"event_type": "a", "event_payload": "b"}}, "invalid_metadata_format"),
        ({"blocks": "["}, "invalid_blocks_format"),
        ({"blocks": {"type": "markdown"}}, "invalid_blocks_format"),
    ],
)
async def test_content_that_is_refused(
    client: AsyncWebClient, ann: Room, method: str, params: Json, error: str
) -> None:
    sent = await client.chat_postMessage(channel=ann.id, text="a")
    assert await refused(client, method, channel=ann.id, ts=sent["ts"], **params) == error
    await client.api_call(method, json={"channel": ann.id, "ts": sent["ts"], "text": "x" * 4_000})
    await client.api_call(method, json={"channel": ann.id, "ts": sent["ts"], "markdown_text": "x" * 12_000})


BAD_BLOCKS: dict[str, list[Any]] = {
    "too many": [{"type": "divider"}] * 51,
    "no type": [{"text": "a"}],
    "no object": ["a"],
    "unknown": [{"type": "carousel_of_mine"}],
    "input in a message": [{"type": "input", "label": words("a"), "element": {"type": "plain_text_input"}}],
    "long id": [{"type": "divider", "block_id": "x" * 256}],
    "same id": [{"type": "divider", "block_id": "x"}] * 2,
    "empty markdown": [markdown("")],
    "much markdown": [markdown("x" * 12_001)],
    "much markdown in all": [markdown("x" * 6_001)] * 2,
    "empty section": [{"type": "section"}],
    "long section": [{"type": "section", "text": words("x" * 3_001)}],
    "odd section": [{"type": "section", "text": words("x", "html")}],
    "many fields": [{"type": "section", "fields": [words("x")] * 11}],
    "long field": [{"type": "section", "fields": [words("x" * 2_001)]}],
    "long header": [{"type": "header", "text": words("x" * 151)}],
    "mrkdwn header": [{"type": "header", "text": words("x", "mrkdwn")}],
    "empty context": [{"type": "context", "elements": []}],
    "empty small print": [{"type": "context", "elements": [words("")]}],
    "much small print": [{"type": "context", "elements": [words("x")] * 11}],
    "picture without words": [{"type": "image", "image_url": "https://example.com/a.png"}],
    "picture from nowhere": [{"type": "image", "alt_text": "a"}],
    "no buttons": [actions()],
    "many buttons": [actions(*(button(action_id=f"{n}") for n in range(26)))],
    "one id for two": [actions(button(), button())],
    "long label": [actions(button("x" * 76))],
    "long value": [actions(button(value="x" * 2_001))],
    "long url": [actions(button(url="https://example.com/" + "x" * 3_000))],
    "odd style": [actions(button(style="blue"))],
    "long action": [actions(button(action_id="x" * 256))],
    "odd element": [actions({"type": "slider"})],
    "no options": [actions({"type": "static_select", "options": []})],
    "long option": [actions({"type": "static_select", "options": [{"text": words("x" * 76), "value": "x"}]})],
    "option's long value": [actions({"type": "static_select", "options": [{"text": words("x"), "value": "x" * 151}]})],
    "no such option": [
        actions({"type": "static_select", "options": [{"text": words("x"), "value": "x"}], "initial_option": {}})
    ],
    "no feedback": [{"type": "context_actions", "elements": [{"type": "feedback_buttons"}]}],
    "no rows": [table()],
    "empty row": [table([])],
    "empty cell": [table([cell("a"), cell("")])],
    "empty raw cell": [table([{"type": "raw_text", "text": ""}])],
    "odd cell": [table([words("a")])],
    "cell without elements": [table([{"type": "rich_text", "elements": []}])],
    "many rows": [table(*([cell("a")] for _ in range(101)))],
    "many columns": [table([cell("a")] * 21)],
    "much in cells": [table([cell("x" * 5_001), cell("x" * 5_000)])],
    "much about columns": [{**table([cell("a")]), "column_settings": [{"align": "left"}] * 21}],
    "odd part of a cell": [table([{"type": "rich_text", "elements": [words("a")]}])],
    "button of nothing": [actions("Stop")],  # type: ignore[arg-type]
    "two tables": [table([cell("a")]), table([cell("b")])],
}


@pytest.mark.parametrize("blocks", BAD_BLOCKS.values(), ids=BAD_BLOCKS)
async def test_blocks_that_are_refused(client: AsyncWebClient, ann: Room, blocks: list[Any]) -> None:
    with pytest.raises(SlackApiError) as error:
        await client.chat_postMessage(channel=ann.id, text="a", blocks=blocks)
    said = error.value.response.data
    assert said["error"] == "invalid_blocks"
    assert said["response_metadata"]["messages"]
    assert not ann.posts


async def test_blocks_that_are_taken(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    options = [{"text": words("Plus"), "value": "plus"}]
    await client.chat_postMessage(
        channel=ann.id,
        text="a",
        blocks=[
            {"type": "header", "text": words("A title")},
            markdown("x" * 6_000),
            markdown("y" * 6_000),
            {"type": "section", "text": words("*a*", "mrkdwn"), "fields": [words("b")], "accessory": button("Go")},
            table([cell("Model"), {"type": "raw_text", "text": "Price"}], *([cell("a"), cell("b")] for _ in range(99))),
            {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"},
            {"type": "context", "elements": [words("small"), words("print")]},
            actions(button(), {"type": "static_select", "action_id": "model", "options": options}),
            {"type": "rich_text", "elements": [{"type": "rich_text_list", "elements": [cell("in")["elements"][0]]}]},
            *[{"type": "divider"}] * 41,
        ],
    )
    [shown] = slack.shown(ann)
    assert shown.text.startswith("A title\n\nxxx")
    assert "*a*\nb\n\nModel | Price\na | b" in shown.text
    assert shown.text.endswith("a | b\n\nin")
    assert (shown.notes, shown.buttons) == (("small", "print"), ("Go", "Stop"))
    assert len({block["block_id"] for block in shown.blocks}) == 50, "each has an id of its own"


async def test_whom_a_message_rings_for(client: AsyncWebClient, ann: Room) -> None:
    async def rings(**content: Any) -> set[str]:
        sent = await client.chat_postMessage(channel=ann.id, **content)
        return ann.posts[sent["ts"]].rings

    everybody = {"U1", "W2", "here", "subteam^S1", "everyone"}
    assert await rings(text="<@U1> <@W2|ben> <!here> <!subteam^S1|us> @everyone") == everybody
    assert await rings(text="&lt;@U1&gt; &lt;!channel&gt; @\u200bhere <@\u200bU1> a@here.org") == {"here"}
    in_cell = {
        "type": "rich_text_section",
        "elements": [{"type": "user", "user_id": "U3"}, {"type": "text", "text": "<@U4>"}],
    }
    blocks = [markdown("`<@U1>`"), {"type": "context", "elements": [words("<@U5>"), words("<@U2>", "mrkdwn")]}]
    blocks.append(table([{"type": "rich_text", "elements": [in_cell]}]))
    assert await rings(blocks=blocks, text="-") == {"U1", "U2", "U3"}


async def test_changes_that_are_refused(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    sent = await client.chat_postMessage(channel=ann.id, text="a")
    where = {"channel": ann.id, "ts": sent["ts"]}
    assert await refused(client, "chat.update", channel=ann.id, text="b") == "invalid_arguments"
    assert await refused(client, "chat.update", channel=ann.id, ts="1.2", text="b") == "message_not_found"
    assert await refused(client, "chat.update", channel=ann.id, ts=asked.ts, text="b") == "cant_update_message"
    assert await refused(client, "chat.delete", channel=ann.id, ts=asked.ts) == "cant_delete_message"
    ann.edits_closed = True
    assert await refused(client, "chat.update", **where, text="b") == "edit_window_closed"
    ann.archive()
    assert await refused(client, "chat.update", **where, text="b") == "is_inactive"
    await client.chat_delete(**where)
    assert await refused(client, "chat.delete", **where) == "message_not_found"


async def test_what_a_change_keeps(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    """docs.slack.dev: chat.update: text without blocks takes the blocks away; an empty object takes metadata away."""
    meta = {"event_type": "a", "event_payload": {}}
    sent = await client.chat_postMessage(channel=ann.id, text="a", blocks=[markdown("b")], metadata=meta)
    where = {"channel": ann.id, "ts": sent["ts"]}
    await client.api_call("chat.update", json={**where, "metadata": {}})
    assert [(each.text, each.metadata) for each in slack.shown(ann)] == [("b", None)]
    await client.api_call("chat.update", json={**where, "text": "c"})
    assert [(each.text, each.blocks) for each in slack.shown(ann)] == [("c", ())]


async def test_what_only_one_person_sees(slack: FakeSlack, client: AsyncWebClient) -> None:
    bob, eve = slack.person("Bob"), slack.person("Eve")
    room = slack.channel(bob)
    await client.chat_postEphemeral(channel=room.id, user=bob.id, text="psst")
    assert [each.text for each in slack.whispered(room, bob)] == ["psst"]
    assert slack.shown(room) == []
    assert await refused(client, "chat.postEphemeral", channel=room.id, user=eve.id, text="a") == "user_not_in_channel"
    ts = slack.whispered(room, bob)[0].ts
    assert await refused(client, "chat.update", channel=room.id, ts=ts, text="a") == "message_not_found"


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def started(client: AsyncWebClient, room: Room, asked: Post, text: str = "") -> Json:
    who = {} if room.kind == "im" else {"recipient_user_id": asked.by.id, "recipient_team_id": asked.by.team}
    answer = await client.chat_startStream(channel=room.id, thread_ts=asked.ts, markdown_text=text or None, **who)
    return {"channel": room.id, "ts": answer["ts"]}


async def test_a_stream(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    where = await started(client, ann, asked, "One")
    await client.chat_appendStream(**where, markdown_text=" two")
    chunks = [
        MarkdownTextChunk(text=" three"),
        TaskUpdateChunk(id="1", title="t", status="pending"),
        PlanUpdateChunk(title="p"),
        BlocksChunk(blocks=[{"type": "divider"}]),
    ]
    await client.chat_appendStream(**where, chunks=chunks)
    assert slack.shown(ann, asked)[0].streaming
    meta = {"event_type": "piece", "event_payload": {"key": "1"}}
    tail = [{"type": "context", "elements": [words("a part")]}, actions(button("Retry"))]
    await client.chat_stopStream(**where, markdown_text=" four", blocks=tail, metadata=meta, session_status="active")
    [shown] = slack.shown(ann, asked)
    assert (shown.text, shown.notes, shown.buttons) == ("One two three four", ("a part",), ("Retry",))
    assert (shown.streaming, shown.metadata, slack.session(ann, asked)) == (False, meta, "active")
    texts = [version.text for version in slack.history(ann)]
    assert all(later.startswith(text) for text, later in itertools.pairwise(texts))
    await client.chat_update(**where, text="All of it", blocks=[markdown("**All** of it")])
    assert slack.shown(ann)[0].text == "**All** of it"


async def test_streams_that_do_not_start(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    start, channel = "chat.startStream", slack.channel()
    there = {"channel": channel.id, "thread_ts": channel.mention("Hello").ts}
    here = {"channel": ann.id, "thread_ts": asked.ts}
    assert await refused(client, start, channel=ann.id) == "invalid_arguments"
    assert await refused(client, start, channel=ann.id, thread_ts="1.2") == "invalid_thread_ts"
    assert await refused(client, start, **there) == "missing_recipient_user_id"
    some = {"recipient_user_id": channel.person.id}
    assert await refused(client, start, **there, **some) == "missing_recipient_team_id"
    assert await refused(client, start, **there, **some, recipient_team_id="T404") == "user_not_found"
    eve = slack.person("Eve", team="T0ELSEWHERE")
    assert (
        await refused(client, start, **there, recipient_user_id=eve.id, recipient_team_id=slack.team)
        == "user_not_found"
    )
    await client.chat_startStream(**there, recipient_user_id=eve.id, recipient_team_id=eve.team)
    assert await refused(client, start, **there, recipient_user_id="U404") == "missing_recipient_team_id"
    assert await refused(client, start, **here, recipient_user_id="U404") == "user_not_found"
    assert await refused(client, start, **here, markdown_text="x" * 12_001) == "msg_too_long"
    assert await refused(client, start, **here, markdown_text="汉" * 3_534) == "msg_too_long"
    mixed = {"markdown_text": "a", "chunks": [{"type": "markdown_text", "text": "b"}]}
    assert await refused(client, start, **here, **mixed) == "invalid_arguments"
    several = slack.several(slack.person("Bob"), slack.person("Eve"))
    root = several.mention("Hello")
    assert await refused(client, start, channel=several.id, thread_ts=root.ts) == "channel_type_not_supported"
    slack.streaming.works = False
    assert await refused(client, start, **here) == "feature_not_enabled"


async def test_a_stream_takes_so_many_bytes_in_all(client: AsyncWebClient, ann: Room, asked: Post) -> None:
    where = await started(client, ann, asked, "汉" * 3_000)
    await client.chat_appendStream(**where, markdown_text="x" * 1_600)
    assert await refused(client, "chat.appendStream", **where, markdown_text="x") == "msg_too_long"
    assert await refused(client, "chat.stopStream", **where, markdown_text="x") == "msg_too_long"
    await client.chat_stopStream(**where)


async def test_what_a_stream_does_not_take(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    append, stop = "chat.appendStream", "chat.stopStream"
    where = await started(client, ann, asked, "a")
    assert await refused(client, append, **where) == "no_text"
    assert await refused(client, append, channel=ann.id, ts="1.2", markdown_text="a") == "message_not_found"
    assert await refused(client, append, channel=ann.id, ts=asked.ts, markdown_text="a") == "message_not_owned_by_app"
    assert await refused(client, append, **where, markdown_text="x" * 12_001) == "msg_too_long"
    for chunk in ({"type": "song"}, {"type": "task_update", "id": "1", "title": "t", "status": "late"}, {}):
        assert await refused(client, append, **where, chunks=[chunk]) == "invalid_chunks"
    many = [{"type": "blocks", "blocks": [{"type": "divider"}] * 51}]
    assert await refused(client, append, **where, chunks=many) == "msg_blocks_too_many"
    assert await refused(client, stop, **where, blocks=[markdown("")]) == "invalid_blocks"
    assert await refused(client, stop, **where, session_status="asleep") == "invalid_arguments"
    assert await refused(client, stop, **where, metadata={"event_type": "a"}) == "invalid_metadata_format"
    assert await refused(client, "chat.update", **where, text="b") == "streaming_state_conflict"
    await client.chat_stopStream(**where)
    for method in (append, stop):
        assert await refused(client, method, **where, markdown_text="b") == "message_not_in_streaming_state"
    posted = await client.chat_postMessage(channel=ann.id, text="a")
    one = {"channel": ann.id, "ts": posted["ts"]}
    assert await refused(client, append, **one, markdown_text="b") == "message_not_in_streaming_state"
    assert [each.text for each in slack.shown(ann, asked)] == ["a"]
    where = await started(client, ann, asked, "a")
    ann.archive()
    assert await refused(client, append, **where, markdown_text="b") == "is_archived"


async def test_a_stream_lives_five_minutes_however_lively(
    slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post, clock: SimClock
) -> None:
    where = await started(client, ann, asked, "a")
    await clock.advance(299)
    await client.chat_appendStream(**where, markdown_text="b")
    assert slack.shown(ann)[0].streaming
    await clock.advance(1)
    assert not slack.shown(ann)[0].streaming
    assert await refused(client, "chat.appendStream", **where, markdown_text="c") == "message_not_in_streaming_state"
    assert await refused(client, "chat.stopStream", **where) == "message_not_in_streaming_state"
    await client.chat_update(**where, text="abc")  # the way out (python-slack-sdk#1880)
    assert slack.shown(ann)[0].text == "abc"


async def test_somebody_stops_it(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    with pytest.raises(AssertionError, match="no session"):
        ann.stop(asked)
    await client.agents_sessions_setStatus(channel_id=ann.id, thread_ts=asked.ts, status="processing", title="A talk")
    where = await started(client, ann, asked, "a")
    stopped = ann.stop(asked)
    assert stopped is not None
    event = stopped.payload["event"]
    assert (event["type"], event["thread_ts"]) == ("agent_session_stopped", asked.ts)
    assert (event["user"], event["streaming_message_ts"]) == (ann.person.id, [where["ts"]])
    assert await refused(client, "chat.appendStream", **where, markdown_text="b") == "stopped_by_user"
    assert await refused(client, "chat.stopStream", **where) == "message_not_in_streaming_state"
    assert slack.session(ann, asked) == "processing", "the app itself has to say that it has stopped"
    await client.agents_sessions_setStatus(channel_id=ann.id, thread_ts=asked.ts, status="active")
    with pytest.raises(AssertionError, match="active"):
        ann.stop(asked)


# ── at work ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_status_line(
    slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post, clock: SimClock
) -> None:
    method, where = "assistant.threads.setStatus", {"channel_id": ann.id, "thread_ts": asked.ts}
    await client.assistant_threads_setStatus(**where, status="is thinking…", loading_messages=["a"] * 10)
    assert slack.doing(ann, asked) == "is thinking…"
    await clock.advance(121)
    assert slack.doing(ann, asked) == "", "after two minutes"
    await client.assistant_threads_setStatus(**where, status="is thinking…")
    await client.chat_postMessage(channel=ann.id, thread_ts=asked.ts, text="a")
    assert slack.doing(ann, asked) == "", "a reply takes it away"
    assert await refused(client, method, **where) == "invalid_arguments"
    assert await refused(client, method, channel_id=ann.id, status="a") == "invalid_arguments"
    assert await refused(client, method, channel_id=ann.id, thread_ts="1.2", status="a") == "thread_not_found"
    assert await refused(client, method, **where, status="a", loading_messages=["a"] * 11) == "invalid_arguments"


async def test_sessions_of_agents(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    method, where = "agents.sessions.setStatus", {"channel_id": ann.id, "thread_ts": asked.ts}
    assert await refused(client, method, **where, status="busy") == "invalid_arguments"
    assert await refused(client, method, **where, status="active", title="x" * 201) == "invalid_arguments"
    await client.agents_sessions_setStatus(**where, status="active")
    await client.agents_sessions_rename(**where, title="Cats")
    assert slack.world.sessions[ann.id, asked.ts].title == "Cats"
    assert await refused(client, "agents.sessions.rename", **where, title="x" * 201) == "invalid_arguments"
    slack.world.events.discard("agent_session_stopped")
    answer = await client.agents_sessions_setStatus(**where, status="processing")
    assert answer["warning"] == "missing_agent_session_stopped_event_subscription"
    with pytest.raises(AssertionError, match="no button"):
        ann.stop(asked)
    slack.world.is_agent = False
    assert await refused(client, method, **where, status="active") == "not_an_agent"


# ── looking up ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_thread_is_read(slack: FakeSlack, client: AsyncWebClient) -> None:
    room = slack.channel(bob := slack.person("Bob"))
    root = room.write("A question", bob, unheard=True)
    others = [room.write(f"reply {n}", bob, thread=root, unheard=True) for n in range(5)]
    meta = {"event_type": "piece", "event_payload": {"key": "1"}}
    await client.chat_postMessage(channel=room.id, thread_ts=root.ts, text="mine", metadata=meta)
    room.delete(others[4])

    async def read(**more: Any) -> tuple[list[str], Json]:
        answer = await client.conversations_replies(channel=room.id, ts=root.ts, **more)
        return [message["text"] for message in answer["messages"]], answer.data  # type: ignore[return-value]

    texts, answer = await read()
    assert texts == ["A question", "reply 0", "reply 1", "reply 2", "reply 3", "mine"]
    assert "metadata" not in answer["messages"][-1]
    assert (answer["messages"][0]["reply_count"], answer["has_more"]) == (5, False)
    _, answer = await read(include_all_metadata=True)
    assert answer["messages"][-1]["metadata"] == meta
    texts, answer = await read(limit=3)
    assert (texts, answer["has_more"]) == (["A question", "reply 0", "reply 1"], True)
    texts, _ = await read(limit=3, cursor=answer["response_metadata"]["next_cursor"])
    assert texts == ["A question", "reply 2", "reply 3"]
    assert (await read(oldest=others[0].ts, latest=others[2].ts))[0] == ["A question", "reply 1"]
    inside = await read(oldest=others[0].ts, latest=others[2].ts, inclusive=True)
    assert inside[0] == ["A question", "reply 0", "reply 1", "reply 2"]
    method = "conversations.replies"
    assert await refused(client, method, channel=room.id, ts="1.2") == "thread_not_found"
    assert await refused(client, method, channel=room.id, ts=root.ts, cursor="x") == "invalid_cursor"
    assert await refused(client, method, channel=room.id, ts=root.ts, limit="all") == "invalid_arguments"
    assert await refused(client, method, channel="C404", ts=root.ts) == "channel_not_found"
    assert await refused(client, method, channel=room.id) == "invalid_arguments"
    room.remove_bot()
    assert await refused(client, method, channel=room.id, ts=root.ts) == "not_in_channel"


async def test_conversations_and_people(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    room = slack.channel(bob := slack.person("Bob", "zh-CN"), name="cats", bot=False)
    found = (await client.conversations_info(channel=room.id))["channel"]
    assert (found["name"], found["is_member"], found["is_archived"]) == ("cats", False, False)
    assert (await client.conversations_info(channel=ann.id))["channel"]["user"] == ann.person.id
    room.invite_bot()
    room.archive()
    found = (await client.conversations_info(channel=room.id))["channel"]
    assert (found["is_member"], found["is_archived"]) == (True, True)
    assert (await client.conversations_members(channel=room.id))["members"] == [bob.id, slack.bot.id]
    ann.write("one", unheard=True)
    ann.write("two", unheard=True)
    history = await client.conversations_history(channel=ann.id)
    assert [message["text"] for message in history["messages"]] == ["two", "one"]
    known = (await client.users_info(user=bob.id, include_locale=True))["user"]
    assert (known["profile"]["display_name"], known["locale"]) == ("Bob", "zh-CN")
    assert "locale" not in (await client.users_info(user=bob.id))["user"]
    assert await refused(client, "users.info", user="U404") == "user_not_found"
    assert len(slack.called("users.info")) == 3


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_files(slack: FakeSlack, client: AsyncWebClient, http: ClientSession, ann: Room) -> None:
    file = slack.file(picture(40, 30), "cat.jpg")
    post = ann.write("look", files=[file])
    [told] = post.json["files"]
    assert (post.subtype, told["mimetype"], told["original_w"]) == ("file_share", "image/jpeg", 40)
    mine = {"Authorization": f"Bearer {slack.token}"}

    async def fetched(url: str, **headers: str) -> tuple[int, str, bytes, str]:
        async with http.get(url, headers=headers, allow_redirects=False) as response:
            body = await response.read()
            return response.status, response.content_type, body, response.headers.get("Location", "")

    assert (await fetched(told["url_private"], **mine))[:3] == (200, "image/jpeg", file.data)
    for headers in ({}, {"Authorization": "Bearer xoxb-wrong"}):
        status, kind, body, _ = await fetched(told["url_private"], **headers)
        assert (status, kind) == (200, "text/html")
        assert b"Sign in" in body
    slack.files.redirect = "cdn"
    status, _, _, cdn = await fetched(told["url_private"], **mine)
    assert status == 302
    assert not cdn.startswith(slack.base)
    assert (await fetched(cdn))[1] == "text/html", "the CDN wants the bearer too"
    assert (await fetched(cdn, **mine))[2] == file.data
    slack.files.redirect = "steps"
    status, _, _, step = await fetched(told["url_private"], **mine)
    assert (status, step.startswith("/")) == (302, True)
    assert (await fetched(slack.base + step, **mine))[3] == cdn
    slack.world.scopes.discard("files:read")
    assert (await fetched(cdn, **mine))[1] == "text/html"
    assert len(slack.called("file")) == 9


async def test_files_of_another_workspace_and_none(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    file = slack.file(external=True)
    told = ann.write("look", files=[file]).json["files"][0]
    assert told["file_access"] == "check_file_info"
    assert "url_private" not in told
    assert (await client.files_info(file=file.id))["file"]["url_private"] == file.url
    file.deleted = True
    assert await refused(client, "files.info", file=file.id) == "file_deleted"
    assert await refused(client, "files.info", file="F404") == "file_not_found"


# ── too fast ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "most"),
    [("chat.startStream", 20), ("chat.stopStream", 20), ("chat.update", 50), ("chat.appendStream", 100)],
)
async def test_tiers(http: ClientSession, clock: SimClock, method: str, most: int) -> None:
    """docs.slack.dev: Rate limits. Per method and workspace; a call that is wrong counts as others do."""
    async with FakeSlack(clock) as slack:
        client = client_of(slack, http)
        for _ in range(most):
            assert await refused(client, method, channel="C404") != "ratelimited"
        with pytest.raises(SlackApiError) as error:
            await client.api_call(method, json={"channel": "C404"})
        response = error.value.response
        assert (response.status_code, response.data["error"]) == (429, "ratelimited")
        assert 58 <= int(response.headers["Retry-After"]) <= 60
        assert slack.floods == 1
        await client.auth_test()
        await clock.advance(float(response.headers["Retry-After"]))
        assert await refused(client, method, channel="C404") != "ratelimited"
        assert [call.status for call in slack.called(method)].count(429) == 1


async def test_one_message_a_second_and_channel(http: ClientSession, clock: SimClock) -> None:
    async with FakeSlack(clock) as slack:
        client, ann, bob = client_of(slack, http), slack.private("Ann"), slack.private("Bob")
        for _ in range(3):
            await client.chat_postMessage(channel=ann.id, text="a")
        assert await refused(client, "chat.postMessage", channel=ann.id, text="a") == "ratelimited"
        await client.chat_postMessage(channel=bob.id, text="a")
        await clock.advance(1)
        await client.chat_postMessage(channel=ann.id, text="a")
        assert await refused(client, "chat.postMessage", channel=ann.id, text="a") == "ratelimited"
        assert (slack.floods, len(slack.shown(ann))) == (2, 4)
        assert slack.hasty == [], "each came when it was told to, or in another channel"
        await refused(client, "chat.postMessage", channel=ann.id, text="a")
        assert slack.hasty == slack.calls[-1:]
        slack.limits.on = False
        await client.chat_postMessage(channel=ann.id, text="a")


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_scripted_failures(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    bob = slack.private("Bob")
    slack.fail("chat.postMessage", 2, "429", seconds=7)
    slack.fail("chat.postMessage", 3, "500", chat=bob)
    slack.fail("chat.postMessage", 3, "502", chat=ann)
    await client.chat_postMessage(channel=ann.id, text="1")
    with pytest.raises(SlackApiError) as error:
        await client.chat_postMessage(channel=ann.id, text="2")
    assert error.value.response.headers["Retry-After"] == "7"
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=ann.id, text="3")
    assert slack.called("chat.postMessage")[-1].status == 502
    slack.fail("", 1, "channel_not_found")
    assert await refused(client, "auth.test") == "channel_not_found"
    assert ([each.text for each in slack.shown(ann)], slack.floods) == (["1"], 0)
    slack.faults.clear()


@pytest.mark.parametrize(("how", "text"), [("drop", []), ("lost", ["a"]), ("hang", []), ("mute", ["a"])])
async def test_calls_of_unknown_outcome(
    slack: FakeSlack, client: AsyncWebClient, ann: Room, how: str, text: list[str]
) -> None:
    fault = slack.fail("chat.postMessage", 1, how)
    posting = asyncio.create_task(client.chat_postMessage(channel=ann.id, text="a"))
    await slack.until(lambda: fault.hits and [each.text for each in slack.shown(ann)] == text)
    with pytest.raises((TimeoutError, OSError, ClientError)):
        await asyncio.wait_for(posting, 0.3)
    assert [each.text for each in slack.shown(ann)] == text
    assert slack.called("chat.postMessage")[0].status == 0


async def test_a_refusal_that_says_when_to_come_back(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    slack.refuse(after=1)
    await client.chat_postMessage(channel=ann.id, text="a")
    assert [call.status for call in slack.calls] == [429, 200]


async def test_a_test_is_told_of_each_moment_of_a_call(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    moments: list[tuple[str, str, int]] = []

    async def note(moment: str, call: Call) -> None:
        moments.append((moment, call.method, len(ann.posts)))

    slack.at = note
    await client.chat_postMessage(channel=ann.id, text="a")
    await slack.until(lambda: len(moments) == 3)
    assert moments == [(moment, "chat.postMessage", moment != "arrived") for moment in ("arrived", "done", "answered")]


async def test_it_can_go_away_and_come_back(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    await client.chat_postMessage(channel=ann.id, text="a")
    await slack.stop()
    with pytest.raises((OSError, ClientError)):
        await client.chat_postMessage(channel=ann.id, text="b")
    async with slack:
        await client.chat_postMessage(channel=ann.id, text="c")
    assert [each.text for each in slack.shown(ann)] == ["a", "c"]


# ── Socket Mode ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def connected(slack: FakeSlack, http: ClientSession) -> ClientWebSocketResponse:
    """A connection, before its `hello`."""
    opened = await client_of(slack, http).apps_connections_open(app_token=slack.app_token)
    return await http.ws_connect(opened["url"])


async def greeted(slack: FakeSlack, http: ClientSession) -> ClientWebSocketResponse:
    socket = await connected(slack, http)
    hello = await socket.receive_json(timeout=PATIENCE)
    assert hello["type"] == "hello"
    return socket


async def received(socket: ClientWebSocketResponse, answer: Json | None = None, *, ack: bool = True) -> Json:
    envelope: Json = await socket.receive_json(timeout=PATIENCE)
    if ack:
        payload = {} if answer is None else {"payload": answer}
        await socket.send_json({"envelope_id": envelope["envelope_id"], **payload})
    return envelope


async def test_the_libraries_socket_client(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    got: list[SocketModeRequest] = []

    async def take(sockets: SocketModeClient, request: SocketModeRequest) -> None:
        got.append(request)
        await sockets.send_socket_mode_response(SocketModeResponse(request.envelope_id))

    sockets = SocketModeClient(slack.app_token, web_client=client)
    sockets.socket_mode_request_listeners.append(take)  # type: ignore[arg-type]
    await sockets.connect()
    try:
        post = ann.write("Hello")
        await slack.until(lambda: [each.state for each in slack.deliveries.all] == ["acknowledged"])
        event = got[0].payload["event"]
        assert (event["text"], event["ts"], event["channel_type"]) == ("Hello", post.ts, "im")
        await slack.sockets.leave(slack.sockets.open[0])  # it closes the old one, then opens another
        await slack.until(lambda: len(slack.called("apps.connections.open")) == 2 and len(slack.sockets.open) == 1)
        ann.write("Hello again")
        await slack.until(lambda: len(got) == 2)
    finally:
        await sockets.close()
        await sockets.aiohttp_client_session.close()


async def test_an_event_that_is_not_acknowledged_comes_again(
    slack: FakeSlack, http: ClientSession, ann: Room, clock: SimClock
) -> None:
    socket = await greeted(slack, http)
    ann.write("Hello")
    first = await received(socket, ack=False)
    assert (first["retry_attempt"], first["retry_reason"]) == (0, "")
    seen = [first["payload"]["event_id"]]
    for retry, pause in ((1, 0.0), (2, 60.0), (3, 300.0)):
        await clock.advance(3.0 + pause)
        again = await received(socket, ack=False)
        assert (again["retry_attempt"], again["retry_reason"]) == (retry, "timeout")
        assert again["envelope_id"] != first["envelope_id"]
        seen.append(again["payload"]["event_id"])
    assert len(set(seen)) == 1
    await clock.advance(3.0)
    [delivery] = slack.deliveries.all
    assert (delivery.state, delivery.tries) == ("failed", 4)
    with pytest.raises(AssertionError, match="failed"):
        await delivery.wait()
    slack.deliveries.again(delivery)
    assert (await received(socket))["payload"]["event_id"] == seen[0]
    await socket.close()


async def test_an_event_goes_to_one_of_the_sockets(slack: FakeSlack, http: ClientSession, ann: Room) -> None:
    sockets = [await greeted(slack, http) for _ in range(2)]
    for n in range(4):
        ann.write(str(n))
    got = [await received(socket) for socket in sockets for _ in range(2)]
    assert sorted(envelope["payload"]["event"]["text"] for envelope in got) == ["0", "1", "2", "3"]
    await slack.until(lambda: all(each.state == "acknowledged" for each in slack.deliveries.all))
    for socket in sockets:
        await socket.close()


async def test_a_socket_that_is_leaving_brings_nothing_new(slack: FakeSlack, http: ClientSession, ann: Room) -> None:
    old, new = await greeted(slack, http), await greeted(slack, http)
    await slack.sockets.leave(slack.sockets.open[0], "warning")
    assert (await old.receive_json())["reason"] == "warning"
    ann.write("Hello")
    assert (await received(new))["type"] == "events_api"
    await slack.sockets.close(slack.sockets.open[0])
    assert (await old.receive()).data == 1000
    await new.close()


async def test_a_socket_that_is_lost_loses_no_event(slack: FakeSlack, http: ClientSession, ann: Room) -> None:
    """But a press is lost (bolt-python#1071)."""
    socket = await greeted(slack, http)
    ann.write("Hello")
    await received(socket, ack=False)
    await socket.close()
    await slack.until(lambda: not slack.sockets.open)
    command = ann.command("status")
    with pytest.raises(AssertionError, match="no socket"):
        await command.wait()
    second = await greeted(slack, http)
    again = await received(second)
    assert (again["payload"]["event"]["text"], again["retry_attempt"]) == ("Hello", 1)
    await second.close()


async def test_ten_sockets_at_most(slack: FakeSlack, http: ClientSession) -> None:
    sockets = [await greeted(slack, http) for _ in range(10)]
    eleventh = await connected(slack, http)
    assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
    assert (slack.sockets.refused, slack.sockets.most) == (1, 10)
    for socket in (*sockets, eleventh):
        await socket.close()
    async with http.get(f"{slack.base}/link/?ticket=used") as response:
        assert response.status == 403


# ── the Events API ──────────────────────────────────────────────────────────────────────────────────────────────────


class App:
    """What listens to pushes: its answers are scripted."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, str]] = []  # (headers, body)
        self.answers: list[web.Response] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.headers, await request.text()))
        return self.answers.pop(0) if self.answers else web.Response()


@pytest.fixture
async def app() -> AsyncIterator[App]:
    listener, routes = App(), web.Application()
    routes.router.add_post("/{rest:.*}", listener.take)
    runner = web.AppRunner(routes)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    yield listener
    await runner.cleanup()


async def test_pushes_are_signed(slack: FakeSlack, app: App, ann: Room) -> None:
    slack.pushes.url = app.url
    ann.write("你好")
    ann.command("set temperature 0.7")
    await slack.until(lambda: len(app.got) == 2)
    verifier = SignatureVerifier(slack.signing_secret)
    for headers, body in app.got:
        assert verifier.is_valid_request(body, dict(headers))
        assert not verifier.is_valid_request(f"{body} ", dict(headers))
    kinds = {headers["Content-Type"]: body for headers, body in app.got}
    assert json.loads(kinds["application/json"])["event"]["text"] == "你好"
    assert "command=%2Fmagpie&text=set+temperature+0.7" in kinds["application/x-www-form-urlencoded"]
    assert signed("a", "b", 1)["X-Slack-Signature"] != signed("a", "b", 2)["X-Slack-Signature"]


async def test_pushes_that_fail_come_again(slack: FakeSlack, app: App, ann: Room, clock: SimClock) -> None:
    slack.pushes.url = app.url
    app.answers = [web.Response(status=500), web.Response(status=503), web.Response()]
    ann.write("Hello")
    await slack.until(lambda: len(app.got) == 2)
    assert "X-Slack-Retry-Num" not in app.got[0][0]
    await clock.run(slack.deliveries.all[0].wait())
    assert [headers.get("X-Slack-Retry-Num") for headers, _ in app.got] == [None, "1", "2"]
    assert app.got[1][0]["X-Slack-Retry-Reason"] == "http_error"
    assert len({json.loads(body)["event_id"] for _, body in app.got}) == 1


async def test_pushes_that_are_not_to_come_again(slack: FakeSlack, app: App, ann: Room) -> None:
    slack.pushes.url = app.url
    app.answers = [web.Response(status=500, headers={"X-Slack-No-Retry": "1"})]
    ann.write("Hello")
    await slack.until(lambda: slack.deliveries.all[0].state == "failed")
    app.answers = [web.Response(status=307, headers={"Location": app.url}) for _ in range(3)]
    ann.write("Hello")
    await slack.until(lambda: slack.deliveries.all[1].reasons == ["too_many_redirects"])
    slack.pushes.url = "http://127.0.0.1:9/"
    ann.write("Hello")
    await slack.until(lambda: slack.deliveries.all[2].reasons[:1] == ["connection_failed"])


async def test_an_address_is_verified_by_a_real_app(slack: FakeSlack, http: ClientSession, ann: Room) -> None:
    from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request

    got: list[Json] = []
    bolt = AsyncApp(signing_secret=slack.signing_secret, client=client_of(slack, http))

    @bolt.event("message")
    async def take(body: Json) -> None:
        got.append(body)

    @bolt.command("/magpie")
    async def command(ack: Any) -> None:
        await ack("done")

    async def serve(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    routes = web.Application()
    routes.router.add_post("/events", serve)
    runner = web.AppRunner(routes)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    assert await slack.pushes.verify(url)
    ann.write("Hello")
    await slack.until(lambda: got)
    assert got[0]["event"]["text"] == "Hello"
    assert await ann.command("status").wait() == {"text": "done"}
    assert [each.text for each in slack.whispered(ann)] == ["done"], "what a command says is seen"
    slack.pushes.secret = "another"
    assert not await slack.pushes.verify(url)
    await runner.cleanup()


# ── what people do ──────────────────────────────────────────────────────────────────────────────────────────────────


def events(slack: FakeSlack) -> list[Json]:
    return [each.payload["event"] for each in slack.deliveries.all if each.kind == "events_api"]


@pytest.mark.parametrize("mention_first", [False, True])
async def test_a_mention_comes_twice(slack: FakeSlack, mention_first: bool) -> None:
    room = slack.channel(bob := slack.person("Bob"), slack.person("Eve"))
    root = room.write("Anybody?", bob)
    room.mention("you?", thread=root, mention_first=mention_first)
    _, *both = slack.deliveries.all
    kinds = [each.payload["event"]["type"] for each in both]
    assert kinds == (["app_mention", "message"] if mention_first else ["message", "app_mention"])
    assert len({each.payload["event_id"] for each in both}) == 2
    assert len({each.payload["event"]["ts"] for each in both}) == 1
    assert {each.payload["event"]["thread_ts"] for each in both} == {root.ts}


async def test_a_message_with_replies_leaves_a_tombstone(slack: FakeSlack, client: AsyncWebClient) -> None:
    room = slack.channel()
    root = room.mention("Hello")
    reply = await client.chat_postMessage(channel=room.id, thread_ts=root.ts, text="mine")
    room.delete(root)
    told = events(slack)[-1]
    assert (told["subtype"], told["message"]["subtype"], told["message"]["ts"]) == (
        "message_changed",
        "tombstone",
        root.ts,
    )
    assert (told["message"]["user"], told["previous_message"]["user"]) == ("USLACKBOT", room.person.id)
    found = await client.conversations_replies(channel=room.id, ts=root.ts)
    assert [message["text"] for message in found["messages"]] == ["This message was deleted.", "mine"]
    assert await refused(client, "chat.getPermalink", channel=room.id, message_ts=root.ts) == "message_not_found"
    more = await client.chat_postMessage(channel=room.id, thread_ts=root.ts, text="more")
    assert more["message"]["thread_ts"] == root.ts, "its thread goes on"
    for post in (reply, more):
        await client.chat_delete(channel=room.id, ts=post["ts"])
    assert await refused(client, "conversations.replies", channel=room.id, ts=root.ts) == "thread_not_found"


@pytest.mark.parametrize("is_lost", [False, True])
async def test_an_answer_to_what_is_gone_stands_in_the_channel(
    slack: FakeSlack, client: AsyncWebClient, is_lost: bool
) -> None:
    room = slack.channel()
    root = room.mention("Hello")
    assert (await client.chat_getPermalink(channel=room.id, message_ts=root.ts))["permalink"]
    (room.lose if is_lost else room.delete)(root)
    assert events(slack)[-1]["subtype" if not is_lost else "type"] == ("app_mention" if is_lost else "message_deleted")
    sent = await client.chat_postMessage(channel=room.id, thread_ts=root.ts, text="mine")
    assert "thread_ts" not in sent["message"]
    assert slack.shown(room)[0].thread_ts is None
    assert await refused(client, "chat.getPermalink", channel=room.id, message_ts=root.ts) == "message_not_found"


async def test_what_people_do_with_messages(slack: FakeSlack, client: AsyncWebClient) -> None:
    room = slack.channel(slack.person("Bob"))
    post = room.write("one")
    room.edit(post, "two")
    room.preview(post)
    room.delete(post)
    _, edited, preview, deleted = events(slack)
    assert (edited["subtype"], edited["message"]["text"]) == ("message_changed", "two")
    assert edited["previous_message"]["text"] == "one"
    assert preview["message"]["text"] == preview["previous_message"]["text"] == "two"
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", post.ts)
    assert deleted["previous_message"]["text"] == "two"
    sent = await client.chat_postMessage(channel=room.id, text="mine")
    await client.chat_delete(channel=room.id, ts=sent["ts"])
    assert events(slack)[-2]["bot_id"] == slack.bot.bot_id, "the app hears of its own messages"
    slack.world.echoes = False
    await client.chat_postMessage(channel=room.id, text="mine")
    assert events(slack)[-1]["subtype"] == "message_deleted"


async def test_events_that_nobody_asked_for(slack: FakeSlack, ann: Room) -> None:
    channel = slack.channel()
    slack.world.events.discard("message.im")
    slack.world.scopes.discard("channels:history")
    ann.write("Hello")
    channel.mention("Hello")
    assert [event["type"] for event in events(slack)] == ["app_mention"]
    slack.world.scopes.discard("app_mentions:read")
    channel.mention("Hello")
    slack.world.scopes |= {"channels:history", "app_mentions:read"}
    channel.remove_bot()
    channel.mention("Hello")
    assert [event["type"] for event in events(slack)] == ["app_mention", "channel_left"]


async def test_comings_and_goings(slack: FakeSlack, ann: Room) -> None:
    channel, private = slack.channel(bob := slack.person("Bob"), bot=False), slack.channel(private=True)
    channel.invite_bot(bob)
    channel.archive()
    channel.archive(back=True)
    channel.remove_bot()
    private.remove_bot()
    ann.open_home()
    ann.open_home(tab="messages")
    joined, *others = events(slack)
    assert (joined["type"], joined["user"], joined["inviter"]) == ("member_joined_channel", slack.bot.id, bob.id)
    kinds = ["channel_archive", "channel_unarchive", "channel_left", "group_left"]
    assert [event["type"] for event in others] == [*kinds, "app_home_opened", "app_home_opened"]
    assert [event.get("tab") for event in others[-2:]] == ["home", "messages"]


async def test_a_button_is_pressed(
    slack: FakeSlack, client: AsyncWebClient, http: ClientSession, ann: Room, asked: Post
) -> None:
    menu = {"type": "static_select", "action_id": "model", "options": [{"text": words("Plus"), "value": "plus"}]}
    sent = await client.chat_postMessage(
        channel=ann.id, thread_ts=asked.ts, text="a", blocks=[actions(button("Retry"), menu)]
    )
    socket = await greeted(slack, http)
    await received(socket)  # the question
    await received(socket)  # our own message
    pressed = ann.press(sent["ts"], "Retry")
    envelope = await received(socket)
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("interactive", True)
    body = envelope["payload"]
    assert (body["type"], body["user"]["id"]) == ("block_actions", ann.person.id)
    assert body["container"]["message_ts"] == body["message"]["ts"] == sent["ts"]
    assert body["container"]["thread_ts"] == asked.ts
    assert [(each["value"], each["type"]) for each in body["actions"]] == [("/stop", "button")]
    await pressed.wait()
    ann.press(sent["ts"], "model", choose="Plus")
    assert (await received(socket))["payload"]["actions"][0]["selected_option"]["value"] == "plus"
    with pytest.raises(AssertionError, match="nothing says"):
        ann.press(sent["ts"], "Stop")
    await socket.close()


async def test_a_press_that_is_not_acknowledged_is_not_repeated(
    slack: FakeSlack, http: ClientSession, ann: Room, clock: SimClock
) -> None:
    socket = await greeted(slack, http)
    command = ann.command("status")
    assert (await received(socket, ack=False))["payload"]["text"] == "status"
    await clock.advance(3.0)
    with pytest.raises(AssertionError, match="timeout"):
        await command.wait()
    assert command.tries == 1
    await socket.close()


async def test_response_urls(slack: FakeSlack, http: ClientSession, ann: Room, clock: SimClock) -> None:
    """Five times within 30 minutes."""
    url = ann.command("status").payload["response_url"]

    async def say(**body: Any) -> int:
        async with http.post(url, json=body) as response:
            return response.status

    assert [await say(text="a"), await say(text="b", response_type="in_channel")] == [200, 200]
    assert [each.text for each in slack.whispered(ann)] == ["a"]
    assert [each.text for each in slack.shown(ann)] == ["b"]
    assert await say(blocks=[markdown("")]) == 400
    assert [await say(text="c"), await say(text="d"), await say(text="e")] == [200, 200, 404]
    url = ann.command("status").payload["response_url"]
    await clock.advance(1801)
    assert await say(text="f") == 404
    assert len(slack.responses) == 4


async def test_a_message_is_changed_by_its_response_url(
    slack: FakeSlack, client: AsyncWebClient, http: ClientSession, ann: Room
) -> None:
    await client.chat_postEphemeral(channel=ann.id, user=ann.person.id, text="a", blocks=[actions(button())])
    [whisper] = ann.whispers[ann.person.id]
    body = ann.press(whisper, "Stop").payload
    assert body["container"]["is_ephemeral"]
    assert "message" not in body
    async with http.post(body["response_url"], json={"text": "b", "replace_original": True}) as response:
        assert response.ok
    assert [each.text for each in slack.whispered(ann)] == ["b"]
    async with http.post(body["response_url"], json={"delete_original": True}) as response:
        assert response.ok
    assert whisper.deleted


# ── views ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": words("Settings"), "submit": words("Save"), "blocks": list(blocks), **more}


def field(id: str = "system", **element: Any) -> Json:
    kind = {"type": "plain_text_input", "action_id": "value"}
    return {"type": "input", "block_id": id, "label": words("A label"), "element": {**kind, **element}}


def trigger(room: Room) -> str:
    return str(room.command("").payload["trigger_id"])


async def test_a_trigger_is_for_three_seconds_and_one_use(
    slack: FakeSlack, client: AsyncWebClient, ann: Room, clock: SimClock
) -> None:
    id = trigger(ann)
    await clock.advance(2.9)
    await client.views_open(trigger_id=id, view=modal(field()))
    assert await refused(client, "views.open", trigger_id=id, view=modal(field())) == "exchanged_trigger_id"
    id = trigger(ann)
    await clock.advance(3.1)
    assert await refused(client, "views.open", trigger_id=id, view=modal(field())) == "expired_trigger_id"
    assert await refused(client, "views.open", trigger_id="1.2", view=modal(field())) == "invalid_trigger_id"


BAD_VIEWS: dict[str, Json] = {
    "a home": {"type": "home", "blocks": []},
    "no blocks": {"type": "modal", "title": words("a")},
    "no title": {"type": "modal", "blocks": []},
    "long title": modal(title=words("x" * 25)),
    "mrkdwn title": modal(title=words("x", "mrkdwn")),
    "long submit": modal(submit=words("x" * 25)),
    "inputs without submit": {"type": "modal", "title": words("a"), "blocks": [field()]},
    "long metadata": modal(private_metadata="x" * 3_001),
    "long callback": modal(callback_id="x" * 256),
    "many blocks": modal(*[{"type": "divider"}] * 101),
    "markdown": modal(markdown("a")),
    "a table": modal(table([cell("a")])),
    "much in an input": modal(field(initial_value="x" * 11, max_length=10)),
    "no label": modal({"type": "input", "label": words(""), "element": {"type": "plain_text_input"}}),
    "long placeholder": modal(field(placeholder=words("x" * 151))),
}


@pytest.mark.parametrize("view", BAD_VIEWS.values(), ids=BAD_VIEWS)
async def test_views_that_are_refused(client: AsyncWebClient, ann: Room, view: Json) -> None:
    assert await refused(client, "views.open", trigger_id=trigger(ann)) == "invalid_arguments"
    assert await refused(client, "views.open", trigger_id=trigger(ann), view=view) == "invalid_arguments"


async def test_a_modal_is_filled_in(slack: FakeSlack, client: AsyncWebClient, http: ClientSession, ann: Room) -> None:
    options = [{"text": words(name), "value": name.lower()} for name in ("Plus", "Max")]
    choice = {"type": "static_select", "action_id": "value", "options": options, "initial_option": options[0]}
    picker = {"type": "input", "block_id": "model", "label": words("Model"), "element": choice}
    await client.views_open(trigger_id=trigger(ann), view=modal(field(initial_value="Be brief"), picker))
    view = slack.modal(ann.person)
    assert view is not None
    socket = await greeted(slack, http)
    refusal = {"response_action": "errors", "errors": {"system": "Too brief"}}
    submission = ann.submit(view, {"model": "max"})
    body = (await received(socket, refusal))["payload"]
    values = body["view"]["state"]["values"]
    assert (body["type"], values["system"]["value"]["value"]) == ("view_submission", "Be brief")
    assert values["model"]["value"]["selected_option"]["value"] == "max"
    assert await submission.wait() == refusal
    assert slack.modal(ann.person) is view, "it stays open"
    submission = ann.submit(view, {"system": "Be kind"})
    await received(socket)
    await submission.wait()
    assert slack.modal(ann.person) is None
    with pytest.raises(AssertionError, match="no such input"):
        ann.submit(view, {"colour": "red"})
    assert await refused(client, "views.update", view_id=view.id, view=modal()) == "not_found"
    await socket.close()


async def test_a_modal_is_changed(slack: FakeSlack, client: AsyncWebClient, ann: Room) -> None:
    opened = (await client.views_open(trigger_id=trigger(ann), view=modal(field(), external_id="mine")))["view"]
    changed = (await client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal(field("b"))))["view"]
    assert changed["blocks"][0]["block_id"] == "b"
    stale = {"view_id": opened["id"], "hash": opened["hash"], "view": modal()}
    assert await refused(client, "views.update", **stale) == "hash_conflict"
    assert await refused(client, "views.update", view_id="V404", view=modal()) == "not_found"


async def test_app_home(slack: FakeSlack, client: AsyncWebClient, http: ClientSession, ann: Room) -> None:
    view = {"type": "home", "blocks": [{"type": "section", "text": words("Model"), "accessory": button("Change")}]}
    published = (await client.views_publish(user_id=ann.person.id, view=view))["view"]
    home = slack.home(ann.person)
    assert home is not None
    assert home["blocks"][0]["text"] == words("Model")
    shown = slack.world.interactivity.homes[ann.person.id]
    body = ann.press_in(shown, "Change").payload
    assert (body["container"], body["view"]["id"]) == ({"type": "view", "view_id": shown.id}, published["id"])
    assert await refused(client, "views.publish", user_id="U404", view=view) == "invalid_arguments"
    assert await refused(client, "views.publish", user_id=ann.person.id, view=modal()) == "invalid_arguments"
    stale = {"user_id": ann.person.id, "hash": "old", "view": view}
    assert await refused(client, "views.publish", **stale) == "hash_conflict"
    opened = ann.open_home()
    assert opened is not None
    assert opened.payload["event"]["view"]["id"] == published["id"]


async def test_a_shortcut(slack: FakeSlack, client: AsyncWebClient, ann: Room, asked: Post) -> None:
    body = ann.shortcut(asked, "magpie:translate").payload
    assert (body["type"], body["callback_id"]) == ("message_action", "magpie:translate")
    assert (body["message"]["text"], body["message_ts"], body["channel"]["id"]) == ("Hello", asked.ts, ann.id)
    await client.views_open(trigger_id=body["trigger_id"], view=modal(field()))


async def test_somebody_of_another_workspace(slack: FakeSlack, client: AsyncWebClient) -> None:
    eve: User = slack.person("Eve", team="T0OTHER")
    post = slack.channel(slack.person("Bob")).write("Hello", eve)
    assert post.json["team"] == "T0OTHER"
    assert (await client.users_info(user=eve.id))["user"]["team_id"] == "T0OTHER"
