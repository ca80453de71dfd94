"""File downloads: what people sent, as bytes (docs.slack.dev: Working with files).

A file's address answers to the bot's token only. So it goes to Slack's own hosts and nowhere else, and redirects are
followed by hand. To a token that may not read files, the platform answers 200 and the page of its login
(vercel/eve#1531); whether that is what came, or a web page that somebody sent, the file's description tells.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from aiohttp import ClientResponse

from adapters.kit.connections import FILE
from adapters.kit.transfers import CHUNK, TooLong, check_found, mebibytes, written
from adapters.slack.errors import FAILURES, translate
from adapters.slack.inbound.seen import CHECK_FILE, attachment
from adapters.slack.settings import SlackSettings
from adapters.slack.wire import Wire
from bot.errors import AdapterError, MediaError, OutcomeUnknown, Rejected, RetryLater, Undeliverable
from bot.types import Attachment, Clock, Text

__all__ = ["Files"]

log = logging.getLogger(__name__)

_BREATH = 0.3  # seconds before another try
_HEAD = 1024  # bytes in which a page says that it is one
_REDIRECTS = 5
_HOSTS = ("slack.com", "slack-edge.com", "slack-files.com")
_LOGIN = "the platform shows its login page instead: the app lacks the scope files:read"


class Files:
    def __init__(self, wire: Wire, settings: SlackSettings, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._token = settings.token
        self._own = urlsplit(settings.slack_api_url).hostname

    async def looked_up(self, found: Attachment) -> Attachment:
        """A file of another workspace, of which only the id was told. What can't be asked now, its bytes will tell."""
        if found.name != CHECK_FILE or not found.ref:
            return found
        try:
            file = await self._described(found.ref.partition(" ")[0])
        except AdapterError as error:
            log.info("what a file is can't be asked: %s", error.detail or error)
            return replace(found, name="")
        return attachment(file) if file else found

    async def _described(self, id: str) -> Mapping[str, Any]:
        """files.info; once more where the first answer was none. AdapterError."""
        try:
            answer = await self._wire.do("files.info", file=id)
        except OutcomeUnknown:
            await self._clock.sleep(_BREATH)
            answer = await self._wire.do("files.info", file=id)
        file = answer.get("file")
        return file if isinstance(file, Mapping) else {}

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        """Write a file to `to`. MediaError if it has more than `limit` bytes, AdapterError if it is not to be had."""
        id, _, url = ref.partition(" ")
        if not url and id:
            file = await self._described(id)
            url = str(file.get("url_private_download") or file.get("url_private") or "")
        if not url:
            raise Undeliverable("no file")
        try:
            looks_like_page = await self._follow(url, to, limit)
        except FAILURES as error:
            raise translate(error, self._wire.secrets) from None
        if looks_like_page and not await self._is_page(id, to):
            raise _not_allowed()

    async def _is_page(self, id: str, fetched: Path) -> bool:
        """Is a file a web page, or an e-mail that the platform shows as one? The same scope is needed to be told."""
        try:
            file = await self._described(id) if id else {}
        except (Undeliverable, Rejected, RetryLater) as error:
            log.info("what a file is can't be asked: %s", error.detail or error)
            return False
        size = (await asyncio.to_thread(fetched.stat)).st_size
        return bool(file) and (str(file.get("mimetype")).startswith("text/html") or file.get("size") == size)

    async def _follow(self, url: str, to: Path, limit: int) -> bool:
        """Whether it looks like a web page."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._wire.kept() as session:
            for _ in range(_REDIRECTS + 1):
                if not self._is_ours(url):
                    raise MediaError(
                        "{name} lies outside of Slack, where I can't fetch it. Please upload the file itself.",
                        detail=f"not an address of the platform: {urlsplit(url).hostname}",
                    )
                async with session.get(url, headers=headers, timeout=FILE, allow_redirects=False) as response:
                    if response.status in (301, 302, 303, 307, 308):
                        url = urljoin(url, response.headers.get("Location", ""))
                        continue
                    return await self._keep(response, to, limit)
        raise Undeliverable("no file", detail="too many redirects")

    def _is_ours(self, url: str) -> bool:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if host == self._own and parts.scheme in ("http", "https"):
            return True  # at any port: a server of one's own may give its files out at another
        return parts.scheme == "https" and any(host == known or host.endswith(f".{known}") for known in _HOSTS)

    async def _keep(self, response: ClientResponse, to: Path, limit: int) -> bool:
        check_found(response.status)
        try:
            await written(response.content.iter_chunked(CHUNK), to, limit)
        except TooLong:
            raise MediaError(
                "The file is larger than {limit} MB. Please send a smaller one.", limit=mebibytes(limit)
            ) from None
        return response.content_type == "text/html" or await asyncio.to_thread(_begins_as_page, to)


def _begins_as_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_HEAD).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _not_allowed() -> MediaError:
    words = Text(
        "{name} can't be fetched: I may not read files here. An admin has to add files:read and reinstall the app."
    )
    return MediaError(words.id, detail=_LOGIN)
