"""The core's settings, read once from the environment, `.env` and `magpie.toml`; a wrong value names its variable.

Each adapter package has its own settings beside it (`adapters/<name>/settings.py`).
"""

from __future__ import annotations

import re
import tomllib
import zoneinfo
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingError, WrongValue, joined, wrong_setting
from bot.hosts import is_loopback
from bot.service.accounts import account_tables, unknown
from bot.types import AccountTable, Json

__all__ = ["EXAMPLES", "GatewayTable", "Settings", "Toml", "load_settings", "load_toml", "seconds"]

# What a right value looks like, for the one line that a wrong one gets.
EXAMPLES: Mapping[str, str] = {
    "ACCESS": "allowlist",
    "ADMINS": "platform:123,platform:456",
    "CHAT_API_URL": "https://wcode.net/api/gpt/v1",
    "CHAT_API_KEY": "sk-...",
    "CHAT_API_PROFILE": "wcode, chatfire, dashscope, oneapi or generic",
    "CHAT_MODEL": "qwen-plus",
    "DATABASE_URL": "sqlite:///data/magpie.db",
    "DATA_DIR": "./data",
    "HTTP_HOST": "127.0.0.1",
    "HTTP_PORT": "8080",
    "PUBLIC_URL": "https://magpie.example.org",
    "FIRST_TEXT_SECONDS": "60",
    "IDLE_SECONDS": "60",
    "DRAIN_SECONDS": "20",
    "STALE_AFTER": "15 min",
    "TIMEZONE": "Asia/Shanghai",
    "ALERT_CHATS": "platform:123,platform:-100123",
    "BALANCE_ALERT_BELOW": "20,5",
    "BALANCE_PROBE_EVERY": "10 min",
    "METRICS": "local",
    "METRICS_TOKEN": "a-long-random-word",
    "LOG_LEVEL": "info",
    "LOG_FORMAT": "text",
}

_ADMIN = re.compile(r"([a-z][a-z0-9_-]*):(\S+)", re.IGNORECASE)
_PLACE = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)?:(\S+)", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,4})?")
_UNITS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def seconds(value: object) -> object:
    """A duration as people write it ("20", "90 s", "15 min", "2h") in seconds; anything else comes back as it is."""
    if not isinstance(value, str):
        return value
    digits = value.strip().lower().rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = value.strip().lower()[len(digits) :].strip()
    try:
        return float(digits) * _UNITS[unit]
    except (ValueError, KeyError):
        return value


def _duration(value: object) -> object:
    found = seconds(value)
    if isinstance(found, str):
        raise WrongValue("is not a length of time")
    return found


