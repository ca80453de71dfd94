"""Settings from the environment or `.env`. A wrong value names its variable, a secret is not shown.

Loads no library of the platform: every command of `magpie` that looks at settings would have to wait for it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

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

__all__ = ["EVENTS_PATH", "SlackSettings", "load_settings"]

EVENTS_PATH = "/slack/events"

_OFFICIAL = "https://slack.com/api"
_BOT_TOKEN = secret(
    r"xoxb-[A-Za-z0-9-]{4,250}", lambda: WrongValue("is not a bot token: those begin with xoxb- and are longer")
)
_APP_TOKEN = secret(
    r"xapp-[A-Za-z0-9-]{1,250}", lambda: WrongValue("is not an app-level token: those begin with xapp-")
)
_SIGNING = secret(r"[\x21-\x7e]{8,200}", lambda: WrongValue("is not a signing secret: those are 32 letters and digits"))
_EXAMPLES = {
    "SLACK_API_URL": _OFFICIAL,
    "SLACK_APP_TOKEN": "xapp-1-example-from-Basic-Information",
    "SLACK_BOT_TOKEN": "xoxb-example-from-OAuth-and-Permissions",
    "SLACK_MODE": "socket",
    "SLACK_PROXY": "http://127.0.0.1:3128",
    "SLACK_SIGNING_SECRET": "thirty-two-letters-from-Basic-Information",
}


class SlackSettings(PlatformSettings):
    """Field names in upper case are the variables."""

    platform: ClassVar[str] = "slack"
    own: ClassVar[tuple[str, ...]] = ("slack_bot_token", "slack_app_token", "slack_signing_secret")

    slack_api_url: Address = _OFFICIAL
    slack_app_token: Annotated[SecretStr | None, _APP_TOKEN] = None
    slack_bot_token: Annotated[SecretStr | None, _BOT_TOKEN] = None
    slack_mode: Annotated[Literal["socket", "http"], Lower] = "socket"
    slack_proxy: Proxy = None
    slack_signing_secret: Annotated[SecretStr | None, _SIGNING] = None

    @property
    def on(self) -> bool:
        """Half of what is needed is meant to be on, too: `check` says what is missing."""
        return any((self.slack_bot_token, self.slack_app_token, self.slack_signing_secret))

    @property
    def token(self) -> str:
        """The bot's. SettingError if there is none."""
        if self.slack_bot_token is None:
            raise SettingError(
                self.place("slack_bot_token"),
                "is needed to talk to the platform. The app's page has it under OAuth & Permissions.",
            )
        return self.slack_bot_token.get_secret_value()

    @property
    def app_token(self) -> str:
        return revealed(self.slack_app_token)

    @property
    def signing_secret(self) -> str:
        return revealed(self.slack_signing_secret)

    @property
    def proxy(self) -> str:
        return revealed(self.slack_proxy)

    @property
    def events_path(self) -> str:
        return f"{EVENTS_PATH}/{self.name}" if self.name else EVENTS_PATH

    @property
    def events_url(self) -> str:
        """Where the platform brings events to, with SLACK_MODE=http."""
        return self.public_url + self.events_path

    def check_address(self) -> None:
        """SettingError if events are to be pushed and it is not said where to: a manifest with an address of somebody
        else's would hand them the workspace's messages."""
        if self.slack_mode == "http" and not self.public_url:
            raise SettingError(
                "PUBLIC_URL",
                "is needed for SLACK_MODE=http: the platform pushes its events there. Example: PUBLIC_URL={example}",
                example=EXAMPLES["PUBLIC_URL"],
            )
        if self.slack_mode == "http" and self.slack_api_url == _OFFICIAL and not self.public_url.startswith("https:"):
            raise SettingError(
                "PUBLIC_URL",
                "must begin with https:// for SLACK_MODE=http. Example: PUBLIC_URL={example}",
                example=EXAMPLES["PUBLIC_URL"],
            )

    def check(self) -> None:
        """SettingError if what is set can't work together."""
        assert self.token
        if self.slack_mode == "socket" and not self.app_token:
            raise SettingError(
                self.place("slack_app_token"),
                "is needed for SLACK_MODE=socket: an app-level token with the scope connections:write. "
                "Example: SLACK_APP_TOKEN={example}",
                example=_EXAMPLES["SLACK_APP_TOKEN"],
            )
        if self.slack_mode == "http" and not self.signing_secret:
            raise SettingError(
                self.place("slack_signing_secret"),
                "is needed for SLACK_MODE=http: it tells the platform's requests from others'. "
                "Example: SLACK_SIGNING_SECRET={example}",
                example=_EXAMPLES["SLACK_SIGNING_SECRET"],
            )


def load_settings(table: AccountTable | None = None, **overrides: Any) -> SlackSettings:
    """Read the environment and `.env`, and the table of an account. SettingError names everything that is wrong."""
    return of_table(SlackSettings, _EXAMPLES, table) if table else loaded(SlackSettings, _EXAMPLES, overrides)
