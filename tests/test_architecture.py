"""The house stays as it is drawn: who imports whom, which words stand where, what exists, and how large it is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.project import PACKAGES, ROOT, closure, files, modules, requirements

MODULES = [path.as_posix() for path in modules()]
BUILDERS = ("bot/service/app.py", "bot/__main__.py")  # the only modules that name adapters and stores
VOCABULARY = tuple(path for path in MODULES if path.startswith("bot/types/"))
STANDARD_LIBRARY_ONLY = (*VOCABULARY, "bot/errors.py", "bot/markdown/tree.py")
MOST_MODULES = 12  # in one room, besides its __init__.py

# What is longer than it should be, and why it stays so. A line that isn't needed any more fails the test too.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_FILES: dict[str, str] = {}


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def imports(path: str) -> Iterator[str]:
    """Full names of all that a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield from (f"{node.module}.{name.name}" for name in node.names)


# ── imports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_import_contracts() -> None:
    """In a process of its own, because it sets up logging for all of the process it runs in."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", STANDARD_LIBRARY_ONLY)
def test_the_vocabulary_needs_the_standard_library_only(path: str) -> None:
    own = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in STANDARD_LIBRARY_ONLY}
    foreign = [
        name
        for name in imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names and name.rpartition(".")[0] not in own
    ]
    assert not foreign


def test_only_main_knows_the_builder() -> None:
    inside = [path for path in MODULES if any(f"{name}.".startswith("bot.service.app.") for name in imports(path))]
    assert set(inside) <= {"bot/__main__.py"}


def test_what_is_imported_is_declared() -> None:
    """A library that only came along with another can go away with it."""
    declared = {
        canonicalize_name(wanted.name) for group in ("", "heic", "postgres") for wanted in requirements()[group]
    }
    owners = packages_distributions()
    undeclared = {}
    for path in MODULES:
        for top in {name.partition(".")[0] for name in imports(path)} - sys.stdlib_module_names - {*PACKAGES}:
            if not {canonicalize_name(owner) for owner in owners.get(top, [top])} & declared:
                undeclared[top] = path
    assert not undeclared
    assert declared <= closure(requirements()[""] + requirements()["heic"] + requirements()["postgres"])


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def text(path: Path) -> str:
    """A file's text; '' for what is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def found(pattern: str, *, flags: re.RegexFlag = re.NOFLAG) -> list[str]:
    """`file:line: what stands there` for each match in the project's files."""
    return [
        f"{path}:{number}: {match[0]}"
        for path in files()
        if path.name != Path(__file__).name
        for number, line in enumerate(text(path).splitlines(), 1)
        if (match := re.search(pattern, line, flags))
    ]


def test_the_core_names_no_platform() -> None:
    named = found(r"telegram|slack", flags=re.IGNORECASE)
    assert not [hit for hit in named if hit.startswith("bot/") and not hit.startswith(BUILDERS)]


