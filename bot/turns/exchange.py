"""Model exchange: what came from the model for one turn, and what that means for the answer: whole, a part, stopped, or
a clear error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.errors import (
    BadKey,
    BadParameter,
    Blocked,
    GatewayError,
    MagpieError,
    MediaError,
    NoMoney,
    NotFetched,
    TooLong,
    Unaskable,
    UnknownModel,
)
from bot.gateways.tokens import estimate
from bot.locales import say
from bot.markdown.units import beginning
from bot.money.price import cost, show
from bot.types import (
    Answer,
    BalanceReading,
    Choice,
    Delta,
    Finish,
    LedgerEntry,
    Menu,
    ModelInfo,
    ModelRequest,
    Money,
    Note,
    NoteKind,
    Outcome,
    Text,
    Usage,
)

__all__ = ["Exchange", "conclude", "expired", "passing", "prompt_tokens", "unbegun", "unkept", "unmeasured"]

_ADDRESS = 500  # characters of a picture's address that is shown,
_ADDRESSES = 10  # and how many of them
_BRIEF = 400  # characters of a reasoning that is shown briefly
_BROKE_OFF = Text("This is a part: the connection to the model's service broke off.")
_WHY_PART: Mapping[Finish | None, Text] = {
    Finish.LENGTH: Text("This is a part: the answer reached its length limit."),
    Finish.FILTER: Text("This is a part: the model's service cut the answer off for its content."),
    Finish.CUT: _BROKE_OFF,
    Finish.TOOL: Text("This is a part: the model wanted to use a tool, and there are none here."),
    None: _BROKE_OFF,
}


# nothing came that could be shown -> why, and what to do
_WHY_EMPTY: Mapping[Finish | None, Text] = {
    Finish.LENGTH: Text(
        "The answer reached its length limit before its first word. Raise it with /set max_tokens, or lift it with "
        "/unset max_tokens."
    ),
    Finish.TOOL: Text("The model only wanted to use a tool, and there are none here. Ask it to answer without."),
}
_EMPTY = Text("The model gave an empty answer. Please try again.")
_THOUGHT_TOO_LONG = Text(
    "The model used up the length limit on thinking, before its first word. Raise it with /set max_tokens, or let it "
    "answer without thinking: /think off."
)
_ONLY_THOUGHT = Text("The model only thought, and gave no answer. What it thought is shown with this.")


@dataclass(slots=True)
class Exchange:
    """Everything that has come so far, over all requests of a plan. `entries`: ledger id -> entry.

    `text` begins with `base`, the part that this answer goes on with. `kept` is what an earlier try had brought: it
    stays in the chat until this one has brought more.
    """

    text: str = ""
    base: str = ""
    kept: str = ""
    reasoning: str = ""
    start: int = 0  # where in `text` the part begins that the running call has brought
    pictures: tuple[str, ...] = ()  # that came and can't be shown: addresses, "" where there is none
    resumable: bool = False  # a part of this answer can be gone on with
    finish: Finish | None = None
    stopped: bool = False
    error: MagpieError | None = None
    balance: BalanceReading | None = None
    entries: dict[int, LedgerEntry] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()

    def take(self, number: int, delta: Delta, now: int) -> None:
        """Add a piece of the answer that ledger entry `number` pays for."""
        entry = self.entries[number]
        if delta.retract:
            thought = self.text[self.start :]
            self.reasoning += thought if delta.reasoning else thought.rstrip("\r\n")
            self.text = self.text[: self.start]
        self.text += delta.text
        self.pictures += delta.pictures
        self.reasoning += delta.reasoning
        self.balance = delta.balance or self.balance
        self.finish = delta.finish or self.finish
        first = entry.first or (now if delta.text or delta.reasoning else None)
        served, answer, usage = delta.model or entry.served, delta.id or entry.answer, delta.usage or entry.usage
        if (first, served, answer, usage) != (entry.first, entry.served, entry.answer, entry.usage):
            self.entries[number] = replace(entry, first=first, served=served, answer=answer, usage=usage)

    def close(self, number: int, request: ModelRequest, info: ModelInfo, text: str, now: int) -> None:
        """What the call took: as reported, else estimated if anything came. `text` is what it brought."""
        entry = self.entries[number]
        usage = entry.usage
        if usage is None and (text or self.reasoning):
            usage = Usage(prompt_tokens(request), estimate(text) + estimate(self.reasoning), estimated=True)
        end = "stopped" if self.stopped else str(self.finish or "")
        self.entries[number] = replace(
            entry,
            usage=usage,
            cost=None if usage is None else cost(usage, info),
            ended=now,
            finish=entry.finish or end,
        )

    @property
    def barren(self) -> bool:
        """Nothing has come that could be shown."""
        return not self.text[len(self.base) :].strip()

    def wanting(self, before: str) -> bool:
        """Is what was asked for not there, for a reason that may pass? `before`: the text before it was asked for."""
        if self.stopped:
            return False
        if self.finish in (None, Finish.CUT):
            return True
        return self.finish is Finish.WHOLE and not (self.text[len(before) :].strip() or self.reasoning or self.pictures)

    def set_back(self, before: str, reasoning: str) -> None:
        """The same will be asked again: keep what this try has brought."""
        self.kept, self.text, self.reasoning, self.pictures = self.text, before, reasoning, ()

    def settle(self) -> bool:
        """After another try: the longer of two parts counts, but a proper end before any. True if this try's text is
        to replace what was kept."""
        kept, self.kept = self.kept, ""
        ended = self.finish not in (None, Finish.CUT) and self.error is None
        if len(self.text) >= len(kept) or (ended and not self.barren):
            return bool(kept)
        self.text = kept
        if self.finish is Finish.WHOLE:
            self.finish = Finish.CUT
        return False


def prompt_tokens(request: ModelRequest) -> int:
    """Our estimate of a text prompt."""
    return sum(estimate(message.content) for message in request.messages if isinstance(message.content, str))


def passing(error: MagpieError) -> bool:
    """May the same request go well a moment later?"""
    lasting = BadKey | BadParameter | Blocked | NoMoney | TooLong | UnknownModel
    return isinstance(error, GatewayError) and not isinstance(error, lasting)


def conclude(exchange: Exchange, turn: int, language: str, reasoning: str = "") -> Answer:
    """One of the ways a question may end. Nothing that isn't whole goes without a note that says so, and a way to
    retry. `reasoning`: how much of it is to be shown, see `ChatSettings`."""
    outcome, note = _verdict(exchange, language)
    only_thought = exchange.barren and exchange.finish is Finish.WHOLE and exchange.error is None
    notes = _about_reasoning(exchange.reasoning, "full" if only_thought else reasoning, language)
    notes += [Note(NoteKind.MODEL, say(text, language)) for text in exchange.notes]
    notes += _about_pictures(exchange.pictures, language)
    if note is not None:
        notes.append(note)
    unfinished = outcome is Outcome.PART or (outcome is Outcome.STOPPED and bool(exchange.text.strip()))
    ended = exchange.finish is Finish.WHOLE and exchange.error is None and not exchange.barren  # but for its pictures
    go_on = unfinished and not ended and exchange.resumable and not isinstance(exchange.error, Blocked)
    notes += _about_cost(list(exchange.entries.values()), language)
    return Answer(
        exchange.text,
        outcome,
        exchange.reasoning,
        tuple(notes),
        None if outcome is Outcome.WHOLE or _pointless(exchange) else _again(turn, language, go_on=go_on),
        exclude=outcome is Outcome.FAILED or isinstance(exchange.error, Blocked) or not exchange.text.strip(),
    )


def unbegun(turn: int, language: str) -> Answer:
    """What is shown of a question that was stopped while it waited."""
    note = Note(NoteKind.STOPPED, say(Text("Stopped before it began."), language))
    return Answer("", Outcome.STOPPED, notes=(note,), menu=_again(turn, language), exclude=True)


def _pointless(exchange: Exchange) -> bool:
    """Could the same question only meet the same end? A file that can't be read won't be better."""
    return isinstance(exchange.error, MediaError | Unaskable) and not isinstance(exchange.error, NotFetched)


def expired(turn: int, language: str) -> Answer:
    words = Text(
        "Sorry, I was not running when you asked this, and it is some time ago. Press Retry if it still matters."
    )
    note = Note(NoteKind.ERROR, say(words, language))
    return Answer("", Outcome.EXPIRED, notes=(note,), menu=_again(turn, language), exclude=True)


def unmeasured(entry: LedgerEntry) -> LedgerEntry:
    """A call of which the store takes no more than that it was made."""
    return replace(entry, served="", answer="", usage=None, cost=None)


def unkept(turn: int, language: str) -> Answer:
    """What is said instead of an answer that the store can't keep."""
    words = Text("The model's answer can't be kept as it is, so it can't be shown. Please ask in another way.")
    note = Note(NoteKind.ERROR, say(words, language))
    return Answer("", Outcome.FAILED, notes=(note,), menu=_again(turn, language), exclude=True)


