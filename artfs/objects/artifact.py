"""An artifact, a name with versions, as users hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artfs.artifacts.lookup import LATEST, version_of
from artfs.describe.versions import artifacts
from artfs.objects.pagination import Page
from artfs.objects.references import LateReference, StepInput
from artfs.text import html
from artfs.text.times import moment

if TYPE_CHECKING:
    from datetime import datetime

    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.versions import Version
    from artfs.objects.objects import Objects
    from artfs.objects.version import ArtifactVersionResponse


class ArtifactResponse(StepInput):
    """A name with versions."""

    def __init__(self, objects: Objects, artifact: Artifact) -> None:
        self._objects = objects
        self._artifact = artifact

    @property
    def row(self) -> Artifact:
        """The catalog's row, as it was when this was fetched."""
        return self._artifact

    @property
    def id(self) -> int:
        """Its row in the catalog."""
        return self._artifact.id

    @property
    def name(self) -> str:
        """Its name."""
        return self._artifact.name

    @property
    def created(self) -> datetime:
        """When its name was first used, UTC."""
        return moment(self._artifact.created_us)

    @property
    def tags(self) -> list[str]:
        """Its own tags, sorted."""
        return list(self._objects.catalog.tags.of_artifact(self._artifact.id))

    @property
    def versions(self) -> Page[ArtifactVersionResponse]:
        """All its versions, oldest first."""
        return self._objects.version_page(self._artifact.id)

    @property
    def latest_version(self) -> ArtifactVersionResponse | None:
        """Its newest version."""
        row = self._objects.catalog.versions.latest(self._artifact.id)
        return self._objects.version(row) if row is not None else None

    @property
    def latest_version_name(self) -> str | None:
        """Number or name of its newest version."""
        row = self._objects.catalog.versions.latest(self._artifact.id)
        return row.name if row is not None else None

    def load(self, version: str | int | None = None, *, trust: bool = False) -> Any:
        """Return the value of a version, the newest when none is given; see `artfs.load_artifact`."""
        from artfs.artifacts.load import load

        wanted = LATEST if version is None else str(version)
        return load(self._objects.workspace, version_of(self._objects.catalog, self._artifact, wanted), trust=trust)

    def as_source(self) -> StepInput:
        """Return the reference that a step is called with: to the version that is newest when the step begins."""
        return LateReference(self.name, self._newest)

    def summary(self) -> dict[str, Any]:
        """Return what lists say of it; see `artfs.describe`."""
        return artifacts(self._objects.catalog, [self._artifact])[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactResponse) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        facts = self.summary()
        return f"<artifact {self.name}: {facts['versions']} versions, latest {facts['latest']}, tags {self.tags}>"

    def _repr_html_(self) -> str:
        return html.facts(self.summary(), self.name)

    def _newest(self) -> Version:
        return version_of(self._objects.catalog, self._artifact, LATEST)
