"""The languages of the translation models: their names, and telling which one a text is in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidRequest
from bot.languages.detection import detect, read
from bot.languages.names import ENGLISH, chinese, resolve


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
    with pytest.raises(InvalidRequest) as caught:
        resolve(name)
    assert "is not supported. Supported: Chinese, English, Japanese" in str(caught.value)
    assert "20 more" in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", ["中文 英文", "zh en", "zh-en", "en_zh", "English, French", "德语 Klingon", "zh-"])
def test_two_are_not_one(name: str) -> None:
    with pytest.raises(InvalidRequest):
        resolve(name)


@pytest.mark.parametrize(
    ("name", "english"), [("es-AR", "Spanish"), ("zh-Hant-TW", "Chinese"), ("Chinese（简体）", "Chinese")]
)
def test_regions_are_left_aside(name: str, english: str) -> None:
    assert resolve(name) == english


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


# What people write to each other; none of these lines was looked at when the lists of words were made.
SHORT = {
    "English": ["The package arrives Thursday", "Bring your laptop please", "I forgot my umbrella"],
    "German": ["Das Paket kommt Donnerstag", "Welchen Zug nimmst du?", "Ich habe meinen Schirm vergessen"],
    "French": ["Le colis arrive jeudi", "Apporte ton ordinateur", "J’ai oublié mon parapluie"],
    "Spanish": ["El paquete llega el jueves", "¿Qué tren coges?", "Mucho tráfico"],
    "Portuguese": ["O pacote chega quinta-feira", "Que trem você pega?", "Esqueci meu guarda-chuva"],
    "Italian": ["Il pacco arriva giovedì", "Porta il portatile", "Ho dimenticato l'ombrello"],
    "Dutch": ["Het pakket komt donderdag", "Neem je laptop mee", "Welke trein neem je?"],
    "Indonesian": ["Naik kereta yang mana?", "Pemasok menaikkan harga", "Payung saya ketinggalan"],
    "Polish": ["Którym pociągiem jedziesz?", "Zapomniałem parasola", "Paczka przyjdzie w czwartek"],
    "Czech": ["Kterým vlakem jedeš?", "Zapomněl jsem deštník", "Vezmi si notebook"],
    "Turkish": ["Hangi trene biniyorsun?", "Şemsiyemi unuttum", "Paket perşembe günü gelecek"],
    "Vietnamese": ["Bạn đi tàu nào?", "Kẹt xe quá", "Tôi quên ô rồi"],
    "Filipino": ["Darating ang pakete sa Huwebes", "Dalhin mo ang laptop mo"],
    "Cebuano": ["Unsang trena imong sakyan?", "Dad-a ang imong laptop"],
    "Persian": ["سلام", "فردا می‌بینمت", "کجایی؟"],
    "Urdu": ["شکریہ", "کل ملتے ہیں"],
    "Arabic": ["صباح الخير", "أين أنت؟"],
}


@pytest.mark.parametrize(("english", "text"), [(english, text) for english, texts in SHORT.items() for text in texts])
def test_detect_short_lines(english: str, text: str) -> None:
    assert detect(text) == english


def test_what_may_be_several_languages_is_not_guessed_but_named() -> None:
    for text, may_be in (("Ja", "German"), ("Meeting um 10", "German"), ("Sige", "Filipino"), ("A domani", "Italian")):
        found = read(text)
        assert may_be in found.perhaps[: found.evident]
        assert found.surely == ()


def test_each_language_of_a_mixed_text_most_first() -> None:
    assert read("Let's meet at 王府井 tomorrow").surely == ("English", "Chinese")
    assert read("打开 Settings > General > About").surely == ("English", "Chinese")
    assert read("請問 Привет 안녕").surely[:1] != ()
    assert set(read("你好 Привет 안녕").surely) == {"Chinese", "Russian", "Korean"}


@pytest.mark.parametrize("text", ["", "12:30", "😀👍", "https://example.com/la", "@bob #tag", "a@b.org", "`code`", "…"])
def test_without_words_nothing_is_possible(text: str) -> None:
    assert read(text).possible == ()


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    found = read(text)
    assert set(found.surely) | set(found.perhaps) <= set(ENGLISH)
    assert found.evident <= len(found.perhaps)
