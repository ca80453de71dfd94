"""All that people see in a message is read: attachments, blocks, tables, forwards, previews, files."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.slack.inbound.courtesies import is_for_others, is_small_talk
from adapters.slack.inbound.events import message_of, read
from adapters.slack.inbound.marks import Me, ids
from adapters.slack.inbound.seen import seen
from bot.types import Chat, IncomingMessage, Kind, Person, Role

ME = Me("T1", "UBOT", "BBOT", "magpie")
TS = "1700000000.000100"
NAMES = {"U1": "Ann", "U2": "Ben", "C7": "random", "S1": "oncall"}
Json = dict[str, Any]


def name_of(id: str) -> str:
    return NAMES.get(id, "")


def text(**message: Any) -> str:
    return seen({"text": "", **message}, ME, name_of).text


def mrkdwn(said: str) -> Json:
    return {"type": "mrkdwn", "text": said}


def plain(said: str) -> Json:
    return {"type": "plain_text", "text": said, "emoji": True}


def rich(*elements: Json, kind: str = "rich_text_section", **more: Any) -> Json:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements), **more}]}


def word(said: str, **more: Any) -> Json:
    return {"type": "text", "text": said, **more}


def cell(said: str) -> Json:
    return rich(word(said))


TABLE: Json = {
    "type": "table",
    "rows": [
        [cell("Item"), cell("Amount")],
        [cell("Item A"), cell("1,200")],
        [{"type": "raw_text", "text": "Item B | C"}, {"type": "raw_number", "value": 777}],
    ],
}
ROWS = "| Item | Amount |\n| Item A | 1,200 |\n| Item B \\| C | 777 |"
FORWARD: Json = {
    "is_share": True,
    "is_msg_unfurl": True,
    "author_name": "Carol",
    "author_id": "U3",
    "channel_name": "ops",
    "ts": TS,
    "from_url": "https://example.slack.com/archives/C1/p1700000000000100",
    "footer": "Posted in #ops",
    "fallback": "[November 14th, 2023 10:13 PM] carol: The VPN is down",
    "text": "The VPN is down since 9:00 &amp; <@U2> knows :fire:",
}
PICTURE = {"id": "F1", "name": "screen.png", "mimetype": "image/png", "url_private": "https://files.slack.com/1"}


# ── attachments ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_alert_in_an_attachment() -> None:
    """hermes-agent#33469: alerts have an empty text, or a stub."""
    alert = {
        "pretext": "Production",
        "author_name": "Grafana",
        "title": "[FIRING:1] KubeJobFailed",
        "title_link": "https://grafana.example",
        "text": "Job *batch-1234* failed <!here>",
        "fields": [{"title": "severity", "value": "critical", "short": True}, {"value": "no title"}, {"title": ""}],
        "fallback": "not shown",
        "footer": "cluster-01",
        "actions": [{"type": "button", "text": "Silence"}],
    }
    lines = ["Production", "Grafana", "[FIRING:1] KubeJobFailed", "Job *batch-1234* failed @here"]
    lines += ["severity: critical", "no title", "cluster-01"]
    assert text(bot_id="B1", attachments=[alert]) == "\n".join(lines)
    assert text(bot_id="B1", text="Alert", attachments=[{"text": "disk 97 %"}]) == "Alert\ndisk 97 %"
    assert text(bot_id="B1", attachments=[{"fallback": "only this"}]) == "only this"
    assert text(bot_id="B1", attachments=[{"fallback": "[no preview available]"}]) == ""