def test_nothing_of_the_machine_it_was_written_on() -> None:
    """Paths of somebody's home or workplace, package indexes other than the default: none of it works elsewhere."""
    assert not found(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")
    assert not found(r"\b(?:index-url|find-links)\b|\b(?:pypi|pythonhosted|npmjs|debian)[.](?:org|com)\b")
    assert not found(r"[.]{2}/shared\b")


def test_no_secrets() -> None:
    shapes = (
        r"\bsk-[A-Za-z0-9]{20,}",  # chat APIs
        r"\bxox[abeprs]-[0-9A-Za-z-]{20,}|\bxapp-\d-[0-9A-Za-z-]{20,}",  # workspaces
        r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b",  # bots
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[opsu]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY",
    )
    made_up = re.compile(r"0123456789|abcdef|example", re.IGNORECASE)
    assert not [hit for hit in found("|".join(shapes)) if not made_up.search(hit)]


# ── what exists ─────────────────────────────────────────────────────────────────────────────────────────────────────


def house() -> set[str]:
    """The paths in the fenced block ```tree of docs/design.md, one per line: `path  what it is`, children indented."""
    page = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    block = re.search(r"^```tree\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block, "docs/design.md has no block that starts with ```tree"
    named: set[str] = set()
    above: list[tuple[int, str]] = []
    for line in block[1].splitlines():
        if not line.strip():
            continue
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        while above and above[-1][0] >= indent:
            above.pop()
        path = (above[-1][1] if above else "") + name
        assert path not in named, f"named twice: {path}"
        named.add(path)
        if path.endswith("/"):
            above.append((indent, path))
    return named


def test_the_house_is_as_drawn() -> None:
    """Each module has its line in docs/design.md (`__init__.py` goes by its package's), and what has a line exists."""
    named = house()
    expected = {path.removesuffix("__init__.py") for path in MODULES if "/migrations/versions/" not in path}
    missing = sorted(expected - named)
    assert not missing, f"in docs/design.md no line says what these are for: {missing}"
    gone = sorted(path for path in named if not (ROOT / path).exists() or (ROOT / path).is_dir() != path.endswith("/"))
    assert not gone, f"docs/design.md names what is not there: {gone}"


def _names(body: list[ast.stmt]) -> Iterator[str]:
    """What stands at the top of a module by assignment, definition or import."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign():
                inside = (name for target in node.targets for name in ast.walk(target))
                yield from (name.id for name in inside if isinstance(name, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.If() | ast.Try():
                yield from _names(node.body + node.orelse)
            case _:
                pass


def _public_list(path: str) -> list[str] | None:
    for node in tree(path).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
            ):
                return list(ast.literal_eval(value))
    return None


@pytest.mark.parametrize("path", [path for path in MODULES if "/migrations/" not in path])
def test_what_is_public_is_listed(path: str) -> None:
    listed, name = _public_list(path), path.rpartition("/")[2]
    empty = all(isinstance(node, ast.Expr | ast.ImportFrom) for node in tree(path).body)  # a docstring at most
    if listed is None:
        assert empty or name.startswith("_"), "needs __all__, or a name that starts with _"
        return
    assert len(set(listed)) == len(listed)
    assert set(listed) <= set(_names(tree(path).body))
    assert not [entry for entry in listed if entry.startswith("_") and entry != "__version__"]


# ── sizes and habits ────────────────────────────────────────────────────────────────────────────────────────────────


def _functions(node: ast.AST, inside: str) -> Iterator[tuple[str, int]]:
    """(`path:Class.function`, its lines) for each function; a function's inner ones count with it and by themselves."""
    for child in ast.iter_child_nodes(node):
        name = inside
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{inside}{'.' if inside[-1] != ':' else ''}{child.name}"
            if not isinstance(child, ast.ClassDef) and child.end_lineno:
                yield name, child.end_lineno - child.lineno + 1
        yield from _functions(child, name)


def test_rooms_stay_small() -> None:
    """A sign to look again: split where a reader would, or say above why it stays whole."""
    rooms = Counter(path.rpartition("/")[0] for path in MODULES if not path.endswith("/__init__.py"))
    assert {room for room, count in rooms.items() if count > MOST_MODULES and "/versions" not in room} == set()
    lines = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in MODULES}
    lengths = {name: length for path in MODULES for name, length in _functions(tree(path), f"{path}:")}
    assert {path for path, count in lines.items() if count > 400} == set(LONG_FILES)
    assert {name for name, count in lengths.items() if count > 60} == set(LONG_FUNCTIONS)


def test_no_error_is_swallowed() -> None:
    """No `except:`, and no `except Exception` that does nothing with what it caught."""
    swallowed = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {""}
                idle = all(isinstance(step, ast.Pass | ast.Continue | ast.Expr) for step in node.body) and not any(
                    isinstance(step, ast.Call) for inner in node.body for step in ast.walk(inner)
                )
                if "" in caught or (caught & {"Exception", "BaseException"} and idle):
                    swallowed.append(f"{path}:{node.lineno}")

    assert not swallowed
