"""What events mean, what settings are worth, what views say, and what can be appended to a stream."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kit.unread import UnknownShape
from adapters.slack.inbound.events import message_of, milliseconds, press, read
from adapters.slack.inbound.marks import Me
from adapters.slack.inbound.seen import CHECK_FILE
from adapters.slack.limits import STREAMS, Pace, Window
from adapters.slack.manifest import EVENTS, SCOPES, manifest, written, yaml
from adapters.slack.outgoing.appending import HELD, rest, settled
from adapters.slack.outgoing.menus import buttons, notes
from adapters.slack.outgoing.render import markdown
from adapters.slack.settings import SlackSettings, load_settings
from adapters.slack.surfaces import views
from bot.errors import SettingError
from bot.languages.names import ENGLISH, listing
from bot.markdown import Segmenter, parse, utf8
from bot.types import (
    Addressing,
    CallKind,
    Chat,
    Choice,
    Deleted,
    Edited,
    IncomingMessage,
    Kind,
    Membership,
    Menu,
    Note,
    NoteKind,
    Person,
    Role,
    SettingRow,
    StopPressed,
    Text,
)
from tests.fakes.clock import SimClock

ME = Me("T1", "UBOT", "BBOT", "magpie")
TS = "1700000000.000100"
NAMES = {"U1": "Ann", "U2": "Ben", "C7": "random", "S1": "oncall"}
TOKENS: dict[str, Any] = {"slack_bot_token": "xoxb-1-abcdef", "slack_app_token": "xapp-1-abcdef", "_env_file": None}


def name_of(id: str) -> str:
    return NAMES.get(id, "")


def event(text: str = "hello", channel: str = "C1", **more: Any) -> dict[str, Any]:
    return {"type": "message", "channel": channel, "user": "U1", "text": text, "ts": TS, **more}


def said(raw: dict[str, Any]) -> IncomingMessage:
    found = read(raw, ME, name_of)
    assert isinstance(found, IncomingMessage)
    return found


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_direct_message() -> None:
    message = said(event("hi", "D1"))
    assert message == IncomingMessage(
        key=f"slack:T1:D1:{TS}",
        chat=Chat("slack", "T1", "D1", TS),
        author=Person("U1"),
        text="hi",
        at=1_700_000_000_000,
        post=TS,
    )


def test_the_same_post_as_a_message_and_as_a_mention_has_one_key() -> None:
    text = "<@UBOT> hello"
    plain, mention = said(event(text)), said({**event(text), "type": "app_mention", "event_ts": "1.2"})
    assert plain == mention
    assert plain.addressing is Addressing.MENTION
    assert plain.text == "hello"


def test_a_reply_belongs_to_its_thread() -> None:
    message = said(event("and then?", thread_ts="1699999999.000200"))
    assert message.chat == Chat("slack", "T1", "C1", "1699999999.000200")
    assert message.group
    assert message.addressing is Addressing.THREAD


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<@UBOT> hello", "hello"),
        ("hello <@UBOT> there", "hello there"),
        ("<@UBOT|magpie>, hello", ", hello"),
        ("ask <@U2> and <@U9>", "ask @Ben and @U9"),
        ("in <#C9|general>, <#C8>, <#C7|> and <#C7>", "in #general, #C8, #random and #random"),
        ("<!here> <!subteam^S1|@team> <!date^1^{date}|today>", "@here @team today"),
        ("<!subteam^S1> and <!subteam^S2>", "@oncall and @S2"),
        ("I :heart: it :tada: :+1::skin-tone-3:", "I \u2764\ufe0f it 🎉 👍🏼"),
        ("你好:smile:你 :our-own: :flag-de::writing_hand::skin-tone-6:", "你好😄你 :our-own: 🇩🇪✍🏿"),
        (
            "<https://example.com/:heart:|a :heart:> :couple::skin-tone-2-4:",
            "a \u2764\ufe0f (https://example.com/:heart:) 👫🏻",
        ),
        ("at 10:30:45, 1:100:5, urn:id:7, `:heart:` ```:x:```", "at 10:30:45, 1:100:5, urn:id:7, `:heart:` ```:x:```"),
        ("<https://example.com/a?b=1&amp;c=2>", "https://example.com/a?b=1&c=2"),
        (
            "<https://example.com|example.com> <https://example.com|this>",
            "https://example.com this (https://example.com)",
        ),
        ("<mailto:a@example.com|a@example.com>", "mailto:a@example.com"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("a\0b", "ab"),
    ],
)
def test_what_was_said(source: str, text: str) -> None:
    assert said(event(source, "D1")).text == text


def test_a_command_names_people_by_their_ids() -> None:
    assert said(event("<@UBOT> /allow <@U2>")).text == "/allow U2"
    assert said(event("<@UBOT> /set here temperature 0.7")).text == "/set here temperature 0.7"


def test_a_name_alone_is_a_greeting_or_about_what_was_shared() -> None:
    shared = {"attachments": [{"is_share": True, "author_name": "Ben", "author_id": "U2", "text": "1 &lt; 2"}]}
    assert said(event("<@UBOT>")).text == "/start"
    alone = said(event("<@UBOT>", **shared))
    assert (alone.text, alone.forwarded_from) == ("1 < 2", Person("U2", "Ben"))
    asked = said(event("<@UBOT> true?", **shared))
    assert (asked.quoted, asked.quoted_by) == ("1 < 2", Person("U2", "Ben"))


@pytest.mark.parametrize(
    "raw",
    [
        event(user="UBOT"),
        event(bot_id="BBOT"),
        event(bot_id="BOTHER"),
        event(subtype="channel_join"),
        event(subtype="bot_message"),
        event(""),
        {"type": "reaction_added"},
        {"type": "member_joined_channel", "user": "U1", "channel": "C1", "event_ts": TS},
        {"type": "agent_session_stopped", "channel": "C1"},
    ],
)
def test_what_means_nothing(raw: dict[str, Any]) -> None:
    assert read(raw, ME, name_of) is None


@pytest.mark.parametrize("raw", [event(channel=7), event(ts="soon"), event(ts=None), event(user=None)])
def test_unknown_shapes_say_where(raw: dict[str, Any]) -> None:
    with pytest.raises(UnknownShape, match=r"^(channel|ts|user): not a"):
        read(raw, ME, name_of)


def test_others_who_are_named_first() -> None:
    for text, addressing in (
        ("<@U2> what do you think?", Addressing.TO_OTHERS),
        ("<@UBOT> what do you think?", Addressing.MENTION),
        ("what does <@U2> think?", Addressing.THREAD),
    ):
        assert said(event(text, thread_ts="1699999999.000200")).addressing is addressing
    assert said(event("what does <@U2> think?")).addressing is Addressing.OVERHEARD


def test_files() -> None:
    picture = {
        "id": "F1",
        "mimetype": "image/png",
        "name": "a.png",
        "size": 9,
        "url_private": "https://files.slack.com/a",
    }
    gone = {"id": "F2", "mode": "tombstone"}
    foreign = {"id": "F3", "file_access": CHECK_FILE}
    message = said(event("look", "D1", files=[picture, gone, foreign], subtype="file_share"))
    assert [(file.kind, file.ref, file.name) for file in message.attachments] == [
        (Kind.IMAGE, "F1 https://files.slack.com/a", "a.png"),
        (Kind.FILE, "", ""),
        (Kind.FILE, "F3", CHECK_FILE),
    ]


def test_edited() -> None:
    before, after = event("helo", "D1"), event("hello", "D1", edited={"user": "U1", "ts": "1700000009.000000"})
    change = {"type": "message", "subtype": "message_changed", "channel": "D1", "ts": "1700000009.000100"}
    found = read({**change, "message": after, "previous_message": before}, ME, name_of)
    assert found == Edited(
        f"slack:T1:D1:{TS}:edited:1700000009.000000",
        Chat("slack", "T1", "D1", TS),
        Person("U1"),
        TS,
        "hello",
        1_700_000_009_000,
    )
    assert read({**change, "message": {**before, "attachments": [{}]}, "previous_message": before}, ME, name_of) is None
    assert read({**change, "message": {**before, "reactions": [1]}, "previous_message": before}, ME, name_of) is None


def test_a_preview_that_comes_later_is_an_edit_of_what_is_quoted() -> None:
    before = event("what of <https://x.example>?", "D1")
    page = {
        "from_url": "https://x.example",
        "original_url": "https://x.example",
        "title": "A page",
        "text": "About cats",
    }
    after = {**before, "attachments": [page]}
    change = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": "D1", "ts": "1700000009.0001"}
    found = read({**change, "message": after, "previous_message": before}, ME, name_of)
    assert isinstance(found, Edited)
    assert (found.text, found.quoted) == ("what of https://x.example?", "A page\nAbout cats")
    gone = read({**change, "ts": "1700000019.0001", "message": before, "previous_message": after}, ME, name_of)
    assert isinstance(gone, Edited)
    assert gone.quoted == ""
    assert gone.key != found.key
    assert read({**change, "message": {**after, "bot_id": "BBOT"}, "previous_message": before}, ME, name_of) is None


DELETION = {"type": "message", "subtype": "message_deleted", "channel": "C1", "ts": "1700000009.0", "deleted_ts": TS}


def test_a_deletion() -> None:
    found = read({**DELETION, "previous_message": event(thread_ts="1699999999.000200")}, ME, name_of)
    key, chat = f"slack:T1:C1:{TS}", Chat("slack", "T1", "C1", "1699999999.000200")
    assert found == Deleted(f"{key}:deleted", chat, TS, 1_700_000_009_000, said(event()).key)
    bare = read(DELETION, ME, name_of)
    assert isinstance(bare, Deleted)
    assert bare.chat.thread == TS, "without what was there it began its thread"
    assert read({**DELETION, "previous_message": event(bot_id="BBOT")}, ME, name_of) is None


@pytest.mark.parametrize("before", [{"previous_message": event("<@UBOT> slow one")}, {}])
def test_a_tombstone_is_a_deletion_and_no_edit(before: dict[str, Any]) -> None:
    """Of a message whose thread has replies (matterbridge#600, toriel#238)."""
    grave = {"subtype": "tombstone", "user": "USLACKBOT", "text": "This message was deleted.", "hidden": True}
    grave |= {"ts": TS, "thread_ts": TS, "reply_count": 1}
    change = {"type": "message", "subtype": "message_changed", "channel": "C1", "ts": "1700000009.0", "message": grave}
    deleted = read({**DELETION, "previous_message": event()}, ME, name_of)
    assert read({**change, **before}, ME, name_of) == deleted
    assert read({**change, "previous_message": event(bot_id="BBOT")}, ME, name_of) is None


def test_the_platforms_stop() -> None:
    raw = {"type": "agent_session_stopped", "channel": "D1", "thread_ts": TS, "user": "U1", "event_ts": "1700000003.0"}
    found = read(raw, ME, name_of)
    assert isinstance(found, StopPressed)
    assert (found.chat, found.author) == (Chat("slack", "T1", "D1", TS), Person("U1"))


def test_being_let_in_and_put_out() -> None:
    joined = {"type": "member_joined_channel", "user": "UBOT", "channel": "C1", "inviter": "U1", "event_ts": TS}
    found = read(joined, ME, name_of)
    assert isinstance(found, Membership)
    assert (found.present, found.author, found.chat) == (True, Person("U1"), Chat("slack", "T1", "C1"))
    left = read({"type": "channel_left", "channel": "C1", "event_ts": TS}, ME, name_of)
    assert isinstance(left, Membership)
    assert not left.present


def test_the_past_of_a_thread() -> None:
    chat = Chat("slack", "T1", "C1", "1.0")
    theirs = message_of(event("1 &lt; 2"), chat, ME, name_of)
    assert theirs is not None
    assert (theirs.role, theirs.author.name, theirs.text) == (Role.USER, "Ann", "1 < 2")
    ours = message_of(event("yes", bot_id="BBOT"), chat, ME, name_of)
    assert ours is not None
    assert ours.role is Role.ASSISTANT
    assert message_of(event("Ann joined", subtype="channel_join"), chat, ME, name_of) is None


def test_milliseconds() -> None:
    assert milliseconds("1700000000.000216") == 1_700_000_000_000
    assert milliseconds("1700000000.5") == 1_700_000_000_500


# ── buttons ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def pressed(**container: Any) -> dict[str, Any]:
    place = {"type": "message", "channel_id": "D1", "message_ts": TS, **container}
    return {"type": "block_actions", "user": {"id": "U1"}, "container": place}


def test_a_button_in_a_thread_and_one_that_only_its_reader_sees() -> None:
    action = {"action_id": "magpie:0:0", "value": "/stop 1", "action_ts": "5.0"}
    found = press(pressed(thread_ts="1.0"), action, ME, 7)
    assert found is not None
    assert (found.chat.thread, found.post, found.action, found.group) == ("1.0", TS, "/stop 1", False)
    hidden = press(pressed(is_ephemeral=True), action, ME, 7)
    assert hidden is not None
    assert (hidden.chat, hidden.post) == (Chat("slack", "T1", "D1"), None)
    again = press(pressed(thread_ts="1.0"), {**action, "action_ts": "6.0"}, ME, 8)
    assert again is not None
    assert again.key != found.key


def test_menus_and_notes_as_blocks() -> None:
    menu = Menu(
        (
            (
                Choice("a" * 80, "/a", chosen=True),
                Choice("up", url="https://example.com"),
                Choice("no", url="javascript:1"),
            ),
            (Choice("long", "/system " + "x" * 2_000),),
        )
    )
    (row,) = buttons(menu)
    first, second = row["elements"]
    assert first["text"]["text"] == "✓ " + "a" * 72 + "…"
    assert (first["value"], second["url"]) == ("/a", "https://example.com")
    assert len({element["action_id"] for element in row["elements"]}) == 2
    (said,) = notes((Note(NoteKind.PART, "This is <!channel> a part."), Note(NoteKind.COST, "≈1")))
    assert said["elements"] == [{"type": "plain_text", "text": "This is <!channel> a part.", "emoji": False}]
    assert notes((Note(NoteKind.COST, "≈1"),)) == []


# ── views ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def plainly(text: Text) -> str:
    return text.id


def state(**values: str) -> dict[str, Any]:
    return {name: {name: {"value": value}} for name, value in values.items()}


def test_only_what_was_changed_in_the_form_becomes_a_command() -> None:
    rows = [
        SettingRow("slack/T1/D1", "temperature", 0.5, "U1", 1),
        SettingRow("slack/T1/D1", "translate", {"target": "English", "source": "Chinese"}, "U1", 1),
    ]
    now = views.current({"model": "qwen-plus"}, rows)
    assert (now.model, now.temperature, now.translate) == ("qwen-plus", "0.5", "Chinese to English")
    view = views.settings_modal("slack/T1/D1", now, ["qwen-plus", "qwen-max"], plainly)
    assert view["private_metadata"] == "slack/T1/D1"
    model, *_ = view["blocks"]
    assert model["element"]["initial_option"]["value"] == "qwen-plus"
    same = state(system="", temperature="0.5", max_tokens="", translate="Chinese to English")
    chosen = {"model": {"model": {"selected_option": {"value": "qwen-max"}}}}
    assert list(views.commands_of(same, now)) == []
    changed = {**chosen, **state(system="Be brief.", temperature="", max_tokens="800", translate="")}
    assert list(views.commands_of(changed, now)) == [
        ("model", "/model qwen-max"),
        ("system", "/system Be brief."),
        ("temperature", "/unset temperature"),
        ("max_tokens", "/set max_tokens 800"),
        ("translate", "/translate off"),
    ]


def test_a_system_prompt_that_no_form_holds_is_left_alone() -> None:
    now = views.Current(model="m", system="x" * 4_000)
    view = views.settings_modal("slack/T1/D1", now, [], plainly)
    assert "system" not in [block["block_id"] for block in view["blocks"]]
    assert list(views.commands_of(state(temperature=""), now)) == []


def test_the_languages_of_the_shortcut() -> None:
    where = {"channel": "C1", "ts": TS, "thread": TS}
    view = views.translate_modal(where, listing("zh-CN"), "zh-CN", plainly)
    shown = [option["text"]["text"] for option in view["blocks"][0]["element"]["options"]]
    assert len(shown) == len(ENGLISH)
    assert "法语" in shown
    assert json.loads(view["private_metadata"])["ts"] == TS
    assert view["blocks"][0]["element"]["initial_option"]["value"] == "Chinese"
    chosen = {"language": {"language": {"selected_option": {"value": "French"}}}}
    assert views.language_of(chosen) == "French"


def test_home_shows_what_holds() -> None:
    view = views.home("slack/T1/D1", views.Current(model="qwen-plus"), plainly)
    assert "Model: qwen-plus" in json.dumps(view)
    assert "not set" in json.dumps(view)


# ── what can be appended ────────────────────────────────────────────────────────────────────────────────────────────


def test_the_end_of_a_line_is_held_back() -> None:
    assert settled("Hello **bold**", first=True) == "Hello **bold"
    assert settled("Hello", first=False) == ""
    line = "word " * 20
    assert settled(line.strip(), first=False) == ("word " * (20 - HELD // 5 - 1)).strip()
    assert settled("one\ntwo", first=False) == "one"
    assert settled("```\nx = 1\n```", first=False) == "```\nx = 1"


def test_space_may_differ_and_words_may_not() -> None:
    assert rest("one two", "one two three") == " three"
    assert rest("- a\n- b", "- a\n\n- b\n\n- c") == "\n\n- c"
    assert rest("one two", "one too") is None
    assert rest("one two", "one") is None
    assert rest("one\u200b", "one") == ""


PARTS = st.sampled_from(
    [
        *(
            "word ",
            "words of more than one ",
            "**bold** ",
            "*it* ",
            "`code` ",
            "[link](https://example.com) ",
            "5 * 3 ",
        ),
        *("\n\n", "\n", "- item\n", "1. item\n", "```\ncode\n```\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "# Head\n"),
        "汉字，**粗体**。",
    ]
)


@given(st.lists(PARTS, min_size=1, max_size=40), st.integers(1, 30))
def test_a_stream_shows_what_was_generated_or_is_given_up(parts: list[str], stride: int) -> None:
    """Whatever grows: what was appended, and what the end adds, is the final text but for space."""
    source = "".join(parts)
    segmenter, sent = Segmenter(9_000, lambda blocks: utf8(markdown(blocks))), ""
    for at in range(stride, len(source), stride):
        documents = segmenter.update(source[:at])
        text = markdown(documents[0]) if documents else ""
        if rest(sent, text) is None:
            return
        sent += rest(sent, settled(text, first=not sent)) or ""
    documents = segmenter.update(source, whole=True)
    final = markdown(documents[0]) if documents else ""
    more = rest(sent, final)
    if more is not None:
        assert _words(sent + more) == _words(final)


def _words(text: str) -> str:
    return re.sub(r"[\s\u200b]+", "", text)


def test_usual_answers_stream_to_their_end() -> None:
    source = (
        "Here is **what** I found, with a [link](https://example.com/page) in it:\n\n1. **First**\n   - one\n   - two\n"
        "\n2. **Second**, `code`, and *more*.\n\n```python\nprint(1)\n\nprint(2)\n```\n\n| a | b |\n|---|---|\n"
        "| 1 | 2 |\n| 3 | 4 |\n\n价格为**$5**元，这是**“加粗”**文字。\n\nThe end, as one says."
    )
    segmenter, sent = Segmenter(9_000, lambda blocks: utf8(markdown(blocks))), ""
    for at in range(1, len(source)):
        documents = segmenter.update(source[:at])
        text = markdown(documents[0]) if documents else ""
        assert rest(sent, text) is not None, (source[at - 20 : at], sent[-60:], text[-60:])
        sent += rest(sent, settled(text, first=not sent)) or ""
    assert rest(sent, markdown(parse(source))) is not None


# ── pace ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_stream_that_starts_can_be_stopped_when_it_has_to_be() -> None:
    clock = SimClock()
    pace = Pace(clock)
    chats = [Chat("slack", "T1", f"D{number}", TS) for number in range(60)]
    stops: list[float] = []
    running: list[Chat] = []
    for chat in chats:
        if pace.reserve(chat):
            pace.started(chat, TS)
            running.append(chat)
    assert len(running) == STREAMS
    for chat in running:
        pace.stopped(chat, TS)
        stops.append(clock.monotonic())
    assert not pace.reserve(chats[-1])
    await clock.advance(61)
    assert pace.reserve(chats[-1])
    pace.release(chats[-1])


def test_which_bucket_a_call_takes_from() -> None:
    pace, chat = Pace(SimClock()), Chat("slack", "T1", "D1", TS)

    def names(call: CallKind) -> list[str]:
        return [bucket.name.removeprefix("slack:T1:") for bucket in pace.buckets(chat, call)]

    assert names(CallKind.NEW) == ["post:D1", "post", "begin"]
    assert names(CallKind.FINAL) == ["post:D1", "post"]
    pace.posted(chat, growing=True)
    assert names(CallKind.CHANGE) == ["update", "growth"]
    assert names(CallKind.FINAL) == ["update"]
    pace.started(chat, TS)
    assert names(CallKind.CHANGE) == ["append"]
    assert names(CallKind.FINAL) == []


async def test_a_window() -> None:
    clock = SimClock()
    window = Window(clock, 2)
    assert [window.take() for _ in range(3)] == [True, True, False]
    await clock.advance(60)
    window.refused(30)
    assert not window.take()
    await clock.advance(30)
    assert window.take()


# ── settings and manifest ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({"slack_bot_token": "xoxp-1-abcdef"}, "SLACK_BOT_TOKEN"),
        ({"slack_app_token": "xoxb-1-abcdef"}, "SLACK_APP_TOKEN"),
        ({"slack_signing_secret": "short"}, "SLACK_SIGNING_SECRET"),
        ({"slack_mode": "carrier pigeon"}, "SLACK_MODE"),
        ({"slack_api_url": "slack.com"}, "SLACK_API_URL"),
        ({"slack_proxy": "ftp://127.0.0.1"}, "SLACK_PROXY"),
    ],
)
def test_a_wrong_value_names_its_variable(values: dict[str, Any], variable: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings(_env_file=None, **values)
    assert caught.value.name == variable
    assert not any(str(value) in str(caught.value) for value in values.values() if "xox" in str(value))


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({"slack_app_token": "xapp-1-abcdef"}, "SLACK_BOT_TOKEN"),
        ({"slack_bot_token": "xoxb-1-abcdef"}, "SLACK_APP_TOKEN"),
        ({"slack_bot_token": "xoxb-1-abcdef", "slack_mode": "HTTP "}, "SLACK_SIGNING_SECRET"),
    ],
)
def test_what_can_t_work_together_names_what_is_missing(values: dict[str, Any], variable: str) -> None:
    settings = SlackSettings(_env_file=None, **values)
    assert settings.on
    with pytest.raises(SettingError) as caught:
        settings.check()
    assert caught.value.name == variable


def test_the_manifest_has_what_the_code_uses_and_nothing_else() -> None:
    """Methods are called by name, events are read by name: both are looked for in the source."""
    folder = Path(__file__).parents[1] / "adapters" / "slack"
    words: set[str] = set()
    for path in folder.rglob("*.py"):
        if path.name != "manifest.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            words |= {
                node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    methods = {word for word in words if re.fullmatch(r"[a-z]+(?:\.[a-zA-Z]+)+", word)}
    without_scope = {"auth.test", "chat.getPermalink", "apps.connections.open", "views.open", "views.publish"}
    needed = {
        method for uses in SCOPES.values() for method in uses if "." in method and not method.startswith("message.")
    }
    assert {
        method for method in methods if method.split(".")[0] in _families(needed | without_scope)
    } == needed | without_scope
    others = {"/magpie", "message_action", "file_share"}
    events = {use for uses in SCOPES.values() for use in uses} - needed - others
    assert set(EVENTS) == events | {"app_home_opened"}  # the one that needs no scope
    assert {each.partition(".")[0] for each in EVENTS} == _events_read(folder / "inbound" / "events.py") | {
        "app_home_opened"
    }
    assert manifest(SlackSettings(_env_file=None))["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)


def _events_read(path: Path) -> set[str]:
    """What `read` knows."""
    (function,) = [
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "read"
    ]
    return {
        node.value.value
        for node in ast.walk(function)
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant)
    }


def _families(methods: set[str]) -> set[str]:
    return {method.split(".")[0] for method in methods}


def test_the_manifest_of_either_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_MODE", "http")
    monkeypatch.setenv("PUBLIC_URL", "https://magpie.example.org/")
    made = json.loads(written(as_json=True))
    assert not made["settings"]["socket_mode_enabled"]
    assert made["settings"]["event_subscriptions"]["request_url"] == "https://magpie.example.org/slack/events"
    monkeypatch.delenv("SLACK_MODE")
    assert "socket_mode_enabled: true" in written()
    assert yaml({"a": ["x", {"b": 'say "hi"', "c": []}]}) == 'a:\n  - "x"\n  - b: "say \\"hi\\""\n    c: '