def test_blocks_of_an_app_are_what_people_see_of_it() -> None:
    blocks = [
        {"type": "header", "text": plain("Build 77")},
        {"type": "section", "text": mrkdwn("failed on <https://ci.example|main>"), "accessory": {"type": "button"}},
        {"type": "section", "fields": [mrkdwn("*Took*"), mrkdwn("3 min")]},
        {"type": "divider"},
        {"type": "image", "image_url": "https://x", "alt_text": "a curve", "title": plain("Coverage")},
        {"type": "image", "image_url": "https://x", "alt_text": "a cat"},
        {"type": "context", "elements": [mrkdwn("by <@U1>"), {"type": "image", "alt_text": "face"}]},
        {"type": "markdown", "text": "**bold** &amp; more"},
        {"type": "actions", "elements": [{"type": "button", "text": plain("Rerun")}]},
        {"type": "input", "label": plain("Why?")},
    ]
    lines = ["Build 77", "failed on main (https://ci.example)", "*Took*", "3 min", "[Coverage]", "[a cat]"]
    assert text(bot_id="B1", text="a summary", blocks=blocks) == "\n".join(
        [*lines, "by @Ann [face]", "**bold** & more"]
    )
    assert text(bot_id="B1", text="only that", blocks=[{"type": "divider"}]) == "only that"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "video", "title": plain("The demo"), "video_url": "https://x"},
        {"type": "something_new", "elements": [{"type": "thing", "content": {"text": mrkdwn("The demo")}}]},
        {"type": "card", "title": mrkdwn("The demo"), "actions": [{"type": "button", "text": plain("No")}]},
        {"type": "data_table", "rows": [[{"type": "new_cell", "text": "The demo"}]]},
        {"type": "alert", "text": {"type": "rich_text", "elements": [rich(word("The demo"))["elements"][0]]}},
    ],
)
def test_a_block_that_nobody_knows_is_read_too(block: Json) -> None:
    found = text(bot_id="B1", blocks=[block])
    assert found.strip("| ") == "The demo"


FILLED_IN = ("static_select", "multi_users_select", "datepicker", "radio_buttons", "checkboxes", "overflow")
FILLED_IN += ("workflow_button", "plain_text_input", "rich_text_input")


def test_what_is_filled_in_or_pressed_is_not_read_and_what_stands_beside_it_is() -> None:
    option = {"text": plain("Not shown"), "value": "x"}
    picked = [
        {"type": kind, "placeholder": plain("Not shown"), "options": [option], "confirm": {"title": plain("Not shown")}}
        for kind in FILLED_IN
    ]
    poll = [
        {"type": "section", "text": mrkdwn("*Lunch?*"), "accessory": each, "accessibility_label": "Not shown"}
        for each in picked
    ]
    poll += [{"type": "section", "text": mrkdwn("Pizza `3`"), "accessory": {"type": "image", "alt_text": "a pizza"}}]
    assert text(bot_id="B1", blocks=poll) == "\n".join([*["*Lunch?*"] * len(picked), "Pizza `3`", "[a pizza]"])


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (
            {"type": "call", "call_id": "R1", "call": {"v1": {"id": "R1", "name": "Weekly", "join_url": "https://x"}}},
            "Weekly",
        ),
        (
            {"type": "task_card", "task_id": "1", "title": "Fetch", "status": "done", "output": rich(word("42 rows"))},
            "Fetch\n42 rows",
        ),
        ({"type": "plan", "title": "Steps", "tasks": [{"task_id": "1", "title": "Fetch"}]}, "Steps\nFetch"),
        (
            {
                "type": "carousel",
                "elements": [
                    {"type": "card", "body": mrkdwn("one")},
                    {"type": "card", "hero_image": {"type": "image", "alt_text": "two"}},
                ],
            },
            "one\n[two]",
        ),
        (
            {"type": "new", "whatever": {"deep": [{"in": {"type": "mrkdwn", "text": "here"}}]}, "url": "https://x"},
            "here",
        ),
    ],
)
def test_words_are_found_wherever_a_block_keeps_them(block: Json, words: str) -> None:
    assert text(bot_id="B1", blocks=[block]) == words


