"""The languages of the translation models: their names, and telling which one a text is in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat_api.languages import ENGLISH, chinese, detect, resolve
from bot.errors import RequestRefused


def test_the_twenty_eight() -> None:
    assert len(ENGLISH) == 28
    assert ENGLISH[:3] == ("Chinese", "English", "Japanese")
    assert chinese("Portuguese") == "巴西葡萄牙语"


@pytest.mark.parametrize("english", ENGLISH)
def test_its_own_names(english: str) -> None:
    assert resolve(english) == english
    assert resolve(english.upper()) == english
    assert resolve(chinese(english)) == english


@pytest.mark.parametrize(
    ("names", "english"),
    [
        ("中文 汉语 简体中文 繁體中文 Mandarin zh zh-CN zh_Hans ZH-TW", "Chinese"),
        ("英文 英语 en EN-us en_GB", "English"),
        ("日文 日语 ja jp 日本語", "Japanese"),
        ("韩文 ko 한국어", "Korean"),
        ("法文 fr Français francais FRANÇAIS fr-BE", "French"),
        ("德文 de Deutsch", "German"),
        ("西语 es Español espanol castellano es-419", "Spanish"),
        ("葡萄牙语 pt pt-BR Português", "Portuguese"),
        ("意大利文 it Italiano", "Italian"),
        ("ceb Bisaya 宿雾语", "Cebuano"),
        ("fil tl Tagalog 菲律宾文", "Filipino"),
        ("俄文 ru Русский", "Russian"),
        ("fa Farsi فارسی", "Persian"),
        ("ar العربية", "Arabic"),
        ("he iw עברית", "Hebrew"),
        ("my 缅语 မြန်မာ", "Burmese"),
        ("km ខ្មែរ", "Khmer"),
        ("hi हिन्दी", "Hindi"),
        ("bn বাংলা", "Bengali"),
        ("ur اردو", "Urdu"),
        ("cs Čeština cestina", "Czech"),
        ("tr Türkçe turkce", "Turkish"),
    ],
)
def test_many_names(names: str, english: str) -> None:
    assert {name: resolve(name) for name in names.split()} == dict.fromkeys(names.split(), english)


@pytest.mark.parametrize(
    ("name", "english"),
    [
        (" english. ", "English"),
        ("“德语”", "German"),
        ("Tiếng Việt", "Vietnamese"),
        ("brazilian  portuguese", "Portuguese"),
        ("Chinese (Simplified)", "Chinese"),
        ("ＥＮ", "English"),
    ],
)
def test_loosely_written(name: str, english: str) -> None:
    assert resolve(name) == english


@pytest.mark.parametrize("name", ["Klingon", "", "  ", "xx", "auto", "x" * 500, "-"])
def test_an_unknown_one_names_some_that_are_known(name: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        resolve(name)
    assert "is not supported. Supported: Chinese, English, Japanese" in str(caught.value)
    assert "20 more" in str(caught.value)
    assert len(str(caught.value)) < 250


TEXTS = {
    "Chinese": ["你好", "今天是星期几?", "请把 authentication middleware 翻译一下"],
    "English": ["Hello", "What is the weather today?", "hello world", "See https://example.fr/le/la/les for more"],
    "Japanese": ["こんにちは", "東京はどこですか", "カメラ"],
    "Korean": ["안녕하세요", "서울은 어디에 있습니까?"],
    "French": ["Bonjour", "Où est la gare ?", "Je voudrais un café"],
    "German": ["Guten Tag", "Ich möchte ein Bier bitte", "Wo ist der Bahnhof?"],
    "Spanish": ["Hola", "¿Dónde está la biblioteca?", "Buenos días amigo"],
    "Portuguese": ["Olá, bom dia", "Não sei o que fazer", "Obrigado"],
    "Italian": ["Ciao, come stai?", "Grazie mille", "Dove è il bagno"],
    "Dutch": ["Hallo, hoe gaat het met jou?", "Dank je wel"],
    "Indonesian": ["Selamat pagi, apa kabar?", "Terima kasih"],
    "Vietnamese": ["Xin chào", "Cảm ơn bạn rất nhiều"],
    "Cebuano": ["Maayong buntag kanimo", "Unsa kini nga butang"],
    "Filipino": ["Magandang umaga po", "Kumusta ka"],
    "Czech": ["Dobrý den", "Kde je nádraží, prosím?"],
    "Polish": ["Dzień dobry", "Gdzie jest dworzec?"],
    "Turkish": ["Merhaba", "Teşekkür ederim", "Bu ne kadar?"],
    "Russian": ["Привет", "Как дела?"],
    "Arabic": ["مرحبا", "كيف حالك؟", "في"],
    "Persian": ["سلام، حال شما چطور است؟", "متشکرم"],
    "Urdu": ["آپ کیسے ہیں؟", "میں ٹھیک ہوں"],
    "Hebrew": ["שלום"],
    "Hindi": ["नमस्ते"],
    "Bengali": ["হ্যালো"],
    "Thai": ["สวัสดี"],
    "Khmer": ["ជំរាបសួរ"],
    "Lao": ["ສະບາຍດີ"],
    "Burmese": ["မင်္ဂလာပါ"],
}


def test_a_sample_for_each() -> None:
    assert set(TEXTS) == set(ENGLISH)


@pytest.mark.parametrize(("english", "text"), [(english, text) for english, texts in TEXTS.items() for text in texts])
def test_detect(english: str, text: str) -> None:
    assert detect(text) == english


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123 456",
        "😀😀",
        "xyzzy plugh",
        "https://example.com/the/of",
        "Привіт, як справи?",
        "Hej, hur mår du?",
        "Szia, hogy vagy?",
        "Bună ziua",
        "`the of and`",
    ],
)
def test_none_rather_than_a_guess(text: str) -> None:
    assert detect(text) is None


def test_most_of_the_text_decides() -> None:
    assert detect("The word 茶 means tea, and it is written like this in most of the books that I have.") == "English"
    assert detect("我想学习 Python 编程,请问应该从哪里开始比较好?") == "Chinese"


@given(st.text())
def test_never_fails(text: str) -> None:
    assert detect(text) in (None, *ENGLISH)
