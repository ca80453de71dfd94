"""Questions with files: what can be read is answered about, what can't is named; a file holds up nobody but its
sender, and nobody for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.decoding.pool import Decoder
from bot.errors import OutcomeUnknown
from bot.types import (
    Attachment,
    Chat,
    ImagePart,
    Kind,
    NoteKind,
    Outcome,
    Person,
    Press,
    TextPart,
    Turn,
)
from tests.fakes.clock import PATIENCE, SimClock
from tests.fakes.core import Core, running_core
from tests.fakes.model import FakeModel
from tests.fakes.pictures import picture
from tests.fakes.platform import ANN, BEN, CHAT, FakePlatform

PDF = Attachment(Kind.FILE, "pdf", "application/pdf", 9, "contract.pdf")
VOICE = Attachment(Kind.VOICE, "voice", "audio/ogg", 2000)
NOTES = Attachment(Kind.FILE, "notes", "text/plain", 30, "notes.txt")
SOON = 30.0  # seconds, on the busiest machine; a quiet one takes 0.1
CHINESE = replace(ANN, language="zh")


@pytest.fixture(autouse=True)
def _files(platform: FakePlatform) -> None:
    platform.files |= {"cat": picture(60, 40), "pdf": b"%PDF-1.7\n", "notes": "第一行\nsecond line\n".encode()}


def told(platform: FakePlatform, kind: NoteKind = NoteKind.MODEL) -> list[str]:
    return [note.text for note in platform.shown()[-1].notes if note.kind is kind]


def asked(model: FakeModel) -> str:
    """The words of the newest question."""
    content = model.asked[-1].messages[-1].content
    return content if isinstance(content, str) else "".join(p.text for p in content if isinstance(p, TextPart))


def pictures(model: FakeModel) -> int:
    content = model.asked[-1].messages[-1].content
    return 0 if isinstance(content, str) else sum(isinstance(part, ImagePart) for part in content)


async def last(core: Core, chat: Chat = CHAT) -> Turn:
    turn = await core.store.last_turn(chat)
    assert turn is not None
    return turn


# ── some can be read ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (PDF, "The PDF contract.pdf can't be read yet."),
        (VOICE, "This voice message can't be listened to yet."),
        (Attachment(Kind.IMAGE, "broken", "image/png", name="b.png"), "The picture b.png is damaged or incomplete"),
        (Attachment(Kind.IMAGE, "nowhere", "image/png"), "This picture can't be fetched: it isn't there any more"),
        (Attachment(Kind.FILE, ""), "This file can't be fetched: it isn't there any more, or I may not read it."),
        (Attachment(Kind.STORY, ""), "This story is not shown to bots."),
        (Attachment(Kind.PAID, ""), "What is paid for here is not shown to bots."),
    ],
)
async def test_one_that_can_not_be_read_does_not_refuse_the_rest(
    core: Core, platform: FakePlatform, model: FakeModel, other: Attachment, words: str
) -> None:
    platform.files["broken"] = picture(600, 400, format="PNG")[:90]
    cat = Attachment(Kind.IMAGE, "cat", "image/jpeg")
    await core.say(platform.says("what is in the picture?", files=[other, cat]))
    await core.quiet()
    assert (await last(core)).outcome is Outcome.WHOLE
    assert pictures(model) == 1
    assert "It can't be read: you don't know what is in it" in asked(model)
    assert "what is in the picture?" in asked(model)
    assert any(note.startswith(words) for note in told(platform))


async def test_a_label_decides_nothing(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    wrong = Attachment(Kind.FILE, "cat", "application/octet-stream", name="IMG_1.bin")
    await core.say(platform.says("what is it?", files=[wrong]))
    await core.quiet()
    assert model.asked[-1].model == "qwen-vl-plus"
    assert pictures(model) == 1


async def test_many_that_can_not_be_read_are_one_note(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    many = [replace(PDF, ref=f"pdf{n}", name=f"{n}.pdf") for n in range(9)]
    platform.files |= {each.ref: b"%PDF-1.7\n" for each in many}
    await core.say(platform.says("?", files=["cat", *many]))
    await core.quiet()
    (note,) = [note for note in told(platform) if "PDF" in note]
    assert note.splitlines() == [f"The PDF {n}.pdf can't be read yet." for n in range(5)] + ["… and 4 more."]


# ── none can be read ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("attachment", "english", "chinese"),
    [
        (PDF, "The PDF contract.pdf can't be read yet.", "PDF“contract.pdf”暂时还读不了。"),
        (VOICE, "This voice message can't be listened to yet.", "这条语音消息暂时还听不了。"),
        (Attachment(Kind.VIDEO_NOTE, "v"), "This video message can't be watched yet.", "这条视频消息暂时还看不了。"),
        (
            Attachment(Kind.VIDEO, "v", name="a.mp4"),
            "The video a.mp4 can't be watched yet.",
            "视频“a.mp4”暂时还看不了。",
        ),
        (Attachment(Kind.AUDIO, "v"), "This recording can't be listened to yet.", "这段录音暂时还听不了。"),
        (Attachment(Kind.STICKER, "tgs"), "This sticker can't be read yet.", "这张贴纸暂时还读不了。"),
    ],
)
@pytest.mark.parametrize("words", ["", "总结一下这个"])
async def test_a_question_about_nothing_that_can_be_read_is_refused_by_name(
    core: Core,
    platform: FakePlatform,
    model: FakeModel,
    attachment: Attachment,
    english: str,
    chinese: str,
    words: str,
) -> None:
    platform.files["tgs"] = b"\x1f\x8b" + b"\0" * 50
    for person, wanted in ((ANN, english), (CHINESE, chinese)):
        await core.say(platform.says(words, files=[attachment], by=person))
        await core.quiet()
        (note,) = told(platform, NoteKind.ERROR)
        assert note.splitlines()[0] == wanted
        assert len(note.splitlines()) == 2  # what would be read
        assert platform.shown()[-1].menu is None  # a Retry could only fail again
    assert model.asked == []
    assert (await last(core)).outcome is Outcome.FAILED


async def test_several_are_all_named(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("compare", files=[PDF, VOICE]))
    await core.quiet()
    (note,) = told(platform, NoteKind.ERROR)
    assert note.splitlines()[:2] == [
        "The PDF contract.pdf can't be read yet.",
        "This voice message can't be listened to yet.",
    ]


async def test_what_may_go_well_later_can_be_retried(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    platform.file_troubles = [OutcomeUnknown(), OutcomeUnknown()]
    await core.say(platform.says("what is it?", files=["cat"]))
    await core.quiet()
    assert told(platform, NoteKind.ERROR) == [
        "This picture could not be fetched from the chat platform right now. Please try again."
    ]
    menu = platform.shown()[-1].menu
    assert menu is not None
    await core.say(Press("again", CHAT, ANN, menu.rows[0][0].action, core.clock.now(), next(iter(platform.posts))))
    await core.quiet()
    assert (await last(core)).outcome is Outcome.WHOLE


async def test_the_chat_goes_on_after_a_bad_file(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("and this?", files=[PDF]))
    await core.quiet()
    await core.say(platform.says("so?"))
    await core.quiet()
    assert asked(model).endswith("so?")
    assert (await last(core)).outcome is Outcome.WHOLE


async def test_a_model_that_can_not_see_and_no_other(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    core.planner._options = replace(core.planner._options, vision_model="qwen-plus")
    await core.say(platform.says("what is it?", files=["cat"]))
    await core.quiet()
    assert model.asked == []
    assert "qwen-plus cannot see pictures. Use /model with one of: " in told(platform, NoteKind.ERROR)[0]
    await core.say(platform.says("what is it?", files=["cat", NOTES]))
    await core.quiet()
    assert pictures(model) == 0
    assert "qwen-plus cannot see pictures. Use /model with one of: " in told(platform)[0]


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_text_file_is_part_of_the_question(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("what is wrong here?", files=[NOTES]))
    await core.quiet()
    wanted = "--- file notes.txt ---\n第一行\nsecond line\n\n--- end of file notes.txt ---"
    assert asked(model) == f"what is wrong here?\n\n{wanted}"
    assert model.asked[-1].model == "qwen-plus"
    assert told(platform) == []
    await core.say(platform.says("and the second line?"))
    await core.quiet()
    assert wanted in str(model.asked[-1].messages[1].content)  # it is still there


async def test_a_text_file_alone_asks_what_is_in_it(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    await core.say(platform.says("", files=[NOTES], by=CHINESE))
    await core.quiet()
    assert asked(model).startswith("这个文件里有什么？\n\n--- file notes.txt ---")


async def test_a_text_that_does_not_fit_is_cut_and_that_is_said(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    lines = [f"{number},some figures of line {number}" for number in range(40_000)]
    platform.files["notes"] = "\n".join(lines).encode()
    await core.say(platform.says("sum it up", files=[NOTES]))
    await core.quiet()
    text = asked(model)
    assert 60_000 < len(text) < 200_000
    *_, before, cut, end = text.splitlines()
    assert before in lines  # a whole line
    assert cut.startswith("[… ")
    assert "characters are left out here" in cut
    assert end == "--- end of file notes.txt ---"
    assert told(platform) == ["The file notes.txt is too long: only its beginning was read."]


# ── part of something ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_picture_of_an_album_is_called_one(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    one = Attachment(Kind.IMAGE, "cat", "image/jpeg", album=True)
    await core.say(platform.says("比较这几张图", files=[one], group=True))
    await core.quiet()
    assert "one picture of an album; the others are not here" in asked(model)
    assert any(note.startswith("Of an album only the picture that you replied to") for note in told(platform))


# ── chats that translate ────────────────────────────────────────────────────────────────────────────────────────────


async def test_where_words_are_translated_pictures_are_not_read(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/translate English"))
    await core.quiet()
    await core.say(platform.says("", files=["cat"]))
    await core.quiet()
    words = "Only words are translated here, not what is in pictures or files."
    assert told(platform, NoteKind.ERROR) == [words]
    assert model.asked == []
    assert (await last(core)).menu is None  # asked again it would only be refused again
    await core.say(platform.says("今天的天气很好，我们去公园吧。", files=["cat", PDF]))
    await core.quiet()
    assert asked(model) == "今天的天气很好，我们去公园吧。"
    assert told(platform) == [words]


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ("/set temperature 0.5", "Temperature for this chat is now"),
        ("/system You are a poet.", "The system prompt for this chat is now"),
        ("/model qwen-max", "The model for this chat is now"),
        ("/translate English", "Each message here is translated"),
        ("/set nothing 1", "nothing"),
        ("/stop", "Nothing is being answered here"),
    ],
)
async def test_a_command_says_what_becomes_of_a_picture_that_comes_with_it(
    core: Core, platform: FakePlatform, model: FakeModel, said: str, rest: str
) -> None:
    await core.say(platform.says(said, files=["cat"]))
    await core.quiet()
    (words,) = platform.shown()
    assert rest in str(words)
    assert "What you sent with the command was not looked at." in str(words)
    assert model.asked == []


async def test_a_command_that_asks_takes_the_picture_along(
    core: Core, platform: FakePlatform, model: FakeModel
) -> None:
    await core.say(platform.says("/new what is this?", files=["cat"]))
    await core.quiet()
    assert "not looked at" not in str(platform.shown())
    assert pictures(model) == 1


# ── nobody waits for somebody else's file ───────────────────────────────────────────────────────────────────────────

# As `bot.decoding`, but at a file that begins with "slow" it works for ever, without listening to anybody
SLOW = """
import json, sys
from pathlib import Path
from bot.decoding.recipes import prepare
for line in sys.stdin:
    job = json.loads(line)
    while Path(job["source"]).read_bytes().startswith(b"slow"):
        sum(range(100_000))
    print(json.dumps(prepare(Path(job["source"]), Path(job["target"]), images=True)), flush=True)
