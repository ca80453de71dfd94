"""Intake: an inbound event becomes durable work, a command's answer, or nothing (seen before, not for us).

Everything is stored in one transaction before `accept` returns; the platform is told only then. Commands are answered
here, at once: they don't wait behind the turn that they are about.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.commands import Commands, Context
from bot.commands.access import introduction, turned_away
from bot.commands.help import question_here
from bot.commands.table import BY_NAME
from bot.commands.writing.forms import is_blank, markdown_here, prefix
from bot.errors import InvalidRequest
from bot.intake.access import Access, Rights, UserRole
from bot.intake.addressing import is_for_us
from bot.locales import say
from bot.markdown import parse, plain
from bot.settings.overlay import checked, effective
from bot.turns.exchange import unbegun
from bot.turns.queue import TurnQueue
from bot.types import (
    Accepted,
    Ack,
    Chat,
    ChatSettings,
    Clock,
    Deleted,
    Edited,
    Effect,
    Features,
    Inbound,
    IncomingMessage,
    Membership,
    Moved,
    Person,
    Press,
    Reply,
    SetSetting,
    Stop,
    StopPressed,
    Store,
    Text,
    TurnState,
)

__all__ = ["CoreIntake"]

log = logging.getLogger(__name__)

QUIET = 1.0  # seconds without a further part before a message that may have more of them is answered
DAY = 86_400_000  # ms
APART = 1_000  # ms between two strangers of an account who are told that they have not been let in
INTRODUCED = 100  # strangers who may be waiting for that; more are told when they write again
WAITING = 5  # messages of one person in one chat that may wait
_LOOK, _LOOKS = 0.1, 20  # seconds between looks at a turn that is sending, and how many
REMEMBERED = 10_000  # questions to which it has been said that too many messages wait
PARTS = 20  # and as many if they come as parts of something: an album has up to ten


class Strangers:
    """When the next stranger of an account is told who may use the bot."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def turn(self, chat: Chat, now: int) -> int | None:
        """UTC ms; None if too many are to be told already."""
        account = chat.scopes[1]
        due = max(now, self._next.get(account, 0))
        if due - now >= INTRODUCED * APART:
            return None
        self._next[account] = due + APART
        return due


