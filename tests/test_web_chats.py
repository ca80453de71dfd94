"""The page's list of conversations at its HTTP surface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from adapters.web.adapter import WebAdapter
from adapters.web.chats import PAGE
from adapters.web.settings import WebSettings
from bot.types import AdapterContext, Chat, IncomingMessage, Person
from tests.fakes.clock import SimClock
from tests.fakes.web_core import WebCore

BASE = "http://127.0.0.1:8080"


class Site:
    """The page's API before a small core with `count` conversations."""

    def __init__(self, folder: Path, count: int) -> None:
        self.core = WebCore()
        around = AdapterContext(
            self.core,
            list,
            SimClock(),
            alerts="magpie-alerts",
            archive=self.core,
            sandbox=True,
            reads=("image/png", "text/plain"),
        )
        adapter = WebAdapter(WebSettings(data_dir=folder, _env_file=None), around)  # type: ignore[call-arg]
        transport = httpx.ASGITransport(adapter.http["/"])  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE})
        self.count = count

    async def fill(self) -> None:
        for number in range(self.count):
            await self.say(f"conversation-{number}", f"question {number}")

    async def say(self, id: str, text: str) -> None:
        await self.core.accept(IncomingMessage(f"k{id}", Chat("web", "local", id), Person("owner"), text, 1))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path, 2 * PAGE + 5)
    await made.fill()
    yield made
    await made.http.aclose()


async def test_every_conversation_is_on_exactly_one_page(site: Site) -> None:
    seen: list[str] = []
    sizes: list[int] = []
    more: str | None = ""
    while more is not None:
        answer = (await site.http.get("/api/chats", params={"after": more})).json()
        seen += [row["id"] for row in answer["chats"]]
        sizes.append(len(answer["chats"]))
        more = answer["more"]
    assert sizes == [PAGE, PAGE, 5]
    assert len(set(seen)) == len(seen) == site.count


async def test_the_alerts_stand_apart_and_stay(site: Site) -> None:
    await site.say("magpie-alerts", "low")
    answer = (await site.http.get("/api/chats")).json()
    assert answer["alerts"]
    assert "magpie-alerts" not in [row["id"] for row in answer["chats"]]
    for act in ("title", "delete", "restore"):
        assert (await site.http.post(f"/api/chats/magpie-alerts/{act}", json={"title": "x"})).status_code == 404


async def test_words_are_searched_for(site: Site) -> None:
    answer = (await site.http.get("/api/chats", params={"search": "question 17"})).json()
    assert [row["title"] for row in answer["chats"]] == ["question 17"]


async def test_a_title_is_one_line_and_of_a_bounded_length(site: Site) -> None:
    path = "/api/chats/conversation-3"
    assert (await site.http.post(f"{path}/title", json={"title": "  my\n own \x00title  "})).status_code == 200
    assert site.core.titles[Chat("web", "local", "conversation-3")] == "my own title"
    assert (await site.http.post(f"{path}/title", json={"title": "x" * 500})).status_code == 200
    assert len(site.core.titles[Chat("web", "local", "conversation-3")]) == 120
    assert (await site.http.post(f"{path}/title", json={"title": "x" * 9000})).status_code == 400


async def test_deleted_and_brought_back(site: Site) -> None:
    path = "/api/chats/conversation-3"
    assert (await site.http.post(f"{path}/restore", json={})).status_code == 404
    assert (await site.http.post(f"{path}/delete", json={})).status_code == 200
    assert (await site.http.post(f"{path}/delete", json={})).status_code == 404
    assert (await site.http.post(f"{path}/restore", json={})).status_code == 200
    assert (await site.http.post("/api/chats/nobody-has-this/delete", json={})).status_code == 404


@pytest.mark.parametrize("act", ["title", "delete", "restore"])
async def test_no_other_site_may_do_it(site: Site, act: str) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = await site.http.post(f"/api/chats/conversation-3/{act}", json={"title": "x"}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("after", ["x", "1", "-1.conversation-1", "1.no", "9" * 30 + ".conversation-1"])
async def test_a_place_that_is_none_is_refused(site: Site, after: str) -> None:
    assert (await site.http.get("/api/chats", params={"after": after})).status_code == 400


async def test_the_page_is_told_what_can_be_read_and_who_answers(site: Site) -> None:
    start = (await site.http.get("/api/start")).json()
    assert (start["sandbox"], start["reads"]) == (True, ["image/png", "text/plain"])


async def test_the_commands_are_offered_in_the_pages_language(tmp_path: Path) -> None:
    core = WebCore()
    around = AdapterContext(core, list, SimClock(), commands=lambda language: [("new", f"in {language}")])
    adapter = WebAdapter(WebSettings(data_dir=tmp_path, _env_file=None), around)  # type: ignore[call-arg]
    transport = httpx.ASGITransport(adapter.http["/"])  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        answer = await http.get("/api/commands", params={"language": "zh-CN"})
    assert answer.json() == {"commands": [["new", "in zh-CN"]]}


async def test_where_nothing_can_be_kept_nothing_is_done(tmp_path: Path) -> None:
    core = WebCore()
    adapter = WebAdapter(
        WebSettings(data_dir=tmp_path, _env_file=None),  # type: ignore[call-arg]
        replace(AdapterContext(core, list, SimClock()), archive=None),
    )
    transport = httpx.ASGITransport(adapter.http["/"])  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as http:
        assert (await http.post("/api/chats/conversation-1/delete", json={})).status_code == 404
