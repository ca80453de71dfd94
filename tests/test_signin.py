"""Sign-in as people do it, in Chromium before a real `magpie demo`."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.fakes.clock import PATIENCE
from tests.fakes.reverse_proxy import ReverseProxy
from tests.fakes.service import Service
from tests.test_page import FLAGS, WAIT

NAME = "magpie.test"  # leads to this machine, in this browser
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        rules = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
        opened = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, rules])
        yield opened
        opened.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Town:
    """The page behind a password, and how people come to it. `way`: how the browser's address leads to it."""

    def __init__(self, folder: Path, way: str) -> None:
        self.way, self.port, self.stack = way, free_port(), ExitStack()
        environment = {"WEB_PASSWORD": PASSWORD}
        self.url = f"http://127.0.0.1:{self.port}"
        if way == "docker":  # on every address, by a name of its own
            environment |= {"HTTP_HOST": "0.0.0.0", "PUBLIC_URL": f"http://{NAME}:{self.port}"}
            self.url = environment["PUBLIC_URL"]
        elif way in ("plain proxy", "telling proxy"):
            proxy = self.stack.enter_context(ReverseProxy(self.port, forwards=way == "telling proxy"))
            environment |= {"PUBLIC_URL": f"http://{NAME}:{proxy.port}"}
            environment |= {"TRUSTED_PROXIES": "127.0.0.1"} if way == "telling proxy" else {}
            self.url = environment["PUBLIC_URL"]
        self.service = Service(folder, "demo", "--port", str(self.port), environment=environment)
        self.service.start()

    def close(self) -> None:
        self.stack.close()
        self.service.stop()


@pytest.fixture(scope="module", params=["local", "docker", "plain proxy", "telling proxy"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory.mktemp("town"), request.param)
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.set_default_timeout(WAIT)
    yield page
    context.close()


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_the_right_password_opens_the_page_and_signing_out_ends_it_at_the_server(page: Page, town: Town) -> None:
    page.goto(f"{town.url}/")
    expect(page).to_have_url(f"{town.url}/login")
    sign_in(page, PASSWORD)
    expect(page.locator("#model-name")).to_have_text("qwen-plus")
    page.fill("#input", "Say hello")
    page.press("#input", "Enter")
    expect(page.locator("#log")).to_contain_text("sandbox")
    (cookie,) = [each for each in page.context.cookies() if each["name"] == "magpie_session"]  # type: ignore[typeddict-item]
    old = {"Cookie": f"magpie_session={cookie['value']}"}  # type: ignore[typeddict-item]
    with httpx.Client(base_url=f"http://127.0.0.1:{town.port}", trust_env=False, timeout=PATIENCE) as thief:
        assert thief.get("/api/chats", headers=old).status_code == 200
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{town.url}/login")
        assert thief.get("/api/chats", headers=old).status_code == 401
        if town.way == "local":
            town.service.stop()
            town.service.start()
            assert thief.get("/api/chats", headers=old).status_code == 401, "after a restart too"


near_and_far = pytest.mark.parametrize("town", ["local", "telling proxy"], indirect=True)


@near_and_far
def test_a_wrong_password_says_so_and_then_has_to_wait(page: Page, town: Town) -> None:
    page.goto(f"{town.url}/login")
    alert = page.get_by_role("alert")
    for _ in range(8):  # each wrong one doubles the wait, which so outlasts the slowest machine
        with page.expect_navigation():
            sign_in(page, "wrong")
        told = alert.inner_text()
        if told != "This is not the password.":
            break
    wait = re.fullmatch(r"Too many attempts\. Please wait (\d+) s\.", told)
    assert wait is not None, told
    page.wait_for_timeout(int(wait[1]) * 1_000 + 100)
    sign_in(page, PASSWORD)
    expect(page.locator("#model-name")).to_have_text("qwen-plus")


@near_and_far
def test_what_is_turned_away_has_a_page_and_a_way_on(page: Page, town: Town) -> None:
    page.goto(f"{town.url}/login")
    sign_in(page, PASSWORD)
    expect(page.locator("#model-name")).to_have_text("qwen-plus")
    answer = page.goto(f"{town.url}/nothing/here")
    assert answer is not None
    assert answer.status == 404
    look = page.locator("main").evaluate("main => getComputedStyle(main).borderTopLeftRadius")
    assert look == "22px", "its own style sheet is let through by its own policy"
    page.get_by_role("link", name="To Magpie").click()
    expect(page.locator("#model-name")).to_have_text("qwen-plus")
