"""Pictures kept: each is fetched and prepared once, whoever asks and how often; what fails leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.decoding.pool import Decoder
from bot.errors import (
    MediaError,
    NotFetched,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    StoreError,
    StoreFull,
    Undeliverable,
)
from bot.gateways.tokens import image_tokens
from bot.locales import say
from bot.media.prepared import MediaStore
from bot.types import Account, Attachment, Chat, Kind
from tests.fakes.clock import SimClock
from tests.test_pictures import drawing, encoded, photo

CHAT = Chat("p", "a", "1")
ONE = Attachment(Kind.IMAGE, "one")


class Files:
    """The part of an adapter that matters here: refs lead to bytes; counts what is fetched."""

    def __init__(self, **files: bytes | Exception) -> None:
        self.files = files
        self.fetched: list[str] = []
        self.began: asyncio.Queue[str] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()
        self.account = Account("p", "a")

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        self.fetched.append(ref)
        assert limit == 20_000_000
        self.began.put_nowait(ref)
        await asyncio.to_thread(to.write_bytes, b"half")
        await self.open.wait()
        found = self.files.get(ref, Undeliverable("file"))
        if isinstance(found, Exception):
            raise found
        await asyncio.to_thread(to.write_bytes, found)


class Hiccup(Files):
    """Downloads fail so many times, and then go well."""

    def __init__(self, error: Exception, data: bytes, times: int) -> None:
        super().__init__(one=data)
        self.error, self.times = error, times

    async def fetch(self, ref: str, to: Path, limit: int) -> None:
        if self.times:
            self.times -= 1
            raise self.error
        await super().fetch(ref, to, limit)


class Stores:
    """Media stores of one directory, that share a decoder, as one process after the other would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SimClock()
        self.decoder = Decoder()

    def __call__(self, clock: SimClock | None = None) -> MediaStore:
        return MediaStore(self.directory, clock or self.clock, self.decoder)

    def kept(self, pattern: str = "*") -> list[Path]:
        return sorted(self.directory.glob(pattern))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Stores]:
    stores = Stores(tmp_path / "data" / "media")
    yield stores
    await stores.decoder.close()


async def test_fetched_once_even_across_restarts(store: Stores) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    first = await store().read(adapter, CHAT, ONE)
    (picture,) = first.pictures
    assert picture.tokens == image_tokens(120, 80)
    assert picture.url.startswith("data:image/png;base64,")
    assert await store().read(adapter, CHAT, ONE) == first
    assert adapter.fetched == ["one"]
    assert [path.suffix for path in store.kept()] == [".0", ".json"]  # the fetched file is gone


async def test_another_account_has_its_own(store: Stores) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    media = store()
    await media.read(adapter, CHAT, ONE)
    await media.read(adapter, Chat("p", "b", "1"), ONE)
    assert adapter.fetched == ["one", "one"]


async def test_what_is_kept_but_damaged_is_fetched_anew(store: Stores) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    first = await store().read(adapter, CHAT, ONE)
    store.kept()[0].write_bytes(b"")
    assert await store().read(adapter, CHAT, ONE) == first
    assert len(adapter.fetched) == 2


async def test_who_asks_meanwhile_shares_the_work(store: Stores) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"), two=encoded(drawing(), "JPEG"))
    adapter.open.clear()
    media = store()
    asks = [asyncio.create_task(media.read(adapter, CHAT, ONE)) for _ in range(5)]
    asks.append(asyncio.create_task(media.read(adapter, CHAT, Attachment(Kind.IMAGE, "two"))))
    assert {await adapter.began.get(), await adapter.began.get()} == {"one", "two"}
    asks[0].cancel()  # the others still want it
    await asyncio.sleep(0)
    adapter.open.set()
    results = await asyncio.gather(*asks[1:])
    assert sorted(adapter.fetched) == ["one", "two"]
    assert len({result.pictures for result in results}) == 2


