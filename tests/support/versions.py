"""Versions that are made of files, without a materializer."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from artfs.artifacts import seal as making
from artfs.artifacts.scan import Scanned
from artfs.catalog.new_version import NewVersion
from artfs.catalog.versions import Version
from artfs.stores.base import Store
from artfs.workspace.workspace import Workspace


def planned(
    scanned: Scanned,
    workspace: Workspace,
    artifact: str,
    *,
    uuid: str | None = None,
    store: Store | None = None,
    adopt: bool = True,
    **facts: Any,
) -> making.Plan:
    """The plan for a version of what was scanned, in the active store or another; facts: of the version."""
    store = store or workspace.stores.active
    new = NewVersion(artifact, scanned.tree, uuid or str(uuid4()), user=workspace.user, **facts)
    return making.plan(scanned, new, workspace.catalog, store, store, adopt=adopt)


def seal(scanned: Scanned, workspace: Workspace, artifact: str, **facts: Any) -> Version:
    """Make a version of what was scanned."""
    with making.bring(planned(scanned, workspace, artifact, **facts), workspace) as ready:
        [version] = making.commit(workspace, [ready])
    return version
