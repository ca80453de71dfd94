"""What is typed and what is said: commands that hold what nobody sees, near misses, and commands written as people type
them where they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.telegram.outgoing.render import render
from bot.commands import TABLE, parse
from bot.commands.table import BY_NAME
from bot.commands.writing.forms import is_blank, markdown_here, plain_here
from bot.errors import UnknownModel
from bot.markdown import plain
from bot.types import Ack, Chat, Features, Note, NoteKind, Person, Piece, Press
from tests.fakes.core import Core
from tests.fakes.model import FakeModel, Script
from tests.fakes.platform import ANN, CHAT, FakePlatform

SLACK = Features(prefix="/magpie ", thread_prefix="@magpie /")
THREAD = replace(CHAT, thread="1")
MEI = Person("mei", "Mei", "zh")
BOSS = Person("boss", "Boss", admin=True)


async def answer(core: Core, platform: FakePlatform, text: str, chat: Chat = CHAT, **more: Any) -> str:
    before = len(platform.shown(chat))
    await core.say(platform.says(text, chat=chat, **more))
    await core.quiet()
    return "\n".join(plain(piece.blocks) for piece in platform.shown(chat)[before:])


# ── what is typed ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("/\u2060stop", ("stop", "")),
        ("\u200b/stop", ("stop", "")),
        ("/st\u2060op", ("stop", "")),
        ("\ufeff/\u2060allow\u200b 8\u2060", ("allow", "8")),
        ("/new\u200e", ("new", "")),
        ("/\u200dnew", ("new", "")),
        ("\u2068/model qwen-max\u2069", ("model", "qwen-max")),
        ("／\u2060帮助", ("帮助", "")),
        ("/system You are 👩\u200d🚀.", ("system", "You are 👩\u200d🚀.")),
    ],
)
def test_what_nobody_sees_is_no_part_of_a_command(text: str, parsed: tuple[str, str]) -> None:
    assert parse(text) == parsed


@pytest.mark.parametrize(
    "text",
    ["\u2060", "\u200b\u200b", "\ufeff \n", "\u200d", "\u3164", "\u2800", "\u00ad\u2063", "\u115f\u1160", "\ufe0f"],
)
async def test_a_message_of_which_nothing_is_seen_is_nothing(
    core: Core, platform: FakePlatform, model: FakeModel, text: str
) -> None:
    assert is_blank(text)
    assert await answer(core, platform, text) == ""
    assert model.asked == []


@pytest.mark.parametrize("text", [".", "a\u200b", "👩\u200d🚀", "é", "\u0301", "1"])
def test_a_sign_is_something(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("/hepl", "help"),
        ("/stpo", "stop"),
        ("/retyr", "retry"),
        ("/modle qwen-max", "model"),
        ("/translat English", "translate"),
        ("/contineu", "continue"),
        ("/帮忙", "帮助"),
        ("/新话题", "新对话"),
        ("/停下", "停止"),
        ("/模形 qwen-max", "模型"),
    ],
)
async def test_a_near_miss_is_offered_once(
    core: Core, platform: FakePlatform, model: FakeModel, said: str, meant: str
) -> None:
    words = await answer(core, platform, said)
    assert f"Did you mean /{meant}?" in words
    menu = platform.shown()[-1].menu
    assert menu is not None
    labels = [choice.label for row in menu.rows for choice in row]
    assert labels == list(dict.fromkeys([f"/{meant}", "/help"]))
    assert model.asked == []


@pytest.mark.parametrize("said", ["/你好吗", "/今天天气怎么样", "/usr/bin"])
async def test_what_is_near_nothing_is_a_question(
    core: Core, platform: FakePlatform, model: FakeModel, said: str
) -> None:
    await answer(core, platform, said)
    assert len(model.asked) == 1


# ── help ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_help_is_for_whom_it_is_said_to(core: Core, platform: FakePlatform) -> None:
    admins = ("/allow", "/deny", "/balance", "/alerts")
    group = Chat("fake", "bot", "group")
    said = await answer(core, platform, "/help")
    assert not any(each in said for each in (*admins, "/claim"))
    assert [title in said for title in ("Talk", "Model", "Translate", "Settings", "Admin")] == [True] * 4 + [False]
    assert "picture" in said
    said = await answer(core, platform, "/help", by=BOSS)
    assert all(each in said for each in (*admins, "Admin"))
    said = await answer(core, platform, "/help", chat=group, group=True)
    assert "mentioned" in said
    assert not any(f"{each} " in said for each in (*admins, "/system", "/set"))
    said = await answer(core, platform, "/help", by=MEI)
    assert all(title in said for title in ("对话", "模型", "翻译", "设置"))


async def test_help_on_set_has_two_lists_that_are_apart(core: Core, platform: FakePlatform) -> None:
    said = await answer(core, platform, "/help set")
    assert "For example: /set temperature 0.7" in said
    assert "What can be set:" in said


# ── commands as people type them ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "here", "shown"),
    [
        ("`/help` lists all.", "/magpie ", "`/magpie help` lists all."),
        ("Use `/set temperature 0.7`.", "@magpie /", "Use `@magpie /set temperature 0.7`."),
        ("Choose with /model.", "/", "Choose with `/model`."),
        ("用/model选择，或 /set。", "/magpie ", "用`/magpie model`选择，或 `/magpie set`。"),
        ("see https://example.org/help and a/help", "/magpie ", "see https://example.org/help and a/help"),
        ("```\n/help\n```", "/magpie ", "```\n/help\n```"),
        ("`/hepl` and `what is /help`", "/magpie ", "`/hepl` and `what is /help`"),
    ],
)
def test_a_command_in_our_own_words(text: str, here: str, shown: str) -> None:
    assert markdown_here(text, here, BY_NAME) == shown


def test_in_plain_words() -> None:
    assert (
        plain_here("Choose with /model or /usr/bin.", "/magpie ", BY_NAME) == "Choose with /magpie model or /usr/bin."
    )


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_no_answer_names_a_command_that_the_platform_does_not_let_through(
    core: Core, platform: FakePlatform, language: str
) -> None:
    platform.talk = SLACK
    author = Person("boss", "Boss", language, admin=True)
    said = ["/start", "/model", "/model nonsense", "/translate", "/translate English", "/translate off", "/set"]
    said += ["/unset", "/settings", "/system", "/search", "/reasoning", "/help", "/hepl", "/allow", "/retry", "/usage"]
    said += [f"/help {each.name}" for each in TABLE]
    for chat, here in ((CHAT, "/magpie "), (THREAD, "@magpie /")):
        for text in said:
            words = await answer(core, platform, text, by=author, chat=chat)
            for name in BY_NAME:
                bare = words.replace(f"{here}{name}", "").replace(f'got "/{name}', "")
                assert f"/{name} " not in f"{bare} ".replace("/hepl", ""), f"{text} -> {words}"


async def test_an_errors_command_too(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    platform.talk = SLACK
    model.scripts = [Script([], error=UnknownModel("m1"))]
    await answer(core, platform, "hi", chat=THREAD)
    (note,) = [note.text for note in platform.shown(THREAD)[0].notes if note.kind is NoteKind.ERROR]
    assert "Choose another with @magpie /model." in note


@pytest.mark.parametrize("said", ["/你好", "/what is the capital of France?", "/ hello"])
async def test_a_question_after_a_slash_command_is_told_where_to_go(
    core: Core, platform: FakePlatform, said: str
) -> None:
    platform.talk = SLACK
    ack = await core.say(Press("p", CHAT, ANN, said, core.clock.now()))
    assert isinstance(ack, Ack)
    assert "To ask me something, write to me directly or mention me" in ack.toast
    assert "button" not in ack.toast
    platform.talk = Features()
    ack = await core.say(Press("p2", CHAT, ANN, "/你好", core.clock.now(), "m1"))
    assert ack.toast == "This button no longer works."


def test_on_telegram_a_command_in_a_note_can_be_copied_and_sends_nothing() -> None:
    note = Note(NoteKind.ERROR, "Change it with /set or /unset. See a/b.")
    shown = render(Piece("1.0", (), notes=(note,)))
    assert "\u2060" not in shown.text
    raw = shown.text.encode("utf-16-le")
    codes = [raw[2 * e.offset : 2 * e.end].decode("utf-16-le") for e in shown.entities if e.type == "code"]
    assert codes == ["/set", "/unset"]


async def test_what_is_set_is_said_by_its_name(core: Core, platform: FakePlatform) -> None:
    for said, words, chinese in (
        ("/search on", "Web search is on for this chat.", "本对话的联网搜索已开启。"),
        ("/set search off", "Web search is off for this chat.", "本对话的联网搜索已关闭。"),
        ("/set temperature 0.7", "Temperature for this chat is now 0.7.", "温度"),
        ("/set max_tokens 800", "Longest answer for this chat is now 800.", "最大长度"),
    ):
        assert words in await answer(core, platform, said)
        assert chinese in await answer(core, platform, said, by=MEI)
    said = await answer(core, platform, "/settings")
    assert "enable_search" not in said
    assert "top_p" not in said
