"""Spoofing: what would show people something else than there is: controls of writing direction, links that name another
host

Controls are taken out of every text, so that it reads in the order in which it was written. A link whose text names a
host or an address says where it truly leads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

from bot.markdown.units import is_wide

__all__ = ["hidden_target", "shown"]

# embeddings, overrides and isolates; the plain marks (U+200E, U+200F, U+061C) only settle what is next to them
_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_HOST = re.compile(r"(https?://)?((?:[\w-]+\.)+([\w-]+))|(https?://)([\w-]+)", re.IGNORECASE)
_NUMBERS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_STOP = re.compile(r"(?<=[A-Za-z0-9])。(?=[A-Za-z])")  # is a dot in a host's name
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_FILES = frozenset(
    {"py", "js", "ts", "rs", "go", "md", "sh", "rb", "cs", "cc", "pl", "ps", "so", "hs", "kt", "ml", "mm"}
)
_DOMAINS = frozenset(
    {"com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "name", "pro", "app", "dev", "xyz", "top", "site"}
    | {
        "online",
        "shop",
        "store",
        "club",
        "live",
        "cloud",
        "tech",
        "bank",
        "finance",
        "pay",
        "link",
        "wang",
        "vip",
        "ltd",
        "support",
        "help",
        "email",
        "money",
        "credit",
        "exchange",
        "services",
        "website",
        "space",
        "page",
        "news",
        "asia",
        "icu",
    }
)


def shown(text: str) -> str:
    """The text without the controls that would have it read in another order."""
    return text if text.isascii() else _CONTROLS.sub("", text)


def hidden_target(url: str, text: str) -> str:
    """Where a link leads, if its text names another place; else ''."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""
    if parts.scheme.lower() == "mailto":
        named = _MAIL.findall(text)
        address = parts.path
        return address if any(each.lower() != address.lower() for each in named) else ""
    if text.strip() == url and "@" not in parts.netloc:
        return ""
    names = [
        name
        for scheme, name, last in _named(_STOP.sub(".", unicodedata.normalize("NFKC", text)))
        if _is_host(scheme, name, last)
    ]
    return _ascii(host) if host and any(not _is_same(name.lower(), host) for name in names) else ""


def _named(text: str) -> Iterator[tuple[str, str, str]]:
    for scheme, name, last, lone_scheme, lone in _HOST.findall(text):
        yield scheme or lone_scheme, name or lone, last or lone


def _is_host(scheme: str, name: str, last: str) -> bool:
    """Whether it looks like one; `main.py` and `os.path` don't."""
    last = last.lower()
    if scheme or name.lower().startswith("www.") or not name.isascii() or _NUMBERS.fullmatch(name):
        return True
    return last in _DOMAINS or (len(last) == 2 and last.isalpha() and last not in _FILES)


def _is_same(name: str, host: str) -> bool:
    if all(char.isascii() or is_wide(char) for char in name):  # Chinese letters look like no others
        name = _ascii(name)
    name = name.removeprefix("www.")
    host = host.removeprefix("www.")
    return name == host or host.endswith("." + name) or name.endswith("." + host)


def _ascii(host: str) -> str:
    """As the network names it: letters that only look like others can't hide in it."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()
