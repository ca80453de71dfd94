"""How the Web API says no: mostly 200 with `ok: false` and a word (docs.slack.dev: Web API, "Evaluating responses")."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Refusal", "flood", "invalid", "missing"]


class Refusal(Exception):
    """`body` is what goes over the wire."""

    def __init__(self, error: str, status: int = 200, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"ok": False, "error": error, **more}


def invalid(error: str, *messages: str) -> Refusal:
    """With the reasons for whoever develops an app."""
    return Refusal(error, response_metadata={"messages": [f"[ERROR] {message}" for message in messages]})


def missing(name: str) -> Refusal:
    return invalid("invalid_arguments", f"missing required field: {name}")


def flood(seconds: float) -> Refusal:
    """docs.slack.dev: Rate limits: HTTP 429 with whole seconds in Retry-After."""
    return Refusal("ratelimited", 429, {"Retry-After": str(max(1, math.ceil(seconds)))})
