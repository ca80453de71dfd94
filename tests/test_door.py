"""The door of a real `magpie demo`, over real sockets, with as few descriptors as a process may have to live with."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.http.connections import raise_descriptor_limit
from tests.fakes.clock import PATIENCE
from tests.fakes.service import clean_environment

PASSWORD = "correct horse battery"
DESCRIPTORS = 512
START = (
    f"import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}));"
    "from bot.__main__ import main; sys.exit(main(['demo', '--rate', '500']))"
)


class Service:
    """A process of its own, with few descriptors. `log` is all it has said so far."""

    def __init__(self, folder: Path) -> None:
        environment = clean_environment(folder, WEB_PASSWORD=PASSWORD)
        command = [sys.executable, "-c", START]
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.port = next(int(found[1]) for line in self._said() if (found := re.search(r"ready: .*:(\d+)/", line)))
        self._listening = threading.Thread(target=lambda: list(self._said()))
        self._listening.start()

    def _said(self) -> Iterator[str]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            yield line

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._listening.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def connect(self, sent: str = "") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), 10)
        connection.sendall(sent.format(host=f"127.0.0.1:{self.port}").encode())
        return connection


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    raise_descriptor_limit()  # ours, for the other ends
    made = Service(tmp_path_factory.mktemp("door"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def owner(service: Service) -> Iterator[httpx.Client]:
    """Somebody who has signed in."""
    url = f"http://127.0.0.1:{service.port}"
    with httpx.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=PATIENCE) as http:
        assert http.post("/login", data={"password": PASSWORD}).status_code == 303
        yield http


def answer(owner: httpx.Client, words: str) -> str:
    """What the model says, which is asked over a connection of the service's own."""
    chat = words.encode().hex()[:32]
    body = {"id": chat[:20], "text": words}
    assert owner.post(f"/api/chats/{chat}/messages", json=body).status_code == 200
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        page = owner.get(f"/api/chats/{chat}").text
        if "sandbox" in page:
            return page
        time.sleep(0.2)
    raise AssertionError(page)


HEAD = "Host: {host}\r\nOrigin: http://{host}\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "GET /login HTTP/1.1\r\nHost: {host}\r\nX-Mo",
        f"POST /login HTTP/1.1\r\n{HEAD}Content-Length: 1000\r\n\r\npassword=",
        f"POST /login HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n100\r\npassword=",
        "GET /static/app.js HTTP/1.1\r\nHost: {host}\r\n\r\n" * 300,
    ],
    ids=["idle", "slow head", "slow body", "slow chunk", "unread"],
)
def test_eleven_hundred_connections_of_strangers_keep_nobody_out(
    service: Service, owner: httpx.Client, sent: str, request: pytest.FixtureRequest
) -> None:
    """With 512 descriptors: the page opens, a question is answered, and the log tells no tale of it."""
    before = len(service.log)
    with contextlib.ExitStack() as stack:
        for _ in range(1_100):
            with contextlib.suppress(ConnectionError):  # one that has had to go again at once
                stack.enter_context(service.connect(sent))
        with service.connect("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n") as asking:
            asking.settimeout(PATIENCE)
            assert asking.recv(100).startswith(b"HTTP/1.1 200 ")
        assert "sandbox" in answer(owner, f"Say {request.node.callspec.id}")
    assert len(service.log) - before < 4_000, service.log[before:][:2_000]


@pytest.mark.parametrize("path", ["/login", "/api/uploads", "/api/chats/c/messages"])
def test_who_goes_away_in_the_middle_of_a_body_leaves_no_traceback(
    service: Service, owner: httpx.Client, path: str
) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in owner.cookies.items())
    with service.connect(f"POST {path} HTTP/1.1\r\n{HEAD}Cookie: {cookies}\r\nContent-Length: 100\r\n\r\npass") as cut:
        time.sleep(0.3)
        cut.shutdown(socket.SHUT_RDWR)
    assert owner.get("/api/chats").status_code == 200  # it has been noticed by now
    assert "Traceback" not in service.log
