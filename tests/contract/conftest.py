"""Grounds that a store can stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage import SqlStore, open_store
from tests.fakes.clock import SimClock
from tests.fakes.postgres import Postgres, postgres_server
from tests.fakes.template import new_database

DATABASE = "magpie"


class Ground:
    """One database, empty at first; `open` opens a further store on it, and all are closed in the end."""

    def __init__(self, url: str, clock: SimClock) -> None:
        self.url = url
        self.clock = clock
        self._stores: list[SqlStore] = []

    async def open(self) -> SqlStore:
        store = await open_store(self.url, owner="test", clock=self.clock)
        self._stores.append(store)
        return store

    async def close(self) -> None:
        for store in self._stores:
            await store.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        server.create(DATABASE)
        yield server


@pytest.fixture(params=["memory", "file", "postgresql"])
async def ground(request: pytest.FixtureRequest, tmp_path: Path, clock: SimClock) -> AsyncIterator[Ground]:
    ground = Ground(_url(request, tmp_path), clock)
    yield ground
    await ground.close()


@pytest.fixture(params=["file", "postgresql"])
async def shared_ground(request: pytest.FixtureRequest, tmp_path: Path, clock: SimClock) -> AsyncIterator[Ground]:
    """A database that several processes can open."""
    ground = Ground(_url(request, tmp_path), clock)
    yield ground
    await ground.close()


@pytest.fixture
async def store(ground: Ground) -> SqlStore:
    return await ground.open()


def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "sqlite://"
    if request.param == "file":
        return new_database(tmp_path / "magpie.db")
    postgres: Postgres = request.getfixturevalue("postgres")
    postgres.empty(DATABASE)
    return postgres.url(DATABASE)
