"""What is measured: so many people ask at the same moment, and each answer comes at a steady rate"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """`private` chats with a question each, or `groups` with `each` questions, every one of another person."""

    name: str
    private: int = 0
    groups: int = 0
    each: int = 0
    rate: float = 50.0  # tokens a second
    limits: bool = True
    tokens: int = 300

    @property
    def replies(self) -> int:
        return self.private or self.groups * self.each

    @property
    def spoken(self) -> float:
        """Seconds from an answer's first token to its last."""
        return (self.tokens - 1) / self.rate

    @property
    def patience(self) -> float:
        """Seconds after which a run is given up."""
        return 40.0 + 4 * self.spoken * max(1, self.each) + self.replies / 8

    def __str__(self) -> str:
        who = f"{self.private} private chats" if self.private else f"{self.groups} groups, {self.each} questions each"
        return f"{who}, {self.tokens} tokens at {self.rate:.0f}/s{'' if self.limits else ', without limits'}"


ROWS = {
    row.name: row
    for row in (
        Row("1", private=1),
        Row("50", private=50),
        Row("200", private=200),
        Row("groups", groups=5, each=4),
        Row("1000", private=1000, rate=10.0, limits=False),
    )
}
