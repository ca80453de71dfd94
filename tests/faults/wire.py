"""Plays a schedule over the wire: a real `magpie run` process between a platform's fake and a gateway, on real time.

Answers are made of numbered words, so that whatever a platform makes of a table or a fence, one sees what is missing,
doubled, or out of order.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from bot.http.server import serving
from bot.types import AsgiApp
from tests.fakes.clock import PATIENCE
from tests.fakes.gateway import chunk, sse
from tests.fakes.service import Service

__all__ = ["Answer", "Place", "Scene", "Wire", "long_text", "numbered"]

POSTING = ("sendMessage", "chat.postMessage")  # all others change what stands there
WORD = re.compile(r"w(\d{4})")
REPEATED = "may stand here twice"
Moment = Literal["arrived", "done", "answered"]


# ── what the gateway says ───────────────────────────────────────────────────────────────────────────────────────────


def numbered(count: int, start: int = 0) -> str:
    return " ".join(f"w{number:04}" for number in range(start, start + count))


def long_text(characters: int = 12_000) -> str:
    """Paragraphs, tables and fences in turn, of numbered words."""
    parts: list[str] = []
    number = 0

    def words(count: int) -> list[str]:
        nonlocal number
        number += count
        return [f"w{each:04}" for each in range(number - count, number)]

    while sum(map(len, parts)) < characters:
        parts.append(" ".join(words(60)) + ".")
        rows = [f"| {' | '.join(words(3))} |" for _ in range(12)]
        parts.append("\n".join([rows[0], "|---|---|---|", *rows[1:]]))
        lines = [f"{left} = call({right})" for left, right in (words(2) for _ in range(30))]
        parts.append("\n".join(["```python", *lines, "```"]))
    return "\n\n".join([*parts, " ".join(words(5)) + "."])


@dataclass(frozen=True)
class Answer:
    """To one request: the text, so many characters a second, and how it ends."""

    text: str = ""
    rate: float = 400.0
    end: Literal["whole", "length", "broken", "cut", "object", "error", "busy"] = "whole"


@dataclass
class Said:
    """A gateway as an ASGI app: it gives its answers one after the other, the last one again and again."""

    answers: tuple[Answer, ...]
    asked: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        if scope["method"] != "POST":
            await _answer(send, 200, b'{"data": []}')
            return
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if answer.end in ("error", "busy"):
            status = 200 if answer.end == "error" else 429
            await _answer(send, status, b'{"error": {"code": "internal_error", "message": "try later"}}')
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        began = time.monotonic()
        for at in range(0, len(answer.text), 40):
            await asyncio.sleep(max(0.0, began + at / answer.rate - time.monotonic()))
            await _more(send, sse(chunk(answer.text[at : at + 40]), done=False))
        match answer.end:
            case "whole":
                await send({"type": "http.response.body", "body": sse(chunk("", "stop"))})
            case "length":
                await send({"type": "http.response.body", "body": sse(chunk("", "length"))})
            case "object":
                error = {"error": {"code": "internal_error", "message": "try later"}}
                await send({"type": "http.response.body", "body": sse(error, done=False)})
            case "cut":
                await send({"type": "http.response.body", "body": b""})
            case "broken":
                await _more(send, b"data: {")  # and then the server closes the connection in the middle of a chunk


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _more(send: Any, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


# ── a schedule ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Scene:
    """`faults`: (number of the call that shows something, or 0 for the one that would show the answer's end, how,
    seconds). `kill` and `term`: at which moment of which call the process gets SIGKILL or SIGTERM; it is started again
    `down` seconds after it has ended. `meanwhile`: is something asked while it is down? `presses`: buttons, one after
    the other when all is quiet. `ends`: "whole", or the label on a part."""

    name: str
    answers: tuple[Answer, ...] = (Answer(numbered(120)),)
    faults: tuple[tuple[int, str, int], ...] = ()
    kill: tuple[Moment, int] | None = None
    term: tuple[Moment, int] | None = None
    down: float = 0.0
    meanwhile: bool = False
    presses: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    drained: bool = False  # what runs is finished before SIGTERM ends the process
    ends: str = "whole"
    labels: tuple[str, ...] = ()  # what is said in between, before each press


@dataclass(frozen=True)
class Shown:
    text: str
    buttons: tuple[str, ...]

    @property
    def unfinished(self) -> bool:
        return "…" in self.text or "Stop" in self.buttons

    @property
    def words(self) -> list[int]:
        return [int(number) for number in WORD.findall(self.text)]


class Place(Protocol):
    """A platform's fake, as far as a scene goes."""

    def environment(self) -> dict[str, str]: ...
    def ask(self, text: str) -> None: ...
    def press(self, label: str) -> None: ...
    def shown(self) -> list[Shown]: ...
    @property
    def floods(self) -> int: ...
    def budget(self, method: str) -> str:
        """What a 429 to this method silences."""

    def fail(self, method: str, how: str, seconds: int) -> None: ...
    def listen(self, told: Callable[[Moment, str, str], Any]) -> None:
        """`told(moment, method, everything that the call says)` for each call that shows something."""


