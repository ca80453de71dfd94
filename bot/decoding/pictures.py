"""Image preparation: what makes a picture fit for a model: read with care, turned upright, in sRGB, on a ground that
shows it, made small.

More pixels than a model looks at are not sent. What is tall or wide beyond reading at that size is sent in pieces. Of
an animation one frame is shown that shows something, of several pages the first; that there is more is told.
"""

from __future__ import annotations

import contextlib
import io
import math
import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import AvifImagePlugin, Image, ImageFile, ImageOps
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bot.decoding.colours import eight_bits, grounded, in_srgb
from bot.decoding.frames import telling_frame
from bot.decoding.jpeg import mended
from bot.decoding.kinds import Complaint
from bot.decoding.limits import MAX_PIXELS, MAX_RATIO, MAX_SCANS, MIN_SIDE, SENT_PIXELS
from bot.decoding.markers import scans

__all__ = ["read_picture"]

_QUALITY = 85
_FEW_COLOURS = 256
_LEAST_SCALE = 0.4  # letters of a telephone's screenshot are 35 pixels high: then 14, which can still be read
_LONG = 2.5  # one side this many times the other: a scroll, not a view
_MOST_PIECES = 6  # at 50 million pixels each is a third as large as it was
_OVERLAP = 0.04  # of a piece, so that each line is whole in one of two

AvifImagePlugin.DEFAULT_MAX_THREADS = 1
_FORMATS: dict[str, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "TIFF": TiffImageFile,
    "WEBP": WebPImageFile,
}


def read_picture(data: bytes, target: Path, kind: str) -> dict[str, object]:
    """Write the picture, or its pieces in order, as `<target>.0` and so on. Raises Complaint."""
    try:
        return _read(data, target, kind)
    except (Complaint, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # a reader was quicker than we
        raise Complaint("bomb", limit=MAX_PIXELS // 1_000_000) from error
    except Exception as error:  # on a broken file the decoders raise whatever they run into
        words = str(error).lower()  # libheif calls its own bounds, which a broken file goes over, "memory" as well
        if isinstance(error.__cause__, MemoryError) or ("memory" in words and "security limit" not in words):
            raise MemoryError from error
        raise Complaint("damaged", detail=repr(error), format=kind) from error


def _read(data: bytes, target: Path, kind: str) -> dict[str, object]:
    if kind == "JPEG":
        if scans(data) > MAX_SCANS:
            raise Complaint("scans", limit=MAX_SCANS)
        data = mended(data)
    with _open(kind, data) as image:
        _check_size(*image.size)
        facts = telling_frame(image, kind)
        image.draft(None, _drafted(*image.size))  # a JPEG can be decoded smaller
        _turn_upright(image)
        files = []
        for number, piece in enumerate(_pieces(image)):
            mime, encoded = _encoded(piece)
            target.with_name(f"{target.name}.{number}").write_bytes(encoded)
            files.append({"mime": mime, "size": len(encoded), "width": piece.width, "height": piece.height})
    return {"files": files, "facts": facts}


def _open(kind: str, data: bytes) -> ImageFile.ImageFile:
    """Read the header. Each format's reader is called by itself, for `Image.open` refuses without telling the size."""
    file = io.BytesIO(data)
    if kind != "HEIC":
        return _FORMATS[kind](file)
    try:
        import pillow_heif  # an extra, see docs/dependencies.md
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError:
        raise Complaint("heic") from None
    pillow_heif.options.DECODE_THREADS = 1
    heic: ImageFile.ImageFile = HeifImageFile(file)  # type: ignore[no-untyped-call]  # it brings no types
    return heic


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Complaint("pixels", width=width, height=height, limit=MAX_PIXELS // 1_000_000)
    if min(width, height) <= MIN_SIDE:
        raise Complaint("side", width=width, height=height, limit=MIN_SIDE)
    if max(width, height) > MAX_RATIO * min(width, height):
        raise Complaint("ratio", width=width, height=height, limit=MAX_RATIO)


def _turn_upright(image: Image.Image) -> None:
    """As its EXIF data says. In place: a copy of a large picture is large."""
    image.load()
    with contextlib.suppress(SyntaxError, ValueError, KeyError, TypeError, IndexError, OSError, struct.error):
        ImageOps.exif_transpose(image, in_place=True)  # broken metadata is no reason to refuse a picture


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _count(width: int, height: int) -> int:
    """In how many pieces a picture of this size is sent: more than one for a scroll that couldn't be read in one."""
    if max(width, height) < _LONG * min(width, height):
        return 1
    readable = width * height * _LEAST_SCALE**2
    return min(_MOST_PIECES, math.ceil(readable / SENT_PIXELS)) if readable > 1.3 * SENT_PIXELS else 1


def _drafted(width: int, height: int) -> tuple[int, int]:
    """The least size to decode: twice what is sent, each way."""
    factor = min(1.0, 2 * math.sqrt(_count(width, height) * SENT_PIXELS / (width * height)))
    return math.ceil(width * factor), math.ceil(height * factor)


def _pieces(image: Image.Image) -> Iterator[Image.Image]:
    count = _count(*image.size)
    if count == 1:
        yield _scaled(image)
        return
    tall = image.height > image.width
    length = image.height if tall else image.width
    step = length / count
    for number in range(count):
        begin = max(0, round(number * step - step * _OVERLAP))
        end = min(length, round((number + 1) * step))
        box = (0, begin, image.width, end) if tall else (begin, 0, end, image.height)
        piece = image.crop(box)
        piece.info = image.info
        yield _scaled(piece)


def _scaled(image: Image.Image) -> Image.Image:
    """At most SENT_PIXELS, in sRGB, with nothing that could be seen through."""
    size = _fitting(*image.size)
    image = eight_bits(image)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return grounded(in_srgb(image))


def _fitting(width: int, height: int) -> tuple[int, int]:
    if width * height <= SENT_PIXELS:
        return width, height
    factor = math.sqrt(SENT_PIXELS / (width * height))
    width, height = int(width * factor), int(height * factor)
    return min(width, MAX_RATIO * height), min(height, MAX_RATIO * width)


def _encoded(image: Image.Image) -> tuple[str, bytes]:
    """JPEG; or PNG for a drawing of few colours, where it is the smaller, and sharper too."""
    clean = Image.new("RGB", image.size)
    clean.paste(image)  # pixels only
    best, mime = io.BytesIO(), "image/jpeg"
    clean.save(best, "JPEG", quality=_QUALITY, optimize=True)
    if clean.getcolors(_FEW_COLOURS) is not None:
        drawing = io.BytesIO()
        clean.save(drawing, "PNG", optimize=True)
        if drawing.tell() <= best.tell():
            best, mime = drawing, "image/png"
    return mime, best.getvalue()
