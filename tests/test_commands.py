"""What people can say to the bot, on the real store in memory, without any platform."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands import TABLE, Commands, Context, GatewayFacts, parse
from bot.commands.base import Topic
from bot.commands.models import ordered
from bot.commands.writing.menus import ACTION_BYTES
from bot.gateways.catalogue import Catalogue
from bot.gateways.parameters import PARAMETERS
from bot.languages.names import ENGLISH
from bot.markdown import Code, Paragraph, Words
from bot.markdown import parse as parse_markdown
from bot.settings.overlay import effective
from bot.turns.exchange import unbegun
from bot.types import (
    Answer,
    BalanceReading,
    Chat,
    ChatSettings,
    Choice,
    Forget,
    IncomingMessage,
    Json,
    LedgerEntry,
    ModelInfo,
    Money,
    Outcome,
    Person,
    Reopen,
    Reply,
    SetSetting,
    Stop,
    Translation,
    Turn,
    Usage,
)
from storage.store import SqlStore, open_store
from tests.fakes.accounts import OURS
from tests.fakes.clock import SimClock

CHAT = Chat("web", "local", "c1")
ANN = Person("u1", "Ann")
MEI = Person("u2", "Mei", "zh-CN")
GATEWAY = GatewayFacts(
    "wcode", "https://example.org/top-up", "https://example.org/key", "qwen-mt-turbo", "qwen-vl-plus"
)
DAY = 86_400


class Talk:
    """A chat in which commands are said, and their effects stored, as intake does it."""

    def __init__(self, store: SqlStore, clock: SimClock, chat: Chat = CHAT, author: Person = ANN) -> None:
        self.store = store
        self.clock = clock
        self.chat = chat
        self.author = author
        self.commands = Commands(store, Catalogue(), lambda _: ChatSettings("qwen-plus"), GATEWAY)
        self._keys = itertools.count()

    def context(self, **more: object) -> Context:
        return replace(Context(self.chat, self.author, self.clock.now()), **more)  # type: ignore[arg-type]

    async def maybe(self, text: str, **more: object) -> Reply | None:
        reply = await self.commands.run(self.context(**more), text)
        if reply is not None:
            await self.store.answer(self.message(text), reply)
        return reply

    async def say(self, text: str, **more: object) -> Reply:
        reply = await self.maybe(text, **more)
        assert reply is not None
        return reply

    async def held(self) -> ChatSettings:
        return effective(ChatSettings("qwen-plus"), await self.store.settings(self.chat))

    def message(self, text: str) -> IncomingMessage:
        return IncomingMessage(f"{self.chat.key} {next(self._keys)}", self.chat, self.author, text, self.clock.now())

    async def ask(self, text: str = "Why?") -> int:
        """A question that waits."""
        turn = (await self.store.accept(self.message(text))).turn
        assert turn is not None
        return turn

    async def start(self) -> Turn:
        """Its turn comes (notices before it are taken, too)."""
        while (turn := await self.store.claim(self.clock.now(), OURS)) is not None:
            if turn.kind == "question":
                return turn
        raise AssertionError("no question waits")

    async def answered(self, text: str = "Why?", cost: str | None = "0.01", **usage: object) -> int:
        """A question and its answer."""
        await self.ask(text)
        turn = await self.start()
        entry = LedgerEntry(turn.id, turn.attempt, "wcode", "qwen-plus", self.clock.now())
        id = await self.store.begin(turn, entry)
        done = replace(
            entry,
            usage=Usage(1000, 200, **usage),  # type: ignore[arg-type]
            cost=None if cost is None else Money(Decimal(cost)),
            ended=self.clock.now(),
        )
        await self.store.generated(turn, Answer("Because.", Outcome.WHOLE), {id: done})
        await self.store.end(turn, Outcome.WHOLE)
        return turn.id


@pytest.fixture
def talk(store: SqlStore, clock: SimClock) -> Talk:
    return Talk(store, clock)


def sets(reply: Reply) -> list[tuple[str, str, Json]]:
    return [(each.scope, each.name, each.value) for each in reply.effects if isinstance(each, SetSetting)]


def choices(reply: Reply) -> list[Choice]:
    return [choice for row in reply.menu.rows for choice in row] if reply.menu else []


def stopped(reply: Reply) -> list[int]:
    return [each.turn for each in reply.effects if isinstance(each, Stop)]


def actions(reply: Reply) -> list[str]:
    return [choice.action for choice in choices(reply)]


# ── what is a command ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("/set temperature 0.7", ("set", "temperature 0.7")),
        ("/HELP", ("help", "")),
        ("  /new\n", ("new", "")),
        ("／model qwen-max", ("model", "qwen-max")),
        ("/set　temperature　0.7", ("set", "temperature　0.7")),
        ("/system Be kind.\n\nBe brief.", ("system", "Be kind.\n\nBe brief.")),
        ("/模型 qwen-max", ("模型", "qwen-max")),
        ("/nonsense x", ("nonsense", "x")),
        ("/help.", ("help", "")),
        ("/Stop!\n", ("stop", "")),
        ("/翻译：英文", ("翻译", "英文")),
        ("/new，换个话题", ("new", "换个话题")),
        ("/model: qwen-max", ("model", "qwen-max")),
        ("/search:on", ("search", "on")),
        ("/model.py is broken", None),
        ("/settings/a", None),
        ("/nonsense: x", None),
        ("/usr/bin", None),
        ("/ hello", None),
        ("//comment", None),
        ("/", None),
        ("/2", None),
        ("/你好吗", None),
        ("/model@other qwen-max", None),
        ("what is /help", None),
        ("", None),
    ],
)
def test_parse(text: str, parsed: tuple[str, str] | None) -> None:
    assert parse(text) == parsed


async def test_a_question_is_no_command(talk: Talk) -> None:
    assert await talk.maybe("Why is the sky blue?") is None
    assert await talk.maybe("/etc/passwd") is None


async def test_an_unknown_command_names_help_and_the_nearest(talk: Talk) -> None:
    reply = await talk.say("/modle")
    assert "/model" in reply.text
    assert "/help" in reply.text
    assert reply.error
    assert actions(reply) == ["/model", "/help"]
    assert actions(await talk.say("/qqqqqq")) == ["/help"]


async def test_help_lists_the_whole_table(talk: Talk) -> None:
    reply = await talk.say("/help")
    for command in TABLE:
        everyones = command.topic is not Topic.ADMIN and command.name != "start"
        assert (f"`/{command.name}" in reply.text) == everyones, command.name
    detail = await talk.say("/help set")
    assert all(name in detail.text for name in PARAMETERS)
    assert "for this thread only" not in detail.text
    assert (await talk.say("/help nonsense")).error


async def test_names_and_aliases_are_unique() -> None:
    names = [name for command in TABLE for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))
    assert all(parse(f"/{name} x") == (name, "x") for name in names)


async def test_start_offers_a_way_on(talk: Talk) -> None:
    reply = await talk.say("/start")
    assert "qwen-plus" in reply.text
    for action in actions(reply):
        assert not (await talk.say(action)).error


async def test_words_are_in_the_persons_language_or_the_chats(talk: Talk) -> None:
    talk.author = MEI
    assert "查看某个命令的用法" in (await talk.say("/help")).text
    await talk.say("/language en")
    assert "More about one of them" in (await talk.say("/help")).text
    talk.author = ANN
    reply = await talk.say("/language 中文")
    assert "中文" in reply.text
    assert sets(reply) == [(CHAT.key, "language", "zh")]
    assert "查看某个命令的用法" in (await talk.say("/help")).text
    await talk.say("/language auto")
    assert "More about one of them" in (await talk.say("/help")).text
    assert (await talk.say("/language tlh")).error
    assert {"/language en", "/language zh", "/language auto"} == set(actions(await talk.say("/language")))


# ── the model ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_model_by_its_name(talk: Talk) -> None:
    reply = await talk.say("/model Qwen-Max")
    assert sets(reply) == [(CHAT.key, "model", "qwen-max")]
    assert "¥0.0125" in reply.text
    assert "searches the web" in reply.text
    assert (await talk.held()).model == "qwen-max"


async def test_a_model_by_its_number_in_the_list(talk: Talk) -> None:
    listed = ordered(Catalogue())
    assert sets(await talk.say("/model 3")) == [(CHAT.key, "model", listed[2].id)]
    assert f"- 3 · `{listed[2].id}` · 32K" in (await talk.say("/model page 1")).text
    reply = await talk.say("/model 9999")
    assert reply.error
    assert str(len(listed)) in reply.text
    assert not reply.effects


async def test_a_model_by_a_part_that_only_it_has(talk: Talk) -> None:
    assert sets(await talk.say("/model farui")) == [(CHAT.key, "model", "farui-plus")]
    assert sets(await talk.say("/model 法睿")) == [(CHAT.key, "model", "farui-plus")]
    assert sets(await talk.say("/model qwen2.5 vl 72b")) == [(CHAT.key, "model", "qwen2.5-vl-72b-instruct")]


async def test_a_part_that_several_have_asks_which(talk: Talk) -> None:
    reply = await talk.say("/model math-plu")
    assert sets(reply) == [(CHAT.key, "model", "qwen-math-plus")]
    reply = await talk.say("/model qwen-math")
    assert not reply.effects
    assert set(actions(reply)) == {"/model qwen-math-plus", "/model qwen-math-turbo"}


async def test_an_unknown_model_is_tried_with_a_word_about_its_price(talk: Talk) -> None:
    reply = await talk.say("/model some-new-thing")
    assert sets(reply) == [(CHAT.key, "model", "some-new-thing")]
    assert "price unknown" in reply.text
    assert "not in my list" in reply.text
    await talk.say("/model qwen-plus")
    close = await talk.say("/model qwen-pluss")
    assert "/model qwen-plus" in actions(close)
    assert not any(choice.chosen for choice in choices(close))
    assert sets(await talk.say('/model "gpt-4"')) == [(CHAT.key, "model", "gpt-4")]
    assert sets(await talk.say("/model “qwen-vl”")) == [(CHAT.key, "model", "qwen-vl")]
    for wrong in ("/model two words", f"/model {'x' * 101}", '/model "', "/model a\x07b"):
        assert (await talk.say(wrong)).error, wrong


async def test_the_models_stand_on_pages(talk: Talk) -> None:
    seen: list[str] = []
    action = "/model page 1"
    while action:
        reply = await talk.say(action)
        rows = [choice for choice in choices(reply) if "page" not in choice.action]
        assert 2 <= len(rows) <= 9
        assert all(len(line) <= 60 for line in reply.text.splitlines())
        seen += [choice.action.removeprefix("/model ") for choice in rows if choice.label != "All kinds"]
        action = next((each.action for each in choices(reply) if each.label == "›"), "")
    assert seen == [info.id for info in ordered(Catalogue())]
    first = await talk.say("/model page 1")
    assert [choice.action for choice in choices(first) if choice.chosen] == ["/model qwen-plus"]
    assert any("¥0.0025" in choice.label for choice in choices(first))
    assert actions(await talk.say("/model page 99")) == actions(await talk.say("/model page 6"))
    assert actions(await talk.say("/model page 0")) == actions(first)
    assert [each.label for each in choices(await talk.say("/model page 2"))][-4:] == ["‹", "2/6", "›", "All kinds"]


async def test_the_kinds_of_models_stand_before_the_models(talk: Talk) -> None:
    """Also where the chat's model is in no list."""
    first = await talk.say("/model")
    offered = {choice.label: choice.action for choice in choices(first)}
    assert [label for label in offered if "★" in label] == ["✓ ★ qwen-plus · ¥0.0025", "★ qwen-vl-plus · ¥0.006"]
    kinds = {label: action for label, action in offered.items() if "★" not in label}
    assert list(kinds)[:2] == ["General (3)", "Pictures and video (7)"]
    assert list(kinds)[-1] == "All models (42)"
    assert len(first.text.splitlines()) <= 7
    seen: list[str] = []
    for action in list(kinds.values())[:-1]:
        while action:
            page = choices(await talk.say(action))
            assert page[-1].action == "/model"
            models = [each for each in page if not each.action.startswith("/model kind ")][:-1]
            seen += [choice.action.removeprefix("/model ") for choice in models]
            action = next((each.action for each in page if each.label == "›"), "")
    assert sorted(seen) == sorted(info.id for info in Catalogue().all())
    await talk.say("/model gpt-4o")
    assert actions(await talk.say("/model")) == actions(first)
    assert "`gpt-4o`" in (await talk.say("/model")).text
    for odd in ("/model kind nonsense", "/model kind pictures second"):
        assert (await talk.say(odd)).error, odd


