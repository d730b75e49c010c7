"""Graphs of versions and step runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artfs.describe import runs, versions

if TYPE_CHECKING:
    from artfs.lineage.graph import Graph, Key


def graph(found: Graph) -> dict[str, Any]:
    """Describe a graph as `{"focus", "versions", "steps", "links", "complete"}`.

    Nodes have an `id` (a UUID, the same on every machine); links go from `source` to `target` by these ids.
    """
    return {
        "focus": _id(found, found.focus) if found.focus else None,
        "versions": [versions.node(version) for version in found.versions.values()],
        "steps": [runs.step_node(step) for step in found.steps.values()],
        "links": [
            {
                "source": _id(found, link.source),
                "target": _id(found, link.target),
                "slot": link.use.slot,
                "position": link.use.position,
                "how": link.use.how,
            }
            for link in found.links
        ],
        "complete": not found.is_cut and not found.hidden,
    }


def _id(found: Graph, key: Key) -> str:
    return found.versions[key.id].uuid if key.kind == "version" else found.steps[key.id].uuid
