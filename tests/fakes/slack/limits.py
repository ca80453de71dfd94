"""How much the server takes before it answers 429 (docs.slack.dev: Rate limits).

Tiers hold per method and workspace: 2 is 20 and more a minute, 3 is 50, 4 is 100. "And more" is here a minute of 59
seconds: calls don't arrive as evenly as they are sent. Posting is one message a second and channel, "short bursts"
allowed, which are here three; and "several hundred" a minute in a workspace, which are here 300.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.rates import Bucket, Window
from tests.fakes.slack.refusals import flood

__all__ = ["METHODS", "Limits"]

_MINUTE = 59.0
_TIERS = {2: 20, 3: 50, 4: 100}
_SPECIAL = 600  # assistant.threads.setStatus, auth.test, chat.getPermalink: of their own, "hundreds"
METHODS: Mapping[str, int] = {  # method -> tier, 0 for a limit of its own (docs.slack.dev, each method's "Rate limits")
    "agents.sessions.rename": 3,
    "agents.sessions.setStatus": 3,
    "apps.connections.open": 3,
    "assistant.threads.setStatus": 0,
    "auth.test": 0,
    "chat.appendStream": 4,
    "chat.delete": 3,
    "chat.getPermalink": 0,
    "chat.postEphemeral": 4,
    "chat.postMessage": 0,
    "chat.startStream": 2,
    "chat.stopStream": 2,
    "chat.update": 3,
    "conversations.history": 3,
    "conversations.info": 3,
    "conversations.members": 4,
    "conversations.open": 3,
    "conversations.replies": 3,
    "files.info": 4,
    "usergroups.list": 2,
    "users.info": 4,
    "views.open": 4,
    "views.publish": 4,
    "views.push": 4,
    "views.update": 4,
}


@dataclass
class Limits:
    """The numbers may be set before the first call. `on = False` lets everything pass; `refused` counts calls that were
    answered 429."""

    on: bool = True
    posts_per_second: float = 1.0
    posts_burst: int = 3
    posts_per_minute: int = 300
    most: dict[str, int] = field(default_factory=dict)  # calls a minute of a method, in place of its tier's
    refused: int = 0
    _methods: dict[str, Window] = field(default_factory=dict)
    _channels: dict[str, Bucket] = field(default_factory=dict)

    def count(self, method: str, channel: str, now: float) -> None:
        """Take one call at `now` (seconds), or refuse it. Calls that turn out to be wrong count as others do."""
        if not self.on or method not in METHODS:
            return
        window = self._methods.setdefault(method, Window(self._most(method), _MINUTE))
        wait, bucket = window.wait(now), None
        if method == "chat.postMessage":
            bucket = self._channels.setdefault(channel, Bucket(self.posts_per_second, self.posts_burst, at=now))
            wait = max(wait, bucket.wait(now))
        if wait > 0:
            self.refused += 1
            raise flood(wait)
        window.take(now)
        if bucket is not None:
            bucket.take()

    def _most(self, method: str) -> int:
        usual = self.posts_per_minute if method == "chat.postMessage" else _TIERS.get(METHODS[method], _SPECIAL)
        return self.most.get(method, usual)
