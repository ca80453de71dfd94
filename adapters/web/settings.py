"""Settings of the page, from the environment or `.env`. A wrong value names its variable."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from adapters.kit.settings import EXAMPLES, PlatformSettings, is_loopback, loaded, revealed
from bot.errors import SettingError, WrongValue

__all__ = ["WebSettings", "load_settings"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_EXAMPLES = {
    "HTTP_HOST": "127.0.0.1",
    "HTTP_PORT": "8080",
    "TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8",
    "WEB": "on",
}


def _switch(value: object) -> object:
    word = value.strip().lower() if isinstance(value, str) else value
    return {"true": "on", "1": "on", "yes": "on", "false": "off", "0": "off", "no": "off"}.get(str(word), word)


class WebSettings(PlatformSettings):
    """Field names in upper case are the variables."""

    platform: ClassVar[str] = "web"

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    web: Annotated[Literal["on", "off"], BeforeValidator(_switch)] = "off"
    web_password: SecretStr | None = None
    trusted_proxies: str = ""

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        try:
            _networks(value)
        except ValueError:
            raise WrongValue("takes addresses and networks with commas between") from None
        return value

    def client_of(self, peer: str, forwarded: str) -> str:
        """The address that a request comes from: the connection's own, unless that is a proxy of ours; then the last
        that our proxies did not add to `forwarded` (X-Forwarded-For: client, proxy, proxy)."""
        networks = _networks(self.trusted_proxies)
        chain = [_without_port(each.strip()) for each in forwarded.split(",") if each.strip()]
        for address in (peer, *reversed(chain)):
            found = _parsed(address)
            if found is None or not any(found in network for network in networks):
                return address
        return peer

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
        """SettingError if the page would stand open to others: beyond this machine it needs a password. And if it were
        looked for below a path: its own addresses begin at the root."""
        if urlsplit(self.public_url).path.strip("/"):
            raise SettingError(
                "PUBLIC_URL",
                "must end with the host name where the page is served, got {url}. Example: PUBLIC_URL={example}",
                url=self.public_url,
                example=EXAMPLES["PUBLIC_URL"],
            )
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


def _networks(value: str) -> tuple[Network, ...]:
    """ValueError if one of them is none."""
    return tuple(ipaddress.ip_network(each.strip(), strict=False) for each in value.split(",") if each.strip())


def _without_port(address: str) -> str:
    """Some proxies tell one: "6.6.6.6:5123", "[2001:db8::7]:5123"."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def load_settings(**overrides: Any) -> WebSettings:
    """Read the environment and `.env`. SettingError names every wrong variable."""
    return loaded(WebSettings, _EXAMPLES, overrides)
