"""Role alternation: roles take turns: neighbours of one role are one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.types import Part, PromptMessage, TextPart

__all__ = ["as_parts", "merged", "without_system"]


def merged(messages: Iterable[PromptMessage]) -> list[PromptMessage]:
    """The same words and pictures in the same order, with no two neighbours of one role."""
    taken: list[PromptMessage] = []
    for message in messages:
        if taken and taken[-1].role == message.role:
            taken[-1] = _joined(taken[-1], message)
        else:
            taken.append(message)
    return taken


def without_system(messages: Sequence[PromptMessage]) -> tuple[PromptMessage, ...]:
    """For models that take no system role: its text stands at the head of the first question."""
    systems = [TextPart(part.text) for each in messages if each.role == "system" for part in _texts(each)]
    first, *rest = [each for each in messages if each.role != "system"]
    head = PromptMessage("user", "\n\n".join(part.text for part in systems))
    return tuple(merged([head, first, *rest])) if systems else (first, *rest)


def _texts(message: PromptMessage) -> list[TextPart]:
    return [part for part in as_parts(message) if isinstance(part, TextPart)]


def as_parts(message: PromptMessage) -> tuple[Part, ...]:
    return (TextPart(message.content),) if isinstance(message.content, str) else message.content


def _joined(one: PromptMessage, other: PromptMessage) -> PromptMessage:
    if isinstance(one.content, str) and isinstance(other.content, str):
        return PromptMessage(one.role, f"{one.content}\n\n{other.content}")
    return PromptMessage(one.role, (*as_parts(one), *as_parts(other)))
