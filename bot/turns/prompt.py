"""Prompt builder: history and settings -> the model's requests. Pure: the same input always makes the same request."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.errors import InvalidRequest
from bot.gateways.chat_api.alternation import merged
from bot.gateways.parameters import PARAMETERS
from bot.gateways.tokens import PER_MESSAGE
from bot.locales import say
from bot.media.attached import Material, fitted_text, quoted_text, stub
from bot.types import (
    Attachment,
    ChatSettings,
    ImagePart,
    Json,
    Message,
    ModelInfo,
    ModelRequest,
    Person,
    PromptMessage,
    Role,
    Text,
    TextPart,
    Translation,
    Turn,
    VideoPart,
)

__all__ = [
    "CEILING",
    "PromptContext",
    "about_video",
    "budget",
    "build",
    "cost",
    "fitting",
    "resumed",
    "shortened",
    "spoken",
    "translations",
    "unfinished",
    "video_link",
]

CEILING = 32_000  # tokens of context at most, so that a long conversation doesn't cost more with every question
_UNKNOWN_CONTEXT = 8_192
_USUAL_ANSWER = 2_048  # tokens kept free for an answer whose length nobody limits
_VIDEO = re.compile(
    r"https?://[^\s<>\"'()，。！？]+\.(?:mp4|mov|mkv|avi|flv|wmv)\b[^\s<>\"'()，。！？]*", re.IGNORECASE
)
_LAST_WORD = re.compile(
    r"(?<=\s)[^\s\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]{1,40}\Z"
)
_TAIL = 12_000  # characters of a part that its continuation is asked with
_NAME = 64  # characters of a name
_LEAST_OF_A_TEXT = 200  # tokens that an attached text gets even where nothing fits


@dataclass(frozen=True, slots=True)
class PromptContext:
    """What the model should know of the place: `now` in UTC ms, a time zone's name, the chat's title, the words for a
    picture or file that came without any."""

    now: int
    timezone: str = "UTC"
    title: str = ""
    group: bool = False
    about_picture: str = "What is in this picture?"
    language: str = "en"  # of what says whose words something is


def budget(info: ModelInfo, parameters: Mapping[str, Json], limit: int | None = None) -> int:
    """Tokens a prompt may have: the model's context, less the answer and a tenth for the estimate's error; and no more
    than `limit`, or than what was refused before."""
    context = info.context or _UNKNOWN_CONTEXT
    asked = parameters.get("max_tokens")
    answer = asked if isinstance(asked, int) else min(info.max_output or _USUAL_ANSWER, _USUAL_ANSWER)
    room = int((context - min(answer, context // 2)) * 0.9)
    return max(1, min(room, CEILING, *(each for each in (limit, info.prompt) if each is not None)))


def fitting(parameters: Mapping[str, Json], info: ModelInfo) -> dict[str, Json]:
    """The parameters this model can have. What it can't is left out; the commands have said so when it was set."""
    kept: dict[str, Json] = {}
    for name, value in parameters.items():
        try:
            kept[name] = PARAMETERS[name].check(value, info)
        except (KeyError, InvalidRequest):
            continue
    return kept


def build(
    settings: ChatSettings,
    info: ModelInfo,
    scene: PromptContext,
    question: Sequence[Message],
    context: Iterable[Message],
    attached: Mapping[Attachment, Material],
    estimate: Callable[[str], int],
    *,
    limit: int | None = None,
) -> ModelRequest:
    """One request: the system prompt, what of `context` (newest first) fits, and the question, whole, at the end.

    `attached` holds what was loaded; what isn't in it becomes a word. `estimate` counts tokens.
    """
    parameters, context = fitting(settings.parameters, info), list(context)
    said = _Said(scene, _wordless([*question, *context]), _heads([*reversed(context), *question]))
    asking = [_entry(message, said, attached) for message in question]
    system = _system(settings, scene, [*question])
    room = budget(info, parameters, limit) - estimate(system) - sum(cost(entry, estimate) for entry in asking)
    past: list[PromptMessage] = []
    for message in context:
        entry = _entry(message, said, attached)
        if cost(entry, estimate) > room and message.attachments:
            entry = _entry(message, said, {})  # what is attached doesn't fit: a word for it may
        room -= cost(entry, estimate)
        if room < 0:
            break
        past.append(entry)
    while past and past[-1].role == "assistant":  # an answer without its question says nothing
        past.pop()
    head = (PromptMessage("system", system),) if system else ()
    return ModelRequest(info.id, head + tuple(merged([*reversed(past), *asking])), parameters)


