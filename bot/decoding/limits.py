"""Resource limits: what a file may take of the machine, and what a picture may be, as figures; and how a process is
held to them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has none: there the clock and the caller's hand are the only limits
    resource = None  # type: ignore[assignment]

__all__ = [
    "CPU_SECONDS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_RATIO",
    "MAX_SCANS",
    "MAX_TEXT",
    "MEMORY",
    "MIN_SIDE",
    "SECONDS",
    "SENT_PIXELS",
    "hold",
    "hold_next",
    "peak",
]

# ── of a file ───────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_BYTES = 20_000_000  # of a file that is taken: what every platform gives out
MAX_TEXT = 400_000  # characters of a text that are read: three times what any context has room for (`prompt.CEILING`)

# ── of a picture (Model Studio: visual understanding, 2026-11) ──────────────────────────────────────────────────────

SENT_PIXELS = 1_003_520  # 1,280 tokens of 28 x 28: what the models of all lines look at without being asked to
MIN_SIDE = 10  # a side must have more
MAX_RATIO = 200
MAX_PIXELS = 50_000_000  # that are decoded: what telephones take today
MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten (libjpeg-turbo's own fuzzers stop at 500)

# ── of the machine ──────────────────────────────────────────────────────────────────────────────────────────────────

MEMORY = 1_250_000_000  # bytes of address space; a WebP of 49 million pixels needs 850 MB (measured 2026-11)
CPU_SECONDS = 10  # for one file; the slowest honest one took 7.4 (a PNG of 49 million pixels with 16 bits)
SECONDS = 30.0  # by the clock, on a machine that has other things to do
_OUTPUT = 32_000_000  # bytes of a file that is written
_DESCRIPTORS = 64
_NICE = 10


def hold() -> None:
    """Hold this process to the limits, for good. Where the system has no such limits, it has none."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):  # where memory ends, this process is to go, and not who asked it (Linux)
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if resource is None:
        return
    for name, most in (
        ("RLIMIT_AS", MEMORY),
        ("RLIMIT_FSIZE", _OUTPUT),
        ("RLIMIT_NOFILE", _DESCRIPTORS),
        ("RLIMIT_CORE", 0),
    ):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # macOS refuses some
            limit = getattr(resource, name)
            _, hard = resource.getrlimit(limit)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (most, most))


def hold_next() -> None:
    """Give the next file its share of CPU time, counted from now."""
    if resource is None:
        return
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + CPU_SECONDS, hard))


def peak() -> int:
    """The most memory that this process has had, in bytes; 0 if that isn't told. (Linux' ru_maxrss tells of whoever
    started it, too.)"""
    with contextlib.suppress(OSError, StopIteration), open("/proc/self/status", encoding="ascii") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