async def test_when_nobody_wants_it_any_more_the_work_ends(store: Stores) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    adapter.open.clear()
    media, others = store(), asyncio.all_tasks()
    ask = asyncio.create_task(media.read(adapter, CHAT, ONE))
    await adapter.began.get()
    ask.cancel()
    again = asyncio.create_task(media.read(adapter, CHAT, ONE))
    with pytest.raises(asyncio.CancelledError):
        await ask
    await adapter.began.get()
    assert len(asyncio.all_tasks() - others) == 2  # who asked again, and its work; the first work has ended
    adapter.open.set()
    assert (await again).pictures
    await asyncio.gather(*asyncio.all_tasks() - others)  # a decoder that was ended is waited for, behind us
    assert asyncio.all_tasks() == others
    assert len(store.kept("*.json")) == 1


async def test_a_bad_picture_is_not_fetched_at_every_turn(store: Stores) -> None:
    adapter: Any = Files(one=b"<html>", two=Undeliverable("file"))
    media = store()
    for _ in range(2):
        with pytest.raises(MediaError, match=r"x\.png is not a picture: it looks like a web page"):
            await media.read(adapter, CHAT, Attachment(Kind.IMAGE, "one", name="x.png"))
    assert adapter.fetched == ["one"]
    for _ in range(2):
        with pytest.raises(MediaError, match="This picture can't be fetched: it isn't there any more"):
            await media.read(adapter, CHAT, Attachment(Kind.IMAGE, "two"))
    assert adapter.fetched == ["one", "two", "two"]  # it may come back
    assert [path.suffix for path in store.kept()] == [".json"]


@pytest.mark.parametrize(
    ("attachment", "words"),
    [
        (Attachment(Kind.VIDEO, "one", "video/mp4", name="a.mp4"), "The video a.mp4 can't be watched yet."),
        (Attachment(Kind.VIDEO, "one", "video/mp4"), "This video can't be watched yet."),
        (Attachment(Kind.VIDEO_NOTE, "one"), "This video message can't be watched yet."),
        (Attachment(Kind.AUDIO, "one", name="song.mp3"), "The recording song.mp3 can't be listened to yet."),
        (Attachment(Kind.VOICE, "one", name="voice.png"), "This voice message can't be listened to yet."),
        (Attachment(Kind.IMAGE, "one", size=30_000_000), "This picture has 30 MB; at most 20 MB can be taken."),
        (Attachment(Kind.FILE, "one", size=30_000_000, name="a.pdf"), "The PDF a.pdf has 30 MB; at most 20 MB"),
    ],
)
async def test_some_are_refused_before_they_are_fetched(store: Stores, attachment: Attachment, words: str) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    with pytest.raises(MediaError) as refused:
        await store().read(adapter, CHAT, attachment)
    assert str(refused.value).startswith(words)
    assert adapter.fetched == []


@pytest.mark.parametrize(
    "attachment",
    [
        Attachment(Kind.FILE, "one", "image/png"),
        Attachment(Kind.FILE, "one", name="a.PNG"),
        Attachment(Kind.FILE, "one", "application/octet-stream", name="IMG_1"),
        Attachment(Kind.FILE, "one", "application/pdf", name="a.pdf"),
        Attachment(Kind.VIDEO, "one", "video/mp2t", name="a.ts"),
        Attachment(Kind.AUDIO, "one", "audio/x-unknown", name="a"),
        Attachment(Kind.STICKER, "one", "image/webp"),
        Attachment(Kind.ANIMATION, "one", "video/mp4"),
        Attachment(Kind.IMAGE, "one", size=0),
    ],
)
async def test_a_picture_is_one_by_its_bytes_whatever_it_is_called(store: Stores, attachment: Attachment) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    assert (await store().read(adapter, CHAT, attachment)).pictures


