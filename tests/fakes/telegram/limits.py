"""How much the server takes before it answers 429 (Bots FAQ: "My bot is hitting limits").

About one message a second in a chat, with short bursts; 20 a minute in a group; about 30 a second in all. Sends and
edits share one budget (tdlib/td#2592), topics of a forum share their chat's; who comes back too early waits longer
(tdlib/td#1062).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.rates import Bucket, Window
from tests.fakes.telegram.refusals import Refusal, flood

__all__ = ["Limits"]

_EARLY = 2.0  # what is added, as a factor of the wait that was left, when somebody comes back too early


@dataclass
class Limits:
    """The numbers may be set before the first call. `on = False` lets everything pass."""

    on: bool = True
    private_per_second: float = 1.0
    private_burst: int = 4
    group_per_minute: int = 20
    all_per_second: float = 30.0
    all_burst: int = 35  # a little more than a second's worth: calls don't arrive as evenly as they are sent
    refused: int = 0  # calls that were answered 429
    _all: Bucket | None = None
    _private: dict[int, Bucket] = field(default_factory=dict)
    _groups: dict[int, Window] = field(default_factory=dict)
    _silent: dict[int, float] = field(default_factory=dict)  # chat id -> nothing is taken before

    def count(self, chat: int, now: float) -> None:
        """Take one call in a chat at `now` (seconds), or refuse it. Ids of groups are negative."""
        if not self.on:
            return
        if (left := self._silent.get(chat, now) - now) > 0:
            raise self._refuse(chat, now, left * _EARLY)
        everything = self._all = self._all or Bucket(self.all_per_second, self.all_burst, at=now)
        waits = [everything.wait(now)]
        if chat > 0:
            private = self._private.setdefault(chat, Bucket(self.private_per_second, self.private_burst, at=now))
            waits.append(private.wait(now))
        else:
            group = self._groups.setdefault(chat, Window(self.group_per_minute, 60.0))
            waits.append(group.wait(now))
        if (wait := max(waits)) > 0:
            raise self._refuse(chat, now, wait)
        everything.take()
        if chat > 0:
            private.take()
        else:
            group.take(now)

    def _refuse(self, chat: int, now: float, wait: float) -> Refusal:
        self.refused += 1
        refusal = flood(wait)
        self._silent[chat] = now + refusal.parameters["retry_after"]
        return refusal
