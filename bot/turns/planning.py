"""Planning: what to ask for a turn: its settings, pictures and context, brought together for `prompt`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from bot.errors import AdapterError, InvalidRequest, MediaError, NotFetched, StoreError, Unaskable
from bot.gateways.chat_api.check import cannot
from bot.gateways.tokens import Calibration, estimate
from bot.languages.direction import direction
from bot.locales import say
from bot.media.attached import Material, called, hinted, joined, unseen
from bot.media.prepared import MediaStore
from bot.settings.overlay import effective, of_turn
from bot.turns.prompt import (
    CEILING,
    PromptContext,
    about_video,
    build,
    cost,
    shortened,
    spoken,
    translations,
    unfinished,
    video_link,
)
from bot.types import (
    Adapter,
    Attachment,
    Chat,
    ChatModel,
    ChatSettings,
    Clock,
    Kind,
    Message,
    ModelRequest,
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
_MOST_ATTACHED = 8  # in one request, if the question itself has no more
_MOST_NOTES = 3  # one by one
_RECALLED = (Kind.IMAGE, Kind.FILE, Kind.STICKER)  # what is worth looking at again
_HEARD = 12  # messages that tell which language is spoken in a chat that translates
_ONLY_WORDS = Text("Only words are translated here, not what is in pictures or files.")


_INSTEAD = {
    "image": Text("Answered by {model}: {chosen} cannot see pictures."),
    "video": Text("Answered by {model}: {chosen} cannot watch videos."),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the whole service is set to: the defaults of every chat, where its account has none of its `own`, and the
    models for special work."""

    defaults: ChatSettings
    vision_model: str
    video_model: str
    translation_model: str
    timezone: str = "UTC"
    own: Callable[[Chat], ChatSettings | None] = lambda chat: None  # noqa: ARG005

    def at(self, chat: Chat) -> ChatSettings:
        """What holds in a chat where nobody has set anything."""
        return self.own(chat) or self.defaults


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
        rows = [*await self._store.settings(turn.chat), *of_turn(turn.settings)]
        return effective(self._options.at(turn.chat), rows)

    async def plan(
        self,
        turn: Turn,
        settings: ChatSettings,
        adapter: Adapter,
        language: str,
        attempt: Attempt = Attempt(),
    ) -> Plan:
        """Raises InvalidRequest (Unaskable: it never can be) or MediaError where the question can't be asked."""
        question = await self._store.question(turn.id)
        if not question:
            raise Unaskable("This question was deleted.")
        if turn.base and (settings.translation is not None or video_link(question) is not None):
            raise InvalidRequest("This answer can't be continued, only asked for again.")
        in_picture = "translate" in turn.settings and not spoken(question)
        if settings.translation is not None and not in_picture:
            return await self._translation(turn, settings, question)
        scene = PromptContext(
            self._clock.now(),
            self._options.timezone,
            turn.title,
            turn.group,
            say(Text("What is in this picture?"), language),
            language,
        )
        if settings.translation is not None:
            return await self._in_picture(turn, settings, adapter, scene, question, attempt)
        if (url := video_link(question)) is not None:
            return self._video(settings, scene, question, url)
        if turn.base:
            question = [*question, *unfinished(turn, language)]
        return await self._conversation(turn, settings, adapter, scene, question, attempt)

    async def _in_picture(
        self,
        turn: Turn,
        settings: ChatSettings,
        adapter: Adapter,
        scene: PromptContext,
        question: Sequence[Message],
        attempt: Attempt,
    ) -> Plan:
        """Words that somebody wants translated once, and that only a model that sees can read: by itself, as every
        translation."""
        target = settings.translation.target if settings.translation is not None else ""
        words = Text("Translate all words in the picture into {language}. Answer with the translation only.")
        scene = replace(scene, about_picture=say(words, "en", language=target))
        plain = replace(settings, translation=None, system="")
        return await self._conversation(turn, plain, adapter, scene, question, attempt, alone=True)

    async def _conversation(
        self,
        turn: Turn,
        settings: ChatSettings,
        adapter: Adapter,
        scene: PromptContext,
        question: Sequence[Message],
        attempt: Attempt,
        *,
        alone: bool = False,
    ) -> Plan:
        context: list[Message] = []
        if not alone:
            await self._look_back(turn, adapter, question)
            context = await self._context(turn, self._factor(settings.model))
        attached, refused = await self._attached(turn, adapter, question)
        await self._recalled(turn, adapter, context, attached)
        asked = _attachments(question)
        seen = any(attached[each].pictures for each in asked + _attachments(context[:_FRESH]) if each in attached)
        name, notes = self._able(settings.model, "image", attempt.blind) if seen else (settings.model, ())
        if not any(attached[each].pictures for each in asked if each in attached):
            notes = ()  # it was said when the picture came; under a plain question it reads as a fault
        info, factor = self._model.info(name), self._factor(name)
        if info.image is False or (attempt.blind and name == settings.model):
            refused |= _blinded(attached, question, name)
        attached |= _unread(question, attached, refused)

        def count(text: str) -> int:
            return int(estimate(text) * factor) + 1

        attached = shortened(settings, info, scene, question, attached, count, limit=attempt.most)
        request = build(settings, info, scene, question, context, attached, count, limit=attempt.most)
        request = replace(request, supposed=attempt.supposed)
        sizes = [cost(message, count) for message in request.messages]
        needed = sizes[-1] + (sizes[0] if request.messages[0].role == "system" else 0)
        needed -= sum(count(attached[each].text) for each in asked if each in attached)  # they can be cut
        looking = any(each.pictures for each in attached.values())
        pictured = any(attached[each].pictures for each in asked if each in attached)
        return Plan(
            (("", request),),
            notes + _about(question, attached, refused),
            calibrating=not looking and not request.parameters.get("enable_search"),
            resumable=True,
            size=sum(sizes),
            history=max(0, sum(sizes) - needed),
            pictures=looking and (self._options.vision_model != name or not pictured),
        )

    def _factor(self, model: str) -> float:
        return self._calibration.factor(self._model.gateway, model)

    def _video(self, settings: ChatSettings, scene: PromptContext, question: Sequence[Message], url: str) -> Plan:
        name, notes = self._able(settings.model, "video")
        words = Text("{name} was not looked at: the video alone was.")
        notes += tuple(replace(words, data={"name": called(each)}) for each in _attachments(question))
        return Plan((("", about_video(settings, self._model.info(name), scene, question, url)),), notes)

    async def _translation(self, turn: Turn, settings: ChatSettings, question: Sequence[Message]) -> Plan:
        text, shows = spoken(question), any(message.attachments for message in question)
        if settings.translation is None or not text:
            raise Unaskable(_ONLY_WORDS.id if shows else "There is nothing to translate in this message.")
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
            before = (page[-1].after_turn, page[-1].id)
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
            messages = await adapter.older(turn.chat, first.post, since or 0)
        except AdapterError as error:
            log.warning("turn %d: what was said before is not to be had: %s", turn.id, error.detail or error)
            return
        await self._store.adopt(turn.chat, messages, until=first.at, turn=turn.id)

    async def _attached(
        self, turn: Turn, adapter: Adapter, question: Sequence[Message]
    ) -> tuple[dict[Attachment, Material], dict[Attachment, MediaError]]:
        """What the question's attachments are, and why not. One that can't be read does not refuse the rest."""
        wanted = list(dict.fromkeys(_attachments(question)))
        found = await asyncio.gather(
            *(self._media.read(adapter, turn.chat, each, _owner(turn)) for each in wanted), return_exceptions=True
        )
        attached: dict[Attachment, Material] = {}
        refused: dict[Attachment, MediaError] = {}
        for each, result in zip(wanted, found, strict=True):
            if isinstance(result, Material):
                attached[each] = result
            elif isinstance(result, MediaError):
                refused[each] = result
                log.info("turn %d: an attachment can't be read: %s", turn.id, result.detail or result)
            else:
                raise result
        return attached, refused

    async def _recalled(
        self, turn: Turn, adapter: Adapter, context: Sequence[Message], attached: dict[Attachment, Material]
    ) -> None:
        """What was attached earlier, as far as it can still be had, the newest first."""
        tries = _MOST_ATTACHED - len(attached)
        for number, message in enumerate(context):
            for each in message.attachments:
                if each in attached or each.kind not in _RECALLED:
                    continue
                if each.kind is Kind.IMAGE and number >= _FRESH and not any(one.pictures for one in attached.values()):
                    continue  # nobody looks at pictures any more
                if tries <= 0:
                    return
                tries -= 1
                with suppress(MediaError, StoreError):  # it was refused when it was new, or is gone: a word stays
                    attached[each] = await self._media.read(adapter, turn.chat, each, _owner(turn))


