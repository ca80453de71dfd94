"""Files that people send (docs.slack.dev: File object, Working with files)."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from tests.fakes.slack.places import TEAM, Json
from tests.fakes.slack.refusals import Refusal

__all__ = ["Files", "StoredFile"]

_LOGIN = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in to Magpie</body></html>"


@dataclass(eq=False)
class StoredFile:
    id: str
    name: str
    mime: str
    data: bytes
    size: int
    url: str
    external: bool = False  # of another workspace: its events tell only the id (Slack Connect)
    deleted: bool = False

    @property
    def json(self) -> Json:
        kind = {"image/jpeg": "jpg"}.get(self.mime, Path(self.name).suffix.removeprefix(".") or "binary")
        found: Json = {
            "id": self.id,
            "created": 1_700_000_000,
            "name": self.name,
            "title": self.name,
            "mimetype": self.mime,
            "filetype": kind,
            "mode": "hosted",
            "file_access": "visible",
            "is_external": False,
            "size": self.size,
            "url_private": self.url,
            "url_private_download": self.url,
        }
        if self.mime.startswith("image/") and self.data:
            with suppress(UnidentifiedImageError), Image.open(io.BytesIO(self.data)) as image:
                found |= {"original_w": image.width, "original_h": image.height, "thumb_360": self.url + "?thumb=360"}
        return found

    @property
    def in_event(self) -> Json:
        """docs.slack.dev: Slack Connect, "check_file_info": files.info tells the rest."""
        if self.external:
            return {"id": self.id, "created": 0, "mode": "file_access", "file_access": "check_file_info"}
        return self.json


class Files:
    """`redirect`: where the address of a file leads: nowhere, to the CDN (another host, which wants the bearer too:
    openclaw#63523), there by a step that names no host, to a host that isn't the platform's, or in a circle."""

    def __init__(self) -> None:
        self.all: dict[str, StoredFile] = {}
        self.base = ""  # of this server
        self.cdn = ""  # of the second one
        self.stranger = "http://127.0.0.1:9/"
        self.redirect: Literal["", "cdn", "steps", "stranger", "circle"] = ""
        self.asked: list[tuple[str, str]] = []  # (path, Authorization) of each download

    def keep(self, data: bytes, name: str, mime: str, *, size: int | None = None, external: bool = False) -> StoredFile:
        id = f"F0FILE{len(self.all) + 1:04}"
        url = f"{self.base}/files-pri/{TEAM}-{id}/download/{name}"
        file = StoredFile(id, name, mime, data, len(data) if size is None else size, url, external)
        self.all[id] = file
        return file

    def describe(self, id: str) -> Json:
        """files.info."""
        file = self.all.get(id)
        if file is None:
            raise Refusal("file_not_found")
        if file.deleted:
            raise Refusal("file_deleted")
        return {"file": file.json, "comments": []}

    def serve(self, request: web.Request, token: str, *, may: bool) -> web.Response:
        """Without the bearer, or the scope files:read: 200 and the page of the login (vercel/eve#1531)."""
        given = request.headers.get("Authorization", "")
        self.asked.append((request.path, given))
        if given != f"Bearer {token}" or not may:
            return web.Response(text=_LOGIN, content_type="text/html")
        file = self.all.get(request.match_info["file"].rpartition("-")[2])
        if file is None or file.deleted:
            return web.Response(status=404, text="<html>404</html>", content_type="text/html")
        if self.redirect and not request.path.startswith("/cdn/"):
            cdn = f"{self.cdn}/cdn{request.path}"
            step = cdn if request.query_string else f"{request.path}?step=1"
            leads = {"cdn": cdn, "steps": step, "stranger": self.stranger, "circle": file.url}
            return web.Response(status=302, headers={"Location": leads[self.redirect]})
        return web.Response(body=file.data, content_type=file.mime)
