"""What people do in Slack, the real core and the real adapter between them and a model: what is asked, and what is to
be seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest

from bot.types import AdapterContext, TextPart
from tests.contract.places import SlackPlace, house
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.slack import FakeSlack, Limits, Post, Room
from tests.fakes.slack.shares import alert, forwarded, pasted, preview

SLOW = Script(["A B C D E F G H I J K L M N O P, ", "that is all."], 0.01)


class Tap:
    """The model's time. It stands still after so many pauses, until it is opened."""

    def __init__(self) -> None:
        self._left, self._opened = 1_000_000, asyncio.Event()

    def stop_after(self, pauses: int) -> None:
        self._left = pauses
        self._opened.clear()

    def open(self) -> None:
        self._left = 1_000_000
        self._opened.set()

    async def sleep(self, seconds: float) -> None:
        if not self._left:
            await self._opened.wait()
        self._left -= 1
        await asyncio.sleep(seconds)

    def now(self) -> int:
        raise NotImplementedError

    def monotonic(self) -> float:
        raise NotImplementedError


class Town(SlackPlace):
    """People, and a channel with Ann and Bob."""

    def __init__(self, slack: FakeSlack, folder: Path, around: AdapterContext, model: FakeModel, tap: Tap) -> None:
        super().__init__(slack, folder, around)
        self.slack, self.model, self.tap = slack, model, tap
        self.dm = self._room
        self.ann, self.bob = self.dm.person, slack.person("Bob")
        self.channel = slack.channel(self.ann, self.bob)

    @property
    def asked(self) -> list[str]:
        """What people said in each request, a message a line."""
        return ["\n".join(_text(message.content) for message in one.messages[1:]) for one in self.model.asked]

    @property
    def pictures(self) -> list[int]:
        return [
            sum(not isinstance(part, TextPart) for m in one.messages for part in m.content if not isinstance(part, str))
            for one in self.model.asked
        ]

    def shown(self, room: Room | None = None, thread: Post | None = None) -> list[str]:
        return [self._read(shown) for shown in self.slack.shown(room or self.channel, thread)]

    async def until(self, is_so: Callable[[], object]) -> None:
        """On a machine that has much else to do."""
        await self.slack.until(is_so)

    async def requests(self, count: int) -> list[str]:
        await self.until(lambda: len(self.model.asked) >= count)
        return self.asked

    async def answered(self, thread: Post, count: int = 1) -> list[str]:
        """Until so many finished messages stand there."""

        def settled() -> bool:
            seen = self.shown(thread.room, thread)
            return len(seen) >= count and not any(text.endswith("…") for text in seen)

        await self.until(settled)
        return self.shown(thread.room, thread)

    async def idle(self, seconds: float = 0.5) -> None:
        """Until all events are taken and nothing more comes of them."""
        await self.until(lambda: all(one.state == "acknowledged" for one in self.slack.deliveries.all))
        await asyncio.sleep(seconds)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return " ".join(part.text for part in cast(tuple[object, ...], content) if isinstance(part, TextPart))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    tap = Tap()
    model = FakeModel(tap, [words("Well.", 0.01)])
    async with (
        FakeSlack(limits=Limits(on=False)) as slack,
        house(tmp_path, model, lambda around: Town(slack, tmp_path, around, model, tap)) as town,
    ):
        await slack.until(lambda: len(slack.sockets.open) == 2)
        yield cast(Town, town)


# ── what is taken back ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", ["bob", "ann"])
async def test_deleting_a_waiting_question_leaves_the_running_answer_alone(town: Town, who: str) -> None:
    town.model.scripts = [SLOW, words("Never asked.")]
    town.tap.stop_after(1)
    root = town.channel.mention("slow one", town.ann)
    await town.until(lambda: town.shown(thread=root))
    waiting = town.channel.write("and what about B?", getattr(town, who), thread=root)
    await town.idle(0.1)
    town.channel.delete(waiting)
    await town.idle(0.1)
    town.tap.open()
    assert await town.answered(root) == ["A B C D E F G H I J K L M N O P, that is all."]
    await town.idle(0.2)
    assert len(town.model.asked) == 1


async def test_deleting_a_question_stops_its_answer_and_the_next_one_is_asked(town: Town) -> None:
    """Its answer is a reply, so all that is told is a tombstone."""
    town.model.scripts = [SLOW, words("The next one.")]
    town.tap.stop_after(1)
    root = town.channel.mention("slow one", town.ann)
    await town.until(lambda: town.shown(thread=root))
    town.channel.write("and what about B?", town.bob, thread=root)
    await town.idle(0.1)
    town.channel.delete(root)
    assert root.tombstone
    await town.until(lambda: town.shown(thread=root)[0].endswith("Stopped."))
    town.tap.open()
    first, second = await town.answered(root, 2)
    assert "all" not in first
    assert town.slack.shown(town.channel)[0].buttons == (), "nobody could ask it again"
    assert second == "The next one."
    assert "slow one" not in town.asked[1]


