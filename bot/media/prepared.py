"""Media cache: what people attached, kept as a model gets it, so that each is fetched and decoded once.

Beside the files of each lies a record, `<key>.json`: what `bot.decoding` answered. An answer that says no is kept too,
so that what can't be read, or has killed its reader, isn't taken up again at every question or start.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import logging
import os
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.decoding.kinds import PICTURES
from bot.decoding.limits import MAX_BYTES
from bot.decoding.pool import Decoder, NoDecoder
from bot.decoding.recipes import CURRENT
from bot.errors import (
    AdapterError,
    MediaError,
    NotFetched,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    StoreError,
    StoreFull,
    Undeliverable,
)
from bot.media.attached import Material, called, check_attachment, complaint, material
from bot.types import Adapter, Attachment, Chat, Clock, Kind, Text

__all__ = ["MediaStore", "readable"]

log = logging.getLogger(__name__)

_HOUR = 3_600_000  # milliseconds
_GONE = Text("{name} can't be fetched: it isn't there any more, or I may not read it. Please send it again.")
_BREATH = 1.0  # seconds before a download is tried once more
_PATIENCE = 5.0  # seconds that a platform may ask to wait for that
_TRIES = 2  # that end with our own process before a file counts as what ends it
_MOST_FILES = 8  # that are made of one; see `bot.decoding.pictures`
_PASSING = ("heic", "memory", "unreadable")  # errors that another time need not have


def readable() -> tuple[str, ...]:
    """The MIME types that can be read here; text/plain stands for any text."""
    known = (kind for kind in PICTURES if kind != "HEIC" or find_spec("pillow_heif"))
    return (*(f"image/{kind.lower()}" for kind in known), "text/plain")


class _Work:
    """A file being fetched and decoded, for everybody who asked for it meanwhile."""

    def __init__(self, task: asyncio.Task[Material]) -> None:
        self.task = task
        self.waiting = 0


class MediaStore:
    """Prepared files in a directory, by account and ref, so that a later turn doesn't fetch them again."""

    def __init__(self, directory: Path, clock: Clock, decoder: Decoder | None = None) -> None:
        self._directory = directory
        self._clock = clock
        self._decoder = decoder or Decoder()
        self._works: dict[str, _Work] = {}
        self._closed = False

    @property
    def busy(self) -> bool:
        """Is a file being decoded, or waiting for it?"""
        return self._decoder.busy

    async def read(self, adapter: Adapter, chat: Chat, attachment: Attachment, owner: str = "") -> Material:
        """The attachment as a model gets it; `owner` is whose it is, for fairness. Raises MediaError (NotFetched where
        it may go well later), StoreFull, RetryLater. After `close`, CancelledError."""
        check_attachment(attachment)
        if not attachment.ref:
            raise MediaError(_GONE.id, name=called(attachment))
        if self._closed:
            raise asyncio.CancelledError
        key = hashlib.sha256("\0".join((chat.platform, chat.account, attachment.ref)).encode()).hexdigest()
        work = self._works.get(key)
        if work is None:
            doing = self._material(adapter, attachment, key, owner)
            work = self._works[key] = _Work(asyncio.create_task(doing))
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if not work.waiting:
                work.task.cancel()
                if self._works.get(key) is work:
                    del self._works[key]

    async def close(self) -> None:
        """End all work where it is: whoever waits for it is cancelled, and its turn is given back."""
        self._closed = True
        tasks = [work.task for work in self._works.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._decoder.close()

    async def prune(self, max_bytes: int) -> int:
        """Delete what was longest unused until at most `max_bytes` are left. Returns how many went."""
        return await asyncio.to_thread(_prune, self._directory, max_bytes, self._clock.now())

    async def _material(self, adapter: Adapter, attachment: Attachment, key: str, owner: str) -> Material:
        kept = await asyncio.to_thread(_kept, self._directory, key, self._clock.now())
        if kept is None:
            with _space(self._directory):
                kept = await self._prepare(adapter, attachment, key, owner)
        answer, contents = kept
        if "error" in answer:
            raise complaint(answer["error"], answer.get("data", {}), attachment, answer.get("detail", ""))
        return material(answer, contents, attachment)

    async def _prepare(
        self, adapter: Adapter, attachment: Attachment, key: str, owner: str
    ) -> tuple[Mapping[str, Any], list[bytes]]:
        fetched = self._directory / f"{uuid.uuid4().hex}.part"
        try:
            await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
            await self._fetch(adapter, attachment, fetched)
            async with _attempt(self._directory / f"{key}.tries") as tries:
                if tries > _TRIES:
                    answer: Mapping[str, Any] = {"error": "crash"}
                else:
                    answer = await self._decoded(fetched, attachment, owner)
            if answer.get("error") in _PASSING:
                return answer, []
            return answer, await asyncio.to_thread(_keep, self._directory, key, answer, fetched, self._clock.now())
        finally:
            _clear(fetched)  # in place, even where we are cancelled

    async def _decoded(self, fetched: Path, attachment: Attachment, owner: str) -> Mapping[str, Any]:
        try:
            images = attachment.kind is Kind.IMAGE
            answer = await self._decoder.decode(fetched, fetched, images=images, owner=owner)
        except NoDecoder as error:
            log.error("files can't be read: the process that decodes them does not start: %s", error)
            raise NotFetched(
                "{name} can't be read right now. Please try again later.", name=called(attachment)
            ) from None
        if "error" in answer:
            log.info("a file can't be used: %s", {name: answer.get(name) for name in ("error", "data", "detail")})
        return answer

    async def _fetch(self, adapter: Adapter, attachment: Attachment, to: Path) -> None:
        """Tried once more where that may help: servers of files hiccup."""
        try:
            try:
                await adapter.fetch(attachment.ref, to, MAX_BYTES)
            except (OutcomeUnknown, RetryLater) as trouble:
                wait = trouble.after if isinstance(trouble, RetryLater) else _BREATH
                if wait > _PATIENCE:
                    raise
                await self._clock.sleep(wait)
                await adapter.fetch(attachment.ref, to, MAX_BYTES)
        except MediaError as refusal:
            refusal.data = {"name": called(attachment), **refusal.data}
            raise
        except AdapterError as trouble:
            raise _not_fetched(trouble, attachment) from trouble


def _not_fetched(error: AdapterError, attachment: Attachment) -> MediaError:
    """What a platform said to a download, as words about the file."""
    name, detail = called(attachment), error.detail or str(error)
    if isinstance(error, Undeliverable):
        return MediaError(_GONE.id, name=name, detail=detail)
    if isinstance(error, Rejected):
        return MediaError("{name} can't be fetched: the chat platform does not give it out.", name=name, detail=detail)
    return NotFetched(
        "{name} could not be fetched from the chat platform right now. Please try again.", name=name, detail=detail
    )


@contextlib.asynccontextmanager
async def _attempt(marker: Path) -> AsyncIterator[int]:
    """How many attempts this is that have not come to their end, even if only by our own death."""
    tries = await asyncio.to_thread(_count, marker)
    try:
        yield tries
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(marker)  # quick, and done even where we are cancelled


def _count(marker: Path) -> int:
    with marker.open("ab") as file:
        file.write(b".")
    return marker.stat().st_size


@contextlib.contextmanager
def _space(directory: Path) -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("No space is left for files ({path}).", path=directory) from error
        reason = error.strerror or type(error).__name__
        raise StoreError("Files can't be stored ({path}): {reason}", path=directory, reason=reason) from error


def _keep(directory: Path, key: str, answer: Mapping[str, Any], made: Path, now: int) -> list[bytes]:
    """Whole or not at all, for another process may look: the record comes last. Returns the files' bytes."""
    contents = _contents(made, answer)
    for number in range(len(contents)):
        made.with_name(f"{made.name}.{number}").replace(directory / f"{key}.{number}")
    new = directory / f"{uuid.uuid4().hex}.part"
    try:
        new.write_text(json.dumps({**answer, "current": sorted(CURRENT)}), encoding="utf-8")
        os.utime(new, ns=(now * 1_000_000,) * 2)
        new.replace(directory / f"{key}.json")
    finally:
        new.unlink(missing_ok=True)
    return contents


def _contents(target: Path, answer: Mapping[str, Any]) -> list[bytes]:
    return [target.with_name(f"{target.name}.{number}").read_bytes() for number in range(len(answer.get("files", ())))]


def _clear(fetched: Path) -> None:
    for path in (fetched, *(fetched.with_name(f"{fetched.name}.{number}") for number in range(_MOST_FILES))):
        path.unlink(missing_ok=True)


def _kept(directory: Path, key: str, now: int) -> tuple[Mapping[str, Any], list[bytes]] | None:
    record = directory / f"{key}.json"
    try:
        answer = json.loads(record.read_bytes())
        contents = _contents(directory / key, answer)
        if [len(data) for data in contents] != [file["size"] for file in answer.get("files", ())]:
            return None  # damaged: fetched anew
        if answer["recipe"] not in CURRENT if "recipe" in answer else answer["current"] != sorted(CURRENT):
            return None  # another version's: this one may know better
        os.utime(record, ns=(now * 1_000_000,) * 2)  # the time of its last use, for `prune`
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return answer, contents


def _prune(directory: Path, max_bytes: int, now: int) -> int:
    groups: dict[str, list[tuple[int, int, Path]]] = {}
    for path in directory.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another process prunes too
            found = path.stat()
            groups.setdefault(path.name.partition(".")[0], []).append((found.st_mtime_ns, found.st_size, path))
    kept = []
    for files in groups.values():
        record = next((file for file in files if file[2].suffix == ".json"), None)
        if record is not None:
            kept.append((record[0], sum(size for _, size, _ in files), files))
        elif max(file[0] for file in files) < (now - _HOUR) * 1_000_000:
            _delete(files)  # left behind by a process that was killed, or by an older version
    total, gone = sum(size for _, size, _ in kept), 0
    for _, size, files in sorted(kept, key=lambda group: group[0]):
        if total <= max_bytes:
            break
        _delete(files)
        total, gone = total - size, gone + 1
    return gone


def _delete(files: list[tuple[int, int, Path]]) -> None:
    for _, _, path in files:
        path.unlink(missing_ok=True)
