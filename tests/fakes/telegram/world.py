"""All that the server knows: the bot, people, chats, files, queries, and the updates that are made of what happens."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Literal

from bot.types import Clock
from tests.fakes.telegram.chats import Json, Post, Status, User
from tests.fakes.telegram.media import Files
from tests.fakes.telegram.people import Room
from tests.fakes.telegram.updates import Updates

__all__ = ["World", "member_json"]


_RIGHTS = dict.fromkeys(  # Bot API: ChatMemberAdministrator
    (
        *("can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members"),
        *("can_promote_members", "can_change_info", "can_invite_users", "can_send_welcome_messages"),
        *("can_post_stories", "can_edit_stories", "can_delete_stories"),
    ),
    True,
)


def member_json(user: User, status: Status) -> Json:
    """Bot API: ChatMember, with the fields that each kind must have."""
    member: Json = {"user": user.json, "status": status}
    match status:
        case "creator":
            return {**member, "is_anonymous": False}
        case "administrator":
            return {**member, "is_anonymous": False, "can_be_edited": False, **_RIGHTS}
        case "kicked":
            return {**member, "until_date": 0}
    return member


class World:
    """`reads_all` is getMe's can_read_all_group_messages: privacy mode is off."""

    def __init__(self, clock: Clock, bot: User, *, reads_all: bool, topics: bool, folder: Path | None) -> None:
        self.clock = clock
        self.bot = bot
        self.reads_all = reads_all
        self.private_topics = topics
        self.updates = Updates(clock)
        self.files = Files(folder)
        self.rooms: dict[int, Room] = {}
        self.users: dict[int, User] = {bot.id: bot}
        self.queries: dict[str, Json | None] = {}  # callback query id -> its answer
        self.commands: dict[tuple[str, str], list[Json]] = {}  # (scope, language) -> commands
        self._numbers = itertools.count(5_000_001)

    def number(self) -> int:
        return next(self._numbers)

    def date(self) -> int:
        return self.clock.now() // 1000

    def seconds(self) -> float:
        return self.clock.monotonic()

    def person(self, name: str, username: str = "", language: str = "en", **more: Any) -> User:
        user = User(700_000_000 + self.number(), name, username or name.lower(), language_code=language, **more)
        self.users[user.id] = user
        return user

    def room(self, type: Literal["private", "group", "supergroup"], **state: Any) -> Room:
        match type:
            case "private":
                id = state["user"].id
            case "group":
                id = -self.number()
            case "supergroup":
                id = -1_000_000_000_000 - self.number()
        self.rooms[id] = room = Room(self, id, type=type, **state)
        return room

    def post(self, room: Room, by: User, fields: Json, reply_to: Post | None, thread: int | None) -> Post:
        """A new message. In a topic, what isn't a reply refers to the topic's first message; elsewhere in a supergroup
        a reply carries a message_thread_id that is no topic (tdlib/telegram-bot-api#447)."""
        id = room.next_id()
        head: Json = {"message_id": id, "from": by.json, "chat": room.json, "date": self.date()}
        if thread is not None and thread != id:
            reply_to = reply_to or room.posts.get(thread)
        if thread is not None:
            head |= {"message_thread_id": thread, "is_topic_message": True}
        elif reply_to is not None and room.type == "supergroup":
            head["message_thread_id"] = reply_to.fields.get("message_thread_id", reply_to.id)
        post = Post(id, by, self.seconds(), {**head, **fields}, thread, reply_to)
        post.keep(post.at)
        room.posts[id] = post
        return post

    def changed_member(self, room: Room, by: User, user: User, old: Status, new: Status) -> None:
        """Bot API: ChatMemberUpdated; about the bot itself it is another kind of update than about others."""
        change = {
            "chat": room.json,
            "from": by.json,
            "date": self.date(),
            "old_chat_member": member_json(user, old),
            "new_chat_member": member_json(user, new),
        }
        self.updates.add({"my_chat_member" if user is self.bot else "chat_member": change}, room.id)
