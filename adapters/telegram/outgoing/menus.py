"""Inline keyboards: menus, and what their buttons carry.

A button carries 1 to 64 bytes (Bot API: InlineKeyboardButton, callback_data). An action that is longer is named by its
place: the turn whose menu it stands in, row and column. The store keeps a turn's menu, so this outlives a restart.
"""

from __future__ import annotations

import re

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from adapters.kit.buttons import is_url, label
from bot.types import Choice, Menu, Reader

__all__ = ["action", "keyboard"]

_BYTES = 64
_LABEL = 64  # characters; more is not to be seen anyway
_SCHEMES = ("http", "https", "tg")
_ROW, _KEYBOARD = 8, 100  # buttons
_PLACE = re.compile(r"~(\d{1,18})\.(\d{1,4})\.(\d{1,4})")


def keyboard(menu: Menu | None, key: str) -> InlineKeyboardMarkup | None:
    """`key` is the piece's, "<turn>.<index>". None if there is no button to show."""
    if menu is None:
        return None
    turn, left = key.partition(".")[0], _KEYBOARD
    rows: list[list[InlineKeyboardButton]] = []
    for number, choices in enumerate(menu.rows):
        made = (_button(choice, f"~{turn}.{number}.{column}") for column, choice in enumerate(choices))
        buttons = [button for button in made if button is not None][:left]
        left -= len(buttons)
        rows += [buttons[start : start + _ROW] for start in range(0, len(buttons), _ROW)]
    return InlineKeyboardMarkup(inline_keyboard=rows) if rows else None


def _button(choice: Choice, place: str) -> InlineKeyboardButton | None:
    text = label(choice, _LABEL)
    if choice.url:
        return InlineKeyboardButton(text=text, url=choice.url) if is_url(choice.url, _SCHEMES) else None
    if not choice.action:
        return None
    carried = choice.action
    if len(carried.encode()) > _BYTES or carried.startswith("~"):
        carried = place
    return InlineKeyboardButton(text=text, callback_data=carried)


async def action(carried: str, reader: Reader) -> str:
    """The action that a button stands for; '' if it is not to be found any more. StoreError."""
    place = _PLACE.fullmatch(carried)
    if place is None:
        return carried
    turn, row, column = (int(part) for part in place.groups())
    found = await reader.turn(turn)
    if found is None or found.menu is None:
        return ""
    try:
        return found.menu.rows[row][column].action
    except IndexError:
        return ""
