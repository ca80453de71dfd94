"""What a stranger meets first: `make demo` finds a Python or says how to get one, and installs once.

Python is a stub here, on a PATH of its own: it makes a venv of stubs, and keeps a list of what it was asked to do.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.fakes.clock import PATIENCE
from tests.project import ROOT

TOOLS = ("make", "sh", "echo", "sleep", "touch", "rm", "mkdir", "cp", "cat", "chmod")
# $WORDS keeps what was done; $HAS says which Python this is.
PYTHON = """#!/bin/sh
case "$*" in
  "-c import sys") exit 0 ;;
  *"sys.version_info < (3, 11)"*) [ "$HAS" != old ] ;;
  *"sys.version_info[:2]"*) [ "$HAS" = old ] && echo 3.9 || echo 3.12 ;;
  *ensurepip*) [ "$HAS" != bare ] ;;
  "--version") echo "Python 3.12.0" ;;
  "-m venv --clear .venv") echo venv >> "$WORDS"; rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python
    printf '#!/bin/sh\\necho "magpie $*" >> "$WORDS"\\n' > .venv/bin/magpie; chmod +x .venv/bin/magpie ;;
  *.made*) cat .venv/.made ;;
  *"pip install"*) shift $(($# - 1)); echo "pip $1" >> "$WORDS"; [ "$HAS" != offline ] ;;
  "-m pytest -n 4 --dist worksteal"*) echo "$*" >> "$WORDS" ;;
  *) exit 3 ;;
esac
"""


class Checkout:
    """A copy of what make looks at, in a path with a space, on a machine that has the TOOLS and nothing else."""

    def __init__(self, place: Path) -> None:
        self.root = place / "my magpie"
        self.words = place / "words"
        self.bin = place / "bin"
        for folder in (self.root, self.bin):
            folder.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.root)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing"))

    def python(self, name: str = "python3") -> None:
        (self.bin / name).write_text(PYTHON)
        (self.bin / name).chmod(stat.S_IRWXU)

    def make(self, *words: str, has: str = "all") -> subprocess.CompletedProcess[str]:
        self.words.write_text("")
        env = {"PATH": str(self.bin), "WORDS": str(self.words), "HAS": has}
        command = [str(self.bin / "make"), *words]
        return subprocess.run(
            command, cwd=self.root, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def did(self, *words: str) -> list[str]:
        done = self.make(*words)
        assert done.returncode == 0, done.stderr
        return self.words.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_make_alone_lists_what_there_is(checkout: Checkout) -> None:
    said = checkout.make().stdout
    for target in ("demo", "test", "check", "format"):
        assert f"make {target} " in said


def test_no_python(checkout: Checkout) -> None:
    done = checkout.make("demo")
    assert done.returncode != 0
    for way in ("Python 3.11", "apt install", "brew install", "pyenv install", "python.org"):
        assert way in done.stderr


def test_an_old_python(checkout: Checkout) -> None:
    checkout.python()
    done = checkout.make("demo", has="old")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer; what is here is Python 3.9" in done.stderr


def test_python_without_venv(checkout: Checkout) -> None:
    checkout.python()
    done = checkout.make("demo", has="bare")
    assert done.returncode != 0
    assert "sudo apt install python3.12-venv" in done.stderr


def test_a_wrong_choice_of_python_is_named(checkout: Checkout) -> None:
    checkout.python()
    done = checkout.make("demo", "PYTHON=/no/such/python")
    assert done.returncode != 0
    assert "PYTHON=/no/such/python does not run" in done.stderr


def test_a_newer_python_goes_before_an_older_one(checkout: Checkout) -> None:
    checkout.python("python3.13")
    (checkout.bin / "python3").write_text("#!/bin/sh\nexit 1\n")
    (checkout.bin / "python3").chmod(stat.S_IRWXU)
    assert checkout.did("demo") == ["venv", "pip .", "magpie demo"]


def test_each_installation_is_made_once(checkout: Checkout) -> None:
    checkout.python()
    assert checkout.did("demo", "ARGS=--port 1") == ["venv", "pip .", "magpie demo --port 1"]
    assert checkout.did("demo") == ["magpie demo"]
    assert checkout.did("test") == ["pip .[dev]", "-m pytest -n 4 --dist worksteal"]
    assert checkout.did("test") == ["-m pytest -n 4 --dist worksteal"]
    assert checkout.did("demo") == ["magpie demo"]
    os.utime(checkout.root / "requirements.lock")
    assert checkout.did("test") == ["pip .[dev]", "-m pytest -n 4 --dist worksteal"]
    assert checkout.did("demo") == ["magpie demo"], "the greater installation stands for the smaller"


def test_side_by_side_only_one_pip_runs(checkout: Checkout) -> None:
    checkout.python()
    did = checkout.did("-j4", "demo", "test")
    assert did[:2] == ["venv", "pip .[dev]"]
    assert sorted(did[2:]) == ["-m pytest -n 4 --dist worksteal", "magpie demo"]


def test_a_checkout_that_was_moved_is_installed_anew(checkout: Checkout) -> None:
    checkout.python()
    checkout.did("demo")
    checkout.root = checkout.root.rename(checkout.root.with_name("elsewhere"))
    assert checkout.did("demo") == ["venv", "pip .", "magpie demo"]


def test_an_installation_that_failed_is_told_and_tried_again(checkout: Checkout) -> None:
    checkout.python()
    done = checkout.make("demo", has="offline")
    assert done.returncode != 0
    assert "is there a network" in done.stderr
    assert "Say make again" in done.stderr
    assert checkout.did("demo") == ["pip .", "magpie demo"]
