"""The estimator of tokens, against the counts in the documented answers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateways.tokens import PER_ANSWER, PER_MESSAGE, Calibration, estimate, frames_tokens, image_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("你好!有什么我可以帮助你的吗?", 8),
        (
            "这是一张户外照片,一只狗正在草地上咬着一根木棍。这只狗看起来很放松,并且在享受它的时光。"
            "背景中有一些树木和草地的模糊图像,给人一种宁静的感觉。",
            44,
        ),
        (
            "今天是2025年2月16日,星期日。根据公历,今天是2月的第3周,是2025年的第7周,今年的第47天,距离全年结束还有318天。"
            "当前节气是立春,季节上还处于冬季。",
            68,
        ),
    ],
)
def test_near_the_reported_counts(text: str, tokens: int) -> None:
    assert estimate(text) == pytest.approx(tokens, rel=0.2)


def test_a_documented_prompt() -> None:
    said = ("You are a helpful assistant.", "你好")
    assert sum(PER_MESSAGE + estimate(text) for text in said) + PER_ANSWER == pytest.approx(20, abs=2)


def test_nothing_is_nothing_and_anything_is_something() -> None:
    assert estimate("") == 0
    assert estimate(" ") == 1
    assert estimate("a") == 1


def test_scripts_weigh_differently() -> None:
    assert estimate("字" * 100) == 60
    assert estimate("a" * 100) == 27
    assert estimate("я" * 100) == 33
    assert estimate("မ" * 100) == 121
    assert estimate("7" * 100) == 100  # digits are one token each: the bound holds


@given(st.text())
def test_never_more_than_bytes(text: str) -> None:
    assert 0 <= estimate(text) <= len(text.encode("utf-8", "surrogatepass"))


def test_fast_on_a_long_text() -> None:
    text = ("Hello 你好 Привет 👋 1234\n" * 5000)[:100_000]
    start = time.process_time()
    for _ in range(5):
        estimate(text)
    assert time.process_time() - start < 1.0  # about 0.04 on an ordinary machine


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((640, 480), 393), ((1280, 720), 1198), ((1280, 960), 1232), ((4000, 3000), 1232), ((1, 1), 6), ((0, 0), 6)],
)
def test_image_tokens(size: tuple[int, int], tokens: int) -> None:
    assert image_tokens(*size) == tokens


def test_frames_tokens_of_the_documented_call() -> None:
    assert frames_tokens(3840, 2160, 4) == 1440
    assert frames_tokens(3840, 2160, 5) == 2160


def test_calibration_learns_per_gateway_and_model() -> None:
    calibration = Calibration()
    for _ in range(30):
        calibration.learn("a", "m", reported=120, estimated=100)
    assert calibration.factor("a", "m") == pytest.approx(1.2, abs=0.01)
    assert calibration.factor("b", "m") == 1.0


def test_calibration_is_clamped_and_ignores_nonsense() -> None:
    calibration = Calibration()
    for _ in range(100):
        calibration.learn("g", "high", reported=1000, estimated=1)
        calibration.learn("g", "low", reported=1, estimated=1000)
        calibration.learn("g", "none", reported=0, estimated=10)
        calibration.learn("g", "none", reported=10, estimated=0)
    assert calibration.factor("g", "high") == pytest.approx(1.6)
    assert calibration.factor("g", "low") == pytest.approx(0.7)
    assert calibration.factor("g", "none") == 1.0


def test_one_odd_report_does_not_upset_it() -> None:
    calibration = Calibration()
    calibration.learn("g", "m", reported=100_000, estimated=1)
    assert calibration.factor("g", "m") == pytest.approx(1.12)
