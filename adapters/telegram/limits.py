"""Rate limits as data: what a chat and the whole bot may take (Bots FAQ: "My bot is hitting limits"; tdlib/td#2592:
sends and edits share one budget)."""

from __future__ import annotations

from adapters.telegram.outgoing.render import SIZE, measure
from bot.types import Bucket, CallKind, Chat, Limits

__all__ = ["LIMITS"]

FRAME = 0.8  # seconds between two versions of a message: a chat's burst is spread over the first seconds
STATUS_EVERY = 4.0  # seconds; a chat action lasts five (Bot API: sendChatAction)


def _buckets(chat: Chat, call: CallKind) -> tuple[Bucket, ...]:
    """A chat's topics share its budget. A status doesn't count as a message; refused, it silences no others."""
    prefix = f"{chat.platform}:{chat.account}"
    everything = Bucket(f"{prefix}:all", 1 / 30, burst=2, count=30, window=1.0, reserve=2)
    if call is CallKind.STATUS:
        return Bucket(f"{prefix}:status:{chat.id}", 1.0, burst=3), everything
    name = f"{prefix}:room:{chat.id}"
    if not chat.id.startswith("-"):  # groups have negative ids
        return Bucket(name, 1.1, burst=3), everything
    return Bucket(name, 3.1, burst=4, count=20, window=60.0, reserve=2, spare=3), everything


LIMITS = Limits(size=SIZE, measure=measure, buckets=_buckets, frame=FRAME, status_every=STATUS_EVERY)
