"""The chat API's parameters: what people type, and the bounds."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidRequest
from bot.gateways.catalogue import Catalogue
from bot.gateways.parameters import PARAMETERS, resolve
from bot.types import Json, ModelInfo

CATALOGUE = Catalogue()
PLUS = CATALOGUE.info("qwen-plus")
UNKNOWN = CATALOGUE.info("something-new")


def taken(name: str, words: str, info: ModelInfo = PLUS) -> Json:
    parameter = PARAMETERS[name]
    return parameter.check(parameter.parse(words), info)


def refusal(name: str, words: str, info: ModelInfo = PLUS) -> str:
    with pytest.raises(InvalidRequest) as caught:
        taken(name, words, info)
    return str(caught.value)


def test_which_there_are() -> None:
    assert list(PARAMETERS) == [
        "enable_search",
        "enable_thinking",
        "max_tokens",
        "temperature",
        "top_p",
        "seed",
        "presence_penalty",
        "stop",
    ]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_example_is_taken(name: str) -> None:
    parameter = PARAMETERS[name]
    assert parameter.name == name
    assert parameter.hint.id
    assert parameter.check(parameter.parse(parameter.example), PLUS) is not None


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("temperature", "0.7", 0.7),
        ("temperature", " ０．７ ", 0.7),
        ("temperature", "0,7", 0.7),
        ("temperature", "0", 0.0),
        ("temperature", "1.999", 1.999),
        ("temperature", ".5", 0.5),
        ("temperature", "7e-1", 0.7),
        ("top_p", "1", 1.0),
        ("presence_penalty", "－２", -2.0),
        ("presence_penalty", "−1.5", -1.5),
        ("presence_penalty", "+2", 2.0),
        ("max_tokens", "8,192", 8192),
        ("max_tokens", "１２８", 128),
        ("seed", "18446744073709551615", 2**64 - 1),
        ("seed", "0", 0),
        ("enable_search", "ON", True),
        ("enable_search", "开", True),
        ("enable_search", "关闭", False),
        ("enable_search", "false", False),
        ("stop", '"END"', "END"),
        ("stop", "END", "END"),
        ("stop", '"END" "完"', ["END", "完"]),
        ("stop", "“完”、「终」", ["完", "终"]),
        ("stop", '"a b", c', ["a b", "c"]),
        ("stop", r'"\n\n"', "\n\n"),
        ("stop", r'"say \"x\""', 'say "x"'),
        ("stop", "123 456", [123, 456]),
        ("stop", "１２３,456", [123, 456]),
        ("stop", "123", [123]),
        ("stop", '"123"', "123"),
        ("stop", '["END", "完"]', ["END", "完"]),
    ],
)
def test_what_people_type(name: str, words: str, value: Json) -> None:
    got = taken(name, words)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("temperature", "2", "temperature must be at least 0 and below 2, got 2"),
        ("temperature", "-0.1", "temperature must be at least 0 and below 2, got -0.1"),
        ("temperature", "warm", "temperature must be a number such as 0.7, got warm"),
        ("temperature", "nan", "temperature must be a number such as 0.7, got nan"),
        ("temperature", "inf", "temperature must be a number such as 0.7, got inf"),
        ("temperature", "1e999", "temperature must be a number, got inf"),
        ("temperature", "", "temperature must be a number such as 0.7, got "),
        ("top_p", "0", "top_p must be above 0 and at most 1, got 0"),
        ("top_p", "1.01", "top_p must be above 0 and at most 1, got 1.01"),
        ("presence_penalty", "2.1", "presence_penalty must be from -2 to 2, got 2.1"),
        ("seed", "-1", "seed must be a whole number from 0 to 18446744073709551615, got -1"),
        (
            "seed",
            "18446744073709551616",
            "seed must be a whole number from 0 to 18446744073709551615, got 18446744073709551616",
        ),
        ("seed", "1.5", "seed must be a whole number such as 42, got 1.5"),
        ("max_tokens", "0", "max_tokens for qwen-plus is 1–8192, got 0"),
        ("max_tokens", "8193", "max_tokens for qwen-plus is 1–8192, got 8193"),
        ("enable_search", "maybe", "enable_search must be on or off, got maybe"),
        ("stop", '"END" 123', 'stop must be all strings or all token ids, not both; got ["END", 123]'),
        ("stop", '""', "stop must not have an empty text"),
        ("stop", '"END" ""', "stop must not have an empty text"),
        ("stop", "  ", 'stop must be a text such as "END", or token ids such as 123 456'),
        ("stop", '"END', 'stop has a quote that does not end: "END'),
        ("stop", "-5", "a token id in stop must be from 0 to 2147483647, got [-5]"),
        ("stop", "[true]", "stop must be all strings or all token ids, got [true]"),
    ],
)
def test_what_is_refused_and_in_which_words(name: str, words: str, said: str) -> None:
    assert refusal(name, words) == said


def test_the_bound_depends_on_the_model() -> None:
    math_plus = CATALOGUE.info("qwen-math-plus")
    assert taken("max_tokens", "3072", math_plus) == 3072
    assert refusal("max_tokens", "3073", math_plus) == "max_tokens for qwen-math-plus is 1–3072, got 3073"
    assert taken("max_tokens", "100000", UNKNOWN) == 100_000


def test_search_needs_a_model_that_has_it() -> None:
    assert refusal("enable_search", "on", CATALOGUE.info("qwen-vl-plus")) == (
        "qwen-vl-plus has no web search. Models with search: qwen-plus, qwen-turbo, qwen-max"
    )
    assert taken("enable_search", "off", CATALOGUE.info("qwen-vl-plus")) is False
    assert taken("enable_search", "on", UNKNOWN) is True  # not known: to be tried


@pytest.mark.parametrize("name", ["temperature", "top_p", "presence_penalty", "seed", "max_tokens"])
@pytest.mark.parametrize("value", [True, False, math.nan, math.inf, -math.inf, "1", None, [1], {"a": 1}])
def test_wrong_types(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest):
        PARAMETERS[name].check(value, PLUS)


@pytest.mark.parametrize("value", [1, 0, "on", None])
def test_a_switch_is_true_or_false(value: Json) -> None:
    with pytest.raises(InvalidRequest):
        PARAMETERS["enable_search"].check(value, PLUS)


@pytest.mark.parametrize("value", [[], None, 5, True, [1.5], ["a", None], ["a", 1], [[]]])
def test_what_stop_can_not_be(value: Json) -> None:
    with pytest.raises(InvalidRequest):
        PARAMETERS["stop"].check(value, PLUS)


def test_a_whole_float_is_a_whole_number() -> None:
    seed = PARAMETERS["seed"].check(3.0, PLUS)
    assert seed == 3
    assert isinstance(seed, int)


def test_a_long_value_is_shortened_in_the_words() -> None:
    assert len(refusal("temperature", "x" * 10_000)) < 150


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("search", "enable_search"),
        ("联网", "enable_search"),
        ("Temperature", "temperature"),
        ("温度", "temperature"),
        ("top-p", "top_p"),
        ("Top P", "top_p"),
        ("max tokens", "max_tokens"),
        ("ｓｅｅｄ", "seed"),
    ],
)
def test_other_names(alias: str, name: str) -> None:
    assert resolve(alias).name == name


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InvalidRequest, match=r"warmth is not a setting\. Settings: enable_search, enable_th"):
        resolve("warmth")


@given(st.sampled_from(sorted(PARAMETERS)), st.text(max_size=40))
def test_whatever_is_typed_is_taken_or_refused(name: str, words: str) -> None:
    try:
        value = taken(name, words)
    except InvalidRequest:
        return
    json.dumps(value, allow_nan=False)
    assert PARAMETERS[name].check(value, PLUS) == value
