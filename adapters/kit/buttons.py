"""Labels and addresses of buttons, as far as a platform takes them."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from bot.types import Choice

__all__ = ["clipped", "is_url", "label"]

_WEB = frozenset({"http", "https"})


def label(choice: Choice, most: int) -> str:
    """What stands on a button, in at most `most` characters; what is chosen has a tick."""
    words = choice.label.strip() or "…"
    if choice.chosen and not words.startswith("✓"):
        words = f"✓ {words}"
    return clipped(words, most)


def clipped(text: str, most: int) -> str:
    """At most `most` characters, and a sign that there was more."""
    return text if len(text) <= most else text[: most - 1] + "…"


def is_url(url: str, schemes: Collection[str] = _WEB) -> bool:
    """Whether a button may lead there: platforms refuse the whole message for one that it may not."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that isn't closed
        return False
    return parts.scheme in schemes and bool(parts.netloc)
