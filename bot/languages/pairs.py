"""Language pairs: what people write after /translate: one language, two and which way, two without a way, or a text.
Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.errors import InvalidRequest
from bot.languages import names as languages
from bot.types import Translation

__all__ = ["Once", "Which", "parse"]

_AUTO = frozenset(("auto", "any", "any language", "detect", "自动", "任何语言", "自动检测"))
_BOTH = re.compile(
    r"<\s*[-=–—~]*\s*>|[↔⇄⇆⇋⇌⟷⇔⬌]\ufe0f?|互相?(?:翻?[译譯])|双向(?:翻译)?|"
    r"(?:in\s+)?both\s+(?:ways|directions)|vice\s+versa|\band back\b",
    re.IGNORECASE,
)
_ARROW = re.compile(
    r"(?P<source>.*?)(?:\s+(?:(?:in)?to|nach|vers)\s+|\s*(?:[-=–—]+>|>+|→|⇒|➡️?|翻?[译譯](?:成|为|為)?|翻成|转成|到)\s*)(?P<target>.+)",
    re.IGNORECASE | re.DOTALL,
)
_FROM = re.compile(
    r"(?:(?:in)?to\s+)?(?P<target>.+?)(?:\s*[,;，；、]\s*|\s+)(?:from|从|由|源语言)\s*(?P<source>.+)|(?P<to>.+?)\s*(?:<[-=]+|←|⇐)\s*(?P<of>.+)",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_FROM = re.compile(r"(?:from\s+|[从由]\s*)(?P<source>.+)", re.IGNORECASE | re.DOTALL)
_LEADING = re.compile(r"(?:(?:in)?to|from|between|use|用|从|由)\s+|(?:翻?[译譯](?:成|为|為)|[从由])", re.IGNORECASE)
_FILLER = re.compile(
    r"(?:(?:please|translate|everything|every|each|all|this|that|it|them|the|my|our|messages?|texts?|chat|conversation|"
    r"here)\b\s*|(?:请|把|将|所有|每条|全部|消息|这里的?|都|下面|以下|这[句段个]?|句?话|文字|内容|的)\s*)+",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"between\s+(?P<one>.+?)\s+and\s+(?P<two>.+)|在?(?P<a>.+?)[和与跟](?P<b>.+?)之间", re.IGNORECASE | re.DOTALL
)
_APART = re.compile(r"\s*(?:[,，、/|+&;；]|(?<=\s)(?:and|und|et|y|e)(?=\s)|[和与跟及]|[-–—_~]|\s)\s*", re.IGNORECASE)
_ONCE = re.compile(r"(?P<head>[^:：\n]{1,60})(?:[:：]\s*|\n+)(?P<text>.+)", re.DOTALL)
_SHORT = {
    "中": "Chinese",
    "汉": "Chinese",
    "英": "English",
    "日": "Japanese",
    "韩": "Korean",
    "韓": "Korean",
    "法": "French",
    "德": "German",
    "西": "Spanish",
    "俄": "Russian",
    "葡": "Portuguese",
    "意": "Italian",
    "荷": "Dutch",
    "泰": "Thai",
    "越": "Vietnamese",
    "阿": "Arabic",
    "波": "Polish",
    "捷": "Czech",
    "土": "Turkish",
    "希": "Hebrew",
    "印尼": "Indonesian",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Which:
    """Two languages, and nothing that says which way."""

    one: str
    two: str


@dataclass(frozen=True, slots=True)
class Once:
    """A text to be translated, this once. `odd`: it may be meant as a language, but is none that is known."""

    target: str
    text: str
    odd: bool = False


def parse(words: str) -> Translation | Which | Once:
    """ "English", "Chinese to English", "中译英", "en <-> zh", "中文 英文", "into French: hello". InvalidRequest names
    what is no language, or is missing."""
    if once := _once(words.strip()):
        return once
    words = words.strip().strip("。.!！?？").removesuffix("翻译")
    words = _FILLER.sub("", words, count=1).strip() if _FILLER.match(words) else words
    first, _, rest = words.partition(" ")
    words = rest.strip() if first.lower() in _AUTO and rest.strip() else words
    if _BOTH.search(words):
        return _both(words)
    if found := _BETWEEN.fullmatch(words):
        return _pair(found["one"] or found["a"], found["two"] or found["b"], both=True)
    if (whole := _known(_unled(words))) is not None and not _ONLY_FROM.fullmatch(words):
        return Translation(whole)
    return _directed(words) or _two(words) or Translation(_language(_unled(words)))


def _directed(words: str) -> Translation | Once | None:
    if found := _FROM.fullmatch(words):
        target, source = found["target"] or found["to"], found["source"] or found["of"]
        if _known(_unled(target)) is not None:
            return _pair(source, target)
    found = _ARROW.fullmatch(words)
    if found is not None and found["source"].strip():
        source, target = _unled(found["source"]), found["target"]
        if source.lower() in _AUTO:
            return Translation(_language(target))
        if _known(source) is None and _known(target) is not None and not _ONLY_FROM.match(words):
            return Once(_language(target), found["source"].strip(), odd=True)
        return _pair(source, target)
    if found is not None:
        return Translation(_language(found["target"]))
    if only := _ONLY_FROM.fullmatch(words):
        source = _language(only["source"])
        raise InvalidRequest("Name the language to translate into, too: /translate {source} to English", source=source)
    return None


def _pair(source: str, target: str, *, both: bool = False) -> Translation:
    one, two = _language(_unled(source)), _language(_unled(target))
    if one == two:
        raise InvalidRequest("Source and target are both {language}", language=two)
    return Translation(two, one, both=both)


def _both(words: str) -> Translation:
    found = [part for part in _BOTH.split(words) if part.strip(" ,，、;；")]
    if len(found) == 2:
        return _pair(found[0].strip(" ,，、;；"), found[1].strip(" ,，、;；"), both=True)
    pair = _between(found[0].strip(" ,，、;；")) if found else None
    if pair is None:
        raise InvalidRequest("Name two languages, to translate both ways: /translate Chinese <-> English")
    return _pair(*pair, both=True)


def _between(words: str) -> tuple[str, str] | None:
    arrow = _ARROW.fullmatch(words)
    if arrow is not None and _known(_unled(arrow["source"])) and _known(arrow["target"]):
        return arrow["source"], arrow["target"]
    two = _two(words)
    return None if two is None else (two.one, two.two)


def _two(words: str) -> Which | None:
    """Two languages side by side, or written together."""
    for one, two in _splits(words):
        first, second = _known(one), _known(two)
        if first is not None and second is not None:
            if first == second:
                raise InvalidRequest("Source and target are both {language}", language=second)
            return Which(first, second)
    if len([part for part in _APART.split(words) if _known(part)]) > 2:
        raise InvalidRequest("Name one language, or two: each message goes into one.")
    return None


def _splits(words: str) -> Iterator[tuple[str, str]]:
    for found in _APART.finditer(words):
        yield words[: found.start()], words[found.end() :]
    if not words.isascii():
        for at in range(1, len(words)):
            yield words[:at], words[at:]


def _once(words: str) -> Once | None:
    """ "French: hello", "Translate this into French: hello"."""
    found = _ONCE.fullmatch(words)
    if found is None:
        return None
    head = _FILLER.sub("", found["head"].strip(), count=1)
    target = _known(_unled(head))
    return None if target is None else Once(target, found["text"].strip())


def _unled(words: str) -> str:
    words = words.strip()
    return _LEADING.sub("", words, count=1).strip() if _LEADING.match(words) else words


def _known(name: str) -> str | None:
    try:
        return _language(name)
    except InvalidRequest:
        return None


def _language(name: str) -> str:
    short = _SHORT.get(name.strip())
    return short if short is not None else languages.resolve(name)
