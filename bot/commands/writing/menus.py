"""Menus with pages, and actions that fit into a button."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.types import Choice, Menu

__all__ = ["ACTION_BYTES", "fits", "page_of", "pages", "rows_of"]

ACTION_BYTES = 64  # the most that every platform carries in a button, in UTF-8

_PAGE = re.compile(r"(?:page|页|第)\s*([0-9]{1,4})\s*页?", re.IGNORECASE)


def fits(action: str) -> bool:
    return len(action.encode()) <= ACTION_BYTES


def page_of(words: str) -> int | None:
    """The number in "page 2", if that is what the words are."""
    found = _PAGE.fullmatch(words)
    return int(found[1]) if found else None


def rows_of(choices: Sequence[Choice], columns: int) -> tuple[tuple[Choice, ...], ...]:
    return tuple(tuple(choices[start : start + columns]) for start in range(0, len(choices), columns))


def pages(page: int, last: int, action: str, rows: Sequence[tuple[Choice, ...]]) -> Menu:
    """A page's rows, and under them where one is and the way to its neighbours: `action` and "page 2"."""
    if last <= 1:
        return Menu(tuple(rows))
    here = Choice(f"{page}/{last}", f"{action} page {page}")
    back = (Choice("‹", f"{action} page {page - 1}"),) if page > 1 else ()
    on = (Choice("›", f"{action} page {page + 1}"),) if page < last else ()
    return Menu((*rows, (*back, here, *on)))