async def test_a_kind_is_chosen_from_where_it_is_written(talk: Talk) -> None:
    thread = replace(CHAT, thread="t1")
    first = await talk.say("/model here", chat=thread)
    assert "/model here kind long" in actions(first)
    assert "/model here qwen-long" in actions(await talk.say("/model here kind long", chat=thread))
    assert all(len(action.encode()) <= ACTION_BYTES for action in actions(first))


async def test_in_chinese_models_have_their_names(talk: Talk) -> None:
    reply = await talk.say("/model kind general", author=MEI)
    assert "- 3 · `通义千问-Max` · 32K" in reply.text
    assert "全部类别" in [choice.label for choice in choices(reply)]


async def test_a_name_too_long_for_a_button_goes_by_its_number(store: SqlStore) -> None:
    class Book:
        def info(self, model: str) -> ModelInfo:
            return ModelInfo(model)

        def all(self) -> list[ModelInfo]:
            return [ModelInfo("vendor/" + "x" * 80, listed=True)]

    commands = Commands(store, Book(), lambda _: ChatSettings("m"), GATEWAY)
    reply = await commands.run(Context(CHAT, ANN, 0), "/model")
    assert reply is not None
    assert actions(reply) == ["/model 1"]
    reply = await commands.run(Context(CHAT, ANN, 0), "/model 1")
    assert reply is not None
    assert sets(reply) == [(CHAT.key, "model", "vendor/" + "x" * 80)]


