"""What the bot says: every sentence in the code has a Chinese one, and saying it never fails."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from bot import errors
from bot.errors import BadParameter, InvalidRequest, MagpieError, SettingError, Unreachable
from bot.locales import LANGUAGES, available, say
from bot.types import Money, Text

ROOT = Path(__file__).parent.parent
ROOMS = ("bot", "adapters", "storage")
# Errors whose first argument is data, not a sentence.
NO_SENTENCE = {"BadParameter", "RateLimited", "Rejected", "RetryLater", "TooLong", "Undeliverable", "UnknownModel"}
SPEAKERS = {"Text", "say"}
METHODS = {"say", "error", "label"}  # of a command's Call


# ── the sentences in the code ───────────────────────────────────────────────────────────────────────────────────────


def literals(node: ast.expr, names: dict[str, str]) -> Iterator[str]:
    """The texts an argument may be: a literal, a name for one, or either side of a choice between such."""
    if isinstance(node, ast.Name) and node.id in names:
        yield names[node.id]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body, names)
        yield from literals(node.orelse, names)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from literals(value, names)


def constants(module: ast.Module) -> dict[str, str]:
    """The module's names for literals."""
    found = {}
    for line in module.body:
        match line:
            case ast.Assign([ast.Name(name)], ast.Constant(str(text))):
                found[name] = text
    return found


def sentence_of(call: ast.Call) -> ast.expr | None:
    """The argument of a call that is a sentence for people, if it has one."""
    match call.func:
        case ast.Name(name):
            speaks = name in SPEAKERS
        case ast.Attribute(ast.Name("call" | "self"), name):
            speaks = name in METHODS
        case ast.Attribute(_, name):
            speaks = name == "Text"
        case _:
            return None
    if speaks or (name in errors.__all__ and name not in NO_SENTENCE):
        place = 1 if name == "SettingError" else 0
        return call.args[place] if len(call.args) > place else None
    return None


@cache
def sentences() -> dict[str, str]:
    """Each sentence, and where it stands."""
    found: dict[str, str] = {}
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            module = ast.parse(file.read_text(encoding="utf-8"))
            names = constants(module)
            for node in ast.walk(module):
                if isinstance(node, ast.Call) and (sentence := sentence_of(node)) is not None:
                    texts = literals(sentence, names)
                elif isinstance(node, ast.ClassDef) and file == ROOT / "bot" / "errors.py":
                    texts = class_texts(node)
                else:
                    continue
                for text in texts:
                    found.setdefault(text, f"{file.relative_to(ROOT)}:{node.lineno}")
    return found


