"""A small core for the page's tests: a reader in memory, and an intake that makes turns of what arrives.

A test moves each turn on by hand, with the same words and in the same order as the real core: `grow`, `generate`,
`finish`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from bot.errors import StoreError
from bot.markdown.parser import parse
from bot.types import (
    Ack,
    Adapter,
    BalanceReading,
    Chat,
    ChatSummary,
    Inbound,
    IncomingMessage,
    Json,
    LedgerEntry,
    Menu,
    Message,
    Money,
    Note,
    Outcome,
    Outlay,
    Person,
    Piece,
    Posted,
    PostId,
    Press,
    Role,
    SettingRow,
    Spending,
    Turn,
    TurnKind,
    TurnState,
)

__all__ = ["WebCore"]

_OWNER = Person("owner")


class WebCore:
    """Reader and Intake at once. `acks` answer presses by their action; `broken` makes every arrival fail."""

    def __init__(self) -> None:
        self.events: list[Inbound] = []
        self.seen: set[str] = set()
        self.turns: dict[int, Turn] = {}
        self.messages: list[Message] = []
        self.rows: list[SettingRow] = []
        self.acks: dict[str, Ack] = {}
        self.raised: dict[str, int] = {}
        self.broken = False
        self.titles: dict[Chat, str] = {}
        self.deleted: set[Chat] = set()

    # ── Intake ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def wanted(self, message: IncomingMessage) -> bool:
        return True

    async def accept(self, event: Inbound) -> Ack:
        if self.broken:
            raise StoreError
        if event.key in self.seen:
            return Ack()
        self.seen.add(event.key)
        self.events.append(event)
        match event:
            case IncomingMessage():
                turn = self.open(event.chat, event.author)
                self.say(turn, Role.USER, event.text, event)
                return Ack(turn.id)
            case Press() if event.action == "/stop":
                for turn in await self.open_turns(event.chat):
                    self.turns[turn.id] = replace(turn, state=TurnState.ENDED, outcome=Outcome.STOPPED)
                return Ack(toast="Stopping.")
            case Press():
                return self.acks.get(event.action, Ack(toast="Done."))
        return Ack()

    # ── what the core would do ──────────────────────────────────────────────────────────────────────────────────────

    def open(self, chat: Chat, asker: Person = _OWNER, kind: TurnKind = TurnKind.QUESTION) -> Turn:
        turn = Turn(len(self.turns) + 1, chat, kind, TurnState.WAITING, 0, asker, 1_800_000_000_000)
        self.turns[turn.id] = turn
        return turn

    def say(self, turn: Turn, role: Role, text: str, event: IncomingMessage | None = None) -> None:
        files = event.attachments if event else ()
        post = event.post if event else None
        author = event.author if event else Person("")
        number = len(self.messages) + 1
        at = 1_800_000_000_000 + number
        self.messages.append(Message(number, turn.chat, turn.id, role, author, text, at, files, post=post))

    async def grow(self, adapter: Adapter, id: int, text: str, *, index: int = 0, growing: bool = True) -> PostId:
        turn = self.turns[id] = replace(self.turns[id], state=TurnState.RUNNING, attempt=max(1, self.turns[id].attempt))
        return await adapter.put(turn.chat, Piece(f"{id}.{index}", parse(text, growing=growing), growing=growing))

    def generate(
        self,
        id: int,
        text: str,
        *,
        outcome: Outcome = Outcome.WHOLE,
        notes: tuple[Note, ...] = (),
        menu: Menu | None = None,
    ) -> None:
        turn = self.turns[id]
        self.turns[id] = replace(
            turn,
            state=TurnState.DELIVERING,
            text=text,
            outcome=outcome,
            notes=notes,
            menu=menu,
            attempt=max(1, turn.attempt),
        )
        self.messages = [m for m in self.messages if (m.turn, m.role) != (id, Role.ASSISTANT)]
        self.say(turn, Role.ASSISTANT, text)

    async def deliver(self, adapter: Adapter, id: int, at: PostId | None = None) -> PostId:
        """The final piece, and the end."""
        turn = self.turns[id]
        piece = Piece(f"{id}.0", parse(turn.text), menu=turn.menu, notes=turn.notes)
        post = await adapter.put(turn.chat, piece, at)
        self.turns[id] = replace(turn, state=TurnState.ENDED, posts=(Posted(0, post, "digest"),))
        return post

    async def answer(self, adapter: Adapter, id: int, text: str) -> PostId:
        self.generate(id, text)
        return await self.deliver(adapter, id)

    def reopen(self, id: int) -> None:
        turn = self.turns[id]
        self.turns[id] = replace(turn, state=TurnState.WAITING, text="", notes=(), menu=None, outcome=None)
        self.messages = [m for m in self.messages if (m.turn, m.role) != (id, Role.ASSISTANT)]

    # ── Reader ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def history(self, chat: Chat, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        found = [m for m in reversed(self.messages) if m.chat == chat and (before is None or m.id < before)]
        return found[:limit]

    async def context(self, chat: Chat, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        return await self.history(chat, before=before, limit=limit)

    async def settings(self, chat: Chat) -> Sequence[SettingRow]:
        return [row for row in self.rows if row.scope in chat.scopes]

    async def chats(
        self, platform: str, account: str, *, after: tuple[int, Chat] | None = None, search: str = "", limit: int = 100
    ) -> Sequence[ChatSummary]:
        first = {m.chat: m for m in reversed(self.messages) if (m.chat.platform, m.chat.account) == (platform, account)}
        found = [ChatSummary(chat, self.titles.get(chat) or m.text, m.at) for chat, m in first.items()]
        found = [each for each in found if each.chat not in self.deleted and search in each.title]
        found.sort(key=lambda each: (-each.at, each.chat.key))
        rest = [each for each in found if after is None or (-each.at, each.chat.key) > (-after[0], after[1].key)]
        return rest[:limit]

    # ── Archive ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def rename(self, chat: Chat, title: str) -> bool:
        self.titles[chat] = title
        return any(message.chat == chat for message in self.messages)

    async def delete(self, chat: Chat) -> bool:
        there = chat not in self.deleted and any(message.chat == chat for message in self.messages)
        self.deleted.add(chat)
        return there

    async def restore(self, chat: Chat) -> bool:
        there = chat in self.deleted
        self.deleted.discard(chat)
        return there

    async def turn(self, id: int) -> Turn | None:
        return self.turns.get(id)

    async def open_turns(self, chat: Chat) -> Sequence[Turn]:
        return [turn for turn in self.turns.values() if turn.chat == chat and turn.state is not TurnState.ENDED]

    async def last_turn(self, chat: Chat) -> Turn | None:
        return next((turn for turn in reversed(self.turns.values()) if turn.chat == chat), None)

    async def question(self, turn: int) -> Sequence[Message]:
        return [m for m in self.messages if m.turn == turn and m.role is Role.USER]

    async def ledger(self, turn: int) -> Sequence[LedgerEntry]:
        return []

    async def spending(self, *, chat: Chat | None = None, since: int = 0) -> Spending:
        return Spending(0, 0, 0, ())

    async def balance(self, gateway: str) -> BalanceReading | None:
        return BalanceReading(gateway, Money(Decimal("12.5")), 1_800_000_000_000) if gateway == "gateway" else None

    async def outlay(self, gateway: str, currency: str, *, since: int, most: int = 3) -> Outlay:
        return Outlay(Money(Decimal(0), currency))

    async def alerts(self, gateway: str) -> Mapping[str, int]:
        return dict(self.raised)

    async def learned(self, gateway: str) -> Mapping[str, Json]:
        return {}
