"""Versions become tombstones: their name, number, digest, totals and lineage stay, their bytes may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from artfs.home.older_catalog import check_not_older
from artfs.stages import stages

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace


@dataclass
class Loose:
    """What versions leave behind that were purged, to be swept.

    Args:
        blobs: ids of contents that nothing may need any more.
        versions: their uuids.
    """

    blobs: set[int] = field(default_factory=set)
    versions: list[str] = field(default_factory=list)

    def add(self, other: Loose) -> None:
        self.blobs |= other.blobs
        self.versions += other.versions


def make_tombstones(
    workspace: Workspace, versions: Sequence[Version], reason: str, *, forget_metadata: bool = False
) -> Loose:
    """Turn versions into tombstones, all of them or none, and return what is to be swept after the commit.

    Args:
        workspace: where they are.
        versions: what to remove.
        reason: what their tombstones say.
        forget_metadata: forget also what was logged for them.

    Raises:
        InvalidValue: one of them is pinned.
        VersionNotFound: one of them was removed already.
        OlderCatalog: the catalog does not know all versions that are in its stores.
    """
    check_not_older(workspace.catalog, workspace.stores)
    catalog, loose = workspace.catalog, Loose()
    with catalog.transaction():
        user = catalog.users.ensure(workspace.user)
        for version in versions:
            catalog.versions.purge(version.id, reason)
            loose.blobs |= catalog.visualizations.remove(version.id)
            if forget_metadata:
                catalog.metadata.forget(version.id)
            catalog.audit.append("version.purge", f"{version.artifact}@{version.name}", {"reason": reason}, user.id)
        trees = {version.tree_id for version in versions if version.tree_id is not None}
        loose.blobs |= catalog.trees.remove_unneeded(trees)
        loose.versions = [version.uuid for version in versions]
        catalog.after_commit(lambda: stages.reached("purged"))
    return loose
