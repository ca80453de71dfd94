"""A chat platform at the seam `Adapter`: it shows what it was given, keeps a record, and fails as a script says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from bot.errors import AdapterError, Undeliverable
from bot.markdown import plain
from bot.types import (
    Account,
    AsgiApp,
    Attachment,
    Bucket,
    CallKind,
    Chat,
    Clock,
    Features,
    IncomingMessage,
    Intake,
    Kind,
    Limits,
    Message,
    Person,
    Piece,
    PostId,
    Status,
)

CHAT = Chat("fake", "bot", "room")
ANN = Person("ann", "Ann")
BEN = Person("ben", "Ben")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to a call: `error` raised before or after the call had its effect, `delay` seconds before either."""

    error: AdapterError | None = None
    when: Literal["before", "after"] = "before"
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Made:
    """One call that was made: when (seconds of the clock), what, and where."""

    at: float
    what: Literal["new", "change", "delete"]
    chat: Chat
    post: PostId | None
    piece: Piece | None


@dataclass(slots=True)
class FakePlatform:
    """`troubles` by number of the `put` call, from 1. `shown` is what people see, in order, per chat."""

    clock: Clock
    size: int = 200
    buckets: Callable[[Chat, CallKind], tuple[Bucket, ...]] = lambda chat, call: ()
    frame: float = 0.0
    readable: bool = False
    talk: Features = field(default_factory=Features)
    troubles: dict[int, Trouble] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    file_troubles: list[AdapterError] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    hanging: asyncio.Event | None = None  # downloads wait for it
    made: list[Made] = field(default_factory=list)
    statuses: int = 0
    posts: dict[PostId, tuple[Chat, Piece]] = field(default_factory=dict)
    frames: list[dict[PostId, Piece]] = field(default_factory=list)
    gone: set[Chat] = field(default_factory=set)
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    platform: str = "fake"
    bot: str = "bot"
    runs: int = 0  # how often, and whether it runs now
    running: bool = False
    _number: int = 0

    @property
    def account(self) -> Account:
        return Account(self.platform, self.bot, "Fake")

    @property
    def features(self) -> Features:
        return replace(self.talk, find=self.readable)

    @property
    def limits(self) -> Limits:
        return Limits(self.size, lambda blocks: len(plain(blocks)), self.buckets, frame=self.frame)

    @property
    def http(self) -> Mapping[str, AsgiApp]:
        return {}

    @property
    def trouble(self) -> str:
        return ""

    async def identify(self) -> Account:
        return self.account

    async def run(self, intake: Intake) -> None:
        self.tried.set()
        self.runs, self.running = self.runs + 1, True
        try:
            await asyncio.Event().wait()
        finally:
            self.running = False

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None = None) -> PostId:
        trouble = self.troubles.get(len(self.made) + 1, Trouble())
        self.made.append(
            Made(self.clock.monotonic(), "delete" if piece is None else "change" if at else "new", chat, at, piece)
        )
        if trouble.delay:
            await self.clock.sleep(trouble.delay)
        if trouble.error is not None and trouble.when == "before":
            if isinstance(trouble.error, Undeliverable) and piece is not None and self.posts.pop(at or "", None):
                self._keep_frame()  # somebody has deleted it
            raise trouble.error
        post = self._do(chat, piece, at)
        self._keep_frame()
        if trouble.error is not None:
            raise trouble.error
        return post

    def _keep_frame(self) -> None:
        self.frames.append({id: piece for id, (_, piece) in self.posts.items()})

    def _do(self, chat: Chat, piece: Piece | None, at: PostId | None) -> PostId:
        if chat in self.gone:
            raise Undeliverable("the bot was removed")
        if piece is None:
            self.posts.pop(at or "", None)
            return at or ""
        assert self.limits.measure(piece.blocks) <= self.size, "a piece is too long"
        if at is None:
            self._number += 1
            at = f"p{self._number}"
        elif at not in self.posts:
            raise Undeliverable("message to edit not found")
        self.posts[at] = (chat, piece)
        return at

    async def status(self, chat: Chat, what: Status) -> None:
        self.statuses += 1

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        self.fetched.append(ref)
        to.write_bytes(b"half")
        if self.hanging is not None:
            await self.hanging.wait()
        if self.file_troubles:
            raise self.file_troubles.pop(0)
        if ref not in self.files:
            raise Undeliverable("no file")
        to.write_bytes(self.files[ref])

    async def can_post(self, chat: Chat) -> bool:
        return True

    async def find(self, chat: Chat, key: str) -> PostId | None:
        assert self.readable, "nobody may ask that who has read `features`"
        return next((id for id, (place, piece) in self.posts.items() if place == chat and piece.key == key), None)

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:
        raise AssertionError("nobody may ask that who has read `features`")

    # ── what people see, and do ──

    def shown(self, chat: Chat = CHAT) -> list[Piece]:
        return [piece for place, piece in self.posts.values() if place == chat]

    def text(self, chat: Chat = CHAT) -> str:
        """All messages of a chat, as plain text, one below the other."""
        return "\n".join(plain(piece.blocks) for piece in self.shown(chat))

    def says(
        self,
        text: str,
        *,
        chat: Chat = CHAT,
        by: Person = ANN,
        key: str = "",
        files: Sequence[str | Attachment] = (),
        **more: Any,
    ) -> IncomingMessage:
        self._number += 1
        attachments = tuple(Attachment(Kind.IMAGE, ref, "image/png") if isinstance(ref, str) else ref for ref in files)
        number = f"m{self._number}"
        return IncomingMessage(
            key or f"fake:{number}", chat, by, text, self.clock.now(), attachments, post=number, **more
        )
