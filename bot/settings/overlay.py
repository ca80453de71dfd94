"""Settings overlay: what holds in a chat: rows of settings, from the widest scope to the narrowest, laid over the
defaults.

A row's value of None is no value: the wider scope shows through. Only the translation also knows False: off here,
whatever a wider scope says. A row that can't be read (an unknown name, a value of another shape) is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.errors import InvalidRequest
from bot.gateways.parameters import PARAMETERS, resolve
from bot.languages.names import resolve as language
from bot.types import ChatSettings, Json, ModelInfo, SettingRow, Translation

__all__ = ["DEFAULT", "LONGEST_SYSTEM", "TURN", "checked", "effective", "of_turn", "to_json"]

DEFAULT = "default"  # the origin of what no row says
TURN = "turn"  # the origin of what holds for one turn
LONGEST_SYSTEM = 8_000  # characters of a system prompt: more would leave the smaller models no room for a conversation

_OTHERS = ("model", "system", "translate", "language", "reasoning")  # than the chat API's parameters


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


def of_turn(values: Mapping[str, Json]) -> list[SettingRow]:
    """Settings of one turn, as rows of the narrowest scope."""
    return [SettingRow(TURN, name, value, "", 0) for name, value in values.items()]


def checked(values: Mapping[str, Json]) -> dict[str, Json]:
    """Settings for one turn. InvalidRequest for what /set would not take either: what is passed over in a row that is
    old must not be passed over in what somebody asks for just now."""
    held = effective(ChatSettings(""), of_turn(values))
    taken = dict(values)
    for name, value in values.items():
        if name in PARAMETERS:
            taken[name] = PARAMETERS[name].check(value, ModelInfo(""))
        elif held.origins.get(name) != TURN:
            raise InvalidRequest("{name} can't be {value}", name=_known(name), value=str(value)[:40])
    if held.translation is not None:
        taken["translate"] = to_json(_named(held.translation))
    if len(held.system) > LONGEST_SYSTEM:
        raise InvalidRequest(
            "A system prompt has at most {limit} characters, got {got}", limit=LONGEST_SYSTEM, got=len(held.system)
        )
    return taken


def _known(name: str) -> str:
    """InvalidRequest if there is no setting of that name."""
    return name if name in _OTHERS else resolve(name).name


def _named(translation: Translation) -> Translation:
    """With languages that are known, by their English names. InvalidRequest."""
    source = language(translation.source) if translation.source else None
    return replace(translation, target=language(translation.target), source=source)


def to_json(translation: Translation) -> dict[str, Json]:
    """A translation as it stands in a settings row."""
    row: dict[str, Json] = {"target": translation.target, "source": translation.source}
    return {**row, "both": True} if translation.both else row
