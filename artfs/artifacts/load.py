"""Versions become Python values again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.artifacts.checkout import checkout
from artfs.artifacts.lookup import told_if_removed
from artfs.classes import importing_only, qualified_name
from artfs.content.tree import EntryKind
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.builtin import is_built_in
from artfs.materializers.registry import registry
from artfs.names import RESERVED_PREFIX
from artfs.scopes import step_scope, unobserved

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

_GIVE_FOLDERS = (None, "artfs.materializers.paths.PreexistingDataMaterializer")
_GIVE_PATHS = (*_GIVE_FOLDERS, "artfs.materializers.paths.PathMaterializer")
"""What does not read the files: what is loaded is where they are."""


def load(
    workspace: Workspace,
    version: Version,
    *,
    trust: bool = False,
    materializer: type[BaseMaterializer] | None = None,
    data_type: type[Any] | None = None,
) -> Any:
    """Return the value of a version of a workspace.

    Args:
        materializer: what makes the value of the files, where that is not what saved it.
        data_type: what the value is to be, where that is not what was saved.

    The other arguments, and what is raised, are as for `artfs.load_artifact`.
    """
    if (scope := step_scope.get()) is not None:
        with unobserved():
            value = _load(workspace, version, trust, materializer, data_type)
        scope.loaded(version)
        return value
    return _load(workspace, version, trust, materializer, data_type)


def _load(
    workspace: Workspace,
    version: Version,
    trust: bool,
    materializer: type[BaseMaterializer] | None,
    data_type: type[Any] | None,
) -> Any:
    is_path = materializer is None and version.materializer in _GIVE_PATHS
    with told_if_removed(workspace.catalog, version, "loaded"):
        alone = _may_look_around(workspace, version, materializer)
        directory = checkout(workspace, version, only_looked_up=is_path, alone=alone)
    trusted = version.trusted or trust
    with importing_only(_anything if trust else workspace.classes.allows):
        if materializer is None:
            if version.materializer is None:
                return _path(directory, version)
            materializer = registry.by_name(version.materializer, trusted=trusted)
        if data_type is None:
            recorded = version.data_type
            data_type = registry.type_to_load(recorded, materializer, trusted=trusted) if recorded else object
        files = workspace.stores.by_id(version.store_id).files if version.store_id is not None else None
        loader = materializer(str(directory), files)
        loader.trusted = trusted
        with told_if_removed(workspace.catalog, version, "loaded"):
            return loader.load(data_type)


def _anything(name: str) -> bool:
    """Whether a class may be imported, for a caller who trusts all of them."""
    return True


def _may_look_around(workspace: Workspace, version: Version, materializer: type[BaseMaterializer] | None) -> bool:
    """Whether whoever gets the files may list their directory: it is the value itself, or foreign code reads it."""
    name = qualified_name(materializer) if materializer is not None else version.materializer
    if name not in _GIVE_FOLDERS:
        return name is not None and not is_built_in(name)
    entry = workspace.catalog.trees.entry(version.tree_id or 0, os.fsencode(version.artifact))
    return version.files != 1 or entry is None or entry.kind != EntryKind.FILE


def _path(directory: Path, version: Version) -> Path:
    """The path of what came through /incoming: a single file is named like its artifact."""
    names = [name for name in os.listdir(directory) if name != RESERVED_PREFIX]
    single = directory / names[0] if len(names) == 1 else None
    return single if single is not None and single.name == version.artifact and single.is_file() else directory
