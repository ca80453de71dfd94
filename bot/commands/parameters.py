"""/set, /unset, /search, /think, /system: what a chat asks of the model, setting by setting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson

from bot.commands.base import Invocation
from bot.commands.models import missing, model
from bot.commands.overview import settings
from bot.commands.reasoning import reasoning
from bot.commands.talk import language
from bot.commands.translation import translate
from bot.commands.writing.wording import Markdown, code, count, fence, value
from bot.errors import InvalidRequest
from bot.gateways.parameters import PARAMETERS, Parameter, resolve
from bot.settings.overlay import LONGEST_SYSTEM, effective
from bot.types import Choice, Json, Menu, ModelInfo, Reply

__all__ = ["named", "search", "set_", "system", "think", "unset"]

_LONGEST_VALUE = 500  # characters that may follow a parameter's name
_ALL = ("all", "全部", "所有")
_OTHERS = {
    "模型": "model",
    "系统": "system",
    "提示词": "system",
    "翻译": "translate",
    "语言": "language",
    "推理": "reasoning",
}


def named(words: str) -> str:
    """The name of a setting called by any of its names. InvalidRequest if there is none."""
    asked = words.strip().lower()
    asked = _OTHERS.get(asked, asked)
    return asked if asked in _OTHERS.values() else resolve(words).name


# ── /set ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def set_(call: Invocation) -> Reply:
    if not call.words:
        return _parameters(call)
    name, words = _split(call.words)
    name = named(name)
    if name in _COMMANDS:
        return await _COMMANDS[name](replace(call, words=words))
    return _set(call, PARAMETERS[name], words) if words else _about(call, PARAMETERS[name])


def _split(words: str) -> tuple[str, str]:
    """ "top_p 0.8", "top_p=0.8" and "top_p: 0.8" into name and value."""
    at = next((at for at, sign in enumerate(words) if sign.isspace() or sign in "=:：＝"), len(words))
    return words[:at], words[at:].lstrip().lstrip("=:：＝").strip()


def _set(call: Invocation, parameter: Parameter, words: str, *more: Markdown) -> Reply:
    info = call.models.info(call.settings.model)
    try:
        wanted = _parsed(parameter, words, info)
    except InvalidRequest as error:
        example = code(f"/set {call.prefix}{parameter.name} {parameter.example}")
        return call.refuse(error, call.say("Example: {example}", example=example))
    return call.reply(
        _done(call, parameter.name, wanted),
        *missing(call, info, {parameter.name: wanted}),
        _both(call, parameter.name),
        *more,
        call.shadowed(parameter.name),
        sets=[call.set(parameter.name, wanted)],
    )


def _done(call: Invocation, name: str, wanted: Json) -> Markdown:
    label = call.named(name)
    if isinstance(wanted, bool):
        on = call.say("{name} is on for {place}.", name=label, place=call.place)
        return on if wanted else call.say("{name} is off for {place}.", name=label, place=call.place)
    shown = code(value(wanted, call.language))
    return call.say("{name} for {place} is now {value}.", name=label, place=call.place, value=shown)


def _parsed(parameter: Parameter, words: str, info: ModelInfo) -> Json:
    """A value that some model takes. Where none does, the complaint speaks of the chat's own model."""
    if len(words) > _LONGEST_VALUE:
        raise InvalidRequest("A value has at most {limit} characters, got {got}", limit=_LONGEST_VALUE, got=len(words))
    wanted = parameter.parse(words)
    try:
        wanted = parameter.check(wanted, ModelInfo(""))
    except InvalidRequest:
        parameter.check(wanted, info)
        raise
    try:
        orjson.dumps(wanted)
    except orjson.JSONEncodeError:  # half of a surrogate pair, written as an escape
        raise InvalidRequest("{name} has a character that can't be sent", name=parameter.name) from None
    return wanted


def _both(call: Invocation, name: str) -> Markdown:
    pair = {"temperature", "top_p"}
    other = (pair - {name}).pop()
    if name not in pair or other not in call.settings.parameters:
        return Markdown()
    undo = code(f"/unset {other}")
    return call.say("temperature and top_p are both set now; use only one of them. {command} removes it.", command=undo)


def _parameters(call: Invocation) -> Reply:
    """What can be set."""
    lines = [
        "- " + call.say("{name}: {what}", name=code(f"/set {each.name} {each.example}"), what=each.hint)
        for each in PARAMETERS.values()
    ]
    return call.reply(call.say("What can be set, with an example each:"), "\n".join(lines))


def _about(call: Invocation, parameter: Parameter) -> Reply:
    """One parameter: what it means and what holds."""
    current = call.settings.parameters.get(parameter.name)
    if current is None:
        now = call.say("It is not set, so the model decides.")
    else:
        place = call.where(call.settings.origins.get(parameter.name, ""))
        now = call.say("It is {value} ({place}).", value=code(value(current, call.language)), place=place)
    example = code(f"/set {call.prefix}{parameter.name} {parameter.example}")
    return call.reply(
        f"**{call.named(parameter.name)}** (`{parameter.name}`): {call.say(parameter.hint)}",
        now,
        call.say("Example: {example}", example=example),
    )


