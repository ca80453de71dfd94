"""The page in Chromium, before a real `magpie demo`: what people see is what was generated, whole and once."""

from __future__ import annotations

import base64
import io
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from tests.fakes.clock import PATIENCE
from tests.fakes.service import Service

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT = 1000 * PATIENCE  # ms
expect.set_options(timeout=WAIT)
SHORT = "Say hello"
LONG = "Give me a long answer"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Demo:
    """A `magpie demo` process with its own data, which can be killed and started again at the same address."""

    def __init__(self, folder: Path, rate: int) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self._service = Service(folder, "demo", "--port", str(port), "--rate", str(rate))  # tokens per second
        self.start()

    def start(self, **environment: str) -> None:
        self._service.environment |= environment
        self._service.start()

    def end(self) -> None:
        self._service.stop()

    def kill(self) -> None:
        self._service.kill()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Answers fast, for tests that want their ends."""
    running = Demo(tmp_path_factory.mktemp("demo"), 200)
    yield running
    running.end()


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Answers as `magpie demo` does, for tests that look at what happens on the way."""
    running = Demo(tmp_path_factory.mktemp("slow"), 20)
    yield running
    running.end()


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a `magpie run` whose gateway is down."""
    keys = {"WEB": "on", "CHAT_API_KEY": "sk-1234567890", "CHAT_API_URL": f"http://127.0.0.1:{free_port()}/v1"}
    service = Service(tmp_path_factory.mktemp("lonely"), "run", environment=keys)
    yield f"{service.start()}/"
    service.stop()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


class Visitor:
    """Opens pages, and sees to it that nothing on them went wrong unnoticed."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.troubles: list[str] = []

    def open(self, url: str, model: str = "qwen-plus", **options: Any) -> Page:
        context = self._browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1100, "height": 760}, **options}
        )
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.troubles.append(message.text))
        page.goto(url)
        expect(page.locator("#model-name")).to_have_text(model)
        return page

    def leave(self) -> None:
        for context in self._contexts:
            context.close()
        network = re.compile("Failed to load resource|ERR_")
        assert [trouble for trouble in self.troubles if not network.search(trouble)] == []


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    visiting = Visitor(browser)
    yield visiting
    visiting.leave()


@pytest.fixture
def page(visitor: Visitor, demo: Demo) -> Page:
    return visitor.open(demo.url)


@pytest.fixture
def slow_page(visitor: Visitor, slow: Demo) -> Page:
    return visitor.open(slow.url)


def until(page: Page, script: str) -> None:
    """Wait until a script is true. The page's own policy forbids what Playwright's `wait_for_function` does: eval."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(script):
        assert time.monotonic() < end, script
        page.wait_for_timeout(50)


def turn_wheel(page: Page, by: int, script: str) -> None:
    """Until the script is true: a busy browser loses a turn of the wheel."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(script):
        assert time.monotonic() < end, script
        page.mouse.wheel(0, by)
        page.wait_for_timeout(500)


def ask(page: Page, text: str) -> None:
    page.fill("#input", text)
    page.press("#input", "Enter")


def answered(page: Page, count: int = 1) -> None:
    """`count` answers, all of them at their end."""
    expect(page.locator(".answer .meta")).to_have_count(count)
    expect(page.locator(".growing")).to_have_count(0)
    expect(page.locator("#stop")).to_be_hidden()


def shows(page: Page, *questions: str) -> None:
    """These questions, with exactly one answer each."""
    expect(page.locator(".bubble")).to_have_text(list(questions))
    expect(page.locator(".turn .piece")).to_have_count(len(questions))
    for turn in page.locator(".turn").all():
        expect(turn.locator(".piece")).to_have_count(1)


