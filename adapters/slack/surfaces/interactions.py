"""Interactions: buttons, `/magpie`, the shortcut, modals and App Home. The platform waits three seconds for an
acknowledgement, so what need not be in it is done behind it."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapters.kit.connections import words_of
from adapters.kit.tasks import Tasks
from adapters.kit.unread import UnknownShape
from adapters.slack.errors import FAILURES
from adapters.slack.inbound.events import chat_of, is_direct, press, said
from adapters.slack.inbound.marks import Me
from adapters.slack.inbound.names import Names
from adapters.slack.inbound.people import People
from adapters.slack.outgoing.menus import ACTION, buttons
from adapters.slack.settings import SlackSettings
from adapters.slack.surfaces import views
from adapters.slack.surfaces.shortcut import Shortcut, place_of
from adapters.slack.wire import Wire
from bot.errors import AdapterError, StoreError
from bot.types import Ack, AdapterContext, Chat, Intake, Json, Person, Press

__all__ = ["COMMAND", "SHORTCUT", "Interactions"]

log = logging.getLogger(__name__)

COMMAND = "/magpie"
SHORTCUT = views.TRANSLATE

_MODAL_WORDS = ("", "settings")
_TEXT = 3_000  # characters of a section

Raw = Mapping[str, Any]


@dataclass(slots=True)
class Interactions:
    me: Me
    intake: Intake
    around: AdapterContext
    people: People
    names: Names
    wire: Wire
    settings: SlackSettings
    _behind: Tasks = field(default_factory=Tasks)
    _translating: Shortcut = field(init=False)

    def __post_init__(self) -> None:
        self._translating = Shortcut(self.me, self.intake, self.around.clock, self.names, self.wire)

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
            self.people.talks(user, channel)
            self._later(self._show_home(user, chat_of(self.me, channel)))

    async def close(self) -> None:
        await self._behind.close()

    # ── buttons ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _pressed(self, body: Raw) -> None:
        for action in body.get("actions") or ():
            if not isinstance(action, Mapping) or not str(action.get("action_id")).startswith(ACTION):
                continue
            if action.get("action_id") == views.HOME:
                await self._change_home(body, str(action.get("value")))
                continue
            event = press(body, action, self.me, self.around.clock.now())
            if event is not None and event.action:
                ack = await self.intake.accept(await self._named(event))
                self._later(self._respond(body, event, ack))

    async def _change_home(self, body: Raw, value: str) -> None:
        """The button on Home stands for the conversation with whoever sees it, and for no other."""
        user, view = _user(body), body.get("view")
        if not isinstance(view, Mapping) or view.get("type") != "home" or view.get("private_metadata") != value:
            raise UnknownShape("value: not of this view")
        room = Chat.parse(value)
        if room != chat_of(self.me, room.id) or not is_direct(room.id) or not self.people.talks_in(user, room.id):
            raise UnknownShape("value: not a conversation of theirs")
        if await self._why_not(room, user) is None:
            self._later(self._open_settings(body, room, user))
        else:
            self._later(self._show_home(user, room))

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
        key = f"{room.platform}:{self.me.team}:command:{trigger}"
        if text[1:].lower() in _MODAL_WORDS:
            return await self._form(body, room, user, key)
        ack = await self.intake.accept(await self._command_of(room, user, key, text))
        return _ephemeral(ack) if ack.toast else None

    async def _form(self, body: Raw, room: Chat, user: str, key: str) -> Any:
        """The form, for who may change what is in it; others see what holds, and why they can't."""
        why = await self._why_not(room, user)
        if why is None:
            self._later(self._open_settings(body, room, user))
            return None
        told = await self.intake.accept(await self._command_of(room, user, key, "/settings"))
        words = why.toast if told.error or not told.toast else f"{told.toast}\n\n{why.toast}"
        return _ephemeral(Ack(toast=words, error=True))

    # ── modals ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_settings(self, body: Raw, room: Chat, user: str) -> None:
        now = views.current(self.around.defaults, await self.around.reader.settings(room))
        models = [model.id for model in self.around.models()]
        say = self._say(await self.people.person(user))
        await self._open(body, views.settings_modal(room.key, now, models, say))

    def _shortcut(self, body: Raw) -> None:
        where = place_of(body)

        async def show() -> None:
            person = await self.people.person(_user(body))
            languages = self.around.languages(person.language)
            await self._open(body, views.translate_modal(where, languages, person.language, self._say(person)))

        self._later(show())

    async def _open(self, body: Raw, view: Json) -> None:
        await self.wire.do("views.open", trigger_id=str(body.get("trigger_id") or ""), view=view)

    async def _submitted(self, body: Raw) -> Any:
        view = body.get("view")
        if not isinstance(view, Mapping):
            raise UnknownShape("view: not an object")
        state = (view.get("state") or {}).get("values") or {}
        person = await self.people.person(_user(body))
        if view.get("callback_id") == views.SETTINGS:
            return await self._save(body, view, state, person)
        if view.get("callback_id") == views.TRANSLATE:
            why = await self._translating.submitted(view, state, person, self._say(person))
            return {"response_action": "errors", "errors": {"language": why}} if why else None
        return None

    async def _save(self, body: Raw, view: Raw, state: Raw, person: Person) -> Any:
        """Each field that was changed is a command; what one of them complains of stands below its field."""
        room = Chat.parse(str(view.get("private_metadata")))
        was = views.current(self.around.defaults, await self.around.reader.settings(room))
        trigger = str(body.get("trigger_id") or view.get("hash") or view.get("id"))
        errors: dict[str, str] = {}
        for name, action in views.commands_of(state, was):
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

    async def _show_home(self, user: str, room: Chat) -> None:
        """The settings are for who may change them; others are told why not."""
        say, why = self._say(await self.people.person(user)), await self._why_not(room, user)
        if why is None:
            now = views.current(self.around.defaults, await self.around.reader.settings(room))
            view = views.home(room.key, now, say)
        else:
            view = views.closed_home(why.toast, say)
        await self.wire.do("views.publish", user_id=user, view=view)

    async def _why_not(self, room: Chat, user: str) -> Ack | None:
        """May somebody have the form of a room's settings? The core's no, if not. StoreError."""
        key = f"{room.platform}:{self.me.team}:form:{user}:{self.around.clock.now()}"
        ack = await self.intake.accept(await self._command_of(room, user, key, "/settings form"))
        return ack if ack.error else None

    async def _command_of(self, room: Chat, user: str, key: str, action: str) -> Press:
        now, group = self.around.clock.now(), not is_direct(room.id)
        return Press(key, room, await self.people.person(user), action, now, group=group)

    # ── words, and what is done later ───────────────────────────────────────────────────────────────────────────────

    def _say(self, person: Person) -> views.Say:
        return lambda text: self.around.say(text, person.language)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        async def do() -> None:
            try:
                await work
            except (AdapterError, StoreError) as error:
                log.info("something is not shown: %s", error.detail or error)
            except FAILURES as error:
                log.info("something is not shown: %s", words_of(error, self.wire.secrets)[:200])

        self._behind.start(do(), "something to show")


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
