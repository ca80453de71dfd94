"""A chat API at the seam `ChatModel`: it says what a script tells it, at a pace."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace

from bot.errors import MagpieError
from bot.gateways.catalogue import Catalogue
from bot.types import Clock, Delta, Finish, ModelInfo, ModelRequest, Usage


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: `chunks` of text, `pause` seconds before each; then `error`, or an end as `finish` says."""

    chunks: Sequence[str] = ()
    pause: float = 0.0
    error: MagpieError | None = None
    finish: Finish | None = Finish.WHOLE
    usage: Usage | None = None
    reasoning: str = ""
    served: str = ""
    blind: bool = False  # from now on it is known that the asked model can't see


def words(text: str, pause: float = 0.05) -> Script:
    """An answer word by word."""
    parts = text.split(" ")
    return Script([part + " " for part in parts[:-1]] + [parts[-1]], pause)


@dataclass(slots=True)
class FakeModel:
    """Plays its scripts one after the other, the last one again and again."""

    clock: Clock
    scripts: list[Script] = field(default_factory=lambda: [words("Hello there, this is an answer.")])
    asked: list[ModelRequest] = field(default_factory=list)
    closed: int = 0
    infos: dict[str, ModelInfo] = field(default_factory=dict)
    gateway: str = "fake"
    _catalogue: Catalogue = field(default_factory=Catalogue)

    def info(self, model: str) -> ModelInfo:
        return self.infos.get(model) or self._catalogue.info(model)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        script = self.scripts[min(len(self.asked), len(self.scripts) - 1)]
        self.asked.append(request)
        if script.blind:
            self.infos[request.model] = replace(self.info(request.model), image=False)
        try:
            yield Delta(model=script.served or request.model, id=f"answer-{len(self.asked)}")
            if script.reasoning:
                yield Delta(reasoning=script.reasoning)
            for chunk in script.chunks:
                if script.pause:
                    await self.clock.sleep(script.pause)
                yield Delta(text=chunk)
            if script.error is not None:
                raise script.error
            yield Delta(finish=script.finish, usage=script.usage)
        finally:
            self.closed += 1
