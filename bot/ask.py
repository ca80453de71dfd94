"""`magpie ask`: one question, answered on the terminal as the answer grows. Needs no store and no platform."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path

from bot.clock import SystemClock
from bot.commands.writing.forms import answer_here
from bot.errors import MagpieError, RequestRefused, SettingError, UnknownModel
from bot.gateways.capabilities import Learned
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.client import Client
from bot.gateways.gateway import make_client, make_gateway, sandboxed
from bot.gateways.parameters import resolve
from bot.gateways.tokens import estimate
from bot.locales import say, terminal_language
from bot.media.prepared import load_files
from bot.money import price
from bot.service.config import Settings, load_settings, load_toml
from bot.service.logs import set_up
from bot.turns.exchange import Exchange, conclude
from bot.turns.prompt import Scene, build
from bot.types import (
    Answer,
    Attachment,
    Chat,
    ChatSettings,
    Json,
    Kind,
    LedgerEntry,
    Message,
    ModelInfo,
    ModelRequest,
    NoteKind,
    Outcome,
    Person,
    Role,
    Text,
)

__all__ = ["ask", "list_models"]

_ON_TERMINAL = ("model", "set")  # what chats have a command for is an option here


async def ask(
    question: str,
    *,
    images: Sequence[Path] = (),
    model: str | None = None,
    system: str = "",
    parameters: Sequence[str] = (),
    sandbox: bool = False,
    as_json: bool = False,
) -> int:
    """Print the answer to standard output, what there is to say about it to standard error; or all of it as one JSON
    object (`as_json`). `parameters` as people type them: "temperature=0.7". 0 if the answer is whole. Raises
    SettingError for a parameter that there isn't, and where there is no question."""
    language = terminal_language()
    if not question and not images:
        raise SettingError("QUESTION", 'there is none. Example: magpie ask --sandbox "What can you do?"')
    async with _asking(sandbox) as (settings, client, _):
        seen = tuple(Attachment(Kind.IMAGE, str(path), name=path.name) for path in images)
        attached = dict(zip(seen, await load_files(images), strict=True))
        name = model or (settings.vision_model if images else settings.chat_model)
        person = Person("you", language=language)
        message = Message(
            1, Chat("terminal", "local", "ask"), 1, Role.USER, person, question, SystemClock().now(), seen
        )
        scene = Scene(
            SystemClock().now(), settings.timezone, about_picture=say(Text("What is in this picture?"), language)
        )
        chosen = ChatSettings(name, system, _chosen(parameters, client.info(name)))
        request = build(chosen, client.info(name), scene, [message], [], attached, estimate)
        return await _print(client, request, language, as_json=as_json)


async def list_models(*, sandbox: bool = False, as_json: bool = False) -> int:
    """Print the models that can be chosen, a line each: id, price, what it can. 0 if there are any."""
    language = terminal_language()
    async with _asking(sandbox) as (_, client, catalogue):
        try:
            catalogue.merge(await client.models())
        except MagpieError as error:
            print(f"magpie: {say(_NO_LIST, language, reason=error.detail or error)}", file=sys.stderr)
        models = [client.info(each.id) for each in catalogue.all()]
    if as_json:
        print(json.dumps([_model(info) for info in models], ensure_ascii=False, indent=1))
        return 0 if models else 1
    width = max((len(info.id) for info in models), default=0)
    for info in models:
        can = say(Text("{abilities}", {"abilities": _abilities(info)}), language)
        print(f"{info.id:{width}}  {say(price.label(info.price), language)}  {can}".rstrip())
    if client.unlisted:
        print(f"magpie: {say(_MORE, language, n=client.unlisted)}", file=sys.stderr)
    return 0 if models else 1


_WAS_THOUGHT = Text("What stands above was the model's thinking. The answer follows.")
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


def _parameter(words: str, info: ModelInfo) -> tuple[str, Json]:
    """(name of the chat API's, value) of "temperature=0.7", as the model takes it."""
    name, sign, value = words.partition("=")
    if not sign:
        raise RequestRefused("{got} is no NAME=VALUE. Example: --set temperature=0.7", got=words)
    parameter = resolve(name)
    return parameter.name, parameter.check(parameter.parse(value), info)


