"""The benchmark runs: nobody looks at its rows each day, and the store's verbs change."""

from __future__ import annotations

from bench.growth import in_context


async def test_a_context_in_a_short_and_a_longer_history() -> None:
    assert await in_context(few=4, many=40, times=8) > 0