def about_video(
    settings: ChatSettings, info: ModelInfo, scene: PromptContext, question: Sequence[Message], url: str
) -> ModelRequest:
    """A question about a video file: no history, because the video alone is thousands of tokens."""
    words = "\n".join(message.text or message.quoted for message in question if message.text or message.quoted)
    return ModelRequest(
        info.id,
        (
            PromptMessage("system", _system(settings, scene, question)),
            PromptMessage("user", (VideoPart(url), TextPart(words))),
        ),
        fitting(settings.parameters, info),
    )


def resumed(part: str) -> str:
    """The text that the rest of a part follows on: without its last word, which may be a half of one. (A model that
    goes on can't say whether a space comes first. Scripts without spaces need none.)"""
    return _LAST_WORD.sub("", part) if part.strip() else ""


def unfinished(turn: Turn, language: str) -> tuple[Message, Message]:
    """What is said after the question so that its answer goes on: the end of what there is, and the wish."""
    said, nobody = resumed(turn.base)[-_TAIL:], Person("")
    wish = say(Text("Continue your answer exactly where it ends. Repeat nothing, and do not comment on it."), language)
    return (
        Message(0, turn.chat, turn.id, Role.ASSISTANT, nobody, said, turn.created),
        Message(0, turn.chat, turn.id, Role.USER, nobody, wish, turn.created),
    )


def video_link(question: Sequence[Message]) -> str | None:
    """The first address of a video file in the question's words, or in those that are all there is."""
    for message in question:
        if found := _VIDEO.search(message.text or message.quoted):
            return found[0]
    return None


def spoken(question: Sequence[Message]) -> str:
    """What a question says; where it only quotes, what that says."""
    return "\n\n".join(said for message in question if (said := (message.text or message.quoted).strip()))


