"""What the bot needs to know, from the environment or `.env`. A wrong value names its variable, a secret is not shown.

Loads no library of the platform: every command of `magpie` that looks at settings would have to wait for it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingError

__all__ = ["EVENTS_PATH", "SlackSettings", "load_settings"]

EVENTS_PATH = "/slack/events"

_OFFICIAL = "https://slack.com/api"
_BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{4,250}")
_APP_TOKEN = re.compile(r"xapp-[A-Za-z0-9-]{1,250}")
_SIGNING = re.compile(r"[\x21-\x7e]{8,200}")
_EXAMPLES = {
    "DATA_DIR": "./data",
    "PUBLIC_URL": "https://magpie.example.org",
    "SLACK_API_URL": _OFFICIAL,
    "SLACK_APP_TOKEN": "xapp-1-example-from-Basic-Information",
    "SLACK_BOT_TOKEN": "xoxb-example-from-OAuth-and-Permissions",
    "SLACK_MODE": "socket",
    "SLACK_PROXY": "http://127.0.0.1:3128",
    "SLACK_SIGNING_SECRET": "thirty-two-letters-from-Basic-Information",
}


class SlackSettings(BaseSettings):
    """Field names in upper case are the variables."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    data_dir: Path = Path("data")
    public_url: str = ""
    slack_api_url: str = _OFFICIAL
    slack_app_token: SecretStr | None = None
    slack_bot_token: SecretStr | None = None
    slack_mode: Literal["socket", "http"] = "socket"
    slack_proxy: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None

    @field_validator("slack_mode", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("public_url", "slack_api_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0):
            raise ValueError("is not an http or https URL")
        return value.rstrip("/")

    @field_validator("slack_bot_token")
    @classmethod
    def _is_bot_token(cls, value: SecretStr | None) -> SecretStr | None:
        return _word(value, _BOT_TOKEN, "is not a bot token: those begin with xoxb-")

    @field_validator("slack_app_token")
    @classmethod
    def _is_app_token(cls, value: SecretStr | None) -> SecretStr | None:
        return _word(value, _APP_TOKEN, "is not an app-level token: those begin with xapp-")

    @field_validator("slack_signing_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        return _word(value, _SIGNING, "is not a signing secret: those are 32 letters and digits")

    @field_validator("slack_proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        word = value.get_secret_value().strip() if value else ""
        if not word:
            return None
        parts = urlsplit(word)
        if parts.scheme not in ("http", "socks5") or not parts.hostname or not parts.port:
            raise ValueError("is not an http:// or socks5:// URL with host and port")
        return SecretStr(word)

    @property
    def on(self) -> bool:
        """Half of what is needed is meant to be on, too: `check` says what is missing."""
        return any((self.slack_bot_token, self.slack_app_token, self.slack_signing_secret))

    @property
    def token(self) -> str:
        """The bot's. SettingError if there is none."""
        if self.slack_bot_token is None:
            raise SettingError(
                "SLACK_BOT_TOKEN",
                "is needed to talk to the platform. The app's page has it under OAuth & Permissions.",
            )
        return self.slack_bot_token.get_secret_value()

    @property
    def app_token(self) -> str:
        return self.slack_app_token.get_secret_value() if self.slack_app_token else ""

    @property
    def signing_secret(self) -> str:
        return self.slack_signing_secret.get_secret_value() if self.slack_signing_secret else ""

    @property
    def proxy(self) -> str:
        return self.slack_proxy.get_secret_value() if self.slack_proxy else ""

    @property
    def events_url(self) -> str:
        """Where the platform brings events to, with SLACK_MODE=http."""
        return (self.public_url or _EXAMPLES["PUBLIC_URL"]) + EVENTS_PATH

    def check(self) -> None:
        """SettingError if what is set can't work together."""
        assert self.token
        if self.slack_mode == "socket" and not self.app_token:
            raise SettingError(
                "SLACK_APP_TOKEN",
                "is needed for SLACK_MODE=socket: an app-level token with the scope connections:write. "
                "Example: SLACK_APP_TOKEN={example}",
                example=_EXAMPLES["SLACK_APP_TOKEN"],
            )
        if self.slack_mode == "http" and not self.signing_secret:
            raise SettingError(
                "SLACK_SIGNING_SECRET",
                "is needed for SLACK_MODE=http: it tells the platform's requests from others'. "
                "Example: SLACK_SIGNING_SECRET={example}",
                example=_EXAMPLES["SLACK_SIGNING_SECRET"],
            )


def _word(value: SecretStr | None, form: re.Pattern[str], wrong: str) -> SecretStr | None:
    word = value.get_secret_value().strip() if value else ""
    if word and not form.fullmatch(word):
        raise ValueError(wrong)
    return SecretStr(word) if word else None


def load_settings(**overrides: Any) -> SlackSettings:
    """Read the environment and `.env`. SettingError names the first wrong variable."""
    try:
        return SlackSettings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingError(
            name, "{reason}. Example: {name}={example}", reason=reason, name=name, example=_EXAMPLES.get(name, "")
        ) from None  # the cause keeps the value, which may be a secret
