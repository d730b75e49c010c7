"""One version, or an artifact with all of its versions, is removed because somebody says so.

What is checked, and the change of the rows, are one transaction; the bytes go last, see `sweep`. Each removed version
leaves a tombstone, so that lineage and the history of numbers stay true.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from artfs.artifacts.sweep import Swept, sweep
from artfs.artifacts.tombstones import Loose, make_tombstones
from artfs.errors import InvalidValue

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

logger = logging.getLogger(__name__)


def delete_version(workspace: Workspace, version: Version, *, force: bool = False) -> Swept:
    """Remove a version, and return what became of its bytes.

    Args:
        workspace: where it is.
        version: what to remove.
        force: also when a run uses it, which then shows that it was removed, or a model has it.

    Raises:
        InvalidValue: a run uses it, a model has it, or it is pinned; nothing was changed.
        VersionNotFound: it was removed already.
    """
    with workspace.catalog.transaction():
        _check_removable(workspace, version.artifact_id, [version], force=force)
        loose = make_tombstones(workspace, [version], "deleted")
    return _swept(workspace, loose)


def delete_artifact(workspace: Workspace, artifact: Artifact, *, force: bool = False) -> Swept:
    """Remove an artifact with all its versions, and return what became of their bytes.

    Args:
        workspace: where it is.
        artifact: what to remove.
        force: also when a run uses one of them, which then shows that it was removed, or a model has one.

    Raises:
        InvalidValue: a run uses one of them, a model has one, or one is pinned; nothing was changed.
        VersionNotFound: one was removed meanwhile.
    """
    catalog = workspace.catalog
    with catalog.transaction():
        versions = catalog.versions.list(artifact.id)
        _check_removable(workspace, artifact.id, versions, force=force)
        loose = make_tombstones(workspace, versions, "deleted with its artifact")
        catalog.artifacts.delete(artifact.id)
    return _swept(workspace, loose)


def check_removable(workspace: Workspace, versions: Sequence[Version], *, force: bool = False) -> None:
    """Raise what `delete_version` would, if any of several versions cannot be removed; nothing is changed."""
    of_artifact: dict[int, list[Version]] = defaultdict(list)
    for version in versions:
        of_artifact[version.artifact_id].append(version)
    for artifact_id, its_versions in of_artifact.items():
        _check_removable(workspace, artifact_id, its_versions, force=force)


def _check_removable(workspace: Workspace, artifact_id: int, versions: Sequence[Version], *, force: bool) -> None:
    used = {} if force else workspace.catalog.uses.runs(artifact_id)
    models = {} if force else workspace.catalog.uses.models(artifact_id)
    for version in versions:
        name = version.shown_name
        if run := used.get(version.id):
            why = f"is used by a run ({run}): delete the run first, or force it"
            raise InvalidValue(f"version {name} {why}", subject=name)
        if model := models.get(version.id):
            why = f"is in a model ({model}): take it out of it first, or force it"
            raise InvalidValue(f"version {name} {why}", subject=name)
        if pin := workspace.catalog.pins.get(version.id):
            raise InvalidValue(f"version {name} is pinned ({pin.reason}): unpin it first", subject=name)


def _swept(workspace: Workspace, loose: Loose) -> Swept:
    swept = sweep(workspace, loose)
    for error in swept.errors:
        logger.warning("%s", error)
    return swept
