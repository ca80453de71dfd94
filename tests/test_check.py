"""What may be sent: refusals with their bounds, repairs, and that nothing leaves which the seeds' rules refuse."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.errors import InvalidRequest
from bot.gateways.catalogue import Catalogue
from bot.gateways.chat_api.check import check
from bot.gateways.chat_api.wire import encode, is_native
from bot.gateways.profiles import PROFILES
from bot.types import (
    FramesPart,
    ImagePart,
    ModelInfo,
    ModelRequest,
    Part,
    PromptMessage,
    TextPart,
    Translation,
    VideoPart,
)

CATALOGUE = Catalogue()
WCODE = PROFILES["wcode"]
URL = "https://example.org/a.png"


def user(*content: str | Part) -> PromptMessage:
    if len(content) == 1 and isinstance(content[0], str):
        return PromptMessage("user", content[0])
    return PromptMessage("user", tuple(TextPart(each) if isinstance(each, str) else each for each in content))


def said(text: str) -> PromptMessage:
    return PromptMessage("assistant", text)


def system(text: str) -> PromptMessage:
    return PromptMessage("system", text)


def picture(width: int = 64, height: int = 64, format: str = "PNG") -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, format)
    return f"data:image/{format.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def ready(request: ModelRequest, profile: str = "wcode", info: ModelInfo | None = None) -> ModelRequest:
    return check(request, info or CATALOGUE.info(request.model), PROFILES[profile])


def asked(*messages: PromptMessage, model: str = "qwen-plus", **parameters: Any) -> ModelRequest:
    return ModelRequest(model, messages, parameters)


# ── repairs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((user("a"),), (user("a"),)),
        ((system("s"), user("a")), (system("s"), user("a"))),
        ((user("a"), user("b")), (user("a\n\nb"),)),
        ((user("a"), said("b"), said("c"), user("d")), (user("a"), said("b\n\nc"), user("d"))),
        ((said("b"), user("a")), (user("a"),)),
        ((user("a"), said("b")), (user("a"),)),
        ((user("a"), system("s"), user("b"), system("t")), (system("s\n\nt"), user("a\n\nb"))),
        ((user("a"), said(""), user("b")), (user("a\n\nb"),)),
        ((user("a"), said(" \n"), user("b")), (user("a\n\nb"),)),
        ((system(""), user("a")), (user("a"),)),
        ((user("a", "b"),), (user("a\n\nb"),)),
        ((user("a"), PromptMessage("assistant", (TextPart("b"),)), user("c")), (user("a"), said("b"), user("c"))),
    ],
)
def test_histories_are_put_right(messages: tuple[PromptMessage, ...], expected: tuple[PromptMessage, ...]) -> None:
    assert ready(ModelRequest("qwen-plus", messages)).messages == expected


def test_pictures_keep_their_place_when_neighbours_are_joined() -> None:
    request = asked(user("a"), user("b", ImagePart(URL)), user(" ", ImagePart(URL)), model="qwen-vl-plus")
    expected = user("a", "b", ImagePart(URL), ImagePart(URL))
    assert ready(request).messages == (expected,)


@pytest.mark.parametrize(
    "messages", [(), (system("s"),), (said("a"),), (user(""),), (user(" \n"),), (user("a"), said("b"), user(""))]
)
def test_no_question_is_refused(messages: tuple[PromptMessage, ...]) -> None:
    with pytest.raises(InvalidRequest, match="nothing to answer"):
        ready(ModelRequest("qwen-plus", messages))


def test_what_says_nothing_is_not_sent() -> None:
    request = asked(user("a"), model="qwen-vl-plus", enable_search=False, temperature=None, seed=7)
    assert ready(request).parameters == {"seed": 7}


def test_translations_are_one_message() -> None:
    request = ModelRequest(
        "qwen-mt-turbo",
        (system("s"), user("x"), said("y"), user("你好", ImagePart(URL), "世界")),
        {"enable_search": True, "temperature": 0.5},
        Translation("英语"),
    )
    assert ready(request) == ModelRequest(
        "qwen-mt-turbo", (user("你好\n\n世界"),), {"temperature": 0.5}, Translation("English", "Chinese")
    )


def test_too_many_frames_are_thinned_evenly() -> None:
    urls = tuple(f"https://example.org/{number}.png" for number in range(400))
    part = ready(asked(user(FramesPart(urls), "?"), model="qwen-vl-max")).messages[0].content[0]
    assert isinstance(part, FramesPart)
    assert (len(part.urls), part.urls[0], part.urls[-1]) == (80, urls[0], urls[-1])
    assert list(part.urls) == sorted(part.urls, key=urls.index)
    assert len(set(part.urls)) == 80


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────

FRAMES = FramesPart((URL,) * 4)
VIDEO = VideoPart("https://example.org/v.mp4")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (asked(user("a", ImagePart(URL))), ["qwen-plus cannot see pictures", "qwen-vl-plus"]),
        (asked(user("a", FRAMES)), ["qwen-plus cannot watch videos", "qwen-vl-max"]),
        (asked(user("a", VIDEO)), ["qwen-plus cannot watch videos", "/model"]),
        (asked(user("a", VIDEO), model="qwen-vl-ocr"), ["qwen-vl-ocr cannot watch"]),
        (asked(user("a", FramesPart((URL,) * 3)), model="qwen-vl-max"), ["4–80", "got 3"]),
        (asked(user("a", ImagePart(URL), ImagePart(URL)), model="qwen-vl-ocr"), ["one picture at a time", "got 2"]),
        (asked(user("a"), model="qwen-vl-plus", enable_search=True), ["no web search", "qwen-plus"]),
        (asked(user("a"), model="qwen2.5-7b-instruct", enable_search=True), ["no web search"]),
        (asked(user("a"), model="qwen-long", enable_search=True), ["no web search"]),
        (asked(user("a"), temperature=2), ["temperature", "at least 0 and below 2, got 2"]),
        (asked(user("a"), temperature=math.nan), ["temperature"]),
        (asked(user("a"), top_p=0), ["top_p", "above 0", "got 0"]),
        (asked(user("a"), presence_penalty=2.1), ["presence_penalty", "got 2.1"]),
        (asked(user("a"), seed=-1), ["seed", "got -1"]),
        (asked(user("a"), seed=2**64), ["seed", str(2**64 - 1)]),
        (asked(user("a"), model="qwen-math-plus", max_tokens=3073), ["max_tokens for qwen-math-plus", "3072"]),
        (asked(user("a"), max_tokens=0), ["max_tokens", "got 0"]),
        (asked(user("a"), max_tokens=True), ["max_tokens"]),
        (asked(user("a"), stop=["你好", 123456]), ["stop must be all strings or all token ids"]),
        (asked(user("a"), stop=[""]), ["stop"]),
        (asked(user("a"), top_k=3), ["top_k is not a setting", "top_p"]),
        (ModelRequest("qwen-plus", (user("a"),), {}, Translation("English")), ["qwen-plus", "qwen-mt-turbo"]),
        (ModelRequest("qwen-mt-plus", (user("a"),)), ["/translate English"]),
        (ModelRequest("qwen-mt-plus", (user(" "),), {}, Translation("English")), ["nothing to translate"]),
        (ModelRequest("qwen-mt-plus", (user("你好"),), {}, Translation("Klingon")), ["Klingon is not supported"]),
        (ModelRequest("qwen-mt-plus", (user("a"),), {}, Translation("中文", "zh")), ["both be in Chinese"]),
        (ModelRequest("qwen-mt-plus", (user("你好世界"),), {}, Translation("Chinese")), ["both be in Chinese"]),
    ],
)
def test_refusals_say_why(request_: ModelRequest, words: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ready(request_)
    for word in words:
        assert word in str(caught.value)


def test_a_profile_may_be_narrower() -> None:
    request = asked(user("a"), seed=2**31)
    assert ready(request).parameters == {"seed": 2**31}
    with pytest.raises(InvalidRequest, match="2147483647"):
        ready(request, "dashscope")


def test_auto_is_for_gateways_that_know_it() -> None:
    request = ModelRequest("qwen-mt-plus", (user("Guten Morgen, wie geht es Ihnen?"),), {}, Translation("en", "auto"))
    assert ready(request, "dashscope").translation == Translation("English")
    assert ready(request, "wcode").translation == Translation("English", "German")


def test_a_text_in_no_language() -> None:
    def source(text: str, target: str) -> str | None:
        pair = ready(ModelRequest("qwen-mt-plus", (user(text),), {}, Translation(target))).translation
        return pair and pair.source

    assert source("12 + 30", "English") == "Chinese"
    assert source("12 + 30", "Thai") == "English"
    assert source("Ꮳ Ꮃ Ꭹ", "Thai") == "English"


def test_what_a_text_may_be_in_is_for_gateways_that_can_not_find_out() -> None:
    request = ModelRequest("qwen-mt-plus", (user("Ja"),), {}, Translation("English", guess="German"))
    assert ready(request).translation == Translation("English", "German")
    assert ready(request, "dashscope").translation == Translation("English")


def test_what_is_not_known_is_tried() -> None:
    unknown = ModelInfo("some-new-model")
    request = ModelRequest(
        "some-new-model", (user("a", ImagePart(URL), FRAMES, VIDEO),), {"enable_search": True, "max_tokens": 10**6}
    )
    assert ready(request, info=unknown) == request


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (picture(10, 64), ["10×64", "10"]),
        (picture(11, 2300), ["11×2300", "200"]),
        (picture().replace("image/png", "image/gif"), ["image/gif", "JPEG"]),
        (picture().replace("image/png", "text/html"), ["text/html"]),
        ("data:image/png;base64," + "A" * 10_000_000, ["10.0 MB", "10 MB"]),
        ("http://127.0.0.1/a.png", ["can't fetch that address"]),
        ("http://169.254.169.254/latest", ["can't fetch that address"]),
        ("file:///etc/passwd", ["can't fetch that address"]),
        ("", ["can't fetch that address"]),
    ],
)
def test_pictures_that_cannot_be_used(url: str, words: list[str]) -> None:
    for part in (ImagePart(url), FramesPart((URL, URL, URL, url))):
        with pytest.raises(InvalidRequest) as caught:
            ready(asked(user("a", part), model="qwen-vl-max"))
        for word in words:
            assert word in str(caught.value)


@pytest.mark.parametrize(
    "url", [picture(11, 11), picture(format="JPEG"), picture(format="WEBP"), "data:image/png;base64,AAAA", URL]
)
def test_pictures_that_can(url: str) -> None:
    request = asked(user("a", ImagePart(url)), model="qwen-vl-plus")
    assert ready(request) == request


def test_videos_by_address_or_where_the_gateway_allows_inside() -> None:
    inside = asked(user("a", VideoPart("data:video/mp4;base64,AAAA")), model="qwen-vl-max")
    assert ready(asked(user("a", VIDEO), model="qwen-vl-max")).messages == (user("a", VIDEO),)
    with pytest.raises(InvalidRequest, match="web address"):
        ready(inside)
    taking = replace(WCODE, video_data=True)
    assert check(inside, CATALOGUE.info("qwen-vl-max"), taking) == inside
    big = asked(user("a", VideoPart("data:video/mp4;base64," + "A" * 12_300_000)), model="qwen-vl-max")
    with pytest.raises(InvalidRequest, match=r"12\.3 MB"):
        check(big, CATALOGUE.info("qwen-vl-max"), taking)
    with pytest.raises(InvalidRequest, match="can't fetch"):
        ready(asked(user("a", VideoPart("http://10.0.0.1/v.mp4")), model="qwen-vl-max"))


def test_a_question_that_can_never_fit() -> None:
    with pytest.raises(InvalidRequest, match=r"about \d+ tokens; qwen-math-plus takes 4096"):
        ready(asked(user("字" * 20_000), model="qwen-math-plus"))
    assert ready(asked(user("字" * 5_000), model="qwen-math-plus")), "an estimate alone is not certain enough"
    with pytest.raises(InvalidRequest, match="tokens"):
        ready(asked(user("a", *[ImagePart(URL, tokens=1280)] * 20), model="qwen-vl-plus"))


# ── nothing leaves that the seeds refuse ────────────────────────────────────────────────────────────────────────────

CAPS = {
    row["id"]: row
    for row in csv.DictReader((files("bot.gateways") / "data" / "model_caps.csv").read_text("utf-8").splitlines())
}
LANGUAGES = (
    "Chinese",
    "English",
    "Japanese",
    "Korean",
    "Thai",
    "French",
    "German",
    "Spanish",
    "Arabic",
    "Indonesian",
    "Vietnamese",
    "Portuguese",
    "Italian",
    "Dutch",
    "Russian",
    "Khmer",
    "Lao",
    "Burmese",
    "Cebuano",
    "Filipino",
    "Czech",
    "Polish",
    "Persian",
    "Hebrew",
    "Turkish",
    "Hindi",
    "Bengali",
    "Urdu",
)
OPEN = re.compile(r"qwen(1\.5|2|2\.5)-|qwq-|qvq-")


def complaints(body: Mapping[str, Any]) -> list[str]:
    """The seeds' rules, written down a second time: what a strict gateway would say to a request."""
    found: list[str] = []
    model = body["model"]
    native = "input" in body
    messages = body["input"]["messages"] if native else body["messages"]
    fields = body.get("parameters", {}) if native else body
    found += _about_messages(messages, model, native)
    found += _about_numbers(fields, model)
    if native and ("stream" in body or "stream" in fields):
        found.append("a native request is not streamed")
    if fields.get("enable_search") and ("-vl-" in model or OPEN.match(model) or model in ("qwen-long",)):
        found.append("no search")
    options = body.get("translation_options")
    if (options is not None) != model.startswith("qwen-mt-"):
        found.append("translation_options")
    if options and not (options["source_lang"] in LANGUAGES and options["target_lang"] in LANGUAGES):
        found.append("language")
    if options and (len(messages) != 1 or not isinstance(messages[0]["content"], str)):
        found.append("more than a text to translate")
    return found


