"""The promise, as one can check it on what a platform shows, at every moment and at the end."""

from __future__ import annotations

from collections.abc import Sequence

from bot.markdown import plain
from bot.types import Chat, NoteKind, Outcome, Piece, Turn, TurnKind
from tests.fakes.platform import CHAT
from tests.faults.gateway import text_of
from tests.faults.playing import THERE, Play, ground
from tests.faults.schedule import Schedule

__all__ = ["condensed", "labelled", "play"]

LABELS = {NoteKind.PART, NoteKind.STOPPED, NoteKind.ERROR}
EMPTIED = "—"  # what could not be deleted
APOLOGY = "Thechatplatformrefusestoshowthisanswer."
ATTEMPTS_OF_A_REFUSED_END = 3  # as it is, without formatting, an apology


def play(schedule: Schedule) -> Play:
    """Play it and check it all. What fails says in which schedule."""
    playing = Play(schedule)
    ground().begin(playing.clock)
    try:
        ground().run(playing.run())
        check(playing)
    except BaseException as error:
        error.add_note(f'Again: make soak REPLAY="{schedule}"')
        raise
    return playing


def condensed(pieces: Sequence[Piece]) -> str:
    return "".join("".join(plain(piece.blocks).split()) for piece in pieces)


def labelled(pieces: Sequence[Piece]) -> bool:
    return any(note.kind in LABELS for note in pieces[-1].notes) if pieces else False


WORD = 6  # letters of one word of what is said, at most


class Told:
    """What the gateway said in a play, and what a text has to do with it."""

    def __init__(self, schedule: Schedule) -> None:
        letters = zip(schedule.said, "abcdefgh", strict=False)
        said = [(text_of(each, letter), each.end in ("whole", "cumulative")) for each, letter in letters]
        self.texts = [text for text, _ in said if text]
        self.whole = [text for text, whole in said if text and whole]
        self.continued = any(deed.what == "continue" for deed in schedule.deeds)

    def is_prefix(self, text: str) -> bool:
        """Of an answer; where one was gone on with, prefixes of answers one behind the other."""
        ends, seen = [0], {0}
        while ends:
            at = ends.pop()
            best = max((_common(text[at:], each) for each in self.texts), default=0)
            if at + best == len(text):
                return True
            if self.continued:  # what follows may begin with the very letters with which the one before went on
                further = {at + length for length in range(max(1, best - WORD), best + 1)} - seen
                ends += sorted(further)
                seen |= further
        return False

    def is_whole(self, text: str) -> bool:
        if text in self.whole:
            return True
        ends = [each for each in self.whole if text.endswith(each)]
        return self.continued and any(self.is_prefix(text.removesuffix(each)) for each in ends)

    def holds(self, text: str) -> bool:
        """Does it stand somewhere in an answer?"""
        if any(text in each for each in self.texts) or not text:
            return True
        most = next((at for at in range(len(text), 0, -1) if any(text[:at] in each for each in self.texts)), 0)
        return self.continued and any(self.is_prefix(text[at:]) for at in range(max(0, most - WORD), most + 1))


