"""/model: choose by name, by number, by a part of a name, or by buttons: first a kind, then pages of models."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from bot.commands.base import Invocation, ModelBook
from bot.commands.writing.menus import fits, page_of, pages, rows_of
from bot.commands.writing.wording import Markdown, code, count
from bot.errors import InvalidRequest
from bot.gateways.parameters import PARAMETERS
from bot.money import price
from bot.types import Choice, Json, Menu, ModelInfo, Money, Reply, Text

__all__ = ["abilities", "missing", "model", "ordered"]

_PER_PAGE = 8
_COLUMNS = 2  # of kinds
_CLOSE = 3  # suggestions for a name that is not listed
_LONGEST = 100  # characters of a model's id
_QUOTES = "\"'`“”‘’「」"

_FAMILIES = {
    "text": Text("General"),
    "vl": Text("Pictures and video"),
    "vl-open": Text("Pictures and video, open models"),
    "ocr": Text("Text in pictures"),
    "mt": Text("Translation"),
    "long": Text("Very long texts"),
    "coder": Text("Programming"),
    "math": Text("Mathematics"),
    "law": Text("Law"),
    "qwq": Text("Reasoning"),
    "qvq": Text("Reasoning on pictures"),
    "text-open": Text("Open models"),
    "text-open-1m": Text("Open models for long texts"),
    "coder-open": Text("Programming, open models"),
    "math-open": Text("Mathematics, open models"),
}
_KINDS = {  # what is chosen from first, and the families in it; one that is in none of them is among the others
    "general": (Text("General"), ("text",)),
    "pictures": (Text("Pictures and video"), ("vl", "vl-open", "ocr")),
    "translation": (Text("Translation"), ("mt",)),
    "programming": (Text("Programming"), ("coder", "coder-open")),
    "mathematics": (Text("Mathematics"), ("math", "math-open")),
    "reasoning": (Text("Reasoning"), ("qwq", "qvq")),
    "long": (Text("Very long texts"), ("long", "text-open-1m")),
    "open": (Text("Open models"), ("text-open",)),
    "others": (Text("Others"), ()),
}
_ALL = "all"


async def model(call: Invocation) -> Reply:
    listed = ordered(call.models)
    if not call.words:
        return _start(call, listed)
    if (wanted := _page_of(call.words)) is not None:
        return _list(call, listed, *wanted)
    found = _find(listed, call.words)
    if found.exact is not None:
        return _choose(call, found.exact)
    if found.several:
        said = call.say("Several models have {part} in their names. Which one?", part=code(call.words))
        return call.reply(said, menu=_menu(call, found.several[:_PER_PAGE], listed))
    return _choose(call, call.words, suggestions=found.close)


def ordered(models: ModelBook) -> list[ModelInfo]:
    """The listed models, those of a family together, as they are numbered for people."""
    ranks = {family: rank for rank, family in enumerate(_FAMILIES)}
    return sorted(models.all(), key=lambda info: (ranks.get(info.family, len(ranks)), info.family))


# ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Found:
    exact: str | None = None
    several: Sequence[ModelInfo] = ()
    close: Sequence[ModelInfo] = ()


def _find(listed: Sequence[ModelInfo], words: str) -> _Found:
    """A number of the list, a name, or a part of one. In quotes it is a name as it stands, listed or not."""
    if words.isascii() and words.isdigit() and len(words) <= 4:
        if not 1 <= int(words) <= len(listed):
            raise InvalidRequest("Models are numbered from 1 to {last}, got {got}", last=len(listed), got=words)
        return _Found(listed[int(words) - 1].id)
    if words[0] in _QUOTES:
        return _Found(_valid(words.strip(_QUOTES)))
    asked = "-".join(words.lower().split())
    for info in listed:
        if asked in (info.id.lower(), info.name.lower()):
            return _Found(info.id)
    partly = [info for info in listed if asked in info.id.lower() or asked in info.name.lower()]
    if len(partly) == 1:
        return _Found(partly[0].id)
    if partly:
        return _Found(several=partly)
    _valid(words)
    near = difflib.get_close_matches(asked, [info.id.lower() for info in listed], _CLOSE)
    return _Found(close=[info for info in listed if info.id.lower() in near])


def _valid(id: str) -> str:
    if not id or len(id) > _LONGEST or not id.isprintable() or " " in id:
        raise InvalidRequest(
            "A model's name has up to {limit} characters and no spaces, such as {example}",
            limit=_LONGEST,
            example="qwen-max",
        )
    return id


# ── choosing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _choose(call: Invocation, id: str, suggestions: Sequence[ModelInfo] = ()) -> Reply:
    info = call.models.info(id)
    done = call.say("The model for {place} is now {model}.", place=call.place, model=code(id))
    unknown = (
        ""
        if info.listed
        else call.say("It is not in my list. If the gateway does not know it, its answer will say so.")
    )
    notes = [unknown, abilities(call, info), *missing(call, info, call.settings.parameters), _mode(call, info)]
    menu = None
    if suggestions:
        notes.append(call.say("Did you mean one of these?"))
        chosen = replace(call, settings=replace(call.settings, model=id))
        menu = _menu(chosen, suggestions, ordered(call.models))
    return call.reply(done, *notes, call.shadowed("model"), menu=menu, sets=[call.set("model", id)])


def abilities(call: Invocation, info: ModelInfo) -> Markdown:
    """One line: price, sizes, what it can do; what is not known is left out, but for the price."""
    facts = [Text("price unknown") if info.price is None else price.label(info.price)]
    if info.context:
        facts.append(Text("{n} tokens of context", {"n": count(info.context)}))
    if info.translation:
        facts.append(Text("only translates"))
    if info.image:
        facts.append(Text("sees pictures"))
    if info.video or info.frames:
        facts.append(Text("watches video"))
    if info.search:
        facts.append(Text("searches the web"))
    if info.reasoning:
        facts.append(Text("reasons first"))
    return Markdown(" · ".join(call.say(fact) for fact in facts))


def missing(call: Invocation, info: ModelInfo, parameters: Mapping[str, Json]) -> list[Markdown]:
    """A sentence for each of these settings that the model can't have as it stands."""
    problems = []
    for name, wanted in parameters.items():
        if name not in PARAMETERS:
            continue
        try:
            PARAMETERS[name].check(wanted, info)
        except InvalidRequest as error:
            problems.append(call.say("{problem} The setting is kept for other models.", problem=sentence(call, error)))
    return problems


