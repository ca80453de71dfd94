"""Gateway profiles: what differs between gateways, as data; their addresses and keys as people paste them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from bot.errors import SettingError
from bot.hosts import is_loopback
from bot.types import Json

__all__ = ["PROFILES", "Gateway", "Profile", "check_key", "guess", "is_public", "normalise"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of gateway. What is False or absent here is not documented, so it is not used unless trying has taught it.

    `usage_unasked`: the last chunk of a stream tells usage without `stream_options`. `languages`: our name of a
    language -> the gateway's other name for it. `extra_body` are request fields sent by default.
    """

    name: str
    url: str = ""
    hosts: tuple[str, ...] = ()  # with their subdomains
    usage_unasked: bool = False
    auto_source: bool = False  # takes "auto" as the language to translate from
    video_data: bool = False  # takes a video file as a data: URL
    thinking: bool = False  # takes `enable_thinking`, by which a model that can do both is told whether to think first
    balance_header: str = "X-Account-Balance"
    probe: str = ""  # how the balance is asked for (`probes.PROBES`); '' for not at all
    currency: str = "CNY"
    max_seed: int = 2**64 - 1
    key_url: str = ""
    topup_url: str = ""
    languages: Mapping[str, str] = field(default_factory=dict)
    extra_body: Mapping[str, Json] = field(default_factory=dict)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        each.name: each
        for each in (
            Profile(
                "wcode",
                url="https://wcode.net/api/gpt/v1",
                hosts=("wcode.net",),
                usage_unasked=True,
                probe="grants",
                key_url="https://wcode.net/get-apikey",
                topup_url="https://wcode.net/apikey-recharge",
            ),
            Profile(
                "chatfire",
                url="https://api.chatfire.cn/v1",
                hosts=("chatfire.cn", "chatfire.site"),
                probe="billing",
                key_url="https://api.chatfire.cn",
                topup_url="https://api.chatfire.cn",
            ),
            Profile(
                "dashscope",
                url="https://dashscope.aliyuncs.com/compatible-mode/v1",
                hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
                auto_source=True,
                thinking=True,
                max_seed=2**31 - 1,
                key_url="https://bailian.console.aliyun.com/?tab=model#/api-key",
                topup_url="https://billing-cost.console.aliyun.com/",
                languages={"Filipino": "Tagalog", "Persian": "Western Persian"},
            ),
            Profile("oneapi", probe="billing", currency="USD"),
            Profile("generic"),
            Profile("sandbox", thinking=True),  # of `magpie demo`
        )
    }
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a chat API is and how to get in. The key is in no repr."""

    name: str
    url: str
    key: str = field(repr=False)
    profile: Profile = PROFILES["generic"]
    extra_body: Mapping[str, Json] = field(default_factory=dict)


def guess(url: str) -> Profile:
    """The profile of a URL, by its host; generic for any other."""
    host = _split(url).hostname or ""
    for profile in PROFILES.values():
        if any(host == known or host.endswith("." + known) for known in profile.hosts):
            return profile
    return PROFILES["generic"]


def normalise(url: str, *, name: str = "CHAT_API_URL", allow_http: bool = False) -> str:
    """The base URL out of what was pasted: quotes, blanks and the path of a call gone, a missing scheme added.

    Raises SettingError, naming the variable `name`: no host, a password inside the URL, or http:// to another machine
    without `allow_http` (the key would be sent in the clear).
    """
    text = "".join(url.split()).strip(_AROUND)
    if "://" not in text:
        bare = _split(f"//{text}")
        if not is_loopback(bare.hostname or "") and "." not in (bare.hostname or "") and ":" not in bare.netloc:
            raise SettingError(
                name, "is not a web address, got {got}. Example: {example}", got=repr(text[:80]), example=_EXAMPLE
            )
        text = f"{'http' if is_loopback(_split(f'//{text}').hostname or '') else 'https'}://{text}"
    parts = _split(text)
    host, scheme = parts.hostname or "", parts.scheme.lower()
    if scheme not in ("http", "https") or not re.fullmatch(r"[\w.\-]+|[0-9a-f:.]+", host) or _port(parts) < 0:
        raise SettingError(
            name, "is not a web address, got {got}. Example: {example}", got=_shown(parts, text), example=_EXAMPLE
        )
    if parts.username is not None or parts.password is not None:
        raise SettingError(name, "must not hold a name or password. Example: {example}", example=_EXAMPLE)
    if scheme == "http" and not allow_http and not is_loopback(host):
        raise SettingError(
            name,
            "would send the key in the clear: use https:// for {host}. Example: {example}",
            host=host,
            example=_EXAMPLE,
        )
    path = _base(parts.path)
    if not path:
        path = _split(guess(text).url).path
    port = f":{_port(parts)}" if _port(parts) else ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{port}{path}"


def check_key(key: str, *, name: str = "CHAT_API_KEY") -> str:
    """The key out of what was pasted: blanks around it, quotes and "Bearer " gone. A SettingError never shows it."""
    text = re.sub(r"^(authorization\s*:\s*)?(bearer\s+)?", "", key.strip().strip("\"'`"), flags=re.IGNORECASE).strip()
    text = text.strip("\"'`")
    if not text or text.lower() == "bearer":
        raise SettingError(name, "is empty. Example: {name}=sk-...", name=name)
    if any(sign.isspace() for sign in text):
        raise SettingError(name, "has a blank or a line break in its middle: was it pasted whole, and once?")
    if not text.isascii() or not text.isprintable():
        raise SettingError(name, "has a character that no key has, such as a Chinese letter or a full-width sign")
    if text.upper() in ("API_KEY", "YOUR_API_KEY", "TOKEN") or re.fullmatch(r"(sk-)?[.*x…]+", text, re.IGNORECASE):
        raise SettingError(name, "is the example, not a key. Put your own key there")
    return text


def is_public(url: str) -> bool:
    """May this be an http(s) address on the open internet? By its looks alone: nothing is resolved."""
    parts = _split(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme.lower() not in ("http", "https") or parts.username is not None or not host or _port(parts) < 0:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # numbers in other bases are addresses too (http://2130706433/, http://0x7f.1/); nobody means well by them
        last = host.rpartition(".")[2]
        return "." in host and not re.fullmatch(r"\d+|0x[0-9a-f]*", last) and last not in _INSIDE
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_global and not address.is_multicast


def _base(path: str) -> str:
    """A path without what was pasted behind it: signs, slashes, the path of a call; as long as there is any."""
    while (shorter := re.sub(r"/+(chat(/+completions)?/*)?$", "", path.rstrip(_AROUND))) != path:
        path = shorter
    return path


_AROUND = "\"'`<>“”‘’,;。，"
_EXAMPLE = "https://wcode.net/api/gpt/v1"
_INSIDE = frozenset(("local", "localhost", "internal", "intranet", "lan", "home", "corp", "arpa", "test", "invalid"))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket that is no IPv6 address
        return SplitResult("", "", "", "", "")


def _port(parts: SplitResult) -> int:
    """0 if none is given, -1 if it makes no sense."""
    try:
        return parts.port or 0
    except ValueError:
        return -1


def _shown(parts: SplitResult, text: str) -> str:
    return repr(text[:80]) if "@" not in parts.netloc else "an address with a name or password"
