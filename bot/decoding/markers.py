"""Image headers, read without decoding: the segments of a JPEG (ITU T.81, B.1), the sides of a picture."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["END", "markers", "scans", "size_of"]

END = 0xD9
_SCAN = 0xDA
_ALONE = (0x01, *range(0xD0, 0xD9))  # without a length
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of a frame: the sides stand there


def markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker with a segment, and where that begins (at its length), up to the end of the picture."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # inside of a scan's data
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        marker = data[at + 1]
        if marker == END:
            return
        if marker in (0x00, 0xFF) or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        yield marker, at + 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4])


def scans(data: bytes) -> int:
    """How often a decoder has to go through the picture."""
    return sum(marker == _SCAN for marker, _ in markers(data))


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG or PNG, as its header tells; None if it tells nothing."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if data.startswith(b"\xff\xd8\xff"):
        for marker, at in markers(data):
            if marker in _FRAMES and len(data) >= at + 7:
                return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 3 : at + 5])
    return None
