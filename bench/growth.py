"""What must not cost more as things grow: the context of a turn in a long history, a frame of a long answer.

CPU or wall time here, each as a ratio of two figures taken in turn; the tests count instructions and calls instead.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from adapters.telegram.outgoing.render import SIZE, measure, render
from bot.clock import SystemClock
from bot.markdown import Segmenter
from bot.types import Answer, Chat, IncomingMessage, Outcome, Person, Piece
from storage import open_store

__all__ = ["growth", "in_context"]

_CHAT = Chat("telegram", "1", "2")
_SECTION = """## Part {0}

Some **bold** words, `code` and a [link](https://example.org/{0}) in a paragraph that goes on for a line or two, so
that there is something to read.

- one point of part {0}
- and another, with *emphasis*

```python
value_{0} = compute({0})
```

"""


def growth() -> dict[str, float]:
    """Each ratio is of the larger to the smaller, and should stay below 1.3."""
    return {
        "context, 100,000 messages to 100": asyncio.run(in_context(100, 100_000)),
        "frame, 30,000 characters to 4,000": _frames(4_000, 30_000),
    }


async def in_context(few: int, many: int, times: int = 200) -> float:
    """How many times as long a turn's context takes in the longer history; of `times` the faster quarter counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "magpie.db"
        store = await open_store(f"sqlite:///{path}", owner="bench", clock=SystemClock())
        message = IncomingMessage("k", _CHAT, Person("2", "Ann"), "a question " * 20, 1)
        await store.accept(message)
        turn = await store.claim(2**50, [_CHAT.account_key])
        assert turn is not None
        await store.generated(turn, Answer("an answer " * 40, Outcome.WHOLE), {})
        await store.end(turn, Outcome.WHOLE)
        took = []
        for count in (few, many):
            await asyncio.to_thread(_fill, path, count // 2)
            took_each = []
            for _ in range(times):
                began = time.perf_counter()
                await store.context(_CHAT, limit=40)
                took_each.append(time.perf_counter() - began)
            took.append(sorted(took_each)[times // 4])
        await store.close()
        return took[1] / took[0]


def _fill(path: Path, exchanges: int) -> None:
    """Repeat the first turn and its messages until there are so many."""
    with closing(sqlite3.connect(path)) as db:
        turn = db.execute("SELECT * FROM turns WHERE id = 1").fetchone()
        pair = db.execute("SELECT * FROM messages WHERE turn = 1 ORDER BY id").fetchall()
        have = db.execute("SELECT count(*) FROM turns").fetchone()[0]
        for _ in range(exchanges - have):
            id = db.execute(_insert("turns", turn), (None, *turn[1:])).lastrowid
            db.executemany(_insert("messages", pair[0]), ((None, each[1], id, *each[3:]) for each in pair))
        db.execute("UPDATE messages SET after_turn = turn")
        db.commit()


def _insert(table: str, row: tuple[Any, ...]) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' for _ in row)})"


def _frames(short: int, long: int) -> float:
    """A frame: what is new is parsed, measured and written. Median over one message's length before the named one, for
    in some frames a message is cut, which costs more, however long the answer is."""
    text = "".join(_SECTION.format(number) for number in range(long // 200))
    return _ratio(lambda: _grow(text, short), lambda: _grow(text, long))


def _ratio(small: Callable[[], float], large: Callable[[], float]) -> float:
    rounds = [(small(), large()) for _ in range(5)]
    return min(each for _, each in rounds) / min(each for each, _ in rounds)


def _grow(text: str, length: int) -> float:
    segmenter = Segmenter(SIZE, measure)
    start = length - 4_000
    segmenter.update(text[:start])
    took = []
    for end in range(start + 40, length + 1, 40):
        began = time.process_time()
        render(Piece("1.0", segmenter.update(text[:end])[-1], growing=True))
        took.append(time.process_time() - began)
    return median(took)