def picture(color: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(data, "PNG")
    return data.getvalue()


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_grows_in_place_and_is_never_far_behind(slow_page: Page) -> None:
    page = slow_page
    page.evaluate(
        """() => {
            window.grown = [];
            const log = document.getElementById("log");
            new MutationObserver(() => {
                const length = log.querySelector(".pieces")?.textContent.length ?? 0;
                if (length !== window.grown.at(-1)?.[1]) window.grown.push([performance.now(), length]);
            }).observe(log, { childList: true, subtree: true, characterData: true });
        }"""
    )
    ask(page, "Show me Markdown with code and a table")
    expect(page.locator(".growing")).to_have_count(1)
    until(page, "window.grown.length >= 25")
    seen: list[tuple[float, int]] = page.evaluate("window.grown")
    lengths = [length for _, length in seen if length]
    times = [at for at, length in seen if length]
    assert len(set(lengths)) >= 5
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    assert gaps[len(gaps) // 2] < 1500
    assert gaps[-1] < 10_000, "a busy machine may hold one up"
    page.click("#stop")
    answered(page)


def test_a_whole_answer_says_what_it_cost_and_moves_the_balance(page: Page) -> None:
    ask(page, SHORT)
    answered(page)
    shows(page, SHORT)
    expect(page.locator(".about-answer")).to_contain_text("¥")
    expect(page.locator("#balance")).to_contain_text("¥")
    expect(page.locator("#title")).to_have_text(SHORT)
    expect(page.locator("#chats [aria-current]")).to_have_text(SHORT)


def test_stop_stops_continue_goes_on_and_retry_answers_once(slow_page: Page) -> None:
    page = slow_page
    ask(page, LONG)
    expect(page.locator(".growing")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".note.stopped")).to_be_visible()
    answered(page)
    text = page.inner_text(".prose")
    page.wait_for_timeout(400)
    assert page.inner_text(".prose") == text
    tops = [page.locator(each).bounding_box() for each in (".note.stopped", ".below .menu", ".below .meta")]
    middles = [box["y"] + box["height"] / 2 for box in tops if box is not None]
    assert len(middles) == 3
    assert max(middles) - min(middles) < 4  # one row for one fact
    page.get_by_role("button", name="Continue").click()
    until(page, f"document.querySelector('.prose').textContent.length > {len(text) + 40}")
    assert page.inner_text(".prose").startswith(text[:-40])
    page.click("#stop")
    expect(page.locator(".note.stopped")).to_have_count(1)
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".growing")).to_have_count(1)
    expect(page.locator(".note.stopped")).to_have_count(0)
    page.click("#stop")
    expect(page.locator(".note.stopped")).to_have_count(1)
    shows(page, LONG)


def test_a_reload_in_mid_answer_shows_one_whole_answer(slow_page: Page) -> None:
    page = slow_page
    ask(page, SHORT)
    expect(page.locator(".growing")).to_have_count(1)
    page.reload()
    shows(page, SHORT)
    answered(page)
    once = page.inner_text(".prose")
    page.reload()
    answered(page)
    shows(page, SHORT)
    assert page.inner_text(".prose") == once


def test_a_killed_server_that_comes_back_leaves_one_whole_answer(slow_page: Page, slow: Demo) -> None:
    page = slow_page
    ask(page, SHORT)
    expect(page.locator(".growing")).to_have_count(1)
    slow.kill()
    expect(page.locator("#banner")).to_be_visible()
    page.fill("#input", "meanwhile")
    slow.start()
    expect(page.locator("#banner")).to_be_hidden()
    answered(page)
    shows(page, SHORT)
    seen = page.locator(".prose").all_inner_texts()
    page.reload()
    answered(page)
    shows(page, SHORT)
    assert page.locator(".prose").all_inner_texts() == seen
    assert page.input_value("#input") == "meanwhile"


def test_what_changed_while_the_line_was_down_is_shown_when_it_is_back(browser: Browser, tmp_path: Path) -> None:
    """What no event tells of: the list, balance and alerts, and what the service is set to."""
    demo, visiting = Demo(tmp_path, 200), Visitor(browser)
    page = visiting.open(demo.url)
    ask(page, SHORT)
    answered(page)
    empty = visiting.open(demo.url)  # no conversation, so no stream
    demo.kill()
    for each in (page, empty):
        each.route("**/api/**", lambda route: route.abort())
    demo.start(CHAT_MODEL="qwen-max")
    chat, headers = f"{demo.url}api/chats/{page.url.partition('#')[2]}", {"Origin": demo.url.rstrip("/")}
    told = {
        "title": {"title": "Greetings"},
        "messages": {"id": "another-page-1", "text": "Show me a low-balance alert"},
    }
    for what, body in told.items():  # by another page
        httpx.post(f"{chat}/{what}", json=body, headers=headers, timeout=PATIENCE).raise_for_status()
    while not httpx.get(f"{demo.url}api/balance", timeout=PATIENCE).json()["alerts"]["names"]:
        time.sleep(0.1)
    for each in (page, empty):
        expect(each.locator("#model-name")).to_have_text("qwen-plus")
        each.unroute("**/api/**")
    empty.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    for each in (page, empty):
        expect(each.locator("#chats a")).to_have_text(["Greetings"])
        expect(each.locator("#model-name")).to_have_text("qwen-max")
        expect(each.locator("#alert")).to_be_visible()
        expect(each.locator("#balance")).to_have_class("balance low")
    expect(page.locator("#title")).to_have_text("Greetings")
    answered(page, 2)
    visiting.leave()
    demo.kill()


