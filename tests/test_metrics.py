"""What monitoring is told: counted as it happens, the rest read from the store."""

from __future__ import annotations

from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import BadKey, Blocked, MagpieError, RetryLater, Unreachable
from bot.service.metrics import Metrics
from bot.types import BalanceReading, Bucket, Money, Usage
from tests.fakes.core import Core
from tests.fakes.model import FakeModel, Script, words
from tests.fakes.platform import FakePlatform, Trouble

Samples = dict[tuple[str, str], float]


async def scraped(core: Core) -> Samples:
    """To Prometheus, a label that is empty is none (Data model: "Labels with an empty label value are considered
    equivalent to labels that do not exist")."""
    page = (await core.metrics.page(core.store, "fake")).decode()
    return {
        (sample.name, " ".join(sorted(filter(None, sample.labels.values())))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def test_a_turn_its_calls_and_its_cost(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    model.scripts = [Script(words("one two three four five six seven", 0.4).chunks, 0.4, usage=Usage(100, 20))]
    platform.frame = 1.0
    await core.say(platform.says("count"))
    await core.clock.advance(1.0)
    assert (await scraped(core))["magpie_turns_open", "running"] == 1
    await core.quiet()
    await core.store.reading(BalanceReading("fake", Money(Decimal("12.5")), core.clock.now()))
    found = await scraped(core)
    assert found["magpie_turns_open", "running"] == 0
    assert found["magpie_turns_total", "fake whole"] == 1
    assert found["magpie_calls_total", "fake new"] == 1
    assert found["magpie_calls_total", "fake final"] == 1
    assert found["magpie_calls_total", "fake status"] == platform.statuses
    assert found["magpie_requests_total", "fake whole"] == 1
    assert found["magpie_tokens_total", "fake in"] == 100
    assert found["magpie_cost_total", "CNY fake"] == pytest.approx(0.0003)
    assert found["magpie_balance", "CNY fake"] == 12.5
    assert found["magpie_first_visible_seconds_sum", "fake"] == pytest.approx(1.2, abs=0.3)
    assert found["magpie_final_lag_seconds_count", "fake"] == 1


async def test_floods_and_what_waits_for_them(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    platform.buckets = lambda chat, call: (Bucket("room", 0.0, 100),)
    platform.troubles = {1: Trouble(RetryLater(60))}
    model.scripts = [words("A short answer, nothing else.", 0)]
    await core.say(platform.says("hi"))
    await core.clock.advance(2)
    found = await scraped(core)
    assert sum(value for (name, _), value in found.items() if name == "magpie_refusals_total") == 1
    assert found["magpie_turns_open", "delivering"] == 1
    assert ("magpie_turns_total", "fake whole") not in found
    await core.quiet()
    assert (await scraped(core))["magpie_turns_total", "fake whole"] == 1


@pytest.mark.parametrize(("error", "trouble"), [(BadKey(), "BadKey"), (Unreachable(), "Unreachable"), (Blocked(), "")])
def test_the_gateway_is_to_blame_for_some_errors_only(error: MagpieError, trouble: str) -> None:
    metrics = Metrics()
    metrics.gateway("g", error)
    assert metrics.troubles.get("g", "").partition(":")[0] == trouble
    metrics.gateway("g", None)
    assert metrics.troubles["g"] == ""
