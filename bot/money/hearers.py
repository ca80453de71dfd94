"""Who hears of alerts: the chats of ALERT_CHATS, and a chat of its own where every user is the owner."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bot.errors import AdapterError, SettingError
from bot.types import Adapter, Chat, Text

__all__ = ["Hearers", "Place", "check_places"]

Place = tuple[str, str, str | None]  # platform, id, thread


class Hearers:
    """`own`: platform -> id of its chat for alerts. Which account posts is the adapter's to say, once it knows."""

    def __init__(self, places: Sequence[Place], adapters: Mapping[str, Adapter], own: Mapping[str, str]) -> None:
        self.places = [*places, *((platform, id, None) for platform, id in own.items())]
        self._own = own
        self._adapters = adapters

    def chats(self) -> list[Chat]:
        found = []
        for platform, id, thread in self.places:
            adapter = self._adapters.get(platform)
            if adapter is not None and adapter.account.id:
                found.append(Chat(platform, adapter.account.id, id, thread))
        return list(dict.fromkeys(found))

    def own(self) -> list[Chat]:
        return [chat for chat in self.chats() if self._own.get(chat.platform) == chat.id]

    def waiting(self) -> bool:
        """Is there an account that isn't known yet?"""
        wanted = {platform for platform, _, _ in self.places}
        return any(not adapter.account.id for name, adapter in self._adapters.items() if name in wanted)

    async def troubles(self) -> list[Text]:
        """What is wrong with ALERT_CHATS: whom we can't tell anything."""
        found = []
        for platform, id, thread in self.places:
            name = f"{platform}:{id}" + (f"/{thread}" if thread else "")
            adapter = self._adapters.get(platform)
            if adapter is None:
                data = {"chat": name, "platform": platform}
                found.append(Text("ALERT_CHATS: {chat} hears nothing: {platform} is not switched on.", data))
                continue
            try:
                await adapter.can_post(Chat(platform, adapter.account.id, id, thread))
            except AdapterError as error:
                reason = {"chat": name, "reason": error.detail or error}
                found.append(Text("ALERT_CHATS: {chat} can't be written to: {reason}", reason))
            except ValueError:
                found.append(Text("ALERT_CHATS: {chat} is no chat there.", {"chat": name}))
        return found


def check_places(places: Sequence[Place], known: Collection[str]) -> None:
    """SettingError if one names a platform that doesn't exist."""
    for platform, id, _ in places:
        if platform not in known:
            raise SettingError(
                "ALERT_CHATS",
                "no platform is called {platform}; there are {known}. Example: ALERT_CHATS={example}",
                platform=platform,
                known=", ".join(sorted(known)),
                example=f"{min(known)}:{id}",
            )
