"""Languages as people write them after /translate."""

from __future__ import annotations

import pytest

from bot.errors import InvalidRequest
from bot.languages.pairs import Once, Which, parse
from bot.types import Translation

ZH, EN, FR, JA = "Chinese", "English", "French", "Japanese"


ONE_WAY = [
    ("English|to English|into English.|en|英文|翻译成英文|请翻译成英文|everything to English", EN, None),
    ("auto to English|auto English|自动 英文|any -> English|自动 → 英语|把所有消息翻译成英文", EN, None),
    ("中译英|中文译成英文|从中文翻译成英文|中文到英文|English from Chinese", EN, ZH),
    ("zh->en|zh > en|zh to en|from Chinese to English", EN, ZH),
    ("into French, from Japanese|日译法|ja → fr|French <- Japanese|由日语译为法语", FR, JA),
    ("pt-BR -> zh-TW|brazilian portuguese to chinese", ZH, "Portuguese"),
]
BOTH = (
    "中文 <-> English|中英互译|中文英文互译|zh<->en|zh ↔ en|Chinese English both ways|双向 中文 英文|中文⇄英文|"
    "between Chinese and English|中文和英文之间|Chinese to English and back|zh,en vice versa|中 <=> 英|zh <> en"
)
WHICH = "中文 英文|zh en|zh-en|zh/en|中英|中英翻译|Chinese and English|中文和英文|Chinese, English|Chinese – English"


@pytest.mark.parametrize(
    ("words", "target", "source"), [(each, *pair) for some, *pair in ONE_WAY for each in str(some).split("|")]
)
def test_one_way(words: str, target: str, source: str | None) -> None:
    assert parse(words) == Translation(target, source)


@pytest.mark.parametrize("words", BOTH.split("|"))
def test_both_ways(words: str) -> None:
    assert parse(words) == Translation(EN, ZH, both=True)


@pytest.mark.parametrize("words", WHICH.split("|"))
def test_two_languages_without_a_way_are_asked_about(words: str) -> None:
    assert parse(words) == Which(ZH, EN)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("This into French: hello", "hello"),
        ("French: Wie geht's? To be: or not", "Wie geht's? To be: or not"),
        ("into French\nhello\nworld", "hello\nworld"),
        ("把下面这句话翻译成法文：你好", "你好"),
    ],
)
def test_a_text_is_no_language(words: str, text: str) -> None:
    assert parse(words) == Once(FR, text)
    assert parse("hello into French") == Once(FR, "hello", odd=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Klingon", "Klingon is not supported"),
        ("中文 Klingon", "中文 Klingon is not supported"),
        ("zh en fr", "Name one language, or two"),
        ("both ways", "Name two languages"),
        ("中文互译", "Name two languages"),
        ("中文 <-> 汉语", "Source and target are both Chinese"),
        ("German to de", "Source and target are both German"),
        ("from Japanese", "Name the language to translate into, too"),
        ("从日语", "Name the language to translate into, too"),
    ],
)
def test_what_is_missing_or_unknown_is_said(words: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        parse(words)
