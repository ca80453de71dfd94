"""/new, /stop, /retry, /language: the conversation itself."""

from __future__ import annotations

import re

from bot.commands.base import Call
from bot.commands.wording import code, count
from bot.errors import RequestRefused
from bot.locales import LANGUAGES, say
from bot.types import Choice, Forget, Menu, Outcome, Reopen, Reply, Stop, Turn, TurnKind, TurnState

__all__ = ["continue_", "language", "new", "retry", "stop"]

_COUNTED = 200  # messages, beyond which they are not counted for a sentence
_LARGEST = 2**63 - 1  # id that a store can hold
_LANGUAGE_NAMES = {
    "en": ("english", "eng", "英语", "英文"),
    "zh": ("chinese", "中文", "汉语", "简体中文", "华语"),
}
_AUTO = ("auto", "自动", "default", "默认")


async def new(call: Call) -> Reply:
    chat = call.context.chat
    messages = await call.reader.context(chat, limit=_COUNTED)
    effects = (Forget(chat),)
    if not messages:
        return Reply(call.say("This is a new conversation already. Ask anything."), effects=effects)
    number = f"{count(_COUNTED)}+" if len(messages) == _COUNTED else count(len(messages))
    said = call.say(
        "A new conversation: the model no longer sees what was said so far (messages: {number}). "
        "Settings stay; the model is {model}.",
        number=number,
        model=code(call.settings.model),
    )
    return Reply(said, effects=effects)


async def stop(call: Call) -> Reply:
    chat = call.context.chat
    open_turns = [turn for turn in await call.reader.open_turns(chat) if turn.kind is TurnKind.QUESTION]
    number = _turn_number(call.words)
    if number is not None:
        turn = await _turn(call, number)
        if turn.state is TurnState.ENDED:
            raise RequestRefused("This question is no longer being answered, so there is nothing to stop.")
    elif not open_turns:
        raise RequestRefused("Nothing is being answered here, so there is nothing to stop.")
    return Reply(call.say("Stopping."), effects=(Stop(chat, number),))


async def retry(call: Call) -> Reply:
    turn = await _answered(call)
    said = call.say("Asking again. The new answer takes the place of the old one.")
    return Reply(said, effects=(Reopen(turn.chat, turn.id),))


async def continue_(call: Call) -> Reply:
    turn = await _answered(call)
    if turn.outcome not in (Outcome.PART, Outcome.STOPPED) or not turn.text.strip():
        raise RequestRefused("This answer is not a part, so there is nothing to continue. /retry asks again.")
    return Reply(call.say("Going on where the answer ends."), effects=(Reopen(turn.chat, turn.id, go_on=True),))


async def _answered(call: Call) -> Turn:
    """The question that is meant, which has ended."""
    number = _turn_number(call.words)
    turn = await _turn(call, number) if number is not None else await call.reader.last_turn(call.context.chat)
    if turn is None:
        raise RequestRefused("There is no question yet, so there is nothing to ask again.")
    if turn.state is not TurnState.ENDED:
        raise RequestRefused("This question is still being answered. /stop ends that.")
    return turn


def _turn_number(words: str) -> int | None:
    if not words:
        return None
    if not re.fullmatch(r"#?[0-9]{1,19}", words) or not 0 < int(words.lstrip("#")) <= _LARGEST:
        raise RequestRefused("{got} is not the number of a question.", got=words[:40])
    return int(words.lstrip("#"))


async def _turn(call: Call, number: int) -> Turn:
    """A question of this chat: another chat's is none of its business."""
    turn = await call.reader.turn(number)
    if turn is None or turn.chat != call.context.chat or turn.kind is not TurnKind.QUESTION:
        raise RequestRefused("There is no question {number} in this chat.", number=number)
    return turn


async def language(call: Call) -> Reply:
    """The bot's own words; the model answers in whatever language it is asked."""
    asked = call.words.lower()
    if not asked:
        row = [
            Choice(name, f"/language {call.prefix}{tag}", chosen=tag == call.language)
            for tag, name in LANGUAGES.items()
        ]
        auto = Choice(call.label("Each person's own"), f"/language {call.prefix}auto")
        return call.reply(call.say("In which language shall I speak here?"), menu=Menu((tuple(row), (auto,))))
    if asked in _AUTO:
        done = call.say("I speak each person's own language in {place}.", place=call.place)
        return call.reply(done, call.shadowed("language"), sets=[call.set("language", None)])
    for tag, names in _LANGUAGE_NAMES.items():
        if asked in names or re.split("[-_]", asked)[0] == tag:
            said = say("I speak English here now.", tag)
            return call.reply(said, call.shadowed("language"), sets=[call.set("language", tag)])
    raise RequestRefused("I speak English and Chinese: /language en or /language zh, got {got}", got=call.words[:40])
