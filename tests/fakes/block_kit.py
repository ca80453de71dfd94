"""What Slack refuses in a message or view (docs.slack.dev: Block Kit reference, chat.postMessage, Views)."""

from __future__ import annotations

from typing import Any

__all__ = ["MARKDOWN", "Refusal", "check_blocks", "check_content", "check_stream", "check_view", "needs"]

Json = dict[str, Any]

CAP = 10_600  # bytes of UTF-8 that a stream holds (openclaw#143882)
MARKDOWN = 12_000  # characters of all markdown blocks of a message


class Refusal(Exception):
    """The answer {"ok": false, "error": word}."""

    def __init__(self, word: str, **more: Any) -> None:
        super().__init__(word)
        self.answer: Json = {"ok": False, "error": word, **more}


def needs(given: Json, *names: str) -> None:
    if not all(given.get(name) for name in names):
        raise Refusal("invalid_arguments")


def check_content(given: Json) -> None:
    blocks, text = given.get("blocks"), given.get("text")
    if given.get("markdown_text") and (blocks or text):
        raise Refusal("markdown_text_conflict")
    if not (blocks or text or given.get("markdown_text")):
        raise Refusal("no_text")
    check_blocks(blocks or [])
    metadata = given.get("metadata")
    if metadata is not None and set(metadata) != {"event_type", "event_payload"}:
        raise Refusal("invalid_metadata_format")


def check_stream(text: str) -> None:
    if len(text.encode()) > CAP or len(text) > MARKDOWN:
        raise Refusal("msg_too_long")


def check_blocks(blocks: list[Json]) -> None:
    """Block Kit's limits: 50 blocks, 12,000 characters of Markdown in all, one table of 100 rows and 20 columns."""
    if len(blocks) > 50:
        raise Refusal("invalid_blocks")
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN:
        raise Refusal("msg_blocks_too_long")
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise Refusal("invalid_blocks")
    ids: list[str] = []
    for block in blocks:
        if not _is_block(block):
            raise Refusal("invalid_blocks")
        ids += [element["action_id"] for element in block.get("elements", ()) if "action_id" in element]
    if len(ids) != len(set(ids)):
        raise Refusal("invalid_blocks")


def _is_block(block: Json) -> bool:
    match block["type"]:
        case "markdown":
            return bool(block["text"])
        case "section" | "header":
            return 0 < len(block["text"]["text"]) <= 3_000
        case "context":
            return all(element["text"] for element in block["elements"]) and 0 < len(block["elements"]) <= 10
        case "actions":
            return 0 < len(block["elements"]) <= 25 and all(map(_is_element, block["elements"]))
        case "table":
            rows = block["rows"]
            return 0 < len(rows) <= 100 and all(0 < len(row) <= 20 for row in rows) and _has_no_empty_cell(rows)
        case "input":
            return _is_element(block["element"]) and bool(block["label"]["text"])
    return False


def _has_no_empty_cell(rows: list[list[Json]]) -> bool:
    cells = [section for row in rows for cell in row for section in cell["elements"]]
    return all(section["elements"] and all(part.get("text") for part in section["elements"]) for section in cells)


def _is_element(element: Json) -> bool:
    match element["type"]:
        case "button":
            return 0 < len(element["text"]["text"]) <= 75 and len(element.get("value", "")) <= 2_000
        case "static_select":
            options = element["options"]
            return 0 < len(options) <= 100 and element.get("initial_option", options[0]) in options
        case "plain_text_input":
            return len(element.get("initial_value", "")) <= 3_000
    return False


def check_view(view: Json, kind: str) -> None:
    """docs.slack.dev: Views: a title has 24 characters, private_metadata 3,000; no markdown blocks in them."""
    if view["type"] != kind or len(view.get("private_metadata", "")) > 3_000:
        raise Refusal("invalid_arguments")
    if len(view.get("title", {}).get("text", "")) > 24 or any(block["type"] == "markdown" for block in view["blocks"]):
        raise Refusal("invalid_arguments")
    check_blocks(view["blocks"])
