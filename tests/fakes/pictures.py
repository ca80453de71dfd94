"""Pictures for tests."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image

__all__ = ["picture"]


@cache
def picture(width: int = 1000, height: int = 750, colour: str = "teal", format: str = "JPEG") -> bytes:
    """A real picture."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, format)
    return out.getvalue()
