"""`version.lineage`: what a version came from and went into, from Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from artfs.describe.graph import graph as describe
from artfs.lineage.graph import Graph, version_graph
from artfs.lineage.labels import step_label

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.versions import Version
    from artfs.objects.objects import Objects
    from artfs.objects.run import PipelineRunResponse, StepRunResponse
    from artfs.objects.version import ArtifactVersionResponse


class VersionLineage:
    """The lineage of a version, asked for again each time.

    Example:
        >>> lineage = Client().get_artifact_version("model").lineage
        >>> lineage.run.name, lineage.producer.name, [each.name for each in lineage.upstream()]
        ('training-2026_01_31', 'train', ['iris_train'])
    """

    def __init__(self, objects: Objects, version: Version) -> None:
        self._objects = objects
        self._version = version

    @property
    def producer(self) -> StepRunResponse | None:
        """The step run that made it; None if no step did."""
        return next(iter(self._steps(self._producer_ids())), None)

    @property
    def run(self) -> PipelineRunResponse | None:
        """The run that it was made in; None if no step made it."""
        producer = self.producer
        row = self._catalog.runs.by_id(producer.row.run_id) if producer is not None else None
        return self._objects.run(row) if row is not None else None

    @property
    def consumers(self) -> list[StepRunResponse]:
        """The step runs that read it, in the order in which they began."""
        return self._steps(self._catalog.lineage.consumers(self._version.id))

    def upstream(self, depth: int = 1) -> list[ArtifactVersionResponse]:
        """Return the versions that it was made from, oldest first; with `depth` 2 also those that these came from.

        The version that its draft went on from is one of them.
        """
        if depth == 1:
            return self._versions(self._catalog.lineage.upstream(self._version.id))
        previous = self._catalog.lineage.previous(self._version.id)
        found = {*self.graph(upstream=depth, downstream=0).versions, *([previous] if previous is not None else [])}
        return self._versions(sorted(found - {self._version.id}))

    @property
    def previous(self) -> ArtifactVersionResponse | None:
        """The version that its draft went on from; None if it kept and read none of a version's content."""
        number = self._catalog.lineage.previous(self._version.id)
        return self._versions([number])[0] if number is not None else None

    def downstream(self, depth: int = 1) -> list[ArtifactVersionResponse]:
        """Return the versions that were made from it, oldest first; with `depth` 2 also those made from these."""
        if depth == 1:
            return self._versions(self._catalog.lineage.downstream(self._version.id))
        return self._others(self.graph(upstream=0, downstream=depth))

    def ancestors(self) -> list[ArtifactVersionResponse]:
        """Return everything that it was made from, at any depth, oldest first."""
        return self._versions(self._catalog.lineage.ancestors(self._version.id))

    def descendants(self) -> list[ArtifactVersionResponse]:
        """Return everything that was made from it, at any depth, oldest first."""
        return self._versions(self._catalog.lineage.descendants(self._version.id))

    def graph(self, *, upstream: int | None = None, downstream: int | None = None) -> Graph:
        """Return all of it as a graph, or so many generations of versions each way."""
        return version_graph(self._catalog, self._version.id, upstream=upstream, downstream=downstream)

    def to_dot(self) -> str:
        """Return the graph in the language of Graphviz."""
        from artfs.lineage.dot import to_dot

        return to_dot(self.graph())

    def to_svg(self) -> str:
        """Return the graph as a picture, SVG; of a very large one what is nearest."""
        from artfs.lineage.svg import to_svg

        return to_svg(self.graph())

    def to_json(self) -> dict[str, Any]:
        """Return the graph as plain values."""
        return describe(self.graph())

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __repr__(self) -> str:
        producer = self._catalog.lineage.steps(self._producer_ids())
        made = f"made by {step_label(producer[0])}" if producer else "made by no step"
        facts = f"{len(self.upstream())} upstream, {len(self.downstream())} downstream"
        return f"<lineage of {self._version.artifact}/{self._version.name}: {made}, {facts}>"

    @property
    def _catalog(self) -> Catalog:
        return self._objects.catalog

    def _producer_ids(self) -> list[int]:
        number = self._catalog.lineage.producer(self._version.id)
        return [number] if number is not None else []

    def _steps(self, ids: Iterable[int]) -> list[StepRunResponse]:
        rows = [self._catalog.steps.by_id(id_) for id_ in ids]
        return [self._objects.step(row) for row in rows if row is not None]

    def _others(self, graph: Graph) -> list[ArtifactVersionResponse]:
        return self._versions(id_ for id_ in graph.versions if id_ != self._version.id)

    def _versions(self, ids: Iterable[int]) -> list[ArtifactVersionResponse]:
        rows = self._catalog.versions.by_ids(list(ids))
        return [self._objects.version(row) for row in rows]