@pytest.mark.parametrize(
    ("attachment", "data", "words"),
    [
        (
            Attachment(Kind.IMAGE, "one", "image/jpeg", name="x.jpg"),
            b"%PDF-1.7\n",
            "The PDF x.jpg is in the format PDF",
        ),
        (Attachment(Kind.FILE, "one", name="c.pdf"), b"%PDF-1.7\n", "The PDF c.pdf can't be read yet."),
        (
            Attachment(Kind.FILE, "one", name="data"),
            b"PK\3\4" + b"\0" * 26 + b"word/document.xml",
            "The file data can't be",
        ),
        (Attachment(Kind.FILE, "one", name="s.bin"), b"OggS" + b"\0" * 60, "The file s.bin can't be listened to yet."),
        (Attachment(Kind.FILE, "one"), b"\0\0\0\x18ftypisom" + b"\0" * 60, "This file can't be watched yet."),
        (Attachment(Kind.ANIMATION, "one"), b"\0\0\0\x18ftypisom" + b"\0" * 60, "This animation can't be watched yet."),
        (Attachment(Kind.STICKER, "one"), b"\x1f\x8b" + b"\0" * 60, "This sticker can't be read yet."),
        (
            Attachment(Kind.FILE, "one", name="a\u202egpj.exe"),
            b"MZ" + bytes(range(256)),
            "The file agpj.exe can't be read",
        ),
        (Attachment(Kind.FILE, "one", name="a.txt"), b"", "The file a.txt is empty (0 bytes)."),
    ],
)
async def test_what_can_not_be_read_is_called_by_its_name(
    store: Stores, attachment: Attachment, data: bytes, words: str
) -> None:
    adapter: Any = Files(one=data)
    with pytest.raises(MediaError) as refused:
        await store().read(adapter, CHAT, attachment)
    assert str(refused.value).startswith(words)
    assert say(refused.value, "zh") != str(refused.value)


@pytest.mark.parametrize("error", [OutcomeUnknown(detail="HTTP 500 for a file"), RetryLater(2.0)])
async def test_a_download_is_tried_once_more(store: Stores, error: Exception) -> None:
    adapter: Any = Hiccup(error, encoded(drawing(), "PNG"), times=1)
    assert (await store.clock.run(store().read(adapter, CHAT, ONE))).pictures
    assert store.clock.seconds >= 1


@pytest.mark.parametrize(
    ("error", "words", "later"),
    [
        (
            OutcomeUnknown(),
            "This picture could not be fetched from the chat platform right now. Please try again.",
            True,
        ),
        (RetryLater(60.0), "This picture could not be fetched from the chat platform right now.", True),
        (
            Undeliverable("no file"),
            "This picture can't be fetched: it isn't there any more, or I may not read it.",
            False,
        ),
        (Rejected("not_allowed"), "This picture can't be fetched: the chat platform does not give it out.", False),
        (MediaError("The file is larger than {limit} MB.", limit=20), "The file is larger than 20 MB.", False),
        (MediaError("{name} lies elsewhere."), "This picture lies elsewhere.", False),
    ],
)
async def test_a_failed_download_is_told_in_words_about_the_file(
    store: Stores, error: Exception, words: str, *, later: bool
) -> None:
    adapter: Any = Hiccup(error, b"", times=2)
    with pytest.raises(MediaError) as refused:
        await store.clock.run(store().read(adapter, CHAT, ONE))
    assert str(refused.value).startswith(words)
    assert isinstance(refused.value, NotFetched) is later
    assert store.kept() == []  # another time it may go well


