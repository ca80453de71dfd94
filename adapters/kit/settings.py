"""Settings of platforms, what they have in common: where they come from, what addresses and secrets look like.

Loads no library of a platform: every command of `magpie` that looks at settings would have to wait for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import WrongValue, joined, wrong_setting
from bot.hosts import is_known_host, is_loopback
from bot.types import AccountTable

__all__ = [
    "EXAMPLES",
    "Address",
    "Lower",
    "PlatformSettings",
    "Proxy",
    "is_known_host",
    "is_loopback",
    "loaded",
    "private_file",
    "revealed",
    "secret",
]

EXAMPLES = {"DATA_DIR": "./data", "PUBLIC_URL": "https://magpie.example.org"}

S = TypeVar("S", bound="PlatformSettings")


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _address(value: str) -> str:
    if value and not _names_host(value, "http", "https"):
        raise WrongValue("is not an http or https URL")
    return value.rstrip("/")


def _proxy(value: SecretStr | None) -> SecretStr | None:
    word = revealed(value).strip()
    if word and not (_names_host(word, "http", "socks5") and urlsplit(word).port):
        raise WrongValue("is not an http:// or socks5:// URL with host and port")
    return SecretStr(word) if word else None


def _names_host(value: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        return False


Lower = BeforeValidator(_lower)
Address = Annotated[str, AfterValidator(_address)]  # without a slash at its end
Proxy = Annotated[SecretStr | None, AfterValidator(_proxy)]


class PlatformSettings(BaseSettings):
    """From the environment or `.env`: field names in upper case are the variables. A secret is shown nowhere."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    platform: ClassVar[str] = ""
    own: ClassVar[tuple[str, ...]] = ()  # fields that are one account's, the token first; without, there is one account

    data_dir: Path = Path("data")
    public_url: Address = ""
    _table: AccountTable | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        """Of the account, among those of the platform; '' for the one of the variables."""
        return self._table.name if self._table else ""

    @property
    def account(self) -> str:
        """What the account is called wherever one is named."""
        return self._table.account if self._table else self.platform

    def place(self, field: str) -> str:
        """How people have set a field: the variable's name, or where it stands in a table."""
        key = self.key(field)
        if self._table is None or not (field in self.own or {key, f"{key}_env"} & self._table.own.keys()):
            return field.upper()
        return f"{self._table.place}, {key}"

    def kept(self, ending: str) -> Path:
        """A file of this account's among what the adapters keep: "telegram.jsonl", "telegram-sales.jsonl"."""
        return Path(f"{self.platform}-{self.name}{ending}" if self.name else f"{self.platform}{ending}")

    @classmethod
    def key(cls, field: str) -> str:
        """What a field is called in a table."""
        return field.removeprefix(f"{cls.platform}_").replace("bot_token", "token")

    @classmethod
    def keys(cls) -> Mapping[str, str]:
        """Key in a table -> the field that it sets. A secret may stand in a variable, which `<key>_env` names."""
        fields = {name: each for name, each in cls.model_fields.items() if name.startswith(f"{cls.platform}_")}
        plain = {cls.key(name): name for name in fields}
        return plain | {f"{cls.key(name)}_env": name for name, each in fields.items() if each.default is None}


def loaded(settings: type[S], examples: Mapping[str, str], overrides: Mapping[str, Any]) -> S:
    """Read the environment and `.env`. SettingError names every wrong variable, with its example."""
    try:
        return settings(**overrides)
    except ValidationError as error:
        complaints = error.errors(include_input=False)
        found = [wrong_setting(each, {**EXAMPLES, **examples}) for each in complaints]
        raise joined(found) from None  # the cause keeps the value, maybe a secret


def private_file(path: Path, mode: str) -> IO[Any]:
    """`open` of a file that nobody but us may read from its first moment on."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def secret(form: str, wrong: Callable[[], WrongValue]) -> AfterValidator:
    """For a field of type SecretStr | None: a word of this form (a regular expression), or none at all."""

    def checked(value: SecretStr | None) -> SecretStr | None:
        word = revealed(value).strip()
        if word and not re.fullmatch(form, word):
            raise wrong()
        return SecretStr(word) if word else None

    return AfterValidator(checked)


def revealed(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
