"""File modes: what Magpie keeps is for nobody else on the machine."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["keep_private", "readable_by_others", "tighten"]

log = logging.getLogger(__name__)

_OTHERS = 0o077
# What we make in DATA_DIR; anything else there is somebody else's to look after.
_FOLDERS = ("files", "media", "unread")
_BESIDE = {"magpie.toml", ".env", "lost+found", "demo", ".room"}
_FILES = ("*.db", "*.db-wal", "*.db-shm", "*.db-owner-*", "lock", "web.*", "*.json")


def keep_private() -> None:
    """From now on this process makes files for its own user only."""
    os.umask(_OTHERS)


def tighten(data: Path) -> None:
    """Take others' rights away from what an older version has left with them."""
    for path in _ours(data):
        try:
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode & _OTHERS and not path.is_symlink():
                path.chmod(mode & ~_OTHERS)
        except OSError as error:
            log.warning("the mode of %s can't be changed: %s", path, error.strerror)


def readable_by_others(path: Path) -> bool:
    """Whether anybody but its owner may look into a file or directory; False if it isn't there."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)
    except OSError:
        return False


def _ours(data: Path) -> Iterator[Path]:
    files = [path for pattern in _FILES for path in data.glob(pattern) if path.is_file()]
    folders = [data / name for name in _FOLDERS if (data / name).is_dir()]
    known = {path.name for path in [*files, *folders]} | _BESIDE
    if data.is_dir() and {path.name for path in data.iterdir()} <= known:
        yield data  # it is all ours
    yield from files
    for folder in folders:
        yield folder
        yield from folder.rglob("*")
