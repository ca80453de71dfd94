"""Model catalogue: what is known of each model: name, price, sizes, abilities.

Knowledge comes in layers, the later ones win: a family's pattern, the base id behind an alias or dated snapshot, the
id's own rows, the operator's overrides. What no layer says stays None: not known, never zero and never a guess.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from bot.errors import SettingError
from bot.types import Json, ModelInfo, Price

__all__ = ["Catalogue", "able", "base_ids"]

_FLAGS = {
    "image": "image",
    "video_frames": "frames",
    "video_native": "video",
    "search": "search",
    "reasoning": "reasoning",
    "thinking": "thinking",
}
_CUMULATIVE = {"qwen-mt-plus", "qwen-mt-turbo"}
_STREAM_ONLY = ("qwq-", "qvq-")
_SNAPSHOT = re.compile(r"-(latest|20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))$")
_DATE = re.compile(r"-(20\d\d)-?([01]\d)-?([0-3]\d)$")

_LEAST, _MOST = Decimal("1e-9"), Decimal("1e9")  # of an amount that is a price in any currency; the store has 9 digits

_REMEMBERED = 10_000  # models

_TEXTS = ("name", "family", "date")
_SIZES = ("context", "max_output")
_PRICE = ("currency", "flat", "input", "output", "cached", "per")
_ABILITIES = (
    "image",
    "frames",
    "video",
    "search",
    "reasoning",
    "thinking",
    "translation",
    "stream_only",
    "cumulative",
    "recent",
)


class Catalogue:
    """`overrides`: model id or glob pattern -> what to change ("price", "image", "context", ...; see `_override`).

    A price is a number (yuan per 1,000 tokens), or a table of `currency`, `flat` or `input` with `output`, `cached`,
    `per` (tokens). `thinking`: whether the gateway has a switch for it; else no model can be switched, save by an
    override.
    Raises SettingError naming the key of a bad override.
    """

    def __init__(self, overrides: Mapping[str, Mapping[str, Json]] = {}, *, thinking: bool = True) -> None:
        self._thinking = thinking
        self._found: dict[str, ModelInfo] = {}  # a look-up takes a third of a millisecond, and a list has many
        self._overrides = {key.lower(): _override(key, table) for key, table in overrides.items()}
        self._listed = dict.fromkeys(_models())
        self._listed.update(dict.fromkeys(key.strip() for key in overrides if not _is_glob(key)))

    def info(self, id: str) -> ModelInfo:
        """What is known of a model; never fails. The `id` stays as it was asked for."""
        found = self._found.get(id)
        if found is None:
            found = self._look_up(id)
            if len(self._found) < _REMEMBERED:
                self._found[id] = found
        return found

    def _look_up(self, id: str) -> ModelInfo:
        bases = base_ids(id)
        known: dict[str, Any] = {}
        for family in _families():
            if any(fnmatchcase(base, family.pattern) for base in bases):
                known |= family.known
                break
        for base in reversed(bases):
            known |= _caps().get(base, {})
            known |= _models().get(base, {})
        known |= _only_of(bases) | _quirks(bases)
        if not self._thinking:
            known["thinking"] = False
        for changes in self._changes(bases):
            known |= changes
        return ModelInfo(id=id, listed=id in self._listed, **known)

    def all(self) -> tuple[ModelInfo, ...]:
        """The price list in its order, then what overrides and the gateway's own list add."""
        return tuple(self.info(id) for id in self._listed)

    def merge(self, ids: Iterable[str]) -> None:
        """Add the ids of a gateway's `/models`."""
        ids = list(ids)
        self._listed.update(dict.fromkeys(ids))
        for id in ids:
            self._found.pop(id, None)

    def able(self, ability: str) -> tuple[str, ...]:
        """Ids of listed models known to have an ability ("image", "frames", "video", "search", "translation")."""
        return tuple(info.id for info in self.all() if getattr(info, ability) is True)

    def _changes(self, bases: tuple[str, ...]) -> Iterable[Mapping[str, Any]]:
        """The overrides that hold, the nearest last: patterns, then the base id's table, then the id's own."""
        for pattern, changes in self._overrides.items():
            if any(fnmatchcase(base, pattern) for base in bases):
                yield changes
        for base in reversed(bases):
            yield self._overrides.get(base, {})


def base_ids(id: str) -> tuple[str, ...]:
    """The id in lower case, then what it may stand for, nearest first.

    "Qwen/Qwen-VL-Max-Latest" -> ("qwen/qwen-vl-max-latest", "qwen-vl-max-latest", "qwen-vl-max").
    """
    found = [id.strip().lower()]
    for simpler in (_without_vendor, _without_variant, _usual_spelling):
        if (name := simpler(found[-1])) and name != found[-1]:
            found.append(name)
    while (name := _SNAPSHOT.sub("", found[-1])) and name != found[-1]:
        found.append(name)
    return tuple(found)


@cache
def able(ability: str) -> tuple[str, ...]:
    """As `Catalogue.able`, of the built-in list."""
    return Catalogue().able(ability)


