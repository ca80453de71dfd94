"""The store's port: whole-transaction verbs, and what they return."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.types.chat import Chat, Json, PostId
from bot.types.effects import Effect, Notice, Reply
from bot.types.inbound import Deleted, Edited, IncomingMessage, Membership, Moved, Press, StopPressed
from bot.types.money import BalanceReading, LedgerEntry, Outlay, Spending
from bot.types.turn import Answer, Message, Outcome, SettingRow, Turn, TurnState

__all__ = ["Accepted", "Archive", "Backlog", "ChatSummary", "Holding", "Reader", "Signal", "Store"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a question: `turn` None if it was seen before, there are too many waiting (in the turn `waiting`),
    or (`busy`) the turn that it joins is sending a message just now, whose outcome must be known first. `anew`: its
    turn had begun."""

    turn: int | None
    seen: bool = False
    full: bool = False
    waiting: int | None = None
    busy: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """A conversation in a list: `title` is the chat's own or its first question."""

    chat: Chat
    title: str
    at: int  # of its last message


class Signal(StrEnum):
    """What a store tells a process of the others that share it, with a word about what."""

    WORK = "work"  # something is queued for an account: its key
    STOP = "stop"  # a turn is to stop: its id
    LEASE = "lease"  # an account may be free to be held
    LOST = "lost"  # the others may take us for dead from now on
    BACK = "back"  # they can see us again; what was told meanwhile is lost


