"""Roles take turns: neighbours of one role are one message."""

from __future__ import annotations

from collections.abc import Iterable

from bot.types import Part, PromptMessage, TextPart

__all__ = ["as_parts", "merged"]


def merged(messages: Iterable[PromptMessage]) -> list[PromptMessage]:
    """The same words and pictures in the same order, with no two neighbours of one role."""
    taken: list[PromptMessage] = []
    for message in messages:
        if taken and taken[-1].role == message.role:
            taken[-1] = _joined(taken[-1], message)
        else:
            taken.append(message)
    return taken


def as_parts(message: PromptMessage) -> tuple[Part, ...]:
    return (TextPart(message.content),) if isinstance(message.content, str) else message.content


def _joined(one: PromptMessage, other: PromptMessage) -> PromptMessage:
    if isinstance(one.content, str) and isinstance(other.content, str):
        return PromptMessage(one.role, f"{one.content}\n\n{other.content}")
    return PromptMessage(one.role, (*as_parts(one), *as_parts(other)))
