"""The database: one Store on SQLite, on a file or in memory, and on PostgreSQL."""

from __future__ import annotations

from storage.store import DataLock, SqlStore, open_store

__all__ = ["DataLock", "SqlStore", "open_store"]
