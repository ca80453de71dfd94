"""What a token may (docs.slack.dev: Scopes; each method's "Scopes")."""

from __future__ import annotations

from collections.abc import Collection

from tests.fakes.slack.refusals import Refusal

__all__ = ["ALL", "EVENTS", "check_scope", "event_scope", "kind_scope"]

_KINDS = {"im": "im", "channel": "channels", "group": "groups", "mpim": "mpim"}
_METHODS = {
    "agents.sessions.rename": "assistant:write",
    "agents.sessions.setStatus": "assistant:write",
    "assistant.threads.setStatus": "chat:write",
    "conversations.open": "im:write",
    "files.info": "files:read",
    "usergroups.list": "usergroups:read",
    "users.info": "users:read",
} | {
    f"chat.{name}": "chat:write"
    for name in ("appendStream", "delete", "postEphemeral", "postMessage", "startStream", "stopStream", "update")
}
_BY_KIND = {
    "conversations.history": "history",
    "conversations.info": "read",
    "conversations.members": "read",
    "conversations.replies": "history",
}
ALL = frozenset(
    {"app_mentions:read", "commands", "files:write", "reactions:write", *_METHODS.values()}
    | {f"{kind}:{what}" for kind in _KINDS.values() for what in ("history", "read")}
)
EVENTS = frozenset(
    {"agent_session_stopped", "app_home_opened", "app_mention", "channel_left", "group_left", "member_joined_channel"}
    | {f"message.{kind}" for kind in _KINDS.values()}
    | {"channel_archive", "channel_unarchive", "group_archive", "group_unarchive"}
)


def kind_scope(kind: str, what: str) -> str:
    """channels:history, im:read and their like."""
    return f"{_KINDS[kind]}:{what}"


def check_scope(granted: Collection[str], method: str, kind: str = "channel") -> None:
    """docs.slack.dev: missing_scope, with what is needed and what is there. `kind` is the conversation's."""
    needed = kind_scope(kind, _BY_KIND[method]) if method in _BY_KIND else _METHODS.get(method)
    if needed is not None and needed not in granted:
        raise Refusal("missing_scope", needed=needed, provided=",".join(sorted(granted)))


def event_scope(event: str) -> str:
    """What an event needs; '' for nothing (docs.slack.dev: Events reference)."""
    kind, _, place = event.partition(".")
    if kind == "message":
        return f"{place}:history"
    prefix = kind.partition("_")[0]
    read = {"channel": "channels:read", "group": "groups:read", "member": "channels:read"}
    named = {"app_mention": "app_mentions:read", "agent_session_stopped": "assistant:write", "app_home_opened": ""}
    return named.get(kind, read.get(prefix, ""))
