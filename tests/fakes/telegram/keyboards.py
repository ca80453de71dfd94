"""Reply markups (Bot API: InlineKeyboardMarkup, InlineKeyboardButton)."""

from __future__ import annotations

from typing import Any

from tests.fakes.telegram.entities import check_url
from tests.fakes.telegram.refusals import bad

__all__ = ["Keyboard", "check_markup"]

Keyboard = list[list[dict[str, Any]]]

_ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
    "disabled",
)
_CAN_BE_EMPTY = ("switch_inline_query", "switch_inline_query_current_chat")
_MOST_BUTTONS = 100


def check_markup(markup: dict[str, Any] | None, *, inline_only: bool = False) -> Keyboard:
    """The inline keyboard, [] for none or for another sort of markup."""
    if not markup:
        return []
    if "inline_keyboard" not in markup:
        if inline_only:
            raise bad("inline keyboard expected")
        if not markup.keys() & {"keyboard", "remove_keyboard", "force_reply"}:
            raise bad("object expected as reply markup")
        return []
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list):
        raise bad('field "inline_keyboard" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise bad('field "inline_keyboard" must be an Array of Arrays')
    keyboard = [[_check_button(button) for button in row] for row in rows if row]
    if sum(map(len, keyboard)) > _MOST_BUTTONS:
        raise bad("reply markup is too long")
    return keyboard


def _check_button(button: Any) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise bad("can't parse inline keyboard button: expected an Object")
    text = button.get("text")
    if text is None:
        raise bad("can't parse inline keyboard button: Can't find field \"text\"")
    if not isinstance(text, str):
        raise bad('can\'t parse inline keyboard button: Field "text" must be of type String')
    if not text.strip():
        raise bad("inline keyboard button text must be non-empty")
    actions = [name for name in _ACTIONS if button.get(name) or (name in _CAN_BE_EMPTY and name in button)]
    if not actions:  # InlineKeyboardButton: "Exactly one of the fields other than text ..."
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad("can't parse inline keyboard button: exactly one type of the button must be used")
    if actions == ["callback_data"] and not 1 <= len(str(button["callback_data"]).encode()) <= 64:
        raise bad("BUTTON_DATA_INVALID")  # InlineKeyboardButton.callback_data: 1-64 bytes
    if actions == ["url"] and (wrong := check_url(str(button["url"]))):
        raise bad(f"inline keyboard button URL '{button['url']}' is invalid: {wrong}")
    return dict(button)
