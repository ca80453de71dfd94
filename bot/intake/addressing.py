"""Addressing: which messages are for us, by the facts that an adapter reports. It is decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.types import Addressing, IncomingMessage, Message, Reader, Role, Turn, TurnState

__all__ = ["is_for_us", "is_meant"]

_BACK = 50  # messages of a thread among which who called us, and our answer, are looked for


async def is_for_us(message: IncomingMessage, reader: Reader, knows: Callable[[str], bool]) -> bool:
    """`knows`: is this text a command of ours?"""
    last: Turn | None = None
    said: Sequence[Message] = ()
    if message.addressing is Addressing.THREAD:
        last = await reader.last_turn(message.chat)
        said = await reader.history(message.chat, limit=_BACK) if last is not None else ()
    return is_meant(message, last, said, knows)


def is_meant(
    message: IncomingMessage, last: Turn | None, said: Sequence[Message], knows: Callable[[str], bool]
) -> bool:
    """`last` is the newest question of a thread, `said` what was said there, as far as we have been told of it."""
    match message.addressing:
        case Addressing.OVERHEARD | Addressing.TO_OTHERS:
            return False
        case Addressing.THREAD:
            return last is not None and _is_meant_in_thread(message, last, said)
        case Addressing.COMMAND:
            return knows(message.text)
        case _:
            return True


def _is_meant_in_thread(message: IncomingMessage, last: Turn, said: Sequence[Message]) -> bool:
    """Do we take part in it, and does this ask for an answer? Others than who called us hear nothing of it while the
    question still waits; and who had something translated has not called us. Thanks and signs are for us if we have
    asked something."""
    if message.courtesy and not message.attachments and not message.quoted:
        return last.text.rstrip().endswith(("?", "？"))
    if not any(one.role is Role.USER and one.post for one in said):
        return False
    if last.state is not TurnState.WAITING or last.asker.id == message.author.id:
        return True
    return any(one.role is Role.ASSISTANT for one in said)
