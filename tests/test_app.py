"""The whole service as its own process: it comes up, answers, survives a kill, and says what is wrong in one line."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.__main__ import main
from bot.locales import available, terminal_language
from tests.fakes.clock import PATIENCE
from tests.fakes.service import Service, clean_environment, closing, run_once

CHAT = "a-conversation-0001"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    yield from closing(Service(tmp_path, "demo", "--rate", "200"))


Here = Callable[..., tuple[int, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """`main` in this process, which has imported everything already: exit code, and all that was said."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, **environment: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            for name in os.environ.keys() - clean_environment(tmp_path).keys():
                patch.delenv(name)
            for name, value in clean_environment(tmp_path, **environment).items():
                patch.setenv(name, value)
            code = main(arguments)
        return code, "".join(capfd.readouterr())

    return call


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"origin": url}, trust_env=False, timeout=PATIENCE)


def ask(http: httpx.Client, text: str, id: str = "question-000001") -> None:
    http.post(f"/api/chats/{CHAT}/messages", json={"id": id, "text": text}).raise_for_status()


def turns(http: httpx.Client) -> list[dict[str, Any]]:
    return list(http.get(f"/api/chats/{CHAT}").raise_for_status().json()["turns"])


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_the_demo_answers_and_ends_well(service: Service) -> None:
    with client(service.start()) as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").json() == {"store": "ok", "web": "ok", "gateway": "ok"}
        ask(http, "你好")
        wait_for(lambda: [turn for turn in turns(http) if not turn["open"]])
    assert service.stop() == 0
    assert "outcome=whole" in service.log
    assert "sandbox" in service.log
    assert "Traceback" not in service.log


def test_a_kill_in_mid_answer_leaves_exactly_one_whole_answer(service: Service) -> None:
    with client(service.start()) as http:
        ask(http, "Please write a long answer with 1500 characters.")
        wait_for(lambda: "growing" in str(turns(http)))
        time.sleep(0.2)
    service.kill()
    with sqlite3.connect(service.directory / "data" / "demo" / "magpie.db") as db:
        db.execute("insert into inbound (key, at) values ('long ago', 1)")
    db.close()
    with client(service.start()) as http:
        (turn,) = wait_for(lambda: [turn for turn in turns(http) if not turn["open"]])
        assert len(turns(http)) == 1
        pieces = turn["pieces"]
    assert len(pieces) == 1
    assert service.stop() == 0
    with sqlite3.connect(service.directory / "data" / "demo" / "magpie.db") as db:
        assert db.execute("select count(*) from messages where role = 'assistant'").fetchone() == (1,)
        assert db.execute("select attempt, finish from ledger order by id").fetchall() == [(1, "lost"), (2, "whole")]
        assert db.execute("select count(*) from inbound where key = 'long ago'").fetchone() == (0,)
    db.close()


def test_the_demo_keeps_to_itself_and_says_what_comes_next(service: Service) -> None:
    service.environment |= {"TELEGRAM_BOT_TOKEN": "123456:of-a-real-bot-0123456789abcdefghijk"}
    with client(service.start()) as http:
        assert http.get("/readyz").json() == {"store": "ok", "web": "ok", "gateway": "ok"}
    assert str(Path("data") / "demo") in service.log
    assert "CHAT_API_KEY=sk-..." in service.log
    assert sorted(each.name for each in (service.directory / "data").iterdir()) == ["demo"]


def test_a_second_process_on_the_same_data_says_so(here: Here, service: Service) -> None:
    service.start()
    code, said = here("demo")
    assert code == 1
    assert "Another magpie process already uses" in said
    assert "Traceback" not in said


