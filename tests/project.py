"""The project as data, for the tests that look at it from outside: its files, its dependencies, its settings."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "adapters", "storage")
_MADE = {".git", ".venv", "data", "dist"}


@cache
def files() -> tuple[Path, ...]:
    """The project's files, relative to ROOT: what git knows or would take; without git, all but what is made here."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        found = {path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()}
        return tuple(sorted(path for path in found if path.parts[0] not in _MADE and "__pycache__" not in path.parts))
    return tuple(sorted(Path(name) for name in set(listed) if name and (ROOT / name).is_file()))


def modules() -> tuple[Path, ...]:
    return tuple(path for path in files() if path.suffix == ".py" and path.parts[0] in PACKAGES)


def pyproject() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: "" are the dependencies, the rest are the extras. Without the project itself."""
    project = pyproject()["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}  # type: ignore[dict-item]
    return {
        name: [wanted for line in lines if (wanted := Requirement(str(line))).name != project["name"]]  # type: ignore[attr-defined]
        for name, lines in groups.items()
    }


def closure(wanted: list[Requirement]) -> set[str]:
    """Canonical names of everything that an installation of these brings, here and on this Python."""
    names: set[str] = set()
    todo = [(requirement.name, extra) for requirement in wanted for extra in ("", *requirement.extras)]
    seen: set[tuple[str, str]] = set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        names.add(canonicalize_name(name))
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                todo += [(requirement.name, more) for more in ("", *requirement.extras)]
    return names


def locked() -> dict[str, str]:
    """Canonical name -> version, as requirements.lock has it."""
    pins: dict[str, str] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!_-]+)", line)
            assert pin, f"not a plain pin: {line}"
            pins[str(canonicalize_name(pin[1]))] = str(pin[2])
    return pins


@cache
def settings_classes() -> tuple[type[BaseSettings], ...]:
    """The core's and each adapter's own."""
    names = ["bot.service.config"]
    names += [".".join(path.with_suffix("").parts) for path in modules() if path.match("adapters/*/settings.py")]
    return tuple(
        kind
        for name in names
        for kind in vars(importlib.import_module(name)).values()
        if inspect.isclass(kind) and issubclass(kind, BaseSettings) and kind.__module__ == name
    )


@cache
def variables() -> frozenset[str]:
    """Every environment variable that Magpie reads."""
    return frozenset(
        f"{kind.model_config.get('env_prefix', '')}{field}".upper()
        for kind in settings_classes()
        for field in kind.model_fields
    )
