"""API client: calls of the Bot API, over aiogram's session: results stay raw JSON, and a connection is let go when
nobody needs it any more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import GetFile, Response, TelegramMethod
from aiohttp import ClientError, ClientResponse, ClientTimeout

from adapters.kit.connections import CALL, CONNECT, FILE, Kept, Proxy, words_of
from adapters.telegram.errors import NotConnected
from adapters.telegram.settings import TelegramSettings

__all__ = ["Wire"]


class _Session(AiohttpSession):
    """aiogram checks a result's whole shape, and that of a list as one: a new kind of block would make a call that was
    made look failed, and one update hold up all others. So results are handed out as they came. (It also has pydantic
    make a class per call for it, which takes longer than all the rest.)"""

    def check_response(self, bot: Bot, method: TelegramMethod[Any], status_code: int, content: str) -> Response[Any]:
        try:
            answer = json.loads(content)
            well = answer["ok"] is True and 200 <= status_code < 300
            result = answer.pop("result", None)
        except (ValueError, AttributeError, TypeError, KeyError):
            return super().check_response(bot, method, status_code, content)  # raises its own error
        if not well:
            return super().check_response(bot, method, status_code, json.dumps(answer))
        return Response.model_construct(ok=True, result=result)

    async def close(self) -> None:
        if self._session is not None and not self._session.closed:
            await self._session.close()  # aiogram's own then waits for another quarter of a second


class Wire:
    """`kept` keeps connections open while its block runs; outside of it, each is closed after its call."""

    def __init__(self, settings: TelegramSettings, seconds: float = CALL) -> None:
        self.secrets = (settings.token.partition(":")[2],)  # the half that is one, however the other is written
        self._token = settings.token
        self._seconds = seconds
        server = TelegramAPIServer.from_base(settings.telegram_api_url)
        self._proxy_errors = Proxy(settings.proxy, settings.place("telegram_proxy")).errors
        self._session = _Session(api=server, proxy=settings.proxy or None)
        self._bot = Bot(self._token, session=self._session)
        self._errors: tuple[type[Exception], ...] = (ClientError, TimeoutError, *self._proxy_errors)
        self.kept = Kept(self._session.close)

    @property
    def bot_id(self) -> str:
        return str(self._bot.id)

    async def call(self, method: TelegramMethod[Any], seconds: float | None = None) -> Any:
        """The result, as JSON. AiogramError, see `errors.translate`. Given up after `seconds`."""
        limit: Any = ClientTimeout(total=seconds or self._seconds, sock_connect=CONNECT)
        async with self.kept():
            try:
                return await self._session(self._bot, method, timeout=limit)
            except self._proxy_errors as error:
                raise NotConnected(method, words_of(error, self.secrets)) from None

    @asynccontextmanager
    async def download(self, path: str) -> AsyncIterator[ClientResponse]:
        """A file on its way. TelegramNetworkError, also while it is read."""
        url = self._session.api.file_url(self._token, path)
        async with self.kept():
            session = await self._session.create_session()
            try:
                async with session.get(url, timeout=FILE) as response:
                    yield response
            except self._errors as error:
                # its cause has the address
                raise TelegramNetworkError(GetFile(file_id=""), words_of(error, self.secrets)) from None
