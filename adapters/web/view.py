"""Conversation view: what the page shows of one, as JSON: the store's record, joined with the pieces that grow right
now.

The rule that keeps an answer from standing there twice, or cut: as soon as a turn's answer is stored, the store alone
says what it is; until then the pieces do. A turn is one entry: the messages that asked, and what answers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from adapters.web.outgoing.render import render_blocks
from adapters.web.rooms import Room
from bot.markdown.parser import parse
from bot.types import (
    Attachment,
    Chat,
    Menu,
    Message,
    ModelInfo,
    Note,
    NoteKind,
    Piece,
    Posted,
    Price,
    Reader,
    Role,
    SettingRow,
    Turn,
    TurnKind,
    TurnState,
)

__all__ = ["Conversation", "is_open", "is_stored", "model_view", "place_of", "settings_view"]

View = dict[str, Any]

_SHORT = 20_000  # characters of a text of which hundreds are remembered; an answer may have two million


def is_open(turn: Turn) -> bool:
    """Whether an answer is still to come."""
    return turn.state in (TurnState.WAITING, TurnState.RUNNING)


def is_stored(turn: Turn) -> bool:
    """Whether the store knows the answer."""
    return not is_open(turn) or (turn.kind is TurnKind.NOTICE and bool(turn.text))


def _html(text: str) -> tuple[str, ...]:
    return (_short if len(text) <= _SHORT else _long)(text)


@lru_cache(maxsize=512)
def _short(text: str) -> tuple[str, ...]:
    return render_blocks(parse(text))


@lru_cache(maxsize=4)
def _long(text: str) -> tuple[str, ...]:
    return render_blocks(parse(text))


class Conversation:
    """Reads one chat for the page."""

    def __init__(self, reader: Reader, chat: Chat, room: Room) -> None:
        self._reader = reader
        self._chat = chat
        self._room = room

    async def page(self, before: int | None, limit: int) -> View:
        """`limit` messages below the id `before`, as turns in order; on the first page open turns come last."""
        position = self._room.position
        newest_first = await self._reader.history(self._chat, before=before, limit=limit)
        messages = list(reversed(newest_first))
        groups: dict[int, list[Message]] = {}
        for message in messages:
            groups.setdefault(message.turn if message.turn is not None else -message.id, []).append(message)
        turns = {id: turn for id in groups if id > 0 and (turn := await self._reader.turn(id)) is not None}
        if before is None:
            for turn in await self._reader.open_turns(self._chat):
                turns[turn.id] = turn
                groups.setdefault(turn.id, [])
        self._replacements(turns.values())
        views = [await self._entry(id, turns.get(id), found) for id, found in groups.items()]
        return {
            "turns": [view for view in views if view is not None],
            "older": messages[0].id if len(messages) >= limit else None,
            "position": position,
        }

    async def turn(self, id: int) -> View | None:
        """One turn, newly read. None if it has nothing to show of its own."""
        turn = await self._reader.turn(id)
        return None if turn is None else await self._entry(id, turn, [])

    def _replacements(self, turns: Iterable[Turn]) -> None:
        """Take from the store which turns are shown in another's place; in memory this is lost with a restart."""
        for turn in sorted(turns, key=lambda each: each.id):
            place = place_of(turn)
            if place != turn.id and place in {each.id for each in turns}:
                self._room.replaced[place] = max(turn.id, self._room.replaced.get(place, 0))

    async def _entry(self, id: int, turn: Turn | None, messages: Sequence[Message]) -> View | None:
        if turn is None:
            return _loose(id, messages)
        place = place_of(turn)
        if place != id and self._room.replaced.get(place) is not None:
            return None  # it is shown there
        asked = [message for message in messages if message.role is Role.USER]
        if not asked:
            asked = list(await self._reader.question(id))
        shown = turn
        if (other := self._room.replaced.get(id)) is not None:
            shown = await self._reader.turn(other) or turn
        rows = [row for row in await self._reader.settings(self._chat) if row.name == "reasoning" and row.value]
        shows_reasoning = not rows or rows[-1].value != "off"
        # after the last await: from here on nothing can come between what is read and what is told
        pieces = self._pieces(shown, messages, f"{id}.{max(0, len(turn.posts) - 1)}", id, shows_reasoning)
        return {
            "id": id,
            "kind": str(turn.kind),
            "open": is_open(shown) and not is_stored(shown),
            "waiting": shown.state is TurnState.WAITING,
            "outcome": str(shown.outcome) if shown.outcome and is_stored(shown) else None,
            "at": turn.created,
            "messages": [message_view(message) for message in asked if _is_written(message)],
            "pieces": pieces,
        }

    def _pieces(
        self, turn: Turn, messages: Sequence[Message], last: str, place: int, shows_reasoning: bool
    ) -> list[View]:
        live = self._room.live.get(place, {})
        if not is_stored(turn):
            return [piece_view(piece, f"{place}.{index}") for index, piece in sorted(live.items())]
        text = turn.text or next((m.text for m in reversed(messages) if m.role is Role.ASSISTANT), "")
        repeats = [note for piece in live.values() for note in piece.notes if note.kind is NoteKind.REPEAT]
        notes = [*repeats[:1], *turn.notes]
        notes = [note for note in notes if note.kind is not NoteKind.REASONING]
        if turn.reasoning and shows_reasoning:  # all of it: here it is folded
            notes.insert(0, Note(NoteKind.REASONING, turn.reasoning))
        if not text and not notes and turn.menu is None:
            return []
        return [
            {
                "post": last,
                "blocks": list(_html(text)),
                "growing": False,
                "notes": [note_view(note) for note in notes],
                "menu": menu_view(turn.menu),
                "files": [],
                "source": text,
            }
        ]


