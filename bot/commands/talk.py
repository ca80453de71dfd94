"""/new, /stop, /retry, /language: the conversation itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.commands.base import Invocation
from bot.commands.writing.wording import code, count
from bot.errors import InvalidRequest
from bot.locales import LANGUAGES, say
from bot.turns.exchange import unbegun
from bot.types import Choice, Effect, Forget, Menu, Outcome, Reopen, Reply, Role, Stop, Turn, TurnKind, TurnState

__all__ = ["continue_", "language", "new", "retry", "stop"]

_LOOKED_AT = 20  # messages, among which an answer is looked for that can be continued
_COUNTED = 200  # messages, beyond which they are not counted for a sentence
_LARGEST = 2**63 - 1  # id that a store can hold
_LANGUAGE_NAMES = {
    "en": ("english", "eng", "英语", "英文"),
    "zh": ("chinese", "中文", "汉语", "简体中文", "华语"),
}
_ALL = ("all", "全部", "所有")
_AUTO = ("auto", "自动", "default", "默认")


async def new(call: Invocation) -> Reply:
    """What grows here ends where it is, and of the author's own what waits. Words that follow are asked, in the new
    conversation."""
    chat = call.context.chat
    running, waiting = await _open(call)
    effects: tuple[Effect, ...] = (*_stops(call, [*running, *waiting]), Forget(chat))
    if call.words or call.context.attached:
        return Reply("", effects=effects, ask=call.words)
    messages = await call.reader.context(chat, limit=_COUNTED)
    if not messages and not running:
        said = call.say("This is a new conversation already. Ask anything.")
        return Reply(said, effects=effects, in_order=True)
    number = f"{count(_COUNTED)}+" if len(messages) == _COUNTED else count(len(messages))
    said = call.say(
        "A new conversation: the model no longer sees what was said so far (messages: {number}). "
        "Settings stay; the model is {model}.",
        number=number,
        model=code(call.settings.model),
    )
    return Reply(said, effects=effects, in_order=True)


async def stop(call: Invocation) -> Reply:
    """The answer that grows; where none does, the author's own questions that wait; with "all", both."""
    running, waiting = await _open(call)
    if call.words.lower() in _ALL:
        meant = [*running, *waiting]
    elif (number := _turn_number(call.words)) is not None:
        turn = await _turn(call, number)
        if turn.state is TurnState.ENDED:
            raise InvalidRequest("This question is no longer being answered, so there is nothing to stop.")
        meant = [turn]
    else:
        meant = running or waiting
    if not meant:
        raise InvalidRequest("Nothing is being answered here, so there is nothing to stop.")
    return Reply(call.say("Stopping."), effects=_stops(call, meant), ephemeral=True)


async def _open(call: Invocation) -> tuple[list[Turn], list[Turn]]:
    """The answers that grow here, and the questions that wait: in a group only the author's own, but all for an
    admin."""
    turns = [turn for turn in await call.reader.open_turns(call.context.chat) if turn.kind is TurnKind.QUESTION]
    author, theirs = call.context.author, not call.context.group or call.context.author.admin
    waiting = [turn for turn in turns if turn.state is TurnState.WAITING and (theirs or turn.asker.id == author.id)]
    return [turn for turn in turns if turn.state is TurnState.RUNNING], waiting


def _stops(call: Invocation, turns: Sequence[Turn]) -> tuple[Stop, ...]:
    return tuple(Stop(turn.chat, turn.id, unbegun(turn.id, call.language)) for turn in turns)


async def retry(call: Invocation) -> Reply:
    turn = await _answered(call)
    said = call.say("Asking again. The new answer takes the place of the old one.")
    return Reply(said, effects=(Reopen(turn.chat, turn.id),), ephemeral=await _in_sight(call, turn))


async def continue_(call: Invocation) -> Reply:
    turn = await _broken_off(call) if not call.words else await _answered(call)
    if not _can_go_on(turn):
        raise InvalidRequest("This answer is not a part, so there is nothing to continue. /retry asks again.")
    said = call.say("Going on where the answer ends.")
    return Reply(said, effects=(Reopen(turn.chat, turn.id, go_on=True),), ephemeral=await _in_sight(call, turn))


async def _in_sight(call: Invocation, turn: Turn) -> bool:
    """What happens to the newest answer is seen; an older one may stand far above."""
    newest = await call.reader.last_turn(call.context.chat)
    return newest is not None and newest.id == turn.id


def _can_go_on(turn: Turn) -> bool:
    return turn.outcome in (Outcome.PART, Outcome.STOPPED) and bool(turn.text.strip())


async def _broken_off(call: Invocation) -> Turn:
    """The newest answer that is only a part, though another question may be waiting or under way by now."""
    chat = call.context.chat
    newest = await call.reader.last_turn(chat)
    if newest is not None and newest.state is not TurnState.ENDED:
        for message in await call.reader.history(chat, limit=_LOOKED_AT):
            turn = await call.reader.turn(message.turn) if message.turn and message.role is Role.ASSISTANT else None
            if turn is not None and turn.kind is TurnKind.QUESTION and turn.state is TurnState.ENDED:
                return turn
    return await _answered(call)


async def _answered(call: Invocation) -> Turn:
    """The question that is meant, which has ended."""
    number = _turn_number(call.words)
    turn = await _turn(call, number) if number is not None else await call.reader.last_turn(call.context.chat)
    if turn is None:
        raise InvalidRequest("There is no question yet, so there is nothing to ask again.")
    if turn.state is not TurnState.ENDED:
        raise InvalidRequest("This question is still being answered. /stop ends that.")
    return turn


def _turn_number(words: str) -> int | None:
    if not words:
        return None
    if not re.fullmatch(r"#?[0-9]{1,19}", words) or not 0 < int(words.lstrip("#")) <= _LARGEST:
        raise InvalidRequest("{got} is not the number of a question.", got=words[:40])
    return int(words.lstrip("#"))


async def _turn(call: Invocation, number: int) -> Turn:
    """A question of this chat: another chat's is none of its business."""
    turn = await call.reader.turn(number)
    if turn is None or turn.chat != call.context.chat or turn.kind is not TurnKind.QUESTION:
        raise InvalidRequest("There is no question {number} in this chat.", number=number)
    return turn


async def language(call: Invocation) -> Reply:
    """The bot's own words; the model answers in whatever language it is asked."""
    asked = call.words.lower()
    if not asked:
        row = [
            Choice(name, f"/language {call.prefix}{tag}", chosen=tag == call.language)
            for tag, name in LANGUAGES.items()
        ]
        auto = Choice(call.label("Automatic"), f"/language {call.prefix}auto")
        return call.reply(call.say("Which language should I use here?"), menu=Menu((tuple(row), (auto,))))
    if asked in _AUTO:
        done = call.say("I speak each person's own language in {place}.", place=call.place)
        return call.reply(done, call.shadowed("language"), sets=[call.set("language", None)])
    for tag, names in _LANGUAGE_NAMES.items():
        if asked in names or re.split("[-_]", asked)[0] == tag:
            said = say("I speak English here now.", tag)
            return call.reply(said, call.shadowed("language"), sets=[call.set("language", tag)])
    raise InvalidRequest("I speak English and Chinese: /language en or /language zh, got {got}", got=call.words[:40])
