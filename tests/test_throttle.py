"""The throttle of wrong passwords: what guessing gets, and whom it keeps out."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.web.door.signin import Sessions, Throttle
from adapters.web.settings import WebSettings
from tests.fakes.clock import SimClock

PASSWORD = "correct horse battery"


async def test_those_who_guess_keep_nobody_out() -> None:
    """Four at once from addresses of their own; the owner tries every 0.3 s and gets in at the first go."""
    clock = SimClock()
    throttle = Throttle(clock)
    refused = tried = 0
    for tick in range(100):  # of 0.1 s
        for guesser in range(4):
            if throttle.wait(f"10.0.0.{guesser}") == 0:
                throttle.failed(f"10.0.0.{guesser}")
        if tick > 20 and tick % 3 == 0:
            tried += 1
            refused += throttle.wait("192.168.1.5") > 0
        await clock.advance(0.1)
    assert (refused, tried > 20) == (0, True)


async def test_who_has_a_whole_network_is_not_new_with_each_address_of_it() -> None:
    """Every try comes from another /64 of one /48, as fast as it may; others find the door free."""
    clock = SimClock()
    throttle = Throttle(clock)
    refused = guesses = 0
    for tick in range(300):  # of 0.1 s
        for each in range(4):
            guesser = f"2001:db8:1:{tick * 4 + each:x}::5"
            if throttle.wait(guesser) == 0:
                guesses += 1
                throttle.failed(guesser)
        if tick > 20 and tick % 3 == 0:
            refused += throttle.wait("2001:db8:2::1") > 0
        await clock.advance(0.1)
    assert (refused, guesses < 200) == (0, True)


async def test_one_line_counts_as_one_however_many_addresses_it_has() -> None:
    clock = SimClock()
    throttle = Throttle(clock)
    taken = 0
    for number in range(100):
        if throttle.wait(f"2001:db8:1:2::{number:x}") == 0:
            throttle.failed(f"2001:db8:1:2::{number:x}")
            taken += 1
        await clock.advance(0.1)
    assert taken <= 5


async def test_a_device_that_signed_in_before_is_not_counted_with_strangers(tmp_path: Path) -> None:
    """Behind a proxy that tells nothing everybody has one address."""
    clock = SimClock()
    sessions = Sessions(WebSettings(data_dir=tmp_path, web_password=PASSWORD, _env_file=None), clock)
    throttle, device = Throttle(clock), sessions.device(sessions.issue_device())
    assert device
    for _ in range(20):
        if throttle.wait("127.0.0.1") == 0:
            throttle.failed("127.0.0.1")
        assert throttle.wait("127.0.0.1", device) == 0
        await clock.advance(0.5)
    assert throttle.wait("127.0.0.1") > 0
    for forged in ("", "x", sessions.issue(), sessions.issue_device()[:-1] + "é"):
        assert sessions.device(forged) == ""
    throttle.failed("127.0.0.1", device)
    assert throttle.wait("127.0.0.1", device) > 0, "but it is counted"


async def test_many_failures_are_no_number_too_large() -> None:
    clock = SimClock()
    throttle = Throttle(clock)
    for _ in range(2_000):
        throttle.failed("10.0.0.1")
    assert throttle.wait("10.0.0.1") == 60


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", "127.0.0.1", "6.6.6.6", "127.0.0.1"),  # nobody is believed who isn't named
        ("127.0.0.1", "127.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("127.0.0.1", "127.0.0.1", "1.2.3.4, 6.6.6.6", "6.6.6.6"),  # what the guesser wrote himself comes first
        ("127.0.0.1,10.0.0.0/8", "127.0.0.1", "1.2.3.4, 6.6.6.6, 10.1.2.3", "6.6.6.6"),
        ("10.0.0.0/8", "6.6.6.6", "1.2.3.4", "6.6.6.6"),
        ("127.0.0.1", "127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "nonsense", "nonsense"),
        ("127.0.0.1", "::ffff:127.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("fd00::/8", "fd00::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_whose_address_counts(trusted: str, peer: str, forwarded: str, client: str) -> None:
    assert WebSettings(trusted_proxies=trusted, _env_file=None).client_of(peer, forwarded) == client
