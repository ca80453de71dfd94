"""The house stays as it is drawn: who imports whom, which words stand where, what exists, and how large it is."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from importlinter.cli import lint_imports
from packaging.utils import canonicalize_name

from tests.project import PACKAGES, ROOT, closure, files, modules, requirements

MODULES = [path.as_posix() for path in modules()]
BUILDERS = ("bot/app.py", "bot/__main__.py")  # the only modules that name adapters and stores
STANDARD_LIBRARY_ONLY = ("bot/types.py", "bot/errors.py", "bot/markdown/tree.py")

# What is longer than it should be, and why it stays so. A line that isn't needed any more fails the test too.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_FILES = {
    "bot/types.py": "the whole vocabulary on one page, data and ports without behaviour",
}
