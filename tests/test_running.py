"""docs/running.md is true: its backups can be restored, and its metrics, alerts and units are what there is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.gateways.gateway import sandboxed
from bot.service.metrics import Metrics, Tally
from bot.types import BalanceReading, Chat, IncomingMessage, LedgerEntry, Money, Outcome, Person, TurnState, Usage
from storage import open_store
from tests.fakes.clock import PATIENCE, SimClock
from tests.fakes.postgres import postgres_server
from tests.fakes.service import Service
from tests.project import ROOT

PAGE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
CHAT = "a-conversation-0001"


def blocks(heading: str, language: str) -> list[str]:
    """The code below a heading, up to the next heading."""
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


# ── backups ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def conversation(url: str) -> list[dict[str, Any]]:
    with httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE) as http:
        return list(http.get(f"/api/chats/{CHAT}").raise_for_status().json()["turns"])


def asked(url: str, text: str, id: str) -> list[dict[str, Any]]:
    """Ask on the page, and wait for the answer."""
    with httpx.Client(base_url=url, headers={"origin": url}, trust_env=False, timeout=PATIENCE) as http:
        http.post(f"/api/chats/{CHAT}/messages", json={"id": id, "text": text}).raise_for_status()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = conversation(url)
        if found and not any(turn["open"] for turn in found):
            return found
        time.sleep(0.05)
    raise AssertionError("there was no answer")


def carried_out(block: str, place: Path, programs: str, **variables: str) -> None:
    """Run a block of the page. `programs`: a directory that goes before the PATH."""
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **variables}
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def databases(kind: str) -> Iterator[tuple[dict[str, str], dict[str, str], str]]:
    """The variables of the Magpie that is backed up, and of the restored one; where the server's own programs are,
    because a pg_dump refuses servers newer than itself."""
    if kind == "SQLite":
        yield {}, {}, ""
        return
    with postgres_server() as server:
        with psycopg.connect(server.url("postgres")) as connection:
            found = connection.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
        assert found
        yield {"DATABASE_URL": server.create("first")}, {"DATABASE_URL": server.create("second")}, found[0]


def in_turn(kind: str, place: Path, gateway: Mapping[str, str]) -> tuple[object, object]:
    """Back up, go on, stop, restore, start: the conversation when it was backed up, and the restored one."""
    backup, restore = blocks(kind, "bash")
    with databases(kind) as (first, second, programs), contextlib.ExitStack() as ending:
        service = Service(place, "run", environment={**gateway, **first})
        ending.callback(service.close)
        before = asked(service.start(), "你好", "question-000001")
        carried_out(backup, place, programs, **first)
        assert len(asked(service.url, "This is not in the backup.", "question-000002")) == 2
        assert service.stop() == 0
        carried_out(restore, place, programs, **second)
        again = Service(place, "run", environment={**gateway, **second, "DATA_DIR": str(place / "restored")})
        ending.callback(again.close)
        after = conversation(again.start())
        assert "Traceback" not in service.log + again.log
    return before, after


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
async def test_a_backup_of_a_running_magpie_is_restored_elsewhere(kind: str, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "data" / "files").mkdir(parents=True)
    (tmp_path / "data" / "files" / "an-upload").write_bytes(b"seen")
    async with sandboxed(500) as settings:
        gateway = {
            "WEB": "on",
            "CHAT_API_KEY": settings["chat_api_key"].get_secret_value(),
            "CHAT_API_URL": settings["chat_api_url"],
            "CHAT_API_PROFILE": settings["chat_api_profile"],
        }
        before, after = await asyncio.to_thread(in_turn, kind, tmp_path, gateway)
    assert after == before
    assert (tmp_path / "restored" / "files" / "an-upload").read_bytes() == b"seen"


# ── what is watched ─────────────────────────────────────────────────────────────────────────────────────────────────


async def metrics() -> dict[str, tuple[str, set[str]]]:
    """Name -> kind and labels, of all that /metrics can show."""
    all_of = Metrics()
    all_of.called(Chat("p", "a", "c"), Tally(Counter(new=1), Counter(new=1)))
    all_of.ended(Chat("p", "a", "c"), Outcome.WHOLE, visible=1.0, lag=1.0)
    all_of.asked([LedgerEntry(1, 1, "g", "m", 0, usage=Usage(1, 1), cost=Money(Decimal(1)), finish="whole")])
    all_of.gateway("g", None)
    waiting = IncomingMessage("k", Chat("p", "a", "1"), Person("ann"), "hello", 0)
    store = await open_store("sqlite://", owner="test", clock=SimClock())
    try:
        await store.reading(BalanceReading("g", Money(Decimal(1)), 0))
        await store.accept(waiting)
        page = (await all_of.page(store, "g")).decode()
    finally:
        await store.close()
    found = {}
    for family in text_string_to_metric_families(page):
        if not family.name.endswith("_created"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (family.type, {label for sample in family.samples for label in sample.labels} - {"le"})
    return found


async def test_every_metric_is_explained() -> None:
    rows = re.findall(r"^\| `(magpie_\w+)` \| (\w+) \| (.*?) \|", PAGE, re.MULTILINE)
    explained = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert explained == await metrics()


async def test_alerts_look_at_what_there_is() -> None:
    (rules,) = (
        block for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "alert:" in block
    )
    # one line each, of the YAML that needs no parser: a key, and nothing, a word, or a text in quotes
    assert all(re.fullmatch(r'( {2})*(- )?\w+:( [\w-]+| "([^"\\]|\\")*")?', line) for line in rules.splitlines())
    names = re.findall(r"- alert: (\w+)", rules)
    assert len(set(names)) == len(names) == rules.count("expr:") == rules.count("summary:") == 6
    known = await metrics()
    for name in re.findall(r"\bmagpie_\w+", rules):
        bare = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in known or known[bare][0] == "histogram"
    for label, values in re.findall(r'(\w+)=~?\\"([^"]*)\\"', rules):
        possible = {"job": {"magpie"}, "outcome": {*Outcome}, "state": {*TurnState}}[label]
        assert {*values.split("|")} <= possible


def test_the_alerts_watch_the_job_that_is_scraped() -> None:
    assert "job_name: magpie\n" in PAGE


# ── how it is started ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_unit_waits_for_running_answers() -> None:
    from bot.service.config import Settings

    (unit,) = blocks("With systemd", "ini")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop
    composed = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    grace = re.search(r"stop_grace_period: (\d+)s", composed)
    assert grace
    assert min(int(stop[1]), int(grace[1])) > Settings.model_fields["drain_seconds"].default


def test_proxies_let_the_largest_upload_through() -> None:
    from adapters.web.inbound.files import MOST_BYTES

    most = re.search(r"client_max_body_size (\d+)m;", PAGE)
    assert most
    assert int(most[1]) * 2**20 > MOST_BYTES
