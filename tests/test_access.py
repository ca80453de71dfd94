"""Who may use the bot: nobody who was not let in, and whoever was, everywhere it was meant."""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import StoreFull
from bot.intake.access import Access, ClaimCode
from bot.markdown import plain
from bot.service.app import invite
from bot.service.config import Settings
from bot.types import (
    Ack,
    Adapter,
    Addressing,
    Chat,
    Edited,
    IncomingMessage,
    Membership,
    Moved,
    Person,
    Press,
    Reader,
    SettingRow,
    StopPressed,
)
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel, words
from tests.fakes.platform import FakePlatform

BOSS = Person("boss", "Boss")  # of ADMINS
ANN = Person("ann", "Ann")
BEN = Person("ben", "Ben")
GROUP = Chat("fake", "bot", "group")
DAY = 86_400


def private(person: Person) -> Chat:
    return Chat("fake", "bot", person.id)


def closed(reader: Reader) -> Access:
    return Access(reader, [("fake", "boss"), ("other", "ann")])


def nobody(reader: Reader) -> Access:
    return Access(reader)


def everyone(reader: Reader) -> Access:
    return Access(reader, [("fake", "boss")], everyone=True)


class House:
    """People who say things to a core: in private, or in a group."""

    def __init__(self, core: Core, platform: FakePlatform, model: FakeModel) -> None:
        self.core, self.platform, self.model = core, platform, model
        self._keys = itertools.count()

    async def private(self, by: Person, text: str, **more: str) -> str:
        """What is answered to it."""
        chat = private(by)
        return await self._said(self.platform.says(text, chat=chat, by=by, **more))

    async def group(self, by: Person, text: str, chat: Chat = GROUP) -> str:
        return await self._said(self.platform.says(text, chat=chat, by=by, group=True))

    async def _said(self, message: IncomingMessage) -> str:
        before = set(self.platform.posts)
        await self.core.say(message)
        await self.core.quiet()
        new = [(chat, piece) for post, (chat, piece) in self.platform.posts.items() if post not in before]
        assert all(chat == message.chat for chat, _ in new), "an answer went elsewhere"
        return "\n".join(plain(piece.blocks) for _, piece in new)

    async def adds(self, by: Person | None, chat: Chat = GROUP, *, present: bool = True) -> None:
        await self.core.say(
            Membership(f"join{next(self._keys)}", chat, present, self.core.clock.now(), by, "Tea house")
        )
        await self.core.quiet()

    async def press(self, by: Person, action: str, chat: Chat, *, group: bool = False) -> Ack:
        return await self.core.say(
            Press(f"press{next(self._keys)}", chat, by, action, self.core.clock.now(), group=group)
        )

    async def rows(self, chat: Chat = GROUP) -> list[SettingRow]:
        return [row for row in await self.core.store.settings(chat) if row.name.startswith(("person:", "allowed"))]

    async def code(self) -> str:
        lines: list[str] = []
        adapter: Adapter = self.platform
        await invite(self.core.access, {"fake": adapter}, lines.append)
        (line,) = lines
        found = re.search(r"/claim (\w{4}-\w{4})$", line)
        assert found, line
        return found[1]


Start = Callable[[Callable[[Reader], Access]], contextlib.AbstractAsyncContextManager[House]]


@pytest.fixture
def start(clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel) -> Start:
    """Each start is of the same service, on the same data."""

    @contextlib.asynccontextmanager
    async def starting(access: Callable[[Reader], Access]) -> AsyncIterator[House]:
        async with running_core(clock, tmp_path, platform, model, access) as core:
            yield House(core, platform, model)

    return starting


@pytest.fixture
async def house(start: Start) -> AsyncIterator[House]:
    async with start(closed) as running:
        yield running


# ── in private ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_admin_of_the_settings_is_answered(house: House) -> None:
    assert await house.private(BOSS, "hi")
    assert len(house.model.asked) == 1


async def test_whom_the_platform_calls_admin_is_answered(house: House) -> None:
    assert await house.private(replace(ANN, admin=True), "hi")
    assert len(house.model.asked) == 1


