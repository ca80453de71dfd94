"""Several accounts in one real `magpie run` process, from one magpie.toml, over the wire of their platforms."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.http.server import serving
from bot.types import AsgiApp
from tests.fakes.clock import PATIENCE
from tests.fakes.gateway import chunk, sse
from tests.fakes.service import Service, run_once
from tests.fakes.slack import FakeSlack, Post
from tests.fakes.telegram import FakeTelegram, Room
from tests.fakes.telegram.server import TOKEN

SALES = "222222:letters-of-the-bot-for-sales"
ANN = "700"


@dataclass
class Gateway:
    """Says which model was asked, with which system prompt, and what; slowly where the question asks for that."""

    asked: list[str] = field(default_factory=list)

    def app(self) -> AsgiApp:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            body, more = b"", True
            while more:
                part = await receive()
                body, more = body + part.get("body", b""), part.get("more_body", False)
            kind = b"text/event-stream" if scope["method"] == "POST" else b"application/json"
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
            if scope["method"] != "POST":
                await send({"type": "http.response.body", "body": b'{"data":[]}'})
                return
            for piece in self._answer(json.loads(body)):
                await send({"type": "http.response.body", "body": sse(chunk(piece), done=False), "more_body": True})
                await asyncio.sleep(0.2 if "slowly" in self.asked[-1] else 0)
            await send({"type": "http.response.body", "body": sse(chunk("", "stop"))})

        return app

    def _answer(self, body: dict[str, Any]) -> list[str]:
        said = [str(each["content"]) for each in body["messages"]]
        self.asked.append(said[-1])
        sells = any("You sell." in each for each in said[:-1])
        words = f"{body['model']} {'sells' if sells else 'chats'}: {said[-1]}"
        if "slowly" in said[-1]:
            words += "".join(f" and {number}" for number in range(40)) + " done."
        return [f"{word} " for word in words.split()]


@dataclass
class House:
    """Two bots in Telegram, one of the variables and one of a table, and a workspace in Slack."""

    directory: Path
    tg: FakeTelegram
    sales: FakeTelegram
    slack: FakeSlack
    gateway: Gateway
    service: Service

    def write(self, *tables: str) -> None:
        (self.directory / "magpie.toml").write_text("\n".join(tables), encoding="utf-8")

    def of_sales(self, *more: str) -> str:
        lines = ('[[telegram]]\nname = "sales"\ntoken_env = "SALES_TOKEN"', f'api_url = "{self.sales.url}"', *more)
        return "\n".join((*lines, 'model = "qwen-max"\nsystem = "You sell."\n'))

    def of_team(self, *more: str) -> str:
        lines = (f'[[slack]]\nname = "team"\ntoken = "{self.slack.token}"', f'api_url = "{self.slack.url}"', *more)
        return "\n".join((*lines, 'model = "qwen-turbo"\n'))

    async def start(self) -> None:
        await asyncio.to_thread(self.service.start)

    async def told(self, tg: FakeTelegram, room: Room, count: int = 1) -> list[str]:
        """What stands in a room, once `count` messages do, all of them finished."""

        def settled() -> bool:
            shown = tg.shown(room)
            return len(shown) >= count and not any("Stop" in str(each.keyboard) for each in shown)

        await tg.until(settled)
        await asyncio.sleep(0.3)  # a second answer to the same question would come now
        return [shown.text for shown in tg.shown(room)]

    async def told_in_slack(self, asked: Post, count: int = 1) -> list[str]:
        def settled() -> bool:
            shown = self.slack.shown(asked.room, asked)
            return len(shown) >= count and not any(each.streaming for each in shown)

        await self.slack.until(settled)
        await asyncio.sleep(0.3)
        return [shown.text for shown in self.slack.shown(asked.room, asked)]

    async def page(self, path: str) -> str:
        def got() -> str:
            with urllib.request.urlopen(self.service.url + path) as answer:
                return str(answer.read().decode())

        return await asyncio.to_thread(got)


@contextlib.asynccontextmanager
async def house(directory: Path, **more: str) -> AsyncIterator[House]:
    gateway = Gateway()
    async with (
        FakeTelegram() as tg,
        FakeTelegram(SALES, username="sales_bot", name="Sales") as sales,
        FakeSlack() as slack,
        serving(gateway.app()) as url,
    ):
        variables = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": tg.url,
            "SALES_TOKEN": SALES,
            "CHAT_API_URL": f"{url}/v1",
            "CHAT_API_KEY": "sk-example",
            "ACCESS": "open",
        }
        service = Service(directory, "run", environment=variables | more)
        found = House(directory, tg, sales, slack, gateway, service)
        slack.deliveries.retries = (0.05,) * 200  # the real one lets a minute pass
        try:
            yield found
        finally:
            await asyncio.to_thread(service.close)
        for token in (TOKEN, SALES, slack.token, slack.app_token, slack.signing_secret):
            assert token.partition(":")[2] not in service.log or not token.partition(":")[2]
            assert token not in service.log
        assert "Traceback" not in service.log


async def test_two_bots_and_a_workspace_run_in_one_process(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ann = here.sales.private("Ann")
        here.write(
            here.of_sales('access = "allowlist"', f"admins = [{ann.id}]"),
            here.of_team(f'app_token = "{here.slack.app_token}"'),
        )
        await here.start()
        ben = here.tg.private("Ben")
        cleo = here.slack.private("Cleo")
        ben.write("hello")
        ann.write("hello")
        asked = cleo.write("hello")
        assert await here.told(here.tg, ben) == ["qwen-plus chats: hello"]
        assert await here.told(here.sales, ann) == ["qwen-max sells: hello"]
        assert await here.told_in_slack(asked) == ["qwen-turbo chats: hello"]

        ann.write("/settings")
        (_, settings) = await here.told(here.sales, ann, 2)
        assert "Model: qwen-max (default)" in settings
        assert "System prompt: You sell. (default)" in settings
        ann.write("/model qwen-turbo")
        await here.told(here.sales, ann, 3)
        ann.write("and now?")
        assert (await here.told(here.sales, ann, 4))[-1] == "qwen-turbo sells: and now?"
        stranger = here.sales.private("Mallory")
        stranger.write("hello")
        assert str(stranger.id) in (await here.told(here.sales, stranger))[0], "ACCESS=open is not for this account"

        parts = json.loads(await here.page("/readyz"))
        assert parts == dict.fromkeys(["store", "slack:team", "telegram", "telegram:sales", "gateway"], "ok")
        metrics = await here.page("/metrics")
        assert 'magpie_turns_total{account="",outcome="whole",platform="telegram"} 1.0' in metrics
        assert 'magpie_turns_total{account="telegram:sales",outcome="whole",platform="telegram"} 2.0' in metrics
        assert 'magpie_turns_total{account="slack:team",outcome="whole",platform="slack"} 1.0' in metrics
        assert "telegram:sales: telegram: @sales_bot, by polling" in here.service.log
        assert "/claim" not in here.service.log, "each account has an admin, or needs none"
        assert await asyncio.to_thread(here.service.stop) == 0


async def test_all_of_them_are_killed_and_none_answers_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.write(here.of_sales(), here.of_team(f'app_token = "{here.slack.app_token}"'))
        await here.start()
        rooms = [(tg, tg.private("Ann"), model) for tg, model in ((here.tg, "plus chats"), (here.sales, "max sells"))]
        for _, room, _ in rooms:
            room.write("count slowly")
        asked = here.slack.private("Cleo").write("count slowly")
        for tg, room, _ in rooms:
            await tg.until(lambda tg=tg, room=room: "and 9" in str([each.text for each in tg.shown(room)]))
        await asyncio.to_thread(here.service.kill)
        await here.start()
        for tg, room, model in rooms:
            (text,) = await here.told(tg, room)
            assert text.startswith(f"qwen-{model}: count slowly and 0 and 1 ")
            assert text.endswith(" and 39 done.")
        (text,) = await here.told_in_slack(asked)
        assert text.endswith(" and 39 done.")


async def test_what_is_pushed_finds_its_account(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    pushed = {"TELEGRAM_MODE": "webhook", "HTTP_PORT": port, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    async with house(tmp_path, **pushed) as here:
        team = here.of_team('mode = "http"', f'signing_secret = "{here.slack.signing_secret}"')
        here.write(here.of_sales(), team)
        await here.start()
        assert await here.slack.pushes.verify(here.service.url + "/slack/events/team")
        await here.tg.until(lambda: here.tg.webhook.url == f"http://127.0.0.1:{port}/telegram")
        await here.sales.until(lambda: here.sales.webhook.url == f"http://127.0.0.1:{port}/telegram/sales")
        ben, ann = here.tg.private("Ben"), here.sales.private("Ann")
        ben.write("hello")
        ann.write("hello")
        asked = here.slack.private("Cleo").write("hello")
        assert await here.told(here.tg, ben) == ["qwen-plus chats: hello"]
        assert await here.told(here.sales, ann) == ["qwen-max sells: hello"]
        assert await here.told_in_slack(asked) == ["qwen-turbo chats: hello"]


async def test_an_account_that_is_off_while_its_turn_is_open_tells_so_when_it_is_back(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.write(here.of_sales())
        await here.start()
        ann, ben = here.sales.private("Ann"), here.tg.private("Ben")
        ann.write("count slowly")
        await here.sales.until(lambda: here.sales.called("editMessageText"))  # its id is stored by then
        await asyncio.to_thread(here.service.kill)

        here.service.environment["SALES_TOKEN"] = ""
        await here.start()
        ben.write("hello")
        assert await here.told(here.tg, ben) == ["qwen-plus chats: hello"], "the rest goes on"
        off = "telegram:sales is off: the variable SALES_TOKEN is not set, which magpie.toml names as its token_env."
        assert here.service.log.count(off) == 1
        said = await within(lambda: "telegram/222222 is not switched on: 1 turns wait for it" in here.service.log)
        assert said
        assert 'magpie_turns_stranded{account="telegram/222222"} 1.0' in await here.page("/metrics")
        assert await asyncio.to_thread(here.service.stop) == 0
        doctor = await asyncio.to_thread(run_once, tmp_path, "doctor", **here.service.environment)
        assert f"telegram:sales {off}" in doctor.stdout
        assert "1 turns wait for telegram/222222, which is switched off" in doctor.stdout
        assert "The bot is @magpie_bot." in doctor.stdout

        here.service.environment |= {"SALES_TOKEN": SALES, "STALE_AFTER": "0 s"}  # as if a day had passed
        await here.start()
        texts = await here.told(here.sales, ann)
        assert len(texts) == 1
        assert "Sorry, I was not running when you asked this" in texts[0]
        assert "Retry" in str(here.sales.shown(ann)[-1].keyboard)
        assert here.gateway.asked == ["count slowly", "hello", "Say ok."], "nothing was asked again, but by the doctor"


async def test_an_account_that_is_refused_is_off_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path, SALES_TOKEN="222222:a-token-that-was-revoked") as here:
        here.write(here.of_sales())
        await here.start()
        ben = here.tg.private("Ben")
        ben.write("hello")
        assert await here.told(here.tg, ben) == ["qwen-plus chats: hello"]
        said = [line for line in here.service.lines if "telegram:sales is off until the next start" in line]
        assert len(said) == 1
        assert "is rejected" in said[0]
        parts = json.loads(await here.page("/healthz"))
        assert "is rejected" in parts["telegram:sales"]
        assert parts["telegram"] == "ok"
        assert await asyncio.to_thread(here.service.stop) == 0
    alone = {"TELEGRAM_BOT_TOKEN": "222222:a-token-that-was-revoked"}
    async with house(tmp_path, **alone, WEB="on") as here:
        (tmp_path / "magpie.toml").unlink()
        with pytest.raises(AssertionError, match="it ended with 2"):
            await here.start()


TEAM = """
[[slack]]
name = "team"
token = "xoxb-1-example"
mode = "http"
signing_secret = "0123456789abcdef0123456789abcdef"
"""


def test_a_manifest_for_an_account(tmp_path: Path) -> None:
    (tmp_path / "magpie.toml").write_text(TEAM, encoding="utf-8")
    told = run_once(tmp_path, "manifest", "--account", "team", PUBLIC_URL="https://bot.example.com")
    assert "https://bot.example.com/slack/events/team" in told.stdout, told.stderr
    wrong = run_once(tmp_path, "manifest", "--account", "sales", PUBLIC_URL="https://bot.example.com")
    assert wrong.returncode == 2
    assert wrong.stderr == "magpie: --account: magpie.toml has no such account of slack; it has: team\n"


async def within(look: Callable[[], bool]) -> bool:
    async with asyncio.timeout(PATIENCE):
        while not look():  # noqa: ASYNC110 - it is a line in a log
            await asyncio.sleep(0.05)
    return True