@pytest.mark.parametrize("how", ["told", "lost"])
@pytest.mark.parametrize("is_reply", [False, True])
async def test_a_question_deleted_before_the_first_word_gets_none(town: Town, how: str, is_reply: bool) -> None:
    """Nothing at the channel's root, above all."""
    town.model.scripts = [Script(["An answer, and it is long enough."], 0.01)]
    town.tap.stop_after(0)
    root = town.channel.write("Look at this", town.bob, unheard=True)
    asked = town.channel.mention("question", town.ann, thread=root if is_reply else None)
    await town.requests(1)
    (town.channel.delete if how == "told" else town.channel.lose)(asked)
    await town.idle(0.2)
    town.tap.open()
    await town.until(lambda: town.model.closed)
    await town.idle(0.5)
    assert town.shown() == []
    assert town.slack.history(town.channel) == [], "not even for a moment"
    if is_reply:
        await town.until(lambda: town.slack.session(town.channel, root) == "active")  # no Stop control is left


async def test_what_was_answered_and_edited_goes_on_with_its_new_words(town: Town) -> None:
    root = town.dm.write("The cat is called Fred")
    await town.answered(root)
    town.dm.edit(root, "The cat is called Frida")
    await town.idle(0.1)
    town.dm.write("What is it called?", thread=root)
    _, second = await town.requests(2)
    assert "Frida" in second
    assert "Fred\n" not in second


# ── people of other workspaces ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["", "user_not_found", "channel_not_found", "team_not_found", "anything_new"])
async def test_people_of_another_workspace_get_their_answer(town: Town, word: str) -> None:
    eve = town.slack.person("Eve", team="T0ELSEWHERE")
    if word:
        town.slack.fail("chat.startStream", 1, word, times=99)
    town.model.scripts = [SLOW]
    root = town.channel.mention("hello", eve)
    (answer,) = await town.answered(root)
    assert answer.endswith("that is all.")
    call = town.slack.called("chat.startStream")[0]
    assert call.params["recipient_team_id"] == "T0ELSEWHERE"


# ── what is read ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_alert_that_a_thread_is_about(town: Town) -> None:
    app = town.slack.person("AlertBot", bot_id="B0ALERT")
    told = alert("[FIRING:1] KubeJobFailed", "Job batch-1234 failed to complete", severity="critical")
    root = town.channel.write("", app, attachments=[told])
    town.channel.mention("what does this alert mean?", town.ann, thread=root)
    (asked,) = await town.requests(1)
    for part in (
        "AlertBot: [FIRING:1] KubeJobFailed",
        "batch-1234",
        "severity: critical",
        "Ann: what does this alert",
    ):
        assert part in asked


async def test_a_forward_by_itself_is_answered_and_a_picture_in_it_is_seen(town: Town) -> None:
    carol = town.slack.person("Carol")
    there = town.slack.channel(carol, name="ops", bot=False)
    root = town.dm.write("", attachments=[forwarded(there.write("The VPN is down since 9:00"))])
    await town.answered(root)
    assert "The VPN is down since 9:00" in town.asked[0]
    assert "Carol" in town.asked[0]
    screen = there.write("see screenshot", files=[town.slack.file()])
    root = town.dm.write("what is on it?", attachments=[forwarded(screen)])
    await town.answered(root)
    assert town.pictures == [0, 1]
    assert "> Carol: see screenshot" in town.asked[1]


async def test_cells_that_were_pasted_and_forwards_are_read_in_a_thread_s_past(town: Town) -> None:
    carol = town.slack.person("Carol")
    said = town.slack.channel(carol, name="ops", bot=False).write("The VPN is down")
    root = town.channel.write("Here are the numbers", town.bob, attachments=[pasted([["Item", "1,200"]])])
    town.channel.write("look at this", town.bob, thread=root, attachments=[forwarded(said)])
    page = preview("https://x.example", "A page", "About cats")
    town.channel.mention("total? <https://x.example>", town.ann, thread=root, attachments=[page])
    (asked,) = await town.requests(1)
    for part in (
        "Bob: Here are the numbers",
        "| Item | 1,200 |",
        "> Carol: The VPN is down",
        "> A page",
        "> About cats",
    ):
        assert part in asked


async def test_a_preview_that_comes_after_its_message_is_known_to_later_questions(town: Town) -> None:
    root = town.dm.write("what is <https://example.com> about?")
    await town.answered(root)
    town.dm.preview(root)
    await town.idle(0.2)
    town.dm.write("and in short?", thread=root)
    asked = (await town.requests(2))[1]
    assert "> A page" in asked
    assert asked.count("what is https://example.com about?") == 1


