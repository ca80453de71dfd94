"""Attachments: what people attach, in words and for a model: what a thing is called, why it can't be read, what is told
of it."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.decoding.kinds import PICTURES
from bot.decoding.limits import MAX_BYTES
from bot.errors import MediaError
from bot.gateways.tokens import image_tokens
from bot.types import Attachment, ImagePart, Kind, Text

__all__ = [
    "MAX_BYTES",
    "Material",
    "called",
    "check_attachment",
    "complaint",
    "fitted_text",
    "hinted",
    "joined",
    "material",
    "quoted_text",
    "stub",
    "unseen",
]

_DROPPED = "[… {n} of {all} characters are left out here: the rest does not fit]"
_FORMATS = ", ".join(PICTURES)
_NAME = 60  # characters of a file's name that are shown
_WEB_PAGE = Text("{name} is not a picture: it looks like a web page.")
_COMPLAINTS: Mapping[str, Text] = {
    "bomb": Text("{name} has too many pixels; at most {limit} million can be read."),
    "binary": Text("{name} can't be read: it is neither a picture nor text."),
    "crash": Text("{name} can't be read: the program that reads files fails at it."),
    "damaged": Text("{name} is damaged or incomplete: its {format} data can't be read."),
    "empty": Text("{name} is empty (0 bytes)."),
    "encoding": Text("{name} is text in an encoding that is not known here. Save it as UTF-8 and send it again."),
    "failed": Text("{name} can't be read: the program that reads files fails at it."),
    "heic": Text("{name} is a HEIC picture, which can't be read here. Please send it as JPEG."),
    "large": Text("{name} has {size} MB; at most {limit} MB can be taken."),
    "memory": Text("{name} can't be read: that would take more than {limit} MB of memory. Please send a smaller one."),
    "page": _WEB_PAGE,
    "pixels": Text("{name} is {width} x {height} pixels; at most {limit} million pixels can be read."),
    "ratio": Text("{name} is {width} x {height} pixels; one side may be at most {limit} times the other."),
    "scans": Text("{name} is a JPEG with more than {limit} scans, which would take too long. Please save it anew."),
    "side": Text("{name} is {width} x {height} pixels; each side must have more than {limit}."),
    "slow": Text("{name} takes too long to read: it was given up after {limit} seconds."),
    "unreadable": Text("{name} can't be read: {reason}"),
}
_FORMAT = Text("{name} is in the format {format}, which can't be read as a picture. These can: {formats}.")
_UNHEARD = Text("{name} can't be listened to yet.")
_UNWATCHED = Text("{name} can't be watched yet.")
_UNREAD = Text("{name} can't be read yet.")
_WITHHELD = Text("{name} is not shown to bots. Send a picture of it, or say in words what is in it.")
# Kinds whose bytes are nothing to look at here; and what is said of formats that are found
_NOT_YET: Mapping[Kind, Text] = {
    Kind.VOICE: _UNHEARD,
    Kind.AUDIO: _UNHEARD,
    Kind.VIDEO: _UNWATCHED,
    Kind.VIDEO_NOTE: _UNWATCHED,
    Kind.ANIMATION: _UNWATCHED,
}
_SOUND = ("Ogg", "MP3", "FLAC", "AMR", "WAV", "M4A")
_FILM = ("MP4", "Matroska", "AVI")
_PICTURE_FORMATS = ("PSD", "ICO", "JPEG XL", "JPEG 2000")
_MOVING = re.compile(
    r"\.(mp4|m4v|mov|mkv|webm|avi|wmv|flv|3gp|mpe?g|mp3|m4a|aac|og[gav]|opus|wav|flac|amr|wma)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Material:
    """An attachment for a model: pictures, or a text (`cut`: not all of it), and `words` about it. `note` is for
    people."""

    pictures: tuple[ImagePart, ...] = ()
    text: str = ""
    cut: bool = False
    words: str = ""
    note: Text | None = None


# ── what a thing is called ──────────────────────────────────────────────────────────────────────────────────────────


def called(attachment: Attachment, format: str = "") -> Text:
    """At the beginning of a sentence: "This voice message", "The PDF contract.pdf"."""
    name = _shown(attachment.name)
    match attachment.kind:
        case Kind.VOICE:
            return Text("This voice message")
        case Kind.VIDEO_NOTE:
            return Text("This video message")
        case Kind.ANIMATION:
            return Text("This animation")
        case Kind.STICKER:
            return Text("This sticker")
        case Kind.STORY:
            return Text("This story")
        case Kind.PAID:
            return Text("What is paid for here")
        case Kind.VIDEO:
            return Text("The video {file}", {"file": name}) if name else Text("This video")
        case Kind.AUDIO:
            return Text("The recording {file}", {"file": name}) if name else Text("This recording")
    if format == "PDF" or _is_pdf(attachment):
        return Text("The PDF {file}", {"file": name}) if name else Text("This PDF")
    if attachment.kind is Kind.IMAGE:
        return Text("The picture {file}", {"file": name}) if name else Text("This picture")
    return Text("The file {file}", {"file": name}) if name else Text("This file")


def _is_pdf(attachment: Attachment) -> bool:
    return attachment.kind is Kind.FILE and (
        attachment.mime == "application/pdf" or attachment.name.lower().endswith(".pdf")
    )


def _shown(name: str) -> str:
    """On one line, without what would turn it round, and not endless."""
    clean = "".join(sign for sign in name if sign.isprintable()).strip()
    return clean if len(clean) <= _NAME else f"{clean[: _NAME - 20]}…{clean[-19:]}"


def joined(sentences: Sequence[Text], most: int = 6) -> Text:
    """One below the other."""
    if len(sentences) > most:
        more = Text("… and {n} more.", {"n": len(sentences) - most + 1})
        sentences = [*sentences[: most - 1], more]
    whole = sentences[0]
    for sentence in sentences[1:]:
        whole = Text("{first}\n{next}", {"first": whole, "next": sentence})
    return whole


def hinted(sentences: Sequence[Text]) -> list[Text]:
    """With what would be read, where something isn't yet."""
    not_yet = {_UNHEARD.id, _UNWATCHED.id, _UNREAD.id}
    hint = Text("I can read text, pictures and text files; a video by its link.")
    return [*sentences, hint] if any(sentence.id in not_yet for sentence in sentences) else list(sentences)


