"""Peer processes that share a database: which of them live, and what they have queued."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from bot.errors import StoreError
from bot.types import Signal
from storage.database.engine import Tx
from storage.database.errors import READ_ONLY
from storage.database.locks import lock_file

__all__ = ["FilePeers", "NoPeers", "Peers"]


class Peers(Protocol):
    def alive(self, tx: Tx, owner: str) -> bool:
        """Does the process live that is called `owner` in the turns?"""

    def listen(self, hear: Callable[[Signal, str], None]) -> AbstractAsyncContextManager[None]:
        """Call `hear` with what other processes tell."""

    async def leave(self) -> None:
        """We live no longer."""


class NoPeers:
    """A database in memory: whoever else there was is gone."""

    def alive(self, tx: Tx, owner: str) -> bool:  # noqa: ARG002
        return False

    @asynccontextmanager
    async def listen(self, hear: Callable[[Signal, str], None]) -> AsyncIterator[None]:  # noqa: ARG002
        yield

    async def leave(self) -> None:
        return None


class FilePeers(NoPeers):
    """SQLite: each process holds a lock on a small file of its own beside the database.

    Nothing is heard of the others: one process works on a SQLite file (`DataLock`), the next one finds what it left.
    """

    def __init__(self, database: Path, owner: str) -> None:
        self._database = database
        self._path = self._of(owner)
        try:
            self._file = lock_file(self._path)
        except OSError as error:
            raise StoreError(READ_ONLY, path=str(database), detail=str(error)) from error

    def alive(self, tx: Tx, owner: str) -> bool:  # noqa: ARG002
        return _is_held(self._of(owner))

    async def leave(self) -> None:
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _of(self, owner: str) -> Path:
        digest = hashlib.sha256(owner.encode()).hexdigest()
        return self._database.with_name(f"{self._database.name}-owner-{digest[:16]}")


def _is_held(path: Path) -> bool:
    """A file that nobody holds is a dead process's, and goes."""
    if not path.exists():
        return False
    file = lock_file(path)
    if file is None:
        return True
    path.unlink(missing_ok=True)
    os.close(file)
    return False
