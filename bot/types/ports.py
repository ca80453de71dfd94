"""Ports: what the core asks of clocks, platforms and gateways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.types.chat import Account, AsgiApp, Chat, Json, PostId, Text
from bot.types.inbound import Ack, Inbound, IncomingMessage
from bot.types.model import Delta, ModelInfo, ModelRequest
from bot.types.outgoing import Features, Limits, Piece, Status
from bot.types.turn import Message, Turn

if TYPE_CHECKING:
    from bot.types.store import Archive, Reader

__all__ = ["Adapter", "AdapterContext", "ChatModel", "Clock", "Intake"]


class Clock(Protocol):
    """Time, so that tests can have their own."""

    def now(self) -> int:
        """UTC milliseconds."""

    def monotonic(self) -> float:
        """Seconds from some fixed point."""

    async def sleep(self, seconds: float) -> None: ...


class Intake(Protocol):
    async def wanted(self, message: IncomingMessage) -> bool:
        """Is it for us? Asked before looking up what `accept` is to be told of such a message."""

    async def accept(self, event: Inbound) -> Ack:
        """Store the event and what it asks for, in one transaction; only then return. Call it again with the same event
        and nothing happens twice. Raises StoreError: the platform must not be told then."""


class Adapter(Protocol):
    """A platform. Everything but these calls is data, and which of the last two may be made says `features`."""

    @property
    def account(self) -> Account: ...
    @property
    def features(self) -> Features: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def http(self) -> Mapping[str, AsgiApp]:
        """Path prefix -> ASGI app, mounted on the one HTTP host."""

    @property
    def trouble(self) -> str:
        """Why no events come in right now, for operators; '' while all is well."""

    @property
    def tried(self) -> asyncio.Event:
        """Set by `run` once it is known how we stand with the platform: it lets us in, or gives no answer for now (and
        `trouble` says why). Not while it may still turn out that our token is wrong."""

    async def identify(self) -> Account:
        """Whom we are there, once that is known. SettingError if the platform will never let us in as we are."""

    async def run(self, intake: Intake) -> None:
        """Bring events to `intake` until cancelled. SettingError if the platform will never let us in as we are."""

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None = None) -> PostId:
        """Post a piece (no `at`), change the message at `at` into it, or delete that (`piece` None). Returns where it
        stands now. "Not modified" and "already deleted" are success. Raises AdapterError."""

    async def status(self, chat: Chat, what: Status) -> None:
        """Show that we are at work. May be dropped. Raises AdapterError."""

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        """Write an attachment's bytes to the file `to`; MediaError if there are more than `limit`, Undeliverable if
        there are none."""

    async def can_post(self, chat: Chat) -> bool:
        """May we post in the chat? False where that can't be looked up. Undeliverable or Rejected with the reason
        why not."""

    async def find(self, chat: Chat, key: str) -> PostId | None:
        """Where the piece with this key stands in the chat; None if it was not posted. Without `Features.find`:
        Rejected."""

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:
        """What was said in the chat before the message `before`, and after `since` (UTC ms; 0: ever), oldest first; the
        messages' ids mean nothing. Without `Features.older`: Rejected."""


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """What every adapter is built with, beside its own settings. `models` is what can be chosen; `gateway` whose
    balance is ours; `defaults` what holds where no settings row says anything, by the rows' names; `alerts` the id of
    the chat that a platform of the owner's own shows alerts in; `on_turn_end` takes somebody who hears of each turn on
    which work has come to its end, even where nothing had to be shown; `sandbox`: no real
    model answers; `archive` is for a platform of the owner's own; `reads` are the MIME types that can be read,
    text/plain for any text."""

    reader: Reader
    models: Callable[[], Sequence[ModelInfo]]
    clock: Clock
    gateway: str = ""
    defaults: Mapping[str, Json] = field(default_factory=dict)
    commands: Callable[[str], Sequence[tuple[str, str]]] | None = None  # language -> (name, what it does)
    languages: Callable[[str], Sequence[tuple[str, str]]] = lambda language: ()  # noqa: ARG005 - the same: to translate into
    alerts: str = ""
    sandbox: bool = False
    archive: Archive | None = None
    reads: Sequence[str] = ()
    on_turn_end: Callable[[Callable[[Turn], None]], None] = lambda hear: None  # noqa: ARG005
    say: Callable[[Text, str], str] = lambda words, language: words.id  # noqa: ARG005 - in a person's language


class ChatModel(Protocol):
    """A gateway's chat API. `gateway` is its name in the ledger."""

    @property
    def gateway(self) -> str: ...

    def info(self, model: str) -> ModelInfo:
        """What is known of a model; never fails."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Ask. The last Delta has `finish`. Raises InvalidRequest before sending, GatewayError after. Closing the
        iterator closes the connection at once."""
