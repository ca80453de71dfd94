"""Which alerts are raised."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("gateway", sa.Text(), primary_key=True, nullable=False),
        sa.Column("name", sa.Text(), primary_key=True, nullable=False),
        sa.Column("raised", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
