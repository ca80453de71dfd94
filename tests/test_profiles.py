"""Addresses and keys as people paste them, and which gateway they belong to."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import SettingError
from bot.gateways.profiles import PROFILES, Gateway, check_key, guess, is_public, normalise


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        ("https://wcode.net/api/gpt/v1", "https://wcode.net/api/gpt/v1"),
        ("https://wcode.net/api/gpt/v1/", "https://wcode.net/api/gpt/v1"),
        ("https://wcode.net/api/gpt/v1/chat/completions", "https://wcode.net/api/gpt/v1"),
        (" https://wcode.net/api/gpt/v1/chat/completions/ \n", "https://wcode.net/api/gpt/v1"),
        ("'https://wcode.net/api/gpt/v1/chat/completions'", "https://wcode.net/api/gpt/v1"),
        ("“https://api.chatfire.cn/v1”", "https://api.chatfire.cn/v1"),
        ("<https://api.chatfire.cn/v1>", "https://api.chatfire.cn/v1"),
        ("https://api.chatfire.cn/v1//chat//completions?x=1#y", "https://api.chatfire.cn/v1"),
        ("https://api.chatfire.cn/v1/chat", "https://api.chatfire.cn/v1"),
        ("api.chatfire.cn/v1", "https://api.chatfire.cn/v1"),
        ("api.chatfire.cn", "https://api.chatfire.cn/v1"),
        ("https://wcode.net", "https://wcode.net/api/gpt/v1"),
        ("HTTPS://Example.ORG:8443/V1", "https://example.org:8443/V1"),
        ("https://example.org", "https://example.org"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://example.org/mychat", "https://example.org/mychat"),
        ("https://例子.中国/v1", "https://例子.中国/v1"),
    ],
)
def test_pasted_addresses(pasted: str, url: str) -> None:
    assert normalise(pasted) == url
    assert normalise(url) == url


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        " ",
        "/v1",
        "https://",
        "https:///v1",
        "https://a:b",
        "https://a:99999/v1",
        "https://[::1",
        "https://user:sk-secret1234@example.org/v1",
        "ftp://example.org",
        "mailto:x@example.org",
        "javascript://x",
    ],
)
def test_what_is_no_address_is_refused(pasted: str) -> None:
    with pytest.raises(SettingError) as caught:
        normalise(pasted, name="MY_URL")
    assert str(caught.value).startswith("MY_URL: ")
    assert "Example: https://" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_line_break_inside_does_no_harm() -> None:
    assert normalise("https://wcode.net/api/\n  gpt/v1") == "https://wcode.net/api/gpt/v1"


def test_keys_are_not_sent_in_the_clear() -> None:
    with pytest.raises(SettingError, match=r"use https:// for example\.org"):
        normalise("http://example.org/v1")
    assert normalise("http://example.org/v1", allow_http=True) == "http://example.org/v1"


@example("./;?")
@example("https://a.b/v1/;/chat/;")
@given(st.text(max_size=40) | st.text("htps:/.a1[]@?#% \"'", max_size=40))
def test_no_paste_is_too_odd(pasted: str) -> None:
    try:
        url = normalise(pasted)
    except SettingError:
        return
    assert url.startswith(("https://", "http://"))
    assert normalise(url) == url
    guess(url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://wcode.net/api/gpt/v1", "wcode"),
        ("https://WCODE.net/api/gpt/v1", "wcode"),
        ("https://api.chatfire.cn/v1", "chatfire"),
        ("https://api.chatfire.site/v1", "chatfire"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://evilwcode.net/v1", "generic"),
        ("https://wcode.net.example.org/v1", "generic"),
        ("http://127.0.0.1:8000/v1", "generic"),
        ("not a url", "generic"),
        ("https://[::1", "generic"),
    ],
)
def test_guesses(url: str, name: str) -> None:
    assert guess(url).name == name


def test_profiles_know_themselves() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        if profile.url:
            assert guess(profile.url) is profile
            assert normalise(profile.url) == profile.url
            assert profile.key_url.startswith("https://")
    assert PROFILES["wcode"].topup_url == "https://wcode.net/apikey-recharge"


@pytest.mark.parametrize(
    "pasted",
    [
        "sk-abc123",
        "  sk-abc123\n",
        '"sk-abc123"',
        "'sk-abc123'",
        "Bearer sk-abc123",
        "bearer  sk-abc123 ",
        "Authorization: Bearer sk-abc123",
        '"Bearer sk-abc123"',
    ],
)
def test_pasted_keys(pasted: str) -> None:
    assert check_key(pasted) == "sk-abc123"


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("Bearer ", "empty"),
        ('""', "empty"),
        ("sk-abc 123", "blank"),
        ("sk-abc\n123", "blank"),
        ("sk-abc\u3000123", "blank"),
        ("sk-密钥123", "no key has"),
        ("ｓｋ-abc123", "no key has"),
        ("sk-abc\u200b123", "no key has"),
        ("API_KEY", "example"),
        ("Bearer API_KEY", "example"),
        ("sk-.....", "example"),
        ("sk-xxxxxxxx", "example"),
        ("********************", "example"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(pasted: str, why: str) -> None:
    with pytest.raises(SettingError, match=why) as caught:
        check_key(pasted, name="MY_KEY")
    assert str(caught.value).startswith("MY_KEY: ")
    assert "123" not in str(caught.value)


def test_a_gateway_does_not_show_its_key() -> None:
    gateway = Gateway("main", "https://wcode.net/api/gpt/v1", "sk-abc123", PROFILES["wcode"])
    assert "sk-abc123" not in repr(gateway)
    assert "sk-abc123" not in str([gateway])
    assert gateway.key == "sk-abc123"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://example.org/a.png", True),
        ("http://93.184.216.34/a.png", True),
        ("https://[2606:2800:220:1::1]/a.png", True),
        ("https://localhost/a", False),
        ("https://printer/a", False),
        ("https://nas.local/a", False),
        ("https://metadata.google.internal/a", False),
        ("http://127.0.0.1/a", False),
        ("http://10.1.2.3/a", False),
        ("http://192.168.1.1/a", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://100.100.100.200/latest", False),
        ("http://0.0.0.0/a", False),
        ("http://224.0.0.1/a", False),
        ("http://2130706433/a", False),
        ("http://0x7f.1/a", False),
        ("http://127.1/a", False),
        ("http://0177.0.0.1/a", False),
        ("http://[::1]/a", False),
        ("http://[::ffff:127.0.0.1]/a", False),
        ("http://[fd00::1]/a", False),
        ("http://127.0.0.1./a", False),
        ("https://user:pw@example.org/a", False),
        ("https://example.org:99999/a", False),
        ("ftp://example.org/a", False),
        ("file:///etc/passwd", False),
        ("data:text/plain,a", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_public_addresses(url: str, public: bool) -> None:
    assert is_public(url) is public
