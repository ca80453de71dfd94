"""What the page needs to know, from the environment or `.env`. A wrong value names its variable."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr

from adapters.settings import PlatformSettings, loaded, revealed
from bot.errors import SettingError

__all__ = ["WebSettings", "is_loopback", "load_settings"]

_EXAMPLES = {
    "HTTP_HOST": "127.0.0.1",
    "HTTP_PORT": "8080",
    "WEB": "on",
}


def _switch(value: object) -> object:
    word = value.strip().lower() if isinstance(value, str) else value
    return {"true": "on", "1": "on", "yes": "on", "false": "off", "0": "off", "no": "off"}.get(str(word), word)


class WebSettings(PlatformSettings):
    """Field names in upper case are the variables."""

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    web: Annotated[Literal["on", "off"], BeforeValidator(_switch)] = "off"
    web_password: SecretStr | None = None

    @property
    def on(self) -> bool:
        return self.web == "on"

    @property
    def password(self) -> str:
        return revealed(self.web_password)

    @property
    def public_host(self) -> str:
        """The host name in PUBLIC_URL, in lower case; '' if there is none."""
        return (urlsplit(self.public_url).hostname or "").lower()

    @property
    def public_origin(self) -> str:
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}".lower() if self.public_url else ""

    def check(self) -> None:
        """SettingError if the page would stand open to others: beyond this machine it needs a password."""
        if self.password:
            return
        if not is_loopback(self.http_host):
            raise SettingError(
                "WEB_PASSWORD",
                "is needed because HTTP_HOST={host} lets other machines in. Example: WEB_PASSWORD={example}",
                host=self.http_host,
                example="a-long-passphrase",
            )
        if self.public_host and not is_loopback(self.public_host):
            raise SettingError(
                "WEB_PASSWORD",
                "is needed because PUBLIC_URL={url} can be reached by others. Example: WEB_PASSWORD={example}",
                url=self.public_url,
                example="a-long-passphrase",
            )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine and nobody else."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def load_settings(**overrides: Any) -> WebSettings:
    """Read the environment and `.env`. SettingError names every wrong variable."""
    return loaded(WebSettings, _EXAMPLES, overrides)
