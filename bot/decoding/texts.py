"""Text files: which encoding they are in, and their words in UTF-8.

What is decided: marks (BOM), then strict UTF-8, UTF-16 by its zeros, GB18030 where what comes out is Chinese as people
write it, and Latin-1 (as Windows has it) where that is mostly ASCII. Anything else is not guessed at.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from bot.decoding.kinds import Complaint
from bot.decoding.limits import MAX_TEXT

__all__ = ["decoded", "read_text"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_MOST = 4 * MAX_TEXT  # bytes that are looked at: no encoding here has more for a character
_FREE = "\t\n\r\f\b\x1b"  # control characters that texts and logs have
_FEW_HAN = 24  # too few to count how common they are
# The commonest characters of modern Chinese, half of any text (lists of frequencies agree on them)
_COMMON = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
)


def read_text(data: bytes, target: Path) -> dict[str, object]:
    """Write the text as `<target>.0`. Raises Complaint if it isn't text, or not in an encoding that is known."""
    whole = len(data) <= _MOST
    text, encoding = decoded(data[:_MOST], whole=whole)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cut = not whole or len(text) > MAX_TEXT
    encoded = text[:MAX_TEXT].encode()
    target.with_name(f"{target.name}.0").write_bytes(encoded)
    file = {"mime": "text/plain", "size": len(encoded)}
    return {"files": [file], "facts": {"encoding": encoding, "cut": cut}}


def decoded(data: bytes, *, whole: bool = True) -> tuple[str, str]:
    """The text, and the name of its encoding. `whole` False: it was cut, maybe inside of a character."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(_decode(data, encoding, whole=whole), encoding)
    if zeros := data[:4096].count(0):
        return _checked(_decode(data, _sixteen(data[:4096], zeros), whole=whole), "utf-16")
    for encoding in ("utf-8", "gb18030", "cp1252"):
        text = _decode(data, encoding, whole=whole)
        if text is not None and (encoding == "utf-8" or _plausible(text, encoding)):
            return _checked(text, encoding)
    raise Complaint("binary" if _is_binary(data) else "encoding")


def _decode(data: bytes, encoding: str, *, whole: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final=whole) if encoding else None
    except UnicodeDecodeError:
        return None


def _sixteen(start: bytes, zeros: int) -> str:
    """Text in UTF-16 without a mark has its zeros in every other place: those of signs, figures and line ends."""
    odd = start[1::2].count(0)
    if odd >= 0.9 * zeros and odd > 1:
        return "utf-16-le"
    return "utf-16-be" if odd <= 0.1 * zeros and zeros > 1 else ""


def _checked(text: str | None, encoding: str) -> tuple[str, str]:
    if text is None or _strange(text) > max(1, len(text) // 200):
        raise Complaint("binary")
    return text.removeprefix("\ufeff"), encoding


def _strange(text: str) -> int:
    return sum(sign < " " and sign not in _FREE for sign in text) + text.count("\x7f") + 100 * text.count("\0")


def _is_binary(data: bytes) -> bool:
    head = data[:4096]
    return sum(byte < 32 and chr(byte) not in _FREE for byte in head) > len(head) // 200


def _plausible(text: str, encoding: str) -> bool:
    """Is this what somebody wrote? Korean and French can be read as GB18030, too: as characters that nobody uses."""
    if encoding == "cp1252":
        return sum(sign > "\x7f" for sign in text) * 4 <= len(text) and not _strange(text)
    wide = [sign for sign in text if sign > "\x7f"]
    plain = [sign for sign in wide if _is_usual(sign)]
    han = [sign for sign in wide if "\u4e00" <= sign <= "\u9fff"]
    if len(plain) < 0.8 * len(wide):
        return False
    return len(han) < _FEW_HAN or sum(sign in _COMMON for sign in han) > 0.12 * len(han)


def _is_usual(sign: str) -> bool:
    """Signs and the 3,755 commonest characters stand in the first part of GB 2312 (rows 1 to 55)."""
    code = sign.encode("gb18030")
    return len(code) == 2 and 0xA1 <= code[0] <= 0xD7 and code[1] >= 0xA1
