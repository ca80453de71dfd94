"""Truncated JPEG: one whose last bytes are missing, but none of its pixels."""

from __future__ import annotations

import io

from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from bot.decoding.markers import scans

__all__ = ["mended"]

_END = b"\xff\xd9"
_BLOCK = 18  # pixels a side, at most, and what smoothing makes of its neighbours
_FILLS = (b"\x55" * 96, b"\xaa\x33" * 48)  # data that could be the picture's


def mended(data: bytes) -> bytes:
    """With an end mark, if that is missing and no pixel is, save perhaps in the last block. Else the file as it is:
    the decoder will say that it is incomplete."""
    start = data.rstrip(b"\0\r\n")
    if _END in start[-4096:] or scans(start) == 0:
        return data
    start = start.removesuffix(b"\xff")
    try:
        whole = _decoded(start + _END)
        for fill in _FILLS:  # what would come next changes only what is not there yet
            box = ImageChops.difference(whole, _decoded(start + fill + _END)).getbbox()
            if box is not None and (box[0] < whole.width - _BLOCK or box[1] < whole.height - _BLOCK):
                return data
    except (OSError, SyntaxError, ValueError):
        return data
    return start + _END


def _decoded(data: bytes) -> Image.Image:
    return JpegImageFile(io.BytesIO(data)).convert("RGB")
