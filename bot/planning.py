"""What to ask for a turn: its settings, pictures and context, brought together for `prompt`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bot.chat_api.tokens import Calibration, estimate
from bot.errors import AdapterError, MediaError, RequestRefused, StoreError
from bot.locales import say
from bot.media import MediaStore
from bot.prompt import CEILING, Scene, about_video, build, cost, spoken, translations, unfinished, video_link
from bot.settings import effective
from bot.translating import direction
from bot.types import (
    Adapter,
    ChatModel,
    ChatSettings,
    Clock,
    ImagePart,
    Kind,
    Message,
    ModelRequest,
    OlderMessages,
    Role,
    Store,
    Supposition,
    Text,
    Turn,
)

__all__ = ["Attempt", "Options", "Plan", "Planner"]

log = logging.getLogger(__name__)

_PAGE = 40  # messages of context read at once
_FRESH = 4  # newest messages among which a picture still counts as being talked about
_MOST_PICTURES = 8  # in one request
_HEARD = 12  # messages that tell which language is spoken in a chat that translates
_ONLY_WORDS = Text("Only words are translated here, not what is in pictures or files.")


_INSTEAD = {
    "image": Text("Answered by {model}: {chosen} cannot see pictures."),
    "video": Text("Answered by {model}: {chosen} cannot watch videos."),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the whole service is set to: the defaults of every chat, and the models for special work."""

    defaults: ChatSettings
    vision_model: str
    video_model: str
    translation_model: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Attempt:
    """How to plan a turn that was refused: with a prompt of at most so many tokens, without showing the chat's model
    any pictures (`blind`); under what suppositions."""

    most: int | None = None
    blind: bool = False
    supposed: tuple[Supposition, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`requests` in order, each with the separator that goes before its answer; `notes` to say with the answer.
    `size`: tokens of the prompt, `history` of what in it need not be there; `pictures`: it could do without them."""

    requests: tuple[tuple[str, ModelRequest], ...]
    notes: tuple[Text, ...] = ()
    echo: str = ""  # the answer, where nothing has to be asked
    calibrating: bool = False  # the prompt's size can be compared with the reported one
    resumable: bool = False  # a part of the answer can be gone on with
    size: int = 0
    history: int = 0
    pictures: bool = False


class Planner:
    def __init__(
        self,
        store: Store,
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
        self,
        turn: Turn,
        settings: ChatSettings,
        adapter: Adapter,
        language: str,
        attempt: Attempt = Attempt(),
    ) -> Plan:
        """Raises RequestRefused or MediaError where the question can't be asked."""
        question = await self._store.question(turn.id)
        if not question:
            raise RequestRefused("This question was deleted.")
        _only_pictures(question)
        if turn.base and (settings.translation is not None or video_link(question) is not None):
            raise RequestRefused("This answer can't be continued, only asked for again.")
        if settings.translation is not None:
            return await self._translation(turn, settings, question)
        scene = Scene(
            self._clock.now(),
            self._options.timezone,
            turn.title,
            turn.group,
            say(Text("What is in this picture?"), language),
            language,
        )
        if (url := video_link(question)) is not None:
            return self._video(settings, scene, question, url)
        if turn.base:
            question = [*question, *unfinished(turn, language)]
        return await self._conversation(turn, settings, adapter, scene, question, attempt)

    async def _conversation(
        self,
        turn: Turn,
        settings: ChatSettings,
        adapter: Adapter,
        scene: Scene,
        question: Sequence[Message],
        attempt: Attempt,
    ) -> Plan:
        await self._look_back(turn, adapter, question)
        context = await self._context(turn, self._factor(settings.model))
        seen = any(map(_pictures, [*question, *context[:_FRESH]]))
        name, notes = self._able(settings.model, "image", attempt.blind) if seen else (settings.model, ())
        info, factor = self._model.info(name), self._factor(name)
        blind = info.image is False or (attempt.blind and name == settings.model)
        images = {} if blind else await self._images(turn, adapter, question, context)

        def count(text: str) -> int:
            return int(estimate(text) * factor) + 1

        request = build(settings, info, scene, question, context, images, count, limit=attempt.most)
        request = replace(request, supposed=attempt.supposed)
        sizes = [cost(message, count) for message in request.messages]
        needed = sizes[-1] + (sizes[0] if request.messages[0].role == "system" else 0)
        elsewhere = self._options.vision_model != name
        return Plan(
            (("", request),),
            notes,
            calibrating=not images and not request.parameters.get("enable_search"),
            resumable=True,
            size=sum(sizes),
            history=max(0, sum(sizes) - needed),
            pictures=bool(images) and (elsewhere or not any(map(_pictures, question))),
        )

    def _factor(self, model: str) -> float:
        return self._calibration.factor(self._model.gateway, model)

    def _video(self, settings: ChatSettings, scene: Scene, question: Sequence[Message], url: str) -> Plan:
        name, notes = self._able(settings.model, "video")
        return Plan((("", about_video(settings, self._model.info(name), scene, question, url)),), notes)

    async def _translation(self, turn: Turn, settings: ChatSettings, question: Sequence[Message]) -> Plan:
        text, shows = spoken(question), any(message.attachments for message in question)
        if settings.translation is None or not text:
            raise RequestRefused(_ONLY_WORDS.id if shows else "There is nothing to translate in this message.")
        before = await self._store.context(turn.chat, before=(turn.id, 0), limit=_HEARD)
        heard = [message.text for message in before if message.role is Role.USER]
        notes = (_ONLY_WORDS,) if shows else ()
        pair = direction(text, settings.translation, heard, turn.asker.language)
        if pair is None:
            return Plan((), notes, echo=text)
        name = settings.model if self._model.info(settings.model).translation else self._options.translation_model
        return Plan(translations(settings, self._model.info(name), text, pair, estimate), notes)

    def _able(self, name: str, ability: Literal["image", "video"], blind: bool = False) -> tuple[str, tuple[Text, ...]]:
        """The model for this question: another one if the chat's can't see, and a note that says so."""
        info, options = self._model.info(name), self._options
        able, other = (info.image, options.vision_model) if ability == "image" else (info.video, options.video_model)
        if (able is not False and not blind) or other == name:
            return name, ()
        return other, (replace(_INSTEAD[ability], data={"model": other, "chosen": name}),)

    async def _context(self, turn: Turn, factor: float) -> list[Message]:
        """Newest first, as much as could fit at all: read by index, so that a long history costs nothing."""
        messages: list[Message] = []
        before, room = (turn.id, 0), CEILING
        while room > 0:
            page = await self._store.context(turn.chat, before=before, limit=_PAGE)
            messages += page
            room -= sum(int(estimate(message.text) * factor) + 1 for message in page)
            if len(page) < _PAGE:
                break
            before = (page[-1].turn or 0, page[-1].id)
        return messages

    async def _look_back(self, turn: Turn, adapter: Adapter, question: Sequence[Message]) -> None:
        """Where we come in late, people have talked already; and where several talk, they have also talked to each
        other since we looked last. It is part of the context like all else."""
        first = question[0]
        if not adapter.features.older or first.post is None:
            return
        since = await self._store.read_until(turn.chat)
        if since is not None and (not turn.group or first.at <= since):
            return
        try:
            messages = await adapter.ask(OlderMessages(turn.chat, first.post, since or 0))
        except AdapterError as error:
            log.warning("turn %d: what was said before is not to be had: %s", turn.id, error.detail or error)
            return
        await self._store.adopt(turn.chat, messages, until=first.at, turn=turn.id)

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
            raise RequestRefused(
                "I can read text and pictures, but no audio, videos or other files yet; a video only by its link."
            )