async def test_what_the_new_model_cannot_have_is_said_and_kept(talk: Talk) -> None:
    await talk.say("/search on")
    reply = await talk.say("/model qwen-vl-plus")
    assert "qwen-vl-plus has no web search" in reply.text
    assert "kept for other models" in reply.text
    assert (await talk.held()).parameters == {"enable_search": True}
    assert "qwen-vl-plus has no web search" in (await talk.say("/settings")).text


# ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("temperature 0.7", "temperature", 0.7),
        ("temperature=0.7", "temperature", 0.7),
        ("Top-P： 0.8", "top_p", 0.8),
        ("温度 1", "temperature", 1),
        ('stop "END" "完"', "stop", ["END", "完"]),
        ("max_tokens 800", "max_tokens", 800),
        ("seed 18446744073709551615", "seed", 2**64 - 1),
        ("search on", "enable_search", True),
        ("system Be kind.", "system", "Be kind."),
        ("model qwen-max", "model", "qwen-max"),
        ("translate 英语", "translate", {"target": "English", "source": None}),
        ("language zh", "language", "zh"),
    ],
)
async def test_set(talk: Talk, words: str, name: str, value: Json) -> None:
    assert sets(await talk.say(f"/set {words}")) == [(CHAT.key, name, value)]
    rows = await talk.store.settings(CHAT)
    assert [(row.name, row.value, row.by) for row in rows] == [(name, value, "u1")]


