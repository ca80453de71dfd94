"""How the account stands: the newest balance, what is spent per day, and how long that will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bot.types import BalanceReading, Chat, Money, Outlay, Reader, Spender, Text

__all__ = ["Finances", "finances", "label"]

_DAY = 86_400_000  # ms
_DAYS = 7  # that "recently" means


@dataclass(frozen=True, slots=True)
class Finances:
    """`days` is how long `outlay` took: the last week, or since the first call if that is less, but a day at least, so
    that an hour's work does not look like a day's."""

    reading: BalanceReading | None
    outlay: Outlay
    days: float

    @property
    def per_day(self) -> Money:
        total = self.outlay.total
        return Money(total.amount / Decimal(self.days), total.currency)

    @property
    def days_left(self) -> Decimal | None:
        """None: nothing was spent, or there is no telling."""
        if self.reading is None or self.outlay.total.amount <= 0:
            return None
        return max(Decimal(0), self.reading.money.amount / self.per_day.amount)

    def lines(self) -> list[Text]:
        """What people are told of it, but for the balance itself."""
        data: dict[str, object] = {"cost": self.per_day, "days": f"{self.days:.0f}"}
        if self.outlay.total.amount > 0:
            found = [Text("Spent per day: ≈ {cost} (days looked at: {days})", data)]
        else:
            found = [Text("Nothing was spent recently, as far as prices are known")]
        if self.outlay.unknown:
            found.append(Text("Answers whose price is not known: {n}", {"n": self.outlay.unknown}))
        left = self.days_left
        if left is not None:
            found.append(
                Text("Days left at this rate: ≈ {days}", {"days": f"{left:.1f}" if left < 10 else f"{left:.0f}"})
            )
        if self.outlay.most:
            found.append(Text("Most was spent by: {chats}", {"chats": _named(self.outlay.most)}))
        return found


async def finances(reader: Reader, gateway: str, now: int) -> Finances:
    """As the store knows it. Costs in another currency than the balance's can't be held against it, and are left
    out."""
    reading = await reader.balance(gateway)
    currency = reading.money.currency if reading else "CNY"
    outlay = await reader.outlay(gateway, currency, since=now - _DAYS * _DAY)
    most = [each if each.title else replace(each, title=await _person(reader, each.chat)) for each in outlay.most]
    past = (now - outlay.first) / _DAY if outlay.first is not None else _DAYS
    return Finances(reading, replace(outlay, most=tuple(most)), min(max(past, 1.0), float(_DAYS)))


async def _person(reader: Reader, room: Chat) -> str:
    """A private chat has no title: who asked there last, if it is one, and the name is known; else ''."""
    turn = await reader.last_turn(room)
    if turn is None:
        threads = [each.chat for each in await reader.chats(room.platform, room.account) if each.chat.room == room]
        turn = await reader.last_turn(threads[0]) if threads else None
    return turn.asker.name if turn is not None and not turn.group else ""


def label(chat: Chat, title: str = "") -> str:
    """A chat for people. What was said in it is nobody's title."""
    name = f"{chat.platform}:{chat.id}" + (f"/{chat.thread}" if chat.thread else "")
    return f"{title} ({chat.platform})" if title else name


def _named(spenders: Sequence[Spender]) -> list[Text]:
    return [Text("{name} {cost}", {"name": label(each.chat, each.title), "cost": each.cost}) for each in spenders]
