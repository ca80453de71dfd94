"""/reasoning: how much of a model's reasoning is shown above its answer."""

from __future__ import annotations

from bot.commands.base import Invocation
from bot.commands.writing.wording import code
from bot.errors import InvalidRequest
from bot.types import Choice, Menu, Reply, Text

__all__ = ["reasoning"]

_NAMES = {
    "off": ("off", "none", "hide", "关", "关闭"),
    "brief": ("brief", "short", "简短", "简要"),
    "full": ("full", "all", "on", "完整", "全部"),
}
_LABELS = {"off": Text("off"), "brief": Text("its beginning"), "full": Text("as much as fits")}


async def reasoning(call: Invocation) -> Reply:
    asked = call.words.lower()
    if not asked:
        now = call.settings.reasoning or "off"
        row = tuple(
            Choice(call.label(label), f"/reasoning {call.prefix}{name}", chosen=name == now)
            for name, label in _LABELS.items()
        )
        said = call.say("Models that reason first can show that above their answer, folded. It is not part of history.")
        return call.reply(said, menu=Menu((row,)))
    for name, words in _NAMES.items():
        if asked in words:
            done = call.say("Reasoning shown in {place}: {value}.", place=call.place, value=call.say(_LABELS[name]))
            return call.reply(done, call.shadowed("reasoning"), sets=[call.set("reasoning", name)])
    raise InvalidRequest(
        "Reasoning can be off, brief or full, got {got}. Example: {example}",
        got=call.words[:40],
        example=code("/reasoning brief"),
    )
