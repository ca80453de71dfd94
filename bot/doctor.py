"""`magpie doctor`: what is checked, in order, and how it is told. A check that can't pass stops nothing but itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal

from bot.chat_api.client import Client
from bot.errors import GatewayError, MagpieError
from bot.locales import say
from bot.money.hearers import Hearers
from bot.types import ModelRequest, PromptMessage, Text

__all__ = ["Check", "Finding", "check_alerts", "check_key", "examine"]

Finding = tuple[bool, Text]


@dataclass(frozen=True, slots=True)
class Check:
    """`look` finds one or several things, or raises a MagpieError, whose words are then what is wrong."""

    name: str
    look: Callable[[], Awaitable[Sequence[Finding]]]


async def examine(checks: Sequence[Check], tell: Callable[[str], None], language: str = "en") -> bool:
    """Make every check and tell a line for each finding. True if all is well."""
    well = True
    for check in checks:
        try:
            findings = await check.look()
        except MagpieError as error:
            findings = [(False, Text("{problem}", {"problem": f"{say(error, language)} {error.detail}".strip()}))]
        for ok, words in findings:
            well = well and ok
            tell(f"{'ok ' if ok else 'NOT'}  {check.name:9} {say(words, language)}")
    return well


async def check_key(client: Client, model: str) -> Sequence[Finding]:
    """One cheap call: does the gateway take our key, and does the model answer?"""
    request = ModelRequest(model, (PromptMessage("user", "Say ok."),), {"max_tokens": 1})
    balance = None
    async with aclosing(client.stream(request)) as stream:
        async for delta in stream:
            balance = delta.balance or balance
    found: list[Finding] = [(True, Text("{gateway} takes the key, and {model} answers.", _names(client, model)))]
    try:
        balance = balance or await client.balance()
    except GatewayError as error:
        found.append((True, Text("The balance can't be asked for: {reason}", {"reason": error.detail or error})))
    if balance is not None:
        low = balance.money.amount <= 0
        words = Text("The balance of the key is {balance}.", {"balance": balance.money})
        found.append((not low, words))
    return found


async def check_alerts(hearers: Hearers, thresholds: Sequence[Decimal]) -> Sequence[Finding]:
    """Is anybody told when the account runs dry, and can they be?"""
    found: list[Finding] = [(False, words) for words in await hearers.troubles()]
    if not hearers.places:
        words = Text("Nobody is told when the balance is low or the key is rejected: set ALERT_CHATS.")
        found.append((not thresholds, words))
    elif not found:
        found.append((True, Text("The chats that hear of alerts can be written to.")))
    if not thresholds:
        found.append((True, Text("The balance is not watched: set BALANCE_ALERT_BELOW.")))
    return found


def _names(client: Client, model: str) -> dict[str, object]:
    return {"gateway": client.gateway, "model": model}
