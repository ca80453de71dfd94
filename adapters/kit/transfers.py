"""Transfers of bytes under a limit of size: pushes and forms into memory, downloads and uploads into a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

from bot.errors import OutcomeUnknown, Undeliverable

__all__ = ["CHUNK", "TooLong", "check_found", "collected", "copied", "mebibytes", "written"]

CHUNK = 256 * 1024  # bytes that are read at once


class TooLong(Exception):
    """There are more bytes than the limit. Whoever asked for them has the words."""


async def collected(chunks: AsyncIterable[bytes], limit: int) -> bytes:
    """All that comes. TooLong."""
    whole = bytearray()
    async for chunk in _limited(chunks, limit):
        whole += chunk
    return bytes(whole)


async def written(chunks: AsyncIterable[bytes], to: Path, limit: int) -> int:
    """All that comes, into a file. Returns how many bytes that is. TooLong, OSError: what stands there is a part."""
    size = 0
    file = await asyncio.to_thread(to.open, "wb")
    try:
        async for chunk in _limited(chunks, limit):
            size += len(chunk)
            await asyncio.to_thread(file.write, chunk)
    finally:
        await asyncio.to_thread(file.close)
    return size


async def copied(source: Path, to: Path, limit: int) -> None:
    """A file of this machine. TooLong, OSError."""
    if (await asyncio.to_thread(source.stat)).st_size > limit:
        raise TooLong
    await asyncio.to_thread(_copy, source, to)


def check_found(status: int) -> None:
    """Whether a file's address gives the file out. OutcomeUnknown if it may do so later, Undeliverable if
    there is none (HTTP)."""
    if status >= 500 or status == 429:
        raise OutcomeUnknown(detail=f"HTTP {status} for a file")
    if status != 200:
        raise Undeliverable("no file", detail=f"HTTP {status} for a file")


def mebibytes(limit: int) -> int:
    """As people are told it."""
    return max(1, limit // (1024 * 1024))


async def _limited(chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLong
        yield chunk


def _copy(source: Path, to: Path) -> None:
    with source.open("rb") as reader, to.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            writer.write(chunk)