def sentence(call: Invocation, error: InvalidRequest) -> Markdown:
    """An error's words with a full stop at their end."""
    words = call.error(error)
    return words if words.endswith((".", "。", "?", "？", "!", "！")) else Markdown(words + call.say("."))


def _mode(call: Invocation, info: ModelInfo) -> Markdown:
    if call.settings.translation is not None:
        return call.say(
            "This chat translates; the model answers again after {command}.", command=code("/translate off")
        )
    if info.translation:
        return call.say("It needs a target language: {command}", command=code("/translate English"))
    return Markdown()


# ── the list ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _page_of(words: str) -> tuple[str, int] | None:
    """ "page 2" of all, "kind pictures", "kind pictures page 2"."""
    first, kind, *rest = [*words.split(maxsplit=2), "", ""]
    if first != "kind" or kind not in (*_KINDS, _ALL):
        page = page_of(words)
        return None if page is None else (_ALL, page)
    page = page_of(rest[0]) if rest[0] else 1
    return None if page is None else (kind, page)


def _kind(info: ModelInfo) -> str:
    return next((kind for kind, (_, families) in _KINDS.items() if info.family in families), "others")


def _start(call: Invocation, listed: Sequence[ModelInfo]) -> Reply:
    """The model that answers here, and the kinds there are; the models themselves where they are few or of one kind."""
    kinds = Counter(_kind(info) for info in listed)
    if len(listed) <= _PER_PAGE or len(kinds) == 1:
        at = next((place for place, info in enumerate(listed) if info.id == call.settings.model), 0)
        return _list(call, listed, _ALL, at // _PER_PAGE + 1)
    action = f"/model {call.prefix}kind "
    choices = [
        Choice(call.label("{kind} ({number})", kind=title, number=kinds[kind]), action + kind)
        for kind, (title, _) in _KINDS.items()
        if kind in kinds
    ]
    choices.append(Choice(call.label("All models ({number})", number=len(listed)), action + _ALL))
    usual = [call.models.info(id) for id in dict.fromkeys((call.defaults.model, call.gateway.vision_model))]
    stars = [_button(call, info, listed, "★ ") for info in usual if any(info.id == other.id for other in listed)]
    return call.reply(
        _now(call),
        abilities(call, call.models.info(call.settings.model)),
        call.say("What is it for? ★: what the operator of this bot recommends.") if stars else "",
        _how(call),
        menu=Menu((*((star,) for star in stars), *rows_of(choices, _COLUMNS))),
    )


def _list(call: Invocation, listed: Sequence[ModelInfo], kind: str, page: int) -> Reply:
    chosen = [info for info in listed if kind in (_ALL, _kind(info))]
    last = max(1, -(-len(chosen) // _PER_PAGE))
    page = min(max(1, page), last)
    shown = chosen[(page - 1) * _PER_PAGE : page * _PER_PAGE]
    families = [
        _family(call, family, list(infos), listed) for family, infos in groupby(shown, lambda info: info.family)
    ]
    menu = pages(page, last, f"/model {call.prefix}kind {kind}", _rows(call, shown, listed))
    if len({_kind(info) for info in listed}) > 1 and len(listed) > _PER_PAGE:
        back = Choice(call.label("All kinds"), f"/model {call.prefix}".rstrip())
        menu = Menu((*menu.rows, (back,)))
    return call.reply(_now(call), *families, _how(call), menu=menu)


def _now(call: Invocation) -> Markdown:
    return call.say("The model here is {model}.", model=code(call.settings.model))


def _how(call: Invocation) -> Markdown:
    return call.say("Choose by button, by number or by name: {command}", command=code("/model qwen-max"))


def _family(call: Invocation, family: str, infos: Sequence[ModelInfo], listed: Sequence[ModelInfo]) -> str:
    title = call.say(_FAMILIES.get(family, family or Text("Others")))
    return f"**{title}**\n\n" + "\n".join(f"- {_line(call, info, listed)}" for info in infos)


def _line(call: Invocation, info: ModelInfo, listed: Sequence[ModelInfo]) -> str:
    """One line of a phone: the number and what the button doesn't say."""
    facts = [_size(info.context)] if info.context else []
    facts += [call.say(word) for word in _can(info)]
    name = info.name if call.language.startswith("zh") and info.name else info.id
    return f"{listed.index(info) + 1} · {' · '.join([code(name), *facts])}"


def _size(tokens: int) -> str:
    """131,072 tokens are said as 128K, 30,000 as 30K, a million as 1M: as on the page."""
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.1f}M".replace(".0M", "M")
    return f"{round(tokens / (1024 if tokens % 1024 == 0 else 1000))}K"


def _can(info: ModelInfo) -> list[Text]:
    """Abilities that set a model apart, briefly."""
    able = (
        (info.image, Text("pictures")),
        (info.video or info.frames, Text("video")),
        (info.reasoning, Text("reasons")),
    )
    return [word for yes, word in able if yes]


def _menu(call: Invocation, infos: Sequence[ModelInfo], listed: Sequence[ModelInfo]) -> Menu | None:
    return Menu(rows) if (rows := _rows(call, infos, listed)) else None


def _rows(call: Invocation, infos: Sequence[ModelInfo], listed: Sequence[ModelInfo]) -> tuple[tuple[Choice, ...], ...]:
    return tuple((_button(call, info, listed),) for info in infos)


def _button(call: Invocation, info: ModelInfo, listed: Sequence[ModelInfo], sign: str = "") -> Choice:
    """The action names the model; where that doesn't fit into a button, its number in the list."""
    action = f"/model {call.prefix}{info.id}"
    if not fits(action):
        action = f"/model {call.prefix}{listed.index(info) + 1}"
    chosen = info.id == call.settings.model
    label = f"{sign}{info.id} · {_short(call, info)}"
    return Choice(f"✓ {label}" if chosen else label, action, chosen=chosen)


def _short(call: Invocation, info: ModelInfo) -> str:
    """The price alone: for input and output where they differ."""
    known = info.price
    if known is None:
        return "?"
    amounts = [known.flat] if known.flat is not None else [known.input, known.output]
    return " / ".join(
        "?" if each is None else price.show(Money(each, known.currency), call.language) for each in amounts
    )
