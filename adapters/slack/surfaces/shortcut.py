"""The shortcut "Translate": a message in the language that somebody chooses, said in its thread (docs.slack.dev:
Message shortcuts)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapters.kit.unread import UnknownShape
from adapters.slack.inbound.events import chat_of, is_direct
from adapters.slack.inbound.marks import Me, Raw, ids
from adapters.slack.inbound.names import Names
from adapters.slack.inbound.seen import Seen, seen
from adapters.slack.surfaces.views import Say, language_of
from adapters.slack.wire import Wire
from bot.errors import AdapterError
from bot.types import Addressing, Clock, IncomingMessage, Intake, Json, Kind, Person, Text

__all__ = ["Shortcut", "place_of"]

log = logging.getLogger(__name__)

_UNREADABLE = Text("I can't read this message. Invite me to the channel first.")
_WORDLESS = Text("There are no words in this message that I could translate.")


def place_of(body: Raw) -> dict[str, str]:
    """Where the message stands that the shortcut was used on. UnknownShape."""
    message, channel = body.get("message"), body.get("channel")
    if not isinstance(message, Mapping) or not isinstance(channel, Mapping):
        raise UnknownShape("message: not an object")
    ts = str(message.get("ts") or "")
    return {"channel": str(channel.get("id") or ""), "ts": ts, "thread": str(message.get("thread_ts") or ts)}


@dataclass(slots=True)
class Shortcut:
    me: Me
    intake: Intake
    clock: Clock
    names: Names
    wire: Wire

    async def submitted(self, view: Raw, state: Raw, person: Person, say: Say) -> str:
        """A question in the message's thread, with the wish that it be translated as its only setting; the reason why
        not, if it can't be one, else ''. It has no message of its own, by
        which it is told from a call that makes the thread ours."""
        where = json.loads(str(view.get("private_metadata")))
        channel, ts, thread = (str(where[name]) for name in ("channel", "ts", "thread"))
        found, language = await self._read(channel, ts, thread), language_of(state)
        if found is None or not language:
            return say(_UNREADABLE)
        words = "\n".join(filter(None, (found.quoted, found.text)))
        pictures = () if words else tuple(file for file in found.files if file.kind is Kind.IMAGE)
        if not words and not pictures:
            return say(_WORDLESS)
        chat = chat_of(self.me, channel, thread)
        key = f"{chat.platform}:{self.me.team}:{channel}:{ts}:translate:{view.get('id')}"
        group, now = not is_direct(channel), self.clock.now()
        message = IncomingMessage(key, chat, person, words, now, pictures, group=group, addressing=Addressing.MENTION)
        wish: dict[str, Json] = {"translate": {"target": language}}
        ack = await self.intake.accept(replace(message, literal=True, settings=wish))
        return ack.toast if ack.error else ""

    async def _read(self, channel: str, ts: str, thread: str) -> Seen | None:
        try:
            answer = await self.wire.do(
                "conversations.replies", channel=channel, ts=thread, oldest=ts, latest=ts, inclusive=True, limit=1
            )
        except AdapterError as error:
            log.info("a message can't be read: %s", error.detail or error)
            return None
        found = [each for each in answer.get("messages") or () if isinstance(each, Mapping) and each.get("ts") == ts]
        if not found:
            return None
        await self.names.learn(sorted(ids(found[0], self.me)))
        return seen(found[0], self.me, self.names.name_of)