@pytest.mark.parametrize(("words", "value"), [("brief", "brief"), ("完整", "full"), ("OFF", "off")])
async def test_how_much_reasoning_is_shown(talk: Talk, words: str, value: str) -> None:
    await talk.say(f"/reasoning {words}")
    assert effective(ChatSettings("m"), await talk.store.settings(CHAT)).reasoning == value
    reply = await talk.say("/reasoning")
    assert reply.menu is not None
    assert [choice.action for choice in reply.menu.rows[0] if choice.chosen] == [f"/reasoning {value}"]
    assert "Reasoning" in (await talk.say("/settings")).text
    await talk.say("/unset reasoning")
    assert effective(ChatSettings("m"), await talk.store.settings(CHAT)).reasoning == ""
    assert (await talk.say("/reasoning maybe")).error


@pytest.mark.parametrize("words", ["/think on", "/思考 开", "/set thinking true", "/set 深度思考 on"])
async def test_thinking_is_switched_where_the_model_can(talk: Talk, words: str) -> None:
    await talk.say("/model qwen3-8b")
    assert "not set" in (await talk.say("/think")).text
    reply = await talk.say(words)
    assert sets(reply) == [(CHAT.key, "enable_thinking", True)]
    assert "not known" not in reply.text
    reply = await talk.say("/think")
    assert "Thinking is on" in reply.text
    assert actions(reply) == ["/think on", "/think off"]
    assert "Thinking" in (await talk.say("/settings")).text
    await talk.say("/think off")
    assert (await talk.held()).parameters == {"enable_thinking": False}
    await talk.say("/unset think")
    assert (await talk.held()).parameters == {}
    assert (await talk.say("/think perhaps")).error


async def test_thinking_may_have_to_be_tried(talk: Talk) -> None:
    assert "Whether `qwen-plus` can is not known yet" in (await talk.say("/think on")).text
    assert (await talk.held()).parameters == {"enable_thinking": True}


@pytest.mark.parametrize("words", ["/think", "/think on", "/think off", "/set enable_thinking on"])
async def test_where_thinking_can_not_be_switched_that_is_said(talk: Talk, words: str) -> None:
    for model in ("qwq-32b-preview", "qwen3-8b"):
        await talk.say(f"/model {model}")
        reply = await talk.say(words)
        assert reply.error
        assert reply.text == f"Thinking can't be switched for {model} with this gateway."
        assert not sets(reply)
        talk.commands = Commands(talk.store, Catalogue(thinking=False), lambda _: ChatSettings("qwen-plus"), GATEWAY)
    talk.author = MEI
    assert "无法开关 qwen3-8b 的思考" in (await talk.say(words)).text
    assert (await talk.held()).parameters == {}


async def test_a_bad_value_gets_its_bound_and_an_example(talk: Talk) -> None:
    reply = await talk.say("/set temperature 2")
    assert "temperature must be at least 0 and below 2, got 2" in reply.text
    assert "`/set temperature 0.7`" in reply.text
    assert reply.error
    assert not reply.effects
    assert "qwen-plus is 1–8192, got 0" in (await talk.say("/set max_tokens 0")).text
    for wrong in ("temperature warm", "top_p 0", "seed -1", "stop", f"stop {'x' * 600}", "speed 3", "here 3"):
        assert not (await talk.say(f"/set {wrong}")).effects