def test_in_code_a_colon_is_a_colon_beside_whatever_mark() -> None:
    assert text(text="`a :heart: <@U2> :heart:` and ```:tada:\n<#C7> :x:``` :heart:") == (
        "`a :heart: @Ben :heart:` and ```:tada:\n#random :x:``` ❤️"
    )
    assert text(text="<@UBOT> `<@UBOT> :x:` hi") == "` :x:` hi"


def test_rich_text_without_a_text() -> None:
    """An element of each kind (docs.slack.dev: rich text)."""
    elements = [
        rich(
            word("Hi "),
            {"type": "user", "user_id": "U2"},
            word(" in "),
            {"type": "channel", "channel_id": "C7"},
            word(" and "),
            {"type": "usergroup", "usergroup_id": "S1"},
            {"type": "emoji", "name": "wave", "unicode": "1f44b-1f3fd", "skin_tone": 4},
            {"type": "emoji", "name": "our-own"},
            {"type": "broadcast", "range": "here"},
            {"type": "link", "url": "https://x.example", "text": "this"},
            word(" a_b", style={"code": True}),
            {"type": "date", "timestamp": 1, "fallback": "today"},
        )["elements"][0],
        {"type": "rich_text_list", "style": "ordered", "offset": 1, "elements": [rich(word("two"))["elements"][0]]},
        {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [rich(word("deep"))["elements"][0]]},
        {"type": "rich_text_quote", "elements": [word("said\nso")]},
        {"type": "rich_text_preformatted", "elements": [word("x = 1")]},
    ]
    assert text(blocks=[{"type": "rich_text", "elements": elements}]) == (
        "Hi @Ben in #random and @oncall👋🏽:our-own:@herethis (https://x.example)` a_b`today\n"
        "2. two\n  - deep\n> said\n> so\n```\nx = 1\n```"
    )


def test_what_somebody_typed_is_read_once() -> None:
    typed = rich(word("hello "), {"type": "emoji", "name": "x"})
    assert text(text="hello :x:", blocks=[typed]) == "hello ❌"
    assert text(text="a:x:b", blocks=[rich(word("a"), {"type": "emoji", "name": "x"}, word("b"))]) == "a❌b"
    assert text(text="a:x:b", blocks=[rich(word("a:x:b"))]) == "a:x:b"


def test_a_pasted_table() -> None:
    """openclaw#112229: it comes as an attachment with "[no preview available]"; or as a block of its own."""
    pasted = {"id": 1, "blocks": [TABLE], "fallback": "[no preview available]"}
    assert text(text="Which?", attachments=[pasted]) == f"Which?\n{ROWS}"
    assert text(text="Which?", blocks=[rich(word("Which?")), TABLE]) == f"Which?\n{ROWS}"
    message = message_of({"user": "U1", "ts": TS, "text": "", "attachments": [pasted]}, CHAT, ME, name_of)
    assert message is not None
    assert message.text == ROWS


def test_an_attachment_that_is_only_a_picture() -> None:
    assert text(bot_id="B1", attachments=[{"image_url": "https://x/y.png", "id": 1}]) == "[image]"


CHAT = Chat("slack", "T1", "C1", TS)


# ── forwards and previews ───────────────────────────────────────────────────────────────────────────────────────────


def said(**more: Any) -> IncomingMessage:
    message = read({"type": "message", "channel": "D1", "user": "U1", "text": "", "ts": TS, **more}, ME, name_of)
    assert isinstance(message, IncomingMessage)
    return message


WORDS = "The VPN is down since 9:00 & @Ben knows 🔥"


def test_a_forward_of_an_app_s_message_is_what_people_see_of_it() -> None:
    """Its blocks, not the summary of them; what a person typed is in its text."""
    blocks = [
        {"type": "section", "text": mrkdwn("Build *77* failed")},
        {"type": "context", "elements": [mrkdwn("main")]},
    ]
    inside = [{"team": "T1", "channel": "C1", "ts": TS, "message": {"blocks": blocks}}]
    forward = {**FORWARD, "author_name": "CI", "text": "New message", "message_blocks": inside}
    assert said(text="why?", attachments=[forward]).quoted == "Build *77* failed\nmain"
    typed = [{"message": {"blocks": [rich(word("The VPN"))]}}]
    assert said(text="why?", attachments=[{**FORWARD, "message_blocks": typed}]).quoted == WORDS
    assert said(text="why?", attachments=[{**FORWARD, "text": "", "message_blocks": typed}]).quoted == "The VPN"