def _about_messages(messages: list[dict[str, Any]], model: str, native: bool) -> list[str]:
    found = []
    roles = [message["role"] for message in messages]
    talk = roles[1:] if roles[:1] == ["system"] else roles
    if talk != [("user", "assistant")[at % 2] for at in range(len(talk))] or len(talk) % 2 != 1:
        found.append(f"roles {roles}")
    for message in messages:
        content = message["content"]
        if native != isinstance(content, list) and not isinstance(content, list):
            found.append("a native message has parts")
        if not content or (isinstance(content, str) and not content.strip()):
            found.append("an empty message")
        for part in content if isinstance(content, list) else []:
            kind = next((name for name in ("image_url", "image", "video", "text") if name in part), "")
            if kind in ("image_url", "image", "video") and CAPS.get(model, {}).get("image", "1") == "0":
                found.append("blind")
            if kind == "video" and isinstance(part["video"], list) and len(part["video"]) < 4:
                found.append("too few frames")
            if kind == "":
                found.append(f"a part {part}")
    return found


def _about_numbers(fields: Mapping[str, Any], model: str) -> list[str]:
    def number(name: str) -> Any:
        value = fields[name]
        assert type(value) in (int, float), value
        return value

    rules = {
        "temperature": lambda value: 0 <= value < 2,
        "top_p": lambda value: 0 < value <= 1,
        "presence_penalty": lambda value: -2 <= value <= 2,
        "seed": lambda value: isinstance(value, int) and 0 <= value <= 2**64 - 1,
        "max_tokens": lambda value: (
            isinstance(value, int) and 1 <= value <= int(CAPS.get(model, {}).get("max_output") or 2**31)
        ),
    }
    found = [name for name, rule in rules.items() if name in fields and not rule(number(name))]
    stop = fields.get("stop")
    if isinstance(stop, list) and len({type(each) for each in stop}) != 1:
        found.append("stop")
    if stop is not None and (stop in ("", []) or not isinstance(stop, str | list)):
        found.append("stop")
    return found