def test_an_answer_that_ends_unseen_marks_the_title(page: Page) -> None:
    ask(page, SHORT)
    answered(page)
    assert not page.title().startswith("●")
    hide = "hidden => Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true })"
    page.evaluate(hide, True)
    ask(page, "And again")
    answered(page, 2)
    assert re.fullmatch("● .+ · Magpie", page.title())
    page.evaluate(hide, False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert not page.title().startswith("●")


def test_each_answer_says_when_it_was(page: Page) -> None:
    now = time.time()
    ask(page, SHORT)
    answered(page)
    said = page.locator(".meta time")
    at = datetime.fromisoformat(str(said.get_attribute("datetime")))
    assert now - 1 < at.timestamp() < time.time() + 1
    assert re.fullmatch(r"\d\d:\d\d [AP]M", said.inner_text().replace("\u202f", " "))
    assert str(at.astimezone().year) in str(said.get_attribute("title"))
    for days, form in ((2, r"[A-Z][a-z]{2} \d+, \d\d:\d\d [AP]M"), (400, r"[A-Z][a-z]{2} \d+, \d{4}, \d\d:\d\d [AP]M")):
        page.clock.set_fixed_time(at + timedelta(days=days))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        if (at + timedelta(days=days)).year == at.year or days > 2:
            expect(said).to_have_text(re.compile(form.replace(" ", r"\s")))
    page.click("#language")
    expect(said).to_have_text(re.compile(r"\d{4}年\d+月\d+日"))


def test_two_pages_show_the_same(page: Page, visitor: Visitor) -> None:
    ask(page, SHORT)
    expect(page.locator(".bubble")).to_be_visible()
    other = visitor.open(page.url)
    answered(page)
    answered(other)
    shows(other, SHORT)
    assert other.inner_text(".prose") == page.inner_text(".prose")


def test_a_reader_who_scrolled_up_is_left_alone(page: Page) -> None:
    page.set_viewport_size({"width": 1100, "height": 420})
    ask(page, "Give me a long answer of 60000 characters")
    until(page, "document.getElementById('scroll').scrollTop > 60")
    assert page.evaluate("document.querySelector('.growing') !== null")
    page.mouse.move(600, 200)
    at_start = "document.getElementById('scroll').scrollTop === 0"
    turn_wheel(page, -200_000, at_start)
    length = len(page.inner_text(".prose"))
    until(page, f"document.querySelector('.prose').textContent.length > {length + 60}")
    assert page.evaluate("document.getElementById('scroll').scrollTop") == 0
    at_end = """() => {
        const { scrollHeight, clientHeight, scrollTop } = document.getElementById("scroll");
        return scrollHeight - clientHeight - scrollTop < 3;
    }"""
    turn_wheel(page, 200_000, at_end)
    length = page.evaluate("document.querySelector('.prose').textContent.length")
    until(page, f"document.querySelector('.prose').textContent.length > {length + 200}")
    until(page, at_end)
    page.click("#stop")


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────


COUNTING = """(() => {
    window.ends = 0;
    const listen = EventSource.prototype.addEventListener;
    EventSource.prototype.addEventListener = function (name, hear) {
        listen.call(this, name, (event) => {
            hear(event);
            if (name === "ended") window.ends += 1;
        });
    };
})()"""


def test_with_the_gateway_down_each_retry_comes_to_its_end(visitor: Visitor, lonely: str) -> None:
    page = visitor.open(lonely)
    ask(page, "hello")
    error = page.locator(".note.error")
    expect(error).to_contain_text("can't be reached")
    page.add_init_script(COUNTING)
    page.reload()
    for attempt in range(1, 4):
        page.get_by_role("button", name="Retry").click()
        until(page, f"window.ends === {attempt}")
        expect(page.locator("#stop")).to_be_hidden()
        expect(page.locator(".thinking")).to_be_hidden()
        expect(error).to_have_count(1)
        expect(page.locator(".replacing")).to_have_count(0)
    ask(page, "and again")
    page.keyboard.press("Escape")  # whichever comes first
    until(page, "window.ends === 4")
    expect(page.locator("#stop")).to_be_hidden()
    page.reload()
    expect(error.first).to_contain_text("can't be reached")
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator(".bubble")).to_have_text(["hello", "and again"])


