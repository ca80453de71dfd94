"""What `magpie doctor` looks at for the page."""

from __future__ import annotations

import secrets

from adapters.web.settings import WebSettings, is_loopback
from bot.errors import SettingError
from bot.types import Text

__all__ = ["checks"]


async def checks(settings: WebSettings) -> list[tuple[bool, Text]]:
    """(is it well, what there is to say), in the order they matter."""
    return [_password(settings), _folder(settings)]


def _password(settings: WebSettings) -> tuple[bool, Text]:
    try:
        settings.check()
    except SettingError as error:
        return False, Text(error.text, error.data)
    if settings.password and len(settings.password) < 12:
        return False, Text(
            "WEB_PASSWORD has only {count} characters; take 12 or more.", {"count": len(settings.password)}
        )
    if is_loopback(settings.http_host):
        return True, Text("The page can be reached from this machine only ({host}).", {"host": settings.http_host})
    return True, Text("The page asks for WEB_PASSWORD.")


def _folder(settings: WebSettings) -> tuple[bool, Text]:
    folder = settings.data_dir / "files"
    probe = folder / f"probe-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"magpie")
        probe.unlink()
    except OSError as error:
        data = {"folder": folder, "reason": error.strerror or error}
        return False, Text("Uploads can't be kept in {folder}: {reason}. Set another DATA_DIR.", data)
    return True, Text("Uploads are kept in {folder}.", {"folder": folder})
