"""A turn names the account whose chat it is in; a process holds the accounts that it works for."""

from __future__ import annotations

from urllib.parse import quote

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_FREE = sa.text("state != 'ended' AND owner IS NULL")


def upgrade() -> None:
    op.add_column("turns", sa.Column("account", sa.Text(), nullable=False, server_default=""))
    conn = op.get_bind()
    for platform, account in conn.execute(sa.text("SELECT DISTINCT platform, account FROM chats")).all():
        key = "/".join(quote(part, safe="-:@.") for part in (platform, account))
        mine = sa.text("UPDATE turns SET account = :key WHERE substr(chat, 1, :length) = :head")
        conn.execute(mine, {"key": key, "head": f"{key}/", "length": len(key) + 1})
    op.drop_index("turns_due", "turns")
    columns = ["account", "not_before", "id"]
    op.create_index("turns_due", "turns", columns, sqlite_where=_FREE, postgresql_where=_FREE)
    op.create_table(
        "leases",
        sa.Column("account", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "processes",
        sa.Column("owner", sa.Text(), primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
    )
