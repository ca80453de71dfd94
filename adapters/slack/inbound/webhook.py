"""Events that the platform pushes (docs.slack.dev: Using the Events API): an ASGI app around bolt. 200 only after the
commit, so that none is lost. What the platform has not signed is not even parsed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from adapters.kit.push import Answer, Push
from adapters.kit.unread import Unread

__all__ = ["Webhook", "request"]

_MOST_FIELDS = 100  # of a form; a slash command has a dozen


class Webhook(Push):
    """`app` is None while nobody listens: the platform keeps its events then, and comes again. What is signed and can't
    be read is kept as `unread`."""

    def __init__(self, signing_secret: str, unread: Unread) -> None:
        self.app: AsyncApp | None = None
        self._signatures = SignatureVerifier(signing_secret or secrets.token_hex())  # without one, nothing is signed
        self._unread = unread

    def admits(self, headers: Mapping[str, str]) -> int:
        if self.app is None:
            return 503
        return 200 if {"x-slack-signature", "x-slack-request-timestamp"} <= headers.keys() else 401

    async def take(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self.app is None:
            return Answer(503)
        if not self._is_signed(body, headers):
            return Answer(401)
        return await self._dispatched(self.app, body, headers)

    def _is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        try:
            return self._signatures.is_valid_request(body, dict(headers))
        except (ValueError, TypeError, OverflowError):  # a time that is none, a signature that isn't ASCII
            return False

    async def _dispatched(self, app: AsyncApp, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What can't be read would be the same again, so the platform is told that we have it."""
        try:
            text = body.decode()
            answer = await app.async_dispatch(request(_read(text), text, headers))
        except Exception as error:  # noqa: BLE001 - whatever it is, the platform must not bring it for ever
            await self._unread.skip(body.decode(errors="replace"), error)
            return Answer(200)
        if answer.status == 500:  # bolt's word for having stumbled
            await self._unread.keep(body.decode(errors="replace"))
            return Answer(200)
        kind = answer.headers.get("content-type", ["text/plain; charset=utf-8"])[0]
        return Answer(answer.status, (answer.body or "").encode(), kind)


def request(body: dict[str, Any], raw: str = "", headers: Mapping[str, str] | None = None) -> AsyncBoltRequest:
    """What bolt is given; without `headers`, over a socket. Its own look into the body falls over shapes that it does
    not know, and it takes a form with the word "payload" somewhere in it for an empty one."""
    given: dict[str, Any] | None = None if headers is None else dict(headers)
    made = AsyncBoltRequest(body="", headers=given, mode="http" if headers is not None else "socket_mode")
    made.body, made.raw_body = body, raw
    return made


def _read(text: str) -> dict[str, Any]:
    """An event is JSON; a command is a form, and anything else a form with JSON in its field `payload`."""
    if text.lstrip().startswith(("{", "[")):
        found = json.loads(text)
    else:
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        found = json.loads(form["payload"]) if "payload" in form else form
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