async def test_an_admin_of_another_platform_is_a_stranger_here(house: House) -> None:
    await house.private(ANN, "hi")
    assert house.model.asked == []


async def test_a_stranger_is_told_his_id_once_a_day(start: Start, clock: SimClock) -> None:
    async with start(closed) as house:
        said = await house.private(ANN, "hi, a secret")
        assert "Your id is ann" in said
        assert "/allow ann" in said
        assert await house.private(ANN, "hello?") == ""
        assert await house.private(ANN, "/start") == ""
        assert "ben" in await house.private(BEN, "hi"), "one stranger's day counted for another"
    async with start(closed) as house:
        assert await house.private(ANN, "hello?") == "", "a restart is not another day"
    await clock.advance(DAY)
    async with start(closed) as house:
        assert "Your id is ann" in await house.private(ANN, "hello?")
        assert house.model.asked == []


async def test_a_stranger_has_one_day_in_all_threads(house: House) -> None:
    for thread in ("t1", "t2"):
        await house.core.say(house.platform.says("hi", chat=replace(private(ANN), thread=thread), by=ANN))
        await house.core.quiet()
    assert len(house.platform.posts) == 1


async def test_nothing_a_stranger_writes_is_kept(house: House) -> None:
    await house.private(ANN, "a secret")
    await house.private(ANN, "/set temperature 0.7")
    await house.private(ANN, "/claim GUES-SING")
    chat = private(ANN)
    kept = await house.core.store.history(chat)
    assert {message.author.id for message in kept} == {""}, "words of the stranger"
    assert len(await house.core.store.settings(chat)) == 0


async def test_a_stranger_is_told_in_his_language(house: House) -> None:
    assert "你的 ID 是 ann" in await house.private(replace(ANN, language="zh-CN"), "你好")


async def test_an_id_with_markup_stays_as_it_is(house: House) -> None:
    odd = Person("*a*_b_`c`")
    assert "/allow *a*_b_`c`" in await house.private(odd, "hi")


async def test_a_strangers_press_gets_a_toast_and_nothing_else(house: House) -> None:
    ack = await house.press(ANN, "/set temperature 0.7", private(ANN))
    assert ack.error
    assert "not been let in" in ack.toast
    assert await house.core.store.settings(private(ANN)) == []
    assert house.platform.made == []


async def test_let_in_by_an_admin_and_kept_out_again(house: House) -> None:
    assert "ann may use me now" in await house.private(BOSS, "/allow ann")
    assert await house.private(ANN, "hi")
    assert not (await house.press(ANN, "/status", private(ANN))).error
    assert len(house.model.asked) == 1
    assert "ann is blocked now" in await house.private(BOSS, "/deny ann")
    assert await house.private(ANN, "hi") == "", "somebody who was denied needn't be told to ask"
    assert (await house.press(ANN, "/status", private(ANN))).error
    assert len(house.model.asked) == 1
    await house.private(BOSS, "/allow ann")
    assert await house.private(ANN, "hi")


async def test_the_rows_tell_who_let_whom_in(house: House) -> None:
    await house.private(BOSS, "/allow ann")
    (row,) = await house.rows()
    assert (row.scope, row.name, row.value, row.by) == ("fake/bot", "person:ann", "allowed", "boss")


async def test_another_accounts_rows_are_not_ours(house: House) -> None:
    await house.private(BOSS, "/allow ann")
    elsewhere = Chat("fake", "bot2", "ann")
    house.platform.bot = "bot2"
    house.core.core.leases.want(elsewhere.account_key)
    await house.core.say(house.platform.says("hi", chat=elsewhere, by=ANN))
    await house.core.quiet()
    assert house.model.asked == []
    assert "admin" in house.platform.text(elsewhere)