async def test_what_can_not_be_written_down_is_refused(talk: Talk) -> None:
    assert (await talk.say(r'/set stop ["\ud800"]')).error
    assert (await talk.say("/set stop " + "[" * 10_000)).error


async def test_a_persons_words_never_become_markup(talk: Talk) -> None:
    words = r"*a* [b](https://example.org) \[h\] \(i\) `c` ``d`` <i> $e$ _f_ ~~g~~ \\"
    for text in (
        f"/set seed {words}",
        f"/model {words}",
        f"/translate {words}",
        f"/language {words}",
        f"/stop {words}",
    ):
        (sentence, *_) = parse_markdown((await talk.say(text)).text)
        assert isinstance(sentence, Paragraph)
        ours = {Code("/translate"), Code("/language")}  # in words of our own
        assert {type(each) for each in sentence.children if each not in ours} == {Words}, text
    await talk.say("/model a`b``c")
    shown = parse_markdown((await talk.say("/model")).text)[0]
    assert isinstance(shown, Paragraph)
    assert Code("a`b``c") in shown.children


async def test_a_value_for_other_models_is_kept_and_said(talk: Talk) -> None:
    await talk.say("/model qwen-math-plus")
    reply = await talk.say("/set max_tokens 8000")
    assert not reply.error
    assert "max_tokens for qwen-math-plus is 1–3072" in reply.text
    assert "kept for other models" in reply.text
    assert (await talk.held()).parameters == {"max_tokens": 8000}


async def test_temperature_and_top_p_together_are_warned_of(talk: Talk) -> None:
    assert "both" not in (await talk.say("/set temperature 0.7")).text
    assert "both" not in (await talk.say("/set temperature 0.8")).text
    reply = await talk.say("/set top_p 0.5")
    assert "both" in reply.text
    assert "/unset temperature" in reply.text
    assert reply.effects


async def test_a_parameter_without_a_value_is_explained(talk: Talk) -> None:
    await talk.say("/set top_p 0.5")
    reply = await talk.say("/set top_p")
    assert "`0.5` (this chat)" in reply.text
    assert "/set top_p 0.8" in reply.text
    assert not reply.effects
    assert "not set" in (await talk.say("/set seed")).text
    everything = (await talk.say("/set")).text
    assert all(name in everything for name in PARAMETERS)


async def test_unset(talk: Talk) -> None:
    await talk.say("/set temperature 0.7")
    reply = await talk.say("/unset 温度")
    assert sets(reply) == [(CHAT.key, "temperature", None)]
    assert (await talk.held()).parameters == {}
    assert not (await talk.say("/unset temperature")).effects
    assert (await talk.say("/unset")).error
    assert (await talk.say("/unset speed")).error


async def test_unset_tells_what_holds_then(talk: Talk) -> None:
    await talk.say("/model qwen-max")
    assert "`qwen-plus` (default)" in (await talk.say("/unset model")).text


async def test_unset_all(talk: Talk) -> None:
    assert not (await talk.say("/unset all")).effects
    for words in ("/set seed 1", "/system Be kind.", "/translate English", "/language en"):
        await talk.say(words)
    assert len((await talk.say("/unset all")).effects) == 4
    assert await talk.held() == effective(ChatSettings("qwen-plus"), [])


async def test_search(talk: Talk) -> None:
    assert actions(await talk.say("/search")) == ["/search on", "/search off"]
    assert sets(await talk.say("/search 开")) == [(CHAT.key, "enable_search", True)]
    assert "is on" in (await talk.say("/search")).text
    assert sets(await talk.say("/search off")) == [(CHAT.key, "enable_search", False)]
    assert (await talk.say("/search maybe")).error


async def test_the_system_prompt(talk: Talk) -> None:
    assert "no system prompt" in (await talk.say("/system")).text
    words = "You are *Pip*.\n\n```\ncode\n```"
    reply = await talk.say(f"/system {words}")
    assert sets(reply) == [(CHAT.key, "system", words)]
    assert f"````\n{words}\n````" in reply.text
    assert words in (await talk.say("/system")).text
    await talk.say("/system off")
    assert (await talk.held()).system == ""
    assert (await talk.say(f"/system {'x' * 8001}")).error
    assert sets(await talk.say("/system here is a role")) == [(CHAT.key, "system", "here is a role")]


