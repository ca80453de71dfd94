"""Methods that change what stands in a chat: what they refuse, in the order in which the real server looks, and what
they do. Each takes the call's parameters; `Sending.limits` count only what was found in order."""

from __future__ import annotations

from typing import Any

from tests.fakes.telegram.chats import Json, Post
from tests.fakes.telegram.entities import Entity, check_entities, check_url, trimmed, units
from tests.fakes.telegram.keyboards import Keyboard, check_markup
from tests.fakes.telegram.limits import Limits
from tests.fakes.telegram.params import Params
from tests.fakes.telegram.parse_mode import parse
from tests.fakes.telegram.people import Room
from tests.fakes.telegram.places import find_room, find_thread, may_write
from tests.fakes.telegram.refusals import Refusal, bad
from tests.fakes.telegram.rich import check_rich
from tests.fakes.telegram.world import World

__all__ = ["Sending"]

_MOST = 4096  # sendMessage.text: "1-4096 characters after entities parsing"
_GENERAL = 1  # the topic "General"
_TWO_DAYS = 48 * 3600
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current"
    " content and reply markup of the message"
)
_ACTIONS = frozenset(
    {"typing", "choose_sticker", "find_location", "upload_photo", "upload_document"}
    | {f"{what}_{medium}" for what in ("record", "upload") for medium in ("video", "voice", "video_note")}
)


