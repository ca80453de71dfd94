"""Money: prices, usage, balances, and the ledger's entries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bot.types.chat import Chat

__all__ = ["BalanceReading", "LedgerEntry", "Money", "Outlay", "Price", "Spender", "Spending", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. None is unknown. `output` includes `reasoning`; `input` includes `cached` and `video`."""

    input: int
    output: int
    cached: int | None = None
    reasoning: int | None = None
    video: int | None = None
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """`at` is the start of the request that told it; the newest start wins."""

    gateway: str
    money: Money
    at: int
    source: Literal["header", "probe"] = "header"


@dataclass(frozen=True, slots=True)
class Spender:
    """What one place has spent; `chat` is without its thread, `title` '' where it has none."""

    chat: Chat
    title: str
    cost: Money


@dataclass(frozen=True, slots=True)
class Outlay:
    """What was spent at a gateway in one currency: since the call at `first` (None: there was none), in all, and by
    those who spent most. `unknown` counts calls whose cost is not known."""

    total: Money
    first: int | None = None
    unknown: int = 0
    most: tuple[Spender, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """Per 1,000 tokens: `flat` on input and output alike, or `input` and `output` apart. `cached` defaults to
    `input`."""

    currency: str = "CNY"
    flat: Decimal | None = None
    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One call of the chat API: what was asked, what it took. `usage` and `cost` None: unknown."""

    turn: int
    attempt: int
    gateway: str
    asked: str
    started: int
    served: str = ""
    usage: Usage | None = None
    cost: Money | None = None
    answer: str = ""  # the API's id of the answer
    first: int | None = None
    ended: int | None = None
    finish: str = ""  # Finish, or the name of an error


@dataclass(frozen=True, slots=True)
class Spending:
    """Sums of ledger entries. `unknown` counts calls whose cost is not known; `estimated` is true if any usage is."""

    calls: int
    input: int
    output: int
    costs: tuple[Money, ...]  # one per currency
    unknown: int = 0
    estimated: bool = False