async def test_settings_tell_where_each_comes_from(talk: Talk) -> None:
    for words in ("/set temperature 0.7", "/translate English", "/system Be kind.", "/language en"):
        await talk.say(words)
    reply = await talk.say("/settings")
    for line in (
        "Model: `qwen-plus` (default)",
        "Temperature: `0.7` (this chat)",
        "Translation: any language → English",
    ):
        assert f"- {line}" in reply.text
    assert "top_p" not in reply.text, "nobody has set that"
    resets = [action for action in actions(reply) if action.startswith("/unset")]
    assert set(resets) == {"/unset temperature", "/unset translate", "/unset system", "/unset language"}
    pressed = await talk.say("/unset temperature", is_press=True)
    assert "- Model:" in pressed.text
    assert "/unset temperature" not in actions(pressed)
    assert "/unset system" in actions(pressed)


# ── translation ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_both_ways_is_a_setting_and_two_languages_are_asked_about(talk: Talk) -> None:
    reply = await talk.say("/translate 中文 英文")
    assert actions(reply) == [
        "/translate Chinese to English",
        "/translate English to Chinese",
        "/translate Chinese <-> English",
    ]
    assert reply.effects == ()
    reply = await talk.say(actions(reply)[2])
    assert (await talk.held()).translation == Translation("English", "Chinese", both=True)
    assert "Chinese into English, and English into Chinese" in reply.text
    assert "- Translation: Chinese ↔ English (this chat)" in (await talk.say("/settings")).text
    await talk.say("/translate Chinese to English")
    assert (await talk.held()).translation == Translation("English", "Chinese")


async def test_a_text_behind_translate_is_not_taken_for_a_language(talk: Talk) -> None:
    reply = await talk.say("/translate this into French: hello")
    assert (reply.error, reply.effects, actions(reply)) == (True, (), ["/translate French"])
    assert "`Translate into French: …`" in reply.text
    assert "`Klingon` is not a language that I know." in (await talk.say("/translate Klingon to English")).text


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("English", Translation("English")),
        ("to english", Translation("English")),
        ("英语", Translation("English")),
        ("ja", Translation("Japanese")),
        ("Chinese to English", Translation("English", "Chinese")),
        ("from Chinese to English", Translation("English", "Chinese")),
        ("zh -> en", Translation("English", "Chinese")),
        ("中文→英语", Translation("English", "Chinese")),
        ("从中文翻译成英语", Translation("English", "Chinese")),
        ("中文到泰语", Translation("Thai", "Chinese")),
        ("auto to French", Translation("French")),
    ],
)
async def test_translate(talk: Talk, words: str, wanted: Translation) -> None:
    reply = await talk.say(f"/translate {words}")
    assert wanted.target in reply.text
    assert "qwen-mt-turbo" in reply.text
    assert (await talk.held()).translation == wanted
    await talk.say("/translate 关")
    assert (await talk.held()).translation is None


async def test_a_language_nobody_knows(talk: Talk) -> None:
    for words in ("Klingon", "Klingon to English", "English to English", "to", "page x"):
        reply = await talk.say(f"/translate {words}")
        assert (reply.error, reply.effects) == (True, ()), words


async def test_the_languages_stand_on_pages(talk: Talk) -> None:
    first = await talk.say("/translate")
    second = await talk.say("/translate page 2")
    both = [each.action for each in (*choices(first), *choices(second)) if "page" not in each.action]
    assert both == [f"/translate {name}" for name in ENGLISH]
    talk.author = MEI
    assert "英语" in [choice.label for choice in choices(await talk.say("/translate"))]
    assert "翻译成英语" in (await talk.say("/translate English")).text
    again = await talk.say("/translate")
    assert "/translate off" in actions(again)
    assert [choice.action for choice in choices(again) if choice.chosen] == ["/translate English"]


# ── threads and groups ──────────────────────────────────────────────────────────────────────────────────────────────

THREAD = Chat("web", "local", "c1", "t1")


async def test_in_a_thread_settings_go_to_the_room_unless_here_is_said(store: SqlStore, clock: SimClock) -> None:
    talk = Talk(store, clock, THREAD)
    assert sets(await talk.say("/set temperature 0.7")) == [(CHAT.key, "temperature", 0.7)]
    assert sets(await talk.say("/set here temperature 0.1")) == [(THREAD.key, "temperature", 0.1)]
    for words in ("/model here qwen-max", "/search here on", "/system 这里 Be kind.", "/translate here Thai"):
        assert [scope for scope, _, _ in sets(await talk.say(words))] == [THREAD.key]
    held = await talk.held()
    assert held.parameters == {"temperature": 0.1, "enable_search": True}
    room = Talk(store, clock, CHAT)
    assert (await room.held()).parameters == {"temperature": 0.7}
    assert "With the word here" in (await talk.say("/help set")).text


