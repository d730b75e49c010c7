"""Why a step ran, or did not have to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from artfs.enums import ExecutionStatus

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.runs import Run
    from artfs.catalog.steps import StepRun


Parts = Mapping[str, str]
"""Digests in hex, by what they are of: `code:<function>`, `parameter:<name>`, `input:<slot>`, `output:<slot>`,
`file:<path>`, `environment:<name>`. Under `WHY`, in words, what else decided."""

WHY = "why"

MOST_FILES = 10_000
"""So many of the files that a step has read are recorded."""


@dataclass(frozen=True)
class Explanation:
    """What is known of one step of a run.

    Args:
        step: its name.
        status: how it ended.
        compared_with: `pipeline/run/step` of the earlier run whose outputs it took, or that it is compared with.
        reasons: a line each; for a step that was cached there is one.
    """

    step: str
    status: str
    compared_with: str | None
    reasons: Sequence[str]


def explain_step(catalog: Catalog, run: Run, step: StepRun) -> Explanation:
    """Tells which part of a step's key changed against the newest earlier run of it, or what else made it run."""
    found = _explained(catalog, run, step)
    return replace(found, reasons=[*found.reasons, *_limits(catalog, step)])


def _explained(catalog: Catalog, run: Run, step: StepRun) -> Explanation:
    if step.status == ExecutionStatus.CACHED.value:
        source = catalog.steps.by_id(step.cached_from_id) if step.cached_from_id is not None else None
        shown = _path(catalog, source) if source is not None else None
        return Explanation(step.name, step.status, shown, ["nothing that its outputs depend on has changed"])
    why = step.cache_parts.get(WHY)
    earlier = catalog.steps.earlier(step)
    if why is not None or earlier is None:
        reasons = why.split("\n") if why else [f"it is the first run of this step in pipeline '{run.pipeline}'"]
        return Explanation(step.name, step.status, _path(catalog, earlier) if earlier else None, reasons)
    if not step.cache_parts:
        return Explanation(step.name, step.status, None, ["it did not come so far that its key was known"])
    if not differences({}, earlier.cache_parts):
        reasons = ["the earlier run had caching switched off, and can give nothing"]
    elif not (reasons := differences(earlier.cache_parts, step.cache_parts)):
        reasons = [f"nothing changed, but the earlier run has {earlier.status}"]
    return Explanation(step.name, step.status, _path(catalog, earlier), reasons)


def differences(before: Parts, now: Parts) -> list[str]:
    """What is different between two keys, a line each.

    >>> differences({"parameter:rate": "aa"}, {"parameter:rate": "bb"})
    ["parameter 'rate' changed"]
    """
    lines = []
    for name in sorted((before.keys() | now.keys()) - {WHY}):
        if before.get(name) != now.get(name):
            kind, _, what = name.partition(":")
            verb = "changed" if name in before and name in now else "is new" if name in now else "is no longer there"
            lines.append(f"{kind} '{what}' {verb}")
    return lines


def _limits(catalog: Catalog, step: StepRun) -> list[str]:
    """What is not compared in full when the outputs are to be reused, a line each."""
    uses = catalog.step_uses.of(step.id if step.cached_from_id is None else step.cached_from_id)
    files = [use for use in uses if use.kind == "file"]
    lines = [
        f"file {os.fsdecode(use.name)} counts by its size and time alone: the step has read too much to hash it all"
        for use in uses
        if use.kind in ("file", "declared") and use.size is not None and use.digest is None
    ]
    if len(files) >= MOST_FILES:
        lines.append(f"only the first {MOST_FILES:,} of the files that it has read count")
    return lines


def _path(catalog: Catalog, step: StepRun) -> str:
    run = catalog.runs.by_id(step.run_id)
    assert run is not None, "a step run is one of a run"
    return f"{run.pipeline}/{run.name}/{step.name}"
