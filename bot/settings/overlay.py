"""What holds in a chat: rows of settings, from the widest scope to the narrowest, laid over the defaults.

A row's value of None is no value: the wider scope shows through. Only the translation also knows False: off here,
whatever a wider scope says. A row that can't be read (an unknown name, a value of another shape) is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.gateways.parameters import PARAMETERS
from bot.types import ChatSettings, Json, SettingRow, Translation

__all__ = ["DEFAULT", "effective", "to_json"]

DEFAULT = "default"  # the origin of what no row says


def effective(defaults: ChatSettings, rows: Sequence[SettingRow]) -> ChatSettings:
    """`rows` come widest scope first. `origins` names each setting that has a value, and the scope it is from."""
    model, system, translation, language = defaults.model, defaults.system, defaults.translation, defaults.language
    reasoning = defaults.reasoning
    parameters = dict(defaults.parameters)
    names = ["model", *parameters, *(["system"] if system else ()), *(["translate"] if translation else ())]
    origins = dict.fromkeys(names, DEFAULT)
    for row in rows:
        match row.name, row.value:
            case _, None:
                continue
            case "model", str(value) if value:
                model = value
            case "system", str(value):
                system = value
            case "language", str(value):
                language = value
            case "reasoning", "off" | "brief" | "full":
                reasoning = str(row.value)
            case "translate", False:
                translation = None
            case "translate", {"target": str(target), **rest} if target:
                source = rest.get("source")
                source = source if isinstance(source, str) and source else None
                translation = Translation(target, source, both=bool(source) and rest.get("both") is True)
            case name, value if name in PARAMETERS:
                parameters[name] = value
            case _:
                continue
        origins[row.name] = row.scope
    return replace(
        defaults,
        model=model,
        system=system,
        parameters=parameters,
        translation=translation,
        language=language,
        reasoning=reasoning,
        origins=origins,
    )


def to_json(translation: Translation) -> dict[str, Json]:
    """A translation as it stands in a settings row."""
    row: dict[str, Json] = {"target": translation.target, "source": translation.source}
    return {**row, "both": True} if translation.both else row
