"""The catalogue: the price list, aliases, families, a gateway's own list, overrides."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.errors import SettingError
from bot.gateways.catalogue import Catalogue, able, base_ids
from bot.types import Json, Price

LISTED = """
qwen2.5-vl-7b-instruct qwen2.5-vl-72b-instruct qwen2.5-vl-3b-instruct qwen2.5-7b-instruct-1m qwen2.5-14b-instruct-1m
qwen2-vl-72b-instruct qvq-72b-preview qwen-mt-plus qwen-mt-turbo qwen-plus qwen-turbo qwen-vl-max qwq-32b-preview
qwen-vl-ocr qwen2.5-coder-14b-instruct qwen2.5-coder-32b-instruct qwen-coder-plus qwen-max qwen-coder-turbo
qwen2.5-math-7b-instruct qwen2.5-math-72b-instruct qwen2.5-coder-7b-instruct qwen2.5-7b-instruct qwen2.5-72b-instruct
qwen2.5-14b-instruct qwen-math-turbo qwen2.5-32b-instruct qwen2.5-3b-instruct qwen-vl-plus qwen-math-plus
qwen2-math-7b-instruct qwen2-math-72b-instruct qwen2-72b-instruct qwen2-57b-a14b-instruct qwen2-7b-instruct qwen-long
farui-plus qwen1.5-110b-chat qwen1.5-7b-chat qwen1.5-72b-chat qwen1.5-32b-chat qwen1.5-14b-chat
""".split()  # noqa: SIM905 - forty-two ids read better so


def test_the_price_list_in_its_order() -> None:
    models = Catalogue().all()
    assert [info.id for info in models] == LISTED
    assert all(info.listed and info.price and info.context and info.max_output for info in models)
    assert [info.id for info in models if info.recent] == LISTED[:9]


def test_a_listed_model_in_full() -> None:
    info = Catalogue().info("qwen-plus")
    assert (info.name, info.date, info.recent) == ("通义千问-Plus", "2024-12-20", False)
    assert info.price == Price("CNY", flat=Decimal("0.0025"))
    assert (info.context, info.max_output) == (131072, 8192)
    assert (info.image, info.frames, info.video, info.search) == (False, False, False, True)
    assert (info.translation, info.stream_only, info.cumulative) == (False, False, False)


def test_who_can_do_what() -> None:
    assert able("search") == ("qwen-plus", "qwen-turbo", "qwen-max")
    assert able("translation") == ("qwen-mt-plus", "qwen-mt-turbo")
    assert "qwen-vl-plus" in able("image")
    assert "qwen-plus" not in able("image")


def test_cumulative_and_stream_only() -> None:
    models = Catalogue().all()
    assert [info.id for info in models if info.cumulative] == ["qwen-mt-plus", "qwen-mt-turbo"]
    assert [info.id for info in models if info.stream_only] == ["qvq-72b-preview", "qwq-32b-preview"]
    assert not Catalogue().info("qwen-mt-flash").cumulative
    assert Catalogue().info("qwen-mt-flash").translation


def test_an_alias_with_abilities_of_its_own_takes_the_price_of_its_base() -> None:
    info = Catalogue().info("qwen-vl-max-latest")
    assert info.id == "qwen-vl-max-latest"
    assert info.price == Price("CNY", flat=Decimal("0.0115"))
    assert (info.context, info.max_output, info.video) == (131072, 8192, True)
    assert not info.listed


@pytest.mark.parametrize(
    ("id", "base"),
    [
        ("qwen-max-latest", "qwen-max"),
        ("qwen-max-0919", "qwen-max"),
        ("qwen-plus-2025-03-25", "qwen-plus"),
        ("qwen-plus-20250325", "qwen-plus"),
        ("Qwen/Qwen2.5-72B-Instruct", "qwen2.5-72b-instruct"),
        ("qwen/qwen-2.5-7b-instruct", "qwen2.5-7b-instruct"),
        ("pro/qwen/qwen-vl-max-latest", "qwen-vl-max"),
        (" QWEN-PLUS ", "qwen-plus"),
    ],
)
def test_what_an_alias_stands_for(id: str, base: str) -> None:
    assert base_ids(id)[-1] == base
    info, known = Catalogue().info(id), Catalogue().info(base)
    assert info.id == id
    assert (info.price, info.image, info.search, info.name) == (known.price, known.image, known.search, known.name)


@pytest.mark.parametrize(
    "id", ["qwen3-235b-a22b-instruct-2507", "moonshot-v1-128k", "qwen-max-9919", "gpt-4-1106-preview"]
)
def test_what_is_no_snapshot(id: str) -> None:
    assert base_ids(id) == (id,)


def test_a_snapshot_has_its_own_date() -> None:
    assert Catalogue().info("qvq-max-2025-03-25").date == "2025-03-25"
    assert Catalogue().info("qwen-plus-latest").date == ""


def test_another_tariff_has_no_known_price() -> None:
    info = Catalogue().info("qwen-plus:free")
    assert info.price is None
    assert info.search is True


@pytest.mark.parametrize(
    ("id", "image", "reasoning"),
    [
        ("gpt-4o-2024-08-06", True, False),
        ("gpt-3.5-turbo", False, False),
        ("o3", True, True),
        ("o3-mini", False, True),
        ("claude-sonnet-4-20250514", True, None),
        ("anthropic/claude-3.5-sonnet", True, None),
        ("internvl2.5-78b", True, None),
        ("glm-4v-plus", True, False),
        ("glm-4-plus", False, None),
        ("minicpm-v-2_6", True, False),
        ("doubao-1.5-vision-pro-32k", True, None),
        ("doubao-pro-32k", False, False),
        ("deepseek-chat", False, None),
        ("deepseek-r1", False, True),
        ("hunyuan-vision", True, None),
        ("hunyuan-large", False, None),
        ("gemini-2.5-pro", True, True),
        ("ernie-4.5-turbo-vl", True, None),
        ("qwen3-32b", False, True),
        ("qwen3-vl-plus", True, None),
        ("qwen2.5-omni-7b", True, False),
        ("something-new", None, None),
        ("", None, None),
    ],
)
def test_families(id: str, image: bool | None, reasoning: bool | None) -> None:
    info = Catalogue().info(id)
    assert (info.image, info.reasoning) == (image, reasoning)
    assert info.price is None
    assert not info.listed


def test_omni_and_open_qwen3_only_stream() -> None:
    assert Catalogue().info("qwen-omni-turbo").stream_only
    assert Catalogue().info("qwen3-8b").stream_only


@pytest.mark.parametrize(
    ("id", "thinking"),
    [
        ("qwen3-8b", True),
        ("Qwen/Qwen3-235B-A22B", True),
        ("qwen3-30b-a3b-thinking-2507", False),
        ("qwen3-30b-a3b-instruct-2507", False),
        ("qwen2.5-7b-instruct", False),
        ("qwq-32b-preview", False),
        ("qwen-mt-plus", False),
        ("qwen-plus", None),
    ],
)
def test_whether_thinking_can_be_switched(id: str, thinking: bool | None) -> None:
    assert Catalogue().info(id).thinking is thinking
    assert Catalogue(thinking=False).info(id).thinking is False
    assert Catalogue({"qw*": {"thinking": True}}, thinking=False).info("qwen3-8b").thinking is True


def test_a_gateways_own_list() -> None:
    catalogue = Catalogue()
    catalogue.merge(["qwen-plus", "deepseek-chat", "deepseek-chat", "new/model"])
    assert [info.id for info in catalogue.all()] == [*LISTED, "deepseek-chat", "new/model"]
    assert catalogue.info("deepseek-chat").listed


def test_overrides_win() -> None:
    catalogue = Catalogue(
        {
            "qwen-*": {"context": 1000},
            "qwen-plus": {"price": 0.01, "context": 2000, "name": "Plus", "image": True},
            "gpt-4o": {"price": {"currency": "USD", "input": "2.5", "output": 10, "cached": 1.25, "per": 1_000_000}},
        }
    )
    plus = catalogue.info("qwen-plus")
    assert (plus.price, plus.context, plus.name, plus.image) == (Price(flat=Decimal("0.01")), 2000, "Plus", True)
    assert catalogue.info("qwen-turbo").context == 1000
    assert catalogue.info("qwen-plus-latest").context == 2000  # a snapshot follows its base before it follows a pattern
    assert catalogue.info("gpt-4o").price == Price(
        "USD", input=Decimal("0.0025"), output=Decimal("0.01"), cached=Decimal("0.00125")
    )
    assert [info.id for info in catalogue.all()] == [*LISTED, "gpt-4o"]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"image": 1}, 'models."m".image'),
        ({"context": 0}, 'models."m".context'),
        ({"context": True}, 'models."m".context'),
        ({"max_output": "8k"}, 'models."m".max_output'),
        ({"price": -1}, 'models."m".price'),
        ({"price": "cheap"}, 'models."m".price'),
        ({"price": float("nan")}, 'models."m".price'),
        ({"price": "1e999999999"}, 'models."m".price'),
        ({"price": "1e-999999999"}, 'models."m".price'),
        ({"price": 10**10}, 'models."m".price'),
        ({"price": True}, 'models."m".price'),
        ({"price": {}}, 'models."m".price'),
        ({"price": {"input": 1}}, 'models."m".price'),
        ({"price": {"flat": 1, "input": 1, "output": 1}}, 'models."m".price'),
        ({"price": {"flat": 1, "per": 0}}, 'models."m".price.per'),
        ({"price": {"flat": 1, "currency": "yuan"}}, 'models."m".price.currency'),
        ({"price": {"flat": 1, "vat": 1}}, 'models."m".price.vat'),
        ({"colour": "red"}, 'models."m".colour'),
        ({"name": 1}, 'models."m".name'),
    ],
)
def test_a_bad_override_names_its_key(table: dict[str, Json], key: str) -> None:
    with pytest.raises(SettingError) as caught:
        Catalogue({"m": table})
    assert caught.value.name == key
    assert str(caught.value).startswith(f"{key}: ")


def test_a_look_up_is_remembered_and_a_list_of_the_gateway_counts_all_the_same() -> None:
    catalogue = Catalogue()
    before = catalogue.info("vendor/some-model")
    assert catalogue.info("vendor/some-model") is before
    assert not before.listed
    catalogue.merge(["vendor/some-model"])
    assert catalogue.info("vendor/some-model").listed
    for number in range(10_050):  # whatever people type
        catalogue.info(f"m{number}")
    assert len(catalogue._found) <= 10_000
