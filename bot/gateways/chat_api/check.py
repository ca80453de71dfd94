"""Request validation: what can't work is refused before it is sent, with the bound in the words; what can be put right
is put right."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.decoding.markers import size_of
from bot.errors import InvalidRequest
from bot.gateways.catalogue import able
from bot.gateways.chat_api.alternation import as_parts, merged, without_system
from bot.gateways.parameters import PARAMETERS
from bot.gateways.profiles import Profile, is_public
from bot.gateways.tokens import estimate
from bot.languages import names as languages
from bot.languages.detection import detect
from bot.types import (
    FramesPart,
    ImagePart,
    Json,
    ModelInfo,
    ModelRequest,
    Part,
    PromptMessage,
    TextPart,
    Translation,
    VideoPart,
)

__all__ = ["FRAMES", "cannot", "check"]

FRAMES = (4, 80)  # pictures of one video; the seed's example has 4, the upper bound is Qwen2-VL's
_MOST_BYTES = 10_000_000  # of a picture or video inside a request, and of its base64 form
_LEAST_SIDE = 10  # pixels; a side must be longer
_MOST_RATIO = 200
_FORMATS = ("bmp", "jpeg", "jpg", "png", "tiff", "webp", "heic", "heif")
_CERTAINTY = 0.75  # estimates may be a third too high: what is refused for its length is too long for certain
_DATA_URL = re.compile(r"data:([\w.+-]+)/([\w.+-]+)[^,]{0,200},", re.IGNORECASE)


def check(request: ModelRequest, info: ModelInfo, profile: Profile) -> ModelRequest:
    """The request as it may be sent. Raises InvalidRequest."""
    if info.translation:
        ready = _translating(request, profile)
    elif request.translation is not None:
        raise InvalidRequest(
            "{model} does not translate by languages. Translation models: {models}",
            model=info.id,
            models=", ".join(able("translation")),
        )
    else:
        ready = replace(request, messages=_history(request.messages, info))
    ready = replace(ready, parameters=_parameters(ready, info, profile))
    for part in _parts(ready.messages):
        _media(part, info, profile)
    _one_picture(ready, info)
    _length(ready, info)
    return ready


def cannot(ability: str, model: str) -> InvalidRequest:
    """The error for a model that can't take pictures ("image"), frames, videos, or search."""
    # the names without figures are the ones that stay
    models = ", ".join(sorted(able(ability), key=lambda id: any(sign.isdigit() for sign in id))[:3])
    match ability:
        case "image":
            return InvalidRequest(
                "{model} cannot see pictures. Use /model with one of: {models}", model=model, models=models
            )
        case "search":
            return InvalidRequest("{model} has no web search. Models with search: {models}", model=model, models=models)
        case _:
            return InvalidRequest(
                "{model} cannot watch videos. Use /model with one of: {models}", model=model, models=models
            )


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _history(messages: Sequence[PromptMessage], info: ModelInfo) -> tuple[PromptMessage, ...]:
    """The system prompt first, then user and assistant in turns, from a question to a question. Where the model has no
    role for it, the system prompt is the beginning of the first question."""
    systems = [text for message in messages if message.role == "system" if (text := _text(message).strip())]
    tidy = [_tidy(message) for message in messages if message.role in ("user", "assistant")]
    taken = merged(message for message in tidy if message.content)
    while taken and taken[0].role == "assistant":
        taken.pop(0)
    if taken and taken[-1].role == "assistant":
        taken.pop()
    if not taken or not _says_something(messages):
        raise InvalidRequest("There is nothing to answer: the question is empty.")
    system = (PromptMessage("system", "\n\n".join(systems)),) if systems else ()
    ready = (*system, *(_sampled(message) for message in taken))
    return without_system(ready) if info.system is False else ready


def _says_something(messages: Sequence[PromptMessage]) -> bool:
    """Is the newest message a question at all? An empty one must not have an older one answered again."""
    last = [message for message in messages if message.role != "system"][-1:]
    return bool(last) and (last[0].role == "assistant" or bool(_tidy(last[0]).content))


def _tidy(message: PromptMessage) -> PromptMessage:
    """A string wherever there is nothing to see: some gateways flatten lists. '' for a message that says nothing."""
    content = message.content
    if not isinstance(content, str):
        parts = tuple(part for part in content if not isinstance(part, TextPart) or part.text.strip())
        if message.role == "user" and any(not isinstance(part, TextPart) for part in parts):
            return PromptMessage("user", parts)
        content = _text(message)
    return PromptMessage(message.role, content if content.strip() else "")