async def test_what_a_denied_person_changes_comes_too_late(house: House) -> None:
    house.model.scripts = [words("a slow answer to the first question", 3.0), words("And now the second answer.")]
    await house.private(BOSS, "/allow ann")
    await house.core.say(house.platform.says("first", chat=private(ANN), by=ANN))
    await house.core.clock.advance(1)
    second = house.platform.says("second", chat=private(ANN), by=ANN)
    await house.core.say(second)
    now = house.core.clock.now()
    await house.core.say(house.platform.says("/deny ann", chat=private(BOSS), by=BOSS))
    await house.core.say(Edited("e1", private(ANN), ANN, second.post or "", "something else", now))
    await house.core.quiet()
    assert house.model.asked[1].messages[-1].content == "second"


# ── in groups ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_group_that_an_admin_adds_us_to_is_let_in_silently(house: House) -> None:
    await house.adds(BOSS)
    assert house.platform.made == []
    assert await house.group(ANN, "hi")
    assert await house.group(BEN, "hi")
    assert len(house.model.asked) == 2
    assert [(row.scope, row.value, row.by) for row in await house.rows()] == [(GROUP.key, True, "boss")]
    await house.private(ANN, "hi")
    assert len(house.model.asked) == 2, "a group's member is still a stranger in private"


async def test_that_we_are_in_a_group_is_noted_too(house: House, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "magpie.db")) as db:
        for present in (False, True, False, True):
            await house.adds(BOSS, present=present)
            assert db.execute("select key, title, present from chats").fetchall() == [(GROUP.key, "Tea house", present)]
        assert db.execute("select count(*) from settings").fetchone() == (1,), "said twice"


@pytest.mark.parametrize("by", [ANN, None], ids=["a stranger", "nobody known"])
async def test_a_group_that_somebody_else_adds_us_to_is_not(house: House, by: Person | None) -> None:
    await house.adds(by)
    assert await house.group(ANN, "hi") == ""
    assert await house.group(ANN, "/help") == ""
    ack = await house.press(ANN, "/set temperature 0.7", GROUP, group=True)
    assert ack.error
    assert ack.toast
    assert house.platform.made == []
    assert house.model.asked == []
    assert await house.core.store.settings(GROUP) == []


async def test_in_such_a_group_an_admin_is_answered(house: House) -> None:
    assert await house.group(BOSS, "hi")
    assert await house.group(ANN, "hi") == ""
    assert len(house.model.asked) == 1


async def test_a_person_who_is_let_in_does_not_open_groups(house: House) -> None:
    await house.private(BOSS, "/allow ann")
    assert await house.group(ANN, "hi") == ""
    assert house.model.asked == []


async def test_being_put_out_lets_nobody_in(house: House) -> None:
    await house.adds(BOSS, present=False)
    assert await house.rows() == []
    assert await house.group(ANN, "hi") == ""


async def test_who_was_denied_is_denied_in_groups_too(house: House) -> None:
    await house.adds(BOSS)
    await house.private(BOSS, "/deny ann")
    assert await house.group(ANN, "hi") == ""
    assert await house.group(BEN, "hi")
    assert len(house.model.asked) == 1


async def test_who_was_denied_is_not_answered_as_a_channel_either(house: House) -> None:
    channel = Person("-100", "Feathers", anonymous=True)
    nameless = Person(GROUP.id, "Birds", anonymous=True)
    linked = Person("-200", "The group's own channel")
    await house.adds(BOSS)
    for speaker in (channel, nameless, linked):
        assert await house.group(speaker, "hi"), "nobody is denied, so nobody can hide"
    await house.private(BOSS, "/deny ann")
    for speaker in (channel, nameless):
        assert await house.group(speaker, "hi") == ""
        assert await house.group(speaker, "/new") == ""
    assert await house.group(linked, "hi")
    assert await house.group(BEN, "hi")
    await house.private(BOSS, "/allow -100")
    assert await house.group(channel, "hi"), "an admin answers for it"
    assert await house.group(nameless, "hi") == ""
    await house.private(BOSS, "/deny -100")
    assert await house.group(channel, "hi") == ""


async def test_under_open_access_who_was_denied_hides_behind_no_channel(start: Start) -> None:
    channel = Person("-100", "Feathers", anonymous=True)
    async with start(everyone) as house:
        assert await house.group(channel, "hi")
        await house.private(BOSS, "/deny ann")
        assert await house.group(channel, "hi") == ""


