"""Chats can be deleted, and what their answers cost stays in the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("chats", sa.Column("deleted", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("ledger", table_kwargs={"sqlite_autoincrement": True}) as ledger:
        ledger.alter_column("turn", existing_type=sa.BigInteger(), nullable=True)
