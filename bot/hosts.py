"""Host names and addresses, by their looks alone: which mean this machine, and which that people type are ours.

Nothing is resolved: what a name leads to is for whoever owns it to say, and can change at any moment (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

__all__ = ["is_known_host", "is_loopback"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]\\]+)(?::\d*)?")  # RFC 9110: Host, without user and path


def is_loopback(host: str) -> bool:
    """Whether a host name or address, brackets or not, means this machine and nobody else."""
    name = host.strip("[]").lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address_of(name)
    return address is not None and address.is_loopback


def is_known_host(host: str, http_host: str, public_url: str) -> bool:
    """Whether a request that names this host (HTTP: Host) is for us: a stranger's name that suddenly points here is
    not. Where we listen on every address any address will do, for a rebound name is never one."""
    found = _AUTHORITY.fullmatch(host)
    if found is None:
        return False
    name, own = (each.strip("[]").lower().removesuffix(".") for each in (found[1], http_host))
    public = (urlsplit(public_url).hostname or "").lower().removesuffix(".")
    listening = _address_of(own)
    everywhere = listening is not None and listening.is_unspecified
    return is_loopback(name) or name in (own, public) or (everywhere and _address_of(name) is not None)


def _address_of(name: str) -> Address | None:
    """An IPv4 address that IPv6 has taken in (`::ffff:127.0.0.1`) is that IPv4 address."""
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
