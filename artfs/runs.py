"""Runs: what they are called, which one is meant, and where the logs of their steps are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.errors import InvalidValue, RunNotFound

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.runs import Run

RUN_VARIABLE = "ARTFS_RUN"
"""Names, to the daemons, the run that a process belongs to; `artfs exec` sets it."""


def title(command: Sequence[str]) -> str:
    """What to call a run that nobody has named: the script, or the program.

    >>> title(["/usr/bin/python3", "-u", "/home/me/train.py", "--epochs=3"])
    'train.py'
    """
    if "-c" in command[1:2]:
        command = command[:1]  # what follows is a program itself, and no name
    words = [os.path.basename(word) for word in command if word and not word.startswith("-")]
    if not words:
        return "unknown"
    is_interpreter = words[0].startswith(("python", "bash", "sh", "perl", "Rscript", "node", "julia"))
    return words[1] if is_interpreter and len(words) > 1 else words[0]


def log_file(home: Path, path: str | None) -> Path | None:
    """Return the path of a log, if it lies in the home: a catalog must not make anybody read other files."""
    if path is None:
        return None
    whole = Path(os.path.normpath(home / path))
    return whole if whole.is_relative_to(home) else None


def find_run(catalog: Catalog, wanted: str) -> Run:
    """Return the run with this id, beginning of an id, `pipeline/run` or name; `pipeline/latest` is its newest.

    Raises:
        RunNotFound: there is none.
        InvalidValue: several runs are meant.
    """
    runs = catalog.runs
    pipeline, slash, name = wanted.partition("/")
    if slash:
        row = runs.pipeline(pipeline)
        found = None if row is None else runs.latest(row.id) if name == "latest" else runs.get(pipeline, name)
    else:
        found = runs.by_uuid(wanted) or _by_prefix(catalog, wanted) or _by_name(catalog, wanted)
    if found is None:
        raise RunNotFound(f"there is no run '{wanted}'; 'artfs run list' lists them", subject=wanted)
    return found


def _by_prefix(catalog: Catalog, prefix: str) -> Run | None:
    if len(prefix) < 4 or not all(character in "0123456789abcdef-" for character in prefix.lower()):
        return None
    found = catalog.runs.by_uuid_prefix(prefix)
    if len(found) > 1:
        raise InvalidValue(f"several runs have an id that begins with '{prefix}'; give more of it", subject=prefix)
    return found[0] if found else None


def _by_name(catalog: Catalog, name: str) -> Run | None:
    found = catalog.runs.list(where={"name": name}, size=2)
    if len(found) > 1:
        raise InvalidValue(f"several pipelines have a run '{name}'; give it as pipeline/run", subject=name)
    return found[0] if found else None
