"""`make guards`: takes each guard of the promise out of a copy of the code, and looks which test notices.

1 if one goes unnoticed. `make guards ARGS="dedupe stale"` takes only those whose name has one of the words.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.project import ROOT, files

SECONDS = 900.0  # for one run of tests; what hangs is ended by its own limit before
SEAM = "tests/faults/test_schedules.py"
BROKE = f"{SEAM}::test_a_schedule_that_broke_the_promise_no_longer_does"
SINGLE = "tests/faults/test_single_defects.py"
WIRE = "tests/faults/test_wire_schedules.py"


@dataclass(frozen=True)
class Guard:
    """`edits`: (file, what stands there, what is put there). `tests` are run in this order until one fails."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...] = (SEAM, SINGLE)


GUARDS = (
    Guard(
        "dedupe: an event counts once",
        (
            (
                "storage/verbs/arrivals.py",
                "if not enter(tx, message.key):",
                "if not enter(tx, message.key) and 0:",
            ),
            ("bot/intake/intake.py", "if await self._store.seen(message.key):", "if 0:"),
        ),
    ),
    Guard(
        "attempt fence: who was overtaken writes nothing",
        (("storage/verbs/queue.py", "raise Superseded\n\n\ndef _fenced", "return\n\n\ndef _fenced"),),
        ("tests/contract/test_store.py",),
    ),
    Guard(
        "intent before send",
        (("bot/delivery/posts.py", "await self._store.intend(self._turn, index)\n", "pass\n"),),
    ),
    Guard(
        "commit before ack",
        (
            (
                "bot/intake/intake.py",
                "ack = await self._message(event)",
                "import asyncio; self._later = asyncio.ensure_future(self._message(event)); ack = Ack()",
            ),
        ),
    ),
    Guard(
        "silence after 429",
        (("bot/delivery/delivery.py", "self.limiter.throttled(buckets, later.after)", "pass"),),
    ),
    Guard(
        "priority of finals",
        (("bot/delivery/limiter.py", "return (self.call, max(head", "return (Call.FINAL, max(head"),),
        ("tests/test_limiter.py",),
    ),
    Guard(
        "newest text only",
        (("bot/delivery/delivery.py", "step = replace(step, piece=wanted[step.index])", "pass"),),
        (SINGLE,),
    ),
    Guard(
        "surplus messages are deleted",
        (("bot/delivery/delivery.py", "if surplus >= len(wanted) and wanted", "if 0 and wanted"),),
    ),
    Guard(
        "a part is labelled",
        (("bot/turns/exchange.py", "    if note is not None:\n        notes.append(note)\n", ""),),
    ),
    Guard(
        "drain on SIGTERM: what runs is finished",
        (
            (
                "bot/service/app.py",
                "await self.core.turns.drain(self.settings.drain_seconds)",
                "await self.core.turns.drain(0)",
            ),
        ),
        (WIRE,),
    ),
    Guard(
        "no new turns while draining",
        (
            ("bot/turns/queue.py", "while not self._draining and await", "while await"),
            ("bot/turns/queue.py", "if self._draining:  #", "if 0:  #"),
        ),
        (SINGLE, WIRE),
    ),
    Guard(
        "stale turns end with an apology",
        (("bot/turns/dispatcher.py", "if max(turn.created, turn.not_before) < self._oldest:", "if 0:"),),
        ("tests/test_dispatcher.py", WIRE),
    ),
    Guard(
        "order within a chat",
        (("storage/verbs/queue.py", "sa.or_(o.owner.is_not(None), o.id < t.id)", "o.owner.is_not(None)"),),
        (BROKE, SEAM),
    ),
    Guard(
        "one at a time in a chat",
        (("storage/verbs/queue.py", "sa.or_(o.owner.is_not(None), o.id < t.id)", "o.id < 0"),),
    ),
    Guard(
        "what was posted is stored",
        (
            (
                "bot/delivery/posts.py",
                "await self._write(lambda: self._store.posted(self._turn, index, post, digest))",
                "pass",
            ),
        ),
    ),
    Guard(
        "a repeat says so",
        (("bot/delivery/delivery.py", "piece = self._draft.repeated(piece)", "pass"),),
    ),
    Guard(
        "look before a repeat",
        (("bot/delivery/delivery.py", "if found is not None:", "if 0:"),),
    ),
    Guard(
        "doubt before a change",
        (
            (
                "bot/delivery/posts.py",
                "if shown.post is not None and shown.digest != UNKNOWN and not unfinished:",
                "if 0:",
            ),
        ),
        (BROKE,),
    ),
    Guard(
        "a full message looks unfinished until the next stands",
        (("bot/delivery/layout.py", "not stands(index + 1, pieces[-1])", "False"),),
    ),
    Guard(
        "turns of a dead process are taken up",
        (("storage/verbs/queue.py", "    if not dead:\n", "    if dead or not dead:\n"),),
    ),
    Guard(
        "what was forgotten is not sent again unmarked",
        (("bot/delivery/delivery.py", "return not self._is_lost(index) or self._answer is not None", "return True"),),
        (BROKE, SEAM),
    ),
    Guard(
        "what may stand there is remembered across a retry",
        (("bot/delivery/posts.py", "remains = lost or index in self.repeated", "remains = False"),),
        (BROKE,),
    ),
    Guard(
        "a process claims only for accounts that it holds",
        (("storage/verbs/queue.py", "return sa.and_(FREE, _OURS, due,", "return sa.and_(FREE, due,"),),
        ("tests/contract/test_store.py",),
    ),
    Guard(
        "a lease is looked at before a chat is changed",
        (("bot/delivery/delivery.py", "await self.assured(self.turn.chat.account_key)", "pass"),),
        ("tests/faults/test_leases.py",),
    ),
    Guard(
        "a lease is over for us before it is for others",
        (("storage/verbs/leases.py", "LEASE / 1000 - MARGIN", "LEASE / 1000 + 60"),),
        ("tests/contract/test_leases.py",),
    ),
    Guard(
        "calls that were lost are closed in the ledger",
        (("storage/verbs/queue.py", "    for id in ids:\n        lose(tx, id)\n", ""),),
        ("tests/contract/test_store.py",),
    ),
    Guard(
        "what fails in a shared commit is undone",
        (("storage/database/writer.py", "            point.rollback()\n", "            point.commit()\n"),),
        ("tests/test_storage.py",),
    ),
    Guard(
        "what is paid for is kept",
        (
            (
                "bot/turns/dispatcher.py",
                "await retry_until_stored(partial(self._store.generated, turn, form, kept), self._clock)",
                "await self._store.generated(turn, form, kept)",
            ),
        ),
        (SINGLE, SEAM),
    ),
)


