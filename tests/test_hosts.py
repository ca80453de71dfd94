"""Host names: which mean this machine, and which of those that a request names are ours."""

from __future__ import annotations

import pytest

from bot.hosts import is_known_host, is_loopback


def test_loopback() -> None:
    for host in (
        "localhost",
        "LocalHost",
        "localhost.",
        "127.8.8.8",
        "::1",
        "[::1]",
        "a.localhost",
        "::ffff:127.0.0.1",
    ):
        assert is_loopback(host), host
    for host in (
        "10.0.0.1",
        "localhost.example.org",
        "",
        "::2",
        "0.0.0.0",
        "::",
        "::ffff:10.0.0.1",
        "127.1",
        "nowhere",
    ):
        assert not is_loopback(host), host


@pytest.mark.parametrize("port", ["", ":", ":8080", ":99999"])
@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost", "[::1]", "magpie.example.org", "Magpie.Example.org.", "page.lan"]
)
def test_names_that_are_ours(name: str, port: str) -> None:
    assert is_known_host(f"{name}{port}", "page.lan", "https://magpie.example.org/at/all")


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "example.org", "magpie.example.org.evil.example", "10.0.0.1", "[2001:db8::7]"),
        *(
            "127.0.0.1:8080.evil.example",
            "127.0.0.1:abc",
            "127.0.0.1#x",
            "127.0.0.1/..",
            "127.0.0.1?x",
            "127.0.0.1\\@x",
        ),
        *("a@127.0.0.1", "a:b@127.0.0.1", "[::1", "::1", "[::1]x", "127.0.0.1 evil.example", "127.1", "2130706433"),
    ],
)
def test_names_that_are_not(host: str) -> None:
    assert not is_known_host(host, "127.0.0.1", "https://magpie.example.org")


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::", "[::]", "0:0::0"])
def test_on_every_address_each_address_is_ours_and_no_name(everywhere: str) -> None:
    for host in ("192.168.1.5:8080", "[fd00::5]:8080", "localhost"):
        assert is_known_host(host, everywhere, "")
    assert not is_known_host("magpie.lan:8080", everywhere, "")
