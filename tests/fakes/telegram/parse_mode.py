"""`parse_mode`, as far as it is needed to refuse its misuse (Bot API: Formatting options)."""

from __future__ import annotations

import html
import re

from tests.fakes.telegram.entities import Entity, units
from tests.fakes.telegram.refusals import bad

__all__ = ["parse"]

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_MARKS = {
    "*": ("Bold", "bold"),
    "_": ("Italic", "italic"),
    "__": ("Underline", "underline"),
    "~": ("Strikethrough", "strikethrough"),
    "||": ("Spoiler", "spoiler"),
    "`": ("Code", "code"),
    "```": ("Pre", "pre"),
}
_RESERVED = "[]()>#+-=|{}.!"


def parse(text: str, mode: str) -> tuple[str, list[Entity]]:
    """Text without its marks, and entities. The mode's name may be written in any case."""
    match mode.lower():
        case "html":
            return _html(text)
        case "markdownv2":
            return _marks(text, strict=True)
        case "markdown":
            return _marks(text, strict=False)
    raise bad("unsupported parse_mode")


def _html(text: str) -> tuple[str, list[Entity]]:
    out, entities, open_tags, at = "", [], list[tuple[str, int, str]](), 0
    for found in re.finditer(r"<(/?)([^\s<>/]*)([^<>]*)>|<", text):
        out += html.unescape(text[at : found.start()])
        at, byte = found.end(), len(text[: found.start()].encode())
        if found.group() == "<" or not found[2]:
            raise bad(f"can't parse entities: Unclosed start tag at byte offset {byte}")
        name = found[2].lower()
        if not found[1]:
            if name not in _TAGS:
                raise bad(f'can\'t parse entities: Unsupported start tag "{name}" at byte offset {byte}')
            open_tags.append((name, units(out), found[3]))
            continue
        if not open_tags:
            raise bad(f"can't parse entities: Unexpected end tag at byte offset {byte}")
        expected, start, more = open_tags.pop()
        if expected != name:
            raise bad(
                f"can't parse entities: Unmatched end tag at byte offset {byte},"
                f' expected "</{expected}>", found "</{name}>"'
            )
        entity: Entity = {"type": _TAGS[name], "offset": start, "length": units(out) - start}
        if name == "a" and (url := re.search(r'href="([^"]*)"', more)):
            entity["url"] = html.unescape(url[1])
        entities.append(entity)
    if open_tags:
        raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{open_tags[-1][0]}\"")
    return out + html.unescape(text[at:]), entities


def _marks(text: str, *, strict: bool) -> tuple[str, list[Entity]]:
    out, entities, open_marks = "", [], list[tuple[str, int, int]]()
    for found in re.finditer(r"\\(.)|```|__|\|\||[*_~`]|.", text, re.DOTALL):
        sign, byte = found.group(), len(text[: found.start()].encode())
        in_code = bool(open_marks) and open_marks[-1][0].startswith("`")
        if found[1]:
            out += found[1]
        elif sign in _MARKS and (not in_code or sign == open_marks[-1][0]):
            if open_marks and open_marks[-1][0] == sign:
                _, start, _ = open_marks.pop()
                entities.append({"type": _MARKS[sign][1], "offset": start, "length": units(out) - start})
            else:
                open_marks.append((sign, units(out), byte))
        elif strict and not in_code and sign in _RESERVED:
            raise bad(
                f"can't parse entities: Character '{sign}' is reserved and must be escaped with the preceding '\\'"
            )
        else:
            out += sign
    if open_marks:
        sign, _, byte = open_marks[-1]
        where = f"{_MARKS[sign][0]} entity at" if strict else "the entity starting at"
        raise bad(f"can't parse entities: Can't find end of {where} byte offset {byte}")
    return out, entities
