"""Alert recipients: who hears of alerts: the chats of ALERT_CHATS, and a chat of its own where every user is the
owner."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bot.errors import AdapterError, SettingError
from bot.types import Account, Adapter, Chat, Text

__all__ = ["Place", "Recipients", "alias", "check_places"]

Place = tuple[str, str, str | None]  # platform or platform.name, id, thread


def alias(account: str) -> str:
    """What ALERT_CHATS calls an account: "platform", "platform.name"."""
    return account.replace(":", ".")


def _meant(word: str, accounts: Collection[str]) -> str | None:
    """The account that ALERT_CHATS means: a platform alone is the account of the variables, or the only one there is.
    None if there is no such account; ValueError if it might be several."""
    exact = next((account for account in accounts if alias(account) == word), None)
    if exact is not None:
        return exact
    of_platform = [account for account in accounts if account.partition(":")[0] == word]
    if len(of_platform) > 1:
        raise ValueError(word)
    return of_platform[0] if of_platform else None


class Recipients:
    """`own`: platform -> id of its chat for alerts. Which account posts is the adapter's to say, once it knows."""

    def __init__(self, places: Sequence[Place], adapters: Mapping[str, Adapter], own: Mapping[str, str]) -> None:
        self.places = [*places, *((platform, id, None) for platform, id in own.items())]
        self._own = own
        self._adapters = adapters

    @property
    def accounts(self) -> list[Account]:
        """Whom we are on each that is switched on, as far as it is known."""
        return [adapter.account for adapter in self._adapters.values()]

    def _adapter(self, word: str) -> Adapter | None:
        account = _meant(word, self._adapters)
        return None if account is None else self._adapters[account]

    def chats(self) -> list[Chat]:
        found = []
        for word, id, thread in self.places:
            adapter = self._adapter(word)
            if adapter is not None and adapter.account.id:
                found.append(Chat(adapter.account.platform, adapter.account.id, id, thread))
        return list(dict.fromkeys(found))

    def own(self) -> list[Chat]:
        return [chat for chat in self.chats() if self._own.get(chat.platform) == chat.id]

    def waiting(self) -> bool:
        """Is there an account that isn't known yet?"""
        wanted = [adapter for adapter in (self._adapter(word) for word, _, _ in self.places) if adapter is not None]
        return any(not adapter.account.id for adapter in wanted)

    async def troubles(self) -> list[Text]:
        """What is wrong with ALERT_CHATS: whom we can't tell anything."""
        found = []
        for word, id, thread in self.places:
            name = f"{word}:{id}" + (f"/{thread}" if thread else "")
            adapter = self._adapter(word)
            if adapter is None:
                data = {"chat": name, "platform": word}
                found.append(Text("ALERT_CHATS: {chat} hears nothing: {platform} is not switched on.", data))
                continue
            try:
                await adapter.can_post(Chat(adapter.account.platform, adapter.account.id, id, thread))
            except AdapterError as error:
                reason = {"chat": name, "reason": error.detail or error}
                found.append(Text("ALERT_CHATS: {chat} can't be written to: {reason}", reason))
            except ValueError:
                found.append(Text("ALERT_CHATS: {chat} is no chat there.", {"chat": name}))
        return found


def check_places(places: Sequence[Place], known: Collection[str], on: Collection[str] = ()) -> None:
    """SettingError if one names a platform or an account that is not among the `known`, or a platform of which several
    accounts are `on`, but not the one of the variables."""
    known = set(map(alias, known))
    for word, id, _ in places:
        if word not in known:
            raise SettingError(
                "ALERT_CHATS",
                "no platform is called {platform}; there are {known}. Example: ALERT_CHATS={example}",
                platform=word,
                known=", ".join(sorted(known)),
                example=f"{min(known)}:{id}",
            )
        try:
            _meant(word, on)
        except ValueError:
            several = sorted(alias(each) for each in on if each.partition(":")[0] == word)
            raise SettingError(
                "ALERT_CHATS",
                "{platform} may be {accounts}: say which. Example: ALERT_CHATS={example}",
                platform=word,
                accounts=several,
                example=f"{several[0]}:{id}",
            ) from None
