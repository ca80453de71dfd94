"""What is installed is what works: the wheel, with nothing but its declared dependencies, far from the checkout."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.fakes.clock import PATIENCE
from tests.project import PACKAGES, ROOT, closure, files, locked, pyproject, requirements

# Everything that the packages carry besides code has to be found by the installed program, so as it will look for it.
LOOK_AROUND = """
import sys
from importlib.resources import files
import adapters, bot, storage
for package in (bot, adapters, storage):
    assert package.__file__.startswith(sys.prefix), package.__file__
def walk(place, name):
    for entry in place.iterdir():
        if entry.is_dir():
            walk(entry, f"{name}/{entry.name}")
        elif not entry.name.endswith(".pyc"):
            entry.read_bytes()
            print(f"{name}/{entry.name}")
for name in ("bot", "adapters", "storage"):
    walk(files(name), name)
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as pip builds it, but with the hatchling that is here, so that no network is needed."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    place = tmp_path_factory.mktemp("wheel")
    run(*pip, "--no-build-isolation", "--wheel-dir", place, ROOT)
    (built,) = place.glob("*.whl")
    return built


def _lend(place: Path, name: str) -> None:
    """Link an installed distribution into another environment."""
    found = importlib.metadata.distribution(name)
    for top in {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}:
        target = place / top
        if not target.exists():
            target.symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty venv with the wheel and what it declares, not a package more. Its `bin`."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    place = Path(run(venv / "bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name in closure(requirements()[""]):
        _lend(place, name)
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin/python"), "install", "--disable-pip-version-check"]
    run(*pip, "--quiet", "--no-index", "--no-deps", wheel)
    return venv / "bin"


def test_the_wheel_has_all_that_the_packages_have(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == {path.as_posix() for path in files() if path.parts[0] in PACKAGES}


def test_the_wheel_tells_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (about,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        said = archive.read(about).decode()
        assert [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    assert f"Version: {pyproject()['project']['version']}\n" in said
    assert "License-Expression: MIT" in said
    assert "Requires-Python: >=3.11" in said


def test_what_is_installed_finds_its_files(installed: Path, tmp_path: Path) -> None:
    found = set(run(installed / "python", "-c", LOOK_AROUND, cwd=tmp_path).split())
    assert found == {path.as_posix() for path in files() if path.parts[0] in PACKAGES}


def test_the_command_runs_anywhere(installed: Path, tmp_path: Path) -> None:
    assert str(pyproject()["project"]["version"]) in run(installed / "magpie", "--version", cwd=tmp_path)
    usage = run(installed / "magpie", "--help", cwd=tmp_path)
    for verb in ("demo", "run", "ask", "doctor"):
        assert re.search(rf"\b{verb}\b", usage)
    assert not list(tmp_path.iterdir()), "asking for help leaves nothing behind"


def test_all_modules_import_with_declared_dependencies_only(installed: Path, tmp_path: Path) -> None:
    names = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in files()
        if path.suffix == ".py" and path.parts[0] in PACKAGES and "migrations" not in path.parts
    ]
    names.remove("bot.__main__")  # runs; see above
    names.remove("storage.database.listening")  # for those who want PostgreSQL: magpie-bot[postgres]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    run(installed / "python", "-W", "error", "-c", code, *names, cwd=tmp_path)


# ── dependencies ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_dependency_is_locked() -> None:
    """With all that they bring. What is locked is what runs here, so the tests speak of the locked versions."""
    wanted = [requirement for group in requirements().values() for requirement in group]
    needed = closure(wanted)
    pins = locked()
    assert not needed - set(pins), "say make lock"
    here = {name: importlib.metadata.version(name) for name in needed}
    assert here == {name: pins[name] for name in needed}, "say make test: it installs what requirements.lock says"
    for requirement in wanted:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_the_lock_is_plain_and_sorted() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    names = [line.partition("==")[0].upper() for line in lines if not line.startswith("#")]
    assert len(names) == len(locked())  # which refuses paths, URLs and options
    assert names == sorted(names)
    assert not {"pip", "setuptools", str(pyproject()["project"]["name"])} & set(locked())


def test_each_dependency_has_its_reason() -> None:
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    explained = re.findall(r"^- `([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?`: \S.{9,}", page, re.MULTILINE)
    assert len(set(explained)) == len(explained)
    declared = {str(canonicalize_name(wanted.name)) for group in requirements().values() for wanted in group}
    assert {str(canonicalize_name(name)) for name in explained} == declared
