"""Methods that ask, and the list of commands."""

from __future__ import annotations

import re

from tests.fakes.telegram.chats import Json
from tests.fakes.telegram.params import Params
from tests.fakes.telegram.places import find_room, may_read
from tests.fakes.telegram.refusals import bad
from tests.fakes.telegram.world import World, member_json

__all__ = ["Lookups"]

_SCOPES = {  # BotCommandScope: type -> its fields
    "default": (),
    "all_private_chats": (),
    "all_group_chats": (),
    "all_chat_administrators": (),
    "chat": ("chat_id",),
    "chat_administrators": ("chat_id",),
    "chat_member": ("chat_id", "user_id"),
}


class Lookups:
    def __init__(self, world: World) -> None:
        self._world = world

    def me(self, params: Params) -> Json:
        """getMe: the bot as User, with what only this method tells."""
        return {
            **self._world.bot.json,
            "can_join_groups": True,
            "can_read_all_group_messages": self._world.reads_all,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
            "has_topics_enabled": self._world.private_topics,
        }

    def file(self, params: Params) -> Json:
        return self._world.files.describe(params.text("file_id"))

    def chat(self, params: Params) -> Json:
        """getChat: ChatFullInfo."""
        room = find_room(self._world, params)
        may_read(self._world, room)
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
        must = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(gifts, False)}
        return {**room.json, **must}

    def member(self, params: Params) -> Json:
        room = find_room(self._world, params)
        may_read(self._world, room)
        user = self._world.users.get(params.number("user_id"))
        if user is None:
            raise bad("invalid user_id specified")
        if room.type == "private":
            if user not in (room.user, self._world.bot):
                raise bad("PARTICIPANT_ID_INVALID")
            return member_json(user, "member")
        if user.id not in room.members:
            raise bad("PARTICIPANT_ID_INVALID")
        return member_json(user, room.status(user))

    def administrators(self, params: Params) -> list[Json]:
        """getChatAdministrators: "bots other than the current bot are omitted"."""
        room = find_room(self._world, params)
        may_read(self._world, room)
        if room.type == "private":
            raise bad("there are no administrators in the private chat")
        return [
            member_json(user, status)
            for user, status in room.members.values()
            if room.rules(user) and (not user.is_bot or user is self._world.bot or params.yes("return_bots"))
        ]

    def leave(self, params: Params) -> bool:
        room = find_room(self._world, params)
        if room.type == "private":
            raise bad("chat member status can't be changed in private chats")
        may_read(self._world, room)
        bot = self._world.bot
        old = room.status(bot)
        room.members[bot.id] = (bot, "left")
        self._world.changed_member(room, bot, bot, old, "left")
        return True

    def set_commands(self, params: Params) -> bool:
        """setMyCommands: at most 100, of 1-32 and 1-256 characters (BotCommand)."""
        commands = params.data("commands", list)
        if commands is None:
            raise bad("can't parse commands JSON object")
        if len(commands) > 100:
            raise bad("there can be at most 100 bot commands")
        kept = [_check_command(command) for command in commands]
        self._world.commands[self._scope(params)] = kept
        return True

    def get_commands(self, params: Params) -> list[Json]:
        return self._world.commands.get(self._scope(params), [])

    def delete_commands(self, params: Params) -> bool:
        self._world.commands.pop(self._scope(params), None)
        return True

    def _scope(self, params: Params) -> tuple[str, str]:
        scope = params.data("scope", dict) or {"type": "default"}
        kind = scope.get("type")
        if kind not in _SCOPES:
            raise bad("can't parse BotCommandScope: Unsupported type specified")
        words = [str(kind)]
        for name in _SCOPES[kind]:
            if scope.get(name) is None:
                raise bad(f"can't parse BotCommandScope: Can't find field \"{name}\"")
            words.append(str(scope[name]))
        if "chat_id" in _SCOPES[kind]:
            find_room(self._world, Params({"chat_id": scope["chat_id"]}))
        language = params.text("language_code")
        if not re.fullmatch(r"(?:[a-z]{2})?", language):  # setMyCommands.language_code: ISO 639-1 or empty
            raise bad("invalid language code specified")
        return " ".join(words), language


def _check_command(command: object) -> Json:
    if not isinstance(command, dict):
        raise bad("expected an Object for a BotCommand")
    name, description = command.get("command"), command.get("description")
    if not isinstance(name, str) or not isinstance(description, str):
        raise bad("can't parse BotCommand: Can't find field")
    name = name.removeprefix("/")
    if not name:
        raise bad("command must be non-empty")
    if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
        raise bad("BOT_COMMAND_INVALID")
    if not description.strip():
        raise bad("command description must be non-empty")
    if len(description) > 256:
        raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name, "description": description}
