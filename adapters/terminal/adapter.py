"""A terminal as a platform: whoever started the program asks, and what the core posts is written below it.

A post is named like its piece ("<turn>.<index>"). What stands there can't be changed: a text that takes the place of
another is written below it, with words that say so.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from adapters.kit.transfers import CHUNK, TooLong, written
from adapters.terminal.screens import Screen, screen_on
from bot.errors import MediaError, Rejected, Undeliverable
from bot.markdown import Block, plain
from bot.types import (
    Account,
    Ack,
    AdapterContext,
    AsgiApp,
    Attachment,
    Bucket,
    CallKind,
    Chat,
    Features,
    IncomingMessage,
    Intake,
    Json,
    Kind,
    Limits,
    Message,
    Note,
    NoteKind,
    Person,
    Piece,
    PostId,
    Press,
    Status,
    Turn,
    TurnState,
)

__all__ = ["TerminalAdapter"]

PLATFORM, ACCOUNT = "terminal", "local"
CHAT = Chat(PLATFORM, ACCOUNT, "ask")
SIZE = 10_000_000  # characters: more than any answer has, for nothing needs to be cut
FRAME = 0.05


def _no_buckets(_chat: Chat, _call: CallKind) -> tuple[Bucket, ...]:
    return ()


def _measure(blocks: Sequence[Block]) -> int:
    return len(plain(blocks))


class TerminalAdapter:
    """`options` are the commands that are options of the program here; `quiet`: nothing is written, because somebody
    else tells the answer in another form."""

    def __init__(
        self,
        surroundings: AdapterContext,
        language: str,
        *,
        options: Collection[str] = (),
        out: TextIO | None = None,
        err: TextIO | None = None,
        quiet: bool = False,
    ) -> None:
        self._clock, self._reader = surroundings.clock, surroundings.reader
        self._person = Person("you", language=language, admin=True)
        self._options = options
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._quiet = quiet
        self._intake: asyncio.Future[Intake] = asyncio.get_running_loop().create_future()
        self._numbers = itertools.count(1)
        self._tried = asyncio.Event()
        self._news = asyncio.Event()  # a turn may have ended
        self._broken: OSError | None = None
        self._turn = ""  # whose pieces these are
        self._pieces: dict[int, Piece] = {}
        self._screen: Screen | None = None
        self._told: list[Note] = []
        surroundings.on_turn_end(lambda _turn: self._news.set())

    # ── the port ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def account(self) -> Account:
        return Account(PLATFORM, ACCOUNT)

    @property
    def features(self) -> Features:
        return Features(prefix="--", commands=self._options)

    @property
    def limits(self) -> Limits:
        return Limits(size=SIZE, measure=_measure, buckets=_no_buckets, frame=FRAME, first=1)

    @property
    def http(self) -> Mapping[str, AsgiApp]:
        return {}

    @property
    def trouble(self) -> str:
        return ""

    @property
    def tried(self) -> asyncio.Event:
        return self._tried

    async def identify(self) -> Account:
        return self.account

    async def run(self, intake: Intake) -> None:
        """What is asked goes to `intake` from now on."""
        if not self._intake.done():
            self._intake.set_result(intake)
        self._tried.set()
        await asyncio.Event().wait()

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None = None) -> PostId:  # noqa: ARG002 - there is one
        """See `Adapter.put`. Undeliverable if nobody reads what is written."""
        post = at or (piece.key if piece else "")
        turn, _, index = post.partition(".")
        if turn != self._turn:
            self.close()
            self._turn, self._pieces, self._screen, self._told = turn, {}, None, []
        if piece is None:
            self._pieces.pop(int(index), None)
            return post
        self._pieces[int(index)] = piece
        try:
            self._show()
        except OSError as error:
            self._broken = error
            raise Undeliverable("nobody reads what is written", detail=str(error)) from error
        return post

    async def status(self, chat: Chat, what: Status) -> None:
        """Whoever waits here sees that."""

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        """A file of this machine."""
        try:
            await written(_chunks(Path(ref)), to, limit)
        except TooLong:
            raise MediaError("The file is larger than {limit} bytes.", limit=limit) from None
        except OSError as error:
            raise MediaError("{name} can't be read: {reason}", reason=error.strerror or error) from error

    async def can_post(self, chat: Chat) -> bool:  # noqa: ARG002
        return self._broken is None

    async def find(self, chat: Chat, key: str) -> PostId | None:  # noqa: ARG002
        raise Rejected("a terminal can't be read")

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:  # noqa: ARG002
        raise Rejected("a terminal can't be read")

    # ── what the program calls ──────────────────────────────────────────────────────────────────────────────────────

    async def say(
        self, text: str, pictures: Sequence[Path] = (), settings: Mapping[str, Json] = MappingProxyType({})
    ) -> Ack:
        """Ask, under settings of its own. What looks like a command is asked: commands are options here."""
        number, now = next(self._numbers), self._clock.now()
        key, post = f"{PLATFORM}:{now}:{number}", str(number)
        attached = tuple(Attachment(Kind.IMAGE, str(path), name=path.name) for path in pictures)
        message = IncomingMessage(key, CHAT, self._person, text, now, attached, post, literal=True, settings=settings)
        return await (await self._intake).accept(message)

    async def stop(self, turn: int) -> Ack:
        """End its answer where it is."""
        number, now = next(self._numbers), self._clock.now()
        press = Press(f"{PLATFORM}:{now}:{number}", CHAT, self._person, f"/stop {turn}", now)
        return await (await self._intake).accept(press)

    async def ended(self, turn: int) -> Turn:
        """The turn at its end, when all that there is stands there. OSError if nobody has read it."""
        while True:
            self._news.clear()
            found = await self._reader.turn(turn)
            if self._broken is not None:
                raise self._broken
            if found is not None and found.state is TurnState.ENDED:
                return found
            await self._news.wait()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._screen is not None:
            self._screen.close()

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _show(self) -> None:
        if self._quiet:
            return
        pieces = [piece for _, piece in sorted(self._pieces.items())]
        whole = not any(piece.growing for piece in pieces)
        self._screen = self._screen or screen_on(self._out, self._tell)
        self._screen.show(pieces, whole=whole)
        if not whole:
            return
        for note in (note for piece in pieces for note in piece.notes if note not in self._told):
            self._told.append(note)
            self._tell(note.text, "        " if note.kind is NoteKind.COST else "magpie: ")

    def _tell(self, words: str, head: str = "magpie: ") -> None:
        print(head + words, file=self._err, flush=True)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    """Whatever can be read there, a pipe too."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()
