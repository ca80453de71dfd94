"""Settings that hold for one turn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("turns", sa.Column("settings", sa.Text(), nullable=False, server_default="{}"))
