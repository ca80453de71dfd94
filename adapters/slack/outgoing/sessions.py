"""Typing status: that we are at work: the status line of a thread, and the session whose Stop control is the platform's
own (docs.slack.dev: assistant.threads.setStatus, agents.sessions.setStatus)."""

from __future__ import annotations

import asyncio
import logging

from adapters.kit.tasks import Tasks
from adapters.slack.errors import FAILURES, code, translate
from adapters.slack.limits import Pace, Window
from adapters.slack.wire import Wire
from bot.errors import AdapterError
from bot.types import Chat, Clock

__all__ = ["Sessions"]

log = logging.getLogger(__name__)

_PATIENCE = 0.25  # seconds that a first text waits to know whether there is a Stop control
_LAST = 1.0  # seconds that the end of the process waits for a Stop control to be taken away
_MOST = 1_000
_OPENED = 22  # a minute: tier 3 has room for 50 calls, and each that is opened is closed once
_NEVER = frozenset({"unknown_method", "method_deprecated", "feature_not_enabled", "not_an_agent", "missing_scope"})
_UNHEARD = "missing_agent_session_stopped_event_subscription"  # a warning: then there is no Stop control


class Sessions:
    def __init__(self, wire: Wire, clock: Clock, pace: Pace) -> None:
        self._wire = wire
        self._pace = pace
        self._opened = Window(clock, _OPENED)
        self._asking: dict[str, asyncio.Task[bool]] = {}  # chat key -> is there a Stop control
        self._closing = Tasks()
        self._is_possible = True

    async def begin(self, chat: Chat, words: str) -> None:
        """Show that somebody is at work. AdapterError."""
        if not chat.thread:
            return
        if self._is_possible and chat.key not in self._asking and self._pace.reserve(chat) and self._opened.take():
            self._asking[chat.key] = asyncio.create_task(self._open(chat))
            while len(self._asking) > _MOST:  # of turns that ended without an answer
                self._asking.pop(next(iter(self._asking)))
        await self._wire.do("assistant.threads.setStatus", channel_id=chat.id, thread_ts=chat.thread, status=words)

    async def stoppable(self, chat: Chat) -> bool:
        """Is there a Stop control of the platform's own?"""
        asking = self._asking.get(chat.key)
        if asking is None:
            return False
        await asyncio.wait({asking}, timeout=_PATIENCE)
        return asking.done() and not asking.cancelled() and asking.exception() is None and asking.result()

    def end(self, chat: Chat, *, told: bool) -> None:
        """The answer is at its end; `told`: a stream's stop has said so."""
        self._pace.release(chat)
        asking = self._asking.pop(chat.key, None)
        if asking is None or told:
            return
        self._closing.start(self._close(chat, asking), f"end of the session in {chat.key}")

    async def close(self) -> None:
        """Whose answers are at their end lose their Stop control, if that takes no longer than a moment."""
        await self._closing.close(_LAST)
        tasks = list(self._asking.values())
        self._asking.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self, chat: Chat) -> bool:
        try:
            answer = await self._wire.call(
                "agents.sessions.setStatus", channel_id=chat.id, thread_ts=chat.thread, status="processing"
            )
        except FAILURES as error:
            self._is_possible = self._is_possible and code(error) not in _NEVER
            self._pace.release(chat)
            log.info("no Stop control: %s", translate(error, self._wire.secrets).detail)
            return False
        if _UNHEARD in str(answer.get("warning") or answer.get("response_metadata") or ""):
            self._pace.release(chat)
            return False
        return True

    async def _close(self, chat: Chat, asking: asyncio.Task[bool]) -> None:
        await asyncio.wait({asking})
        if asking.cancelled() or asking.exception() is not None or not asking.result():
            return
        try:
            await self._wire.do("agents.sessions.setStatus", channel_id=chat.id, thread_ts=chat.thread, status="active")
        except AdapterError as error:
            log.info("a session stays as it is: %s", error.detail)