def caught(guard: Guard, copy: Path) -> str:
    """What noticed that it was missing, '' if nothing did."""
    originals = {name: (copy / name).read_text(encoding="utf-8") for name, _, _ in guard.edits}
    try:
        for name, old, new in guard.edits:
            text = (copy / name).read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{guard.name}: {name} has {text.count(old)} times {old!r}"
            (copy / name).write_text(text.replace(old, new), encoding="utf-8")
        return next(filter(None, (_noticed(tests, copy) for tests in guard.tests)), "")
    finally:
        for name, text in originals.items():
            (copy / name).write_text(text, encoding="utf-8")


def _noticed(tests: str, copy: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-W", "ignore"]
    command += ["--timeout", "240", tests]
    quick = {"SHRINK": "0", "PATIENCE": "40"}
    environment = {**os.environ, **quick, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == 0:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    again = re.search(r'REPLAY="(.*)"', done.stdout)
    scenes = re.findall(r"AssertionError: ([^:\n]+): (?:AssertionError|TimeoutError)", done.stdout)
    assert failed, done.stdout[-3000:] + done.stderr[-2000:]
    return " ".join([failed[1].removeprefix("tests/"), *(again.groups() if again else scenes[:1])])


def main(words: list[str]) -> int:
    lost = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy"
        for path in files():
            if (ROOT / path).is_file():
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, copy / path)
        for guard in GUARDS:
            if words and not any(word in guard.name for word in words):
                continue
            began = time.monotonic()
            by = caught(guard, copy)
            lost += not by
            print(f"{guard.name} | {by or 'NOBODY NOTICED'} | {time.monotonic() - began:.0f} s", flush=True)
    return min(1, lost)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