def _verdict(exchange: Exchange, language: str) -> tuple[Outcome, Note | None]:
    error = exchange.error
    if exchange.stopped:
        return Outcome.STOPPED, Note(NoteKind.STOPPED, say(Text("Stopped."), language))
    if error is not None and exchange.text.strip():
        words = Text("This is a part. {reason}", {"reason": error})
        return Outcome.PART, Note(NoteKind.PART, say(words, language), _cause(error))
    if error is not None:
        return Outcome.FAILED, Note(NoteKind.ERROR, say(error, language), _cause(error))
    if exchange.barren:
        words = _why_empty(exchange)
        if exchange.text.strip():
            words = Text("This is a part. {reason}", {"reason": words})
            return Outcome.PART, Note(NoteKind.PART, say(words, language))
        return Outcome.FAILED, Note(NoteKind.ERROR, say(words, language))
    if exchange.finish is not Finish.WHOLE:
        return Outcome.PART, Note(NoteKind.PART, say(_WHY_PART[exchange.finish], language))
    if exchange.pictures:
        words = Text("This is a part: there are pictures in the answer, and they can't be shown yet.")
        return Outcome.PART, Note(NoteKind.PART, say(words, language))
    return Outcome.WHOLE, None


def _cause(error: MagpieError) -> str:
    return f"{type(error).__name__} {error.detail}".strip()


