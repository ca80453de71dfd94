"""Animations: pictures that are several: which frame of an animation to show, and what to tell of the rest."""

from __future__ import annotations

from PIL import Image, ImageFile

__all__ = ["telling_frame"]

_LOOKED_AT = 60  # frames at most; of longer animations the beginning
_PIXELS = 60_000_000  # in all frames that are looked at
_SMALL = 64  # pixels a side, to compare
_PLAIN = 24  # of 255: what differs less from the ground is nothing
_ENOUGH = 0.5  # of what the fullest frame shows


def telling_frame(image: ImageFile.ImageFile, kind: str) -> dict[str, object]:
    """Go to the frame to show. Returns what to tell: `pages`; or `frames`, `frame` (from 1) and `seconds` where
    known."""
    if kind == "JPEG":
        return {}
    count = int(getattr(image, "n_frames", 1))
    if count < 2:
        return {}
    if kind in ("TIFF", "HEIC"):
        image.seek(0)
        return {"pages": count}
    width, height = image.size
    look = max(2, min(count, _LOOKED_AT, _PIXELS // (width * height)))
    shown, seconds = _fullest(image, look)
    image.seek(shown)
    facts: dict[str, object] = {"frames": count, "frame": shown + 1}
    if seconds:
        facts["seconds"] = round(seconds * count / look, 1)
    return facts


def _fullest(image: ImageFile.ImageFile, look: int) -> tuple[int, float]:
    """The first frame that shows at least half of what the fullest one does, and how long those looked at last."""
    shares: list[float] = []
    milliseconds = 0.0
    for number in range(look):
        try:
            image.seek(number)
            shares.append(_share(image))
        except (EOFError, OSError, SyntaxError, ValueError):
            if not shares:
                raise
            break  # the file ends early: what is there counts
        duration = image.info.get("duration", 0)
        milliseconds += duration if isinstance(duration, (int, float)) else 0
    best = max(shares)
    return next(at for at, share in enumerate(shares) if share >= _ENOUGH * best), milliseconds / 1000


def _share(image: Image.Image) -> float:
    """How much of a frame is not its commonest grey."""
    frame = image.convert("RGBA")
    on_grey = Image.new("RGBA", frame.size, (128, 128, 128, 255))
    on_grey.alpha_composite(frame)
    small = on_grey.convert("L").resize((_SMALL, _SMALL), Image.Resampling.BOX)
    histogram = small.histogram()
    common = max(range(256), key=lambda grey: histogram[grey])
    plain = sum(histogram[max(0, common - _PLAIN) : common + _PLAIN + 1])
    return 1 - plain / _SMALL**2
