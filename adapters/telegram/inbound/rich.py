"""Rich messages, which have blocks and no `text`, as plain text (Bot API: RichMessage, RichBlock, RichText).

Reads whatever carries words, whatever its type is called: a block of a kind that came later still gives its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["flatten", "photos"]

_DEEP = 32  # levels; the platform allows 16


def flatten(message: Mapping[str, Any]) -> str:
    """The words of a rich message, a blank line between blocks."""
    return _blocks(message.get("blocks"), 0)


def photos(message: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The pictures in it, each as the list of its sizes."""
    yield from _photos(message.get("blocks"), 0)


def _blocks(blocks: Any, depth: int) -> str:
    if not isinstance(blocks, list) or depth > _DEEP:
        return ""
    texts = (_block(block, depth) for block in blocks if isinstance(block, Mapping))
    return "\n\n".join(text for text in texts if text.strip())


def _block(block: Mapping[str, Any], depth: int) -> str:
    match block.get("type"):
        case "pre":
            return f"```{block.get('language') or ''}\n{_text(block.get('text'))}\n```"
        case "mathematical_expression":
            return f"$$\n{block.get('expression') or ''}\n$$"
        case "divider":
            return "———"
        case "list":
            return "\n".join(_item(item, depth) for item in _mappings(block.get("items")))
        case "table":
            return "\n".join(_row(row) for row in block.get("cells") or () if isinstance(row, list))
        case "blockquote":
            return "\n".join(f"> {line}" for line in _blocks(block.get("blocks"), depth + 1).splitlines())
    caption = block.get("caption")
    parts = (
        _text(block.get("summary")),
        _text(block.get("text")),
        _blocks(block.get("blocks"), depth + 1),
        _text(caption),
    )
    return "\n".join(part for part in parts if part)


def _item(item: Mapping[str, Any], depth: int) -> str:
    box = ("☑ " if item.get("is_checked") else "☐ ") if item.get("has_checkbox") else ""
    inner = _blocks(item.get("blocks"), depth + 1).replace("\n", "\n  ")
    return f"{item.get('label') or '•'} {box}{inner}"


def _row(row: list[Any]) -> str:
    return " | ".join(_text(cell.get("text")) for cell in _mappings(row))


def _mappings(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _text(node: Any, depth: int = 0) -> str:
    if isinstance(node, str):
        return node
    if depth > _DEEP:
        return ""
    if isinstance(node, list):
        return "".join(_text(child, depth + 1) for child in node)
    if not isinstance(node, Mapping):
        return ""
    for name in ("text", "expression", "alternative_text", "button"):
        if node.get(name):
            return _text(node[name], depth + 1)
    return ""


def _photos(node: Any, depth: int) -> Iterator[list[Any]]:
    if depth > _DEEP:
        return
    if isinstance(node, list):
        for child in node:
            yield from _photos(child, depth + 1)
    elif isinstance(node, Mapping):
        if node.get("type") == "photo" and isinstance(node.get("photo"), list):
            yield node["photo"]
        yield from _photos(node.get("blocks"), depth + 1)
        yield from _photos(node.get("items"), depth + 1)
