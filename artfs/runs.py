"""Pipelines and runs: what they are called, which one is meant, and where the logs of their steps are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.errors import InvalidValue, PipelineNotFound, RunNotFound
from artfs.text.nearest import did_you_mean

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.runs import PipelineRow, Run

LATEST = "latest"
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


def find_pipeline(catalog: Catalog, name: str) -> PipelineRow:
    """Return the pipeline of that name, or raise PipelineNotFound."""
    found = catalog.runs.pipeline(name)
    if found is None:
        meant = did_you_mean(name, (pipeline.name for pipeline in catalog.runs.pipelines()))
        raise PipelineNotFound(f"no pipeline is named '{name}'{meant}; 'artfs run list' lists their runs", subject=name)
    return found


def find_run(catalog: Catalog, wanted: str) -> Run:
    """Return the run that a text means.

    It is an id, `pipeline/run`, `pipeline/latest`, a run's name, a pipeline's name for its newest run, or the beginning
    of an id (at least 4 digits); the first of these that there is.

    Raises:
        RunNotFound: there is none.
        InvalidValue: several runs are meant.
    """
    found = (
        catalog.runs.by_uuid(wanted)
        or _in_pipeline(catalog, wanted)
        or _by_name(catalog, wanted)
        or _newest(catalog, wanted)
        or _by_prefix(catalog, wanted)
    )
    if found is None:
        meant = did_you_mean(wanted, _ways_to_say(catalog, wanted))
        raise RunNotFound(
            f"no run is named '{wanted}'{meant}; 'artfs run list' lists them as PIPELINE and RUN", subject=wanted
        )
    return found


def _in_pipeline(catalog: Catalog, wanted: str) -> Run | None:
    """The run of `pipeline/run`, `pipeline/` or `pipeline/latest`: pipeline and run may have a slash in their names."""
    parts = wanted.split("/")
    for at in range(1, len(parts)):
        pipeline, name = "/".join(parts[:at]), "/".join(parts[at:])
        found = catalog.runs.get(pipeline, name)
        if found is None and name in ("", LATEST):
            found = _newest(catalog, pipeline)
        if found is not None:
            return found
    return None


def _newest(catalog: Catalog, pipeline: str) -> Run | None:
    row = catalog.runs.pipeline(pipeline)
    return catalog.runs.latest(row.id) if row is not None else None


def _ways_to_say(catalog: Catalog, wanted: str) -> Iterator[str]:
    pipelines = catalog.runs.pipelines()
    yield from (pipeline.name for pipeline in pipelines)
    for pipeline in pipelines:
        if wanted.startswith(f"{pipeline.name}/"):
            yield from (f"{pipeline.name}/{name}" for name, _ in catalog.runs.names(pipeline.id))


def _by_prefix(catalog: Catalog, prefix: str) -> Run | None:
    if len(prefix) < 4 or not all(character in "0123456789abcdef-" for character in prefix.lower()):
        return None
    found = catalog.runs.by_uuid_prefix(prefix)
    if len(found) > 1:
        raise InvalidValue(f"several runs have an id that begins with '{prefix}'; give more of it", subject=prefix)
    return found[0] if found else None


def _by_name(catalog: Catalog, name: str) -> Run | None:
    found = catalog.runs.list(where={"name": ("equals", name)}, size=2)
    if len(found) > 1:
        raise InvalidValue(f"several pipelines have a run '{name}'; give it as pipeline/run", subject=name)
    return found[0] if found else None
