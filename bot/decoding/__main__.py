"""The process that decodes: a line of JSON in, a line out, until there are no more; see the package's docstring."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from bot.decoding.kinds import Complaint
from bot.decoding.limits import MEMORY, hold, hold_next, peak
from bot.decoding.recipes import prepare

__all__ = ["main"]


def main() -> None:
    hold()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print is no answer
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    while True:
        answer = {**_answer(json.loads(asked.get())), "peak": peak()}
        answers.write(json.dumps(answer).encode() + b"\n")


def _listen(lines: BinaryIO, asked: queue.SimpleQueue[bytes]) -> None:
    """Whoever asked may go away in the middle of a file: then so do we."""
    for line in lines:
        asked.put(line)
    os._exit(0)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    hold_next()
    try:
        return dict(prepare(Path(job["source"]), Path(job["target"]), images=bool(job.get("images"))))
    except Complaint as complaint:
        return {"error": complaint.code, "data": complaint.data, "detail": complaint.detail}
    except MemoryError:
        return {"error": "memory", "data": {"limit": MEMORY // 1_000_000}}
    except OSError as error:
        return {"error": "unreadable", "data": {"reason": error.strerror or type(error).__name__}, "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this file's, and told
        return {"error": "failed", "detail": repr(error)}


if __name__ == "__main__":
    main()