class CoreIntake:
    """`features` are those of the platform that a chat is on."""

    def __init__(
        self,
        store: Store,
        commands: Commands,
        turns: TurnQueue,
        clock: Clock,
        access: Access,
        features: Callable[[Chat], Features] = lambda chat: Features(),  # noqa: ARG005
    ) -> None:
        self._features = features
        self._store = store
        self._commands = commands
        self._turns = turns
        self._clock = clock
        self._access = access
        self._strangers = Strangers()
        self._told: OrderedDict[int | None, None] = OrderedDict()

    async def accept(self, event: Inbound) -> Ack:
        """See `bot.types.Intake`. Safe to call again with the same event."""
        match event:
            case IncomingMessage():
                ack = await self._message(event)
            case Press():
                ack = await self._press(event)
            case StopPressed():
                ack = await self._stop(event)
            case Edited():
                ack = await self._edit(event)
            case Deleted():
                ack = await self._withdraw(event)
            case Moved():
                await self._store.move(event)
                ack = Ack()
            case Membership():
                ack = await self._membership(event)
        self._turns.wake()
        return ack

    async def wanted(self, message: IncomingMessage) -> bool:
        """See `bot.types.Intake`."""
        return await is_for_us(message, self._store, self._commands.knows)

    async def _message(self, message: IncomingMessage) -> Ack:
        if is_blank(message.text) and not message.attachments and not message.quoted:
            return Ack()
        if not await self.wanted(message):
            return Ack()
        if await self._store.seen(message.key):
            return Ack()
        rights = await self._access.rights(message.chat, message.author, message.group)
        if not rights.admitted:
            return Ack() if message.group else await self._stranger(message, rights)
        if message.settings:
            try:
                message = replace(message, settings=checked(message.settings))
            except InvalidRequest as error:
                return Ack(toast=say(error, await self._language(message)), error=True)
        said = self._context(message, rights)
        is_content = message.literal or message.forwarded_from is not None
        reply = None if is_content else await self._commands.run(said, message.text)
        if reply is None:
            return await self._question(message)
        if reply.ask is not None:
            return await self._question(replace(message, text=reply.ask), reply.effects)
        if reply.ephemeral and not reply.error:
            reply = replace(reply, text="", menu=None)
        return await self._answer(message, reply)

    async def _question(self, message: IncomingMessage, effects: Sequence[Effect] = ()) -> Ack:
        wait = QUIET if message.more else 0.0
        accepted = await self._accepted(message, wait, effects)
        if not accepted.seen:
            self._done(effects)
        if accepted.anew and accepted.turn is not None:
            self._turns.abandon(accepted.turn)
        return await self._full(message, accepted) if accepted.full else Ack(accepted.turn)

    async def _full(self, message: IncomingMessage, accepted: Accepted) -> Ack:
        """Whoever writes on and on is told once for each question that waits."""
        words = Text("{count} of your messages are waiting for an answer already. Please wait for it first.")
        text = say(words, await self._language(message), count=WAITING)
        told = accepted.waiting in self._told
        self._told[accepted.waiting] = None
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        ack = await self._answer(message, Reply("" if told else text, error=True))
        return replace(ack, toast=text)

    async def _accepted(self, message: IncomingMessage, wait: float, effects: Sequence[Effect]) -> Accepted:
        """What joins a turn that is just sending its first words waits until it is known where they stand."""
        limit = PARTS if message.more or message.joins else WAITING
        for _ in range(_LOOKS):
            accepted = await self._store.accept(message, wait=wait, limit=limit, effects=effects)
            if not accepted.busy:
                return accepted
            await self._clock.sleep(_LOOK)
        return await self._store.accept(replace(message, joins=False), wait=wait, limit=limit, effects=effects)

    async def _stranger(self, message: IncomingMessage, rights: Rights) -> Ack:
        """Somebody who has not been let in writes in private: told so once a day, and nothing of it is kept."""
        if self._commands.for_strangers(message.text):
            return await self._claim(message, rights)
        if rights.standing is not UserRole.DENIED:
            unclaimed = await self._access.unclaimed(message.chat, self._context(message, rights).who)
            words = introduction(message.author, await self._language(message), unclaimed=unclaimed)
            here = prefix(self._features(message.chat), message.chat)
            await self._tell(message, markdown_here(words, here, BY_NAME), "stranger")
        return Ack()

    async def _claim(self, message: IncomingMessage, rights: Rights) -> Ack:
        """Each guess is answered, and there are few; whatever else is wrong is said once a day."""
        context = self._context(message, rights)
        before = self._access.code.wrong(context.who)
        reply = await self._commands.run(context, message.text) or Reply("")
        if not reply.error:
            return await self._answer(message, reply)
        guessed = self._access.code.wrong(context.who) > before
        await self._tell(message, reply.text, message.key if guessed else "claim")
        return Ack(error=True)

    async def _tell(self, message: IncomingMessage, text: str, key: str) -> None:
        """Once per `key`, which is the message's own, or a topic's for a day. Those of a day come one a second, so that
        however many strangers write, nobody waits behind them."""
        not_before = 0
        if key != message.key:
            key = f"{key}:{message.chat.room.key}:{self._clock.now() // DAY}"
            if await self._store.seen(key):
                return
            due = self._strangers.turn(message.chat, self._clock.now())
            if due is None:
                log.info("so many strangers write that one is not told who may use the bot")
                return
            not_before = due
        language = await self._language(message)
        await self._store.notify(message.chat, text, key=key, language=language, not_before=not_before)

    async def _press(self, press: Press) -> Ack:
        """A button's command. Its answer replaces the message it stands on, or comes back with the Ack."""
        if await self._store.seen(press.key):
            return Ack()
        rights = await self._access.rights(press.chat, press.author, press.group)
        if not rights.admitted and not self._from_stranger(press):
            return Ack(toast=turned_away(await self._language(press)), error=True)
        reply = await self._commands.run(self._context(press, rights), press.action)
        if reply is None:
            words = question_here(self._features(press.chat)) if press.post is None else ""
            if not words:
                log.warning("a button asks for something unknown: %r", press.action)
                words = Text("This button no longer works.")
            return Ack(toast=say(words, await self._language(press)), error=True)
        if not (reply.text or reply.effects):
            return Ack()  # it was only asked whether one may
        if press.post is None or reply.error or reply.ephemeral:
            ack = await self._answer(press, replace(reply, text="", menu=None))
            return replace(ack, toast=plain(parse(reply.text)), menu=reply.menu, error=reply.error)
        return await self._answer(press, reply)

    def _from_stranger(self, press: Press) -> bool:
        """Is it a command, given in private and in words, that people may give who have not been let in?"""
        return not press.group and press.post is None and self._commands.for_strangers(press.action)

    async def _stop(self, event: StopPressed) -> Ack:
        """Who can't be told has the answer before him, so he is one of those that it is for."""
        if event.author is not None and not await self._known(event.chat, event.author):
            return Ack()
        turns = [turn for turn in await self._store.open_turns(event.chat) if turn.state is TurnState.RUNNING]
        stops = [Stop(turn.chat, turn.id, unbegun(turn.id, turn.asker.language)) for turn in turns]
        return await self._answer(event, Reply("", effects=tuple(stops)))

    async def _edit(self, event: Edited) -> Ack:
        """Who has forgotten to call us adds that. An answer is not changed, but later ones go by the new words."""
        if event.asks is not None and await self._store.seen(event.key):
            return Ack()
        if await self._known(event.chat, event.author):
            known = await self._store.edit(event)
            if known is None and event.asks is not None:
                return await self._message(event.asks)
        return Ack()

    async def _withdraw(self, event: Deleted) -> Ack:
        """Whoever deleted it could: nobody wants an answer to what is no longer there."""
        turn = await self._store.withdraw(event)
        if turn is not None:
            self._turns.interrupt(turn)
        return Ack(turn)

    async def _membership(self, event: Membership) -> Ack:
        let_in = await self._access.joined(event)
        if let_in is not None:
            return await self._answer(event, Reply("", effects=(let_in,)))
        await self._store.membership(event)
        return Ack()

    async def _known(self, chat: Chat, author: Person) -> bool:
        return (await self._access.rights(chat, author)).admitted

    async def _answer(self, event: IncomingMessage | Press | StopPressed | Membership, reply: Reply) -> Ack:
        turn = await self._store.answer(event, reply)
        self._done(reply.effects)
        return Ack(turn, error=reply.error)

    def _done(self, effects: Sequence[Effect]) -> None:
        """What is stored is to be felt at once."""
        for effect in effects:
            if isinstance(effect, Stop):
                self._turns.interrupt(effect.turn)
            elif isinstance(effect, SetSetting):
                self._access.stored(effect)

    async def _language(self, event: IncomingMessage | Press) -> str:
        rows = await self._store.settings(event.chat)
        return effective(ChatSettings(""), rows).language or event.author.language

    def _context(self, event: IncomingMessage | Press, rights: Rights) -> Context:
        return Context(
            chat=event.chat,
            author=replace(event.author, admin=rights.admin),
            now=self._clock.now(),
            features=self._features(event.chat),
            group=event.group,
            is_press=isinstance(event, Press),
            attached=isinstance(event, IncomingMessage) and bool(event.attachments),
        )