class Sending:
    def __init__(self, world: World, limits: Limits) -> None:
        self._world = world
        self.limits = limits
        self.takes_rich = True  # whether the server is new enough for rich messages

    def send_message(self, params: Params) -> Json:
        text, entities = _text(params)
        if units(text) > _MOST:
            raise bad("message is too long")
        preview = _preview(params)
        keyboard = check_markup(params.data("reply_markup", dict))
        room = find_room(self._world, params)
        may_write(self._world, room)
        thread = find_thread(self._world, room, params)
        reply, quote = self._reply(room, params)
        if thread is None and reply is not None and reply.thread is not None and room.is_forum:
            thread = reply.thread  # a reply goes where the message is that it replies to
        self.limits.count(room.id, self._world.seconds())
        fields = _content(text, entities, keyboard, preview)
        if quote:
            fields["quote"] = {"text": quote, "position": units(reply.text[: reply.text.index(quote)]) if reply else 0}
        post = self._world.post(room, self._world.bot, fields, reply, thread)
        return post.json

    def send_rich(self, params: Params) -> Json:
        if not self.takes_rich:
            raise Refusal(404, "Not Found: method not found")
        rich = check_rich(params.data("rich_message", dict) or {})
        keyboard = check_markup(params.data("reply_markup", dict))
        room = find_room(self._world, params)
        may_write(self._world, room)
        thread = find_thread(self._world, room, params)
        reply, _ = self._reply(room, params)
        self.limits.count(room.id, self._world.seconds())
        fields = _content("", [], keyboard, None) | {"rich_message": rich}
        return self._world.post(room, self._world.bot, fields, reply, thread).json

    def edit_text(self, params: Params) -> Json:
        if not params.text("text") and params.given("rich_message"):
            return self._edit_rich(params)
        text, entities = _text(params)
        preview = _preview(params)
        keyboard = check_markup(params.data("reply_markup", dict), inline_only=True)
        room, post = self._to_edit(params)
        self.limits.count(room.id, self._world.seconds())
        if units(text) > _MOST:
            raise bad("MESSAGE_TOO_LONG")  # an edit is measured by another part of the server than a send
        return self._change(post, _content(text, entities, keyboard, preview))

    def _edit_rich(self, params: Params) -> Json:
        if not self.takes_rich:
            raise bad("message text is empty")  # an older server doesn't know the parameter
        rich = check_rich(params.data("rich_message", dict) or {})
        keyboard = check_markup(params.data("reply_markup", dict), inline_only=True)
        room, post = self._to_edit(params)
        self.limits.count(room.id, self._world.seconds())
        return self._change(post, _content("", [], keyboard, None) | {"rich_message": rich})

    def edit_markup(self, params: Params) -> Json:
        keyboard = check_markup(params.data("reply_markup", dict), inline_only=True)
        room, post = self._to_edit(params)
        self.limits.count(room.id, self._world.seconds())
        kept: Json = {
            name: post.fields[name] for name in ("text", "entities", "link_preview_options") if name in post.fields
        }
        return self._change(post, {**kept, **_content("", [], keyboard, None)})

    def delete(self, params: Params) -> bool:
        if not params.number("message_id"):
            raise bad("message identifier is not specified")
        room = find_room(self._world, params)
        may_write(self._world, room, deleting=True)
        post = room.find(params.number("message_id"))
        if post is None:
            raise bad("message to delete not found")
        own = post.by is self._world.bot
        if not own and room.type != "private" and not room.rules(self._world.bot):
            raise bad("message can't be deleted")  # deleteMessage: only administrators delete what others wrote
        if self._world.date() - post.fields["date"] > _TWO_DAYS:
            raise bad("message can't be deleted for everyone")  # deleteMessage: "sent less than 48 hours ago"
        post.deleted = True
        post.keep(self._world.seconds(), deleted=True)
        return True

    def chat_action(self, params: Params) -> bool:
        action = params.text("action")
        if action not in _ACTIONS:
            raise bad("wrong parameter action in request")
        room = find_room(self._world, params)
        may_write(self._world, room)
        thread = None
        if params.number("message_thread_id") != _GENERAL or not room.is_forum:  # here, and only here, 1 is "General"
            thread = find_thread(self._world, room, params)
        room.actions.append((self._world.seconds(), action, thread))
        return True

    def answer_query(self, params: Params) -> bool:
        """answerCallbackQuery: each query once, in time, with at most 200 characters."""
        id = params.text("callback_query_id")
        if id not in self._world.queries or self._world.queries[id] is not None:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if len(params.text("text")) > 200:
            raise bad("MESSAGE_TOO_LONG")
        self._world.queries[id] = {"text": params.text("text"), "show_alert": params.yes("show_alert")}
        return True

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _to_edit(self, params: Params) -> tuple[Room, Post]:
        if not params.number("message_id"):
            raise bad("message identifier is not specified")
        room = find_room(self._world, params)
        may_write(self._world, room)
        post = room.find(params.number("message_id"))
        if post is None:
            raise bad("message to edit not found")
        if post.by is not self._world.bot:
            raise bad("message can't be edited")
        if post.thread is not None and room.topics[post.thread].closed and not room.rules(self._world.bot):
            raise bad("TOPIC_CLOSED")
        return room, post

    def _change(self, post: Post, new: Json) -> Json:
        names = ("text", "entities", "reply_markup", "link_preview_options", "rich_message")
        if all(post.fields.get(name) == new.get(name) for name in names):
            raise bad(_NOT_MODIFIED)
        for name in names:
            post.fields.pop(name, None)
        post.fields |= {**new, "edit_date": self._world.date()}
        post.keep(self._world.seconds())
        return post.json

    def _reply(self, room: Room, params: Params) -> tuple[Post | None, str]:
        """ReplyParameters: the message, which must be there, and the quote, which must stand in it."""
        reply: dict[str, Any] = params.data("reply_parameters", dict) or {}
        if not reply and params.number("reply_to_message_id"):
            reply = {
                "message_id": params.number("reply_to_message_id"),
                "allow_sending_without_reply": params.yes("allow_sending_without_reply"),
            }
        if not reply:
            return None, ""
        if not isinstance(reply.get("message_id"), int):
            raise bad('can\'t find field "message_id"')
        other = reply.get("chat_id") not in (None, room.id)
        where = find_room(self._world, Params({"chat_id": reply["chat_id"]})) if other else room
        post = where.find(reply["message_id"])
        if post is None:
            if reply.get("allow_sending_without_reply") and not other:
                return None, ""
            raise bad("message to be replied not found")
        quote = str(reply.get("quote") or "")
        if quote and quote not in post.text:
            raise bad("QUOTE_TEXT_INVALID")
        return post, quote


def _text(params: Params) -> tuple[str, list[Entity]]:
    raw, mode = params.text("text"), params.text("parse_mode")
    if not raw:
        raise bad("message text is empty")
    if mode:
        text, entities = parse(raw, mode)
        entities = check_entities(text, entities)
    else:
        text, entities = raw, check_entities(raw, params.data("entities", list) or [])
    text, entities = trimmed(text, entities)
    if not text.strip("\u200b"):
        raise bad("text must be non-empty")
    return text, entities


def _preview(params: Params) -> Json | None:
    preview: Json | None = params.data("link_preview_options", dict)
    for name, value in (preview or {}).items():
        if name != "url" and not isinstance(value, bool):
            raise bad(f'field "{name}" must be of type Boolean')
    if preview and preview.get("url") and check_url(str(preview["url"])):
        raise bad("WEBPAGE_URL_INVALID")
    return preview


def _content(text: str, entities: list[Entity], keyboard: Keyboard, preview: Json | None) -> Json:
    fields: Json = {"text": text} if text else {}
    if entities:
        fields["entities"] = entities
    if keyboard:
        fields["reply_markup"] = {"inline_keyboard": keyboard}
    if preview:
        fields["link_preview_options"] = preview
    return fields
