"""Access control: who may use the bot: by the rows of settings, by ADMINS, and by what the platform itself says. Fails
closed.

Two names of settings rows belong to this module, and are the record of who let whom in: in an account's scope
"person:<id>" is "admin", "allowed", "denied" or None; in a room's scope "allowed" is True or False.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.types import Account, AccountTable, Chat, Membership, Person, Reader, SetSetting, SettingRow

__all__ = ["Access", "ClaimCode", "Rights", "UserRole", "is_access"]

log = logging.getLogger(__name__)

_PERSON = "person:"
_ROOM = "allowed"

_ALPHABET = "ACDEFHJKMNPQRTVWXY23456789"  # none of 0 O 1 I L; of 2 Z, 5 S, 6 G, 8 B and U V one each
_LENGTH = 8
_WRONG_BY_ONE = 5
_WRONG_IN_ALL = 20
_SPACING = re.compile(r"[\s\-‐-―]+")


class UserRole(StrEnum):
    """What is known of a person, on one account."""

    ADMIN = "admin"
    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Rights:
    """`admitted`: may this person use the bot here. `room` is what was said of the room, None if nothing was."""

    standing: UserRole
    admitted: bool
    room: bool | None

    @property
    def admin(self) -> bool:
        return self.standing is UserRole.ADMIN


class ClaimCode:
    """A one-time code that makes whoever gives it the admin. It is known to this process only, and outlives few wrong
    guesses. `person` is a key of any form."""

    def __init__(self) -> None:
        self._code = ""
        self._holder = ""
        self._wrong: Counter[str] = Counter()

    def issue(self) -> str:
        """A new code, as people type it: "K7QX-M2PD"."""
        self._code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        self._holder = ""
        self._wrong.clear()
        return f"{self._code[:4]}-{self._code[4:]}"

    def tries(self, person: str) -> int:
        """How often a person may still guess; 0 if there is no code."""
        if not self._code:
            return 0
        return max(0, min(_WRONG_BY_ONE - self._wrong[person], _WRONG_IN_ALL - self._wrong.total()))

    def wrong(self, person: str) -> int:
        """How often a person was wrong."""
        return self._wrong[person]

    def fits(self, person: str, words: str) -> bool:
        """Is this the code? A wrong one counts. From now on the right one is this person's only: `discard` it as soon
        as it has been stored what it was for."""
        if not self.tries(person):
            return False
        given = _SPACING.sub("", unicodedata.normalize("NFKC", words)).upper()
        same = hmac.compare_digest(given.encode("utf-8", "replace"), self._code.encode())
        if same and self._holder in ("", person):
            self._holder = person
            return True
        self._wrong[person] += 1
        if self._wrong.total() >= _WRONG_IN_ALL:
            log.warning("the claim code is no longer valid after %d wrong ones; a restart shows another", _WRONG_IN_ALL)
            self._code = ""
        return False

    def discard(self) -> None:
        self._code = ""


class Access:
    """`admins` are (platform, person's id), whom no row can unseat. `everyone`: who and what isn't denied is let in.
    Both may be said otherwise for an account, by its `table`."""

    def __init__(
        self,
        reader: Reader,
        admins: Iterable[tuple[str, str]] = (),
        *,
        everyone: bool = False,
        table: Callable[[Chat], AccountTable | None] = lambda chat: None,  # noqa: ARG005
    ) -> None:
        self._everyone = everyone
        self._table = table
        self.code = ClaimCode()
        self._reader = reader
        self._admins = frozenset(admins)

    async def rights(self, chat: Chat, author: Person, group: bool | None = None) -> Rights:
        """`group` None: the event doesn't tell."""
        rows = await self._reader.settings(chat)
        room = next((row.value for row in rows if row.scope == chat.room.key and row.name == _ROOM), None)
        room = room if isinstance(room, bool) else None
        roster = self._roster(chat, rows)
        standing = UserRole.ADMIN if author.admin else roster.get(author.id, UserRole.UNKNOWN)
        if standing is UserRole.UNKNOWN and author.anonymous and UserRole.DENIED in roster.values():
            standing = UserRole.DENIED  # whoever speaks there may be one of those
        return Rights(standing, self._admitted(chat, standing, room, group), room)

    def everyone(self, chat: Chat) -> bool:
        """Is everybody let in on this chat's account who isn't denied?"""
        table = self._table(chat)
        return table.access == "open" if table is not None and table.access else self._everyone

    def _admitted(self, chat: Chat, standing: UserRole, room: bool | None, group: bool | None) -> bool:
        """In private it is the person that counts, in a group the group."""
        match standing:
            case UserRole.ADMIN:
                return True
            case UserRole.DENIED:
                return False
        if self.everyone(chat):
            return room is not False
        return (room is True and group is not False) or (standing is UserRole.ALLOWED and group is not True)

    async def roster(self, chat: Chat) -> Mapping[str, UserRole]:
        """Whom we know by id on this chat's account."""
        return self._roster(chat, await self._reader.settings(chat))

    def _roster(self, chat: Chat, rows: Sequence[SettingRow]) -> dict[str, UserRole]:
        account = chat.scopes[1]
        known = {
            row.name.removeprefix(_PERSON): UserRole(row.value)
            for row in rows
            if row.scope == account and row.name.startswith(_PERSON) and row.value in ("admin", "allowed", "denied")
        }
        return known | dict.fromkeys(self.named(chat), UserRole.ADMIN)

    def named(self, chat: Chat) -> frozenset[str]:
        """The admins of the setting ADMINS, and of the account's table."""
        table = self._table(chat)
        mine = frozenset(id for place, id in self._admins if place == chat.platform)
        return mine | (table.admins if table is not None else frozenset())

    def person(self, chat: Chat, id: str, standing: UserRole) -> SetSetting:
        """The row that gives a person a standing."""
        return SetSetting(chat.scopes[1], f"{_PERSON}{id}", standing.value or None)

    def room(self, chat: Chat, let_in: bool) -> SetSetting:
        """The row that lets everybody in a room in, or out again."""
        return SetSetting(chat.room.key, _ROOM, let_in)

    async def unclaimed(self, chat: Chat, who: str) -> bool:
        """Is nobody admin here yet, and may this person become it?"""
        return self.code.tries(who) > 0 and UserRole.ADMIN not in (await self.roster(chat)).values()

    def stored(self, effect: SetSetting) -> None:
        """A code that made somebody admin has served."""
        if effect.name.startswith(_PERSON) and effect.value == UserRole.ADMIN:
            self.code.discard()

    async def joined(self, event: Membership) -> SetSetting | None:
        """Where an admin adds us, we are meant to answer."""
        if not event.present or event.author is None:
            return None
        rights = await self.rights(event.chat, event.author)
        return self.room(event.chat, True) if rights.admin and rights.room is not True else None

    async def without_admin(self, accounts: Mapping[str, Account]) -> list[str]:
        """The names of those on which nobody is admin. Under `everyone` none needs one to be of use."""
        places = {name: Chat(account.platform, account.id, "") for name, account in accounts.items()}
        needy = {name: chat for name, chat in places.items() if not self.everyone(chat)}
        return [name for name, chat in needy.items() if UserRole.ADMIN not in (await self.roster(chat)).values()]


def is_access(row: SettingRow) -> bool:
    """Is a row about who may use the bot, not about how it answers?"""
    return row.name == _ROOM or row.name.startswith(_PERSON)