async def test_a_room_setting_that_a_thread_hides_is_said(store: SqlStore, clock: SimClock) -> None:
    talk = Talk(store, clock, THREAD)
    assert "keeps its own" not in (await talk.say("/set temperature 0.7")).text
    await talk.say("/set here temperature 0.1")
    reply = await talk.say("/set temperature 0.9")
    assert "keeps its own" in reply.text
    assert "`/unset here temperature`" in reply.text
    shown = await talk.say("/settings")
    assert {"/unset temperature", "/unset here temperature"} <= set(actions(shown))
    assert "`0.9` (this chat)" in (await talk.say("/unset here temperature")).text


async def test_off_here_goes_against_the_rooms_translation_and_prompt(store: SqlStore, clock: SimClock) -> None:
    talk = Talk(store, clock, THREAD)
    await talk.say("/translate English")
    await talk.say("/system Be kind.")
    await talk.say("/translate here off")
    await talk.say("/system here off")
    held = await talk.held()
    assert (held.translation, held.system) == (None, "")
    await talk.say("/unset here translate")
    assert (await talk.held()).translation == Translation("English")


async def test_where_there_are_no_threads_here_is_left_out(talk: Talk) -> None:
    assert sets(await talk.say("/set here temperature 0.7")) == [(CHAT.key, "temperature", 0.7)]


async def test_the_menus_of_a_thread_write_to_the_thread(store: SqlStore, clock: SimClock) -> None:
    talk = Talk(store, clock, THREAD)
    for command in ("/model here", "/translate here", "/search here", "/language here"):
        assert all(action.startswith(f"{command} ") for action in actions(await talk.say(command)))


async def test_in_a_group_only_admins_change_settings(talk: Talk) -> None:
    member = {"group": True}
    for words in ("/set seed 1", "/model qwen-max", "/system x", "/search on", "/translate English", "/language zh"):
        reply = await talk.say(words, **member)
        assert reply.error
        assert "admins" in reply.text
        assert not reply.effects
    for words in ("/model", "/settings", "/system", "/help", "/status"):
        assert not (await talk.say(words, **member)).error
    assert (await talk.say("/new", **member)).effects
    assert (await talk.say("/set seed 1")).effects
    talk.author = replace(ANN, admin=True)
    assert (await talk.say("/set seed 2", **member)).effects


# ── the conversation ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_new_forgets_and_says_what(talk: Talk) -> None:
    assert "already" in (await talk.say("/new")).text
    await talk.answered()
    reply = await talk.say("/new")
    assert reply.effects == (Forget(CHAT),)
    assert "messages: 2" in reply.text
    assert "qwen-plus" in reply.text
    assert await talk.store.context(CHAT) == []
    assert "already" in (await talk.say("/new")).text


async def test_stop(talk: Talk) -> None:
    assert (await talk.say("/stop")).error
    turn = await talk.ask()
    assert (await talk.say("/stop")).effects == (Stop(CHAT, turn, unbegun(turn, "en")),)
    await talk.store.end(await talk.start(), Outcome.STOPPED)
    turn = await talk.ask()
    await talk.start()
    waiting = await talk.ask("And?")
    assert stopped(await talk.say("/stop")) == [turn]
    assert stopped(await talk.say("/stop all")) == [turn, waiting]
    assert stopped(await talk.say(f"/stop {turn}")) == [turn]
    found = await talk.store.turn(turn)
    assert found is not None
    assert found.stop


async def test_stop_has_nothing_to_do(talk: Talk) -> None:
    turn = await talk.answered()
    for words in ("/stop", f"/stop {turn}", "/stop 999", "/stop x", f"/stop {10**18}", "/stop 0", f"/stop {10**30}"):
        reply = await talk.say(words)
        assert (reply.error, reply.effects) == (True, ()), words


async def test_retry_asks_the_last_question_again(talk: Talk) -> None:
    first = await talk.answered("One?")
    second = await talk.answered("Two?")
    assert (await talk.say("/retry")).effects == (Reopen(CHAT, second),)
    running = await talk.say("/retry")
    assert running.error
    assert "still" in running.text
    assert (await talk.say(f"/retry {first}")).effects == (Reopen(CHAT, first),)


async def test_retry_has_nothing_to_do(talk: Talk) -> None:
    reply = await talk.say("/retry")
    assert reply.error
    assert "no question yet" in reply.text
    assert (await talk.say("/retry 7")).error


async def test_another_chats_turns_are_out_of_reach(talk: Talk) -> None:
    stranger = Talk(talk.store, talk.clock, Chat("web", "local", "c2"))
    turn = await stranger.answered()
    assert (await talk.say(f"/retry {turn}")).error
    await stranger.ask()
    open_turn = (await stranger.start()).id
    assert (await talk.say(f"/stop {open_turn}")).error
    assert (await talk.say("/stop")).error
    found = await talk.store.turn(open_turn)
    assert found is not None
    assert not found.stop


