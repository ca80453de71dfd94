"""Schema migration: brings a database to the tables of this version, at start. The migrations travel with the
package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.errors import StoreNewer

__all__ = ["upgrade"]

_SCRIPTS = Path(__file__).parents[1] / "migrations"
_LOCK = 0x6D61677069650001  # PostgreSQL: one process at a time migrates, the others wait for it


def upgrade(connection: sa.Connection, progress: Callable[[int, int], None] | None = None) -> None:
    """Run what is missing, in the transaction of `connection`. StoreNewer if the database knows more than we do."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.literal(_LOCK, sa.BigInteger))))
    known = [script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions()]  # newest first
    heads = MigrationContext.configure(connection).get_current_heads()
    for revision in heads:
        if revision not in known:
            raise StoreNewer(revision=revision)
    steps = known.index(heads[0]) if heads else len(known)
    if not steps:  # whether we may write shows now, not with the first message
        connection.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))
        return
    done = 0

    def applied(**_: object) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, steps)

    config = Config()
    config.set_main_option("script_location", _option(_SCRIPTS))
    config.attributes.update(connection=connection, applied=applied)
    command.upgrade(config, "head")


def _option(path: Path) -> str:
    """An option's value: there, % begins an interpolation."""
    return str(path).replace("%", "%%")
