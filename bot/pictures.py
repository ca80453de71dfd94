"""What makes a picture fit for a model: read with care, turned upright, made small; or refused with the reason.

Limits of a picture in a request: BMP, JPEG, PNG, TIFF, WEBP or HEIC, sides of more than 10 pixels, one at most 200
times the other, less than 10 MB in base64 (Model Studio: visual understanding). More than 1,003,520 pixels are scaled
down there anyway (1,280 tokens of 28 x 28), so no more are sent; a JPEG of that size is far below 10 MB.
"""

from __future__ import annotations

import asyncio
import base64
import io
import math
import mimetypes
import struct
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageCms, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from bot.chat_api.tokens import image_tokens
from bot.errors import MediaError
from bot.types import Attachment, ImagePart, Kind, Text

__all__ = ["MAX_BYTES", "Picture", "check_attachment", "load_image"]

MAX_BYTES = 20_000_000  # of a file that is taken
_MAX_PIXELS = 50_000_000  # decoded, about half a gigabyte in passing
_SENT_PIXELS = 1_003_520
_MIN_SIDE = 10  # a side must have more
_MAX_RATIO = 200
_QUALITY = 85
_FEW_COLOURS = 256

_FORMATS: dict[str, type[ImageFile]] = {
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "TIFF": TiffImageFile,
    "WEBP": WebPImageFile,
}
_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
)
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@dataclass(frozen=True, slots=True)
class Picture:
    """A prepared picture: bytes of `mime`, upright, at most 1,003,520 pixels, without metadata."""

    data: bytes
    mime: str
    width: int
    height: int

    @property
    def url(self) -> str:
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"

    @property
    def part(self) -> ImagePart:
        return ImagePart(self.url, image_tokens(self.width, self.height))


async def load_image(path: Path, *, max_bytes: int = MAX_BYTES, name: str = "") -> Picture:
    """Prepare the picture in a file; `name` is what people call it. In a thread. Raises MediaError."""
    return await asyncio.to_thread(_load, path, max_bytes, name)


def check_attachment(attachment: Attachment) -> None:
    """Say no before fetching, where that is certain. Raises MediaError."""
    called = _called(attachment.name)
    told = attachment.mime or mimetypes.guess_type(attachment.name)[0] or ""
    if attachment.kind in (Kind.VIDEO, Kind.AUDIO) or (attachment.kind is Kind.FILE and not told.startswith("image/")):
        raise MediaError("{name} is not a picture. Only pictures can be looked at.", name=called)
    if attachment.size is not None:
        _check_bytes(attachment.size, MAX_BYTES, called)


def _load(path: Path, max_bytes: int, name: str) -> Picture:
    called = _called(name)
    try:
        _check_bytes(path.stat().st_size, max_bytes, called)
        data = path.read_bytes()
    except OSError as error:
        raise MediaError("{name} can't be read: {reason}", name=called, reason=error.strerror or str(error)) from error
    kind = _kind(data[:1024], called)
    try:
        with _open(kind, data) as image:
            _check_size(*image.size)
            return _encode(_upright(_scaled(image)))
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # a reader was quicker than we
        raise MediaError(
            "{name} has too many pixels; at most {limit} million can be read.",
            name=called,
            limit=_MAX_PIXELS // 1_000_000,
        ) from error
    except Exception as error:  # on a broken file the decoders raise whatever they run into
        raise MediaError(
            "{name} is damaged or incomplete: its {format} data can't be read.",
            name=called,
            format=kind,
            detail=repr(error),
        ) from error


def _called(name: str) -> str | Text:
    return name or Text("This file")


def _check_bytes(size: int, limit: int, called: str | Text) -> None:
    if not size:
        raise MediaError("{name} is empty (0 bytes).", name=called)
    if size > limit:
        raise MediaError(
            "{name} has {size} MB; at most {limit} MB can be taken.",
            name=called,
            size=_megabytes(size),
            limit=_megabytes(limit),
        )


def _megabytes(size: int) -> str:
    return f"{math.ceil(size / 100_000) / 10:g}"  # rounded up, so that it never equals a limit that it exceeds


