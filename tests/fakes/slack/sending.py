"""Methods that change what stands in a channel: what they refuse, and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.slack.blocks import check_blocks, check_metadata, with_ids
from tests.fakes.slack.lookups import find_room, may_write
from tests.fakes.slack.params import Params
from tests.fakes.slack.people import Room
from tests.fakes.slack.places import Json, Post
from tests.fakes.slack.refusals import Refusal

if TYPE_CHECKING:
    from tests.fakes.slack.world import World

__all__ = ["Sending", "find_post", "find_thread"]

TEXT = 4_000  # chat.update: "The text field cannot exceed 4,000 characters"; for new messages ChatGPT-in-Slack#102
MARKDOWN = 12_000  # markdown_text: "Limit this field to 12,000 characters"


def find_post(world: World, room: Room, params: Params, foreign: str) -> Post:
    """One of the app's own; `foreign` is the word for somebody else's."""
    post = room.find(params.needed("ts"))
    if post is None:
        raise Refusal("message_not_found")
    if post.by is not world.bot:
        raise Refusal(foreign)
    return post


def find_thread(room: Room, params: Params) -> str | None:
    """The thread to answer in. None for a message that is gone: the answer stands at the channel's root, with no word
    of it but that the message has no thread_ts (slack-go#1571, open-swe#2753, PostHog#83601, caipe
    ai-platform-engineering#1034, munin#885). A tombstone still has its thread."""
    root = room.posts.get(params.text("thread_ts"))
    return root.root if root is not None and (root.tombstone or not root.deleted) else None


def _content(params: Params, *, needed: bool = True) -> tuple[str, list[Json]]:
    """Text and blocks. `markdown_text` excludes both (markdown_text_conflict) and is a markdown block."""
    text, markdown = params.text("text"), params.text("markdown_text")
    blocks = params.data("blocks", list) or []
    if markdown and (text or blocks):
        raise Refusal("markdown_text_conflict")
    if len(markdown) > MARKDOWN or len(text) > TEXT:
        raise Refusal("msg_too_long")
    if not (text or markdown or blocks or params.given("attachments")) and needed:
        raise Refusal("no_text")
    check_blocks(blocks)
    return text, [{"type": "markdown", "text": markdown}] if markdown else blocks


class Sending:
    def __init__(self, world: World) -> None:
        self._world = world

    def post_message(self, params: Params) -> Json:
        room = find_room(self._world, params)
        may_write(self._world, room)
        text, blocks = _content(params)
        metadata = params.data("metadata", dict)
        check_metadata(metadata)
        thread = find_thread(room, params)
        state = {"blocks": blocks, "thread_ts": thread, "metadata": metadata or None}
        post = self._world.post(room, self._world.bot, text, **state)
        self._world.said(post)
        return {"channel": room.id, "ts": post.ts, "message": post.json}

    def update(self, params: Params) -> Json:
        """What isn't named is kept, but text without blocks takes the blocks away."""
        room = find_room(self._world, params)
        if room.archived:
            raise Refusal("is_inactive")  # "cannot be edited within a frozen, archived or deleted channel"
        post = find_post(self._world, room, params, "cant_update_message")
        if post.streams(self._world.seconds()):
            raise Refusal("streaming_state_conflict")
        if room.edits_closed:
            raise Refusal("edit_window_closed")
        text, blocks = _content(params, needed=not params.given("metadata"))
        metadata = params.data("metadata", dict)
        check_metadata(metadata)
        before = post.json
        if text or blocks:
            post.stream = None
            post.text = text or (post.text if blocks else "")
            post.blocks = with_ids(blocks, self._world.new_id)
        if metadata is not None:
            post.metadata = metadata or None
        post.edited = self._world.ts()
        post.keep(self._world.seconds())
        self._world.changed(post, before)
        return {"channel": room.id, "ts": post.ts, "text": text, "message": post.json}

    def delete(self, params: Params) -> Json:
        room = find_room(self._world, params)
        post = find_post(self._world, room, params, "cant_delete_message")
        if post.stream is not None:
            post.stream.end = post.stream.end or "deleted"
        self._world.remove(post)
        return {"channel": room.id, "ts": post.ts}

    def post_ephemeral(self, params: Params) -> Json:
        """Only one person sees it, and nobody can change it."""
        room = find_room(self._world, params)
        may_write(self._world, room)
        text, blocks = _content(params)
        user = params.needed("user")
        if user not in room.members:
            raise Refusal("user_not_in_channel")
        return {"message_ts": room.whisper(user, text, blocks, find_thread(room, params)).ts}
