"""Runs and their steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from artfs.describe.plain import plain
from artfs.lineage.labels import step_label
from artfs.text.times import iso, iso_or_none

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.lineage import StepFacts, Use, VersionFacts
    from artfs.catalog.runs import Run
    from artfs.catalog.steps import StepRun


def runs(catalog: Catalog, rows: Sequence[Run]) -> list[dict[str, Any]]:
    """Describe runs as lists do."""
    users = {user.id: user.name for user in catalog.users.list()}
    tags = catalog.tags.of_runs([row.id for row in rows])
    return [
        {
            "pipeline": row.pipeline,
            "run": row.name,
            "id": row.uuid,
            "status": row.status,
            "kind": row.kind,
            "started": iso(row.started_us),
            "ended": iso_or_none(row.ended_us),
            "seconds": _seconds(row.started_us, row.ended_us),
            "user": users.get(row.user_id) if row.user_id is not None else None,
            "tags": list(tags.get(row.id, ())),
        }
        for row in rows
    ]


def run(catalog: Catalog, row: Run) -> dict[str, Any]:
    """Describe one run with all that is known of it and the status of each of its steps."""
    return {
        **runs(catalog, [row])[0],
        "host": row.host,
        "pid": row.pid,
        "error": row.error,
        "config": row.config,
        "metadata": plain(catalog.run_metadata.get(row.id)),
        "steps": {step.name: step.status for step in catalog.lineage.steps_of_run(row.id)},
    }


def step_node(step: StepFacts) -> dict[str, Any]:
    """Describe a step run by what its row and that of its run say, as graphs do."""
    return {
        "id": step.uuid,
        "label": step_label(step),
        "pipeline": step.pipeline,
        "run": step.run,
        "run_id": step.run_uuid,
        "kind": step.run_kind,
        "name": step.name,
        "step": step.name,
        "status": step.status,
        "started": iso(step.started_us),
        "ended": iso_or_none(step.ended_us),
        "seconds": _seconds(step.started_us, step.ended_us),
    }


def step(row: StepRun, facts: StepFacts, cached_from: StepFacts | None) -> dict[str, Any]:
    """Describe one step run, but for what it read and gave out; see `slots`.

    Args:
        row: of the step run.
        facts: of the same.
        cached_from: the step run whose outputs it took over, if it did.
    """
    return {
        **step_node(facts),
        "attempt": row.attempt,
        "error": row.error,
        "cache_key": row.cache_key.hex() if row.cache_key is not None else None,
        "cached_from": step_label(cached_from) if cached_from is not None else None,
    }


def slots(uses: Iterable[tuple[Use, VersionFacts]]) -> list[dict[str, Any]]:
    """Describe what a step run read or gave out, slot by slot."""
    return [
        {
            "slot": use.slot,
            "position": use.position,
            "artifact": version.artifact,
            "version": version.name,
            "how": use.how,
        }
        for use, version in uses
    ]


def _seconds(started_us: int, ended_us: int | None) -> float | None:
    return (ended_us - started_us) / 1_000_000 if ended_us is not None else None
