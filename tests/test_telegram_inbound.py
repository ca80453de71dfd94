"""What people do in Telegram, as the core is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from adapters.kit.unread import UnknownShape
from adapters.telegram.inbound.receiving import Parts
from adapters.telegram.inbound.rich import flatten
from adapters.telegram.inbound.updates import Me, parse, read
from bot.types import (
    Addressing,
    Chat,
    Edited,
    Inbound,
    IncomingMessage,
    Kind,
    Membership,
    Moved,
    Person,
    Press,
    StopPressed,
)
from tests.fakes.clock import SimClock
from tests.fakes.telegram import FakeTelegram, Room, picture, text_mention

NOW = 1_800_000_000_000


class Town:
    """People and places, and what the last thing done there is to us. Nothing is sent anywhere."""

    def __init__(self) -> None:
        self.tg = FakeTelegram(clock=SimClock(), can_read_all_group_messages=True)
        self.ann, self.bob = self.tg.person("Ann", language="zh-hans"), self.tg.person("Bob")
        self.me = Me(str(self.tg.bot.id), "magpie_bot", "Magpie")

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [update.json for update in self.tg.world.updates.waiting]

    def heard(self, index: int = -1) -> Inbound | None:
        return read(parse(self.updates[index]), self.me, NOW)

    def message(self, index: int = -1) -> IncomingMessage:
        event = self.heard(index)
        assert isinstance(event, IncomingMessage)
        return event

    def says(self, room: Room, text: str) -> int:
        """The bot says something; its id."""
        return self.tg.world.post(room, self.tg.bot, {"text": text}, None, None).id

    def chat(self, room: Room, thread: int | None = None) -> Chat:
        return Chat("telegram", self.me.id, str(room.id), None if thread is None else str(thread))


@pytest.fixture
def town() -> Town:
    return Town()


# ── private chats ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_private_message(town: Town) -> None:
    room = town.tg.private(town.ann)
    post = room.write("Hello 🐦")
    assert town.message() == IncomingMessage(
        key=f"telegram:{town.me.id}:{town.updates[-1]['update_id']}",
        chat=town.chat(room),
        author=Person(str(town.ann.id), "Ann", "zh-hans"),
        text="Hello 🐦",
        at=post.fields["date"] * 1000,
        post=str(post.id),
    )


def test_a_command_for_us_by_name_in_private(town: Town) -> None:
    town.tg.private(town.ann).write("/model@Magpie_Bot qwen-max")
    assert town.message().text == "/model qwen-max"


def test_topics_of_a_private_chat_are_chats_of_their_own(town: Town) -> None:
    room = town.tg.private(town.ann)
    topic = room.topic("Cooking")
    room.write("And salt?", thread=topic)
    assert town.message().chat == town.chat(room, topic.id)
    assert town.message().quoted == ""


def test_a_pasted_text_says_that_there_is_more(town: Town) -> None:
    room = town.tg.private(town.ann)
    room.write("字" * 3_999)
    assert not town.message().more
    room.write("🐦" * 2_000)
    assert town.message().more


def test_what_says_nothing_is_nothing(town: Town) -> None:
    room = town.tg.private(town.ann)
    for fields in ({"pinned_message": {"message_id": 1}}, {"text": "  \n"}, {"new_chat_photo": []}):
        room.send(fields)
        assert town.heard() is None


def test_bots_are_not_answered(town: Town) -> None:
    other = town.tg.world.person("Robot", is_bot=True)
    town.tg.group(town.ann).write("@magpie_bot hello, colleague", other)
    assert town.heard() is None


# ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("@magpie_bot what is this?", "what is this?"),
        ("🐦🐦 @Magpie_Bot what is this?", "🐦🐦 what is this?"),
        ("what is this, @magpie_bot?", "what is this, ?"),
        ("what is this @magpie_bot", "what is this"),
        ("@magpie_bot\nwhat\n  is this?", "what\n  is this?"),
        ("@magpie_bot /model", "/model"),
        ("/model@magpie_bot qwen-max", "/model qwen-max"),
        ("/model", "/model"),
        ("@magpie_bot你好", "你好"),
        ("你好@Magpie_Bot，在吗", "你好，在吗"),
        ("＠magpie_bot 你好", "你好"),
        ("🐦@magpie_botпривет", "🐦привет"),
        ("👍 见 https://x.org/@magpie_bot 和@magpie_bot", "👍 见 https://x.org/@magpie_bot 和"),
    ],
)
def test_in_groups_we_are_meant_by_name_or_command(town: Town, text: str, left: str) -> None:
    room = town.tg.supergroup(town.ann, title="Birds")
    room.write(text)
    message = town.message()
    facts = (message.text, message.addressing.calls_us, message.group, message.title)
    assert facts == (left, True, True, "Birds")


@pytest.mark.parametrize(
    "text",
    [
        "hello all",
        "@magpie_bots hello",
        "/model@other_bot x",
        "see /model",
        "mail me@magpie_bot.org",
        "magpie_bot",
        "@magpie_bot_2你好",
        "https://x.org/@magpie_bot",
        "你好@magpie_bots",
    ],
)
def test_in_groups_we_are_not_meant_otherwise(town: Town, text: str) -> None:
    town.tg.group(town.ann).write(text)
    assert not town.message().addressing.calls_us


def test_a_command_for_another_bot_is_not_ours_even_as_a_reply_to_us(town: Town) -> None:
    room = town.tg.group(town.ann)
    room.write("/model@other_bot x", reply_to=town.says(room, "hello"))
    assert town.message().addressing is Addressing.TO_OTHERS


def test_a_command_that_names_no_bot_may_be_for_another(town: Town) -> None:
    room = town.tg.group(town.ann, title="Birds")
    room.write("/kick @foo")
    assert town.message().addressing is Addressing.COMMAND
    for text in ("/kick@magpie_bot @foo", "@magpie_bot /kick"):
        room.write(text)
        assert town.message().addressing is Addressing.MENTION
    room.write("/kick", reply_to=town.says(room, "hello"))
    assert town.message().addressing is Addressing.REPLY
    town.tg.private(town.ann).write("/kick")
    assert town.message().addressing is Addressing.PRIVATE


def test_a_forwarded_command_in_a_group_is_none(town: Town) -> None:
    town.tg.group(town.ann).forward("/new", town.bob)
    assert not town.message().addressing.calls_us


def test_a_name_in_code_calls_nobody(town: Town) -> None:
    text = "see @magpie_bot你好"
    mark = {"type": "code", "offset": 4, "length": 13}
    town.tg.group(town.ann).write(text, entities=[mark])
    assert not town.message().addressing.calls_us


def test_a_mention_without_a_user_name(town: Town) -> None:
    room = town.tg.group(town.ann)
    room.write("🐦 Magpie, hello", entities=[text_mention("🐦 Magpie, hello", town.tg.bot)])
    assert (town.message().text, town.message().addressing.calls_us) == ("🐦 , hello", True)
    room.write("Bob, hello", entities=[text_mention("Bob, hello", town.bob)])
    assert not town.message().addressing.calls_us


def test_a_mention_in_a_caption(town: Town) -> None:
    town.tg.group(town.ann).photo(caption="@magpie_bot what is this?")
    message = town.message()
    assert (message.text, message.addressing.calls_us, len(message.attachments)) == ("what is this?", True, 1)


def test_a_reply_to_us_is_meant_for_us_and_says_to_what(town: Town) -> None:
    room = town.tg.supergroup(town.ann)
    room.write("why?", reply_to=town.says(room, "Magpies like silver."))
    message = town.message()
    assert (message.addressing.calls_us, message.quoted, message.chat) == (
        True,
        "Magpies like silver.",
        town.chat(room),
    )
    room.write("and?", reply_to=town.says(room, "x" * 900))
    assert town.message().quoted == "x" * 500 + "…"


def test_who_is_quoted_is_told(town: Town) -> None:
    room = town.tg.supergroup(town.ann, town.bob)
    ask = "@magpie_bot is he right?"

    def by(post: Any, quote: str = "") -> Person | None:
        room.write(ask, town.ann, reply_to=post, quote=quote)
        return town.message().quoted_by

    bob = Person(str(town.bob.id), "Bob")
    assert by(room.write("It costs 100.", town.bob)) == bob
    assert by(room.write("It costs 100. Or 200.", town.bob), quote="Or 200.") == bob
    assert by(town.says(room, "hello")) == Person("")  # nobody else: ourselves
    assert by(room.forward("It costs 100.", "Somebody", town.bob)) == Person("Somebody", "Somebody")
    channel = {"id": -100, "type": "channel", "title": "Birds today"}
    assert by(room.send({"text": "News", "sender_chat": channel}, town.bob)) == Person("-100", "Birds today")
    robot = town.tg.world.person("Robot", is_bot=True)
    assert by(room.write("beep", robot)) == Person(str(robot.id), "Robot")
    assert by(room.photo(by=town.bob)) is None  # there are no words of his
    room.write(ask, town.ann)
    assert town.message().quoted_by is None


@pytest.mark.parametrize(
    ("medium", "kind"), [("voice", Kind.VOICE), ("video", Kind.VIDEO), ("sticker", Kind.STICKER), ("audio", Kind.AUDIO)]
)
def test_a_question_about_what_somebody_sent_brings_it_along(town: Town, medium: str, kind: Kind) -> None:
    room = town.tg.group(town.ann, town.bob)
    post = room.media(medium, by=town.bob)
    room.write("@magpie_bot 总结一下", town.ann, reply_to=post)
    assert [each.kind for each in town.message().attachments] == [kind]
    room.write("/model@magpie_bot", town.ann, reply_to=post)
    assert not town.message().attachments


def test_a_question_about_a_file_brings_it_along_with_its_name(town: Town) -> None:
    room = town.tg.group(town.ann, town.bob)
    post = room.document(b"x" * 30, "合同.pdf", "application/pdf", by=town.bob)
    room.write("@magpie_bot 有什么问题？", town.ann, reply_to=post)
    (attachment,) = town.message().attachments
    assert (attachment.kind, attachment.name, attachment.mime) == (Kind.FILE, "合同.pdf", "application/pdf")
    gone = {"origin": {"type": "hidden_user", "date": 1, "sender_user_name": "x"}, "voice": {"file_id": "V"}}
    room.write("@magpie_bot and?", town.ann, extra={"external_reply": gone})
    assert [(each.kind, each.ref) for each in town.message().attachments] == [(Kind.VOICE, "V")]


def test_a_reply_to_others_is_not(town: Town) -> None:
    room = town.tg.group(town.ann, town.bob)
    post = room.write("I like silver.", town.bob)
    room.write("why?", town.ann, reply_to=post)
    assert (town.message().addressing.calls_us, town.message().quoted) == (False, "I like silver.")


def test_topics_are_chats_and_their_first_message_is_not_replied_to(town: Town) -> None:
    room = town.tg.supergroup(town.ann, forum=True)
    topic = room.topic("Cooking", town.tg.bot)
    room.write("hello all", town.ann, thread=topic)
    message = town.message()
    assert (message.addressing.calls_us, message.quoted, message.chat) == (False, "", town.chat(room, topic.id))
    room.write("@magpie_bot hello", town.ann, thread=topic)
    assert town.message().addressing.calls_us
    root = {"message_id": topic.id, "date": 1, "chat": room.json, "from": town.tg.bot.json, "text": "the first"}
    room.write("hello all", town.ann, thread=topic, extra={"reply_to_message": root})
    town.tg.push({"message": {**town.updates[-1]["message"], "reply_to_message": root}})
    assert (town.message().addressing.calls_us, town.message().quoted) == (False, "")


def test_an_anonymous_admin_speaks_as_the_group(town: Town) -> None:
    room = town.tg.supergroup(town.ann, title="Birds")
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    room.send({"text": "/new", "from": anonymous, "sender_chat": room.json})
    assert town.message().author == Person(str(room.id), "Birds", "en", anonymous=True)


def test_a_channel_speaks_by_somebody_but_the_groups_linked_channel_by_itself(town: Town) -> None:
    """Bot API, Message: 136817688 stands for whoever sends as a channel, 777000 brings the linked channel's posts."""
    room = town.tg.supergroup(town.ann, title="Birds")
    channel = {"id": -1001234, "type": "channel", "title": "Feathers"}
    sent_as = {"id": 136817688, "is_bot": True, "first_name": "Channel"}
    room.send({"text": "/new", "from": sent_as, "sender_chat": channel})
    assert town.message().author == Person("-1001234", "Feathers", "en", anonymous=True)
    linked = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
    room.send({"text": "/new", "from": linked, "sender_chat": channel, "is_automatic_forward": True})
    assert not town.message().author.anonymous
    room.write("hello", town.ann)
    assert not town.message().author.anonymous


