"""Pictures for the model: read with care, turned upright, made small, and kept so that each is fetched once.

Limits of a picture in a request: BMP, JPEG, PNG, TIFF, WEBP or HEIC, sides of more than 10 pixels, one at most 200
times the other, less than 10 MB in base64 (Model Studio: visual understanding). More than 1,003,520 pixels are scaled
down there anyway (1,280 tokens of 28 x 28), so no more are sent; a JPEG of that size is far below 10 MB.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import hashlib
import io
import math
import mimetypes
import os
import struct
import uuid
from collections.abc import Iterator
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
from bot.errors import MediaError, StoreError, StoreFull
from bot.types import Adapter, Attachment, Chat, Clock, ImagePart, Kind, Text

__all__ = ["MAX_BYTES", "MediaStore", "Picture", "load_image"]

MAX_BYTES = 20_000_000
_MAX_PIXELS = 50_000_000  # decoded, about half a gigabyte in passing
_SENT_PIXELS = 1_003_520
_MIN_SIDE = 10  # a side must have more
_MAX_RATIO = 200
_QUALITY = 85
_FEW_COLOURS = 256
_MOST_FAILURES = 1000  # remembered
_HOUR = 3_600_000  # milliseconds

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


# ── one picture ─────────────────────────────────────────────────────────────────────────────────────────────────────


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

        heic: ImageFile = HeifImageFile(file)  # type: ignore[no-untyped-call]
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
    low, high = (float(end) for end in image.getextrema()[:2])  # type: ignore[arg-type]
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


# ── many ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Work:
    """A picture being fetched, for everybody who asked for it meanwhile."""

    def __init__(self, task: asyncio.Task[Picture]) -> None:
        self.task = task
        self.waiting = 0


class MediaStore:
    """Prepared pictures in a directory, by account and ref, so that a later turn doesn't fetch them again."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._works: dict[str, _Work] = {}
        self._failures: dict[str, MediaError] = {}
        self._decoding = asyncio.Semaphore(1)  # memory: one large picture at a time

    async def image(self, adapter: Adapter, chat: Chat, attachment: Attachment) -> ImagePart:
        """The attachment as the model gets it. Raises MediaError, StoreFull, and what `adapter.fetch` raises."""
        _check_kind(attachment)
        key = hashlib.sha256("\0".join((chat.platform, chat.account, attachment.ref)).encode()).hexdigest()
        if failure := self._failures.get(key):
            raise MediaError(failure.text, detail=failure.detail, **failure.data)
        work = self._works.get(key)
        if work is None:
            work = self._works[key] = _Work(asyncio.create_task(self._picture(adapter, attachment, key)))
        work.waiting += 1
        try:
            return (await asyncio.shield(work.task)).part
        finally:
            work.waiting -= 1
            if not work.waiting:
                work.task.cancel()
                if self._works.get(key) is work:
                    del self._works[key]

    async def prune(self, max_bytes: int) -> int:
        """Delete the pictures longest unused until at most `max_bytes` are left. Returns how many went."""
        return await asyncio.to_thread(_prune, self._directory, max_bytes, self._clock.now())

    async def _picture(self, adapter: Adapter, attachment: Attachment, key: str) -> Picture:
        kept = await asyncio.to_thread(_kept, self._directory, key, self._clock.now())
        if kept is not None:
            return kept
        try:
            return await self._prepare(adapter, attachment, key)
        except MediaError as error:
            while len(self._failures) >= _MOST_FAILURES:
                del self._failures[next(iter(self._failures))]
            self._failures[key] = error.with_traceback(None)
            raise

    async def _prepare(self, adapter: Adapter, attachment: Attachment, key: str) -> Picture:
        fetched = self._directory / f"{uuid.uuid4().hex}.part"
        with _space(self._directory):
            try:
                await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
                await adapter.fetch(attachment.ref, fetched, MAX_BYTES)
                async with self._decoding:
                    picture = await load_image(fetched, name=attachment.name)
                await asyncio.to_thread(_keep, self._directory, key, picture, self._clock.now())
            finally:
                fetched.unlink(missing_ok=True)
        return picture


def _check_kind(attachment: Attachment) -> None:
    """Say no before fetching, where that is certain."""
    called = _called(attachment.name)
    told = attachment.mime or mimetypes.guess_type(attachment.name)[0] or ""
    if attachment.kind in (Kind.VIDEO, Kind.AUDIO) or (attachment.kind is Kind.FILE and not told.startswith("image/")):
        raise MediaError("{name} is not a picture. Only pictures can be looked at.", name=called)
    if attachment.size is not None:
        _check_bytes(attachment.size, MAX_BYTES, called)


@contextlib.contextmanager
def _space(directory: Path) -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("No space is left for pictures ({path}).", path=directory) from error
        reason = error.strerror or type(error).__name__
        raise StoreError("Pictures can't be stored ({path}): {reason}", path=directory, reason=reason) from error


def _keep(directory: Path, key: str, picture: Picture, now: int) -> None:
    """Whole or not at all: another process may look."""
    new = directory / f"{uuid.uuid4().hex}.part"
    try:
        new.write_bytes(picture.data)
        os.utime(new, ns=(now * 1_000_000,) * 2)
        new.replace(directory / key)
    finally:
        new.unlink(missing_ok=True)


def _kept(directory: Path, key: str, now: int) -> Picture | None:
    path = directory / key
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            picture = Picture(data, Image.MIME[image.format or ""], *image.size)
        os.utime(path, ns=(now * 1_000_000,) * 2)  # the time of its last use, for `prune`
    except OSError:
        return None  # not there, or damaged: fetched anew
    return picture


def _prune(directory: Path, max_bytes: int, now: int) -> int:
    entries = [(path.stat().st_mtime_ns, path.stat().st_size, path) for path in directory.glob("*")]
    ended = [entry for entry in entries if entry[2].suffix == ".part" and entry[0] < (now - _HOUR) * 1_000_000]
    for _, _, path in ended:  # left behind by a process that was killed
        path.unlink(missing_ok=True)
    pictures = sorted(entry for entry in entries if not entry[2].suffix)
    total, gone = sum(size for _, size, _ in pictures), 0
    for _, size, path in pictures:
        if total <= max_bytes:
            break
        path.unlink(missing_ok=True)
        total, gone = total - size, gone + 1
    return gone
