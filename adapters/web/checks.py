"""Health checks of `magpie doctor` for the page."""

from __future__ import annotations

import secrets

from adapters.web.settings import WebSettings
from bot.errors import SettingError
from bot.types import Finding, Mark, Text

__all__ = ["checks"]


async def checks(settings: WebSettings) -> list[Finding]:
    """What was found, in the order it matters."""
    return [_password(settings), *_proxy(settings), _folder(settings)]


def _password(settings: WebSettings) -> Finding:
    try:
        settings.check()
    except SettingError as error:
        return Finding(Mark.WRONG, Text("{problem}", {"problem": error}))
    if settings.password and len(settings.password) < 12:
        return Finding(
            Mark.WRONG,
            Text("WEB_PASSWORD has only {count} characters; take 12 or more.", {"count": len(settings.password)}),
        )
    if settings.password:
        return Finding(Mark.OK, Text("The page asks for WEB_PASSWORD."))
    words = Text("The page can be reached from this machine only ({host}).", {"host": settings.http_host})
    return Finding(Mark.OK, words)


def _proxy(settings: WebSettings) -> list[Finding]:
    """https is a proxy's doing, for we speak http alone."""
    if settings.trusted_proxies or not settings.public_url.startswith("https:"):
        return []
    words = Text(
        "TRUSTED_PROXIES does not name the proxy before {url}, so strangers' wrong passwords count against everybody. "
        "Example: TRUSTED_PROXIES=127.0.0.1",
        {"url": settings.public_url},
    )
    return [Finding(Mark.ADVICE, words)]


def _folder(settings: WebSettings) -> Finding:
    folder = settings.data_dir / "files"
    probe = folder / f"probe-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"magpie")
        probe.unlink()
    except OSError as error:
        data = {"folder": folder, "reason": error.strerror or error}
        return Finding(Mark.WRONG, Text("Uploads can't be kept in {folder}: {reason}. Set another DATA_DIR.", data))
    return Finding(Mark.OK, Text("Uploads are kept in {folder}.", {"folder": folder}))
