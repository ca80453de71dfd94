"""Methods that ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.slack.params import Params
from tests.fakes.slack.places import TEAM, Json, Post
from tests.fakes.slack.refusals import Refusal

if TYPE_CHECKING:
    from tests.fakes.slack.people import Room
    from tests.fakes.slack.world import World

__all__ = ["Lookups", "find_room", "may_write"]

_PAGE = 999  # conversations.replies, limit


def find_room(world: World, params: Params, name: str = "channel") -> Room:
    """channel_not_found, also for a private one that the app isn't in (docs.slack.dev: conversations.info)."""
    id = params.needed(name)
    user = world.users.get(id)
    if user is not None and not user.bot_id:  # chat.postMessage: a user's id stands for the conversation with them
        return world.im(user)
    room = world.rooms.get(id)
    if room is None or (room.kind != "channel" and world.bot.id not in room.members):
        raise Refusal("channel_not_found")
    return room


def may_write(world: World, room: Room) -> None:
    """docs.slack.dev: chat.postMessage, errors."""
    if room.archived:
        raise Refusal("is_archived")
    if world.bot.id not in room.members:
        raise Refusal("not_in_channel")
    if room.kind == "im" and any(user.deleted for user in room.members.values()):
        raise Refusal("user_not_found")
    if room.restriction:
        raise Refusal(room.restriction)


class Lookups:
    def __init__(self, world: World) -> None:
        self._world = world

    def auth_test(self, params: Params) -> Json:
        bot = self._world.bot
        where = {"url": "https://magpie.slack.com/", "team": "Magpie", "team_id": TEAM}
        return {**where, "user": bot.name, "user_id": bot.id, "bot_id": bot.bot_id, "is_enterprise_install": False}

    def user(self, params: Params) -> Json:
        """users.info; the locale only with include_locale."""
        user = self._world.users.get(params.needed("user"))
        if user is None:
            raise Refusal("user_not_found")
        return {"user": {**user.json, **({"locale": user.locale} if params.yes("include_locale") else {})}}

    def file(self, params: Params) -> Json:
        return self._world.files.describe(params.needed("file"))

    def room(self, params: Params) -> Json:
        """conversations.info."""
        room = find_room(self._world, params)
        more = {"user": room.person.id} if room.kind == "im" else {"name": room.name}
        kinds = {f"is_{kind}": room.kind == kind for kind in ("im", "channel", "group", "mpim")}
        is_member = self._world.bot.id in room.members
        return {
            "channel": {"id": room.id, **more, **kinds, "is_archived": room.archived, "is_member": is_member}
            | {"is_private": room.kind != "channel"}
        }

    def members(self, params: Params) -> Json:
        room = find_room(self._world, params)
        return {"members": list(room.members), "response_metadata": {"next_cursor": ""}}

    def open_room(self, params: Params) -> Json:
        """conversations.open, for one person."""
        user = self._world.users.get(params.needed("users"))
        if user is None:
            raise Refusal("user_not_found")
        return {"channel": {"id": self._world.im(user).id}}

    def replies(self, params: Params) -> Json:
        """conversations.replies: the message that began the thread comes first on every page."""
        room, ts = self._readable(params), params.needed("ts")
        root = room.posts.get(ts)
        if root is None or (root.deleted and not root.tombstone):
            raise Refusal("thread_not_found")
        rest = [post for post in room.standing if post.thread_ts == root.root and post is not root]
        return self._page([post for post in rest if _within(post, params)], params, first=root)

    def history(self, params: Params) -> Json:
        """conversations.history: what isn't in a thread, newest first."""
        room = self._readable(params)
        found = [post for post in room.standing if post.thread_ts in (None, post.ts) and _within(post, params)]
        return self._page(found[::-1], params)

    def permalink(self, params: Params) -> Json:
        """chat.getPermalink: "message_not_found"; it needs no scope (docs.slack.dev; agentconnect#859)."""
        room, ts = find_room(self._world, params), params.needed("message_ts")
        if room.find(ts) is None:
            raise Refusal("message_not_found")
        return {"channel": room.id, "permalink": f"https://magpie.slack.com/archives/{room.id}/p{ts.replace('.', '')}"}

    def groups(self, params: Params) -> Json:
        """usergroups.list."""
        found = [{"id": id, "name": handle.title(), "handle": handle} for id, handle in self._world.groups.items()]
        return {"usergroups": [{**group, "team_id": TEAM, "is_usergroup": True} for group in found]}

    def _readable(self, params: Params) -> Room:
        room = find_room(self._world, params)
        if self._world.bot.id not in room.members:
            raise Refusal("not_in_channel")
        return room

    def _page(self, found: list[Post], params: Params, first: Post | None = None) -> Json:
        """docs.slack.dev: Pagination."""
        cursor = params.text("cursor")
        if cursor and not cursor.isdigit():
            raise Refusal("invalid_cursor")
        begin, size = int(cursor or 0), params.number("limit", 100, _PAGE)
        size = max(1, size - (first is not None))
        page, after = found[begin : begin + size], begin + size
        more = after < len(found)
        shown = [self._message(post, params) for post in ([first] if first else []) + page]
        return {
            "messages": shown,
            "has_more": more,
            **({"response_metadata": {"next_cursor": str(after)}} if more else {}),
        }

    def _message(self, post: Post, params: Params) -> Json:
        """Metadata comes only with include_all_metadata."""
        found: dict[str, Any] = post.json
        count = sum(other.thread_ts == post.ts for other in post.room.standing)
        if count and post.thread_ts is None:
            found |= {"thread_ts": post.ts, "reply_count": count}
        if params.yes("include_all_metadata") and post.metadata:
            found["metadata"] = post.metadata
        return found


def _within(post: Post, params: Params) -> bool:
    """`oldest` and `latest` are left out themselves unless `inclusive`."""
    oldest, latest = params.text("oldest") or "0", params.text("latest") or "99999999999"
    at = float(post.ts)
    if params.yes("inclusive"):
        return float(oldest) <= at <= float(latest)
    return float(oldest) < at < float(latest)
