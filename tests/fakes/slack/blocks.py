"""Block Kit: what is refused in a message or view, and what people read in it.

The numbers are slack_sdk's own (`slack_sdk.models.blocks`, `.views`), whose classes name the pages of docs.slack.dev.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextActionsBlock,
    ContextBlock,
    HeaderBlock,
    ImageBlock,
    InputBlock,
    MarkdownBlock,
    Option,
    SectionBlock,
)
from slack_sdk.models.blocks.block_elements import InputInteractiveElement, InteractiveElement, StaticSelectElement

from tests.fakes.slack.refusals import Refusal, invalid

__all__ = ["body", "buttons", "check_blocks", "check_metadata", "elements", "notes", "ringing", "with_ids"]

Json = dict[str, Any]

MARKDOWN = MarkdownBlock.text_max_length  # of all markdown blocks of a message together
_MOST = 50  # blocks of a message; a view has twice as many
_ROWS, _COLUMNS, _CELLS = 100, 20, 10_000  # TableBlock: rows, cells of a row; characters of all
_FIELD = 2_000  # SectionBlock.fields: characters of each
_TEXTS = ("plain_text", "mrkdwn")
_RINGS = re.compile(
    r"<@([UW][A-Z0-9]+)[|>]|<!(channel|here|everyone|subteam\^[A-Z0-9]+)[|>]|@(channel|here|everyone)\b"
)
_PICKERS = ("static_select", "radio_buttons", "overflow", "checkboxes", "multi_static_select")


class _Bad(Exception):
    """What is wrong, and where."""


def check_blocks(blocks: list[Any], *, view: bool = False) -> None:
    """invalid_blocks for what Block Kit doesn't allow; in a view invalid_arguments."""
    error = "invalid_arguments" if view else "invalid_blocks"
    try:
        if len(blocks) > (2 * _MOST if view else _MOST):
            raise _Bad("no more than 50 items allowed [json-pointer:/blocks]")
        for index, block in enumerate(blocks):
            _check_block(block, f"/blocks/{index}", view)
        if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN:
            raise _Bad("must be no more than 12000 characters in all markdown blocks [json-pointer:/blocks]")
        if sum(block["type"] == "table" for block in blocks) > 1:
            raise _Bad("only_one_table_allowed [json-pointer:/blocks]")
        _distinct([block["block_id"] for block in blocks if "block_id" in block], "block_id")
    except _Bad as bad:
        raise invalid(error, str(bad)) from None


def _check_block(block: Any, at: str, view: bool) -> None:
    if not isinstance(block, dict) or block.get("type") not in _CHECKS:
        raise _Bad(f"unsupported type [json-pointer:{at}/type]")
    kind = block["type"]
    if kind in ("markdown", "table", "context_actions") and view:
        raise _Bad(f"unsupported type: {kind} is for messages [json-pointer:{at}/type]")
    if kind == "input" and not view:
        raise _Bad(f"unsupported type: input is for views [json-pointer:{at}/type]")
    if len(str(block.get("block_id", ""))) > Block.block_id_max_length:
        raise _Bad(f"must be no more than 255 characters [json-pointer:{at}/block_id]")
    _CHECKS[kind](block, at)


def _words(value: Any, most: int, at: str, *, kinds: tuple[str, ...] = _TEXTS) -> None:
    """A text object."""
    if not isinstance(value, dict) or value.get("type") not in kinds:
        raise _Bad(f"must be a {' or '.join(kinds)} object [json-pointer:{at}]")
    _string(value.get("text"), most, f"{at}/text")


def _string(value: Any, most: int, at: str) -> None:
    if not isinstance(value, str) or not value:
        raise _Bad(f"must be more than 0 characters [json-pointer:{at}]")
    if len(value) > most:
        raise _Bad(f"must be no more than {most} characters [json-pointer:{at}]")


