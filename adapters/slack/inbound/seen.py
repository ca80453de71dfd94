"""Message content: all that people see in a message: its text, blocks and attachments, what it forwards, and its files
(docs.slack.dev: message event, Secondary message attachments)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapters.slack.inbound.blocks import names_of_emoji, rich_text_only, text_of
from adapters.slack.inbound.marks import Marks, Me, NameOf, Raw, mappings
from bot.types import Attachment, Kind, Person

__all__ = ["CHECK_FILE", "TOMBSTONE", "Seen", "attachment", "seen"]

CHECK_FILE = "check_file_info"
TOMBSTONE = "tombstone"

_KINDS = {"image": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.AUDIO}
_CLIPS = {"slack_audio": Kind.VOICE, "slack_video": Kind.VIDEO_NOTE}  # recorded in the composer (File object, subtype)
_NO_FILE = frozenset({TOMBSTONE, "hidden_by_limit"})
_DEEPEST = 3  # forwards of forwards
_NOT_SHOWN = frozenset({"[no preview available]", "no preview available"})


@dataclass(frozen=True, slots=True)
class Seen:
    """`text` is its author's own; `quoted` what others said that comes along, `quoted_by` who, if it was one person."""

    text: str = ""
    quoted: str = ""
    quoted_by: Person | None = None
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class _Other:
    """What stands in an attachment: somebody else's words, or a page's."""

    text: str
    author: Person | None = None

    @property
    def line(self) -> str:
        return f"{self.author.name}: {self.text}" if self.author and self.author.name and self.text else self.text


def seen(message: Raw, me: Me, name_of: NameOf) -> Seen:
    marks = Marks(me, name_of, frozenset(names_of_emoji(message.get("blocks"))))
    own, others = [_body(message, marks)], []
    files = [attachment(file) for file in mappings(message.get("files"))]
    for attached in mappings(message.get("attachments")):
        files += _files(attached)
        if _is_share(attached) or (_is_preview(attached) and not message.get("bot_id")):
            others.append(_Other(_attached(attached, marks), _author(attached) if _is_share(attached) else None))
        else:
            own.append(_attached(attached, marks, authored=True))
    said = [other for other in others if other.text]
    one = said[0] if len(said) == 1 else None
    quoted = one.text if one else "\n".join(other.line for other in said)
    return Seen("\n".join(filter(None, own)), quoted, one.author if one else None, tuple(files))


def _body(message: Raw, marks: Marks) -> str:
    """Where there are blocks, the text is what notifications show; but what somebody typed is both."""
    text, blocks = marks.read(str(message.get("text") or "")), message.get("blocks")
    if text and rich_text_only(blocks):
        return text
    if marks.me.wrote(message):
        blocks = [block for block in mappings(blocks) if block.get("type") != "context"]
    return text_of(blocks, marks) or text


def _is_share(attached: Raw) -> bool:
    return bool(attached.get("is_share") or attached.get("is_msg_unfurl"))


def _is_preview(attached: Raw) -> bool:
    """Of a link in the text, made by the platform or by the link's own app."""
    return bool(attached.get("from_url") or attached.get("original_url") or attached.get("is_app_unfurl"))


def _author(attached: Raw) -> Person | None:
    name = str(attached.get("author_name") or attached.get("author_subname") or "")
    return Person(str(attached.get("author_id") or name), name) if name else None


def _attached(attached: Raw, marks: Marks, *, authored: bool = False, depth: int = _DEEPEST) -> str:
    """The words of one attachment, from its top to its bottom; `fallback` only where there is nothing else. `authored`:
    with the name of its author, which is told elsewhere otherwise."""
    if not depth:
        return ""
    read = marks.read
    named = [str(attached.get("author_name") or "")] if authored else []
    heads = [read(str(attached.get(name) or "")) for name in ("pretext", "title", "text")]
    inside = [_message(one).get("blocks") for one in mappings(attached.get("message_blocks"))]
    heads[2] = (
        "\n".join(filter(None, (text_of(each, marks) for each in inside if not rich_text_only(each)))) or heads[2]
    )
    body = [heads[0], *(read(name) for name in named), *heads[1:]]
    body += _fields(attached, marks)
    body.append(text_of(attached.get("blocks"), marks))
    if not any(body):
        body += [text_of(each, marks) for each in inside]
    inner = mappings(attached.get("attachments"))
    body += [_attached(each, marks, authored=True, depth=depth - 1) for each in inner]
    footer = read(str(attached.get("footer") or "")) if not _is_share(attached) else ""
    found = list(dict.fromkeys(filter(None, [*body, footer])))
    fallback = read(str(attached.get("fallback") or ""))
    has_files = any(True for _ in mappings(attached.get("files")))
    if not found and not has_files and fallback.casefold() not in _NOT_SHOWN:
        found = [fallback or ("[image]" if attached.get("image_url") or attached.get("thumb_url") else "")]
    return "\n".join(filter(None, found))


def _message(one: Raw) -> Raw:
    inner = one.get("message")
    return inner if isinstance(inner, Mapping) else {}


def _fields(attached: Raw, marks: Marks) -> list[str]:
    pairs = (
        (marks.read(str(field.get("title") or "")), marks.read(str(field.get("value") or "")))
        for field in mappings(attached.get("fields"))
    )
    return [": ".join(filter(None, pair)) for pair in pairs if any(pair)]


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _files(attached: Raw, depth: int = _DEEPEST) -> Iterator[Attachment]:
    for file in mappings(attached.get("files")):
        yield attachment(file)
    if depth:
        for inner in mappings(attached.get("attachments")):
            yield from _files(inner, depth - 1)


def attachment(file: Raw) -> Attachment:
    """A file by its id and address: `ref` is "<id> <url>". From another workspace (Slack Connect) only the id comes:
    what it is has to be asked for (file_access: check_file_info)."""
    id, mime = str(file.get("id") or ""), str(file.get("mimetype") or "")
    size = file.get("size")
    url = str(file.get("url_private_download") or file.get("url_private") or "")
    is_there = bool(id) and file.get("mode") not in _NO_FILE  # one that lies elsewhere has its address, which tells
    kind = _CLIPS.get(str(file.get("subtype") or "")) or _KINDS.get(mime.partition("/")[0], Kind.FILE)
    return Attachment(
        kind=kind,
        ref=f"{id} {url}".strip() if is_there else "",
        mime=mime,
        size=size if isinstance(size, int) and size > 0 else None,
        name=str(file.get("name") or file.get("title") or CHECK_FILE * (file.get("file_access") == CHECK_FILE)),
    )
