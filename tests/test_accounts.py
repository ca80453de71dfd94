"""Accounts beside those of the variables: what a table of magpie.toml may say, what it means, and what is said of a
wrong one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters import checks_of_platforms, secrets, switched_off, switched_on, tables, variables
from adapters.slack.settings import load_settings as slack_settings
from adapters.telegram.settings import load_settings as telegram_settings
from bot.errors import SettingError
from bot.intake.access import Access, UserRole
from bot.locales import say
from bot.money.recipients import Recipients, check_places
from bot.service.accounts import Accounts
from bot.service.config import Toml, load_toml
from bot.types import Account, AccountTable, Adapter, Chat, ChatSettings, Finding, Mark, Person

A, B = "1111111:letters-of-the-first-bot", "2222222:letters-of-the-second-bot"
BOT, APP, SIGNING = "xoxb-1-letters", "xapp-1-letters", "a-signing-secret-1"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variables that a test sets, and no `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in (*variables(), "SALES_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def read(text: str) -> Toml:
    Path("magpie.toml").write_text(text, encoding="utf-8")
    return load_toml(platforms=tables())


def accounts(text: str) -> tuple[AccountTable, ...]:
    return read(text).accounts


def complaints(look: Callable[[], object]) -> list[str]:
    with pytest.raises(SettingError) as caught:
        look()
    return [str(each) for each in (caught.value, *caught.value.others)]


SALES = f'[[telegram]]\nname = "sales"\ntoken = "{A}"\n'


# ── what a table says ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_is_read_beside_all_else() -> None:
    found = read(
        f"""
        [gateway]
        extra_body = {{ top_k = 5 }}
        [[telegram]]
        name = "Sales"
        token = " {A} "
        mode = "webhook"
        model = "qwen-max"
        system = "You sell."
        access = "Open"
        admins = [7, "8", "telegram:9"]
        [[slack]]
        name = "team_2"
        token_env = "TEAM"
        admins = "U1, slack:U2"
        """
    )
    assert found.gateway.extra_body == {"top_k": 5}
    team, sales = found.accounts
    assert sales == AccountTable(
        "telegram",
        "sales",
        {"token": A, "mode": "webhook"},
        "qwen-max",
        "You sell.",
        "open",
        frozenset({"7", "8", "9"}),
    )
    assert (team.account, team.own, team.admins) == ("slack:team_2", {"token_env": "TEAM"}, frozenset({"U1", "U2"}))


def test_whoever_needs_no_accounts_does_not_look_at_them() -> None:
    Path("magpie.toml").write_text('[[telegram]]\nname = 3\n[[somewhere]]\nx = "y"\n', encoding="utf-8")
    assert load_toml() == Toml()
    Path("magpie.toml").write_text("[telegram]\n", encoding="utf-8")
    assert complaints(load_toml) == ["magpie.toml: telegram is not known here. There are gateway, models."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[telegram]]\ntoken = "x"\n', 'magpie.toml, [[telegram]] 1: needs a name. Example: name = "sales"'),
        ('[[telegram]]\nname = ""\n', 'magpie.toml, [[telegram]] 1: needs a name. Example: name = "sales"'),
        (f'{SALES}[[telegram]]\nname = "a/b"\n', "magpie.toml, [[telegram]] 2: the name may have the letters a to z"),
        ('[[telegram]]\nname = "../x"\n', "magpie.toml, [[telegram]] 1: the name may have"),
        ('[[telegram]]\nname = "销售"\n', "magpie.toml, [[telegram]] 1: the name may have"),
        ('[[telegram]]\nname = "a b"\n', "magpie.toml, [[telegram]] 1: the name may have"),
        ('[[telegram]]\nname = "a:b"\n', "magpie.toml, [[telegram]] 1: the name may have"),
        ('[[telegram]]\nname = "a.b"\n', "magpie.toml, [[telegram]] 1: the name may have"),
        (f'[[telegram]]\nname = "{"x" * 41}"\n', "magpie.toml, [[telegram]] 1: the name may have"),
        ("[[telegram]]\nname = 3\n", "magpie.toml, [[telegram]] 1: the name may have"),
        (f"{SALES}{SALES}", 'magpie.toml, [[telegram]] "sales": there are two of this name'),
        (f"{SALES}{SALES.replace('sales', 'SALES')}", 'magpie.toml, [[telegram]] "sales": there are two of this name'),
        ('[telegram]\nname = "sales"\n', "magpie.toml, telegram: every account is a table with double brackets"),
        ('[telegram.sales]\ntoken = "x"\n', "magpie.toml, telegram: every account is a table with double brackets"),
        ('telegram = ["sales"]\n', "magpie.toml, telegram: every account is a table with double brackets"),
        ('telegram = "sales"\n', "magpie.toml, telegram: every account is a table with double brackets"),
        (f"{SALES}tokn = 'x'\n", 'magpie.toml, [[telegram]] "sales": tokn is not known here. Did you mean token?'),
        (f"{SALES}app_token = 'x'\n", 'magpie.toml, [[telegram]] "sales": app_token is not known here.'),
        (
            f"{SALES}mode_env = 'X'\n",
            'magpie.toml, [[telegram]] "sales": mode_env is not known here. Did you mean token_env?',
        ),
        (f"{SALES}zzz = 'x'\n", 'magpie.toml, [[telegram]] "sales": zzz is not known here. There are access, admins'),
        ('[[telegam]]\nname = "x"\n', "magpie.toml: telegam is not known here. Did you mean telegram?"),
        ('[[web]]\nname = "x"\n', "magpie.toml: web is not known here. There are gateway, models, slack, telegram."),
        ("[gatewy]\n", "magpie.toml: gatewy is not known here. Did you mean gateway?"),
        (f"{SALES}proxy = 3\n", 'magpie.toml, [[telegram]] "sales", proxy: takes a text. Example: proxy = "..."'),
        (f"{SALES}model = ['x']\n", 'magpie.toml, [[telegram]] "sales", model: takes a text'),
        (f"{SALES}access = true\n", 'magpie.toml, [[telegram]] "sales", access: takes a text'),
        (
            f"{SALES}access = 'all'\n",
            'magpie.toml, [[telegram]] "sales", access: must be "allowlist" or "open", got "all"',
        ),
        (f"{SALES}admins = 7\n", 'magpie.toml, [[telegram]] "sales", admins: takes a list of ids'),
        (f"{SALES}admins = [true]\n", 'magpie.toml, [[telegram]] "sales", admins: takes a list of ids'),
        (f"{SALES}admins = {{ a = 1 }}\n", 'magpie.toml, [[telegram]] "sales", admins: takes a list of ids'),
    ],
)
def test_a_wrong_table_is_named(text: str, said: str) -> None:
    (line,) = complaints(lambda: read(text))
    assert line.startswith(said)


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = '[[telegram]]\nname = "a/b"\n[[telegram]]\nname = "x"\nfoo = "1"\n[[slack]]\ntoken = "t"\n'
    assert len(complaints(lambda: read(text))) == 3


# ── what it means ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_lies_over_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", B)
    monkeypatch.setenv("TELEGRAM_MODE", "webhook")
    monkeypatch.setenv("TELEGRAM_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:8081")
    monkeypatch.setenv("PUBLIC_URL", "https://magpie.example.org")
    (table,) = accounts(f'{SALES}proxy = ""\nrich = "auto"\n')
    one, other = telegram_settings(), telegram_settings(table)
    assert (one.token, one.proxy, one.telegram_rich, one.name, one.account) == (
        B,
        "http://127.0.0.1:3128",
        "off",
        "",
        "telegram",
    )
    assert (other.token, other.proxy, other.telegram_rich, other.name, other.account) == (
        A,
        "",
        "auto",
        "sales",
        "telegram:sales",
    )
    assert (other.telegram_mode, other.telegram_api_url) == ("webhook", "http://127.0.0.1:8081")
    assert one.webhook_url == "https://magpie.example.org/telegram"
    assert other.webhook_url == "https://magpie.example.org/telegram/sales"
    assert one.webhook_secret != other.webhook_secret
    assert list(switched_on([table])) == ["telegram", "telegram:sales"]


def test_what_is_one_accounts_own_is_not_taken_from_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BOT_TOKEN", BOT), ("APP_TOKEN", APP), ("SIGNING_SECRET", SIGNING)):
        monkeypatch.setenv(f"SLACK_{name}", value)
    (table,) = accounts('[[slack]]\nname = "team"\ntoken = "xoxb-2-letters"\n')
    settings = slack_settings(table)
    assert (settings.token, settings.app_token, settings.signing_secret) == ("xoxb-2-letters", "", "")
    assert complaints(lambda: switched_on([table]))[0].startswith(
        'magpie.toml, [[slack]] "team", app_token: is needed for SLACK_MODE=socket'
    )


def test_files_and_paths_of_accounts_lie_apart() -> None:
    team, sales = accounts(f'{SALES}[[slack]]\nname = "team"\ntoken = "{BOT}"\napp_token = "{APP}"\n')
    assert str(telegram_settings(sales).kept(".jsonl")) == "telegram-sales.jsonl"
    assert str(telegram_settings().kept(".jsonl")) == "telegram.jsonl"
    assert slack_settings(team).events_path == "/slack/events/team"
    assert slack_settings().events_path == "/slack/events"


def test_a_token_may_stand_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    found = accounts('[[telegram]]\nname = "sales"\ntoken_env = "SALES_TOKEN"\n')
    monkeypatch.setenv("SALES_TOKEN", f" {A}\n")
    assert telegram_settings(found[0]).token == A
    assert "SALES_TOKEN" in variables(found)
    assert A in secrets(found)
    monkeypatch.delenv("SALES_TOKEN")
    Path(".env").write_text(f"SALES_TOKEN={B}\n", encoding="utf-8")
    assert telegram_settings(found[0]).token == B
    assert B in secrets(found)


def test_secrets_of_tables_are_hidden() -> None:
    team = f'[[slack]]\nname = "team"\ntoken = "{BOT}"\napp_token = "{APP}"\nsigning_secret = "{SIGNING}"\n'
    proxy = "http://me:a-password@127.0.0.1:3128"
    found = secrets(accounts(f'{SALES}proxy = "{proxy}"\nmodel = "qwen-max"\n{team}'))
    assert sorted(found) == sorted([A, proxy, BOT, APP, SIGNING])


# ── what is wrong with it ───────────────────────────────────────────────────────────────────────────────────────────


def test_two_accounts_with_one_token_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    two = accounts(f"{SALES}{SALES.replace('sales', 'support')}")
    (line,) = complaints(lambda: switched_on(two))
    assert line == (
        'magpie.toml, [[telegram]] "support", token: is the same as magpie.toml, [[telegram]] "sales", token: '
        "each account needs its own"
    )
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", A)
    (line,) = complaints(lambda: switched_on(two[:1]))
    assert line.startswith('magpie.toml, [[telegram]] "sales", token: is the same as TELEGRAM_BOT_TOKEN')
    assert A not in line


def test_one_app_twice_is_refused_whatever_tells_it() -> None:
    one = f'[[slack]]\nname = "one"\ntoken = "{BOT}"\napp_token = "{APP}"\n'
    two = one.replace("one", "two").replace(BOT, "xoxb-2-letters")
    (line,) = complaints(lambda: switched_on(accounts(one + two)))
    assert line.startswith('magpie.toml, [[slack]] "two", app_token: is the same as magpie.toml, [[slack]] "one"')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[telegram]]\nname = "sales"\n', "telegram:sales is off: its table in magpie.toml has no token."),
        ('[[telegram]]\nname = "sales"\ntoken = ""\n', "telegram:sales is off: its table in magpie.toml has no token."),
        (
            '[[telegram]]\nname = "sales"\ntoken_env = "SALES_TOKEN"\n',
            "telegram:sales is off: the variable SALES_TOKEN is not set, which magpie.toml names as its token_env.",
        ),
        (
            f'[[slack]]\nname = "team"\ntoken = "{BOT}"\napp_token_env = "SALES_TOKEN"\n',
            "slack:team is off: the variable SALES_TOKEN is not set, which magpie.toml names as its app_token_env.",
        ),
        (
            f'[[slack]]\nname = "team"\napp_token = "{APP}"\n',
            "slack:team is off: its table in magpie.toml has no token.",
        ),
    ],
)
async def test_an_account_without_a_token_is_off_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", B)
    monkeypatch.setenv("SALES_TOKEN", "")
    found = accounts(text)
    assert list(switched_on(found)) == ["telegram"]
    ((name, words),) = switched_off(found).items()
    assert (name, say(words, "en").startswith(said)) == (found[0].account, True)
    checks = checks_of_platforms(found)
    assert list(checks) == ["telegram", name]
    assert list(await checks[name]()) == [Finding(Mark.ADVICE, words)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'[[telegram]]\nname = "x"\ntoken_env = "{A}"\n',
            "token_env: takes the name of a variable; what is in it is for token",
        ),
        (f'{SALES.replace("sales", "x")}token_env = "SALES_TOKEN"\n', "token_env: can't stand beside token"),
        ('[[telegram]]\nname = "x"\ntoken = "nonsense"\n', "token: is not a bot token"),
        (
            f'{SALES.replace("sales", "x")}mode = "pull"\n',
            'mode: must be one of polling, webhook. Example: mode = "polling"',
        ),
        (f'{SALES.replace("sales", "x")}proxy = "nowhere"\n', "proxy: is not an http:// or socks5:// URL"),
        (f'{SALES.replace("sales", "x")}api_url = "nowhere"\n', "api_url: is not an http or https URL"),
    ],
)
async def test_a_wrong_value_names_its_table(text: str, said: str) -> None:
    found = accounts(text)
    (line,) = complaints(lambda: switched_on(found))
    assert line.startswith(f'magpie.toml, [[telegram]] "x", {said}')
    assert A not in line
    with pytest.raises(SettingError, match=r"^magpie\.toml"):
        await checks_of_platforms(found)["telegram:x"]()


def test_a_wrong_variable_is_named_as_one_whoever_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", B)
    monkeypatch.setenv("TELEGRAM_MODE", "pull")
    (line,) = complaints(lambda: switched_on(accounts(SALES)))
    assert line.startswith("TELEGRAM_MODE: must be one of")


# ── what holds there ────────────────────────────────────────────────────────────────────────────────────────────────


class Named:
    """An adapter, as far as its account goes."""

    def __init__(self, platform: str, id: str) -> None:
        self.account = Account(platform, id)


def there(tables: Sequence[AccountTable] = (), **ids: str) -> Accounts:
    """Accounts by their ids: "telegram__sales" is "telegram:sales"."""
    adapters: dict[str, Any] = {name.replace("__", ":"): Named(name.partition("__")[0], id) for name, id in ids.items()}
    return Accounts(adapters, {each.account: each for each in tables})


TABLE = AccountTable("telegram", "sales", model="qwen-max", system="You sell.", access="open", admins=frozenset({"8"}))
MINE, USUAL, UNKNOWN = Chat("telegram", "22", "c"), Chat("telegram", "11", "c"), Chat("telegram", "33", "c")


def test_an_account_has_defaults_of_its_own() -> None:
    found, usual = there([TABLE], telegram="11", telegram__sales="22"), ChatSettings("qwen-plus")
    assert found.defaults(usual, MINE) == ChatSettings("qwen-max", "You sell.")
    assert found.defaults(usual, USUAL) == found.defaults(usual, UNKNOWN) == usual
    assert [found.called(chat) for chat in (MINE, USUAL, UNKNOWN)] == ["telegram:sales", "telegram", "telegram"]
    assert [found.label(chat) for chat in (MINE, USUAL, UNKNOWN)] == ["telegram:sales", "", ""]
    assert there([TABLE], telegram__sales="").table(Chat("telegram", "", "")) is None, "whose it is, is not known yet"


class Rows:
    """A reader without a row."""

    async def settings(self, chat: Chat) -> Sequence[Any]:
        return ()


async def test_an_account_has_admins_and_doors_of_its_own() -> None:
    reader: Any = Rows()
    found = there([TABLE], telegram="11", telegram__sales="22")
    access = Access(reader, [("telegram", "7")], table=found.table)
    stranger = Person("9")
    assert (await access.rights(MINE, stranger, group=False)).admitted
    assert not (await access.rights(USUAL, stranger, group=False)).admitted
    assert (await access.rights(MINE, Person("8"))).standing is UserRole.ADMIN
    assert (await access.rights(USUAL, Person("8"))).standing is UserRole.UNKNOWN
    assert {(await access.rights(chat, Person("7"))).standing for chat in (MINE, USUAL)} == {UserRole.ADMIN}
    closed = there([AccountTable("telegram", "sales", access="allowlist")], telegram="11", telegram__sales="22")
    opened = Access(reader, everyone=True, table=closed.table)
    assert not (await opened.rights(MINE, stranger, group=False)).admitted
    assert (await opened.rights(USUAL, stranger, group=False)).admitted
    named = {name: adapter.account for name, adapter in closed.adapters.items()}
    assert await opened.without_admin(named) == ["telegram:sales"]


# ── who hears of alerts ─────────────────────────────────────────────────────────────────────────────────────────────


def hearing(place: str, accounts: Accounts) -> list[str]:
    adapters: Mapping[str, Adapter] = accounts.adapters
    return [chat.key for chat in Recipients([(place, "5", None)], adapters, {}).chats()]


def test_an_alert_goes_to_the_account_that_is_named() -> None:
    both = there(telegram="11", telegram__sales="22")
    assert hearing("telegram", both) == ["telegram/11/5"], "the platform alone is the account of the variables"
    assert hearing("telegram.sales", both) == ["telegram/22/5"]
    assert hearing("telegram", there(telegram__sales="22", slack="T1")) == ["telegram/22/5"], "or the only one"
    assert hearing("telegram.sales", there(telegram="11")) == []


def test_an_alert_for_one_of_several_must_say_which() -> None:
    on = ["telegram:sales", "telegram:support", "slack"]
    known = ["web", "slack", "telegram", "telegram:sales", "telegram:support", "telegram:off"]
    for fine in ("telegram.sales", "telegram.off", "slack", "web"):
        check_places([(fine, "5", None)], known, on)
    (line,) = complaints(lambda: check_places([("telegram", "5", None)], known, on))
    assert line == (
        "ALERT_CHATS: telegram may be telegram.sales, telegram.support: say which. "
        "Example: ALERT_CHATS=telegram.sales:5"
    )
    check_places([("telegram", "5", None)], known, ["telegram", *on])
    (line,) = complaints(lambda: check_places([("telegram.else", "5", None)], known, on))
    assert line.startswith("ALERT_CHATS: no platform is called telegram.else; there are slack, telegram, telegram.off")
