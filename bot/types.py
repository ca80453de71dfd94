"""The whole vocabulary of Magpie, and its ports. Standard library only.

Times are UTC milliseconds (`int`), durations are seconds (`float`), money is `Money` (Decimal and currency), ids that
come from outside are text. Everything is frozen: what has been said is not changed, it is said anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from bot.markdown.tree import Block

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
AsgiApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
PostId = str  # a platform's id of one posted message

# ── words for people ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Text:
    """Words for people, not yet in a language: a gettext message id and what fills its {braces} (a Text may fill
    another)."""

    id: str
    data: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """The English ones."""
        return self.id.format(**self.data) if self.data else self.id


# ── where and who ───────────────────────────────────────────────────────────────────────────────────────────────────


def _key(*parts: str) -> str:
    return "/".join(quote(part, safe="-:@.") for part in parts)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom we are on a platform: one bot or one workspace. `key` is its one string form, "platform/id"; it is the scope
    of its settings, and what a process holds."""

    platform: str
    id: str
    name: str = ""

    @property
    def key(self) -> str:
        return _key(self.platform, self.id)


@dataclass(frozen=True, slots=True)
class AccountTable:
    """A table of magpie.toml, `[[platform]]`: an account beside the one of the variables. `own` is what its platform
    reads; the rest is the core's, and where it is empty the variables hold. `admins`: ids of persons."""

    platform: str
    name: str
    own: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    system: str = ""
    access: str = ""
    admins: frozenset[str] = frozenset()

    @property
    def account(self) -> str:
        """What this account is called wherever one is named."""
        return f"{self.platform}:{self.name}"

    @property
    def place(self) -> str:
        """Where it stands."""
        return f'magpie.toml, [[{self.platform}]] "{self.name}"'


@dataclass(frozen=True, slots=True)
class Chat:
    """Where a conversation happens. `key` is its one string form: "platform/account/id" or
    "platform/account/id/thread"."""

    platform: str
    account: str
    id: str
    thread: str | None = None

    @property
    def key(self) -> str:
        return _key(self.platform, self.account, self.id, *(() if self.thread is None else (self.thread,)))

    @property
    def account_key(self) -> str:
        return _key(self.platform, self.account)

    @property
    def room(self) -> Chat:
        """The same place without its thread."""
        return Chat(self.platform, self.account, self.id)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of settings that hold here, widest first: everything, account, chat, thread."""
        return tuple(dict.fromkeys(("*", self.account_key, self.room.key, self.key)))

    @classmethod
    def parse(cls, key: str) -> Chat:
        """The inverse of `key`. ValueError if `key` has not three or four parts."""
        parts = [unquote(part) for part in key.split("/")]
        if len(parts) not in (3, 4):
            raise ValueError(f"not a chat key: {key!r}")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str = ""
    language: str = "en"  # BCP 47, as the platform tells it
    admin: bool = False
    anonymous: bool = False  # somebody speaks as a chat (a channel, a group's admin): the id is the chat's


# ── what comes in ───────────────────────────────────────────────────────────────────────────────────────────────────


class Kind(StrEnum):
    """What people call a thing that they sent. What is in it, its bytes tell."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"
    VOICE = "voice"  # recorded in the chat
    VIDEO_NOTE = "video_note"  # likewise: a round message, a clip
    ANIMATION = "animation"  # a short film that runs by itself, without sound
    STICKER = "sticker"
    STORY = "story"  # a picture or film that is shown for a day, to some
    PAID = "paid"  # a picture or film that has to be paid for


