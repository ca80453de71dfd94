"""`magpie ask`: one question, put to the core like any other; its platform is a terminal, its store is in memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from bot.clock import SystemClock
from bot.commands.parameters import named
from bot.commands.writing.forms import is_blank
from bot.errors import InvalidRequest, SettingError, UnknownModel
from bot.gateways.capabilities import CapabilityCache
from bot.gateways.catalogue import Catalogue
from bot.gateways.gateway import Models, make_client, make_gateway, sandboxed
from bot.gateways.parameters import PARAMETERS
from bot.intake.access import Access
from bot.languages.pairs import parse
from bot.locales import say, terminal_language
from bot.media.prepared import MediaStore
from bot.money import price
from bot.races import cancelled, first_of
from bot.service.config import Settings, load_settings, load_toml
from bot.service.core import Core, Wiring
from bot.service.logs import set_up
from bot.settings.overlay import checked, to_json
from bot.turns.planning import Options
from bot.turns.queue import TurnEnds
from bot.types import (
    Ack,
    Adapter,
    AdapterContext,
    ChatSettings,
    Clock,
    Json,
    LedgerEntry,
    ModelInfo,
    Money,
    NoteKind,
    Outcome,
    Store,
    Text,
    Translation,
    Turn,
    Usage,
)

__all__ = ["ON_TERMINAL", "Question", "Terminal", "ask", "list_models"]

ON_TERMINAL = ("model", "set")  # what chats have a command for is an option here


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how: a model of its own (None: the usual one), a system prompt, and `settings` as people type
    them: "temperature=0.7"."""

    text: str
    pictures: Sequence[Path] = ()
    model: str | None = None
    system: str = ""
    settings: Sequence[str] = ()


class Terminal(Adapter, Protocol):
    """A platform on which one person asks, and waits."""

    async def say(self, text: str, pictures: Sequence[Path], settings: Mapping[str, Json]) -> Ack: ...

    async def stop(self, turn: int) -> Ack: ...

    async def ended(self, turn: int) -> Turn:
        """Once all of it stands there. OSError if nobody has read it."""

    def close(self) -> None: ...


async def ask(
    question: Question,
    terminal_in: Callable[[AdapterContext], Terminal],
    memory: Callable[[Clock], Awaitable[Store]],
    *,
    sandbox: bool = False,
    as_json: bool = False,
) -> int:
    """The terminal shows the answer as it grows; `as_json` prints one object at its end, where it shows nothing. 0 if
    the answer is whole. Raises SettingError for a setting that there isn't, and where there is no question."""
    if is_blank(question.text) and not question.pictures:
        raise SettingError("QUESTION", 'there is none. Example: magpie ask --sandbox "What can you do?"')
    async with contextlib.AsyncExitStack() as stack:
        settings, models = await stack.enter_async_context(_gateway(sandbox))
        options = _options(question, settings)
        own = _chosen(question.settings, models.info(options.defaults.model))
        store = await memory(SystemClock())
        stack.push_async_callback(store.close)
        ends, clock = TurnEnds(), SystemClock()
        terminal = terminal_in(AdapterContext(store, models.all, clock, say=say, on_turn_end=ends.follow))
        stack.callback(terminal.close)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="magpie-")))
        access = Access(store, everyone=True)
        wiring = Wiring(options, models.facts(settings), access, MediaStore(folder, clock), ends=ends)
        core = Core(store, models.client, models, {terminal.account.platform: terminal}, clock, wiring)
        working = await stack.enter_async_context(_at_work(core, terminal, wiring))
        turn = await _answered(question, own, terminal, working)
        entries = await store.ledger(turn.id)
    if as_json:
        print(json.dumps(_record(turn, entries), ensure_ascii=False))
    else:
        _tell_cause(turn)
    return {Outcome.WHOLE: 0, Outcome.STOPPED: 130}.get(turn.outcome or Outcome.GONE, 1)


def _options(question: Question, settings: Settings) -> Options:
    """Who names a model wants no other one's answer."""
    name = question.model or (settings.vision_model if question.pictures else settings.chat_model)
    chosen = ChatSettings(name, question.system)
    vision, video = question.model or settings.vision_model, question.model or settings.video_model
    return Options(chosen, vision, video, settings.translation_model, settings.timezone)


@contextlib.asynccontextmanager
async def _at_work(core: Core, terminal: Terminal, wiring: Wiring) -> AsyncIterator[list[asyncio.Task[None]]]:
    """The core, working; yields what ends only if it can't go on."""
    working = [
        asyncio.create_task(core.work(), name="work"),
        asyncio.create_task(core.attend(terminal), name="terminal"),
    ]
    try:
        yield working
    finally:
        await wiring.media.close()
        await core.turns.drain(0)
        await cancelled(*working)


async def _answered(
    question: Question, settings: Mapping[str, Json], terminal: Terminal, working: Sequence[asyncio.Task[None]]
) -> Turn:
    """Ctrl+C: what was read is labelled, then it ends."""
    asked = await terminal.say(question.text, question.pictures, settings)
    if asked.turn is None:
        raise InvalidRequest("{problem}", problem=asked.toast)
    answered = asyncio.create_task(terminal.ended(asked.turn), name="answer")
    try:
        await first_of(answered, *working)
    except asyncio.CancelledError:
        await terminal.stop(asked.turn)
        await first_of(answered, *working)
    for task in working:
        if task.done():
            await cancelled(answered)
            await task
    return await answered


