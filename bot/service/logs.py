"""Log lines: text or JSON, to standard error, and never a secret in them."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import orjson

from bot.types import AsgiApp

__all__ = ["set_up", "speak_for", "speaking_for"]

_account: ContextVar[str] = ContextVar("account", default="")  # whom it is about, where there are several of a platform

_QUIET = ("httpx", "httpcore", "alembic", "uvicorn", "asyncio", "PIL", "markdown_it", "apscheduler")


class _Hiding:
    """Wraps a formatter: takes known secrets out of what it has written, tracebacks included."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 4)

    def hide(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


class _Seldom(logging.Filter):
    """asyncio says with a traceback that a connection can't be accepted, thousands of times a second (descriptors that
    have run out): once a minute will do."""

    def __init__(self) -> None:
        super().__init__()
        self._said = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        if "socket.accept() out of system resource" not in record.getMessage():
            return True
        if record.created - self._said < 60:
            return False
        self._said = record.created
        record.exc_info = None
        return True


class _TextFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def __init__(self, hiding: _Hiding) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        self._hiding = hiding

    def format(self, record: logging.LogRecord) -> str:
        return self._hiding.hide(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        name = _account.get()
        if name:
            record.message = f"{name}: {record.message}"
        return super().formatMessage(record)


class _JsonFormatter(logging.Formatter):
    def __init__(self, hiding: _Hiding) -> None:
        super().__init__()
        self._hiding = hiding

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": round(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if _account.get():
            fields["account"] = _account.get()
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return self._hiding.hide(orjson.dumps(fields).decode())


def set_up(level: str = "info", style: str = "text", secrets: Iterable[str] = ()) -> None:
    """Configure the root logger. `secrets` are cut out of every line; libraries speak up from warnings on."""
    hiding = _Hiding(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(hiding) if style == "json" else _TextFormatter(hiding))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    asyncios = logging.getLogger("asyncio")
    if not any(isinstance(each, _Seldom) for each in asyncios.filters):
        asyncios.addFilter(_Seldom())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def speaking_for(name: str, app: AsgiApp) -> AsgiApp:
    """What is pushed to an account, with its name in the log."""

    async def speaking(scope: Any, receive: Any, send: Any) -> None:
        speak_for(name)
        await app(scope, receive, send)

    return speaking


def speak_for(name: str) -> None:
    """From here on, in this task and those that it starts, lines are about an account. The one of the variables is
    named by its platform already."""
    _account.set(name if ":" in name else "")