def _owner(turn: Turn) -> str:
    return f"{turn.chat.platform}/{turn.chat.account}/{turn.asker.id}"


def _attachments(messages: Sequence[Message]) -> list[Attachment]:
    return [attachment for message in messages for attachment in message.attachments]


def _blinded(
    attached: dict[Attachment, Material], question: Sequence[Message], model: str
) -> dict[Attachment, MediaError]:
    """Take out the pictures, for a model that can't see. Returns what the question loses so."""
    lost = [each for each, found in attached.items() if found.pictures]
    for each in lost:
        del attached[each]
    asked = _attachments(question)
    return {
        each: MediaError("{name} was not looked at: {reason}", name=called(each), reason=cannot("image", model))
        for each in lost
        if each in asked
    }


def _unread(
    question: Sequence[Message],
    attached: Mapping[Attachment, Material],
    refused: Mapping[Attachment, MediaError],
) -> dict[Attachment, Material]:
    """What the model is told of what it can't have. MediaError if there is nothing else: it would make something
    up."""
    if not refused:
        return {}
    if not any(each in attached for each in _attachments(question)) and not any(each.quoted for each in question):
        passing = any(isinstance(error, NotFetched) for error in refused.values())
        raise _refusal([Text(error.text, error.data) for error in refused.values()], passing=passing)
    return {each: unseen(each) for each in refused}


def _refusal(sentences: Sequence[Text], *, passing: bool = False) -> MediaError:
    words = joined(hinted(sentences))
    error = NotFetched(words.id) if passing else MediaError(words.id)
    error.data = words.data
    return error


def _about(
    question: Sequence[Message],
    attached: Mapping[Attachment, Material],
    refused: Mapping[Attachment, MediaError],
) -> tuple[Text, ...]:
    """What people are told of the question's attachments: what wasn't read, and what only in part."""
    notes: list[Text] = []
    for each in dict.fromkeys(_attachments(question)):
        if error := refused.get(each):
            notes.append(Text(error.text, error.data))
        elif found := attached.get(each):
            if found.cut:
                notes.append(Text("{name} is too long: only its beginning was read.", {"name": called(each)}))
            if found.note is not None:
                notes.append(found.note)
    return (joined(notes),) if len(notes) > _MOST_NOTES else tuple(notes)
