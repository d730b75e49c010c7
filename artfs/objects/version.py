"""A version, as users hold it.

It shows what was in the catalog when it was fetched; tags, metadata and other things that may change are asked for
again each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import humanize

from artfs.content.digest import format_digest
from artfs.describe.versions import versions
from artfs.enums import ArtifactSaveType, ArtifactType
from artfs.errors import ArtifactNotFound, VersionNotFound
from artfs.objects.metadata import MetadataValue
from artfs.objects.references import StepInput, VersionReference
from artfs.text import html
from artfs.text.times import moment

if TYPE_CHECKING:
    from datetime import datetime
    from os import PathLike

    from artfs.artifacts.diff import PathChange
    from artfs.catalog.versions import Version
    from artfs.catalog.visualizations import Visualization
    from artfs.objects.artifact import ArtifactResponse
    from artfs.objects.lineage import VersionLineage
    from artfs.objects.objects import Objects
    from artfs.objects.run import PipelineRunResponse, StepRunResponse


class ArtifactVersionResponse(StepInput):
    """A version of an artifact."""

    def __init__(self, objects: Objects, version: Version) -> None:
        self._objects = objects
        self._version = version

    @property
    def row(self) -> Version:
        """The catalog's row, as it was when this was fetched."""
        return self._version

    @property
    def id(self) -> UUID:
        """Its id, which no other version anywhere has."""
        return UUID(self._version.uuid)

    @property
    def name(self) -> str:
        """Name of the artifact."""
        return self._version.artifact

    @property
    def version(self) -> str:
        """Its number as text, or the name that was chosen for it."""
        return self._version.name

    @property
    def artifact(self) -> ArtifactResponse:
        """The artifact that it is a version of."""
        row = self._objects.catalog.artifacts.by_id(self._version.artifact_id)
        if row is None:
            raise ArtifactNotFound(f"artifact '{self.name}' was removed", subject=self.name)
        return self._objects.artifact(row)

    @property
    def type(self) -> ArtifactType:
        """What it is for."""
        return ArtifactType(self._version.type)

    @property
    def save_type(self) -> ArtifactSaveType:
        """How it was saved: as the output of a step, by hand, through /incoming, ..."""
        return ArtifactSaveType(self._version.save_type)

    @property
    def materializer(self) -> str | None:
        """The class that saved it, as "module.ClassName"; None for what came through /incoming."""
        return self._version.materializer

    @property
    def data_type(self) -> str | None:
        """The class of the value, as "module.ClassName"."""
        return self._version.data_type

    @property
    def digest(self) -> str:
        """What it holds: equal for equal files."""
        return format_digest(self._version.digest)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return self._version.bytes

    @property
    def files(self) -> int:
        """How many files it has."""
        return self._version.files

    @property
    def created(self) -> datetime:
        """When it was made, UTC."""
        return moment(self._version.created_us)

    @property
    def user(self) -> str | None:
        """Login name of who made it."""
        row = self._objects.catalog.users.by_id(self._version.user_id) if self._version.user_id else None
        return row.name if row is not None else None

    @property
    def store(self) -> str | None:
        """Name of the store that it was saved in; None for data that was registered where it is."""
        if self._version.store_id is None:
            return None
        return self._objects.workspace.stores.by_id(self._version.store_id).name

    @property
    def uri(self) -> str:
        """The directory or URI that its files are in."""
        from artfs.artifacts.checkout import location

        return location(self._objects.workspace, self._version)

    @property
    def tags(self) -> list[str]:
        """Its tags, sorted."""
        return list(self._objects.catalog.tags.of_version(self._version.id))

    @property
    def run_metadata(self) -> dict[str, MetadataValue]:
        """Everything that was logged about it: `run_metadata["shape"].value`."""
        rows = self._objects.catalog.metadata.rows(self._version.id)
        return {row.key: MetadataValue(row.value, row.type, moment(row.created_us)) for row in rows}

    @property
    def metadata(self) -> dict[str, Any]:
        """Everything that was logged about it, as plain values by key."""
        return self._objects.catalog.metadata.get(self._version.id)

    @property
    def visualizations(self) -> Sequence[Visualization]:
        """The pictures and pages that show it."""
        return self._objects.catalog.visualizations.list(self._version.id)

    @property
    def lineage(self) -> VersionLineage:
        """What it was made from, by which step of which run, and what was made from it."""
        return self._objects.lineage(self._version)

    @property
    def run(self) -> PipelineRunResponse | None:
        """The run that it was made in; None if no step made it."""
        return self.lineage.run

    @property
    def step(self) -> StepRunResponse | None:
        """The step run that made it; None if no step did."""
        return self.lineage.producer

    def load(self, *, trust: bool = False) -> Any:
        """Return its value; see `artfs.load_artifact`."""
        from artfs.artifacts.load import load

        return load(self._objects.workspace, self._version, trust=trust)

    @property
    def data(self) -> Any:
        """Its value, loaded at the first use."""
        return self._data

    @cached_property
    def _data(self) -> Any:
        return self.load()

    def download_files(self, path: str | PathLike[str], overwrite: bool = False) -> Path:
        """Copy its files into a directory, or into a file that ends in `.zip`; see `artifacts.download`."""
        from artfs.artifacts.download import download

        return download(self._objects.workspace, self._version, path, overwrite=overwrite)

    def local_path(self) -> Path:
        """Return a directory of this machine that holds its files and nothing else, each compared with its digest.

        It stays for as long as the version does. The files may be the store's or your own: never write to them.

        Raises:
            VersionNotFound, DigestMismatch, PlaceChanged, StoreError: a file is not there, or not what was stored.

        Example:
            >>> reader = open_dataset(Client().get_artifact_version("images").local_path())
        """
        from artfs.artifacts.native_path import native_path

        return native_path(self._objects.workspace, self._version)

    def diff(self, other: ArtifactVersionResponse) -> list[PathChange]:
        """Return the paths that were added, removed or changed from this version to another."""
        from artfs.artifacts.diff import diff

        return list(diff(self._objects.workspace, self._version, other._version))

    def visualize(self, *, open_browser: bool = True) -> Path | None:
        """Show it: in the notebook where there is one, else as a page in the browser.

        Args:
            open_browser: False writes the page and does not open it.

        Returns:
            the path of the page; None in a notebook.
        """
        from artfs.artifacts.visualize import visualize

        return visualize(self._objects.workspace, self._version, open_browser=open_browser)

    def refresh(self) -> ArtifactVersionResponse:
        """Return it as it is in the catalog now. Raises VersionNotFound."""
        row = self._objects.catalog.versions.by_id(self._version.id)
        if row is None or row.tree_id is None:
            raise VersionNotFound(f"version {self.name}/{self.version} was removed", subject=self.version)
        return self._objects.version(row)

    def as_source(self) -> StepInput:
        """Return the reference that a step is called with: to this version."""
        return VersionReference(self._version)

    def summary(self) -> dict[str, Any]:
        """Return what lists and `info.json` say of it; see `artfs.describe`."""
        return versions(self._objects.catalog, [self._version])[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactVersionResponse) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        size = humanize.naturalsize(self.size)
        return f"<version {self.name}/{self.version}: {self.type.value}, {size}, tags {self.tags}, id {self.id}>"

    def _repr_html_(self) -> str:
        return html.facts({**self.summary(), **self.metadata}, f"{self.name}/{self.version}")
