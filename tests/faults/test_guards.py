"""What `make guards` takes out is there: a guard that is looked for in vain proves nothing."""

from __future__ import annotations

import pytest

from tests.faults.guards import GUARDS, Guard
from tests.project import ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_each_guard_stands_once_in_the_code(guard: Guard) -> None:
    for name, old, new in guard.edits:
        assert (ROOT / name).read_text(encoding="utf-8").count(old) == 1, f"{name}: {old!r}"
        assert old != new
    for tests in guard.tests:
        assert (ROOT / tests.partition("::")[0]).exists()
