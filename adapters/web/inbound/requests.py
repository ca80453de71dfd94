"""Request parser: JSON from the page -> `Inbound`. What the page could never send is refused with a code and the bound
it broke."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bot.errors import MagpieError, Undeliverable
from bot.types import Attachment, Chat, IncomingMessage, Person, Press

__all__ = [
    "MOST_CHARACTERS",
    "MOST_FILES",
    "PLATFORM",
    "BadRequest",
    "chat_of",
    "clean",
    "language_of",
    "message",
    "press",
]

PLATFORM, ACCOUNT = "web", "local"
MOST_FILES = 10
MOST_CHARACTERS = 200_000
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_POST = re.compile(r"\d{1,18}\.\d{1,6}")


class BadRequest(MagpieError):
    """`code` is what the page looks the words up by."""

    def __init__(self, code: str, text: str, /, **data: object) -> None:
        super().__init__(text, detail="", **data)
        self.code = code


def chat_of(id: str) -> Chat:
    if not _ID.fullmatch(id):
        raise BadRequest("bad_id", "This is not the id of a conversation.")
    return Chat(PLATFORM, ACCOUNT, id)


def language_of(chosen: object, accepted: str) -> str:
    """The page's own choice, else the first of Accept-Language, else English."""
    for tag in (chosen, accepted.split(",", 1)[0].split(";", 1)[0].strip()):
        if isinstance(tag, str) and _LANGUAGE.fullmatch(tag):
            return tag
    return "en"


def owner(language: str) -> Person:
    return Person("owner", "", language, admin=True)


def message(
    chat: Chat, body: Mapping[str, Any], language: str, now: int, describe: Callable[[str, str, str], Attachment]
) -> IncomingMessage:
    """A question. The id made by the page is its dedupe key, so that it can be sent again and is asked once."""
    id = _id(body)
    text = _text(body, "text", MOST_CHARACTERS)
    files = body.get("files", [])
    if not isinstance(files, list):
        raise BadRequest("bad_request", "files must be a list.")
    if len(files) > MOST_FILES:
        raise BadRequest("too_many_files", "At most {limit} files can be sent at once.", limit=MOST_FILES)
    if not text.strip() and not files:
        raise BadRequest("empty", "There is nothing to send.")
    attachments = tuple(_attachment(file, describe) for file in files)
    return IncomingMessage(
        key=f"web:{chat.id}:{id}",
        chat=chat,
        author=owner(language),
        text=text,
        at=now,
        attachments=attachments,
        post=id,
    )


def press(chat: Chat, body: Mapping[str, Any], language: str, now: int) -> Press:
    """A control of the page. `post` names the answer whose button it was."""
    id = _id(body)
    action = _text(body, "action", MOST_CHARACTERS).strip()
    if not action.startswith("/"):
        raise BadRequest("bad_request", "An action begins with a slash.")
    post = body.get("post")
    if post is not None and not (isinstance(post, str) and _POST.fullmatch(post)):
        raise BadRequest("bad_request", "This is not the id of an answer.")
    return Press(key=f"web:{chat.id}:{id}", chat=chat, author=owner(language), action=action, at=now, post=post)


def _attachment(file: object, describe: Callable[[str, str, str], Attachment]) -> Attachment:
    if not isinstance(file, Mapping) or not isinstance(file.get("ref"), str):
        raise BadRequest("bad_request", "A file needs a ref.")
    name, claimed = (clean(str(file.get(field) or ""))[:200] for field in ("name", "mime"))
    try:
        return describe(file["ref"], name, claimed)
    except Undeliverable as gone:
        raise BadRequest("no_file", "A file of this message is not here any more. Please add it again.") from gone


def _id(body: Mapping[str, Any]) -> str:
    id = body.get("id")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise BadRequest("bad_id", "An id of 8 to 64 letters, digits, - or _ is needed.")
    return id


def _text(body: Mapping[str, Any], name: str, most: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise BadRequest("bad_request", "{name} must be text.", name=name)
    if len(value) > most:
        raise BadRequest("too_long", "At most {limit} characters can be sent at once.", limit=most)
    return clean(value)


def clean(text: str) -> str:
    """Half a surrogate pair can't be stored as UTF-8, and a NUL not at all in PostgreSQL."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
