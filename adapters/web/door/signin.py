"""Sign-in: sessions and known devices as signed cookies, and the throttle of wrong passwords."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from adapters.kit.backoff import doubled
from adapters.kit.recent import Recent
from adapters.kit.settings import private_file
from adapters.web.settings import WebSettings
from bot.types import Clock

__all__ = ["COOKIE", "DEVICE", "DEVICE_LIFE", "LIFE", "Sessions", "Throttle"]

log = logging.getLogger(__name__)

COOKIE = "magpie_session"
DEVICE = "magpie_device"
DAY = 86_400_000
LIFE = 30 * DAY  # ms
DEVICE_LIFE = 365 * DAY  # ms
MOST_WAIT = 60.0  # seconds
_LEAST_WAIT = 1.0  # seconds, after the first wrong one
_EACH = 0.2  # seconds between two tries of those who have not failed yet, and between two of those who have
_MOST = 1_000  # who failed and is remembered


class Sessions:
    """Signed cookies. A session's key is made of a secret in DATA_DIR and the password, so a new password ends every
    session; one that was ended by signing out is remembered until it would have ended anyway.

    A device that has signed in once keeps a cookie of its own, which lets nobody in: its tries are not counted with
    those of strangers.
    """

    def __init__(self, settings: WebSettings, clock: Clock) -> None:
        self._password = settings.password
        self._clock = clock
        self.secure = settings.public_url.startswith("https:")
        self._key = self._devices = b""
        self._ended = _Ended(settings.data_dir / "web.ended")
        if self._password:
            secret = _secret(settings.data_dir / "web.secret")
            self._key = hmac.digest(secret, self._password.encode(), "sha256")
            self._devices = hmac.digest(secret, b"devices", "sha256")
            self._ended.read(clock.now())

    @property
    def needed(self) -> bool:
        return bool(self._password)

    def matches(self, password: str) -> bool:
        """In constant time, whatever their lengths."""
        given, wanted = (
            hashlib.sha256(word.encode("utf-8", "replace")).digest() for word in (password, self._password)
        )
        return hmac.compare_digest(given, wanted)

    def issue(self) -> str:
        return _signed(self._key, self._clock.now() + LIFE)

    def valid(self, cookie: str) -> bool:
        id = _verified(self._key, cookie, self._clock.now())
        return bool(id) and id not in self._ended

    def end(self, cookie: str) -> None:
        """From now on this session lets nobody in."""
        if self.needed and self.valid(cookie):
            until, id, _ = cookie.split(".")
            self._ended.add(id, int(until))

    def issue_device(self) -> str:
        return _signed(self._devices, self._clock.now() + DEVICE_LIFE)

    def device(self, cookie: str) -> str:
        """Which known device shows this cookie; '' if none does."""
        return _verified(self._devices, cookie, self._clock.now()) if self.needed else ""


def _signed(key: bytes, until: int) -> str:
    """ "<until>.<id>.<MAC of both>"."""
    head = f"{until}.{secrets.token_hex(8)}"
    return f"{head}.{_mac(key, head)}"


def _verified(key: bytes, cookie: str, now: int) -> str:
    """The id in a cookie that we have signed and that has not run out; '' for any other."""
    head, _, mac = cookie.rpartition(".")
    if not hmac.compare_digest(_mac(key, head).encode(), mac.encode("utf-8", "replace")):
        return ""
    until, _, id = head.partition(".")
    return id if until.isdecimal() and int(until) > now else ""


def _mac(key: bytes, head: str) -> str:
    return hmac.new(key, head.encode("utf-8", "replace"), "sha256").hexdigest()


@dataclass(slots=True)
class _Ended:
    """Ids of sessions that were ended, in a file: "<until> <id>" a line."""

    path: Path
    _ids: dict[str, int] = field(default_factory=dict)  # -> until (ms)

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    def read(self, now: int) -> None:
        try:
            lines = [line.split() for line in self.path.read_text(encoding="ascii").splitlines()]
        except FileNotFoundError:
            return
        found = {line[1]: int(line[0]) for line in lines if len(line) == 2 and line[0].isdecimal()}
        self._ids = {id: until for id, until in found.items() if until > now}
        self._write()

    def add(self, id: str, until: int) -> None:
        self._ids[id] = until
        self._write()

    def _write(self) -> None:
        fresh = self.path.with_suffix(".new")
        try:
            with private_file(fresh, "w") as file:
                file.write("".join(f"{until} {id}\n" for id, until in self._ids.items()))
            fresh.replace(self.path)
        except OSError as error:
            log.warning("sessions that were ended are known until the next start only: %s", error.strerror)


def _secret(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with private_file(path, "xb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass  # that is the secret, from an earlier start
    return path.read_bytes()


class Throttle:
    """After each wrong password whoever sent it waits twice as long. Who has failed and who has not share no slot, so
    that those who guess keep nobody out; known devices need none at all.

    Who is counted is an address or a known device. Of IPv6 a whole /64 counts as one, for that is what one line gets;
    and whoever has a /48 (a company, a rented server) is nobody new with each of its 65,536.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: Recent[str, tuple[int, float]] = Recent(_MOST)
        self._free = {True: 0.0, False: 0.0}  # has failed before -> when the next such try may be made

    def wait(self, address: str, device: str = "") -> float:
        """Seconds until this try may be made; 0 takes it."""
        now, who = self._clock.monotonic(), device or _line(address)
        _, until = self._failures.get(who, (0, 0.0))
        before = who in self._failures or _site(address) in self._failures
        left = until - now if device else max(until, self._free[before]) - now
        if left > 0:
            return left
        if not device:
            self._free[before] = now + _EACH
        return 0.0

    def failed(self, address: str, device: str = "") -> None:
        who = device or _line(address)
        count = self._failures.get(who, (0, 0.0))[0] + 1
        if not device:
            self._failures[_site(address)] = (0, 0.0)
        self._failures[who] = (count, self._clock.monotonic() + doubled(_LEAST_WAIT, count - 1, MOST_WAIT))

    def passed(self, address: str, device: str = "") -> None:
        self._failures.pop(device or _line(address), None)


def _line(address: str) -> str:
    return _network(address, 64)


def _site(address: str) -> str:
    return _network(address, 48)


def _network(address: str, bits: int) -> str:
    """Of IPv6 the network of so many bits; an IPv4 address as it stands."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]  # what a proxy took for one
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped:
        return str(ipaddress.ip_network((found, bits), strict=False))
    return str(found)