DEAF = """(() => {
    const listen = EventSource.prototype.addEventListener;
    EventSource.prototype.addEventListener = function (name, hear) {
        if (!["turn", "piece", "ended"].includes(name)) listen.call(this, name, hear);
        else listen.call(this, name, () => this.dispatchEvent(new MessageEvent("alive", { data: "{}" })));
    };
})()"""


def test_an_end_that_got_lost_is_looked_up_though_the_line_is_alive(slow_page: Page, slow: Demo) -> None:
    page = slow_page
    page.clock.install()
    page.add_init_script(DEAF)
    page.reload()
    ask(page, SHORT)
    expect(page.locator("#stop")).to_be_visible()
    chat = f"{slow.url}api/chats/{page.url.partition('#')[2]}"
    while any(turn["open"] for turn in httpx.get(chat, timeout=PATIENCE).json()["turns"]):
        page.wait_for_timeout(100)
    expect(page.locator("#stop")).to_be_visible()
    page.clock.fast_forward(45_000)
    answered(page)
    shows(page, SHORT)


def test_stop_leaves_the_question_that_waits(slow_page: Page) -> None:
    page = slow_page
    ask(page, LONG)
    expect(page.locator(".growing")).to_have_count(1)
    ask(page, "12 * 34")
    expect(page.locator(".thinking:visible")).to_contain_text("Waiting for its turn")
    page.click("#stop")
    expect(page.locator(".note.stopped")).to_be_visible()
    answered(page, 2)
    expect(page.locator(".turn").last).to_contain_text("408")


# ── conversations ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_is_renamed_deleted_and_brought_back(page: Page) -> None:
    ask(page, "Say hello to the list")
    answered(page)
    mine = page.locator("#chats li", has_text="Say hello to the list")
    expect(page.locator("#chats h2").first).to_have_text("Today")
    mine.hover()
    mine.get_by_role("button", name="Rename").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("A title of my own")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("A title of my own")
    page.reload()
    expect(page.locator("#title")).to_have_text("A title of my own")
    named = page.locator("#chats li", has_text="A title of my own")
    for undone in (True, False):
        named.hover()
        named.get_by_role("button", name="Delete").click()
        expect(named).to_have_count(0)
        expect(page.locator("#hello")).to_be_visible()
        if undone:
            page.get_by_role("button", name="Undo").click()
            expect(named).to_have_count(1)
            expect(page.locator(".bubble")).to_have_text("Say hello to the list")
    page.reload()
    expect(page.locator("#model-name")).to_have_text("qwen-plus")
    expect(named).to_have_count(0)


def test_conversations_are_found_by_title_and_by_what_was_said(page: Page) -> None:
    ask(page, "Explain how tides work, for a ten-year-old")
    answered(page)
    page.keyboard.press("Control+k")
    ask(page, "/status")
    answered(page)
    expect(page.locator("#chats [aria-current]")).to_have_text("New conversation")  # a command is no title
    page.fill("#chat-find", "merry-go-round")
    expect(page.locator("#chats li")).to_have_count(1)
    expect(page.locator("#chats li")).to_have_text("Explain how tides work, for a ten-year-old")
    page.fill("#chat-find", "nothing has this in it")
    expect(page.locator("#chats")).to_have_text("No conversation with these words.")
    page.fill("#chat-find", "")
    expect(page.locator("#chats li")).not_to_have_count(1)


