"""What to ask for a turn: its settings, pictures and context, brought together for `prompt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.chat_api.languages import detect
from bot.chat_api.tokens import Calibration, estimate
from bot.errors import AdapterError, MediaError, RequestRefused, StoreError
from bot.locales import say
from bot.media import MediaStore
from bot.prompt import CEILING, Scene, build, translations
from bot.settings import effective
from bot.types import (
    Adapter,
    ChatModel,
    ChatSettings,
    Clock,
    ImagePart,
    Kind,
    Message,
    ModelRequest,
    Reader,
    Text,
    Turn,
)

__all__ = ["Options", "Plan", "Planner"]

_PAGE = 40  # messages of context read at once
_FRESH = 4  # newest messages among which a picture still counts as being talked about
_MOST_PICTURES = 8  # in one request


@dataclass(frozen=True, slots=True)
class Options:
    """What the whole service is set to: the defaults of every chat, and the models for special work."""

    defaults: ChatSettings
    vision_model: str
    translation_model: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Plan:
    """`requests` in order, each with the separator that goes before its answer; `notes` to say with the answer."""

    requests: tuple[tuple[str, ModelRequest], ...]
    notes: tuple[Text, ...] = ()
    pictures: bool = False
    calibrating: bool = False  # the prompt's size can be compared with the reported one


class Planner:
    def __init__(
        self,
        store: Reader,
        model: ChatModel,
        media: MediaStore,
        clock: Clock,
        options: Options,
        calibration: Calibration,
    ) -> None:
        self._store = store
        self._model = model
        self._media = media
        self._clock = clock
        self._options = options
        self._calibration = calibration

    async def settings(self, turn: Turn) -> ChatSettings:
        return effective(self._options.defaults, await self._store.settings(turn.chat))

    async def plan(
        self, turn: Turn, settings: ChatSettings, adapter: Adapter, language: str, limit: int | None = None
    ) -> Plan:
        """Raises RequestRefused or MediaError where the question can't be asked. `limit`: input tokens the gateway
        named."""
        question = await self._store.question(turn.id)
        _only_pictures(question)
        if settings.translation is not None:
            return self._translation(settings, question)
        context = await self._context(turn, question, self._calibration.factor(self._model.gateway, settings.model))
        talked_about = [*question, *context[:_FRESH]]
        name, notes = self._seeing(settings.model, any(map(_pictures, talked_about)))
        info = self._model.info(name)
        images = {} if info.image is False else await self._images(turn, adapter, question, context)
        factor = self._calibration.factor(self._model.gateway, name)
        scene = Scene(
            self._clock.now(),
            self._options.timezone,
            turn.title,
            turn.group,
            say(Text("What is in this picture?"), language),
        )
        request = build(
            settings, info, scene, question, context, images, lambda text: int(estimate(text) * factor) + 1, limit=limit
        )
        calm = not images and not request.parameters.get("enable_search")
        return Plan((("", request),), notes, bool(images), calm)

    def _translation(self, settings: ChatSettings, question: Sequence[Message]) -> Plan:
        name = settings.model if self._model.info(settings.model).translation else self._options.translation_model
        requests = translations(settings, self._model.info(name), question, estimate, detect)
        if not requests or not requests[0][1].messages[0].content:
            raise RequestRefused("There is nothing to translate in this message.")
        return Plan(requests)

    def _seeing(self, name: str, pictures: bool) -> tuple[str, tuple[Text, ...]]:
        """The model for this question: another one if there is something to see and the chat's can't."""
        vision = self._options.vision_model
        if not pictures or self._model.info(name).image is not False or vision == name:
            return name, ()
        return vision, (Text("Answered by {model}: {chosen} cannot see pictures.", {"model": vision, "chosen": name}),)

    async def _context(self, turn: Turn, question: Sequence[Message], factor: float) -> list[Message]:
        """Newest first, as much as could fit at all: read by index, so that a long history costs nothing."""
        messages: list[Message] = []
        before, room = min((message.id for message in question), default=None), CEILING
        while room > 0:
            page = await self._store.context(turn.chat, before=before, limit=_PAGE)
            messages += page
            room -= sum(int(estimate(message.text) * factor) + 1 for message in page)
            if len(page) < _PAGE:
                break
            before = page[-1].id
        return messages

    async def _images(
        self, turn: Turn, adapter: Adapter, question: Sequence[Message], context: Sequence[Message]
    ) -> Mapping[str, ImagePart]:
        """The question's pictures must be there; older ones come along as far as they can be had."""
        images: dict[str, ImagePart] = {}
        for message in question:
            for attachment in message.attachments:
                images[attachment.ref] = await self._media.image(adapter, turn.chat, attachment)
        for message in context:
            for attachment in filter(lambda attachment: attachment.kind is Kind.IMAGE, message.attachments):
                if len(images) >= _MOST_PICTURES:
                    return images
                try:
                    images[attachment.ref] = await self._media.image(adapter, turn.chat, attachment)
                except (MediaError, AdapterError, StoreError):
                    continue  # it was refused when it was new, or is gone: the word for it stays
        return images


def _pictures(message: Message) -> bool:
    return any(attachment.kind is Kind.IMAGE for attachment in message.attachments)


def _only_pictures(question: Sequence[Message]) -> None:
    for message in question:
        if any(attachment.kind is not Kind.IMAGE for attachment in message.attachments):
            raise RequestRefused("I can read text and pictures, but no videos, audio or other files yet.")
