"""File types by magic numbers: what a file is, by its first bytes: no label is believed."""

from __future__ import annotations

__all__ = ["PICTURES", "Complaint", "kind_of"]

PICTURES = ("JPEG", "PNG", "WEBP", "GIF", "HEIC", "AVIF", "BMP", "TIFF")  # that can be read

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"%PDF", "PDF"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"{\\rtf", "RTF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7Z"),
    (b"\x1f\x8b", "GZIP"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"fLaC", "FLAC"),
    (b"#!AMR", "AMR"),
    (b"\x1aE\xdf\xa3", "Matroska"),
    (b"SQLite format 3\0", "SQLite"),
    (b"\x7fELF", "ELF"),
)
_RIFF = {b"WEBP": "WEBP", b"WAVE": "WAV", b"AVI ": "AVI"}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
_AVIF = (b"avif", b"avis")
_OFFICE = ((b"word/", "Word"), (b"xl/", "Excel"), (b"ppt/", "PowerPoint"))
_ZIPPED = (
    (b"mimetypeapplication/epub+zip", "EPUB"),
    (b"mimetypeapplication/vnd.oasis.opendocument", "OpenDocument"),
)


class Complaint(Exception):
    """Why a file can't be used: a code, which has its words elsewhere, and what fills them."""

    def __init__(self, code: str, detail: str = "", **data: str | int) -> None:
        super().__init__(code)
        self.code, self.detail, self.data = code, detail, data


def kind_of(start: bytes) -> str:
    """The name of the format that the first bytes (some 4,096) tell; '' if they tell none: it may be text."""
    for magic, kind in _STARTS:
        if start.startswith(magic):
            return kind
    if start[:4] == b"RIFF":
        return _RIFF.get(start[8:12], "")
    if start[4:8] == b"ftyp":
        return _boxed(start)
    if start[:4] == b"PK\3\4":
        return _zipped(start)
    if start[:2] == b"BM" and start[6:10] == b"\0\0\0\0":  # two letters alone begin many a text
        return "BMP"
    if start[:1] == b"\xff" and len(start) > 1 and start[1] & 0xE0 == 0xE0 and start[1:2] not in (b"\xfe", b"\xff"):
        return "MP3"
    return ""


def _boxed(start: bytes) -> str:
    """ISO base media: the brands stand in the first box, the one that counts most first."""
    size = min(int.from_bytes(start[:4]), 256)
    brands = [start[8:12], *(start[at : at + 4] for at in range(16, size, 4))]
    for brand in brands:
        if brand in _AVIF:
            return "AVIF"
        if brand in _HEIC:
            return "HEIC"
    if brands[0] in (b"mif1", b"msf1"):
        return "HEIC"
    return "M4A" if brands[0] in (b"M4A ", b"M4B ") else "MP4"


def _zipped(start: bytes) -> str:
    for words, kind in _ZIPPED:
        if start[30:].startswith(words):
            return kind
    return next((kind for name, kind in _OFFICE if name in start), "ZIP")
