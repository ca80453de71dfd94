"""Locks on files, which the system lets go when their process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import StoreError, StoreLocked

__all__ = ["DataLock", "lock_file"]


class DataLock:
    """Holds a lock on a file, so that one process uses the file's directory.

    Entering raises StoreLocked(path=the directory) if another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> None:
        directory = str(self.path.parent)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = lock_file(self.path)
        except OSError as error:
            text = "The directory {path} can't be used: {reason}"
            raise StoreError(text, path=directory, reason=error.strerror or str(error)) from error
        if file is None:
            raise StoreLocked(path=directory)
        self._file = file

    def release(self) -> None:
        """The file stays: were it deleted, a third process could lock a new one beside a second's."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_file(path: Path) -> int | None:
    """Open and lock a file: its descriptor, to be closed; None if another has the lock. Raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file
