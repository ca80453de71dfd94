"""Balance probes: asking a gateway for the balance, in its own way: which page tells it, and what stands there."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from urllib.parse import urlsplit

from bot.errors import Broken
from bot.types import Json, Money

__all__ = ["PROBES", "Get", "Probe", "amount"]

Get = Callable[[str], Awaitable[Json]]  # URL -> JSON; raises GatewayError, also for an error that comes with 200
Probe = Callable[[str, str, Get], Awaitable[Money | None]]  # base URL, currency if none is told -> None for "no limit"

_AMOUNT = re.compile(r"[+-]?\d{1,10}(\.\d{1,15})?")
_MOST = 9_000_000_000  # what the store can keep
_UNLIMITED = 100_000_000  # one-api: the limit of a token that has none


def amount(value: Json) -> Decimal | None:
    """A number as gateways write it, in text or JSON; None if it is none, or no balance that anybody has."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value.strip() if isinstance(value, str) else f"{Decimal(str(value)):f}"  # 1e-05 is a number in JSON
    number = Decimal(text) if _AMOUNT.fullmatch(text) else None
    return number if number is not None and abs(number) < _MOST else None


async def _grants(url: str, currency: str, get: Get) -> Money | None:
    """wcode: what is left of this key, and in what currency."""
    parts = urlsplit(url)
    told = await get(f"{parts.scheme}://{parts.netloc}/api/account/billing/grants")
    data = told.get("data") if isinstance(told, dict) else None
    left = amount(data.get("total_available")) if isinstance(data, dict) else None
    if left is None or not isinstance(data, dict):
        raise Broken(detail="no total_available in what it says of the balance")
    named = data.get("total_available_currency")
    return Money(left, named if isinstance(named, str) and re.fullmatch(r"[A-Z]{3}", named) else currency)


async def _billing(url: str, currency: str, get: Get) -> Money | None:
    """one-api and new-api, as OpenAI once did: a limit in units, and what is used of it in hundredths. The unit is what
    the site shows its users, whatever the field is called."""
    limit = await _number(get, f"{url}/dashboard/billing/subscription", "hard_limit_usd")
    if limit >= _UNLIMITED:
        return None
    return Money(limit - await _number(get, f"{url}/dashboard/billing/usage", "total_usage") / 100, currency)


async def _number(get: Get, url: str, name: str) -> Decimal:
    told = await get(url)
    found = amount(told.get(name)) if isinstance(told, dict) else None
    if found is None:
        raise Broken(detail=f"no {name} in what it says of the balance")
    return found


PROBES: Mapping[str, Probe] = {"grants": _grants, "billing": _billing}
