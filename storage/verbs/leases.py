"""Leases on accounts, for the processes that share a PostgreSQL: who holds one receives, claims and speaks for it.

Time is the database's own here: no two machines' clocks are compared. A lease is over when its time is; or sooner,
when its holder's session is gone (`alive`) and it hasn't renewed for a moment, as after a kill -9.

All looks are made one after the other (an advisory lock): they are short, and two processes never take the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

import sqlalchemy as sa

from bot.types import Holding, Signal
from storage.database.engine import Tx
from storage.tables import OPEN, leases, processes, turns
from storage.verbs.queue import lose

__all__ = ["hold", "holders", "leave", "let_go"]

LEASE = 8_000  # ms
MARGIN = 1.5  # seconds before its end at which a holder takes a lease for over
_MISSED = 1_200  # ms without renewal after which a holder without a session is dead
_ORPHAN = 3_000  # ms after which what is free is taken by whoever comes, whatever its share
_LOCK = 0x6D61677069650002
_NOW = sa.select(sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger))


def hold(tx: Tx, wanted: Collection[str], alive: Callable[[Tx, str], bool], *, taking: bool) -> Holding:
    now = _begin(tx)
    present = _processes(tx, now, wanted, alive)
    rows = {row.account: row for row in tx.conn.execute(sa.select(leases))}
    held = {account: row.owner for account, row in rows.items() if row.owner in present and row.until > now}
    _free(tx, [account for account, owner in held.items() if owner == tx.owner and account not in wanted], now)
    free = sorted(set(wanted) - set(held))
    for account in free:
        row = rows.get(account)
        if row is not None and row.owner == tx.owner:  # it ran out, and nobody came
            held[account] = tx.owner
        elif taking and (_is_next(account, tx.owner, held, present) or (row and row.until < now - _ORPHAN)):
            held[account] = tx.owner
            _take_over(tx, account)
        elif row is None:
            tx.conn.execute(sa.insert(leases).values(account=account, owner="", until=now))
    mine = [account for account in wanted if held.get(account) == tx.owner]
    _renew(tx, mine, now)
    spare = [] if free else [account for account in sorted(mine) if _is_lacked(account, tx.owner, held, present)][:1]
    return Holding(dict.fromkeys(mine, LEASE / 1000 - MARGIN), spare)


def let_go(tx: Tx, accounts: Collection[str]) -> None:
    now = _begin(tx)
    held = sa.select(leases.c.account).where(leases.c.owner == tx.owner, leases.c.account.in_(accounts))
    _free(tx, tx.conn.execute(held).scalars().all(), now)


def leave(tx: Tx) -> None:
    """We hold nothing any more, and stand by for nothing."""
    now = _begin(tx)
    _free(tx, tx.conn.execute(sa.select(leases.c.account).where(leases.c.owner == tx.owner)).scalars().all(), now)
    tx.conn.execute(sa.delete(processes).where(processes.c.owner == tx.owner))


def holders(tx: Tx) -> Collection[str]:
    now = tx.conn.execute(_NOW).scalar_one()
    held = sa.select(leases.c.account).where(leases.c.owner != "", leases.c.until > now)
    return set(tx.conn.execute(held).scalars())


def _begin(tx: Tx) -> int:
    """The database's time, once nobody else looks."""
    tx.conn.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.literal(_LOCK, sa.BigInteger))))
    return int(tx.conn.execute(_NOW).scalar_one())


def _processes(
    tx: Tx, now: int, wanted: Collection[str], alive: Callable[[Tx, str], bool]
) -> Mapping[str, Collection[str]]:
    """The living processes, we among them, and what each wants. The dead ones' rows go."""
    present: dict[str, Collection[str]] = {}
    for other in tx.conn.execute(sa.select(processes).where(processes.c.owner != tx.owner)).all():
        renewed = other.until - LEASE
        if other.until > now and (renewed > now - _MISSED or alive(tx, other.owner)):
            present[other.owner] = other.wanted
        else:
            tx.conn.execute(sa.delete(processes).where(processes.c.owner == other.owner))
    row = {"owner": tx.owner, "until": now + LEASE, "wanted": sorted(wanted)}
    new = tx.insert(processes)
    again = {name: new.excluded[name] for name in ("until", "wanted")}
    tx.conn.execute(new.on_conflict_do_update(index_elements=[processes.c.owner], set_=again), row)
    return {**present, tx.owner: wanted}


def _is_next(account: str, me: str, held: Mapping[str, str], present: Mapping[str, Collection[str]]) -> bool:
    """Does no other process that wants it hold fewer?"""
    load = Counter(held.values())
    return all(load[me] <= load[each] for each, wanted in present.items() if account in wanted)


def _is_lacked(account: str, me: str, held: Mapping[str, str], present: Mapping[str, Collection[str]]) -> bool:
    """Is there a process that wants it and would hold no more than we then?"""
    load = Counter(held.values())
    return any(load[each] + 1 < load[me] for each, wanted in present.items() if account in wanted)


def _renew(tx: Tx, accounts: Collection[str], now: int) -> None:
    new = tx.insert(leases)
    again = {name: new.excluded[name] for name in ("owner", "until")}
    for account in accounts:
        row = {"account": account, "owner": tx.owner, "until": now + LEASE}
        tx.conn.execute(new.on_conflict_do_update(index_elements=[leases.c.account], set_=again), row)


def _free(tx: Tx, accounts: Collection[str], now: int) -> None:
    if accounts:
        tx.conn.execute(sa.update(leases).where(leases.c.account.in_(accounts)).values(owner="", until=now))
        tx.tell(Signal.LEASE)


def _take_over(tx: Tx, account: str) -> None:
    """What another process had begun there is claimable again."""
    left = [OPEN, turns.c.account == account, turns.c.owner.is_not(None), turns.c.owner != tx.owner]
    for id in tx.conn.execute(sa.update(turns).where(*left).values(owner=None).returning(turns.c.id)).scalars().all():
        lose(tx, id)
