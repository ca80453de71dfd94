"""Each message has a place in the context: its turn, or the last one when it came. What was overheard has no turn."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_WHERE: Any = {"sqlite_where": sa.text("in_context IS 1"), "postgresql_where": sa.text("in_context IS true")}


def upgrade() -> None:
    op.add_column("messages", sa.Column("after_turn", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE messages SET after_turn = turn WHERE turn IS NOT NULL")
    op.execute("UPDATE messages SET turn = NULL WHERE role = 'overheard'")
    op.drop_index("messages_context", "messages")
    op.create_index("messages_context", "messages", ["chat", "after_turn", "id"], **_WHERE)
