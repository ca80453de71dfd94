"""How the Bot API says no: an HTTP status, the same number as `error_code`, words, and sometimes `parameters`."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Refusal", "bad", "conflict", "flood", "forbidden", "unauthorized"]


class Refusal(Exception):
    """`body` is what goes over the wire (Bot API: Making requests, ResponseParameters)."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        return {**body, "parameters": self.parameters} if self.parameters else body


def bad(words: str, **parameters: int) -> Refusal:
    return Refusal(400, f"Bad Request: {words}", **parameters)


def unauthorized(words: str = "") -> Refusal:
    return Refusal(401, f"Unauthorized: {words}" if words else "Unauthorized")


def forbidden(words: str) -> Refusal:
    return Refusal(403, f"Forbidden: {words}")


def conflict(words: str) -> Refusal:
    return Refusal(409, f"Conflict: {words}")


def flood(seconds: float) -> Refusal:
    """ResponseParameters.retry_after: whole seconds, at least one."""
    after = max(1, math.ceil(seconds))
    return Refusal(429, f"Too Many Requests: retry after {after}", retry_after=after)
