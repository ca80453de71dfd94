"""Recipes: what is made of a file: its kind chooses the recipe, whose name carries a version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.decoding.kinds import PICTURES, Complaint, kind_of
from bot.decoding.limits import MAX_BYTES

__all__ = ["CURRENT", "prepare"]

PICTURE, TEXT = "picture-1", "text-1"
CURRENT = frozenset((PICTURE, TEXT))
_START = 4096  # bytes that tell the kind


def prepare(source: Path, target: Path, *, images: bool) -> Mapping[str, object]:
    """What is in `source`, as files beside `target`. Raises Complaint."""
    size = source.stat().st_size
    if not size:
        raise Complaint("empty")
    if size > MAX_BYTES:
        raise Complaint("large", size=size, limit=MAX_BYTES)
    data = source.read_bytes()
    kind = kind_of(data[:_START])
    if kind in PICTURES:
        from bot.decoding.pictures import read_picture  # large, and not needed for texts

        return {"recipe": PICTURE, **read_picture(data, target, kind)}
    if kind:
        raise Complaint("format", format=kind)
    if images and _is_web_page(data[:_START]):
        raise Complaint("page")
    from bot.decoding.texts import read_text

    return {"recipe": TEXT, **read_text(data, target)}


def _is_web_page(start: bytes) -> bool:
    """What somebody's server gives instead of a picture."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
