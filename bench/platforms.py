"""The platforms' fakes, from the side of the people who ask and read"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bench.pace import Pace
from bench.rows import Row
from tests.fakes import slack, telegram
from tests.fakes.slack.people import Room as Workspace
from tests.fakes.slack.places import User
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN
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
    tg: telegram.FakeTelegram
    rooms: dict[int, telegram.Room] = field(default_factory=dict)
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
        return Counter(call.method for call in self.tg.calls if call.method != "getUpdates")

    @property
    def floods(self) -> int:
        return self.tg.floods


@dataclass
class Slack:
    slack: slack.FakeSlack
    rooms: dict[int, Workspace] = field(default_factory=dict)
    pace = Pace(all=5.0, minute=170)  # 300 posts a minute; 20 starts of streams, 100 appends and 50 updates

    @property
    def environment(self) -> Mapping[str, str]:
        return {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_URL": self.slack.url}

    def ask(self, row: Row, first: int) -> None:
        asked: list[tuple[Workspace, User | None]] = [
            (self.slack.private(f"Person{number}"), None) for number in range(first, first + row.private)
        ]
        for group in range(row.groups):
            people = [self.slack.person(f"Person{first + group * row.each + index}") for index in range(row.each)]
            room = self.slack.channel(*people, name=f"group-{first}-{group}")
            asked += [(room, person) for person in people]
        for number, (room, person) in enumerate(asked, first):
            self.rooms[number] = room
            if person is None:
                room.write(f"say the words #{number}")
            else:
                room.mention(f"say the words #{number}", person)

    def current(self, number: int) -> list[str]:
        return [f"{each.text} …" if each.streaming else each.text for each in self.slack.shown(self.rooms[number])]

    def versions(self) -> list[Version]:
        found = []
        for room in {room.id: room for room in self.rooms.values()}.values():
            for each in self.slack.history(room):
                version = Version.read(each.at, each.text, (room.id, each.ts))
                if version is not None and not each.deleted:
                    found.append(version)
        return found

    def calls(self) -> Mapping[str, int]:
        return Counter(call.method for call in self.slack.calls)

    @property
    def floods(self) -> int:
        return self.slack.floods


@contextlib.asynccontextmanager
async def _telegram(row: Row) -> AsyncIterator[Platform]:
    async with telegram.FakeTelegram(limits=telegram.Limits(on=row.limits)) as tg:
        yield Telegram(tg)


@contextlib.asynccontextmanager
async def _slack(row: Row) -> AsyncIterator[Platform]:
    async with slack.FakeSlack(limits=slack.Limits(on=row.limits)) as workspace:
        yield Slack(workspace)


PLATFORMS = {"telegram": _telegram, "slack": _slack}
PACES = {"telegram": Telegram.pace, "slack": Slack.pace}
