"""Accounts beside those of the variables: tables `[[platform]]` of magpie.toml, and which adapter each became."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.errors import SettingError, joined
from bot.types import AccountTable, Adapter, Chat, ChatSettings, Json

__all__ = ["Accounts", "account_named", "account_tables", "name_of", "rows_of", "unknown"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_TEXTS = ("model", "system", "access")
_KEYS = ("name", *_TEXTS, "admins")


def name_of(adapters: Mapping[str, Adapter], chat: Chat) -> str | None:
    """Which of the adapters speaks for the account whose chat it is."""
    return next((name for name, adapter in adapters.items() if adapter.account.key == chat.account_key), None)


@dataclass(frozen=True, slots=True)
class Accounts:
    """`adapters` and `tables` by what the accounts are called: "platform" is the one of the variables, "platform:name"
    that of a table."""

    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    tables: Mapping[str, AccountTable] = field(default_factory=dict)

    def called(self, chat: Chat) -> str:
        """What the account is called whose chat it is."""
        return (name_of(self.adapters, chat) if chat.account else None) or chat.platform

    def label(self, chat: Chat) -> str:
        """The same, for a series that has the platform already: '' is the account of the variables."""
        name = self.called(chat)
        return name if name in self.tables else ""

    def table(self, chat: Chat) -> AccountTable | None:
        return self.tables.get(self.called(chat))

    def defaults(self, usual: ChatSettings, chat: Chat) -> ChatSettings:
        """What holds in a chat where nobody has set anything."""
        return _laid_over(usual, self.table(chat))


def _laid_over(usual: ChatSettings, table: AccountTable | None) -> ChatSettings:
    if table is None:
        return usual
    return replace(usual, model=table.model or usual.model, system=table.system or usual.system)


def rows_of(usual: ChatSettings, table: AccountTable | None) -> dict[str, Json]:
    """What holds on an account where nobody has set anything, by the names of settings rows."""
    held = _laid_over(usual, table)
    return {"model": held.model, **({"system": held.system} if held.system else {})}


def unknown(name: str, got: str, known: Collection[str]) -> SettingError:
    """A key or table that doesn't exist, with the one that was probably meant."""
    near = difflib.get_close_matches(got.lower(), known, 1)
    if near:
        return SettingError(name, "{got} is not known here. Did you mean {nearest}?", got=got, nearest=near[0])
    return SettingError(name, "{got} is not known here. There are {known}.", got=got, known=sorted(known))


def account_tables(raw: Mapping[str, Any], platforms: Mapping[str, Collection[str]]) -> tuple[AccountTable, ...]:
    """The accounts of a file. `platforms`: which keys each takes. SettingError names all that is wrong."""
    found: dict[str, AccountTable] = {}
    wrong: list[SettingError] = []
    for platform, keys in platforms.items():
        for number, table in enumerate(_tables(raw, platform, wrong), 1):
            try:
                each = _account(platform, table, f"magpie.toml, [[{platform}]] {number}", keys)
                if each.account in found:
                    raise SettingError(each.place, "there are two of this name: every account needs a name of its own")
                found[each.account] = each
            except SettingError as error:
                wrong.append(error)
    if wrong:
        raise joined(wrong)
    return tuple(found.values())


def _tables(raw: Mapping[str, Any], platform: str, wrong: list[SettingError]) -> Iterable[Mapping[str, Any]]:
    tables = raw.get(platform, [])
    if isinstance(tables, list) and all(isinstance(each, dict) for each in tables):
        return tables
    example = f'[[{platform}]] name = "sales"'
    wrong.append(
        SettingError(
            f"magpie.toml, {platform}",
            "every account is a table with double brackets. Example: {example}",
            example=example,
        )
    )
    return ()


def _account(platform: str, raw: Mapping[str, Any], nameless: str, keys: Collection[str]) -> AccountTable:
    name = raw.get("name")
    if name is None or name == "":
        raise SettingError(nameless, 'needs a name. Example: name = "sales"')
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingError(
            nameless,
            "the name may have the letters a to z, digits, - and _ only, 40 at most, got {got}",
            got=str(name)[:60],
        )
    table = AccountTable(platform, name.lower())
    for key, value in raw.items():
        if key not in (*_KEYS, *keys):
            raise unknown(table.place, key, {*_KEYS, *keys})
        if key != "admins" and not isinstance(value, str):
            raise SettingError(f"{table.place}, {key}", 'takes a text. Example: {key} = "..."', key=key)
    own = {key: value.strip() for key, value in raw.items() if key in keys}
    texts = {key: raw[key].strip() for key in _TEXTS if key in raw}
    return replace(table, own=own, admins=_admins(table, raw.get("admins", [])), **_checked(table, texts))


def _checked(table: AccountTable, texts: dict[str, str]) -> dict[str, Any]:
    if "access" in texts:
        texts["access"] = texts["access"].lower()
        if texts["access"] not in ("", "allowlist", "open"):
            raise SettingError(
                f"{table.place}, access", 'must be "allowlist" or "open", got "{got}"', got=texts["access"][:60]
            )
    return dict(texts)


def _admins(table: AccountTable, value: object) -> frozenset[str]:
    """As a list, or as ADMINS has them: with commas between, and perhaps the platform before each."""
    ids = value.split(",") if isinstance(value, str) else value
    if not isinstance(ids, list) or not all(isinstance(each, str | int) and each is not True for each in ids):
        raise SettingError(f"{table.place}, admins", 'takes a list of ids. Example: admins = ["123456789"]')
    words = (str(each).strip() for each in ids)
    return frozenset(word.removeprefix(f"{table.platform}:") for word in words if word)


def account_named(accounts: Sequence[AccountTable], platform: str, name: str) -> AccountTable:
    """The table of an account, called "sales" or "platform:sales". SettingError if there is none."""
    found = {each.name: each for each in accounts if each.platform == platform}
    table = found.get(name.removeprefix(f"{platform}:"))
    if table is None:
        raise SettingError(
            "--account",
            "magpie.toml has no such account of {platform}; it has: {names}",
            platform=platform,
            names=", ".join(sorted(found)) or "-",
        )
    return table
