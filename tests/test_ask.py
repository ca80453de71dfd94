"""`magpie ask` as a person types it: an answer on standard output, everything else on standard error."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from adapters.terminal.adapter import TerminalAdapter
from bot.__main__ import main
from bot.ask import ON_TERMINAL, Question, ask
from bot.service.config import Settings
from storage import open_store
from tests.fakes.gateway import FakeGateway, Reply, chunk, sse
from tests.project import ROOT


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but those of the test."""
    monkeypatch.chdir(tmp_path)
    for name in (*map(str.upper, Settings.model_fields), "LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (64, 48), "red").save(path)
    return path


def test_the_sandbox_answers_in_the_questions_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--sandbox", "你好"]) == 0
    out, err = capsys.readouterr()
    assert "沙箱" in out
    assert "≈ ¥" in err


def test_a_picture_is_looked_at(capsys: pytest.CaptureFixture[str], picture: Path) -> None:
    assert main(["ask", "--sandbox", "--image", str(picture), "What is this?"]) == 0
    out = capsys.readouterr().out
    assert "64 × 48" in out
    assert "red" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--sandbox", "--model", "no-such-model", "hi"],
            "no-such-model is not available here. Choose another with --model.",
        ),
        (["--sandbox", "--image", "nowhere.png", "hi"], "nowhere.png can't be read"),
        (
            ["--sandbox", "--model", "qwen-plus", "--image", "red.png", "hi"],
            "qwen-plus cannot see pictures. Use --model with one of: ",
        ),
        (["--sandbox", "--image", "empty.png", "hi"], "empty.png is empty"),
        (["--sandbox", "--image", "page.png", "hi"], "it looks like a web page"),
    ],
)
def test_what_can_not_work_is_one_clear_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    picture: Path,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    Path("empty.png").touch()
    Path("page.png").write_text("<!doctype html><html></html>", encoding="utf-8")
    assert main(["ask", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err.splitlines()[0]
    assert "Traceback" not in err


def test_no_key_names_the_variable_and_the_way_without(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "hi"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("magpie: CHAT_API_KEY: is not set")
    assert "--sandbox" in err
    assert len(err.splitlines()) == 1


def test_a_key_under_another_name_is_found(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_API_KEYS", "sk-1234567")
    assert main(["ask", "hi"]) == 2
    missing, hint = capsys.readouterr().err.splitlines()
    assert missing.startswith("magpie: CHAT_API_KEY: is not set")
    assert hint == "magpie: CHAT_API_KEYS is no setting of Magpie, so it has no effect. Did you mean CHAT_API_KEY?"


def test_no_question_is_a_wrong_argument(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["ask", "--sandbox"]) == 2
    assert capsys.readouterr().err.startswith("magpie: QUESTION: there is none.")


def test_parameters_as_people_type_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--sandbox", "--set", "temp=0,5", "--set", "长度=5", "Write a long answer"]) == 1
    assert "This is a part" in capsys.readouterr().err
    for wrong, words in (
        ("temperature=5", "below 2"),
        ("warmth=1", "is not a setting"),
        ("seed", "NAME="),
    ):
        assert main(["ask", "--sandbox", "--set", wrong, "hi"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("magpie: --set: ")
        assert words in error


def test_a_text_is_translated_on_the_way_of_every_translation(capsys: pytest.CaptureFixture[str]) -> None:
    for said in ("translate=German", "翻译=英语 到 德语"):
        assert main(["ask", "--sandbox", "--json", "--set", said, "Good morning"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["text"].splitlines()[0], answer["model"]) == ("Guten Morgen", "qwen-mt-turbo")
    for wrong, words in (
        ("translate=Klingon", "Klingon is not supported"),
        ("translate=Chinese English", "which way"),
        ("reasoning=loud", "reasoning can't be loud"),
    ):
        assert main(["ask", "--sandbox", "--set", wrong, "hi"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("magpie: --set: ")
        assert words in error


def test_an_answer_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--sandbox", "--json", "你好"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "沙箱" in answer["text"]
    assert (answer["outcome"], answer["model"], answer["error"]) == ("whole", "qwen-plus", None)
    assert answer["usage"]["output"] > 0
    assert main(["ask", "--sandbox", "--json", "--model", "nonsense", "hi"]) == 1
    assert json.loads(capsys.readouterr().out)["error"].startswith("UnknownModel")


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--sandbox", "--list-models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("qwen-vl-plus") and "pictures" in line and "¥" in line for line in lines)
    assert main(["ask", "--sandbox", "--list-models", "--json"]) == 0
    models = {each["id"]: each for each in json.loads(capsys.readouterr().out)}
    assert models["qwen-mt-turbo"]["translation"] is True
    assert models["qwen-plus"]["price_per_1000"] == {"currency": "CNY", "flat": "0.0025"}
    assert main(["ask", "--sandbox", "--model", "nonsense", "hi"]) == 1
    assert "--list-models" in capsys.readouterr().err


def test_a_dead_port_is_one_clear_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_API_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("CHAT_API_KEY", "sk-secret-secret")
    assert main(["ask", "hi"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("magpie: The model's service can't be reached.")
    assert "secret" not in err


async def test_a_wrong_key_is_one_clear_line(tmp_path: Path) -> None:
    error = b'{"error":{"message":"Invalid API-KEY","type":"invalid_request_error","param":null,"code":null}}'
    async with FakeGateway(Reply([error], status=401)) as gateway:
        done = await _in_another_process(gateway.url, "hi")
    assert done.returncode == 1
    assert done.stderr.startswith("magpie: The model's service rejects our key.")


async def test_a_broken_stream_is_printed_and_labelled_a_part(tmp_path: Path) -> None:
    broken = sse(chunk("Half of"), chunk(" an answer"), done=False)
    async with FakeGateway(Reply([broken])) as gateway:
        done = await _in_another_process(gateway.url, "hi")
    assert done.returncode == 1
    assert done.stdout == "Half of an answer\n"
    assert "This is a part" in done.stderr


async def _in_another_process(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    process = await _started(url, *words)
    out, err = await process.communicate()
    return subprocess.CompletedProcess(words, process.returncode or 0, out.decode(), err.decode())


async def _started(url: str, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "ask", *words),
        env={"CHAT_API_URL": url, "CHAT_API_KEY": "sk-1234567", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )


Here = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """A question that is asked in this process: starting another one takes longer than all that is looked at."""

    async def run(url: str, words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("CHAT_API_URL", url)
        monkeypatch.setenv("CHAT_API_KEY", "sk-1234567")
        terminal = partial(TerminalAdapter, language="en", options=ON_TERMINAL)
        code = await ask(Question(words), terminal, lambda clock: open_store("sqlite://", owner="ask", clock=clock))
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return run


def test_asking_imports_no_platform_and_no_database() -> None:
    """They cost seconds."""
    heavy = ("sqlalchemy", "sqlmodel", "starlette", "alembic", "adapters", "storage")
    code = f"import sys, bot.__main__, bot.ask; sys.exit(' '.join(set({heavy!r}) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_thinking_that_turns_out_late_is_told_as_such_in_a_pipe() -> None:
    """Only the closing tag comes (deepseek-ai/DeepSeek-R1#506): what a pipe has can't be taken back."""
    parts = [chunk("Hm, a greeting."), chunk("\n</think>\n\n"), chunk("Hello!"), chunk("", "stop")]
    seen = asyncio.Event()
    pieces = [sse(each, done=False) for each in parts]
    async with FakeGateway(Reply([pieces[0], seen, *pieces[1:]])) as gateway:
        process = await _started(gateway.url, "hi")
        assert process.stdout is not None
        first = await process.stdout.readuntil(b"greeting.")
        seen.set()
        rest, err = await process.communicate()
    assert process.returncode == 0
    assert (first + rest).decode().splitlines() == ["Hm, a greeting.", "Hello!"]
    assert "What stands above was the model's thinking." in err.decode()


async def test_another_answer_in_a_pipe_stands_below_the_part_that_broke_off(here: Here) -> None:
    """It is asked for once more; what a pipe has can't be taken back, so it is told what it is."""
    broken = Reply([sse(chunk("One half of an answer"), done=False)], end="cut")
    whole = Reply([sse(chunk("And another answer, which is whole."), chunk("", "stop"))])
    async with FakeGateway(broken, whole) as gateway:
        done = await here(gateway.url, "hi")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["One half of an answer", "And another answer, which is whole."]
    assert "What stands above broke off." in done.stderr
    assert "This is a part" not in done.stderr


async def test_the_rest_of_an_answer_that_broke_off_follows_on_it(here: Here) -> None:
    """The second try begins with what stands there."""
    broken = Reply([sse(chunk("One half of an answer"), done=False)], end="cut")
    whole = Reply([sse(chunk("One half of an answer, and the other."), chunk("", "stop"))])
    async with FakeGateway(broken, whole) as gateway:
        done = await here(gateway.url, "hi")
    assert (done.returncode, done.stdout) == (0, "One half of an answer, and the other.\n")
    assert "broke off" not in done.stderr


async def test_an_interrupted_answer_is_a_part_that_says_so() -> None:
    """Ctrl+C is the terminal's own way to stop."""
    never = asyncio.Event()
    reply = Reply([sse(chunk("Some words of an answer"), done=False), never])
    async with FakeGateway(reply) as gateway:
        process = await _started(gateway.url, "hi")
        assert process.stdout is not None
        first = await process.stdout.readuntil(b"answer")
        process.send_signal(signal.SIGINT)
        rest, err = await process.communicate()
    assert process.returncode == 130
    assert (first + rest).decode() == "Some words of an answer\n"
    assert "magpie: Stopped." in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_reader_that_has_gone_ends_the_question() -> None:
    """`magpie ask … | head -1`."""
    seen = asyncio.Event()
    words = [sse(chunk(f"line {number}\n\n"), done=False) for number in range(200)]
    async with FakeGateway(Reply([words[0], seen, *words[1:], sse(chunk("", "stop"))])) as gateway:
        process = await _started(gateway.url, "hi")
        assert process.stdout is not None
        await process.stdout.readuntil(b"line 0")
        process.stdout._transport.close()  # type: ignore[attr-defined]  # a reader has no other way to be closed
        seen.set()
        assert process.stderr is not None
        err = await process.stderr.read()
        assert await process.wait() == 1
    assert err == b""


async def test_an_answer_is_piped_as_the_markdown_that_it_is(here: Here) -> None:
    """White space, broken markup and all."""
    answer = "\n# A `title`\n\n- a\n\n\n* b **half\n\n|x|y|\n|-|-|\n|1|\n\n```\nopen <b>\r\n  \n"
    parts = [chunk(answer[at : at + 3]) for at in range(0, len(answer), 3)]
    async with FakeGateway(Reply([sse(*parts, chunk("", "stop"))])) as gateway:
        done = await here(gateway.url, "hi")
    assert done.stdout.encode() == answer.encode()


def test_of_several_pictures_those_that_can_be_read_are_looked_at(
    capsys: pytest.CaptureFixture[str], picture: Path
) -> None:
    Path("empty.png").touch()
    arguments = ["--image", str(picture), "--image", "empty.png", "--image", "nowhere.png"]
    assert main(["ask", "--sandbox", *arguments, "What is this?"]) == 0
    out, err = capsys.readouterr()
    assert "64 × 48" in out
    assert "empty.png is empty" in err
    assert "nowhere.png can't be read" in err
