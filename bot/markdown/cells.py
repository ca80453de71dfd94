"""Tables, whose cells models part less carefully than the dialect wants

A row's surplus cells are kept, and where a row has too many, bars in code, formulas and links part nothing.
"""

from __future__ import annotations

import re

from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import table as gfm_table
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

__all__ = ["columns_of", "masked", "table"]

_BAR = "\ufdd1"  # a noncharacter in the place of a bar that parts nothing; not in the tree
_SPAN = re.compile(
    r"""(?<![`\\])(?P<run>`+)(?!`).+?(?<!`)(?P=run)(?!`)
      | \\\(.+?\\\) | \\\[.+?\\\]
      | (?<![\w\\$])\$\$?(?=[^\s$])[^$]*?(?<=[^\s$])\$\$?(?![\w$])
      | <(?:https?://|mailto:|tel:)[^\s<>|]+\|[^<>|]+>
    """,
    re.VERBOSE,
)
_PARTING = re.compile(r"(?<!\\)\|")
_DELIMITERS = re.compile(r"[ \t>]*[|:-][|: \t-]*")
_LONGEST = 4000  # characters of a row that is looked at so closely


def columns_of(delimiters: str) -> int:
    """How many columns a row like `|---|:-:|` has; 0 if it is none."""
    if not _DELIMITERS.fullmatch(delimiters):
        return 0
    return sum(1 for part in delimiters.strip(" \t>").split("|") if part.strip())


def masked(row: str, columns: int) -> str:
    """The row, as long as it was, with other signs for bars that part nothing, if it has too many cells otherwise."""
    if row.count("|") < columns or len(row) > _LONGEST or len(_cells(row)) <= columns:
        return row
    found = _SPAN.sub(lambda span: _PARTING.sub(_BAR, span[0]), row)
    return found if len(_cells(found)) >= columns else row


def _cells(row: str) -> list[str]:
    cells = escapedSplit(row.strip(" \t>"))
    cells = cells[1:] if cells and not cells[0] else cells
    return cells[:-1] if cells and not cells[-1] else cells


def table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The usual table, but a head's or row's bars in code part nothing where they would make too many cells; cells
    beyond the head's last column go into the last cell instead of being lost."""
    below = start + 1
    if below >= end or not state.src.startswith(("|", ":", "-"), state.bMarks[below] + state.tShift[below]):
        return False
    if not (columns := columns_of(_line(state, below))):
        return False
    first, source, head = len(state.tokens), state.src, _line(state, start)
    if (found := masked(head, columns)) != head:
        begin = state.bMarks[start] + state.tShift[start]
        state.src = source[:begin] + found + source[state.eMarks[start] :]
    try:
        if not gfm_table(state, start, end, silent):
            return False
    finally:
        state.src = source
    cells: list[Token] = []
    for token in state.tokens[first:]:
        if token.type == "tr_open":
            cells = []
        elif token.type == "inline":
            cells.append(token)
            token.content = token.content.replace(_BAR, "|")
        elif token.type == "tr_close" and cells and cells[0].map and cells[0].map[0] > start:
            _fill(cells, _line(state, cells[0].map[0]))
    return True


def _fill(cells: list[Token], row: str) -> None:
    if row.count("|") < len(cells) or len(plain := _cells(row)) <= len(cells):
        return
    found = masked(row, len(cells))
    parts = plain if found == row else _cells(found)
    parts = [*parts[: len(cells) - 1], "|".join(parts[len(cells) - 1 :])]
    for cell, part in zip(cells, parts, strict=True):
        cell.content = part.strip().replace(_BAR, "|")


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