def test_a_taken_port_is_named(here: Here) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = here("demo", "--port", str(port))
    assert code == 2
    assert f"HTTP_PORT: can't listen on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHAT_API_KEY", ""),
        ("CHAT_API_URL", "ftp://nowhere"),
        ("DATABASE_URL", "oracle://here"),
        ("LOG_LEVEL", "loud"),
        ("ALERT_CHATS", "nowhere:123"),
        ("BALANCE_ALERT_BELOW", "little"),
        ("WEB", "maybe"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(here: Here, variable: str, value: str) -> None:
    right = {"CHAT_API_KEY": "sk-1234567", "WEB": "on"}
    code, said = here("run", **(right | {variable: value}))
    assert code == 2, said
    (line,) = said.splitlines()
    assert variable in line
    assert "1234567" not in line


def test_so_it_is_for_a_process(tmp_path: Path) -> None:
    result = run_once(tmp_path, "run", CHAT_API_KEY="sk-1234567", WEB="on", HTTP_HOST="no such host")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "HTTP_HOST" in line


def test_run_without_a_platform_says_what_to_set(here: Here) -> None:
    code, said = here("run", CHAT_API_KEY="sk-1234567")
    assert code == 2
    assert "WEB=on" in said
    assert "magpie demo" in said


def test_a_database_from_a_newer_version_is_named(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "demo"
    assert here("db", "upgrade", DATA_DIR=str(folder))[0] == 0
    with sqlite3.connect(folder / "magpie.db") as db:
        db.execute("update alembic_version set version_num = '9999'")
    db.close()
    code, said = here("demo")
    assert code == 1
    assert "newer version of magpie (9999)" in said


def test_a_data_directory_that_can_not_be_made_is_named(here: Here, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, said = here("demo", DATA_DIR=str(tmp_path / "file" / "data"))
    assert code == 2
    assert "DATA_DIR" in said


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_all_that_is_wrong_is_told_at_once(here: Here, tmp_path: Path, command: str) -> None:
    wrong = {"TELEGRAM_BOT_TOKEN": "nonsense", "SLACK_BOT_TOKEN": "xapp-1-abc", "HTTP_PORT": "eighty", "WEB": "maybe"}
    code, said = here(command, CHAT_API_KEY="sk-1234567", **wrong)
    assert code == (2 if command == "run" else 1)
    for name in wrong:
        assert said.count(f"{name}: ") == 1, said
    assert not (tmp_path / "data").exists()


def test_an_open_door_is_told_before_anything_is_made(here: Here, tmp_path: Path) -> None:
    code, said = here("run", CHAT_API_KEY="sk-1234567", WEB="on", HTTP_HOST="0.0.0.0")
    assert code == 2
    assert "WEB_PASSWORD" in said
    assert not (tmp_path / "data").exists()


def test_a_misspelt_variable_is_told_at_the_start(here: Here, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WEBB=on\n", encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        _, said = here("demo", "--port", str(taken.getsockname()[1]))
    assert "WEBB is no setting of Magpie, so it has no effect. Did you mean WEB?" in said


def test_doctor_looks_beside_a_service_that_runs(here: Here, service: Service) -> None:
    service.start()
    gateway = {"CHAT_API_KEY": "sk-1234567", "CHAT_API_URL": "http://127.0.0.1:9/v1"}
    _, said = here("doctor", **gateway, WEB="on", DATA_DIR=str(service.directory / "data" / "demo"))
    assert "ok   database  The database is in use by a magpie that runs" in said
    assert "ok   magpie    magpie 0.1.0, Python 3." in said


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh_CN.UTF-8", ("用法：", "选项", "第一步")), ("C", ("usage: ", "options", "First steps"))],
)
def test_help_speaks_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (
            ["dmeo"],
            "magpie: there is no COMMAND dmeo. Did you mean demo?",
            "magpie: 没有这个命令：dmeo。您是不是想写 demo？",
        ),
        (["nothing"], "magpie: there is no COMMAND nothing.", "magpie: 没有这个命令：nothing。"),
        (
            ["demo", "--rate", "-5"],
            "magpie demo: --rate must be a number above 0",
            "magpie demo: --rate 必须是大于 0 的数",
        ),
        (
            ["demo", "--port", "x"],
            "magpie demo: --port takes a number, got 'x'.",
            "magpie demo: --port 后面要写数字，而不是 'x'。",
        ),
        (
            ["demo", "--port"],
            "magpie demo: --port takes a value, and there is none.",
            "magpie demo: --port 后面还缺一个值。",
        ),
        (
            ["demo", "--open=1"],
            "magpie demo: --open takes no value, got '1'.",
            "magpie demo: --open 后面不需要值，多写了 '1'。",
        ),
        (["ask", "--sandbx", "hi"], "magpie: --sandbx is not known here.", "magpie: 这里不认识 --sandbx。"),
        (["ask", "--s", "hi"], "magpie ask: --s may be --system, ", "magpie ask: --s 可能是 --system, "),
        (["db"], "magpie db: ACTION is missing.", "magpie db: 缺少 操作。"),
    ],
)
def test_what_is_wrong_with_an_argument_is_said_in_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    english: str,
    chinese: str,
) -> None:
    for language, words in (("en_US.UTF-8", english), ("zh_CN.UTF-8", chinese)):
        monkeypatch.setenv("LC_ALL", language)
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(words)


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en_GB"}, "en"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"}, "en"),
        ({"LANG": "de_DE@euro", "LANGUAGE": ""}, "en"),
    ],
)
def test_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert available(terminal_language()) == language


def test_magpie_alone_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "magpie demo" in said
    assert "doctor" in said


def test_a_manifest_names_no_address_that_is_not_ours(here: Here) -> None:
    code, said = here("manifest", SLACK_MODE="http")
    assert code == 2
    assert said.startswith("magpie: PUBLIC_URL: is needed for SLACK_MODE=http")
    assert "example.org/slack" not in said
    code, said = here("manifest", SLACK_MODE="http", PUBLIC_URL="http://bot.example.com")
    assert (code, said.partition(" Example")[0]) == (
        2,
        "magpie: PUBLIC_URL: must begin with https:// for SLACK_MODE=http.",
    )
    code, said = here("manifest", SLACK_MODE="http", PUBLIC_URL="https://bot.example.com")
    assert code == 0
    assert "https://bot.example.com/slack/events" in said


def test_doctor_says_what_is_well_and_what_is_not(here: Here) -> None:
    code, said = here("doctor", CHAT_API_URL="http://127.0.0.1:9/v1", CHAT_API_KEY="sk-1234567", WEB="on")
    assert code == 1
    assert "ok   database" in said
    assert "NOT  gateway" in said
    assert "ok   web" in said
    assert "1234567" not in said
