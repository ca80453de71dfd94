"""Error translation: the databases' errors in our words: one table, at the edge."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError

from bot.errors import StoreError, StoreFull, StoreLocked, StoreRejects

__all__ = ["READ_ONLY", "translated"]

_UNREADABLE = (
    "The database {path} can't be opened. Look whether its directory exists, and who may read and write there."
)
READ_ONLY = "The database {path} can't be written. Look who may write to it and to its directory."
_FOREIGN = "{path} is not a database of magpie. Set another DATABASE_URL or DATA_DIR."
_AWAY = "The database {path} can't be reached. Look at DATABASE_URL, and whether the server runs."
_REJECTED = "The database {path} rejects the user or password in DATABASE_URL."

# what the driver says, in small letters -> our error, with words of its own where the class's do not fit
_TABLE: tuple[tuple[str, type[StoreError], str | None], ...] = (
    ("database or disk is full", StoreFull, None),
    ("no space left on device", StoreFull, None),
    ("database is locked", StoreLocked, None),
    ("unable to open database file", StoreError, _UNREADABLE),
    ("attempt to write a readonly database", StoreError, READ_ONLY),
    ("file is not a database", StoreError, _FOREIGN),
    ("authentication failed", StoreError, _REJECTED),
    ("connection failed", StoreError, _AWAY),
    ("connection refused", StoreError, _AWAY),
    ("failed to resolve host", StoreError, _AWAY),
)


# what a driver raises for a value that it can't send, and nobody wraps: too large a number, half a character
_VALUES = (ArithmeticError, TypeError, ValueError)


@contextmanager
def translated(path: str, *errors: type[Exception]) -> Iterator[None]:
    """Raises StoreError for what SQLAlchemy, a driver or one of `errors` raises inside: StoreRejects if that is about
    what was to be written. `path` is the database for people."""
    foreign: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error, *_VALUES, *errors)
    try:
        yield
    except foreign as error:
        cause = getattr(error, "orig", None) or error
        words = f"{type(cause).__name__}: {cause}"
        for sign, kind, text in _TABLE:
            if sign in words.lower():
                raise kind(text, detail=words, path=path) from error
        raise (StoreRejects if _hopeless(error) else StoreError)(detail=words) from error


def _hopeless(error: Exception) -> bool:
    """Would the same fail again? A plain StatementError is a value that could not be sent."""
    return isinstance(error, (*_VALUES, DataError, IntegrityError)) or type(error) is StatementError
