"""Outbox: what stands in a chat of one turn's pieces, as far as anybody knows; kept in the store for the next
process."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.errors import StoreError, StoreRejects, Superseded
from bot.types import Clock, Piece, PostId, Store, Turn

__all__ = ["STORE_PAUSE", "PostState", "PostedPieces", "retry_until_stored"]

log = logging.getLogger(__name__)

UNKNOWN = "?"  # a digest: nobody knows what it shows
STORE_PAUSE = 2.0  # seconds before a store in trouble is asked again


@dataclass(slots=True)
class PostState:
    """What stands (or may stand) in the chat for one piece."""

    post: PostId | None = None
    piece: Piece | None = None  # the last version put in this process
    digest: str = ""  # of its finished version, as stored; '' only while it surely looks unfinished
    unsure: bool = False  # intended, outcome unknown
    repeats: int = 0
    kept: bool = False  # the platform would not delete it


class PostedPieces:
    """The pieces by index. What a call did must be known, or it would be done once more: a store in trouble is asked
    again until it takes that. What is written before a call raises StoreError: a call that was let through must not go
    out late."""

    def __init__(self, turn: Turn, store: Store, clock: Clock) -> None:
        self._turn = turn
        self._store = store
        self._clock = clock
        self._twice: set[int] = set()  # deleted ones that may have left a copy
        self._shown = {
            posted.index: PostState(
                posted.post, None, posted.digest, unsure=posted.post is None, repeats=posted.repeats
            )
            for posted in turn.posts
        }

    def get(self, index: int) -> PostState | None:
        return self._shown.get(index)

    @property
    def highest(self) -> int:
        """-1 if there is nothing."""
        return max(self._shown, default=-1)

    @property
    def repeated(self) -> set[int]:
        return self._twice | {index for index, shown in self._shown.items() if shown.repeats}

    def shows(self, index: int, piece: Piece) -> bool:
        """Does the piece stand there just so?"""
        shown = self._shown.get(index)
        if shown is None or shown.post is None:
            return False
        if shown.piece is None:
            return not piece.growing and shown.digest == _digest(piece)
        return _looks(shown.piece) == _looks(piece)

    def reads_on(self, index: int, piece: Piece) -> bool:
        """Does a message stand there that is this answer's, or at least unfinished? One that an older answer has left
        finished would be read as this one's rest."""
        shown = self._shown.get(index)
        if shown is None or shown.post is None:
            return False
        return shown.piece is not None or shown.digest in ("", _digest(piece))

    def is_unsure(self, index: int) -> bool:
        """Was it intended, and nobody knows whether it stands there?"""
        shown = self._shown.get(index)
        return shown is not None and shown.post is None and shown.unsure

    def age(self) -> None:
        """What stands there was another answer's, as if an earlier process had posted it."""
        for shown in self._shown.values():
            shown.piece = None

    async def intend(self, index: int) -> PostState:
        """Before a new message is sent."""
        shown = self._shown.setdefault(index, PostState())
        await self._store.intend(self._turn, index)
        shown.unsure = True
        return shown

    async def repeat(self, index: int, shown: PostState) -> None:
        """A message of unknown outcome was sent again."""
        shown.repeats += 1
        await self._write(lambda: self._store.intend(self._turn, index, repeat=True))

    async def doubt(self, index: int, shown: PostState, piece: Piece | None) -> None:
        """Before a message is changed (or deleted): until that is known to be done, it may look finished or not."""
        unfinished = piece is not None and piece.growing and not shown.digest
        if shown.post is not None and shown.digest != UNKNOWN and not unfinished:
            await self._store.posted(self._turn, index, shown.post, UNKNOWN)
            shown.digest = UNKNOWN

    async def found(self, index: int, shown: PostState, post: PostId) -> None:
        """A message that was intended is there."""
        shown.unsure = False
        await self._write_post(index, shown, post, UNKNOWN)

    async def stands(self, index: int, shown: PostState, post: PostId, piece: Piece) -> None:
        """The platform has taken it."""
        new = shown.post != post
        digest = "" if piece.growing else _digest(piece)
        shown.piece, shown.unsure = piece, False
        if new or digest != shown.digest:
            await self._write_post(index, shown, post, digest)

    async def forget(self, index: int, *, lost: bool = False) -> None:
        """It is deleted, or `lost`. Where a message of it may stand yet, the store keeps that it was intended: an
        answer that reaches as far when it is asked for again says so."""
        remains = lost or index in self.repeated
        self._twice |= {index} & self.repeated
        write = self._store.intend if remains else self._store.dropped
        await self._write(lambda: write(self._turn, index))
        self._shown.pop(index, None)

    async def undeletable(self, index: int) -> None:
        """Some platforms delete no old messages: what is left of an older answer is emptied instead, if it can be."""
        shown = self._shown.get(index)
        if shown is None or shown.kept:
            await self.forget(index)
        else:
            shown.kept = True

    def taken_away(self, index: int) -> bool:
        """Is only a message from earlier gone, with none below it? Then it can stand anew; if the chat is gone, posting
        will tell."""
        shown = self._shown.get(index)
        if shown is None or shown.post is None or shown.piece is not None:
            return False
        if any(other > index and below.post is not None for other, below in self._shown.items()):
            return False
        shown.post, shown.digest = None, ""
        return True

    async def _write_post(self, index: int, shown: PostState, post: PostId, digest: str) -> None:
        shown.post, shown.digest = post, digest
        await self._write(lambda: self._store.posted(self._turn, index, post, digest))

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        await retry_until_stored(write, self._clock)


async def retry_until_stored(write: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Write what must not be lost: while the store is in trouble, again and again. Raises Superseded, and StoreRejects
    where again would be no better."""
    while True:
        try:
            await write()
            return
        except (Superseded, StoreRejects):
            raise
        except StoreError as error:
            log.error("this can't be recorded, and will be tried again: %s (%s)", error, error.detail)
            await clock.sleep(STORE_PAUSE)


def _looks(piece: Piece) -> tuple[object, ...]:
    """Equal for pieces that look the same."""
    return (piece.blocks, piece.menu, piece.files, piece.notes, piece.growing)


def _digest(piece: Piece) -> str:
    return hashlib.sha256(repr(_looks(piece)).encode()).hexdigest()[:32]
