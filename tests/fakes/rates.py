"""How many calls a server takes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Bucket", "Window"]


@dataclass
class Bucket:
    """Fills up again as time goes by."""

    rate: float  # per second
    burst: float
    level: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.burst

    def wait(self, now: float) -> float:
        """Seconds until one more is taken, 0 if it is now."""
        self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (1 - self.level) / self.rate)

    def take(self) -> None:
        self.level -= 1


@dataclass
class Window:
    """So many in any stretch of `seconds`."""

    most: int
    seconds: float
    taken: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        return self.taken[0] + self.seconds - now if len(self.taken) >= self.most else 0.0

    def take(self, now: float) -> None:
        self.taken.append(now)
