"""The fake Bot API server: each call that the real one refuses is made and seen refused; what it takes goes through."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
    Update,
)
from aiohttp import ClientSession, FormData, web
from PIL import Image

from tests.fakes.clock import PATIENCE, SimClock
from tests.fakes.telegram import FakeTelegram, Limits, Room, Topic, part, picture, text_mention, units
from tests.fakes.telegram.entities import found_entities

Answer = tuple[int, dict[str, Any]]


@pytest.fixture
async def tg() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(limits=Limits(on=False)) as server:
        yield server


@pytest.fixture
async def bot(tg: FakeTelegram) -> AsyncIterator[Bot]:
    async for each in _bots(tg):
        yield each


async def _bots(tg: FakeTelegram, token: str = "") -> AsyncIterator[Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(tg.url), timeout=PATIENCE)
    yield Bot(token or tg.token, session=session)
    await (await session.create_session()).close()  # AiohttpSession.close() waits a quarter of a second


async def call(tg: FakeTelegram, method: str, token: str = "", /, **params: Any) -> Answer:
    """A raw call with a JSON body."""
    url = f"{tg.url}/bot{token or tg.token}/{method}"
    async with ClientSession() as http, http.post(url, json=params) as response:
        return response.status, await response.json()


async def refused(tg: FakeTelegram, method: str, /, **params: Any) -> str:
    """The words of a 400."""
    status, body = await call(tg, method, **params)
    assert (status, body["ok"], body["error_code"]) == (400, False, 400), body
    return str(body["description"]).removeprefix("Bad Request: ")


async def updates(tg: FakeTelegram, **params: Any) -> list[dict[str, Any]]:
    status, body = await call(tg, "getUpdates", **params)
    assert status == 200, body
    return list(body["result"])


def button(text: str = "Stop", **more: Any) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": text, **more}]]}


# ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_real_client_can_talk_to_it(tg: FakeTelegram, bot: Bot) -> None:
    me = await bot.me()
    assert (me.username, me.can_read_all_group_messages, me.is_bot) == ("magpie_bot", False, True)
    ann = tg.private("Ann")
    sent = await bot.send_message(
        ann.id,
        "Hello **you**",
        parse_mode=None,
        entities=[MessageEntity(type="bold", offset=0, length=5)],
        reply_markup=InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Stop", callback_data="/stop")]]),
        link_preview_options=LinkPreviewOptions(is_disabled=True),
    )
    assert sent.chat.id == ann.id
    await bot.edit_message_text("Hello again", chat_id=ann.id, message_id=sent.message_id)
    await bot.send_chat_action(ann.id, "typing")
    [shown] = tg.shown(ann)
    assert (shown.text, shown.keyboard, shown.edits) == ("Hello again", (), 1)
    assert [(each.text, len(each.keyboard)) for each in tg.history(ann)] == [("Hello **you**", 1), ("Hello again", 0)]
    assert tg.doing(ann) == "typing"
    assert await bot.delete_message(ann.id, sent.message_id)
    assert tg.shown(ann) == []
    assert tg.history(ann)[-1].deleted
    assert tg.called("sendMessage")[0].params["entities"] == [{"type": "bold", "offset": 0, "length": 5}]


async def test_all_ways_to_pass_parameters(tg: FakeTelegram) -> None:
    ann = tg.private("Ann")
    url = f"{tg.url}/bot{tg.token}/SENDmessage"  # names of methods in any case
    values = {
        "chat_id": str(ann.id),
        "text": "héllo",
        "entities": json.dumps([{"type": "code", "offset": 0, "length": 2}]),
    }
    multipart = FormData(values, default_to_multipart=True)
    async with ClientSession() as http:
        for way in ({"params": values}, {"data": values}, {"data": multipart}, {"json": {**values, "chat_id": ann.id}}):
            verb = http.get if "params" in way else http.post
            async with verb(url, **way) as response:
                assert response.status == 200, await response.text()
        async with http.post(url, data=b"{", headers={"Content-Type": "application/json"}) as response:
            assert response.status == 400
    assert [(each.text, each.entities[0]["type"]) for each in tg.shown(ann)] == [("héllo", "code")] * 4


async def test_tokens_and_unknown_methods(tg: FakeTelegram) -> None:
    async for stranger in _bots(tg, "123456:wrong"):
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.me()
    assert (await call(tg, "getMe", "nonsense"))[0] == 404
    status, body = await call(tg, "sendMassage")
    assert (status, body["description"]) == (404, "Not Found: method not found")
    async with ClientSession() as http, http.get(f"{tg.url}/elsewhere") as response:
        assert response.status == 404


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "message text is empty"),
        (None, "message text is empty"),
        (" \n ", "text must be non-empty"),
        ("x" * 4097, "message is too long"),
        ("🐦" * 2049, "message is too long"),  # 4,098 UTF-16 units
    ],
)
async def test_texts_that_cannot_be_sent(tg: FakeTelegram, text: str | None, words: str) -> None:
    ann = tg.private("Ann")
    assert await refused(tg, "sendMessage", chat_id=ann.id, text=text) == words
    assert tg.shown(ann) == []


async def test_the_longest_text_goes_through_and_an_edit_has_its_own_words(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    sent = await bot.send_message(ann.id, "🐦" * 2048)
    with pytest.raises(TelegramBadRequest, match="MESSAGE_TOO_LONG"):
        await bot.edit_message_text("🐦" * 2049, chat_id=ann.id, message_id=sent.message_id)


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        ({"type": "heading", "offset": 0, "length": 1}, "can't parse MessageEntity: Unsupported type specified"),
        ({"type": "bold", "length": 1}, "can't parse MessageEntity: Can't find field \"offset\""),
        ("bold", "can't parse MessageEntity: expected an Object"),
        ({"type": "bold", "offset": 0, "length": -1}, "receive an entity with incorrect length -1"),
        ({"type": "bold", "offset": -1, "length": 1}, "receive an entity with incorrect offset -1"),
        ({"type": "bold", "offset": 9, "length": 1}, "entity begins after the end of the text at UTF-16 offset 9"),
        (
            {"type": "bold", "offset": 0, "length": 5},
            "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 5",
        ),
        ({"type": "bold", "offset": 1, "length": 1}, "entity begins in a middle of a UTF-16 symbol at offset 1"),
        (
            {"type": "bold", "offset": 0, "length": 1},
            "entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at offset 1",
        ),
        ({"type": "text_link", "offset": 0, "length": 2}, "can't parse MessageEntity: Can't find field \"url\""),
        (
            {"type": "text_link", "offset": 0, "length": 2, "url": "readme"},
            "entity URL 'readme' is invalid: Wrong HTTP URL",
        ),
        (
            {"type": "text_link", "offset": 0, "length": 2, "url": "file:///etc"},
            "entity URL 'file:///etc' is invalid: Unsupported URL protocol",
        ),
    ],
)
async def test_entities_that_cannot_be_sent(tg: FakeTelegram, entity: dict[str, Any], words: str) -> None:
    ann = tg.private("Ann")  # "🐦ab" has 4 units
    assert await refused(tg, "sendMessage", chat_id=ann.id, text="🐦ab", entities=[entity]) == words


@pytest.mark.parametrize(
    ("one", "other", "fits"),
    [
        (("bold", 0, 4), ("italic", 1, 2), True),
        (("blockquote", 0, 6), ("text_link", 1, 2), True),
        (("bold", 0, 3), ("code", 3, 2), True),
        (("bold", 0, 4), ("italic", 2, 4), False),  # they cross
        (("bold", 0, 4), ("code", 1, 2), False),
        (("pre", 0, 4), ("bold", 1, 2), False),
        (("pre", 0, 4), ("code", 0, 4), False),
        (("blockquote", 0, 6), ("expandable_blockquote", 1, 2), False),
    ],
)
async def test_nesting(tg: FakeTelegram, one: tuple[str, int, int], other: tuple[str, int, int], fits: bool) -> None:
    ann = tg.private("Ann")
    entities = [
        {"type": kind, "offset": offset, "length": length, "url": "https://example.com"}
        for kind, offset, length in (one, other)
    ]
    status, body = await call(tg, "sendMessage", chat_id=ann.id, text="abcdef", entities=entities)
    assert (status == 200) is fits
    assert fits or "can't parse entities" in body["description"]


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        ("HTML", "<b>x", "can't parse entities: Can't find end tag corresponding to start tag \"b\""),
        ("HTML", "é<script>", 'can\'t parse entities: Unsupported start tag "script" at byte offset 2'),
        (
            "html",
            "<b><i>x</b></i>",
            'can\'t parse entities: Unmatched end tag at byte offset 7, expected "</i>", found "</b>"',
        ),
        ("HTML", "1 < 2", "can't parse entities: Unclosed start tag at byte offset 2"),
        ("HTML", "x</b>", "can't parse entities: Unexpected end tag at byte offset 1"),
        ("MarkdownV2", "*x", "can't parse entities: Can't find end of Bold entity at byte offset 0"),
        (
            "MarkdownV2",
            "a.b",
            "can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'",
        ),
        ("Markdown", "_x", "can't parse entities: Can't find end of the entity starting at byte offset 0"),
        ("Wiki", "x", "unsupported parse_mode"),
    ],
)
async def test_parse_mode_misused(tg: FakeTelegram, mode: str, text: str, words: str) -> None:
    ann = tg.private("Ann")
    assert await refused(tg, "sendMessage", chat_id=ann.id, text=text, parse_mode=mode) == words


async def test_parse_mode_used_and_white_space_taken_off(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    await bot.send_message(ann.id, 'a <b>b</b> &lt; <a href="https://example.com">c</a>', parse_mode="HTML")
    await bot.send_message(ann.id, "a *b* `c.d` \\.", parse_mode="MarkdownV2")
    await bot.send_message(ann.id, "\n a b \n", entities=[MessageEntity(type="bold", offset=2, length=5)])
    html, marks, trimmed = tg.shown(ann)
    assert (html.text, [part(html.text, each) for each in html.entities]) == ("a b < c", ["b", "c"])
    assert (marks.text, [part(marks.text, each) for each in marks.entities]) == ("a b c.d .", ["b", "c.d"])
    assert (trimmed.text, list(trimmed.entities)) == ("a b", [{"type": "bold", "offset": 0, "length": 3}])


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        (button(callback_data="x" * 65), "BUTTON_DATA_INVALID"),
        (button(callback_data="话" * 22), "BUTTON_DATA_INVALID"),  # 66 bytes
        (
            button(callback_data=""),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (button(""), "inline keyboard button text must be non-empty"),
        (button(url="readme"), "inline keyboard button URL 'readme' is invalid: Wrong HTTP URL"),
        (button(url="ftp://a.b"), "inline keyboard button URL 'ftp://a.b' is invalid: Unsupported URL protocol"),
        (
            button(url="https://a.b", callback_data="x"),
            "can't parse inline keyboard button: exactly one type of the button must be used",
        ),
        (
            {"inline_keyboard": [[{"callback_data": "x"}]]},
            "can't parse inline keyboard button: Can't find field \"text\"",
        ),
        (
            {"inline_keyboard": [[{"text": 1, "callback_data": "x"}]]},
            'can\'t parse inline keyboard button: Field "text" must be of type String',
        ),
        ({"inline_keyboard": [["Stop"]]}, "can't parse inline keyboard button: expected an Object"),
        ({"inline_keyboard": ["Stop"]}, 'field "inline_keyboard" must be an Array of Arrays'),
        ({"buttons": []}, "object expected as reply markup"),
        (["Stop"], "object expected as reply markup"),
        ({"inline_keyboard": "x"}, 'field "inline_keyboard" must be of type Array'),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "x"}]] * 101}, "reply markup is too long"),
        ("{", "can't parse reply keyboard markup JSON object"),
        ("{}", None),
    ],
)
async def test_keyboards(tg: FakeTelegram, markup: Any, words: str | None) -> None:
    ann = tg.private("Ann")
    if words is None:
        assert (await call(tg, "sendMessage", chat_id=ann.id, text="x", reply_markup=markup))[0] == 200
    else:
        assert await refused(tg, "sendMessage", chat_id=ann.id, text="x", reply_markup=markup) == words


async def test_link_preview_options(tg: FakeTelegram) -> None:
    ann = tg.private("Ann")
    send = {"chat_id": ann.id, "text": "x"}
    assert await refused(tg, "sendMessage", **send, link_preview_options={"url": "readme"}) == "WEBPAGE_URL_INVALID"
    words = await refused(tg, "sendMessage", **send, link_preview_options={"is_disabled": "yes"})
    assert words == 'field "is_disabled" must be of type Boolean'


# ── edits, deletions, replies ───────────────────────────────────────────────────────────────────────────────────────


async def test_edits_that_are_refused(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    question = ann.write("Hello")
    sent = await bot.send_message(ann.id, "a", reply_markup=InlineKeyboardMarkup(**button(callback_data="x")))
    edit = {"chat_id": ann.id, "message_id": sent.message_id}
    same = await refused(tg, "editMessageText", **edit, text="a\n", reply_markup=button(callback_data="x"))
    assert same.startswith("message is not modified: ")
    assert (await refused(tg, "editMessageText", **edit, text="")) == "message text is empty"
    assert (await refused(tg, "editMessageText", **edit, text="b", reply_markup={"keyboard": []})) == (
        "inline keyboard expected"
    )
    assert "exactly one of" in await refused(tg, "editMessageText", **edit, rich_message={"blocks": []})
    for method in ("editMessageText", "editMessageReplyMarkup"):
        others = await refused(tg, method, chat_id=ann.id, message_id=question.id, text="b")
        missing = await refused(tg, method, chat_id=ann.id, message_id=99, text="b")
        unnamed = await refused(tg, method, chat_id=ann.id, text="b")
        assert (others, missing) == ("message can't be edited", "message to edit not found")
        assert unnamed == "message identifier is not specified"
    await bot.edit_message_reply_markup(chat_id=ann.id, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_reply_markup(chat_id=ann.id, message_id=sent.message_id)
    [shown] = tg.shown(ann)
    assert (shown.text, shown.buttons, shown.edits) == ("a", [], 1)
    ann.delete(ann.posts[sent.message_id])
    assert await refused(tg, "editMessageText", **edit, text="b") == "message to edit not found"


async def test_deletions(tg: FakeTelegram) -> None:
    clock = SimClock()
    async with FakeTelegram(clock=clock, limits=Limits(on=False)) as old:
        ann = old.private("Ann")
        await call(old, "sendMessage", chat_id=ann.id, text="x")
        clock.seconds += 48 * 3600 + 1
        words = await refused(old, "deleteMessage", chat_id=ann.id, message_id=1)
        assert words == "message can't be deleted for everyone"
    group = tg.group()
    question = group.write("Hello")
    gone = {"chat_id": group.id, "message_id": question.id}
    assert await refused(tg, "deleteMessage", **gone) == "message can't be deleted"
    assert await refused(tg, "deleteMessage", chat_id=group.id, message_id=99) == "message to delete not found"
    assert await refused(tg, "deleteMessage", chat_id=group.id) == "message identifier is not specified"
    group.bot_becomes("administrator")
    assert (await call(tg, "deleteMessage", **gone))[0] == 200


async def test_replies(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    question = ann.write("What is 🐦 a magpie?")
    sent = await bot.send_message(
        ann.id, "A bird", reply_parameters=ReplyParameters(message_id=question.id, quote="a magpie")
    )
    assert sent.reply_to_message is not None
    assert sent.quote is not None
    assert (sent.reply_to_message.text, sent.quote.position) == ("What is 🐦 a magpie?", 11)
    assert (tg.shown(ann)[0].reply_to, tg.shown(ann)[0].quote) == (question.id, "a magpie")
    send = {"chat_id": ann.id, "text": "x"}
    assert await refused(
        tg, "sendMessage", **send, reply_parameters={"message_id": question.id, "quote": "Magpie"}
    ) == ("QUOTE_TEXT_INVALID")
    assert await refused(tg, "sendMessage", **send, reply_parameters={"quote": "x"}) == 'can\'t find field "message_id"'
    ann.delete(question)
    missing = {"message_id": question.id}
    assert await refused(tg, "sendMessage", **send, reply_parameters=missing) == "message to be replied not found"
    await call(tg, "sendMessage", **send, reply_parameters={**missing, "allow_sending_without_reply": True})
    assert tg.shown(ann)[-1].reply_to is None


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_chats_that_are_not_there(tg: FakeTelegram, bot: Bot) -> None:
    tg.supergroup(username="magpies")
    assert await refused(tg, "sendMessage", text="x") == "chat_id is empty"
    for nobody in (-1, 42, "@nobody", "nobody"):
        assert await refused(tg, "sendMessage", chat_id=nobody, text="x") == "chat not found"
    assert (await bot.send_message("@Magpies", "x")).chat.type == "supergroup"
    with pytest.raises(TelegramForbiddenError, match="can't initiate conversation"):
        await bot.send_message(tg.private("Shy", started=False).id, "x")


async def test_where_the_bot_may_not_write(tg: FakeTelegram, bot: Bot) -> None:
    ann, group, forum = tg.private("Ann"), tg.group(), tg.supergroup()
    sent = await bot.send_message(ann.id, "x")
    ann.bot_becomes("kicked")
    group.bot_becomes("kicked")
    forum.bot_becomes("left")
    for room, words in (
        (ann, "Forbidden: bot was blocked by the user"),
        (group, "Forbidden: bot was kicked from the group chat"),
        (forum, "Forbidden: bot is not a member of the supergroup chat"),
    ):
        with pytest.raises(TelegramForbiddenError, match=words):
            await bot.send_message(room.id, "x")
        with pytest.raises(TelegramForbiddenError, match=words):
            await bot.send_chat_action(room.id, "typing")
    with pytest.raises(TelegramForbiddenError, match="blocked"):
        await bot.edit_message_text("y", chat_id=ann.id, message_id=sent.message_id)
    ann.bot_becomes("member")
    assert await bot.send_message(ann.id, "x")
    ann.deactivated = True
    with pytest.raises(TelegramForbiddenError, match="user is deactivated"):
        await bot.send_message(ann.id, "x")
    other = tg.group()
    other.silenced = True
    with pytest.raises(TelegramBadRequest, match="not enough rights to send text messages"):
        await bot.send_message(other.id, "x")
    other.deleted = True
    with pytest.raises(TelegramForbiddenError, match="the group chat was deleted"):
        await bot.send_message(other.id, "x")


async def test_a_group_that_moved(tg: FakeTelegram, bot: Bot) -> None:
    group = tg.group(title="Birds")
    new = group.migrate()
    with pytest.raises(TelegramMigrateToChat) as caught:
        await bot.send_message(group.id, "x")
    assert caught.value.migrate_to_chat_id == new.id
    assert (await bot.send_message(new.id, "x")).chat.title == "Birds"
    to, origin = (each["message"] for each in await updates(tg))
    assert (to["chat"]["id"], to["migrate_to_chat_id"]) == (group.id, new.id)
    assert (origin["chat"]["id"], origin["migrate_from_chat_id"]) == (new.id, group.id)


async def test_topics(tg: FakeTelegram, bot: Bot) -> None:
    forum, plain = tg.supergroup(forum=True), tg.supergroup()
    birds, closed, deleted = (forum.topic(name) for name in ("Birds", "Closed", "Deleted"))
    forum.close(closed)
    deleted.deleted = True
    sent = await bot.send_message(forum.id, "x", message_thread_id=birds.id)
    assert (sent.message_thread_id, sent.is_topic_message) == (birds.id, True)
    for room, thread, words in (
        (forum, deleted.id, "message thread not found"),
        (forum, 99, "message thread not found"),
        (forum, 1, "message thread not found"),  # "General" is no thread to send to
        (plain, birds.id, "message thread not found"),
        (tg.private("Ann"), 1, "message thread not found"),
        (forum, closed.id, "TOPIC_CLOSED"),
    ):
        assert await refused(tg, "sendMessage", chat_id=room.id, text="x", message_thread_id=thread) == words
    await bot.send_chat_action(forum.id, "typing", message_thread_id=1)
    words = await refused(tg, "sendChatAction", chat_id=forum.id, action="thinking")
    assert words == "wrong parameter action in request"
    forum.close(birds)
    words = await refused(tg, "editMessageText", chat_id=forum.id, message_id=sent.message_id, text="y")
    assert words == "TOPIC_CLOSED"
    forum.reopen(birds)
    question = forum.write("?", thread=birds)
    reply = await bot.send_message(forum.id, "!", reply_parameters=ReplyParameters(message_id=question.id))
    assert reply.message_thread_id == birds.id
    assert [each.text for each in tg.shown(forum, birds)] == ["x", "!"]
    forum.bot_becomes("administrator")
    assert await bot.send_message(forum.id, "x", message_thread_id=closed.id)


async def test_topics_in_private_chats() -> None:
    async with FakeTelegram(has_topics_enabled=True) as tg:
        ann = tg.private("Ann")
        topic = ann.topic("Birds")
        ann.write("?", thread=topic)
        status, body = await call(tg, "sendMessage", chat_id=ann.id, text="!", message_thread_id=topic.id)
        assert (status, body["result"]["is_topic_message"]) == (200, True)
        assert (await call(tg, "getMe"))[1]["result"]["has_topics_enabled"]


async def test_who_is_in_a_chat(tg: FakeTelegram, bot: Bot) -> None:
    ann, ben = tg.person("Ann"), tg.person("Ben")
    group = tg.group(ann, ben)
    assert [each.user.first_name for each in await bot.get_chat_administrators(group.id)] == ["Ann"]
    assert (await bot.get_chat_member(group.id, ben.id)).status == "member"
    group.bot_becomes("administrator")
    assert len(await bot.get_chat_administrators(group.id)) == 2
    assert (await bot.get_chat(group.id)).title == "Group"
    assert (await bot.get_chat(tg.private(ann).id)).first_name == "Ann"
    private = {"chat_id": tg.private(ann).id}
    assert await refused(tg, "getChatAdministrators", **private) == "there are no administrators in the private chat"
    assert await refused(tg, "leaveChat", **private) == "chat member status can't be changed in private chats"
    assert await refused(tg, "getChatMember", **private, user_id=ben.id) == "PARTICIPANT_ID_INVALID"
    assert await refused(tg, "getChatMember", chat_id=group.id, user_id=7) == "invalid user_id specified"
    assert await bot.leave_chat(group.id)
    with pytest.raises(TelegramForbiddenError, match="not a member"):
        await bot.get_chat(group.id)
    assert (await updates(tg))[-1]["my_chat_member"]["new_chat_member"]["status"] == "left"


async def test_commands(tg: FakeTelegram, bot: Bot) -> None:
    groups = BotCommandScopeAllGroupChats()
    await bot.set_my_commands([BotCommand(command="model", description="Choose")])
    await bot.set_my_commands([BotCommand(command="model", description="选择")], scope=groups, language_code="zh")
    assert [each.description for each in await bot.get_my_commands()] == ["Choose"]
    assert [each.description for each in await bot.get_my_commands(groups, "zh")] == ["选择"]
    assert await bot.get_my_commands(groups) == []
    assert await bot.delete_my_commands()
    assert await bot.get_my_commands() == []

    async def words(commands: list[dict[str, str]], **more: Any) -> str:
        return await refused(tg, "setMyCommands", commands=commands, **more)

    good = {"command": "a", "description": "b"}
    assert await words([{**good, "command": "Model"}]) == "BOT_COMMAND_INVALID"
    assert await words([{**good, "command": "a" * 33}]) == "BOT_COMMAND_INVALID"
    assert await words([{**good, "description": "a" * 257}]) == "BOT_COMMAND_DESCRIPTION_INVALID"
    assert await words([{**good, "description": ""}]) == "command description must be non-empty"
    assert await words([good] * 101) == "there can be at most 100 bot commands"
    assert await words([good], language_code="english") == "invalid language code specified"
    assert await words([good], scope={"type": "all"}) == "can't parse BotCommandScope: Unsupported type specified"
    assert await words([{**good, "command": ""}]) == "command must be non-empty"
    assert await words([{"command": "a"}]) == "can't parse BotCommand: Can't find field"
    assert await refused(tg, "setMyCommands") == "can't parse commands JSON object"
    assert await refused(tg, "setMyCommands", commands=["a"]) == "expected an Object for a BotCommand"
    assert await refused(tg, "setMyCommands", commands="a,b") == "can't parse commands JSON object"
    assert await words([good], scope={"type": "chat"}) == "can't parse BotCommandScope: Can't find field \"chat_id\""
    assert await words([good], scope={"type": "chat", "chat_id": 5}) == "chat not found"


# ── what people do ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_deed_is_an_update_that_a_real_client_understands() -> None:
    async with FakeTelegram(can_read_all_group_messages=True) as tg:
        ann, ben = tg.person("Ann"), tg.person("Ben", language="zh")
        room, forum = tg.private(ann), tg.supergroup(ann, ben, forum=True)
        first = room.write("Look at 🐦 @Magpie_Bot /model@magpie_bot https://example.com #birds a@b.cd")
        room.write("a reply", reply_to=first, quote="🐦")
        room.photo(caption="What is it? @magpie_bot")
        room.album([picture(colour="red"), picture(colour="blue")], "two")
        room.document(b"%PDF", "a.pdf", "application/pdf", "a file")
        for kind in ("sticker", "video", "voice", "audio", "animation", "video_note"):
            room.media(kind)
        room.forward("news", ben)
        room.forward("rumour", "Somebody")
        room.rich([{"type": "paragraph", "text": "rich"}])
        room.edit(first, "changed")
        topic = forum.topic("Birds", ann)
        forum.write("in the topic", ben, thread=topic)
        forum.write("hello Ann", ben, entities=[text_mention("hello Ann", ann)])
        forum.close(topic)
        forum.join(tg.person("Cid"))
        forum.bot_becomes("administrator")
        room.bot_becomes("kicked")
        got = await updates(tg)
        parsed = [Update.model_validate(each) for each in got]
        assert [each["update_id"] for each in got] == list(range(got[0]["update_id"], got[0]["update_id"] + len(got)))
        texts = [each.message for each in parsed if each.message]
        assert texts[0].entities is not None
        assert [(each.type, each.extract_from(texts[0].text or "")) for each in texts[0].entities] == [
            ("mention", "@Magpie_Bot"),
            ("bot_command", "/model@magpie_bot"),
            ("url", "https://example.com"),
            ("hashtag", "#birds"),
            ("email", "a@b.cd"),
        ]
        assert texts[1].reply_to_message is not None
        assert texts[1].quote is not None
        assert (texts[1].reply_to_message.message_id, texts[1].quote.position) == (first.id, units("Look at "))
        assert texts[2].photo is not None
        assert [each.width for each in texts[2].photo] == [90, 320, 800, 1000]
        assert texts[3].media_group_id == texts[4].media_group_id
        assert (texts[3].caption, texts[4].caption) == ("two", None)
        in_topic = next(each for each in texts if each.text == "in the topic")
        assert in_topic.reply_to_message is not None
        assert in_topic.reply_to_message.message_id == in_topic.message_thread_id == topic.id
        assert [each.my_chat_member.new_chat_member.status for each in parsed if each.my_chat_member] == [
            "administrator",
            "kicked",
        ]


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("@magpie_bot hi, ＠magpie_bot", ["@magpie_bot"]),
        ("/@magpie_bot, @@magpie_bot (@magpie_bot)", ["@magpie_bot"] * 3),
        ("@magpie_bot你好 嗨@magpie_bot @magpie_botж 5@magpie_bot", []),
        ("@1234 @abc @gif @_ab_", ["@1234", "@gif", "@_ab_"]),
        ("/new /a/b </c> /d@bc /e@bcd /f你 x/g /h.", ["/new", "/e@bcd", "/h"]),
    ],
)
def test_what_the_server_marks_by_itself(text: str, marked: list[str]) -> None:
    """Cases of the rules in TDLib, by hand."""
    assert [part(text, entity) for entity in found_entities(text)] == marked


async def test_a_reply_in_a_supergroup_has_a_thread_that_is_no_topic() -> None:
    async with FakeTelegram(can_read_all_group_messages=True) as tg:
        group = tg.supergroup()
        first = group.write("one")
        group.write("two", reply_to=group.write("three", reply_to=first))
        assert [each["message"].get("message_thread_id") for each in await updates(tg)] == [None, first.id, first.id]
        assert not any(each["message"].get("is_topic_message") for each in await updates(tg))


async def test_privacy_mode(tg: FakeTelegram) -> None:
    group = tg.supergroup(tg.person("Ann"))
    await call(tg, "sendMessage", chat_id=group.id, text="an answer")
    group.write("to nobody")
    group.write("@other_bot hello")
    group.write("/model@other_bot")
    group.photo(caption="to nobody")
    group.write("hello @MAGPIE_bot")
    group.photo(caption="@magpie_bot?")
    group.write("/model")
    group.write("really?", reply_to=tg.shown(group)[0].id)
    group.write("Magpie, hello", entities=[text_mention("Magpie, hello", tg.bot)])
    got = [each["message"] for each in await updates(tg)]
    assert [each.get("text", each.get("caption")) for each in got] == [
        "hello @MAGPIE_bot",
        "@magpie_bot?",
        "/model",
        "really?",
        "Magpie, hello",
    ]
    group.bot_becomes("administrator")
    group.write("to nobody")
    assert (await updates(tg))[-1]["message"]["text"] == "to nobody"


async def test_buttons(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    markup = InlineKeyboardMarkup(**button(callback_data="/stop 7"))
    sent = await bot.send_message(ann.id, "growing", reply_markup=markup)
    id = ann.press(sent.message_id, "Stop")
    query = Update.model_validate((await updates(tg))[-1]).callback_query
    assert query is not None
    assert (query.id, query.data) == (id, "/stop 7")
    assert query.message is not None
    assert query.message.message_id == sent.message_id
    assert await bot.answer_callback_query(id, "Stopped")
    assert tg.world.queries[id] == {"text": "Stopped", "show_alert": False}
    words = "query is too old and response timeout expired or query ID is invalid"
    for bad in (id, "17"):
        assert await refused(tg, "answerCallbackQuery", callback_query_id=bad) == words
    again = ann.press(sent.message_id, "/stop 7")
    assert await refused(tg, "answerCallbackQuery", callback_query_id=again, text="x" * 201) == "MESSAGE_TOO_LONG"


async def test_files(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    message = Update.model_validate((await updates_after(tg, lambda: ann.photo(picture(1000, 500))))[0]).message
    assert message is not None
    assert message.photo is not None
    file = await bot.get_file(message.photo[-1].file_id)
    assert file.file_path is not None
    data = await bot.download_file(file.file_path)
    assert data is not None
    with Image.open(io.BytesIO(data.read())) as image:
        assert image.size == (1000, 500)
    large = ann.document(b"", "film.mp4", "video/mp4", size=20 * 1024 * 1024 + 1)
    assert await refused(tg, "getFile", file_id=large.fields["document"]["file_id"]) == "file is too big"
    assert await refused(tg, "getFile", file_id="x") == "wrong file_id or the file is temporarily unavailable"
    async with ClientSession() as http:
        link = f"{tg.url}/file/bot{tg.token}/{file.file_path}"
        for change in ("nothing", "token", "path", "expired"):
            url = {"token": link.replace("TEST", "REST"), "path": link + "x"}.get(change, link)
            if change == "expired":
                tg.world.files.expire()
            async with http.get(url) as response:
                assert response.status == {"nothing": 200, "token": 401}.get(change, 404)


async def updates_after(tg: FakeTelegram, deed: Any) -> list[dict[str, Any]]:
    deed()
    return await updates(tg)


async def test_a_server_in_local_mode(tmp_path: Path) -> None:
    async with FakeTelegram(folder=tmp_path) as tg:
        post = tg.private("Ann").document(b"abc", "a.txt", "text/plain", size=50_000_000)
        _, body = await call(tg, "getFile", file_id=post.fields["document"]["file_id"])
        assert Path(body["result"]["file_path"]).read_bytes() == b"abc"


# ── getting updates ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_offset_and_limit(tg: FakeTelegram) -> None:
    ann = tg.private("Ann")
    for text in "abcde":
        ann.write(text)

    async def texts(**params: Any) -> str:
        return "".join(each["message"]["text"] for each in await updates(tg, **params))

    first = (await updates(tg, limit=1))[0]["update_id"]
    assert await texts(limit=2) == "ab"
    assert await texts() == "abcde"  # nothing was confirmed
    assert await texts(offset=first + 2) == "cde"
    assert await texts(offset=0) == "cde"  # and now two are
    assert await texts(offset=-1) == "e"
    assert await texts() == "e"
    assert await texts(offset=first + 5) == ""


async def test_long_polling(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    poll = asyncio.create_task(bot.get_updates(timeout=10))
    await tg.until(lambda: tg.called("getUpdates"))
    await asyncio.sleep(0.01)
    assert not poll.done()
    ann.write("now")
    [update] = await asyncio.wait_for(poll, PATIENCE)
    assert update.message is not None
    assert update.message.text == "now"


async def test_a_long_poll_ends_empty_at_its_time() -> None:
    clock = SimClock()
    async with FakeTelegram(clock=clock) as tg:
        assert await clock.run(updates(tg, timeout=30)) == []
        assert clock.seconds == 30


async def test_allowed_updates(tg: FakeTelegram) -> None:
    ann = tg.private("Ann")
    reaction = {"message_reaction": {"chat": ann.json}}
    assert tg.push(reaction) == 0  # not in the default list
    await updates(tg, allowed_updates=["message_reaction"])
    ann.write("not asked for")
    assert tg.push(reaction)
    await updates(tg)  # omitted: stays as it was
    ann.write("not asked for")
    assert ["message_reaction" in each for each in await updates(tg)] == [True]
    assert (await call(tg, "getWebhookInfo"))[1]["result"]["allowed_updates"] == ["message_reaction"]
    await updates(tg, allowed_updates=[])
    ann.write("asked for")
    assert tg.push(reaction) == 0
    assert "message" in (await updates(tg))[-1]


async def test_raw_updates_of_any_shape(tg: FakeTelegram) -> None:
    id = tg.push({"telepathy": {"thought": 1}})
    tg.push({"message": {"message_id": 1, "forward_origin": {"type": "astral"}}})
    assert await updates(tg) == [
        {"update_id": id, "telepathy": {"thought": 1}},
        {"update_id": id + 1, "message": {"message_id": 1, "forward_origin": {"type": "astral"}}},
    ]


async def test_two_pollers(tg: FakeTelegram, bot: Bot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=10))
    await tg.until(lambda: tg.called("getUpdates"))
    newer = asyncio.create_task(bot.get_updates(timeout=10))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await asyncio.wait_for(older, PATIENCE)
    assert not newer.done()
    async with hook(tg) as url:
        await bot.set_webhook(url)
        with pytest.raises(TelegramConflictError, match="can't use getUpdates method while webhook is active"):
            await bot.get_updates()
    newer.cancel()


async def test_a_poller_that_is_killed_leaves_the_line_free(tg: FakeTelegram) -> None:
    poll = asyncio.create_task(updates(tg, timeout=10))
    await tg.until(lambda: tg.called("getUpdates"))
    poll.cancel()
    await tg.until(lambda: tg.world.updates._poll is None)
    tg.private("Ann").write("for the next")
    assert len(await updates(tg, timeout=10)) == 1


# ── webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────────


class hook:
    """A bot's own server. `script` has what it answers: a status, or JSON; the last one again and again."""

    def __init__(self, tg: FakeTelegram, *script: int | dict[str, Any]) -> None:
        self.tg = tg
        self.script = list(script) or [200]
        self.got: list[dict[str, Any]] = []
        self.secrets: list[str | None] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def __aenter__(self) -> str:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def __aexit__(self, *_: object) -> None:
        await self.tg.webhook.stop()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.got.append(await request.json())
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        await self.hold.wait()
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return web.json_response(answer) if isinstance(answer, dict) else web.Response(status=answer)


