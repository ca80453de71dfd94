"""Settings: a wrong one is one line that names the variable, what is wrong, and an example."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest

from adapters import locales
from bot.errors import SettingError, wrong_setting
from bot.locales import learn, say
from bot.service.config import EXAMPLES, Settings, Toml, load_settings, load_toml


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "eighty"),
        ("HTTP_PORT", "70000"),
        ("DRAIN_SECONDS", "-1"),
        ("STALE_AFTER", "soon"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../etc"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("CHAT_API_PROFILE", "somebody"),
        ("ACCESS", "everyone"),
        ("ADMINS", "123"),
        ("ADMINS", "platform:123 platform:456"),
        ("ADMINS", "platform:123,:456"),
        ("ADMINS", "platform: 123"),
        ("ALERT_CHATS", "C0456"),
        ("ALERT_CHATS", "one:5 two:6"),
        ("BALANCE_ALERT_BELOW", "low"),
        ("BALANCE_ALERT_BELOW", "20;5"),
        ("BALANCE_ALERT_BELOW", "20,-5"),
        ("BALANCE_ALERT_BELOW", "0"),
        ("BALANCE_ALERT_BELOW", "¥20"),
        ("BALANCE_ALERT_BELOW", "1e3"),
        ("BALANCE_ALERT_BELOW", "nan"),
        ("BALANCE_PROBE_EVERY", "often"),
        ("BALANCE_PROBE_EVERY", "-1"),
    ],
)
def test_a_wrong_value_names_its_variable_and_shows_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as caught:
        load_settings()
    line = str(caught.value)
    assert line.startswith(f"{name}: ")
    assert repr(value) in line
    assert f"{name}={EXAMPLES[name]}" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("package", "name", "value", "words"),
    [
        ("bot.service.config", "HTTP_PORT", "eighty", "必须是整数"),
        ("bot.service.config", "HTTP_PORT", "70000", "不能大于 65535"),
        ("bot.service.config", "STALE_AFTER", "soon", "不是时长"),
        ("bot.service.config", "DRAIN_SECONDS", "-1", "不能小于 0"),
        ("bot.service.config", "LOG_FORMAT", "xml", "只能是其中之一：text, json"),
        ("bot.service.config", "TIMEZONE", "Mars", "不是时区"),
        ("bot.service.config", "BALANCE_ALERT_BELOW", "low", "应是大于 0 的金额"),
        ("bot.service.config", "ADMINS", "123", "应是“平台:编号”的列表"),
        ("adapters.web.settings", "WEB", "perhaps", "只能是其中之一：on, off"),
        ("adapters.web.settings", "PUBLIC_URL", "example.org", "不是 http 或 https 网址"),
        ("adapters.slack.settings", "SLACK_BOT_TOKEN", "xapp-1-abc", "不是机器人令牌"),
        ("adapters.slack.settings", "SLACK_APP_TOKEN", "xoxb-1-abc", "不是应用级令牌"),
        ("adapters.slack.settings", "SLACK_SIGNING_SECRET", "short", "不是签名密钥"),
        ("adapters.slack.settings", "SLACK_MODE", "fax", "只能是其中之一：socket, http"),
        ("adapters.telegram.settings", "TELEGRAM_API_URL", "http://127.0.0.1:99999", "不是 http 或 https 网址"),
        ("adapters.telegram.settings", "TELEGRAM_BOT_TOKEN", "secret-words", "不是机器人令牌"),
        ("adapters.telegram.settings", "TELEGRAM_WEBHOOK_SECRET", "two words", "只能是 1 到 256 个"),
        ("adapters.telegram.settings", "TELEGRAM_PROXY", "ftp://example.org:21", "不是带主机和端口的"),
    ],
)
def test_a_chinese_terminal_reads_it_in_chinese(
    monkeypatch: pytest.MonkeyPatch, package: str, name: str, value: str, words: str
) -> None:
    for folder in locales():
        learn(folder)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as caught:
        import_module(package).load_settings()
    line = say(caught.value, "zh_CN.UTF-8")
    assert line.startswith(f"{name}: {words}")
    assert f"例如：{name}=" in line


def test_what_else_is_wrong_is_said_in_the_words_that_there_are() -> None:
    complaint = {"type": "bool_parsing", "loc": ("web",), "msg": "Input should be a valid boolean", "input": "x"}
    assert say(wrong_setting(complaint, {"WEB": "on"}), "zh") == "WEB: Input should be a valid boolean。例如：WEB=on"


def test_an_override_may_not_be_empty() -> None:
    with pytest.raises(SettingError, match="CHAT_MODEL: must not be empty"):
        load_settings(chat_model="")


@pytest.mark.parametrize(
    ("value", "seconds"), [("20", 20), ("90 s", 90), ("15 min", 900), ("2h", 7200), ("1.5 m", 90), ("1d", 86400)]
)
def test_durations_as_people_write_them(monkeypatch: pytest.MonkeyPatch, value: str, seconds: float) -> None:
    monkeypatch.setenv("STALE_AFTER", value)
    assert load_settings().stale_after == seconds


def test_admins_are_platforms_and_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMINS", " one:123, Two:U0456 ,three:@ann:example.org,")
    assert load_settings().admin_ids == {("one", "123"), ("two", "U0456"), ("three", "@ann:example.org")}


def test_alert_chats_are_platforms_ids_and_perhaps_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_CHATS", " one:-100123, Two:C0456 ,one:-100123/45,Two:C0456")
    assert load_settings().alert_places == (("one", "-100123", None), ("two", "C0456", None), ("one", "-100123", "45"))


def test_thresholds_are_amounts_the_highest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALANCE_ALERT_BELOW", " 5, 20.50 ,5.00, 0.02")
    assert load_settings().thresholds == (Decimal("20.5"), Decimal(5), Decimal("0.02"))


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "")
    assert load_settings().http_port == 8080


def test_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CHAT_MODEL=qwen-max\nHTTP_PORT=9000\n", encoding="utf-8")
    monkeypatch.setenv("HTTP_PORT", "9001")
    settings = load_settings()
    assert (settings.chat_model, settings.http_port) == ("qwen-max", 9001)


def test_the_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_API_KEY", "sk-very-secret")
    assert "very-secret" not in repr(load_settings())


def test_the_store_lies_under_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "/srv/magpie")
    assert load_settings().store_url == "sqlite:////srv/magpie/magpie.db"
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/magpie")
    assert load_settings().store_url == "postgresql://db/magpie"


def test_no_toml_is_an_empty_one(tmp_path: Path) -> None:
    assert load_toml(tmp_path / "magpie.toml") == Toml()


def test_toml_brings_extra_body_and_models(tmp_path: Path) -> None:
    path = tmp_path / "magpie.toml"
    path.write_text('[gateway]\nextra_body = {top_k = 5}\n[models."my-*"]\ncontext = 4096\n', encoding="utf-8")
    toml = load_toml(path)
    assert toml.gateway.extra_body == {"top_k": 5}
    assert toml.models == {"my-*": {"context": 4096}}


@pytest.mark.parametrize(
    ("text", "word"),
    [("x = ", "TOML"), ("[other]\n", "other"), ("[gateway]\nkey = 1\n", "extra_body"), ("models = 3\n", "models")],
)
def test_a_wrong_toml_is_named(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "magpie.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=r"magpie\.toml") as caught:
        load_toml(path)
    assert word in str(caught.value)