def test_a_file_that_lies_elsewhere_keeps_its_address() -> None:
    """So that it can be said that it does."""
    drive = {"id": "F1", "name": "plan", "mimetype": "application/vnd.google-apps.document", "is_external": True}
    (found,) = said(text="sum up", files=[{**drive, "url_private": "https://docs.google.com/1"}]).attachments
    assert found.ref == "F1 https://docs.google.com/1"
    for mode in ("tombstone", "hidden_by_limit"):
        (found,) = said(text="sum up", files=[{"id": "F1", "mode": mode}]).attachments
        assert found.ref == ""


def test_a_forward_with_and_without_words_and_in_the_past() -> None:
    asked = said(text="what now?", attachments=[FORWARD])
    assert (asked.text, asked.quoted, asked.quoted_by) == ("what now?", WORDS, Person("U3", "Carol"))
    alone = said(attachments=[FORWARD])
    assert (alone.text, alone.quoted, alone.forwarded_from) == (WORDS, "", Person("U3", "Carol"))
    past = message_of({"user": "U1", "ts": TS, "text": "look", "attachments": [FORWARD]}, CHAT, ME, name_of)
    assert past is not None
    assert (past.text, past.quoted, past.quoted_by) == ("look", WORDS, Person("U3", "Carol"))


def test_a_forward_of_a_picture() -> None:
    alone = said(attachments=[{**FORWARD, "text": "", "files": [PICTURE]}])
    assert [(file.kind, file.name) for file in alone.attachments] == [(Kind.IMAGE, "screen.png")]
    assert alone.text == alone.quoted == ""
    asked = said(text="what is on it?", attachments=[{**FORWARD, "files": [PICTURE]}])
    assert (asked.quoted, len(asked.attachments)) == (WORDS, 1)
    past = message_of({"user": "U1", "ts": TS, "attachments": [{**FORWARD, "files": [PICTURE]}]}, CHAT, ME, name_of)
    assert past is not None
    assert len(past.attachments) == 1


def test_several_forwards_each_with_its_author() -> None:
    other = {**FORWARD, "author_name": "Dan", "author_id": "U4", "text": "it is back"}
    both = said(attachments=[FORWARD, other])
    assert (both.text, both.quoted, both.quoted_by) == ("", f"Carol: {WORDS}\nDan: it is back", None)


def test_a_forward_of_what_has_no_text() -> None:
    """An alert, a table, a message that is only blocks, a forward."""
    inner = {"title": "[FIRING] disk", "text": "97 %"}
    forwards: list[tuple[Json, str]] = [
        ({"attachments": [inner]}, "[FIRING] disk\n97 %"),
        ({"message_blocks": [{"team": "T1", "message": {"blocks": [rich(word("as blocks"))]}}]}, "as blocks"),
        ({"blocks": [TABLE]}, ROWS),
        ({}, "[November 14th, 2023 10:13 PM] carol: The VPN is down"),
        ({"attachments": [{**FORWARD, "text": "twice"}]}, "Carol\ntwice"),
    ]
    for more, words in forwards:
        assert said(attachments=[{**FORWARD, "text": "", **more}]).text == words


def test_a_preview_that_comes_along_is_quoted() -> None:
    preview = {"from_url": "https://x.example", "service_name": "X", "title": "A page", "text": "About cats"}
    asked = said(text="what is it about? <https://x.example>", attachments=[preview])
    assert asked.text == "what is it about? https://x.example"
    assert asked.quoted == "A page\nAbout cats"


