"""Texts as the server takes them: lengths in UTF-16 units, entities checked, white space at the ends taken off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.telegram.refusals import bad

__all__ = ["Entity", "check_entities", "check_url", "found_entities", "part", "trimmed", "units"]

Entity = dict[str, Any]

_STYLES = {"bold", "italic", "underline", "strikethrough", "spoiler"}
_QUOTES = {"blockquote", "expandable_blockquote"}
_CODE = {"pre", "code"}
_PLAIN = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number"}
_NEEDS = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id", "date_time": "unix_time"}
KNOWN = _STYLES | _QUOTES | _CODE | _PLAIN | set(_NEEDS)
_SPACE = " \n"


def units(text: str) -> int:
    """UTF-16 code units, which is how the Bot API counts (MessageEntity.offset)."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def part(text: str, entity: Mapping[str, Any]) -> str:
    """What an entity stands on."""
    start, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
    return text.encode("utf-16-le")[start:end].decode("utf-16-le")


def check_url(url: str) -> str | None:
    """What is wrong with a link, None if nothing is: TDLib takes http, https, ton and tg, and wants a host with a
    dot."""
    protocol, colon, rest = url.strip().partition(":")
    if not url.strip():
        return "URL host is empty"
    if colon and not rest[:1].isdigit():
        if protocol.lower() in ("tg", "ton", "tonsite"):
            return None
        if protocol.lower() not in ("http", "https"):
            return "Unsupported URL protocol"
        rest = rest.removeprefix("//")
    else:
        rest = url.strip()
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    if not host:
        return "URL host is empty"
    if "." not in host.strip(".") or not re.fullmatch(r"[\w.\-~%]+", host):
        return "Wrong HTTP URL"
    return None


def check_entities(text: str, entities: list[Any]) -> list[Entity]:
    """Refuses what sendMessage and editMessageText refuse in `entities`; returns them in order, empty ones dropped."""
    size = units(text)
    good = [entity for each in entities if (entity := _check_one(text, each, size))["length"]]
    good.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    _check_nesting(good)
    return good


def _check_one(text: str, entity: Any, size: int) -> Entity:
    if not isinstance(entity, dict):
        raise bad("can't parse MessageEntity: expected an Object")
    for name in ("offset", "length"):
        if not isinstance(entity.get(name), int):
            raise bad(f"can't parse MessageEntity: Can't find field \"{name}\"")
    kind, start, length = entity.get("type"), int(entity["offset"]), int(entity["length"])
    if kind not in KNOWN:  # MessageEntity.type
        raise bad("can't parse MessageEntity: Unsupported type specified")
    if (need := _NEEDS.get(kind)) and entity.get(need) is None:
        raise bad(f"can't parse MessageEntity: Can't find field \"{need}\"")
    if kind == "text_link" and (wrong := check_url(str(entity["url"]))):  # MessageEntity.url
        raise bad(f"entity URL '{entity['url']}' is invalid: {wrong}")
    if start < 0:
        raise bad(f"receive an entity with incorrect offset {start}")
    if length < 0:
        raise bad(f"receive an entity with incorrect length {length}")
    if start >= size and length:
        raise bad(f"entity begins after the end of the text at UTF-16 offset {start}")
    if start + length > size:
        end = start + length
        raise bad(f"entity beginning at UTF-16 offset {start} ends after the end of the text at UTF-16 offset {end}")
    _check_bounds(text, start, length)
    return dict(entity)


def _check_bounds(text: str, start: int, length: int) -> None:
    raw = text.encode("utf-16-le", "surrogatepass")

    def inside(at: int) -> bool:  # the second half of a surrogate pair
        return at * 2 < len(raw) and 0xDC <= raw[at * 2 + 1] <= 0xDF

    if inside(start):
        raise bad(f"entity begins in a middle of a UTF-16 symbol at offset {start}")
    if inside(start + length):
        raise bad(
            f"entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol at offset {start + length}"
        )


def _check_nesting(entities: list[Entity]) -> None:
    """Bot API: Formatting options. The real server quietly mends what breaks these rules, so that people see something
    else than was meant; here it is refused, so that it is noticed."""
    for number, one in enumerate(entities):
        end = one["offset"] + one["length"]
        for other in entities[number + 1 :]:
            if other["offset"] >= end:
                break
            if other["offset"] + other["length"] > end:
                raise bad(f"can't parse entities: {other['type']} crosses the end of {one['type']} at {end}")
            kinds = {one["type"], other["type"]}
            if kinds & _CODE:
                raise bad(f"can't parse entities: {one['type']} and {other['type']} can't be nested")
            if kinds <= _QUOTES:
                raise bad("can't parse entities: quotes can't be nested")
            if not kinds & (_STYLES | _QUOTES):
                raise bad(f"can't parse entities: {one['type']} and {other['type']} can't contain each other")


def trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Without white space at the ends, entities cut and moved along. So "a\\n" edited to "a" is not a change."""
    text = text.rstrip(_SPACE)
    size = units(text)
    cut = [{**entity, "length": min(entity["length"], size - entity["offset"])} for entity in entities]
    cut = [entity for entity in cut if entity["length"] > 0]
    first = cut[0]["offset"] if cut else size
    lead = min(first, len(text) - len(text.lstrip(_SPACE)))
    return text[lead:], [{**entity, "offset": entity["offset"] - lead} for entity in cut]


_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+)"
    r"|(?P<email>[\w.+-]+@[\w-]+\.[\w.-]+)"
    r"|(?<!\w)(?P<mention>@(?:[A-Za-z0-9_]{4,32}|gif|vid|pic))(?!\w)"
    r"|(?<![\w/<>])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32}(?!\w)|(?!@[A-Za-z0-9_])))(?![\w/<>])"
    r"|(?<![\w#])(?P<hashtag>#\w*[^\W\d]\w*)"
)


def found_entities(text: str) -> list[Entity]:
    """What the server marks by itself (tdlib/td, td/telegram/MessageEntity.cpp: match_mentions, find_mentions,
    match_bot_commands). `is_word_character` there is a letter or number of any script, or "_", as `\\w` here. Such a
    one right beside a name makes it none ("@bot你好" has no mention); signs don't ("/@bot" and "@@bot" have one).
    A path ("/a/b") has no command, and "/a@bc" none at all, because no bot's name is that short."""
    return [
        {"type": found.lastgroup, "offset": units(text[: found.start()]), "length": units(found.group())}
        for found in _FOUND.finditer(text)
    ]
