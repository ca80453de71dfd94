"""`magpie run` without the platforms' budgets: only the least time between two versions of a message is kept.

The product has no such setting, and needs none. Run as `python -m bench.unlimited`.
"""

from __future__ import annotations

from dataclasses import replace

import adapters.slack.limits as slack
import adapters.telegram.limits as telegram
from bot.__main__ import main

_PACE = 1.1  # seconds between two versions of a message

telegram.LIMITS = replace(telegram.LIMITS, buckets=lambda _chat, _call: (), frame=_PACE)
slack.STREAMS = 1_000_000
slack.Pace.buckets = lambda _self, _chat, _call: ()  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    main()