Seconds = Annotated[float, BeforeValidator(_duration), Field(ge=0)]


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _listed(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


class Settings(BaseSettings):
    """Field names in upper case are the variables."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True)

    chat_api_url: str = "https://wcode.net/api/gpt/v1"
    chat_api_key: SecretStr | None = None
    chat_api_profile: Annotated[
        Literal["", "wcode", "chatfire", "dashscope", "oneapi", "generic", "sandbox"], BeforeValidator(_lower)
    ] = ""
    chat_model: str = Field(default="qwen-plus", min_length=1)
    vision_model: str = Field(default="qwen-vl-plus", min_length=1)
    video_model: str = Field(default="qwen-vl-max", min_length=1)
    translation_model: str = Field(default="qwen-mt-turbo", min_length=1)
    database_url: str = ""
    data_dir: Path = Path("data")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = ""
    trusted_proxies: str = ""
    access: Annotated[Literal["allowlist", "open"], BeforeValidator(_lower)] = "allowlist"
    admins: str = ""
    alert_chats: str = ""
    balance_alert_below: str = ""
    balance_probe_every: Seconds = 600.0
    first_text_seconds: Annotated[Seconds, Field(ge=1, le=3600)] = 60.0
    idle_seconds: Annotated[Seconds, Field(ge=1, le=3600)] = 60.0
    drain_seconds: Seconds = 20.0
    stale_after: Seconds = 900.0
    timezone: str = "UTC"
    metrics: Annotated[Literal["local", "on", "off"], BeforeValidator(_lower)] = "local"
    metrics_token: SecretStr | None = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = "text"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise WrongValue("is not a time zone") from None
        return value

    @field_validator("balance_alert_below")
    @classmethod
    def _numbers(cls, value: str) -> str:
        if not all(_NUMBER.fullmatch(each) and Decimal(each) > 0 for each in _listed(value)):
            raise WrongValue("takes amounts above 0, with commas between")
        return value

    @field_validator("admins", "alert_chats")
    @classmethod
    def _each_names_its_platform(cls, value: str, info: ValidationInfo) -> str:
        form = _PLACE if info.field_name == "alert_chats" else _ADMIN
        if not all(form.fullmatch(each) for each in _listed(value)):
            raise WrongValue("takes a list of platform:id")
        return value

    @property
    def admin_ids(self) -> frozenset[tuple[str, str]]:
        """(platform, person's id) of each of ADMINS."""
        found = (each.partition(":") for each in _listed(self.admins))
        return frozenset((platform.lower(), id) for platform, _, id in found)

    @property
    def alert_places(self) -> tuple[tuple[str, str, str | None], ...]:
        """(platform, id, thread) of each of ALERT_CHATS: "platform:id" or "platform:id/thread"; where the platform is
        "platform.name", that account."""
        found = []
        for each in _listed(self.alert_chats):
            platform, _, place = each.partition(":")
            id, _, thread = place.partition("/")
            found.append((platform.lower(), id, thread or None))
        return tuple(dict.fromkeys(found))

    @property
    def thresholds(self) -> tuple[Decimal, ...]:
        """Of the balance, the highest first."""
        return tuple(sorted({Decimal(each) for each in _listed(self.balance_alert_below)}, reverse=True))

    @property
    def is_behind_proxy(self) -> bool:
        """A proxy is named; or people come by another address than the one that we listen on, so one may stand before
        it."""
        elsewhere = bool(self.public_url) and not is_loopback(urlsplit(self.public_url).hostname or "")
        return elsewhere or bool(self.trusted_proxies)

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'magpie.db'}"


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and `.env`. SettingError names every wrong variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise joined([_complaint(each) for each in error.errors()]) from error


def _complaint(each: Mapping[str, Any]) -> SettingError:
    secret = any(word in str(each["loc"]).upper() for word in ("KEY", "TOKEN", "PASSWORD", "SECRET"))
    return wrong_setting(each, EXAMPLES, "" if secret else repr(each["input"]))


@dataclass(frozen=True, slots=True)
class GatewayTable:
    """`[gateway]` of magpie.toml: what no variable can say."""

    extra_body: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Toml:
    """`magpie.toml`: `[gateway]`, `[models."id or pattern"]` with what the catalogue should know better, and `accounts`
    beside those of the variables."""

    gateway: GatewayTable = GatewayTable()
    models: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    accounts: tuple[AccountTable, ...] = ()


def load_toml(path: Path = Path("magpie.toml"), platforms: Mapping[str, Collection[str]] | None = None) -> Toml:
    """Read `path` if it exists. SettingError names the file and the key. `platforms`: of which there may be accounts,
    and what keys their tables take; None: whoever asks needs none, and tables of accounts are not looked at."""
    if not path.exists():
        return Toml()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(path.name, "is not valid TOML: {reason}", reason=error) from error
    known = {"gateway", "models", *(platforms or {})}
    for name, value in raw.items():
        if name not in known and not (platforms is None and isinstance(value, list)):
            raise unknown(path.name, name, known)
    gateway, models = raw.get("gateway", {}), raw.get("models", {})
    if (
        not isinstance(gateway, dict)
        or set(gateway) - {"extra_body"}
        or not isinstance(gateway.get("extra_body", {}), dict)
    ):
        raise SettingError(path.name, "[gateway] takes a table extra_body and nothing else")
    if not isinstance(models, dict) or not all(isinstance(table, dict) for table in models.values()):
        raise SettingError(path.name, '[models] takes tables such as [models."qwen-plus"]')
    return Toml(GatewayTable(gateway.get("extra_body", {})), models, account_tables(raw, platforms or {}))
