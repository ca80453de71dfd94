"""Unknown settings: variables that look like ours and are not, with the name that was probably meant."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection
from pathlib import Path

from dotenv import dotenv_values

from bot.types import Text

__all__ = ["unknown_variables"]

_ALIKE = 0.84  # of difflib's ratio: WEBB and WEB, CHAT_APIKEY and CHAT_API_KEY; not HTTP_PROXY and HTTP_PORT


def unknown_variables(known: Collection[str], file: Path = Path(".env")) -> list[Text]:
    """A sentence for each variable of the environment or `.env` that has no effect and was meant to have one.

    The environment is everybody's, so there it must be all but one of ours; `.env` is ours, so there it is enough to
    begin like one.
    """
    heads = {f"{name.partition('_')[0]}_" for name in known if "_" in name}
    written = {name.upper() for name in dotenv_values(file)} if file.is_file() else set()
    found = []
    for name in sorted(written | {name.upper() for name in os.environ}):
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1, _ALIKE)
        if near:
            data = {"name": name, "nearest": near[0]}
            found.append(Text("{name} is no setting of Magpie, so it has no effect. Did you mean {nearest}?", data))
        elif name in written and any(name.startswith(head) for head in heads):
            found.append(Text("{name} is no setting of Magpie, so it has no effect.", {"name": name}))
    return found
