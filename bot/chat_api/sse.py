"""Server-sent events, decoded from bytes as they come (WHATWG HTML, "Server-sent events"), with patience for gateways.

More than the standard asks for: the last event counts without its blank line, a line of bare JSON is an event, and a
comment may carry an HTTP status (":HTTP_STATUS/400").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["LINE", "TOTAL", "Decoder", "Event"]

LINE = 1 << 20  # bytes of one line
TOTAL = 8 << 20  # bytes of one answer

_BOM = b"\xef\xbb\xbf"
_STATUS = re.compile(rb":\s*HTTP_STATUS/(\d{3})\b")


@dataclass(frozen=True, slots=True)
class Event:
    """`status` is the HTTP status that a comment before the data told."""

    data: str
    name: str = "message"
    status: int | None = None


class Decoder:
    """Bytes in, events out. An event without data is none. `full` is set once a line or the whole passes its size: what
    follows is not read any more."""

    def __init__(self, *, line: int = LINE, total: int = TOTAL) -> None:
        self.full = False
        self._line_size = line
        self._left = total
        self._partial: list[bytes] = []  # a line whose end has not come yet
        self._partial_size = 0
        self._after_cr = False
        self._first = True
        self._data: list[str] = []
        self._name = ""
        self._status: int | None = None

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
        return events + self._dispatch()

    def _lines(self, data: bytes) -> list[Event]:
        # bytes.splitlines knows CR, LF and CRLF only; U+2028 and its like stay inside the data
        lines = data.splitlines()
        tail = lines.pop() if lines and data[-1:] not in (b"\r", b"\n") else b""
        events: list[Event] = []
        for line in lines:
            if self._partial_size + len(line) > self._line_size:
                self.full = True
                return events
            events += self._line(self._join(line))
        if tail:
            self._partial.append(tail)
            self._partial_size += len(tail)
            self.full = self._partial_size > self._line_size
        return events

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
        if not line:
            return self._dispatch()
        if line[:1] == b":":
            if found := _STATUS.match(line):
                self._status = int(found[1])
            return []
        if line[:1] == b"{":
            events = self._dispatch() if self._data else []
            self._data.append(line.decode("utf-8", "replace"))
            return events + self._dispatch()
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")
        return []

    def _dispatch(self) -> list[Event]:
        data = "\n".join(self._data)
        event = Event(data, self._name or "message", self._status)
        self._data.clear()
        self._name = ""
        self._status = None
        return [event] if data else []
