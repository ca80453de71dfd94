"""Balance forecast: how the account stands: the newest balance, what is spent per day, and how long that will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from bot.money.recipients import alias
from bot.types import BalanceReading, Chat, Money, Outlay, Reader, Spender, Text

__all__ = ["Finances", "Left", "finances", "label"]

_DAY = 86_400_000  # ms
_DAYS = 7  # that "recently" means
_YEAR = 365

Left = Literal["always", "soon", "never"]


@dataclass(frozen=True, slots=True)
class Finances:
    """`days` is how long `outlay` took: the last week, or since the first call if that is less, but a day at least, so
    that an hour's work does not look like a day's. `account` names the account of a chat."""

    reading: BalanceReading | None
    outlay: Outlay
    days: float
    account: Callable[[Chat], str] = lambda chat: chat.platform

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

    def lines(self, left: Left = "always") -> list[Text]:
        """What people are told of it, but for the balance itself. `left`: whether that has how long it will do."""
        data: dict[str, object] = {"cost": self.per_day, "days": f"{self.days:.0f}"}
        if self.outlay.total.amount > 0:
            found = [Text("Spent per day: ≈ {cost} (days looked at: {days})", data)]
        else:
            found = [Text("Nothing was spent recently, as far as prices are known")]
        if self.outlay.unknown:
            found.append(Text("Answers whose price is not known: {n}", {"n": f"{self.outlay.unknown:,}"}))
        days = self.days_left
        if days is not None and (left == "always" or (left == "soon" and days <= _YEAR)):
            found.append(_days_left(days))
        if self.outlay.most:
            found.append(Text("Most was spent by: {chats}", {"chats": _named(self.outlay.most, self.account)}))
        return found


def _days_left(days: Decimal) -> Text:
    """No more exactly than it can be known: at the rate of a few questions, a balance lasts for centuries."""
    if days > _YEAR:
        return Text("At this rate it lasts for more than a year")
    if days < 1:
        return Text("At this rate it lasts for less than a day")
    return Text("Days left at this rate: ≈ {days}", {"days": f"{days:.1f}" if days < 10 else f"{days:.0f}"})


async def finances(reader: Reader, gateway: str, now: int, account: Callable[[Chat], str]) -> Finances:
    """As the store knows it. Costs in another currency than the balance's can't be held against it, and are left
    out."""
    reading = await reader.balance(gateway)
    currency = reading.money.currency if reading else "CNY"
    outlay = await reader.outlay(gateway, currency, since=now - _DAYS * _DAY)
    most = [each if each.title else replace(each, title=await _person(reader, each.chat)) for each in outlay.most]
    past = (now - outlay.first) / _DAY if outlay.first is not None else _DAYS
    return Finances(reading, replace(outlay, most=tuple(most)), min(max(past, 1.0), float(_DAYS)), account)


async def _person(reader: Reader, room: Chat) -> str:
    """A private chat has no title: who asked there last, if it is one, and the name is known; else ''."""
    turn = await reader.last_turn(room)
    if turn is None:
        thread = await reader.newest_chat(room)
        turn = await reader.last_turn(thread) if thread is not None else None
    return turn.asker.name if turn is not None and not turn.group else ""


def label(chat: Chat, account: str) -> str:
    """A chat as ALERT_CHATS names it."""
    return f"{alias(account)}:{chat.id}" + (f"/{chat.thread}" if chat.thread else "")


def _named(spenders: Sequence[Spender], account: Callable[[Chat], str]) -> list[Text]:
    """A chat without a title is just one: its id says nothing to people, and what was said in it is no title."""
    found = []
    for each in spenders:
        data: dict[str, object] = {"title": each.title, "platform": account(each.chat)}
        name = Text("{title} ({platform})" if each.title else "a chat ({platform})", data)
        found.append(Text("{name} {cost}", {"name": name, "cost": each.cost}))
    return found