def _chosen(parameters: Sequence[str], info: ModelInfo) -> dict[str, Json]:
    try:
        return dict(_parameter(words, info) for words in parameters)
    except RequestRefused as error:
        raise SettingError("--set", "{problem}", problem=error) from error


@contextlib.asynccontextmanager
async def _asking(sandbox: bool) -> AsyncIterator[tuple[Settings, Client, Catalogue]]:
    """The settings, a client for their gateway or for a sandbox of our own, and what is known of its models."""
    async with contextlib.AsyncExitStack() as stack:
        settings, toml = load_settings(), load_toml()
        set_up("error" if settings.log_level == "info" else settings.log_level, settings.log_format)
        if sandbox:
            settings = settings.model_copy(update=await stack.enter_async_context(sandboxed()))
        gateway = make_gateway(settings, toml)
        catalogue = Catalogue(toml.models, thinking=gateway.profile.thinking)
        client = make_client(gateway, catalogue, settings, SystemClock(), Learned())
        stack.push_async_callback(client.aclose)
        yield settings, client, catalogue


async def _print(client: Client, request: ModelRequest, language: str, *, as_json: bool) -> int:
    now = SystemClock().now
    exchange = Exchange(entries={1: LedgerEntry(1, 1, client.gateway, request.model, now())})
    try:
        with _silence() if as_json else _output() as show:
            async with aclosing(client.stream(request)) as stream:
                async for delta in stream:
                    exchange.take(1, delta, now())
                    if delta.retract and not (as_json or sys.stdout.isatty()):
                        print(flush=True)  # what a pipe has can't be taken back
                        print(f"magpie: {say(_WAS_THOUGHT, language)}", file=sys.stderr, flush=True)
                    show(exchange.text, delta.text)
    except MagpieError as error:
        exchange.error = error
    except asyncio.CancelledError:  # Ctrl+C: what was read is labelled, then it ends
        exchange.stopped = True
    exchange.close(1, request, client.info(request.model), exchange.text, now())
    answer = answer_here(conclude(exchange, 1, language), "--", _ON_TERMINAL)
    if as_json:
        print(json.dumps(_answer(answer, exchange), ensure_ascii=False))
    else:
        _tell(answer, exchange, language)
    return 0 if answer.outcome is Outcome.WHOLE else 130 if exchange.stopped else 1


def _tell(answer: Answer, exchange: Exchange, language: str) -> None:
    """What there is to say about an answer that stands there already."""
    if answer.text and not answer.text.endswith("\n") and not sys.stdout.isatty():
        print(flush=True)
    for note in answer.notes:
        print(f"magpie: {note.text}" if note.kind is not NoteKind.COST else f"        {note.text}", file=sys.stderr)
    if isinstance(exchange.error, UnknownModel):
        print(f"        {say(Text('`magpie ask --list-models` lists the models.'), language)}", file=sys.stderr)
    elif exchange.error is not None and exchange.error.detail:
        print(f"        {exchange.error.detail}", file=sys.stderr)


def _answer(answer: Answer, exchange: Exchange) -> dict[str, object]:
    """All of an answer, for other programs."""
    entry = exchange.entries[1]
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "outcome": str(answer.outcome),
        "model": entry.served or entry.asked,
        "usage": None if entry.usage is None else asdict(entry.usage),
        "cost": None if entry.cost is None else {"amount": str(entry.cost.amount), "currency": entry.cost.currency},
        "notes": [note.text for note in answer.notes if note.kind is not NoteKind.COST],
        "error": None if exchange.error is None else f"{type(exchange.error).__name__} {exchange.error.detail}".strip(),
    }


@contextlib.contextmanager
def _silence() -> Iterator[Callable[[str, str], None]]:
    yield lambda _, __: None


@contextlib.contextmanager
def _output() -> Iterator[Callable[[str, str], None]]:
    """A call for all of the text so far, and what is new of it. On a terminal it is drawn; elsewhere it stays the
    Markdown that it is."""
    if not sys.stdout.isatty():
        yield lambda _, fresh: print(fresh, end="", flush=True)
        return
    from rich.console import Console  # not needed, and not loaded, for a pipe

    from bot.terminal import Page

    with Page(Console()) as page:
        yield lambda text, _: page.show(text)
