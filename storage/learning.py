"""What calls have told about a gateway: its balance, and what it can and can't do."""

from __future__ import annotations

import sqlalchemy as sa

from bot.types import BalanceReading, Json
from storage.engine import Tx
from storage.tables import balances, learned

__all__ = ["learn", "reading"]


async def reading(tx: Tx, told: BalanceReading) -> None:
    row = {"gateway": told.gateway, "at": told.at, "amount": told.money.amount, "currency": told.money.currency}
    await tx.conn.execute(sa.insert(balances).values(row | {"source": told.source}))


async def learn(tx: Tx, gateway: str, name: str, value: Json) -> None:
    new = tx.insert(learned).values(gateway=gateway, name=name, value=value)
    key = [learned.c.gateway, learned.c.name]
    await tx.conn.execute(new.on_conflict_do_update(index_elements=key, set_={"value": new.excluded["value"]}))