def place_of(turn: Turn) -> int:
    """The turn in whose place this one's answer stands: its own, but for a notice that replaces a message."""
    first: Posted | None = next((posted for posted in turn.posts if posted.index == 0), None)
    if first is None or first.post is None:
        return turn.id
    head, _, _ = first.post.partition(".")
    return int(head) if head.isdecimal() else turn.id


def _is_written(message: Message) -> bool:
    """A press of a button is stored like a message, but nobody wrote it."""
    return bool(message.post) or message.in_context


def _loose(id: int, messages: Sequence[Message]) -> View:
    """Messages that belong to no turn."""
    texts = [message for message in messages if message.role is Role.ASSISTANT]
    pieces = [
        {"post": f"m{m.id}", "blocks": list(_html(m.text)), "growing": False, "notes": [], "menu": [], "files": []}
        for m in texts
    ]
    return {
        "id": id,
        "kind": "loose",
        "open": False,
        "waiting": False,
        "outcome": None,
        "at": messages[0].at if messages else 0,
        "messages": [message_view(m) for m in messages if m.role is Role.USER],
        "pieces": pieces,
    }


# ── small things ────────────────────────────────────────────────────────────────────────────────────────────────────


def message_view(message: Message) -> View:
    return {
        "id": message.id,
        "client": message.post,
        "text": message.text,
        "at": message.at,
        "files": [file_view(file) for file in message.attachments],
    }


def file_view(file: Attachment) -> View:
    return {"ref": file.ref, "name": file.name, "mime": file.mime, "kind": str(file.kind), "size": file.size}


def piece_view(piece: Piece, post: str) -> View:
    return {
        "post": post,
        "blocks": list(render_blocks(piece.blocks, growing=piece.growing)),
        "growing": piece.growing,
        "notes": [note_view(note) for note in piece.notes],
        "menu": menu_view(piece.menu),
        "files": [file_view(file) for file in piece.files],
    }


def note_view(note: Note) -> View:
    return {"kind": str(note.kind), "text": note.text}


def menu_view(menu: Menu | None) -> list[list[View]]:
    rows = menu.rows if menu is not None else ()
    return [[{"label": c.label, "action": c.action, "url": c.url, "chosen": c.chosen} for c in row] for row in rows]


def model_view(model: ModelInfo) -> View:
    return {
        "id": model.id,
        "name": model.name or model.id,
        "family": model.family,
        "price": _price_view(model.price),
        "date": model.date,
        "recent": model.recent,
        "context": model.context,
        "image": model.image,
        "video": model.video if model.video is not None else model.frames,
        "search": model.search,
        "reasoning": model.reasoning,
        "translation": model.translation,
    }


def _price_view(price: Price | None) -> View | None:
    if price is None:
        return None
    amounts = {"flat": price.flat, "input": price.input, "output": price.output}
    return {"currency": price.currency} | {
        name: f"{amount:f}" for name, amount in amounts.items() if amount is not None
    }


def settings_view(chat: Chat, rows: Sequence[SettingRow]) -> list[View]:
    """The value of each setting that holds in the chat, whether it is the chat's own, and what it would be else."""
    found: dict[str, View] = {}
    for row in rows:
        if row.value is None:
            continue
        own = row.scope == chat.key
        wider = found.get(row.name)
        inherited = wider["value"] if own and wider else None
        found[row.name] = {"name": row.name, "value": row.value, "own": own, "inherited": inherited, "at": row.at}
    return list(found.values())