def test_our_bare_name_is_about_what_it_replies_to_else_a_greeting(town: Town) -> None:
    room = town.tg.group(town.ann, town.bob)
    post = room.write("Magpies steal silver.", town.bob)
    room.write("@magpie_bot", town.ann, reply_to=post)
    message = town.message()
    assert (message.text, message.quoted) == ("", "Magpies steal silver.")  # the words are not the asker's
    assert message.quoted_by == Person(str(town.bob.id), "Bob")
    room.write("@magpie_bot", town.ann)
    assert town.message().text == "/start"


# ── what comes along ────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_photo_the_largest(town: Town) -> None:
    post = town.tg.private(town.ann).photo(picture(2000, 1000), "What is this?")
    (attachment,) = town.message().attachments
    assert (attachment.kind, attachment.ref) == (Kind.IMAGE, post.fields["photo"][-1]["file_id"])
    assert (attachment.mime, attachment.size) == ("image/jpeg", post.fields["photo"][-1]["file_size"])
    assert (town.message().text, town.message().more) == ("What is this?", False)


def test_a_photo_sent_as_a_file(town: Town) -> None:
    town.tg.private(town.ann).document(b"x" * 30, "scan.png", "image/png")
    (attachment,) = town.message().attachments
    assert (attachment.kind, attachment.mime, attachment.name, attachment.size) == (
        Kind.IMAGE,
        "image/png",
        "scan.png",
        30,
    )