def test_a_thousand_conversations_can_all_be_reached(browser: Browser, tmp_path: Path) -> None:
    demo = Demo(tmp_path, 200)
    demo.end()
    with sqlite3.connect(tmp_path / "data" / "demo" / "magpie.db") as db:
        now = round(time.time() * 1000)
        columns = "key, platform, account, title, present, forgotten, forgotten_turn, last"
        row = f"insert into chats ({columns}) values (?, 'web', 'local', ?, 1, 0, 0, ?)"
        db.executemany(row, [(f"web/local/many{n:04}", f"Number {n}", now - n * 3_600_000) for n in range(1000)])
    db.close()
    demo.start()
    visiting = Visitor(browser)
    page = visiting.open(demo.url)
    expect(page.locator("#chats li").first).to_have_text("Number 0")
    end = time.monotonic() + PATIENCE
    while page.locator("#chats li").count() < 1000 and time.monotonic() < end:
        page.evaluate("document.getElementById('chats').scrollTop = 1e9")
        page.wait_for_timeout(50)
    titles = page.locator("#chats li").all_inner_texts()
    assert titles == [f"Number {n}" for n in range(1000)]
    headings = page.locator("#chats h2").all_inner_texts()
    assert len(headings) == len(set(headings))
    assert headings[0] == "Today"
    assert "Previous 30 days" in headings
    visiting.leave()
    demo.end()


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_send_stays_and_is_sent_again_once(page: Page) -> None:
    page.route("**/messages", lambda route: route.abort())
    ask(page, SHORT)
    expect(page.locator(".failure")).to_contain_text("Not sent.")
    page.unroute("**/messages")
    page.reload()
    expect(page.locator(".pending .bubble")).to_have_text(SHORT)
    page.get_by_role("button", name="Send again").click()
    answered(page)
    shows(page, SHORT)
    page.reload()
    answered(page)
    shows(page, SHORT)


def test_a_send_whose_answer_was_lost_is_asked_once(page: Page) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/messages", lose, times=1)
    ask(page, SHORT)
    # if it is there, and in the same moment: the stream may tell at any time that it arrived, which takes it away
    page.evaluate("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Send again')?.click()")
    answered(page)
    shows(page, SHORT)


def test_enter_belongs_to_the_input_method_while_it_is_open(page: Page) -> None:
    page.fill("#input", "ni hao")
    press = """(options) => {
        const event = new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...options });
        document.getElementById("input").dispatchEvent(event);
    }"""
    page.evaluate(press, {"isComposing": True})
    page.evaluate(press, {"keyCode": 229})
    page.evaluate("document.getElementById('input').dispatchEvent(new CompositionEvent('compositionend'))")
    page.evaluate(press, {})
    page.keyboard.press("Shift+Enter")
    assert page.input_value("#input") == "ni hao\n"
    expect(page.locator(".bubble")).to_have_count(0)
    page.wait_for_timeout(80)
    page.evaluate(press, {})
    expect(page.locator(".bubble")).to_have_text("ni hao")


def test_a_slash_offers_the_commands(page: Page) -> None:
    page.locator("#input").press_sequentially("/")
    expect(page.locator("#slash li").first).to_be_visible()
    page.locator("#input").press_sequentially("stat")
    expect(page.locator("#slash li")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.locator("#input")).to_have_value("/status ")
    expect(page.locator("#slash")).to_be_hidden()
    page.fill("#input", "/us")
    page.keyboard.press("Escape")
    expect(page.locator("#slash")).to_be_hidden()
    page.fill("#input", "/us")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#input")).to_have_value("/usage ")
    page.keyboard.press("Enter")
    answered(page)
    expect(page.locator(".bubble")).to_have_text("/usage")


def test_what_is_not_sent_yet_is_kept(page: Page) -> None:
    page.fill("#input", "half a thought")
    page.reload()
    expect(page.locator("#input")).to_have_value("half a thought")


def test_ctrl_k_begins_a_new_conversation(page: Page) -> None:
    ask(page, SHORT)
    answered(page)
    page.keyboard.press("Control+k")
    expect(page.locator("#hello")).to_be_visible()
    expect(page.locator("#input")).to_be_focused()
    expect(page.locator(".bubble")).to_have_count(0)
    page.go_back()
    shows(page, SHORT)


def test_what_is_written_never_runs(page: Page) -> None:
    evil = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script> [x](javascript:window.hacked=1)"
    page.set_input_files(
        "#files", [{"name": "<img src=x onerror=window.hacked=1>.png", "mimeType": "image/png", "buffer": picture()}]
    )
    expect(page.locator(".preview.ready")).to_be_visible()
    ask(page, evil)
    answered(page)
    ask(page, f"Repeat: {evil}")
    answered(page, 2)
    expect(page.locator(".bubble").first).to_have_text(evil)
    expect(page.locator("#title")).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None
    assert page.locator(".prose img, .prose script, a[href^=javascript]").count() == 0


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_photo_by_button_is_answered_about(page: Page) -> None:
    page.set_input_files("#files", [{"name": "red.png", "mimeType": "image/png", "buffer": picture()}])
    expect(page.locator(".preview.ready img")).to_be_visible()
    ask(page, "What is in this picture?")
    answered(page)
    expect(page.locator(".prose")).to_contain_text("red")
    expect(page.locator(".pictures img")).to_have_js_property("naturalWidth", 64)
    page.reload()
    expect(page.locator(".pictures img")).to_have_js_property("naturalWidth", 64)


