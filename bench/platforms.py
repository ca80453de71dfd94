"""The platforms' fakes, from the side of the people who ask and read"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bench.pace import Pace
from bench.rows import Row
from tests.fakes.telegram import FakeTelegram, Limits, Room
from tests.fakes.telegram.server import TOKEN

__all__ = ["PACES", "PLATFORMS", "STATUSES", "Platform", "Version"]

STATUSES = ("sendChatAction", "assistant.threads.setStatus", "agents.sessions.setStatus")  # are no messages

_WORD = re.compile(r"(\d+)w(\d+)")


@dataclass(frozen=True)
class Version:
    """What a message showed from `at` on: so many words of the answer to question `number`."""

    at: float
    number: int
    words: int
    text: str
    message: object

    @classmethod
    def read(cls, at: float, text: str, message: object) -> Version | None:
        found = _WORD.findall(text)
        return cls(at, int(found[0][0]), int(found[-1][1]) + 1, text, message) if found else None


class Platform(Protocol):
    pace: Pace

    @property
    def environment(self) -> Mapping[str, str]: ...
    def ask(self, row: Row, first: int) -> None:
        """All questions of a row at once; their numbers go up from `first`."""

    def current(self, number: int) -> list[str]:
        """The texts that stand where question `number` was asked, finished ones as they are, growing ones marked."""

    def versions(self) -> list[Version]: ...
    def calls(self) -> Mapping[str, int]: ...
    @property
    def floods(self) -> int: ...


@dataclass
class Telegram:
    tg: FakeTelegram
    rooms: dict[int, Room] = field(default_factory=dict)
    pace = Pace(all=30.0, interval=1.1, burst=3, group=20)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": self.tg.url}

    def ask(self, row: Row, first: int) -> None:
        number = first
        for _ in range(row.private):
            self.rooms[number] = self.tg.private(f"Person{number}")
            number += 1
        for group in range(row.groups):
            people = [self.tg.person(f"Person{number + index}") for index in range(row.each)]
            room = self.tg.supergroup(*people, title=f"Group {group}")
            for _ in people:
                self.rooms[number] = room
                number += 1
        for asked in range(first, number):
            room = self.rooms[asked]
            if row.groups:
                people = [user for user, _ in room.members.values() if not user.is_bot]
                room.write(f"@{self.tg.bot.username} say the words #{asked}", people[(asked - first) % row.each])
            else:
                room.write(f"say the words #{asked}")

    def current(self, number: int) -> list[str]:
        shown = self.tg.shown(self.rooms[number])
        return [f"{each.text} …" if "Stop" in each.buttons else each.text for each in shown]

    def versions(self) -> list[Version]:
        found = []
        for room in {id(room): room for room in self.rooms.values()}.values():
            for each in self.tg.history(room):
                version = Version.read(each.at, each.text, (room.id, each.id))
                if version is not None and not each.deleted:
                    found.append(version)
        return found

    def calls(self) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        for call in self.tg.calls:
            if call.method != "getUpdates":
                counts[call.method] = counts.get(call.method, 0) + 1
        return counts

    @property
    def floods(self) -> int:
        return self.tg.floods


@contextlib.asynccontextmanager
async def _telegram(row: Row) -> AsyncIterator[Platform]:
    async with FakeTelegram(limits=Limits(on=row.limits)) as tg:
        yield Telegram(tg)


PLATFORMS = {"telegram": _telegram}
PACES = {"telegram": Telegram.pace}
