"""A graph as plain values for JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from artfs.content.digest import format_digest
from artfs.lineage.labels import step_label, version_label

if TYPE_CHECKING:
    from artfs.catalog.lineage import StepFacts, VersionFacts
    from artfs.lineage.graph import Graph, Key


def to_values(graph: Graph) -> dict[str, Any]:
    """Return a graph as `{"focus", "versions", "steps", "links", "complete"}`.

    Nodes have an `id` (a UUID, the same on every machine); links go from `source` to `target` by these ids.
    """
    return {
        "focus": _id(graph, graph.focus) if graph.focus else None,
        "versions": [_version(version) for version in graph.versions.values()],
        "steps": [_step(step) for step in graph.steps.values()],
        "links": [
            {
                "source": _id(graph, link.source),
                "target": _id(graph, link.target),
                "slot": link.use.slot,
                "position": link.use.position,
                "how": link.use.how,
            }
            for link in graph.links
        ],
        "complete": not graph.is_cut and not graph.hidden,
    }


def _id(graph: Graph, key: Key) -> str:
    return graph.versions[key.id].uuid if key.kind == "version" else graph.steps[key.id].uuid


def _version(version: VersionFacts) -> dict[str, Any]:
    return {
        "id": version.uuid,
        "label": version_label(version),
        "artifact": version.artifact,
        "version": version.name,
        "state": version.state,
        "type": version.type,
        "files": version.files,
        "bytes": version.bytes,
        "digest": format_digest(version.digest),
        "created": _iso(version.created_us),
    }


def _step(step: StepFacts) -> dict[str, Any]:
    return {
        "id": step.uuid,
        "label": step_label(step),
        "pipeline": step.pipeline,
        "run": step.run,
        "run_id": step.run_uuid,
        "kind": step.run_kind,
        "name": step.name,
        "status": step.status,
        "started": _iso(step.started_us),
        "ended": _iso(step.ended_us) if step.ended_us is not None else None,
    }


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).isoformat(timespec="microseconds")
