"""Gateway facts: what calls have told about a gateway: its balance, what it can and can't do, and which alerts that has
raised."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from bot.types import BalanceReading, Json, Notice
from storage.database.engine import Tx
from storage.tables import alerts, balances, learned
from storage.verbs.notices import queue

__all__ = ["alert", "learn", "reading"]


def reading(tx: Tx, told: BalanceReading) -> None:
    row = {"gateway": told.gateway, "at": told.at, "amount": told.money.amount, "currency": told.money.currency}
    tx.conn.execute(sa.insert(balances).values(row | {"source": told.source}))


def learn(tx: Tx, gateway: str, name: str, value: Json) -> None:
    new = tx.insert(learned).values(gateway=gateway, name=name, value=value)
    key = [learned.c.gateway, learned.c.name]
    tx.conn.execute(new.on_conflict_do_update(index_elements=key, set_={"value": new.excluded["value"]}))


def alert(tx: Tx, gateway: str, name: str, *, raised: bool, notices: Sequence[Notice] = ()) -> bool:
    a = alerts.c
    new = tx.insert(alerts).values(gateway=gateway, name=name, raised=False, at=tx.now)
    tx.conn.execute(new.on_conflict_do_nothing())
    row = [a.gateway == gateway, a.name == name, a.raised.is_not(raised)]
    changed = sa.update(alerts).where(*row).values(raised=raised, at=tx.now).returning(a.name)
    if tx.conn.execute(changed).first() is None:
        return False
    for notice in sorted(notices, key=lambda each: each.chat.key):  # chats are locked in one order everywhere
        queue(tx, notice)
    return True