# ── why it can't be read ────────────────────────────────────────────────────────────────────────────────────────────


def check_attachment(attachment: Attachment) -> None:
    """Say no before fetching, where that is certain. Raises MediaError. A label is believed only where the name doesn't
    speak against it."""
    if attachment.kind in (Kind.STORY, Kind.PAID):
        raise MediaError(_WITHHELD.id, name=called(attachment))
    words = _NOT_YET.get(attachment.kind)
    certain = attachment.kind in (Kind.VOICE, Kind.VIDEO_NOTE) or not attachment.name
    certain = certain or _MOVING.search(attachment.name) is not None
    if words is not None and certain and attachment.kind is not Kind.ANIMATION:
        raise MediaError(words.id, name=called(attachment))
    if attachment.size is not None and attachment.size > MAX_BYTES:
        raise complaint("large", {"size": attachment.size, "limit": MAX_BYTES}, attachment)


def complaint(code: str, data: Mapping[str, Any], attachment: Attachment, detail: str = "") -> MediaError:
    """The words for an error of `bot.decoding`."""
    format = str(data.get("format", ""))
    name = called(attachment, format)
    if code == "large":
        data = {"size": _megabytes(data["size"]), "limit": _megabytes(data["limit"])}
    if code == "format":
        words = _about_format(attachment, format)
        return MediaError(words.id, detail=detail, name=name, format=format, formats=_FORMATS)
    words = _COMPLAINTS.get(code, _COMPLAINTS["failed"])
    return MediaError(words.id, detail=detail, **{**data, "name": name})


def _about_format(attachment: Attachment, format: str) -> Text:
    if attachment.kind in _NOT_YET:
        return _NOT_YET[attachment.kind]
    if format in _SOUND:
        return _UNHEARD
    if format in _FILM:
        return _UNWATCHED
    return _FORMAT if attachment.kind is Kind.IMAGE or format in _PICTURE_FORMATS else _UNREAD


def _megabytes(size: int) -> str:
    return f"{math.ceil(size / 100_000) / 10:g}"  # rounded up, so that it never equals a limit that it exceeds


