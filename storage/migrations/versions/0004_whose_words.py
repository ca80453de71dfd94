"""Whose words a message quotes, or forwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("quoted_by", "quoted_name", "forwarded_from", "forwarded_name"):
        op.add_column("messages", sa.Column(name, sa.Text(), nullable=True))
