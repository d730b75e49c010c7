"""Versions that a pipeline's function asks for are looked up late: when the step begins that they are given to.

So a version that an earlier step of the same pipeline makes is found, and nothing is loaded while steps are composed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from artfs.responses import ArtifactResponse, ArtifactVersionResponse

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace import Workspace


class LateArtifactVersion(ArtifactVersionResponse):
    """A version that is looked up when something of it is asked for, and is that one from then on.

    Args:
        workspace: where.
        asked_for: the artifact's name.
        find: looks it up.
    """

    def __init__(self, workspace: Workspace, asked_for: str, find: Callable[[], Version]) -> None:
        self._workspace = workspace
        self.asked_for = asked_for
        self._find = find

    def __getattr__(self, name: str) -> Any:
        # Called only for what is not there yet.
        if name != "_version":
            raise AttributeError(f"a version has no attribute '{name}'")
        self._version = self._find()
        return self._version


def latest_of(artifact: ArtifactResponse) -> Callable[[], Version]:
    """Looks up the newest version of an artifact; raises VersionNotFound when there is none."""

    def find() -> Version:
        from artfs.artifacts.lookup import LATEST, version_of

        return version_of(artifact._workspace.catalog, artifact._artifact, LATEST)

    return find