@dataclass(frozen=True, slots=True)
class Attachment:
    """`ref` is a word that only its own adapter can open (`Adapter.fetch`); `size` is in bytes. `album`: it was sent
    with others, which are not here (one of several pictures is replied to)."""

    kind: Kind
    ref: str
    mime: str = ""
    size: int | None = None
    name: str = ""
    album: bool = False


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """Somebody wrote something. `key` is the dedupe key its adapter gives: the same event always has the same key."""

    key: str
    chat: Chat
    author: Person
    text: str
    at: int
    attachments: tuple[Attachment, ...] = ()
    post: PostId | None = None  # the platform's id of this message; an answer replies to it
    quoted: str = ""  # text of the message this one replies to or quotes
    quoted_by: Person | None = None  # who said that, if it is known; Person(""), nobody, for the bot's own words
    forwarded_from: Person | None = None  # these are the words of somebody else; nobody if it isn't told of whom
    title: str = ""  # of the chat, if it has one
    group: bool = False  # several people talk here
    addressed: bool = True  # meant for the bot: private, mentioned, replied to, or a command
    anyones: bool = False  # a command in a group that names no bot: it may be another one's
    joins: bool = False  # belongs to what its author has said just before, even if that is being answered already
    more: bool = False  # the rest may follow within a second (album, forward, a text cut at 4,000 characters)


@dataclass(frozen=True, slots=True)
class Edited:
    """A message was changed before or after it was answered. `asks`: as it is now it calls us, which it may not have
    done before. `quoted`: what it quotes now; None: as before."""

    key: str
    chat: Chat
    author: Person
    post: PostId
    text: str
    at: int
    asks: IncomingMessage | None = None
    quoted: str | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message was taken back by its author, or by whoever may. `message` is the key that the message itself has as an
    event: if it comes late, it is not asked."""

    key: str
    chat: Chat
    post: PostId
    at: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A button, or a control of a page, was pressed. `action` is a command as it would be typed ("/model qwen-max").

    With `post`, the command's answer replaces that message; without, it comes back in the Ack's toast.
    """

    key: str
    chat: Chat
    author: Person
    action: str
    at: int
    post: PostId | None = None
    group: bool = False


@dataclass(frozen=True, slots=True)
class StopPressed:
    """The platform's own Stop control. It may not tell who pressed."""

    key: str
    chat: Chat
    at: int
    author: Person | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """We were let into a chat (`present`), or put out of it (removed, blocked)."""

    key: str
    chat: Chat
    present: bool
    at: int
    author: Person | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """A chat goes on under another id: settings and history move along."""

    key: str
    chat: Chat
    to: Chat
    at: int


Inbound = IncomingMessage | Edited | Deleted | Press | StopPressed | Membership | Moved


@dataclass(frozen=True, slots=True)
class Ack:
    """What the core answers to an event, once it is safely stored. Words are in the person's language.

    `turn` is the turn this event became part of, if any; `errors` name a modal's fields.
    """

    turn: int | None = None
    toast: str = ""
    error: bool = False
    menu: Menu | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


# ── conversations ───────────────────────────────────────────────────────────────────────────────────────────────────


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    OVERHEARD = "overheard"  # people among themselves, or programs: context, and no question


@dataclass(frozen=True, slots=True)
class Message:
    """One stored entry of a conversation. `in_context` is False for commands, their answers, and what the gateway
    refused. `after_turn` is its place in the context: its own turn, or where it has none, the last turn that the chat
    had when it came (0: it came before any)."""

    id: int
    chat: Chat
    turn: int | None
    role: Role
    author: Person
    text: str
    at: int
    attachments: tuple[Attachment, ...] = ()
    quoted: str = ""
    post: PostId | None = None
    in_context: bool = True
    quoted_by: Person | None = None
    forwarded_from: Person | None = None
    after_turn: int = 0


class TurnKind(StrEnum):
    QUESTION = "question"  # the model answers
    NOTICE = "notice"  # the answer is known already: a command's, an alert's


class TurnState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DELIVERING = "delivering"
    ENDED = "ended"