def translations(
    settings: ChatSettings, info: ModelInfo, text: str, pair: Translation, estimate: Callable[[str], int]
) -> tuple[tuple[str, ModelRequest], ...]:
    """A text as requests to a translation model, in order, each with the separator that stood before it.

    No history, no persona: everything in a request would be translated. Long texts go paragraph by paragraph.
    """
    parameters = {name: value for name, value in fitting(settings.parameters, info).items() if name != "enable_search"}
    size = max(64, min((info.context or 2048) // 3, (info.max_output or 1024) * 2 // 3))
    return tuple(
        (separator, ModelRequest(info.id, (PromptMessage("user", part),), parameters, pair))
        for separator, part in _parts(text, size, estimate)
    )


# ── one message ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _wordless(messages: Sequence[Message]) -> set[int]:
    """Of each question without any words, the one message that asks what is to be seen: an album is one question."""
    asked = [message for message in messages if message.role is Role.USER]
    said = {message.turn for message in asked if message.text.strip() or message.quoted.strip()}
    return set({message.turn: message.id for message in asked if message.turn not in said}.values())


@dataclass(frozen=True, slots=True)
class _Said:
    """How messages are told: `wordless` ask what is to be seen, `heads` say whose words are forwarded."""

    scene: PromptContext
    wordless: Container[int]
    heads: Container[int]

    def text(self, message: Message, about: str, ask: str) -> str:
        """`about`: words for what is attached; `ask`: the question that a wordless message means by it."""
        head = self._head(message) if message.id in self.heads else ""
        quoted = self._quoted(message)
        if ask and message.id in self.wordless:
            parts: tuple[str, ...] = (ask, about, head)
        else:
            parts = (quoted, about, head, message.text)
        said = "\n".join(part for part in parts if part)
        if not (said and self.scene.group and message.author.name):
            return said
        return f"{message.author.name}:{chr(10) if said.startswith('>') else ' '}{said}"

    def _head(self, message: Message) -> str:
        name = _one_line(message.forwarded_from)
        words = Text("Forwarded from {name}:", {"name": name}) if name else Text("Forwarded:")
        return say(words, self.scene.language)

    def _quoted(self, message: Message) -> str:
        by, text = message.quoted_by, message.quoted
        if by is not None and text:
            name = _one_line(by) if by.id else say(Text("You"), self.scene.language)
            text = f"{name}: {text}" if name else text
        return "\n".join(f"> {line}" for line in text.splitlines())


def _one_line(person: Person | None) -> str:
    return " ".join(person.name.split())[:_NAME] if person else ""


def _heads(messages: Sequence[Message]) -> set[int]:
    """Of forwards that came in one go from one source, the first one: an album has one head. Oldest first."""
    pairs = zip([None, *messages], messages)  # noqa: B905  (one is longer)
    return {
        message.id
        for before, message in pairs
        if message.forwarded_from is not None and not (before and _go_together(before, message))
    }


def _go_together(one: Message, other: Message) -> bool:
    return (one.turn, one.author.id, one.forwarded_from) == (other.turn, other.author.id, other.forwarded_from)


def _entry(message: Message, told: _Said, attached: Mapping[Attachment, Material]) -> PromptMessage:
    if message.role is Role.ASSISTANT:
        return PromptMessage("assistant", message.text)
    found = [(each, attached[each]) for each in message.attachments if each in attached]
    unseen = " ".join(stub(each) for each in message.attachments if each not in attached)
    about = "\n".join(part for part in (unseen, *(material.words for _, material in found)) if part)
    pictures = [part for _, material in found for part in material.pictures]
    texts = [quoted_text(each, material.text) for each, material in found if material.text]
    ask = told.scene.about_picture if pictures else ""
    if texts and not pictures:
        ask = say(Text("What is in this file?"), told.scene.language)
    text = "\n\n".join(part for part in (told.text(message, about, ask), *texts) if part)
    if not pictures:
        return PromptMessage("user", text)
    return PromptMessage("user", (TextPart(text), *pictures))


def shortened(
    settings: ChatSettings,
    info: ModelInfo,
    scene: PromptContext,
    question: Sequence[Message],
    attached: Mapping[Attachment, Material],
    estimate: Callable[[str], int],
    *,
    limit: int | None = None,
) -> dict[Attachment, Material]:
    """The same with the question's texts as far as they fit, in order. What is cut says so in its last line."""
    own = [each for message in question for each in message.attachments if each in attached and attached[each].text]
    without = {each: replace(found, text="") if each in own else found for each, found in attached.items()}
    asking = [_entry(message, _Said(scene, (), ()), without) for message in question]
    room = budget(info, fitting(settings.parameters, info), limit) - estimate(_system(settings, scene, question))
    room -= sum(cost(entry, estimate) for entry in asking)
    fitted = dict(attached)
    for each in dict.fromkeys(own):
        fitted[each] = fitted_text(attached[each], max(room, _LEAST_OF_A_TEXT), estimate)
        room -= estimate(fitted[each].text)
    return fitted


def cost(entry: PromptMessage, estimate: Callable[[str], int]) -> int:
    """Tokens of one message of a prompt."""
    if isinstance(entry.content, str):
        return estimate(entry.content) + PER_MESSAGE
    words = sum(estimate(part.text) for part in entry.content if isinstance(part, TextPart))
    return words + sum(part.tokens for part in entry.content if isinstance(part, ImagePart)) + PER_MESSAGE


# ── the system prompt ───────────────────────────────────────────────────────────────────────────────────────────────


def _system(settings: ChatSettings, scene: PromptContext, question: Sequence[Message]) -> str:
    here = datetime.fromtimestamp(scene.now / 1000, UTC).astimezone(ZoneInfo(scene.timezone))
    lines = [
        settings.system or "You are a helpful assistant. Answer in the language of the question.",
        f"It is {here:%A, %Y-%m-%d, %H:%M} ({scene.timezone}).",
    ]
    if scene.title:
        lines.append(f"This chat is called {scene.title!r}.")
    if scene.group:
        names = list(dict.fromkeys(message.author.name for message in question if message.author.name))
        lines.append("Several people talk in this group; each line of theirs begins with the speaker's name.")
        if names:
            lines.append(f"You are answering {', '.join(names)}.")
    return "\n".join(lines)


# ── cutting a text for translation ──────────────────────────────────────────────────────────────────────────────────

_CUTS = (
    re.compile(r"(\n{2,})"),
    re.compile(r"(\n)"),
    re.compile(r"((?<=[.!?])\s+|(?<=[。！？；]))"),
    re.compile(r"(\s+)"),
)


def _parts(text: str, size: int, estimate: Callable[[str], int], level: int = 0) -> list[tuple[str, str]]:
    """(separator before it, part): joined again in this order they read as the text."""
    if estimate(text) <= size:
        return [("", text)]
    if level == len(_CUTS):
        step = max(1, len(text) * size // (estimate(text) + 1))
        return [("", text[at : at + step]) for at in range(0, len(text), step)]
    parts: list[tuple[str, str]] = []
    separator = ""
    pieces = _CUTS[level].split(text)
    for number, piece in enumerate(pieces):
        if number % 2:
            separator += piece
        elif piece.strip():
            joined = parts[-1][1] + separator + piece if parts else piece
            if parts and estimate(joined) <= size:
                parts[-1] = (parts[-1][0], joined)
            else:
                first, *rest = _parts(piece, size, estimate, level + 1)
                parts += [(separator if parts else "", first[1]), *rest]
            separator = ""
    return parts