@pytest.mark.parametrize(
    ("medium", "kind"),
    [
        ("sticker", Kind.STICKER),
        ("voice", Kind.VOICE),
        ("audio", Kind.AUDIO),
        ("video", Kind.VIDEO),
        ("video_note", Kind.VIDEO_NOTE),
        ("animation", Kind.ANIMATION),
    ],
)
def test_other_media_are_named_once(town: Town, medium: str, kind: Kind) -> None:
    town.tg.private(town.ann).media(medium)
    assert [(each.kind, bool(each.ref)) for each in town.message().attachments] == [(kind, True)]


@pytest.mark.parametrize(
    ("mime", "kind"), [("application/pdf", Kind.FILE), ("video/mp4", Kind.VIDEO), ("audio/ogg", Kind.AUDIO)]
)
def test_files(town: Town, mime: str, kind: Kind) -> None:
    town.tg.private(town.ann).document(b"x", "file", mime)
    assert [each.kind for each in town.message().attachments] == [kind]


POINT = {"latitude": 52.5, "longitude": -13.4}
TASKS = [{"id": 1, "text": "seeds", "completion_date": 1_800_000_000}, {"id": 2, "text": "water"}]
THINGS: list[tuple[dict[str, Any], str]] = [
    (
        {"poll": {"question": "Tea?", "options": [{"text": "Yes"}, {"text": "茶", "voter_count": 0}]}},
        "📊 Tea?\n- Yes\n- 茶",
    ),
    (
        {"poll": {"question": "Tea?", "options": [{"text": "Yes", "voter_count": 2}], "total_voter_count": 2}},
        "📊 Tea?\n- Yes (2)",
    ),
    ({"contact": {"first_name": "Zoë", "phone_number": "+49 30 1"}}, "👤 Zoë, +49 30 1"),
    ({"location": POINT}, "📍 52.50000, -13.40000"),
    (
        {"venue": {"location": POINT, "title": "Zoo", "address": "Elm 1"}, "location": POINT},
        "📍 Zoo, Elm 1\n52.50000, -13.40000",
    ),
    ({"dice": {"emoji": "🎯", "value": 6}}, "🎯 6"),
    ({"game": {"title": "Pong", "description": "Two players."}}, "🎮 Pong\nTwo players."),
    ({"invoice": {"title": "Seeds", "description": "1 kg"}}, "🧾 Seeds\n1 kg"),
    ({"checklist": {"title": "Birds", "tasks": TASKS}}, "☑ Birds\n- [x] seeds\n- [ ] water"),
]


