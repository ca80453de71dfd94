"""Accounts of a platform beside the one of the variables: the settings that a table of magpie.toml makes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from dotenv import dotenv_values
from pydantic import ValidationError

from adapters.kit.settings import EXAMPLES, PlatformSettings
from bot.errors import SettingError, joined, wrong_setting
from bot.types import AccountTable, Text

__all__ = ["lacking", "of_table", "table_values"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

S = TypeVar("S", bound=PlatformSettings)


def of_table(settings: type[S], examples: Mapping[str, str], table: AccountTable) -> S:
    """The settings of an account: what its table says, and the variables for the rest, but for what is one account's
    own. SettingError names the variable, or the table and the key."""
    values: dict[str, Any] = dict.fromkeys(settings.own)
    for key, value in table_values(table).items():
        field = settings.keys()[key]
        if value or settings.model_fields[field].default is None:
            values[field] = value or None
    try:
        made = settings(**values)
    except ValidationError as error:
        found = [
            _complaint(settings, {**EXAMPLES, **examples}, table, values, each)
            for each in error.errors(include_input=False)
        ]
        raise joined(found) from None  # the cause keeps the value, maybe a secret
    made._table = table
    return made


def _complaint(
    settings: type[S],
    examples: Mapping[str, str],
    table: AccountTable,
    values: Mapping[str, object],
    complaint: Mapping[str, Any],
) -> SettingError:
    """About a variable, unless the table has set that."""
    wrong = wrong_setting(complaint, examples)
    field = wrong.name.lower()
    if values.get(field) is None:
        return wrong
    key = settings.key(field)
    reason, example = wrong.data["reason"], wrong.data["example"]
    return SettingError(
        f"{table.place}, {key}", '{reason}. Example: {key} = "{example}"', reason=reason, key=key, example=example
    )


def table_values(table: AccountTable) -> dict[str, str]:
    """What a table says by its keys, with the values of the variables that it names."""
    found: dict[str, str] = {}
    for key, value in table.own.items():
        if key.endswith("_env") and value:
            value = _variable(value)
        found[key] = value
    return found


def lacking(settings: type[PlatformSettings], table: AccountTable) -> Text | None:
    """Why an account is off: it has no token, or a variable that its table names is empty. SettingError if the table
    can't be meant so."""
    for key in table.own:
        if key.endswith("_env") and table.own[key]:
            variable = _named(table, key)
            if not _variable(variable):
                words = Text("{account} is off: the variable {name} is not set, which magpie.toml names as its {key}.")
                return replace(words, data={"account": table.account, "name": variable, "key": key})
    token = settings.key(settings.own[0])
    if table.own.get(token) or table.own.get(f"{token}_env"):
        return None
    words = Text("{account} is off: its table in magpie.toml has no {key}. Set it, or {other} to name a variable.")
    return replace(words, data={"account": table.account, "key": token, "other": f"{token}_env"})


def _named(table: AccountTable, key: str) -> str:
    """The variable that a key names. What is in it may have been written there by mistake, and is not shown."""
    place, plain = f"{table.place}, {key}", key.removesuffix("_env")
    if not _VARIABLE.fullmatch(table.own[key]):
        example = re.sub(r"\W", "_", f"{table.platform}_{table.name}_{plain}").upper()
        raise SettingError(
            place,
            'takes the name of a variable; what is in it is for {plain}. Example: {key} = "{example}"',
            plain=plain,
            key=key,
            example=example,
        )
    if table.own.get(plain):
        raise SettingError(place, "can't stand beside {plain}: take one of the two", plain=plain)
    return table.own[key]


def _variable(name: str) -> str:
    """From the environment or `.env`, as all settings are."""
    return (os.environ.get(name) or dotenv_values(".env").get(name) or "").strip()