# ── /unset ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def unset(call: Invocation) -> Reply:
    if not call.words:
        raise InvalidRequest(
            "Which setting? Example: {one}, or {all}", one=code("/unset temperature"), all=code("/unset all")
        )
    if call.words.lower() in _ALL:
        names = [row.name for row in call.rows if row.scope == call.scope and row.value is not None]
        if not names:
            return call.reply(call.say("Nothing is set for {place}.", place=call.place))
        done = call.say(
            "All settings of {place} are gone: {names}.", place=call.place, names=[call.named(name) for name in names]
        )
        return call.reply(done, sets=[call.set(name, None) for name in names])
    name = named(call.words)
    if call.row(name, call.scope) is None:
        return call.reply(
            call.say("{name} is not set for {place}.", name=call.named(name), place=call.place), _now(call, name)
        )
    rows = call.without(name)
    after = replace(call, rows=rows, settings=effective(call.defaults, rows))
    done = call.say("{name} is no longer set for {place}.", name=call.named(name), place=call.place)
    said = call.reply(done, _now(after, name), call.shadowed(name), sets=[call.set(name, None)])
    if not call.context.is_press:
        return said
    page = await settings(after)  # where the button was
    return replace(said, text=f"{said.text}\n\n{page.text}", menu=page.menu)


def _now(call: Invocation, name: str) -> Markdown:
    """What holds for a setting all the same, if anything does."""
    origin = call.settings.origins.get(name)
    if origin is None:
        return Markdown()
    place = call.where(origin)
    if name in PARAMETERS:
        now: str = value(call.settings.parameters[name], call.language)
    elif name == "model":
        now = call.settings.model
    elif name == "reasoning":
        now = call.settings.reasoning
    else:
        return call.say("The value from {place} applies.", place=place)
    return call.say("It is {value} ({place}).", value=code(now), place=place)


# ── /search ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def search(call: Invocation) -> Reply:
    parameter = PARAMETERS["enable_search"]
    if call.words:
        return _set(call, parameter, call.words)
    on = call.settings.parameters.get("enable_search") is True
    state = call.say("Web search is on.") if on else call.say("Web search is off.")
    return call.reply(state, call.say(parameter.hint), menu=_switch(call, "search", on))


def _switch(call: Invocation, command: str, on: bool | None) -> Menu:
    """Buttons for on and off; `on` None: neither is chosen."""
    sides = (("on", on is True), ("off", on is False))
    return Menu(
        (tuple(Choice(call.label(side), f"/{command} {call.prefix}{side}", chosen=chosen) for side, chosen in sides),)
    )


# ── /think ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def think(call: Invocation) -> Reply:
    """Where it can't be switched this says so, and changes nothing."""
    parameter, info = PARAMETERS["enable_thinking"], call.models.info(call.settings.model)
    parameter.check(True, info)
    untried = call.say("Whether {model} can is not known yet. If it can't, it answers as before.", model=code(info.id))
    note = untried if info.thinking is None else Markdown()
    if call.words:
        return _set(call, parameter, call.words, note)
    on = call.settings.parameters.get(parameter.name)
    state = call.say("Thinking is on.") if on else call.say("Thinking is off.")
    if on is None:
        state = call.say("It is not set, so the model decides.")
    shown = call.say("How much of the thoughts is shown: {command}", command=code("/reasoning"))
    menu = _switch(call, "think", on if isinstance(on, bool) else None)
    return call.reply(state, call.say(parameter.hint), note, shown, menu=menu)


# ── /system ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def system(call: Invocation) -> Reply:
    if not call.words:
        return _system(call)
    if call.off:
        wider = effective(call.defaults, call.without("system")).system
        return call.reply(
            call.say("The system prompt for {place} is gone.", place=call.place),
            call.shadowed("system"),
            sets=[call.set("system", "" if wider else None)],
        )
    if len(call.words) > LONGEST_SYSTEM:
        raise InvalidRequest(
            "A system prompt has at most {limit} characters, got {got}",
            limit=count(LONGEST_SYSTEM),
            got=count(len(call.words)),
        )
    done = call.say("The system prompt for {place} is now:", place=call.place)
    return call.reply(done, fence(call.words), call.shadowed("system"), sets=[call.set("system", call.words)])


def _system(call: Invocation) -> Reply:
    hint = call.say(
        "Change it with {change}, remove it with {remove}.", change=code("/system …"), remove=code("/system off")
    )
    if not call.settings.system:
        return call.reply(call.say("There is no system prompt."), hint)
    place = call.where(call.settings.origins.get("system", ""))
    return call.reply(call.say("The system prompt ({place}):", place=place), fence(call.settings.system), hint)


_COMMANDS: dict[str, Callable[[Invocation], Awaitable[Reply]]] = {
    "model": model,
    "system": system,
    "translate": translate,
    "language": language,
    "reasoning": reasoning,
    "enable_thinking": think,
}