@pytest.mark.parametrize(("fields", "words"), THINGS)
def test_what_is_all_words_is_read(town: Town, fields: dict[str, Any], words: str) -> None:
    room = town.tg.private(town.ann)
    post = room.send(fields)
    assert (town.message().text, town.message().attachments) == (words, ())
    room.write("which one?", reply_to=post)
    assert (town.message().quoted, town.message().attachments) == (words, ())
    gone = {"origin": {"type": "user", "date": 1, "sender_user": town.bob.json}, **fields}
    room.write("which one?", extra={"external_reply": gone})
    assert (town.message().quoted, town.message().quoted_by) == (words, Person(str(town.bob.id), "Bob"))


def test_what_is_kept_from_bots_has_a_name_of_its_own(town: Town) -> None:
    room = town.tg.private(town.ann)
    for name, kind in (("story", Kind.STORY), ("paid_media", Kind.PAID)):
        post = room.send({name: {"id": 3}})
        assert [(each.kind, each.ref) for each in town.message().attachments] == [(kind, "")]
        group = town.tg.group(town.ann)
        group.write("@magpie_bot what is it?", reply_to=group.send(post.fields))
        assert [each.kind for each in town.message().attachments] == [kind]
    room.write("wow", extra={"reply_to_story": {"chat": {"id": -1, "type": "channel"}, "id": 4}})
    assert [each.kind for each in town.message().attachments] == [Kind.STORY]


