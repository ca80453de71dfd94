"""Everything that can go wrong, as one tree. Each error carries data, and a text for people.

MagpieError
├── SettingError            a setting is missing or wrong; ends the program with exit code 2
│   └── AmbiguousAccount    two ways lead to one account, and nobody can tell which of them is meant
├── WrongValue              what is wrong with a setting's value, from its validator; a ValueError too, for pydantic
├── AdapterError            what a platform said to a call
│   ├── RetryLater          not now: again after `after` seconds
│   ├── OutcomeUnknown      the call may or may not have had its effect
│   ├── Undeliverable       the chat, thread or message is not there (any more), or we may not write there
│   └── Rejected            the platform will never take this
├── GatewayError            what the chat API said, or failed to say
│   ├── BadKey              the key is missing or rejected
│   ├── NoMoney             the account is empty
│   ├── RateLimited         too many requests; `after` seconds if known
│   ├── Blocked             the content was refused by a policy
│   ├── TooLong             more input than the model takes; `limit` tokens, and `sent`, if known
│   ├── BadParameter        a parameter the gateway or model does not take; `name`, and `limit` if known
│   ├── UnknownModel        no such model here
│   ├── Unreachable         no connection, or nothing came in time
│   ├── Broken              the answer stopped in the middle, or made no sense
│   └── Upstream            any other trouble on their side (5xx)
├── InvalidRequest          a request that can't work, refused before it is sent
│   └── Unaskable           what is asked is nothing to ask, however often it is tried
├── MediaError              a picture or file that can't be used; says the reason and the limit
│   └── NotFetched          one that can't be had now, and maybe later
└── StoreError              the database
    ├── Superseded          another attempt has taken this turn over: stop quietly
    ├── StoreLocked         another process uses this data directory
    ├── StoreNewer          the database was written by a newer version
    ├── StoreRejects        what was to be written can't be kept, however often it is tried
    └── StoreFull           no space left
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "AdapterError",
    "AmbiguousAccount",
    "BadKey",
    "BadParameter",
    "Blocked",
    "Broken",
    "GatewayError",
    "InvalidRequest",
    "MagpieError",
    "MediaError",
    "NoMoney",
    "NotFetched",
    "OutcomeUnknown",
    "RateLimited",
    "Rejected",
    "RetryLater",
    "SettingError",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreNewer",
    "StoreRejects",
    "Superseded",
    "TooLong",
    "Unaskable",
    "Undeliverable",
    "UnknownModel",
    "Unreachable",
    "Upstream",
    "WrongValue",
    "joined",
    "wrong_setting",
]


class MagpieError(Exception):
    """Base of the tree.

    `text` is English with named {braces} and is the gettext message id; `data` fills the braces.
    `bot.locales.say(error, language)` gives the words in a person's language; `str(error)` the English ones. `detail`
    is for the log only.
    """

    text = "Something went wrong."

    def __init__(self, text: str | None = None, /, *, detail: str = "", **data: object) -> None:
        self.text = text or type(self).text
        self.data: Mapping[str, object] = data
        self.detail = detail
        super().__init__(self.text)

    def __str__(self) -> str:
        lists = {name: ", ".join(map(str, each)) for name, each in self.data.items() if isinstance(each, list)}
        return self.text.format(**{**self.data, **lists}) if self.data else self.text


class SettingError(MagpieError):
    """A wrong setting. `name` is the variable, `text` what is wrong and an example; `others` are the settings that are
    wrong besides, so that all can be told at once."""

    def __init__(self, name: str, text: str, /, *, detail: str = "", **data: object) -> None:
        super().__init__(text, detail=detail, **data)
        self.name = name
        self.others: tuple[SettingError, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {super().__str__()}"


class AmbiguousAccount(SettingError):
    text = "{name} and {other} are the same account ({account}): which of them is to answer there?"

    def __init__(self, name: str, other: str, account: str) -> None:
        super().__init__(name, self.text, name=name, other=other, account=account)


class WrongValue(MagpieError, ValueError):
    pass


def joined(errors: Sequence[SettingError]) -> SettingError:
    """The first of some wrong settings, with the rest as its `others`: one for each variable."""
    named: dict[str, SettingError] = {}
    for each in errors:
        for error in (each, *each.others):
            named.setdefault(error.name, error)
    first, *others = named.values()
    first.others = tuple(others)
    return first


def wrong_setting(complaint: Mapping[str, Any], examples: Mapping[str, str], got: str = "") -> SettingError:
    """One of pydantic's complaints about settings (`ValidationError.errors()`), as one line that names the variable and
    shows an example. `got` is what was set, if it may be shown."""
    name = str(complaint["loc"][0]).upper() if complaint["loc"] else "settings"
    return SettingError(
        name,
        "{reason}, got {got}. Example: {name}={example}" if got else "{reason}. Example: {name}={example}",
        reason=_reason(complaint),
        got=got,
        name=name,
        example=examples.get(name, ""),
    )


def _reason(complaint: Mapping[str, Any]) -> MagpieError | str:
    """Our own words for what a variable's text can do wrong, because pydantic speaks English only."""
    context = complaint.get("ctx", {})
    match complaint["type"]:
        case "value_error" if isinstance(context["error"], WrongValue):
            return context["error"]
        case "int_parsing" | "int_parsing_size":
            return MagpieError("must be a whole number")
        case "greater_than_equal":
            return MagpieError("must be at least {least}", least=context["ge"])
        case "less_than_equal":
            return MagpieError("must be at most {most}", most=context["le"])
        case "string_too_short":
            return MagpieError("must not be empty")
        case "literal_error":
            choices = (each for each in re.findall("'([^']*)'", context["expected"]) if each)
            return MagpieError("must be one of {choices}", choices=", ".join(choices))
    return str(complaint["msg"]).removeprefix("Value error, ")


