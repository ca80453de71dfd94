"""Files that people send: stored with their bytes, and written down as the Bot API does."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tests.fakes.pictures import picture
from tests.fakes.telegram.refusals import bad

__all__ = ["Files", "StoredFile", "picture"]

_MOST = 20 * 1024 * 1024  # getFile: "bots can download files of up to 20MB in size"
_SIZES = (90, 320, 800, 1280)  # the longer side of what Telegram keeps of a photo
_FOLDERS = {"photo": "photos", "voice": "voice", "video": "videos", "sticker": "stickers", "video_note": "video_notes"}


@dataclass
class StoredFile:
    id: str
    unique: str
    data: bytes
    size: int  # what is said; may be more than there are bytes
    path: str
    expired: bool = False

    @property
    def json(self) -> dict[str, Any]:
        return {"file_id": self.id, "file_unique_id": self.unique, "file_size": self.size}


class Files:
    """`folder` makes it a server in local mode: no limit, and paths on this machine."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.all: dict[str, StoredFile] = {}

    def keep(self, data: bytes, kind: str, ending: str, size: int | None = None) -> StoredFile:
        number = len(self.all) + 1
        unique = hashlib.sha256(data + bytes([number % 256])).hexdigest()[:15]
        path = f"{_FOLDERS.get(kind, 'documents')}/file_{number}{ending}"
        file = StoredFile(f"AgACAgIAAx{number:06}{unique}", unique, data, len(data) if size is None else size, path)
        self.all[file.id] = file
        return file

    def describe(self, id: str) -> dict[str, Any]:
        """getFile."""
        file = self.all.get(id)
        if file is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if self.folder is None:
            if file.size > _MOST:
                raise bad("file is too big")
            file.expired = False  # "When the link expires, a new one can be requested by calling getFile again"
            return {**file.json, "file_path": file.path}
        path = self.folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        return {**file.json, "file_path": str(path)}

    def open(self, path: str) -> bytes | None:
        """What stands behind a link; None if there is nothing, or not any more."""
        if self.folder is not None:
            return None
        return next((file.data for file in self.all.values() if file.path == path and not file.expired), None)

    def expire(self) -> None:
        """An hour is over: links that were given out don't work any more."""
        for file in self.all.values():
            file.expired = True

    def photo(self, data: bytes) -> list[dict[str, Any]]:
        """Message.photo: sizes that don't enlarge the picture, the largest last, all JPEG."""
        with Image.open(io.BytesIO(data)) as source:
            image = source.convert("RGB")
        longest = max(image.size)
        sides = [side for side in _SIZES if side < longest] + [min(longest, _SIZES[-1])] * (longest <= _SIZES[-1])
        sizes = []
        for side in sides:
            width, height = (max(1, round(each * side / longest)) for each in image.size)
            out = io.BytesIO()
            image.resize((width, height)).save(out, "JPEG")
            sizes.append({**self.keep(out.getvalue(), "photo", ".jpg").json, "width": width, "height": height})
        return sizes

    def media(self, kind: str, data: bytes, mime: str = "", name: str = "", size: int | None = None) -> dict[str, Any]:
        """Document, Video, Voice, Sticker and their like, with the fields that they must have."""
        file = self.keep(data, kind, Path(name).suffix or _ENDINGS.get(kind, ""), size)
        more: dict[str, Any] = dict(_MUST.get(kind, {}))
        if mime:
            more["mime_type"] = mime
        if name:
            more["file_name"] = name
        return {**file.json, **more}


_ENDINGS = {"voice": ".oga", "video": ".mp4", "sticker": ".webp", "animation": ".mp4", "video_note": ".mp4"}
_MUST: dict[str, dict[str, Any]] = {
    "audio": {"duration": 3},
    "voice": {"duration": 3},
    "video": {"width": 640, "height": 360, "duration": 3},
    "animation": {"width": 640, "height": 360, "duration": 3},
    "video_note": {"length": 240, "duration": 3},
    "sticker": {
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": "🐦",
    },
}