async def test_a_mention_knows_what_was_said_in_its_thread_since_the_last_one(town: Town) -> None:
    ci = town.slack.person("CI", bot_id="B0CI")
    root = town.channel.mention("plan the release", town.ann)
    await town.answered(root)
    town.channel.write(f"<@{town.ann.id}> the DB migration is blocked until Friday", town.bob, thread=root)
    town.channel.write("", ci, thread=root, attachments=[{"text": "Build 77 failed on main"}])
    town.channel.write(f"<@{town.bob.id}> thanks", town.ann, thread=root)
    await town.idle(0.2)
    town.channel.mention("given that, when can we release?", town.ann, thread=root)
    asked = (await town.requests(2))[1]
    words = ["plan the release", "Well.", "Bob: @Ann the DB migration is blocked", "CI: Build 77 failed on main"]
    words += ["Ann: @Bob thanks", "Ann: given that"]
    assert [asked.index(each) for each in words] == sorted(asked.index(each) for each in words)
    await town.answered(root, 2)
    town.channel.mention("sure?", town.ann, thread=root)
    assert (await town.requests(3))[2].count("Build 77") == 1, "it is read once"


@pytest.mark.parametrize(
    "text",
    [
        "<!subteam^S0ONCALL1> can you take this?",
        "<!here> lunch?",
        "hey <@BOB> shall we?",
        "thanks!",
        ":+1:",
        "<https://x.example>",
    ],
)
async def test_what_people_say_to_each_other_in_our_thread_is_theirs(town: Town, text: str) -> None:
    root = town.channel.mention("hello", town.ann)
    await town.answered(root)
    town.channel.write(text.replace("BOB", town.bob.id), town.ann, thread=root)
    await town.idle(0.3)
    assert len(town.model.asked) == 1


async def test_thanks_are_an_answer_where_something_was_asked(town: Town) -> None:
    town.model.scripts = [words("Shall I go on?", 0.01)]
    root = town.channel.mention("hello", town.ann)
    await town.answered(root)
    town.channel.write(":+1:", town.ann, thread=root)
    assert "👍" in (await town.requests(2))[1]


async def test_in_direct_messages_people_write_on_below_an_answer(town: Town) -> None:
    await town.answered(town.dm.write("my name is Ann"))
    await town.answered(town.dm.write("what is my name?"))
    assert town.asked[1].splitlines() == ["my name is Ann", "Well.", "what is my name?"]
    await town.answered(town.dm.write("/new"))
    await town.answered(town.dm.write("and now?"))
    assert town.asked[2] == "and now?"
    theirs = town.slack.private(town.bob)
    await town.answered(theirs.write("and me?"))
    assert town.asked[3] == "and me?"


async def test_names_and_emoji_reach_the_model_as_people_see_them(town: Town) -> None:
    town.slack.world.groups["S0ONCALL1"] = "oncall"
    marks = f"<#{town.channel.id}|> <@{town.bob.id}> <!subteam^S0ONCALL1> <#C0404404> :heart: :+1::skin-tone-3:"
    town.dm.write(f"Tell {marks}")
    (asked,) = await town.requests(1)
    assert asked == "Tell #general @Bob @oncall #C0404404 ❤️ 👍🏼"
    town.dm.write(f"Again {marks}")
    await town.requests(2)
    called = [call.method for call in town.slack.calls]
    assert [called.count(method) for method in ("conversations.info", "usergroups.list")] == [2, 1], "asked for once"


async def test_a_workflow_s_mention_is_not_answered_and_said_so_in_the_log(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    flow = town.slack.person("Workflow", bot_id="B0FLOW")
    town.channel.mention("summarise the incident", flow)
    await town.idle(0.3)
    assert town.model.asked == []
    assert "an app's mention" in caplog.text


async def test_a_translation_does_not_make_a_thread_ours(town: Town) -> None:
    root = town.channel.write("Guten Morgen", town.bob, unheard=True)
    view_of = town.slack.modal
    await town.channel.shortcut(root, "magpie:translate", town.ann).wait()
    await town.until(lambda: view_of(town.ann))
    view = view_of(town.ann)
    assert view is not None
    await town.channel.submit(view, {"language": "English"}).wait()
    await town.answered(root)
    town.channel.write("ok see you at 10", town.bob, thread=root)
    await town.idle(0.3)
    assert len(town.model.asked) == 1
    town.channel.mention("and in French?", town.bob, thread=root)
    await town.answered(root, 2)
    town.channel.write("and in Dutch?", town.bob, thread=root)
    await town.requests(3)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_of_another_workspace_that_can_t_be_asked_about_at_first(town: Town) -> None:
    photo = town.slack.file(external=True)
    town.slack.fail("files.info", 1, "500")
    root = town.dm.write("what is it?", files=[photo])
    await town.answered(root)
    assert town.pictures == [1]