@pytest.mark.parametrize("name", ["poll", "contact", "location", "venue", "dice", "checklist"])
def test_what_can_not_be_read_is_not_passed_over_in_silence(town: Town, name: str) -> None:
    for shape in ({}, {"options": 3, "tasks": [1], "location": "here", "value": True}, "new"):
        town.tg.private(town.ann).send({name: shape})
        assert [(each.kind, each.ref, each.name) for each in town.message().attachments] == [(Kind.FILE, "", name)]


def test_albums_say_that_there_is_more(town: Town) -> None:
    town.tg.private(town.ann).album([picture(), picture(200, 200)], "Which one?")
    first, second = town.message(-2), town.message()
    assert (first.text, second.text, first.more, second.more) == ("Which one?", "", True, True)
    assert len(first.attachments) == len(second.attachments) == 1


def test_a_forward_says_whose_words_it_has(town: Town) -> None:
    room = town.tg.private(town.ann)
    room.forward("/start the engine", town.bob)
    assert (town.message().text, town.message().more) == ("/start the engine", True)
    assert town.message().forwarded_from == Person(str(town.bob.id), "Bob")
    room.forward("hm", "Somebody")
    assert (town.message().text, town.message().forwarded_from) == ("hm", Person("Somebody", "Somebody"))
    channel = {"id": -100, "type": "channel", "title": "Birds today"}
    room.write("hm", extra={"forward_origin": {"type": "channel", "date": 1, "chat": channel, "message_id": 3}})
    assert town.message().forwarded_from == Person("-100", "Birds today")
    room.photo(extra={"forward_origin": {"type": "brand_new"}})
    message = town.message()
    assert (message.text, message.forwarded_from, len(message.attachments)) == ("", Person(""), 1)
    room.write("hm")
    assert town.message().forwarded_from is None


def test_a_quote_is_what_was_chosen(town: Town) -> None:
    room = town.tg.private(town.ann)
    post = room.write("One. Two. Three.")
    room.write("why?", reply_to=post, quote="Two.")
    assert town.message().quoted == "Two."


def test_a_quoted_photo_comes_along(town: Town) -> None:
    room = town.tg.group(town.ann, town.bob)
    post = room.photo(caption="my cat", by=town.bob)
    room.write("@magpie_bot what is this?", town.ann, reply_to=post)
    message = town.message()
    assert (message.text, message.quoted) == ("what is this?", "my cat")
    assert [each.ref for each in message.attachments] == [post.fields["photo"][-1]["file_id"]]
    room.write("/model@magpie_bot", town.ann, reply_to=post)
    assert not town.message().attachments


def test_a_reply_to_another_chat_brings_quote_and_photo(town: Town) -> None:
    external = {"origin": {"type": "hidden_user", "date": 1, "sender_user_name": "x"}, "photo": [{"file_id": "P"}]}
    town.tg.private(town.ann).send({"text": "and?", "external_reply": external, "quote": {"text": "q", "position": 0}})
    message = town.message()
    assert (message.quoted, [each.ref for each in message.attachments]) == ("q", ["P"])