def _why_empty(exchange: Exchange) -> Text:
    thought = exchange.reasoning or any(entry.usage and entry.usage.reasoning for entry in exchange.entries.values())
    if exchange.pictures:
        return Text("The answer has no words, only pictures, and they can't be shown yet.")
    if thought and exchange.finish is Finish.LENGTH:
        return _THOUGHT_TOO_LONG
    if exchange.reasoning and exchange.finish is Finish.WHOLE:
        return _ONLY_THOUGHT
    return _WHY_EMPTY.get(exchange.finish, _EMPTY)


def _about_pictures(pictures: tuple[str, ...], language: str) -> list[Note]:
    """How many there are, and where, as far as they have an address."""
    if not pictures:
        return []
    lines = [say(Text("Pictures in this answer: {n}", {"n": len(pictures)}), language)]
    lines += [address for address in pictures if 0 < len(address) <= _ADDRESS and address.isprintable()][:_ADDRESSES]
    return [Note(NoteKind.MODEL, "\n".join(lines))]


def _about_reasoning(thoughts: str, wanted: str, language: str) -> list[Note]:
    """The reasoning under a line that says what it is; of a brief one its beginning, and how much more there is."""
    thoughts = thoughts.strip()
    if wanted not in ("brief", "full") or not thoughts:
        return []
    if wanted == "brief" and len(thoughts) > _BRIEF:
        begin = beginning(thoughts, _BRIEF)
        more = say(Text("… and {n} more characters", {"n": len(thoughts) - len(begin)}), language)
        thoughts = f"{begin}\n{more}"
    return [Note(NoteKind.REASONING, f"{say(Text('Reasoning'), language)}\n{thoughts}")]


def _about_cost(entries: list[LedgerEntry], language: str) -> list[Note]:
    """Tokens and price of the answer, and the model that served it."""
    usages = [entry.usage for entry in entries if entry.usage is not None]
    if not usages:
        return []
    data: dict[str, object] = {"tokens": sum(usage.total for usage in usages)}
    data["model"] = entries[-1].served or entries[-1].asked
    costs = [entry.cost for entry in entries if entry.usage is not None]
    known = [money for money in costs if money is not None]
    if len(known) < len(costs):
        return [Note(NoteKind.COST, say(Text("{tokens} tokens · price unknown · {model}", data), language))]
    total = Money(sum((money.amount for money in known[1:]), known[0].amount), known[0].currency)
    data["cost"] = show(total, language, digits=2)  # it is an estimate, by a price list
    return [Note(NoteKind.COST, say(Text("≈ {cost} · {tokens} tokens · {model}", data), language))]


def _again(turn: int, language: str, *, go_on: bool = False) -> Menu:
    retry = Choice(say(Text("Retry"), language), f"/retry {turn}")
    if not go_on:
        return Menu(((retry,),))
    return Menu(((retry, Choice(say(Text("Continue"), language), f"/continue {turn}")),))
