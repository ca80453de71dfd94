"""Readiness on a full disk, and files that nobody else may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bot.http.health import FRESH, Health
from bot.privacy import readable_by_others, tighten
from storage import open_store
from tests.fakes.clock import SimClock


async def test_a_store_that_can_only_be_read_is_not_ready(tmp_path: Path) -> None:
    clock = SimClock()
    store = await open_store("sqlite://", owner="test", clock=clock)
    folder = tmp_path / "data"
    folder.mkdir()
    health = Health(store, dict, lambda: "", folder, clock)
    try:
        assert (await health.parts())["store"].trouble == ""
        folder.rmdir()  # as with no room: nothing can be written there
        assert (await health.parts())["store"].trouble == "", "a write a moment ago is good enough"
        await clock.advance(FRESH)
        assert "nothing can be written" in (await health.parts())["store"].trouble
        folder.mkdir()
        await clock.advance(FRESH)
        assert (await health.parts())["store"].trouble == ""
        assert list(folder.iterdir()) == []
    finally:
        await store.close()


@pytest.fixture
def open_umask() -> object:
    old = os.umask(0o022)
    yield
    os.umask(old)


@pytest.mark.usefixtures("open_umask")
def test_what_an_older_version_left_open_is_closed_and_nothing_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in (
        "magpie.db",
        "magpie.db-wal",
        "slack.json",
        "web.secret",
        "files/ab/x",
        "unread/telegram.jsonl",
        "demo/lock",
    ):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("x")
    assert readable_by_others(data)
    tighten(data / "demo")  # as `magpie demo` has its own data there
    tighten(data)
    for path in [data, *data.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not readable_by_others(data)
    mine = tmp_path / "home"
    mine.mkdir()
    (mine / "letter.txt").write_text("x")
    (mine / "magpie.db").write_text("x")
    tighten(mine)
    assert readable_by_others(mine), "somebody else's directory is left as it is"
    assert readable_by_others(mine / "letter.txt")
    assert not readable_by_others(mine / "magpie.db")
    assert not readable_by_others(tmp_path / "nowhere")