RICH = [
    {"type": "heading", "size": 1, "text": {"type": "bold", "text": "Title"}},
    {"type": "paragraph", "text": ["Ask ", {"type": "mention", "username": "x", "text": "@magpie_bot"}, " now"]},
    {"type": "pre", "language": "python", "text": "print(1)"},
    {
        "type": "list",
        "items": [
            {"label": "1.", "blocks": [{"type": "paragraph", "text": "one"}]},
            {"label": "•", "has_checkbox": True, "is_checked": True, "blocks": [{"type": "paragraph", "text": "two"}]},
        ],
    },
    {"type": "table", "cells": [[{"text": "a", "align": "left"}, {"text": "b"}], [{}, {"text": ["c", "d"]}]]},
    {"type": "blockquote", "blocks": [{"type": "paragraph", "text": "said\nso"}]},
    {"type": "mathematical_expression", "expression": "x^2"},
    {"type": "photo", "photo": [{"file_id": "small"}, {"file_id": "large", "width": 9, "height": 9}]},
    {"type": "hologram", "text": [{"type": "glow", "text": "new"}, {"type": "custom_emoji", "alternative_text": "🐦"}]},
]  # fmt: skip


def test_a_rich_message_is_read_as_text(town: Town) -> None:
    town.tg.group(town.ann).rich(RICH)
    message = town.message()
    assert message.addressing.calls_us
    assert message.text == (
        "Title\n\nAsk now\n\n```python\nprint(1)\n```\n\n1. one\n• ☑ two\n\na | b\n | cd\n\n> said\n> so\n\n$$\nx^2\n$$"
        "\n\nnew🐦"
    )
    assert [each.ref for each in message.attachments] == ["large"]


@pytest.mark.parametrize(
    "blocks", [None, "x", [1, None], [{"type": "list", "items": 3}, {"type": "table", "cells": [2]}]]
)
def test_rich_messages_of_odd_shapes_break_nothing(blocks: Any) -> None:
    assert flatten({"blocks": blocks}).strip() == ""


def test_a_rich_message_as_deep_as_it_likes() -> None:
    block: dict[str, Any] = {"type": "paragraph", "text": "deep"}
    for _ in range(500):
        block = {"type": "details", "blocks": [block]}
    assert flatten({"blocks": [block]}) == ""


# ── other events ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_edits(town: Town) -> None:
    room = town.tg.private(town.ann)
    post = room.write("Helo")
    room.edit(post, "Hello")
    event = town.heard()
    assert isinstance(event, Edited)
    assert (event.post, event.text, event.chat) == (str(post.id), "Hello", town.chat(room))
    photo = room.photo()
    room.edit(photo, "What is this?")
    assert isinstance(event := town.heard(), Edited)
    assert event.text == "What is this?"
    town.tg.push({"edited_message": {**room.photo().json, "edit_date": 1}})
    assert town.heard() is None


def test_an_edit_that_adds_our_name_asks(town: Town) -> None:
    room = town.tg.group(town.ann)
    post = room.write("what is this?")
    for text, asks in (("@magpie_bot what is this?", "what is this?"), ("so what?", None), ("@magpie_bot /new", None)):
        room.edit(post, text)
        event = town.heard()
        assert isinstance(event, Edited)
        assert (event.asks.text if event.asks else None) == asks
        assert event.asks is None or (event.asks.key, event.asks.post) == (event.key, event.post)
    late = {**post.json, "text": "@magpie_bot so?", "entities": [], "edit_date": post.json["date"] + 3601}
    town.tg.push({"edited_message": late})
    assert isinstance(event := town.heard(), Edited)
    assert event.asks is None
    private = town.tg.private(town.ann)
    private.edit(private.write("hm"), "@magpie_bot hm")
    assert isinstance(event := town.heard(), Edited)
    assert event.asks is None


