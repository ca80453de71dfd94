"""Settings from the environment or `.env`. A wrong value names its variable, a secret is not shown.

Loads no library of the platform: every command of `magpie` that looks at settings would have to wait for it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from adapters.kit.settings import (
    EXAMPLES,
    Address,
    Lower,
    PlatformSettings,
    Proxy,
    loaded,
    revealed,
    secret,
)
from adapters.kit.tables import of_table
from bot.errors import SettingError, WrongValue
from bot.types import AccountTable

__all__ = ["WEBHOOK_PATH", "TelegramSettings", "load_settings"]

WEBHOOK_PATH = "/telegram"

_OFFICIAL = "api.telegram.org"
_TOKEN = secret(
    r"[0-9]{3,20}:[A-Za-z0-9_-]{8,100}",
    lambda: WrongValue("is not a bot token: those are digits, a colon, then letters"),
)
_SECRET = secret(  # Bot API: setWebhook, secret_token
    r"[A-Za-z0-9_-]{1,256}", lambda: WrongValue("may have 1 to 256 letters, digits, - and _ only")
)
_EXAMPLES = {
    "TELEGRAM_API_URL": "https://api.telegram.org",
    "TELEGRAM_BOT_TOKEN": "123456789:example-letters-from-BotFather",
    "TELEGRAM_MODE": "polling",
    "TELEGRAM_PROXY": "socks5://127.0.0.1:1080",
    "TELEGRAM_RICH": "auto",
    "TELEGRAM_WEBHOOK_SECRET": "a-long-random-word",
}


class TelegramSettings(PlatformSettings):
    """Field names in upper case are the variables."""

    platform: ClassVar[str] = "telegram"
    own: ClassVar[tuple[str, ...]] = ("telegram_bot_token",)

    telegram_api_url: Address = f"https://{_OFFICIAL}"
    telegram_bot_token: Annotated[SecretStr | None, _TOKEN] = None
    telegram_mode: Annotated[Literal["polling", "webhook"], Lower] = "polling"
    telegram_proxy: Proxy = None
    telegram_rich: Annotated[Literal["off", "auto", "on"], Lower] = "off"
    telegram_webhook_secret: Annotated[SecretStr | None, _SECRET] = None

    @property
    def on(self) -> bool:
        return self.telegram_bot_token is not None

    @property
    def token(self) -> str:
        """SettingError if there is none."""
        if self.telegram_bot_token is None:
            raise SettingError(
                self.place("telegram_bot_token"), "is needed to talk to the platform. Get one from @BotFather."
            )
        return self.telegram_bot_token.get_secret_value()

    @property
    def proxy(self) -> str:
        return revealed(self.telegram_proxy)

    @property
    def official(self) -> bool:
        """Whether calls go to the platform's own servers, rather than a Bot API server that somebody hosts."""
        return urlsplit(self.telegram_api_url).hostname == _OFFICIAL

    @property
    def webhook_path(self) -> str:
        return f"{WEBHOOK_PATH}/{self.name}" if self.name else WEBHOOK_PATH

    @property
    def webhook_url(self) -> str:
        return self.public_url + self.webhook_path

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
                example=EXAMPLES["PUBLIC_URL"],
            )
        if self.official and urlsplit(self.public_url).scheme != "https":
            raise SettingError(
                "PUBLIC_URL",
                "must begin with https:// for TELEGRAM_MODE=webhook. Example: PUBLIC_URL={example}",
                example=EXAMPLES["PUBLIC_URL"],
            )


def load_settings(table: AccountTable | None = None, **overrides: Any) -> TelegramSettings:
    """Read the environment and `.env`, and the table of an account. SettingError names everything that is wrong."""
    return of_table(TelegramSettings, _EXAMPLES, table) if table else loaded(TelegramSettings, _EXAMPLES, overrides)
