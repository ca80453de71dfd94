"""Content encoding: the bytes of an answer that came compressed, though none was asked to be: in bounded steps, or not
at all."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from bot.errors import Broken

__all__ = ["Inflater"]

_STEP = 1 << 16  # bytes that are made at once
_BY_HEAD = zlib.MAX_WBITS | 32  # gzip or zlib
_MOST = 32 << 20  # bytes of an answer


class Inflater:
    """`encoding` as the header says it. One layer of gzip or deflate is undone: some proxies compress whatever passes.
    Raises Broken at another encoding, at layers, and at an answer that grows out of all proportion."""

    def __init__(self, encoding: str, *, most: int = _MOST) -> None:
        names = [name.strip().lower() for name in encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if len(names) > 1 or not set(names) <= {"gzip", "x-gzip", "deflate"}:
            raise Broken(detail=f"content-encoding that was not asked for: {encoding[:40]!r}")
        self._left = most
        self._deflate = names == ["deflate"]
        self._head = b""  # of deflate, until it can be told of which kind it is
        self._body = zlib.decompressobj(_BY_HEAD) if names else None  # it holds 7 kB

    def feed(self, data: bytes) -> Iterator[bytes]:
        """In pieces of a bounded size each; whoever stops taking them stops the making."""
        if self._body is None:
            yield data
            return
        if self._deflate:
            self._head += data
            if len(self._head) < 2:
                return
            data, self._deflate = self._head, False
            if data[0] & 15 != 8 or int.from_bytes(data[:2], "big") % 31:
                self._body = zlib.decompressobj(-zlib.MAX_WBITS)  # without zlib's head, as some have it
        while data:
            try:
                piece = self._body.decompress(data, _STEP)
            except zlib.error as error:
                raise Broken(detail=f"a compressed answer is damaged: {error}") from error
            self._left -= len(piece)
            if self._left < 0:
                raise Broken(detail="a compressed answer is too large")
            if piece:
                yield piece
            data = self._body.unconsumed_tail
            if self._body.eof:  # one more follows, where each chunk was compressed alone
                data, self._body = self._body.unused_data, zlib.decompressobj(_BY_HEAD)
