"""Models: collections of versions under one name, as users hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from artfs.artifacts.lookup import LATEST, find_artifact, find_version, version_of
from artfs.artifacts.models import delete_model_version, link_version, set_stage, unlink_version
from artfs.describe.models import model_version, models
from artfs.enums import ModelStages
from artfs.errors import InvalidValue, ModelNotFound, VersionNotFound
from artfs.text.times import moment

if TYPE_CHECKING:
    from datetime import datetime

    from artfs.catalog import models as rows
    from artfs.catalog.versions import Version
    from artfs.objects.objects import Objects
    from artfs.objects.run import PipelineRunResponse
    from artfs.objects.version import ArtifactVersionResponse


class ModelResponse:
    """A name for collections of versions."""

    def __init__(self, objects: Objects, row: rows.Model) -> None:
        self._objects = objects
        self.row: rows.Model = row

    @property
    def name(self) -> str:
        """Its name."""
        return self.row.name

    @property
    def description(self) -> str | None:
        """What it is for."""
        return self.row.description

    @property
    def created(self) -> datetime:
        """When it was made, UTC."""
        return moment(self.row.created_us)

    @property
    def versions(self) -> list[ModelVersionResponse]:
        """Its versions, oldest first."""
        return [self._objects.model_version(row) for row in self._objects.catalog.models.versions(self.row.id)]

    @property
    def latest_version(self) -> ModelVersionResponse | None:
        """Its newest version."""
        row = self._objects.catalog.models.latest(self.row.id)
        return self._objects.model_version(row) if row is not None else None

    def summary(self) -> dict[str, Any]:
        """Return what lists say of it; see `artfs.describe`."""
        return models(self._objects.catalog, [self.row])[0]

    def __repr__(self) -> str:
        facts = self.summary()
        return f"<model {self.name}: {facts['versions']} versions, latest {facts['latest']}>"


class ModelVersionResponse:
    """A version of a model: versions of artifacts, and runs, that belong together."""

    def __init__(self, objects: Objects, row: rows.ModelVersion) -> None:
        self._objects = objects
        self.row: rows.ModelVersion = row

    @property
    def id(self) -> UUID:
        """Its id."""
        return UUID(self.row.uuid)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.row.model

    @property
    def version(self) -> str:
        """Its number as text, or the name that was chosen for it."""
        return self.row.name

    @property
    def number(self) -> int | None:
        """Its number, if its name is one."""
        return self.row.number

    @property
    def description(self) -> str | None:
        """What is special about it."""
        return self.row.description

    @property
    def created(self) -> datetime:
        """When it was made, UTC."""
        return moment(self.row.created_us)

    @property
    def stage(self) -> ModelStages:
        """Where it stands, as of now."""
        row = self._objects.catalog.models.version_by_id(self.row.id)
        if row is None:
            raise ModelNotFound(f"model {self.row.shown_name} was deleted", subject=self.version)
        return ModelStages(row.stage) if row.stage is not None else ModelStages.NONE

    def set_stage(self, stage: ModelStages | str, force: bool = False) -> None:
        """Put it into a stage: staging, production, archived or none.

        Args:
            stage: the stage. At most one version of a model is in staging, and one in production.
            force: archive the version that is in it.

        Raises:
            InvalidValue: there is no such stage, or another version is in it and `force` is not set.
        """
        set_stage(self._objects.workspace, self.row, stage, force=force)

    def link(
        self, artifact: str | ArtifactVersionResponse, version: str | int | None = None
    ) -> ArtifactVersionResponse:
        """Put a version of an artifact into it, and return that version.

        Args:
            artifact: a version; or the name of an artifact, or the id of a version.
            version: which version of the artifact: a number, a name, `latest` or `@tag`; the newest when not given.

        Raises:
            ArtifactNotFound, VersionNotFound: there is none.
        """
        found = self._version(artifact, version)
        link_version(self._objects.workspace, self.row, found)
        return self._objects.version(found)

    def unlink(self, artifact: str | ArtifactVersionResponse, version: str | int | None = None) -> None:
        """Take a version of an artifact out of it. Raises InvalidValue if it is not in it; otherwise as `link`."""
        unlink_version(self._objects.workspace, self.row, self._version(artifact, version))

    def get_artifact(self, name: str, version: str | int | None = None) -> ArtifactVersionResponse:
        """Return the version of an artifact that is in it: the newest of those, unless `version` says which.

        Raises:
            ArtifactNotFound, VersionNotFound: it has none.
        """
        catalog = self._objects.catalog
        artifact = find_artifact(catalog, name)
        if version is None or version == LATEST:
            newest = catalog.models.newest_of(self.row.id, name)
            found = catalog.versions.by_id(newest) if newest is not None else None
        else:
            found = version_of(catalog, artifact, str(version))
            found = found if found.id in catalog.models.version_ids(self.row.id) else None
        if found is None:
            which = "no version" if version is None else f"not version '{version}'"
            raise VersionNotFound(
                f"model {self.row.shown_name} has {which} of artifact '{name}'; "
                f"'artfs model show {self.row.shown_name}' lists what it has",
                subject=name,
            )
        return self._objects.version(found)

    def load_artifact(self, name: str, version: str | int | None = None) -> Any:
        """Return the value of a version that is in it; as `get_artifact`."""
        return self.get_artifact(name, version).load()

    @property
    def artifacts(self) -> list[ArtifactVersionResponse]:
        """All versions that are in it, oldest first."""
        catalog = self._objects.catalog
        found = {row.id: row for row in catalog.versions.by_ids(catalog.models.version_ids(self.row.id))}
        return [self._objects.version(found[id_]) for id_ in sorted(found)]

    @property
    def runs(self) -> list[PipelineRunResponse]:
        """The runs that are in it, oldest first."""
        catalog = self._objects.catalog
        return [self._objects.run(row) for row in catalog.runs.by_ids(catalog.models.run_ids(self.row.id))]

    def delete(self) -> None:
        """Forget it; the versions that are in it stay."""
        delete_model_version(self._objects.workspace, self.row)

    def summary(self) -> Mapping[str, Any]:
        """Return what `artfs model show` says of it; see `artfs.describe`."""
        return model_version(self._objects.catalog, self.row)

    def _version(self, artifact: str | ArtifactVersionResponse, version: str | int | None) -> Version:
        from artfs.objects.version import ArtifactVersionResponse

        if isinstance(artifact, ArtifactVersionResponse):
            return find_version(self._objects.catalog, artifact.id)
        if not isinstance(artifact, str):
            raise InvalidValue(f"a version or its name belongs to a model, not {artifact!r}")
        return find_version(self._objects.catalog, artifact, version)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelVersionResponse) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<model {self.row.shown_name}: stage {self.stage}, {len(self.artifacts)} versions>"