# ── who speaks, and to whom ─────────────────────────────────────────────────────────────────────────────────────────


def test_apps_have_names() -> None:
    for more, name in (
        ({"username": "AlertBot"}, "AlertBot"),
        ({"bot_profile": {"name": "CI"}}, "CI"),
        ({"user": "U2", "username": "other"}, "Ben"),
    ):
        message = message_of(
            {"bot_id": "B1", "ts": TS, "text": "x", "subtype": "bot_message", **more}, CHAT, ME, name_of
        )
        assert message is not None
        assert message.author.name == name


def test_our_own_answer_is_read_without_its_small_print() -> None:
    blocks = [{"type": "markdown", "text": "The whole answer"}, {"type": "context", "elements": [plain("¥0.01")]}]
    message = message_of({"user": "UBOT", "ts": TS, "text": "The wh…", "blocks": blocks}, CHAT, ME, name_of)
    assert message is not None
    assert (message.role, message.text) == (Role.ASSISTANT, "The whole answer")


@pytest.mark.parametrize(
    ("source", "is_theirs"),
    [
        ("<@U2> can you?", True),
        ("  <@U2|ben> can you?", True),
        ("<!subteam^S1> can you take this?", True),
        ("<!subteam^S1|@oncall> can you take this?", True),
        ("<!here> lunch?", True),
        ("<!channel|@channel> lunch?", True),
        ("<!everyone> lunch?", True),
        ("hey <@U2> shall we?", True),
        (":wave: Hi, <@U2>!", True),
        ("谢谢 <@U2>", True),
        ("<@UBOT> ask <@U2>", False),
        ("Hey <@UBOT>, and <@U2>", False),
        ("what did <@U2> mean?", False),
        ("<#C7> what is it for?", False),
        ("<https://x.example> what is it?", False),
        ("<!date^1^{date}|today> what is on?", False),
        ("go on", False),
    ],
)
def test_who_is_spoken_to(source: str, is_theirs: bool) -> None:
    assert is_for_others(source, ME) is is_theirs


@pytest.mark.parametrize(
    ("words", "is_small"),
    [
        ("thanks!", True),
        ("Thank you so much :tada:", True),
        (":+1: :our-own:", True),
        ("👍🏼", True),
        ("https://example.com/x?y=1".replace("?y=1", ""), True),
        ("谢谢！", True),
        ("merci beaucoup", True),
        ("...", True),
        ("?", False),
        ("thanks, and in French?", False),
        ("yes", False),
        ("ok", False),
        ("go on", False),
        ("summarise https://example.com", False),
    ],
)
def test_what_asks_for_nothing(words: str, is_small: bool) -> None:
    assert is_small_talk(words) is is_small


def test_who_is_named_anywhere() -> None:
    message = {
        "text": "<@U1> <@UBOT> <#C1|> <!subteam^S9|@x> <https://x|y>",
        "attachments": [{"text": "<@W7>", "blocks": [rich({"type": "user", "user_id": "U5"})]}],
    }
    assert ids(message, ME) == {"U1", "C1", "S9", "W7", "U5"}


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ({"mimetype": "audio/mp4", "subtype": "slack_audio"}, Kind.VOICE),
        ({"mimetype": "video/mp4", "subtype": "slack_video"}, Kind.VIDEO_NOTE),
        ({"mimetype": "audio/mpeg"}, Kind.AUDIO),
        ({"mimetype": "application/octet-stream", "filetype": "png"}, Kind.FILE),
        ({"mimetype": "text/plain", "mode": "snippet"}, Kind.FILE),
    ],
)
def test_the_kind_of_a_file(file: Json, kind: Kind) -> None:
    (found,) = said(files=[{"id": "F1", "name": "x", "url_private": "https://files.slack.com/x", **file}]).attachments
    assert (found.kind, found.ref) == (kind, "F1 https://files.slack.com/x")
