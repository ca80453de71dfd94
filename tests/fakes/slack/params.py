"""The parameters of a call, as JSON, as a form or in the address (docs.slack.dev: Web API, "Request bodies")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.fakes.slack.refusals import Refusal, invalid, missing

__all__ = ["Params", "read_params"]

# What a form carries as JSON, with the word for what can't be read.
_JSON = {
    "attachments": "invalid_attachments",
    "blocks": "invalid_blocks_format",
    "chunks": "invalid_chunks",
    "loading_messages": "invalid_arguments",
    "metadata": "invalid_metadata_format",
    "view": "invalid_arguments",
}
_LISTS = ("attachments", "blocks", "chunks", "loading_messages")


class Params:
    """`values` has what came, JSON in a form decoded."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.values = {name: _decoded(name, value) for name, value in raw.items() if value is not None}

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        if isinstance(value, dict | list):
            raise invalid("invalid_arguments", f"must be a string [json-pointer:/{name}]")
        return str(value)

    def needed(self, name: str) -> str:
        """docs.slack.dev: invalid_arguments, for an argument that is required."""
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def number(self, name: str, default: int, most: int) -> int:
        try:
            value = int(self.text(name) or default)
        except ValueError:
            raise invalid("invalid_arguments", f"must be an integer [json-pointer:/{name}]") from None
        return min(max(value, 1), most)

    def yes(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "1")

    def given(self, name: str) -> bool:
        return name in self.values

    def data(self, name: str, kind: type) -> Any:
        """A JSON argument of the given Python type, None if it wasn't sent."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, kind):
            raise Refusal(_JSON[name])
        return value


def _decoded(name: str, value: Any) -> Any:
    if name not in _JSON or not isinstance(value, str):
        return value
    if not value:
        return None
    try:
        return json.loads(value)
    except ValueError:
        raise Refusal(_JSON[name]) from None


async def read_params(request: web.Request) -> Params:
    """docs.slack.dev: invalid_json, json_not_object: of a body that says it is JSON."""
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json() if request.can_read_body else {}
        except ValueError:
            raise Refusal("invalid_json") from None
        if not isinstance(body, dict):
            raise Refusal("json_not_object")
        values |= body
    elif request.method == "POST":
        values |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return Params(values)
