"""The app's manifest, to paste at api.slack.com/apps: exactly the scopes and events that the code uses."""

from __future__ import annotations

import json
from typing import Any

from adapters.slack.settings import SlackSettings, load_settings
from bot.types import AccountTable

__all__ = ["EVENTS", "OPTIONAL", "SCOPES", "manifest", "written", "yaml"]

# what needs it, by scope (docs.slack.dev: Scopes)
SCOPES: dict[str, tuple[str, ...]] = {
    "app_mentions:read": ("app_mention",),
    "assistant:write": ("agents.sessions.setStatus", "agent_session_stopped"),
    "channels:history": ("message.channels", "conversations.replies", "conversations.history"),
    "channels:read": ("member_joined_channel", "channel_left", "conversations.info"),
    "chat:write": (
        "assistant.threads.setStatus",
        "chat.appendStream",
        "chat.delete",
        "chat.postMessage",
        "chat.startStream",
        "chat.stopStream",
        "chat.update",
    ),
    "commands": ("/magpie", "message_action"),
    "files:read": ("files.info", "file_share"),
    "groups:history": ("message.groups", "conversations.replies", "conversations.history"),
    "groups:read": ("member_joined_channel", "group_left", "conversations.info"),
    "im:history": ("message.im", "conversations.replies", "conversations.history"),
    "mpim:history": ("message.mpim", "conversations.replies", "conversations.history"),
    "usergroups:read": ("usergroups.list",),
    "users:read": ("users.info",),
}
OPTIONAL = frozenset({"usergroups:read"})  # without them something is shown by its id
EVENTS = (
    "agent_session_stopped",
    "app_home_opened",
    "app_mention",
    "channel_left",
    "group_left",
    "member_joined_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
)


def manifest(settings: SlackSettings) -> dict[str, Any]:
    """For the mode that is set; addresses are needed where events are pushed."""
    pushed = settings.slack_mode == "http"
    address = {"request_url": settings.events_url} if pushed else {}
    url = {"url": settings.events_url} if pushed else {}
    return {
        "display_information": {"name": "Magpie", "description": "Ask, translate, look at pictures"},
        "features": {
            "agent_view": {"agent_description": "Answers questions, translates, looks at pictures"},
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Magpie", "always_online": True},
            "shortcuts": [
                {
                    "name": "Translate",
                    "type": "message",
                    "callback_id": "magpie:translate",
                    "description": "Translate this message in its thread",
                }
            ],
            "slash_commands": [
                {
                    "command": "/magpie",
                    **url,
                    "description": "Settings and help",
                    "usage_hint": "help | set temperature 0.7 | model",
                    "should_escape": True,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {**address, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **address},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not pushed,
            "token_rotation_enabled": False,
        },
    }


def written(table: AccountTable | None = None, *, as_json: bool = False) -> str:
    """What `magpie manifest` prints, for the account of the variables or of a table. SettingError if it would name no
    address that is ours."""
    settings = load_settings(table)
    settings.check_address()
    made = manifest(settings)
    return json.dumps(made, indent=2) if as_json else yaml(made)


def yaml(value: Any, indent: int = 0) -> str:
    """A manifest as YAML: mappings, lists, booleans and words."""
    pad = "  " * indent
    if isinstance(value, dict):
        lines = []
        for name, each in value.items():
            nested = isinstance(each, dict | list) and each
            lines.append(f"{pad}{name}:\n{yaml(each, indent + 1)}" if nested else f"{pad}{name}: {yaml(each)}")
        return "\n".join(lines)
    if isinstance(value, list):
        return "\n".join(f"{pad}- {yaml(each, indent + 1).lstrip()}" for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