async def test_pushes_with_their_secret_and_again_until_they_are_taken(tg: FakeTelegram, bot: Bot) -> None:
    tg.webhook.retry_after = 0.01
    ann = tg.private("Ann")
    ann.write("before")
    server = hook(tg, 500, 404, 200)
    async with server as url:
        await bot.set_webhook(url, secret_token="s3cret", max_connections=5)
        ann.write("after")
        await tg.until(lambda: len(server.got) == 4)
        assert [each["message"]["text"] for each in server.got] == ["before", "before", "before", "after"]
        assert set(server.secrets) == {"s3cret"}
        await tg.until(lambda: not tg.world.updates.waiting)
        info = await bot.get_webhook_info()
        assert (info.url, info.pending_update_count, info.max_connections) == (url, 0, 5)
        assert info.last_error_message == "Wrong response from the webhook: 404 Not Found"
        await bot.delete_webhook()
        ann.write("kept")
        assert len(await bot.get_updates()) == 1
        assert (await bot.get_webhook_info()).url == ""


async def test_pushes_of_chats_go_side_by_side_and_those_of_one_chat_in_order(tg: FakeTelegram, bot: Bot) -> None:
    server = hook(tg)
    server.hold.clear()
    async with server as url:
        await bot.set_webhook(url)
        ann, ben = tg.private("Ann"), tg.private("Ben")
        for room in (ann, ann, ben):
            room.write(room.json["first_name"])
        await tg.until(lambda: len(server.got) == 2)
        assert {each["message"]["text"] for each in server.got} == {"Ann", "Ben"}
        assert (await bot.get_webhook_info()).pending_update_count == 3
        server.hold.set()
        await tg.until(lambda: not tg.world.updates.waiting)
        assert (len(server.got), tg.webhook.most_at_once) == (3, 2)