# ── status and money ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_status(talk: Talk) -> None:
    reply = await talk.say("/status")
    assert "`qwen-plus`" in reply.text
    assert "wcode" in reply.text
    assert "Balance" not in reply.text, "as /balance, it is for admins"
    assert reply.menu is None
    talk.author = replace(ANN, admin=True)
    reply = await talk.say("/status")
    assert "Balance: not known" in reply.text
    assert [choice.url for choice in choices(reply)] == ["https://example.org/top-up"]
    await talk.ask()
    await talk.start()
    await talk.ask("And?")
    await talk.store.reading(BalanceReading("wcode", Money(Decimal("123.0165")), talk.clock.now()))
    await talk.clock.advance(180)
    await talk.say("/translate English")
    reply = await talk.say("/status")
    assert "1 being answered, 1 waiting" in reply.text
    assert "¥123" in reply.text
    assert "3 min ago" in reply.text
    assert "into English" in reply.text


async def test_usage(talk: Talk) -> None:
    assert (await talk.say("/usage")).text.count("nothing") == 3
    await talk.answered(cost="1")
    await talk.clock.advance(2 * DAY)
    await talk.answered(cost="0.25")
    reply = await talk.say("/usage")
    today, month, ever = reply.text.splitlines()[-3:]
    assert "requests: 1 · 1,000 tokens in, 200 out · ¥0.25" in today
    assert "requests: 2 · 2,000 tokens in, 400 out · ¥1.25" in month
    assert "≈" not in reply.text
    await talk.clock.advance(31 * DAY)
    today, month, ever = (await talk.say("/usage")).text.splitlines()[-3:]
    assert "nothing" in today
    assert "nothing" in month
    assert "¥1.25" in ever


async def test_usage_marks_what_is_estimated_or_unknown(talk: Talk) -> None:
    await talk.answered(cost="0.25", estimated=True)
    await talk.answered(cost=None)
    text = (await talk.say("/usage")).text
    assert "≈ ¥0.25" in text
    assert "the cost of 1 of them is not known" in text


async def test_usage_is_this_chats_own(talk: Talk) -> None:
    await Talk(talk.store, talk.clock, Chat("web", "local", "c2")).answered()
    assert (await talk.say("/usage")).text.count("nothing") == 3


async def test_today_begins_at_the_local_midnight(store: SqlStore, clock: SimClock) -> None:
    talk = Talk(store, clock)  # 2027-01-15 08:00 UTC, 16:00 in Shanghai
    await clock.advance(7 * 3600)
    await talk.answered()
    await clock.advance(2 * 3600)
    assert "nothing" not in (await talk.say("/usage")).text
    talk.commands = Commands(store, Catalogue(), lambda _: ChatSettings("m"), GATEWAY, ZoneInfo("Asia/Shanghai"))
    assert (await talk.say("/usage")).text.count("nothing") == 1


# ── always ──────────────────────────────────────────────────────────────────────────────────────────────────────────

pieces = st.sampled_from(
    [
        "here",
        "page",
        "2",
        "off",
        "on",
        "all",
        "to",
        "->",
        '"',
        "`",
        "temperature",
        "top_p",
        "stop",
        "0.7",
        "qwen",
        "max",
        "英语",
        "English",
        "system",
        "=",
        "\n",
        "*",
        "{got}",
        "{",
        "$",
        "]",
        "-1",
        "translate",
        "model",
        "set",
    ]
)
words = st.lists(pieces | st.text(max_size=12), max_size=5).map(" ".join)
names = st.sampled_from([name for each in TABLE for name in (each.name, *each.aliases)])


def test_any_words_after_any_command_get_a_reply(clock: SimClock) -> None:
    numbers = itertools.count()

    @settings(max_examples=60, deadline=None)
    @given(calls=st.lists(st.tuples(names, words), min_size=1, max_size=4), thread=st.booleans(), chinese=st.booleans())
    def try_them(calls: list[tuple[str, str]], thread: bool, chinese: bool) -> None:
        chat = Chat("web", "local", f"c{next(numbers)}", "t1" if thread else None)
        loop.run(say_all(Talk(store, clock, chat, MEI if chinese else ANN), calls))

    with asyncio.Runner() as loop:
        store = loop.run(open_store("sqlite://", owner="test", clock=clock))
        try_them()
        loop.run(store.close())


async def say_all(talk: Talk, calls: list[tuple[str, str]]) -> None:
    for name, said in calls:
        check(await talk.say(f"/{name} {said}"))
        check(await talk.say("/settings"))


def check(reply: Reply) -> None:
    assert reply.text.strip() or reply.ask
    assert all(0 < len(choice.action.encode()) <= ACTION_BYTES or choice.url for choice in choices(reply))
    assert all(parse(choice.action) for choice in choices(reply) if choice.action)
    assert all(choice.label.strip() for choice in choices(reply))
