"""The promise over the wire: a real process, killed and stopped at moments that the platform's fake names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.slack import Call as SlackCall
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram
from tests.fakes.telegram.server import TOKEN, Call
from tests.faults.wire import Answer, Moment, Scene, Shown, dumped, long_text, numbered, wire

AT_ONCE = 6
STREAMING = ("chat.startStream", "chat.appendStream")
SHOWING = ("sendMessage", "editMessageText", "deleteMessage")


class Telegram:
    """One private chat of the Telegram fake, as a scene sees it."""

    def __init__(self, tg: FakeTelegram) -> None:
        self._tg = tg
        self._room = tg.private("Ann")

    def environment(self) -> dict[str, str]:
        return {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": self._tg.url}

    def ask(self, text: str) -> None:
        self._room.write(text)

    def press(self, label: str) -> None:
        shown = next(each for each in self._tg.shown(self._room) if label in each.buttons)
        self._room.press(shown.id, label)

    def shown(self) -> list[Shown]:
        return [Shown(each.text, tuple(each.buttons)) for each in self._tg.shown(self._room)]

    @property
    def floods(self) -> int:
        return self._tg.floods

    def budget(self, method: str) -> str:
        return "room"

    def fail(self, method: str, how: str, seconds: int) -> None:
        self._tg.fail(method, 1, how, seconds=seconds)  # type: ignore[arg-type]  # both fakes know these words

    def listen(self, told: Callable[[Moment, str, str], Any]) -> None:
        async def at(moment: Moment, call: Call) -> None:
            if call.method in SHOWING:
                await told(moment, call.method, dumped(call.params))

        self._tg.at = at


@asynccontextmanager
async def in_telegram() -> AsyncIterator[Telegram]:
    async with FakeTelegram() as tg:
        yield Telegram(tg)


class Slack:
    """One direct message of the Slack fake, as a scene sees it."""

    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack
        self._room = slack.private("Ann")
        slack.deliveries.retries = (0.05,) * 200  # the real one lets a minute pass

    def environment(self) -> dict[str, str]:
        return {
            "SLACK_BOT_TOKEN": self._slack.token,
            "SLACK_APP_TOKEN": self._slack.app_token,
            "SLACK_SIGNING_SECRET": self._slack.signing_secret,
            "SLACK_API_URL": self._slack.url,
            "SLACK_MODE": "socket",
        }

    def ask(self, text: str) -> None:
        self._room.write(text)

    def press(self, label: str) -> None:
        post = next(each for each in self._slack.posts(self._room) if label in each.shown.buttons)
        self._room.press(post, label)

    def shown(self) -> list[Shown]:
        """One that streams ends in "…", as one that is marked so does."""
        seen = self._slack.shown(self._room)
        texts = [" ".join([each.text, *each.notes, *(["…"] if each.streaming else [])]) for each in seen]
        return [Shown(text, each.buttons) for text, each in zip(texts, seen, strict=True)]

    @property
    def floods(self) -> int:
        return self._slack.floods

    def budget(self, method: str) -> str:
        return method

    def fail(self, method: str, how: str, seconds: int) -> None:
        self._slack.fail(method, 1, how, seconds=seconds)

    def listen(self, told: Callable[[Moment, str, str], Any]) -> None:
        async def at(moment: Moment, call: SlackCall) -> None:
            if call.method in STREAMING:
                await told(moment, call.method, dumped(call.params) + "…")
            elif call.method.startswith("chat."):
                await told(moment, call.method, dumped(call.params))

        self._slack.at = at


@asynccontextmanager
async def in_slack() -> AsyncIterator[Slack]:
    async with FakeSlack() as slack:
        yield Slack(slack)


SHORT, SLOW, LONG = Answer(numbered(120)), Answer(numbered(150), 200), Answer(long_text(), 4000)
PART = Answer(numbered(60), 400, "length")

EVERYWHERE = (
    Scene("a flood limit on the second call", (SHORT,), ((2, "429", 3),)),
    Scene("a flood limit on the last call", (SHORT,), ((0, "429", 4),)),
    Scene("the first message arrives, and the answer to it is lost", (SHORT,), ((1, "lost", 0),)),
    Scene("the first message is lost", (SHORT,), ((1, "drop", 0),)),
    Scene("proxies and servers in trouble", (SLOW,), ((2, "502", 0), (3, "500", 0), (4, "lost", 0))),
    Scene("killed as the first message arrives", (SHORT,), kill=("arrived", 1)),
    Scene("killed when it stands there, unanswered", (SHORT,), kill=("done", 1)),
    Scene(
        "12,000 characters, killed in the middle, refused at the end",
        (LONG,),
        ((0, "429", 3),),
        kill=("answered", 3),
    ),
)
IN_SLACK = (
    *EVERYWHERE,
    Scene("killed before the stream is known", (SLOW,), kill=("done", 1), meanwhile=True),
    Scene("too long, then asked again", (PART, SHORT), presses=("Retry",), labels=("This is a part",)),
)
IN_TELEGRAM = (
    *EVERYWHERE,
    Scene("killed while it grows, asked meanwhile", (SLOW,), kill=("done", 3), meanwhile=True),
    Scene("killed at the second message's first call", (LONG,), kill=("answered", 2), down=0.5),
    Scene(
        "broken twice, then asked again",
        (Answer(numbered(60), 400, "broken"), Answer(numbered(60), 400, "cut"), SHORT),
        presses=("Retry",),
        labels=("This is a part",),
    ),
    Scene(
        "too long, gone on with",
        (PART, Answer(numbered(62, 59))),
        presses=("Continue",),
        labels=("This is a part",),
    ),
    Scene("empty, an error, and then an answer", (Answer(), Answer(end="error"), SHORT)),
    Scene(
        "SIGTERM: what runs is finished, what comes then is answered by the next",
        (SLOW,),
        term=("answered", 2),
        meanwhile=True,
        drained=True,
    ),
    Scene(
        "SIGTERM: what is not finished in time is taken up by the next start",
        (Answer(numbered(300), 200),),
        term=("answered", 2),
        settings=(("DRAIN_SECONDS", "1"),),
    ),
    Scene(
        "down for too long: an apology, and an answer on request",
        (SLOW,),
        kill=("answered", 2),
        down=1.5,
        presses=("Retry",),
        labels=("Sorry",),
        settings=(("STALE_AFTER", "1"),),
    ),
)


async def _play(scenes: Sequence[Scene], stage: Callable[[], Any], directory: Path) -> None:
    """Some of them beside each other: they mostly wait until they may call again."""
    turn = asyncio.Semaphore(AT_ONCE)
    failed: list[str] = []

    async def one(number: int, scene: Scene) -> None:
        async with turn:
            began = time.monotonic()
            try:
                async with wire(scene, stage, directory / str(number)) as playing:
                    await playing.play()
            except (AssertionError, TimeoutError) as error:
                failed.append(f"{scene.name}: {type(error).__name__}: {error}")
            print(f"{time.monotonic() - began:5.1f} s  {scene.name}")

    async with asyncio.TaskGroup() as together:
        for number, scene in enumerate(scenes):
            together.create_task(one(number, scene))
    assert not failed, "\n".join(failed)


async def test_in_telegram(tmp_path: Path) -> None:
    await _play(IN_TELEGRAM, in_telegram, tmp_path)


async def test_in_slack(tmp_path: Path) -> None:
    await _play(IN_SLACK, in_slack, tmp_path)