async def test_what_a_hidden_person_changes_and_stops_does_not_count(house: House) -> None:
    house.model.scripts = [words("a slow answer to the first question", 3.0), words("And now the second answer.")]
    channel = Person("-100", "Feathers", anonymous=True)
    await house.adds(BOSS)
    await house.core.say(house.platform.says("first", chat=GROUP, by=BEN, group=True))
    await house.core.clock.advance(1)
    second = house.platform.says("second", chat=GROUP, by=channel, group=True)
    await house.core.say(second)
    now = house.core.clock.now()
    await house.core.say(house.platform.says("/deny ann", chat=private(BOSS), by=BOSS))
    await house.core.say(Edited("e1", GROUP, channel, second.post or "", "something else", now))
    await house.core.say(StopPressed("s1", GROUP, now, channel))
    await house.core.quiet()
    assert house.model.asked[1].messages[-1].content == "Feathers: second"
    assert "Stopped" not in house.platform.text(GROUP)


async def test_a_form_of_settings_is_for_those_who_may_change_them(house: House) -> None:
    """An adapter that is about to show one asks first."""
    ack = await house.press(ANN, "/settings form", private(ANN))
    assert (ack.error, ack.toast) == (True, "You have not been let in here.")
    ack = await house.press(ANN, "/settings form", GROUP, group=True)
    assert ack.error, "nor in a group that is not let in"
    await house.adds(BOSS)
    ack = await house.press(ANN, "/settings form", GROUP, group=True)
    assert (ack.error, ack.toast) == (True, "Only admins of this bot can change a group's settings.")
    assert await house.press(BOSS, "/settings form", GROUP, group=True) == Ack()
    await house.private(BOSS, "/allow ann")
    assert await house.press(ANN, "/settings form", private(ANN)) == Ack()
    await house.private(BOSS, "/deny ann")
    for chat, group in ((private(ANN), False), (GROUP, True)):
        assert (await house.press(ANN, "/settings form", chat, group=group)).error
    assert "qwen-plus" in await house.private(BOSS, "/settings form"), "typed, it is the command"


async def test_allow_and_deny_in_a_group_are_about_the_group(house: House) -> None:
    assert "Everybody in this group may use me now" in await house.group(BOSS, "/allow")
    assert await house.group(ANN, "hi")
    assert "nobody but admins" in await house.group(BOSS, "/deny")
    assert await house.group(ANN, "hi") == ""
    assert await house.group(BOSS, "hi")
    assert len(house.model.asked) == 2
    thread = replace(GROUP, thread="t1")
    await house.group(BOSS, "/allow", thread)
    assert await house.group(ANN, "hi", replace(GROUP, thread="t2")), "a group is all of its threads"


async def test_who_is_no_admin_any_more_keeps_no_chat_of_his_own(start: Start) -> None:
    async with start(closed) as house:
        await house.adds(BOSS, private(BOSS))
        await house.adds(BOSS)
    async with start(nobody) as house:
        assert "Your id is boss" in await house.private(BOSS, "hi")
        assert await house.group(BOSS, "hi"), "the group is let in still"
        assert len(house.model.asked) == 1


async def test_a_group_that_moves_stays_let_in(house: House) -> None:
    await house.adds(BOSS)
    there = Chat("fake", "bot", "supergroup")
    await house.core.say(Moved("mv", GROUP, there, house.core.clock.now()))
    assert await house.group(ANN, "hi", there)


async def test_to_unset_everything_keeps_the_group_let_in(house: House) -> None:
    await house.adds(BOSS)
    await house.group(BOSS, "/set seed 1")
    assert "allowed" not in await house.group(BOSS, "/unset all")
    assert "seed" not in {row.name for row in await house.core.store.settings(GROUP)}
    assert await house.group(ANN, "hi")