def test_presses(town: Town) -> None:
    room = town.tg.supergroup(town.ann, forum=True)
    topic = room.topic("Cooking", town.ann)
    post = town.tg.world.post(room, town.tg.bot, {"text": "…"}, None, topic.id)
    room.press_data(post, "/stop 12", town.bob)
    event = town.heard()
    assert isinstance(event, Press)
    assert (event.action, event.post, event.chat) == ("/stop 12", str(post.id), town.chat(room, topic.id))
    assert (event.author.name, event.group, event.at) == ("Bob", True, NOW)


def test_an_old_message_under_a_button_has_little_more_than_its_id(town: Town) -> None:
    query = {"id": "1", "from": town.ann.json, "chat_instance": "x", "data": "/retry 1"}
    chat = {"id": town.ann.id, "type": "private"}
    town.tg.push({"callback_query": {**query, "message": {"chat": chat, "message_id": 5, "date": 0}}})
    assert isinstance(event := town.heard(), Press)
    assert (event.post, event.group) == ("5", False)
    town.tg.push({"callback_query": {**query, "inline_message_id": "x"}})
    assert town.heard() is None


def test_membership_is_told_when_it_changes(town: Town) -> None:
    room = town.tg.group(town.ann, title="Birds")
    room.bot_becomes("kicked", town.ann)
    assert isinstance(event := town.heard(), Membership)
    assert (event.present, event.title, event.author) == (False, "Birds", Person(str(town.ann.id), "Ann", "zh-hans"))
    room.bot_becomes("member", town.ann)
    assert isinstance(event := town.heard(), Membership)
    assert event.present
    room.bot_becomes("administrator", town.ann)
    assert town.heard() is None
    private = town.tg.private(town.bob)
    private.bot_becomes("kicked")
    assert isinstance(event := town.heard(), Membership)
    assert (event.present, event.chat) == (False, town.chat(private))


def test_both_sides_of_a_move_are_one_event(town: Town) -> None:
    old = town.tg.group(town.ann)
    new = old.migrate()
    first, second = town.heard(-2), town.heard(-1)
    assert isinstance(first, Moved)
    assert isinstance(second, Moved)
    assert (first.chat, first.to) == (second.chat, second.to) == (town.chat(old), town.chat(new))
    assert first.key == second.key


def test_the_platforms_own_stop(town: Town) -> None:
    chat = {"id": town.ann.id, "type": "private"}
    town.tg.push({"stopped_message_generation": {"chat": chat, "draft_id": 7, "message_thread_id": 3}})
    key = f"telegram:{town.me.id}:{town.updates[-1]['update_id']}"
    assert town.heard() == StopPressed(key, Chat("telegram", town.me.id, str(town.ann.id), "3"), NOW)


def test_kinds_that_nobody_asked_for_are_nothing(town: Town) -> None:
    town.tg.push({"brand_new_thing": {"id": 1}})
    assert town.heard() is None


# ── shapes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "extra",
    [
        {"forward_origin": {"type": "brand_new", "sender_user": 5}},
        {"reply_to_message": {"message_id": "x"}},
        {"external_reply": {"photo": 3}},
        {"quote": 7},
        {"entities": [{"type": "brand_new", "offset": 0, "length": 2, "glow": 1}]},
        {"entities": "all of it"},
        {"brand_new": {"a": 1}},
    ],
)
def test_what_is_new_around_a_message_does_not_make_it_unreadable(town: Town, extra: Mapping[str, Any]) -> None:
    town.tg.private(town.ann).write("Hello", extra=extra)
    assert town.message().text.endswith("Hello")


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"update_id": "x"},
        {"update_id": 1, "message": {"text": "secret words"}},
        {"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": "secret words"}}},
        {"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": 1}, "text": ["secret words"]}},
        {"update_id": 1, "callback_query": "secret words"},
    ],
)
def test_an_unknown_shape_says_where_and_not_what(raw: Mapping[str, Any]) -> None:
    with pytest.raises(UnknownShape) as caught:
        parse(raw)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


# ── parts that belong together ──────────────────────────────────────────────────────────────────────────────────────


def joined(parts: Parts, message: IncomingMessage, album: str = "") -> list[tuple[str, bool]]:
    return [(each.key, each.addressing.calls_us) for each in parts.join(message, album)]