async def list_models(*, sandbox: bool = False, as_json: bool = False) -> int:
    """Print the models that can be chosen, a line each: id, price, what it can. 0 if there are any."""
    language = terminal_language()
    async with _gateway(sandbox) as (_, gateway):
        if (error := await gateway.learn()) is not None:
            print(f"magpie: {say(_NO_LIST, language, reason=error.detail or error)}", file=sys.stderr)
        models, unlisted = gateway.all(), gateway.client.unlisted
    if as_json:
        print(json.dumps([_model(info) for info in models], ensure_ascii=False, indent=1))
        return 0 if models else 1
    width = max((len(info.id) for info in models), default=0)
    for info in models:
        can = say(Text("{abilities}", {"abilities": _abilities(info)}), language)
        print(f"{info.id:{width}}  {say(price.label(info.price), language)}  {can}".rstrip())
    if unlisted:
        print(f"magpie: {say(_MORE, language, n=unlisted)}", file=sys.stderr)
    return 0 if models else 1


_MORE = Text("The gateway lists {n} models more; any of them can be chosen by its name.")
_NO_LIST = Text("The gateway's own list of models is not to be had ({reason}); these are the ones that are known.")
_ABILITIES = {"image": Text("pictures"), "video": Text("videos"), "search": Text("web search")}


def _abilities(info: ModelInfo) -> list[Text]:
    found = [words for name, words in _ABILITIES.items() if getattr(info, name)]
    return [*found, Text("translation")] if info.translation else found


def _model(info: ModelInfo) -> dict[str, object]:
    listed = info.price and {
        name: str(value)
        for name in ("currency", "flat", "input", "output", "cached")
        if (value := getattr(info.price, name)) is not None
    }
    abilities = {name: getattr(info, name) for name in ("image", "frames", "video", "search", "translation")}
    return {"id": info.id, "name": info.name, "context": info.context, "price_per_1000": listed, **abilities}


def _setting(words: str, info: ModelInfo) -> tuple[str, Json]:
    """(name, value of its row) of "temperature=0.7" or "translate=German", as the model takes it."""
    name, sign, said = words.partition("=")
    if not sign:
        raise InvalidRequest("{got} is no NAME=VALUE. Example: --set temperature=0.7", got=words)
    name = named(name)
    if name in PARAMETERS:
        return name, PARAMETERS[name].check(PARAMETERS[name].parse(said), info)
    return name, checked({name: _translation(said) if name == "translate" else said.strip()})[name]


def _translation(words: str) -> Json:
    wanted = parse(words)
    if not isinstance(wanted, Translation):
        raise InvalidRequest(
            '{got} is no language, nor two and which way. Example: "Chinese to English"', got=words[:40]
        )
    return to_json(wanted)


def _chosen(settings: Sequence[str], info: ModelInfo) -> dict[str, Json]:
    try:
        return dict(_setting(words, info) for words in settings)
    except InvalidRequest as error:
        raise SettingError("--set", "{problem}", problem=error) from error


@contextlib.asynccontextmanager
async def _gateway(sandbox: bool) -> AsyncIterator[tuple[Settings, Models]]:
    """The settings, and the models of their gateway or of a sandbox of our own."""
    async with contextlib.AsyncExitStack() as stack:
        settings, toml = load_settings(), load_toml()
        set_up("error" if settings.log_level == "info" else settings.log_level, settings.log_format)
        if sandbox:
            settings = settings.model_copy(update=await stack.enter_async_context(sandboxed()))
        gateway = make_gateway(settings, toml)
        catalogue = Catalogue(toml.models, thinking=gateway.profile.thinking)
        client = make_client(gateway, catalogue, settings, SystemClock(), CapabilityCache())
        stack.push_async_callback(client.aclose)
        yield settings, Models(gateway, client, catalogue)


def _cause(turn: Turn) -> str:
    """The name of the error that ended it, and what is known beside; '' if none did."""
    return next((note.cause for note in turn.notes if note.cause), "")


def _tell_cause(turn: Turn) -> None:
    name, _, detail = _cause(turn).partition(" ")
    if name == UnknownModel.__name__:
        detail = say(Text("`magpie ask --list-models` lists the models."), terminal_language())
    if detail:
        print(f"        {detail}", file=sys.stderr)


def _record(turn: Turn, entries: Sequence[LedgerEntry]) -> dict[str, object]:
    """All of an answer, for other programs."""
    usage, cost = _usage(entries), _cost(entries)
    return {
        "text": turn.text,
        "reasoning": turn.reasoning,
        "outcome": str(turn.outcome),
        "model": next((entry.served or entry.asked for entry in reversed(entries)), None),
        "usage": None if usage is None else asdict(usage),
        "cost": None if cost is None else {"amount": str(cost.amount), "currency": cost.currency},
        "notes": [note.text for note in turn.notes if note.kind is not NoteKind.COST],
        "error": _cause(turn) or None,
    }


def _usage(entries: Sequence[LedgerEntry]) -> Usage | None:
    """Of all calls together; what one of them doesn't tell is what the others do."""
    used = [entry.usage for entry in entries if entry.usage is not None]
    if not used:
        return None
    told = {each.name: [getattr(usage, each.name) for usage in used] for each in fields(Usage)}
    sums = {name: sum(known) for name, values in told.items() if (known := [v for v in values if v is not None])}
    return Usage(**{**sums, "estimated": any(told["estimated"])})


def _cost(entries: Sequence[LedgerEntry]) -> Money | None:
    """None if that of any call is unknown."""
    costs = [entry.cost for entry in entries if entry.usage is not None]
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return None
    return Money(sum((cost.amount for cost in known[1:]), known[0].amount), known[0].currency)
