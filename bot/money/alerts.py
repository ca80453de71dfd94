"""Alerts: what there are, whom they go to, and what they say.

Each has a name under which the store keeps whether it is raised: "below:<threshold>", "money" (the quota is gone),
"key" (it is rejected).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bot.locales import say
from bot.money.balance import Finances, Left
from bot.money.price import rounded_below
from bot.settings.overlay import effective
from bot.types import Chat, ChatSettings, Money, Notice, Reader, Text

__all__ = [
    "ANYWHERE",
    "BELOW",
    "KEY",
    "MONEY",
    "MUTED",
    "AlertMessage",
    "Rules",
    "Writing",
    "below",
    "muted_until",
    "notices",
]

BELOW, MONEY, KEY = "below:", "money", "key"
MUTED = "alerts_muted_until"  # a settings row for everything: UTC ms
ANYWHERE = Chat("", "", "")  # has the settings that hold for everything
_REARM = Decimal("1.1")


@dataclass(frozen=True, slots=True)
class Rules:
    """`thresholds` are in the balance's currency; `chats` tells who hears of alerts now, `own` which of these
    are there for nothing else; `waiting` whether more will be known soon. The URLs are the gateway's. `account`
    names the account of a chat."""

    gateway: str
    thresholds: tuple[Decimal, ...] = ()
    chats: Callable[[], Sequence[Chat]] = tuple
    waiting: Callable[[], bool] = bool
    topup_url: str = ""
    key_url: str = ""
    own: Callable[[], Sequence[Chat]] = tuple
    account: Callable[[Chat], str] = lambda chat: chat.platform

    def crossed(self, amount: Decimal) -> list[Decimal]:
        """The thresholds that are above the amount, the lowest last."""
        return sorted((each for each in self.thresholds if amount < each), reverse=True)

    def rearmed(self, name: str, amount: Decimal) -> bool:
        """Is the balance far enough above what an alert is about, or does nobody want that alert any more?"""
        mine = [each for each in self.thresholds if below(each) == name]
        return not mine or amount > mine[0] * _REARM

    def side(self, amount: Decimal) -> tuple[int, int]:
        """As long as this stays the same, no alert is raised or laid."""
        return len(self.crossed(amount)), sum(amount > each * _REARM for each in self.thresholds)


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """An alert's text: a line that says it all, facts as a list, and what to do."""

    head: Text
    lines: tuple[Text, ...] = ()
    feet: tuple[Text, ...] = ()

    @classmethod
    def low(cls, found: Finances, threshold: Decimal, rules: Rules) -> AlertMessage:
        money = found.reading.money if found.reading else Money(Decimal(0))
        money = replace(money, amount=rounded_below(money.amount, threshold))
        head = Text(
            "**The balance is low: {balance}, below {threshold}.**",
            {"balance": money, "threshold": Money(threshold, money.currency)},
        )
        return cls(head, _facts(found, rules, left="soon"), _top_up(rules))

    @classmethod
    def no_money(cls, found: Finances, rules: Rules) -> AlertMessage:
        head = Text("**The quota at the model's service is used up: questions get no answer now.**")
        lines = _facts(found, rules, left="never")
        if found.reading is not None:
            lines = (Text("Balance: {money}", {"money": found.reading.money}), *lines)
        return cls(head, lines, _top_up(rules))

    @classmethod
    def bad_key(cls, words: str, rules: Rules) -> AlertMessage:
        head = Text("**The model's service rejects our key: questions get no answer now.**")
        lines = [Text("Gateway: {name}", {"name": rules.gateway})]
        if words:
            lines.append(Text("It says: {words}", {"words": words}))
        feet = [Text("Set a valid CHAT_API_KEY and start Magpie again.")]
        if rules.key_url:
            feet.append(Text("Keys: {url}", {"url": rules.key_url}))
        return cls(head, tuple(lines), tuple(feet))

    @classmethod
    def test(cls, found: Finances, rules: Rules) -> AlertMessage:
        lines = _facts(found, rules)
        if found.reading is not None:
            lines = (Text("Balance: {money}", {"money": found.reading.money}), *lines)
        return cls(Text("**This is a test: alerts arrive here.**"), lines, _top_up(rules))


Writing = Callable[[AlertMessage, str], str]  # message, language -> Markdown


def below(threshold: Decimal) -> str:
    """The alert's name; the same for 5 and 5.00."""
    return f"{BELOW}{threshold.normalize():f}"


async def muted_until(reader: Reader, now: int) -> int | None:
    """When alerts go on. None: they are not muted."""
    rows = [row for row in await reader.settings(ANYWHERE) if row.scope == "*" and row.name == MUTED]
    until = rows[0].value if rows else None
    return until if isinstance(until, int) and until > now else None


async def notices(reader: Reader, rules: Rules, message: AlertMessage, written: Writing) -> list[Notice]:
    """The message for each chat that hears of alerts, in its language."""
    found = []
    for chat in dict.fromkeys(rules.chats()):
        language = await _language(reader, chat)
        title = say(Text("Alerts"), language) if chat in rules.own() else ""
        found.append(Notice(chat, written(message, language), language, title))
    return found


async def _language(reader: Reader, chat: Chat) -> str:
    """What was set there, or else what whoever asked last speaks, there or anywhere on this account."""
    chosen = effective(ChatSettings(""), await reader.settings(chat)).language
    if chosen:
        return chosen
    last = await reader.last_turn(chat)
    for other in () if last else await reader.chats(chat.platform, chat.account, limit=3):
        last = last or await reader.last_turn(other.chat)
    return last.asker.language if last else "en"


def _facts(found: Finances, rules: Rules, left: Left = "always") -> tuple[Text, ...]:
    return (Text("Gateway: {name}", {"name": rules.gateway}), *found.lines(left))


def _top_up(rules: Rules) -> tuple[Text, ...]:
    return (Text("Top up: {url}", {"url": rules.topup_url}),) if rules.topup_url else ()