def _common(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


# ── at every moment ─────────────────────────────────────────────────────────────────────────────────────────────────


def of_turn(frame: Sequence[Piece], turn: int, *, strict: bool = False) -> list[Piece]:
    """A turn's pieces in the order in which they stand; of those that stand twice, the last, which must say so."""
    pieces: dict[str, Piece] = {}
    for piece in frame:
        if piece.key.split(".")[0] != str(turn) or condensed([piece]) == EMPTIED:
            continue
        if piece.key in pieces:
            said = any(note.kind is NoteKind.REPEAT for note in piece.notes)
            assert said or not strict, "twice, and doesn't say so"
        pieces[piece.key] = piece
    return list(pieces.values())


def check_frame(frame: Sequence[Piece], turn: int, told: Told, *, torn: bool) -> None:
    """What looks finished is finished: a whole text, or a part that says so. No message mixes two answers. `torn`:
    somebody has deleted a message, so what is left of an answer may be any of its parts."""
    pieces = of_turn(frame, turn, strict=True)
    for piece in pieces:
        text = condensed([piece])
        assert text == APOLOGY or told.holds(text), f"nobody said this: {text!r}"
    if not pieces or torn:
        return
    if pieces[0].key == f"{turn}.0" and APOLOGY not in condensed(pieces[:1]):
        assert told.is_prefix(condensed(pieces[:1])), f"not the beginning of an answer: {condensed(pieces[:1])!r}"
    if any(piece.growing for piece in pieces):
        return
    text = condensed(pieces)
    if APOLOGY in text:
        return
    if labelled(pieces):
        assert told.is_prefix(text), f"a part of nothing: {text!r}"
    else:
        assert told.is_whole(text), f"it looks whole: …{text[-40:]!r}"


# ── at the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def kinds(play: Play) -> list[str]:
    return [fault.kind for fault in play.schedule.faults]


def may_stray(play: Play) -> bool:
    """A copy whose arrival nobody heard of stays as it is, on a platform that can't be read; and so does what can
    neither be deleted nor changed, on any."""
    unheard = len(play.births) > 1 or "lost" in kinds(play)
    return (unheard and not play.schedule.readable) or kinds(play).count("refused") > 1


def check_end(play: Play, turn: Turn, told: Told) -> None:
    """The end of a question: the whole answer, a part that says so, or a clear error; once, in order, and on record."""
    assert turn.outcome is not None
    known = [posted.post for posted in turn.posts]
    standing = {post: piece for post, (_, piece) in play.platform.posts.items()}
    mine = {post: piece for post, piece in standing.items() if piece.key.split(".")[0] == str(turn.id)}
    strays = [post for post, piece in mine.items() if post not in known and condensed([piece]) != EMPTIED]
    gone = "gone" in kinds(play)
    assert not strays or may_stray(play) or gone, "it stands there twice"
    pieces = of_turn([piece for post, piece in standing.items() if post in known], turn.id)
    if turn.outcome is Outcome.GONE:
        unheard = len(play.schedule.kills)  # of a call under way, the process that was killed never heard the outcome
        unknown = sum(kind in ("unknown", "lost") for kind in kinds(play)) + unheard
        assert gone or unknown > 3, "gone, though the platform did not say so"
        return
    if turn.outcome is Outcome.STOPPED and turn.attempt == 0:
        assert not pieces  # stopped before anybody began
        return
    if turn.outcome is Outcome.FAILED and kinds(play).count("refused") >= ATTEMPTS_OF_A_REFUSED_END:
        return  # the platform did not even take an apology
    assert pieces, "silence"
    assert [piece.key for piece in pieces] == [f"{turn.id}.{n}" for n in range(len(pieces))], "out of order, or surplus"
    assert not any(piece.growing for piece in pieces), "it looks unfinished for ever"
    check_words(play, turn, pieces, told)


def check_words(play: Play, turn: Turn, pieces: list[Piece], told: Told) -> None:
    text = condensed(pieces)
    buttons = [choice.label for piece in pieces if piece.menu for row in piece.menu.rows for choice in row]
    assert "Stop" not in buttons
    if "refused" in kinds(play) and APOLOGY in text:
        return
    if turn.outcome is Outcome.WHOLE:
        assert told.is_whole(text)
        assert not labelled(pieces)
        assert not buttons
    else:
        assert labelled(pieces)
        assert buttons in (["Retry"], ["Retry", "Continue"])
        assert told.is_prefix(text)
        assert text or turn.outcome is not Outcome.PART, "a part of nothing"
    assert "".join(turn.text.split()) == text, "the record says something else"


def check_silence(play: Play) -> None:
    """Within one process no call goes out to a chat that wants none for now."""
    made = play.platform.made
    for fault in play.schedule.faults:
        if fault.kind != "later" or fault.call > len(made):
            continue
        refused = made[fault.call - 1]
        after = [birth for birth in play.births if birth >= fault.call]
        same_life = made[fault.call : min(after, default=len(made))]
        early = [call for call in same_life if refused.at < call.at < refused.at + fault.seconds - 0.01]
        assert not [call for call in early if call.chat == refused.chat], f"called while silent: {early}"


def check_order(play: Play, chat: Chat) -> None:
    """Answers stand below each other in the order of their questions. (One that was asked for again may stand anew.)"""
    retried = bool(play.schedule.retries) or any(deed.what in ("retry", "continue") for deed in play.schedule.deeds)
    if retried or "gone" in kinds(play):
        return
    questions = {turn.id for turn in play.turns if turn.kind is TurnKind.QUESTION}
    new = [call for call in play.platform.made if call.chat == chat and call.what == "new" and call.piece is not None]
    posted = [int(call.piece.key.split(".")[0]) for call in new if call.piece is not None]
    in_order = [turn for turn in posted if turn in questions]
    assert in_order == sorted(in_order), "answers out of order"


def check_record(play: Play) -> None:
    """Every question was asked in one turn, and every call to the model stands in the ledger, and has ended."""
    asked = [text for turn in play.turns for text in play.questions[turn.id] if text.startswith("question")]
    assert sorted(asked) == sorted(play.said), "a question was lost, or asked twice"
    for turn in play.turns:
        entries = play.entries[turn.id]
        assert all(entry.ended is not None for entry in entries), "a call that nobody closed"
        assert all(entry.attempt <= turn.attempt for entry in entries)
        if turn.outcome in (Outcome.WHOLE, Outcome.PART) and turn.kind is TurnKind.QUESTION:
            assert entries, "an answer that is not in the ledger"
    calls = sum(model.asked for model in play.models)
    assert calls <= sum(map(len, play.entries.values())), "a call that is not in the ledger"
    assert calls == sum(model.closed for model in play.models), "a stream that nobody closed"


def check_notice(play: Play, turn: Turn) -> None:
    mine = of_turn([piece for _, piece in play.platform.posts.values()], turn.id)
    excused = turn.outcome is Outcome.GONE or "refused" in kinds(play) or "gone" in kinds(play)
    assert mine or excused, "a command's answer was lost"


def check(play: Play) -> None:
    told = Told(play.schedule)
    strays = play.schedule.retries > 0 and may_stray(play)
    for turn in play.turns:
        if turn.kind is not TurnKind.QUESTION:
            check_notice(play, turn)
            continue
        for frame in [] if strays else play.platform.frames:
            check_frame(list(frame.values()), turn.id, told, torn="gone" in kinds(play))
        check_end(play, turn, told)
    check_order(play, CHAT)
    check_order(play, THERE)
    check_record(play)
    check_silence(play)
    most = 3 * play.gateway.chunks + 60 + 20 * len(play.births)
    assert len(play.platform.made) <= most, "calls explode"
