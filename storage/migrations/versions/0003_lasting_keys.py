"""Some keys of what was taken in are never forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("inbound", sa.Column("lasting", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute("UPDATE inbound SET lasting = true WHERE key LIKE 'older/%'")
