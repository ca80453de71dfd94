"""Continuation: what the rest of a cut source must begin with to mean what it meant, and how that is taken out of the
tree again.

A rest inside a list, quote, fence or table is given a prefix that opens these again. Containers are opened by a line of
their own, ended by a rule (`3. ___`), at their original columns, so that the lines after it need no change; `resumed`
takes this line out of the tree again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.markdown import tree
from bot.markdown.rules import GUARD
from bot.markdown.tree import Block, Inline

__all__ = ["Carry", "Container", "continued", "guarded", "opening", "resumed"]

_RULE = "___"


@dataclass(frozen=True, slots=True)
class Container:
    """A quote (`number` None, mark `>`), a bullet item or a numbered item, and where it stands in its line."""

    mark: str
    line: int
    number: int | None = None
    task: bool = False
    column: int = 0
    content: int = 0


@dataclass(frozen=True, slots=True)
class Carry:
    """What stands before the rest (`prefix`), and what of it is to be taken out of the tree again."""

    prefix: str = ""
    containers: tuple[Container, ...] = ()
    guarded: bool = False
    head: str = ""  # a table's head, for a look whether it fits


def _line(containers: tuple[Container, ...], *, opening: bool) -> str:
    line = ""
    for container in containers:
        mark = container.mark if opening or container.mark == ">" else ""
        line = (line[: container.column].ljust(container.column) + mark).ljust(container.content)
    return line


def continued(containers: tuple[Container, ...]) -> str:
    """What a further line inside these containers begins with."""
    return _line(containers, opening=False)


def opening(containers: tuple[Container, ...]) -> Carry:
    """A prefix that opens the containers again."""
    if not containers:
        return Carry()
    return Carry(_line(containers, opening=True) + _RULE + "\n", containers)


def guarded(containers: tuple[Container, ...], mark: str = "") -> Carry:
    """A prefix for the rest of a line; `mark` makes it a heading."""
    carry = opening(containers)
    return replace(carry, prefix=carry.prefix + continued(containers) + mark + GUARD, guarded=True)


# ---- the tree of a rest, without the traces of its prefix


def resumed(blocks: tuple[Block, ...], carry: Carry) -> tuple[Block, ...]:
    """The document of a rest that was parsed with the prefix of `carry`."""
    if carry.containers:
        blocks = _unwrapped(blocks, carry.containers)
    if carry.guarded:
        blocks = _unguarded(blocks)
    match blocks:
        case (tree.Table(_, ()), *rest) if carry.head:
            return tuple(rest)
    return blocks


def _unwrapped(blocks: tuple[Block, ...], containers: tuple[Container, ...]) -> tuple[Block, ...]:
    """What is left of an open item stands by itself; its list goes on after it with the next number. Quotes stay."""
    match blocks:
        case (tree.Rule(), *rest) if not containers:
            return tuple(rest)
        case (tree.Quote(children), *rest) if containers and containers[0].mark == ">":
            inner = _unwrapped(children, containers[1:])
            return (tree.Quote(inner), *rest) if inner else tuple(rest)
        case (tree.List((item, *items), start, tight), *rest) if containers:
            inner = _unwrapped(item.children, containers[1:])
            number = containers[0].number
            after = None if start is None or number is None else number + 1
            return (*inner, *((tree.List(tuple(items), after, tight),) if items else ()), *rest)
    return blocks


def _unguarded(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    match blocks:
        case (tree.Paragraph(children), *rest):
            left = _without_guard(children)
            return (tree.Paragraph(left), *rest) if left else tuple(rest)
        case (tree.Heading(level, children), *rest):
            left = _without_guard(children)
            return (tree.Heading(level, left), *rest) if left else tuple(rest)
        case (tree.Quote(inner), *rest):
            quoted = _unguarded(inner)
            return (tree.Quote(quoted), *rest) if quoted else tuple(rest)
    return blocks


def _without_guard(children: tuple[Inline, ...]) -> tuple[Inline, ...]:
    match children:
        case (tree.Words(text), *rest) if text.startswith(GUARD):
            text = text.removeprefix(GUARD)
            return (tree.Words(text), *rest) if text else tuple(rest)
    return children
