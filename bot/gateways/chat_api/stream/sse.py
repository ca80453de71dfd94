"""Server-sent events, decoded from bytes as they come (WHATWG HTML, "Server-sent events"), with patience for gateways.

More than the standard asks for: the last event counts without its blank line, bare JSON is an event (over many lines
too, and behind a "data:" of its own), a comment may carry an HTTP status (":HTTP_STATUS/400"), a lost line break is
found again. A line that is nothing of the standard's is an event too: what is not understood is for `payloads` to
judge, and never skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["LINE", "TOTAL", "Decoder", "Event"]

LINE = 16 << 20  # bytes of one line: a picture may be in it
TOTAL = 32 << 20  # bytes of one answer; a chunk for each token makes 250 of 4

_BOM = b"\xef\xbb\xbf"
_WHOLE = b"data: {"
_STATUS = re.compile(rb":\s*HTTP_STATUS/(\d{3})\b")
_GLUED = re.compile(rb"data:\s*(?=[\[{].*\"(?:choices|content)\")")  # a chunk behind something that lost its line break
_FIELD = re.compile(rb"\s*(?:data|event|id|retry)\s*:", re.IGNORECASE)
_JSON = re.compile(rb"\s*[{}\[\],]")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?(gb2312|gbk|gb18030|big5|shift_jis|euc-jp|euc-kr)\b", re.IGNORECASE)
_BRACES = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}"]')


def _charset(content_type: str) -> str:
    """The encoding for what is not UTF-8: as the header names it, if it is one that would notice a mistake."""
    named = _CHARSET.search(content_type)
    return named[1].lower() if named else "utf-8"


@dataclass(frozen=True, slots=True)
class Event:
    """`status` is the HTTP status that a comment before the data told."""

    data: str
    name: str = "message"
    status: int | None = None


class Decoder:
    """Bytes in, events out. An event without data is none. `full` is set once a line or the whole passes its size: what
    follows is not read any more. `content_type` is the header: bytes that are no UTF-8 are in the encoding it names."""

    def __init__(self, *, line: int = LINE, total: int = TOTAL, content_type: str = "") -> None:
        self.full = False
        self.garbled = False  # some bytes were no UTF-8, so a part of the text is lost
        self._charset = _charset(content_type)
        self._line_size = line
        self._left = total
        self._partial: list[bytes] = []  # a line whose end has not come yet
        self._partial_size = 0
        self._after_cr = False
        self._first = True
        self._data: list[str] = []
        self._name = ""
        self._status: int | None = None
        self._bare: list[bytes] = []  # lines of a JSON object that is open
        self._open = 0  # its braces
        self._line_before = b""

    @property
    def ends_array(self) -> bool:
        """Was the end of an array the last that came?"""
        return self._line_before.rstrip().endswith(b"]")

    def feed(self, data: bytes) -> list[Event]:
        if self.full or not data:
            return []
        self._left -= len(data)
        if self._left < 0:
            self.full = True
            return []
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        return self._lines(data)

    def close(self) -> list[Event]:
        """The bytes have ended: what is still pending counts."""
        events = []
        if self._partial and not self.full:
            events += self._line(self._join(b""))
        if self._bare:
            events += self._json_ends()
        return events + self._dispatch()

    def _lines(self, data: bytes) -> list[Event]:
        # bytes.splitlines knows CR, LF and CRLF only; U+2028 and its like stay inside the data
        lines = data.splitlines()
        tail = lines.pop() if lines and data[-1:] not in (b"\r", b"\n") else b""
        events: list[Event] = []
        numbered = enumerate(lines, 1)
        for after, line in numbered:
            if self._partial_size + len(line) > self._line_size:
                self.full = True
                return events
            if line.startswith(_WHOLE) and after < len(lines) and not lines[after] and self._is_between:
                self._line_before = line  # an event of one line, as nearly all are: `_line` would find the same
                events.append(Event(self._text(line[len(_WHOLE) - 1 :])))
                next(numbered)
                continue
            events += self._line(self._join(line))
        if tail:
            self._partial.append(tail)
            self._partial_size += len(tail)
            self.full = self._partial_size > self._line_size
        return events

    @property
    def _is_between(self) -> bool:
        """Is nothing of an event there yet?"""
        begun = self._first or self._partial or self._data or self._open or self._name
        return not begun and self._status is None

    def _join(self, end: bytes) -> bytes:
        if not self._partial:
            return end
        line = b"".join((*self._partial, end))
        self._partial.clear()
        self._partial_size = 0
        return line

    def _line(self, line: bytes) -> list[Event]:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        self._line_before = line if line.strip() else self._line_before
        if not _FIELD.match(line) and (self._open or (self._data and line and line[:1] != b":" and self._goes_on())):
            return self._json(line)
        if not line:
            return self._dispatch()
        if self._open:  # it was cut off, and the stream goes on
            return [*self._json_ends(), *self._field(line)]
        if _JSON.match(line) and not line.startswith(b"[DONE"):
            return (self._dispatch() if self._data else []) + self._json(line)
        return self._field(line)

    def _field(self, line: bytes) -> list[Event]:
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.removeprefix(b" ")
        if name == b"data":
            self._data.append(self._text(value))
            return []
        if not name and line[:1] == b":" and (found := _STATUS.match(line)):
            self._status = int(found[1])
        elif found := _GLUED.search(line):
            return [*self._field(line[: found.start()]), *self._field(line[found.start() :])] if found.start() else []
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
        elif name not in (b"", b"id", b"retry"):
            return [*self._dispatch(), Event(self._text(line), status=self._status)]
        return []

    def _goes_on(self) -> bool:
        """Is JSON open behind "data:"? Then lines follow that have lost theirs; they are read as bare ones."""
        begun = "\n".join(self._data).encode("utf-8", "replace")
        braces = _BRACES.findall(begun) if _JSON.match(begun) else []
        open = 0 if b'"' in braces else braces.count(b"{") - braces.count(b"}")
        if open <= 0:
            return False
        self._bare, self._open = [begun], open
        self._data.clear()
        return True

    def _text(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            pass
        try:
            return line.decode(self._charset)
        except UnicodeDecodeError:
            self.garbled = True
            return line.decode("utf-8", "replace")

    def _json(self, line: bytes) -> list[Event]:
        """A line of bare JSON: an event once its braces are closed. A string that its line doesn't close never is."""
        self._bare.append(line)
        for found in _BRACES.findall(line):
            self._open += (found == b"{") - (found == b"}")
            if found == b'"':
                self._open = 0
                break
        return [] if self._open > 0 else self._json_ends()

    def _json_ends(self) -> list[Event]:
        data = self._text(b"\n".join(self._bare))
        self._bare.clear()
        self._open = 0
        self._data.append(data)
        return self._dispatch()

    def _dispatch(self) -> list[Event]:
        data = "\n".join(self._data)
        event = Event(data, self._name or "message", self._status)
        self._data.clear()
        self._name = ""
        self._status = None
        return [event] if data else []