@dataclass
class Wire:
    """A scene under way."""

    scene: Scene
    place: Place
    service: Service
    gateway: Said
    number: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    silent: dict[str, float] = field(default_factory=dict)  # until when the platform wants no calls of this kind
    wrong: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _faults: list[tuple[int, str, int]] = field(default_factory=list)

    @property
    def whole(self) -> list[int]:
        """Every answer of a scene is a part of this one."""
        return sorted({int(number) for answer in self.scene.answers for number in WORD.findall(answer.text)})

    async def told(self, moment: Moment, method: str, said: str) -> None:
        """The fake's word on one call; it goes on when this returns."""
        now = time.monotonic()
        if moment == "arrived":
            self.number += 1
            self.times.append(now)
            if (early := self.silent.get(self.place.budget(method), now) - now) > 0.05:
                self.wrong.append(f"call {self.number} ({method}) {early:.1f} s too early")
            self._go_wrong(method, said, now)
        if moment == "done":
            self._look()
        for what, end in ((self.scene.kill, self.service.kill), (self.scene.term, self._terminate)):
            if what == (moment, self.number) and not self.ended.is_set():
                ending = asyncio.create_task(self._ends(end))
                self._tasks.add(ending)
                if self.scene.kill:
                    await asyncio.shield(ending)

    def _go_wrong(self, method: str, said: str, now: float) -> None:
        seen = self._seen()
        final = "…" not in said and "Stop" not in said
        shows_end = any(f"w{self.whole[-1]:04}" in text for text in (said, *(each.text for each in seen)))
        others = sum(each.unfinished for each in seen) - (method not in POSTING)
        last = final and shows_end and others <= 0  # then all looks whole
        for fault in list(self._faults):
            number, how, seconds = fault
            if number == self.number or (number == 0 and last):
                self._faults.remove(fault)
                self.place.fail(method, how, seconds)
                if how == "429":
                    self.silent[self.place.budget(method)] = now + seconds

    async def _ends(self, end: Callable[[], Any]) -> None:
        await asyncio.to_thread(end)
        words = [number for each in self._seen() for number in each.words]
        if self.scene.drained and (words != self.whole or any(each.unfinished for each in self._seen())):
            self.wrong.append(f"SIGTERM: it ended with {len(words)} of {len(self.whole)} words shown")
        self.silent.clear()  # the next process can't know
        self.ended.set()

    def _terminate(self) -> None:
        code = self.service.stop()
        if code != 0:
            self.wrong.append(f"SIGTERM: it ended with {code}")

    def _look(self) -> None:
        """What looks finished is finished, at every moment."""
        shown = [each for each in self._seen() if each.words or "Retry" in each.buttons]
        if any(each.unfinished for each in shown) or not shown:
            return
        numbers = [number for each in shown for number in each.words]
        label = any("Retry" in each.buttons for each in shown)
        if not label and numbers != self.whole and not self._several(numbers):
            self.wrong.append(f"call {self.number}: it looks whole with {len(numbers)} of {len(self.whole)} words")

    def _several(self, numbers: list[int]) -> bool:
        """Two questions were asked, and both have the same answer."""
        return numbers == self.whole * 2

    def _seen(self) -> list[Shown]:
        """Without a message that its successor says it may repeat."""
        kept: list[Shown] = []
        for each in self.place.shown():
            if REPEATED in each.text and kept:
                kept.pop()
            kept.append(each)
        return kept

    # ── the scene ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def play(self) -> None:
        self._faults = list(self.scene.faults)
        self.place.listen(self.told)
        await asyncio.to_thread(self.service.start)
        self.place.ask("Say the words")
        if self.scene.kill or self.scene.term:
            async with asyncio.timeout(PATIENCE):
                await self.ended.wait()
            if self.scene.meanwhile:
                self.place.ask("And once more")
            await asyncio.sleep(self.scene.down)
            await asyncio.to_thread(self.service.start)
        for label, press in zip(self.scene.labels, self.scene.presses, strict=True):
            await self._settled()
            assert any(label in each.text for each in self.place.shown()), self.place.shown()
            before = self.number
            self.place.press(press)
            async with asyncio.timeout(PATIENCE):
                while self.number == before:  # noqa: ASYNC110 - calls are counted, not told
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
        await self._settled()
        self._check()

    async def _settled(self) -> None:
        """Nothing looks unfinished, and nothing happens for a while."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            await asyncio.sleep(0.05)
            shown = self._seen()
            quiet = time.monotonic() - max([0.0, *self.times, *self.silent.values()]) > 2.5
            if shown and quiet and not any(each.unfinished for each in shown) and self._enough(shown):
                return
        raise TimeoutError(f"it does not come to rest: {self.place.shown()}")

    def _enough(self, shown: list[Shown]) -> bool:
        if not self.scene.meanwhile:
            return True
        return self._several([number for each in shown for number in each.words])

    def _check(self) -> None:
        shown = self._seen()
        words, repeats = (
            [number for each in shown for number in each.words],
            sum(REPEATED in each.text for each in shown),
        )
        assert not self.wrong, self.wrong
        if self.scene.ends == "whole":
            assert words in (self.whole, self.whole * 2 if self.scene.meanwhile else []), _difference(words, self.whole)
            assert not any("Retry" in each.buttons for each in shown)
        else:
            assert self.scene.ends in shown[-1].text, shown[-1]
            assert "Retry" in shown[-1].buttons
            assert words == self.whole[: len(words)], _difference(words, self.whole)
        assert repeats <= 1, "only one window is allowed"
        if not (self.scene.kill or self.scene.term):  # the next process can't know what was called just before
            assert self.place.floods == 0, "too many calls"
        assert "Traceback" not in self.service.log


def _difference(words: list[int], whole: list[int]) -> str:
    at = next((n for n, (a, b) in enumerate(zip(words, whole, strict=False)) if a != b), min(len(words), len(whole)))
    return f"{len(words)} of {len(whole)} words; at {at}: {words[at : at + 5]}"


@asynccontextmanager
async def wire(scene: Scene, stage: Callable[[], Any], directory: Path) -> AsyncIterator[Wire]:
    directory.mkdir(parents=True)
    async with AsyncExitStack() as stack:
        place: Place = await stack.enter_async_context(stage())
        said = Said(scene.answers)
        app: AsgiApp = said
        url = await stack.enter_async_context(serving(app))
        variables = {"CHAT_API_URL": f"{url}/v1", "CHAT_API_KEY": "sk-sandbox", "ACCESS": "open"}
        service = Service(directory, "run", environment=variables | place.environment() | dict(scene.settings))
        try:
            yield Wire(scene, place, service, said)
        finally:
            await asyncio.to_thread(service.close)


def dumped(params: Any) -> str:
    return json.dumps(params, ensure_ascii=False)
