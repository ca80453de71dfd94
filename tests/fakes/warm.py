"""Starts `magpie` processes that need not import everything again: a process that has, forks them.

The imports are most of what a start costs (a platform's SDK takes seconds). What is forked is a process like any other:
its own directory, environment and signals, and its own end. Cold starts are tested where the documents' commands run.
The workers of one run of tests share it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

__all__ = ["Started", "start"]

ROOT = Path(__file__).parents[2]
_ORDERING = threading.Lock()  # scenes that run side by side start theirs from threads of their own


class Started:
    """What `subprocess.Popen` would be for it, as far as it is used."""

    def __init__(self, errors: BinaryIO, status: BinaryIO) -> None:
        self.errors = errors
        self._status = status
        self.pid = int(status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode if self._ended(0) else None

    def wait(self, seconds: float) -> int:
        """Raises TimeoutError if it has not ended by then."""
        if not self._ended(seconds) or self.returncode is None:
            raise TimeoutError(f"it still runs after {seconds} s")
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float) -> bool:
        if self.returncode is None and select.select([self._status], [], [], seconds)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode is not None


def start(arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Started:
    """A process that runs `magpie` with these arguments, and only this environment."""
    errors, errors_end = os.pipe()
    status, status_end = os.pipe()
    wanted = json.dumps([list(arguments), str(directory), dict(environment)]).encode()
    try:
        with _ORDERING:
            mother = _mother()
            socket.send_fds(mother, [len(wanted).to_bytes(4, "big")], [errors_end, status_end])
            mother.sendall(wanted)
    finally:
        os.close(errors_end)
        os.close(status_end)
    return Started(open(errors, "rb"), open(status, "rb", buffering=0))


@cache
def _mother() -> socket.socket:
    """A line to the process that has imported everything; it ends when nobody has a line to it any more."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")  # the same in all workers of a run
    path = Path(tempfile.gettempdir()) / f"magpie-{run}.sock"
    ours = socket.socket(socket.AF_UNIX)
    with (ROOT / "pyproject.toml").open() as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        try:
            ours.connect(str(path))
        except OSError:
            _begin(path)
            ours.connect(str(path))
    return ours


def _begin(path: Path) -> None:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        command = [sys.executable, "-m", "tests.fakes.warm", str(listening.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[listening.fileno()])
    atexit.register(process.poll)  # it may outlive us, for others


# ── in the mother ───────────────────────────────────────────────────────────────────────────────────────────────────


def _import_everything() -> None:
    """For good: the collector of garbage never looks through it, in those that are forked either."""
    import importlib

    gc.disable()

    import adapters
    import bot.service.app

    for place in (*adapters.__path__, *bot.__path__):
        for path in Path(place).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if path.stem not in ("__init__", "__main__"):
                importlib.import_module(name)
    gc.freeze()
    gc.enable()


def _attend(listening: socket.socket) -> int:
    """A process for each line. Returns here when the last has ended, and in each process that is forked."""
    path = listening.getsockname()
    while True:
        if select.select([listening], [], [], 1.0)[0]:
            orders, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                return _serve(orders)
            orders.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            continue
        os.unlink(path)
        return 0


def _serve(orders: socket.socket) -> int:
    """Returns in the mother when nobody asks any more, and in each child with its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        size, ends, _, _ = socket.recv_fds(orders, 4, 2)
        if not size:
            return 0
        wanted = json.loads(_exactly(orders, int.from_bytes(size, "big")))
        if os.fork() == 0:
            orders.close()
            return _keep(*wanted, *ends)
        for end in ends:
            os.close(end)


def _exactly(orders: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += orders.recv(size - len(found))
    return found


def _keep(arguments: list[str], directory: str, environment: dict[str, str], errors: int, status: int) -> int:
    """Fork the process that was asked for, tell its id, then how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (pid := os.fork()) == 0:
        os.close(status)
        return _become(arguments, directory, environment, errors)
    os.close(errors)
    os.write(status, f"{pid}\n".encode())
    _, ended = os.waitpid(pid, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _become(arguments: list[str], directory: str, environment: dict[str, str], errors: int) -> int:
    from bot.__main__ import main

    nothing = os.open(os.devnull, os.O_RDWR)
    for number, end in enumerate((nothing, nothing, errors)):
        os.dup2(end, number)
    os.close(errors)
    os.close(nothing)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    return main(arguments)


if __name__ == "__main__":
    _import_everything()
    sys.exit(_attend(socket.socket(fileno=int(sys.argv[1]))))