def _many(value: Any, most: int, at: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _Bad(f"must have at least 1 item [json-pointer:{at}]")
    if len(value) > most:
        raise _Bad(f"no more than {most} items allowed [json-pointer:{at}]")
    return value


def _distinct(ids: list[str], name: str) -> None:
    if len(ids) != len(set(ids)):
        raise _Bad(f"`{name}` already exists")


def _markdown(block: Json, at: str) -> None:
    _string(block.get("text"), MARKDOWN, f"{at}/text")


def _header(block: Json, at: str) -> None:
    _words(block.get("text"), HeaderBlock.text_max_length, f"{at}/text", kinds=("plain_text",))


def _section(block: Json, at: str) -> None:
    if "text" not in block and "fields" not in block:
        raise _Bad(f"must have text or fields [json-pointer:{at}]")
    if "text" in block:
        _words(block["text"], SectionBlock.text_max_length, f"{at}/text")
    if "fields" in block:
        for number, value in enumerate(_many(block["fields"], SectionBlock.fields_max_length, f"{at}/fields")):
            _words(value, _FIELD, f"{at}/fields/{number}")
    if "accessory" in block:
        _element(block["accessory"], f"{at}/accessory")


def _context(block: Json, at: str) -> None:
    for number, each in enumerate(_many(block.get("elements"), ContextBlock.elements_max_length, f"{at}/elements")):
        if isinstance(each, dict) and each.get("type") == "image":
            _image(each, f"{at}/elements/{number}")
        else:
            _words(each, SectionBlock.text_max_length, f"{at}/elements/{number}")


def _actions(block: Json, at: str) -> None:
    most = ActionsBlock.elements_max_length if block["type"] == "actions" else ContextActionsBlock.elements_max_length
    found = _many(block.get("elements"), most, f"{at}/elements")
    for number, each in enumerate(found):
        _element(each, f"{at}/elements/{number}")
    _distinct([each["action_id"] for each in found if "action_id" in each], "action_id")


def _input(block: Json, at: str) -> None:
    _words(block.get("label"), InputBlock.label_max_length, f"{at}/label", kinds=("plain_text",))
    if "hint" in block:
        _words(block["hint"], InputBlock.hint_max_length, f"{at}/hint", kinds=("plain_text",))
    _element(block.get("element"), f"{at}/element")


def _image(block: Json, at: str) -> None:
    _string(block.get("alt_text"), ImageBlock.alt_text_max_length, f"{at}/alt_text")
    if "slack_file" not in block:
        _string(block.get("image_url"), ImageBlock.image_url_max_length, f"{at}/image_url")


def _table(block: Json, at: str) -> None:
    rows = _many(block.get("rows"), _ROWS, f"{at}/rows")
    for number, row in enumerate(rows):
        for column, cell in enumerate(_many(row, _COLUMNS, f"{at}/rows/{number}")):
            _cell(cell, f"{at}/rows/{number}/{column}")
    if sum(len(_cell_text(cell)) for row in rows for cell in row) > _CELLS:
        raise _Bad(f"must be no more than {_CELLS} characters [json-pointer:{at}/rows]")
    if len(block.get("column_settings") or ()) > _COLUMNS:
        raise _Bad(f"no more than {_COLUMNS} items allowed [json-pointer:{at}/column_settings]")


def _cell(cell: Any, at: str) -> None:
    """An empty cell is refused (vercel/chat, its changelog)."""
    kind = cell.get("type") if isinstance(cell, dict) else None
    if kind == "rich_text":
        _rich_text(cell, at)
    elif kind == "raw_text":
        _string(cell.get("text"), _CELLS, f"{at}/text")
    elif kind != "raw_number":
        raise _Bad(f"must be rich_text or raw_text [json-pointer:{at}]")


def _rich_text(block: Json, at: str) -> None:
    """RichTextBlock: its parts have elements, and no text in them is empty."""
    for number, part in enumerate(_many(block.get("elements"), 1_000, f"{at}/elements")):
        where = f"{at}/elements/{number}"
        if not isinstance(part, dict) or not str(part.get("type", "")).startswith("rich_text_"):
            raise _Bad(f"unsupported type [json-pointer:{where}/type]")
        if part["type"] == "rich_text_list":
            _rich_text(part, where)
            continue
        for inner, each in enumerate(_many(part.get("elements"), 1_000, f"{where}/elements")):
            if each.get("type") == "text":
                _string(each.get("text"), MARKDOWN, f"{where}/elements/{inner}/text")
            elif each.get("type") == "link":
                _string(each.get("url"), ButtonElement.url_max_length, f"{where}/elements/{inner}/url")


def _element(element: Any, at: str) -> None:
    """Buttons, pickers and inputs."""
    if not isinstance(element, dict):
        raise _Bad(f"must be an object [json-pointer:{at}]")
    kind = element.get("type")
    if len(str(element.get("action_id", ""))) > InteractiveElement.action_id_max_length:
        raise _Bad(f"must be no more than 255 characters [json-pointer:{at}/action_id]")
    if "placeholder" in element:
        most = InputInteractiveElement.placeholder_max_length
        _words(element["placeholder"], most, f"{at}/placeholder", kinds=("plain_text",))
    if kind == "button":
        _button(element, at)
    elif kind in _PICKERS:
        _picker(element, at)
    elif kind == "feedback_buttons":
        for name in ("positive_button", "negative_button"):
            _words(element.get(name, {}).get("text"), 75, f"{at}/{name}/text", kinds=("plain_text",))
    elif kind == "plain_text_input":
        if len(element.get("initial_value", "")) > element.get("max_length", 3_000):
            raise _Bad(f"must be no more than max_length characters [json-pointer:{at}/initial_value]")
    elif kind not in ("number_input", "users_select", "conversations_select", "icon_button"):
        raise _Bad(f"unsupported type [json-pointer:{at}/type]")


def _button(element: Json, at: str) -> None:
    _words(element.get("text"), ButtonElement.text_max_length, f"{at}/text", kinds=("plain_text",))
    for name, most in (("value", ButtonElement.value_max_length), ("url", ButtonElement.url_max_length)):
        if len(element.get(name, "")) > most:
            raise _Bad(f"must be no more than {most} characters [json-pointer:{at}/{name}]")
    if element.get("style") not in (None, "primary", "danger"):
        raise _Bad(f"unsupported value [json-pointer:{at}/style]")


def _picker(element: Json, at: str) -> None:
    if "option_groups" in element:
        groups = _many(element["option_groups"], StaticSelectElement.option_groups_max_length, f"{at}/option_groups")
        options = [each for group in groups for each in group["options"]]
    else:
        most = 5 if element["type"] == "overflow" else 10 if element["type"] in ("radio_buttons", "checkboxes") else 100
        options = _many(element.get("options"), most, f"{at}/options")
    for number, option in enumerate(options):
        _words(option.get("text"), Option.label_max_length, f"{at}/options/{number}/text")
        _string(option.get("value"), Option.value_max_length, f"{at}/options/{number}/value")
    if "initial_option" in element and element["initial_option"] not in options:
        raise _Bad(f"must be one of the provided options [json-pointer:{at}/initial_option]")


_CHECKS: dict[str, Callable[[Json, str], None]] = {
    "actions": _actions,
    "context": _context,
    "context_actions": _actions,
    "divider": lambda block, at: None,
    "header": _header,
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "rich_text": _rich_text,
    "section": _section,
    "table": _table,
}


# ── what people read ────────────────────────────────────────────────────────────────────────────────────────────────


def body(blocks: list[Json]) -> str:
    """All but small print and buttons; a table as lines of cells with bars between."""
    return "\n\n".join(filter(None, map(_text, blocks)))


def _text(block: Json) -> str:
    match block["type"]:
        case "markdown":
            return str(block["text"])
        case "section":
            found = [block["text"]["text"]] if "text" in block else []
            return "\n".join([*found, *(each["text"] for each in block.get("fields", ()))])
        case "header":
            return str(block["text"]["text"])
        case "table":
            return "\n".join(" | ".join(map(_cell_text, row)) for row in block["rows"])
        case "rich_text":
            return _cell_text(block)
    return ""


def ringing(*texts: str, blocks: Sequence[Json] = ()) -> set[str]:
    """Whom a message rings for: ids of people and groups, channel, here, everyone (docs.slack.dev: Formatting text,
    "Advanced formatting"). How far code protects a mention is not told, so here it doesn't."""
    found = {next(filter(None, each)) for text in texts for each in _RINGS.findall(text)}
    for block in blocks:
        for part in (block, *_parts(block)):
            if part.get("type") in ("markdown", "mrkdwn"):
                found |= ringing(part["text"])
            elif part.get("type") in ("user", "usergroup", "broadcast"):
                found.add(str(part.get("user_id") or part.get("usergroup_id") or part.get("range")))
    return found


def _parts(value: Any) -> Iterator[Json]:
    """All objects in a block."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        if isinstance(each, dict):
            yield each
        yield from _parts(each)


def _cell_text(cell: Json) -> str:
    if "elements" in cell:
        return "".join(_cell_text(each) for each in cell["elements"])
    return str(cell.get("text", cell.get("value", cell.get("url", ""))))


def notes(blocks: list[Json]) -> tuple[str, ...]:
    """The small print."""
    return tuple(
        str(each.get("text", each.get("alt_text", "")))
        for block in blocks
        if block["type"] == "context"
        for each in block["elements"]
    )


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """(block, element) for all that can be pressed or filled in."""
    for block in blocks:
        if block["type"] in ("actions", "context_actions"):
            yield from ((block, each) for each in block["elements"])
        elif "accessory" in block:
            yield block, block["accessory"]
        elif block["type"] == "input":
            yield block, block["element"]


def buttons(blocks: list[Json]) -> tuple[str, ...]:
    return tuple(each["text"]["text"] for _, each in elements(blocks) if each["type"] == "button")


def with_ids(blocks: list[Json], new: Callable[[], str]) -> list[Json]:
    """Blocks and elements as the server keeps them: what has no id gets one (Block: "If not specified, one will be
    generated")."""
    kept = [{"block_id": new(), **block} for block in blocks]
    for _, element in elements(kept):
        element.setdefault("action_id", new())
    return kept


def check_metadata(given: Json | None) -> None:
    """docs.slack.dev: Message metadata; an empty object takes it away."""
    if not given:
        return
    if not isinstance(given.get("event_type"), str) or not isinstance(given.get("event_payload"), dict):
        raise Refusal("invalid_metadata_format")
