"""File downloads: what people sent, as bytes (Bot API: getFile).

The public server gives out files of up to 20 MB. A Bot API server of one's own that runs with --local has no limit, and
names a path on its machine instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aiogram.exceptions import AiogramError, TelegramBadRequest
from aiogram.methods import GetFile

from adapters.kit.transfers import CHUNK, TooLong, check_found, copied, mebibytes, written
from adapters.telegram.errors import translate
from adapters.telegram.wire import Wire
from bot.errors import AdapterError, MediaError, OutcomeUnknown, Undeliverable

__all__ = ["Files"]

_MOST = 20 * 1024 * 1024  # bytes that the public server gives out


class Files:
    """`local`: paths that the server names may be opened here."""

    def __init__(self, wire: Wire, *, local: bool) -> None:
        self._wire = wire
        self._local = local

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        """Write the file with the file_id `ref` to `to`. MediaError if it has more than `limit` bytes, AdapterError if
        it is not to be had."""
        if not ref:
            raise Undeliverable("no file")
        try:
            path, size = await self._locate(ref)
            if size > limit:
                raise TooLong
            if path.startswith("/"):
                await self._copy(Path(path), to, limit)
            else:
                await self._download(path, to, limit)
        except TooLong:
            raise _too_large(limit) from None
        except AiogramError as error:
            raise _translated(error, self._wire.secrets) from None

    async def _locate(self, ref: str) -> tuple[str, int]:
        file = await self._wire.call(GetFile(file_id=ref))
        path, size = file.get("file_path"), file.get("file_size")
        if not isinstance(path, str) or not path:
            raise Undeliverable("no file")
        return path, size if isinstance(size, int) else 0

    async def _copy(self, source: Path, to: Path, limit: int) -> None:
        if not self._local:
            raise Undeliverable("no file", detail="the server names a path on its machine")
        try:
            await copied(source, to, limit)
        except (FileNotFoundError, PermissionError) as error:
            words = "the Bot API server's files can't be read here: share its directory with magpie"
            raise Undeliverable(words, detail=str(error)) from error

    async def _download(self, path: str, to: Path, limit: int) -> None:
        async with self._wire.download(path) as response:
            check_found(response.status)
            await written(response.content.iter_chunked(CHUNK), to, limit)


def _translated(error: AiogramError, secrets: Iterable[str]) -> AdapterError | MediaError:
    if isinstance(error, TelegramBadRequest):
        if "too big" in error.message.lower():
            return _too_large(_MOST)
        if "temporarily" in error.message.lower():  # it says so of files that are gone, too: one more try tells
            return OutcomeUnknown(detail=error.message)
        return Undeliverable("no file", detail=error.message)
    return translate(error, secrets)


def _too_large(limit: int) -> MediaError:
    return MediaError(
        "The file is larger than {limit} MB. Please send a smaller one, or a photo as a photo and not as a file.",
        limit=mebibytes(limit),
    )