async def test_settings_of_a_group_are_for_admins(house: House) -> None:
    await house.adds(BOSS)
    assert "Only admins" in await house.group(ANN, "/set seed 1")
    assert (await house.press(ANN, "/set seed 2", GROUP, group=True)).error
    assert "seed" not in {row.name for row in await house.core.store.settings(GROUP)}
    await house.group(BOSS, "/set seed 3")
    assert not (await house.press(BOSS, "/set top_p 0.5", GROUP, group=True)).error
    assert {"seed", "top_p"} <= {row.name for row in await house.core.store.settings(GROUP)}


async def test_a_stranger_stops_nothing(house: House) -> None:
    house.model.scripts = [words("one two three four five six seven eight", 2.0)] * 2
    now = house.core.clock.now()
    await house.core.say(house.platform.says("count", chat=GROUP, by=BOSS, group=True))
    await house.core.clock.advance(5)
    await house.core.say(StopPressed("s1", GROUP, now, ANN))
    await house.core.clock.advance(1)
    assert house.model.closed == 0
    await house.core.say(StopPressed("s2", GROUP, now, BOSS))
    await house.core.clock.advance(1)
    assert house.model.closed == 1


async def test_a_stop_without_a_name_counts(house: House) -> None:
    house.model.scripts = [words("one two three four five six seven eight", 2.0)]
    await house.core.say(house.platform.says("count", chat=private(BOSS), by=BOSS))
    await house.core.clock.advance(5)
    await house.core.say(StopPressed("s1", private(BOSS), house.core.clock.now()))
    await house.core.clock.advance(1)
    assert house.model.closed == 1


# ── /allow and /deny ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["/allow ben", "/deny ben", "/allow list", "/allow", "/deny"])
async def test_only_admins_let_in(house: House, command: str) -> None:
    await house.private(BOSS, "/allow ann")
    await house.adds(BOSS)
    before = await house.rows()
    assert "Only an admin" in await house.private(ANN, command)
    assert "Only an admin" in await house.group(ANN, command)
    assert await house.rows() == before


@pytest.mark.parametrize("command", ["/allow", "/deny", "/allow ann ben", "/allow @ann", "/deny " + "9" * 200])
async def test_whom_must_be_clear(house: House, command: str) -> None:
    assert "id" in await house.private(BOSS, command)
    assert await house.rows() == []


async def test_admins_of_the_settings_can_not_be_denied(house: House, start: Start) -> None:
    await house.private(Person("owner", admin=True), "/deny boss")
    assert "ADMINS" in house.platform.text(private(Person("owner")))
    assert "can't block yourself" in await house.private(BOSS, "/deny boss")
    assert await house.rows() == []


async def test_a_row_does_not_unseat_an_admin_of_the_settings(start: Start) -> None:
    async with start(nobody) as house:
        await house.private(Person("owner", admin=True), "/deny boss")
        assert [row.value for row in await house.rows()] == ["denied"]
    async with start(closed) as house:
        assert await house.private(BOSS, "hi")
        assert await house.group(BOSS, "hi")
        assert len(house.model.asked) == 2


async def test_to_let_an_admin_in_makes_him_nothing_less(start: Start) -> None:
    async with start(nobody) as house:
        await house.private(ANN, f"/claim {await house.code()}")
        assert "ann is an admin" in await house.private(Person("owner", admin=True), "/allow ann")
        assert [row.value for row in await house.rows()] == ["admin"]


async def test_an_admin_by_row_can_be_unseated_by_another(start: Start) -> None:
    async with start(nobody) as house:
        await house.private(ANN, f"/claim {await house.code()}")
    async with start(closed) as house:
        await house.private(BOSS, "/deny ann")
        assert await house.private(ANN, "hi") == ""
        assert house.model.asked == []


async def test_the_list_shows_who_is_in(house: House) -> None:
    await house.private(BOSS, "/allow ann")
    await house.private(BOSS, "/deny ben")
    said = await house.private(BOSS, "/allow list")
    assert re.findall(r"(\w+)(?: \(\w+\))?: (admin|allowed|blocked)", said) == [
        ("boss", "admin"),
        ("ann", "allowed"),
        ("ben", "blocked"),
    ]
    await house.private(ANN, "hi")
    assert "ann (Ann): allowed" in await house.private(BOSS, "/allow list"), "whose name is known"
    in_group = await house.group(BOSS, "/deny list")
    assert "This group is not let in" in in_group
    assert "ben" not in in_group, "for all to read"
    toast = (await house.press(BOSS, "/allow list", GROUP, group=True)).toast
    assert "ben: blocked" in toast, "what one person alone sees"
    await house.adds(BOSS)
    assert "This group is let in" in await house.group(BOSS, "/allow list")


