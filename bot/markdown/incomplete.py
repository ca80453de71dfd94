"""Incomplete Markdown: what is half there at the end of a growing text, as what it will become

Nothing here is certain; the frame that tells is the next one. So what could as well be money or a comparison stays.
"""

from __future__ import annotations

import re

from bot.markdown.formulas.latex import completed
from bot.markdown.units import is_wide

__all__ = ["mended", "open_formula"]

_LINK = re.compile(r"\[([^\[\]\n]*)(?:\](?:\([^()\s]*(?:\([^()\s]*\)?[^()\s]*)?(?:\s[^()\n]*)?)?)?")
_FOOTNOTE = re.compile(r"\[\^\d{0,3}")
_ADDRESS = re.compile(
    r"<(?:(https?://[^\s<>|]*|h?|ht{1,2}|https?:?/?)|(?:https?://|mailto:|tel:)[^\s<>|]+\|([^<>|\n]*))\Z"
)
_MARK = re.compile(r"(?:\\?(?:`+|[*_~]+)|\\)\Z")
_SIGN = re.compile(
    r"""(?: (?<![^\s(（，。：、；])\$(?:[A-Za-z]{1,2}|\\[A-Za-z]*)?    # a formula, or a dollar
      | (?<!\S)! | &(?:\#x?[0-9A-Fa-f]{0,6}|[a-z]{1,8})? )\Z   # a picture, an entity
    """,
    re.VERBOSE,
)
_RUN = re.compile(r"`+")
_LONGEST = 300
_FORMULA = re.compile(r"(?:\\[(\[]|\$\$)(?P<sure>[^`$]*)\$?|\$(?P<dollar>[^\s`$][^`$\n]*)")
_LIKELY = re.compile(r"\\[A-Za-z]|\^|_\{|\A[A-Za-z]\s*[=+<>(_,'-]")


def mended(content: str) -> str:
    """The inline text without the half of a link's target or of a marker at its end."""
    code = _open_code(content)
    start = content.rfind("[", 0, code)
    half = _LINK.fullmatch(content, start, code) if start >= 0 else None
    if code < len(content):
        content = content[:start] + content[start + 1 :] if half and "]" not in half[0] else content
        return _MARK.sub("", content)
    escaped = start > 0 and content[start - 1] == "\\"
    index = start > 0 and (content[start - 1].isalnum() and content[start - 1].isascii())
    if start >= 0 and _FOOTNOTE.fullmatch(content, start):
        return content[:start]
    if half and not index and not escaped and not half[1].startswith("^"):
        picture = start > 0 and content[start - 1] == "!"
        content = content[: start - picture] + half[1]
    if address := _ADDRESS.search(content):
        words = address[2] if address[1] is None else address[1] if ":" in address[1] else ""
        content = content[: address.start()] + words
    return _MARK.sub("", _SIGN.sub("", content))


def _open_code(content: str) -> int:
    """Where the code begins that is not closed yet; the length of the text if there is none."""
    runs = list(_RUN.finditer(content))
    last = {run[0]: index for index, run in enumerate(runs)}
    at = 0
    while at < len(runs):
        if last[runs[at][0]] == at:
            return runs[at].start()
        at = next(index for index in range(at + 1, len(runs)) if runs[index][0] == runs[at][0]) + 1
    return len(content)


def open_formula(text: str, at: int) -> str | None:
    """What stands there, if it will be a formula when its closer comes; it goes on to the end of the text."""
    found = _FORMULA.fullmatch(text, at) if len(text) - at <= _LONGEST else None
    if found is None:
        return None
    content = found["dollar"]
    if content is None:
        return completed(found["sure"])
    before = text[at - 1 : at]
    money = content[0].isdigit() and "\\" not in content
    if money or before == "$" or (before.isascii() and before.isalnum()):
        return None
    if not _LIKELY.search(content) or any(is_wide(char) for char in content):
        return None
    return completed(content)
