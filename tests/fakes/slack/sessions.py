"""That the app is at work (docs.slack.dev: assistant.threads.setStatus, agents.sessions.setStatus)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.lookups import find_room, may_write
from tests.fakes.slack.params import Params
from tests.fakes.slack.refusals import Refusal, invalid

if TYPE_CHECKING:
    from tests.fakes.slack.world import World

__all__ = ["Session", "Sessions"]

_STATES = ("active", "processing", "suspended", "closed")
_TITLE = 200
_LOADING = 10  # loading_messages
_STATUS_LIFE = 120.0  # "automatically removed after two minutes"


@dataclass
class Session:
    """Of one thread. `state` is '' until the app has made it an agent's session; then, while it is processing, people
    see a Stop button, if the app listens to it."""

    status: str = ""
    at: float = 0.0
    state: str = ""
    title: str = ""

    def doing(self, now: float) -> str:
        return self.status if now - self.at <= _STATUS_LIFE else ""


class Sessions:
    def __init__(self, world: World) -> None:
        self._world = world

    def set_status(self, params: Params) -> dict[str, Any]:
        """assistant.threads.setStatus; an empty status takes it away."""
        session = self._session(params, needs_thread=True)
        if not params.given("status"):
            raise invalid("invalid_arguments", "missing required field: status")
        if len(params.data("loading_messages", list) or ()) > _LOADING:
            raise invalid("invalid_arguments", "no more than 10 items allowed [json-pointer:/loading_messages]")
        session.status, session.at = params.text("status"), self._world.seconds()
        return {}

    def set_session(self, params: Params) -> dict[str, Any]:
        """agents.sessions.setStatus: for apps that are declared as agents. Nobody can press Stop if the app isn't
        subscribed to it: then there is a warning and no button."""
        if not self._world.is_agent:
            raise Refusal("not_an_agent")
        state, title = params.needed("status"), params.text("title")
        if state not in _STATES or len(title) > _TITLE:
            raise invalid("invalid_arguments", "status or title")
        session = self._session(params)
        session.state, session.title = state, title or session.title
        warning = "missing_agent_session_stopped_event_subscription"
        if "agent_session_stopped" in self._world.events:
            return {}
        return {"warning": warning, "response_metadata": {"warnings": [warning]}}

    def rename(self, params: Params) -> dict[str, Any]:
        session, title = self._session(params), params.needed("title")
        if len(title) > _TITLE:
            raise invalid("invalid_arguments", "title")
        session.title = title
        return {}

    def _session(self, params: Params, *, needs_thread: bool = False) -> Session:
        room = find_room(self._world, params, "channel_id")
        may_write(self._world, room)
        thread = params.needed("thread_ts") if needs_thread else params.text("thread_ts")
        root = room.posts.get(thread)
        if thread and (root is None or (root.deleted and not root.tombstone)):
            raise Refusal("thread_not_found")
        return self._world.sessions.setdefault((room.id, thread), Session())