def _check_size(width: int, height: int) -> None:
    if width * height > _MAX_PIXELS:
        raise MediaError(
            "This picture is {width} x {height} pixels; at most {limit} million pixels can be read.",
            width=width,
            height=height,
            limit=_MAX_PIXELS // 1_000_000,
        )
    if min(width, height) <= _MIN_SIDE:
        raise MediaError(
            "This picture is {width} x {height} pixels; each side must have more than {limit}.",
            width=width,
            height=height,
            limit=_MIN_SIDE,
        )
    if max(width, height) > _MAX_RATIO * min(width, height):
        raise MediaError(
            "This picture is {width} x {height} pixels; one side may be at most {limit} times the other.",
            width=width,
            height=height,
            limit=_MAX_RATIO,
        )


def _kind(start: bytes, called: str | Text) -> str:
    """The format that the first bytes tell. MediaError if it isn't one that we read."""
    kind = next((kind for magic, kind in _STARTS if start.startswith(magic)), "")
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        kind = "WEBP"
    elif start[4:8] == b"ftyp":
        kind = "HEIC" if start[8:12] in _HEIC else "AVIF" if start[8:11] == b"avi" else "MP4"
    if kind in _FORMATS or kind == "HEIC":
        return kind
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise MediaError("{name} is not a picture: it looks like a web page.", name=called)
    if b"<svg" in text:
        kind = "SVG"
    elif not kind and _is_text(start):
        raise MediaError("{name} is not a picture: it looks like text.", name=called)
    if kind:
        raise MediaError(
            "{name} is in the format {format}, which can't be read as a picture. These can: {formats}.",
            name=called,
            format=kind,
            formats="JPEG, PNG, WEBP, GIF, HEIC, BMP, TIFF",
        )
    raise MediaError(
        "{name} is not a picture that can be read. These can: {formats}.",
        name=called,
        formats="JPEG, PNG, WEBP, GIF, HEIC, BMP, TIFF",
    )


def _is_text(start: bytes) -> bool:
    try:
        words = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # else: a character cut in two
            return False
        words = start[: error.start].decode()
    return all(sign.isprintable() or sign.isspace() for sign in words)


def _open(kind: str, data: bytes) -> ImageFile:
    """Read the header. Each format's reader is called by itself, for `Image.open` refuses without telling the size."""
    file = io.BytesIO(data)
    if kind == "HEIC":
        from pillow_heif.as_plugin import HeifImageFile  # large, and rarely needed

        heic: ImageFile = HeifImageFile(file)  # type: ignore[no-untyped-call]  # it brings no types
        return heic
    return _FORMATS[kind](file)


def _scaled(image: Image.Image) -> Image.Image:
    """At most _SENT_PIXELS, in RGB."""
    size = _fitting(*image.size)
    image.draft(None, (2 * size[0], 2 * size[1]))  # a JPEG can be decoded smaller
    image = _eight_bits(image)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        white.info = image.info  # the orientation may stand there
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _fitting(width: int, height: int) -> tuple[int, int]:
    if width * height <= _SENT_PIXELS:
        return width, height
    factor = math.sqrt(_SENT_PIXELS / (width * height))
    width, height = int(width * factor), int(height * factor)
    return min(width, _MAX_RATIO * height), min(height, _MAX_RATIO * width)


def _eight_bits(image: Image.Image) -> Image.Image:
    """A mode that can be scaled: L, RGB, RGBA or CMYK."""
    if image.mode[0] in "IF":
        return _grey(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """Values of more than 8 bits, which Pillow would cut off at 255: 16 bits as such, others from least to most."""
    if image.mode not in ("I", "F"):
        image = image.convert("I")
    low, high = (float(end) for end in image.getextrema()[:2])  # type: ignore[arg-type]  # of one band, they are numbers
    if low >= 0 and high <= 65535:
        low, high = 0.0, 255.0 if high <= 255 else 65535.0
    scale = 255.0 / ((high - low) or 1.0)
    return image.convert("F").point(lambda value: value * scale - low * scale).convert("L")


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF data says."""
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, KeyError, TypeError, IndexError, OSError, struct.error):
        return image  # broken metadata is no reason to refuse a picture


def _encode(image: Image.Image) -> Picture:
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
    return Picture(best.getvalue(), mime, *image.size)
