"""What people do in a chat. Each deed becomes the updates that the real server would send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.fakes.telegram.chats import ChatState, Json, Post, Status, Topic, User
from tests.fakes.telegram.entities import Entity, found_entities, part, units
from tests.fakes.telegram.media import picture

if TYPE_CHECKING:
    from tests.fakes.telegram.world import World

__all__ = ["Room", "text_mention"]


def text_mention(text: str, user: User) -> Entity:
    """The entity of a mention of somebody without a user name; their first name has to stand in the text."""
    before = text.index(user.first_name)
    return {
        "type": "text_mention",
        "offset": units(text[:before]),
        "length": units(user.first_name),
        "user": user.json,
    }


class Room(ChatState):
    """A chat, from the people's side. `by` is who does it: in a private chat its person, elsewhere the first member if
    nobody is named. `reply_to` takes a message of either side, `thread` a topic."""

    def __init__(self, world: World, id: int, **state: Any) -> None:
        super().__init__(id, **state)
        self._world = world

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, text: str, by: User | None = None, *, entities: Sequence[Entity] = (), **more: Any) -> Post:
        """A text. Mentions, commands and links are marked as a client marks them; `entities` come on top."""
        marks = sorted([*found_entities(text), *entities], key=lambda entity: entity["offset"])
        return self.send({"text": text, **({"entities": marks} if marks else {})}, by, **more)

    def photo(self, data: bytes | None = None, caption: str = "", by: User | None = None, **more: Any) -> Post:
        return self.send(self._captioned({"photo": self._world.files.photo(data or picture())}, caption), by, **more)

    def album(self, photos: Sequence[bytes], caption: str = "", by: User | None = None, **more: Any) -> list[Post]:
        """Several messages with one media_group_id; the first carries the caption."""
        group = str(self._world.number())
        return [
            self.photo(data, "" if index else caption, by, extra={"media_group_id": group}, **more)
            for index, data in enumerate(photos)
        ]

    def document(
        self, data: bytes, name: str, mime: str, caption: str = "", by: User | None = None, **more: Any
    ) -> Post:
        """A file; `size=` may say more than there are bytes."""
        size = more.pop("size", None)
        file = self._world.files.media("document", data, mime, name, size)
        return self.send(self._captioned({"document": file}, caption), by, **more)

    def media(self, kind: str, caption: str = "", by: User | None = None, **more: Any) -> Post:
        """sticker, video, voice, audio, animation, video_note."""
        file = self._world.files.media(kind, b"\0" * 2000)
        fields = {kind: file, **({"document": file} if kind == "animation" else {})}  # Message.animation
        return self.send(self._captioned(fields, caption), by, **more)

    def rich(self, blocks: list[Json], by: User | None = None, **more: Any) -> Post:
        """A rich message: it has no `text`."""
        return self.send({"rich_message": {"blocks": blocks}}, by, **more)

    def forward(self, text: str, origin: User | str, by: User | None = None, **more: Any) -> Post:
        """A forwarded text; an origin given as a name only is somebody who hides their account."""
        date = self._world.date() - 3600
        source: Json = (
            {"type": "user", "sender_user": origin.json}
            if isinstance(origin, User)
            else {"type": "hidden_user", "sender_user_name": origin}
        )
        return self.write(text, by, extra={"forward_origin": {**source, "date": date}}, **more)

    def send(
        self,
        fields: Json,
        by: User | None = None,
        *,
        reply_to: Post | int | None = None,
        quote: str = "",
        thread: Topic | None = None,
        extra: Json | None = None,
    ) -> Post:
        """A message with any fields of the Bot API's Message."""
        author = by or self._anybody()
        if self.type == "private":
            self.started, self.blocked = True, False
        elif author.id not in self.members:
            self.members[author.id] = (author, "member")
        replied = self.posts[reply_to] if isinstance(reply_to, int) else reply_to
        more = dict(extra or {})
        if quote and replied is not None:
            more["quote"] = {
                "text": quote,
                "position": units(replied.text[: replied.text.index(quote)]),
                "is_manual": True,
            }
        post = self._world.post(self, author, {**fields, **more}, replied, thread.id if thread else None)
        if self._delivered(post):
            self._world.updates.add({"message": post.json}, self.id)
        return post

    def edit(self, post: Post, text: str) -> None:
        field = "text" if "text" in post.fields else "caption"
        marks = found_entities(text)
        names = {"text": "entities", "caption": "caption_entities"}
        post.fields |= {field: text, names[field]: marks, "edit_date": self._world.date()}
        post.keep(self._world.seconds())
        if self._delivered(post):
            self._world.updates.add({"edited_message": post.json}, self.id)

    def press(self, post: Post | int, label: str, by: User | None = None) -> str:
        """Press a button of one of the bot's messages, found by its label or its data. Returns the query's id."""
        message = self.posts[post] if isinstance(post, int) else post
        data = next(
            str(button["callback_data"])
            for row in message.keyboard
            for button in row
            if label in (button["text"], button.get("callback_data")) and "callback_data" in button
        )
        return self.press_data(message, data, by)

    def press_data(self, message: Post, data: str, by: User | None = None) -> str:
        """A press with any data: a button may be pressed on a screen that hasn't caught up."""
        id = str(self._world.number())
        self._world.queries[id] = None
        query = {
            "id": id,
            "from": (by or self._anybody()).json,
            "message": message.json,
            "chat_instance": str(self.id),
            "data": data,
        }
        self._world.updates.add({"callback_query": query}, self.id)
        return id

    # ── topics ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def topic(self, name: str, by: User | None = None) -> Topic:
        """Open a topic. Its id is that of the service message that says so."""
        id = self.next_id()
        self.topics[id] = topic = Topic(id, name)
        self.send({"forum_topic_created": {"name": name, "icon_color": 7322096}}, by, thread=topic)
        return topic

    def close(self, topic: Topic, by: User | None = None) -> None:
        topic.closed = True
        self.send({"forum_topic_closed": {}}, by, thread=topic)

    def reopen(self, topic: Topic, by: User | None = None) -> None:
        topic.closed = False
        self.send({"forum_topic_reopened": {}}, by, thread=topic)

    # ── who is here ─────────────────────────────────────────────────────────────────────────────────────────────────

    def join(self, *users: User) -> None:
        for user in users:
            self.members[user.id] = (user, "member")
            self.send({"new_chat_members": [user.json]}, user)

    def bot_becomes(self, status: Status, by: User | None = None) -> None:
        """Add, promote, demote or remove the bot; in a private chat "kicked" is blocking it, "member" letting it in
        again."""
        bot, author = self._world.bot, by or self._anybody()
        if self.type == "private":
            old: Status = "kicked" if self.blocked else "member"
            self.blocked = status == "kicked"
        else:
            old = self.status(bot)
            self.members[bot.id] = (bot, status)
        self._world.changed_member(self, author, bot, old, status)

    def delete(self, post: Post) -> None:
        """Somebody deletes a message: the Bot API has no update for it."""
        post.deleted = True
        post.keep(self._world.seconds(), deleted=True)

    def migrate(self, by: User | None = None) -> Room:
        """The group becomes a supergroup under another id."""
        new = self._world.room("supergroup", title=self.title, members=dict(self.members))
        self.send({"migrate_to_chat_id": new.id}, by)
        self.migrated_to = new.id
        new.send({"migrate_from_chat_id": self.id}, by or self._anybody())
        return new

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _anybody(self) -> User:
        if self.user is not None:
            return self.user
        return next(user for user, _ in self.members.values() if not user.is_bot)

    @staticmethod
    def _captioned(fields: Json, caption: str) -> Json:
        if not caption:
            return fields
        marks = found_entities(caption)
        return {**fields, "caption": caption, **({"caption_entities": marks} if marks else {})}

    def _delivered(self, post: Post) -> bool:
        """Whether the bot gets to see it (Bots: Privacy mode). A member that isn't an administrator, with privacy mode
        on, is shown service messages, commands for it or for any bot, replies to it, and what mentions it."""
        world, bot = self._world, self._world.bot
        if self.type == "private":
            return True
        if self.status(bot) in ("left", "kicked"):
            return False
        if world.reads_all or self.rules(bot) or (post.reply_to is not None and post.reply_to.by is bot):
            return True
        if not post.fields.keys() & {
            "text",
            "caption",
            "photo",
            "document",
            "sticker",
            "voice",
            "video",
            "rich_message",
        }:
            return True  # a service message
        marks = post.fields.get("entities", []) or post.fields.get("caption_entities", [])
        return any(self._for_bot(part(post.text, entity), entity) for entity in marks)

    def _for_bot(self, words: str, entity: Entity) -> bool:
        name = self._world.bot.username.lower()
        match entity["type"]:
            case "mention":
                return words[1:].lower() == name
            case "text_mention":
                return bool(entity["user"]["id"] == self._world.bot.id)
            case "bot_command":
                return words.partition("@")[2].lower() in ("", name)
        return False