def test_the_second_rulebook_is_strict() -> None:
    hello = [{"role": "user", "content": "hi"}]
    good: dict[str, Any] = {"model": "qwen-plus", "messages": hello, "enable_search": True, "temperature": 0}
    assert complaints(good) == []
    for wrong in (
        {"temperature": 2},
        {"top_p": 0},
        {"seed": 2**64},
        {"max_tokens": 9000},
        {"presence_penalty": -3},
        {"stop": ["a", 1]},
        {"messages": []},
        {"messages": hello * 2},
        {"messages": [{"role": "assistant", "content": "a"}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        {"model": "qwen-long"},
        {"model": "qwen-vl-plus"},
        {"model": "qwen2.5-7b-instruct"},
        {"translation_options": {"source_lang": "Chinese", "target_lang": "English"}},
        {"model": "qwen-mt-plus"},
    ):
        assert complaints({**good, **wrong}), wrong


MODELS = st.sampled_from([*CAPS, "qwen-plus", "qwen-mt-turbo", "qwen-vl-max", "some-new-model"])
GOOD = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.integers(1, 1024),
        "temperature": st.floats(0, 2, exclude_max=True),
        "top_p": st.floats(0, 1, exclude_min=True),
        "seed": st.integers(0, 2**64 - 1),
        "presence_penalty": st.floats(-2, 2),
        "stop": st.text(min_size=1, max_size=3)
        | st.lists(st.text(min_size=1, max_size=2), min_size=1, max_size=3)
        | st.lists(st.integers(0, 99), min_size=1, max_size=3),
    },
)
ODD = st.none() | st.booleans() | st.integers(-3, 2**65) | st.floats() | st.text(max_size=3)
WILD = st.fixed_dictionaries(
    {},
    optional={
        "enable_search": st.booleans() | ODD,
        "max_tokens": st.integers(0, 9000) | ODD,
        "temperature": st.floats(-0.5, 2.5) | ODD,
        "top_p": st.floats(-0.1, 1.1) | ODD,
        "seed": st.integers(-1, 2**64) | ODD,
        "presence_penalty": st.floats(-2.5, 2.5) | ODD,
        "stop": st.text(max_size=3) | st.lists(st.text(max_size=2) | st.integers(-1, 9), max_size=3) | ODD,
        "top_k": st.integers(),
    },
)
TEXT = st.text(max_size=8) | st.sampled_from(["你好", "hello", ""])
PARTS = st.lists(
    st.builds(TextPart, TEXT)
    | st.builds(ImagePart, st.sampled_from([URL, picture(), "http://localhost/a"]))
    | st.builds(lambda count: FramesPart((URL,) * count), st.integers(0, 90))
    | st.just(VIDEO),
    max_size=3,
).map(tuple)
ROLES = st.sampled_from(["system", "user", "assistant"])
TALKS = st.lists(st.builds(PromptMessage, ROLES, TEXT), max_size=6).map(tuple)
MESSAGES = TALKS | st.lists(st.builds(PromptMessage, ROLES, TEXT | PARTS), max_size=6).map(tuple)
NAMES = st.sampled_from([*LANGUAGES, "zh", "英语", "auto", "Klingon"])
TRANSLATIONS = st.builds(Translation, NAMES, st.none() | NAMES)


