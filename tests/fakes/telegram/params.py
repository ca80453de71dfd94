"""The parameters of one call, however they came: query string, form, multipart or JSON (Bot API: Making requests)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.fakes.telegram.refusals import bad

__all__ = ["Params", "read_params"]

# The parameters that a form carries as JSON, with the words the real server has for a bad one.
_JSON = {
    "allowed_updates": "can't parse allowed updates JSON object",
    "commands": "can't parse commands JSON object",
    "entities": "can't parse entities JSON object",
    "link_preview_options": "can't parse link preview options JSON object",
    "reply_markup": "can't parse reply keyboard markup JSON object",
    "reply_parameters": "can't parse reply parameters JSON object",
    "rich_message": "can't parse rich message JSON object",
    "scope": "can't parse BotCommandScope JSON object",
}


class Params:
    """`values` has what came, with JSON parameters decoded where they could be."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = {}
        self._broken: set[str] = set()
        for name, value in raw.items():
            if name in _JSON and isinstance(value, str):
                try:
                    value = json.loads(value) if value else None
                except ValueError:
                    self._broken.add(name)
            self.values[name] = value

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value)

    def number(self, name: str, default: int = 0) -> int:
        try:
            return int(self.text(name))
        except ValueError:
            return default

    def clamped(self, name: str, default: int, low: int, high: int) -> int:
        return min(max(self.number(name, default), low), high)

    def yes(self, name: str) -> bool:
        return self.text(name).strip().lower() in ("true", "yes", "1")

    def given(self, name: str) -> bool:
        return self.values.get(name) is not None

    def data(self, name: str, kind: type) -> Any:
        """A JSON parameter of the given Python type, None if it wasn't sent."""
        if name in self._broken:
            raise bad(_JSON[name])
        value = self.values.get(name)
        if value is not None and not isinstance(value, kind):
            raise bad(f"{'object' if kind is dict else 'array'} expected as {name.replace('_', ' ')}")
        return value


async def read_params(request: web.Request) -> Params:
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            raise bad("can't parse JSON object") from None  # Bot API: "application/json (except for uploading files)"
        values |= body if isinstance(body, dict) else {}
    elif request.method == "POST":
        for name, value in (await request.post()).items():
            values[name] = value.file.read() if isinstance(value, web.FileField) else value
    return Params(values)
