"""Retention: what is kept no longer than it is of use goes, a few rows in each transaction, so that no writer waits
long.

There is no index for it: one on the times of events would cost each of them more than it saves here. To look through
100,000 keys takes some 5 ms.
"""

from __future__ import annotations

import sqlalchemy as sa

from storage.database.engine import Tx
from storage.tables import balances, inbound

__all__ = ["forget_keys", "thin_readings"]

_DAY = 86_400_000  # ms


def forget_keys(tx: Tx, *, before: int, most: int = 500) -> int:
    k = inbound.c
    old = sa.select(k.key).where(k.at < before, k.lasting.is_(False)).limit(most).with_for_update(skip_locked=True)
    return tx.conn.execute(sa.delete(inbound).where(k.key.in_(old))).rowcount


def thin_readings(tx: Tx, gateway: str, *, before: int, most: int = 500) -> int:
    b, later = balances.c, balances.alias("later")
    that_day = sa.select(later.c.id).where(
        later.c.gateway == gateway, later.c.at >= b.at, later.c.at < (b.at // _DAY + 1) * _DAY
    )
    last = that_day.order_by(later.c.at.desc(), later.c.id.desc()).limit(
        1
    )  # with EXISTS PostgreSQL takes 3 times as long
    old = sa.select(b.id).where(b.gateway == gateway, b.at < before, b.id != last.scalar_subquery()).limit(most)
    return tx.conn.execute(sa.delete(balances).where(b.id.in_(old))).rowcount
