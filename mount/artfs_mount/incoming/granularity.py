"""What of a draft is one version, as its artifact says, and as attributes of the draft ask and change it."""

from __future__ import annotations

from collections.abc import Hashable

from artfs.artifacts.settings import change_settings, granularity_of
from artfs.catalog.catalog import Catalog
from artfs.enums import Granularity
from artfs.names import check_artifact_name
from artfs.workspace.workspace import Workspace


class Granularities:
    """The granularity of artifacts, kept until the catalog changes. Belongs to the event loop, but for `change`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._seen: Hashable = None
        self._known: dict[str, Granularity] = {}

    def of(self, artifact: str) -> Granularity:
        """What of a draft of this name is one version."""
        catalog = self._catalog
        stamp = catalog.stamp()
        if stamp != self._seen:
            self._seen = stamp
            self._known.clear()
        found = self._known.get(artifact)
        if found is None:
            found = self._known[artifact] = granularity_of(catalog, artifact)
        return found

    def change(self, artifact: str, unit: str) -> None:
        """Says what of a draft is one version; the artifact is made if it is not there. For a worker thread.

        Raises InvalidName, and InvalidValue for a unit that there is not.
        """
        catalog = self._catalog
        check_artifact_name(artifact)
        with catalog.transaction():
            user = catalog.users.ensure(self._workspace.user)
            change_settings(self._workspace, catalog.artifacts.ensure(artifact, user.id), unit=unit)

    @property
    def _catalog(self) -> Catalog:
        return self._workspace.catalog
