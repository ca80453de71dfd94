"""Picture descriptions: what the sandbox truly can tell of a picture: its format, its size, its main colours."""

from __future__ import annotations

import base64
import binascii
import colorsys
import io
from collections import Counter
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from bot.sandbox.rules import Problem

__all__ = ["Picture", "look"]

_MOST_PIXELS = 50_000_000
_SMALL = 64  # pixels a side are enough for colours


@dataclass(frozen=True, slots=True)
class Picture:
    """`format` is '' if it was not opened: the sandbox fetches nothing. `colours` are English names, most first."""

    format: str = ""
    width: int = 0
    height: int = 0
    colours: tuple[str, ...] = ()


def look(url: str) -> Picture:
    """Open the picture of a data: URL. It decodes, so call it in a thread. Raises Problem."""
    if not url.startswith("data:"):
        return Picture()
    head, _, data = url.partition(",")
    try:
        raw = base64.b64decode(data, validate=True) if head.endswith(";base64") else b""
        with Image.open(io.BytesIO(raw)) as image:
            format, (width, height) = image.format or "", image.size
            _check_size(width, height)
            return Picture(format, width, height, _colours(image))
    except (
        binascii.Error,
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,  # a broken PNG
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        raise Problem("The image format is illegal and cannot be opened") from None


def _check_size(width: int, height: int) -> None:
    if min(width, height) <= 10:
        raise Problem(
            "The image length and width do not meet the model restrictions. "
            f"[height:{height} or width:{width} must be larger than 10]"
        )
    if max(width, height) > 200 * min(width, height):
        raise Problem("absolute aspect ratio must be smaller than 200")
    if width * height > _MOST_PIXELS:
        raise Problem("Multimodal file size is too large")


def _colours(image: Image.Image) -> tuple[str, ...]:
    """Up to three colours that cover most of it, the largest first."""
    image.draft("RGB", (4 * _SMALL, 4 * _SMALL))  # a JPEG need not be decoded in full
    if "A" in image.getbands() or "transparency" in image.info:
        seen = image.convert("RGBA")
        ground = Image.new("RGBA", seen.size, "white")
        ground.alpha_composite(seen)
        image = ground
    small = image.convert("RGB").resize((_SMALL, _SMALL), Image.Resampling.BOX)
    raw = small.tobytes()
    names = Counter(_name(*raw[at : at + 3]) for at in range(0, len(raw), 3))
    total = _SMALL * _SMALL
    return tuple(name for place, (name, count) in enumerate(names.most_common(3)) if place == 0 or count >= total / 12)


def _name(red: int, green: int, blue: int) -> str:
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if value < 0.16:
        return "black"
    if saturation < 0.14:
        return "white" if value > 0.92 else "light grey" if value > 0.7 else "grey" if value > 0.35 else "dark grey"
    degrees = hue * 360
    if degrees < 15 or degrees >= 340:
        return "pink" if saturation < 0.5 and value > 0.7 else "red"
    if degrees < 45:
        return "orange" if value > 0.65 and saturation > 0.5 else "beige" if value > 0.75 else "brown"
    for end, name in ((70, "yellow"), (165, "green"), (195, "turquoise"), (255, "blue"), (320, "purple")):
        if degrees < end:
            return name
    return "pink"
