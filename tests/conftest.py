"""What all tests share: simulated time, Chromium, no way out of this machine, and no silent skips in CI."""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import certifi
import pytest
from hypothesis import settings

from storage.store import SqlStore, open_store
from tests.fakes.clock import SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel
from tests.fakes.platform import FakePlatform
from tests.fakes.proxy import FakeProxy

settings.register_profile("everyday", max_examples=40, deadline=None)  # a busy machine meets no deadline
settings.load_profile("everyday")

LOOPBACK = ("", "::1", "localhost", "0.0.0.0", "::")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MEMORY, ROOM = Path("/dev/shm"), 4_000_000_000  # where files can be in memory, and bytes that must be free there
_strangers: list[str] = []


class OutsideWorld(PermissionError):
    """A test tried to leave this machine. An OSError, as a real refusal would be; the test fails in any case."""


def _local(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


def _watch(event: str, args: tuple[object, ...]) -> None:
    """An audit hook: it sees each connection of this process, whichever library makes it."""
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) and address else None  # a Unix socket's address is a string
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if isinstance(host, str) and not _local(host):
        _strangers.append(f"{event} {host!r}")
        raise OutsideWorld(f"tests stay on this machine: {event} {host!r}")


sys.addaudithook(_watch)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Tests' files are in memory where there is room: databases would wait for the disk at each commit. And Ctrl+C ends
    what tests start, as on a terminal: who is started in a shell's background ignores it, and hands that on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    is_worker, wanted = hasattr(config, "workerinput"), config.option.basetemp
    if is_worker or wanted or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        return
    folder = tempfile.mkdtemp(prefix="magpie-tests-", dir=MEMORY)
    config.option.basetemp = f"{folder}/files"
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is imported stays: the collector of garbage need not look through it, now or ever."""
    gc.disable()
    _share_the_compiling(session.config)
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _share_the_compiling(config: pytest.Config) -> None:
    """Workers begin to import at files of their own, so that each finds most of them compiled by another."""
    worker = getattr(config, "workerinput", None)
    if worker is None or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    first = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for path in files[first:] + files[:first]:
        name = ".".join(path.relative_to(config.rootpath).with_suffix("").parts)
        with contextlib.suppress(Exception, pytest.skip.Exception):  # the collection will tell
            importlib.import_module(name)


@pytest.fixture(scope="session", autouse=True)
def _one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test asks the world's certificate authorities, and to read all of them takes each client a while."""
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
    one = tmp_path_factory.mktemp("authorities") / "one.pem"
    one.write_text(first + end, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(one))
        yield


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """What a test's program sets up for its log is no other test's."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _stay_at_home() -> Iterator[None]:
    """Fails the test that tried to reach another machine, also where the code under test caught the error."""
    _strangers.clear()
    yield
    tried, _strangers[:] = list(_strangers), []
    assert not tried, f"tests stay on this machine, this one tried: {tried}"


@pytest.fixture
def strangers() -> list[str]:
    """What the guard has seen in this test so far; a test that means to be caught empties it."""
    return _strangers


@pytest.fixture
def clock() -> SimClock:
    return SimClock()


@pytest.fixture
async def store(clock: SimClock) -> AsyncIterator[SqlStore]:
    """A store of its own for each test, in memory."""
    store = await open_store("sqlite://", owner="test", clock=clock)
    yield store
    await store.close()


@pytest.fixture
def platform(clock: SimClock) -> FakePlatform:
    return FakePlatform(clock, size=4000)


@pytest.fixture
def model(clock: SimClock) -> FakeModel:
    return FakeModel(clock)


@pytest.fixture
async def core(clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel) -> AsyncIterator[Core]:
    """The real core between a fake platform and a fake model, in simulated time."""
    async with running_core(clock, tmp_path, platform, model) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    for name in CHROMIUM:
        if path := shutil.which(name):
            return path
    pytest.skip("the page is tested in Chromium: sudo apt-get install chromium")


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def _no_skips(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With CI set, what would be skipped is a failure: there, everything has to be at hand."""
    if in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped although CI is set: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _no_skips(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _no_skips(report)
    return report


@pytest.fixture
async def proxy() -> AsyncIterator[FakeProxy]:
    async with FakeProxy() as opened:
        yield opened
