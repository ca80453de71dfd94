"""Syntax highlighting: code in colours: the text of a block as HTML, each kind of word in a span of one of a few
classes"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Error,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    Token,
)
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

__all__ = ["coloured"]

_MOST = 30_000  # characters; more than that stays plain, a frame may not cost more
_PLAIN = frozenset({"", "text", "txt", "plain", "plaintext", "none", "output"})
_CLASSES = {
    Comment: "c",
    Comment.Preproc: "k",
    Keyword: "k",
    Keyword.Constant: "n",
    Keyword.Type: "t",
    Name.Tag: "k",
    Name.Function: "f",
    Name.Class: "t",
    Name.Builtin: "t",
    Name.Decorator: "f",
    Name.Attribute: "t",
    Name.Exception: "t",
    Number: "n",
    String: "s",
    Operator.Word: "k",
    Generic.Deleted: "d",
    Generic.Inserted: "i",
    Generic.Heading: "k",
    Generic.Subheading: "k",
    Error: "",
}


@lru_cache(maxsize=256)
def coloured(text: str, language: str) -> str:
    """The text, escaped, with colours if the language is known. Its words stay what they are."""
    lexer = _lexer(language.lower())
    if lexer is None or len(text) > _MOST:
        return escape(text)
    runs: list[tuple[str, list[str]]] = []
    at = 0
    for start, kind, value in lexer.get_tokens_unprocessed(text):
        if start != at:  # a lexer that leaves out or doubles something may not have its way
            return escape(text)
        at += len(value)
        name = _class(kind)
        if runs and runs[-1][0] == name:
            runs[-1][1].append(value)
        else:
            runs.append((name, [value]))
    return "".join(_span(name, "".join(values)) for name, values in runs) if at == len(text) else escape(text)


def _span(name: str, text: str) -> str:
    return f'<span class="{name}">{escape(text)}</span>' if name else escape(text)


@lru_cache(maxsize=128)
def _lexer(language: str) -> Any:
    if language in _PLAIN:
        return None
    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _class(kind: Any) -> str:
    while kind is not None and kind is not Token:
        if kind in _CLASSES:
            return _CLASSES[kind]
        kind = kind.parent
    return ""
