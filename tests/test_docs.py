"""The documents are true: their commands run, their settings exist, their links lead somewhere.

In a block marked `sh`, each line is one command, and of one of these kinds:
`magpie ...`, or `.venv/bin/magpie ...`, runs in a directory of its own, with the sandbox as its gateway (`demo`, `run`:
until the page is served);
`make ...` is a target of the Makefile; `docker ...`, `git ...` and `pip ...` name files that are there.
Blocks marked `bash` are for a machine of somebody else's; tests/test_running.py runs those of them that make backups.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from PIL import Image
from pydantic_settings import BaseSettings

from tests.fakes.clock import PATIENCE
from tests.project import ROOT, files, settings_classes, variables

PAGES = sorted(path for path in files() if path.suffix == ".md" and path.parts[0] not in ("tests", "bench"))
# Written like variables, and in the documents, but not Magpie's to read.
OTHERS = {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "POSTGRES_USER", "POSTGRES_PASSWORD"}
OTHERS |= {"SALES_BOT_TOKEN", "TEAM_APP_TOKEN"}  # whose names are chosen by who writes a table for an account
# Where a page's commands run there is no gateway but a dead port.
HERE = {"CHAT_API_URL": "http://127.0.0.1:9/v1", "CHAT_API_KEY": "sk-example", "WEB": "on", "HTTP_PORT": "0"}


@cache
def text(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, str]]:
    """(page, line) for each command of a `sh` block; a line that ends in a backslash goes on."""
    for page in PAGES:
        for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text(page), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    yield page.as_posix(), line.strip()


def _words(line: str) -> list[str]:
    """A command's words, without variables set before it and without a comment after it."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_are_there() -> None:
    names = {page.as_posix() for page in PAGES}
    assert names >= {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/design.md", "docs/operating.md"}
    assert list(commands())


def pages_by_line() -> dict[str, str]:
    """A line that stands on several pages is run once."""
    found: dict[str, set[str]] = {}
    for page, line in commands():
        found.setdefault(line, set()).add(page)
    return {line: ", ".join(sorted(found[line])) for line in sorted(found)}


@pytest.mark.parametrize(("line", "page"), pages_by_line().items())
def test_commands(line: str, page: str, tmp_path: Path) -> None:
    match _words(line):
        case ["magpie" | ".venv/bin/magpie", *words]:
            (tmp_path / ".venv").symlink_to(sys.prefix)  # as if it had been installed there
            _magpie(line, words, tmp_path)
        case ["make", *words]:
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            assert {word for word in words if "=" not in word} <= {*targets}
        case ["docker", "compose", verb, *_]:
            assert verb in ("up", "down", "logs", "pull", "build", "ps", "exec")
            assert (ROOT / "compose.yaml").exists()
        case ["docker", verb, *_]:
            assert verb in ("build", "run")
            assert (ROOT / "Dockerfile").exists()
        case ["pip" | ".venv/bin/pip", "install", *words]:
            assert not [
                word for word in words if re.search(r"\.(?:lock|toml|txt)$", word) and not (ROOT / word).exists()
            ]
        case ["git", verb, *_]:
            assert verb in ("clone", "pull", "rev-parse")
        case ["systemctl", verb, "magpie"]:
            assert verb in ("restart", "stop", "start", "status")
        case ["cd", _] | [".ci/run"]:
            pass
        case ["cp", source, _]:
            assert (ROOT / source).exists()
        case _:
            pytest.fail(f"{page}: no test knows how to check: {line}")


def _magpie(line: str, words: list[str], place: Path) -> None:
    """Run it as it stands there, save that it asks the sandbox and takes any free port. A picture it names is there."""
    clean = {name: value for name, value in os.environ.items() if name not in variables()}
    env = {**clean, **HERE, "DATA_DIR": str(place / "data")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    for name in [word for word in words if re.search(r"\.(?:png|jpe?g)$", word)]:
        Image.new("RGB", (64, 48), "teal").save(place / name)
    if words[:1] in (["run"], ["demo"]):
        if words[0] == "demo":
            del env["CHAT_API_URL"], env["CHAT_API_KEY"]
        _serves(re.sub(r"--port[ =]\d+", "--port 0", line), place, env)
        return
    if words[:1] == ["ask"] and "--sandbox" not in words:
        line = line.replace("magpie ask ", "magpie ask --sandbox ", 1)
    done = subprocess.run(["bash", "-euc", line], cwd=place, env=env, capture_output=True, text=True, check=False)
    said = f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode in ((1,) if words[:1] == ["doctor"] else (0,)), said  # the doctor finds the dead port
    assert done.stdout.strip() or done.stderr.strip(), said
    assert "Traceback" not in said


def _serves(line: str, place: Path, env: dict[str, str]) -> None:
    """Start it, open the page at the address that it names, and stop it as Ctrl+C does."""
    with subprocess.Popen(
        ["bash", "-euc", line], cwd=place, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stderr
            said = []
            while (heard := process.stderr.readline()) and "http://" not in heard:
                said.append(heard)
            address = re.search(r"http://[\w.:\[\]]+/", heard)
            assert address, "".join(said)
            with httpx.Client(base_url=address[0], trust_env=False, timeout=PATIENCE) as client:
                assert client.get("/healthz").status_code == 200
                assert "<html" in client.get("/").text
            os.killpg(process.pid, signal.SIGINT)
            assert "Traceback" not in process.stderr.read()
            assert process.wait(PATIENCE) in (0, 130)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def example() -> dict[str, str]:
    """.env.example, its commented lines too: variable -> what stands behind the equals sign."""
    lines = re.findall(
        r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len({name for name, _ in lines}) == len(lines)
    return dict(lines)


def test_every_setting_is_explained() -> None:
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|", text(Path("docs/operating.md")), re.MULTILINE)
    assert sorted(rows) == sorted(variables())
    assert sorted(example()) == sorted(variables())


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parts[0] == "docs" or page.name == "README.md"], ids=str
)
def test_no_page_names_a_setting_that_is_not_there(page: Path) -> None:
    named = set(re.findall(r"(?<![\w./])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w(])", text(page)))
    assert not named - set(variables()) - OTHERS


@pytest.mark.parametrize("kind", settings_classes(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_the_example_shows_the_defaults(
    kind: type[BaseSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "example").write_text("".join(f"{name}={value}\n" for name, value in example().items() if value))
    assert kind(_env_file=tmp_path / "example") == kind(_env_file=None)


def test_the_image_sets_what_exists() -> None:
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    set_there = set(re.findall(r"\b([A-Z][A-Z0-9_]*)=", image)) - {"PYTHONUNBUFFERED"}
    assert set_there
    assert set_there <= set(variables())
    composed = re.findall(
        r"^      ([A-Z][A-Z0-9_]*):", (ROOT / "compose.yaml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert composed
    assert set(composed) <= set(variables())


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────

SYMPTOMS = Path("docs/troubleshooting.md")
_HOLE = re.compile(r"\{[^{}]*\}|%[-.\d]*[a-z]|…")


@cache
def told() -> tuple[re.Pattern[str], ...]:
    """What the code can say, as patterns: whatever is filled in may be anything."""
    found = set()
    for path in files():
        if path.suffix == ".py" and path.parts[0] in ("bot", "adapters", "storage"):
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.add(
                        "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
        elif path.suffix == ".js" and path.parts[0] == "adapters":
            found.update(re.findall(r'"([^"\n]+)"', (ROOT / path).read_text(encoding="utf-8")))
    texts = [text.strip() for text in found if len(re.sub(r"\W", "", _HOLE.sub("", text))) >= 16]
    return tuple(re.compile(".+".join(map(re.escape, _HOLE.split(text))), re.DOTALL) for text in texts)


def shown() -> list[str]:
    """What the page says that people see: boxes, and code at the beginning of a table's row."""
    page = text(SYMPTOMS)
    boxes = "\n".join(re.findall(r"^ *```text\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)).splitlines()
    return [line.strip() for line in boxes if line.strip()] + re.findall(r"^\| `([^`]+ [^`]+)` \|", page, re.MULTILINE)


@pytest.mark.parametrize("line", shown())
def test_what_the_page_of_symptoms_shows_is_what_people_see(line: str) -> None:
    """A box may stop early, with `…`; before a setting's fault its name stands."""
    words = re.sub(r"^magpie: [A-Z_]+: ", "", line)
    if words.endswith(". …"):
        assert any(words[:-2] in re.sub(r"\\(.)", r"\1", each.pattern) for each in told())
    elif not re.match(r"turn=\d|turn \d+: [A-Z]", words):
        assert any(each.fullmatch(words) for each in told())


def test_what_a_turn_leaves_in_the_log() -> None:
    (line,) = [each for each in shown() if each.startswith("turn=")]
    source = (ROOT / "bot" / "turns" / "dispatcher.py").read_text(encoding="utf-8")
    written = re.findall(r'^        "(\w+)": ', source[source.index("def _line(") :], re.MULTILINE)
    assert re.findall(r"(\w+)=", line) == written


# ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def anchors(page: Path) -> set[str]:
    """What headings are called in links, as code hosts do it."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for target in re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)|<img[^>]* src=\"([^\"]+)\"", text(page)):
        link = unquote(target[0] or target[1])
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        goal = (ROOT / page.parent / name).resolve() if name else ROOT / page
        inside = goal.is_relative_to(ROOT) and goal.exists()
        if not inside or (anchor and goal.suffix == ".md" and anchor not in anchors(goal.relative_to(ROOT))):
            lost.append(link)
    assert not lost