def bring(page: Page, way: str, name: str, mime: str, data: bytes) -> None:
    """A file by paste or drop."""
    page.evaluate(
        """([way, name, type, data]) => {
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type }));
            const options = { bubbles: true, cancelable: true };
            const event = way === "paste"
                ? new ClipboardEvent("paste", { ...options, clipboardData: transfer })
                : new DragEvent("drop", { ...options, dataTransfer: transfer });
            document.getElementById("input").dispatchEvent(event);
        }""",
        [way, name, mime, base64.b64encode(data).decode()],
    )


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_photo_by_paste_or_drop_can_be_taken_back(page: Page, way: str) -> None:
    bring(page, way, "blue.png", "image/png", picture((20, 30, 200)))
    expect(page.locator(".preview.ready img")).to_be_visible()
    expect(page.locator("#send")).to_be_enabled()
    page.get_by_role("button", name="Remove blue.png").click()
    expect(page.locator(".preview")).to_have_count(0)
    expect(page.locator("#send")).to_be_disabled()


GOOD = {"name": "red.png", "mimeType": "image/png", "buffer": picture()}
BAD = [
    ("report.pdf", b"%PDF-1.7 and more", "PDF files can't be read here yet"),
    ("page.pdf.png", b"%PDF-1.7 called a picture", "PDF files can't be read here yet"),
    ("empty.jpg", b"", "empty (0 bytes)"),
    ("song.mp3", b"ID3\x04\x00\x00" + bytes(40), "MP3 files can't be read here yet"),
    ("clip.jpg", b"\x00\x00\x00\x18ftypmp42" + bytes(40), "MP4 files can't be read here yet"),
    ("book.docx", b"PK\x03\x04" + bytes(40), "DOCX files can't be read here yet"),
    ("noname", bytes(range(40)), "This kind of file can't be read here yet"),
]


def test_what_cannot_be_read_is_refused_where_it_is_chosen_and_the_rest_is_sent(page: Page) -> None:
    files = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data, _ in BAD]
    page.set_input_files("#files", [*files[:3], GOOD, *files[3:]])
    expect(page.locator(".preview")).to_have_count(len(BAD) + 1)
    expect(page.locator(".preview.bad")).to_have_count(len(BAD))
    expect(page.locator(".preview.ready img")).to_be_visible()  # from here on nothing is drawn anew
    for number, (name, _, why) in enumerate(BAD):
        row = page.locator(".preview.bad").nth(number)
        expect(row).to_contain_text(name)
        expect(row).to_contain_text(why)
        row_box, close = row.bounding_box(), row.get_by_role("button").bounding_box()
        assert row_box is not None
        assert close is not None
        assert row_box["x"] + row_box["width"] >= close["x"] + close["width"]
        assert row_box["y"] <= close["y"]
    ask(page, "What is in this picture?")
    answered(page)
    expect(page.locator(".prose")).to_contain_text("red")
    expect(page.locator(".pictures img")).to_have_count(1)
    expect(page.locator(".note.error")).to_have_count(0)


def test_text_is_taken_whatever_it_is_called(page: Page) -> None:
    texts = {
        "notes.txt": b"hello",
        "table.csv": b"a,b\n1,2\n",
        "main.rs": b"fn main() {}\n",
        "BMW.md": b"BM is how this text begins",
        "utf16": "hello".encode("utf-16"),
        "gb.txt": "你好，这是一份说明文件。".encode("gb18030"),
        "latin.txt": ("A text that is mostly plain, with one word of caf\xe9 in it.").encode("latin-1"),
    }
    files = [{"name": name, "mimeType": "", "buffer": data} for name, data in texts.items()]
    page.set_input_files("#files", files)
    expect(page.locator(".preview.ready")).to_have_count(len(texts))
    expect(page.locator(".preview.bad")).to_have_count(0)
    for chip in page.locator(".preview").all():
        whole, close = chip.bounding_box(), chip.get_by_role("button").bounding_box()
        assert whole is not None
        assert close is not None
        assert whole["x"] + whole["width"] >= close["x"] + close["width"]


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_paste_and_drop_refuse_as_the_picker_does(page: Page, way: str) -> None:
    bring(page, way, "report.png", "image/png", b"%PDF-1.7 called a picture")
    expect(page.locator(".preview.bad")).to_contain_text("report.png")
    expect(page.locator(".preview.bad")).to_contain_text("PDF files can't be read here yet")
    expect(page.locator("#send")).to_be_disabled()
    bring(page, way, "no-label", "", picture())
    expect(page.locator(".preview.ready")).to_have_count(1)
    expect(page.locator(".preview.bad")).to_have_count(0)


