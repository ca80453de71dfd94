"""Health checks of `magpie doctor`: the tokens, what they may, and how events come in."""

from __future__ import annotations

from dataclasses import replace

from adapters.kit.checks import PATIENCE, no_answer
from adapters.slack.errors import FAILURES, TOKEN_ERRORS, code, missing_scope, translate
from adapters.slack.manifest import OPTIONAL, SCOPES
from adapters.slack.settings import SlackSettings
from adapters.slack.wire import Wire
from bot.types import Finding, Mark, Text

__all__ = ["checks"]


async def checks(settings: SlackSettings) -> list[Finding]:
    """What was found, in the order it matters. SettingError if what is set can't work together."""
    settings.check()
    wire = Wire(settings, seconds=PATIENCE)
    async with wire.kept():
        try:
            me, granted = await wire.scopes()
        except FAILURES as error:
            return [_unanswered(error, settings, wire)]
        words = Text("The bot is {name}, in the workspace {team}.", {"name": me.get("user"), "team": me.get("team")})
        return [Finding(Mark.OK, words), *_scopes(granted), await _way(settings, wire)]


def _unanswered(error: BaseException, settings: SlackSettings, wire: Wire) -> Finding:
    if code(error) in TOKEN_ERRORS:
        words = Text("{token} is rejected. Copy it again: OAuth & Permissions, Bot User OAuth Token.")
        return Finding(Mark.WRONG, replace(words, data={"token": settings.place("slack_bot_token")}))
    reason = translate(error, wire.secrets).detail
    return no_answer(settings.slack_api_url, reason, settings.place("slack_proxy"), settings.proxy)


def _scopes(granted: frozenset[str]) -> list[Finding]:
    if not granted:  # not told
        return []
    missing = [
        Finding(
            Mark.ADVICE if scope in OPTIONAL else Mark.WRONG,
            Text(
                "The app lacks the scope {scope}. Add it under OAuth & Permissions, Bot Token Scopes (or paste what "
                "`magpie manifest` prints), then install the app again.",
                {"scope": scope},
            ),
        )
        for scope in sorted(set(SCOPES) - granted)
    ]
    return missing or [Finding(Mark.OK, Text("The app has all {count} scopes.", {"count": len(SCOPES)}))]


async def _way(settings: SlackSettings, wire: Wire) -> Finding:
    """How events come in."""
    if settings.slack_mode == "http":
        if not settings.public_url:
            return Finding(
                Mark.OK,
                Text(
                    "Events are pushed to {path} (SLACK_MODE=http). Set PUBLIC_URL, and `magpie manifest` prints the "
                    "whole address.",
                    {"path": settings.events_path},
                ),
            )
        return Finding(Mark.OK, Text("Events are pushed to {url} (SLACK_MODE=http).", {"url": settings.events_url}))
    try:
        await wire.call("apps.connections.open", app_token=settings.app_token)
    except FAILURES as error:
        token = {"token": settings.place("slack_app_token")}
        if missing_scope(error):
            words = Text("{token} lacks the scope connections:write. Make a new app-level token that has it.", token)
            return Finding(Mark.WRONG, words)
        if code(error) in TOKEN_ERRORS:
            words = Text("{token} is rejected. Copy it again: Basic Information, App-Level Tokens.", token)
            return Finding(Mark.WRONG, words)
        reason = translate(error, wire.secrets).detail[:200]
        return Finding(Mark.WRONG, Text("No socket can be opened: {reason}", {"reason": reason}))
    return Finding(Mark.OK, Text("Events come in over sockets (SLACK_MODE=socket)."))
