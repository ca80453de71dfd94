"""The tests' own guards: nothing leaves this machine, and nothing is skipped in silence in CI."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.fakes.clock import PATIENCE

ROOT = Path(__file__).parents[1]
SAMPLE = """
import pytest

def test_runs(): pass
def test_skips(): pytest.skip("no browser")
@pytest.mark.skip(reason="marked")
def test_marked(): pass
@pytest.mark.xfail(reason="known")
def test_known(): assert False
def test_escapes():
    import contextlib, socket
    with contextlib.suppress(OSError), socket.socket() as sock:
        sock.connect(("192.0.2.1", 80))
"""


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_no_connection_beyond_loopback(host: str, strangers: list[str]) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(PermissionError, match="stay on this machine"):
        sock.connect((host, 80))
    assert strangers == [f"socket.connect {host!r}"]
    strangers.clear()


async def test_asynchronous_clients_are_watched_too(strangers: list[str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://192.0.2.1:9/")
        with pytest.raises((httpx.ConnectError, PermissionError)):
            await client.get("http://example.org/")
    assert {"'192.0.2.1'", "'example.org'"} <= {word for line in strangers for word in line.split()}
    strangers.clear()


def test_loopback_and_unix_sockets_are_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))


def _pytest(tmp_path: Path, ci: str) -> str:
    """What pytest says of two small files under the project's own conftest."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\nfrom tests.conftest import _stay_at_home\n")
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    env = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.stdout


def test_a_skip_is_a_skip_at_home_and_a_caught_escape_fails(tmp_path: Path) -> None:
    said = _pytest(tmp_path, "")
    assert said.strip().splitlines()[-1].startswith("2 passed, 3 skipped, 1 xfailed, 1 error")
    assert "this one tried: [\"socket.connect '192.0.2.1'\"]" in said


def test_a_skip_is_an_error_in_ci(tmp_path: Path) -> None:
    said = _pytest(tmp_path, "true")
    assert said.strip().splitlines()[-1].startswith("1 failed, 2 passed, 1 xfailed, 3 errors")
    assert "skipped although CI is set: Skipped: no browser" in said