@st.composite
def requests(draw: st.DrawFn) -> ModelRequest:
    """Half of them sensible but for their history, half of them anything."""
    model = draw(MODELS)
    if draw(st.booleans()):
        return ModelRequest(model, draw(MESSAGES), draw(WILD), draw(st.none() | TRANSLATIONS))
    translation = Translation("English", "Chinese") if model.startswith("qwen-mt") else None
    seeing = CAPS.get(model, {}).get("image") == "1"
    history = draw(MESSAGES if seeing else TALKS)
    return ModelRequest(model, (*history, user("你好")), draw(GOOD), translation)


@settings(max_examples=500)
@given(requests(), st.sampled_from(["wcode", "chatfire", "generic"]))
def test_nothing_leaves_that_the_seeds_refuse(request_: ModelRequest, profile: str) -> None:
    try:
        checked = ready(request_, profile)
    except InvalidRequest:
        event("refused")
        return
    event("sent")
    body = encode(checked, stream=not is_native(checked), include_usage=True)
    assert complaints(body) == []
    json.dumps(body, allow_nan=False)
    assert ready(checked, profile) == checked, "what is right is left alone"


@given(MODELS, st.integers(0, 3), GOOD)
def test_what_the_seeds_allow_is_sent(model: str, rounds: int, parameters: dict[str, Any]) -> None:
    messages = (system("s"), *(user("你好"), said("b")) * rounds, user("你好"))
    translation = Translation("English", "Chinese") if model.startswith("qwen-mt") else None
    checked = ready(ModelRequest(model, messages, parameters, translation))
    assert checked.parameters == parameters
    assert complaints(encode(checked, stream=True)) == []
