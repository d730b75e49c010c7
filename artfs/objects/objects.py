"""Makes what users hold of the catalog's rows.

A version leads to the step that made it, a step to the versions that it read, and so on in circles. Only this module
knows all these classes; each of them asks it for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from artfs.classes import importing_only
from artfs.describe.runs import runs
from artfs.describe.versions import artifacts, versions
from artfs.materializers.json.parameters import from_forms
from artfs.objects.artifact import ArtifactResponse
from artfs.objects.late import LateArtifactVersion
from artfs.objects.lineage import VersionLineage
from artfs.objects.model import ModelResponse, ModelVersionResponse
from artfs.objects.pagination import PAGE_SIZE, Page
from artfs.objects.pipeline import PipelineResponse
from artfs.objects.run import PipelineRunResponse, StepRunResponse
from artfs.objects.version import ArtifactVersionResponse
from artfs.runs import find_pipeline, find_run
from artfs.scopes import step_scope

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.filters import Where
    from artfs.catalog.models import Model, ModelVersion
    from artfs.catalog.runs import PipelineRow, Run
    from artfs.catalog.steps import StepRun
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

_SHOWN = ("artifact", "version", "type", "bytes", "tags", "created", "id")
"""What a notebook shows of each version of a page."""


class Objects:
    """Makes the objects of a workspace.

    Args:
        workspace: where they are.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @property
    def catalog(self) -> Catalog:
        """What exists."""
        return self.workspace.catalog

    def artifact(self, row: Artifact) -> ArtifactResponse:
        """Return the artifact of a row."""
        return ArtifactResponse(self, row)

    def version(self, row: Version) -> ArtifactVersionResponse:
        """Return the version of a row."""
        return ArtifactVersionResponse(self, row)

    def late_version(self, asked_for: str, find: Callable[[], Version]) -> ArtifactVersionResponse:
        """Return a version of the artifact `asked_for` that is looked up when something of it is needed."""
        return LateArtifactVersion(self, asked_for, find)

    def lineage(self, row: Version) -> VersionLineage:
        """Return the lineage of the version of a row."""
        return VersionLineage(self, row)

    def step(self, row: StepRun) -> StepRunResponse:
        """Return the step run of a row."""
        return StepRunResponse(self, row)

    def parameters(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters, from what was recorded of them; raises as `StepRunResponse.parameters`."""
        with importing_only(self.workspace.classes.allows):
            return from_forms(recorded)

    def run(self, row: Run) -> PipelineRunResponse:
        """Return the run of a row."""
        return PipelineRunResponse(self, row)

    def find_run(self, name_or_id: str | UUID) -> PipelineRunResponse:
        """Return the run that a name or id means; see `artfs.runs.find_run`."""
        return self.run(find_run(self.catalog, str(name_or_id)))

    def version_page(
        self,
        artifact_id: int | None = None,
        where: Where | None = None,
        *,
        any_of: bool = False,
        sort: str | None = None,
        page: int = 1,
        size: int = PAGE_SIZE,
    ) -> Page[ArtifactVersionResponse]:
        """Return a page of versions; the arguments are those of `catalog.versions.list`."""
        rows = self.catalog.versions

        def fetch(index: int) -> list[ArtifactVersionResponse]:
            found = rows.list(artifact_id, where, any_of=any_of, sort=sort, page=index, size=size)
            if (scope := step_scope.get()) is not None:
                asked = {"where": where, "any_of": any_of, "sort": sort, "page": index, "size": size}
                scope.listed({"artifact_id": artifact_id, **asked}, found)
            return [self.version(row) for row in found]

        def describe(items: Sequence[ArtifactVersionResponse]) -> list[dict[str, object]]:
            described = versions(self.catalog, [item.row for item in items])
            return [{key: each[key] for key in _SHOWN} for each in described]

        return Page(fetch, page, size, lambda: rows.count(artifact_id, where, any_of=any_of), describe)

    def artifact_page(
        self, where: Where, *, any_of: bool, sort: str | None, page: int, size: int
    ) -> Page[ArtifactResponse]:
        """Return a page of artifacts; the arguments are those of `catalog.artifacts.list`."""
        rows = self.catalog.artifacts

        def fetch(index: int) -> list[ArtifactResponse]:
            return [self.artifact(row) for row in rows.list(where, any_of=any_of, sort=sort, page=index, size=size)]

        def describe(items: Sequence[ArtifactResponse]) -> list[dict[str, object]]:
            return artifacts(self.catalog, [item.row for item in items])

        return Page(fetch, page, size, lambda: rows.count(where, any_of=any_of), describe)

    def model(self, row: Model) -> ModelResponse:
        """Return the model of a row."""
        return ModelResponse(self, row)

    def model_version(self, row: ModelVersion) -> ModelVersionResponse:
        """Return the version of a model of a row."""
        return ModelVersionResponse(self, row)

    def pipeline(self, row: PipelineRow) -> PipelineResponse:
        """Return the pipeline of a row."""
        return PipelineResponse(self, row)

    def find_pipeline(self, name: str) -> PipelineResponse:
        """Return the pipeline of that name; see `artfs.runs.find_pipeline`."""
        return self.pipeline(find_pipeline(self.catalog, name))

    def run_page(
        self,
        where: Where,
        *,
        pipeline_id: int | None = None,
        any_of: bool = False,
        sort: str | None = None,
        page: int = 1,
        size: int = PAGE_SIZE,
    ) -> Page[PipelineRunResponse]:
        """Return a page of runs; the arguments are those of `catalog.runs.list`."""
        rows, scope = self.catalog.runs, pipeline_id

        def fetch(index: int) -> list[PipelineRunResponse]:
            return [self.run(row) for row in rows.list(scope, where, any_of=any_of, sort=sort, page=index, size=size)]

        def describe(items: Sequence[PipelineRunResponse]) -> list[dict[str, object]]:
            return runs(self.catalog, [item.row for item in items])

        return Page(fetch, page, size, lambda: rows.count(scope, where, any_of=any_of), describe)
