"""What a call costs, and how money is written and stored."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.gateways.catalogue import Catalogue
from bot.money.price import cost, label, show
from bot.types import ModelInfo, Money, Price, Text, Usage


@pytest.mark.parametrize(
    ("model", "input", "output", "amount"),
    [
        ("qwen2.5-14b-instruct", 20, 8, "0.000112"),
        ("qwen2.5-14b-instruct", 258, 328, "0.002344"),
        ("qwen-plus", 758, 68, "0.002065"),
        ("qwen2.5-14b-instruct", 20, 7, "0.000108"),
        ("qwen-vl-plus", 896, 44, "0.005640"),
        ("qwen-vl-max-latest", 5207, 110, "0.0611455"),
        ("qwen-vl-max-latest", 1466, 278, "0.020056"),
    ],
)
def test_the_documented_calls(model: str, input: int, output: int, amount: str) -> None:
    assert cost(Usage(input, output), Catalogue().info(model)) == Money(Decimal(amount), "CNY")


def test_an_unknown_price_is_not_zero() -> None:
    assert cost(Usage(10, 10), Catalogue().info("gpt-4o")) is None
    assert cost(Usage(10, 10), ModelInfo("m", price=Price(input=Decimal(1)))) is None
    assert cost(Usage(10, 10), ModelInfo("m", price=Price(flat=Decimal(0)))) == Money(Decimal(0))


def test_input_and_output_apart_and_cached() -> None:
    info = ModelInfo("m", price=Price("USD", input=Decimal("1"), output=Decimal("10"), cached=Decimal("0.25")))
    assert cost(Usage(1000, 100), info) == Money(Decimal("2"), "USD")
    assert cost(Usage(1000, 100, cached=400), info) == Money(Decimal("1.7"), "USD")
    assert cost(Usage(1000, 100, cached=4000), info) == Money(Decimal("1.25"), "USD")  # never more than there was


def test_cached_defaults_to_input() -> None:
    info = ModelInfo("m", price=Price(flat=Decimal("1")))
    assert cost(Usage(1000, 0, cached=400), info) == Money(Decimal("1"))


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0.000112", "CNY", "¥0.000112"),
        ("0.0611455", "CNY", "¥0.06115"),
        ("0.00000012345", "CNY", "¥0.0000001235"),
        ("123.0165", "CNY", "¥123.02"),
        ("9.9996", "CNY", "¥10.00"),
        ("1.2345", "USD", "$1.235"),
        ("1234567.5", "USD", "$1,234,567.50"),
        ("0", "CNY", "¥0.00"),
        ("-0.5", "CNY", "-¥0.50"),
        ("7", "XAF", "XAF 7.00"),
    ],
)
def test_show(amount: str, currency: str, shown: str) -> None:
    assert show(Money(Decimal(amount), currency), "en") == shown


def test_show_in_chinese() -> None:
    assert show(Money(Decimal("0.000112")), "zh-CN") == "¥0.000112"
    assert show(Money(Decimal("7"), "XAF"), "zh") == "7.00 XAF"


def test_label() -> None:
    assert label(None) == Text("price unknown")
    assert label(Price(flat=Decimal("0.0025"))) == Text("{price} per 1,000 tokens", {"price": "¥0.0025"})
    assert label(Price("USD", input=Decimal("0.0025"), output=Decimal("10.00"))) == Text(
        "{input} in, {output} out per 1,000 tokens", {"input": "$0.0025", "output": "$10"}
    )


def test_a_cost_that_nobody_can_pay_is_not_known() -> None:
    """The store keeps 9.2e9 of a currency at most, and sums of them."""
    dear = ModelInfo("m", price=Price("CNY", flat=Decimal(1000)))
    assert cost(Usage(10**6, 0), dear) == Money(Decimal(10**6))
    assert cost(Usage(10**6, 1), dear) is None