def _sampled(message: PromptMessage) -> PromptMessage:
    """Of too many frames, as many as possible, evenly spread."""
    most = FRAMES[1]
    parts = tuple(
        FramesPart(tuple(part.urls[at * (len(part.urls) - 1) // (most - 1)] for at in range(most)))
        if isinstance(part, FramesPart) and len(part.urls) > most
        else part
        for part in as_parts(message)
    )
    return message if isinstance(message.content, str) else PromptMessage(message.role, parts)


def _text(message: PromptMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n\n".join(part.text for part in message.content if isinstance(part, TextPart))


def _parts(messages: Sequence[PromptMessage]) -> Iterator[Part]:
    for message in messages:
        if not isinstance(message.content, str):
            yield from message.content


# ── translation ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _translating(request: ModelRequest, profile: Profile) -> ModelRequest:
    """One user message and nothing else: whatever stands in the request would be translated too."""
    if request.translation is None:
        raise InvalidRequest("Choose a language to translate into first: /translate English")
    questions = [message for message in request.messages if message.role == "user"]
    text = _text(questions[-1]) if questions else ""
    if not text.strip():
        raise InvalidRequest("There is nothing to translate in this message.")
    target = languages.resolve(request.translation.target)
    source = _source(request.translation, text, target, profile)
    if source == target:
        raise InvalidRequest("The text and its translation would both be in {language}.", language=target)
    parameters = {name: value for name, value in request.parameters.items() if not name.startswith("enable_")}
    return replace(
        request,
        messages=(PromptMessage("user", text),),
        parameters=parameters,
        translation=Translation(target, source),
    )


def _source(wanted: Translation, text: str, target: str, profile: Profile) -> str | None:
    """None only where the gateway finds out by itself."""
    if wanted.source is not None and wanted.source.lower() != "auto":
        return languages.resolve(wanted.source)
    if profile.auto_source:
        return None
    if (found := wanted.guess or detect(text)) is not None:
        return found
    return "Chinese" if target == "English" else "English"  # whatever it is, a translator makes the best of it


# ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _parameters(request: ModelRequest, info: ModelInfo, profile: Profile) -> dict[str, Json]:
    checked: dict[str, Json] = {}
    for name, value in request.parameters.items():
        if value is None or (name == "enable_search" and value is False):
            continue
        if name not in PARAMETERS:
            raise InvalidRequest("{got} is not a setting. Settings: {names}", got=name, names=", ".join(PARAMETERS))
        checked[name] = PARAMETERS[name].check(value, info)
    seed = checked.get("seed")
    if isinstance(seed, int) and seed > profile.max_seed:
        raise InvalidRequest("seed must be a whole number from 0 to {high}, got {got}", high=profile.max_seed, got=seed)
    return checked


# ── things to see ───────────────────────────────────────────────────────────────────────────────────────────────────


def _media(part: Part, info: ModelInfo, profile: Profile) -> None:
    match part:
        case ImagePart(url):
            _able(info, "image")
            _picture(url)
        case FramesPart(urls):
            _able(info, "frames")
            low, high = FRAMES
            if not low <= len(urls) <= high:
                raise InvalidRequest(
                    "A video needs {low}–{high} pictures, got {got}", low=low, high=high, got=len(urls)
                )
            for url in urls:
                _picture(url)
        case VideoPart(url):
            _able(info, "video")
            _video(url, profile)
        case TextPart():
            pass


def _able(info: ModelInfo, ability: str) -> None:
    """What isn't known is tried."""
    if getattr(info, ability) is False:
        raise cannot(ability, info.id)


def _picture(url: str) -> None:
    if not (found := _DATA_URL.match(url)):
        _address(url)
        return
    kind, format = found[1].lower(), found[2].lower()
    if kind != "image" or format not in _FORMATS:
        raise InvalidRequest(
            "This kind of picture can't be used: {got}. Possible: {formats}",
            got=f"{kind}/{format}",
            formats=", ".join(_FORMATS[:6]).upper(),
        )
    _size(len(url) - found.end())
    _shape(url[found.end() :])


def _size(length: int) -> None:
    if length >= _MOST_BYTES:
        raise InvalidRequest(
            "This is too big to send: {got} MB, and at most {limit} MB are possible",
            got=f"{length / 1e6:.1f}",
            limit=_MOST_BYTES // 1_000_000,
        )


def _shape(data: str) -> None:
    """Sides in pixels, by the header alone."""
    try:
        size = size_of(base64.b64decode(data[:262_144]))
    except (binascii.Error, ValueError):
        return
    if size is None:
        return  # not for us to tell: whoever loaded it has looked
    width, height = size
    if min(width, height) <= _LEAST_SIDE or max(width, height) > _MOST_RATIO * min(width, height):
        raise InvalidRequest(
            "This picture has {width}×{height} pixels; sides must be over {least}, and within a ratio of {ratio} to 1",
            width=width,
            height=height,
            least=_LEAST_SIDE,
            ratio=_MOST_RATIO,
        )


def _video(url: str, profile: Profile) -> None:
    if not _DATA_URL.match(url):
        _address(url)
    elif not profile.video_data:
        raise InvalidRequest(
            "I can't hand this video over: the model's service takes videos by their web address only."
        )
    else:
        _size(len(url))


def _address(url: str) -> None:
    if not is_public(url):
        raise InvalidRequest("I can't fetch that address: it is not on the public internet.")


def _one_picture(request: ModelRequest, info: ModelInfo) -> None:
    count = sum(isinstance(part, ImagePart) for part in _parts(request.messages))
    if info.family == "ocr" and count > 1:
        raise InvalidRequest("{model} reads one picture at a time, got {got}", model=info.id, got=count)


def _length(request: ModelRequest, info: ModelInfo) -> None:
    """The question alone, for the rest could still be left out."""
    if info.context is None or not request.messages:
        return
    last = request.messages[-1]
    pictures = sum(part.tokens for part in as_parts(last) if isinstance(part, ImagePart))
    tokens = estimate(_text(last)) + pictures
    if tokens * _CERTAINTY > info.context:
        raise InvalidRequest(
            "Your message alone has about {got} tokens; {model} takes {limit}. Shorten it, or choose another /model",
            got=tokens,
            model=info.id,
            limit=info.context,
        )
