"""/settings, /status, /usage: what holds here, how things stand, what it took."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from bot.commands.base import Invocation
from bot.commands.models import abilities, missing
from bot.commands.translation import language_name, translation_line
from bot.commands.writing.menus import fits, rows_of
from bot.commands.writing.wording import Markdown, ago, code, count, plain, value
from bot.errors import InvalidRequest
from bot.gateways.parameters import PARAMETERS
from bot.locales import LANGUAGES
from bot.money.price import show
from bot.settings.overlay import DEFAULT
from bot.types import Choice, Menu, Reply, Spending, Text, TurnKind, TurnState

__all__ = ["settings", "status", "usage"]

_DAY = 86_400_000  # ms
_SHOWN = 80  # characters of a system prompt in a list
_COLUMNS = 2
_FORM = "form"


# ── /settings ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def settings(call: Invocation) -> Reply:
    """What holds. "form", by a button: may this person have a form to change it? An adapter asks that before it shows
    one, and gets no words, or an error with the reason why not."""
    if call.words == _FORM and call.context.is_press:
        if not call.context.may_change:
            raise InvalidRequest("Only admins of this bot can change a group's settings.")
        return Reply("")
    lines = [_line(call, "model", code(call.settings.model))]
    if call.settings.translation is not None:
        lines.append(_line(call, "translate", _languages(call)))
    if call.settings.system:
        lines.append(_line(call, "system", code(_short(call.settings.system))))
    spoken = [row for row in call.rows if row.name == "language" and row.value is not None]
    if spoken:
        name = LANGUAGES.get(str(spoken[-1].value), str(spoken[-1].value))
        lines.append(_held(call, "language", plain(name), spoken[-1].scope))
    if call.settings.reasoning:
        lines.append(_line(call, "reasoning", code(call.settings.reasoning)))
    known = {name: each for name, each in call.settings.parameters.items() if name in PARAMETERS}
    lines += [_line(call, name, code(value(each, call.language))) for name, each in known.items()]
    return call.reply(
        call.say("Current settings:"),
        "\n".join(lines),
        *missing(call, call.models.info(call.settings.model), known),
        call.say(
            "Change with {set}, go back with {unset}; {all} shows what else can be set.",
            set=code("/set temperature 0.7"),
            unset=code("/unset temperature"),
            all=code("/set"),
        ),
        menu=_resets(call),
    )


def _line(call: Invocation, name: str, shown: Markdown) -> str:
    return _held(call, name, shown, call.settings.origins.get(name, DEFAULT))


def _held(call: Invocation, name: str, shown: Markdown, scope: str) -> str:
    held = call.say("{name}: {value} ({place})", name=call.named(name), value=shown, place=call.where(scope))
    return f"- {held}"


def _languages(call: Invocation) -> Markdown:
    wanted = call.settings.translation
    if wanted is None:
        return Markdown()
    source = Text("any language") if wanted.source is None else language_name(call, wanted.source)
    words = Text("{source} ↔ {target}") if wanted.both else Text("{source} → {target}")
    return call.say(words.id, source=source, target=language_name(call, wanted.target))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _resets(call: Invocation) -> Menu:
    """A button for each value that this chat or thread has of its own, and the way to change the most wanted."""
    chat = call.context.chat
    buttons = []
    for scope, prefix in {chat.key: "here " if chat.thread is not None else "", chat.room.key: ""}.items():
        for row in call.rows:
            action = f"/unset {prefix}{row.name}"
            if row.scope == scope and row.value is not None and fits(action):
                label = call.label(
                    "Reset {name}",
                    name=f"{call.named(row.name)} ({call.where(scope)})" if prefix else call.named(row.name),
                )
                buttons.append(Choice(label, action))
    ways = (Choice(call.label("Model"), "/model"), Choice(call.label("Translation"), "/translate"))
    return Menu((*rows_of(buttons, _COLUMNS), ways))


# ── /status ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def status(call: Invocation) -> Reply:
    info = call.models.info(call.settings.model)
    lines = [call.say("Model: {model} ({abilities})", model=code(info.id), abilities=abilities(call, info))]
    if call.settings.translation is not None:
        lines.append(translation_line(call, call.settings.translation))
    if info.image is False and call.gateway.vision_model:
        lines.append(call.say("Pictures: {model} answers", model=code(call.gateway.vision_model)))
    lines.append(await _queue(call))
    lines.append(call.say("Gateway: {name}", name=call.gateway.name))
    admin = call.context.author.admin  # the account is theirs, as in /balance
    if admin:
        lines.append(await _balance(call))
    lines.append(call.say("Version: {version}", version=_version()))
    top_up = Choice(call.label("Top up"), url=call.gateway.topup_url)
    menu = Menu(((top_up,),)) if admin and call.gateway.topup_url else None
    return call.reply("\n".join(f"- {line}" for line in lines), menu=menu)


async def _queue(call: Invocation) -> Markdown:
    turns = [turn for turn in await call.reader.open_turns(call.context.chat) if turn.kind is TurnKind.QUESTION]
    if not turns:
        return call.say("Nothing is being answered")
    waiting = sum(turn.state is TurnState.WAITING for turn in turns)
    return call.say(
        "Questions: {running} being answered, {waiting} waiting", running=len(turns) - waiting, waiting=waiting
    )


async def _balance(call: Invocation) -> Markdown:
    reading = await call.reader.balance(call.gateway.name)
    if reading is None:
        return call.say("Balance: not known")
    return call.say("Balance: {money} ({ago})", money=reading.money, ago=ago(call.context.now - reading.at))


def _version() -> str:
    try:
        return version("magpie-bot")
    except PackageNotFoundError:
        return "?"  # run from a checkout that was never installed


# ── /usage ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def usage(call: Invocation) -> Reply:
    now = datetime.fromtimestamp(call.context.now / 1000, call.zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spans = (
        (Text("Today"), round(midnight.timestamp() * 1000)),
        (Text("30 days"), call.context.now - 30 * _DAY),
        (Text("All time"), 0),
    )
    lines = []
    for title, since in spans:
        spent = _spent(call, await call.reader.spending(chat=call.context.chat, since=since))
        lines.append("- " + call.say("**{span}**: {spent}", span=title, spent=spent))
    return call.reply(call.say("What this chat has used:"), "\n".join(lines))


def _spent(call: Invocation, spending: Spending) -> Markdown:
    if not spending.calls:
        return call.say("nothing")
    mark = "≈ " if spending.estimated else ""
    costs = " + ".join(plain(show(money, call.language)) for money in spending.costs)
    words = call.say(
        "requests: {calls} · {input} tokens in, {output} out",
        calls=count(spending.calls),
        input=f"{mark}{count(spending.input)}",
        output=f"{mark}{count(spending.output)}",
    )
    parts = [words, *([f"{mark}{costs}"] if costs else [])]
    if spending.unknown:
        parts.append(call.say("the cost of {n} of them is not known", n=count(spending.unknown)))
    return Markdown(" · ".join(parts))
