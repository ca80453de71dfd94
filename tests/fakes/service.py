"""A real `magpie` process, started, asked, stopped and killed as people and machines do it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.fakes.clock import PATIENCE
from tests.fakes.warm import Started, start

_READY = re.compile(r"Magpie is ready: (http://\S+)/ ")


def clean_environment(directory: Path, **more: str) -> dict[str, str]:
    """The environment without anything that configures Magpie, with its data in `directory`."""
    ours = re.compile(
        "ACCESS|ADMINS|ALERT_|BALANCE_|SLACK_|TELEGRAM_|CHAT_|HTTP_|WEB|DATA|VISION|VIDEO|TRANSLATION|DRAIN|STALE|TIMEZONE|LOG_|PUBLIC_URL|TRUSTED|METRICS|FIRST_TEXT|IDLE_|LANG|LC_"
    )
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    return kept | {"DATA_DIR": str(directory / "data"), "HTTP_PORT": "0", "PYTHONUNBUFFERED": "1"} | more


class Service:
    """One process at a time on one directory; `start` it again after `kill` or `stop`. `log` is all it has said."""

    def __init__(self, directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.arguments = arguments or ("demo",)
        self.environment = dict(environment or {})
        self.lines: list[str] = []
        self.url = ""
        self._process: Started | None = None

    def start(self) -> str:
        """Wait until it is ready; returns its base URL."""
        before = len(self.lines)
        self._process = start(self.arguments, self.directory, clean_environment(self.directory, **self.environment))
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self.lines[before:]:
                if found := _READY.search(line):
                    self.url = found[1]
                    return self.url
            if self._process.poll() is not None:
                raise AssertionError(f"it ended with {self._process.returncode}:\n{self.log}")
            time.sleep(0.02)
        raise AssertionError(f"it did not come up:\n{self.log}")

    def _listen(self, process: Started) -> None:
        with process.errors as said:
            for line in said:
                self.lines.append(line.decode(errors="replace"))

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Until it ends by itself; returns the exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, seconds: float = PATIENCE) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self.signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


def run_once(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=directory,
        env=clean_environment(directory, PYTHONPATH=str(Path(__file__).parents[2]), **environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def closing(service: Service) -> Iterator[Service]:
    """For a fixture."""
    try:
        yield service
    finally:
        service.close()