def class_texts(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        if isinstance(line, ast.Assign) and any(getattr(name, "id", "").endswith("text") for name in line.targets):
            yield from literals(line.value, {})


FILES = [ROOT / "bot/locales", *(ROOT / "adapters").glob("*/locales")]


def chinese() -> Catalog:
    """The core's sentences and each adapter's own."""
    whole = Catalog(locale="zh")
    for folder in FILES:
        with (folder / "zh/LC_MESSAGES/magpie.po").open("rb") as file:
            catalog = read_po(file, locale="zh", abort_invalid=True)
        assert list(catalog.obsolete) == []
        for message in catalog:
            assert not message.id or message.id not in whole, f"twice: {message.id}"
            whole[message.id] = message
    return whole


def fields(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{(\w+)\}", text)))


def test_every_sentence_has_a_chinese_one() -> None:
    known = {str(message.id) for message in chinese() if message.id and message.string and not message.fuzzy}
    missing = [f"{where}: {text!r}" for text, where in sentences().items() if text not in known]
    assert not missing, "\n".join(missing)


def test_nothing_in_the_chinese_file_is_left_over_or_doubtful() -> None:
    catalog = chinese()
    used = sentences()
    assert [message.id for message in catalog if message.id and message.id not in used] == []
    assert [message.id for message in catalog if message.id and message.fuzzy] == []


def test_both_languages_fill_the_same_braces() -> None:
    wrong = [m.id for m in chinese() if m.id and fields(str(m.id)) != fields(str(m.string))]
    assert wrong == []


def test_the_collector_sees_every_way_a_sentence_is_written() -> None:
    code = 'InvalidRequest("a" if x else "b"); SettingError("N", "c");'
    code += 'call.say("d"); Undeliverable("no"); Text("e"); Text(F)'
    module = ast.parse(f'F = "f"\n{code}')
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    heard = [sentence for call in calls if (sentence := sentence_of(call)) is not None]
    assert {text for sentence in heard for text in literals(sentence, constants(module))} == {*"abcdef"}


def test_no_sentence_is_put_together_where_it_is_said() -> None:
    """A sentence from an f-string, from `+` or `%` can't be translated."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and (sentence := sentence_of(node)) is not None:
                    assert not isinstance(sentence, ast.JoinedStr | ast.BinOp), f"{file}:{node.lineno}"


# ── saying them ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tag", "ours"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-Hans", "zh"),
        ("zh_TW", "zh"),
        ("ZH-hant-hk", "zh"),
        ("en", "en"),
        ("en-GB", "en"),
        ("de", "en"),
        ("zha", "en"),
        ("", "en"),
        ("../../etc", "en"),
    ],
)
def test_the_nearest_language(tag: str, ours: str) -> None:
    assert available(tag) == ours
    assert ours in LANGUAGES


def test_an_error_is_said_in_the_persons_language() -> None:
    error = Unreachable(detail="connect: refused")
    assert say(error, "en") == str(error)
    assert say(error, "fr") == str(error)
    assert say(error, "zh-CN") != str(error)
    assert re.search("[一-鿿]", say(error, "zh-CN"))


def test_data_fills_the_braces_in_both_languages() -> None:
    error = InvalidRequest("temperature must be at least 0 and below 2, got {got}", got=2.0)
    assert say(error, "en") == "temperature must be at least 0 and below 2, got 2"
    assert say(error, "zh").startswith("temperature")
    assert say(error, "zh").endswith("2")
    assert "top_k" in say(BadParameter("top_k"), "zh")


def test_a_wrong_setting_names_its_variable() -> None:
    assert (
        say(SettingError("HTTP_PORT", "must be a number, got {got}", got="x"), "en")
        == "HTTP_PORT: must be a number, got x"
    )


def test_what_fills_a_sentence_is_said_in_the_same_language() -> None:
    inner = Unreachable()
    said = say(Text("This is a part. {reason}", {"reason": inner}), "zh")
    assert say(inner, "zh") in said
    assert "This is a part" not in said
    assert say(Text("{ago}!", {"ago": Text("just now")}), "zh") == say("just now", "zh") + "!"


def test_money_is_written_with_its_currency() -> None:
    assert say("Left: {money}", "en", money=Money(Decimal("12.5"))) == "Left: ¥12.50"


def test_lists_are_joined_as_the_language_does() -> None:
    assert say("Choose {names}", "en", names=["a", "b"]) == "Choose a, b"
    assert say("Choose {names}", "zh", names=("a", "b")) == "Choose a、b"


def test_a_brace_in_the_data_is_only_a_brace() -> None:
    assert say("got {got}", "en", got="{got} {0} {", other="x") == "got {got} {0} {"
    assert say("write {{name}} for {got}", "en", got="{{x}}") == "write {name} for {{x}}"


def test_a_missing_key_is_shown_as_it_stands() -> None:
    assert say("{a} and {b}", "en", a=1) == "1 and {b}"
    assert say(InvalidRequest("{model} can't see"), "en") == "{model} can't see"


def test_an_unknown_sentence_is_said_as_it_is() -> None:
    assert say("Nobody has translated this.", "zh") == "Nobody has translated this."
    assert say("", "zh") == ""


@given(st.text(), st.text(max_size=8), st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))
def test_saying_never_fails(text: str, language: str, data: dict[str, object]) -> None:
    said = [say(Text(text, data), language), say(MagpieError(text), language), say(text, language, x=Text(text, data))]
    assert all(isinstance(each, str) for each in said)