def test_a_file_too_large_says_so(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(30 * 1024 * 1024)
    page.set_input_files("#files", [large])
    expect(page.locator(".preview.bad")).to_contain_text("larger than 20 MB")


# ── around it ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_is_found_and_chosen(page: Page) -> None:
    page.click("#model")
    expect(page.locator("#model-list li[aria-selected=true]")).to_have_attribute("data-id", "qwen-plus")
    expect(page.locator("#model-list li")).not_to_have_count(0)
    expect(page.locator(".recent")).to_have_count(0)  # of a price list of long ago nothing is recent
    expect(page.get_by_role("button", name="Model: qwen-plus")).to_have_count(1)
    page.fill("#model-find", "qwen-vl-max")
    row = page.locator("#model-list li[data-id=qwen-vl-max]")
    expect(row).to_contain_text("Sees pictures")
    expect(row).to_contain_text("¥")
    row.click()
    expect(page.locator("#models")).to_be_hidden()
    expect(page.locator("#model-name")).to_have_text("qwen-vl-max")
    page.reload()
    expect(page.locator("#model-name")).to_have_text("qwen-vl-max")


def test_a_model_that_is_named_in_words_is_shown_above_too(page: Page) -> None:
    ask(page, "/model qwen-max")
    expect(page.locator("#model-name")).to_have_text("qwen-max")


def test_a_setting_that_changed_before_the_stream_stood_is_shown(page: Page) -> None:
    waiting: list[Route] = []
    # the stream of a new conversation, held back
    page.route(re.compile(r"/events\?after=$"), lambda route: waiting.append(route))
    with page.expect_response("**/messages"):
        ask(page, "/model qwen-max")
    expect(page.locator(".turn")).to_have_count(1)
    for route in waiting:
        route.continue_()
    expect(page.locator("#model-name")).to_have_text("qwen-max")


def test_a_setting_tells_its_bound_and_whose_it_is(page: Page) -> None:
    page.click("#settings-open")
    field = page.locator(".field[data-name=temperature]")
    page.fill("#set-temperature", "2")
    page.press("#set-temperature", "Enter")
    expect(field.locator(".said")).to_contain_text("below 2, got 2")
    expect(field.locator(".said")).not_to_contain_text("/set")
    expect(page.locator("#set-temperature")).to_have_attribute("aria-invalid", "true")
    page.fill("#set-temperature", "0.7")
    page.press("#set-temperature", "Enter")
    expect(field.locator(".origin")).to_have_text("Set here")
    page.fill("#set-stop", "END\n完")
    page.click("#set-seed")
    expect(page.locator(".field[data-name=stop] .origin")).to_have_text("Set here")
    page.select_option("#set-enable_search", "on")
    expect(page.locator(".field[data-name=enable_search] .origin")).to_have_text("Set here")
    page.select_option("#set-enable_thinking", "on")
    expect(page.locator(".field[data-name=enable_thinking] .said")).to_contain_text("Thinking is on")
    page.fill("#set-translate", "English")
    page.press("#set-translate", "Enter")
    expect(page.locator(".field[data-name=translate] .origin")).to_have_text("Set here")
    page.fill("#set-system", "Answer in one word.\nAlways.")
    page.click("#set-seed")
    expect(page.locator(".field[data-name=system] .origin")).to_have_text("Set here")
    page.keyboard.press("Escape")
    page.reload()
    page.click("#settings-open")
    expect(page.locator("#set-temperature")).to_have_value("0.7")
    expect(page.locator("#set-stop")).to_have_value("END\n完")
    expect(page.locator("#set-enable_search")).to_have_value("on")
    expect(page.locator("#set-translate")).to_have_value("English")
    expect(page.locator("#set-system")).to_have_value("Answer in one word.\nAlways.")
    field.locator(".reset").click()
    expect(page.locator("#set-temperature")).to_have_value("")
    expect(field.locator(".origin")).to_have_text("")


def test_a_menu_button_changes_its_own_message(page: Page) -> None:
    ask(page, "/search")
    page.get_by_role("button", name="on", exact=True).click()
    for _ in ("now", "after a reload"):
        expect(page.locator(".prose")).to_contain_text("search is on")
        expect(page.locator(".piece")).to_have_count(1)
        page.reload()


def brightness(page: Page) -> int:
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", color)[:3]))


def test_light_and_dark_follow_the_system_and_the_switch(visitor: Visitor, demo: Demo) -> None:
    page = visitor.open(demo.url, color_scheme="dark")
    assert brightness(page) < 150
    page.click("#theme")
    assert brightness(page) > 600
    page.reload()
    assert brightness(page) > 600
    light = visitor.open(demo.url, color_scheme="light")
    assert brightness(light) > 600
    light.click("#theme")
    light.click("#theme")
    assert brightness(light) < 150


def test_it_speaks_chinese_and_english(visitor: Visitor, demo: Demo) -> None:
    page = visitor.open(demo.url, locale="zh-CN")
    expect(page.locator("#new")).to_contain_text("新对话")
    ask(page, "你好")
    answered(page)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.click("#language")
    expect(page.locator("#new")).to_contain_text("New conversation")
    page.reload()
    expect(page.locator("#new")).to_contain_text("New conversation")


def test_it_fits_a_phone(visitor: Visitor, demo: Demo) -> None:
    page = visitor.open(demo.url, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.fill("#input", "Show me Markdown with code and a table")
    page.tap("#send")
    expect(page.locator(".growing table, .growing pre").first).to_be_visible()
    page.tap("#stop")
    answered(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(page.locator("#side")).to_be_hidden()
    page.tap("#side-open")
    expect(page.locator("#side")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()
    for opener, dialog in (("#model", "#models"), ("#settings-open", "#settings")):
        page.tap(opener)
        expect(page.locator(dialog)).to_be_visible()
        box = page.locator(dialog).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        page.locator(dialog).get_by_role("button", name="Close").tap()


def test_a_screen_reader_finds_names_and_news(page: Page) -> None:
    ask(page, "Show me Markdown with code and a table")
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "true")
    answered(page)
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")
    nameless = """(nodes) => nodes
        .filter((node) => !node.getAttribute("aria-label") && !node.textContent.trim() && !node.labels?.length)
        .map((node) => node.outerHTML)"""
    assert page.eval_on_selector_all("button, a, textarea, select", nameless) == []
    page.keyboard.press("Control+k")
    expect(page.locator("textarea:visible").first).to_be_focused()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.matches('button, a, [tabindex]')")


def test_code_can_be_copied(visitor: Visitor, demo: Demo) -> None:
    page = visitor.open(demo.url, permissions=["clipboard-read", "clipboard-write"])
    ask(page, "Show me Markdown with code and a table")
    answered(page)
    page.locator(".code .copy").first.click()
    expect(page.locator(".toast")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator(".code code").first.text_content()


def test_a_low_balance_is_told_when_asked_for_in_a_line_that_leads_to_the_alert(page: Page) -> None:
    expect(page.locator("#sandbox-hello")).to_contain_text("A sandbox answers here")
    ask(page, SHORT)
    answered(page)
    expect(page.locator("#alert")).to_be_hidden()
    ask(page, "Show me a low-balance alert")
    answered(page, 2)
    page.locator("#alert").get_by_text("Show alerts").click()
    expect(page.locator("#title")).to_have_text("Alerts")
    expect(page.get_by_text(re.compile(r"The balance is low: ¥4\.\d+, below ¥5\.00\."))).to_have_count(1)
    expect(page.locator("#balance")).to_have_class("balance low")
    expect(page.locator("#chats a")).not_to_contain_text(["Alerts"])
    box = page.locator("#alert").bounding_box()
    assert box is not None
    assert box["height"] < 45
    page.locator("#alert").get_by_role("button", name="Close").click()
    page.reload()
    expect(page.locator("#balance")).to_have_class("balance low")
    expect(page.locator("#alert")).to_be_hidden()
    page.keyboard.press("Control+k")
    ask(page, "top up")
    answered(page)
    expect(page.locator("#balance")).to_have_class("balance")
