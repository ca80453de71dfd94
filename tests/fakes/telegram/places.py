"""Where a call may go: which chat is meant, whether the bot may write there, and in which topic."""

from __future__ import annotations

from tests.fakes.telegram.params import Params
from tests.fakes.telegram.people import Room
from tests.fakes.telegram.refusals import bad, forbidden
from tests.fakes.telegram.world import World

__all__ = ["find_room", "find_thread", "may_read", "may_write"]


def find_room(world: World, params: Params) -> Room:
    """`chat_id`: a number, or "@username" of a supergroup."""
    wanted = params.text("chat_id").strip()
    if not wanted:
        raise bad("chat_id is empty")
    if wanted.startswith("@"):
        names = {room.username.lower(): room for room in world.rooms.values() if room.username}
        room = names.get(wanted[1:].lower())
    else:
        room = world.rooms.get(params.number("chat_id"))
    if room is None:
        raise bad("chat not found")
    return room


def may_read(world: World, room: Room) -> None:
    """Refuses where the bot isn't (any more)."""
    if room.type == "private":
        return
    if room.migrated_to is not None:  # ResponseParameters.migrate_to_chat_id
        raise bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=room.migrated_to)
    if room.deleted:
        raise forbidden("the group chat was deleted")
    match room.status(world.bot):
        case "kicked":
            raise forbidden(f"bot was kicked from the {room.type} chat")
        case "left":
            raise forbidden(f"bot is not a member of the {room.type} chat")


def may_write(world: World, room: Room, *, deleting: bool = False) -> None:
    may_read(world, room)
    if room.type == "private" and not deleting:
        if room.deactivated:
            raise forbidden("user is deactivated")
        if room.blocked:
            raise forbidden("bot was blocked by the user")
        if not room.started:  # Bots FAQ: people write first
            raise forbidden("bot can't initiate conversation with a user")
    if room.silenced and not deleting:
        raise bad("not enough rights to send text messages to the chat")


def find_thread(world: World, room: Room, params: Params) -> int | None:
    """sendMessage.message_thread_id: "for forum supergroups and private chats of bots with forum topic mode enabled
    only"; "General" has none (its 1 is refused, tdlib/telegram-bot-api#447)."""
    id = params.number("message_thread_id")
    if not id:
        return None
    topic = room.topics.get(id)
    if topic is None or topic.deleted or not (room.is_forum or world.private_topics):
        raise bad("message thread not found")
    if topic.closed and not room.rules(world.bot):
        raise bad("TOPIC_CLOSED")
    return id