async def test_a_method_in_the_answer_to_a_push(tg: FakeTelegram, bot: Bot) -> None:
    ann = tg.private("Ann")
    async with hook(tg, {"method": "sendMessage", "chat_id": ann.id, "text": "at once"}) as url:
        await bot.set_webhook(url)
        ann.write("hello")
        await tg.until(lambda: tg.shown(ann))
        assert tg.shown(ann)[0].text == "at once"


async def test_webhooks_that_cannot_be_set(tg: FakeTelegram, bot: Bot) -> None:
    for params, words in (
        ({"url": "http://example.com/"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "https://example.com:8080/"},
            "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        ({"url": "example"}, "invalid webhook URL specified"),
        ({"url": "https://example.com/", "secret_token": "a b"}, "secret token contains unallowed characters"),
        ({"url": "https://example.com/", "secret_token": "a" * 257}, "secret token is too long"),
    ):
        assert await refused(tg, "setWebhook", **params) == words
    tg.private("Ann").write("dropped")
    poll = asyncio.create_task(updates(tg, offset=2**40, timeout=10))
    await tg.until(lambda: tg.called("getUpdates"))
    async with hook(tg) as url:
        await bot.set_webhook(url)
        with pytest.raises(AssertionError, match="terminated by setWebhook request"):
            await poll
        await bot.set_webhook("", drop_pending_updates=True)
        assert (await bot.get_webhook_info()).url == ""


# ── limits and faults ───────────────────────────────────────────────────────────────────────────────────────────────


async def send(tg: FakeTelegram, room: Room, text: str = "x", **more: Any) -> int:
    """0 if it went through, else the seconds to wait."""
    status, body = await call(tg, "sendMessage", chat_id=room.id, text=text, **more)
    if status == 200:
        return 0
    assert (status, body["description"]) == (429, f"Too Many Requests: retry after {body['parameters']['retry_after']}")
    return int(body["parameters"]["retry_after"])


async def test_the_limit_of_a_private_chat_and_coming_back_too_early() -> None:
    clock = SimClock()
    async with FakeTelegram(clock=clock) as tg:
        ann, ben = tg.private("Ann"), tg.private("Ben")
        assert [await send(tg, ann) for _ in range(5)] == [0, 0, 0, 0, 1]
        assert await send(tg, ben) == 0  # another chat
        clock.seconds += 0.5
        early = await send(tg, ann)
        assert early >= 1
        clock.seconds += 0.6  # the first wait would be over by now
        later = await send(tg, ann)
        assert later >= 1
        clock.seconds += later
        assert await send(tg, ann) == 0
        assert tg.floods == 3
        assert len([each for each in tg.called("sendMessage") if each.status == 429]) == 3
        assert len(tg.shown(ann)) == 5


async def test_the_limit_of_a_group_is_shared_by_sends_edits_and_topics() -> None:
    clock = SimClock()
    async with FakeTelegram(clock=clock) as tg:
        forum = tg.supergroup(forum=True)
        topics: list[Topic] = [forum.topic("a"), forum.topic("b")]
        for number in range(18):
            assert await send(tg, forum, message_thread_id=topics[number % 2].id) == 0
            clock.seconds += 1
        last = {"chat_id": forum.id, "message_id": tg.shown(forum)[-1].id}
        assert (await call(tg, "editMessageText", **last, text="y"))[0] == 200
        same = await refused(tg, "editMessageText", **last, text="y")  # takes from the budget all the same
        assert same.startswith("message is not modified")
        assert await send(tg, forum) == 42
        assert (await call(tg, "deleteMessage", **last))[0] == 200
        assert (await call(tg, "sendChatAction", chat_id=forum.id, action="typing"))[0] == 200
        clock.seconds += 42
        assert await send(tg, forum) == 0


async def test_the_limit_of_all_chats_and_none() -> None:
    clock = SimClock()
    async with FakeTelegram(clock=clock) as tg:
        rooms = [tg.private(f"P{number}") for number in range(36)]
        assert [await send(tg, room) for room in rooms] == [0] * 35 + [1]
        tg.limits.on = False
        assert [await send(tg, rooms[0]) for _ in range(20)] == [0] * 20


async def test_what_is_refused_takes_nothing_from_the_budget() -> None:
    async with FakeTelegram(clock=SimClock()) as tg:
        ann = tg.private("Ann")
        for _ in range(9):
            assert await refused(tg, "sendMessage", chat_id=ann.id, text="") == "message text is empty"
        assert await send(tg, ann) == 0


async def test_scripted_faults(tg: FakeTelegram, bot: Bot) -> None:
    ann, ben = tg.private("Ann"), tg.private("Ben")
    tg.refuse(after=17, times=2)
    for _ in range(2):
        with pytest.raises(TelegramRetryAfter) as caught:
            await bot.send_message(ann.id, "x")
        assert caught.value.retry_after == 17
    tg.fail("sendMessage", 2, "500")
    await bot.send_message(ann.id, "first")
    with pytest.raises(TelegramServerError):
        await bot.send_message(ann.id, "second")
    tg.fail("sendMessage", 1, "502", chat=ann)
    await bot.send_message(ben.id, "elsewhere")
    with pytest.raises(ClientDecodeError):
        await bot.send_message(ann.id, "third")
    tg.fail("", 1, "drop")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(ann.id, "fourth")
    tg.fail("sendMessage", 1, "lost")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(ann.id, "fifth")
    hang = tg.fail("sendMessage", 1, "hang")
    with pytest.raises(TelegramNetworkError, match="timeout"):
        await bot.send_message(ann.id, "sixth", request_timeout=1)  # type: ignore[arg-type]
    assert hang.hits == 1
    tg.fail("getMe", 1, "500")
    tg.faults.clear()
    await bot.me()
    await bot.send_chat_action(ann.id, "typing")
    await bot.send_message(ann.id, "last")
    assert tg.doing(ann) == ""
    assert [each.text for each in tg.shown(ann)] == ["first", "fifth", "last"]  # "lost" had its effect
    assert tg.floods == 0


async def test_it_comes_back_with_all_that_it_knew(tg: FakeTelegram) -> None:
    ann, url = tg.private("Ann"), tg.url
    ann.write("hello")
    poll = asyncio.create_task(call(tg, "getUpdates", offset=2**40, timeout=10))
    await tg.until(lambda: tg.called("getUpdates"))
    await tg.stop()
    assert (await poll)[1]["description"] == "Internal Server Error: restart"
    ann.write("while it was away")
    with pytest.raises(OSError, match="Cannot connect"):
        await call(tg, "getMe")
    async with tg:
        assert tg.url == url
        assert len(await updates(tg)) == 1


async def test_waiting_for_something_that_does_not_happen(tg: FakeTelegram) -> None:
    with pytest.raises(TimeoutError, match="the last calls"):
        await tg.until(lambda: False, 0.01)
