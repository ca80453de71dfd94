"""Health checks: what `magpie doctor` says of any platform."""

from __future__ import annotations

from bot.types import Finding, Mark, Text

__all__ = ["PATIENCE", "no_answer"]

PATIENCE = 10.0  # seconds for a call of the doctor's


def no_answer(url: str, reason: str, variable: str, proxy: str) -> Finding:
    """A platform that can't be reached. `variable` is the setting that names a proxy, `proxy` what it holds."""
    data = {"url": url, "reason": reason[:200], "variable": variable}
    if proxy:
        return Finding(Mark.WRONG, Text("{url} gives no answer through {variable}: {reason}", data))
    words = Text("{url} gives no answer: {reason}. Where it can't be reached directly, set {variable}.", data)
    return Finding(Mark.WRONG, words)
