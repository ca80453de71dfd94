"""Prepared answers: for the ideas that the page offers, for code, and for its own account."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from importlib.resources import files

__all__ = ["FULL", "account_after", "prepared"]

FULL = Decimal("20")  # yuan in the sandbox's account at first, and after "top up"
LOW = Decimal("4.2")  # and after "show me a low-balance alert"
_LOW = re.compile(r"\blow[- ]balance\b|余额(?:不足|过低|太低)|低余额", re.IGNORECASE)
_TOP_UP = re.compile(r"^\W*(?:please )?top[- ]up\b|充值", re.IGNORECASE)
_BOTH_DATABASES = re.compile(r"(?=.*\bsqlite\b)(?=.*\bpostgres(?:ql)?\b)", re.IGNORECASE | re.ASCII | re.DOTALL)
_ANSWERS = (
    (_LOW, "low_balance"),
    (_TOP_UP, "top_up"),
    (_BOTH_DATABASES, "databases"),
    (re.compile(r"\b(?:tides?|tidal)\b|潮汐|涨潮|潮水", re.IGNORECASE), "tides"),
    (re.compile(r"\bday off\b|\bleave of absence\b|请假|请一天假", re.IGNORECASE), "day_off"),
)


def prepared(question: str, *, zh: bool) -> str | None:
    """The answer that was made for this question, if there is one."""
    return next((written(name, zh=zh) for pattern, name in _ANSWERS if pattern.search(question)), None)


@cache
def written(name: str, *, zh: bool) -> str:
    """A prepared answer by its name, as Markdown."""
    path = files("bot.sandbox").joinpath(f"data/answers/{name}.{'zh' if zh else 'en'}.md")
    return path.read_text(encoding="utf-8").strip()


def account_after(question: str, balance: Decimal) -> Decimal:
    """What the account holds once this was said: a question about a low balance shows one."""
    if _LOW.search(question):
        return min(balance, LOW)
    return max(balance, FULL) if _TOP_UP.search(question) else balance
