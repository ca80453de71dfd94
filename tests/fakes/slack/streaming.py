"""Messages that grow (docs.slack.dev: chat.startStream, chat.appendStream, chat.stopStream)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.slack.blocks import check_blocks, check_metadata, with_ids
from tests.fakes.slack.lookups import find_room, may_write
from tests.fakes.slack.params import Params
from tests.fakes.slack.places import Json, Post, Stream
from tests.fakes.slack.refusals import Refusal, invalid, missing
from tests.fakes.slack.sending import find_post, find_thread
from tests.fakes.slack.sessions import Session

if TYPE_CHECKING:
    from tests.fakes.slack.world import World

__all__ = ["Streaming"]

# Bytes of UTF-8 in all: 10,571 were taken and 10,821 were not (openclaw#143882). So the 12,000 characters that
# markdown_text may have are never reached.
CAP = 10_600
_TASKS = ("pending", "in_progress", "complete", "error")
_SESSION = ("active", "processing", "suspended", "closed")


class Streaming:
    """`works` is false where the workspace doesn't have it (GovSlack)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.works = True

    def start(self, params: Params) -> Json:
        self._available()
        room = find_room(self._world, params)
        if not params.text("thread_ts"):
            raise missing("thread_ts")
        may_write(self._world, room)
        if room.kind == "mpim":
            raise Refusal("channel_type_not_supported")
        self._check_recipient(params, in_channel=room.kind != "im")
        thread = find_thread(room, params)
        if thread is None:  # caipe ai-platform-engineering#1034
            raise Refusal("invalid_thread_ts")
        text, blocks = _content(params)
        _check_size(text)
        stream = Stream(self._world.seconds(), text, len(text.encode()))
        post = self._world.post(room, self._world.bot, "", thread_ts=thread, stream=stream, blocks=blocks)
        self._world.said(post)
        return {"channel": room.id, "ts": post.ts}

    def _check_recipient(self, params: Params, *, in_channel: bool) -> None:
        """ "Required when streaming to channels". Of a person of another workspace it is that one's id
        (tiger-agents-for-work#231); the word for a wrong one is not known, and is here the one for nobody's."""
        team, user = params.text("recipient_team_id"), params.text("recipient_user_id")
        if in_channel and not user:
            raise Refusal("missing_recipient_user_id")
        if in_channel and not team:
            raise Refusal("missing_recipient_team_id")
        if user and user not in self._world.users:
            raise Refusal("user_not_found")
        if user and team and team != self._world.users[user].team:
            raise Refusal("user_not_found")

    def append(self, params: Params) -> Json:
        post = self._streaming(params, appends=True)
        text, blocks = _content(params)
        if not text and not params.given("chunks"):
            raise Refusal("no_text")
        self._grow(post, text, blocks)
        return {"channel": post.room.id, "ts": post.ts}

    def stop(self, params: Params) -> Json:
        """It may bring a last text, blocks below it, metadata, and the state of the agent's session."""
        post = self._streaming(params)
        text, more = _content(params)
        blocks = params.data("blocks", list) or []
        check_blocks(blocks)
        metadata, state = params.data("metadata", dict), params.text("session_status")
        check_metadata(metadata)
        if state and state not in _SESSION:
            raise invalid("invalid_arguments", "session_status")
        before = post.json
        self._grow(post, text, more + blocks, end="stopped")
        post.metadata = metadata or None
        if state:
            self._world.sessions.setdefault((post.room.id, post.root), Session()).state = state
        self._world.changed(post, before)
        return {"channel": post.room.id, "ts": post.ts, "message": post.json}

    def _grow(self, post: Post, text: str, blocks: list[Json], end: str = "") -> None:
        assert post.stream is not None
        _check_size(text, post.stream.size)
        post.stream.text += text
        post.stream.size += len(text.encode())
        post.stream.end = end
        post.blocks += with_ids(blocks, self._world.new_id)
        post.keep(self._world.seconds())

    def _streaming(self, params: Params, *, appends: bool = False) -> Post:
        """stopped_by_user is a word of appendStream's only."""
        self._available()
        room = find_room(self._world, params)
        if room.archived:
            raise Refusal("is_archived")
        post = find_post(self._world, room, params, "message_not_owned_by_app")
        if not post.streams(self._world.seconds()):
            by_user = appends and post.stream is not None and post.stream.end == "stopped_by_user"
            raise Refusal("stopped_by_user" if by_user else "message_not_in_streaming_state")
        return post

    def _available(self) -> None:
        if not self.works:
            raise Refusal("feature_not_enabled")


def _content(params: Params) -> tuple[str, list[Json]]:
    """markdown_text or chunks, not both (vercel/chat#886; the word for it is not known)."""
    text, chunks = params.text("markdown_text"), params.data("chunks", list)
    if text and chunks:
        raise invalid("invalid_arguments", "markdown_text and chunks can't be combined")
    blocks: list[Json] = []
    for chunk in chunks or ():
        match chunk:
            case {"type": "markdown_text", "text": str(said)}:
                text += said
            case {"type": "blocks", "blocks": list(some)}:
                blocks += some
            case {"type": "task_update", "id": str(), "title": str(), "status": status} if status in _TASKS:
                pass
            case {"type": "plan_update", "title": str()}:
                pass
            case _:
                raise Refusal("invalid_chunks")
    if len(blocks) > 50:
        raise Refusal("msg_blocks_too_many")
    check_blocks(blocks)
    return text, blocks


def _check_size(text: str, before: int = 0) -> None:
    if before + len(text.encode()) > CAP:
        raise Refusal("msg_too_long")