# ── what a model gets ───────────────────────────────────────────────────────────────────────────────────────────────

_STUBS = {
    Kind.IMAGE: "picture",
    Kind.VIDEO: "video",
    Kind.AUDIO: "audio",
    Kind.FILE: "file",
    Kind.VOICE: "voice message",
    Kind.VIDEO_NOTE: "video message",
    Kind.ANIMATION: "animation",
    Kind.STICKER: "sticker",
    Kind.STORY: "story",
    Kind.PAID: "paid media",
}


def stub(attachment: Attachment) -> str:
    """What stands for it where it isn't: "[file contract.pdf]"."""
    name = _shown(attachment.name) if attachment.kind is not Kind.IMAGE else ""
    return f"[{_STUBS[attachment.kind]} {name}]" if name else f"[{_STUBS[attachment.kind]}]"


def unseen(attachment: Attachment) -> Material:
    """For a model that is asked about the rest."""
    return Material(words=f"{stub(attachment)} (It can't be read: you don't know what is in it. Don't guess.)")


def material(answer: Mapping[str, Any], contents: Sequence[bytes], attachment: Attachment) -> Material:
    """What `bot.decoding` made of it."""
    facts: Mapping[str, Any] = answer.get("facts", {})
    if answer["files"][0]["mime"].startswith("text/"):
        return Material(text=contents[0].decode(), cut=bool(facts.get("cut")))
    pictures = tuple(_part(file, data) for file, data in zip(answer["files"], contents, strict=True))
    words = " ".join(_told(facts, len(pictures), attachment))
    return Material(pictures, words=f"({words})" if words else "", note=_note(facts, attachment))


def _part(file: Mapping[str, Any], data: bytes) -> ImagePart:
    url = f"data:{file['mime']};base64,{base64.b64encode(data).decode()}"
    return ImagePart(url, image_tokens(file["width"], file["height"]))


def _told(facts: Mapping[str, Any], count: int, attachment: Attachment) -> list[str]:
    told = []
    if attachment.kind is Kind.STICKER:
        told.append("This picture is a sticker.")
    if count > 1:
        told.append(
            f"The next {count} pictures are one long picture cut into pieces, in order from top to bottom"
            " or left to right; neighbours overlap a little."
        )
    if frames := facts.get("frames"):
        lasts = f", {facts['seconds']} s long" if facts.get("seconds") else ""
        told.append(f"This picture moves: it is frame {facts['frame']} of {frames} of an animation{lasts}.")
    if pages := facts.get("pages"):
        told.append(f"This is the first of {pages} pages of one file; the others are not shown.")
    if attachment.album:
        told.append("It is one picture of an album; the others are not here, so don't speak as if you saw them.")
    return told


def _note(facts: Mapping[str, Any], attachment: Attachment) -> Text | None:
    name = called(attachment)
    if facts.get("frames"):
        return Text("{name} moves: one of its {n} frames was looked at.", {"name": name, "n": facts["frames"]})
    if facts.get("pages"):
        return Text("{name} has {n} pages: the first was looked at.", {"name": name, "n": facts["pages"]})
    if attachment.album:
        return Text(
            "Of an album only the picture that you replied to was looked at. Send the others with your question."
        )
    return None


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def quoted_text(attachment: Attachment, text: str) -> str:
    """A file's words, with its name above and below them."""
    name = stub(attachment).strip("[]")
    return f"--- {name} ---\n{text}\n--- end of {name} ---"


def fitted_text(material: Material, room: int, estimate: Callable[[str], int]) -> Material:
    """As much of its text as has at most `room` tokens; what is cut says so in its last line."""
    text = material.text
    while text and (tokens := estimate(text)) > room:
        text = text[: max(0, min(len(text) - 1, len(text) * room // (tokens + 1)))]
    if len(text) == len(material.text) and not material.cut:
        return material
    text = text[: text.rfind("\n") + 1 or len(text)] if len(text) < len(material.text) else text
    gone = len(material.text) - len(text)
    words = _DROPPED.format(n=gone, all=len(material.text)) if gone else "[… the rest is left out here]"
    return replace(material, text=f"{text.rstrip()}\n{words}", cut=True)
