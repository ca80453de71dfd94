"""Pictures kept: each is fetched and prepared once, whoever asks and how often; what fails leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from bot.chat_api.tokens import image_tokens
from bot.errors import Gone, MediaError, StoreError, StoreFull
from bot.media import MediaStore
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
        found = self.files.get(ref, Gone("file"))
        if isinstance(found, Exception):
            raise found
        await asyncio.to_thread(to.write_bytes, found)


def store(tmp_path: Path, clock: SimClock | None = None) -> MediaStore:
    return MediaStore(tmp_path / "data" / "media", clock or SimClock())


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data" / "media").iterdir())


async def test_fetched_once_even_across_restarts(tmp_path: Path) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    first = await store(tmp_path).image(adapter, CHAT, ONE)
    assert first.tokens == image_tokens(120, 80)
    assert first.url.startswith("data:image/png;base64,")
    assert await store(tmp_path).image(adapter, CHAT, ONE) == first
    assert adapter.fetched == ["one"]
    assert len(kept(tmp_path)) == 1  # the fetched file is gone


async def test_another_account_has_its_own(tmp_path: Path) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    media = store(tmp_path)
    await media.image(adapter, CHAT, ONE)
    await media.image(adapter, Chat("p", "b", "1"), ONE)
    assert adapter.fetched == ["one", "one"]


async def test_what_is_kept_but_damaged_is_fetched_anew(tmp_path: Path) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    first = await store(tmp_path).image(adapter, CHAT, ONE)
    kept(tmp_path)[0].write_bytes(b"")
    assert await store(tmp_path).image(adapter, CHAT, ONE) == first
    assert len(adapter.fetched) == 2


async def test_who_asks_meanwhile_shares_the_work(tmp_path: Path) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"), two=encoded(drawing(), "JPEG"))
    adapter.open.clear()
    media = store(tmp_path)
    asks = [asyncio.create_task(media.image(adapter, CHAT, ONE)) for _ in range(5)]
    asks.append(asyncio.create_task(media.image(adapter, CHAT, Attachment(Kind.IMAGE, "two"))))
    assert {await adapter.began.get(), await adapter.began.get()} == {"one", "two"}
    asks[0].cancel()  # the others still want it
    await asyncio.sleep(0)
    adapter.open.set()
    results = await asyncio.gather(*asks[1:])
    assert sorted(adapter.fetched) == ["one", "two"]
    assert len(set(results)) == 2


async def test_when_nobody_wants_it_any_more_the_work_ends(tmp_path: Path) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    adapter.open.clear()
    media, others = store(tmp_path), asyncio.all_tasks()
    ask = asyncio.create_task(media.image(adapter, CHAT, ONE))
    await adapter.began.get()
    ask.cancel()
    again = asyncio.create_task(media.image(adapter, CHAT, ONE))
    with pytest.raises(asyncio.CancelledError):
        await ask
    await adapter.began.get()
    assert len(asyncio.all_tasks() - others) == 2  # who asked again, and its work; the first work has ended
    adapter.open.set()
    assert (await again).tokens
    assert asyncio.all_tasks() == others
    assert len(kept(tmp_path)) == 1


async def test_a_bad_picture_is_not_fetched_at_every_turn(tmp_path: Path) -> None:
    adapter: Any = Files(one=b"<html>", two=Gone("file"))
    media = store(tmp_path)
    for _ in range(2):
        with pytest.raises(MediaError, match=r"x\.png is not a picture: it looks like a web page"):
            await media.image(adapter, CHAT, Attachment(Kind.IMAGE, "one", name="x.png"))
    assert adapter.fetched == ["one"]
    for _ in range(2):
        with pytest.raises(Gone):
            await media.image(adapter, CHAT, Attachment(Kind.IMAGE, "two"))
    assert adapter.fetched == ["one", "two", "two"]  # it may come back
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("attachment", "words"),
    [
        (Attachment(Kind.VIDEO, "one", "video/mp4", name="a.mp4"), "a.mp4 is not a picture."),
        (Attachment(Kind.AUDIO, "one"), "is not a picture."),
        (Attachment(Kind.FILE, "one", "application/zip", name="a.zip"), "a.zip is not a picture."),
        (Attachment(Kind.IMAGE, "one", size=30_000_000), "has 30 MB; at most 20 MB"),
        (Attachment(Kind.IMAGE, "one", size=0), "is empty"),
    ],
)
async def test_some_are_refused_before_they_are_fetched(tmp_path: Path, attachment: Attachment, words: str) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    with pytest.raises(MediaError, match=words):
        await store(tmp_path).image(adapter, CHAT, attachment)
    assert adapter.fetched == []


@pytest.mark.parametrize(
    "attachment", [Attachment(Kind.FILE, "one", "image/png"), Attachment(Kind.FILE, "one", name="a.PNG")]
)
async def test_a_picture_sent_as_a_file(tmp_path: Path, attachment: Attachment) -> None:
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    assert (await store(tmp_path).image(adapter, CHAT, attachment)).tokens


async def test_no_space_is_said(tmp_path: Path) -> None:
    adapter: Any = Files(one=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(StoreFull, match="No space is left for pictures"):
        await store(tmp_path).image(adapter, CHAT, ONE)
    adapter.files["one"] = encoded(drawing(), "PNG")
    assert (await store(tmp_path).image(adapter, CHAT, ONE)).tokens
    assert len(kept(tmp_path)) == 1


async def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    adapter: Any = Files(one=encoded(drawing(), "PNG"))
    with pytest.raises(StoreError, match="Pictures can't be stored"):
        await store(tmp_path).image(adapter, CHAT, ONE)


async def test_prune_deletes_what_was_longest_unused(tmp_path: Path) -> None:
    clock = SimClock()
    adapter: Any = Files(**{name: encoded(photo(60, 60), "PNG") for name in ("one", "two", "three")})
    media = store(tmp_path, clock)
    for name in ("one", "two", "three", "one"):  # the first is used again
        await media.image(adapter, CHAT, Attachment(Kind.IMAGE, name))
        clock.seconds += 60
    size = kept(tmp_path)[0].stat().st_size
    assert await media.prune(3 * size) == 0
    assert await media.prune(2 * size) == 1
    adapter.fetched.clear()
    for name in ("one", "three"):
        await media.image(adapter, CHAT, Attachment(Kind.IMAGE, name))
    assert adapter.fetched == []
    await media.image(adapter, CHAT, Attachment(Kind.IMAGE, "two"))
    assert adapter.fetched == ["two"]


async def test_prune_takes_away_what_a_killed_process_left(tmp_path: Path) -> None:
    clock, media = SimClock(), store(tmp_path)
    assert await media.prune(0) == 0  # nothing there yet
    directory = tmp_path / "data" / "media"
    directory.mkdir(parents=True)
    for name, age in (("old.part", 7200), ("new.part", 60)):
        (directory / name).write_bytes(b"x")
        os.utime(directory / name, ns=((clock.now() - age * 1000) * 1_000_000,) * 2)
    await media.prune(1_000_000)
    assert [path.name for path in kept(tmp_path)] == ["new.part"]
