"""/balance, /alerts: the account at the gateway, and who is told when it runs dry. For admins."""

from __future__ import annotations

from datetime import datetime

from bot.commands.base import Invocation
from bot.commands.writing.wording import Markdown, ago, code, plain, written
from bot.errors import InvalidRequest
from bot.money.alerts import KEY, MONEY, MUTED, AlertMessage, below, muted_until, notices
from bot.money.balance import finances, label
from bot.service.config import seconds
from bot.types import Choice, Menu, Money, Reply, SetSetting

__all__ = ["alerts", "balance"]

_LONGEST = 30 * 86_400  # seconds of silence
_USUAL = "2h"


async def balance(call: Invocation) -> Reply:
    _check(call)
    found = await finances(call.reader, call.rules.gateway, call.context.now, call.rules.account)
    if found.reading is None:
        first = call.say("Balance: not known")
    else:
        passed = ago(call.context.now - found.reading.at)
        first = call.say("Balance: {money} ({ago})", money=found.reading.money, ago=passed)
    lines = [call.say("Gateway: {name}", name=call.rules.gateway), first, *(call.say(line) for line in found.lines())]
    top_up = Choice(call.label("Top up"), url=call.rules.topup_url)
    return call.reply(
        "\n".join(f"- {line}" for line in lines),
        await _muted(call),
        menu=Menu(((top_up,),)) if call.rules.topup_url else None,
    )


async def alerts(call: Invocation) -> Reply:
    _check(call)
    word, _, rest = call.words.partition(" ")
    match word.lower():
        case "":
            return await _shown(call)
        case "mute" | "off" | "静音" | "关":
            return _mute(call, rest.strip() or _USUAL)
        case "on" | "unmute" | "开":
            return call.reply(call.say("Alerts are on."), sets=[SetSetting("*", MUTED, None)])
        case "test" | "测试":
            return await _test(call)
    raise InvalidRequest(
        "I don't know what {word} means here. Try {mute}, {on} or {test}",
        word=code(word),
        mute=code(f"/alerts mute {_USUAL}"),
        on=code("/alerts on"),
        test=code("/alerts test"),
    )


def _check(call: Invocation) -> None:
    if not call.context.author.admin:
        raise InvalidRequest("Only an admin of this bot can do that.")


async def _shown(call: Invocation) -> Reply:
    reading = await call.reader.balance(call.rules.gateway)
    raised = await call.reader.alerts(call.rules.gateway)
    currency = reading.money.currency if reading else "CNY"
    wanted = sorted(call.rules.thresholds, reverse=True)
    kinds = [(below(each), call.say("Balance below {money}", money=Money(each, currency))) for each in wanted]
    kinds += [(MONEY, call.say("The quota is gone")), (KEY, call.say("The key is rejected"))]
    lines = []
    for name, words in kinds:
        told = (
            call.say("told {ago}", ago=ago(call.context.now - raised[name]))
            if name in raised
            else call.say("not triggered")
        )
        lines.append("- " + call.say("{name}: {what}", name=words, what=told))
    if not call.rules.thresholds:
        lines.append("- " + call.say("No balance is watched: set {setting}", setting=code("BALANCE_ALERT_BELOW=20,5")))
    switch = Choice(call.label("Mute for {time}", time=_USUAL), f"/alerts mute {_USUAL}")
    if await muted_until(call.reader, call.context.now) is not None:
        switch = Choice(call.label("Alerts on"), "/alerts on")
    return call.reply(
        "\n".join(lines),
        _recipients(call),
        await _muted(call),
        menu=Menu(((switch, Choice(call.label("Test"), "/alerts test")),)),
    )


def _recipients(call: Invocation) -> Markdown:
    chats = [code(label(chat, call.rules.account(chat))) for chat in call.rules.chats()]
    if not chats:
        return call.say("Alerts go to nobody yet: set {setting}", setting=code("ALERT_CHATS"))
    return call.say("Alerts go to: {chats}", chats=chats)


def _mute(call: Invocation, words: str) -> Reply:
    length = seconds(words)
    if not isinstance(length, float) or not 0 < length <= _LONGEST:
        raise InvalidRequest(
            "{words} is not a time up to 30 days. Example: {command}",
            words=code(words[:40]),
            command=code(f"/alerts mute {_USUAL}"),
        )
    until = call.context.now + round(length * 1000)
    done = call.say("No alerts until {time}. What still holds then is told then.", time=_time(call, until))
    return call.reply(done, sets=[SetSetting("*", MUTED, until)])


async def _muted(call: Invocation) -> str:
    until = await muted_until(call.reader, call.context.now)
    return "" if until is None else call.say("Alerts are muted until {time}.", time=_time(call, until))


def _time(call: Invocation, at: int) -> Markdown:
    return plain(datetime.fromtimestamp(at / 1000, call.zone).strftime("%Y-%m-%d %H:%M %Z"))


async def _test(call: Invocation) -> Reply:
    found = await finances(call.reader, call.rules.gateway, call.context.now, call.rules.account)
    told = await notices(call.reader, call.rules, AlertMessage.test(found, call.rules), written)
    if not told:
        return call.reply(_recipients(call), error=True)
    done = call.reply(call.say("A test is on its way."), _recipients(call))
    return Reply(done.text, effects=tuple(told))
