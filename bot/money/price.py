"""Price of a call, and how money is written and stored.

A gateway's flat price is taken as holding for every token of the call, in and out; so a cost is close, not to the cent.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from bot.types import ModelInfo, Money, Price, Text, Usage

__all__ = ["cost", "label", "rounded_below", "show"]

_MOST = 1_000_000  # units of a currency that one call may take; the store sums thousands of these
_SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
_DIGITS = 4  # significant digits of a small amount


def cost(usage: Usage, info: ModelInfo) -> Money | None:
    """What a call took, exactly, not rounded. None: the price is not known, or so high that one of the numbers is no
    number of this world."""
    price = info.price
    if price is None:
        return None
    input, output = (price.flat, price.flat) if price.flat is not None else (price.input, price.output)
    if input is None or output is None:
        return None
    cached = min(usage.cached or 0, usage.input)
    cheap = input if price.cached is None else price.cached
    total = (usage.input - cached) * input + cached * cheap + usage.output * output
    return Money(total / 1000, price.currency) if total <= 1000 * _MOST else None


def show(money: Money, language: str = "en", *, digits: int = _DIGITS) -> str:
    """Money for people: `digits` significant digits or more, two decimals or more: "¥0.000112", "¥0.06115",
    "$1,234.50"."""
    return _with_sign(_rounded(money.amount, digits), money.currency, language)


def rounded_below(amount: Decimal, bound: Decimal) -> Decimal:
    """An amount that is below a bound, so that it also reads so: 9.99995 as 9.999, not as 10.00."""
    if _rounded(amount) != _rounded(bound):
        return amount
    for decimals in range(_decimals(amount), 16):
        cut = amount.quantize(Decimal(1).scaleb(-decimals), ROUND_FLOOR)
        if _rounded(cut) != _rounded(bound):
            return cut
    return amount


def label(price: Price | None) -> Text:
    """A price for people, exactly as listed."""
    if price is None:
        return Text("price unknown")
    if price.flat is not None:
        return Text("{price} per 1,000 tokens", {"price": _listed(price.flat, price)})
    if price.input is not None and price.output is not None:
        return Text(
            "{input} in, {output} out per 1,000 tokens",
            {"input": _listed(price.input, price), "output": _listed(price.output, price)},
        )
    return Text("price unknown")


def _rounded(amount: Decimal, digits: int = _DIGITS) -> str:
    text = f"{amount.quantize(Decimal(1).scaleb(-_decimals(amount, digits)), ROUND_HALF_UP):,f}"
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _decimals(amount: Decimal, digits: int = _DIGITS) -> int:
    return max(2, digits - 1 - amount.adjusted()) if amount else 2


def _listed(amount: Decimal, price: Price) -> str:
    return _with_sign(f"{amount.normalize():f}", price.currency)


def _with_sign(number: str, currency: str, language: str = "en") -> str:
    if sign := _SIGNS.get(currency):
        minus, number = ("-", number[1:]) if number.startswith("-") else ("", number)
        return f"{minus}{sign}{number}"
    return f"{number} {currency}" if language.startswith("zh") else f"{currency} {number}"
