"""The whole service as its own process: it comes up, answers, survives a kill, and says what is wrong in one line."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.service import Service, closing, run_once

CHAT = "a-conversation-0001"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    yield from closing(Service(tmp_path, "demo", "--rate", "200"))


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"origin": url}, trust_env=False, timeout=10)


def ask(http: httpx.Client, text: str, id: str = "question-000001") -> None:
    http.post(f"/api/chats/{CHAT}/messages", json={"id": id, "text": text}).raise_for_status()


def turns(http: httpx.Client) -> list[dict[str, Any]]:
    return list(http.get(f"/api/chats/{CHAT}").raise_for_status().json()["turns"])


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_the_demo_answers_and_ends_well(service: Service) -> None:
    with client(service.start()) as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").json() == {}
        ask(http, "你好")
        wait_for(lambda: [turn for turn in turns(http) if not turn["open"]])
    assert service.stop() == 0
    assert "outcome=whole" in service.log
    assert "sandbox" in service.log
    assert "Traceback" not in service.log


def test_a_kill_in_mid_answer_leaves_exactly_one_whole_answer(service: Service) -> None:
    with client(service.start()) as http:
        ask(http, "Please write a long answer with 3000 characters.")
        wait_for(lambda: "growing" in str(turns(http)))
        time.sleep(0.2)
    service.kill()
    with client(service.start()) as http:
        (turn,) = wait_for(lambda: [turn for turn in turns(http) if not turn["open"]], 60)
        assert len(turns(http)) == 1
        pieces = turn["pieces"]
    assert len(pieces) == 1
    assert service.stop() == 0
    with sqlite3.connect(service.directory / "data" / "magpie.db") as db:
        assert db.execute("select count(*) from messages where role = 'assistant'").fetchone() == (1,)
        assert db.execute("select attempt, finish from ledger order by id").fetchall() == [(1, "lost"), (2, "whole")]
    db.close()


def test_a_second_process_on_the_same_data_says_so(service: Service, tmp_path: Path) -> None:
    service.start()
    second = run_once(tmp_path, "demo")
    assert second.returncode == 1
    assert "Another magpie process already uses" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_once(tmp_path, "demo", "--port", str(port))
    assert result.returncode == 2
    assert f"HTTP_PORT: can't listen on 127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHAT_API_KEY", ""),
        ("CHAT_API_URL", "ftp://nowhere"),
        ("HTTP_HOST", "no such host"),
        ("DATABASE_URL", "oracle://here"),
        ("LOG_LEVEL", "loud"),
        ("WEB", "maybe"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(tmp_path: Path, variable: str, value: str) -> None:
    right = {"CHAT_API_KEY": "sk-1234567", "WEB": "on"}
    result = run_once(tmp_path, "run", **(right | {variable: value}))
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    assert variable in line
    assert "1234567" not in line


def test_run_without_a_platform_says_what_to_set(tmp_path: Path) -> None:
    result = run_once(tmp_path, "run", CHAT_API_KEY="sk-1234567")
    assert result.returncode == 2
    assert "WEB=on" in result.stderr
    assert "magpie demo" in result.stderr


def test_a_database_from_a_newer_version_is_named(tmp_path: Path) -> None:
    assert run_once(tmp_path, "db", "upgrade").returncode == 0
    with sqlite3.connect(tmp_path / "data" / "magpie.db") as db:
        db.execute("update alembic_version set version_num = '9999'")
    db.close()
    result = run_once(tmp_path, "demo")
    assert result.returncode == 1
    assert "newer version of magpie (9999)" in result.stderr


def test_a_data_directory_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    result = run_once(tmp_path, "demo", DATA_DIR=str(tmp_path / "file" / "data"))
    assert result.returncode == 2
    assert "DATA_DIR" in result.stderr


def test_doctor_says_what_is_well_and_what_is_not(tmp_path: Path) -> None:
    result = run_once(tmp_path, "doctor", CHAT_API_URL="http://127.0.0.1:9/v1", CHAT_API_KEY="sk-1234567", WEB="on")
    assert result.returncode == 1
    assert "ok   database" in result.stdout
    assert "NOT  gateway" in result.stdout
    assert "ok   web" in result.stdout
    assert "1234567" not in result.stdout + result.stderr