"""


@pytest.fixture
async def slow(clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel) -> AsyncIterator[Core]:
    platform.files |= {f"slow{number}": b"slow" for number in range(3)}
    decoder = Decoder(seconds=2 * PATIENCE, program=("-c", SLOW))
    async with running_core(clock, tmp_path, platform, model, decoder=decoder) as core:
        clock.busy.pop()  # time goes on while a file is decoded: that is what is tried
        yield core


async def until(what: object, seconds: float = PATIENCE) -> float:
    """Real seconds until it is so."""
    assert callable(what)
    began = time.monotonic()
    while not what():
        assert time.monotonic() < began + seconds, "it did not happen"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def decoding(core: Core) -> int:
    return sum(worker is not None for worker in core.media._decoder._at_work.values())


async def test_one_persons_files_hold_up_nobody_else(slow: Core, platform: FakePlatform, model: FakeModel) -> None:
    for number in range(3):
        room = Chat("fake", "bot", f"room{number}")
        await slow.say(platform.says("look", files=[f"slow{number}"], chat=room))
    await until(lambda: decoding(slow) == 1)  # one of each person
    bens = Chat("fake", "bot", "bens")
    await slow.say(platform.says("what is this?", files=["cat"], by=BEN, chat=bens))
    assert await until(lambda: model.asked) < SOON
    assert decoding(slow) == 1


async def test_a_large_service_does_not_make_its_decoder_look_large(tmp_path: Path) -> None:
    """A process that is made of another inherits the peak of that, on Linux, in ru_maxrss."""
    ballast = bytearray(300_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    decoder = Decoder()
    (tmp_path / "cat").write_bytes(picture(60, 40))
    for _ in range(2):
        assert (await decoder.decode(tmp_path / "cat", tmp_path / "made"))["peak"] < 150_000_000
    (worker,) = decoder._idle
    assert worker._jobs == 2  # the same process
    await decoder.close()


async def test_who_comes_in_between_goes_before_the_second_of_another() -> None:
    order: list[str] = []
    decoder = Decoder(workers=1)

    async def one(owner: str, name: str) -> None:
        await decoder._turn(owner)
        order.append(name)
        await asyncio.sleep(0)
        del decoder._at_work[owner]
        decoder._next()

    names = [("ann", "a1"), ("ann", "a2"), ("ann", "a3"), ("ben", "b1"), ("ben", "b2"), ("cat", "c1")]
    tasks = [asyncio.create_task(one(*each)) for each in names]
    await asyncio.sleep(0)
    tasks[4].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["a1", "a2", "b1", "c1", "a3"]
    assert not decoder.busy


async def test_stop_ends_a_decoder_at_once(slow: Core, platform: FakePlatform, model: FakeModel) -> None:
    await slow.say(platform.says("look", files=["slow0"]))
    await until(lambda: decoding(slow) == 1)
    (worker,) = slow.media._decoder._at_work.values()
    assert worker is not None
    began = time.monotonic()
    await slow.say(platform.says("/stop"))
    await slow.quiet()
    assert time.monotonic() - began < SOON
    assert (await last(slow)).outcome is Outcome.STOPPED
    assert await until(lambda: worker._process.returncode is not None) < SOON
    assert model.asked == []
    assert not slow.media.busy


async def test_stop_ends_a_download_at_once(core: Core, platform: FakePlatform, model: FakeModel) -> None:
    platform.hanging = asyncio.Event()
    await core.say(platform.says("look", files=["cat"]))
    await until(lambda: platform.fetched)
    began = time.monotonic()
    await core.say(platform.says("/stop"))
    await core.quiet()
    assert time.monotonic() - began < SOON
    assert (await last(core)).outcome is Outcome.STOPPED


async def test_a_shutdown_ends_a_decoder_at_once_and_the_question_is_begun_anew(
    slow: Core, platform: FakePlatform, model: FakeModel, clock: SimClock, tmp_path: Path
) -> None:
    await slow.say(platform.says("look", files=["slow0"]))
    await until(lambda: decoding(slow) == 1)
    began = time.monotonic()
    await slow.stop(20)
    assert time.monotonic() - began < SOON
    assert clock.seconds < 1  # nor was the drain waited for
    platform.files["slow0"] = picture(30, 30)
    async with running_core(clock, tmp_path, platform, model) as again:
        await again.quiet(7200, CHAT)
        assert (await last(again)).outcome is Outcome.WHOLE


async def test_a_file_that_takes_too_long_is_given_up(
    clock: SimClock, tmp_path: Path, platform: FakePlatform, model: FakeModel
) -> None:
    platform.files["slow"] = b"slow"
    decoder = Decoder(seconds=1, program=("-c", SLOW))
    async with running_core(clock, tmp_path, platform, model, decoder=decoder) as core:
        for _ in range(2):  # it is remembered
            await core.say(platform.says("look", files=["slow"], by=Person("eve")))
            await core.quiet()
            words = "This picture takes too long to read: it was given up after 1 seconds."
            assert told(platform, NoteKind.ERROR) == [words]
        assert platform.fetched == ["slow"]