@dataclass(frozen=True, slots=True)
class Holding:
    """What a process holds by lease: account -> seconds for which nobody else takes it, counted from before it was
    asked for; `spare` are those that others lack, to be let go of as soon as nothing runs there."""

    held: Mapping[str, float]
    spare: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many turns of an account ("platform/id") in a state have not ended; the oldest is from `since` (UTC ms)."""

    account: str
    state: TurnState
    count: int
    since: int


class Reader(Protocol):
    """The store's read-only half."""

    async def history(self, chat: Chat, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        """Newest first, ids below `before`. Read by index: its cost doesn't depend on how much there is."""

    async def context(self, chat: Chat, *, before: tuple[int, int] | None = None, limit: int = 50) -> Sequence[Message]:
        """What is in context and came after the last Forget, newest `after_turn` first, so that an answer stands right
        above its question even if another question came in between, and what was overheard behind the turn that it
        came after. `before`: (after_turn, id) of the last one already read, or (turn, 0) for what came before a
        turn."""

    async def settings(self, chat: Chat) -> Sequence[SettingRow]:
        """The rows in force in this chat, widest scope first; a narrower scope's row follows, and overrides, a wider
        one's."""

    async def chats(
        self, platform: str, account: str, *, after: tuple[int, Chat] | None = None, search: str = "", limit: int = 100
    ) -> Sequence[ChatSummary]:
        """Conversations, the one with the newest message first; those behind `after` (`at` and chat of the last one
        already read), and with every word of `search` in the title or in what was said there."""

    async def newest_chat(self, room: Chat, *, besides: Chat | None = None, since: int = 0) -> Chat | None:
        """The conversation in a place (in one of its threads, mostly) with the newest message, if that came no earlier
        than `since` (UTC ms); without the one `besides`."""

    async def turn(self, id: int) -> Turn | None: ...

    async def open_turns(self, chat: Chat) -> Sequence[Turn]:
        """Turns of the chat that have not ended, oldest first."""

    async def backlog(self) -> Sequence[Backlog]:
        """The turns that have not ended, counted by account and state."""

    async def holders(self) -> Collection[str]:
        """The accounts that some process holds."""

    async def last_turn(self, chat: Chat) -> Turn | None:
        """The newest question of the chat, whatever its state."""

    async def read_until(self, chat: Chat) -> int | None:
        """Until when (UTC ms) what people said in the chat has been read (`adopt`); None if it never was."""

    async def question(self, turn: int) -> Sequence[Message]:
        """The messages that asked, oldest first."""

    async def ledger(self, turn: int) -> Sequence[LedgerEntry]:
        """Every attempt's calls, oldest first."""

    async def spending(self, *, chat: Chat | None = None, since: int = 0) -> Spending: ...

    async def balance(self, gateway: str) -> BalanceReading | None:
        """The reading with the newest start."""

    async def outlay(self, gateway: str, currency: str, *, since: int, most: int = 3) -> Outlay:
        """What was spent since then, and the `most` places that spent most of it."""

    async def alerts(self, gateway: str) -> Mapping[str, int]:
        """The alerts that have been raised: name -> since when."""

    async def learned(self, gateway: str) -> Mapping[str, Json]:
        """What trying has taught about a gateway (`learn`)."""


class Archive(Protocol):
    """The conversations of a platform as its people keep them. Each verb is false if there is no such chat."""

    async def rename(self, chat: Chat, title: str) -> bool:
        """Its title from now on; '' for its first question again."""

    async def delete(self, chat: Chat) -> bool:
        """Take it out of every list, and stop what is asked there. Until it is erased it can be brought back."""

    async def restore(self, chat: Chat) -> bool: ...


class Store(Reader, Archive, Protocol):
    """Whole-transaction verbs. Every verb with a `Turn` is fenced: Superseded if its attempt is not the current one."""

    async def accept(
        self, message: IncomingMessage, *, wait: float = 0.0, limit: int = 5, effects: Sequence[Effect] = ()
    ) -> Accepted:
        """Dedupe, apply `effects`, save the message, attach it to the waiting turn of its chat (in groups: of chat and
        author) or make one, due `wait` seconds after the last message but at most 5 s after its first; `full` beyond
        `limit` waiting messages. One that `joins` what its author said in the last 5 s has that turn begin anew,
        however far it is."""

    async def answer(
        self, event: IncomingMessage | Press | StopPressed | Edited | Membership, reply: Reply
    ) -> int | None:
        """Dedupe, apply `reply.effects`, save the exchange out of context, and queue `reply.text` as a notice (none if
        ''). For a Press with `post` the notice replaces that message. Returns the notice's turn; None if seen before or
        ''."""

    async def seen(self, key: str) -> bool: ...

    async def edit(self, event: Edited) -> bool | None:
        """Take over a changed text: what waits is asked so, and later requests tell it so. False if its turn waits no
        more, or it was seen before; None if the message is not known."""

    async def withdraw(self, event: Deleted) -> int | None:
        """Take a message back: it leaves the question that it is part of, and the context. A question that has no other
        ends if it waits, and is stopped if it runs, as one is that has; an answer without a question leaves the context
        too. Returns the turn to be stopped, if there is one."""

    async def move(self, event: Moved) -> bool: ...

    async def membership(self, event: Membership) -> bool: ...

    async def adopt(self, chat: Chat, said: Sequence[Message], *, until: int, turn: int) -> bool:
        """Keep what was said in a chat until then (UTC ms), oldest first; what is known already is not kept twice. The
        first time it is the chat's oldest context, whatever it has by then; later it goes right before the question
        `turn`, as overheard. False if the chat has been read so far already."""

    async def notify(self, chat: Chat, text: str, *, key: str, language: str = "en", not_before: int = 0) -> int | None:
        """Queue words of our own for a chat, once per `key`, to be said from `not_before` on (ms). Returns the notice's
        turn."""

    async def claim(self, now: int, accounts: Collection[str]) -> Turn | None:
        """Take the oldest due turn of these accounts whose chat is free (a notice never waits for its chat): WAITING
        becomes RUNNING with `attempt` one higher; RUNNING (recovered) likewise; DELIVERING keeps its state and gets a
        new attempt."""

    async def next_due(self, now: int, accounts: Collection[str]) -> int | None:
        """When the earliest turn of these accounts that waits for its time is due; None if none waits."""

    async def hold(self, wanted: Collection[str], *, taking: bool = True) -> Holding:
        """Renew our leases on these accounts, and (`taking`) take those that are free, of which each process has its
        share. What another process left unfinished there is claimable again. What is not `wanted` any more is let go
        of."""

    async def let_go(self, accounts: Collection[str]) -> None:
        """End our leases on these accounts: nothing of ours runs there any more."""

    async def stopped(self, turns: Collection[int]) -> Collection[int]:
        """Which of these turns are to stop."""

    async def recover(self) -> int:
        """Make the turns of processes that are gone claimable again. Returns how many. Their open ledger entries end
        as lost."""

    async def release(self, turn: Turn) -> None:
        """Give a turn back unfinished (shutdown): claimable again, by whoever comes."""

    async def begin(self, turn: Turn, entry: LedgerEntry) -> int:
        """Open a ledger entry before the call is made. Returns its id."""

    async def generated(self, turn: Turn, answer: Answer, entries: Mapping[int, LedgerEntry]) -> None:
        """RUNNING -> DELIVERING: the answer, its message, usage and cost, in one transaction. `entries`: ledger id ->
        entry."""

    async def postpone(self, turn: Turn, until: int) -> None:
        """A DELIVERING turn goes on at `until`: the platform said "later"."""

    async def end(self, turn: Turn, outcome: Outcome) -> None: ...

    async def intend(self, turn: Turn, index: int, *, repeat: bool = False) -> None:
        """Before a new piece is posted; `repeat` when it is sent again for an unknown outcome."""

    async def posted(self, turn: Turn, index: int, post: PostId, digest: str = "") -> None:
        """A piece stands at `post`; with `digest`, in its final form."""

    async def dropped(self, turn: Turn, index: int) -> None:
        """A surplus piece is deleted."""

    async def reading(self, told: BalanceReading) -> None: ...

    async def alert(self, gateway: str, name: str, *, raised: bool, notices: Sequence[Notice] = ()) -> bool:
        """Raise an alert, or lay it, and queue the notices that tell of it, in one transaction. False, and nothing
        queued, if it was so already."""

    async def learn(self, gateway: str, name: str, value: Json) -> None: ...

    async def erase(self, *, before: int, most: int = 20) -> int:
        """Chats deleted before then (ms) leave the store for good, with all that was said and set there; `most` at
        once. What they cost stays. Returns how many."""

    async def forget_keys(self, *, before: int, most: int = 500) -> int:
        """Forget the keys of events that came before then (ms), `most` at once. Returns how many. What comes again
        under such a key is new: for `adopt` none is forgotten."""

    async def thin_readings(self, gateway: str, *, before: int, most: int = 500) -> int:
        """Of a gateway's readings before then (ms) keep the last one of each day (UTC); `most` at once are deleted.
        Returns how many."""

    def watch(self, hear: Callable[[Signal, str], None]) -> AbstractAsyncContextManager[None]:
        """Call `hear` with what another process did that is of our concern."""

    async def close(self) -> None: ...