async def test_no_space_is_said(store: Stores) -> None:
    adapter: Any = Files(one=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(StoreFull, match="No space is left for files"):
        await store().read(adapter, CHAT, ONE)
    adapter.files["one"] = encoded(drawing(), "PNG")
    assert (await store().read(adapter, CHAT, ONE)).pictures
    assert len(store.kept("*.json")) == 1


async def test_a_directory_that_cannot_be(tmp_path: Path, store: Stores) -> None:
    (tmp_path / "data").write_text("a file")
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    with pytest.raises(StoreError, match="Files can't be stored"):
        await store().read(adapter, CHAT, ONE)


async def test_prune_deletes_what_was_longest_unused(store: Stores) -> None:
    adapter: Any = Files(**{name: encoded(photo(60, 60), "PNG") for name in ("one", "two", "three")})
    media = store()
    for name in ("one", "two", "three", "one"):  # the first is used again
        await media.read(adapter, CHAT, Attachment(Kind.IMAGE, name))
        store.clock.seconds += 60
    size = sum(path.stat().st_size for path in store.kept()) // 3
    assert await media.prune(3 * size + 3) == 0
    assert await media.prune(2 * size + 3) == 1
    assert len(store.kept()) == 4  # a record and its picture, twice
    adapter.fetched.clear()
    for name in ("one", "three"):
        await media.read(adapter, CHAT, Attachment(Kind.IMAGE, name))
    assert adapter.fetched == []
    await media.read(adapter, CHAT, Attachment(Kind.IMAGE, "two"))
    assert adapter.fetched == ["two"]


async def test_prune_takes_away_what_a_killed_process_left(store: Stores) -> None:
    media = store()
    assert await media.prune(0) == 0  # nothing there yet
    store.directory.mkdir(parents=True)
    for name, age in (("old.part", 7200), ("old.part.0", 7200), ("of-an-older-version", 7200), ("new.part", 60)):
        (store.directory / name).write_bytes(b"x")
        os.utime(store.directory / name, ns=((store.clock.now() - age * 1000) * 1_000_000,) * 2)
    await media.prune(1_000_000)
    assert [path.name for path in store.kept()] == ["new.part"]


# ── a file that ends whoever reads it ───────────────────────────────────────────────────────────────────────────────


async def test_what_killed_its_reader_is_refused_and_not_taken_up_again(store: Stores) -> None:
    store.decoder = Decoder(program=("-c", "import sys, os; sys.stdin.readline(); os.kill(os.getpid(), 11)"))
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    for _ in range(3):
        with pytest.raises(MediaError, match="the program that reads files fails at it"):
            await store().read(adapter, CHAT, ONE)
    assert adapter.fetched == ["one"]


async def test_what_ended_the_whole_service_twice_is_not_decoded_a_third_time(store: Stores) -> None:
    """As where a machine has no memory left, and its kernel takes the service with it."""
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    await store().read(adapter, CHAT, ONE)
    (record,) = store.kept("*.json")
    marker = record.with_suffix(".tries")
    record.unlink()
    marker.write_bytes(b".")
    assert (await store().read(adapter, CHAT, ONE)).pictures  # once may be chance
    assert not marker.exists()
    record.unlink()
    marker.write_bytes(b"..")
    for _ in range(2):
        with pytest.raises(MediaError, match="the program that reads files fails at it"):
            await store().read(adapter, CHAT, ONE)
    assert adapter.fetched == ["one"] * 3


async def test_a_decoder_that_can_not_start_is_nobodys_fault(store: Stores) -> None:
    store.decoder = Decoder(program=("-m", "bot.nothing_of_this_name"))
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    with pytest.raises(NotFetched, match="This picture can't be read right now"):
        await store().read(adapter, CHAT, ONE)
    store.decoder = Decoder()
    assert (await store().read(adapter, CHAT, ONE)).pictures


async def test_another_version_reads_anew(store: Stores) -> None:
    adapter: Any = Files(one=b"%PDF-1.7\n")
    for _ in range(2):
        with pytest.raises(MediaError):
            await store().read(adapter, CHAT, ONE)
    (record,) = store.kept("*.json")
    record.write_text(record.read_text().replace("text-1", "text-0"))
    with pytest.raises(MediaError):
        await store().read(adapter, CHAT, ONE)
    assert adapter.fetched == ["one", "one"]


async def test_when_it_closes_whoever_waits_is_cancelled(store: Stores) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    adapter.open.clear()
    media = store()
    ask = asyncio.create_task(media.read(adapter, CHAT, ONE))
    await adapter.began.get()
    await media.close()
    with pytest.raises(asyncio.CancelledError):
        await ask
    with pytest.raises(asyncio.CancelledError):
        await media.read(adapter, CHAT, ONE)
    assert store.kept() == []
