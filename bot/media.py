"""Pictures that people sent, kept as the model gets them, so that each is fetched and prepared once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bot.errors import MediaError, StoreError, StoreFull
from bot.pictures import MAX_BYTES, Picture, check_attachment, load_image
from bot.types import Adapter, Attachment, Chat, Clock, ImagePart

__all__ = ["MediaStore"]

_MOST_FAILURES = 1000  # remembered
_HOUR = 3_600_000  # milliseconds


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
        check_attachment(attachment)
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