class AdapterError(MagpieError):
    pass


class RetryLater(AdapterError):
    text = "The chat platform asks to wait."

    def __init__(self, after: float, /, *, detail: str = "") -> None:
        super().__init__(detail=detail)
        self.after = after  # seconds


class OutcomeUnknown(AdapterError):
    text = "The outcome of a call is unknown."


class Undeliverable(AdapterError):
    text = "The chat or message is gone: {reason}"

    def __init__(self, reason: str, /, *, detail: str = "") -> None:
        super().__init__(detail=detail, reason=reason)
        self.reason = reason


class Rejected(AdapterError):
    text = "The chat platform refused this: {what}"

    def __init__(self, what: str, /, *, detail: str = "") -> None:
        super().__init__(detail=detail, what=what)
        self.what = what


class GatewayError(MagpieError):
    """`status` is the HTTP status if there was an answer; `detail` their words, with secrets taken out; `vague`: they
    say nothing that is known, so it may be about anything in the request."""

    text = "The model's service had a problem. Please try again."
    vague_text = (
        "The model's service does not take this question, and I don't understand why. "
        "Please put it another way, or choose another model with /model."
    )

    def __init__(
        self,
        text: str | None = None,
        /,
        *,
        status: int | None = None,
        detail: str = "",
        vague: bool = False,
        **data: object,
    ) -> None:
        if vague and type(self) is GatewayError:
            text = text or self.vague_text
        super().__init__(text, detail=detail, **data)
        self.status = status
        self.vague = vague


class BadKey(GatewayError):
    text = "The model's service rejects our key. The admin has to set a valid CHAT_API_KEY."


class NoMoney(GatewayError):
    text = "The account of the model's service is empty. The admin has to top it up."


class RateLimited(GatewayError):
    text = "The model's service is busy right now. Please try again in a minute."
    minutes_text = "The model's service takes no more questions for now. Please try again in about {n} minutes."
    hours_text = "The model's service takes no more questions for now. Please try again in about {n} hours."

    def __init__(self, *, after: float | None = None, status: int | None = None, detail: str = "") -> None:
        wait = after or 0.0
        if wait > 5400:
            super().__init__(self.hours_text, status=status, detail=detail, n=round(wait / 3600))
        elif wait > 90:
            super().__init__(self.minutes_text, status=status, detail=detail, n=round(wait / 60))
        else:
            super().__init__(status=status, detail=detail)
        self.after = after  # seconds


class Blocked(GatewayError):
    text = "The model's service refuses this content. It is left out of what follows; please put it another way."


class TooLong(GatewayError):
    text = "This is more than the model can take in. Please shorten it, or choose another model with /model."

    def __init__(
        self, *, limit: int | None = None, sent: int | None = None, status: int | None = None, detail: str = ""
    ) -> None:
        super().__init__(status=status, detail=detail)
        self.limit = limit  # tokens
        self.sent = sent  # tokens, by their count


class BadParameter(GatewayError):
    text = "The model does not take this setting: {name}. Change it with /set or /unset."

    def __init__(self, name: str, /, *, limit: int | None = None, status: int | None = None, detail: str = "") -> None:
        super().__init__(status=status, detail=detail, name=name)
        self.name = name
        self.limit = limit


class UnknownModel(GatewayError):
    text = "The model {model} is not available here. Choose another with /model."

    def __init__(self, model: str, /, *, status: int | None = None, detail: str = "") -> None:
        super().__init__(status=status, detail=detail, model=model)
        self.model = model


class Unreachable(GatewayError):
    text = "The model's service can't be reached. Please try again later."


class Broken(GatewayError):
    text = "The answer broke off on the way from the model's service."


class Upstream(GatewayError):
    text = "The model's service has a problem of its own. Please try again in a minute."


class InvalidRequest(MagpieError):
    text = "This request can't work."


class Unaskable(InvalidRequest):
    text = "This can't be asked."


class MediaError(MagpieError):
    """`name` among the data is what the file is called; who doesn't know that leaves it to `bot.media.prepared`."""

    text = "This file can't be used."


class NotFetched(MediaError):
    text = "{name} can't be fetched right now. Please try again."


class StoreError(MagpieError):
    text = "The database has a problem."


class Superseded(StoreError):
    text = "Another attempt has taken this turn over."


class StoreLocked(StoreError):
    text = "Another magpie process already uses {path}. Stop it first, or set another DATA_DIR."


class StoreNewer(StoreError):
    text = (
        "The database was written by a newer version of magpie ({revision}). "
        "Install that version, or set another DATABASE_URL."
    )


class StoreRejects(StoreError):
    text = "The database can't keep this."


class StoreFull(StoreError):
    text = "No space is left where the database is ({path})."
