"""Buttons, `/magpie`, the shortcut, modals and App Home. The platform waits three seconds for an acknowledgement, so
what need not be in it is done behind it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapters.slack import surfaces
from adapters.slack.errors import FAILURES, hide
from adapters.slack.inbound import chat_of, is_direct, press, said
from adapters.slack.marks import Me, UnknownShape
from adapters.slack.menus import ACTION, buttons
from adapters.slack.people import People
from adapters.slack.seen import seen
from adapters.slack.settings import SlackSettings
from adapters.slack.wire import Wire
from bot.errors import AdapterError, StoreError
from bot.types import Ack, Chat, IncomingMessage, Intake, Json, Person, Press, Surroundings, Text

__all__ = ["COMMAND", "SHORTCUT", "Interactions"]

log = logging.getLogger(__name__)

COMMAND = "/magpie"
SHORTCUT = surfaces.TRANSLATE

_MODAL_WORDS = ("", "settings")
_TEXT = 3_000  # characters of a section

Raw = Mapping[str, Any]


@dataclass(slots=True)
class Interactions:
    me: Me
    intake: Intake
    around: Surroundings
    people: People
    wire: Wire
    settings: SlackSettings
    _behind: set[asyncio.Task[None]] = field(default_factory=set)

    async def take(self, body: Raw) -> Any:
        """What to say in the acknowledgement. StoreError, UnknownShape."""
        match body.get("type"):
            case "block_actions":
                await self._pressed(body)
            case "message_action" if body.get("callback_id") == SHORTCUT:
                self._shortcut(body)
            case "view_submission":
                return await self._submitted(body)
            case None if body.get("command") == COMMAND:
                return await self._command(body)
        return None

    def home_opened(self, event: Raw) -> None:
        user, channel = event.get("user"), event.get("channel")
        if event.get("tab") == "home" and isinstance(user, str) and isinstance(channel, str):
            self._later(self._show_home(user, chat_of(self.me, channel)))

    async def close(self) -> None:
        for task in self._behind:
            task.cancel()
        await asyncio.gather(*self._behind, return_exceptions=True)

    # ── buttons ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _pressed(self, body: Raw) -> None:
        for action in body.get("actions") or ():
            if not isinstance(action, Mapping) or not str(action.get("action_id")).startswith(ACTION):
                continue
            if action.get("action_id") == surfaces.HOME:
                self._later(self._open_settings(body, Chat.parse(str(action.get("value"))), _user(body)))
                continue
            event = press(body, action, self.me, self.around.clock.now())
            if event is not None and event.action:
                ack = await self.intake.accept(await self._named(event))
                self._later(self._respond(body, event, ack))

    async def _named(self, event: Press) -> Press:
        person = await self.people.person(event.author.id)
        return Press(event.key, event.chat, person, event.action, event.at, event.post, event.group)

    async def _respond(self, body: Raw, event: Press, ack: Ack) -> None:
        """What only the person sees who pressed. That something is being done is seen without words."""
        if not ack.toast or (event.post is not None and not ack.error):
            return
        answer = {**_ephemeral(ack), "replace_original": event.post is None}
        await self._send(str(body.get("response_url") or ""), answer)

    async def _send(self, url: str, answer: Json) -> None:
        own, parts = urlsplit(self.settings.slack_api_url).netloc, urlsplit(url)
        if parts.netloc != own and not (parts.scheme == "https" and (parts.hostname or "").endswith(".slack.com")):
            return
        async with self.wire.kept() as session, session.post(url, json=answer) as response:
            if response.status != 200:
                log.info("an answer to a button is not shown: HTTP %d", response.status)

    # ── /magpie ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _command(self, body: Raw) -> Any:
        """Settings of the channel, or of the conversation with us; only its author sees the answer."""
        text = said(f"/{str(body.get('text') or '').lstrip().lstrip('/')}", self.me, str)
        channel, trigger = str(body.get("channel_id") or ""), str(body.get("trigger_id") or "")
        if not channel or not trigger:
            raise UnknownShape("channel_id: not a word")
        room, user = chat_of(self.me, channel), str(body.get("user_id") or "")
        if text[1:].lower() in _MODAL_WORDS:
            self._later(self._open_settings(body, room, user))
            return None
        ack = await self.intake.accept(
            Press(
                key=f"{room.platform}:{self.me.team}:command:{trigger}",
                chat=room,
                author=await self.people.person(user),
                action=text,
                at=self.around.clock.now(),
                group=not is_direct(channel),
            )
        )
        return _ephemeral(ack) if ack.toast else None

    # ── modals ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_settings(self, body: Raw, room: Chat, user: str) -> None:
        now = surfaces.current(self.around.defaults, await self.around.reader.settings(room))
        models = [model.id for model in self.around.models()]
        say = self._say(await self.people.person(user))
        await self._open(body, surfaces.settings_modal(room.key, now, models, say))

    def _shortcut(self, body: Raw) -> None:
        message, channel = body.get("message"), body.get("channel")
        if not isinstance(message, Mapping) or not isinstance(channel, Mapping):
            raise UnknownShape("message: not an object")
        ts = str(message.get("ts") or "")
        where = {"channel": str(channel.get("id") or ""), "ts": ts, "thread": str(message.get("thread_ts") or ts)}

        async def show() -> None:
            person = await self.people.person(_user(body))
            await self._open(body, surfaces.translate_modal(where, person.language, self._say(person)))

        self._later(show())

    async def _open(self, body: Raw, view: Json) -> None:
        await self.wire.do("views.open", trigger_id=str(body.get("trigger_id") or ""), view=view)

    async def _submitted(self, body: Raw) -> Any:
        view = body.get("view")
        if not isinstance(view, Mapping):
            raise UnknownShape("view: not an object")
        state = (view.get("state") or {}).get("values") or {}
        person = await self.people.person(_user(body))
        if view.get("callback_id") == surfaces.SETTINGS:
            return await self._save(body, view, state, person)
        if view.get("callback_id") == surfaces.TRANSLATE:
            return await self._translate(view, state, person)
        return None

    async def _save(self, body: Raw, view: Raw, state: Raw, person: Person) -> Any:
        """Each field that was changed is a command; what one of them complains of stands below its field."""
        room = Chat.parse(str(view.get("private_metadata")))
        was = surfaces.current(self.around.defaults, await self.around.reader.settings(room))
        trigger = str(body.get("trigger_id") or view.get("hash") or view.get("id"))
        errors: dict[str, str] = {}
        for name, action in surfaces.commands_of(state, was):
            key = f"{room.platform}:{self.me.team}:view:{trigger}:{name}"
            now = self.around.clock.now()
            ack = await self.intake.accept(Press(key, room, person, action, now, group=not is_direct(room.id)))
            if ack.error:
                errors[name] = ack.toast
        if errors:
            return {"response_action": "errors", "errors": errors}
        if is_direct(room.id):
            self._later(self._show_home(person.id, room))
        return None

    async def _translate(self, view: Raw, state: Raw, person: Person) -> Any:
        """A question in the message's thread, as if it had been asked there."""
        where = json.loads(str(view.get("private_metadata")))
        channel, ts, thread = (str(where[name]) for name in ("channel", "ts", "thread"))
        say, language = self._say(person), surfaces.language_of(state)
        text = await self._text_of(channel, ts, thread)
        if not text or not language:
            trouble = Text("I can't read this message. Invite me to the channel first.")
            return {"response_action": "errors", "errors": {"language": say(trouble)}}
        chat = chat_of(self.me, channel, thread)
        key = f"{chat.platform}:{self.me.team}:{channel}:{ts}:translate:{view.get('id')}"
        question = f"Translate into {language}. Answer with the translation only.\n\n{text}"
        now = self.around.clock.now()
        await self.intake.accept(
            IncomingMessage(key, chat, person, question, now, post=ts, group=not is_direct(channel))
        )
        return None

    async def _text_of(self, channel: str, ts: str, thread: str) -> str:
        try:
            answer = await self.wire.do(
                "conversations.replies", channel=channel, ts=thread, oldest=ts, latest=ts, inclusive=True, limit=1
            )
        except AdapterError as error:
            log.info("a message can't be read: %s", error.detail or error)
            return ""
        found = [each for each in answer.get("messages") or () if isinstance(each, Mapping) and each.get("ts") == ts]
        return seen(found[0], self.me, lambda id: self.people.known(id).name).text if found else ""

    async def _show_home(self, user: str, room: Chat) -> None:
        now = surfaces.current(self.around.defaults, await self.around.reader.settings(room))
        view = surfaces.home(room.key, now, self._say(await self.people.person(user)))
        await self.wire.do("views.publish", user_id=user, view=view)

    # ── words, and what is done later ───────────────────────────────────────────────────────────────────────────────

    def _say(self, person: Person) -> surfaces.Say:
        return lambda text: self.around.say(text, person.language)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        async def do() -> None:
            try:
                await work
            except (AdapterError, StoreError) as error:
                log.info("something is not shown: %s", error.detail or error)
            except FAILURES as error:
                log.info(
                    "something is not shown: %s", hide(f"{type(error).__name__}: {error}", self.wire.secrets)[:200]
                )

        task = asyncio.create_task(do())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


def _user(body: Raw) -> str:
    user = body.get("user")
    return str(user.get("id") or "") if isinstance(user, Mapping) else str(body.get("user_id") or "")


def _ephemeral(ack: Ack) -> dict[str, Any]:
    """An answer for one person."""
    text = ack.toast.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    rows = buttons(ack.menu)
    answer: dict[str, Any] = {"response_type": "ephemeral", "text": text}
    if rows:
        parts = [ack.toast[at : at + _TEXT] for at in range(0, len(ack.toast), _TEXT)]
        said = [{"type": "section", "text": {"type": "plain_text", "text": part, "emoji": False}} for part in parts]
        answer["blocks"] = [*said, *rows]
    return answer