def _without_vendor(id: str) -> str:
    return id.rpartition("/")[2]


def _without_variant(id: str) -> str:
    return id.partition(":")[0]  # "model:free", as some resellers write


def _usual_spelling(id: str) -> str:
    return re.sub(r"^qwen-(?=(1\.5|2|2\.5|3)-)", "qwen", id)


def _only_of(bases: tuple[str, ...]) -> dict[str, Any]:
    """What an alias must not take from its base: the date, the mark of a recent update, the price of another tariff."""
    own: dict[str, Any] = {}
    if bases[0] not in _models() and bases[-1] != bases[0]:
        dated = _DATE.search(bases[0])
        own |= {"recent": False, "date": "-".join(dated.groups()) if dated else ""}
        if ":" in bases[0]:
            own["price"] = None
    return own


def _quirks(bases: tuple[str, ...]) -> dict[str, Any]:
    quirks: dict[str, Any] = {}
    if any(base in _CUMULATIVE for base in bases):
        quirks["cumulative"] = True
    if any(base.startswith(_STREAM_ONLY) for base in bases):
        quirks["stream_only"] = True
    return quirks


# ── the data files ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Family:
    pattern: str
    known: Mapping[str, Any]


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("bot.gateways") / "data" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def _models() -> dict[str, dict[str, Any]]:
    return {
        row["id"]: {
            "name": row["name"],
            "price": Price("CNY", flat=Decimal(row["price_cny_per_1k_tokens"])),
            "date": row["date"],
            "recent": row["recent"] == "true",
        }
        for row in _rows("models.csv")
    }


@cache
def _caps() -> dict[str, dict[str, Any]]:
    return {row["id"]: _abilities(row) for row in _rows("model_caps.csv")}


@cache
def _families() -> tuple[_Family, ...]:
    return tuple(_Family(row["pattern"], _abilities(row)) for row in _rows("families.csv"))


def _abilities(row: Mapping[str, str]) -> dict[str, Any]:
    """A row of abilities: "1" is yes, "0" is no, nothing is not known."""
    known: dict[str, Any] = {"family": row["family"]}
    known |= {name: int(row[name]) if row[name] else None for name in _SIZES}
    known |= {ours: row[theirs] == "1" if row[theirs] else None for theirs, ours in _FLAGS.items() if theirs in row}
    known |= {name: row[name] == "1" for name in ("translation", "stream_only")}
    return known


# ── overrides ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_glob(key: str) -> bool:
    return any(sign in key for sign in "*?[")


def _override(model: str, table: Mapping[str, Json]) -> dict[str, Any]:
    """An operator's table in our terms."""
    where = f'models."{model}"'
    if not isinstance(table, Mapping):
        raise SettingError(where, "must be a table, such as image = true")
    return {name: _changed(f"{where}.{name}", name, value) for name, value in table.items()}


def _changed(key: str, name: str, value: Json) -> object:
    if name == "price":
        return _price(key, value)
    if name in _TEXTS:
        if not isinstance(value, str):
            raise SettingError(key, "must be a text in quotes, got {got}", got=value)
    elif name in _SIZES:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SettingError(key, "must be a whole number of tokens such as 8192, got {got}", got=value)
    elif name in _ABILITIES:
        if not isinstance(value, bool):
            raise SettingError(key, "must be true or false, got {got}", got=value)
    else:
        names = ", ".join(("price", *_TEXTS, *_SIZES, *_ABILITIES))
        raise SettingError(key, "is not known; a model has {names}", names=names)
    return value


def _price(key: str, value: Json) -> Price:
    if not isinstance(value, Mapping):
        return Price("CNY", flat=_amount(key, value))
    unknown = set(value) - set(_PRICE)
    if unknown:
        raise SettingError(f"{key}.{min(unknown)}", "is not known; a price has {names}", names=", ".join(_PRICE))
    per = _amount(f"{key}.per", value.get("per", 1000))
    if not per:
        raise SettingError(f"{key}.per", "must be a number of tokens such as 1000 or 1000000, got {got}", got=per)
    currency = value.get("currency", "CNY")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise SettingError(f"{key}.currency", "must be a currency code such as CNY, got {got}", got=currency)
    amounts: dict[str, Any] = {
        name: _amount(f"{key}.{name}", value[name]) * 1000 / per
        for name in ("flat", "input", "output", "cached")
        if name in value
    }
    if ("flat" in amounts) == ("input" in amounts) or ("input" in amounts) != ("output" in amounts):
        raise SettingError(key, "needs either flat, or input and output")
    return replace(Price(currency), **amounts)


def _amount(key: str, value: object) -> Decimal:
    problem = SettingError(key, "must be a number that is not negative, such as 0.0025, got {got}", got=value)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise problem
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise problem from None
    if not amount.is_finite() or amount < 0 or (amount and not _LEAST <= amount <= _MOST):
        raise problem
    return amount