async def test_a_row_can_be_taken_back(house: House) -> None:
    await house.private(BOSS, "/allow ann")
    for command in ("/allow remove ann", "/allow 移除 ann"):
        await house.private(BOSS, "/allow ann")
        assert "no longer in the list" in await house.private(BOSS, command)
        assert "ann" not in await house.private(BOSS, "/allow list")
        await house.private(ANN, "hi")
        assert house.model.asked == [], "a stranger again"
    assert "not in the list" in await house.private(BOSS, "/allow remove ann")
    for said in ("/allow remove", "/allow remove boss", "/allow ann twice"):
        before = await house.rows(private(BOSS))
        await house.private(BOSS, said)
        assert await house.rows(private(BOSS)) == before, said


async def test_an_admin_makes_another(house: House) -> None:
    assert "is an admin of this bot now" in await house.private(BOSS, "/allow ann admin")
    assert "ben may use me now" in await house.private(ANN, "/allow ben")
    assert "Only an admin" in await house.private(BEN, "/allow eve admin")
    await house.private(BOSS, "/allow remove ann")
    assert "may use me now" not in await house.private(ANN, "/allow eve")


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (r"-?[0-9]{1,20}", ["12345", "-1001234567890"], ["nonsense", "12 ", "U1", "１２"]),
        (r"[UW][A-Z0-9]{2,30}", ["U0123456", "W0ABC"], ["u0123456", "12345", "C0123", "nonsense"]),
        ("", ["anything"], []),
    ],
)
async def test_an_id_has_its_platforms_form(house: House, form: str, good: list[str], bad: list[str]) -> None:
    house.platform.talk = replace(house.platform.talk, person=form)
    for id in good:
        assert "may use me now" in await house.private(BOSS, f"/allow {id}"), id
        assert "is blocked now" in await house.private(BOSS, f"/deny {id}"), id
    for id in [each for each in bad if " " not in each]:
        for command in ("allow", "deny"):
            assert "is not an id" in await house.private(BOSS, f"/{command} {id}"), id
    await house.private(BOSS, "/allow remove nonsense")  # written down before there was a form


async def test_balance_is_for_admins_in_status_too(house: House) -> None:
    await house.adds(BOSS)
    assert "Balance" not in await house.group(ANN, "/status")
    assert "Balance" in await house.group(BOSS, "/status")


async def test_whoever_starts_us_is_told_how_to_become_admin(start: Start) -> None:
    async with start(nobody) as house:
        assert "/claim" not in await house.private(BEN, "/start"), "no code is shown"
    async with start(nobody) as house:
        code = await house.code()
        said = await house.private(ANN, "/start")
        assert "/claim CODE" in said
        assert code not in said
        await house.private(ANN, f"/claim {code}")
        assert "/claim" not in await house.private(Person("eve"), "/start")


# ── the claim code ──────────────────────────────────────────────────────────────────────────────────────────────────


def wrong_for(code: str) -> str:
    return "AAAA-AAAA" if code != "AAAA-AAAA" else "CCCC-CCCC"


