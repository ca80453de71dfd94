"""/translate: a chat as a translator."""

from __future__ import annotations

from bot.commands.base import Invocation
from bot.commands.writing.menus import page_of, pages, rows_of
from bot.commands.writing.wording import Markdown, code
from bot.languages import names as languages
from bot.languages.pairs import Once, Which, parse
from bot.locales import available
from bot.settings.overlay import effective, to_json
from bot.types import Choice, Menu, Reply, Translation

__all__ = ["language_name", "translate", "translation_line"]

_COLUMNS = 2
_PER_PAGE = 14


async def translate(call: Invocation) -> Reply:
    page = page_of(call.words)
    if page is not None or not call.words:
        return _list(call, page or 1)
    if call.off:
        return _off(call)
    wanted = parse(call.words)
    if isinstance(wanted, Which):
        return _which(call, wanted.one, wanted.two)
    if isinstance(wanted, Once):
        return _once(call, wanted)
    return call.reply(
        translation_line(call, wanted),
        call.say(
            "What came before and the system prompt are left out. {command} ends it.", command=code("/translate off")
        ),
        call.shadowed("translate"),
        sets=[call.set("translate", to_json(wanted))],
    )


def translation_line(call: Invocation, translation: Translation) -> Markdown:
    target = language_name(call, translation.target)
    model = code(call.gateway.translation_model)
    if translation.source is None:
        return call.say("Each message here is translated into {target} by {model}.", target=target, model=model)
    source = language_name(call, translation.source)
    if translation.both:
        return call.say(
            "Each message here is translated by {model}: {source} into {target}, and {target} into {source}.",
            source=source,
            target=target,
            model=model,
        )
    return call.say(
        "Each message here is translated from {source} into {target} by {model}.",
        source=source,
        target=target,
        model=model,
    )


def language_name(call: Invocation, english: str) -> str:
    """A language's name in the language that is spoken with the person."""
    known = english in languages.ENGLISH and available(call.language) == "zh"
    return languages.chinese(english) if known else english


def _which(call: Invocation, one: str, two: str) -> Reply:
    """Two languages, and it isn't said which way."""
    first, second = language_name(call, one), language_name(call, two)
    ways = ((f"{first} → {second}", f"{one} to {two}"), (f"{second} → {first}", f"{two} to {one}"))
    both = (f"{first} ↔ {second}", f"{one} <-> {two}")
    rows = tuple((Choice(label, f"/translate {call.prefix}{pair}"),) for label, pair in (*ways, both))
    return call.reply(call.say("Which way? Nothing is changed yet."), menu=Menu(rows))


def _once(call: Invocation, wanted: Once) -> Reply:
    """Somebody wants a text translated, not a chat."""
    target = language_name(call, wanted.target)
    ask = call.say("Translate into {target}: …", target=target)
    button = Choice(
        call.label("Translate every message into {target}", target=target), f"/translate {call.prefix}{wanted.target}"
    )
    odd = call.say("{got} is not a language that I know.", got=code(wanted.text[:40])) if wanted.odd else ""
    return call.reply(
        odd,
        call.say("This command makes the whole chat a translator. Nothing is changed yet."),
        call.say("To have one text translated, ask for it without a command: {words}", words=code(ask)),
        menu=Menu(((button,),)),
        error=True,
    )


def _off(call: Invocation) -> Reply:
    if call.settings.translation is None and call.row("translate", call.scope) is None:
        return call.reply(call.say("Translation is off here."))
    wider = effective(call.defaults, call.without("translate")).translation
    return call.reply(
        call.say(
            "Translation is off for {place}. {model} answers again.", place=call.place, model=code(call.settings.model)
        ),
        call.shadowed("translate"),
        sets=[call.set("translate", None if wider is None else False)],
    )


def _list(call: Invocation, page: int) -> Reply:
    now = call.settings.translation
    last = -(-len(languages.ENGLISH) // _PER_PAGE)
    page = min(max(1, page), last)
    shown = languages.ENGLISH[(page - 1) * _PER_PAGE : page * _PER_PAGE]
    rows = rows_of([_button(call, name, now) for name in shown], _COLUMNS)
    if now is not None:
        rows = (*rows, (Choice(call.label("Turn translation off"), f"/translate {call.prefix}off"),))
    state = call.say("This chat does not translate.") if now is None else translation_line(call, now)
    return call.reply(
        state,
        call.say(
            "Into which language? Press a button, or write {one}, {two}, or for both ways {three}.",
            one=code("/translate English"),
            two=code("/translate Chinese to English"),
            three=code("/translate Chinese <-> English"),
        ),
        menu=pages(page, last, f"/translate {call.prefix}".rstrip(), rows),
    )


def _button(call: Invocation, english: str, now: Translation | None) -> Choice:
    chosen = now is not None and now.target == english
    label = language_name(call, english)
    return Choice(f"✓ {label}" if chosen else label, f"/translate {call.prefix}{english}", chosen=chosen)