class Outcome(StrEnum):
    WHOLE = "whole"
    PART = "part"
    STOPPED = "stopped"
    REFUSED = "refused"  # a clear error instead of an answer
    EXPIRED = "expired"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Posted:
    """One piece of a turn on its platform. `post` is None while its outcome is unknown: intended, never confirmed.

    `digest` is what it showed when it was final, '' until then.
    """

    index: int
    post: PostId | None
    digest: str = ""
    repeats: int = 0  # times it was sent again, marked, for an unknown outcome


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange, the unit of durable work. `attempt` fences every later write.

    `text`, `reasoning`, `notes`, `menu` and `outcome` are set from `generated` on: what is to be delivered.
    """

    id: int
    chat: Chat
    kind: TurnKind
    state: TurnState
    attempt: int
    asker: Person
    created: int
    not_before: int = 0
    group: bool = False
    title: str = ""
    reply_to: PostId | None = None
    stop: bool = False  # somebody asked to stop it
    base: str = ""  # the part that this answer goes on with
    text: str = ""
    reasoning: str = ""
    notes: tuple[Note, ...] = ()
    menu: Menu | None = None
    outcome: Outcome | None = None
    posts: tuple[Posted, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One row of the append-only table of settings: the newest per (scope, name) holds, a value of None unsets."""

    scope: str
    name: str
    value: Json
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class Translation:
    """Languages by their English names (`languages.csv`); no `source` means: find out from the text. `both`: what is in
    the target goes into the source. `guess`: what the source may be, for a gateway that can't find out by itself."""

    target: str
    source: str | None = None
    both: bool = False
    guess: str | None = None


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What holds in a chat after inheritance. `parameters` are the chat API's, by name, already checked."""

    model: str
    system: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    translation: Translation | None = None
    language: str = ""  # of the bot's own words; '' follows the person
    reasoning: str = ""  # how much of it is shown above an answer: off, brief, full; '' is off, but on a page folded
    origins: Mapping[str, str] = field(default_factory=dict)  # name of a setting -> the scope it comes from


# ── the chat API ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """`url` is http(s) or a data: URL. `tokens` is what it will cost, for the budget."""

    url: str
    tokens: int = 1280


@dataclass(frozen=True, slots=True)
class FramesPart:
    """A video as 4 or more pictures, in order."""

    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VideoPart:
    """A video file by URL: makes the request a native one, which is not streamed."""

    url: str


Part = TextPart | ImagePart | FramesPart | VideoPart


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """`content` is a string unless there is something to see in it."""

    role: Literal["system", "user", "assistant"]
    content: str | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Supposition:
    """What would explain a refusal, as a fact about a model: "m1/system" is False, "m1/prompt" is 900. That a request
    which is made under it gets an answer shows that it is so. `size`: tokens of the prompt that was refused; `guessed`:
    nothing that the gateway said leads to it."""

    name: str
    value: Json
    size: int = 0
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to the chat API in the seeds' terms. `parameters` holds any of: enable_search, max_tokens, temperature,
    top_p, seed, presence_penalty, stop."""

    model: str
    messages: tuple[PromptMessage, ...]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    translation: Translation | None = None
    supposed: tuple[Supposition, ...] = ()


class Finish(StrEnum):
    """How an answer ended, in our words."""

    WHOLE = "whole"  # stop, or null with a proper end
    LENGTH = "length"  # max_tokens reached: a part
    FILTER = "filter"  # the policy cut it: a part
    CUT = "cut"  # the stream ended without an end: a part
    TOOL = "tool"  # the model called a tool, and has none: a part


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. None is unknown. `output` includes `reasoning`; `input` includes `cached` and `video`."""

    input: int
    output: int
    cached: int | None = None
    reasoning: int | None = None
    video: int | None = None
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """`at` is the start of the request that told it; the newest start wins."""

    gateway: str
    money: Money
    at: int
    source: Literal["header", "probe"] = "header"


@dataclass(frozen=True, slots=True)
class Spender:
    """What one place has spent; `chat` is without its thread, `title` '' where it has none."""

    chat: Chat
    title: str
    cost: Money


