"""What the bot needs to know, from the environment or `.env`. A wrong value names its variable, a secret is not shown.

Loads no library of the platform: every command of `magpie` that looks at settings would have to wait for it.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingError

__all__ = ["WEBHOOK_PATH", "TelegramSettings", "load_settings"]

WEBHOOK_PATH = "/telegram"

_OFFICIAL = "api.telegram.org"
_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{8,100}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # Bot API: setWebhook, secret_token
_EXAMPLES = {
    "DATA_DIR": "./data",
    "PUBLIC_URL": "https://magpie.example.org",
    "TELEGRAM_API_URL": "https://api.telegram.org",
    "TELEGRAM_BOT_TOKEN": "123456789:example-letters-from-BotFather",
    "TELEGRAM_MODE": "polling",
    "TELEGRAM_PROXY": "socks5://127.0.0.1:1080",
    "TELEGRAM_RICH": "auto",
    "TELEGRAM_WEBHOOK_SECRET": "a-long-random-word",
}


class TelegramSettings(BaseSettings):
    """Field names in upper case are the variables."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    data_dir: Path = Path("data")
    public_url: str = ""
    telegram_api_url: str = f"https://{_OFFICIAL}"
    telegram_bot_token: SecretStr | None = None
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_proxy: SecretStr | None = None
    telegram_rich: Literal["off", "auto", "on"] = "off"
    telegram_webhook_secret: SecretStr | None = None

    @field_validator("telegram_mode", "telegram_rich", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("public_url", "telegram_api_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0):
            raise ValueError("is not an http or https URL")
        return value.rstrip("/")

    @field_validator("telegram_bot_token")
    @classmethod
    def _is_token(cls, value: SecretStr | None) -> SecretStr | None:
        word = value.get_secret_value().strip() if value else ""
        if word and not _TOKEN.fullmatch(word):
            raise ValueError("is not a bot token: those are digits, a colon, then letters")
        return SecretStr(word) if word else None

    @field_validator("telegram_proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        word = value.get_secret_value().strip() if value else ""
        if not word:
            return None
        parts = urlsplit(word)
        if parts.scheme not in ("http", "socks5") or not parts.hostname or not parts.port:
            raise ValueError("is not an http:// or socks5:// URL with host and port")
        return SecretStr(word)

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not _SECRET.fullmatch(value.get_secret_value()):
            raise ValueError("may have 1 to 256 letters, digits, - and _ only")
        return value

    @property
    def on(self) -> bool:
        return self.telegram_bot_token is not None

    @property
    def token(self) -> str:
        """SettingError if there is none."""
        if self.telegram_bot_token is None:
            raise SettingError("TELEGRAM_BOT_TOKEN", "is needed to talk to the platform. Get one from @BotFather.")
        return self.telegram_bot_token.get_secret_value()

    @property
    def proxy(self) -> str:
        return self.telegram_proxy.get_secret_value() if self.telegram_proxy else ""

    @property
    def official(self) -> bool:
        """Whether calls go to the platform's own servers, rather than a Bot API server that somebody hosts."""
        return urlsplit(self.telegram_api_url).hostname == _OFFICIAL

    @property
    def webhook_url(self) -> str:
        return self.public_url + WEBHOOK_PATH

    @property
    def webhook_secret(self) -> str:
        """TELEGRAM_WEBHOOK_SECRET, or else a word that follows from the token and does not tell it."""
        if self.telegram_webhook_secret is not None:
            return self.telegram_webhook_secret.get_secret_value()
        return hashlib.sha256(f"magpie webhook {self.token}".encode()).hexdigest()

    def check(self) -> None:
        """SettingError if what is set can't work together."""
        if self.telegram_mode != "webhook":
            return
        if not self.public_url:
            raise SettingError(
                "PUBLIC_URL",
                "is needed for TELEGRAM_MODE=webhook. Example: PUBLIC_URL={example}",
                example=_EXAMPLES["PUBLIC_URL"],
            )
        if self.official and urlsplit(self.public_url).scheme != "https":
            raise SettingError(
                "PUBLIC_URL",
                "must begin with https:// for TELEGRAM_MODE=webhook. Example: PUBLIC_URL={example}",
                example=_EXAMPLES["PUBLIC_URL"],
            )


def load_settings(**overrides: Any) -> TelegramSettings:
    """Read the environment and `.env`. SettingError names the first wrong variable."""
    try:
        return TelegramSettings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingError(
            name, "{reason}. Example: {name}={example}", reason=reason, name=name, example=_EXAMPLES.get(name, "")
        ) from None  # the cause keeps the value, which may be a secret
