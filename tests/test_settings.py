"""What holds in a chat: rows over defaults, the narrowest scope last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.settings.overlay import DEFAULT, effective, to_json
from bot.types import Chat, ChatSettings, Json, SettingRow, Translation

CHAT = Chat("web", "local", "c1", "t1")
EVERYWHERE, ACCOUNT, ROOM, THREAD = CHAT.scopes
DEFAULTS = ChatSettings("qwen-plus")


def row(scope: str, name: str, value: Json) -> SettingRow:
    return SettingRow(scope, name, value, by="u1", at=1)


def test_without_rows_the_defaults_hold() -> None:
    assert effective(DEFAULTS, []) == ChatSettings("qwen-plus", origins={"model": DEFAULT})
    rich = ChatSettings("m", "Be kind.", {"seed": 1}, Translation("English"))
    assert effective(rich, []).origins == dict.fromkeys(("model", "seed", "system", "translate"), DEFAULT)


def test_the_narrowest_scope_wins_and_is_named() -> None:
    rows = [
        row(EVERYWHERE, "model", "qwen-turbo"),
        row(EVERYWHERE, "temperature", 1.0),
        row(ROOM, "model", "qwen-max"),
        row(ROOM, "system", "Be brief."),
        row(THREAD, "temperature", 0),
    ]
    held = effective(DEFAULTS, rows)
    assert (held.model, held.system, held.parameters) == ("qwen-max", "Be brief.", {"temperature": 0})
    assert held.origins == {"model": ROOM, "system": ROOM, "temperature": THREAD}


def test_a_row_of_none_lets_the_wider_scope_through() -> None:
    rows = [row(ACCOUNT, "model", "qwen-max"), row(ROOM, "model", None), row(ROOM, "top_p", None)]
    held = effective(DEFAULTS, rows)
    assert held.model == "qwen-max"
    assert held.parameters == {}
    assert held.origins == {"model": ACCOUNT}


def test_a_default_parameter_can_be_overridden_but_not_lost() -> None:
    defaults = ChatSettings("m", parameters={"temperature": 0.3})
    assert effective(defaults, [row(ROOM, "temperature", 1.5)]).parameters == {"temperature": 1.5}
    assert effective(defaults, [row(ROOM, "temperature", None)]).parameters == {"temperature": 0.3}
    assert defaults.parameters == {"temperature": 0.3}


def test_an_empty_system_prompt_hides_a_wider_one() -> None:
    held = effective(DEFAULTS, [row(ACCOUNT, "system", "Be kind."), row(ROOM, "system", "")])
    assert held.system == ""
    assert held.origins["system"] == ROOM


@pytest.mark.parametrize("wanted", [Translation("English"), Translation("Thai", "Chinese")])
def test_a_translation_survives_its_row(wanted: Translation) -> None:
    held = effective(DEFAULTS, [row(ROOM, "translate", to_json(wanted))])
    assert held.translation == wanted
    assert held.origins["translate"] == ROOM


def test_off_in_a_narrow_scope_ends_a_wider_translation() -> None:
    wide = row(ROOM, "translate", {"target": "English", "source": None})
    assert effective(DEFAULTS, [wide, row(THREAD, "translate", None)]).translation == Translation("English")
    held = effective(DEFAULTS, [wide, row(THREAD, "translate", False)])
    assert held.translation is None
    assert held.origins["translate"] == THREAD


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", ""),
        ("model", 5),
        ("system", ["x"]),
        ("translate", "English"),
        ("translate", {"source": "English"}),
        ("translate", {"target": ""}),
        ("of_a_newer_version", 1),
    ],
)
def test_a_row_that_cannot_be_read_is_passed_over(name: str, value: Json) -> None:
    rows = [row(ROOM, "model", "qwen-max"), row(THREAD, name, value)]
    assert effective(DEFAULTS, rows) == effective(DEFAULTS, rows[:1])


def test_the_chats_language_is_the_narrowest_one() -> None:
    assert effective(DEFAULTS, []).language == ""
    assert effective(DEFAULTS, [row(ROOM, "language", "en")]).language == "en"
    assert effective(DEFAULTS, [row(ROOM, "language", "en"), row(THREAD, "language", "zh")]).language == "zh"
    assert effective(DEFAULTS, [row(ROOM, "language", "en"), row(THREAD, "language", None)]).language == "en"


names = st.sampled_from(["model", "system", "translate", "language", "temperature", "stop", "what"]) | st.text(
    max_size=5
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(["target", "source", "x"]), each, max_size=3)
    ),
    max_leaves=4,
)


@given(st.lists(st.builds(row, st.sampled_from(CHAT.scopes), names, values), max_size=6))
def test_any_rows_make_settings_whose_origins_are_true(rows: list[SettingRow]) -> None:
    rows.sort(key=lambda each: CHAT.scopes.index(each.scope))
    held = effective(DEFAULTS, rows)
    assert held.model
    assert set(held.origins) >= {"model", *held.parameters}
    assert all(origin in (DEFAULT, *CHAT.scopes) for origin in held.origins.values())
    for name, value in held.parameters.items():
        assert any(each.name == name and each.value == value and each.scope == held.origins[name] for each in rows)
