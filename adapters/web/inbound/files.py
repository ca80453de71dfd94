"""Uploads: bytes from a browser, kept in DATA_DIR/files under a random name that says nothing.

Whether a picture can be used is the core's decision; here only size and first bytes are looked at, so that a file is
never served back as anything that a browser could run.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import secrets
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from adapters.kit.transfers import TooLong, copied, written
from bot.errors import MediaError, Undeliverable
from bot.types import Attachment, Kind

__all__ = ["KEPT", "KEPT_BYTES", "MOST_BYTES", "EmptyFile", "Files", "NoSpace", "TooLarge", "sniff"]

MOST_BYTES = 20_000_000  # as the core takes them; who is told no here need not be told no in the chat
KEPT_BYTES = 500_000_000  # as of prepared pictures
KEPT = 90 * 86_400_000  # ms
_FRESH = 86_400_000  # ms: somebody may be about to send it
_REF = re.compile(r"[A-Za-z0-9_-]{32}")
_HEAD = 32  # bytes that tell the kind of a file
_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "image/heic"
)


class TooLarge(MediaError):
    text = "The file is larger than {limit} MB."


class EmptyFile(MediaError):
    text = "The file is empty (0 bytes)."


class NoSpace(MediaError):
    text = "There is no space left to keep the file."


class Files:
    """The folder of uploads. A `ref` is a random name in it, and nothing else is ever opened."""

    def __init__(self, folder: Path, most: int = MOST_BYTES) -> None:
        self.folder = folder
        self.most = most

    async def save(self, chunks: AsyncIterator[bytes]) -> str:
        """Write what comes, at most `most` bytes; returns its ref. TooLarge, EmptyFile, NoSpace: nothing is kept."""
        ref = secrets.token_urlsafe(24)
        unfinished = self.folder / f"{ref}.part"
        try:
            await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
            if not await written(chunks, unfinished, self.most):
                raise EmptyFile
            await asyncio.to_thread(unfinished.rename, self.folder / ref)
        except TooLong:
            raise TooLarge(limit=self.most // 1_000_000) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace(detail=str(error)) from error
            raise
        finally:
            await asyncio.to_thread(unfinished.unlink, missing_ok=True)
        return ref

    def path(self, ref: str) -> Path:
        """Where an upload lies. Undeliverable if `ref` is not the name of one."""
        path = self.folder / ref
        if not _REF.fullmatch(ref) or not path.is_file():
            raise Undeliverable("no such file")
        return path

    def describe(self, ref: str, name: str = "", claimed: str = "") -> Attachment:
        """An attachment for an upload; `claimed` is the type that the browser gave it. Undeliverable if there is
        none."""
        path = self.path(ref)
        mime = sniff(path) or claimed
        kind = Kind.IMAGE if mime.startswith("image/") or claimed.startswith("image/") else Kind.FILE
        return Attachment(kind, ref, mime, path.stat().st_size, name)

    async def copy(self, ref: str, to: Path, limit: int) -> None:
        """Copy an upload to `to`. MediaError if it has more than `limit` bytes, Undeliverable if there is none."""
        try:
            await copied(self.path(ref), to, limit)
        except TooLong:
            raise MediaError("The file is larger than {limit} bytes.", limit=limit) from None

    async def prune(self, needed: Collection[str], now: int) -> int:
        """Delete the oldest uploads while there are more than KEPT_BYTES, and all that are older than KEPT; never those
        of the last day, nor the `needed`. `now` in ms. Returns how many went."""
        return await asyncio.to_thread(_prune, self.folder, needed, now)


def _prune(folder: Path, needed: Collection[str], now: int) -> int:
    entries = []
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            entries.append((now - found.st_mtime_ns // 1_000_000, found.st_size, path))
    total, gone = sum(size for _, size, _ in entries), 0
    for age, size, path in sorted(entries, reverse=True, key=lambda entry: entry[0]):
        if age < _FRESH or (age < KEPT and total <= KEPT_BYTES):
            break
        if path.name not in needed:
            path.unlink(missing_ok=True)
            total, gone = total - size, gone + 1
    return gone


def sniff(path: Path) -> str:
    """The MIME type of a picture by its first bytes; '' if they are not a picture's."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "")
    return next((mime for start, mime in _SIGNATURES if head.startswith(start)), "")