@dataclass(frozen=True, slots=True)
class Outlay:
    """What was spent at a gateway in one currency: since the call at `first` (None: there was none), in all, and by
    those who spent most. `unknown` counts calls whose cost is not known."""

    total: Money
    first: int | None = None
    unknown: int = 0
    most: tuple[Spender, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece of a streamed answer. `text` is always an increment. The last Delta of a stream has `finish`.

    `retract`: all of this answer's text before was reasoning, as has turned out.
    """

    text: str = ""
    reasoning: str = ""
    finish: Finish | None = None
    usage: Usage | None = None
    balance: BalanceReading | None = None
    model: str = ""  # that served
    id: str = ""  # of the answer
    retract: bool = False
    pictures: tuple[str, ...] = ()  # that came: each one's address, "" where it came along itself


@dataclass(frozen=True, slots=True)
class Price:
    """Per 1,000 tokens: `flat` on input and output alike, or `input` and `output` apart. `cached` defaults to
    `input`."""

    currency: str = "CNY"
    flat: Decimal | None = None
    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model. An ability is True, False, or None: not known, to be tried once."""

    id: str
    name: str = ""
    family: str = ""
    price: Price | None = None
    date: str = ""  # of its last update, YYYY-MM-DD
    recent: bool = False
    context: int | None = None  # tokens
    max_output: int | None = None  # tokens
    image: bool | None = None
    frames: bool | None = None
    video: bool | None = None
    search: bool | None = None
    translation: bool = False
    reasoning: bool | None = None
    thinking: bool | None = None  # whether it reasons first can be switched
    stream_only: bool = False
    cumulative: bool = False  # each chunk repeats the whole text so far
    listed: bool = False  # in the catalogue, or in the gateway's own list
    system: bool | None = None  # takes messages of the role system
    prompt: int | None = None  # tokens, by our own estimate, beyond which a prompt was refused


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One call of the chat API: what was asked, what it took. `usage` and `cost` None: unknown."""

    turn: int
    attempt: int
    gateway: str
    asked: str
    started: int
    served: str = ""
    usage: Usage | None = None
    cost: Money | None = None
    answer: str = ""  # the API's id of the answer
    first: int | None = None
    ended: int | None = None
    finish: str = ""  # Finish, or the name of an error


@dataclass(frozen=True, slots=True)
class Answer:
    """What a turn is going to show: whole, or a part with notes that say so."""

    text: str
    outcome: Outcome
    reasoning: str = ""
    notes: tuple[Note, ...] = ()
    menu: Menu | None = None
    exclude: bool = False  # keep this exchange out of later contexts (refused content, an error)


# ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Choice:
    """A button. `action` is the command it stands for, or `url` what it opens."""

    label: str
    action: str = ""
    url: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Menu:
    """Choices, row by row, in reading order."""

    rows: tuple[tuple[Choice, ...], ...]


class NoteKind(StrEnum):
    PART = "part"  # this is a part, and why
    ERROR = "error"
    STOPPED = "stopped"
    REPEAT = "repeat"  # this may stand here twice
    MODEL = "model"  # another model answered, or other settings were used
    COST = "cost"
    REASONING = "reasoning"


@dataclass(frozen=True, slots=True)
class Note:
    """Something said about an answer, not by it. `text` is in the person's language."""

    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What ONE platform message shall show. `key` is "<turn>.<index>", the same for each version of it.

    A growing piece must look unfinished; `reply_to` matters for a new one only.
    """

    key: str
    blocks: tuple[Block, ...]
    growing: bool = False
    menu: Menu | None = None
    files: tuple[Attachment, ...] = ()
    reply_to: PostId | None = None
    notes: tuple[Note, ...] = ()


class Call(IntEnum):
    """The kinds of outgoing call, by priority: the lowest number goes first."""

    FINAL = 0  # the last version of a piece, new or changed, and deletions
    STOP = 1
    NEW = 2
    CHANGE = 3
    STATUS = 4


@dataclass(frozen=True, slots=True)
class Bucket:
    """A budget of calls. At most `burst` at once, then one per `interval` seconds; and at most `count` in any `window`
    seconds (0: no such limit), of which `reserve` are kept for finals and stops. Of a burst one is kept for them too,
    and what only grows leaves `spare`: 2 or more, so that the next new message needn't wait."""

    name: str
    interval: float
    burst: int = 1
    count: int = 0
    window: float = 0.0
    reserve: int = 0
    spare: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a place allows. `measure` counts blocks as the platform does; one message holds `size` of that."""

    size: int
    measure: Callable[[Sequence[Block]], int]
    buckets: Callable[[Chat, Call], tuple[Bucket, ...]]
    frame: float = 0.0  # least seconds between two versions of a growing message
    status_every: float = 4.0  # seconds a status lasts


@dataclass(frozen=True, slots=True)
class Features:
    find: bool = False  # `Adapter.find` tells whether a piece was posted
    older: bool = False  # `Adapter.older` tells what was said before we came, and to others since
    prefix: str = "/"  # what people write before a command's name
    thread_prefix: str = ""  # and in a thread, where that is something else
    person: str = ""  # a regular expression for people's ids, where they have a form
    pushed: bool = False  # events are brought to our HTTP host, to whichever process is there


class Status(StrEnum):
    THINKING = "thinking"


class Mark(StrEnum):
    """How good or bad what `magpie doctor` found is. Advice keeps nothing from working."""

    OK = "ok"
    ADVICE = "tip"
    WRONG = "NOT"


class Finding(NamedTuple):
    """One thing that `magpie doctor` found."""

    mark: Mark
    words: Text


# ── ports ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Clock(Protocol):
    """Time, so that tests can have their own."""

    def now(self) -> int:
        """UTC milliseconds."""

    def monotonic(self) -> float:
        """Seconds from some fixed point."""

    async def sleep(self, seconds: float) -> None: ...


class Intake(Protocol):
    async def accept(self, event: Inbound) -> Ack:
        """Store the event and what it asks for, in one transaction; only then return. Call it again with the same event
        and nothing happens twice. Raises StoreError: the platform must not be told then."""


class Adapter(Protocol):
    """A platform. Everything but these calls is data, and which of the last two may be made says `features`."""

    @property
    def account(self) -> Account: ...
    @property
    def features(self) -> Features: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def http(self) -> Mapping[str, AsgiApp]:
        """Path prefix -> ASGI app, mounted on the one HTTP host."""

    @property
    def trouble(self) -> str:
        """Why no events come in right now, for operators; '' while all is well."""

    @property
    def tried(self) -> asyncio.Event:
        """Set by `run` once it is known how we stand with the platform: it lets us in, or gives no answer for now (and
        `trouble` says why). Not while it may still turn out that our token is wrong."""

    async def identify(self) -> Account:
        """Whom we are there, once that is known. SettingError if the platform will never let us in as we are."""

    async def run(self, intake: Intake) -> None:
        """Bring events to `intake` until cancelled. SettingError if the platform will never let us in as we are."""

    async def put(self, chat: Chat, piece: Piece | None, at: PostId | None = None) -> PostId:
        """Post a piece (no `at`), change the message at `at` into it, or delete that (`piece` None). Returns where it
        stands now. "Not modified" and "already deleted" are success. Raises AdapterError."""

    async def status(self, chat: Chat, what: Status) -> None:
        """Show that we are at work. May be dropped. Raises AdapterError."""

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        """Write an attachment's bytes to the file `to`; MediaError if there are more than `limit`, Gone if there are
        none."""

    async def can_post(self, chat: Chat) -> bool:
        """May we post in the chat? False where that can't be looked up. Gone or Refused with the reason why not."""

    async def find(self, chat: Chat, key: str) -> PostId | None:
        """Where the piece with this key stands in the chat; None if it was not posted. Without `Features.find`:
        Refused."""

    async def older(self, chat: Chat, before: PostId, since: int = 0) -> Sequence[Message]:
        """What was said in the chat before the message `before`, and after `since` (UTC ms; 0: ever), oldest first; the
        messages' ids mean nothing. Without `Features.older`: Refused."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every adapter is built with, beside its own settings. `models` is what can be chosen; `gateway` whose
    balance is ours; `defaults` what holds where no settings row says anything, by the rows' names; `alerts` the id of
    the chat that a platform of the owner's own shows alerts in; `on_turn_end` takes somebody who hears of each turn on
    which work has come to its end, even where nothing had to be shown; `sandbox`: no real
    model answers; `archive` is for a platform of the owner's own; `reads` are the MIME types that can be read,
    text/plain for any text."""

    reader: Reader
    models: Callable[[], Sequence[ModelInfo]]
    clock: Clock
    gateway: str = ""
    defaults: Mapping[str, Json] = field(default_factory=dict)
    commands: Callable[[str], Sequence[tuple[str, str]]] | None = None  # language -> (name, what it does)
    alerts: str = ""
    sandbox: bool = False
    archive: Archive | None = None
    reads: Sequence[str] = ()
    on_turn_end: Callable[[Callable[[Turn], None]], None] = lambda hear: None  # noqa: ARG005
    say: Callable[[Text, str], str] = lambda words, language: words.id  # noqa: ARG005 - in a person's language


class ChatModel(Protocol):
    """A gateway's chat API. `gateway` is its name in the ledger."""

    @property
    def gateway(self) -> str: ...

    def info(self, model: str) -> ModelInfo:
        """What is known of a model; never fails."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Ask. The last Delta has `finish`. Raises RequestRefused before sending, GatewayError after. Closing the
        iterator closes the connection at once."""


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
class Set:
    """Effect: a new settings row."""

    scope: str
    name: str
    value: Json


@dataclass(frozen=True, slots=True)
class Forget:
    """Effect: what was said in the chat so far is no longer context."""

    chat: Chat


@dataclass(frozen=True, slots=True)
class Stop:
    """Effect: stop a question's answer where it is; of one that nobody has begun to answer, `instead` is shown."""

    chat: Chat
    turn: int
    instead: Answer


@dataclass(frozen=True, slots=True)
class Reopen:
    """Effect: ask an ended turn's question again; its new answer replaces the old in the same messages. `go_on`: the
    new answer begins with the old one's text."""

    chat: Chat
    turn: int
    go_on: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Words of our own for a chat, as Markdown in its language; `title` is given to a chat that has none. As an effect:
    they are queued."""

    chat: Chat
    text: str
    language: str = "en"
    title: str = ""


Effect = Set | Forget | Stop | Reopen | Notice


@dataclass(frozen=True, slots=True)
class Reply:
    """A command's answer: Markdown in the person's language ('' for none), and what it changes.

    `ephemeral`: what it says shows by itself, so it is a toast or nothing. `in_order`: it stands below the answers that
    were stopped before. `ask`: what is to be asked as a question, in place of any words.
    """

    text: str
    menu: Menu | None = None
    effects: tuple[Effect, ...] = ()
    error: bool = False
    ephemeral: bool = False
    in_order: bool = False
    ask: str | None = None


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """A conversation in a list: `title` is the chat's own or its first question."""

    chat: Chat
    title: str
    at: int  # of its last message


@dataclass(frozen=True, slots=True)
class Spending:
    """Sums of ledger entries. `unknown` counts calls whose cost is not known; `estimated` is true if any usage is."""

    calls: int
    input: int
    output: int
    costs: tuple[Money, ...]  # one per currency
    unknown: int = 0
    estimated: bool = False


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
