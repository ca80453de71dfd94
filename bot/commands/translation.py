"""/translate: a chat as a translator."""

from __future__ import annotations

import re

from bot.chat_api import languages
from bot.commands.base import Call
from bot.commands.menus import page_of, pages, rows_of
from bot.commands.wording import Markdown, code
from bot.errors import RequestRefused
from bot.locales import available
from bot.settings import effective, to_json
from bot.types import Choice, Reply, Translation

__all__ = ["language_name", "translate", "translation_line"]

_COLUMNS = 2
_PER_PAGE = 14
_AUTO = frozenset(("auto", "any", "detect", "自动", "任何语言", "自动检测"))
_ARROW = re.compile(
    r"(?P<source>.*?)(?:\s+(?:in)?to\s+|\s*(?:->|=>|→|翻译成|翻译为|译成|译为|译|到)\s*)(?P<target>.+)", re.I | re.S
)
_LEADING = re.compile(r"(?:(?:in)?to|from|从|由)\s+|[从由]", re.IGNORECASE)


async def translate(call: Call) -> Reply:
    page = page_of(call.words)
    if page is not None or not call.words:
        return _list(call, page or 1)
    if call.off:
        return _off(call)
    wanted = _pair(call.words)
    return call.reply(
        translation_line(call, wanted),
        call.say(
            "What came before and the system prompt are left out. {command} ends it.", command=code("/translate off")
        ),
        call.shadowed("translate"),
        sets=[call.set("translate", to_json(wanted))],
    )


def translation_line(call: Call, translation: Translation) -> Markdown:
    target = language_name(call, translation.target)
    model = code(call.gateway.translation_model)
    if translation.source is None:
        return call.say("Each message here is translated into {target} by {model}.", target=target, model=model)
    source = language_name(call, translation.source)
    return call.say(
        "Each message here is translated from {source} into {target} by {model}.",
        source=source,
        target=target,
        model=model,
    )


def language_name(call: Call, english: str) -> str:
    """A language's name in the language that is spoken with the person."""
    known = english in languages.ENGLISH and available(call.language) == "zh"
    return languages.chinese(english) if known else english


def _pair(words: str) -> Translation:
    """ "English", "to English", "Chinese to English", "中文 -> 英语", "auto to English"."""
    words = _LEADING.sub("", words, count=1) if _LEADING.match(words) else words
    found = _ARROW.fullmatch(words)
    if found is None or not found["source"].strip():
        return Translation(languages.resolve(found["target"] if found else words))
    target = languages.resolve(found["target"])
    if found["source"].strip().lower() in _AUTO:
        return Translation(target)
    source = languages.resolve(found["source"])
    if source == target:
        raise RequestRefused("Source and target are both {language}", language=target)
    return Translation(target, source)


def _off(call: Call) -> Reply:
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


def _list(call: Call, page: int) -> Reply:
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
            "Into which language? Press a button, or write {one} or {two}.",
            one=code("/translate English"),
            two=code("/translate Chinese to English"),
        ),
        menu=pages(page, last, f"/translate {call.prefix}".rstrip(), rows),
    )


def _button(call: Call, english: str, now: Translation | None) -> Choice:
    chosen = now is not None and now.target == english
    label = language_name(call, english)
    return Choice(f"✓ {label}" if chosen else label, f"/translate {call.prefix}{english}", chosen=chosen)