def test_an_album_in_a_group_is_meant_as_a_whole(town: Town) -> None:
    town.tg.group(town.ann).album([picture()] * 3, "@magpie_bot which one?")
    first, second, third = (town.message(index) for index in (-3, -2, -1))
    assert not second.addressing.calls_us
    parts = Parts()
    assert joined(parts, first, "A") == [(first.key, True)]
    assert joined(parts, second, "A") == [(second.key, True)]
    assert joined(parts, replace(third, at=third.at + 60_000), "A") == [(third.key, True)]
    assert joined(parts, replace(third, key="other album"), "B") == [("other album", False)]


def test_pictures_before_their_caption_are_not_lost(town: Town) -> None:
    room = town.tg.group(town.ann)
    room.album([picture()] * 2, "@magpie_bot which one?")
    captioned, bare = town.message(-2), town.message(-1)
    parts = Parts()
    assert joined(parts, bare, "A") == [(bare.key, False)]
    assert joined(parts, bare, "A") == [(bare.key, False)]  # the same batch came twice
    assert joined(parts, captioned, "A") == [(bare.key, True), (captioned.key, True)]


def test_forwards_and_the_rest_of_a_long_text_follow_their_mention(town: Town) -> None:
    room = town.tg.group(town.ann, town.bob)
    room.write("@magpie_bot is this true?", town.ann)
    comment = town.message()
    room.forward("Magpies steal.", town.bob, town.ann)
    forward = town.message()
    parts = Parts()
    joined(parts, comment)
    assert joined(parts, replace(forward, author=Person("9"))) == [(forward.key, False)]
    assert joined(parts, forward) == [(forward.key, True)]
    late = replace(forward, key="late", at=forward.at + 4_000)
    assert joined(parts, late) == [("late", False)]

    room.write("@magpie_bot " + "x" * 4_050, town.ann)
    start = town.message()
    room.write("the rest", town.ann)
    rest = town.message()
    parts = Parts()
    joined(parts, comment)
    assert joined(parts, rest) == [(rest.key, False)]
    joined(parts, start)
    assert joined(parts, rest) == [(rest.key, True)]


def test_a_forward_belongs_to_its_comment_whichever_comes_first(town: Town) -> None:
    room = town.tg.group(town.ann, town.bob)
    room.write("@magpie_bot is this true?", town.ann)
    comment = town.message()
    room.forward("Magpies steal.", town.bob, town.ann)
    forward = town.message()
    parts = Parts()
    assert joined(parts, forward) == [(forward.key, False)]
    assert joined(parts, replace(comment, author=Person("9"))) == [(comment.key, True)]
    assert joined(parts, comment) == [(forward.key, True), (comment.key, True)]
    parts = Parts()
    joined(parts, forward)
    late = replace(comment, at=comment.at + 4_000)
    assert joined(parts, late) == [(late.key, True)]


def test_what_joins_what_was_said_just_before(town: Town) -> None:
    room = town.tg.private(town.ann)

    def join(*says: IncomingMessage) -> list[bool]:
        parts = Parts()
        return [each.joins for message in says for each in parts.join(message, "")]

    room.write("总结一下这个")
    comment = town.message()
    room.forward("Magpies steal.", town.bob)
    forward = town.message()
    room.write("字" * 4_050)
    pasted = town.message()
    room.write("hello?")
    plain = town.message()
    room.write("/new")
    command = town.message()
    assert join(comment, forward, replace(forward, key="k2")) == [False, True, True]
    assert join(forward, comment) == [False, True]
    assert join(comment, pasted, plain) == [False, True, True]
    assert join(comment, plain) == [False, False], "every short message would restart the answer to the last one"
    assert join(comment, command, forward) == [False, False, False]
    assert join(comment, forward, forward) == [False, True, True], "the same batch, come again"
    assert join(comment, replace(forward, at=forward.at + 4_000)) == [False, False]


def test_of_an_album_the_picture_that_is_replied_to_is_known_to_be_one(town: Town) -> None:
    room = town.tg.supergroup(town.ann, town.bob)
    album = room.album([picture(), picture(40, 40)], by=town.bob)
    room.write("@magpie_bot compare these", town.ann, reply_to=album[1])
    assert [each.album for each in town.message().attachments] == [True]
    room.write("@magpie_bot and this?", town.ann, reply_to=room.photo(by=town.bob))
    assert [each.album for each in town.message().attachments] == [False]