async def test_the_code_makes_its_sender_admin_once(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        assert "You are an admin of this bot now" in await house.private(ANN, f"/claim {code}")
        assert [(row.scope, row.name, row.value) for row in await house.rows()] == [("fake/bot", "person:ann", "admin")]
        assert await house.private(ANN, "hi")
        await house.adds(ANN)
        assert await house.group(BEN, "hi")
        assert "No code is valid" in await house.private(BEN, f"/claim {code}")
        assert "already" in await house.private(ANN, f"/claim {code}")
        assert len(await house.rows()) == 2


async def test_the_code_as_people_type_it(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        typed = f"/claim  {code[:4].lower()} {code[5:].lower()} "
        wide = str.maketrans({sign: chr(ord(sign) + 0xFEE0) for sign in typed if "0" <= sign <= "z"})
        assert "now" in await house.private(ANN, "/claim" + typed[6:].translate(wide))


async def test_the_same_claim_twice_is_one(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        await house.private(ANN, f"/claim {code}", key="same")
        assert await house.private(ANN, f"/claim {code}", key="same") == ""


async def test_a_wrong_code_is_said_and_counts(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        for left in (4, 3, 2, 1, 0):
            assert f"Tries that are left: {left}" in await house.private(ANN, f"/claim {wrong_for(code)}")
        assert "No code is valid" in await house.private(ANN, f"/claim {code}")
        assert await house.private(ANN, f"/claim {code}") == "", "said once a day"
        assert await house.rows() == []
        assert "You are an admin" in await house.private(BEN, f"/claim {code}"), "another's guesses cost Ben his"


async def test_the_same_wrong_message_counts_once(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        for _ in range(9):
            await house.private(ANN, f"/claim {wrong_for(code)}", key="same")
        assert len(house.platform.posts) == 1
        assert "You are an admin" in await house.private(ANN, f"/claim {code}")


async def test_twenty_wrong_codes_end_it_for_all(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    async with start(nobody) as house:
        code = await house.code()
        for number in range(20):
            await house.private(Person(f"p{number % 5}"), f"/claim {wrong_for(code)}")
        assert "restart" in caplog.text
        assert code not in caplog.text
        assert "No code is valid" in await house.private(ANN, f"/claim {code}")
        assert await house.rows() == []
    async with start(nobody) as house:
        assert "You are an admin" in await house.private(ANN, f"/claim {await house.code()}")


async def test_a_claim_without_a_code_is_no_guess(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        assert "/claim CODE" in await house.private(ANN, "/claim")
        for _ in range(9):
            assert await house.private(ANN, "/claim") == ""
        assert "You are an admin" in await house.private(ANN, f"/claim {code}")


async def test_in_a_group_nobody_claims(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        assert await house.group(ANN, f"/claim {code}") == ""
        assert await house.rows() == []
        assert "You are an admin" in await house.private(ANN, f"/claim {code}")


async def test_in_a_group_that_is_let_in_claims_are_for_private(start: Start) -> None:
    async with start(nobody) as house:
        await house.adds(Person("owner", admin=True))
        code = await house.code()
        assert "in private" in await house.group(ANN, f"/claim {code}")
        assert "You are an admin" in await house.private(ANN, f"/claim {code}")


async def test_a_code_that_could_not_be_stored_is_still_good_for_its_sender(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        event = house.platform.says(f"/claim {code}", chat=private(ANN), by=ANN)

        async def full(*_: object) -> None:
            raise StoreFull("No space is left where the database is ({path}).", path="here")

        house.core.lives[0].instead["answer"] = full
        with pytest.raises(StoreFull):
            await house.core.say(event)
        house.core.lives[0].instead.clear()
        assert "This is not the code" in await house.private(BEN, f"/claim {code}")
        await house.core.say(event)
        await house.core.quiet()
        assert "You are an admin" in house.platform.text(private(ANN))
        assert not house.core.access.code.tries("anybody")


async def test_a_setting_that_says_admin_uses_up_no_code(start: Start) -> None:
    async with start(nobody) as house:
        code = await house.code()
        await house.private(Person("owner", admin=True), "/system admin")
        assert "You are an admin" in await house.private(ANN, f"/claim {code}")


async def test_once_somebody_is_admin_a_code_of_another_process_is_worth_nothing(start: Start) -> None:
    async with start(nobody) as house:
        await house.private(ANN, f"/claim {await house.code()}")
        late = house.core.access.code.issue()
        assert "No code is valid" in await house.private(BEN, f"/claim {late}")
        assert [row.name for row in await house.rows()] == ["person:ann"]


def test_codes_differ_and_have_no_look_alikes() -> None:
    codes = [ClaimCode().issue() for _ in range(300)]
    assert len(set(codes)) == 300
    assert not set("".join(codes)) & set("0O1ILBSZGU")
    assert all(re.fullmatch(r"\w{4}-\w{4}", code) for code in codes)


def test_without_a_code_nothing_fits() -> None:
    code = ClaimCode()
    assert not code.fits("ann", "")
    issued = code.issue()
    assert not code.fits("ann", "")
    assert not code.fits("ann", "\ud800")
    code.discard()
    assert not code.fits("ben", issued)


# ── at the start ────────────────────────────────────────────────────────────────────────────────────────────────────


async def invited(house: House, *names: str) -> list[str]:
    lines: list[str] = []
    adapter: Adapter = house.platform
    await invite(house.core.access, dict.fromkeys(names, adapter), lines.append)
    return lines


async def test_admins_outlive_a_restart_and_then_no_code_is_shown(start: Start) -> None:
    async with start(nobody) as house:
        await house.private(ANN, f"/claim {await house.code()}")
    async with start(nobody) as house:
        assert await house.private(ANN, "hi")
        assert len(house.model.asked) == 1
        assert await invited(house, "fake") == []


async def test_a_code_is_shown_only_where_somebody_has_to_come_first(start: Start) -> None:
    async with start(nobody) as house:
        (line,) = await invited(house, "fake")
        assert "To become its admin, send this to the bot: /claim " in line
        assert "(fake)" in line
        assert await invited(house, "web") == [], "the page's user is the owner"
        assert len(await invited(house, "web", "fake")) == 1, "but of the page only"
        assert await invited(house) == []
    async with start(closed) as house:
        assert await invited(house, "fake") == []
    async with start(lambda reader: Access(reader, [("other", "boss")])) as house:
        assert len(await invited(house, "fake")) == 1
    async with start(lambda reader: Access(reader, everyone=True)) as house:
        assert await invited(house, "fake") == []


async def test_an_admin_who_was_unseated_is_none(start: Start) -> None:
    async with start(nobody) as house:
        await house.private(ANN, f"/claim {await house.code()}")
        await house.private(Person("owner", admin=True), "/deny ann")
        assert len(await invited(house, "fake")) == 1


# ── ACCESS=open ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_open_lets_everybody_in(start: Start) -> None:
    async with start(everyone) as house:
        assert await house.private(ANN, "hi")
        assert await house.group(BEN, "hi")
        assert len(house.model.asked) == 2
        assert "Everybody may use me" in await house.private(BOSS, "/allow list")
        assert "This group is let in" in await house.group(BOSS, "/allow list")


async def test_open_but_for_who_was_denied(start: Start) -> None:
    async with start(everyone) as house:
        await house.private(BOSS, "/deny ann")
        await house.group(BOSS, "/deny")
        assert await house.private(ANN, "hi") == ""
        assert await house.group(BEN, "hi") == ""
        assert await house.private(BEN, "hi")
        assert await house.group(BOSS, "hi")


async def test_open_has_admins_too(start: Start) -> None:
    async with start(everyone) as house:
        assert "Only admins" in await house.group(ANN, "/set seed 1")
        assert "Only an admin" in await house.private(ANN, "/deny boss")
        assert "Seed" in await house.group(BOSS, "/set seed 1")


def test_the_default_is_closed() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert settings.access == "allowlist"
    assert settings.admin_ids == frozenset()


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_not_meant_for_us_is_nothing_for_a_stranger_too(house: House) -> None:
    await house.core.say(
        house.platform.says("just chatting", chat=private(ANN), by=ANN, addressing=Addressing.OVERHEARD)
    )
    await house.core.say(house.platform.says("  ", chat=private(ANN), by=ANN))
    await house.core.quiet()
    assert house.platform.made == []


async def test_a_message_seen_before_is_nothing_though_its_author_was_let_in_since(house: House) -> None:
    event = house.platform.says("hi", chat=private(BOSS), by=BOSS)
    await house.core.say(event)
    await house.core.say(event)
    await house.core.quiet()
    assert len(house.model.asked) == 1
