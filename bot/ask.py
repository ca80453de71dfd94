"""`magpie ask`: one question, answered on the terminal as the answer grows. Needs no store and no platform."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

from bot.chat_api.catalogue import Catalogue
from bot.chat_api.client import Client
from bot.chat_api.learned import Learned
from bot.chat_api.tokens import estimate
from bot.clock import SystemClock
from bot.config import Settings, Toml, load_settings, load_toml
from bot.errors import MagpieError
from bot.exchange import Exchange, conclude
from bot.gateway import make_gateway, sandboxed
from bot.locales import say, terminal_language
from bot.logs import set_up
from bot.pictures import load_image
from bot.prompt import Scene, build
from bot.types import (
    Attachment,
    Chat,
    ChatSettings,
    ImagePart,
    Kind,
    LedgerEntry,
    Message,
    ModelRequest,
    NoteKind,
    Outcome,
    Person,
    Role,
    Text,
)

__all__ = ["ask"]


async def ask(
    question: str, *, images: Sequence[Path] = (), model: str | None = None, system: str = "", sandbox: bool = False
) -> int:
    """Print the answer to standard output, what there is to say about it to standard error. 0 if the answer is
    whole."""
    language = terminal_language()
    if not question and not images:
        raise MagpieError('There is no question. Example: magpie ask --sandbox "What can you do?"')
    async with contextlib.AsyncExitStack() as stack:
        settings, toml = load_settings(), load_toml()
        set_up("error" if settings.log_level == "info" else settings.log_level, settings.log_format)
        if sandbox:
            settings = settings.model_copy(update=await stack.enter_async_context(sandboxed()))
        client = await stack.enter_async_context(_client(settings, toml))
        pictures = {str(path): await _picture(path) for path in images}
        name = model or (settings.vision_model if pictures else settings.chat_model)
        person = Person("you", language=language)
        seen = tuple(Attachment(Kind.IMAGE, ref) for ref in pictures)
        message = Message(
            1, Chat("terminal", "local", "ask"), 1, Role.USER, person, question, SystemClock().now(), seen
        )
        scene = Scene(
            SystemClock().now(), settings.timezone, about_picture=say(Text("What is in this picture?"), language)
        )
        chosen = ChatSettings(name, system)
        request = build(chosen, client.info(name), scene, [message], [], pictures, estimate)
        return await _print(client, request, language)


async def _print(client: Client, request: ModelRequest, language: str) -> int:
    now = SystemClock().now
    exchange = Exchange(entries={1: LedgerEntry(1, 1, client.gateway, request.model, now())})
    try:
        with _output() as show:
            async with aclosing(client.stream(request)) as stream:
                async for delta in stream:
                    exchange.take(1, delta, now())
                    show(exchange.text, delta.text)
    except MagpieError as error:
        exchange.error = error
    except asyncio.CancelledError:  # Ctrl+C: what was read is labelled, then it ends
        exchange.stopped = True
    exchange.close(1, request, client.info(request.model), exchange.text, now())
    answer = conclude(exchange, 1, language)
    if answer.text and not answer.text.endswith("\n") and not sys.stdout.isatty():
        print(flush=True)
    for note in answer.notes:
        print(f"magpie: {note.text}" if note.kind is not NoteKind.COST else f"        {note.text}", file=sys.stderr)
    if exchange.error is not None and exchange.error.detail:
        print(f"        {exchange.error.detail}", file=sys.stderr)
    return 0 if answer.outcome is Outcome.WHOLE else 130 if exchange.stopped else 1


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


@contextlib.asynccontextmanager
async def _client(settings: Settings, toml: Toml) -> AsyncIterator[Client]:
    gateway = make_gateway(settings, toml)
    catalogue = Catalogue(toml.models, thinking=gateway.profile.thinking)
    client = Client(gateway, catalogue, SystemClock(), learned=Learned())
    try:
        yield client
    finally:
        await client.aclose()


async def _picture(path: Path) -> ImagePart:
    return (await load_image(path, name=path.name)).part
